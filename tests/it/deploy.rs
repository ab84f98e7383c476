//! The deployment examples: the commands and the list of fleets that they hold are ones that
//! this program takes.

use std::path::Path;
use std::time::Duration;

use crate::support::{Running, World, bursar, manifest};

const SOON: Duration = Duration::from_secs(20);

fn example(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/deploy").join(file)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fleets_of_the_example_run_with_their_own_manifests_and_tokens() {
    let (world, other) = (World::new(&[]).await, World::new(&[]).await);
    let mut config = example("fleets.yaml");
    for api in [world.sandbox.api_url(), other.sandbox.api_url()] {
        config = config.replacen("https://api.dnsimple.com/v2", &api, 1);
    }
    for fleet in ["north", "south"] {
        world.write(&format!("manifests/{fleet}/clients.yaml"), &manifest(fleet, &[]));
        world.write(&format!("secrets/{fleet}"), world.sandbox.token());
        let secret = world.path().join("secrets").join(fleet);
        std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
    let here = world.path().display();
    config = config.replace("/manifests", &format!("{here}/manifests"));
    config = config.replace("/run/secrets/bursar", &format!("{here}/secrets"));
    world.write("fleets.yaml", &config);
    let kubernetes = example("kubernetes.yaml");
    let args = kubernetes.lines().find_map(|line| line.trim().strip_prefix("args: [")).expect("a command");
    let args: Vec<&str> = args.trim_end_matches(']').split(", ").collect();
    assert_eq!(args, ["run", "--config", "/etc/bursar/fleets.yaml", "--listen", "\"0.0.0.0:8080\""]);
    let mut command = bursar(&["run", "--config", "fleets.yaml", "--listen", "0.0.0.0:0"]);
    command.current_dir(world.path());
    let mut daemon = Running::start(command);
    for fleet in ["north", "south"] {
        daemon.wait_for(&format!("{fleet}: in sync"), SOON);
    }
    for world in [&world, &other] {
        assert_eq!(world.ledger().await.count("accounts_created"), 1, "each fleet its own");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_token_is_one_fleet() {
    let world = World::new(&[]).await;
    world.write("token", world.sandbox.token());
    std::fs::set_permissions(world.path().join("token"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut config = "fleets:\n".to_owned();
    for fleet in ["north", "south"] {
        world.write(&format!("{fleet}/clients.yaml"), &manifest(fleet, &[]));
        let api = world.sandbox.api_url();
        config += &format!("  - {{ name: {fleet}, paths: [{fleet}], apiUrl: \"{api}\", tokenFile: token }}\n");
    }
    world.write("fleets.yaml", &config);
    let mut command = bursar(&["run", "--config", "fleets.yaml"]);
    command.current_dir(world.path());
    let mut daemon = Running::start(command);
    daemon.wait_for("have one token", SOON);
    daemon.wait_for(": in sync", SOON);
    assert_eq!(world.ledger().await.count("accounts_created"), 1, "one of them goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_of_the_unit_runs() {
    let world = World::new(&[]).await;
    world.write("clients/acme.yaml", &manifest("acme", &[]));
    world.write("token", world.sandbox.token());
    std::fs::set_permissions(world.path().join("token"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let unit = example("bursar.service");
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/bursar ")).expect("a command");
    let words = start.replace("/srv/", "").replace("/var/lib/bursar/", "state/");
    let words: Vec<&str> = words.split(' ').collect();
    assert_eq!(words, ["run", "clients", "--journal", "state/journal.db"]);
    let mut command = bursar(&words);
    command.current_dir(world.path()).env("BURSAR_TOKEN_FILE", "token").env("BURSAR_API_URL", world.sandbox.api_url());
    let mut daemon = Running::start(command);
    daemon.wait_for("acme: in sync", SOON);
    assert!(world.path().join("state/journal.db").exists());
    let (_, code, _) = daemon.stop();
    assert_eq!(code, 0);
}
