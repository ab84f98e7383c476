//! A small Netlify in memory, after its published description: accounts made with their type,
//! slugs, roles, seats, and refusals in the form `{code, message}`. It shares no code with the
//! driver.

use bursar::provider::netlify;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Fake;
use crate::provider_world::{Asked, CANARY, Reply, json as reply};

const ROLES: [&str; 4] = ["Owner", "Developer", "Billing Admin", "Reviewer"];
/// Type, name, seats in it, price a month, price of a seat more.
const TYPES: [(&str, &str, u64, u64, Option<u64>); 2] =
    [("t-free", "Starter", 1, 0, None), ("t-pro", "Pro", 1, 19, Some(19))];
const PAYMENT: &str = "pm-1";

#[derive(Debug)]
struct Account {
    id: String,
    slug: String,
    name: String,
    email: Option<String>,
    kind: usize,
    period: String,
    extra: u64,
    made: Timestamp,
    /// Id, email, role.
    members: Vec<(String, String, String)>,
}

impl Account {
    fn seats(&self) -> u64 {
        TYPES[self.kind].2 + self.extra
    }

    fn shown(&self) -> Value {
        let (type_id, type_name, ..) = TYPES[self.kind];
        json!({
            "id": self.id, "name": self.name, "slug": self.slug, "type": type_name, "type_id": type_id,
            "type_name": type_name, "billing_email": self.email, "billing_period": self.period,
            "capabilities": {"sites": {"included": 100, "used": 0},
                             "collaborators": {"included": self.seats(), "used": self.members.len()}},
            "owner_ids": ["u1"], "roles_allowed": ROLES, "created_at": self.made, "updated_at": self.made,
        })
    }
}

/// The world.
#[derive(Debug, Default)]
pub struct Netlify {
    accounts: Vec<Account>,
    ids: u64,
}

/// `{code, message}`.
fn no(status: u16, message: &str) -> Reply {
    reply(status, json!({"code": status, "message": message}))
}

fn faults(field: &str, fault: &str) -> Reply {
    reply(422, json!({"code": 422, "message": "Validation failed", "errors": {field: [fault]}}))
}

fn member((id, email, role): &(String, String, String)) -> Value {
    json!({"id": id, "full_name": null, "email": email, "avatar": "", "role": role})
}

impl Netlify {
    /// With the account of [`super::Dialect::arranged`].
    pub fn arranged() -> Self {
        let mut world = Self::default();
        let body = json!({"name": "Acme & Söhne", "type_id": "t-pro", "period": "monthly",
                          "payment_method_id": PAYMENT, "extra_seats_block": 2});
        world.create(&body);
        let account = world.accounts.last_mut().unwrap();
        account.id = "7".into();
        account.members.push(("m3".into(), "pat@acme.example".into(), "Developer".into()));
        world
    }

    fn next_id(&mut self, kind: &str) -> String {
        self.ids += 1;
        format!("{kind}{}", self.ids)
    }

    fn create(&mut self, body: &Value) -> Reply {
        let text = |name: &str| body[name].as_str().unwrap_or_default();
        if text("name").trim().is_empty() {
            return faults("name", "can't be blank");
        }
        let Some(kind) = TYPES.iter().position(|one| one.0 == text("type_id")) else {
            return faults("type_id", "is unknown");
        };
        let extra = body["extra_seats_block"].as_u64().unwrap_or(0);
        if !["monthly", "yearly"].contains(&text("period")) {
            return faults("period", "is not included in the list");
        }
        if TYPES[kind].3 > 0 && text("payment_method_id") != PAYMENT {
            return faults("payment_method_id", "is missing");
        }
        if extra > 0 && TYPES[kind].4.is_none() {
            return faults("extra_seats_block", "is not sold for this type");
        }
        let (id, owner) = (self.next_id("a"), self.next_id("m"));
        let account = Account {
            slug: format!("team-{id}"),
            id,
            name: text("name").into(),
            email: None,
            kind,
            period: text("period").into(),
            extra,
            made: Timestamp::now(),
            members: vec![(owner, "agency@example.com".into(), "Owner".into())],
        };
        let shown = account.shown();
        self.accounts.push(account);
        reply(201, shown)
    }

    fn update(&mut self, at: usize, body: &Value) -> Reply {
        let account = &mut self.accounts[at];
        let known = ["name", "slug", "type_id", "extra_seats_block", "billing_email"];
        assert!(body.as_object().unwrap().keys().all(|key| known.contains(&key.as_str())), "{body}");
        if let Some(email) = body["billing_email"].as_str() {
            if !email.contains('@') {
                return faults("billing_email", "is invalid");
            }
            account.email = Some(email.into());
        }
        if let Some(name) = body["name"].as_str() {
            account.name = name.into();
        }
        let kind = body["type_id"].as_str().map(|id| TYPES.iter().position(|one| one.0 == id));
        if kind == Some(None) {
            return faults("type_id", "is unknown");
        }
        let (kind, extra) = (kind.flatten().unwrap_or(account.kind), body["extra_seats_block"].as_u64());
        let extra = extra.unwrap_or(account.extra);
        if TYPES[kind].2 + extra < account.members.len() as u64 {
            return faults("extra_seats_block", "is below the members");
        }
        (account.kind, account.extra) = (kind, extra);
        reply(200, account.shown())
    }

    fn add(&mut self, at: usize, body: &Value) -> Reply {
        let id = self.next_id("m");
        let account = &mut self.accounts[at];
        let (email, role) = (body["email"].as_str().unwrap_or_default(), body["role"].as_str().unwrap_or_default());
        if !email.contains('@') {
            return faults("email", "is invalid");
        }
        if !ROLES.contains(&role) {
            return faults("role", "is not included in the list");
        }
        if account.members.iter().any(|member| member.1.eq_ignore_ascii_case(email)) {
            return no(422, "User is already a member of this team");
        }
        if account.members.len() as u64 >= account.seats() {
            return no(422, "No seats left on this team");
        }
        account.members.push((id, email.into(), role.into()));
        reply(200, Value::from_iter(account.members.last().map(member)))
    }

    fn of_member(&mut self, method: &str, at: usize, id: &str, body: &Value) -> Reply {
        let members = &mut self.accounts[at].members;
        let Some(place) = members.iter().position(|member| member.0 == id) else { return no(404, "Not Found") };
        match method {
            "DELETE" => {
                members.remove(place);
                Reply::Whole(204, vec![], vec![])
            }
            "PUT" if ROLES.contains(&body["role"].as_str().unwrap_or_default()) => {
                members[place].2 = body["role"].as_str().unwrap().into();
                reply(200, member(&members[place]))
            }
            "PUT" => faults("role", "is not included in the list"),
            _ => reply(200, member(&members[place])),
        }
    }
}

impl Fake for Netlify {
    fn answer(&mut self, asked: &Asked) -> Reply {
        if !asked.headers.contains(&format!("authorization: bearer {CANARY}")) {
            return no(401, "Access Denied");
        }
        let (method, target) = asked.line.split_once(' ').unwrap();
        let base = netlify::API_URL.strip_prefix("https://api.netlify.com/").unwrap();
        let path = target.split('?').next().unwrap().trim_start_matches('/').strip_prefix(base).unwrap();
        let body: Value = serde_json::from_str(&asked.body).unwrap_or_default();
        let path: Vec<&str> = path.split('/').skip(1).collect();
        let by_id = |id: &str| self.accounts.iter().position(|account| account.id == id);
        let by_slug = |slug: &str| self.accounts.iter().position(|account| account.slug == slug);
        let found = match path.as_slice() {
            ["accounts", id] => by_id(id),
            [slug, "members", ..] => by_slug(slug),
            _ => None,
        };
        match (method, path.as_slice(), found) {
            ("GET", ["user"], _) => {
                reply(200, json!({"id": "u1", "uid": "u1", "email": "agency@example.com", "site_count": 3}))
            }
            ("GET", ["accounts", "types"], _) => reply(200, TYPES.iter().map(shown_type).collect()),
            ("GET", ["billing", "payment_methods"], _) => {
                reply(200, json!([{"id": PAYMENT, "method_name": "Visa", "type": "card", "state": "active"}]))
            }
            ("GET", ["accounts"], _) => reply(200, self.accounts.iter().map(Account::shown).collect()),
            ("POST", ["accounts"], _) => self.create(&body),
            ("GET", ["accounts", _], Some(at)) => reply(200, self.accounts[at].shown()),
            ("PUT", ["accounts", _], Some(at)) => self.update(at, &body),
            ("GET", [_, "members"], Some(at)) => reply(200, self.accounts[at].members.iter().map(member).collect()),
            ("POST", [_, "members"], Some(at)) => self.add(at, &body),
            (method, [_, "members", id], Some(at)) => self.of_member(method, at, id, &body),
            _ => no(404, "Not Found"),
        }
    }
}

fn shown_type((id, name, included, price, seat): &(&str, &str, u64, u64, Option<u64>)) -> Value {
    json!({
        "id": id, "name": name, "description": "", "capabilities": {"collaborators": {"included": included}},
        "monthly_dollar_price": price, "yearly_dollar_price": price * 10,
        "monthly_seats_addon_dollar_price": seat, "yearly_seats_addon_dollar_price": seat.map(|seat| seat * 10),
    })
}
