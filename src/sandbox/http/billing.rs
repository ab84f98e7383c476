//! `/{account}/billing/charges` and `/{account}/webhooks`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::extract::{Body, ListAsk, Within};
use super::problem::{ErrorBody, Problem};
use super::wire::{Charge, Data, Page, Webhook, WebhookAsk};
use crate::sandbox::rules::{Faults, webhooks};
use crate::sandbox::service::Service;
use crate::sandbox::world::{AccountId, WebhookId};

/// What was really charged
#[utoipa::path(
    get,
    path = "/{account}/billing/charges",
    params(
        ("account" = u64, Path),
        ("start_date" = Option<String>, Query, description = "The first day, 2016-12-11"),
        ("end_date" = Option<String>, Query, description = "The last day"),
        ("page" = Option<u64>, Query, description = "From 1"),
        ("per_page" = Option<u64>, Query, description = "30 unless given, 100 at most")
    ),
    responses(
        (status = 200, body = Page<Charge>),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)
    )
)]
pub async fn charges(
    State(service): State<Arc<Service>>,
    Within(account): Within<AccountId>,
    ask: ListAsk,
) -> Result<Json<Page<Charge>>, Problem> {
    let mut faults = Faults::default();
    let mut day = |name: &'static str| match ask.get(name).map(str::parse::<Date>) {
        None => None,
        Some(Ok(day)) => Some(day),
        Some(Err(_)) => {
            faults.note(name, "must be a date like 2016-12-11");
            None
        }
    };
    let (start, end) = (day("start_date"), day("end_date"));
    faults.refuse_if_any()?;
    let page = service
        .look(|m| {
            m.managed(account)?;
            let asked = m.world.charges.values().filter(|charge| {
                let day = TimeZone::UTC.to_datetime(charge.at).date();
                charge.account_id == account
                    && start.is_none_or(|start| day >= start)
                    && end.is_none_or(|end| day <= end)
            });
            let (part, pagination) = ask.page.of(asked);
            Ok::<_, Problem>(Page { data: part.into_iter().map(Charge::from).collect(), pagination })
        })
        .await?;
    Ok(Json(page))
}

/// The webhooks of an account
#[utoipa::path(
    get,
    path = "/{account}/webhooks",
    params(("account" = u64, Path)),
    responses((status = 200, body = Data<Vec<Webhook>>), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub async fn webhooks(
    State(service): State<Arc<Service>>,
    Within(account): Within<AccountId>,
) -> Result<Json<Data<Vec<Webhook>>>, Problem> {
    let all = service
        .look(|m| {
            m.managed(account)?;
            let its = m.world.webhooks.values().filter(|webhook| webhook.account_id == account);
            Ok::<_, Problem>(its.map(Webhook::from).collect())
        })
        .await?;
    Ok(Json(Data { data: all }))
}

/// Register a webhook
#[utoipa::path(
    post,
    path = "/{account}/webhooks",
    params(("account" = u64, Path)),
    request_body = WebhookAsk,
    responses(
        (status = 201, body = Data<Webhook>),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)
    )
)]
pub async fn register(
    State(service): State<Arc<Service>>,
    Within(account): Within<AccountId>,
    Body(ask): Body<WebhookAsk>,
) -> Result<(StatusCode, Json<Data<Webhook>>), Problem> {
    let webhook = service.change(move |m| webhooks::register(m, account, ask.url.as_deref())).await?;
    Ok((StatusCode::CREATED, Json(Data { data: Webhook::from(&webhook) })))
}

/// One webhook
#[utoipa::path(
    get,
    path = "/{account}/webhooks/{id}",
    params(("account" = u64, Path), ("id" = u64, Path)),
    responses((status = 200, body = Data<Webhook>), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub async fn webhook(
    State(service): State<Arc<Service>>,
    Within((account, id)): Within<(AccountId, WebhookId)>,
) -> Result<Json<Data<Webhook>>, Problem> {
    let found = service.look(|m| webhooks::find(m, account, id).map(Webhook::from)).await?;
    Ok(Json(Data { data: found }))
}

/// Remove a webhook
#[utoipa::path(
    delete,
    path = "/{account}/webhooks/{id}",
    params(("account" = u64, Path), ("id" = u64, Path)),
    responses((status = 204), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub async fn unregister(
    State(service): State<Arc<Service>>,
    Within((account, id)): Within<(AccountId, WebhookId)>,
) -> Result<StatusCode, Problem> {
    service.change(move |m| webhooks::remove(m, account, id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
