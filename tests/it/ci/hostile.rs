//! What a hostile pull request could try against the recipes: the table in `docs/security.md`,
//! a test for each line that is not another test's.

use std::path::Path;

use serde_json::Value;

use super::runner::{Forge, Run, executable, plain};
use crate::support::{Done, World, bursar, manifest};

/// A forge with one applied client, and a branch that is checked out.
async fn forge(world: &World) -> (Forge, String) {
    let forge = Forge::new(world).await;
    forge.init();
    forge.write("clients/acme.yaml", &manifest("acme", &["jane@acme.example"]));
    let main = forge.push("main", "A client");
    let clients = forge.clone_folder().join("clients");
    world.run(&["apply", "--yes", "--journal", &forge.journal, clients.to_str().unwrap()]).await.expect(0);
    forge.git(&forge.clone_folder(), &["checkout", "--quiet", "-b", "evil"]);
    (forge, main)
}

/// Runs what a pull request with the branch's files starts: the check, then the plan.
fn proposed(forge: &Forge, main: &str) -> (Run, Run) {
    let head = forge.push("evil", "Nothing to see here");
    let event = Forge::event(main, &head);
    (forge.run("validate.yml", "validate", &head, &event), forge.run("plan.yml", "plan", main, &event))
}

fn recipe(name: &str) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ci/github").join(name);
    plain(&std::fs::read_to_string(file).unwrap())
}

#[test]
fn what_runs_a_pull_requests_own_copy_has_no_secret_and_what_has_one_runs_the_main_branchs() {
    let validate = recipe("validate.yml");
    assert!(validate["on"]["pull_request"].is_object());
    assert_eq!(validate["permissions"], serde_json::json!({"contents": "read"}));
    assert!(!validate.to_string().contains("secrets.") && validate["jobs"]["validate"]["environment"].is_null());
    for name in ["plan.yml", "apply.yml", "drift.yml", "snapshot.yml"] {
        assert!(recipe(name)["on"]["pull_request"].is_null(), "{name} has the token");
    }
    let plan = recipe("plan.yml");
    assert_eq!(plan["permissions"], serde_json::json!({}));
    let steps = plan["jobs"]["plan"]["steps"].as_array().unwrap();
    let (checkout, rest) = steps.split_first().unwrap();
    assert_eq!(checkout["with"]["path"], "proposed", "beside, as data");
    assert_eq!(checkout["with"]["persist-credentials"], false);
    for step in rest {
        let run = step["run"].as_str().expect("no action takes what was proposed");
        assert!(!run.contains("proposed"), "nothing of it is run: {run}");
        let with_token = step["env"].to_string().contains("secrets.");
        assert!(!with_token || run.starts_with("bursar plan "), "the token is for a dry run alone: {run}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_gets_no_live_plan() {
    let world = World::new(&["jane@acme.example"]).await;
    let (forge, main) = forge(&world).await;
    forge.write("clients/acme.yaml", &manifest("acme", &[]));
    let head = forge.push("evil", "From a fork");
    let requests = world.ledger().await.requests();
    let mut event = Forge::event(&main, &head);
    event[2].1 = "somebody/clients";
    assert_eq!(forge.run("plan.yml", "plan", &main, &event).log, "not run");
    assert_eq!(world.ledger().await.requests(), requests);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_ours_and_programs_among_the_manifests_change_nothing() {
    let world = World::new(&["jane@acme.example", "pat@agency.example"]).await;
    let (forge, main) = forge(&world).await;
    forge.write("clients/acme.yaml", &manifest("acme", &["jane@acme.example", "pat@agency.example"]));
    proposed(&forge, &main).1.expect(true);
    let honest = forge.comments();
    forge.write(
        "clients/policy.yaml",
        "apiVersion: bursar.dev/v1\nkind: Policy\nspec: { maxCreates: none, allowRemovals: true }\n",
    );
    forge.write("bursar.lock", "journal: 00000000-0000-0000-0000-000000000000\n");
    forge.write(".env", "BURSAR_API_URL=https://evil.example/v2\nBURSAR_MAX_CREATES=none\n");
    forge.write(".bursar/journal.db", "not a journal");
    for program in ["bursar", "clients/bursar", "git", "gh"] {
        executable(&forge.clone_folder().join(program), "#!/bin/sh\ntouch \"$RUNNER_TEMP/../../pwned\"\n");
    }
    let (_, plan) = proposed(&forge, &main);
    assert!(plan.log.contains("BUR0006"), "it is told: {}", plan.log);
    assert_eq!(forge.comments(), honest, "the same plan, of the same digest");
    assert!(!forge.path().join("pwned").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_code_stay_names() {
    let world = World::new(&["jane@acme.example"]).await;
    let (forge, main) = forge(&world).await;
    let names = [
        "```\\n# merged\\n@everyone",
        "<img src=x onerror=alert(1)> ![](https://evil.example/beacon)",
        "a | b | c",
        "::error file=x::set-output name=digest::no",
        "%0A::add-mask::a",
    ];
    for (n, name) in names.iter().enumerate() {
        let client = manifest(&format!("evil{n}"), &[]).replace(&format!("Client evil{n}"), &format!("\"{name}\""));
        forge.write(&format!("clients/evil{n}.yaml"), &client);
    }
    let (checked, plan) = proposed(&forge, &main);
    for log in [&checked.log, &plan.log] {
        for line in log.lines().filter(|line| line.starts_with("::")) {
            let command = line[2..].split([' ', ':']).next().unwrap();
            assert!(["error", "warning", "notice"].contains(&command), "a command of theirs: {line}");
            assert!(!line.starts_with("::error file=x"), "a command of theirs: {line}");
        }
    }
    let comments = forge.comments();
    let comment = comments.first().expect("a comment");
    let mut fence = None::<String>;
    for line in comment.lines() {
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        match &fence {
            None if ticks.len() >= 3 && !line[ticks.len()..].contains('`') => fence = Some(ticks),
            Some(open) if line.trim_end() == open => fence = None,
            Some(_) => {}
            None => {
                let outside: String = line.split('`').step_by(2).collect();
                assert!(!outside.contains("<img") && !outside.contains("@everyone"), "outside of code: {line}");
                assert!(!outside.contains("evil.example"), "outside of code: {line}");
            }
        }
    }
    assert_eq!(fence, None, "every fence ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_out_of_the_folder_show_nothing() {
    let world = World::new(&["jane@acme.example"]).await;
    let (forge, main) = forge(&world).await;
    std::fs::write(forge.path().join("secret"), "SECRET-CONTENT: yes\n").unwrap();
    for (link, to) in [
        ("environ.yaml", "/proc/self/environ".to_owned()),
        ("secret.yaml", forge.path().join("secret").display().to_string()),
        ("loop.yaml", "loop.yaml".to_owned()),
        ("outside", "/etc".to_owned()),
    ] {
        std::os::unix::fs::symlink(to, forge.clone_folder().join("clients").join(link)).unwrap();
    }
    let (checked, plan) = proposed(&forge, &main);
    for run in [&checked, &plan] {
        assert!(!run.passed, "a link is an error: {}", run.log);
        let all = format!("{}{}{}", run.log, run.summary, forge.comments().join(""));
        assert!(!all.contains("SECRET-CONTENT") && !all.contains("BURSAR_TOKEN="), "{all}");
        assert!(!all.contains(world.sandbox.token()), "{all}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn file_names_are_no_commands_and_no_options() {
    let world = World::new(&["jane@acme.example"]).await;
    let (forge, main) = forge(&world).await;
    for (n, name) in ["--out=pwned.yaml", "x\n::error::theirs.yaml", "\u{1b}[31mred.yaml"].iter().enumerate() {
        forge.write(&format!("clients/{name}"), &manifest(&format!("evil{n}"), &[]));
    }
    let (checked, plan) = proposed(&forge, &main);
    for run in [&checked, &plan] {
        assert!(!run.log.lines().any(|line| line.starts_with("::error::theirs")), "{}", run.log);
        assert!(!run.log.contains('\u{1b}'), "{}", run.log.escape_debug());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_comment_of_our_own_is_updated() {
    let world = World::new(&["jane@acme.example", "pat@agency.example"]).await;
    let (forge, main) = forge(&world).await;
    forge.comment("mallory", "<!-- bursar plan -->\nNothing to do.");
    forge.write("clients/acme.yaml", &manifest("acme", &["jane@acme.example", "pat@agency.example"]));
    proposed(&forge, &main);
    let comments = forge.comments();
    assert_eq!(comments.len(), 2);
    assert_eq!(comments[0], "<!-- bursar plan -->\nNothing to do.", "theirs stays theirs");
    assert!(comments[1].contains("p***@agency.example#"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_in_the_pull_request_is_not_the_one_that_is_read() {
    let world = World::new(&["jane@acme.example", "pat@agency.example"]).await;
    let (forge, main) = forge(&world).await;
    forge.run("snapshot.yml", "snapshot", &main, &[]).expect(true);
    let other = World::new(&[]).await;
    let theirs = other.run(&["snapshot"]).await.expect(0).stdout;
    forge.write("snapshot.json", &theirs);
    forge.write("clients/snapshot.json", &theirs);
    forge.write("clients/acme.yaml", &manifest("acme", &["jane@acme.example", "pat@agency.example"]));
    let (checked, _) = proposed(&forge, &main);
    let checked = checked.expect(true);
    assert!(checked.summary.contains("p***@agency.example#"), "{}", checked.summary);
    assert!(!checked.summary.contains("create the account"), "acme is there: {}", checked.summary);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_manifest_at_all_takes_nothing_away() {
    let world = World::new(&["jane@acme.example"]).await;
    let (forge, main) = forge(&world).await;
    std::fs::remove_file(forge.clone_folder().join("clients/acme.yaml")).unwrap();
    forge.write("clients/README.md", "Nobody.\n");
    let (_, plan) = proposed(&forge, &main);
    let comments = forge.comments();
    let comment = comments.first().unwrap_or_else(|| panic!("{}", plan.log));
    assert!(!comment.contains("- remove") && !comment.contains("cancel the subscription"), "{comment}");
    assert!(comment.contains("acme"), "and it says who is not managed any more: {comment}");
    let head = forge.merge();
    let applied = forge.run("apply.yml", "plan", &head, &[]);
    assert_eq!(applied.outputs["changes"], "false", "{}", applied.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repositorys_own_configuration_runs_nothing() {
    let world = World::new(&["jane@acme.example"]).await;
    let (forge, _) = forge(&world).await;
    let clone = forge.clone_folder();
    let evil = forge.path().join("evil.sh");
    let marker = forge.path().join("pwned");
    executable(&evil, &format!("#!/bin/sh\ntouch {}\ncat\n", marker.display()));
    let evil = evil.to_str().unwrap();
    let keys =
        ["core.fsmonitor", "core.pager", "diff.external", "core.sshCommand", "filter.evil.smudge", "filter.evil.clean"];
    for key in keys {
        forge.git(&clone, &["config", key, evil]);
    }
    executable(&clone.join(".git/hooks/post-checkout"), &format!("#!/bin/sh\ntouch {}\n", marker.display()));
    forge.write(".gitattributes", "* filter=evil diff=evil\n");
    forge.write("clients/acme.yaml", &manifest("acme", &[]));
    let clients = clone.join("clients");
    let plan = world.run(&["plan", clients.to_str().unwrap(), "--changed-since", "main"]).await.expect(0);
    assert!(plan.stdout.contains("acme") || plan.stdout.contains("Nothing"), "{}", plan.stdout);
    assert!(!marker.exists(), "a program of the repository's ran");
    for base in ["--upload-pack=touch pwned", "-c", "main;touch pwned", "main\n", "@{upstream"] {
        let refused =
            world.run(&["plan", clients.to_str().unwrap(), &format!("--changed-since={base}")]).await.expect(1);
        assert!(refused.stderr.starts_with("Error: ") || refused.stderr.starts_with("error: "), "{}", refused.stderr);
    }
    assert!(!marker.exists() && !clone.join("pwned").exists());
}

#[test]
fn validating_needs_no_token_and_no_home() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("acme.yaml"), manifest("acme", &[])).unwrap();
    let checked = bursar(&["validate", "-o", "github"]).current_dir(folder.path()).output().unwrap();
    assert_eq!(Done::from(checked).code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_gives_the_runner_a_command_in_what_is_shown_as_text() {
    let world = World::new(&["jane@acme.example"]).await;
    let hostile = |client: &str, name: &str| {
        manifest(client, &["jane@acme.example"]).replace(&format!("Client {client}"), &format!("\"{name}\""))
    };
    world.write("clients/acme.yaml", &hostile("acme", "x ##[stop-commands]zz"));
    world.write("clients/beta.yaml", &hostile("beta", "::error::##[error]y"));
    world.write("clients/evil.yaml", &manifest("evil", &[]).replace("  members:", "  \"##[error]me\": 1\n  members:"));
    let run = async |args: &[&str]| {
        let mut command = world.command(args);
        command.env("GITHUB_ACTIONS", "true");
        tokio::task::spawn_blocking(move || Done::from(command.output().unwrap())).await.unwrap()
    };
    let plain = world.run(&["plan", "clients", "-o", "json"]).await;
    let json = run(&["plan", "clients", "-o", "json"]).await;
    assert_eq!(json.json(), plain.json(), "JSON means what it meant");
    let mut shown = vec![json];
    for args in [
        &["validate", "clients"][..],
        &["plan", "clients"],
        &["plan", "clients", "--diff"],
        &["plan", "clients", "-o", "markdown"],
        &["apply", "clients", "--yes"],
        &["--log-format", "json", "status", "clients"],
    ] {
        shown.push(run(args).await);
    }
    assert!(shown[2].stdout.contains("x # #[stop-commands]zz"), "{}", shown[2].stdout);
    for line in shown.iter().flat_map(|done| done.stdout.lines().chain(done.stderr.lines())) {
        assert!(!line.contains("##[") && !line.trim_start().starts_with("::"), "{line}");
    }
    assert!(world.members().await.contains_key("x ##[stop-commands]zz"), "only what is shown is another");
    // Our own annotations are commands still.
    let ours = run(&["validate", "clients", "-o", "github"]).await;
    assert!(ours.stdout.contains("\n::error file="), "{}", ours.stdout);
}
