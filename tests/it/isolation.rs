//! One client's trouble is its own.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::http::Method;
use serde_json::json;

use crate::proxy::{self, Fault};
use crate::support::World;

const NO_RAILS: [&str; 6] = ["--max-creates", "none", "--max-subscriptions", "none", "--max-monthly-increase", "none"];

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_clients_the_one_that_always_fails_stops_nobody() {
    let mut world = World::new(&[]).await;
    let documents: Vec<String> = (0..1000).map(|c| crate::support::manifest(&format!("c{c}"), &[])).collect();
    world.write("clients.yaml", &documents.join("---\n"));
    // Account 500 cannot be subscribed, whoever it is.
    let url = proxy::start(world.sandbox.url(), |method, path, _| {
        if *method == Method::PUT && path == "/v2/500/subscription" { Fault::Refuse500 } else { Fault::None }
    })
    .await;
    world.through(url);
    let done = world.run(&[&["apply", "--yes", "-o", "json"][..], &NO_RAILS].concat()).await.expect(1);
    let report = done.json();
    assert_eq!(
        report["result"],
        json!({"applied": 1999, "failed": 1, "waiting": 0, "blocked": 0, "manual": 0, "skipped": 0})
    );
    let failed: Vec<_> =
        report["accounts"].as_array().unwrap().iter().filter(|account| account["state"] == "failed").collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(done.stderr.lines().filter(|line| line.contains("failed")).count(), 1, "{}", done.stderr);
    let ledger = world.ledger().await;
    assert_eq!((ledger.count("accounts_created"), ledger.count("subscriptions_created")), (1000, 999));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_makes_no_second_account_with_keys() {
    lost_answers(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_makes_no_second_account_without_keys() {
    lost_answers(&["--capabilities", "bulk,updated_at,limited_access"]).await;
}

/// The first answer to each write is lost: everything is found out by the same key or by
/// reading back, and each thing happened once.
async fn lost_answers(args: &[&str]) {
    let mut world = World::new(&["jane@acme.example"]).await;
    for name in ["acme", "beta", "gamma"] {
        world.client(name, &["jane@acme.example"]);
    }
    let seen = Mutex::new(HashSet::new());
    let url = proxy::start(world.sandbox.url(), move |method, path, body| {
        let first = seen.lock().unwrap().insert((method.clone(), path.to_owned(), body.to_vec()));
        if *method != Method::GET && first { Fault::LoseAnswer } else { Fault::None }
    })
    .await;
    world.through(url);
    world.run(&[&["apply", "--yes"], args].concat()).await.expect(0);
    let ledger = world.ledger().await;
    let counts = ["accounts_created", "subscriptions_created", "members_added"].map(|what| ledger.count(what));
    assert_eq!(counts, [3, 3, 3]);
    world.run(&[&["plan", "--detailed-exitcode"], args].concat()).await.expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_create_that_cannot_be_found_is_never_sent_again_without_keys() {
    let mut world = World::new(&[]).await;
    world.client("acme", &[]);
    world.client("beta", &[]);
    let url = proxy::start(world.sandbox.url(), |method, path, body| {
        let acme = String::from_utf8_lossy(body).contains("Client acme");
        if *method == Method::POST && path == "/v2/accounts" && acme { Fault::LoseRequest } else { Fault::None }
    })
    .await;
    world.through(url);
    let report = world.run(&["apply", "--yes", "-o", "json", "--capabilities", "bulk"]).await.expect(0).json();
    let acme = &report["accounts"][0];
    assert_eq!(acme["state"], "waiting");
    assert_eq!(acme["actions"][0]["reason"], "OutcomeSettling");
    assert_eq!(report["accounts"][1]["state"], "in_sync", "the other client went on");
    assert_eq!(world.ledger().await.call("POST /v2/accounts"), 1, "beta's only; acme's was sent once and lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_that_is_down_changes_nothing_and_says_so() {
    let mut world = World::new(&[]).await;
    world.client("acme", &[]);
    let url = proxy::start(world.sandbox.url(), |_, path, _| {
        if path.starts_with("/v2/accounts") { Fault::LoseRequest } else { Fault::None }
    })
    .await;
    world.through(url);
    let done = world.run(&["apply", "--yes"]).await.expect(1);
    assert!(done.stderr.contains("GET /v2/accounts"), "{}", done.stderr);
    assert!(done.stderr.contains("502") && !done.stderr.contains("Caused by"), "told once: {}", done.stderr);
    assert_eq!(world.ledger().await.writes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_cannot_be_read_are_unknown_fail_the_run_and_stop_nobody_else() {
    let mut world = World::with(crate::support::without_bulk()).await;
    world.client("acme", &[]);
    world.run(&["apply", "--yes"]).await.expect(0);
    world.client("beta", &[]);
    let url = proxy::start(world.sandbox.url(), |_, path, _| {
        if path.starts_with("/v2/1/members") { Fault::Refuse500 } else { Fault::None }
    })
    .await;
    world.through(url);
    let report = world.run(&["apply", "--yes", "-o", "json"]).await.expect(1).json();
    let states = ["acme", "beta"].map(|name| {
        let accounts = report["accounts"].as_array().unwrap();
        accounts.iter().find(|account| account["name"] == name).unwrap()["state"].as_str().unwrap().to_owned()
    });
    assert_eq!(states, ["unknown", "in_sync"]);
}

/// A whole, valid, empty list while accounts are known: an outage reads like that, and is no
/// order to create.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_list_while_accounts_are_known_creates_nothing() {
    let mut world = World::new(&[]).await;
    world.client("acme", &[]);
    let outage = Arc::new(AtomicBool::new(false));
    let empty = Arc::clone(&outage);
    let url = proxy::start(world.sandbox.url(), move |method, path, _| {
        let list = *method == Method::GET && path.starts_with("/v2/accounts?");
        if list && empty.load(Ordering::Relaxed) { Fault::EmptyList } else { Fault::None }
    })
    .await;
    world.through(url);
    for _ in 0..2 {
        world.run(&["apply", "--yes"]).await.expect(0);
    }
    world.client("beta", &[]);
    outage.store(true, Ordering::Relaxed);
    let report = world.run(&["apply", "--yes", "-o", "json"]).await.expect(3).json();
    let states: Vec<_> =
        report["accounts"].as_array().unwrap().iter().map(|a| a["actions"][0]["reason"].clone()).collect();
    assert_eq!(states, ["OutcomeSettling", "AccountsVanished"]);
    assert_eq!(world.ledger().await.count("accounts_created"), 1);
    outage.store(false, Ordering::Relaxed);
    world.run(&["apply", "--yes"]).await.expect(0);
    assert_eq!(world.ledger().await.count("accounts_created"), 2, "and it goes on when the list is back");
}
