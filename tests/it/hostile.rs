//! Bad inputs through the real binary: one clear line, the right exit code, nothing written.
//! What concerns one room alone is tested beside that room.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{World, manifest};

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_new_manifests_in_one_commit_trip_the_rail_and_create_nothing() {
    let world = World::new(&[]).await;
    for file in 0..50 {
        let documents: Vec<String> = (0..100).map(|c| manifest(&format!("c{file}-{c}"), &[])).collect();
        world.write(&format!("clients-{file}.yaml"), &documents.join("---\n"));
    }
    let begun = Instant::now();
    let report = world.run(&["apply", "--yes", "-o", "json"]).await.expect(3).json();
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert_eq!(report["result"]["blocked"], 5000);
    assert_eq!(report["accounts"][0]["actions"][0]["reason"], "GuardRail");
    assert_eq!(world.ledger().await.writes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_members_in_one_account_cost_one_document_and_stop_nobody() {
    let world = World::new(&[]).await;
    let people: Vec<String> = (0..10_000).map(|p| format!("p{p}@acme.example")).collect();
    world.client("acme", &people.iter().map(String::as_str).collect::<Vec<_>>());
    world.client("beta", &[]);
    // Over 64 KiB: the document is refused as a whole.
    let done = world.run(&["plan", "-o", "json"]).await.expect(1);
    let plan = done.json();
    assert_eq!(plan["accounts"].as_array().unwrap().len(), 2, "{:#}", plan["accounts"]);
    assert_eq!(plan["summary"]["create_account"], 1);
    assert!(done.stderr.contains("acme.yaml:"), "{}", done.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_manifest_gone_is_no_order_to_do_anything() {
    let world = World::new(&[]).await;
    world.client("acme", &[]);
    world.run(&["apply", "--yes"]).await.expect(0);
    let writes = world.ledger().await.writes();
    std::fs::remove_file(world.path().join("acme.yaml")).unwrap();
    let report = world.run(&["apply", "--yes", "-o", "json"]).await.expect(0).json();
    assert_eq!(report["accounts"], json!([]));
    assert_eq!(report["unmanaged"][0]["name"], "Client acme");
    assert_eq!(world.ledger().await.writes(), writes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_not_there_is_an_error_that_names_it() {
    let world = World::new(&[]).await;
    for verb in [&["validate", "nowhere"][..], &["plan", "nowhere"], &["apply", "--yes", "nowhere"]] {
        let done = world.run(verb).await.expect(1);
        assert!(done.stderr.contains("nowhere"), "{}", done.stderr);
    }
    assert_eq!(world.ledger().await.requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_of_the_same_name_that_belongs_to_somebody_else_is_never_taken_over() {
    let world = World::new(&["jane@acme.example", "stranger@else.example"]).await;
    let arranged = json!({"name": "Client acme", "email": "dns@else.example", "owner": "stranger@else.example",
                          "plan": "teams-v2-monthly", "seats": 5, "members": ["agency@example.com"]});
    world.post("/sandbox/accounts", arranged).await;
    world.client("acme", &["jane@acme.example"]);
    let report = world.run(&["apply", "--yes", "-o", "json"]).await.expect(3).json();
    assert_eq!(report["accounts"][0]["state"], "blocked");
    assert_eq!(report["accounts"][0]["actions"][0]["reason"], "AdoptionNeeded");
    assert!(report["accounts"][0]["actions"][0]["message"].as_str().unwrap().contains("accountId"));
    assert_eq!(world.ledger().await.writes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_servers_and_files_say_is_inert_in_the_terminal() {
    let world = World::new(&[]).await;
    let name = "Evil \u{1b}[31mred\u{1b}[0m \u{202e}txet <img onerror=alert(1)>";
    world.post("/sandbox/accounts", json!({"name": name, "email": "x@evil.example"})).await;
    let done = world.run(&["plan"]).await.expect(0);
    assert!(done.stdout.contains("Evil \\u{1b}[31mred"), "{}", done.stdout);
    assert!(!done.stdout.contains('\u{1b}') && !done.stdout.contains('\u{202e}'), "{:?}", done.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_never_taken_from_or_sent_to_where_it_should_not() {
    let world = World::new(&[]).await;
    world.client("acme", &[]);
    for (url, what) in [
        ("http://api.example.com/v2", "https"),
        ("https://user:secret@api.example.com/v2", "user"),
        ("ftp://127.0.0.1/v2", "https"),
    ] {
        let done = world.run(&["plan", "--api-url", url]).await.expect(1);
        assert!(done.stderr.contains(what), "{url}: {}", done.stderr);
        assert!(!done.stderr.contains("secret"), "{}", done.stderr);
    }
    let none = {
        let mut command = world.command(&["plan"]);
        command.env_remove("BURSAR_TOKEN");
        tokio::task::spawn_blocking(move || crate::support::Done::from(command.output().unwrap())).await.unwrap()
    };
    let none = none.expect(1);
    assert!(none.stderr.contains("BURSAR_TOKEN"), "{}", none.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_said_plainly_with_the_request_id() {
    let world = World::new(&[]).await;
    world.client("acme", &[]);
    let mut command = world.command(&["plan"]);
    command.env("BURSAR_TOKEN", "canary-4711-not-the-token");
    let done =
        tokio::task::spawn_blocking(move || crate::support::Done::from(command.output().unwrap())).await.unwrap();
    let done = done.expect(1);
    assert!(done.stderr.contains("401") && done.stderr.contains("request id"), "{}", done.stderr);
    assert!(!done.stderr.contains("canary-4711"), "{}", done.stderr);
}
