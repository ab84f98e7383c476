//! `/whoami` and `/accounts`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;

use super::extract::{Body, ListAsk, Within, not_understood};
use super::problem::{ErrorBody, Problem};
use super::wire::{Account, AccountAsk, Data, Include, Page, User, WhoAmI};
use crate::sandbox::AGENCY;
use crate::sandbox::rules::{Extension, Moment, Refusal, accounts, time::KEY_LIFE};
use crate::sandbox::service::Service;
use crate::sandbox::world::{AccountId, Change, Draft, KeptAnswer};

/// Whose token it is
#[utoipa::path(
    get,
    path = "/whoami",
    responses((status = 200, body = Data<WhoAmI>), (status = 401, body = ErrorBody), (status = 429, body = ErrorBody))
)]
pub async fn whoami(State(service): State<Arc<Service>>) -> Result<Json<Data<WhoAmI>>, Problem> {
    let user = service.look(|m| m.user().map(User::from)).await?;
    Ok(Json(Data { data: WhoAmI { user: Some(user), account: None } }))
}

/// The accounts that the token's user is a member of, by ascending id
#[utoipa::path(
    get,
    path = "/accounts",
    params(
        ("page" = Option<u64>, Query, description = "From 1"),
        ("per_page" = Option<u64>, Query, description = "30 unless given, 100 at most"),
        ("include" = Option<String>, Query, description = "subscription, members or both, with a comma")
    ),
    responses((status = 200, body = Page<Account>), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody))
)]
pub async fn list(State(service): State<Arc<Service>>, ask: ListAsk) -> Json<Page<Account>> {
    let include = include(&ask);
    Json(
        service
            .look_at_lists(|_, m| {
                let (part, pagination) = ask.page.of(m.visible());
                Page { data: part.into_iter().map(|account| Account::of(m, account, include)).collect(), pagination }
            })
            .await,
    )
}

/// The accounts as the published API has them: all of them at once, and nothing said of pages
pub async fn list_published(State(service): State<Arc<Service>>) -> Json<Data<Vec<Account>>> {
    let all = |_: &Moment, m: &Moment| m.visible().map(|it| Account::of(m, it, Include::default())).collect();
    Json(Data { data: service.look_at_lists(all).await })
}

fn include(ask: &ListAsk) -> Include {
    Include { subscription: ask.includes("subscription"), members: ask.includes("members") }
}

/// Create an account
#[utoipa::path(
    post,
    path = "/accounts",
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeats the answer for 24 hours")),
    request_body = AccountAsk,
    responses(
        (status = 201, body = Data<Account>, headers(("Idempotency-Replayed" = String))),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "The first request with this key is still running"),
        (status = 422, body = ErrorBody, description = "The key was used with another body")
    )
)]
pub async fn create(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    Body(request): Body<Value>,
) -> Result<Response, Problem> {
    let key = idempotency_key(&service, &headers)?;
    let ask = serde_json::from_value::<AccountAsk>(request.clone());
    let held = match &key {
        Some(key) => Some(service.hold_key(AGENCY, key).ok_or_else(|| {
            Problem::new(StatusCode::CONFLICT, "The first request with this Idempotency-Key is still running")
        })?),
        None => None,
    };
    if let (Err(error), None) = (&ask, &key) {
        return Err(not_understood(error));
    }
    let (answer, replayed) = service
        .change(move |m| {
            let _until_decided = held;
            match key.as_deref().map(|key| kept(m, key, &request)).transpose()?.flatten() {
                Some(answer) => Ok((Draft::of(m.world), (answer, true))),
                None => create_new(m, ask, key, request),
            }
        })
        .await?;
    let mut response = (StatusCode::CREATED, Json(answer)).into_response();
    if replayed {
        response.headers_mut().insert("idempotency-replayed", axum::http::HeaderValue::from_static("true"));
    }
    Ok(response)
}

fn create_new(
    m: &Moment,
    ask: serde_json::Result<AccountAsk>,
    key: Option<String>,
    request: Value,
) -> Result<(Draft, (Value, bool)), Refusal> {
    let ask = ask.map_err(|error| Refusal::new(400, format!("The body cannot be understood: {error}")))?;
    let (mut draft, account) = accounts::create(m, ask.name.as_deref(), ask.email.as_deref())?;
    let answer = serde_json::to_value(Data { data: Account::of(m, &account, Include::default()) })
        .map_err(|error| Refusal::new(500, error.to_string()))?;
    if let Some(key) = key {
        draft.put(Change::PutAnswer(KeptAnswer { user_id: m.caller, key, request, answer: answer.clone(), at: m.now }));
    }
    Ok((draft, (answer, false)))
}

/// The key of a request, where the server takes keys.
fn idempotency_key(service: &Service, headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(given) = headers.get("idempotency-key").filter(|_| service.terms.offers(Extension::IdempotencyKeys))
    else {
        return Ok(None);
    };
    let key = given.to_str().unwrap_or_default();
    if (1..=255).contains(&key.len()) {
        return Ok(Some(key.to_owned()));
    }
    Err(Problem::new(StatusCode::BAD_REQUEST, "The Idempotency-Key must be 1 to 255 visible ASCII characters"))
}

/// The answer kept under a key, while it lives; 422 where it answered something else.
fn kept(m: &Moment, key: &str, request: &Value) -> Result<Option<Value>, Refusal> {
    let found = m.world.answers.get(&(m.caller, key.to_owned()));
    match found.filter(|kept| m.now.duration_since(kept.at) < KEY_LIFE) {
        None => Ok(None),
        Some(kept) if kept.request == *request => Ok(Some(kept.answer.clone())),
        Some(_) => Err(Refusal::new(422, "The Idempotency-Key was used with another body")),
    }
}

/// One account
#[utoipa::path(
    get,
    path = "/accounts/{id}",
    params(
        ("id" = u64, Path),
        ("include" = Option<String>, Query, description = "subscription, members or both, with a comma")
    ),
    responses((status = 200, body = Data<Account>), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub async fn get(
    State(service): State<Arc<Service>>,
    Within(id): Within<AccountId>,
    ask: ListAsk,
) -> Result<Json<Data<Account>>, Problem> {
    let include = include(&ask);
    let account = service.look(|m| m.account(id).map(|(account, _)| Account::of(m, account, include))).await?;
    Ok(Json(Data { data: account }))
}

/// Change name or notification email
#[utoipa::path(
    patch,
    path = "/accounts/{id}",
    params(("id" = u64, Path)),
    request_body = AccountAsk,
    responses(
        (status = 200, body = Data<Account>),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)
    )
)]
pub async fn update(
    State(service): State<Arc<Service>>,
    Within(id): Within<AccountId>,
    Body(ask): Body<AccountAsk>,
) -> Result<Json<Data<Account>>, Problem> {
    let account = service
        .change(move |m| {
            let (draft, account) = accounts::update(m, id, ask.name.as_deref(), ask.email.as_deref())?;
            Ok((draft, Account::of(m, &account, Include::default())))
        })
        .await?;
    Ok(Json(Data { data: account }))
}
