//! Saved plans, the real binary over real HTTP and real git repositories: what still fits is
//! carried out, what moved is refused by name, and what is not for here and now as a whole.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::proxy::{self, Fault};
use crate::support::{Done, World, bursar, commit, git, manifest, unlimited};

/// A repository with these clients, each with jane, who has signed up.
pub(super) async fn repository(clients: &[&str]) -> World {
    let world = World::new(&["jane@acme.example", "joe@acme.example"]).await;
    git(world.path(), &["init", "-q"]);
    for client in clients {
        world.client(&format!("clients/{client}"), &["jane@acme.example"]);
        world.write(&format!("clients/{client}.yaml"), &manifest(client, &["jane@acme.example"]));
    }
    world.write(".gitignore", ".bursar/\nplan.json\n");
    commit(world.path());
    world
}

/// The text of a file with a checksum that is right.
pub(super) fn sealed(text: &str) -> String {
    let end = text.rfind("\n  \"checksum\": \"sha256:").unwrap() + "\n  \"checksum\": \"sha256:".len();
    let sum: String = Sha256::digest(&text.as_bytes()[..end]).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}{sum}\"\n}}\n", &text[..end])
}

/// Clients run side by side: which of them gets which id is chance.
fn without_ids(text: &str) -> String {
    let mut parts = text.split(" as account ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        format!("{text} as account N{}", part.trim_start_matches(|c: char| c.is_ascii_digit()))
    })
}

pub(super) fn plan_file(world: &World) -> PathBuf {
    world.path().join("plan.json")
}

fn saved(world: &World) -> Value {
    serde_json::from_str(&std::fs::read_to_string(plan_file(world)).unwrap()).unwrap()
}

/// Writes the file anew, with one thing changed and a right checksum.
pub(super) fn forge(world: &World, change: impl FnOnce(&mut Value)) {
    let mut value = saved(world);
    change(&mut value);
    let text = serde_json::to_string_pretty(&value).unwrap();
    std::fs::write(plan_file(world), sealed(&text)).unwrap();
}

pub(super) async fn save(world: &World) -> Done {
    world.run(&["plan", "clients", "--out", "plan.json"]).await.expect(0)
}

pub(super) async fn apply(world: &World, code: i32) -> Done {
    world.run(&["apply", "plan.json", "--yes"]).await.expect(code)
}

/// Applies a plan that is refused as a whole; the error, when nothing was written.
pub(super) async fn refused(world: &World) -> String {
    let before = world.ledger().await.writes();
    let done = apply(world, 1).await;
    assert_eq!(done.stdout, "", "{}", done.stderr);
    assert_eq!(world.ledger().await.writes(), before, "{}", done.stderr);
    done.stderr.trim_end().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_looked_at_is_carried_out_in_another_checkout() {
    let world = repository(&["acme", "beta"]).await;
    git(world.path(), &["remote", "add", "origin", "https://canary-secret@git.example/agency/clients.git"]);
    let plain = world.run(&["plan", "clients"]).await.expect(0);
    let done = save(&world).await;
    assert_eq!(done.stdout, plain.stdout, "what is shown is the same");
    let text = std::fs::read_to_string(plan_file(&world)).unwrap();
    assert!(!text.contains("canary-secret") && !text.contains(world.sandbox.token()), "{text}");
    let value = saved(&world);
    assert_eq!(value["plan"], world.run(&["plan", "clients", "-o", "json"]).await.expect(0).json());
    assert_eq!(value["source"]["repository"], json!({"by": "origin", "id": "git.example/agency/clients"}));
    assert_eq!(value["source"]["paths"], json!(["clients"]));
    assert_eq!(value["source"]["revision"].as_str().unwrap().len(), 40);
    let schema = bursar::plan::saved::json_schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let faults: Vec<String> = validator.iter_errors(&value).map(|fault| fault.to_string()).collect();
    assert_eq!(faults, Vec::<String>::new());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(plan_file(&world)).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let beside = std::fs::read_dir(world.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains(".tmp"));
    assert_eq!(beside.count(), 0, "what was written beside is gone");

    // Another job of CI: a shallow checkout, another folder, cloned over ssh.
    let other = tempfile::tempdir().unwrap();
    let url = format!("file://{}", world.path().display());
    git(other.path(), &["clone", "-q", "--depth=1", &url, "."]);
    git(other.path(), &["remote", "set-url", "origin", "git@git.example:agency/clients.git"]);
    let mut command = world.command(&["apply", "--yes", plan_file(&world).to_str().unwrap()]);
    command.current_dir(other.path().join("clients"));
    let done = tokio::task::spawn_blocking(move || Done::from(command.output().unwrap())).await.unwrap().expect(0);
    insta::assert_snapshot!(without_ids(&done.stdout), @r#"
    acme (new)  acme.yaml:1  +58.00 a month
      + create the account "Client acme", notified at dns+acme@agency.example
      + subscribe to teams-v2-monthly with 1 seat
      + add jane@acme.example with full access; once signed up, then also a seat at 29.00 a month

    beta (new)  beta.yaml:1  +58.00 a month
      + create the account "Client beta", notified at dns+beta@agency.example
      + subscribe to teams-v2-monthly with 1 seat
      + add jane@acme.example with full access; once signed up, then also a seat at 29.00 a month

    People who get full access
      jane@acme.example: acme and beta

    List price a month in USD: 0.00 now, 116.00 after, +116.00
    Plan: 2 to create, 2 to subscribe, 2 to add; 6 requests.
    acme: created as account N, subscribed to teams-v2-monthly, 2 seats, 1 person added
    beta: created as account N, subscribed to teams-v2-monthly, 2 seats, 1 person added
    Applied 8 actions.
    "#);
    let members = world.members().await;
    assert_eq!(members["Client acme"], ["agency@example.com", "jane@acme.example"]);
    assert_eq!(members["Client beta"], ["agency@example.com", "jane@acme.example"]);

    // Once more: somebody has done it.
    let writes = world.ledger().await.writes();
    let again = apply(&world, 0).await;
    insta::assert_snapshot!(again.stdout, @"
    Done already, since the plan was saved
      acme, beta

    Nothing to do.
    ");
    assert_eq!(world.ledger().await.writes(), writes);
}

/// The account of a client.
async fn account(world: &World, name: &str) -> String {
    let accounts = world.get("/accounts?per_page=100").await;
    let found = accounts["data"].as_array().unwrap().iter().find(|account| account["name"] == name).unwrap().clone();
    found["id"].as_str().map_or_else(|| found["id"].to_string(), str::to_owned)
}

async fn add(world: &World, account: &str, email: &str) {
    let url = format!("{}/{account}/members", world.sandbox.api_url());
    let seats = format!("{}/{account}/subscription", world.sandbox.api_url());
    let with = |request: reqwest::RequestBuilder| request.bearer_auth(world.sandbox.token());
    let paid = with(world.http.put(seats)).json(&json!({"plan_identifier": "teams-v2-monthly", "seats": 4}));
    assert!(paid.send().await.unwrap().status().is_success());
    let answer = with(world.http.post(url)).json(&json!({"email": email})).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_three_clients_the_one_that_drifted_is_refused_by_name_and_the_others_go_ahead() {
    let world = repository(&["acme", "beta", "gamma"]).await;
    world.run(&["apply", "clients", "--yes"]).await.expect(0);
    for client in ["acme", "beta", "gamma"] {
        world.write(&format!("clients/{client}.yaml"), &manifest(client, &["jane@acme.example", "joe@acme.example"]));
    }
    commit(world.path());
    save(&world).await;
    let drifted = account(&world, "Client beta").await;
    world.post("/sandbox/users", json!({"email": "x@y.example"})).await;
    add(&world, &drifted, "x@y.example").await;
    let writes = world.ledger().await;
    let done = world.run(&["apply", "plan.json", "--yes", "-o", "json"]).await.expect(1);
    let error = done.stderr.lines().skip_while(|line| !line.starts_with("Error")).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(error, @"
    Error: not carried out, for it changed since the plan was saved: 1 client
    Hint: look at the plan anew, and save it: bursar plan --out FILE
    ");
    let report = done.json();
    insta::assert_json_snapshot!(report["saved"], @r#"
    {
      "carried_out": [
        "acme",
        "gamma"
      ],
      "done_already": [],
      "refused": [
        {
          "name": "beta",
          "moved": [
            "the number of seats is 4, was 2",
            "x@y.example was added as a member since"
          ]
        }
      ],
      "untouched": []
    }
    "#);
    assert_eq!(report["result"]["applied"], 4, "seats and joe, twice");
    let names: Vec<&str> = report["accounts"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["acme", "gamma"]);
    let ledger = world.ledger().await;
    assert_eq!(ledger.writes() - writes.writes(), 6, "joe is tried without a seat first; of beta there is none");
    let members = world.members().await;
    assert_eq!(members["Client acme"], ["agency@example.com", "jane@acme.example", "joe@acme.example"]);
    assert_eq!(members["Client beta"], ["agency@example.com", "jane@acme.example", "x@y.example"]);
    assert_eq!(members["Client gamma"], members["Client acme"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_moved_is_told_in_words() {
    let world = repository(&["acme", "beta", "delta", "gone", "new", "same"]).await;
    save(&world).await;
    // Five ways in which a client may not be what it was, and one who is.
    let plan = manifest("acme", &["jane@acme.example"]).replace("plan: teams", "plan: solo");
    world.write("clients/acme.yaml", &plan.replace("    - jane@acme.example\n", "    []\n"));
    world.write("clients/beta.yaml", &manifest("beta", &["jane@acme.example"]).replace("members", "memebrs"));
    world.post("/sandbox/accounts", json!({"name": "Client delta", "email": "dns+delta@agency.example"})).await;
    std::fs::remove_file(world.path().join("clients/gone.yaml")).unwrap();
    world.client("clients/late", &[]);
    world.write("clients/late.yaml", &manifest("late", &[]));
    let done = apply(&world, 1).await;
    insta::assert_snapshot!(without_ids(&done.stdout), @r#"
    Changed since the plan was saved, and not carried out
      ! acme: the manifest asks for plan solo, the saved plan for teams
      ! acme: jane@acme.example is listed no more
      ! beta: its manifest does not hold: unknown field `memebrs` in spec
      ! delta: there is an account of it since, 1
      ! gone: no manifest that is read asks for it any more

    Nothing was planned for them when it was saved, and they are not touched
      late

    new (new)  new.yaml:1  +58.00 a month
      + create the account "Client new", notified at dns+new@agency.example
      + subscribe to teams-v2-monthly with 1 seat
      + add jane@acme.example with full access; once signed up, then also a seat at 29.00 a month

    same (new)  same.yaml:1  +58.00 a month
      + create the account "Client same", notified at dns+same@agency.example
      + subscribe to teams-v2-monthly with 1 seat
      + add jane@acme.example with full access; once signed up, then also a seat at 29.00 a month

    People who get full access
      jane@acme.example: new and same

    List price a month in USD: 0.00 now, 116.00 after, +116.00
    Plan: 2 to create, 2 to subscribe, 2 to add; 6 requests.
    new: created as account N, subscribed to teams-v2-monthly, 2 seats, 1 person added
    same: created as account N, subscribed to teams-v2-monthly, 2 seats, 1 person added
    Applied 8 actions.
    "#);
    let mut names: Vec<String> = world.members().await.into_keys().collect();
    names.sort();
    assert_eq!(names, ["Client delta", "Client new", "Client same"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_that_rose_since_stops_whom_it_concerns() {
    let mut world = repository(&["acme"]).await;
    world.write("clients/free.yaml", &manifest("free", &[]).replace("  plan: teams\n", ""));
    commit(world.path());
    let dearer = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&dearer);
    let target = world.sandbox.url();
    let proxy = proxy::start(target.trim_end_matches('/').to_owned(), move |_, path, _| {
        match path.contains("/plans") && told.load(Ordering::SeqCst) {
            true => Fault::Rewrite("29.00", "31.00"),
            false => Fault::None,
        }
    })
    .await;
    world.through(proxy);
    save(&world).await;
    dearer.store(true, Ordering::SeqCst);
    let done = apply(&world, 1).await;
    insta::assert_snapshot!(without_ids(&done.stdout), @r#"
    Changed since the plan was saved, and not carried out
      ! acme: the price of teams-v2-monthly is 31.00 a month, was 29.00

    free (new)  free.yaml:1
      + create the account "Client free", notified at dns+free@agency.example

    List price a month in USD: 0.00 now, 0.00 after, 0.00
    Plan: 1 to create; 1 request.
    free: created as account N
    Applied 1 action.
    "#);
    assert_eq!(world.members().await.keys().collect::<Vec<_>>(), ["Client free"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rails_are_the_command_lines_of_the_day() {
    let world = repository(&["acme", "beta"]).await;
    save(&world).await;
    let stricter = world.run(&["apply", "plan.json", "--yes", "--max-creates", "1"]).await.expect(1);
    insta::assert_snapshot!(stricter.stdout, @"
    Changed since the plan was saved, and not carried out
      ! acme: a rail stops this now: 2 accounts would be created, over --max-creates 1
      ! beta: a rail stops this now: 2 accounts would be created, over --max-creates 1

    Nothing to do.
    ");
    assert_eq!(world.ledger().await.writes(), 0);

    // What a rail stopped when it was saved goes ahead only when that very plan is let pass.
    std::fs::remove_dir_all(world.path().join(".bursar")).unwrap();
    world.run(&["plan", "clients", "--out", "plan.json", "--max-creates", "1"]).await.expect(0);
    let laxer = apply(&world, 0).await;
    insta::assert_snapshot!(laxer.stdout, @"
    Nothing was planned for them when it was saved, and they are not touched
      acme, beta

    Nothing to do.
    ");
    assert_eq!(world.ledger().await.writes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn options_that_the_file_holds_are_not_given_again() {
    let world = repository(&["acme", "beta"]).await;
    let labelled =
        manifest("acme", &["jane@acme.example"]).replace("{ name: acme }", "{ name: acme, labels: { wave: a } }");
    world.write("clients/acme.yaml", &labelled);
    world.run(&["plan", "clients", "-l", "wave=a, !x", "--out", "plan.json"]).await.expect(0);
    assert_eq!(saved(&world)["source"]["selector"], "wave=a,!x");
    for (args, told) in [
        (&["-l", "wave=a"][..], "a saved plan has its own selector"),
        (&["clients"], "carried out by itself"),
        (&["--digest", &format!("sha256:{}", "0".repeat(64))], "has its own digests"),
    ] {
        let done = world.run(&[&["apply", "plan.json", "--yes"], args].concat()).await.expect(1);
        assert!(done.stderr.contains(told), "{}", done.stderr);
    }
    let unasked = world.run(&["apply", "plan.json"]).await.expect(1);
    assert!(unasked.stderr.contains("--yes"), "it is asked as ever: {}", unasked.stderr);
    assert_eq!(world.ledger().await.writes(), 0);
    let report = world.run(&["apply", "plan.json", "--yes", "-o", "json"]).await.expect(0).json();
    assert_eq!(report["saved"], json!({"carried_out": ["acme"], "done_already": [], "refused": [], "untouched": []}));
    assert_eq!(world.members().await.keys().collect::<Vec<_>>(), ["Client acme"]);

    for (args, told) in [(&["-", "--out", "plan.json"][..], "standard input"), (&["clients", "--out", "-"], "--out")] {
        let done = world.run(&[&["plan"], args].concat()).await.expect(1);
        assert!(done.stderr.contains(told), "{}", done.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_masked_plan_names_nobody_and_is_carried_out_all_the_same() {
    let world = repository(&["acme", "beta"]).await;
    world.run(&["plan", "clients", "-o", "markdown", "--out", "plan.json"]).await.expect(0);
    let text = std::fs::read_to_string(plan_file(&world)).unwrap();
    assert!(!text.contains("jane@") && text.contains("j***@acme.example#"), "{text}");
    world.write("clients/beta.yaml", &manifest("beta", &["jane@acme.example", "joe@acme.example"]));
    let done = apply(&world, 1).await;
    insta::assert_snapshot!(done.stdout.split("\n\n").next().unwrap(), @"
    Changed since the plan was saved, and not carried out
      ! beta: j***@acme.example#932cc3 is listed since
    ");
    assert_eq!(world.members().await["Client acme"], ["agency@example.com", "jane@acme.example"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_repository_the_folder_is_what_counts() {
    let world = World::with(unlimited()).await;
    world.write("clients/acme.yaml", &manifest("acme", &[]));
    save(&world).await;
    assert_eq!(saved(&world)["source"]["repository"]["by"], "folder");
    let other = tempfile::tempdir().unwrap();
    std::fs::create_dir(other.path().join("clients")).unwrap();
    let mut command = world.command(&["apply", "--yes", plan_file(&world).to_str().unwrap()]);
    command.current_dir(other.path());
    let done = tokio::task::spawn_blocking(move || Done::from(command.output().unwrap())).await.unwrap().expect(1);
    assert!(done.stderr.contains("it is of another repository, the folder"), "{}", done.stderr);
    let elsewhere = other.path().to_str().unwrap();
    let outside = world.run(&["plan", elsewhere, "--out", "plan.json"]).await.expect(1);
    assert!(outside.stderr.contains("does not lie in"), "{}", outside.stderr);
    apply(&world, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_is_a_word_on_the_whole_plan_and_needs_no_other() {
    let world = repository(&["acme"]).await;
    let digest = |plan: Value| plan["digest"].as_str().unwrap().to_owned();
    let agreed = digest(world.run(&["plan", "clients", "-o", "json"]).await.expect(0).json());
    world.write("clients/acme.yaml", &manifest("acme", &["jane@acme.example", "joe@acme.example"]));
    let done = world.run(&["apply", "clients", "--yes", "--digest", &agreed]).await.expect(1);
    let now = digest(world.run(&["plan", "clients", "-o", "json"]).await.expect(0).json());
    assert_eq!(
        done.stderr.trim_end(),
        format!(
            "Error: the plan is another one: {now}, not {agreed}; nothing was done\n\
             Hint: look at it: `bursar plan`; with a journal that remembers refusals, `bursar plan --out FILE`"
        )
    );
    assert_eq!(world.ledger().await.writes(), 0);
    for bad in ["sha256:00", &now.to_uppercase(), &now[7..]] {
        world.run(&["apply", "clients", "--digest", bad]).await.expect(1);
    }
    // No terminal to ask on, and no --yes.
    world.run(&["apply", "clients", "--digest", &now]).await.expect(0);
    assert_eq!(world.ledger().await.count("accounts_created"), 1);
}

#[test]
fn the_schema_of_saved_plans_is_the_committed_one() {
    crate::support::committed("schemas/saved-plan.schema.json", &bursar::plan::saved::json_schema());
    let printed = Done::from(bursar(&["schema", "saved-plan"]).output().unwrap()).expect(0);
    assert_eq!(printed.json(), bursar::plan::saved::json_schema());
}
