//! A small server of account management in DNSimple's style, in memory: envelopes, seats,
//! field faults, and keys where it has them. It shares no code with the driver or the sandbox.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Fake;
use crate::provider_world::{Asked, CANARY, Reply, json as reply, message};

const PLAN: &str = "teams-v2-monthly";

#[derive(Debug)]
struct Account {
    id: u64,
    name: String,
    email: String,
    made: Timestamp,
    /// Seats; `None` without a subscription.
    seats: Option<u64>,
    /// Id, email, access.
    members: Vec<(String, String, String)>,
}

/// The world.
#[derive(Debug, Default)]
pub struct Dnsimple {
    accounts: Vec<Account>,
    ids: u64,
    /// Where it has keys: what each made.
    keys: Option<HashMap<String, u64>>,
}

fn data(status: u16, data: Value) -> Reply {
    reply(status, json!({"data": data}))
}

fn fault(field: &str, said: &str) -> Reply {
    reply(400, json!({"message": "Validation failed", "errors": {field: [said]}}))
}

impl Account {
    fn shown(&self) -> Value {
        json!({"id": self.id, "name": self.name, "email": self.email, "plan_identifier": self.seats.map(|_| PLAN),
               "created_at": self.made, "updated_at": self.made})
    }

    fn subscription(&self) -> Option<Value> {
        let seats = self.seats?;
        Some(json!({"id": 1, "plan_identifier": PLAN, "state": "subscribed", "seats": seats, "dunned": false}))
    }
}

fn member((id, email, access): &(String, String, String)) -> Value {
    json!({"id": id, "user_id": 1, "email": email, "access": access, "state": "active"})
}

impl Dnsimple {
    pub fn with_keys() -> Self {
        Self { keys: Some(HashMap::new()), ..Self::default() }
    }

    /// With the account of [`super::Dialect::arranged`].
    pub fn arranged() -> Self {
        let mut world = Self::with_keys();
        world.create(&json!({"name": "Acme & Söhne", "email": "dns@acme.example"}), None);
        let account = world.accounts.last_mut().unwrap();
        (account.id, account.seats) = (7, Some(3));
        account.members.push(("m3".into(), "pat@acme.example".into(), "limited".into()));
        world
    }

    fn create(&mut self, body: &Value, key: Option<&str>) -> Reply {
        let known = self.keys.as_ref().zip(key).and_then(|(keys, key)| keys.get(key)).copied();
        if let Some(account) = self.accounts.iter().find(|account| Some(account.id) == known) {
            return data(201, account.shown());
        }
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        if text("name").is_empty() {
            return fault("name", "can't be blank");
        }
        if !text("email").contains('@') {
            return fault("email", "is an invalid email address");
        }
        self.ids += 1;
        let owner = ("o1".to_owned(), "agency@example.com".to_owned(), "full".to_owned());
        let account = Account {
            id: self.ids,
            name: text("name"),
            email: text("email"),
            made: Timestamp::now(),
            seats: None,
            members: vec![owner],
        };
        if let (Some(keys), Some(key)) = (&mut self.keys, key) {
            keys.insert(key.to_owned(), account.id);
        }
        let shown = account.shown();
        self.accounts.push(account);
        data(201, shown)
    }

    fn add(&mut self, at: usize, body: &Value) -> Reply {
        self.ids += 1;
        let id = format!("m{}", self.ids + 100);
        let account = &mut self.accounts[at];
        let email = body["email"].as_str().unwrap_or_default().to_owned();
        let Some(seats) = account.seats else { return message(402, "Not subscribed") };
        if account.members.iter().any(|member| member.1.eq_ignore_ascii_case(&email)) {
            return fault("email", "has already been taken");
        }
        if account.members.len() as u64 >= seats {
            return fault("seats", "none available");
        }
        account.members.push((id, email, body["access"].as_str().unwrap_or("full").into()));
        data(201, member(account.members.last().unwrap()))
    }

    fn of_account(&mut self, method: &str, path: &[&str], at: usize, body: &Value) -> Reply {
        let account = &mut self.accounts[at];
        match (method, path) {
            ("GET", ["accounts", _]) => data(200, account.shown()),
            ("PATCH", ["accounts", _]) => {
                account.name = body["name"].as_str().unwrap_or(&account.name).to_owned();
                account.email = body["email"].as_str().unwrap_or(&account.email).to_owned();
                data(200, account.shown())
            }
            ("GET", [_, "subscription"]) => {
                account.subscription().map_or_else(|| message(404, "Not found"), |now| data(200, now))
            }
            ("PUT", [_, "subscription"]) => {
                let seats = body["seats"].as_u64().or(account.seats).unwrap_or(1);
                if body["plan_identifier"] != PLAN {
                    return fault("plan_identifier", "is unknown");
                }
                if seats < account.members.len() as u64 {
                    return fault("seats", "fewer than the members");
                }
                account.seats = Some(seats);
                data(200, account.subscription().unwrap())
            }
            ("DELETE", [_, "subscription"]) => {
                account.seats = None;
                Reply::Whole(204, vec![], vec![])
            }
            ("GET", [_, "members"]) => data(200, account.members.iter().map(member).collect()),
            ("POST", [_, "members"]) => self.add(at, body),
            (method, [_, "members", id]) => {
                let Some(place) = account.members.iter().position(|member| member.0 == *id) else {
                    return message(404, "Not found");
                };
                if method == "DELETE" {
                    account.members.remove(place);
                    return Reply::Whole(204, vec![], vec![]);
                }
                account.members[place].2 = body["access"].as_str().unwrap().into();
                data(200, member(&account.members[place]))
            }
            _ => message(404, "Not found"),
        }
    }
}

impl Fake for Dnsimple {
    fn answer(&mut self, asked: &Asked) -> Reply {
        if !asked.headers.contains(&format!("authorization: bearer {CANARY}")) {
            return message(401, "Authentication failed");
        }
        let (method, target) = asked.line.split_once(' ').unwrap();
        let path = target.split('?').next().unwrap().strip_prefix("/v2/").unwrap();
        let path: Vec<&str> = path.split('/').collect();
        let body: Value = serde_json::from_str(&asked.body).unwrap_or_default();
        let key = asked.headers.lines().find_map(|line| line.strip_prefix("idempotency-key: "));
        match (method, path.as_slice()) {
            ("GET", ["whoami"]) => {
                data(200, json!({"user": {"id": 1, "email": "agency@example.com"}, "account": null}))
            }
            ("GET", ["plans"]) => {
                let plan = json!({"identifier": PLAN, "name": "Teams", "family": "teams", "billing_period": "monthly",
                                  "base_price": "29.00", "included_seats": 1, "seat_price": "29.00",
                                  "max_members": null, "multi_member": true, "available": true});
                let mut capabilities = vec!["limited_access", "invitations"];
                capabilities.extend(self.keys.as_ref().map(|_| "idempotency_keys"));
                reply(200, json!({"data": [plan], "capabilities": capabilities}))
            }
            ("GET", ["accounts"]) => data(200, self.accounts.iter().map(Account::shown).collect()),
            ("POST", ["accounts"]) => self.create(&body, key),
            (method, path @ (["accounts", id] | [id, ..])) => {
                match self.accounts.iter().position(|account| account.id.to_string() == *id) {
                    Some(at) => self.of_account(method, path, at, &body),
                    None => message(404, "Not found"),
                }
            }
            _ => message(404, "Not found"),
        }
    }
}
