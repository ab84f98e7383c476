//! `bursar run`, the real binary: watching, following, waiting, stopping.

use std::time::{Duration, Instant};

use bursar::domain::mask;
use serde_json::json;

use crate::support::{Running, World, eventually, manifest};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn it_converges_follows_an_edit_and_stops_cleanly() {
    let world = World::new(&["jane@acme.example", "joe@acme.example"]).await;
    world.client("acme", &["jane@acme.example"]);
    let mut daemon = Running::start(world.command(&["run"]));
    daemon.wait_for(&format!("added {}", mask("jane@acme.example")), SOON);
    daemon.wait_for("1 client: 1 in sync", SOON);

    let before = world.ledger().await;
    world.client("acme", &["jane@acme.example", "joe@acme.example"]);
    daemon.wait_for(&format!("added {}", mask("joe@acme.example")), SOON);
    let after = world.ledger().await;
    // Joe was not known: a try, a seat, and once more; and one look at the account.
    assert_eq!(after.writes() - before.writes(), 3, "{}", daemon.log());
    assert_eq!(after.requests() - before.requests(), 4, "{}", daemon.log());

    let (took, code, log) = daemon.stop();
    assert_eq!(code, 0, "{log}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(log.contains("stopped"), "{log}");
    assert!(!log.contains("jane@") && !log.contains("joe@"), "no whole email without -v:\n{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_hold_whole_emails_only_where_more_talk_was_asked_for() {
    let world = World::new(&["jane@acme.example"]).await;
    world.client("acme", &["jane@acme.example", "nora@acme.example"]);
    let masked = |log: &str| log.contains(&mask("jane@acme.example")) && log.contains(&mask("nora@acme.example"));
    for (args, whole) in [(&["run", "--log-format", "json"][..], false), (&["-v", "run", "--log-format", "json"], true)]
    {
        let mut daemon = Running::start(world.command(args));
        daemon.wait_for("AwaitingSignup", SOON);
        let (_, _, log) = daemon.stop();
        assert_eq!((log.contains("nora@acme.example"), log.contains("nora@")), (whole, whole), "{log}");
        assert!(whole || masked(&log), "{log}");
        for line in log.lines() {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_member_joins_once_they_signed_up_and_is_told_of_once() {
    let world = World::new(&[]).await;
    world.client("acme", &["jane@acme.example"]);
    let mut daemon = Running::start(world.command(&["run", "--interval", "1s"]));
    daemon.wait_for("AwaitingSignup", SOON);
    world.post("/sandbox/users", json!({"email": "jane@acme.example"})).await;
    // The first look is after 15 s.
    daemon.wait_for(&format!("added {}", mask("jane@acme.example")), Duration::from_secs(30));
    let (_, _, log) = daemon.stop();
    assert_eq!(log.matches("AwaitingSignup").count(), 1, "told once, not on every pass:\n{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_stops_parsing_keeps_its_last_good_version_in_force() {
    let world = World::new(&["jane@acme.example"]).await;
    world.client("acme", &["jane@acme.example"]);
    world.client("beta", &[]);
    let mut daemon = Running::start(world.command(&["run", "--interval", "1s", "--on-removed", "heal"]));
    daemon.wait_for("2 clients: 2 in sync", SOON);
    world.write("acme.yaml", "apiVersion: [\n");
    daemon.wait_for("last good version stays in force", SOON);

    // Somebody removes Jane by hand: the last good version says that she belongs there.
    let listed = world.get("/accounts?include=members").await;
    let acme =
        listed["data"].as_array().unwrap().iter().find(|account| account["name"] == "Client acme").unwrap().clone();
    let jane = acme["members"].as_array().unwrap().iter().find(|m| m["email"] == "jane@acme.example").unwrap();
    let url = format!("{}/{}/members/{}", world.sandbox.api_url(), acme["id"], jane["id"]);
    let removed = world.http.delete(url).bearer_auth(world.sandbox.token()).send().await.unwrap();
    assert!(removed.status().is_success());
    eventually("jane is back", SOON, || async {
        world.members().await["Client acme"].contains(&"jane@acme.example".to_owned())
    })
    .await;
    let (_, _, log) = daemon.stop();
    assert_eq!(log.matches("last good version stays in force").count(), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_goes_away_changes_nothing_and_comes_back() {
    let world = World::new(&[]).await;
    world.write("clients/acme.yaml", &manifest("acme", &[]));
    let mut daemon = Running::start(world.command(&["run", "clients", "--poll", "200ms"]));
    daemon.wait_for("1 client: 1 in sync", SOON);
    let writes = world.ledger().await.writes();
    std::fs::rename(world.path().join("clients"), world.path().join("elsewhere")).unwrap();
    daemon.wait_for("every client's last good version stays in force", SOON);
    std::fs::rename(world.path().join("elsewhere"), world.path().join("clients")).unwrap();
    daemon.wait_for("can be read again", SOON);
    assert_eq!(world.ledger().await.writes(), writes);
    world.write("clients/beta.yaml", &manifest("beta", &[]));
    daemon.wait_for("2 clients: 2 in sync", SOON);
}

#[tokio::test(flavor = "multi_thread")]
async fn report_mode_tells_and_writes_nothing() {
    let world = World::new(&[]).await;
    world.client("acme", &[]);
    let mut daemon = Running::start(world.command(&["run", "--mode", "report", "--interval", "1s"]));
    daemon.wait_for("planned", SOON);
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let (_, code, log) = daemon.stop();
    assert_eq!(code, 0);
    assert_eq!(log.matches("1 client: 1 changes").count(), 1, "{log}");
    assert_eq!(world.ledger().await.writes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_by_hand_is_set_right_on_the_interval() {
    let world = World::new(&["jane@acme.example"]).await;
    world.client("acme", &["jane@acme.example"]);
    let mut daemon = Running::start(world.command(&["run", "--interval", "1s"]));
    daemon.wait_for("1 client: 1 in sync", SOON);
    let url = format!("{}/accounts/1", world.sandbox.api_url());
    let renamed = world.http.patch(url).bearer_auth(world.sandbox.token()).json(&json!({"name": "Client ACME"}));
    assert!(renamed.send().await.unwrap().status().is_success());
    daemon.wait_for("renamed to Client acme", SOON);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_within_ten_seconds_while_a_server_hangs() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut world = World::new(&[]).await;
    world.client("acme", &[]);
    world.through(format!("http://{address}/v2"));
    let mut daemon = Running::start(world.command(&["run"]));
    // Accepted, and never answered.
    let _hanging = listener.accept().await.unwrap();
    daemon.wait_for("started", SOON);
    let begun = Instant::now();
    let (took, code, log) = tokio::task::spawn_blocking(|| daemon.stop()).await.unwrap();
    assert!(took < Duration::from_secs(10) && begun.elapsed() < Duration::from_secs(12), "{took:?}\n{log}");
    assert_eq!(code, 0, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_looks_again_at_what_is_blocked() {
    let world = World::new(&[]).await;
    world.post("/sandbox/users", json!({"email": "x@y.example"})).await;
    // An account of that name that is somebody else's.
    world.post("/sandbox/accounts", json!({"name": "Client acme", "email": "other@else.example"})).await;
    world.client("acme", &[]);
    let mut daemon = Running::start(world.command(&["run"]));
    daemon.wait_for("AdoptionNeeded", SOON);
    daemon.signal("-HUP");
    daemon.wait_for("asked to look at everything again", SOON);
    assert_eq!(world.ledger().await.writes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_was_deleted_and_made_again_is_watched_again() {
    let world = World::new(&[]).await;
    world.write("clients/acme.yaml", &manifest("acme", &[]));
    let mut daemon = Running::start(world.command(&["run", "--poll", "1h", "--interval", "1h"]));
    daemon.wait_for("1 client: 1 in sync", SOON);
    std::fs::remove_dir_all(world.path().join("clients")).unwrap();
    world.write("clients/acme.yaml", &manifest("acme", &["jane@acme.example"]));
    daemon.wait_for("AwaitingSignup", SOON);
    world.write("clients/beta.yaml", &manifest("beta", &[]));
    daemon.wait_for("beta: in sync", SOON);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_while_the_api_is_down_is_carried_out_when_it_is_back() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use crate::proxy::{self, Fault};

    let mut world = World::new(&[]).await;
    world.client("acme", &[]);
    let down = Arc::new(AtomicBool::new(false));
    let is_down = Arc::clone(&down);
    let decide = move |_: &_, _: &str, _: &[u8]| {
        if is_down.load(Ordering::SeqCst) { Fault::LoseRequest } else { Fault::None }
    };
    world.through(proxy::start(world.sandbox.url(), decide).await);
    let mut daemon = Running::start(world.command(&["run", "--interval", "2s"]));
    daemon.wait_for("1 client: 1 in sync", SOON);
    down.store(true, Ordering::SeqCst);
    world.client("beta", &[]);
    daemon.wait_for("the account API could not be read", SOON);
    down.store(false, Ordering::SeqCst);
    daemon.wait_for("created account Client beta", SOON);
    daemon.wait_for("the account API answers again", SOON);
}

/// Whoever is not in a folder that could not be read, or is not mounted, has not left.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_its_folder_forgets_nobody() {
    let world = World::new(&["jane@acme.example"]).await;
    for name in ["a", "b", "c", "d", "e"] {
        world.write(&format!("clients/{name}.yaml"), &manifest(name, &["jane@acme.example"]));
    }
    world.run(&["apply", "--yes", "clients"]).await.expect(0);
    // Somebody removes Jane by hand: that is asked about, and not undone by itself.
    let members = world.get("/1/members").await;
    let jane = members["data"].as_array().unwrap().iter().find(|m| m["email"] == "jane@acme.example").unwrap().clone();
    let url = format!("{}/1/members/{}", world.sandbox.api_url(), jane["id"]);
    assert!(world.http.delete(url).bearer_auth(world.sandbox.token()).send().await.unwrap().status().is_success());
    let settled = ["run", "clients", "--interval", "1s", "--poll", "200ms", "--settle", "0s"];

    std::fs::rename(world.path().join("clients"), world.path().join("elsewhere")).unwrap();
    let mut daemon = Running::start(world.command(&settled));
    daemon.wait_for("nothing is in force yet, so nothing is done", SOON);
    std::fs::create_dir(world.path().join("clients")).unwrap();
    daemon.wait_for("5 of 5 clients are not in the manifests any more", SOON);
    daemon.stop();
    std::fs::remove_dir(world.path().join("clients")).unwrap();
    std::fs::rename(world.path().join("elsewhere"), world.path().join("clients")).unwrap();

    // A part of the folder says nothing of the rest.
    world.run(&["apply", "--yes", "clients/b.yaml"]).await.expect(0);
    let mut daemon = Running::start(world.command(&settled));
    daemon.wait_for("RemovedElsewhere", SOON);
    daemon.stop();
    let ledger = world.ledger().await;
    assert_eq!([ledger.count("accounts_created"), ledger.count("members_added")], [5, 5], "nobody was added again");
}
