//! A receiver of notifications over real HTTP, which answers as a test says.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;

/// What a receiver got.
#[derive(Debug, Clone)]
pub struct Got {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Value,
}

/// How it answers the request of this number, from 0.
type Answers = dyn Fn(usize, &Got) -> Answer + Send + Sync;

pub enum Answer {
    Status(u16),
    RedirectTo(String),
    /// Never.
    Hang,
}

#[derive(Clone)]
pub struct Receiver {
    pub address: String,
    got: Arc<Mutex<Vec<Got>>>,
}

#[derive(Clone)]
struct Shared {
    got: Arc<Mutex<Vec<Got>>>,
    answers: Arc<Answers>,
}

impl Receiver {
    pub async fn start(answers: impl Fn(usize, &Got) -> Answer + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let got = Arc::new(Mutex::new(Vec::new()));
        let shared = Shared { got: Arc::clone(&got), answers: Arc::new(answers) };
        let router = Router::new().fallback(take).with_state(shared);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, got }
    }

    /// One that takes everything.
    pub async fn willing() -> Self {
        Self::start(|_, _| Answer::Status(200)).await
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// Waits until it got so many.
    pub async fn wait_for(&self, many: usize, at_most: Duration) -> Vec<Got> {
        crate::support::eventually(&format!("{many} notifications"), at_most, || async { self.got().len() >= many })
            .await;
        self.got()
    }

    /// The texts of what it got, as they are seen: without the spaces that have no width.
    pub fn texts(&self) -> Vec<String> {
        self.got().iter().map(|got| got.body["text"].as_str().unwrap_or_default().replace('\u{200b}', "")).collect()
    }
}

async fn take(State(shared): State<Shared>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let got = Got { path: uri.to_string(), headers, body };
    let number = {
        let mut all = shared.got.lock().unwrap();
        all.push(got.clone());
        all.len() - 1
    };
    match (shared.answers)(number, &got) {
        Answer::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Answer::RedirectTo(place) => (StatusCode::TEMPORARY_REDIRECT, [("location", place)]).into_response(),
        Answer::Hang => std::future::pending().await,
    }
}
