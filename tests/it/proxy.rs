//! A proxy between the program and its sandbox, that spoils chosen answers: for what a
//! faithful server does not do by itself.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;

/// What to do with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Passed on, and the answer back.
    None,
    /// Not passed on: 500.
    Refuse500,
    /// Not passed on: a list that is complete, and empty.
    EmptyList,
    /// Passed on; the answer becomes a gateway's HTML page.
    LoseAnswer,
    /// Not passed on; the answer is a gateway's HTML page.
    LoseRequest,
    /// Strikes, and does not pass it on.
    StrikeBefore,
    /// Passed on; strikes before the answer goes back.
    StrikeBetween,
    /// Passed on, and the answer back with one text in place of another.
    Rewrite(&'static str, &'static str),
    /// Passed on, and the answer back; strikes so many microseconds after.
    StrikeAfter(u64),
}

type Decide = Arc<dyn Fn(&Method, &str, &[u8]) -> Fault + Send + Sync>;
/// What a strike is; it is told whether the server answered that it was carried out.
type Strike = Arc<dyn Fn(bool) + Send + Sync>;

#[derive(Clone)]
struct Proxy {
    target: String,
    decide: Decide,
    strike: Strike,
    http: reqwest::Client,
}

/// Starts it before a sandbox (its address without `/v2`); its own API address comes back.
pub async fn start(target: String, decide: impl Fn(&Method, &str, &[u8]) -> Fault + Send + Sync + 'static) -> String {
    striking(target, decide, |_| {}).await
}

/// As [`start`], with something to strike: the process that sends the requests.
pub async fn striking(
    target: String,
    decide: impl Fn(&Method, &str, &[u8]) -> Fault + Send + Sync + 'static,
    strike: impl Fn(bool) + Send + Sync + 'static,
) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let proxy = Proxy { target, decide: Arc::new(decide), strike: Arc::new(strike), http: reqwest::Client::new() };
    let app = Router::new().fallback(pass).with_state(proxy);
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    format!("http://{address}/v2")
}

async fn pass(State(proxy): State<Proxy>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let fault = (proxy.decide)(&head.method, &path, &body);
    match fault {
        Fault::Refuse500 => answer(StatusCode::INTERNAL_SERVER_ERROR, "application/json", r#"{"message":"broken"}"#),
        Fault::EmptyList => answer(StatusCode::OK, "application/json", r#"{"data":[]}"#),
        Fault::LoseRequest => bad_gateway(),
        Fault::StrikeBefore => {
            (proxy.strike)(false);
            hang_up()
        }
        Fault::Rewrite(from, to) => match forward(&proxy, head.method, &path, head.headers, body).await {
            Some(passed) => {
                let (head, body) = passed.into_parts();
                let body = axum::body::to_bytes(body, 1 << 24).await.unwrap();
                let text = String::from_utf8_lossy(&body).replace(from, to);
                Response::from_parts(head, Body::from(text))
            }
            None => hang_up(),
        },
        Fault::None | Fault::LoseAnswer | Fault::StrikeBetween | Fault::StrikeAfter(_) => {
            let Some(passed) = forward(&proxy, head.method, &path, head.headers, body).await else {
                if matches!(fault, Fault::StrikeBetween | Fault::StrikeAfter(_)) {
                    (proxy.strike)(false);
                }
                hang_up()
            };
            match fault {
                Fault::LoseAnswer => return bad_gateway(),
                Fault::StrikeBetween => {
                    (proxy.strike)(passed.status().is_success());
                    hang_up()
                }
                Fault::StrikeAfter(microseconds) => {
                    let (strike, carried_out) = (Arc::clone(&proxy.strike), passed.status().is_success());
                    tokio::spawn(async move {
                        tokio::time::sleep(Duration::from_micros(microseconds)).await;
                        strike(carried_out);
                    });
                }
                _ => {}
            }
            passed
        }
    }
}

/// Closes the connection without an answer, as the server behind it did.
fn hang_up() -> ! {
    std::panic::resume_unwind(Box::new("the proxy hung up"))
}

/// Passes it on; `None` where no whole answer came.
async fn forward(proxy: &Proxy, method: Method, path: &str, headers: HeaderMap, body: Bytes) -> Option<Response> {
    let mut passed = proxy.http.request(method, format!("{}{path}", proxy.target)).body(body);
    for (name, value) in &headers {
        if !["host", "content-length", "connection"].contains(&name.as_str()) {
            passed = passed.header(name, value);
        }
    }
    let answer = passed.send().await.ok()?;
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if !["content-length", "transfer-encoding", "connection"].contains(&name.as_str()) {
            response = response.header(name, value);
        }
    }
    Some(response.body(Body::from(answer.bytes().await.ok()?)).unwrap())
}

fn bad_gateway() -> Response {
    answer(StatusCode::BAD_GATEWAY, "text/html", "<html><h1>502 Bad Gateway</h1></html>")
}

fn answer(status: StatusCode, kind: &str, body: &'static str) -> Response {
    Response::builder().status(status).header("content-type", kind).body(Body::from(body)).unwrap()
}
