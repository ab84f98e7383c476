//! The real daemon and a real receiver: begun, over, restarted; held, drifted.

use std::time::{Duration, Instant};

use serde_json::json;

use super::receiver::Receiver;
use crate::support::{Running, World, manifest};

const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn what_is_blocked_is_told_once_over_restarts_and_so_is_its_end() {
    let receiver = Receiver::willing().await;
    let world = World::new(&[]).await;
    // An account of that name that is somebody else's.
    world.post("/sandbox/accounts", json!({"name": "Client acme", "email": "other@else.example"})).await;
    world.client("acme", &[]);
    let secret = format!("{}/very-secret", receiver.address);
    let args = ["run", "--interval", "1s", "--notify", &secret];
    let mut daemon = Running::start(world.command(&args));
    daemon.wait_for("AdoptionNeeded", SOON);
    receiver.wait_for(1, SOON).await;
    let (_, code, log) = daemon.stop();
    assert_eq!(code, 0, "{log}");
    assert!(!log.contains("very-secret"), "{log}");

    let mut daemon = Running::start(world.command(&args));
    daemon.wait_for("AdoptionNeeded", SOON);
    let text = manifest("acme", &[]).replace("plan: teams", "plan: teams\n  accountId: \"1\"");
    world.write("acme.yaml", &text);
    daemon.wait_for("1 client: 1 in sync", SOON);
    receiver.wait_for(2, SOON).await;
    daemon.stop();
    insta::assert_snapshot!(receiver.texts().join("\n\n"), @r#"
    Act: acme (account 1): blocked: notification email from o***@else.example#77dfa5 to d***@agency.example#1ec2c8: account 1 bears the name, but may be somebody else's: its notification email is o***@else.example#77dfa5, neither the manifest's nor a previous one. If it is this client's, write accountId: "1" in the manifest (bursar pin --take-over acme does) (AdoptionNeeded)
    Next: bursar explain acme

    OK: acme (account 1): over: blocked (AdoptionNeeded): notification email from o***@else.example#77dfa5 to d***@agency.example#1ec2c8
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_not_there_holds_nothing_up() {
    let world = World::new(&[]).await;
    world.post("/sandbox/accounts", json!({"name": "Client acme", "email": "other@else.example"})).await;
    world.client("acme", &[]);
    world.client("beta", &[]);
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("http://{nobody}/hook");
    let mut daemon = Running::start(world.command(&["run", "--interval", "1s", "--notify", &url]));
    daemon.wait_for("beta: in sync", SOON);
    let (took, code, log) = daemon.stop();
    assert_eq!(code, 0, "{log}");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_is_announced_goes_ahead_in_its_time_and_no_restart_moves_that() {
    let receiver = Receiver::willing().await;
    let world = World::new(&["jane@acme.example"]).await;
    world.client("acme", &["jane@acme.example"]);
    let args = ["run", "--hold", "8s", "--notify", &receiver.address];
    let begun = Instant::now();
    let mut daemon = Running::start(world.command(&args));
    daemon.wait_for("created account Client acme", SOON);
    daemon.wait_for("held until", SOON);
    let until = |log: &str| log.split("held until ").nth(1).unwrap()[..23].to_owned();
    let first = until(&daemon.log());
    assert_eq!(world.ledger().await.count("subscriptions_created"), 0);
    daemon.stop();
    let mut daemon = Running::start(world.command(&args));
    daemon.wait_for("held until", SOON);
    assert_eq!(until(&daemon.log()), first, "its time stands in the journal");
    daemon.wait_for("added j***@acme.example", SOON);
    assert!(begun.elapsed() > Duration::from_secs(8), "{:?}", begun.elapsed());
    daemon.wait_for("1 client: 1 in sync", SOON);
    daemon.stop();
    let told = receiver.texts().join("\n\n").replace(&first, "TIME UTC");
    insta::assert_snapshot!(told, @"
    Note: acme (account 1): subscribe to teams-v2-monthly with 1 seat and 1 more: held until TIME UTC for second thoughts; to stop it: revert, or bursar freeze
    Next: bursar explain acme
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_is_dropped_by_a_revert() {
    let world = World::new(&["jane@acme.example"]).await;
    world.client("acme", &[]);
    world.run(&["apply", "--yes"]).await.expect(0);
    let before = world.ledger().await.writes();
    let mut daemon = Running::start(world.command(&["run", "--hold", "1h", "--interval", "1s"]));
    daemon.wait_for("1 client: 1 in sync", SOON);
    world.client("acme", &["jane@acme.example"]);
    daemon.wait_for("waiting (Held)", SOON);
    let shown = world.run(&["plan"]).await.expect(0).stdout;
    assert!(shown.contains("(Held)"), "a plan beside it says so:\n{shown}");
    world.client("acme", &[]);
    crate::support::eventually("in sync again", SOON, || async {
        daemon.log().matches("1 client: 1 in sync").count() == 2
    })
    .await;
    daemon.stop();
    assert_eq!(world.ledger().await.writes(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_hand_changed_is_told_apart_in_log_history_and_notification() {
    let receiver = Receiver::willing().await;
    let world = World::new(&[]).await;
    world.client("acme", &[]);
    let args = ["run", "--interval", "1s", "--notify", &receiver.address];
    let mut daemon = Running::start(world.command(&args));
    daemon.wait_for("1 client: 1 in sync", SOON);
    // By the manifest.
    let named = manifest("acme", &[]).replace(
        "accountName: Client acme",
        "accountName: Acme\n  previousNames: [Client acme]\n  previousNotificationEmails: [else@agency.example]",
    );
    world.write("acme.yaml", &named);
    daemon.wait_for("renamed to Acme", SOON);
    // By hand.
    let url = format!("{}/accounts/1", world.sandbox.api_url());
    let changed = json!({"email": "else@agency.example"});
    let patched = world.http.patch(url).bearer_auth(world.sandbox.token()).json(&changed).send().await.unwrap();
    assert!(patched.status().is_success());
    let told = receiver.wait_for(1, SOON).await;
    daemon.stop();
    let day = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
    assert_eq!(told[0].body["kind"], "drift");
    insta::assert_snapshot!(receiver.texts().join("\n\n").replace(&day, "TODAY"), @"Note: acme (account 1): notification email is now d***@agency.example#1ec2c8; set back: changed elsewhere since TODAY");
    let history = world.run(&["history", "-o", "json"]).await.expect(0).json().to_string();
    let done: Vec<&str> =
        history.split('"').filter(|part| part.contains("rename ") || part.contains("set back")).collect();
    assert!(history.contains("(set back: changed elsewhere since"), "{done:?}");
    assert!(!history.contains("to \\\"Acme\\\" (set back"), "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_the_options_are_told_at_once_and_show_no_address() {
    let world = World::new(&[]).await;
    let args = ["run", "--notify", "http://chat.example/secret", "--notify", "nonsense", "--notify-file", "none"];
    let told = world.run(&args).await.expect(1).stderr;
    insta::assert_snapshot!(told, @"
    Error: 3 things keep the daemon from starting:
      - cannot read none: No such file or directory (os error 2)
      - a receiver of notifications needs https://; plain http:// is for this very machine only
      - a receiver of notifications is not a URL; write it like https://hooks.example/secret
    ");
    let told = world.run(&["run", "--digest-at", "09:00"]).await.expect(1).stderr;
    assert!(told.contains("--digest-at needs somebody to tell it to"), "{told}");
}
