//! docs/adopting.md: what it tells people to type, in order, on 300 accounts: no write, and no
//! more requests than it says.

use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::support::{Done, Running, World, unlimited, without_bulk};
use bursar::sandbox::Options;

const GUIDE: &str = include_str!("../../docs/adopting.md");
const ACCOUNTS: usize = 300;

/// The accounts of an agency, and manifests for them that a person wrote.
async fn agency(options: Options) -> World {
    let world = World::with(options).await;
    for n in 0..ACCOUNTS {
        let (name, email) = (format!("Client {n}"), format!("dns+client-{n}@agency.example"));
        let team = json!(["pat@agency.example", "ops@agency.example", format!("owner@client{n}.example")]);
        let body = json!({"name": name, "email": email, "plan": "teams-v2-monthly", "seats": 4, "members": team});
        world.post("/sandbox/accounts", body).await;
        world.write(
            &format!("by-hand/{n}.yaml"),
            &format!(
                "# {name}, since {}\napiVersion: bursar.dev/v1\nkind: ClientAccount\nmetadata: {{ name: hand-{n} }}\n\
                 spec: {{ accountName: {name}, notificationEmail: {email} }}\n",
                2000 + n % 20
            ),
        );
    }
    world
}

/// The commands of the guide, a block each.
fn blocks() -> Vec<&'static str> {
    GUIDE.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

fn shell(world: &World, block: &str) -> Command {
    // The binary's own environment, with the binary in the path.
    let like = world.command(&[]);
    let mut command = Command::new("sh");
    command.args(["-eu", "-c", block]).current_dir(world.path()).env_clear();
    for (name, value) in like.get_envs().filter_map(|(name, value)| Some((name, value?))) {
        command.env(name, value);
    }
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_bursar")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", bin.display())).stdin(std::process::Stdio::null());
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_accounts_are_adopted_as_the_guide_says_without_a_write() {
    let world = agency(unlimited()).await;
    let before = world.ledger().await;
    let mut said = Vec::new();
    for block in blocks() {
        if block.starts_with("bursar run ") {
            let mut daemon = Running::start(shell(&world, &format!("exec {block}")));
            daemon.wait_for("300 in sync", Duration::from_secs(60));
            let (_, code, log) = daemon.stop();
            assert_eq!(code, 0, "{log}");
            continue;
        }
        let mut command = shell(&world, block);
        let done = tokio::task::spawn_blocking(move || Done::from(command.output().unwrap())).await.unwrap().expect(0);
        said.push(done.stdout + &done.stderr);
    }
    let all = said.concat();
    for told in [
        "300 accounts written.",
        "clients/: 300 files",
        "plan teams-v2-monthly: in defaults.yaml",
        "notificationEmail dns+{name}@agency.example: in defaults.yaml",
        "ops@agency.example, pat@agency.example: in groups/everywhere.yaml",
        "Ids: 300 would be written.",
        "Ids: 300 written.",
        "Nothing to do; 300 clients are in sync.",
        "Nothing to do; 11 clients are in sync.",
    ] {
        assert!(all.contains(told), "{told} in\n{all}");
    }
    assert!(!all.contains("to remove"), "{all}");
    // The record of before needs no token, and knows the manifests' people.
    let against = ["plan", "accounts", "--against", "before.json", "--detailed-exitcode"];
    let plan = world.run(&against).await.expect(0);
    assert!(plan.stdout.contains("Nothing to do; 300 clients are in sync."), "{}", plan.stdout);
    let ledger = world.ledger().await;
    assert_eq!(ledger.writes(), before.writes(), "no write");
    assert!(ledger.requests() - before.requests() <= 605, "{:#}", ledger.0);
    // What is there is what was there.
    let after = world.run(&["snapshot"]).await.expect(0).stdout;
    let kept = std::fs::read_to_string(world.path().join("before.json")).unwrap();
    let accounts =
        |text: &str| text.lines().filter(|line| line.starts_with("    {\"id\"")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(accounts(&after), accounts(&kept));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_costs_what_the_guide_says_on_either_kind_of_server() {
    for (options, whole) in [(unlimited(), 5), (without_bulk(), 605)] {
        let world = agency(options).await;
        std::fs::create_dir(world.path().join("none")).unwrap();
        for (args, requests) in [
            (&["export", "--out", "accounts"][..], whole),
            (&["snapshot"], whole),
            (&["plan", "accounts", "--detailed-exitcode"], whole),
            (&["pin", "by-hand"], 3),
            (&["plan", "none"], 5),
        ] {
            let before = world.ledger().await;
            world.run(args).await.expect(0);
            let after = world.ledger().await;
            assert_eq!(after.requests() - before.requests(), requests, "{args:?}");
            assert_eq!(after.writes(), before.writes(), "{args:?}");
        }
    }
}
