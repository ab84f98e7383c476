//! Strangers who connect and ask for nothing.

use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use bursar::web::{Bounds, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

const SOON: Duration = Duration::from_secs(20);

/// Serves with these bounds; where, and what ends it.
async fn served(bounds: Bounds) -> (String, CancellationToken) {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let app = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/take", axum::routing::post(|body: String| async move { body }));
    let cancel = CancellationToken::new();
    tokio::spawn(serve(socket, app, bounds, cancel.clone()));
    (address, cancel)
}

async fn connect(address: &str, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// Until the other side ends it: what it sent.
async fn rest(mut stream: TcpStream) -> String {
    let mut all = Vec::new();
    // Given up by the other side, it may be reset.
    let _ = tokio::time::timeout(SOON, stream.read_to_end(&mut all)).await.expect("it is ended");
    String::from_utf8(all).unwrap()
}

async fn asks(address: &str) -> String {
    rest(connect(address, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_is_answered_while_strangers_hold_all_connections() {
    // So long a time that none of them ends by it.
    let hour = Duration::from_secs(3600);
    let (address, cancel) = served(Bounds { head: hour, life: hour, ..Bounds::default() }).await;
    let mut strangers = Vec::new();
    for _ in 0..300 {
        strangers.push(connect(&address, b"G").await);
    }
    let answer = asks(&address).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok"), "{answer}");
    // The oldest 45 gave way, to the other strangers and to whoever asked.
    for oldest in strangers.drain(..45) {
        assert_eq!(rest(oldest).await, "");
    }
    for stranger in &strangers {
        let error = stranger.try_read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "the others stay");
    }
    cancel.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn none_outlives_its_time_with_half_a_head_or_half_a_body_or_between_two_requests() {
    let (head, life) = (Duration::from_millis(300), Duration::from_millis(900));
    let (address, cancel) = served(Bounds { head, life, ..Bounds::default() }).await;
    let begun = Instant::now();
    let halves: [&[u8]; 4] = [
        b"",
        b"G",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /take HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf",
    ];
    for half in halves {
        let mut all = Vec::new();
        for _ in 0..75 {
            all.push(connect(&address, half).await);
        }
        let answers = futures::future::join_all(all.into_iter().map(rest)).await;
        let is_asked = half.ends_with(b"localhost\r\n\r\n");
        assert!(answers.iter().all(|answer| answer.starts_with("HTTP/1.1 200") == is_asked), "{answers:?}");
    }
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert!(asks(&address).await.ends_with("ok"));
    cancel.cancel();
}
