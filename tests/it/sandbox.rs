//! The account API over real HTTP: conventions, extensions, what is kept over a restart.
#![allow(clippy::unwrap_used, reason = "a helper of a test may fail as its test may")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use bursar::sandbox::{self, Extension, MemberMode, Options, Sandbox, Surroundings};
use jiff::Timestamp;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

/// A client of a sandbox.
pub struct Client {
    pub url: String,
    http: reqwest::Client,
}

/// An answer: status, headers, body.
pub struct Answer {
    pub status: u16,
    headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Status and body.
    pub fn told(&self) -> String {
        format!("{} {}", self.status, self.body)
    }
}

impl Client {
    pub fn of(sandbox: &Sandbox) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            url: sandbox.url(),
            http: reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap(),
        }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// A request with the token.
    pub fn api(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, &format!("/v2{path}")).bearer_auth("sandbox")
    }

    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.api(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.api(Method::POST, path).json(&body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(self.api(Method::PUT, path).json(&body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.api(Method::DELETE, path)).await
    }

    /// A call of the tester's side.
    pub async fn arrange(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, &format!("/sandbox/{path}")).json(&body)).await
    }

    pub async fn ledger(&self) -> Value {
        self.send(self.request(Method::GET, "/sandbox/ledger")).await.body["data"].clone()
    }
}

/// Noon of a day, and ids that count up.
pub fn surroundings() -> Surroundings {
    let next = AtomicU64::new(0);
    Surroundings {
        now: Arc::new(|| "2026-03-01T12:00:00Z".parse().unwrap()),
        fresh_id: Arc::new(move || format!("id-{}", next.fetch_add(1, Ordering::Relaxed))),
    }
}

pub async fn started(options: Options) -> (Sandbox, Client) {
    let sandbox = sandbox::start_in(options, surroundings()).await.unwrap();
    let client = Client::of(&sandbox);
    (sandbox, client)
}

fn with_jane() -> Options {
    Options { users: vec!["jane@acme.example".to_owned()], ..Options::default() }
}

fn acme() -> Value {
    json!({"name": "Acme", "email": "dns@agency.example"})
}

#[tokio::test]
async fn a_client_is_created_subscribed_and_joined() {
    let (_sandbox, client) = started(with_jane()).await;
    let mut told = Vec::new();
    told.push(client.get("/whoami").await.told());
    told.push(client.post("/accounts", acme()).await.told());
    told.push(client.get("/1/subscription").await.told());
    told.push(client.put("/1/subscription", json!({"plan_identifier": "teams-v2-monthly", "seats": 2})).await.told());
    told.push(client.post("/1/members", json!({"email": "jane@acme.example"})).await.told());
    told.push(client.post("/1/members", json!({"email": "new@acme.example"})).await.told());
    told.push(client.get("/accounts?include=subscription,members").await.told());
    told.push(client.get("/1/members").await.told());
    told.push(client.delete("/1/members/1").await.told());
    told.push(client.delete("/1/members/2").await.told());
    told.push(client.delete("/1/subscription").await.told());
    told.push(client.get("/accounts/1").await.told());
    told.push(client.get("/1385/members").await.told());
    insta::assert_snapshot!(told.join("\n"), @r#"
    200 {"data":{"user":{"id":1,"email":"agency@example.com","created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z"},"account":null}}
    201 {"data":{"id":1,"email":"dns@agency.example","name":"Acme","plan_identifier":null,"created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z"}}
    404 {"message":"The account has no subscription"}
    201 {"data":{"id":1,"plan_identifier":"teams-v2-monthly","state":"subscribed","seats":2,"dunned":false,"trial_ends_at":"2026-03-31T12:00:00Z","current_period_ends_at":"2026-03-31T12:00:00Z","pending_plan_identifier":null,"pending_seats":null,"created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z"}}
    201 {"data":{"id":2,"user_id":2,"email":"jane@acme.example","access":"full","state":"active","created_at":"2026-03-01T12:00:00Z"}}
    400 {"message":"Validation failed","errors":{"email":["is not a registered user"],"seats":["none available"]}}
    200 {"data":[{"id":1,"email":"dns@agency.example","name":"Acme","plan_identifier":"teams-v2-monthly","created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:02Z","subscription":{"id":1,"plan_identifier":"teams-v2-monthly","state":"subscribed","seats":2,"dunned":false,"trial_ends_at":"2026-03-31T12:00:00Z","current_period_ends_at":"2026-03-31T12:00:00Z","pending_plan_identifier":null,"pending_seats":null,"created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z"},"members":[{"id":1,"user_id":1,"email":"agency@example.com","access":"full","state":"active","created_at":"2026-03-01T12:00:00Z"},{"id":2,"user_id":2,"email":"jane@acme.example","access":"full","state":"active","created_at":"2026-03-01T12:00:00Z"}]}],"pagination":{"current_page":1,"per_page":30,"total_entries":1,"total_pages":1}}
    200 {"data":[{"id":1,"user_id":1,"email":"agency@example.com","access":"full","state":"active","created_at":"2026-03-01T12:00:00Z"},{"id":2,"user_id":2,"email":"jane@acme.example","access":"full","state":"active","created_at":"2026-03-01T12:00:00Z"}],"pagination":{"current_page":1,"per_page":30,"total_entries":2,"total_pages":1}}
    403 {"message":"You cannot remove yourself; another member with full access must"}
    204 ""
    204 ""
    200 {"data":{"id":1,"email":"dns@agency.example","name":"Acme","plan_identifier":null,"created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:04Z"}}
    404 {"message":"Account `1385` not found"}
    "#);
    insta::assert_snapshot!(serde_json::to_string_pretty(&client.ledger().await).unwrap(), @r#"
    {
      "requests": {
        "DELETE /v2/{account}/members/{id}": 2,
        "DELETE /v2/{account}/subscription": 1,
        "GET /v2/accounts": 1,
        "GET /v2/accounts/{id}": 1,
        "GET /v2/whoami": 1,
        "GET /v2/{account}/members": 2,
        "GET /v2/{account}/subscription": 1,
        "POST /v2/accounts": 1,
        "POST /v2/{account}/members": 2,
        "PUT /v2/{account}/subscription": 1
      },
      "accounts_created": 1,
      "subscriptions_created": 1,
      "charges": [],
      "open_payments": [],
      "members_added": 1,
      "invitations_sent": 0,
      "mails": [
        {
          "account_id": 1,
          "to": "jane@acme.example",
          "subject": "You were added to Acme",
          "at": "2026-03-01T12:00:00Z"
        }
      ]
    }
    "#);
}

#[tokio::test]
async fn plans_and_capabilities_are_told() {
    let (_sandbox, client) = started(Options::default()).await;
    insta::assert_snapshot!(serde_json::to_string(&client.get("/plans").await.body).unwrap(), @r#"{"data":[{"identifier":"solo-v2-monthly","name":"Solo","family":"solo","billing_period":"monthly","base_price":"0.00","included_seats":1,"seat_price":null,"max_members":1,"multi_member":false,"available":true},{"identifier":"teams-v2-monthly","name":"Teams","family":"teams","billing_period":"monthly","base_price":"29.00","included_seats":1,"seat_price":"29.00","max_members":null,"multi_member":true,"available":true},{"identifier":"enterprise-v1-yearly","name":"Enterprise","family":"enterprise","billing_period":"yearly","base_price":null,"included_seats":null,"seat_price":null,"max_members":null,"multi_member":true,"available":false},{"identifier":"dnsimple-personal","name":"Personal","family":"personal","billing_period":"monthly","base_price":"6.00","included_seats":1,"seat_price":null,"max_members":1,"multi_member":false,"available":false},{"identifier":"dnsimple-professional","name":"Professional","family":"professional","billing_period":"monthly","base_price":"29.00","included_seats":1,"seat_price":null,"max_members":1,"multi_member":false,"available":false},{"identifier":"dnsimple-business","name":"Business","family":"business","billing_period":"monthly","base_price":"99.00","included_seats":5,"seat_price":"15.00","max_members":null,"multi_member":true,"available":false},{"identifier":"teams-v1-monthly","name":"Teams (2023)","family":"teams","billing_period":"monthly","base_price":"35.00","included_seats":1,"seat_price":"20.00","max_members":null,"multi_member":true,"available":false}],"capabilities":["bulk","idempotency_keys","updated_at","limited_access"]}"#);
}

#[tokio::test]
async fn capabilities_follow_the_options() {
    for (member_mode, without, expected) in [
        (MemberMode::Registered, vec![], json!(["bulk", "idempotency_keys", "updated_at", "limited_access"])),
        (
            MemberMode::Invite,
            vec![],
            json!(["bulk", "idempotency_keys", "updated_at", "limited_access", "invitations"]),
        ),
        (
            MemberMode::Registered,
            vec![Extension::Bulk, Extension::UpdatedAt],
            json!(["idempotency_keys", "limited_access"]),
        ),
    ] {
        let (_sandbox, client) =
            started(Options { member_mode, without: without.into_iter().collect(), ..Options::default() }).await;
        assert_eq!(client.get("/plans").await.body["capabilities"], expected);
    }
}

#[tokio::test]
async fn without_bulk_and_keys_both_are_ignored() {
    let without = BTreeSet::from([Extension::Bulk, Extension::IdempotencyKeys]);
    let (_sandbox, client) = started(Options { without, ..Options::default() }).await;
    for id in [1, 2] {
        let answer =
            client.send(client.api(Method::POST, "/accounts").header("Idempotency-Key", "k").json(&acme())).await;
        assert_eq!((answer.status, &answer.body["data"]["id"]), (201, &json!(id)));
    }
    let answer = client.get("/accounts/1?include=subscription,members").await;
    assert_eq!(answer.body["data"].get("members"), None);
}

#[tokio::test]
async fn errors_are_json_whatever_is_wrong_with_the_request() {
    let (_sandbox, client) = started(Options::default()).await;
    let api = |method: Method, path: &str| client.api(method, path);
    let json_type = "application/json";
    let mut told = Vec::new();
    for (what, request) in [
        ("no token", client.request(Method::GET, "/v2/accounts")),
        ("another token", client.request(Method::GET, "/v2/accounts").bearer_auth("other")),
        ("an unknown route", api(Method::GET, "/domains/1/x")),
        ("an unknown route outside", client.request(Method::GET, "/nothing")),
        ("an id that is none", api(Method::GET, "/accounts/acme")),
        ("an id past all numbers", api(Method::GET, "/99999999999999999999/members")),
        ("an unknown method", api(Method::PUT, "/accounts")),
        ("no content type", api(Method::POST, "/accounts").body("{}")),
        ("another content type", api(Method::POST, "/accounts").header("content-type", "text/plain").body("{}")),
        ("broken JSON", api(Method::POST, "/accounts").header("content-type", json_type).body("{\"name\":")),
        ("deep JSON", api(Method::POST, "/accounts").header("content-type", json_type).body("[".repeat(10_000))),
        ("a wrong type", api(Method::POST, "/accounts").json(&json!({"name": 5}))),
        ("no body", api(Method::POST, "/accounts").header("content-type", json_type)),
        (
            "too long",
            api(Method::POST, "/accounts").header("content-type", json_type).body("x".repeat(1024 * 1024 + 1)),
        ),
        ("a page that is none", api(Method::GET, "/accounts?page=0&per_page=many")),
        ("a day that is none", client.api(Method::GET, "/1/billing/charges?start_date=yesterday&end_date=1")),
    ] {
        let answer = client.send(request).await;
        assert!(answer.header("x-request-id").is_some() && answer.header("x-sandbox-world").is_some());
        told.push(format!("{what}: {}", answer.told()));
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    no token: 401 {"message":"Authentication failed"}
    another token: 401 {"message":"Authentication failed"}
    an unknown route: 404 {"message":"Nothing is at `/domains/1/x`"}
    an unknown route outside: 404 {"message":"Nothing is at `/nothing`"}
    an id that is none: 404 {"message":"Not found"}
    an id past all numbers: 404 {"message":"Not found"}
    an unknown method: 405 {"message":"`PUT` is not allowed here"}
    no content type: 400 {"message":"The body must be JSON, with Content-Type application/json"}
    another content type: 400 {"message":"The body must be JSON, with Content-Type application/json"}
    broken JSON: 400 {"message":"The body cannot be understood: EOF while parsing a value at line 1 column 8"}
    deep JSON: 400 {"message":"The body cannot be understood: recursion limit exceeded at line 1 column 128"}
    a wrong type: 400 {"message":"The body cannot be understood: invalid type: integer `5`, expected a string"}
    no body: 400 {"message":"The body cannot be understood: EOF while parsing a value at line 1 column 0"}
    too long: 413 {"message":"The body is over 1 MiB"}
    a page that is none: 400 {"message":"Validation failed","errors":{"page":["must be a number from 1"],"per_page":["must be a number from 1"]}}
    a day that is none: 400 {"message":"Validation failed","errors":{"end_date":["must be a date like 2016-12-11"],"start_date":["must be a date like 2016-12-11"]}}
    "#);
}

#[tokio::test]
async fn lists_are_paged_and_a_hundred_is_the_most() {
    let (_sandbox, client) = started(Options { rate_limit: 0, ..Options::default() }).await;
    for _ in 0..105 {
        assert_eq!(client.post("/accounts", acme()).await.status, 201);
    }
    let page = async |query: &str| {
        let body = client.get(&format!("/accounts{query}")).await.body;
        (body["data"].as_array().unwrap().len(), body["pagination"].to_string())
    };
    assert_eq!(page("").await, (30, r#"{"current_page":1,"per_page":30,"total_entries":105,"total_pages":4}"#.into()));
    assert_eq!(
        page("?per_page=500&page=2").await,
        (5, r#"{"current_page":2,"per_page":100,"total_entries":105,"total_pages":2}"#.into())
    );
    assert_eq!(page("?page=9").await.0, 0);
}

#[tokio::test]
async fn the_quota_is_told_on_every_answer_and_a_refusal_carries_nothing_out() {
    let now = Arc::new(AtomicI64::new(1_772_366_400));
    let clock = Arc::clone(&now);
    let sandbox = sandbox::start_in(
        Options { rate_limit: 2, ..Options::default() },
        Surroundings {
            now: Arc::new(move || Timestamp::from_second(clock.load(Ordering::Relaxed)).unwrap()),
            ..Surroundings::default()
        },
    )
    .await
    .unwrap();
    let client = Client::of(&sandbox);
    let mut told = Vec::new();
    for step in 0..4 {
        if step == 3 {
            now.fetch_add(3600, Ordering::Relaxed);
        }
        let answer = client.post("/accounts", acme()).await;
        let quota = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"]
            .map(|name| answer.header(name).unwrap().to_owned());
        told.push(format!("{} {quota:?} {}", answer.status, answer.body["message"]));
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    201 ["2", "1", "1772370000"] null
    201 ["2", "0", "1772370000"] null
    429 ["2", "0", "1772370000"] "quota exceeded"
    201 ["2", "1", "1772373600"] null
    "#);
    let ledger = client.ledger().await;
    assert_eq!((&ledger["accounts_created"], &ledger["requests"]), (&json!(3), &json!({"POST /v2/accounts": 4})));
}

#[tokio::test]
async fn a_key_replays_its_answer_for_a_day_and_refuses_another_body() {
    let (_sandbox, client) = started(Options::default()).await;
    let create = async |body: Value| {
        client.send(client.api(Method::POST, "/accounts").header("Idempotency-Key", "k-1").json(&body)).await
    };
    let refused = create(json!({"name": "", "email": "dns@agency.example"})).await;
    assert_eq!(refused.status, 400, "refusals are not kept");
    let first = create(acme()).await;
    assert_eq!((first.status, first.header("idempotency-replayed")), (201, None));
    client.put("/1/subscription", json!({"plan_identifier": "solo-v2-monthly"})).await;
    let again = create(json!({"email": "dns@agency.example", "name": "Acme"})).await;
    assert_eq!((again.told(), again.header("idempotency-replayed")), (first.told(), Some("true")));
    let other = create(json!({"name": "Other", "email": "dns@agency.example"})).await;
    insta::assert_snapshot!(other.told(), @r#"422 {"message":"The Idempotency-Key was used with another body"}"#);
    assert_eq!(client.arrange("clock", json!({"advance_seconds": 24 * 60 * 60 - 1})).await.status, 200);
    assert_eq!(create(acme()).await.body["data"]["id"], 1);
    assert_eq!(client.arrange("clock", json!({"advance_seconds": 1})).await.status, 200);
    assert_eq!(create(acme()).await.body["data"]["id"], 2);
    let bad = client.api(Method::POST, "/accounts").header("Idempotency-Key", "k".repeat(256)).json(&acme());
    assert_eq!(client.send(bad).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_creates_with_one_key_make_one_account() {
    let (_sandbox, client) = started(Options { rate_limit: 0, ..Options::default() }).await;
    let client = Arc::new(client);
    let all = (0..100).map(|_| {
        let client = Arc::clone(&client);
        tokio::spawn(async move {
            let request = client.api(Method::POST, "/accounts").header("Idempotency-Key", "one").json(&acme());
            let answer = client.send(request).await;
            (answer.status, answer.body["data"]["id"].clone())
        })
    });
    for answer in futures::future::join_all(all).await {
        let (status, id) = answer.unwrap();
        assert!((status == 201 && id == 1) || status == 409, "{status} {id}");
    }
    assert_eq!(client.ledger().await["accounts_created"], 1);
}

#[tokio::test]
async fn invitations_wait_until_they_are_accepted() {
    let (_sandbox, client) = started(Options { member_mode: MemberMode::Invite, ..Options::default() }).await;
    client.post("/accounts", acme()).await;
    client.put("/1/subscription", json!({"plan_identifier": "teams-v2-monthly", "seats": 2})).await;
    let mut told = Vec::new();
    told.push(client.post("/1/members", json!({"email": "new@acme.example"})).await.told());
    told.push(client.post("/1/members", json!({"email": "new@acme.example"})).await.told());
    told.push(client.arrange("invitations/2/accept", json!({})).await.told());
    told.push(client.arrange("invitations/2/accept", json!({})).await.told());
    insta::assert_snapshot!(told.join("\n"), @r#"
    201 {"data":{"id":2,"user_id":null,"email":"new@acme.example","access":"full","state":"invited","created_at":"2026-03-01T12:00:00Z"}}
    400 {"message":"Validation failed","errors":{"email":["has already been taken"],"seats":["none available"]}}
    200 {"data":{"id":2,"user_id":2,"email":"new@acme.example","access":"full","state":"active","created_at":"2026-03-01T12:00:00Z"}}
    404 {"message":"Invitation `2` not found"}
    "#);
    let ledger = client.ledger().await;
    assert_eq!((&ledger["invitations_sent"], ledger["mails"].as_array().unwrap().len()), (&json!(1), 1));
}

#[tokio::test]
async fn accounts_are_arranged_and_only_ours_are_seen() {
    let (_sandbox, client) = started(Options::default()).await;
    let mut told = Vec::new();
    for body in [
        json!({"name": "Ours", "email": "dns@agency.example", "plan": "teams-v2-monthly", "members": ["jane@acme.example"]}),
        json!({"name": "Theirs", "email": "dns@theirs.example", "owner": "owner@theirs.example"}),
        json!({"name": "Hidden", "email": "dns@hidden.example", "owner": "owner@hidden.example", "with_us": false}),
        json!({"name": "Guest", "email": "dns@theirs.example", "owner": "owner@theirs.example",
               "plan": "dnsimple-business", "members": [{"email": "agency@example.com", "access": "limited"}]}),
        json!({"name": "", "email": "no", "plan": "gold"}),
    ] {
        told.push(client.arrange("accounts", body).await.told());
    }
    told.push(client.get("/accounts").await.told());
    told.push(client.get("/accounts/3").await.told());
    told.push(client.put("/4/subscription", json!({"plan_identifier": "teams-v2-monthly"})).await.told());
    insta::assert_snapshot!(told.join("\n"), @r#"
    201 {"data":{"id":1,"email":"dns@agency.example","name":"Ours","plan_identifier":"teams-v2-monthly","created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z","subscription":{"id":1,"plan_identifier":"teams-v2-monthly","state":"subscribed","seats":2,"dunned":false,"trial_ends_at":null,"current_period_ends_at":"2026-04-01T12:00:00Z","pending_plan_identifier":null,"pending_seats":null,"created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z"},"members":[{"id":1,"user_id":1,"email":"agency@example.com","access":"full","state":"active","created_at":"2026-03-01T12:00:00Z"},{"id":2,"user_id":2,"email":"jane@acme.example","access":"full","state":"active","created_at":"2026-03-01T12:00:00Z"}]}}
    201 {"data":{"id":2,"email":"dns@theirs.example","name":"Theirs","plan_identifier":null,"created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z","subscription":null,"members":[{"id":3,"user_id":3,"email":"owner@theirs.example","access":"full","state":"active","created_at":"2026-03-01T12:00:00Z"},{"id":4,"user_id":1,"email":"agency@example.com","access":"full","state":"active","created_at":"2026-03-01T12:00:00Z"}]}}
    201 {"data":{"id":3,"email":"dns@hidden.example","name":"Hidden","plan_identifier":null,"created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z","subscription":null,"members":[{"id":5,"user_id":4,"email":"owner@hidden.example","access":"full","state":"active","created_at":"2026-03-01T12:00:00Z"}]}}
    201 {"data":{"id":4,"email":"dns@theirs.example","name":"Guest","plan_identifier":"dnsimple-business","created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z","subscription":{"id":2,"plan_identifier":"dnsimple-business","state":"subscribed","seats":5,"dunned":false,"trial_ends_at":null,"current_period_ends_at":"2026-04-01T12:00:00Z","pending_plan_identifier":null,"pending_seats":null,"created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z"},"members":[{"id":6,"user_id":3,"email":"owner@theirs.example","access":"full","state":"active","created_at":"2026-03-01T12:00:00Z"},{"id":7,"user_id":1,"email":"agency@example.com","access":"limited","state":"active","created_at":"2026-03-01T12:00:00Z"}]}}
    400 {"message":"Validation failed","errors":{"email":["is an invalid email address"],"name":["can't be blank"],"plan":["is unknown"]}}
    200 {"data":[{"id":1,"email":"dns@agency.example","name":"Ours","plan_identifier":"teams-v2-monthly","created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z"},{"id":2,"email":"dns@theirs.example","name":"Theirs","plan_identifier":null,"created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z"},{"id":4,"email":"dns@theirs.example","name":"Guest","plan_identifier":"dnsimple-business","created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z"}],"pagination":{"current_page":1,"per_page":30,"total_entries":3,"total_pages":1}}
    404 {"message":"Account `3` not found"}
    403 {"message":"Full access to the account is required"}
    "#);
    assert_eq!(client.ledger().await["accounts_created"], 0);
}

#[tokio::test]
async fn charges_and_webhooks_are_those_of_the_published_api() {
    let (_sandbox, client) = started(Options::default()).await;
    client.post("/accounts", acme()).await;
    client.put("/1/subscription", json!({"plan_identifier": "teams-v2-monthly"})).await;
    client.arrange("clock", json!({"advance_seconds": 62 * 24 * 60 * 60})).await;
    let mut told = Vec::new();
    told.push(client.get("/1/billing/charges").await.told());
    told.push(client.get("/1/billing/charges?start_date=2026-04-02&end_date=2026-04-30").await.told());
    told.push(client.post("/1/webhooks", json!({"url": "http://bursar.example"})).await.told());
    told.push(client.post("/1/webhooks", json!({"url": "https://bursar.example/hook/abc"})).await.told());
    told.push(client.get("/1/webhooks").await.told());
    told.push(client.get("/1/webhooks/1").await.told());
    told.push(client.delete("/1/webhooks/1").await.told());
    told.push(client.get("/1/webhooks/1").await.told());
    insta::assert_snapshot!(told.join("\n"), @r#"
    200 {"data":[{"invoiced_at":"2026-03-31T12:00:00Z","total_amount":"29.00","balance_amount":"0.00","reference":"1-1","state":"collected","items":[{"description":"first period after the trial of teams-v2-monthly, 1 seat(s)","amount":"29.00","product_id":1,"product_type":"subscription","product_reference":"teams-v2-monthly"}]},{"invoiced_at":"2026-04-30T12:00:00Z","total_amount":"29.00","balance_amount":"0.00","reference":"1-2","state":"collected","items":[{"description":"renewal of teams-v2-monthly, 1 seat(s)","amount":"29.00","product_id":1,"product_type":"subscription","product_reference":"teams-v2-monthly"}]}],"pagination":{"current_page":1,"per_page":30,"total_entries":2,"total_pages":1}}
    200 {"data":[{"invoiced_at":"2026-04-30T12:00:00Z","total_amount":"29.00","balance_amount":"0.00","reference":"1-2","state":"collected","items":[{"description":"renewal of teams-v2-monthly, 1 seat(s)","amount":"29.00","product_id":1,"product_type":"subscription","product_reference":"teams-v2-monthly"}]}],"pagination":{"current_page":1,"per_page":30,"total_entries":1,"total_pages":1}}
    400 {"message":"Validation failed","errors":{"url":["must be an HTTPS URL"]}}
    201 {"data":{"id":1,"url":"https://bursar.example/hook/abc","suppressed_at":null}}
    200 {"data":[{"id":1,"url":"https://bursar.example/hook/abc","suppressed_at":null}]}
    200 {"data":{"id":1,"url":"https://bursar.example/hook/abc","suppressed_at":null}}
    204 ""
    404 {"message":"Webhook `1` not found"}
    "#);
}

#[tokio::test]
async fn a_restart_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { data: Some(folder.path().join("deep/world.db")), ..with_jane() };
    let looks = async |client: &Client| {
        let ledger = client.ledger().await;
        let accounts = client.get("/accounts?include=subscription,members").await;
        (ledger, accounts.body.clone(), accounts.header("x-sandbox-world").unwrap().to_owned())
    };
    let (sandbox, client) = started(options.clone()).await;
    let keyed = async |client: &Client| {
        client.send(client.api(Method::POST, "/accounts").header("Idempotency-Key", "k").json(&acme())).await
    };
    keyed(&client).await;
    client.put("/1/subscription", json!({"plan_identifier": "teams-v2-monthly", "seats": 2})).await;
    client.post("/1/members", json!({"email": "jane@acme.example"})).await;
    client.post("/1/webhooks", json!({"url": "https://bursar.example/"})).await;
    client.arrange("clock", json!({"advance_seconds": 31 * 24 * 60 * 60})).await;
    keyed(&client).await;
    client.delete("/1/members/2").await;
    let before = looks(&client).await;
    sandbox.stop().await;

    let (sandbox, client) = started(options.clone()).await;
    let mut after = looks(&client).await;
    assert_eq!(after.0["requests"]["GET /v2/accounts"], 1, "the look before the restart is counted");
    after.0["requests"] = before.0["requests"].clone();
    assert_eq!(after, before);
    assert_eq!(keyed(&client).await.header("idempotency-replayed"), Some("true"));
    assert_eq!(
        client.post("/1/members", json!({"email": "jane@acme.example"})).await.body["data"]["id"],
        4,
        "ids are never given twice"
    );
    assert_eq!(client.send(client.request(Method::POST, "/sandbox/reset")).await.status, 200);
    let (ledger, accounts, world) = looks(&client).await;
    assert_eq!(
        (&ledger["accounts_created"], &ledger["requests"], accounts["data"].as_array().unwrap().len()),
        (&json!(0), &json!({}), 0)
    );
    assert_ne!(world, before.2);
    sandbox.stop().await;
}

#[tokio::test]
async fn a_file_in_use_or_of_something_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { data: Some(folder.path().join("world.db")), ..Options::default() };
    let (sandbox, _client) = started(options.clone()).await;
    let error = sandbox::start(options).await.unwrap_err().to_string();
    assert!(error.starts_with("cannot open the sandbox's file"), "{error}");
    sandbox.stop().await;

    let other = folder.path().join("other.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&other).create_if_missing(true);
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::query("CREATE TABLE journal (id)").execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();
    let error = sandbox::start(Options { data: Some(other), ..Options::default() }).await.unwrap_err().to_string();
    assert!(error.ends_with("other.db is a database, but not a sandbox's"), "{error}");

    let other = folder.path().join("notes.txt");
    std::fs::write(&other, "not a database at all, but long enough to be taken for one, were it not for its head")
        .unwrap();
    let error = sandbox::start(Options { data: Some(other), ..Options::default() }).await.unwrap_err().to_string();
    assert!(error.starts_with("cannot open the sandbox's file"), "{error}");
}

#[tokio::test]
async fn a_user_whose_card_fails_buys_nothing() {
    let (_sandbox, client) = started(Options::default()).await;
    client.post("/accounts", acme()).await;
    let body = json!({"email": "agency@example.com", "card": "4000 0000 0000 0341"});
    assert_eq!(client.arrange("users", body).await.status, 200);
    let answer = client.put("/1/subscription", json!({"plan_identifier": "solo-v2-monthly"})).await;
    insta::assert_snapshot!(answer.told(), @r#"402 {"message":"The card was refused"}"#);
}

#[tokio::test]
async fn strangers_are_kept_out() {
    let (_sandbox, client) = started(Options::default()).await;
    for (name, value) in
        [("host", "evil.example"), ("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")]
    {
        for path in ["/", "/sandbox/ledger", "/v2/accounts"] {
            let answer =
                client.send(client.request(Method::GET, path).bearer_auth("sandbox").header(name, value)).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{name} {path}");
        }
    }
}

#[tokio::test]
async fn it_listens_on_this_machine_only_and_its_token_must_fit_a_header() {
    let far = Options { listen: "0.0.0.0:0".parse().unwrap(), ..Options::default() };
    insta::assert_snapshot!(sandbox::start(far).await.unwrap_err(), @"the sandbox listens on loopback only, not on 0.0.0.0:0");
    let silent = Options { token: "a b".to_owned(), ..Options::default() };
    insta::assert_snapshot!(sandbox::start(silent).await.unwrap_err(), @"the sandbox's token must be visible ASCII characters, and at least one");
    let nobody = Options { users: vec!["no\u{1b}body".to_owned()], ..Options::default() };
    insta::assert_snapshot!(sandbox::start(nobody).await.unwrap_err(), @r#"cannot sign up `no\u{1b}body`: not an email address"#);
}
