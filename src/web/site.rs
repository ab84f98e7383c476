//! What is served beside the receivers of webhooks: the page, the status, metrics and health.
//! Everything is read only; nothing of a token, a secret or a whole email is in it.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, body::Body};
use tokio::time::Instant;

use crate::controller::board::status_of;
use crate::controller::{Board, Tally};
use crate::domain::Clock;

use super::git::GitHooks;
use super::hooks::Hooks;
use super::host::{Names, guard};
use super::{metrics, page};

/// Nothing may be loaded but the page's own style, and nothing sent.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What is served.
#[derive(Clone)]
pub struct Site {
    /// A board each fleet.
    pub boards: Vec<Board>,
    /// What was counted.
    pub tally: Tally,
    /// What the time is.
    pub clock: Arc<dyn Clock>,
    /// Under which names.
    pub names: Names,
    /// The receiver of the service's webhooks, where there is a secret for it.
    pub hooks: Option<Arc<Hooks>>,
    /// The receiver of pushes, likewise.
    pub git: Option<Arc<GitHooks>>,
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site").field("boards", &self.boards).finish_non_exhaustive()
    }
}

/// The routes. Webhooks come under any name: they are known by their secret.
pub fn site(site: Site) -> Router {
    let (names, tally) = (site.names.clone(), site.tally.clone());
    let mut hooks = Router::new();
    if let Some(receiver) = site.hooks.clone() {
        hooks = hooks.merge(super::hooks::router(receiver));
    }
    if let Some(receiver) = site.git.clone() {
        hooks = hooks.merge(Router::new().route("/hooks/git/{secret}", post(pushed)).with_state(receiver));
    }
    let hooks = hooks.layer(middleware::from_fn_with_state(tally, count));
    let pages = Router::new()
        .route("/", get(show))
        .route("/style.css", get(style))
        .route("/status.json", get(status))
        .route("/metrics", get(measure))
        .route("/healthz", get(healthy))
        .route("/readyz", get(ready))
        .with_state(site)
        .layer(middleware::from_fn_with_state(names, guard));
    pages.merge(hooks).layer(middleware::map_response(harden))
}

async fn harden(mut answer: Response) -> Response {
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// Counts deliveries, by the sender that the path is for.
async fn count(State(tally): State<Tally>, request: Request, next: Next) -> Response {
    let sender = if request.uri().path().starts_with("/hooks/git/") { "git" } else { "dnsimple" };
    let answer = next.run(request).await;
    tally.delivered(sender, answer.status().as_u16());
    answer
}

async fn pushed(
    State(hooks): State<Arc<GitHooks>>,
    secret: Result<Path<String>, axum::extract::rejection::PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> StatusCode {
    let secret = secret.ok().map(|Path(secret)| secret);
    hooks.take(secret.as_deref(), &headers, body).await
}

async fn show(State(site): State<Site>) -> Response {
    page::page(&status_of(&site.boards, site.clock.now())).into_response()
}

async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], page::STYLE)
}

async fn status(State(site): State<Site>) -> Response {
    Json(status_of(&site.boards, site.clock.now())).into_response()
}

async fn measure(State(site): State<Site>) -> Response {
    match metrics::text(&site.boards, &site.tally, site.clock.now()) {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::MEDIA_TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The process lives, and each of its loops goes on.
async fn healthy(State(site): State<Site>) -> Response {
    let now = Instant::now();
    let hang: Vec<&str> = site.boards.iter().filter(|board| !board.is_alive(now)).map(Board::name).collect();
    if hang.is_empty() {
        return "ok\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("no sign of life of: {}\n", hang.join(", "))).into_response()
}

/// Each fleet was read once, or is another replica's.
async fn ready(State(site): State<Site>) -> Response {
    let reasons = site.boards.iter().filter_map(|board| Some(format!("{}: {}\n", board.name(), board.unready()?)));
    let reasons: String = reasons.collect();
    if reasons.is_empty() {
        return "ok\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, reasons).into_response()
}
