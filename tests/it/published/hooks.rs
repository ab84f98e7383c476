//! The receiver of webhooks: what the service's documented deliveries come to, in any order,
//! and what a stranger gets.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use bursar::domain::{AccountId, Clock};
use bursar::journal::{Batch, Fact, FactKind, InMemory, Journal, JournalId, Query, ScopeId, said};
use bursar::web::{Delivery, Hooks, Secret, router};
use jiff::Timestamp;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::server::Published;
use crate::support::Running;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const TOKEN: &str = "eb5763dc-0f24-420b-b7f6-c7355c8b8309";
const API: &str = "https://api.dnsimple.com/v2";

#[derive(Debug)]
struct Hand(Mutex<Timestamp>);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn uptime(&self) -> Duration {
        Duration::ZERO
    }
}

/// A receiver whose journal knows acme's account 1111 at this API, and one of the same id at
/// another.
struct Desk {
    app: axum::Router,
    journal: Arc<InMemory>,
    clock: Arc<Hand>,
    hints: Arc<AtomicUsize>,
}

async fn desk() -> Desk {
    let journal = Arc::new(InMemory::new(JournalId::new("test")));
    let now = "2020-05-12T19:00:00Z".parse().unwrap();
    for (scope, url) in [("here", API), ("there", "https://api.sandbox.dnsimple.com/v2")] {
        let fact = |kind, key: &str, value: &str| Fact { kind, key: key.into(), value: value.into(), since: now };
        let facts = vec![fact(FactKind::Scope, "url", url), fact(FactKind::Binding, "acme", "1111")];
        journal.commit(&ScopeId::new(scope), Batch { facts, ..Batch::default() }).await.unwrap();
    }
    let (clock, hints) = (Arc::new(Hand(Mutex::new(now))), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&hints);
    let hooks = Hooks::new(
        Secret::from_text(SECRET.to_owned()).unwrap(),
        Arc::clone(&journal) as Arc<dyn Journal>,
        BTreeSet::from([API.to_owned()]),
        Arc::clone(&clock) as Arc<dyn Clock>,
        move || {
            counted.fetch_add(1, Ordering::SeqCst);
        },
    );
    Desk { app: router(Arc::new(hooks)), journal, clock, hints }
}

impl Desk {
    async fn post(&self, path: &str, body: impl Into<Body>) -> StatusCode {
        let request = Request::post(path).body(body.into()).unwrap();
        self.app.clone().oneshot(request).await.unwrap().status()
    }

    async fn deliver(&self, delivery: &Value) -> StatusCode {
        self.post(&format!("/hooks/dnsimple/{SECRET}"), delivery.to_string()).await
    }

    fn at(&self, time: &str) {
        *self.clock.0.lock().unwrap() = time.parse().unwrap();
    }

    /// The words on the members of account 1111.
    async fn words(&self) -> Vec<String> {
        let facts = self.journal.facts(&ScopeId::new("here")).await.unwrap();
        let heard = facts.into_iter().filter(|fact| fact.kind == FactKind::Heard);
        let heard = heard.map(|fact| (fact.key.clone(), fact)).collect();
        let mut words = said::words(&Default::default(), &heard, self.clock.now());
        let people = words.remove(&AccountId::new("1111")).unwrap_or_default().people;
        people.iter().map(|(email, word)| format!("{email} is {} ({word})", word.says)).collect()
    }

    /// All that is kept anywhere.
    async fn kept(&self) -> String {
        let facts = self.journal.facts(&ScopeId::new("here")).await.unwrap();
        format!("{facts:?} {:?}", self.journal.history(&Query::default()).await.unwrap())
    }
}

/// A delivery as the service's documentation shows them.
fn documented(name: &str, data: Value) -> Value {
    json!({
        "data": data, "name": name,
        "actor": {"id": "88720", "entity": "user", "pretty": "pat@agency.example"},
        "account": {"id": 1111, "display": "Acme", "identifier": "acme"},
        "api_version": "v2", "request_identifier": format!("f8f1ffa3-{}", name.len()),
    })
}

fn account() -> Value {
    json!({"id": 1111, "email": "dns@acme.example", "created_at": "2012-03-16T16:02:54Z",
           "updated_at": "2020-05-10T18:11:03Z", "plan_identifier": "teams-v1-monthly"})
}

fn invitation(event: &str, sent: &str, accepted: Option<&str>) -> Value {
    let invitation = json!({
        "id": 3523, "email": "Jane@acme.example", "token": TOKEN, "account_id": 1111, "created_at": sent,
        "updated_at": accepted.unwrap_or(sent), "invitation_sent_at": sent, "invitation_accepted_at": accepted,
    });
    documented(event, json!({"account": account(), "account_invitation": invitation}))
}

fn user(event: &str) -> Value {
    let user = json!({"id": 1120, "email": "jane@acme.example", "created_at": "2011-03-17T21:30:25Z",
                      "updated_at": "2018-11-16T12:38:34Z"});
    documented(event, json!({"user": user, "account": account()}))
}

const SENT: &str = "2020-05-12T18:42:44Z";
const ACCEPTED: &str = "2020-05-12T18:50:00Z";

#[tokio::test]
async fn the_documented_deliveries_are_understood_and_the_invitations_token_is_kept_nowhere() {
    for (delivery, says) in [
        (invitation("account.user_invite", SENT, None), "invited"),
        (invitation("account.user_invitation_accept", SENT, Some(ACCEPTED)), "a member"),
        (invitation("account.user_invitation_revoke", SENT, None), "not a member"),
        (user("account.user_remove"), "not a member"),
        (user("account.sso_user_add"), "a member"),
    ] {
        let desk = desk().await;
        assert_eq!(desk.deliver(&delivery).await, StatusCode::OK);
        let words = desk.words().await.join(", ").to_lowercase();
        assert_eq!(words, format!("jane@acme.example is {says} (a webhook told on 2020-05-12)"), "{delivery}");
        let kept = desk.kept().await;
        assert!(!kept.contains(TOKEN) && !kept.contains(SECRET), "{kept}");
        assert_eq!(desk.hints.load(Ordering::SeqCst), 1);
        // Nothing of it at the other API with an account of the same id.
        assert_eq!(desk.journal.facts(&ScopeId::new("there")).await.unwrap().len(), 2);
    }
}

#[tokio::test]
async fn deliveries_out_of_order_and_repeated_come_to_what_happened_last() {
    let invite = invitation("account.user_invite", SENT, None);
    let accept = invitation("account.user_invitation_accept", SENT, Some(ACCEPTED));
    let desk = desk().await;
    for delivery in [&accept, &invite, &invite, &accept, &invite] {
        assert_eq!(desk.deliver(delivery).await, StatusCode::OK);
    }
    assert_eq!(desk.words().await, ["Jane@acme.example is a member (a webhook told on 2020-05-12)"]);
    desk.at("2020-05-13T10:00:00Z");
    desk.deliver(&user("account.user_remove")).await;
    assert_eq!(desk.words().await, ["jane@acme.example is not a member (a webhook told on 2020-05-13)"]);
    // The acceptance once more is older than the removal.
    desk.deliver(&accept).await;
    let again = invitation("account.user_invite", "2020-05-14T08:00:00Z", None);
    desk.at("2020-05-14T08:00:05Z");
    desk.deliver(&again).await;
    let words = desk.words().await;
    assert_eq!(words, ["Jane@acme.example is invited (a webhook told on 2020-05-14)"]);
    // The removal once more is the one that is known.
    desk.at("2020-05-14T11:00:00Z");
    let entries = desk.journal.history(&Query::default()).await.unwrap().len();
    desk.deliver(&user("account.user_remove")).await;
    assert_eq!(desk.words().await.join("").to_lowercase(), words.join("").to_lowercase());
    desk.at("2020-08-12T07:59:59Z");
    assert!(desk.words().await[0].contains("is invited"));
    assert!(entries >= 4, "each piece of news is in the history");
}

#[tokio::test]
async fn what_is_not_ours_or_not_understood_changes_nothing_and_is_answered() {
    let desk = desk().await;
    let mut elsewhere = invitation("account.user_invite", SENT, None);
    elsewhere["account"]["id"] = json!(2222);
    elsewhere["data"]["account_invitation"]["account_id"] = json!(2222);
    let mut torn = invitation("account.user_invite", SENT, None);
    torn["data"]["account_invitation"]["account_id"] = json!(2222);
    for delivery in [
        elsewhere,
        torn,
        documented("account.update", json!({"account": account()})),
        documented("domain.create", json!({"domain": {"name": "example.com"}})),
        documented("account.user_invite", Value::Null),
        documented("account.user_invite", json!({"account_invitation": {"email": ["x"], "account_id": {}}})),
        documented("account.user_remove", json!({"user": {"email": "not an email"}})),
        json!({"name": 7, "account": "x", "data": [1, 2], "request_identifier": {}}),
        json!({"name": "account.user_invite"}),
        json!([]),
        json!(null),
        json!("account.user_invite"),
    ] {
        assert_eq!(desk.deliver(&delivery).await, StatusCode::OK, "{delivery}");
    }
    assert_eq!(desk.words().await, [""; 0]);
    let lenient = json!({
        "name": "account.user_invite", "account": {"id": "1111"}, "actor": {"id": ""}, "extra": [[]],
        "data": {"account_invitation": {"email": "jane@acme.example", "invitation_sent_at": "yesterday"}},
    });
    assert_eq!(desk.deliver(&lenient).await, StatusCode::OK);
    assert_eq!(desk.words().await, ["jane@acme.example is invited (a webhook told on 2020-05-12)"]);
}

#[tokio::test]
async fn a_stranger_a_flood_and_garbage_get_nothing() {
    let desk = desk().await;
    let body = invitation("account.user_invite", SENT, None).to_string();
    for path in
        ["/hooks/dnsimple/x", "/hooks/dnsimple/%ff", &format!("/hooks/dnsimple/{SECRET}x"), "/hooks/dnsimple/", "/"]
    {
        assert_eq!(desk.post(path, body.clone()).await, StatusCode::NOT_FOUND, "{path}");
    }
    let ours = format!("/hooks/dnsimple/{SECRET}");
    let read = Request::get(&ours).body(Body::empty()).unwrap();
    assert_eq!(desk.app.clone().oneshot(read).await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    for (body, status) in [
        (vec![b' '; 64 * 1024 + 1], StatusCode::PAYLOAD_TOO_LARGE),
        (Vec::new(), StatusCode::BAD_REQUEST),
        (b"\xff\xfe".to_vec(), StatusCode::BAD_REQUEST),
        (b"{\"name\":".to_vec(), StatusCode::BAD_REQUEST),
        (deep.into_bytes(), StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(desk.post(&ours, body).await, status);
    }
    assert_eq!((desk.words().await.len(), desk.hints.load(Ordering::SeqCst)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_given_up() {
    let desk = desk().await;
    let slow = Body::from_stream(futures::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
    let begun = tokio::time::Instant::now();
    assert_eq!(desk.post(&format!("/hooks/dnsimple/{SECRET}"), slow).await, StatusCode::REQUEST_TIMEOUT);
    assert_eq!(begun.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn of_more_people_than_an_account_can_have_nothing_is_kept() {
    let desk = desk().await;
    for n in 0..1_005 {
        let mut delivery = invitation("account.user_invite", SENT, None);
        delivery["data"]["account_invitation"]["email"] = json!(format!("p{n}@acme.example"));
        assert_eq!(desk.deliver(&delivery).await, StatusCode::OK);
    }
    assert_eq!(desk.words().await.len(), 1_000);
}

proptest::proptest! {
    #[test]
    fn no_body_makes_it_stumble(body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let _ = Delivery::read(&body, Timestamp::UNIX_EPOCH);
    }

    /// A delivery with any part of it replaced by anything.
    #[test]
    fn no_shape_makes_it_stumble(at in 0..6_usize, with in 0..7_usize, event in 0..5_usize) {
        let events = ["account.user_invite", "account.user_invitation_accept", "account.user_invitation_revoke",
                      "account.user_remove", "account.sso_user_add"];
        let mut delivery = invitation(events[event], SENT, Some(ACCEPTED));
        let odd = [json!(null), json!([]), json!({}), json!(-1), json!("\u{0}\u{202e}"), json!(1e300), json!(true)];
        let places = ["/data", "/account", "/account/id", "/data/account_invitation",
                      "/data/account_invitation/invitation_sent_at", "/request_identifier"];
        *delivery.pointer_mut(places[at]).unwrap() = odd[with].clone();
        let read = Delivery::read(delivery.to_string().as_bytes(), Timestamp::UNIX_EPOCH);
        proptest::prop_assert!(read.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_daemon_takes_a_delivery_in_and_looks_and_its_log_holds_no_secret() {
    let world = Published::new().await;
    world.client("acme", &["jane@acme.example"]);
    world.account(1111, "acme");
    world.secret(SECRET);
    let args = ["-v", "run", "--interval", "1h", "--listen", "127.0.0.1:0", "--hook-secret-file", "secret"];
    let mut daemon = Running::start(world.command(&args));
    let soon = Duration::from_secs(20);
    daemon.wait_for("webhooks are received at http://", soon);
    daemon.wait_for("its members cannot be read over this API", soon);
    let log = daemon.log();
    let address = log.split("received at http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::new();
    let send = |secret: &str, body: &Value| {
        http.post(format!("http://{address}/hooks/dnsimple/{secret}")).body(body.to_string()).send()
    };
    let accept = invitation("account.user_invitation_accept", SENT, Some(&Timestamp::now().to_string()));
    assert_eq!(send("guess", &accept).await.unwrap().status(), 404);
    for _ in 0..20 {
        assert_eq!(send(SECRET, &accept).await.unwrap().status(), 200);
    }
    // The one look that they ask for is 15 s after the last one.
    daemon.wait_for("in sync", Duration::from_secs(40));
    let looks = world.server.lines().iter().filter(|line| line.starts_with("GET /v2/accounts")).count();
    assert_eq!(looks, 2, "{:?}", world.server.lines());
    let (_, code, log) = daemon.stop();
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("a webhook told of Jane@acme.example"), "{log}");
    assert!(!log.contains(SECRET) && !log.contains(TOKEN), "{log}");
    let history = world.run(&["history", "--kind", "heard"]).await.expect(0).stdout;
    assert!(history.contains("a webhook told of account 1111: Jane@acme.example is a member"), "{history}");
}
