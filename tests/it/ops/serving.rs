//! A running daemon over real HTTP: status, metrics, health, who is answered, and what never
//! stands in any of it.

use std::time::Duration;

use serde_json::json;

use super::{SECRET, SOON, Served, secret};
use crate::support::{World, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn status_and_metrics_tell_how_the_clients_stand_and_name_nobody() {
    let world = World::new(&["jane@acme.example"]).await;
    world.client("acme", &["jane@acme.example"]);
    world.client("beta", &["sam@beta.example"]);
    let mut served = Served::start(&world, &[]);
    served.daemon.wait_for("2 clients: 1 in sync, 1 waiting", SOON);
    eventually("the page is up to date", SOON, || async {
        served.status().await["accounts"].as_array().unwrap().len() == 2
    })
    .await;

    let status = served.status().await;
    let schema = bursar::controller::status::json_schema();
    let faults: Vec<String> =
        jsonschema::validator_for(&schema).unwrap().iter_errors(&status).map(|fault| fault.to_string()).collect();
    assert_eq!(faults, [""; 0], "{status:#}");
    assert_eq!((&status["format_version"], &status["read_from"]), (&json!("1.0"), &json!("daemon")));
    let (acme, beta) = (&status["accounts"][0], &status["accounts"][1]);
    assert_eq!((&acme["name"], &acme["state"], &acme["reason"]), (&json!("acme"), &json!("in_sync"), &json!("InSync")));
    assert_eq!(acme["conditions"][0]["type"], "Ready");
    assert_eq!(acme["conditions"][0]["status"], "True");
    assert!(acme["last_applied_at"].is_string(), "{acme:#}");
    assert_eq!((&beta["state"], &beta["reason"]), (&json!("waiting"), &json!("AwaitingSignup")));
    assert_eq!(beta["conditions"][0]["status"], "False");
    assert_eq!(beta["next"]["why"], "what it waits for may have come");
    assert!(beta["message"].as_str().unwrap().contains("s***@beta.example#"), "{beta:#}");
    let fleet = &status["fleets"][0];
    assert_eq!(
        (&fleet["name"], &fleet["mode"], &fleet["queue_depth"]),
        (&json!("default"), &json!("apply"), &json!(1))
    );
    assert_eq!(fleet["last_pass"]["outcome"], "done");
    assert_eq!(fleet["waiting_people"], json!({"AwaitingSignup": 1}));
    assert_eq!(fleet["next_pass"]["why"], "a client's own time");

    let (code, metrics) = served.get("/metrics").await;
    assert_eq!(code, 200);
    for line in [
        "bursar_accounts{fleet=\"default\",state=\"in_sync\"} 1.0",
        "bursar_accounts{fleet=\"default\",state=\"waiting\"} 1.0",
        "bursar_accounts{fleet=\"default\",state=\"blocked\"} 0.0",
        "bursar_waiting_people{fleet=\"default\",reason=\"AwaitingSignup\"} 1.0",
        "bursar_actions_total{fleet=\"default\",op=\"CreateAccount\",outcome=\"applied\"} 2",
        "bursar_api_requests_total{fleet=\"default\",method=\"POST\",status=\"201\"} 3",
        "bursar_trouble{fleet=\"default\",what=\"api\"} 0.0",
        "bursar_errors_total{fleet=\"default\",what=\"source\"} 0",
        "bursar_quota_refused_total{fleet=\"default\"} 0",
        "bursar_pass_duration_seconds_count{fleet=\"default\",scope=\"everything\",outcome=\"done\"} 1",
        "bursar_queue_depth{fleet=\"default\"} 1.0",
        "# EOF",
    ] {
        assert!(metrics.lines().any(|known| known == line), "{line} in\n{metrics}");
    }
    let page = served.get("/").await.1;
    assert!(page.contains("AwaitingSignup") && page.contains("s***@beta.example"), "{page}");
    let log = served.daemon.log();
    for (what, text) in
        [("metrics", &metrics), ("the status", &status.to_string()), ("the page", &page), ("the log", &log)]
    {
        assert!(!text.contains(world.sandbox.token()), "the token in {what}");
        let named = ["jane@", "sam@", "dns+"].iter().any(|name| text.contains(name));
        assert!(!named || what == "the log", "an email in {what}:\n{text}");
    }
    assert!(!metrics.contains("acme") && !metrics.contains("beta"), "no client in a label:\n{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_ready_once_manifests_and_api_were_read_and_healthy_before() {
    let mut world = World::new(&[]).await;
    world.client("acme", &[]);
    // Nobody listens there.
    world.through("http://127.0.0.1:9/v2".into());
    let mut served = Served::start(&world, &[]);
    served.daemon.wait_for("nothing is changed, tried again", SOON);
    eventually("the manifests were read", SOON, || async {
        served.get("/readyz").await == (503, "default: the account API was not read yet\n".to_owned())
    })
    .await;
    assert_eq!(served.get("/healthz").await, (200, "ok\n".to_owned()));
    let trouble = served.status().await["fleets"][0]["api"]["trouble"].clone();
    assert!(trouble["message"].as_str().unwrap().contains("could not be read"), "{trouble}");
    let metrics = served.get("/metrics").await.1;
    assert!(metrics.contains("bursar_trouble{fleet=\"default\",what=\"api\"} 1.0"), "{metrics}");
    assert!(metrics.contains("method=\"GET\",status=\"not_sent\""), "{metrics}");

    let world = World::new(&[]).await;
    world.client("acme", &[]);
    let served = Served::start(&world, &[]);
    eventually("it is ready", SOON, || async { served.get("/readyz").await == (200, "ok\n".to_owned()) }).await;
    let (took, code, log) = served.daemon.stop();
    assert!(code == 0 && took < Duration::from_secs(10), "{took:?} {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_host_or_origin_gets_403_and_every_answer_is_hardened() {
    let world = World::new(&[]).await;
    world.client("acme", &[]);
    secret(&world, "secret", SECRET);
    let served = Served::start(&world, &["--listen-host", "bursar.agency.example", "--hook-secret-file", "secret"]);
    for path in ["/", "/status.json", "/metrics", "/healthz", "/readyz", "/style.css"] {
        let ask = |name: &'static str, value: &'static str| {
            served.http.get(format!("{}{path}", served.base)).header(name, value).send()
        };
        for (name, value) in [
            ("host", "evil.example"),
            ("host", "evil.example:80"),
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
        ] {
            assert_eq!(ask(name, value).await.unwrap().status(), 403, "{path} {name}: {value}");
        }
        let answer = ask("host", "bursar.agency.example").await.unwrap();
        assert_ne!(answer.status(), 403, "{path}");
        let headers = answer.headers();
        assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none';"), "{path}");
        for (name, value) in
            [("x-content-type-options", "nosniff"), ("x-frame-options", "DENY"), ("cache-control", "no-store")]
        {
            assert_eq!(headers[name], value, "{path}");
        }
        assert!(!headers.contains_key("access-control-allow-origin"), "{path}");
        for method in [reqwest::Method::POST, reqwest::Method::PUT, reqwest::Method::DELETE, reqwest::Method::OPTIONS] {
            let answer = served.http.request(method, format!("{}{path}", served.base)).send().await.unwrap();
            assert_eq!(answer.status(), 405, "{path}");
        }
    }
    for path in ["/nothing", "/hooks/git/x", "/hooks/dnsimple/x", "/status.json/", "//"] {
        let (code, text) = served.get(path).await;
        assert!(code == 404 || code == 405, "{path}: {code} {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_a_guard_rail_and_a_broken_manifest_show() {
    let world = World::new(&[]).await;
    world.client("acme", &[]);
    let mut served = Served::start(&world, &["--interval", "1s", "--max-creates", "1"]);
    served.daemon.wait_for("acme: in sync", SOON);
    world.client("beta", &[]);
    served.daemon.wait_for("--max-creates 1", SOON);
    world.write("acme.yaml", "apiVersion: [\n");
    served.daemon.wait_for("last good version stays in force", SOON);
    world.run(&["freeze", "--reason", "pat@agency.example said so"]).await.expect(0);
    eventually("the freeze shows", SOON, || async { served.status().await["fleets"][0]["frozen"].is_object() }).await;

    let status = served.status().await;
    let fleet = &status["fleets"][0];
    let frozen = fleet["frozen"]["message"].as_str().unwrap();
    assert!(frozen.contains("p***@agency.example#") && !frozen.contains("pat@"), "{frozen}");
    assert_eq!(fleet["source"]["errors"], 1);
    assert_eq!(fleet["rails"][0]["flag"], "--max-creates");
    let (acme, beta) = (&status["accounts"][0], &status["accounts"][1]);
    assert_eq!(acme["state"], "in_sync");
    assert_eq!(acme["conditions"][1]["type"], "ManifestValid");
    assert_eq!(acme["conditions"][1]["status"], "False");
    assert_eq!(beta["state"], "blocked");
    assert_eq!(beta["conditions"][1]["type"], "Stalled");
    let page = served.get("/").await.1;
    assert!(page.contains("All writes are stopped") && page.contains("--max-creates"), "{page}");
    let metrics = served.get("/metrics").await.1;
    assert!(metrics.contains("bursar_frozen{fleet=\"default\"} 1.0"), "{metrics}");

    let shown = world.run(&["status", "--daemon", &served.base, "--state", "blocked"]).await.expect(0);
    assert!(
        shown.stderr.contains("All writes are stopped since") && shown.stderr.contains("--max-creates 1"),
        "{shown:?}"
    );
    let rows: Vec<&str> = shown.stdout.lines().collect();
    assert_eq!(rows.len(), 2, "{shown:?}");
    assert!(rows[1].starts_with("beta  False  ") && rows[1].ends_with("a person acts"), "{shown:?}");
}
