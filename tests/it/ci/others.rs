//! GitLab's pipeline, and the hooks before a commit.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::runner::{Forge, plain};
use crate::support::{World, manifest};

/// The commands of a job of the pipeline, as one script: GitLab runs them in one shell that
/// ends at the first that fails.
fn script(pipeline: &Value, job: &str) -> String {
    let lines = pipeline[job]["script"].as_array().unwrap_or_else(|| panic!("no job {job}"));
    lines.iter().map(|line| line.as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

/// Runs a job in a fresh clone at a commit. What is protected is there for the main branch alone.
fn job(forge: &Forge, world: &World, name: &str, sha: &str, base: Option<&str>) -> (bool, String, std::path::PathBuf) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ci/gitlab/.gitlab-ci.yml");
    let pipeline = plain(&std::fs::read_to_string(file).unwrap());
    let folder = tempfile::tempdir_in(forge.path()).unwrap().keep();
    let origin = format!("file://{}", forge.path().join("origin.git").display());
    forge.git(&folder, &["clone", "--quiet", &origin, "."]);
    forge.git(&folder, &["checkout", "--quiet", "--detach", sha]);
    // The push that records a snapshot goes to the forge by its address there.
    let script = script(&pipeline, name).replace("$CI_SERVER_URL/$CI_PROJECT_PATH.git", &origin);
    let mut command = Command::new("bash");
    command.args(["-eo", "pipefail", "-c", &script]).current_dir(&folder).env_clear();
    let bin = Path::new(env!("CARGO_BIN_EXE_bursar")).parent().unwrap();
    command.env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()));
    command.env("CI", "true").env("CI_SERVER_URL", "https://gitlab.example").env("HOME", forge.path().join("home"));
    for (name, value) in pipeline["variables"].as_object().unwrap() {
        command.env(name, value.as_str().unwrap());
    }
    match base {
        Some(base) => command.env("CI_MERGE_REQUEST_DIFF_BASE_SHA", base),
        None => command
            .env("BURSAR_API_URL", world.sandbox.api_url())
            .env("BURSAR_TOKEN", world.sandbox.token())
            .env("BURSAR_JOURNAL", &forge.journal),
    };
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned(), folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_request_on_gitlab_is_checked_planned_merged_applied_and_looked_after() {
    let world = World::new(&["jane@acme.example", "pat@agency.example"]).await;
    let forge = Forge::new(&world).await;
    forge.init();
    forge.write("clients/acme.yaml", &manifest("acme", &["jane@acme.example"]));
    let main = forge.push("main", "A client");
    for name in ["validate", "apply", "drift", "snapshot"] {
        let (passed, said, _) = job(&forge, &world, name, &main, None);
        assert!(passed, "{name}: {said}");
    }
    forge.git(&forge.clone_folder(), &["checkout", "--quiet", "-b", "pat"]);
    forge.write("clients/acme.yaml", &manifest("acme", &["jane@acme.example", "pat@agency.example"]));
    let proposal = forge.push("pat", "Pat");
    let requests = world.ledger().await.requests();
    for name in ["validate", "plan"] {
        let (passed, said, folder) = job(&forge, &world, name, &proposal, Some(&main));
        assert!(passed, "{name}: {said}");
        if name == "plan" {
            let comment = std::fs::read_to_string(folder.join("plan.md")).unwrap();
            assert!(comment.contains("add p***@agency.example#"), "{comment}");
        }
    }
    assert_eq!(world.ledger().await.requests(), requests, "a merge request has no token");
    let merge = forge.merge();
    let (passed, said, _) = job(&forge, &world, "drift", &merge, None);
    assert!(!passed && said.contains("p***@agency.example#"), "not applied yet: {said}");
    let (passed, said, _) = job(&forge, &world, "apply", &merge, None);
    assert!(passed, "{said}");
    assert!(world.members().await["Client acme"].contains(&"pat@agency.example".to_owned()));
    assert!(job(&forge, &world, "drift", &merge, None).0, "and then they agree");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_with_a_mistake_is_not_made() {
    let world = World::new(&[]).await;
    let forge = Forge::new(&world).await;
    let clone = forge.clone_folder();
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ci/pre-commit");
    std::fs::copy(recipes.join("pre-commit"), clone.join(".git/hooks/pre-commit")).unwrap();
    let bursar = forge.path().join("bin/bursar");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_bursar"), bursar).unwrap();
    forge.write("clients/acme.yaml", &manifest("acme", &[]));
    forge.push("main", "Holds");
    forge.write("clients/acme.yaml", &manifest("acme", &[]).replace("plan:", "paln:"));
    forge.git(&clone, &["add", "--all"]);
    // What is staged is checked, whatever lies in the working tree.
    forge.write("clients/acme.yaml", &manifest("acme", &[]));
    let refused = forge.command("git", &clone).args(["commit", "-m", "Does not hold"]).output().unwrap();
    assert!(!refused.status.success());
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("paln") && said.contains("did you mean `plan`"), "{said}");
    forge.write("README.md", "Clients.\n");
    forge.git(&clone, &["reset", "--quiet"]);
    forge.push("main", "Nothing of the manifests");

    let config = plain(&std::fs::read_to_string(recipes.join(".pre-commit-config.yaml")).unwrap());
    let entry = config["repos"][0]["hooks"][0]["entry"].as_str().unwrap();
    let run = forge.command("bash", &clone).args(["-c", entry]).status().unwrap();
    assert!(run.success(), "the entry is a command that runs: {entry}");
}
