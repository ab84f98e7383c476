//! What most people would write first, to be compared with: list, create what is missing, try
//! again where there was an error; then subscribe and fill every account that bears a
//! client's name. It is not even killed.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::clients::{Client, PLAN};

/// How often a call is tried before it is left for the next round.
const TRIES: u32 = 3;
/// Between two rounds, and before a call is tried again.
const PAUSE: Duration = Duration::from_millis(500);
/// What no call may take longer than.
const PATIENCE: Duration = Duration::from_secs(10);

/// The loop.
#[derive(Debug)]
pub struct Plain {
    http: reqwest::Client,
    api_url: String,
    token: String,
    rounds: AtomicU64,
    is_done: AtomicBool,
}

impl Plain {
    /// Against this API.
    ///
    /// # Errors
    /// There is no HTTP client to be had.
    pub fn new(api_url: String, token: String) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
        Ok(Self { http, api_url, token, rounds: AtomicU64::new(0), is_done: AtomicBool::new(false) })
    }

    /// Whether it sees nothing left to do.
    pub fn is_done(&self) -> bool {
        self.is_done.load(Ordering::Relaxed)
    }

    /// Goes on until nothing is left to do.
    pub async fn run(&self, clients: &[Client]) {
        while self.round(clients).await != Some(0) {
            self.rounds.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(PAUSE).await;
        }
        self.is_done.store(true, Ordering::Relaxed);
    }

    /// Does what is missing, and counts it; `None` where not even the list could be read.
    async fn round(&self, clients: &[Client]) -> Option<usize> {
        let listed = self.call(Method::GET, "/accounts?include=subscription,members&per_page=100", None).await?;
        let accounts = listed["data"].as_array()?;
        let names: BTreeSet<&str> = accounts.iter().filter_map(|account| account["name"].as_str()).collect();
        let mut missing = 0;
        for client in clients.iter().filter(|client| !names.contains(client.name.as_str())) {
            missing += 1;
            let new = json!({"name": client.name, "email": client.email});
            self.call(Method::POST, "/accounts", Some(new)).await;
        }
        for account in accounts {
            let Some(client) = clients.iter().find(|client| account["name"] == client.name.as_str()) else { continue };
            missing += self.fill(account, client).await;
        }
        Some(missing)
    }

    async fn fill(&self, account: &Value, client: &Client) -> usize {
        let mut missing = 0;
        let id = &account["id"];
        if account["subscription"].is_null() {
            missing += 1;
            let plan = json!({"plan_identifier": PLAN, "seats": client.seats()});
            if self.call(Method::PUT, &format!("/{id}/subscription"), Some(plan)).await.is_none() {
                return missing;
            }
        }
        let members = account["members"].as_array().map(Vec::as_slice).unwrap_or_default();
        for person in client.people.iter().filter(|person| members.iter().all(|m| m["email"] != person.as_str())) {
            missing += 1;
            self.call(Method::POST, &format!("/{id}/members"), Some(json!({"email": person}))).await;
        }
        missing
    }

    /// Calls, and calls again where no good answer came: an error means that it failed.
    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Option<Value> {
        for _ in 0..TRIES {
            let mut request = self.http.request(method.clone(), format!("{}{path}", self.api_url));
            request = request.bearer_auth(&self.token);
            if let Some(body) = &body {
                request = request.json(body);
            }
            if let Ok(answer) = request.send().await
                && answer.status().is_success()
                && let Ok(answer) = answer.json().await
            {
                return Some(answer);
            }
            tokio::time::sleep(PAUSE).await;
        }
        None
    }
}
