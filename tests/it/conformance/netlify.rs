//! The Netlify dialect.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bursar::execute::{Outcome, Refusal};
use bursar::plan::OpKind;
use bursar::provider::netlify::{self, Config};
use bursar::provider::transport::Transport;
use bursar::provider::{BaseUrl, Token};
use bursar::sandbox::{self, Options, Sandbox};
use serde_json::{Value, json as value};

use super::netlify_fake;
use super::{BrokenList, Dialect, Driver, Fake, Place};
use crate::provider_world::{Asked, CANARY, Reply, json, json_with, message};

pub struct Netlify;

fn account(id: u64) -> Value {
    value!({"id": id.to_string(), "name": format!("Client {id}"), "slug": format!("client-{id}")})
}

fn page(asked: &Asked, ids: impl Iterator<Item = u64>, next: Option<&str>) -> Reply {
    let host = asked.headers.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let link = next.map(|next| next.replace("HOST", host)).unwrap_or_default();
    json_with(200, &[("link", &link)], ids.map(account).collect())
}

impl Dialect for Netlify {
    const BASE: &'static str = "/api/v1";
    const KEYS: bool = false;
    const FAMILY: &'static str = "pro";
    const PLAN: &'static str = "pro-monthly";
    const EMPTY_LIST: &'static str = "[]";
    const OPS: &'static [OpKind] = &[
        OpKind::CreateAccount,
        OpKind::UpdateAccount,
        OpKind::Subscribe,
        OpKind::ChangePlan,
        OpKind::SetSeats,
        OpKind::RemoveMember,
        OpKind::AddMember,
        OpKind::SetAccess,
    ];

    fn connect(url: &str, read_retries: usize, line: Arc<dyn Transport>) -> Driver {
        let token = Token::from_text(CANARY.to_owned()).unwrap();
        let config = Config { read_retries, ..Config::new(BaseUrl::parse(url).unwrap(), token) };
        let reader = netlify::connect_over(config, line);
        Driver { writer: Arc::new(reader.writer()), reader: Arc::new(reader) }
    }

    fn fake() -> Box<dyn Fake> {
        Box::<netlify_fake::Netlify>::default()
    }

    fn arranged() -> Box<dyn Fake> {
        Box::new(netlify_fake::Netlify::arranged())
    }

    fn pages(asked: &Asked, total: u64) -> Reply {
        let number: u64 = asked.line.rsplit_once("page=").map_or(1, |(_, number)| number.parse().unwrap());
        let last = (number * 100).min(total);
        let next = format!("<http://HOST/api/v1/accounts?page={}>; rel=\"next\"", number + 1);
        page(asked, (number - 1) * 100 + 1..=last, (last < total).then_some(&next))
    }

    fn broken_lists() -> Vec<BrokenList> {
        vec![
            ("the same page for ever", |_, asked| page(asked, 1..=2, Some("<?page=2>; rel=next"))),
            ("a page that links to itself", |before, asked| {
                let id = before as u64;
                page(asked, id..=id, Some("<http://HOST/api/v1/accounts>; rel=\"next\""))
            }),
            ("another host", |_, asked| {
                page(asked, 1..=2, Some("<http://127.0.0.1:9/api/v1/accounts?page=2>; rel=next"))
            }),
            ("another endpoint", |_, asked| page(asked, 1..=2, Some("<http://HOST/api/v1/user?page=2>; rel=next"))),
            ("two next pages", |_, asked| page(asked, 1..=2, Some("<?page=2>; rel=next, <?page=3>; rel=next"))),
            ("an account twice", |_, asked| page(asked, [1, 2, 1].into_iter(), None)),
            ("a second page that fails", |_, asked| match asked.line.contains("page=2") {
                true => message(500, "Oops"),
                false => page(asked, 1..=2, Some("<?page=2>; rel=next")),
            }),
            ("an account without an id", |_, _| json(200, value!([{"id": "1"}, {"name": "x"}]))),
            ("no list", |_, _| json(200, value!({"data": []}))),
        ]
    }

    fn named(name: &str) -> Value {
        value!([{"id": "1", "name": name, "slug": name, "billing_email": name, "type_name": name, "type_id": name,
                 "billing_period": name, "owner_ids": [name], "capabilities": {"collaborators": name}}])
    }

    fn refusals() -> Vec<(OpKind, Reply, Outcome)> {
        use OpKind::{AddMember, CreateAccount, RemoveMember, SetAccess, SetSeats, UpdateAccount};
        let fault = |field: &str, said: &str| json(422, value!({"code": 422, "errors": {field: [said]}}));
        let told = |status: u16, said: &str| json(status, value!({"code": status, "message": said}));
        let refused = |reason| Outcome::Refused { reason };
        vec![
            (CreateAccount, told(401, "Access Denied"), refused(Refusal::Unauthorized)),
            (CreateAccount, told(402, "Payment required"), refused(Refusal::PaymentRequired)),
            (CreateAccount, told(403, "Forbidden"), refused(Refusal::NotPermitted)),
            (CreateAccount, told(404, "Not Found"), refused(Refusal::Gone)),
            (CreateAccount, told(409, "Conflict"), refused(Refusal::Conflict)),
            (CreateAccount, told(422, "Your card was declined"), refused(Refusal::PaymentRequired)),
            (CreateAccount, fault("payment_method_id", "is missing"), refused(Refusal::PaymentRequired)),
            (CreateAccount, fault("type_id", "is unknown"), refused(Refusal::PlanUnavailable)),
            (CreateAccount, fault("name", "is too long"), refused(Refusal::InvalidInput)),
            (CreateAccount, fault("name", "has already been taken"), refused(Refusal::AlreadyTaken)),
            (UpdateAccount, fault("billing_email", "is invalid"), refused(Refusal::InvalidInput)),
            (SetSeats, fault("extra_seats_block", "is below the members"), refused(Refusal::TooManyMembers)),
            (AddMember, told(422, "User is already a member of this team"), refused(Refusal::AlreadyTaken)),
            (AddMember, told(409, "Conflict"), refused(Refusal::AlreadyTaken)),
            (AddMember, json(400, value!({"errors": ["Email is invalid"]})), refused(Refusal::InvalidInput)),
            (AddMember, fault("email", "is invalid"), refused(Refusal::InvalidInput)),
            (AddMember, told(422, "No seats left"), refused(Refusal::NoSeatFree)),
            (AddMember, told(422, "This role is not allowed here"), refused(Refusal::RoleUnavailable)),
            (AddMember, told(422, "Something new"), refused(Refusal::InvalidInput)),
            (AddMember, told(403, "Your role does not permit this"), refused(Refusal::NotPermitted)),
            (SetAccess, fault("role", "is not included in the list"), refused(Refusal::RoleUnavailable)),
            (SetAccess, told(404, "Not Found"), refused(Refusal::Gone)),
            (RemoveMember, told(404, "Not Found"), refused(Refusal::Gone)),
            (RemoveMember, told(403, "You cannot remove yourself"), refused(Refusal::NotPermitted)),
            (
                RemoveMember,
                told(429, "Too many requests"),
                Outcome::Quota { resets_in: Duration::from_secs(60), sent: true },
            ),
        ]
    }

    fn disagreements() -> Vec<(OpKind, Value)> {
        let (name, pat) = ("New & Söhne", "pat@acme.example");
        let made = |name: &str, type_id: &str, period: &str, seats: u64| {
            value!({"id": "9", "name": name, "type_id": type_id, "billing_period": period,
                    "capabilities": {"collaborators": {"included": seats}}})
        };
        let updated = |id: &str, name: &str, email: Value| value!({"id": id, "name": name, "billing_email": email});
        let new = value!("new@acme.example");
        vec![
            (OpKind::CreateAccount, made("Else", "t-pro", "monthly", 3)),
            (OpKind::CreateAccount, made(name, "t-free", "monthly", 3)),
            (OpKind::CreateAccount, made(name, "t-pro", "yearly", 3)),
            (OpKind::CreateAccount, made(name, "t-pro", "monthly", 2)),
            (OpKind::CreateAccount, value!({"id": "9", "name": name})),
            (OpKind::CreateAccount, value!([made(name, "t-pro", "monthly", 3)])),
            (OpKind::UpdateAccount, updated("8", name, new.clone())),
            (OpKind::UpdateAccount, updated("7", "Else", new)),
            (OpKind::UpdateAccount, updated("7", name, value!("old@acme.example"))),
            (OpKind::UpdateAccount, updated("7", name, Value::Null)),
            (
                OpKind::SetSeats,
                value!({"id": "7", "type_id": "t-pro", "billing_period": "monthly",
                                       "capabilities": {"collaborators": {"included": 3}}}),
            ),
            (OpKind::SetSeats, value!({"id": "8", "type_id": "t-pro", "billing_period": "monthly"})),
            (OpKind::AddMember, value!([])),
            (OpKind::AddMember, value!([{"id": "m9", "email": pat, "role": "Developer"}])),
            (OpKind::AddMember, value!([{"id": "m9", "email": "jane@acme.example", "role": "Owner"}])),
            (OpKind::AddMember, value!([{"id": "m9", "email": "jane@acme.example"}])),
            (OpKind::AddMember, value!({"id": "m9", "email": "jane@acme.example", "role": "Developer"})),
            (OpKind::SetAccess, value!({"id": "m3", "email": pat, "role": "Developer"})),
            (OpKind::SetAccess, value!({"id": "m4", "email": pat, "role": "Owner"})),
            (OpKind::RemoveMember, value!({})),
        ]
    }

    /// One for account and plan, one for the billing email, one a member.
    fn first_writes() -> &'static [&'static str] {
        &["POST /accounts", "PUT /accounts/{id}", "POST /{id}/members", "POST /{id}/members"]
    }
}

/// The embedded sandbox in this dialect.
pub struct Sandboxed(Sandbox);

#[async_trait]
impl Place for Sandboxed {
    type Of = Netlify;
    const KEYS: bool = false;

    async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let options = Options { token: CANARY.to_owned(), rate_limit: 0, ..Options::of(sandbox::Dialect::Netlify) };
        Self(sandbox::start(options).await.unwrap())
    }

    fn url(&self) -> String {
        self.0.api_url()
    }
}
