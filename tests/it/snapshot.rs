//! `bursar snapshot` and `plan --against`, the real binary: no address leaves, the plan is the
//! live one, nothing is sent for it, and whatever file somebody brings is refused or inert.

use std::fmt::Write as _;

use bursar::snapshot::{LARGEST, Recorded};
use serde_json::{Value, json};

use crate::support::{Done, World, bursar, committed, unlimited};
use bursar::sandbox::{MemberMode, Options};

const PERSON: &str = "jane@acme.example";

/// A world in which something is to be done, with the manifests for it.
async fn world(options: Options) -> World {
    let world = World::with(options).await;
    let team = json!([PERSON, "old@legacy.example"]);
    for account in [
        json!({"name": "Client acme", "email": "dns+acme@agency.example", "plan": "teams-v2-monthly", "seats": 3,
               "members": team}),
        json!({"name": "Client late", "email": "dns+late@agency.example"}),
        json!({"name": "Nobody's", "email": "a@agency.example", "plan": "solo-v2-monthly"}),
    ] {
        world.post("/sandbox/accounts", account).await;
    }
    world.client("acme", &[PERSON, "bob@acme.example"]);
    world.client("late", &[]);
    world.client("new", &["nora@new.example"]);
    world
}

/// In the folder, in an environment that knows neither an API nor a token.
fn offline(world: &World, args: &[&str]) -> Done {
    Done::from(bursar(args).current_dir(world.path()).output().unwrap())
}

async fn taken(world: &World, args: &[&str]) -> String {
    world.run(&[&["snapshot"], args].concat()).await.expect(0).stdout
}

/// A line of text without the time, and without what only one of the two plans knows.
fn comparable(text: &str) -> String {
    let differs =
        |line: &&str| !line.contains("snapshot") && !line.contains("are masked, and those") && !line.is_empty();
    text.lines().filter(differs).filter(|line| *line != "Look at").map(|line| format!("{line}\n")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_masked_snapshot_gives_a_real_plan_without_token_or_request() {
    let world = world(unlimited()).await;
    let text = taken(&world, &[]).await;
    world.write("snapshot.json", &text);
    assert!(!text.contains("jane") && !text.contains("dns+"), "{text}");
    let before = world.ledger().await;
    let live = world.run(&["plan", "--mask-emails"]).await.expect(0);
    let sent = world.ledger().await.requests();
    let plan = offline(&world, &["plan", "--against", "snapshot.json"]).expect(0);
    assert_eq!(comparable(&plan.stdout), comparable(&live.stdout));
    let lines: Vec<&str> = plan.stdout.lines().filter(|line| line.contains("snapshot of")).collect();
    assert_eq!(lines.len(), 1, "{}", plan.stdout);
    assert!(!world.path().join(".bursar").exists(), "no journal is made or looked for");
    let ledger = world.ledger().await;
    assert_eq!((ledger.requests(), ledger.writes()), (sent, before.writes()));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_face_shows_it_and_the_exit_code_is_that_of_a_plan() {
    let world = world(unlimited()).await;
    world.write("snapshot.json", &taken(&world, &[]).await);
    let args = ["plan", "--against", "snapshot.json"];
    for (more, holds) in [
        (&["-o", "markdown"][..], "planned against a snapshot of "),
        (&["-o", "json"], "planned against a snapshot of "),
        (&["--diff"], "+  b***@acme.example#"),
        (&["-l", "wave=none"], "planned against a snapshot of "),
    ] {
        let done = offline(&world, &[&args[..], more].concat()).expect(0);
        assert!(done.stdout.contains(holds), "{more:?}: {}", done.stdout);
        assert!(!done.stdout.contains("bob@"), "{more:?}: {}", done.stdout);
    }
    offline(&world, &[&args[..], &["--detailed-exitcode"]].concat()).expect(2);
    let plan = offline(&world, &[&args[..], &["-o", "json"]].concat()).json();
    assert_eq!((&plan["requests"]["spent"], &plan["summary"]["add_member"]), (&json!(0), &json!(2)));
    let schema = jsonschema::validator_for(&bursar::plan::render::json_schema()).unwrap();
    assert!(schema.is_valid(&plan));
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_clear_the_digest_is_that_of_the_live_plan() {
    let world = world(unlimited()).await;
    world.write("snapshot.json", &taken(&world, &["--mask-emails=no"]).await);
    let live = world.run(&["plan", "-o", "json", "--journal", "none"]).await.expect(0).json();
    let plan = offline(&world, &["plan", "--against", "snapshot.json", "-o", "json", "--max-monthly-increase", "1000"]);
    assert_eq!(plan.expect(0).json()["digest"], live["digest"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_token_nor_that_of_an_invitation_is_in_it() {
    let world = world(Options { member_mode: MemberMode::Invite, ..unlimited() }).await;
    world.run(&["apply", "--yes"]).await.expect(0);
    for args in [&[][..], &["--mask-emails=no"]] {
        let text = taken(&world, args).await;
        let value: Value = serde_json::from_str(&text).unwrap();
        let schema = jsonschema::validator_for(&bursar::snapshot::json_schema()).unwrap();
        assert!(schema.is_valid(&value), "{:?}", schema.iter_errors(&value).map(|e| e.to_string()).collect::<Vec<_>>());
        assert!(text.contains("\"invited\""), "{text}");
        assert!(!text.contains(world.sandbox.token()) && !text.contains("token"), "{text}");
    }
}

#[test]
fn the_schema_of_snapshots_is_the_committed_one() {
    committed("schemas/snapshot.schema.json", &bursar::snapshot::json_schema());
}

/// The smallest that holds.
fn smallest() -> Value {
    json!({
        "format_version": "1.0", "kind": "snapshot", "bursar_version": "0.1.0", "taken_at": "2020-01-01T00:00:00Z",
        "masked": true, "api": {"provider": "dnsimple", "url": "https://api.example/v2"},
        "identity": {"email": "a***@example.com#b97a30", "user_id": "1", "world": null},
        "offer": {"account_management": true, "plans": [], "capabilities": ["bulk"], "quirks": [], "roles": [],
                  "unpayable": null},
        "people": [], "accounts": [],
    })
}

fn account(id: &str) -> Value {
    json!({"id": id, "name": "Old", "email": "a***@x.example#000000", "plan": null, "created_at": null,
           "updated_at": null, "subscription": {"seen": null}, "members": {"seen": []}})
}

fn changed(change: impl FnOnce(&mut Value)) -> String {
    let mut value = smallest();
    change(&mut value);
    value.to_string()
}

#[test]
fn what_somebody_brings_as_a_snapshot_is_refused_in_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let deep = format!("{{\"format_version\":\"1.0\",\"kind\":\"snapshot\",\"x\":{}", "[".repeat(100_000));
    let nested = (0..100).fold(json!([]), |inner, _| json!([inner]));
    let cases = [
        (String::new(), "this is not a snapshot: EOF"),
        ("null".to_owned(), "this is not a snapshot: invalid type"),
        ("{}".to_owned(), "missing field `format_version`"),
        (deep, "this is not a snapshot: EOF"),
        (changed(|v| v["accounts"] = nested), "this is not a snapshot: invalid type"),
        (changed(|v| v["format_version"] = json!("2.0")), "has format version 2.0, and this bursar reads 1.0"),
        (changed(|v| v["format_version"] = json!("\u{1b}[31m")), "has format version \\u{1b}[31m"),
        (changed(|v| v["kind"] = json!("plan")), "says that it is `plan`"),
        (changed(|v| v["taken_at"] = json!("yesterday")), "this is not a snapshot"),
        (changed(|v| v["offer"]["quirks"] = json!(["of_tomorrow"])), "unknown variant `of_tomorrow`"),
        (changed(|v| v["identity"]["email"] = json!("agency@example.com")), "the address of the token's user is not"),
        (
            changed(|v| {
                v["accounts"] = json!([account("7")]);
                v["accounts"][0]["email"] = json!("boss@x.example");
            }),
            "the address of account 7 is not",
        ),
        (changed(|v| v["accounts"] = json!([account("7"), account("7")])), "has account 7 twice"),
        (smallest().to_string()[..200].to_owned(), "this is not a snapshot: EOF"),
        (" ".repeat(LARGEST + 1), "the snapshot has more than 12 MiB"),
    ];
    for (text, why) in cases {
        std::fs::write(folder.path().join("s.json"), &text).unwrap();
        let done = Done::from(bursar(&["plan", "--against", "s.json"]).current_dir(folder.path()).output().unwrap());
        let done = done.expect(1);
        assert!(done.stderr.contains(why) && done.stdout.is_empty(), "{why}: {}", done.stderr);
        assert!(!done.stderr.contains('\u{1b}') && done.stderr.lines().count() <= 3, "{}", done.stderr);
    }
}

/// A sparse file says that it has a gigabyte; no more than the largest snapshot is read of it.
#[test]
fn a_gigabyte_is_refused_after_twelve_mebibytes() {
    let folder = tempfile::tempdir().unwrap();
    let file = std::fs::File::create(folder.path().join("s.json")).unwrap();
    file.set_len(1024 * 1024 * 1024).unwrap();
    let done = Done::from(bursar(&["plan", "--against", "s.json"]).current_dir(folder.path()).output().unwrap());
    assert!(done.expect(1).stderr.contains("more than 12 MiB"));
    let gone = Done::from(bursar(&["plan", "--against", "none.json"]).current_dir(folder.path()).output().unwrap());
    assert!(gone.expect(1).stderr.contains("cannot read none.json"));
    // A saved plan is of the live world.
    for other in ["--sandbox", "--out=plan.json"] {
        let both = bursar(&["plan", "--against", "s.json", other]).current_dir(folder.path()).output().unwrap();
        assert!(Done::from(both).expect(1).stderr.contains("cannot be used with"), "{other}");
    }
}

#[test]
fn what_a_snapshot_says_is_inert_in_every_face_and_its_age_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let escape = "\u{1b}]0;x\u{7}\u{202e}";
    let text = changed(|v| {
        v["accounts"] = json!([account("7")]);
        for (path, value) in [
            ("/accounts/0/name", json!(escape)),
            ("/accounts/0/id", json!(escape)),
            ("/accounts/0/plan", json!(escape)),
            ("/offer/unpayable", json!(escape)),
            ("/api/url", json!(escape)),
        ] {
            *v.pointer_mut(path).unwrap() = value;
        }
        v["accounts"][0]["members"] = json!({"failed": escape});
        v["accounts"][0]["subscription"] = json!({"failed": escape});
    });
    std::fs::write(folder.path().join("s.json"), &text).unwrap();
    let mut manifest = String::from("apiVersion: bursar.dev/v1\nkind: ClientAccount\nmetadata: { name: old }\nspec:\n");
    write!(manifest, "  accountName: Old\n  notificationEmail: o@x.example\n  plan: teams\n").unwrap();
    std::fs::write(folder.path().join("old.yaml"), manifest).unwrap();
    for form in ["text", "json", "markdown"] {
        let args = ["plan", "--against", "s.json", "-o", form, "--diff"];
        let done = Done::from(bursar(&args).current_dir(folder.path()).output().unwrap());
        assert!(!done.stdout.contains(['\u{1b}', '\u{7}', '\u{202e}']) || form == "json", "{}", done.stdout);
        assert!(done.stdout.contains("planned against a snapshot of 2020-01-01T00:00:00Z"), "{}", done.stdout);
        assert!(done.stdout.contains("hours old: take a new one"), "{}", done.stdout);
    }
    let ahead = changed(|v| v["taken_at"] = json!("2999-01-01T00:00:00Z"));
    std::fs::write(folder.path().join("s.json"), ahead).unwrap();
    let done = Done::from(bursar(&["plan", "--against", "s.json"]).current_dir(folder.path()).output().unwrap());
    assert!(done.expect(0).stdout.contains("a time that is yet to come"));
}

/// Ten thousand accounts fit, and cost what they must.
#[test]
fn ten_thousand_accounts_fit_into_the_largest_snapshot() {
    let mut value = smallest();
    let member = |n: usize, m: usize| {
        json!({"id": format!("{n}{m}"), "email": format!("m***@client{n}.example#{m:06x}"), "access": "full",
               "role": null, "state": "active"})
    };
    let accounts: Vec<Value> = (0..10_000)
        .map(|n| {
            let mut account = account(&n.to_string());
            account["members"] = json!({"seen": (0..8).map(|m| member(n, m)).collect::<Vec<_>>()});
            account
        })
        .collect();
    value["accounts"] = json!(accounts);
    let recorded = Recorded::parse(value.to_string().as_bytes()).unwrap();
    assert_eq!(recorded.live.accounts.len(), 10_000);
    let written = recorded.to_json();
    assert!(written.len() < LARGEST, "{}", written.len());
    assert_eq!(written.lines().filter(|line| line.starts_with("    {\"id\"")).count(), 10_000, "an account a line");
}
