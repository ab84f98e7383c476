//! The sandbox's slow days over real HTTP: cards that fail, lists that lag behind,
//! payments that settle later; and the whole program among them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bursar::sandbox::{self, Extension, Options, Sandbox, Surroundings};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::sandbox::{Answer, Client};
use crate::support::{World, unlimited};

const DAY: i64 = 24 * 60 * 60;
const TEAMS: &str = "teams-v2-monthly";

/// A sandbox whose machine's time the test moves.
struct Play {
    sandbox: Sandbox,
    client: Client,
    milliseconds: Arc<AtomicI64>,
}

impl Play {
    async fn with(options: Options) -> Self {
        let milliseconds = Arc::new(AtomicI64::new(1_772_366_400_000));
        Self::at(options, milliseconds).await
    }

    async fn at(options: Options, milliseconds: Arc<AtomicI64>) -> Self {
        let clock = Arc::clone(&milliseconds);
        let now = move || Timestamp::from_millisecond(clock.load(Ordering::Relaxed)).unwrap();
        let surroundings = Surroundings { now: Arc::new(now), ..Surroundings::default() };
        let sandbox = sandbox::start_in(options, surroundings).await.unwrap();
        let client = Client::of(&sandbox);
        Self { sandbox, client, milliseconds }
    }

    /// The machine's time passes.
    fn pass(&self, milliseconds: i64) {
        self.milliseconds.fetch_add(milliseconds, Ordering::Relaxed);
    }

    /// The tester moves the sandbox's time.
    async fn days(&self, days: i64) {
        assert_eq!(self.client.arrange("clock", json!({ "advance_seconds": days * DAY })).await.status, 200);
    }

    async fn card(&self, number: &str) {
        let body = json!({"email": "agency@example.com", "card": number});
        assert_eq!(self.client.arrange("users", body).await.status, 200);
    }

    async fn delays(&self, wish: Value) -> Answer {
        self.client.send(self.client.request(Method::PUT, "/sandbox/delays").json(&wish)).await
    }

    async fn create(&self) {
        assert_eq!(self.client.post("/accounts", acme()).await.status, 201);
    }

    async fn choose(&self, id: u64, seats: u64) -> Answer {
        let body = json!({"plan_identifier": TEAMS, "seats": seats});
        self.client.put(&format!("/{id}/subscription"), body).await
    }

    /// State of the subscription of the first account, read singly.
    async fn state(&self) -> String {
        let it = self.client.get("/1/subscription").await.body["data"].clone();
        format!("{}{}", it["state"].as_str().unwrap(), if it["dunned"] == true { ", dunned" } else { "" })
    }

    async fn charged(&self) -> Vec<String> {
        let ledger = self.client.ledger().await;
        let charges = ledger["charges"].as_array().unwrap().iter();
        charges.map(|it| it["amount"].as_str().unwrap().to_owned()).collect()
    }

    /// What the list of accounts shows: name, plan, state, members, and when it changed.
    async fn listed(&self) -> Vec<String> {
        let body = self.client.get("/accounts?include=subscription,members").await.body;
        let line = |it: &Value| {
            let members = it["members"].as_array().unwrap().len();
            let at = it["updated_at"].as_str().unwrap().trim_start_matches("2026-03-01T");
            format!("{} {} {} {members} {at}", it["name"], it["plan_identifier"], it["subscription"]["state"])
        };
        body["data"].as_array().unwrap().iter().map(line).collect()
    }
}

fn acme() -> Value {
    json!({"name": "Acme", "email": "dns@agency.example"})
}

fn with_jane() -> Options {
    Options { users: vec!["jane@acme.example".to_owned()], ..unlimited() }
}

#[tokio::test]
async fn a_renewal_that_fails_is_dunned_over_a_restart_and_charged_once_when_it_is_paid() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { data: Some(PathBuf::from(folder.path()).join("world.db")), ..with_jane() };
    let play = Play::with(options.clone()).await;
    play.create().await;
    play.choose(1, 2).await;
    play.days(31).await;
    play.card("4000 0000 0000 0341").await;
    play.days(31).await;
    assert_eq!(play.state().await, "subscribed, dunned");
    let clock = Arc::clone(&play.milliseconds);
    play.sandbox.stop().await;

    let play = Play::at(options, clock).await;
    let client = &play.client;
    let mut told = vec![play.state().await, play.choose(1, 3).await.told()];
    told.push(client.post("/1/members", json!({"email": "jane@acme.example"})).await.status.to_string());
    told.push(client.ledger().await["open_payments"].to_string());
    told.push(client.get("/1/billing/charges").await.body["pagination"]["total_entries"].to_string());
    play.card("4242 4242 4242 4242").await;
    told.push(play.state().await);
    told.push(client.ledger().await["open_payments"].to_string());
    told.push(play.charged().await.join(" "));
    insta::assert_snapshot!(told.join("\n"), @r#"
    subscribed, dunned
    402 {"message":"Nothing is sold before the open payment of 58.00 USD is made"}
    201
    [{"account_id":1,"amount":"58.00","since":"2026-04-30T12:00:00Z","for":"renewal of teams-v2-monthly, 2 seat(s)"}]
    1
    subscribed
    []
    58.00 58.00
    "#);
}

#[tokio::test]
async fn a_file_from_before_cards_could_fail_later_is_read_and_its_renewals_are_paid() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("world.db");
    let options = Options { data: Some(file.clone()), ..with_jane() };
    let play = Play::with(options.clone()).await;
    play.create().await;
    play.choose(1, 2).await;
    play.sandbox.stop().await;
    let mut connection =
        sqlx::ConnectOptions::connect(&sqlx::sqlite::SqliteConnectOptions::new().filename(&file)).await.unwrap();
    let before = "
        UPDATE records SET body = json_remove(body, '$.payer', '$.settles_at', '$.dunned_since', '$.last_ids.payment');
        PRAGMA user_version = 1;
    ";
    sqlx::raw_sql(before).execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();

    let play = Play::with(options).await;
    play.card("4000 0000 0000 0341").await;
    play.days(31).await;
    assert_eq!((play.state().await, play.charged().await), ("subscribed".to_owned(), vec!["58.00".to_owned()]));
}

#[tokio::test]
async fn who_does_not_pay_for_twenty_one_days_has_no_plan_though_nobody_moved_the_clock() {
    let play = Play::with(with_jane()).await;
    play.create().await;
    play.choose(1, 2).await;
    play.card("4000 0000 0000 0341").await;
    for (days, expected) in [(30, "subscribed, dunned"), (20, "subscribed, dunned"), (1, "unsubscribed")] {
        play.pass(days * DAY * 1000);
        assert_eq!(play.state().await, expected, "the machine's time is enough");
    }
    let account = play.client.get("/accounts/1").await.body;
    assert_eq!((&account["data"]["plan_identifier"], play.charged().await.len()), (&Value::Null, 0));
}

#[tokio::test]
async fn lists_show_the_world_as_it_was_and_everything_else_as_it_is() {
    let play = Play::with(Options { list_delay: Duration::from_millis(2_500), ..with_jane() }).await;
    let client = &play.client;
    let mut told = Vec::new();
    for step in 0..7 {
        match step {
            0 => play.create().await,
            1 => assert_eq!(play.choose(1, 2).await.status, 201),
            2 => assert_eq!(client.post("/1/members", json!({"email": "jane@acme.example"})).await.status, 201),
            3 => assert_eq!(client.delete("/1/members/2").await.status, 204),
            _ => {}
        }
        let single = client.get("/accounts/1?include=members").await.body["data"].clone();
        let members = client.get("/1/members").await;
        told.push(format!(
            "{:?} and {} members listed; in truth {} members, {}",
            play.listed().await,
            members.body["pagination"]["total_entries"],
            single["members"].as_array().unwrap().len(),
            single["updated_at"].as_str().unwrap().trim_start_matches("2026-03-01T"),
        ));
        play.pass(1_000);
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    [] and 0 members listed; in truth 1 members, 12:00:00Z
    [] and 0 members listed; in truth 1 members, 12:00:01Z
    [] and 0 members listed; in truth 2 members, 12:00:02Z
    ["\"Acme\" null null 1 12:00:00Z"] and 1 members listed; in truth 1 members, 12:00:03Z
    ["\"Acme\" \"teams-v2-monthly\" \"subscribed\" 1 12:00:01Z"] and 1 members listed; in truth 1 members, 12:00:03Z
    ["\"Acme\" \"teams-v2-monthly\" \"subscribed\" 2 12:00:02Z"] and 2 members listed; in truth 1 members, 12:00:03Z
    ["\"Acme\" \"teams-v2-monthly\" \"subscribed\" 1 12:00:03Z"] and 1 members listed; in truth 1 members, 12:00:03Z
    "#);
    let page = client.send(client.request(Method::GET, "/")).await.body;
    assert!(page.as_str().unwrap().contains("Acme") && client.ledger().await["accounts_created"] == 1);
}

#[tokio::test]
async fn a_list_that_lags_is_up_to_date_after_a_restart_and_a_reset() {
    let folder = tempfile::tempdir().unwrap();
    let options =
        Options { data: Some(folder.path().join("world.db")), list_delay: Duration::from_secs(60), ..with_jane() };
    let play = Play::with(options.clone()).await;
    play.create().await;
    assert_eq!(play.listed().await, Vec::<String>::new());
    play.sandbox.stop().await;
    let play = Play::with(options).await;
    assert_eq!(play.listed().await.len(), 1, "what was is not remembered");
    play.create().await;
    assert_eq!(play.listed().await.len(), 1);
    play.delays(json!({"list_seconds": 0})).await;
    assert_eq!(play.listed().await.len(), 2);
    play.client.send(play.client.request(Method::POST, "/sandbox/reset")).await;
    assert_eq!(play.listed().await.len(), 0, "also of another world");
    play.create().await;
    assert_eq!(play.listed().await.len(), 0, "and the delay is that of the start again");
}

#[tokio::test]
async fn a_page_of_a_late_list_counts_what_it_shows() {
    let play = Play::with(Options { list_delay: Duration::from_secs(1), ..with_jane() }).await;
    for _ in 0..3 {
        play.create().await;
        play.pass(500);
    }
    let body = play.client.get("/accounts?per_page=1&page=2").await.body;
    assert_eq!((&body["data"][0]["id"], &body["pagination"]["total_entries"]), (&json!(2), &json!(2)));
}

#[tokio::test]
async fn a_payment_settles_by_itself_or_when_the_clock_is_moved() {
    let play = Play::with(Options { settle_delay: Duration::from_millis(4_500), ..with_jane() }).await;
    play.create().await;
    play.create().await;
    let mut told = Vec::new();
    for id in [1, 1, 2] {
        told.push(play.choose(id, 2).await.told());
    }
    told.push(play.choose(1, 3).await.told());
    told.push(play.client.post("/1/members", json!({"email": "jane@acme.example"})).await.told());
    told.push(format!("{:?}", play.listed().await));
    play.pass(4_000);
    told.push(play.state().await);
    play.pass(1_000);
    told.push(play.state().await);
    told.push(format!("{:?}", play.listed().await));
    play.create().await;
    play.choose(3, 2).await;
    play.days(1).await;
    told.push(play.client.get("/3/subscription").await.body["data"]["state"].to_string());
    told.push(play.choose(3, 3).await.status.to_string());
    insta::assert_snapshot!(told.join("\n"), @r#"
    202 {"data":{"id":1,"plan_identifier":"teams-v2-monthly","state":"subscribing","seats":2,"dunned":false,"trial_ends_at":"2026-03-31T12:00:05Z","current_period_ends_at":"2026-03-31T12:00:05Z","pending_plan_identifier":null,"pending_seats":null,"created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z"}}
    202 {"data":{"id":1,"plan_identifier":"teams-v2-monthly","state":"subscribing","seats":2,"dunned":false,"trial_ends_at":"2026-03-31T12:00:05Z","current_period_ends_at":"2026-03-31T12:00:05Z","pending_plan_identifier":null,"pending_seats":null,"created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z"}}
    202 {"data":{"id":2,"plan_identifier":"teams-v2-monthly","state":"subscribing","seats":2,"dunned":false,"trial_ends_at":"2026-03-31T12:00:05Z","current_period_ends_at":"2026-03-31T12:00:05Z","pending_plan_identifier":null,"pending_seats":null,"created_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z"}}
    402 {"message":"The payment of the subscription is not settled yet"}
    402 {"message":"The account is not subscribed to a plan"}
    ["\"Acme\" null \"subscribing\" 1 12:00:01Z", "\"Acme\" null \"subscribing\" 1 12:00:01Z"]
    subscribing
    subscribed
    ["\"Acme\" \"teams-v2-monthly\" \"subscribed\" 1 12:00:05Z", "\"Acme\" \"teams-v2-monthly\" \"subscribed\" 1 12:00:05Z"]
    "subscribed"
    200
    "#);
    assert_eq!(play.client.ledger().await["subscriptions_created"], 3);
}

#[tokio::test]
async fn a_second_put_while_it_settles_is_not_charged_twice() {
    let play = Play::with(with_jane()).await;
    play.create().await;
    play.choose(1, 1).await;
    play.client.delete("/1/subscription").await;
    play.delays(json!({"settle_seconds": 60})).await;
    let asked = [play.choose(1, 2).await.status, play.choose(1, 2).await.status, play.choose(1, 2).await.status];
    assert_eq!((asked, play.charged().await.len()), ([202, 202, 202], 0));
    play.pass(60_000);
    assert_eq!((play.choose(1, 2).await.status, play.charged().await), (200, vec!["58.00".to_owned()]));
}

#[tokio::test]
async fn delays_are_changed_and_told_and_what_is_none_is_refused() {
    let play = Play::with(Options { list_delay: Duration::from_millis(1_500), ..unlimited() }).await;
    let mut told = Vec::new();
    for wish in [
        json!({}),
        json!({"settle_seconds": 90}),
        json!({"list_seconds": 0.25}),
        json!({"list_seconds": -1, "settle_seconds": 1e9}),
        json!({"list_seconds": "soon"}),
        json!({"lists": 1}),
    ] {
        told.push(play.delays(wish).await.told());
    }
    told.push(play.client.send(play.client.request(Method::GET, "/sandbox/delays")).await.told());
    insta::assert_snapshot!(told.join("\n"), @r#"
    200 {"data":{"list_seconds":1.5,"settle_seconds":0.0}}
    200 {"data":{"list_seconds":1.5,"settle_seconds":90.0}}
    200 {"data":{"list_seconds":0.25,"settle_seconds":90.0}}
    400 {"message":"Validation failed","errors":{"list_seconds":["must be from 0 to 31622400"],"settle_seconds":["must be from 0 to 31622400"]}}
    400 {"message":"The body cannot be understood: invalid type: string \"soon\", expected f64 at line 1 column 22"}
    400 {"message":"The body cannot be understood: unknown field `lists`, expected `list_seconds` or `settle_seconds` at line 1 column 8"}
    200 {"data":{"list_seconds":0.25,"settle_seconds":90.0}}
    "#);
}

/// One pass after another until nothing is left, while the clock of the sandbox is moved.
#[tokio::test(flavor = "multi_thread")]
async fn the_main_job_is_done_once_while_payments_settle_and_a_card_fails_for_a_while() {
    let people = ["jane@acme.example", "pat@agency.example"];
    let options = Options {
        users: people.iter().map(ToString::to_string).collect(),
        settle_delay: Duration::from_secs(3600),
        without: [Extension::Bulk].into(),
        ..unlimited()
    };
    let world = World::with(options).await;
    world.client("acme", &people);
    world.run(&["apply", "--yes"]).await;
    world.run(&["apply", "--yes"]).await;
    assert_eq!(world.ledger().await.count("subscriptions_created"), 1);
    assert_eq!(world.get("/1/subscription").await["data"]["state"], "subscribing");
    world.post("/sandbox/clock", json!({"advance_seconds": 3600})).await;
    world.run(&["apply", "--yes"]).await.expect(0);
    let card = |number: &'static str| json!({"email": "agency@example.com", "card": number});
    world.post("/sandbox/users", card("4000 0000 0000 0341")).await;
    world.post("/sandbox/clock", json!({"advance_seconds": 31 * DAY})).await;
    world.run(&["apply", "--yes"]).await.expect(0);
    world.post("/sandbox/users", card("4242 4242 4242 4242")).await;
    world.run(&["plan", "--detailed-exitcode"]).await.expect(0);
    let ledger = world.ledger().await;
    let counts = ["accounts_created", "subscriptions_created", "members_added"].map(|what| ledger.count(what));
    assert_eq!((counts, ledger.0["charges"].as_array().unwrap().len()), ([1, 1, 2], 1));
}
