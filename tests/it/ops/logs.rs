//! Log lines: each line of a pass says of which fleet and commit it is, in both forms.

use serde_json::Value;

use super::{SOON, committed};
use crate::support::{Running, World, manifest};

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_a_pass_says_which_fleet_and_commit_it_is_of() {
    let world = World::new(&["jane@acme.example"]).await;
    world.write("clients/acme.yaml", &manifest("acme", &["jane@acme.example"]));
    let commit = committed(&world);
    let mut daemon = Running::start(world.command(&["--log-format", "json", "-v", "run", "clients"]));
    daemon.wait_for("1 client: 1 in sync", SOON);
    let (_, _, log) = daemon.stop();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_pass: Vec<&Value> = lines.iter().filter(|line| line["commit"].is_string()).collect();
    for line in &of_pass {
        assert_eq!(
            (line["commit"].as_str(), line["fleet"].as_str()),
            (Some(commit.as_str()), Some("default")),
            "{line}"
        );
        assert!(line["timestamp"].is_string() && line["level"].is_string() && line["message"].is_string(), "{line}");
    }
    for message in ["created account Client acme", "added jane@acme.example (full access)", "answered", "in sync"] {
        let line = of_pass.iter().find(|line| line["message"].as_str().unwrap().starts_with(message));
        let line = line.unwrap_or_else(|| panic!("`{message}` with its commit in {log}"));
        assert!(message == "answered" || line["client"] == "acme", "{line}");
    }

    world.write("clients/beta.yaml", &manifest("beta", &[]));
    let mut daemon = Running::start(world.command(&["run", "clients"]));
    daemon.wait_for("2 clients: 2 in sync", SOON);
    let (_, _, log) = daemon.stop();
    let made = log.lines().find(|line| line.contains("created account")).unwrap();
    assert!(made.ends_with(&format!("beta: created account Client beta commit={}-dirty", &commit[..12])), "{made}");
}
