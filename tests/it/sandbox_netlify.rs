//! The sandbox in the Netlify dialect, over real HTTP. Every answer that comes by is held
//! against what the service publishes of it: the properties and their types, in
//! `facts/netlify.json`.
#![allow(clippy::unwrap_used, reason = "a helper of a test may fail as its test may")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::body::Body;
use axum::http::Request;
use bursar::sandbox::{self, Dialect, Options, Sandbox, SandboxError, Surroundings};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::sandbox::{Answer, Client, surroundings};

const FREE: &str = "5ac000050000000000000001";
const PRO: &str = "5ac000050000000000000002";
const BUSINESS: &str = "5ac000050000000000000003";
/// What the token's user pays with.
const CARD: &str = "5ac000040000000000000001";
/// The token's user.
const US: &str = "5ac000020000000000000001";

static FACTS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("facts/netlify.json")).expect("the facts are JSON"));

/// What does not fit the facts, in words; nothing where all does.
fn misfit(fact: &Value, value: &Value, place: &str) -> Option<String> {
    match fact {
        Value::Array(of) => match value.as_array() {
            Some(items) => {
                items.iter().enumerate().find_map(|(at, item)| misfit(&of[0], item, &format!("{place}[{at}]")))
            }
            None => Some(format!("{place} is no array: {value}")),
        },
        Value::Object(properties) => match value.as_object() {
            Some(given) => given.iter().find_map(|(name, value)| {
                let place = format!("{place}.{name}");
                match properties.get(name) {
                    Some(fact) => misfit(fact, value, &place),
                    None => Some(format!("{place} is not published")),
                }
            }),
            None => Some(format!("{place} is no object: {value}")),
        },
        Value::String(word) => {
            let fits = match word.as_str() {
                "string" => value.is_string(),
                "integer" => value.is_i64() || value.is_u64(),
                "object" => value.is_object(),
                "dateTime" => value.as_str().is_some_and(|text| text.parse::<Timestamp>().is_ok()),
                definition => return misfit(&FACTS["definitions"][definition], value, place),
            };
            (!fits).then(|| format!("{place} is no {word}: {value}"))
        }
        _ => (*value != json!("")).then(|| format!("{place} has a body: {value}")),
    }
}

/// A client of the dialect that looks at each answer.
struct Netlify {
    client: Client,
}

impl Netlify {
    /// Asks; `path` may name ids in it, each between slashes.
    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.client.request(method.clone(), &format!("/api/v1{path}")).bearer_auth("sandbox");
        if let Some(body) = &body {
            request = request.json(body);
        }
        let answer = self.client.send(request).await;
        let place = format!("{method} {path}");
        let misfit = if answer.status < 300 {
            let route = route(&method, path);
            let status = FACTS["statuses"].get(&route).map_or(200, |status| status.as_u64().unwrap());
            assert_eq!(u64::from(answer.status), status, "{place}");
            misfit(&FACTS["answers"][&route], &answer.body, "answer")
        } else {
            assert_eq!(answer.body["code"], answer.status, "{place}");
            misfit(&json!("error"), &answer.body, "error")
        };
        assert_eq!(misfit, None, "{place}");
        answer
    }

    async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    async fn put(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PUT, path, Some(body)).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }

    /// An account on the type Pro with so many seats beside its own.
    async fn pro(&self, name: &str, extra: u32) -> Value {
        let body = json!({"name": name, "type_id": PRO, "payment_method_id": CARD, "extra_seats_block": extra});
        let answer = self.post("/accounts", body).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.body
    }
}

/// The method and route of a call, ids left out.
fn route(method: &Method, path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let parts: Vec<_> = path.split('/').skip(1).collect();
    let route = match parts.as_slice() {
        ["accounts", "types"] => "/accounts/types".to_owned(),
        ["accounts", _] => "/accounts/{}".to_owned(),
        [_, "members"] => "/{}/members".to_owned(),
        [_, "members", _] => "/{}/members/{}".to_owned(),
        _ => path.to_owned(),
    };
    let route = format!("{method} {route}");
    assert!(FACTS["answers"].get(&route).is_some(), "{route} is not published");
    route
}

fn options() -> Options {
    Options { users: vec!["jane@acme.example".to_owned()], ..Options::of(Dialect::Netlify) }
}

async fn started_with(options: Options) -> (Sandbox, Netlify) {
    let sandbox = sandbox::start_in(options, surroundings()).await.unwrap();
    let client = Client::of(&sandbox);
    (sandbox, Netlify { client })
}

async fn started() -> (Sandbox, Netlify) {
    started_with(options()).await
}

#[tokio::test]
async fn a_client_is_created_with_its_plan_and_joined_and_closed() {
    let (sandbox, api) = started().await;
    assert!(sandbox.api_url().ends_with("/api/v1"));
    let mut told = vec![
        api.get("/user").await.told(),
        api.get("/billing/payment_methods").await.told(),
        api.get("/accounts/types").await.told(),
    ];
    let created = api.pro("Acme Inc.", 2).await;
    told.push(created.to_string());
    let id = created["id"].as_str().unwrap().to_owned();
    let account = format!("/accounts/{id}");
    told.push(api.put(&account, json!({"billing_email": "dns@agency.example"})).await.told());
    told.push(api.post("/acme-inc/members", json!({"email": "jane@acme.example", "role": "Owner"})).await.told());
    told.push(api.post("/acme-inc/members", json!({"email": "new@acme.example"})).await.told());
    let jane = "/acme-inc/members/5ac000020000000000000002";
    told.push(api.put(jane, json!({"role": "Billing Admin"})).await.told());
    told.push(api.get(jane).await.told());
    told.push(api.delete("/acme-inc/members/5ac000030000000000000003").await.told());
    told.push(api.get("/acme-inc/members").await.told());
    told.push(api.get("/accounts").await.told());
    told.push(api.delete(&account).await.told());
    told.push(api.get(&account).await.told());
    told.push(api.get("/accounts").await.told());
    insta::assert_snapshot!(told.join("\n"), @r#"
    200 {"id":"5ac000020000000000000001","uid":"5ac000020000000000000001","full_name":"agency","email":"agency@example.com","site_count":0,"created_at":"2026-03-01T12:00:00.000Z","last_login":"2026-03-01T12:00:00.000Z","login_providers":["email"]}
    200 [{"id":"5ac000040000000000000001","method_name":"Visa ending in 4242","type":"card","state":"active","data":{"card_type":"Visa","last4":"4242","email":"agency@example.com"},"created_at":"2026-03-01T12:00:00.000Z","updated_at":"2026-03-01T12:00:00.000Z"}]
    200 [{"id":"5ac000050000000000000001","name":"Free","description":"For one person","capabilities":{"sites":{"included":500},"collaborators":{"included":1}},"monthly_dollar_price":0,"yearly_dollar_price":0},{"id":"5ac000050000000000000002","name":"Pro","description":"For small teams","capabilities":{"sites":{"included":500},"collaborators":{"included":1}},"monthly_dollar_price":19,"yearly_dollar_price":190,"monthly_seats_addon_dollar_price":19,"yearly_seats_addon_dollar_price":190},{"id":"5ac000050000000000000003","name":"Business","description":"For large teams","capabilities":{"sites":{"included":500},"collaborators":{"included":5}},"monthly_dollar_price":99,"yearly_dollar_price":990,"monthly_seats_addon_dollar_price":25,"yearly_seats_addon_dollar_price":250}]
    {"id":"5ac000010000000000000001","name":"Acme Inc.","slug":"acme-inc","type":"TEAM","capabilities":{"sites":{"included":500,"used":0},"collaborators":{"included":3,"used":1}},"billing_email":"agency@example.com","billing_period":"monthly","payment_method_id":"5ac000040000000000000001","type_name":"Pro","type_id":"5ac000050000000000000002","owner_ids":["5ac000020000000000000001"],"roles_allowed":["Owner","Developer","Billing Admin","Reviewer"],"created_at":"2026-03-01T12:00:00.000Z","updated_at":"2026-03-01T12:00:00.000Z"}
    200 {"id":"5ac000010000000000000001","name":"Acme Inc.","slug":"acme-inc","type":"TEAM","capabilities":{"sites":{"included":500,"used":0},"collaborators":{"included":3,"used":1}},"billing_email":"dns@agency.example","billing_period":"monthly","payment_method_id":"5ac000040000000000000001","type_name":"Pro","type_id":"5ac000050000000000000002","owner_ids":["5ac000020000000000000001"],"roles_allowed":["Owner","Developer","Billing Admin","Reviewer"],"created_at":"2026-03-01T12:00:00.000Z","updated_at":"2026-03-01T12:00:01.000Z"}
    200 [{"id":"5ac000020000000000000001","full_name":"agency","email":"agency@example.com","avatar":"","role":"Owner"},{"id":"5ac000020000000000000002","full_name":"jane","email":"jane@acme.example","avatar":"","role":"Owner"}]
    200 [{"id":"5ac000020000000000000001","full_name":"agency","email":"agency@example.com","avatar":"","role":"Owner"},{"id":"5ac000020000000000000002","full_name":"jane","email":"jane@acme.example","avatar":"","role":"Owner"},{"id":"5ac000030000000000000003","full_name":"new","email":"new@acme.example","avatar":"","role":"Developer"}]
    200 {"id":"5ac000020000000000000002","full_name":"jane","email":"jane@acme.example","avatar":"","role":"Billing Admin"}
    200 {"id":"5ac000020000000000000002","full_name":"jane","email":"jane@acme.example","avatar":"","role":"Billing Admin"}
    204 ""
    200 [{"id":"5ac000020000000000000001","full_name":"agency","email":"agency@example.com","avatar":"","role":"Owner"},{"id":"5ac000020000000000000002","full_name":"jane","email":"jane@acme.example","avatar":"","role":"Billing Admin"}]
    200 [{"id":"5ac000010000000000000001","name":"Acme Inc.","slug":"acme-inc","type":"TEAM","capabilities":{"sites":{"included":500,"used":0},"collaborators":{"included":3,"used":2}},"billing_email":"dns@agency.example","billing_period":"monthly","payment_method_id":"5ac000040000000000000001","type_name":"Pro","type_id":"5ac000050000000000000002","owner_ids":["5ac000020000000000000001"],"roles_allowed":["Owner","Developer","Billing Admin","Reviewer"],"created_at":"2026-03-01T12:00:00.000Z","updated_at":"2026-03-01T12:00:05.000Z"}]
    204 ""
    404 {"code":404,"message":"Not Found"}
    200 []
    "#);
    insta::assert_snapshot!(serde_json::to_string_pretty(&api.client.ledger().await).unwrap(), @r#"
    {
      "requests": {
        "DELETE /api/v1/accounts/{account_id}": 1,
        "DELETE /api/v1/{account_slug}/members/{member_id}": 1,
        "GET /api/v1/accounts": 2,
        "GET /api/v1/accounts/types": 1,
        "GET /api/v1/accounts/{account_id}": 1,
        "GET /api/v1/billing/payment_methods": 1,
        "GET /api/v1/user": 1,
        "GET /api/v1/{account_slug}/members": 1,
        "GET /api/v1/{account_slug}/members/{member_id}": 1,
        "POST /api/v1/accounts": 1,
        "POST /api/v1/{account_slug}/members": 2,
        "PUT /api/v1/accounts/{account_id}": 1,
        "PUT /api/v1/{account_slug}/members/{member_id}": 1
      },
      "accounts_created": 1,
      "subscriptions_created": 1,
      "charges": [
        {
          "account_id": 1,
          "amount": "57.00",
          "at": "2026-03-01T12:00:00Z",
          "for": "first period: pro-monthly, 3 seat(s)"
        }
      ],
      "open_payments": [],
      "members_added": 2,
      "invitations_sent": 1,
      "mails": [
        {
          "account_id": 1,
          "to": "jane@acme.example",
          "subject": "You were added to Acme Inc.",
          "at": "2026-03-01T12:00:00Z"
        },
        {
          "account_id": 1,
          "to": "new@acme.example",
          "subject": "You are invited to Acme Inc.",
          "at": "2026-03-01T12:00:00Z"
        }
      ]
    }
    "#);
}

#[tokio::test]
async fn what_the_service_refuses_is_refused_with_every_fault_and_does_nothing() {
    let (_sandbox, api) = started().await;
    let mut told = Vec::new();
    for body in [
        json!({}),
        json!({"name": " ", "type_id": "nonsense", "period": "weekly", "extra_seats_block": -1}),
        json!({"name": "A", "type_id": PRO}),
        json!({"name": "A", "type_id": PRO, "payment_method_id": "5ac000040000000000000002"}),
        json!({"name": "A", "type_id": FREE, "extra_seats_block": 1}),
        json!({"name": "A", "type_id": PRO, "payment_method_id": CARD, "extra_seats_block": "2"}),
    ] {
        told.push(api.post("/accounts", body).await.told());
    }
    assert_eq!(api.get("/accounts").await.body, json!([]));
    let acme = api.pro("Acme", 1).await;
    let other = api.pro("Other", 0).await;
    let account = format!("/accounts/{}", acme["id"].as_str().unwrap());
    assert_eq!(api.post("/acme/members", json!({"email": "JANE@acme.example"})).await.status, 200);
    for body in [
        json!({"email": "jane@ACME.example", "role": "Janitor"}),
        json!({"email": "no address"}),
        json!({"email": "more@acme.example"}),
    ] {
        told.push(api.post("/acme/members", body).await.told());
    }
    for body in [
        json!({"slug": "other", "name": "", "billing_email": "nobody"}),
        json!({"slug": "Not A Slug"}),
        json!({"type_id": FREE}),
        json!({"extra_seats_block": 0}),
    ] {
        told.push(api.put(&account, body).await.told());
    }
    told.push(api.put(&format!("/acme/members/{US}"), json!({"role": "Developer"})).await.told());
    told.push(api.delete(&format!("/acme/members/{US}")).await.told());
    for path in ["/accounts/acme", "/accounts/5ac000010000000000000009", "/nobody/members", "/acme/members/1"] {
        told.push(api.get(path).await.told());
    }
    assert_eq!(api.get(&format!("/accounts/{}", other["id"].as_str().unwrap())).await.body, other);
    insta::assert_snapshot!(told.join("\n"), @r#"
    422 {"code":422,"message":"name can't be blank, type_id can't be blank"}
    422 {"code":422,"message":"name can't be blank, period must be monthly or yearly, type_id is unknown"}
    422 {"code":422,"message":"payment_method_id can't be blank"}
    422 {"code":422,"message":"payment_method_id is unknown"}
    422 {"code":422,"message":"extra_seats_block is not sold with this type"}
    400 {"code":400,"message":"The body cannot be understood: invalid type: string \"2\", expected i64 at line 1 column 119"}
    422 {"code":422,"message":"email is already a member of this team, role must be one of Owner, Developer, Billing Admin, Reviewer, seats none available"}
    422 {"code":422,"message":"email is an invalid email address, seats none available"}
    422 {"code":422,"message":"seats none available"}
    422 {"code":422,"message":"billing_email is an invalid email address, name can't be blank, slug has already been taken"}
    422 {"code":422,"message":"slug may have lower-case letters, digits and single hyphens only"}
    422 {"code":422,"message":"extra_seats_block leaves fewer seats (1) than there are members (2)"}
    422 {"code":422,"message":"extra_seats_block leaves fewer seats (1) than there are members (2)"}
    422 {"code":422,"message":"role cannot change: a team needs an Owner"}
    403 {"code":403,"message":"You cannot remove yourself; another member with full access must"}
    404 {"code":404,"message":"Not Found"}
    404 {"code":404,"message":"Not Found"}
    404 {"code":404,"message":"Not Found"}
    404 {"code":404,"message":"Not Found"}
    "#);
    let stranger = api.client.request(Method::GET, "/api/v1/user");
    assert_eq!(api.client.send(stranger).await.told(), r#"401 {"code":401,"message":"Access Denied"}"#);
    let elsewhere = api.client.request(Method::GET, "/api/v1/sites").bearer_auth("sandbox");
    assert_eq!(api.client.send(elsewhere).await.told(), r#"404 {"code":404,"message":"Not Found"}"#);
    let patch = api.client.request(Method::PATCH, "/api/v1/accounts").bearer_auth("sandbox");
    assert_eq!(api.client.send(patch).await.told(), r#"404 {"code":404,"message":"Not Found"}"#);
    assert_eq!(api.client.send(api.client.request(Method::GET, "/v2/whoami")).await.status, 404);
}

#[tokio::test]
async fn nothing_is_asked_for_under_a_key_a_repeated_create_makes_a_second_account() {
    let (_sandbox, api) = started().await;
    let mut slugs = Vec::new();
    for _ in 0..3 {
        let request = api.client.request(Method::POST, "/api/v1/accounts").bearer_auth("sandbox");
        let request = request.header("idempotency-key", "one").json(&json!({"name": "Acme", "type_id": FREE}));
        slugs.push(api.client.send(request).await.body["slug"].clone());
    }
    assert_eq!(slugs, ["acme", "acme-2", "acme-3"]);
    assert_eq!(api.client.ledger().await["accounts_created"], 3);
}

/// The address that a `Link` header gives this relation.
fn link(answer: &Answer, relation: &str) -> Option<String> {
    let mut links = answer.header("link")?.split(", ");
    let link = links.find(|link| link.ends_with(&format!("rel=\"{relation}\"")))?;
    Some(link[1..link.find('>')?].to_owned())
}

#[tokio::test]
async fn a_fleet_of_250_is_three_pages_that_link_to_each_other() {
    let (_sandbox, api) = started().await;
    for number in 0..250 {
        let arranged =
            json!({"name": format!("Client {number}"), "email": "dns@agency.example", "plan": "pro-monthly"});
        assert_eq!(api.client.arrange("accounts", arranged).await.status, 201);
    }
    let mut page = api.get("/accounts").await;
    let (mut seen, mut pages) = (Vec::new(), 1);
    loop {
        seen.extend(page.body.as_array().unwrap().iter().map(|account| account["name"].clone()));
        let Some(next) = link(&page, "next") else { break };
        let path = next.strip_prefix(&format!("{}/api/v1", api.client.url)).unwrap().to_owned();
        page = api.get(&path).await;
        pages += 1;
    }
    assert_eq!((pages, seen.len()), (3, 250));
    assert_eq!(seen, (0..250).map(|number| json!(format!("Client {number}"))).collect::<Vec<_>>());
    let second = api.get("/accounts?page=2&per_page=20").await;
    let links = second.header("link").unwrap().replace(&api.client.url, "");
    insta::assert_snapshot!(links, @r#"</api/v1/accounts?page=3&per_page=20>; rel="next", </api/v1/accounts?page=13&per_page=20>; rel="last", </api/v1/accounts?page=1&per_page=20>; rel="first", </api/v1/accounts?page=1&per_page=20>; rel="prev""#);
    assert_eq!(api.get("/accounts?per_page=1000").await.body.as_array().unwrap().len(), 100);
    assert_eq!(api.get("/accounts?page=0").await.status, 422);
    assert_eq!(link(&api.get("/accounts?page=9").await, "next"), None);
}

#[tokio::test]
async fn five_hundred_requests_a_minute_are_let_through() {
    let seconds = Arc::new(AtomicI64::new(1_000));
    let clock = Arc::clone(&seconds);
    let surroundings = Surroundings {
        now: Arc::new(move || Timestamp::from_second(clock.load(Ordering::Relaxed)).unwrap()),
        ..surroundings()
    };
    let sandbox = sandbox::start_in(options(), surroundings).await.unwrap();
    let api = Netlify { client: Client::of(&sandbox) };
    let quota = |answer: &Answer| {
        ["limit", "remaining", "reset"].map(|name| answer.header(&format!("x-ratelimit-{name}")).unwrap().to_owned())
    };
    assert_eq!(quota(&api.get("/user").await), ["500", "499", "1060"]);
    for _ in 0..499 {
        assert_eq!(api.get("/user").await.status, 200);
    }
    let over = api.post("/accounts", json!({"name": "A", "type_id": FREE})).await;
    assert_eq!(over.told(), r#"429 {"code":429,"message":"Too Many Requests"}"#);
    assert_eq!(quota(&over), ["500", "0", "1060"]);
    seconds.store(1_060, Ordering::Relaxed);
    assert_eq!(quota(&api.get("/accounts").await), ["500", "499", "1120"]);
    assert_eq!(api.client.ledger().await["accounts_created"], 0);
}

#[tokio::test]
async fn a_plan_changes_at_once_and_only_the_difference_is_charged() {
    let (_sandbox, api) = started().await;
    let account = format!("/accounts/{}", api.pro("Acme", 0).await["id"].as_str().unwrap());
    let stand = |body: &Value| {
        let seats = &body["capabilities"]["collaborators"];
        format!("{} {} {} of {}", body["type_name"], body["billing_period"], seats["used"], seats["included"])
    };
    let mut told = Vec::new();
    for body in [
        json!({"extra_seats_block": 3}),
        json!({"extra_seats_block": 3}),
        json!({"extra_seats_block": 1}),
        json!({"type_id": BUSINESS}),
        json!({"type_id": BUSINESS, "extra_seats_block": 0}),
        json!({"type_id": FREE}),
        json!({"type_id": PRO, "extra_seats_block": 1}),
    ] {
        told.push(stand(&api.put(&account, body).await.body));
    }
    let yearly = json!({"name": "B", "type_id": PRO, "payment_method_id": CARD, "period": "yearly"});
    told.push(stand(&api.post("/accounts", yearly).await.body));
    api.client.arrange("users", json!({"email": "agency@example.com", "card": "4000 0000 0000 0341"})).await;
    told.push(api.put(&account, json!({"extra_seats_block": 9})).await.told());
    let again = json!({"name": "C", "type_id": PRO, "payment_method_id": CARD});
    told.push(api.post("/accounts", again).await.told());
    api.client.arrange("clock", json!({"advance_seconds": 60 * 24 * 60 * 60})).await;
    told.push(stand(&api.get(&account).await.body));
    let charges = api.client.ledger().await["charges"].clone();
    told.extend(charges.as_array().unwrap().iter().map(|it| format!("{} {}", it["amount"], it["for"])));
    insta::assert_snapshot!(told.join("\n"), @r#"
    "Pro" "monthly" 1 of 4
    "Pro" "monthly" 1 of 4
    "Pro" "monthly" 1 of 2
    "Business" "monthly" 1 of 6
    "Business" "monthly" 1 of 5
    "Free" "monthly" 1 of 1
    "Pro" "monthly" 1 of 2
    "Pro" "yearly" 1 of 1
    422 {"code":422,"message":"The payment method was declined"}
    422 {"code":422,"message":"The payment method was declined"}
    "Free" "monthly" 1 of 1
    "19.00" "first period: pro-monthly, 1 seat(s)"
    "57.00" "more seats: pro-monthly, 4 seat(s)"
    "86.00" "upgrade: business-monthly, 6 seat(s)"
    "38.00" "upgrade: pro-monthly, 2 seat(s)"
    "190.00" "first period: pro-yearly, 1 seat(s)"
    "#);
}

#[tokio::test]
async fn a_restart_keeps_slugs_types_seats_and_roles_and_no_other_dialect_takes_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let data = Some(folder.path().join("world.db"));
    let (sandbox, api) = started_with(Options { data: data.clone(), ..options() }).await;
    let acme = api.pro("Acme", 2).await;
    let account = format!("/accounts/{}", acme["id"].as_str().unwrap());
    api.put(&account, json!({"slug": "acme-hq", "billing_name": "Acme Ltd", "billing_details": "VAT 1"})).await;
    api.post("/acme-hq/members", json!({"email": "jane@acme.example", "role": "Reviewer"})).await;
    api.post("/acme-hq/members", json!({"email": "new@acme.example", "role": "Billing Admin"})).await;
    let before = (api.get(&account).await.body, api.get("/acme-hq/members").await.body);
    let ledger = api.client.ledger().await;
    sandbox.stop().await;

    let other = sandbox::start(Options { data: data.clone(), ..Options::default() }).await;
    assert!(matches!(other, Err(SandboxError::OtherDialect { made_for: Dialect::Netlify, .. })));
    let (_sandbox, api) = started_with(Options { data, ..options() }).await;
    assert_eq!(api.client.ledger().await, ledger);
    let after = (api.get(&account).await.body, api.get("/acme-hq/members").await.body);
    assert_eq!(before, after);
    assert_eq!(after.1[1]["role"], "Reviewer");
    assert_eq!(after.1[2]["role"], "Billing Admin");
}

#[tokio::test]
async fn what_people_do_by_hand_and_what_testers_arrange_shows_in_the_api() {
    let (_sandbox, api) = started().await;
    let members = json!(["dev@acme.example", {"email": "less@acme.example", "access": "limited"}]);
    let arranged =
        json!({"name": "Acme", "email": "dns@acme.example", "plan": "pro-monthly", "seats": 5, "members": members});
    assert_eq!(api.client.arrange("accounts", arranged).await.status, 201);
    let press = async |path: &str, form: &str| {
        let request = api.client.request(Method::POST, path);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form.to_owned());
        assert_eq!(api.client.send(request).await.status, 303);
        let page = api.client.send(api.client.request(Method::GET, "/")).await.body;
        let page = page.as_str().unwrap().to_owned();
        let notice = page.split("role=\"status\">").nth(1).unwrap_or_default();
        notice.split('<').next().unwrap_or_default().to_owned()
    };
    let said = [
        press("/page/accounts", "name=Acme&email=a%40acme.example&owner=&plan=").await,
        press("/page/accounts/1/plan", "plan=business-monthly&seats=6").await,
        press("/page/accounts/1/plan", "plan=teams-v2-monthly&seats=6").await,
        press("/page/accounts/1/plan", "plan=business-monthly&seats=3").await,
        press("/page/accounts/1/members", "email=new%40acme.example").await,
        press("/page/accounts/1/rename", "name=Acme+Inc&email=dns%40acme.example").await,
        press("/page/accounts/1/members/2/remove", "").await,
    ];
    insta::assert_snapshot!(said.join("\n"), @r#"
    Account 2 was made by hand.
    The plan of account 1 was chosen.
    Not done. The plan is unknown
    Not done. Validation failed: extra_seats_block must be from 0 to 10000
    new@acme.example was added to account 1.
    Account 1 is called Acme Inc now.
    The member was removed from account 1.
    "#);
    let invited = api.get("/acme/members").await.body[2]["id"].as_str().unwrap().to_owned();
    assert!(invited.starts_with("5ac00003"));
    assert_eq!(api.client.arrange(&format!("invitations/{invited}/accept"), json!({})).await.status, 200);
    let members = api.get("/acme/members").await.body;
    let members: Vec<_> =
        members.as_array().unwrap().iter().map(|it| format!("{} {}", it["email"], it["role"])).collect();
    insta::assert_snapshot!(members.join("\n"), @r#"
    "agency@example.com" "Owner"
    "less@acme.example" "Developer"
    "new@acme.example" "Owner"
    "#);
    let accounts = api.get("/accounts").await.body;
    let told: Vec<_> = accounts
        .as_array()
        .unwrap()
        .iter()
        .map(|it| format!("{} {} {}", it["name"], it["slug"], it["type_name"]))
        .collect();
    assert_eq!(told, [r#""Acme Inc" "acme" "Business""#, r#""Acme" "acme-2" "Free""#]);
}

#[tokio::test]
async fn without_a_socket_it_is_the_same() {
    let sandbox = sandbox::embed(options(), surroundings()).await.unwrap();
    assert_eq!(sandbox.api_url(), "http://localhost/api/v1");
    let request = Request::get(format!("{}/accounts", sandbox.api_url())).header("authorization", "Bearer sandbox");
    let answer = sandbox.call(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["x-ratelimit-limit"]), (200, &"500".parse().unwrap()));
}

#[tokio::test]
async fn a_thousand_accounts_of_one_name_have_a_slug_each() {
    let (_sandbox, api) = started_with(Options { rate_limit: 0, ..options() }).await;
    for _ in 0..1_000 {
        let arranged = json!({"name": "Acme", "email": "dns@agency.example"});
        assert_eq!(api.client.arrange("accounts", arranged).await.status, 201);
    }
    let last = api.get("/accounts?page=10").await;
    assert_eq!(last.body[99]["slug"], "acme-1000");
    assert_eq!(link(&last, "next"), None);
}

#[tokio::test]
async fn lists_lag_and_single_reads_do_not() {
    let (_sandbox, api) = started_with(Options { list_delay: std::time::Duration::from_secs(60), ..options() }).await;
    let acme = api.pro("Acme", 1).await;
    api.post("/acme/members", json!({"email": "jane@acme.example"})).await;
    assert_eq!(api.get("/accounts").await.body, json!([]));
    assert_eq!(api.get("/acme/members").await.body, json!([]));
    let account = api.get(&format!("/accounts/{}", acme["id"].as_str().unwrap())).await.body;
    assert_eq!(account["capabilities"]["collaborators"], json!({"included": 2, "used": 2}));
    assert_eq!(api.get("/acme/members/5ac000020000000000000002").await.status, 200);
}

#[tokio::test]
async fn bad_days_look_like_this_service() {
    let (_sandbox, api) = started().await;
    let spoil = async |kind: &str| {
        let wish = json!({"rate": 1, "kinds": [kind], "max": 1});
        api.client.send(api.client.request(Method::PUT, "/sandbox/faults").json(&wish)).await;
    };
    spoil("quota_429").await;
    let quota = api.get("/user").await;
    assert_eq!(quota.told(), r#"429 {"code":429,"message":"Too Many Requests"}"#);
    assert_eq!(quota.header("x-ratelimit-limit"), Some("500"));
    spoil("error_500").await;
    assert_eq!(api.get("/user").await.told(), r#"500 {"code":500,"message":"Something went wrong"}"#);
    spoil("truncate").await;
    let refused = api.client.request(Method::POST, "/api/v1/accounts").bearer_auth("sandbox").json(&json!({}));
    let half = refused.send().await.unwrap();
    assert_eq!(half.status(), 422);
    assert!(half.bytes().await.is_err(), "a refusal breaks off half-way like any answer");
}

/// Numbers that repeat with their seed.
struct Dice(fastrand::Rng);

impl Dice {
    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.0.usize(..all.len())]
    }
}

#[tokio::test]
async fn the_ledger_is_what_happened_whatever_is_asked_for() {
    for seed in 0..6 {
        let (_sandbox, api) = started_with(Options { rate_limit: 0, ..options() }).await;
        let mut dice = Dice(fastrand::Rng::with_seed(seed));
        let mut happened: BTreeMap<&str, u64> = BTreeMap::new();
        let mut requests: BTreeMap<String, u64> = BTreeMap::new();
        let mut slugs: Vec<(String, String)> = Vec::new();
        for _ in 0..80 {
            let kind = dice.0.u8(..10);
            let account = slugs.get(dice.0.usize(..slugs.len().max(1))).cloned().unwrap_or_default();
            let (method, path, body) = match kind {
                0..=2 => {
                    let card = dice.one_of(&[json!(CARD), json!("none")]).clone();
                    let kind = *dice.one_of(&[FREE, PRO, BUSINESS, "nonsense"]);
                    let name = *dice.one_of(&["Acme", "Beta", ""]);
                    let body = json!({"name": name, "type_id": kind, "payment_method_id": card, "extra_seats_block": dice.0.u8(..3)});
                    (Method::POST, "/accounts".to_owned(), Some(body))
                }
                3..=6 => {
                    let email = *dice.one_of(&["jane@acme.example", "new@acme.example", "x"]);
                    let role = *dice.one_of(&["Owner", "Reviewer", "Nobody"]);
                    let body = json!({"email": email, "role": role});
                    (Method::POST, format!("/{}/members", account.1), Some(body))
                }
                7 => {
                    let body = json!({"type_id": *dice.one_of(&[FREE, PRO, BUSINESS])});
                    (Method::PUT, format!("/accounts/{}", account.0), Some(body))
                }
                8 => (Method::DELETE, format!("/{}/members/5ac000020000000000000002", account.1), None),
                _ => (Method::DELETE, format!("/accounts/{}", account.0), None),
            };
            if kind >= 3 && account.0.is_empty() {
                continue;
            }
            let route = route(&method, &path);
            *requests.entry(route.clone()).or_default() += 1;
            let answer = api.call(method, &path, body).await;
            let done = u64::from(answer.status < 300);
            match route.as_str() {
                "POST /accounts" if done == 1 => {
                    *happened.entry("accounts_created").or_default() += 1;
                    *happened.entry("subscriptions_created").or_default() += 1;
                    let text = |name: &str| answer.body[name].as_str().unwrap().to_owned();
                    slugs.push((text("id"), text("slug")));
                }
                "POST /{}/members" => *happened.entry("members_added").or_default() += done,
                "DELETE /accounts/{}" => slugs.retain(|(id, _)| *id != account.0),
                _ => {}
            }
        }
        let ledger = api.client.ledger().await;
        for what in ["accounts_created", "subscriptions_created", "members_added"] {
            assert_eq!(ledger[what].as_u64(), Some(happened.get(what).copied().unwrap_or(0)), "{what}, seed {seed}");
        }
        assert_eq!(ledger["mails"].as_array().map(Vec::len), ledger["members_added"].as_u64().map(|n| n as usize));
        let counted: BTreeMap<String, u64> = serde_json::from_value(ledger["requests"].clone()).unwrap();
        let counted: BTreeMap<_, _> =
            counted.into_iter().map(|(route, count)| (without_names(&route), count)).collect();
        assert_eq!(counted, requests, "seed {seed}");
        let listed = api.get("/accounts").await.body.as_array().unwrap().len();
        assert_eq!(listed, slugs.len(), "seed {seed}");
    }
}

/// `POST /api/v1/{account_slug}/members` as `POST /{}/members`.
fn without_names(route: &str) -> String {
    let short = route.replace("/api/v1", "");
    ["account_id", "account_slug", "member_id"].iter().fold(short, |it, name| it.replace(&format!("{{{name}}}"), "{}"))
}
