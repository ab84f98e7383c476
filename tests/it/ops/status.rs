//! `bursar status`: the same from a daemon and from the journal and the API, and what it says
//! where it cannot be told.

use serde_json::{Value, json};

use super::{SOON, Served, committed};
use crate::support::{World, eventually};

/// What both ways of reading tell of a client.
fn told(status: &Value) -> Vec<Value> {
    let of = |account: &Value| {
        let ready = &account["conditions"][0];
        json!([
            account["name"],
            account["account_id"],
            account["state"],
            account["reason"],
            ready["type"],
            ready["status"],
            ready["reason"],
            account["last_applied_at"],
            account["labels"]
        ])
    };
    status["accounts"].as_array().unwrap().iter().map(of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_and_the_journal_with_the_api_tell_the_same() {
    let world = World::new(&["jane@acme.example"]).await;
    world.client("acme", &["jane@acme.example"]);
    world.client("beta", &["sam@beta.example"]);
    world.write(
        "gamma.yaml",
        "apiVersion: bursar.dev/v1\nkind: ClientAccount\nmetadata: { name: gamma, labels: { wave: canary } }\nspec:\n  \
         accountName: Gamma\n  notificationEmail: dns@gamma.example\n  suspend: true\n",
    );
    let mut served = Served::start(&world, &[]);
    served.daemon.wait_for("3 clients: 1 in sync, 1 waiting, 1 suspended", SOON);
    eventually("the status is there", SOON, || async { served.status().await["accounts"][2].is_object() }).await;

    let daemons = world.run(&["status", "--daemon", &served.base, "-o", "json"]).await.expect(0);
    assert!(daemons.stderr.contains(&format!("Read from the daemon at {}", served.base)), "{daemons:?}");
    let before = world.ledger().await;
    let own = world.run(&["status", "--daemon", "none", "-o", "json"]).await.expect(0);
    assert!(own.stderr.contains("Read from the manifests, the journal and the API."), "{own:?}");
    let after = world.ledger().await;
    assert_eq!(after.writes(), before.writes(), "nothing but GET");
    assert!(after.requests() > before.requests());
    assert_eq!(told(&daemons.json()), told(&own.json()));
    assert_eq!(own.json()["read_from"], "journal_and_api");
    let schema = bursar::controller::status::json_schema();
    assert!(jsonschema::is_valid(&schema, &own.json()), "{:#}", own.json());
    // Our own look names people, the daemon's word masks them.
    assert!(own.stdout.contains("sam@beta.example") && !daemons.stdout.contains("sam@"), "{}", own.stdout);

    let text = world.run(&["status", "--daemon", &served.base]).await.expect(0).stdout;
    let columns: Vec<Vec<&str>> =
        text.lines().map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()).collect();
    assert_eq!(columns[0], ["NAME", "READY", "REASON", "AGE", "NEXT"]);
    assert_eq!(columns[1][..3], ["acme", "True", "InSync"]);
    assert_eq!(columns[2][..3], ["beta", "False", "AwaitingSignup"]);
    assert_eq!(columns[3][..3], ["gamma", "Unknown", "Suspended"]);
    assert!(columns[2][4].starts_with("in "), "{text}");
    let wide = world.run(&["status", "--daemon", &served.base, "-o", "wide"]).await.expect(0).stdout;
    assert!(wide.lines().next().unwrap().contains("STATE      ACCOUNT"), "{wide}");

    for (filter, names) in [
        (&["--name", "beta", "--name", "acme"][..], vec!["acme", "beta"]),
        (&["--state", "waiting"], vec!["beta"]),
        (&["--state", "in-sync", "--state", "suspended"], vec!["acme", "gamma"]),
        (&["-l", "wave=canary"], vec!["gamma"]),
        (&["--name", "nobody"], vec![]),
    ] {
        for from in [served.base.as_str(), "none"] {
            let args = [&["status", "-o", "json", "--daemon", from], filter].concat();
            let status = world.run(&args).await.expect(0).json();
            let found: Vec<&str> =
                status["accounts"].as_array().unwrap().iter().filter_map(|a| a["name"].as_str()).collect();
            assert_eq!(found, names, "{filter:?} from {from}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_told_is_an_error_and_not_an_empty_list() {
    let mut world = World::new(&[]).await;
    world.client("acme", &[]);
    let gone = world.run(&["status", "--daemon", "http://127.0.0.1:9"]).await.expect(1);
    assert!(gone.stderr.contains("the daemon at http://127.0.0.1:9 cannot be read"), "{gone:?}");
    assert!(gone.stdout.is_empty());
    // A server that is no daemon.
    let other = world.run(&["status", "--daemon", &world.sandbox.url()]).await.expect(1);
    assert!(other.stderr.contains("it answers 404") && other.stdout.is_empty(), "{other:?}");
    world.through("http://127.0.0.1:9/v2".into());
    let unread = world.run(&["status", "--daemon", "none"]).await.expect(1);
    assert!(unread.stderr.contains("could not be read") && unread.stdout.is_empty(), "{unread:?}");
    let usage = world.run(&["status", "--state", "sleepy"]).await.expect(1);
    assert!(usage.stderr.contains("known are invalid, suspended, failed"), "{usage:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_the_age_and_the_commit_that_the_journal_knows() {
    let world = World::new(&["jane@acme.example"]).await;
    world.client("acme", &["jane@acme.example"]);
    world.client("beta", &["sam@beta.example"]);
    let commit = committed(&world);
    let mut served = Served::start(&world, &[]);
    served.daemon.wait_for("2 clients: 1 in sync, 1 waiting", SOON);
    eventually("the status is there", SOON, || async { served.status().await["accounts"][1].is_object() }).await;
    let before = served.status().await;
    assert_eq!(before["accounts"][0]["last_applied_revision"], commit.as_str());
    assert_eq!(before["fleets"][0]["source"]["revision"], commit.as_str());
    let metrics = served.get("/metrics").await.1;
    assert!(
        metrics.contains(&format!("bursar_source_commit{{fleet=\"default\",commit=\"{commit}\"}} 1.0")),
        "{metrics}"
    );
    served.daemon.stop();

    let mut served = Served::start(&world, &[]);
    served.daemon.wait_for("2 clients: 1 in sync, 1 waiting", SOON);
    eventually("the status is there", SOON, || async { served.status().await["accounts"][1].is_object() }).await;
    let after = served.status().await;
    let began: jiff::Timestamp = after["fleets"][0]["started_at"].as_str().unwrap().parse().unwrap();
    for account in after["accounts"].as_array().unwrap() {
        let since: jiff::Timestamp = account["since"].as_str().unwrap().parse().unwrap();
        assert!(since < began, "older than the process: {account:#}");
        assert_eq!(account["conditions"][0]["last_transition_time"], account["since"]);
    }
    assert_eq!(after["accounts"][0]["last_applied_at"], before["accounts"][0]["last_applied_at"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_write_to_the_journal_may_ask_for_a_look() {
    let world = World::new(&[]).await;
    world.client("acme", &[]);
    world.client("beta", &[]);
    let early = world.run(&["reconcile"]).await.expect(1);
    assert!(early.stderr.contains("Error: "), "{early:?}");
    let mut served = Served::start(&world, &["--interval", "1h", "--poll", "1h"]);
    served.daemon.wait_for("2 clients: 2 in sync", SOON);
    let before = world.ledger().await.requests();
    let base = served.base.clone();
    let one = world.run(&["reconcile", "acme", "--wait", "--daemon", &base, "--by", "pat"]).await.expect(0);
    assert_eq!(
        one.stdout,
        "Asked to look at acme; a running daemon takes that in within seconds.\nIt has looked at acme.\n"
    );
    assert_eq!(world.ledger().await.requests() - before, 1, "one account, one request");
    world.run(&["reconcile", "--wait", "--daemon", &base]).await.expect(0);
    let all = world.ledger().await.requests() - before - 1;
    assert_eq!(all, 3, "whoami, plans and the list");
    let status = served.status().await;
    let looked = |at: usize| status["accounts"][at]["looked_at"].as_str().unwrap().to_owned();
    assert_eq!(looked(0), looked(1), "everything was looked at together");
    let history = world.run(&["history", "--kind", "look_asked"]).await.expect(0).stdout;
    assert!(history.contains("acme is to be looked at now, says pat"), "{history}");
    assert!(history.contains("everything is to be looked at now, says "), "{history}");
    let unheard = world.run(&["reconcile", "--wait=1s", "--daemon", "http://127.0.0.1:9"]).await.expect(1);
    assert!(unheard.stderr.contains("no look within 1s"), "{unheard:?}");
}
