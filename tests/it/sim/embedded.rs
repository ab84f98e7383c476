//! The sandbox without a socket: the same answers as over one, and its faults as a caller in
//! the same process sees them.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use axum::response::Response;
use bursar::sandbox::{Embedded, HungUp, Surroundings, embed, start_in};
use serde_json::{Value, json};

use super::universe::on_paused_time;
use crate::support::unlimited;

fn request(method: &Method, path: &str, body: &Value) -> Request<Body> {
    let request = Request::builder().method(method).uri(path).header("authorization", "Bearer sandbox");
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    request.header("content-type", "application/json").body(body).unwrap()
}

fn fixed() -> Surroundings {
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    Surroundings { now: Arc::new(move || now), fresh_id: Arc::new(|| "fixed".to_owned()) }
}

/// Status, body, and the headers that do not come from the connection.
type Seen = (u16, String, Vec<(String, String)>);

async fn seen(answer: Response) -> Seen {
    let status = answer.status().as_u16();
    let own = ["content-length", "date", "transfer-encoding", "connection"];
    let headers = answer.headers().iter().filter(|(name, _)| !own.contains(&name.as_str()));
    let mut headers: Vec<_> =
        headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    headers.sort();
    let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap(), headers)
}

#[tokio::test]
async fn it_answers_as_it_does_over_a_socket() {
    let embedded = embed(unlimited(), fixed()).await.unwrap();
    let served = start_in(unlimited(), fixed()).await.unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::new();
    for (method, path, body) in [
        (Method::GET, "/v2/whoami", Value::Null),
        (Method::POST, "/v2/accounts", json!({"name": "Acme", "email": "a@acme.example"})),
        (Method::POST, "/v2/accounts", json!({"name": ""})),
        (Method::PUT, "/v2/1/subscription", json!({"plan_identifier": "teams-v2-monthly"})),
        (Method::POST, "/v2/1/members", json!({"email": "nobody@acme.example"})),
        (Method::GET, "/v2/accounts?include=subscription,members&page=1", Value::Null),
        (Method::DELETE, "/v2/1/subscription", Value::Null),
        (Method::GET, "/v2/nowhere", Value::Null),
        (Method::DELETE, "/v2/accounts", Value::Null),
        (Method::GET, "/sandbox/ledger", Value::Null),
        (Method::GET, "/", Value::Null),
    ] {
        let here = seen(embedded.call(request(&method, path, &body)).await.unwrap()).await;
        let asked = http.request(method.clone(), format!("{}{path}", served.url())).bearer_auth("sandbox");
        let asked = asked.header("content-type", "application/json");
        let asked = if body.is_null() { asked } else { asked.body(body.to_string()) };
        let there = asked.send().await.unwrap();
        let there = seen(axum::http::Response::<reqwest::Body>::from(there).map(Body::new)).await;
        assert_eq!(here, there, "{method} {path}");
    }
    served.stop().await;
}

async fn create(sandbox: &Embedded) -> Result<String, HungUp> {
    let body = json!({"name": "Acme", "email": "a@acme.example"});
    let answer = sandbox.call(request(&Method::POST, "/v2/accounts", &body)).await?;
    let status = answer.status().as_u16();
    let whole = axum::body::to_bytes(answer.into_body(), usize::MAX).await;
    Ok(if whole.is_ok() { status.to_string() } else { "half an answer".to_owned() })
}

#[test]
fn its_faults_are_those_of_a_server_and_take_no_time_of_ours() {
    let begun = std::time::Instant::now();
    for (kind, looks) in [
        ("refuse", Err(HungUp)),
        ("lose_request", Err(HungUp)),
        ("lose_answer", Err(HungUp)),
        ("error_500", Ok("500")),
        ("html_502", Ok("502")),
        ("quota_429", Ok("429")),
        ("slow", Ok("201")),
        ("truncate", Ok("half an answer")),
    ] {
        on_paused_time(async {
            let sandbox = embed(unlimited(), Surroundings::default()).await.unwrap();
            let wish = json!({"rate": 1, "kinds": [kind], "max": 1});
            sandbox.call(request(&Method::PUT, "/sandbox/faults", &wish)).await.unwrap();
            let asked = tokio::time::Instant::now();
            assert_eq!(create(&sandbox).await, looks.map(str::to_owned), "{kind}");
            assert_eq!(asked.elapsed() >= Duration::from_secs(2), kind == "slow", "{kind}");
            assert_eq!(create(&sandbox).await, Ok("201".to_owned()), "{kind}");
        });
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "the two seconds of a slow answer are the runtime's own");
}

#[test]
fn a_request_is_carried_out_to_its_end_though_nobody_waits_for_it() {
    on_paused_time(async {
        let sandbox = embed(unlimited(), Surroundings::default()).await.unwrap();
        let wish = json!({"rate": 1, "kinds": ["slow"]});
        sandbox.call(request(&Method::PUT, "/sandbox/faults", &wish)).await.unwrap();
        let waited = tokio::time::timeout(Duration::from_millis(10), create(&sandbox)).await;
        assert!(waited.is_err());
        tokio::time::sleep(Duration::from_secs(3)).await;
        let ledger = sandbox.call(request(&Method::GET, "/sandbox/ledger", &Value::Null)).await.unwrap();
        let ledger: Value = serde_json::from_str(&seen(ledger).await.1).unwrap();
        assert_eq!(ledger["data"]["accounts_created"], 1);
    });
}
