//! The sandbox with nothing but what DNSimple publishes, and its webhooks in either mode: a
//! person does on the page what the API does not offer, and a receiver on this machine is
//! told of it.
#![allow(clippy::unwrap_used, reason = "a helper of a test may fail as its test may")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bursar::sandbox::{Extension, MemberMode, Options};
use reqwest::Method;
use serde_json::{Value, json};

use crate::sandbox::{Client, started};
use crate::support::eventually;

const SOON: Duration = Duration::from_secs(10);

fn published() -> Options {
    Options {
        without: [Extension::AccountManagement].into(),
        member_mode: MemberMode::Invite,
        rate_limit: 0,
        ..Options::default()
    }
}

fn everything() -> Options {
    Options { without: [].into(), ..published() }
}

/// Presses a button of the page; what the page says then.
async fn press(client: &Client, path: &str, form: &str) -> String {
    let request = client.request(Method::POST, path).header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(client.send(request.body(form.to_owned())).await.status, 303);
    let page = client.send(client.request(Method::GET, "/")).await.body;
    let notice = page.as_str().unwrap().split("role=\"status\">").nth(1).unwrap_or_default().to_owned();
    notice.split('<').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn only_what_is_published_is_there() {
    let (_sandbox, client) = started(published()).await;
    let members = json!(["jane@acme.example"]);
    let arranged = json!({"name": "Acme", "email": "dns@acme.example", "plan": "teams-v2-monthly", "members": members});
    client.arrange("accounts", arranged).await;
    let mut told = Vec::new();
    for (method, path) in [
        (Method::GET, "/whoami"),
        (Method::GET, "/accounts"),
        (Method::GET, "/accounts?include=subscription,members&per_page=1"),
        (Method::GET, "/1/billing/charges"),
        (Method::GET, "/1/webhooks"),
        (Method::GET, "/plans"),
        (Method::POST, "/accounts"),
        (Method::GET, "/accounts/1"),
        (Method::PATCH, "/accounts/1"),
        (Method::GET, "/1/subscription"),
        (Method::PUT, "/1/subscription"),
        (Method::DELETE, "/1/subscription"),
        (Method::GET, "/1/members"),
        (Method::POST, "/1/members"),
        (Method::DELETE, "/1/members/2"),
        (Method::DELETE, "/1/webhooks"),
    ] {
        let answer = client.send(client.api(method.clone(), path).json(&json!({}))).await;
        told.push(format!("{method} {path}: {}", answer.told()));
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    GET /whoami: 200 {"data":{"user":{"id":1,"email":"agency@example.com","created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z"},"account":null}}
    GET /accounts: 200 {"data":[{"id":1,"email":"dns@acme.example","name":"Acme","plan_identifier":"teams-v2-monthly","created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z"}]}
    GET /accounts?include=subscription,members&per_page=1: 200 {"data":[{"id":1,"email":"dns@acme.example","name":"Acme","plan_identifier":"teams-v2-monthly","created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z"}]}
    GET /1/billing/charges: 200 {"data":[],"pagination":{"current_page":1,"per_page":30,"total_entries":0,"total_pages":0}}
    GET /1/webhooks: 200 {"data":[]}
    GET /plans: 404 {"message":"Nothing is at `/plans`"}
    POST /accounts: 404 {"message":"Nothing is at `/accounts`"}
    GET /accounts/1: 404 {"message":"Nothing is at `/accounts/1`"}
    PATCH /accounts/1: 404 {"message":"Nothing is at `/accounts/1`"}
    GET /1/subscription: 404 {"message":"Nothing is at `/1/subscription`"}
    PUT /1/subscription: 404 {"message":"Nothing is at `/1/subscription`"}
    DELETE /1/subscription: 404 {"message":"Nothing is at `/1/subscription`"}
    GET /1/members: 404 {"message":"Nothing is at `/1/members`"}
    POST /1/members: 404 {"message":"Nothing is at `/1/members`"}
    DELETE /1/members/2: 404 {"message":"Nothing is at `/1/members/2`"}
    DELETE /1/webhooks: 404 {"message":"Nothing is at `/1/webhooks`"}
    "#);
}

#[tokio::test]
async fn the_list_is_whole_and_its_times_tell_of_names_and_addresses_only() {
    let (_sandbox, client) = started(published()).await;
    for number in 0..120 {
        client.arrange("accounts", json!({"name": format!("C{number}"), "email": "dns@agency.example"})).await;
    }
    let before = client.get("/accounts?per_page=10").await.body;
    assert_eq!(before["data"].as_array().unwrap().len(), 120);
    press(&client, "/page/accounts/1/plan", "plan=teams-v2-monthly&seats=2").await;
    press(&client, "/page/accounts/1/members", "email=jane%40acme.example").await;
    let after = client.get("/accounts").await.body;
    assert_eq!(after["data"][0]["updated_at"], before["data"][0]["updated_at"]);
    assert_eq!(after["data"][0]["plan_identifier"], "teams-v2-monthly");
}

#[tokio::test]
async fn a_person_does_every_step_by_hand_under_the_same_rules_and_each_look_sees_it() {
    let (_sandbox, client) = started(published()).await;
    let mut told = Vec::new();
    for (path, form) in [
        ("/page/new-account", "name=&email=agency%40example.com"),
        ("/page/new-account", "name=Acme&email=dns%40agency.example"),
        ("/page/accounts/1/members", "email=jane%40acme.example"),
        ("/page/accounts/1/plan", "plan=teams-v2-monthly&seats=2"),
        ("/page/accounts/1/members", "email=jane%40acme.example"),
        ("/page/accounts/1/members", "email=pat%40acme.example"),
        ("/page/invitations/2/accept", ""),
        ("/page/accounts/1/members/2/remove", ""),
    ] {
        told.push(press(&client, path, form).await);
        let account = &client.get("/accounts").await.body["data"][0];
        told.push(format!("    {} {} {}", account["name"], account["email"], account["plan_identifier"]));
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    Not done. Validation failed: email is the user email of a member, name can't be blank
        null null null
    Account 1 was added.
        "Acme" "dns@agency.example" null
    Not done. The account is not subscribed to a plan
        "Acme" "dns@agency.example" null
    The plan of account 1 was chosen.
        "Acme" "dns@agency.example" "teams-v2-monthly"
    jane@acme.example was added to account 1.
        "Acme" "dns@agency.example" "teams-v2-monthly"
    Not done. Validation failed: seats none available
        "Acme" "dns@agency.example" "teams-v2-monthly"
    jane@acme.example accepted.
        "Acme" "dns@agency.example" "teams-v2-monthly"
    The member was removed from account 1.
        "Acme" "dns@agency.example" "teams-v2-monthly"
    "#);
    let ledger = client.ledger().await;
    assert_eq!((&ledger["accounts_created"], &ledger["members_added"]), (&json!(0), &json!(0)));
    let page = client.send(client.request(Method::GET, "/")).await.body;
    assert!(page.as_str().unwrap().contains("whatever is to be done is done on this page"));
}

/// A receiver of webhooks on this machine, which takes what it is asked to take.
struct Receiver {
    url: String,
    got: Arc<Mutex<Vec<Value>>>,
    refusals: Arc<AtomicUsize>,
}

impl Receiver {
    async fn start() -> Self {
        let got: Arc<Mutex<Vec<Value>>> = Arc::default();
        let refusals = Arc::new(AtomicUsize::new(0));
        let (inbox, refuses) = (Arc::clone(&got), Arc::clone(&refusals));
        let take = move |headers: HeaderMap, body: String| async move {
            assert_eq!(headers["content-type"], "application/json");
            inbox.lock().unwrap().push(serde_json::from_str(&body).unwrap());
            let refused = refuses.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            if refused.is_ok() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook/abc", listener.local_addr().unwrap());
        let app = Router::new().route("/hook/abc", post(take));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, got, refusals }
    }

    async fn registered(&self, client: &Client, account: u64) {
        let answer = client.post(&format!("/{account}/webhooks"), json!({"url": self.url})).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
    }

    fn count(&self) -> usize {
        self.got.lock().unwrap().len()
    }

    async fn wait_for(&self, count: usize) {
        eventually(&format!("{count} deliveries"), SOON, async || self.count() >= count).await;
    }

    /// What it was told, sorted: deliveries come in any order.
    fn told(&self) -> Vec<String> {
        let mut told: Vec<String> = self.got.lock().unwrap().iter().map(ToString::to_string).collect();
        told.sort();
        told
    }
}

#[tokio::test]
async fn each_event_is_told_with_what_it_is_about() {
    let (_sandbox, client) = started(published()).await;
    press(&client, "/page/new-account", "name=Acme&email=dns%40agency.example").await;
    press(&client, "/page/accounts/1/plan", "plan=teams-v2-monthly&seats=4").await;
    let receiver = Receiver::start().await;
    receiver.registered(&client, 1).await;
    for (count, path, form) in [
        (1, "/page/accounts/1/members", "email=jane%40acme.example"),
        (2, "/page/invitations/2/accept", ""),
        (3, "/page/accounts/1/members", "email=pat%40acme.example"),
        (4, "/page/accounts/1/members/3/remove", ""),
        (5, "/page/accounts/1/members/2/remove", ""),
        (6, "/page/accounts/1/rename", "name=Acme+Inc&email=dns%40agency.example"),
    ] {
        press(&client, path, form).await;
        receiver.wait_for(count).await;
    }
    let mut told = Vec::new();
    let world = client.send(client.request(Method::GET, "/")).await.header("x-sandbox-world").unwrap().to_owned();
    assert_eq!(world, "id-0");
    for delivery in receiver.got.lock().unwrap().iter() {
        let mut delivery = delivery.clone();
        let request = delivery["request_identifier"].take();
        assert!(request.as_str().unwrap().starts_with("id-"));
        told.push(delivery.to_string());
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    {"data":{"account":{"id":1,"email":"dns@agency.example","name":"Acme","plan_identifier":"teams-v2-monthly","created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z"},"account_invitation":{"id":2,"email":"jane@acme.example","token":"cd8e714ca02af26f7e113dec5107c62f","account_id":1,"created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z","invitation_sent_at":"2026-03-01T12:00:00Z","invitation_accepted_at":null}},"name":"account.user_invite","actor":{"id":"1","entity":"user","pretty":"agency@example.com"},"account":{"id":1,"display":"Acme","identifier":"dns@agency.example"},"api_version":"v2","request_identifier":null}
    {"data":{"account":{"id":1,"email":"dns@agency.example","name":"Acme","plan_identifier":"teams-v2-monthly","created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z"},"account_invitation":{"id":2,"email":"jane@acme.example","token":"cd8e714ca02af26f7e113dec5107c62f","account_id":1,"created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z","invitation_sent_at":"2026-03-01T12:00:00Z","invitation_accepted_at":"2026-03-01T12:00:00Z"}},"name":"account.user_invitation_accept","actor":{"id":"2","entity":"user","pretty":"jane@acme.example"},"account":{"id":1,"display":"Acme","identifier":"dns@agency.example"},"api_version":"v2","request_identifier":null}
    {"data":{"account":{"id":1,"email":"dns@agency.example","name":"Acme","plan_identifier":"teams-v2-monthly","created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z"},"account_invitation":{"id":3,"email":"pat@acme.example","token":"5fe0341ee47d45a90b7092abb72e7ab4","account_id":1,"created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z","invitation_sent_at":"2026-03-01T12:00:00Z","invitation_accepted_at":null}},"name":"account.user_invite","actor":{"id":"1","entity":"user","pretty":"agency@example.com"},"account":{"id":1,"display":"Acme","identifier":"dns@agency.example"},"api_version":"v2","request_identifier":null}
    {"data":{"account":{"id":1,"email":"dns@agency.example","name":"Acme","plan_identifier":"teams-v2-monthly","created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z"},"account_invitation":{"id":3,"email":"pat@acme.example","token":"5fe0341ee47d45a90b7092abb72e7ab4","account_id":1,"created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z","invitation_sent_at":"2026-03-01T12:00:00Z","invitation_accepted_at":null}},"name":"account.user_invitation_revoke","actor":{"id":"1","entity":"user","pretty":"agency@example.com"},"account":{"id":1,"display":"Acme","identifier":"dns@agency.example"},"api_version":"v2","request_identifier":null}
    {"data":{"account":{"id":1,"email":"dns@agency.example","name":"Acme","plan_identifier":"teams-v2-monthly","created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z"},"user":{"id":2,"email":"jane@acme.example","created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z"}},"name":"account.user_remove","actor":{"id":"1","entity":"user","pretty":"agency@example.com"},"account":{"id":1,"display":"Acme","identifier":"dns@agency.example"},"api_version":"v2","request_identifier":null}
    {"data":{"account":{"id":1,"email":"dns@agency.example","name":"Acme Inc","plan_identifier":"teams-v2-monthly","created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:01Z"}},"name":"account.update","actor":{"id":"1","entity":"user","pretty":"agency@example.com"},"account":{"id":1,"display":"Acme Inc","identifier":"dns@agency.example"},"api_version":"v2","request_identifier":null}
    "#);
}

#[tokio::test]
async fn who_is_added_at_once_was_invited_and_accepted_in_one() {
    let options = Options { users: vec!["jane@acme.example".to_owned()], ..Options::default() };
    let (_sandbox, client) = started(options).await;
    client.post("/accounts", json!({"name": "Acme", "email": "dns@agency.example"})).await;
    client.put("/1/subscription", json!({"plan_identifier": "teams-v2-monthly", "seats": 3})).await;
    let receiver = Receiver::start().await;
    receiver.registered(&client, 1).await;
    client.post("/1/members", json!({"email": "jane@acme.example"})).await;
    receiver.wait_for(2).await;
    let names: Vec<_> = receiver.told().iter().map(|told| name_of(told)).collect();
    assert_eq!(names.len(), 2);
    assert!(names.contains(&"account.user_invite".to_owned()));
    assert!(names.contains(&"account.user_invitation_accept".to_owned()));
}

fn name_of(delivery: &str) -> String {
    serde_json::from_str::<Value>(delivery).unwrap()["name"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_delivery_that_is_refused_comes_again_by_the_sandboxs_time() {
    let (_sandbox, client) = started(everything()).await;
    client.post("/accounts", json!({"name": "Acme", "email": "dns@agency.example"})).await;
    let receiver = Receiver::start().await;
    receiver.refusals.store(2, Ordering::SeqCst);
    receiver.registered(&client, 1).await;
    let renamed = client.api(Method::PATCH, "/accounts/1").json(&json!({"name": "Acme Inc"}));
    assert_eq!(client.send(renamed).await.status, 200);
    receiver.wait_for(1).await;
    for attempts in [2, 3] {
        // Moved until the attempt before is on record, and its pause over.
        eventually("another attempt", SOON, async || {
            client.arrange("clock", json!({"advance_seconds": 20})).await;
            receiver.count() >= attempts
        })
        .await;
    }
    client.arrange("clock", json!({"advance_seconds": 3_600})).await;
    // A further event comes by itself: nothing of the first is left to be delivered.
    let renamed = client.api(Method::PATCH, "/accounts/1").json(&json!({"name": "Acme"}));
    client.send(renamed).await;
    receiver.wait_for(4).await;
    let told = receiver.got.lock().unwrap().clone();
    assert!(told[0] == told[1] && told[1] == told[2], "the same, word for word");
    assert_ne!(told[3]["request_identifier"], told[2]["request_identifier"]);
    assert_eq!(told.len(), 4);
}

#[tokio::test]
async fn a_receiver_that_never_answers_keeps_nobody_waiting() {
    let (_sandbox, client) = started(everything()).await;
    client.post("/accounts", json!({"name": "Acme", "email": "dns@agency.example"})).await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    client.post("/1/webhooks", json!({"url": url})).await;
    let receiver = Receiver::start().await;
    receiver.registered(&client, 1).await;
    let asked = async {
        for number in 0..20 {
            let renamed = client.api(Method::PATCH, "/accounts/1").json(&json!({"name": format!("Acme {number}")}));
            assert_eq!(client.send(renamed).await.status, 200);
        }
    };
    let told = async {
        asked.await;
        receiver.wait_for(20).await;
    };
    // Sooner than the silent one is given up once.
    tokio::time::timeout(Duration::from_secs(4), told).await.unwrap();
}

#[tokio::test]
async fn an_undelivered_event_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("world.db");
    let options = Options { data: Some(file), ..everything() };
    let (sandbox, client) = started(options.clone()).await;
    client.post("/accounts", json!({"name": "Acme", "email": "dns@agency.example"})).await;
    let receiver = Receiver::start().await;
    receiver.refusals.store(1, Ordering::SeqCst);
    receiver.registered(&client, 1).await;
    client.send(client.api(Method::PATCH, "/accounts/1").json(&json!({"name": "Acme Inc"}))).await;
    receiver.wait_for(1).await;
    sandbox.stop().await;
    let (_sandbox, client) = started(options).await;
    eventually("the delivery after the restart", SOON, async || {
        client.arrange("clock", json!({"advance_seconds": 20})).await;
        receiver.count() >= 2
    })
    .await;
    let told = receiver.told();
    assert_eq!(told[0], told[1]);
}

#[tokio::test]
async fn only_https_and_this_machine_are_taken_and_only_this_machine_is_told() {
    let (_sandbox, client) = started(published()).await;
    client.arrange("accounts", json!({"name": "Acme", "email": "dns@agency.example"})).await;
    for url in ["http://bursar.example/", "http://127.0.0.1.evil.example/", "ftp://127.0.0.1/", "https://", ""] {
        let refused = client.post("/1/webhooks", json!({"url": url})).await;
        assert_eq!(
            refused.told(),
            r#"400 {"message":"Validation failed","errors":{"url":["must be an HTTPS URL"]}}"#,
            "{url}"
        );
    }
    for url in ["https://bursar.example/hook", "http://localhost:9/", "http://[::1]:9/"] {
        assert_eq!(client.post("/1/webhooks", json!({"url": url})).await.status, 201, "{url}");
    }
    assert_eq!(client.delete("/1/webhooks/3").await.status, 204);
    assert_eq!(client.get("/1/webhooks").await.body["data"].as_array().unwrap().len(), 2);
}

/// Whatever people do, the receiver is told of each change once or more, and of nothing else.
#[tokio::test]
async fn what_is_told_is_what_happened_though_the_receiver_refuses_every_third() {
    let (_sandbox, client) = started(published()).await;
    press(&client, "/page/new-account", "name=Acme&email=dns%40agency.example").await;
    press(&client, "/page/accounts/1/plan", "plan=teams-v2-monthly&seats=5").await;
    let receiver = Receiver::start().await;
    receiver.registered(&client, 1).await;
    let mut dice = fastrand::Rng::with_seed(7);
    let mut happened: BTreeMap<&str, usize> = BTreeMap::new();
    for step in 0..60 {
        if step % 3 == 0 {
            receiver.refusals.fetch_add(1, Ordering::SeqCst);
        }
        let id = dice.u8(2..12);
        let said = match dice.u8(..4) {
            0 => press(&client, "/page/accounts/1/members", &format!("email=p{id}%40acme.example")).await,
            1 => press(&client, &format!("/page/invitations/{id}/accept"), "").await,
            2 => press(&client, &format!("/page/accounts/1/members/{id}/remove"), "").await,
            _ => press(&client, "/page/accounts/1/rename", &format!("name=N{step}&email=dns%40agency.example")).await,
        };
        let event = match said.as_str() {
            said if said.contains("was added to") => "account.user_invite",
            said if said.ends_with("accepted.") => "account.user_invitation_accept",
            said if said.starts_with("The member was removed") => "removed",
            said if said.contains("is called") => "account.update",
            said => {
                assert!(said.starts_with("Not done."), "{said}");
                continue;
            }
        };
        *happened.entry(event).or_default() += 1;
    }
    let told = || {
        let mut once: BTreeMap<String, String> = BTreeMap::new();
        for delivery in receiver.got.lock().unwrap().iter() {
            let name = delivery["name"].as_str().unwrap();
            let name =
                if matches!(name, "account.user_remove" | "account.user_invitation_revoke") { "removed" } else { name };
            once.insert(delivery["request_identifier"].as_str().unwrap().to_owned(), name.to_owned());
        }
        let mut counted: BTreeMap<String, usize> = BTreeMap::new();
        for name in once.into_values() {
            *counted.entry(name).or_default() += 1;
        }
        counted
    };
    receiver.refusals.store(0, Ordering::SeqCst);
    let expected: usize = happened.values().sum();
    eventually("everything is told", SOON, async || {
        client.arrange("clock", json!({"advance_seconds": 20})).await;
        told().values().sum::<usize>() >= expected
    })
    .await;
    let told = told();
    let happened: BTreeMap<String, usize> =
        happened.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    assert_eq!(told, happened);
}
