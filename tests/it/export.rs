//! `bursar export`, the real binary: what it writes passes `validate`, and planned against the
//! same world shows no change.

use serde_json::{Value, json as value};

use crate::provider_world::{self as fake, json, message};
use crate::support::{Done, World, bursar, unlimited, without_bulk};
use bursar::sandbox::{MemberMode, Options};

/// Exports a world, checks what came, and plans it against the same world.
async fn round(world: &World) -> Done {
    let exported = world.run(&["export"]).await.expect(0);
    world.write("clients.yaml", &exported.stdout);
    world.run(&["validate", "."]).await.expect(0);
    shows_no_change(world, ".").await;
    // As a folder, too.
    world.run(&["export", "--out", ".folder"]).await.expect(0);
    world.run(&["validate", ".folder"]).await.expect(0);
    shows_no_change(world, ".folder").await;
    exported
}

async fn shows_no_change(world: &World, folder: &str) {
    let plan = world.run(&["plan", folder, "-o", "json", "--detailed-exitcode"]).await.expect(0).json();
    let actions = plan["accounts"].as_array().unwrap().iter().flat_map(|one| one["actions"].as_array().unwrap());
    // What waits for the renewal is on its way already: nothing is sent for it.
    let changes: Vec<&Value> = actions.filter(|action| action["reason"] != "DowngradeAtRenewal").collect();
    assert_eq!(changes, Vec::<&Value>::new());
    assert_eq!((&plan["drift"], &plan["unmanaged"]), (&value!([]), &value!([])));
}

async fn arrange(world: &World, account: Value) {
    world.post("/sandbox/accounts", account).await;
}

/// Every kind of account that stands in the way of a name, a plan or a member.
async fn furnish(world: &World) {
    let team = value!(["jane@acme.example", {"email": "Bob@acme.example", "access": "limited"}]);
    arrange(
        world,
        value!({"name": "Acme & Söhne: #1", "email": "dns+acme@agency.example", "plan": "teams-v2-monthly",
                           "seats": 3, "members": team}),
    )
    .await;
    arrange(world, value!({"name": "Harbour Yoga", "email": "a@agency.example", "plan": "solo-v2-monthly"})).await;
    arrange(world, value!({"name": "Harbour Yoga", "email": "b@agency.example"})).await;
    arrange(
        world,
        value!({"name": "yes", "email": "c@agency.example", "plan": "dnsimple-business",
                           "members": ["old@legacy.example"]}),
    )
    .await;
    arrange(
        world,
        value!({"name": "株式会社", "email": "d@agency.example", "owner": "eve@other.example",
                           "plan": "teams-v2-monthly", "members": ["agency@example.com"]}),
    )
    .await;
    arrange(world, value!({"name": "Smaller", "email": "e@agency.example", "plan": "teams-v2-monthly"})).await;
    let accounts = world.get("/accounts?per_page=100").await;
    let smaller =
        accounts["data"].as_array().unwrap().iter().find(|one| one["name"] == "Smaller").unwrap()["id"].clone();
    let url = format!("{}/{smaller}/subscription", world.sandbox.api_url());
    let put = world.http.put(url).bearer_auth(world.sandbox.token());
    let answer = put.json(&value!({"plan_identifier": "solo-v2-monthly"})).send().await.unwrap();
    assert!(answer.status().is_success());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_exported_shows_no_change() {
    let world = World::with(unlimited()).await;
    furnish(&world).await;
    let writes = world.ledger().await.writes();
    let exported = round(&world).await;
    insta::assert_snapshot!(exported.stdout, @r#"
    apiVersion: bursar.dev/v1
    kind: ClientAccount
    metadata:
      name: acme-sohne-1
    spec:
      accountId: "1"
      accountName: "Acme & Söhne: #1"
      notificationEmail: dns+acme@agency.example
      plan: teams-v2-monthly
      members:
        - { email: Bob@acme.example, access: limited }
        - jane@acme.example
    ---
    apiVersion: bursar.dev/v1
    kind: ClientAccount
    metadata:
      name: harbour-yoga
    spec:
      accountId: "2"
      accountName: Harbour Yoga
      notificationEmail: a@agency.example
      plan: solo-v2-monthly
    ---
    apiVersion: bursar.dev/v1
    kind: ClientAccount
    metadata:
      name: harbour-yoga-3
    spec:
      accountId: "3"
      accountName: Harbour Yoga
      notificationEmail: b@agency.example
      # no plan today; without a word on it, none is chosen or ended
    ---
    apiVersion: bursar.dev/v1
    kind: ClientAccount
    metadata:
      name: "yes"
    spec:
      accountId: "4"
      accountName: "yes"
      notificationEmail: c@agency.example
      plan: dnsimple-business
      members:
        - old@legacy.example
    ---
    apiVersion: bursar.dev/v1
    kind: ClientAccount
    metadata:
      name: account-5
    spec:
      accountId: "5"
      accountName: 株式会社
      notificationEmail: d@agency.example
      plan: teams-v2-monthly
      members:
        - eve@other.example
    ---
    apiVersion: bursar.dev/v1
    kind: ClientAccount
    metadata:
      name: smaller
    spec:
      accountId: "6"
      accountName: Smaller
      notificationEmail: e@agency.example
      plan: solo-v2-monthly
    "#);
    insta::assert_snapshot!(exported.stderr, @"6 accounts written. Check with `bursar plan`: it shows no change.");
    assert_eq!(world.ledger().await.writes(), writes, "nothing but GET");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_embedded_details_the_export_is_the_same() {
    let (bulk, single) = (World::with(unlimited()).await, World::with(without_bulk()).await);
    furnish(&bulk).await;
    furnish(&single).await;
    assert_eq!(round(&bulk).await.stdout, round(&single).await.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_invited_stays_invited() {
    let world = World::with(Options { member_mode: MemberMode::Invite, ..unlimited() }).await;
    world.client("acme", &["jane@acme.example"]);
    world.run(&["apply", "--yes"]).await.expect(0);
    std::fs::remove_file(world.path().join("acme.yaml")).unwrap();
    let exported = world.run(&["export"]).await.expect(0);
    assert!(exported.stdout.contains("    - jane@acme.example\n"), "{}", exported.stdout);
    world.write("clients.yaml", &exported.stdout);
    let plan = world.run(&["plan", "-o", "json"]).await.expect(0).json();
    assert_eq!((&plan["summary"]["add_member"], &plan["summary"]["waiting"]), (&value!(0), &value!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_or_written_down_is_told_in_a_comment() {
    let server = fake::world(|_, asked| {
        let path = asked.line.strip_prefix("GET /v2/").unwrap().split('?').next().unwrap();
        match path {
            "whoami" => json(200, value!({"data": {"user": {"id": 1, "email": "a@b.example"}, "account": null}})),
            "accounts" => json(200, value!({"data": [
                {"id": 1, "name": "Acme\nspec: {}", "email": "dns@acme.example", "plan_identifier": "teams-v2-monthly"},
                {"id": 2, "name": null, "email": "x@y.example"},
                {"id": 3, "name": "No Mail", "email": null},
                {"id": 4, "name": "Good", "email": "good@agency.example", "plan_identifier": "teams-v2-monthly"},
                {"id": 5, "name": "Free\u{202e}", "email": "free@agency.example", "plan_identifier": null},
                {"id": 6, "name": "Last", "email": "last@agency.example", "plan_identifier": null},
            ]})),
            _ => message(404, "Not found"),
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let mut command = bursar(args);
        command.env("BURSAR_API_URL", format!("http://{}/v2", server.address)).env("BURSAR_TOKEN", fake::CANARY);
        command.current_dir(folder.path());
        tokio::task::spawn_blocking(move || Done::from(command.output().unwrap()))
    };
    let exported = run(&["export"]).await.unwrap().expect(0);
    insta::assert_snapshot!(exported.stdout, @r#"
    # Account 1 ("Acme\u{a}spec: {}") is left out: `accountName` holds a line break
    # Account 2 is left out: it has no name
    # Account 3 ("No Mail") is left out: it has no notification email that can be read, and a manifest needs one
    apiVersion: bursar.dev/v1
    kind: ClientAccount
    metadata:
      name: good
    spec:
      accountId: "4"
      accountName: Good
      notificationEmail: good@agency.example
      plan: teams-v2-monthly
      # members cannot be read here: list them by hand
    # Account 5 ("Free\u{202e}") is left out: `accountName` holds a control or invisible character (\u{202e})
    ---
    apiVersion: bursar.dev/v1
    kind: ClientAccount
    metadata:
      name: last
    spec:
      accountId: "6"
      accountName: Last
      notificationEmail: last@agency.example
      # no plan today; without a word on it, none is chosen or ended
      # members cannot be read here: list them by hand
    "#);
    insta::assert_snapshot!(exported.stderr, @"2 accounts written; 4 left out, each with a comment that says why. Check with `bursar plan`: it shows no change.");
    std::fs::write(folder.path().join("clients.yaml"), &exported.stdout).unwrap();
    run(&["validate", "."]).await.unwrap().expect(0);
    let plan = run(&["plan", "-o", "json"]).await.unwrap().json();
    let changes: Vec<&Value> = plan["accounts"].as_array().unwrap().iter().map(|one| &one["actions"]).collect();
    assert_eq!(changes.iter().filter(|actions| **actions != &value!([])).count(), 0, "{plan:#}");
}

/// An agency's accounts, as they often are.
async fn alike(world: &World) {
    for name in ["acme", "beta", "corp", "delta", "echo"] {
        let team = value!(["pat@agency.example", format!("owner@{name}.example")]);
        let email = format!("dns+{name}@agency.example");
        let body = value!({"name": name, "email": email, "plan": "teams-v2-monthly", "seats": 3, "members": team});
        arrange(world, body).await;
    }
    arrange(world, value!({"name": "Zed", "email": "zed@x.example", "plan": "teams-v2-monthly", "seats": 1})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_has_a_file_a_client_and_says_once_what_most_share() {
    let world = World::with(unlimited()).await;
    alike(&world).await;
    // A repository that was just made is empty enough.
    std::fs::create_dir_all(world.path().join("new/.git")).unwrap();
    let done = world.run(&["export", "--out", "new"]).await.expect(0);
    insta::assert_snapshot!(done.stdout, @r"
    groups/everywhere.yaml
    defaults.yaml
    clients/: 6 files
    plan teams-v2-monthly: in defaults.yaml
    notificationEmail dns+{name}@agency.example: in defaults.yaml
    pat@agency.example: in groups/everywhere.yaml, which defaults.yaml gives to everybody
    ");
    insta::assert_snapshot!(done.stderr, @"6 accounts written. Check with `bursar plan`: it shows no change.");
    let read = |file: &str| std::fs::read_to_string(world.path().join("new").join(file)).unwrap();
    let files = ["groups/everywhere.yaml", "defaults.yaml", "clients/acme.yaml", "clients/zed.yaml"];
    insta::assert_snapshot!(files.map(|file| format!("# {file}\n{}", read(file))).concat(), @r##"
    # groups/everywhere.yaml
    apiVersion: bursar.dev/v1
    kind: MemberGroup
    metadata:
      name: everywhere
    spec:
      members:
        - pat@agency.example
    # defaults.yaml
    apiVersion: bursar.dev/v1
    kind: ClientDefaults
    metadata:
      name: defaults
    spec:
      notificationEmail: "dns+{name}@agency.example"
      plan: teams-v2-monthly
      memberGroups: [everywhere]
    # clients/acme.yaml
    apiVersion: bursar.dev/v1
    kind: ClientAccount
    metadata:
      name: acme
    spec:
      accountId: "1"
      accountName: acme
      members:
        - owner@acme.example
    # clients/zed.yaml
    apiVersion: bursar.dev/v1
    kind: ClientAccount
    metadata:
      name: zed
    spec:
      accountId: "6"
      accountName: Zed
      notificationEmail: zed@x.example
      memberGroups: []
    "##);
    assert_eq!(std::fs::read_dir(world.path().join("new/clients")).unwrap().count(), 6);
    shows_no_change(&world, "new").await;
    let ledger = world.ledger().await;
    let again = world.run(&["export", "--out", "new"]).await.expect(1);
    assert!(again.stderr.starts_with("Error: new is not empty: it holds "), "{}", again.stderr);
    assert_eq!(world.ledger().await.requests(), ledger.requests(), "nothing is asked for it");
    world.write("file", "");
    assert!(world.run(&["export", "--out", "file"]).await.expect(1).stderr.contains("cannot read file"));
}
