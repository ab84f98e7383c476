//! The dialect in DNSimple's style, and the servers of it: a fake with and without keys, and
//! the embedded sandbox.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bursar::execute::{Outcome, Refusal};
use bursar::plan::OpKind;
use bursar::provider::dnsimple::{self, Config};
use bursar::provider::transport::Transport;
use bursar::provider::{BaseUrl, Token};
use bursar::sandbox::{MemberMode, Options, Sandbox};
use serde_json::{Value, json as value};

use super::dnsimple_fake;
use super::{BrokenList, Dialect, Driver, Fake, Place, serve, url_of};
use crate::provider_world::{Asked, CANARY, Reply, World, json, message};
use crate::support::unlimited;

pub struct Dnsimple;

fn page(ids: impl Iterator<Item = u64>, current: u64, total: u64) -> Reply {
    let data: Vec<_> = ids.map(|id| value!({"id": id, "name": format!("Client {id}")})).collect();
    let pages = total.div_ceil(100);
    json(
        200,
        value!({"data": data, "pagination": {"current_page": current, "per_page": 100, "total_entries": total,
                                             "total_pages": pages}}),
    )
}

fn number(asked: &Asked) -> u64 {
    let (_, rest) = asked.line.split_once("page=").unwrap();
    rest.split('&').next().unwrap().parse().unwrap()
}

impl Dialect for Dnsimple {
    const BASE: &'static str = "/v2";
    const KEYS: bool = true;
    const FAMILY: &'static str = "teams";
    const PLAN: &'static str = "teams-v2-monthly";
    const EMPTY_LIST: &'static str = "{\"data\":[]}";
    const OPS: &'static [OpKind] = &OpKind::ALL;

    fn connect(url: &str, read_retries: usize, line: Arc<dyn Transport>) -> Driver {
        let token = Token::from_text(CANARY.to_owned()).unwrap();
        let config = Config { read_retries, ..Config::new(BaseUrl::parse(url).unwrap(), token) };
        let reader = dnsimple::connect_over(config, line);
        Driver { writer: Arc::new(reader.writer()), reader: Arc::new(reader) }
    }

    fn fake() -> Box<dyn Fake> {
        Box::new(dnsimple_fake::Dnsimple::with_keys())
    }

    fn arranged() -> Box<dyn Fake> {
        Box::new(dnsimple_fake::Dnsimple::arranged())
    }

    fn pages(asked: &Asked, total: u64) -> Reply {
        let current = number(asked);
        page((current - 1) * 100 + 1..=(current * 100).min(total), current, total)
    }

    fn broken_lists() -> Vec<BrokenList> {
        vec![
            ("the same page for ever", |_, _| page(1..=100, 1, 250)),
            ("the same accounts on each page", |_, asked| page(1..=100, number(asked), 200)),
            ("an account less", |_, asked| page(1..=99, number(asked), 100)),
            ("totals that change", |before, asked| page(1..=100, number(asked), 200 + before as u64)),
            ("pages without end", |_, asked| page(1..=100, number(asked), 100_000_000)),
            ("a second page that fails", |_, asked| match number(asked) {
                1 => page(1..=100, 1, 200),
                _ => message(500, "Oops"),
            }),
            ("an account without an id", |_, _| json(200, value!({"data": [{"name": "x"}]}))),
            ("no list", |_, _| json(200, value!([]))),
        ]
    }

    fn named(name: &str) -> Value {
        value!({"data": [{"id": 1, "name": name, "email": name, "plan_identifier": name}]})
    }

    fn refusals() -> Vec<(OpKind, Reply, Outcome)> {
        use OpKind::{AddMember, CreateAccount, RemoveMember, SetAccess, SetSeats, Subscribe, UpdateAccount};
        let fault =
            |field: &str, said: &str| json(400, value!({"message": "Validation failed", "errors": {field: [said]}}));
        let refused = |reason| Outcome::Refused { reason };
        vec![
            (CreateAccount, message(401, "Authentication failed"), refused(Refusal::Unauthorized)),
            (CreateAccount, message(403, "Forbidden"), refused(Refusal::NotPermitted)),
            (CreateAccount, message(409, "Still running"), refused(Refusal::Conflict)),
            (CreateAccount, message(422, "Another body"), refused(Refusal::KeyReused)),
            (CreateAccount, fault("name", "has already been taken"), refused(Refusal::AlreadyTaken)),
            (UpdateAccount, fault("email", "is the user email of a member"), refused(Refusal::EmailIsNotification)),
            (Subscribe, message(402, "No card"), refused(Refusal::PaymentRequired)),
            (Subscribe, message(412, "Email not verified"), refused(Refusal::EmailNotVerified)),
            (Subscribe, fault("plan_identifier", "is not available"), refused(Refusal::PlanUnavailable)),
            (SetSeats, fault("seats", "fewer than the members"), refused(Refusal::TooManyMembers)),
            (AddMember, fault("email", "is not a registered user"), refused(Refusal::NotRegistered)),
            (AddMember, fault("email", "has already been taken"), refused(Refusal::AlreadyTaken)),
            (AddMember, fault("email", "is an invalid email address"), refused(Refusal::InvalidInput)),
            (AddMember, fault("seats", "none available"), refused(Refusal::NoSeatFree)),
            (AddMember, message(412, "One member only"), refused(Refusal::PlanTakesOne)),
            (SetAccess, message(412, "No limited access"), refused(Refusal::NoLimitedAccess)),
            (RemoveMember, message(404, "Not found"), refused(Refusal::Gone)),
            (
                RemoveMember,
                message(429, "quota exceeded"),
                Outcome::Quota { resets_in: Duration::from_secs(60), sent: true },
            ),
        ]
    }

    fn disagreements() -> Vec<(OpKind, Value)> {
        let subscription =
            |plan: &str, seats: u64| value!({"data": {"plan_identifier": plan, "state": "subscribed", "seats": seats}});
        let member =
            |id: &str, email: &str, access: &str| value!({"data": {"id": id, "email": email, "access": access}});
        vec![
            (OpKind::CreateAccount, value!({"data": {"id": 9, "name": "Else"}})),
            (OpKind::CreateAccount, value!({"data": [{"id": 9, "name": "New & Söhne"}]})),
            (OpKind::UpdateAccount, value!({"data": {"id": 8, "name": "New & Söhne"}})),
            (OpKind::UpdateAccount, value!({"data": {"id": 7, "name": "Else"}})),
            (OpKind::SetSeats, subscription("teams-v2-monthly", 3)),
            (OpKind::SetSeats, subscription("solo-v2-monthly", 4)),
            (OpKind::AddMember, member("m4", "pat@acme.example", "limited")),
            (OpKind::AddMember, member("m4", "jane@acme.example", "full")),
            (OpKind::SetAccess, member("m3", "pat@acme.example", "limited")),
            (OpKind::SetAccess, member("m5", "pat@acme.example", "full")),
            (OpKind::RemoveMember, value!({})),
        ]
    }

    fn first_writes() -> &'static [&'static str] {
        &["POST /accounts", "PUT /{id}/subscription", "POST /{id}/members", "POST /{id}/members"]
    }
}

/// The fake without keys.
pub struct WithoutKeys(World);

#[async_trait]
impl Place for WithoutKeys {
    type Of = Dnsimple;
    const KEYS: bool = false;

    async fn start() -> Self {
        Self(serve(Box::<dnsimple_fake::Dnsimple>::default()).await)
    }

    fn url(&self) -> String {
        url_of::<Dnsimple>(&self.0)
    }
}

/// The embedded sandbox, where anybody may be invited.
pub struct Sandboxed(Sandbox);

#[async_trait]
impl Place for Sandboxed {
    type Of = Dnsimple;
    const KEYS: bool = true;

    async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let options = Options { member_mode: MemberMode::Invite, token: CANARY.to_owned(), ..unlimited() };
        Self(bursar::sandbox::start(options).await.unwrap())
    }

    fn url(&self) -> String {
        self.0.api_url()
    }
}
