//! Connections: who comes is let in, and nobody stays who asks for nothing.

use std::collections::VecDeque;
use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::host::Arrived;

/// After a failure that is the machine's, such as too many open files.
const BREATH: Duration = Duration::from_secs(1);

/// What strangers may take of us.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// So many connections at once; where they are all taken, the oldest gives way.
    pub connections: usize,
    /// A head must be whole within this, the first one and each one after it.
    pub head: Duration,
    /// The longest that a connection lives, whatever it does: a body or a reader may be slow, too.
    pub life: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { connections: 256, head: Duration::from_secs(10), life: Duration::from_secs(60) }
    }
}

/// Serves until it is cancelled. What is asked by then is still answered.
pub async fn serve(socket: TcpListener, app: Router, bounds: Bounds, cancel: CancellationToken) {
    let mut all = JoinSet::new();
    let mut open: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            Some(_) = all.join_next() => {
                open.retain(|connection| !connection.is_finished());
                continue;
            }
            () = cancel.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                while open.len() >= bounds.connections.max(1) {
                    if let Some(oldest) = open.pop_front() {
                        oldest.abort();
                    }
                }
                let arrived = stream.local_addr().ok();
                open.push_back(all.spawn(attend(stream, arrived, app.clone(), bounds, cancel.clone())));
            }
            Err(error) if is_of_one(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::select! {
                    () = tokio::time::sleep(BREATH) => {}
                    () = cancel.cancelled() => break,
                }
            }
        }
    }
    all.detach_all();
}

/// Whether an error concerns the one connection that was to be taken, and nobody else.
fn is_of_one(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset)
}

async fn attend(
    stream: TcpStream,
    arrived: Option<SocketAddr>,
    app: Router,
    bounds: Bounds,
    cancel: CancellationToken,
) {
    let service = tower::service_fn(move |request: Request<_>| {
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(Arrived(arrived)));
        app.clone().oneshot(request)
    });
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(bounds.head);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)));
    tokio::select! {
        // How a stranger's connection ends is of no account.
        _ = connection.as_mut() => return,
        () = tokio::time::sleep(bounds.life) => {}
        () = cancel.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(bounds.head, connection).await;
}
