//! The main job, through the real binary over real HTTP.

use serde_json::json;

use crate::support::{World, bursar};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_created_subscribed_and_joined_and_then_nothing_is_left() {
    let world = World::new(&["jane@acme.example", "pat@agency.example"]).await;
    world.client("acme", &["jane@acme.example", "pat@agency.example"]);
    let done = world.run(&["apply", "--yes", "-o", "json"]).await.expect(0);
    let report = done.json();
    assert_eq!(
        report["result"],
        json!({"applied": 5, "failed": 0, "waiting": 0, "blocked": 0, "manual": 0, "skipped": 0})
    );
    assert_eq!(report["accounts"][0]["state"], "in_sync");
    let summary = &report["summary"];
    assert_eq!((&summary["create_account"], &summary["add_member"]), (&json!(1), &json!(2)), "of the agreed plan");
    assert_eq!(summary["in_sync"], 1, "of the end");
    assert_eq!(
        (&report["cost"]["monthly_before"], &report["cost"]["monthly_after"]),
        (&json!("0.00"), &json!("87.00"))
    );
    let members = world.members().await;
    assert_eq!(members["Client acme"], ["agency@example.com", "jane@acme.example", "pat@agency.example"]);
    let ledger = world.ledger().await;
    assert_eq!(ledger.count("accounts_created"), 1);
    assert_eq!(ledger.count("subscriptions_created"), 1);
    assert_eq!(ledger.count("members_added"), 2);

    let plan = world.run(&["plan", "--detailed-exitcode"]).await.expect(0);
    assert!(plan.stdout.contains("in sync"), "{}", plan.stdout);
    assert_eq!(world.ledger().await.writes(), ledger.writes(), "a plan writes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_not_signed_up_is_waited_for_without_a_seat_and_joins_later() {
    let world = World::new(&[]).await;
    world.client("acme", &["jane@acme.example"]);
    let report = world.run(&["apply", "--yes", "-o", "json"]).await.expect(0).json();
    assert_eq!(report["result"]["waiting"], 1);
    let add = report["accounts"][0]["actions"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((add["op"].as_str(), add["reason"].as_str()), (Some("AddMember"), Some("AwaitingSignup")));
    let seats = |answer: serde_json::Value| answer["data"]["seats"].as_u64();
    assert_eq!(seats(world.get("/1/subscription").await), Some(1), "nobody pays for a person who has not signed up");

    world.post("/sandbox/users", json!({"email": "jane@acme.example"})).await;
    let report = world.run(&["apply", "--yes", "-o", "json"]).await.expect(0).json();
    assert_eq!(
        report["result"],
        json!({"applied": 2, "failed": 0, "waiting": 0, "blocked": 0, "manual": 0, "skipped": 0})
    );
    assert_eq!(seats(world.get("/1/subscription").await), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_made_twice_has_one_digest_and_money_counts_everyone_wanted() {
    let world = World::new(&[]).await;
    world.client("acme", &["jane@acme.example", "joe@acme.example"]);
    world.client("beta", &[]);
    let first = world.run(&["plan", "-o", "json"]).await.expect(0).json();
    let again = world.run(&["plan", "-o", "json"]).await.expect(0).json();
    assert_eq!(first["digest"], again["digest"]);
    assert_eq!(first["cost"]["monthly_after"], "116.00", "3 seats and 1 seat at 29.00");
    assert_eq!(first["requests"]["spent"], 3);
    world.run(&["plan", "--detailed-exitcode"]).await.expect(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn apply_without_a_terminal_asks_for_yes_and_does_nothing() {
    let world = World::new(&[]).await;
    world.client("acme", &[]);
    let done = world.run(&["apply"]).await.expect(1);
    assert!(done.stderr.contains("--yes"), "{}", done.stderr);
    assert_eq!(world.ledger().await.writes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_document_takes_out_only_itself_unless_strict() {
    let world = World::new(&[]).await;
    world.client("acme", &[]);
    world.write(
        "broken.yaml",
        "apiVersion: bursar.dev/v1\nkind: ClientAccount\nmetadata: { name: bad }\nspec: { memebrs: [] }\n",
    );
    let strict = world.run(&["apply", "--yes", "--strict"]).await.expect(1);
    assert!(strict.stderr.contains("memebrs"), "{}", strict.stderr);
    assert_eq!(world.ledger().await.writes(), 0);
    world.run(&["apply", "--yes"]).await.expect(1);
    assert_eq!(world.members().await.keys().collect::<Vec<_>>(), ["Client acme"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selector_restricts_what_is_done_and_not_what_is_matched() {
    let world = World::new(&[]).await;
    world.write(
        "a.yaml",
        &crate::support::manifest("a", &[]).replace("{ name: a }", "{ name: a, labels: { wave: canary } }"),
    );
    world.client("b", &[]);
    world.run(&["apply", "--yes", "-l", "wave=canary"]).await.expect(0);
    assert_eq!(world.members().await.keys().collect::<Vec<_>>(), ["Client a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_in_the_process_keeps_its_world_between_runs() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("acme.yaml"), crate::support::manifest("acme", &["jane@acme.example"])).unwrap();
    std::fs::write(folder.path().join("people.txt"), "jane@acme.example\n").unwrap();
    let run = |args: &[&str]| {
        let output = bursar(args).current_dir(folder.path()).output().unwrap();
        crate::support::Done::from(output)
    };
    run(&["apply", "--yes", "--sandbox", "--sandbox-users", "people.txt"]).expect(0);
    assert!(folder.path().join(".bursar/sandbox.db").exists());
    run(&["plan", "--sandbox", "--detailed-exitcode"]).expect(0);
}

#[test]
fn a_usage_error_exits_with_1_and_help_with_0() {
    let code = |args: &[&str]| bursar(args).output().unwrap().status.code();
    assert_eq!(code(&["plan", "--no-such-flag"]), Some(1));
    assert_eq!(code(&["--help"]), Some(0));
    assert_eq!(code(&["--version"]), Some(0));
}
