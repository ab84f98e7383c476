//! The person's page: what a client of the service, or somebody in its web interface, can
//! see and do. Plain forms, no script; everything foreign is escaped by maud.

mod card;
mod forms;
mod view;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::service::Service;

/// Nothing may be loaded but the page's own style, and forms go nowhere else.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The routes of the page.
pub fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/", get(show))
        .route("/style.css", get(style))
        .route("/page/users", post(forms::sign_up))
        .route("/page/cards", post(forms::change_card))
        .route("/page/clock", post(forms::advance))
        .route("/page/invitations/{id}/accept", post(forms::accept))
        .route("/page/accounts", post(forms::make_account))
        .route("/page/new-account", post(forms::add_account))
        .route("/page/accounts/{id}/rename", post(forms::rename))
        .route("/page/accounts/{id}/plan", post(forms::choose_plan))
        .route("/page/accounts/{id}/cancel", post(forms::cancel))
        .route("/page/accounts/{id}/members", post(forms::add_member))
        .route("/page/accounts/{account}/members/{id}/remove", post(forms::remove_member))
}

async fn show(State(service): State<Arc<Service>>, uri: axum::http::Uri) -> Response {
    let mode = if uri.query() == Some("watch") { view::Mode::Watch } else { view::Mode::Act };
    // The word is for who pressed a button, not for a page that is watched beside theirs.
    let notice = match mode {
        view::Mode::Act => service.take_notice(),
        view::Mode::Watch => None,
    };
    let requests = service.requests();
    let page = service.look(|m| view::page(m, notice.as_deref(), &requests, mode)).await;
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Not `no-referrer`: under that a browser sends `Origin: null` with the page's own
        // forms, which is refused as another site's.
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    (headers, page).into_response()
}

async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("page.css"))
}
