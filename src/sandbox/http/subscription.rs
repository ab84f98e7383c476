//! `/plans` and `/{account}/subscription`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::extract::{Body, Within};
use super::problem::{ErrorBody, Problem};
use super::wire::{Data, Plans, Subscription, SubscriptionAsk};
use crate::sandbox::rules::Refusal;
use crate::sandbox::rules::subscription::{self, Chosen};
use crate::sandbox::service::Service;
use crate::sandbox::world::AccountId;

/// The plans, and the extensions that the server has
#[utoipa::path(get, path = "/plans", responses((status = 200, body = Plans), (status = 401, body = ErrorBody)))]
pub async fn plans(State(service): State<Arc<Service>>) -> Json<Plans> {
    Json(Plans::under(&service.terms))
}

/// The subscription of an account
#[utoipa::path(
    get,
    path = "/{account}/subscription",
    params(("account" = u64, Path)),
    responses(
        (status = 200, body = Data<Subscription>),
        (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody, description = "No such account, or there never was a subscription")
    )
)]
pub async fn get(
    State(service): State<Arc<Service>>,
    Within(account): Within<AccountId>,
) -> Result<Json<Data<Subscription>>, Problem> {
    let found = service
        .look(|m| {
            m.account(account)?;
            let latest = m.world.subscriptions.get(&account).map(Subscription::from);
            latest.ok_or_else(|| Refusal::new(404, "The account has no subscription"))
        })
        .await?;
    Ok(Json(Data { data: found }))
}

/// Choose a plan, seats or both
#[utoipa::path(
    put,
    path = "/{account}/subscription",
    params(("account" = u64, Path)),
    request_body = SubscriptionAsk,
    responses(
        (status = 200, body = Data<Subscription>, description = "Changed"),
        (status = 201, body = Data<Subscription>, description = "Subscribed"),
        (status = 202, body = Data<Subscription>, description = "Payment settles later"),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 402, body = ErrorBody, description = "No card, it was refused, or a payment is open or not settled"),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 412, body = ErrorBody, description = "The user's email is not verified")
    )
)]
pub async fn put(
    State(service): State<Arc<Service>>,
    Within(account): Within<AccountId>,
    Body(ask): Body<SubscriptionAsk>,
) -> Result<(StatusCode, Json<Data<Subscription>>), Problem> {
    let bought =
        service.change(move |m| subscription::choose(m, account, ask.plan_identifier.as_deref(), ask.seats)).await?;
    let chosen = bought?;
    let (status, latest) = match &chosen {
        Chosen::New(latest) => (StatusCode::CREATED, latest),
        Chosen::Settling(latest) => (StatusCode::ACCEPTED, latest),
        Chosen::Changed(latest) => (StatusCode::OK, latest),
    };
    Ok((status, Json(Data { data: Subscription::from(latest) })))
}

/// Cancel the subscription; the account and its members stay
#[utoipa::path(
    delete,
    path = "/{account}/subscription",
    params(("account" = u64, Path)),
    responses(
        (status = 204),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)
    )
)]
pub async fn cancel(
    State(service): State<Arc<Service>>,
    Within(account): Within<AccountId>,
) -> Result<StatusCode, Problem> {
    service.change(move |m| subscription::cancel(m, account)).await?;
    Ok(StatusCode::NO_CONTENT)
}
