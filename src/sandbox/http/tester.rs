//! The tester's side, outside `/v2` and without a token: people sign up and accept,
//! accounts are arranged, time passes, and the ledger tells what really happened.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::extract::{Body, Within};
use super::problem::Problem;
use super::wire::{Account, Include, Member};
use crate::sandbox::delays::{Delays, LONGEST};
use crate::sandbox::faults::{Faults, Wish};
use crate::sandbox::netlify::place_of;
use crate::sandbox::rules::people::{Arrangement, SignUp};
use crate::sandbox::rules::{members, people, time};
use crate::sandbox::service::{Service, locked};
use crate::sandbox::world::{self, Access, Totals};

/// The routes of the tester's side.
pub fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/sandbox/users", post(sign_up))
        .route("/sandbox/invitations/{id}/accept", post(accept))
        .route("/sandbox/accounts", post(arrange))
        .route("/sandbox/clock", post(advance))
        .route("/sandbox/ledger", get(ledger))
        .route("/sandbox/faults", put(spoil).get(faults))
        .route("/sandbox/delays", put(delay).get(delays))
        .route("/sandbox/reset", post(reset))
        .route(
            "/sandbox/openapi.json",
            get(|| async { ([(header::CONTENT_TYPE, "application/json")], super::openapi()) }),
        )
}

#[derive(Debug, Deserialize)]
struct SignUpAsk {
    email: String,
    verified: Option<bool>,
    card: Option<String>,
}

async fn sign_up(
    State(service): State<Arc<Service>>,
    Body(ask): Body<SignUpAsk>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let SignUpAsk { email, verified, card } = ask;
    let person = SignUp { email, verified, card };
    let (user, is_new) = service.change(move |m| people::sign_up(m, &person)).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(json!({ "data": super::wire::User::from(&user) }))))
}

async fn accept(State(service): State<Arc<Service>>, Within(id): Within<String>) -> Result<Json<Value>, Problem> {
    let id = place_of(&id).ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "Not found"))?;
    let member = service.change(move |m| members::accept(m, id)).await?;
    Ok(Json(json!({ "data": Member::from(&member) })))
}

#[derive(Debug, Deserialize)]
struct ArrangementAsk {
    name: String,
    email: String,
    owner: Option<String>,
    /// False leaves the token's user out of somebody else's account.
    #[serde(default = "yes")]
    with_us: bool,
    plan: Option<String>,
    seats: Option<u32>,
    #[serde(default)]
    members: Vec<ArrangedMember>,
}

const fn yes() -> bool {
    true
}

/// An email, or an email and its access.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum ArrangedMember {
    Email(String),
    WithAccess { email: String, access: Access },
}

async fn arrange(
    State(service): State<Arc<Service>>,
    Body(ask): Body<ArrangementAsk>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let ArrangementAsk { name, email, owner, with_us, plan, seats, members } = ask;
    let members = members.into_iter().map(|member| match member {
        ArrangedMember::Email(email) => (email, Access::Full),
        ArrangedMember::WithAccess { email, access } => (email, access),
    });
    let ask = Arrangement { name, email, owner, with_caller: with_us, plan, seats, members: members.collect() };
    let id = service.change(move |m| people::arrange(m, &ask).map(|(draft, account)| (draft, account.id))).await?;
    let embedded = Include { subscription: true, members: true };
    let account = service.look(|m| m.world.accounts.get(&id).map(|account| Account::of(m, account, embedded))).await;
    Ok((StatusCode::CREATED, Json(json!({ "data": account }))))
}

#[derive(Debug, Deserialize)]
struct ClockAsk {
    advance_seconds: i64,
}

async fn advance(State(service): State<Arc<Service>>, Body(ask): Body<ClockAsk>) -> Result<Json<Value>, Problem> {
    let now = service.change(move |m| time::advance(m, ask.advance_seconds)).await?;
    Ok(Json(json!({ "data": { "now": now } })))
}

async fn reset(State(service): State<Arc<Service>>) -> Result<Json<Value>, Problem> {
    service.reset().await?;
    Ok(Json(json!({ "data": { "world": service.world_id() } })))
}

/// From now on this goes wrong, beginning anew with the seed.
async fn spoil(State(service): State<Arc<Service>>, Body(wish): Body<Wish>) -> Result<Json<Value>, Problem> {
    if !(0.0..=1.0).contains(&wish.rate) {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "rate must be from 0 to 1"));
    }
    *locked(&service.faults) = Faults::new(wish);
    Ok(faults(State(service)).await)
}

async fn faults(State(service): State<Arc<Service>>) -> Json<Value> {
    let faults = locked(&service.faults);
    Json(json!({ "data": { "faults": faults.wish(), "injected": faults.injected() } }))
}

/// What is left out stays as it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DelaysAsk {
    list_seconds: Option<f64>,
    settle_seconds: Option<f64>,
}

async fn delay(State(service): State<Arc<Service>>, Body(ask): Body<DelaysAsk>) -> Result<Json<Value>, Problem> {
    let mut faults = crate::sandbox::rules::Faults::default();
    let mut read = |field: &'static str, asked: Option<f64>, before: Duration| {
        let Some(seconds) = asked else { return before };
        let delay = Duration::try_from_secs_f64(seconds).ok().filter(|delay| *delay <= LONGEST);
        delay.unwrap_or_else(|| {
            faults.note(field, format!("must be from 0 to {}", LONGEST.as_secs()));
            before
        })
    };
    let before = service.delays();
    let list = read("list_seconds", ask.list_seconds, before.list);
    let settle = read("settle_seconds", ask.settle_seconds, before.settle);
    faults.refuse_if_any()?;
    service.set_delays(Delays { list, settle }).await;
    Ok(delays(State(service)).await)
}

async fn delays(State(service): State<Arc<Service>>) -> Json<Value> {
    let Delays { list, settle } = service.delays();
    Json(json!({ "data": { "list_seconds": list.as_secs_f64(), "settle_seconds": settle.as_secs_f64() } }))
}

/// What really happened.
#[derive(Debug, Serialize)]
struct Ledger {
    requests: BTreeMap<String, u64>,
    accounts_created: u64,
    subscriptions_created: u64,
    charges: Vec<LedgerCharge>,
    open_payments: Vec<OpenPayment>,
    members_added: u64,
    invitations_sent: u64,
    mails: Vec<LedgerMail>,
}

#[derive(Debug, Serialize)]
struct LedgerCharge {
    account_id: u64,
    amount: String,
    at: Timestamp,
    #[serde(rename = "for")]
    reason: String,
}

#[derive(Debug, Serialize)]
struct OpenPayment {
    account_id: u64,
    amount: String,
    since: Timestamp,
    #[serde(rename = "for")]
    reason: String,
}

impl From<&world::Payment> for OpenPayment {
    fn from(payment: &world::Payment) -> Self {
        let world::Payment { id: _, account_id, payer: _, amount, since, reason, plan_identifier: _, order: _ } =
            payment;
        Self { account_id: account_id.0, amount: amount.to_string(), since: *since, reason: reason.clone() }
    }
}

#[derive(Debug, Serialize)]
struct LedgerMail {
    account_id: u64,
    to: String,
    subject: String,
    at: Timestamp,
}

impl From<&world::Charge> for LedgerCharge {
    fn from(charge: &world::Charge) -> Self {
        let world::Charge { id: _, account_id, amount, at, reason, subscription_id: _, plan_identifier: _ } = charge;
        Self { account_id: account_id.0, amount: amount.to_string(), at: *at, reason: reason.clone() }
    }
}

impl From<&world::Mail> for LedgerMail {
    fn from(mail: &world::Mail) -> Self {
        let world::Mail { id: _, account_id, to, subject, at } = mail;
        Self { account_id: account_id.0, to: to.clone(), subject: subject.clone(), at: *at }
    }
}

async fn ledger(State(service): State<Arc<Service>>) -> Json<Value> {
    let ledger = service
        .look(|m| {
            let Totals { accounts_created, subscriptions_created, members_added, invitations_sent } =
                m.world.meta.totals.clone();
            Ledger {
                requests: service.requests(),
                accounts_created,
                subscriptions_created,
                charges: m.world.charges.values().map(LedgerCharge::from).collect(),
                open_payments: m.world.payments.values().map(OpenPayment::from).collect(),
                members_added,
                invitations_sent,
                mails: m.world.mails.values().map(LedgerMail::from).collect(),
            }
        })
        .await;
    Json(json!({ "data": ledger }))
}
