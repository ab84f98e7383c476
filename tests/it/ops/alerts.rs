//! The alert rules: every metric that they name is one that a daemon serves.

use std::collections::BTreeSet;
use std::path::Path;

use super::{SOON, Served};
use crate::support::{World, eventually};

/// The names of our metrics in a text.
fn names(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    text.match_indices("bursar_")
        .filter(|(at, _)| !text[..*at].ends_with(is_part))
        .map(|(at, _)| text[at..].chars().take_while(|c| is_part(*c)).collect())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_of_the_rules_and_of_the_manual_is_served() {
    let world = World::with(bursar::sandbox::Options::default()).await;
    world.client("acme", &["jane@acme.example"]);
    let git = |args: &[&str]| {
        assert!(std::process::Command::new("git").current_dir(world.path()).args(args).status().unwrap().success());
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["-c", "user.name=x", "-c", "user.email=x@y.example", "commit", "-q", "-m", "first"]);
    let mut served = Served::start(&world, &["--notify", "http://127.0.0.1:9/"]);
    served.daemon.wait_for("AwaitingSignup", SOON);
    eventually("a pass is counted", SOON, || async { served.get("/metrics").await.1.contains("bursar_pass_duration") })
        .await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| std::fs::read_to_string(root.join(file)).unwrap();
    let metrics = served.get("/metrics").await.1;
    let known: BTreeSet<String> = names(&metrics);
    let rules = read("examples/deploy/alerts.yaml");
    let (ruled, told) = (names(&rules), names(&read("docs/operations.md")));
    assert!(ruled.len() > 8, "{ruled:?}");
    let unknown: Vec<_> = ruled.union(&told).filter(|name| !known.contains(*name)).collect();
    // Deliveries are counted once there are any.
    assert_eq!(unknown, ["bursar_deliveries_total"], "{known:?}");
    let family = |name: &String| name.trim_end_matches("_total").trim_end_matches("_info").to_owned();
    let documented: BTreeSet<String> = told.iter().map(family).collect();
    let families = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let untold: Vec<&str> = families.filter(|name| !documented.contains(*name)).collect();
    assert_eq!(untold, ["bursar_build"; 0], "not in docs/operations.md");
    let parsed: serde_json::Value = serde_yaml::from_str(&rules).unwrap();
    for rule in parsed["groups"][0]["rules"].as_array().unwrap() {
        for key in ["alert", "expr", "for"] {
            assert!(rule[key].is_string(), "{rule}");
        }
        assert!(rule["annotations"]["summary"].is_string() && rule["labels"]["severity"].is_string(), "{rule}");
    }
}
