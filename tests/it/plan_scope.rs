//! Plans of a part of the clients, the real binary on real Git repositories, and what GitHub's
//! files get of them.

use std::path::Path;

use crate::support::{Done, World, bursar, git, manifest};

const DEFAULTS: &str = "apiVersion: bursar.dev/v1\nkind: ClientDefaults\nmetadata: { name: all }\nspec: { plan: teams, memberGroups: [on-call] }\n";

fn group(person: &str) -> String {
    format!(
        "apiVersion: bursar.dev/v1\nkind: MemberGroup\nmetadata: {{ name: on-call }}\nspec: {{ members: [{person}] }}\n"
    )
}

fn offboarding(person: &str) -> String {
    format!(
        "apiVersion: bursar.dev/v1\nkind: Offboarding\nmetadata: {{ name: left }}\nspec: {{ people: [{person}] }}\n"
    )
}

/// A client that leaves its plan and its groups to the defaults.
fn plain(name: &str) -> String {
    format!(
        "apiVersion: bursar.dev/v1\nkind: ClientAccount\nmetadata: {{ name: {name} }}\nspec:\n  accountName: Client \
         {name}\n  notificationEmail: dns+{name}@agency.example\n  members: [jane@{name}.example]\n"
    )
}

fn commit(folder: &Path, message: &str) {
    git(folder, &["add", "-A"]);
    git(folder, &["commit", "-q", "--allow-empty", "-m", message]);
}

/// A repository with a folder of four clients: three by the defaults, one with a plan of its own.
async fn repository() -> World {
    let world = World::new(&[]).await;
    world.write("clients/defaults.yaml", DEFAULTS);
    world.write("clients/groups.yaml", &group("pat@agency.example"));
    for name in ["acme", "beta", "gamma"] {
        world.write(&format!("clients/{name}.yaml"), &plain(name));
    }
    world.write("clients/solo/defaults.yaml", &DEFAULTS.replace("teams, memberGroups: [on-call]", "solo"));
    world.write("clients/solo/delta.yaml", &plain("delta").replace("[jane@delta.example]", "[]"));
    git(world.path(), &["init", "-q", "--initial-branch=main"]);
    commit(world.path(), "first");
    git(world.path(), &["checkout", "-q", "-b", "branch"]);
    world
}

/// The clients that a plan is for, and its notices.
async fn planned(world: &World, args: &[&str]) -> (Vec<String>, Vec<String>) {
    let args = [&["plan", "clients", "-o", "json"][..], args].concat();
    let json = world.run(&args).await.expect(0).json();
    let texts = |list: &str, field: &str| {
        let list = json[list].as_array().unwrap().iter();
        list.map(|one| one[field].as_str().unwrap().to_owned()).collect()
    };
    (texts("accounts", "name"), texts("notices", "message"))
}

async fn changed(world: &World) -> (Vec<String>, Vec<String>) {
    planned(world, &["--changed-since", "main"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_touched_by_its_own_manifest_by_defaults_and_by_groups() {
    let world = repository().await;
    assert_eq!(changed(&world).await, (vec![], vec![]), "nothing was changed");

    world.write("clients/beta.yaml", &format!("# a comment\n{}", plain("beta")));
    assert_eq!(changed(&world).await.0, Vec::<String>::new(), "a comment changes nothing that is wanted");
    world.write("clients/beta.yaml", &plain("beta").replace("jane@", "joe@"));
    assert_eq!(changed(&world).await.0, ["beta"], "in the working tree");
    commit(world.path(), "beta");
    assert_eq!(changed(&world).await.0, ["beta"], "and committed");

    world.write("clients/solo/defaults.yaml", &DEFAULTS.replace("teams, memberGroups: [on-call]", "business"));
    assert_eq!(changed(&world).await.0, ["beta", "delta"], "by the defaults of its folder");
    world.write("clients/groups.yaml", &group("kim@agency.example"));
    assert_eq!(changed(&world).await.0, ["acme", "beta", "delta", "gamma"], "by its group");
    world.write("clients/groups.yaml", &group("pat@agency.example"));
    world.write("clients/new.yaml", &plain("new"));
    assert_eq!(changed(&world).await.0, ["beta", "delta", "new"], "new ones");

    // What happened on main since is not the branch's.
    commit(world.path(), "branch");
    git(world.path(), &["checkout", "-q", "main"]);
    world.write("clients/gamma.yaml", &plain("gamma").replace("jane@", "joe@"));
    commit(world.path(), "main goes on");
    git(world.path(), &["checkout", "-q", "branch"]);
    assert_eq!(changed(&world).await.0, ["beta", "delta", "new"]);
    assert_eq!(planned(&world, &["--changed-since", "main", "--only", "beta,gamma"]).await.0, ["beta"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_is_gone_is_told_of_and_an_offboarding_means_everybody() {
    let world = repository().await;
    std::fs::remove_file(world.path().join("clients/beta.yaml")).unwrap();
    let (clients, notices) = changed(&world).await;
    assert_eq!(clients, Vec::<String>::new());
    assert_eq!(notices, ["has no manifest any more: its account stays as it is, unmanaged"]);

    world.write("clients/left.yaml", &offboarding("lee@old.example"));
    let (clients, notices) = changed(&world).await;
    assert_eq!(clients, ["acme", "delta", "gamma"]);
    assert_eq!(
        notices,
        [
            "has no manifest any more: its account stays as it is, unmanaged",
            "who is offboarded has changed, so every client is planned"
        ]
    );
    commit(world.path(), "left");
    git(world.path(), &["checkout", "-q", "-B", "main"]);
    git(world.path(), &["checkout", "-q", "-b", "later"]);
    world.write("clients/left.yaml", &format!("# a word more\n{}", offboarding("lee@old.example")));
    assert_eq!(changed(&world).await, (vec![], vec![]), "the same people leave");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_hold_before_counts_as_touched_and_what_is_not_followed_means_everybody() {
    let world = repository().await;
    world.write("clients/acme.yaml", "spec: [\n");
    std::os::unix::fs::symlink("/etc/passwd", world.path().join("clients/.hidden.yaml")).unwrap();
    commit(world.path(), "broken");
    git(world.path(), &["checkout", "-q", "-B", "main"]);
    git(world.path(), &["checkout", "-q", "-b", "mended"]);
    world.write("clients/acme.yaml", &plain("acme"));
    let clients = changed(&world).await.0;
    assert!(clients.contains(&"acme".to_owned()) && !clients.contains(&"delta".to_owned()), "{clients:?}");

    std::os::unix::fs::symlink("solo", world.path().join("clients/more")).unwrap();
    commit(world.path(), "a link");
    git(world.path(), &["checkout", "-q", "-B", "main"]);
    git(world.path(), &["checkout", "-q", "-b", "linked"]);
    let (clients, notices) = changed(&world).await;
    assert_eq!(clients, ["acme", "beta", "delta", "gamma"]);
    assert_eq!(
        notices,
        [
            "the earlier revision has 1 symbolic link or submodule among its manifests, which are not followed, so every \
          client is planned"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_that_cannot_be_read_is_an_error_with_what_to_do() {
    let world = repository().await;
    let tried = async |folder: &Path, reference: &str| {
        let mut command = world.command(&["plan", "clients", &format!("--changed-since={reference}")]);
        command.current_dir(folder);
        tokio::task::spawn_blocking(move || Done::from(command.output().unwrap())).await.unwrap().expect(1).stderr
    };
    let here = world.path();
    insta::assert_snapshot!(tried(here, "origin/main").await, @r#"
    Error: the revision `origin/main` is not in this repository
    Hint: fetch it: git fetch origin main; then it is called origin/main
    "#);
    insta::assert_snapshot!(tried(here, "--upload-pack=touch pwned").await, @r#"
    Error: `--upload-pack=touch pwned` is not the name of a revision
    Hint: name a branch, a tag or a commit, such as origin/main
    "#);
    insta::assert_snapshot!(tried(here, "-x").await, @r#"
    Error: `-x` is not the name of a revision
    Hint: name a branch, a tag or a commit, such as origin/main
    "#);
    insta::assert_snapshot!(tried(here, "main\n").await, @r#"
    Error: `main\u{a}` is not the name of a revision
    Hint: name a branch, a tag or a commit, such as origin/main
    "#);
    insta::assert_snapshot!(tried(here, "main:clients").await, @r#"
    Error: the revision `main:clients` is not in this repository
    Hint: fetch it: git fetch origin main; then it is called origin/main
    "#);
    assert!(!here.join("pwned").exists());

    git(here, &["checkout", "-q", "--orphan", "stranger"]);
    commit(here, "another beginning");
    insta::assert_snapshot!(tried(here, "main").await, @r#"
    Error: `main` and HEAD have no common ancestor here
    Hint: name a branch that this one began at
    "#);

    let shallow = tempfile::tempdir().unwrap();
    let origin = format!("file://{}", here.display());
    git(here, &["checkout", "-q", "branch"]);
    commit(here, "second");
    git(shallow.path(), &["clone", "-q", "--depth", "1", "--branch", "branch", &origin, "."]);
    insta::assert_snapshot!(tried(shallow.path(), "main").await, @r#"
    Error: the revision `main` is not in this repository
    Hint: this is a shallow clone: fetch more of its history (git fetch --unshallow origin); actions/checkout needs fetch-depth: 0
    "#);
    insta::assert_snapshot!(tried(shallow.path(), "origin/branch~1").await, @r#"
    Error: the revision `origin/branch~1` is not in this repository
    Hint: this is a shallow clone: fetch more of its history (git fetch --unshallow origin); actions/checkout needs fetch-depth: 0
    "#);

    let partial = tempfile::tempdir().unwrap();
    git(here, &["config", "uploadpack.allowFilter", "true"]);
    world.write("clients/beta.yaml", &plain("beta").replace("jane@", "joe@"));
    commit(here, "third");
    git(partial.path(), &["clone", "-q", "--filter=blob:none", "--branch", "branch", &origin, "."]);
    insta::assert_snapshot!(tried(partial.path(), "origin/main").await, @r#"
    Error: the repository lacks an object of the earlier revision
    Hint: this is a partial clone: fetch everything (git fetch --refetch --no-filter origin)
    "#);

    let outside = tempfile::tempdir().unwrap();
    std::fs::create_dir(outside.path().join("clients")).unwrap();
    insta::assert_snapshot!(tried(outside.path(), "main").await, @r#"
    Error: clients is not in a Git repository that can be read
    Caused by: looking for the repository failed: fatal: not a git repository (or any of the parent directories): .git
    Hint: name a folder in the working tree of a repository, which belongs to the user who runs this
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_repository_configures_is_run() {
    let world = repository().await;
    let evil = world.path().join("evil");
    std::fs::write(&evil, format!("#!/bin/sh\ntouch {}\n", world.path().join("pwned").display())).unwrap();
    std::fs::set_permissions(&evil, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let evil = evil.display().to_string();
    for (name, value) in [
        ("core.fsmonitor", evil.as_str()),
        ("core.pager", &evil),
        ("diff.external", &evil),
        ("filter.evil.smudge", &evil),
        ("filter.evil.clean", &evil),
        ("core.sshCommand", &evil),
        ("alias.ls-tree", &format!("!{evil}")),
        ("remote.origin.url", &format!("ext::{evil}")),
        ("remote.origin.promisor", "true"),
        ("extensions.partialClone", "origin"),
    ] {
        git(world.path(), &["config", name, value]);
    }
    world.write(".gitattributes", "*.yaml filter=evil diff=evil\n");
    world.write("clients/beta.yaml", &plain("beta").replace("jane@", "joe@"));
    assert_eq!(changed(&world).await.0, ["beta"]);
    assert!(!world.path().join("pwned").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_client_is_an_error_that_names_the_nearest() {
    let world = repository().await;
    assert_eq!(planned(&world, &["--only", "gamma", "--only", "acme"]).await.0, ["acme", "gamma"]);
    let wrong = world.run(&["plan", "clients", "--only", "acme,btea"]).await.expect(1);
    assert_eq!(wrong.stderr, "Error: no manifest is named `btea`\nHint: did you mean beta?\n");
    let wrong = world.run(&["apply", "clients", "--yes", "--only", "\u{1b}[31m"]).await.expect(1);
    assert_eq!(
        wrong.stderr,
        "Error: no manifest is named `\\u{1b}[31m`\nHint: --only takes a client's metadata.name; bursar render lists \
         them\n"
    );
    world.run(&["apply", "clients", "--yes", "--only", "delta"]).await.expect(0);
    assert_eq!(world.ledger().await.count("accounts_created"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_is_for_the_clients_that_it_was_made_for() {
    let world = repository().await;
    world.run(&["plan", "clients", "--only", "delta", "--out", "plan.json"]).await.expect(0);
    let beside = world.run(&["apply", "plan.json", "--yes", "--only", "acme"]).await.expect(1);
    assert!(
        beside.stderr.starts_with("Error: a saved plan says itself which clients it is for\n"),
        "{}",
        beside.stderr
    );
    world.run(&["apply", "plan.json", "--yes"]).await.expect(0);
    assert_eq!(world.ledger().await.count("accounts_created"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_to_leave_a_client_that_is_left_out_is_told_of() {
    let world = World::new(&["lee@old.example"]).await;
    for name in ["acme", "beta", "gamma"] {
        world.client(name, &["lee@old.example"]);
    }
    world.run(&["apply", "--yes"]).await.expect(0);
    for name in ["acme", "beta", "gamma"] {
        world.write(&format!("{name}.yaml"), &manifest(name, &[]));
    }
    world.write("left.yaml", &offboarding("lee@old.example"));
    let plan = world.run(&["plan", "--only", "acme", "-o", "json"]).await.expect(0).json();
    assert_eq!(plan["summary"]["remove_member"], 1);
    assert_eq!(
        plan["notices"][0]["message"],
        "1 person is to be offboarded from 2 clients that this plan leaves out, and stay there until a plan without \
         the choice of clients is carried out"
    );
    assert_eq!(world.run(&["plan", "-o", "json"]).await.expect(0).json()["notices"].as_array().unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn github_gets_annotations_the_summary_and_the_outputs() {
    let world = repository().await;
    let (summary, output) = (world.path().join("summary"), world.path().join("output"));
    std::fs::write(&summary, "before\n").unwrap();
    std::fs::write(&output, "other=1\n").unwrap();
    let run = async |extra: &[&str]| {
        let mut command = world.command(&[&["plan", "clients", "-o", "github"][..], extra].concat());
        command.env("GITHUB_STEP_SUMMARY", &summary).env("GITHUB_OUTPUT", &output);
        tokio::task::spawn_blocking(move || Done::from(command.output().unwrap())).await.unwrap()
    };
    let done = run(&["--only", "delta", "--detailed-exitcode"]).await.expect(2);
    insta::assert_snapshot!(done.stdout, @r#"::notice title=bursar plan::Plan: 1 to create, 1 to subscribe; 2 requests.%0AList price a month in USD: 0.00 now, 0.00 after, 0.00"#);
    assert_eq!(done.stderr, "");
    let said = std::fs::read_to_string(&summary).unwrap();
    assert!(said.starts_with("before\n<!-- bursar plan -->\n### bursar plan\n"), "{said}");
    let outputs = std::fs::read_to_string(&output).unwrap();
    let (lines, comment) = outputs.split_once("comment<<").unwrap();
    let (delimiter, comment) = comment.split_once('\n').unwrap();
    assert!(comment.ends_with(&format!("\n{delimiter}\n")), "{outputs}");
    let digest = lines.lines().find_map(|line| line.strip_prefix("digest=")).unwrap();
    insta::assert_snapshot!(lines.replace(digest, "[digest]"), @r#"
    other=1
    digest=[digest]
    changes=true
    exit_code=2
    removals=0
    cancellations=0
    full_access=0
    waiting=0
    blocked=0
    manual=0
    rails=0
    monthly_before=0.00
    monthly_after=0.00
    monthly_delta=0.00
    "#);

    std::fs::write(&summary, vec![b'x'; (1 << 20) - 10]).unwrap();
    let full = run(&[]).await.expect(0);
    assert!(full.stderr.contains("summary is full"), "{}", full.stderr);
    assert_eq!(std::fs::metadata(&summary).unwrap().len(), (1 << 20) - 10);

    world.write("clients/acme.yaml", "spec: [\n");
    let strict = run(&["--strict"]).await.expect(1);
    insta::assert_snapshot!(strict.stdout, @r#"
    ::error title=There is no plan::some manifests do not hold, and --strict refuses the rest, too; nothing was done
    ::error file=clients/acme.yaml,line=1,col=7,title=BUR0010%3A Not valid YAML::not valid YAML: unclosed bracket '['%0Atext that holds `: `, ` #` or begins with one of `{}[]&*!|>'"%25@` and the backtick needs quotes
    "#);
    let alone = Done::from(
        bursar(&["plan", "-o", "github", "--sandbox", "clients/solo"]).current_dir(world.path()).output().unwrap(),
    );
    assert!(alone.expect(0).stdout.starts_with("::"), "without the files there are annotations");
}
