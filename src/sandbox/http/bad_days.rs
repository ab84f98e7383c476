//! Carrying faults out: what the network and a tired server do to a request.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;

use super::problem::Problem;
use crate::sandbox::faults::{Fault, Kind};
use crate::sandbox::service::{Service, locked};

/// How long a slow answer takes.
const SLOW: Duration = Duration::from_secs(2);
/// How long half an answer stands before the connection breaks.
const BREAK_OFF: Duration = Duration::from_millis(50);

/// The fault of a request, from the first door to the one that carries it out.
#[derive(Debug, Clone, Copy)]
struct Drawn(Fault);

/// Before anything else: draws, and closes the connections that are refused.
pub async fn draw(State(service): State<Arc<Service>>, mut request: Request, next: Next) -> Response {
    let fault = locked(&service.faults).draw();
    match fault {
        Some(Fault { kind: Kind::Refuse, after: _ }) => hang_up(),
        Some(fault) => {
            request.extensions_mut().insert(Drawn(fault));
            next.run(request).await
        }
        None => next.run(request).await,
    }
}

/// Behind the ledger, the quota and the token: spoils the request or its answer.
pub async fn spoil(request: Request, next: Next) -> Response {
    let Some(Drawn(fault)) = request.extensions().get().copied() else { return next.run(request).await };
    let Fault { kind, after } = fault;
    match kind {
        Kind::Refuse | Kind::LoseRequest => hang_up(),
        Kind::LoseAnswer => {
            next.run(request).await;
            hang_up()
        }
        Kind::Error500 | Kind::Html502 => {
            if after {
                next.run(request).await;
            }
            if kind == Kind::Error500 {
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong").into_response()
            } else {
                let page = "<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>";
                (StatusCode::BAD_GATEWAY, [(header::CONTENT_TYPE, "text/html")], page).into_response()
            }
        }
        Kind::Quota429 => Problem::new(StatusCode::TOO_MANY_REQUESTS, "quota exceeded").into_response(),
        Kind::Slow => {
            let answer = next.run(request).await;
            tokio::time::sleep(SLOW).await;
            answer
        }
        Kind::Truncate => truncated(next.run(request).await).await,
    }
}

/// Whether a quota is said to be used up though it is not, and the header must agree.
pub fn says_quota_is_used_up(request: &Request) -> bool {
    matches!(request.extensions().get(), Some(Drawn(Fault { kind: Kind::Quota429, after: _ })))
}

/// How long it is said to be used up.
pub const QUOTA_PAUSE_SECONDS: i64 = 2;

/// Closes the connection without an answer: the task that serves it ends here. Unwinding
/// without a panic's message is the one way to send not even a status.
fn hang_up() -> ! {
    std::panic::resume_unwind(Box::new("the sandbox hung up, as a tester asked for"))
}

/// The head as it is, and half of the body.
async fn truncated(answer: Response) -> Response {
    let (mut head, body) = answer.into_parts();
    let whole = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    head.headers.insert(header::CONTENT_LENGTH, whole.len().max(2).into());
    let half: Result<Bytes, std::io::Error> = Ok(whole.slice(..whole.len() / 2));
    let broken = async {
        // The half must be on its way before the connection goes.
        tokio::time::sleep(BREAK_OFF).await;
        Err(std::io::Error::other("broken off, as a tester asked for"))
    };
    let halves = futures::stream::once(std::future::ready(half)).chain(futures::stream::once(broken));
    Response::from_parts(head, Body::from_stream(halves))
}
