//! `bursar sandbox` as a program: what it says, how it stops, what a kill leaves behind.
#![allow(clippy::unwrap_used, reason = "a helper of a test may fail as its test may")]

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};

async fn run(arguments: &[&str]) -> (Child, String) {
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("bursar"))
        .arg("sandbox")
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
    (child, line)
}

/// Sends a signal by the program everybody has: the crate has no unsafe code.
fn signal(child: &Child, name: &str) {
    let id = child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args([name, &id]).status().unwrap().success());
}

async fn create(url: &str) -> serde_json::Value {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let request = reqwest::Client::new().post(format!("{url}/v2/accounts")).bearer_auth("sandbox");
    let body = serde_json::json!({"name": "Acme", "email": "dns@agency.example"});
    request.json(&body).send().await.unwrap().json().await.unwrap()
}

fn url_of(line: &str) -> String {
    line.trim().strip_prefix("listening on ").unwrap().to_owned()
}

#[tokio::test]
async fn it_says_where_it_listens_and_stops_on_sigterm() {
    let (mut child, line) = run(&["--listen", "127.0.0.1:0"]).await;
    let url = url_of(&line);
    assert!(reqwest_is_up(&url).await);
    signal(&child, "-TERM");
    let ended = tokio::time::timeout(Duration::from_secs(10), child.wait()).await.unwrap().unwrap();
    assert!(ended.success());
    let mut talk = String::new();
    child.stderr.take().unwrap().read_to_string(&mut talk).await.unwrap();
    insta::assert_snapshot!(talk.replace(&url, "URL"), @r#"
    The page for people is URL/, the API URL/v2.
    The token is `sandbox`. For example:
        curl -H 'Authorization: Bearer sandbox' 'URL/v2/accounts?include=subscription,members'
    Stopping.
    "#);
}

async fn reqwest_is_up(url: &str) -> bool {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::get(url).await.unwrap().status().is_success()
}

#[tokio::test]
async fn a_kill_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("world.db");
    let arguments = ["--listen", "127.0.0.1:0", "--data", file.to_str().unwrap()];
    let (mut child, line) = run(&arguments).await;
    let url = url_of(&line);
    for id in 1..=3 {
        assert_eq!(create(&url).await["data"]["id"], id);
    }
    child.kill().await.unwrap();
    let (_child, line) = run(&arguments).await;
    let url = url_of(&line);
    let ledger: serde_json::Value = reqwest::get(format!("{url}/sandbox/ledger")).await.unwrap().json().await.unwrap();
    assert_eq!(ledger["data"]["accounts_created"], 3);
    assert_eq!(ledger["data"]["requests"]["POST /v2/accounts"], 3);
    assert_eq!(create(&url).await["data"]["id"], 4);
}

#[tokio::test]
async fn delays_are_options() {
    let (_child, line) = run(&["--listen", "127.0.0.1:0", "--list-delay", "250ms", "--settle-delay", "2m"]).await;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let delays = reqwest::get(format!("{}/sandbox/delays", url_of(&line))).await.unwrap().text().await.unwrap();
    assert_eq!(delays, r#"{"data":{"list_seconds":0.25,"settle_seconds":120.0}}"#);
}

#[test]
fn what_it_cannot_do_is_told_with_a_way_out() {
    let refused = |arguments: &[&str]| {
        let output = assert_cmd::Command::new(assert_cmd::cargo::cargo_bin!("bursar"))
            .arg("sandbox")
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
        String::from_utf8(output.stderr).unwrap()
    };
    insta::assert_snapshot!(refused(&["--listen", "0.0.0.0:8787"]), @r#"
    Error: the sandbox listens on loopback only, not on 0.0.0.0:8787
    Hint: use 127.0.0.1 or [::1]; its token is no secret
    "#);
    insta::assert_snapshot!(refused(&["--users", "no-such-file"]), @r#"
    Error: cannot read no-such-file
    Caused by: No such file or directory (os error 2)
    "#);
    let folder = tempfile::tempdir().unwrap();
    let people = folder.path().join("people.txt");
    std::fs::write(&people, "# people\njane@acme.example\nnobody\n").unwrap();
    insta::assert_snapshot!(refused(&["--listen", "127.0.0.1:0", "--users", people.to_str().unwrap()]), @"Error: cannot sign up `nobody`: not an email address");
    assert!(refused(&["--without", "bulk,flying"]).contains("flying"));
    assert!(refused(&["--settle-delay", "soon"]).contains("expected a duration like 90s, 10m or 1h"));
    assert!(Path::new(&people).exists());
}

#[tokio::test]
async fn the_netlify_dialect_says_where_its_api_is() {
    let (mut child, line) = run(&["--listen", "127.0.0.1:0", "--dialect", "netlify", "--rate-limit", "7"]).await;
    let url = url_of(&line);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let request = reqwest::Client::new().get(format!("{url}/api/v1/accounts")).bearer_auth("sandbox");
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["x-ratelimit-limit"], "7");
    assert_eq!(answer.text().await.unwrap(), "[]");
    signal(&child, "-TERM");
    child.wait().await.unwrap();
    let mut talk = String::new();
    child.stderr.take().unwrap().read_to_string(&mut talk).await.unwrap();
    insta::assert_snapshot!(talk.replace(&url, "URL"), @r#"
    The page for people is URL/, the API URL/api/v1.
    The token is `sandbox`. For example:
        curl -H 'Authorization: Bearer sandbox' 'URL/api/v1/accounts'
    Stopping.
    "#);
}
