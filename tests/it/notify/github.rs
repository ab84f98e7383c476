//! The status of a commit, at a server that is as strict as GitHub.

use std::time::Duration;

use super::receiver::{Answer, Got, Receiver};
use crate::support::{Running, World, commit, git};

const SOON: Duration = Duration::from_secs(30);

/// GitHub's rules for a status of a commit.
fn strict(got: &Got) -> Answer {
    let commit = got.path.strip_prefix("/repos/agency/clients/statuses/").unwrap_or_default();
    let is_commit = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    let state = got.body["state"].as_str().unwrap_or_default();
    let description = got.body["description"].as_str().unwrap_or_default();
    let bearer = got.headers.get("authorization").and_then(|value| value.to_str().ok());
    let agent = got.headers.contains_key("user-agent");
    Answer::Status(match () {
        () if bearer != Some("Bearer github-token") => 401,
        () if !agent => 403,
        () if !is_commit => 404,
        () if !["error", "failure", "pending", "success"].contains(&state) => 422,
        () if description.chars().count() > 140 || got.body["context"] != "bursar" => 422,
        () => 201,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_of_a_commits_state_is_told_once_by_githubs_rules() {
    use std::os::unix::fs::PermissionsExt as _;

    let github = Receiver::start(|_, got| strict(got)).await;
    let world = World::new(&["jane@acme.example"]).await;
    let manifest = crate::support::manifest("acme", &["jane@acme.example"]);
    world.write("clients/acme.yaml", &manifest);
    let clients = world.path().join("clients");
    git(&clients, &["init", "-q"]);
    let first = commit(&clients);
    world.write("token", "github-token\n");
    std::fs::set_permissions(world.path().join("token"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let args = [
        "run",
        "clients",
        "--interval",
        "1s",
        "--github-token-file",
        "token",
        "--github-repository",
        "agency/clients",
        "--github-api-url",
        &github.address,
    ];
    let mut daemon = Running::start(world.command(&args));
    daemon.wait_for("1 client: 1 in sync", SOON);
    github.wait_for(1, SOON).await;
    // The notification email is a member's, too: the last good version stays in force.
    let taken = "clash@agency.example";
    let edited =
        manifest.replace("dns+acme@agency.example", taken).replace("- jane@acme.example", &format!("- {taken}"));
    world.write("clients/acme.yaml", &edited);
    let second = commit(&clients);
    github.wait_for(2, SOON).await;
    daemon.stop();
    // The next start knows what was told.
    let mut daemon = Running::start(world.command(&args));
    daemon.wait_for("1 client:", SOON);
    daemon.stop();
    let told: Vec<String> = github
        .got()
        .iter()
        .map(|got| {
            let commit = got.path.rsplit('/').next().unwrap();
            let name = if commit == first {
                "FIRST"
            } else if commit == second {
                "SECOND"
            } else {
                commit
            };
            format!("{name} {} {}", got.body["state"], got.body["description"])
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    FIRST "success" "1 client: 1 in sync"
    SECOND "failure" "1 not as this commit says, which does not hold; 1 client: 1 in sync"
    "#);
}
