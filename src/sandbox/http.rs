//! The HTTP side: routes, and what is the same for all of them. The handlers are thin; the
//! rules decide.

mod accounts;
mod bad_days;
mod billing;
mod extract;
mod guard;
mod members;
mod problem;
mod subscription;
mod tester;
mod wire;

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::page;
use super::rules::{Extension, Terms};
use super::service::Service;
use problem::method_not_allowed;

pub use extract::{Body, ListAsk, Within};
pub use problem::{Problem, unknown_route};
pub use wire::Pagination;

/// The longest request body, in bytes.
const LONGEST_BODY: usize = 1024 * 1024;

/// The routes of the API, without their description: that takes milliseconds to put together,
/// and a simulation opens thousands of sandboxes.
static API: LazyLock<Router<Arc<Service>>> = LazyLock::new(|| api().split_for_parts().0);

/// Everything that the sandbox serves.
pub fn app(service: Arc<Service>) -> Router {
    let dialect = service.terms.dialect;
    let routes = dialect.routes(&service.terms).fallback(unknown_route);
    // Before they are spoilt, and again for what stands before them.
    let spoilt = dialect
        .worded(routes)
        .layer(from_fn(bad_days::spoil))
        .layer(from_fn_with_state(Arc::clone(&service), guard::api));
    let api = dialect.worded(spoilt).layer(from_fn_with_state(Arc::clone(&service), bad_days::draw));
    Router::new()
        .nest(dialect.base_path(), api)
        .merge(tester::routes())
        .merge(page::routes())
        .fallback(unknown_route)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .layer(from_fn(guard::this_machine_only))
        .layer(from_fn_with_state(Arc::clone(&service), guard::stamp))
        .with_state(service)
}

/// The routes under `/v2`.
pub fn routes(terms: &Terms) -> Router<Arc<Service>> {
    if terms.offers(Extension::AccountManagement) {
        API.clone().method_not_allowed_fallback(method_not_allowed)
    } else {
        published()
    }
}

/// What DNSimple publishes, and nothing else: what only exists for another method is not
/// there either.
fn published() -> Router<Arc<Service>> {
    Router::new()
        .route("/whoami", get(accounts::whoami))
        .route("/accounts", get(accounts::list_published))
        .route("/{account}/billing/charges", get(billing::charges))
        .route("/{account}/webhooks", get(billing::webhooks).post(billing::register))
        .route("/{account}/webhooks/{id}", get(billing::webhook).delete(billing::unregister))
        .method_not_allowed_fallback(unknown_route)
}

/// The routes under `/v2`, with their description.
fn api() -> OpenApiRouter<Arc<Service>> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(accounts::whoami))
        .routes(routes!(accounts::list, accounts::create))
        .routes(routes!(accounts::get, accounts::update))
        .routes(routes!(subscription::plans))
        .routes(routes!(subscription::get, subscription::put, subscription::cancel))
        .routes(routes!(members::list, members::add))
        .routes(routes!(members::set_access, members::remove))
        .routes(routes!(billing::charges))
        .routes(routes!(billing::webhooks, billing::register))
        .routes(routes!(billing::webhook, billing::unregister))
}

/// The OpenAPI 3.1 description of the account API, as JSON that ends in a newline.
pub fn openapi() -> String {
    let (_, description) = api().split_for_parts();
    let mut text = description.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// What the description says besides the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Account API",
        version = "2",
        description = "Client accounts, their plans and members: the published DNSimple API v2 endpoints, and account \
                       management in the same style. Every answer carries X-Request-Id and X-RateLimit-*; every error \
                       is {\"message\", \"errors\"?}.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    servers((url = "/v2")),
    modifiers(&Bearer),
    security(("bearer" = []))
)]
struct Description;

/// The token that every call needs.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let components = description.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    }
}
