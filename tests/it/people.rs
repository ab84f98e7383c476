//! The commands for people, the real binary: beside a journal that `apply` and `run` wrote.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bursar::journal::{Address, Batch, Journal, Put, Row, State, open_beside};
use jiff::SignedDuration;
use serde_json::json;

use crate::proxy::{self, Fault};
use crate::support::{Done, Running, World, bursar};

const SOON: Duration = Duration::from_secs(20);
const JANE: &str = "jane@acme.example";
/// Nothing lags here, so what was done shows at once; and without keys.
const WITHOUT_KEYS: [&str; 2] = ["--capabilities", "bulk,updated_at,limited_access"];
const AT_ONCE: [&str; 2] = ["--settle", "0s"];

/// A command beside the journal, by somebody who is logged in: no address, no token.
fn beside(world: &World, args: &[&str]) -> Done {
    Done::from(bursar(args).current_dir(world.path()).env("USER", "pat").output().unwrap())
}

async fn apply(world: &World, more: &[&str]) -> Done {
    world.run(&[&["apply", "--yes", "-o", "json"], &AT_ONCE[..], more].concat()).await
}

async fn journal(world: &World) -> Arc<dyn Journal> {
    open_beside(&Address::File(world.path().join(".bursar/journal.db"))).await.unwrap()
}

/// As if half an hour had passed since everything that is not settled.
async fn half_an_hour_later(world: &World) {
    let journal = journal(world).await;
    for scope in journal.scopes().await.unwrap() {
        let (rows, _) = journal.rows(&scope, 0).await.unwrap();
        let unsettled = rows.into_iter().filter(|row| row.state.is_unsettled());
        let earlier = |at: jiff::Timestamp| at.saturating_sub(SignedDuration::from_mins(30)).unwrap();
        let puts = unsettled.map(|row| Put {
            seen: row.version,
            row: Row {
                version: row.version + 1,
                deadline: row.deadline.map(earlier),
                first_sent_at: row.first_sent_at.map(earlier),
                ..row
            },
        });
        journal.commit(&scope, Batch { rows: puts.collect(), ..Batch::default() }).await.unwrap();
    }
    journal.close().await;
}

/// The operations of a scope, by client and state.
async fn operations(world: &World) -> Vec<(String, State, String)> {
    let journal = journal(world).await;
    let mut found = Vec::new();
    for scope in journal.scopes().await.unwrap() {
        let (rows, _) = journal.rows(&scope, 0).await.unwrap();
        found.extend(
            rows.iter().map(|row| (row.operation.series.client.to_string(), row.state, row.id().as_str().to_owned())),
        );
    }
    journal.close().await;
    found
}

/// Two creates of which nobody knows what became, and a person is asked.
async fn two_questions() -> (World, String, String) {
    let mut world = World::new(&[]).await;
    world.client("acme", &[]);
    world.client("beta", &[]);
    let losing = Arc::new(AtomicBool::new(true));
    let loses = Arc::clone(&losing);
    let lose = move |method: &axum::http::Method, path: &str, _: &[u8]| {
        let is_create = *method == "POST" && path == "/v2/accounts";
        if is_create && loses.load(Ordering::SeqCst) { Fault::LoseRequest } else { Fault::None }
    };
    world.through(proxy::start(world.sandbox.url(), lose).await);
    apply(&world, &WITHOUT_KEYS).await.expect(0);
    losing.store(false, Ordering::SeqCst);
    let early = operations(&world).await;
    assert_eq!(early.iter().map(|(_, state, _)| *state).collect::<Vec<_>>(), [State::Unknown; 2]);
    let id = |client: &str| early.iter().find(|(of, ..)| of == client).unwrap().2.clone();
    let (acme, beta) = (id("acme"), id("beta"));
    // Nobody can know already that nothing came of it.
    let too_early = beside(&world, &["resolve", &acme, "--not-created"]).expect(1);
    assert!(too_early.stderr.contains("may still take effect until"), "{}", too_early.stderr);
    half_an_hour_later(&world).await;
    for _ in 0..3 {
        apply(&world, &WITHOUT_KEYS).await;
    }
    (world, acme, beta)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_create_becomes_a_question_that_a_person_answers_either_way() {
    let (world, acme, beta) = two_questions().await;
    let report = apply(&world, &WITHOUT_KEYS).await.expect(3).json();
    let action = &report["accounts"][0]["actions"][0];
    assert_eq!(action["reason"], "OutcomeUnknown");
    assert!(action["message"].as_str().unwrap().contains(&format!("bursar resolve {acme} --not-created")));
    let told = beside(&world, &["explain", "acme"]).expect(0).stdout;
    assert!(told.contains("what came of it could not be found out"), "{told}");
    assert!(told.contains(&format!("type: bursar resolve {acme} --created ACCOUNT_ID")), "{told}");

    // The wrong words, too few characters, and nobody's operation.
    for (args, says) in [
        (["resolve", &acme, "--done"], format!("Hint: bursar resolve {acme} --created ACCOUNT_ID, or --not-created")),
        (["resolve", &acme[..5], "--not-created"], "give 6 characters".to_owned()),
        (["resolve", "ffffffffff", "--not-created"], "the journal holds no operation ffffffffff".to_owned()),
    ] {
        let refused = beside(&world, &args).expect(1);
        assert!(refused.stderr.contains(&says), "{}", refused.stderr);
    }

    let anew = beside(&world, &["resolve", &acme[..6], "--not-created", "--by", "Pat O'Hara"]).expect(0).stdout;
    assert!(anew.contains("it was not done; the next pass does it anew, as attempt 2"), "{anew}");
    // The other one was made by somebody, whose id the person gives.
    let arranged = json!({"name": "Client beta", "email": "dns+beta@agency.example"});
    let made = world.post("/sandbox/accounts", arranged).await;
    let id = made["data"]["id"].to_string();
    let done = beside(&world, &["resolve", &beta, "--created", &id]).expect(0).stdout;
    assert!(done.contains(&format!("it is done, in account {id}")), "{done}");
    let again = beside(&world, &["resolve", &beta, "--not-created"]).expect(1);
    assert!(again.stderr.contains("is no open question: it is done"), "{}", again.stderr);

    apply(&world, &WITHOUT_KEYS).await.expect(0);
    let names: Vec<_> = world.members().await.into_keys().collect();
    assert_eq!(names, ["Client acme", "Client beta"]);
    world.run(&[&["plan", "--detailed-exitcode"], &AT_ONCE[..], &WITHOUT_KEYS].concat()).await.expect(0);
    let history = beside(&world, &["history", "--kind", "resolved", "-o", "jsonl"]).expect(0).stdout;
    let said: Vec<_> = history
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|entry| format!("{} {}: {}", entry["name"], entry["actor"], entry["message"]))
        .collect();
    insta::assert_snapshot!(said.join("\n").replace(&format!("account {id}"), "account ID"), @r#"
    "acme" "Pat O'Hara": "create the account \"Client acme\", notified at dns+acme@agency.example: it was not created, says Pat O'Hara"
    "beta" "pat": "create the account \"Client beta\", notified at dns+beta@agency.example: it was created: account ID, says pat"
    "#);
}

/// The ids of the first account and of a person's membership in it.
async fn membership(world: &World, email: &str) -> (String, String) {
    let listed = world.get("/accounts?include=members").await;
    let account = &listed["data"][0];
    let member = account["members"].as_array().unwrap().iter().find(|member| member["email"] == email).unwrap();
    (account["id"].to_string(), member["id"].to_string())
}

async fn remove_by_hand(world: &World, email: &str) {
    let (account, member) = membership(world, email).await;
    let url = format!("{}/{account}/members/{member}", world.sandbox.api_url());
    let removed = world.http.delete(url).bearer_auth(world.sandbox.token()).send().await.unwrap();
    assert!(removed.status().is_success());
}

/// A table without the width of its columns and with one word for each time.
fn timeless(table: &str) -> String {
    let is_time = |text: &str| text.len() == 19 && text.as_bytes()[10] == b' ' && text.as_bytes()[13] == b':';
    let is_id = |text: &str| text.len() == 36 && text.bytes().filter(|byte| *byte == b'-').count() == 4;
    let cell = |cell: &str| match cell {
        time if is_time(time) => "TIME".to_owned(),
        id if is_id(id) => "ID".to_owned(),
        other => other.to_owned(),
    };
    let line = |line: &str| {
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(cell).collect::<Vec<_>>().join(" | ")
    };
    table.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_was_removed_by_hand_is_added_again_only_when_a_person_says_so() {
    let world = World::new(&[JANE]).await;
    world.client("acme", &[JANE]);
    apply(&world, &[]).await.expect(0);
    let there = beside(&world, &["reaffirm", "acme", JANE]).expect(1);
    insta::assert_snapshot!(there.stderr, @r"
    Error: jane@acme.example is in account 1, as far as the journal knows
    Hint: if they were removed since, wait for the next look of `bursar run`, or `bursar apply`
    ");
    remove_by_hand(&world, JANE).await;
    let report = apply(&world, &[]).await.expect(3).json();
    assert_eq!(report["accounts"][0]["actions"][0]["reason"], "RemovedElsewhere");
    let told = beside(&world, &["explain", "acme"]).expect(0).stdout;
    assert!(told.contains("it is done, and somebody removed them since"), "{told}");
    assert!(told.contains("type: bursar reaffirm acme jane@acme.example"), "{told}");

    beside(&world, &["reaffirm", "acme", "Jane@Acme.example"]).expect(0);
    let twice = beside(&world, &["reaffirm", "acme", JANE]).expect(1);
    assert!(twice.stderr.contains("nothing is remembered of jane@acme.example at acme"), "{}", twice.stderr);
    apply(&world, &[]).await.expect(0);
    assert!(world.members().await["Client acme"].contains(&JANE.to_owned()));
    assert_eq!(world.ledger().await.count("members_added"), 2);
    apply(&world, &[]).await.expect(0);

    let access = beside(&world, &["access", "--person", JANE]).expect(0).stdout;
    insta::assert_snapshot!(timeless(&access), @r"
    ACCOUNT | CLIENT | PERSON | ACCESS | FROM (UTC) | BY | UNTIL (UTC) | BY
    1 | acme | jane@acme.example | full | TIME | acme.yaml:1 | TIME | by somebody's hand
    1 | acme | jane@acme.example | full | TIME | acme.yaml:1 | now
    ");
    let now = beside(&world, &["access", "--person", JANE, "--as-of", "0s"]).expect(0).stdout;
    assert_eq!(now.lines().count(), 2, "{now}");
    let before = beside(&world, &["access", "--person", JANE, "--as-of", "2020-01-01"]).expect(0);
    assert_eq!(
        (before.stdout.as_str(), before.stderr.as_str()),
        ("", "jane@acme.example could reach nothing that the journal knows of then.\n")
    );
    let everybody = beside(&world, &["access", "--account", "acme"]).expect(0).stdout;
    assert!(everybody.contains("made with the account, acme.yaml:1"), "our own user: {everybody}");
    assert_eq!(everybody, beside(&world, &["access", "--account", "1"]).expect(0).stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_not_there_any_more_is_made_again_only_when_a_person_says_so() {
    let world = World::new(&[]).await;
    world.client("acme", &[]);
    apply(&world, &[]).await.expect(0);
    apply(&world, &[]).await.expect(0);
    // Nobody closes accounts in the sandbox; one that is given away is gone as well.
    let url = format!("{}/accounts/1", world.sandbox.api_url());
    let given = json!({"name": "Somebody else", "email": "dns@else.example"});
    let sent = world.http.patch(url).bearer_auth(world.sandbox.token()).json(&given).send().await.unwrap();
    assert!(sent.status().is_success());
    let report = apply(&world, &[]).await.expect(3).json();
    assert_eq!(report["accounts"][0]["actions"][0]["reason"], "RemovedElsewhere");
    let anew = beside(&world, &["reaffirm", "acme"]).expect(0).stdout;
    assert!(anew.contains("a new one is made, if the manifest wants it still"), "{anew}");
    apply(&world, &[]).await.expect(0);
    assert_eq!(world.members().await.into_keys().collect::<Vec<_>>(), ["Client acme", "Somebody else"]);
    assert_eq!(world.ledger().await.count("accounts_created"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_beside_a_running_daemon_stops_its_writes_and_unfreeze_lets_it_go_on() {
    let world = World::new(&[]).await;
    world.client("acme", &[]);
    let mut daemon = Running::start(world.command(&["run", "--interval", "1s"]));
    daemon.wait_for("1 client: 1 in sync", SOON);
    let writes = world.ledger().await.writes();
    let frozen = beside(&world, &["freeze", "--reason", "card\u{1b}[31m stolen"]).expect(0).stdout;
    assert!(frozen.starts_with("Frozen: "), "{frozen}");
    world.client("beta", &[]);
    daemon.wait_for("frozen: card\\u{1b}[31m stolen (by pat)", SOON);
    assert_eq!(world.ledger().await.writes(), writes, "{}", daemon.log());
    let again = beside(&world, &["freeze", "--reason", "another"]).expect(0).stdout;
    assert!(again.contains("card\\u{1b}[31m stolen (by pat)"), "the first reason stays: {again}");
    let told = beside(&world, &["explain", "acme"]).expect(0).stdout;
    assert!(told.contains("type: bursar unfreeze"), "{told}");
    beside(&world, &["unfreeze"]).expect(0);
    daemon.wait_for("created account Client beta", SOON);
    daemon.wait_for("2 clients: 2 in sync", SOON);
    assert_eq!(beside(&world, &["unfreeze"]).expect(0).stdout, "Nothing is frozen.\n");
    let (_, code, log) = daemon.stop();
    assert_eq!(code, 0, "{log}");
    assert!(!log.contains('\u{1b}'), "{log}");
    let kinds = beside(&world, &["history", "--kind", "frozen", "--kind", "unfrozen", "-o", "jsonl"]).expect(0).stdout;
    assert_eq!(kinds.lines().count(), 2, "{kinds}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_lets_one_plan_of_a_running_daemon_pass() {
    let world = World::new(&[]).await;
    world.client("acme", &[]);
    world.client("beta", &[]);
    let mut daemon = Running::start(world.command(&["run", "--interval", "1s", "--max-creates", "1"]));
    daemon.wait_for("bursar approve sha256:", SOON);
    let tripped = beside(&world, &["history", "--kind", "rail_tripped", "-o", "json"]).expect(0).json();
    let message = tripped["entries"][0]["message"].as_str().unwrap().to_owned();
    let digest = message.split("(plan ").nth(1).unwrap().trim_end_matches(')');
    for bad in ["sha256:00", "12345", &digest.to_uppercase()] {
        let refused = beside(&world, &["approve", bad]).expect(1);
        assert!(refused.stderr.contains("expected sha256: and 64 characters"), "{}", refused.stderr);
    }
    assert_eq!(world.ledger().await.writes(), 0);
    let approved = beside(&world, &["approve", digest]).expect(0);
    assert_eq!(approved.stderr, "");
    let said = format!("Plan {digest} may pass the rails --max-creates 1, once.\n");
    assert!(approved.stdout.starts_with(&said), "{}", approved.stdout);
    daemon.wait_for("2 clients: 2 in sync", SOON);
    assert_eq!(world.ledger().await.count("accounts_created"), 2);
    let history = beside(&world, &["history", "--kind", "approved", "-o", "json"]).expect(0).json();
    assert_eq!(history["entries"][0]["actor"], "pat");
    let message = format!("plan {digest} may pass the rails --max-creates 1, says pat");
    assert_eq!(history["entries"][0]["message"], message);
}

/// The approval on the command line says which rails the plan passes, in the plan and for good.
#[tokio::test(flavor = "multi_thread")]
async fn an_approved_plan_names_the_rails_that_it_passes() {
    let world = World::new(&[]).await;
    world.client("acme", &[]);
    world.client("beta", &[]);
    let plan = world.run(&["plan", "-o", "json", "--max-creates", "1"]).await.expect(0).json();
    assert_eq!(plan["rails"][0]["suffices"], "2");
    let digest = plan["digest"].as_str().unwrap();
    let journal = ["--max-creates", "1", "--journal", "j.db"];
    let done = world.run(&[&["apply", "--yes", "--approve", digest][..], &journal].concat()).await.expect(0);
    let said = "Guard rails that a person lets this plan pass\n  --max-creates 1: 2 accounts would be created\n";
    assert!(done.stdout.contains(said), "{}", done.stdout);
    assert_eq!(world.ledger().await.count("accounts_created"), 2);
    let history =
        world.run(&["history", "--kind", "approved", "-o", "json", "--journal", "j.db"]).await.expect(0).json();
    let message = format!("plan {digest} may pass the rails --max-creates 1 (2 accounts would be created)");
    assert_eq!(history["entries"][0]["message"], message);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_tells_what_when_for_which_line_and_what_it_costs() {
    let world = World::new(&[JANE]).await;
    world.client("acme", &[JANE]);
    world.client("beta", &[]);
    // One after the other, so that acme gets the first number.
    apply(&world, &["--parallelism", "1"]).await.expect(0);
    let requests = world.ledger().await.requests();
    let table = beside(&world, &["history", "acme", "--kind", "done"]).expect(0).stdout;
    insta::assert_snapshot!(timeless(&table), @r#"
    WHEN (UTC) | KIND | CLIENT | ACCOUNT | A MONTH | MANIFEST | REQUEST | WHAT
    TIME | done | acme | 1 | acme.yaml:1 | ID | create the account "Client acme", notified at dns+acme@agency.example
    TIME | done | acme | 1 | +29.00 | acme.yaml:1 | ID | subscribe to teams-v2-monthly with 1 seat
    TIME | done | acme | 1 | +29.00 | acme.yaml:1 | ID | seats from 1 to 2
    TIME | done | acme | 1 | acme.yaml:1 | ID | add jane@acme.example with full access
    "#);
    let all = beside(&world, &["history", "-o", "json"]).expect(0).json();
    let schema = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/history.schema.json");
    let schema = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let faults: Vec<String> = validator.iter_errors(&all).map(|error| error.to_string()).collect();
    assert!(faults.is_empty(), "{faults:?}");
    let entries = all["entries"].as_array().unwrap();
    let lines = beside(&world, &["history", "-o", "jsonl"]).expect(0).stdout;
    let exported: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(&exported, entries, "an export is the same, a line an entry");
    let count = |args: &[&str]| {
        let done = beside(&world, &[&["history", "-o", "jsonl"], args].concat()).expect(0);
        done.stdout.lines().count()
    };
    assert_eq!(count(&["-n", "2"]), 2);
    assert_eq!(count(&["--since", "1h"]), entries.len());
    assert_eq!(count(&["--until", "2020-01-01"]), 0);
    assert_eq!(count(&["--person", JANE, "--kind", "done"]), 1);
    assert_eq!(beside(&world, &["history", "--until", "2020-01-01"]).expect(0).stdout, "");
    for bad in [&["history", "--since", "tomorrow"][..], &["history", "--kind", "odd"], &["history", "Not A Name"]] {
        beside(&world, bad).expect(1);
    }
    assert_eq!(world.ledger().await.requests(), requests, "no request was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_journal_holds_several_scopes_one_is_chosen_or_asked_for() {
    let (here, there) = (World::new(&[]).await, World::new(&[]).await);
    for world in [&here, &there] {
        world.client("acme", &[]);
    }
    there.client("beta", &[]);
    let shared = here.path().join(".bursar/journal.db");
    apply(&here, &[]).await.expect(0);
    apply(&there, &["--journal", shared.to_str().unwrap()]).await.expect(0);
    let ambiguous = beside(&here, &["explain", "acme"]).expect(1).stderr;
    assert!(ambiguous.starts_with("Error: acme is in several scopes of the journal\nHint: scope "), "{ambiguous}");
    assert!(ambiguous.ends_with("Hint: choose one with --scope\n"), "{ambiguous}");
    let of = |world: &World| {
        let line = ambiguous.lines().find(|line| line.contains(&world.sandbox.api_url())).unwrap();
        line.strip_prefix("Hint: scope ").unwrap().split(':').next().unwrap().to_owned()
    };
    let (id_here, id_there) = (of(&here), of(&there));
    beside(&here, &["explain", "acme", "--scope", &id_here[..8]]).expect(0);
    beside(&here, &["explain", "beta"]).expect(0);
    let frozen = beside(&here, &["freeze"]).expect(0).stdout;
    assert_eq!(frozen.matches("Frozen: ").count(), 2, "{frozen}");
    let one = beside(&here, &["unfreeze", "--scope", &id_there]).expect(0).stdout;
    assert_eq!(one.matches("Writes go on").count(), 1, "{one}");
    let unknown = beside(&here, &["unfreeze", "--scope", "zzz"]).expect(1).stderr;
    assert!(unknown.starts_with("Error: the journal has no scope zzz\nHint: scope "), "{unknown}");
    let digest = format!("sha256:{}", "0".repeat(64));
    let which = beside(&here, &["approve", &digest]).expect(1).stderr;
    assert!(which.contains("choose one with --scope"), "{which}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_journal_or_without_what_is_asked_for_there_is_a_clear_error() {
    let world = World::new(&[]).await;
    let none = beside(&world, &["history"]).expect(1).stderr;
    assert!(none.contains(".bursar/journal.db") && none.contains("Hint: `bursar apply`"), "{none}");
    world.client("acme", &[]);
    apply(&world, &[]).await.expect(0);
    for (args, says) in [
        (&["explain", "zeta"][..], "the journal knows nothing of zeta"),
        (&["reaffirm", "zeta"], "nothing is remembered of zeta, so nothing holds it back"),
        (&["reaffirm", "acme", "jane"], "expected an address"),
        (&["reaffirm", "acme", JANE], "nothing is remembered of jane@acme.example at acme"),
        (&["resolve", "abcdefgh", "--created", "x\u{1b}[2J"], "x\\u{1b}[2J is no id of an account"),
        (&["access"], "required"),
        (&["history", "--journal", "none"], "there is none; name one with --journal"),
    ] {
        let refused = beside(&world, args).expect(1);
        assert!(refused.stderr.contains(says), "{args:?}: {}", refused.stderr);
        assert!(!refused.stderr.contains("\u{1b}[2J"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_words_are_inert_wherever_they_are_shown() {
    let world = World::new(&[]).await;
    world.client("acme", &[]);
    apply(&world, &[]).await.expect(0);
    let hostile = "\u{1b}]0;owned\u{7}\u{202e}evil\nfleet: all is well";
    beside(&world, &["freeze", "--reason", hostile, "--by", hostile]).expect(0);
    let shown = [
        beside(&world, &["freeze"]).expect(0).stdout,
        beside(&world, &["history"]).expect(0).stdout,
        beside(&world, &["explain", "acme"]).expect(0).stdout,
        beside(&world, &["unfreeze", "--by", hostile]).expect(0).stdout,
        beside(&world, &["history", "-n", "1"]).expect(0).stdout,
    ];
    for text in shown {
        assert!(text.contains("\\u{1b}]0;owned\\u{7}\\u{202e}evil\\u{a}fleet"), "{text}");
        assert!(!text.chars().any(|c| matches!(c, '\u{1b}' | '\u{7}' | '\u{202e}')), "{text}");
    }
}
