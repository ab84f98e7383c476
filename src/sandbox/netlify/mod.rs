//! The Netlify dialect: the published description's accounts, account types, members and
//! payment methods, over the same world as the other dialect. An account there carries its
//! plan from the beginning (a type, a period and seats), has a slug, and gives its members
//! roles; nothing can be asked for twice under one key.

mod accounts;
mod handlers;
mod ids;
mod members;
mod problem;
mod slug;
mod team;
mod types;
mod wire;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use jiff::SignedDuration;

use super::http::unknown_route;
use super::rules::subscription::{Bought, Chosen};
use super::rules::{Moment, Refusal};
use super::service::Service;
use super::world::{AccountId, Draft, Member, World};

pub use ids::place_of;
pub use problem::reword;
pub use slug::give_slugs;
pub use team::{Role, Team};
pub use types::PLANS;

/// Where the service's API is.
pub const BASE_PATH: &str = "/api/v1";
/// How many requests it lets through in a window.
pub const REQUESTS_A_WINDOW: u32 = 500;
/// How long a window of its quota is.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(1);

/// The routes below the base path.
pub fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/user", get(handlers::user))
        .route("/billing/payment_methods", get(handlers::payment_methods))
        .route("/accounts", get(handlers::accounts).post(handlers::create))
        .route("/accounts/types", get(handlers::types))
        .route("/accounts/{account_id}", get(handlers::account).put(handlers::update).delete(handlers::close))
        .route("/{account_slug}/members", get(handlers::members).post(handlers::add))
        .route(
            "/{account_slug}/members/{member_id}",
            get(handlers::member).put(handlers::set_role).delete(handlers::remove),
        )
        .method_not_allowed_fallback(unknown_route)
}

/// Creates an account of the free type by hand; its bills go to this address.
pub fn create(m: &Moment, name: &str, email: &str) -> Result<(Draft, AccountId), Refusal> {
    accounts::create_free(m, name, email)
}

/// Chooses a type, its period and all seats by hand; the plan is one of [`PLANS`].
pub fn choose(m: &Moment, account: AccountId, plan: &str, seats: u32) -> Result<(Draft, Bought), Refusal> {
    let (draft, after) = accounts::choose(m, account, plan, seats)?;
    Ok((draft, Ok(Chosen::Changed(after))))
}

/// Adds or invites an Owner by hand.
pub fn add_owner(m: &Moment, account: AccountId, email: &str) -> Result<Draft, Refusal> {
    members::add(m, account, Some(email), Some(Role::Owner.word())).map(|(draft, _)| draft)
}

/// The role of a member.
pub fn role_word(world: &World, member: &Member) -> &'static str {
    Role::of(world.teams.get(&member.account_id), member).word()
}
