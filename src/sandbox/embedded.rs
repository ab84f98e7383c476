//! A sandbox without a socket: the same doors and rules, called from the same process. With
//! no file behind it, it waits for nothing but tokio's own clock, so that a simulation may
//! pause that clock and run it through years.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use tower::ServiceExt as _;

use super::service::{Service, Surroundings};
use super::{Options, SandboxError, check_token, http};

/// Where it says it is; nothing listens there.
const URL: &str = "http://localhost";

/// A sandbox in this process. Clones are the same sandbox.
#[derive(Debug, Clone)]
pub struct Embedded {
    app: Router,
    service: Arc<Service>,
}

/// The connection was closed without an answer: a tester asked for that, or there is a bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sandbox hung up")]
pub struct HungUp;

/// Opens a sandbox that does not listen; [`Options::listen`] is not looked at.
///
/// # Errors
/// See [`SandboxError`].
pub async fn embed(options: Options, surroundings: Surroundings) -> Result<Embedded, SandboxError> {
    check_token(&options.token)?;
    let service = Service::open(&options, surroundings).await?;
    Ok(Embedded { app: http::app(Arc::clone(&service)), service })
}

impl Embedded {
    /// Where its page would be, `http://localhost`.
    pub fn url(&self) -> String {
        URL.to_owned()
    }

    /// The base URL of its API.
    pub fn api_url(&self) -> String {
        format!("{URL}{}", self.service.terms.dialect.base_path())
    }

    /// The token of its user `agency@example.com`.
    pub fn token(&self) -> &str {
        &self.service.token
    }

    /// Takes one request, as from a program of this machine, through any door: the API, the
    /// tester's side, the page. The request is carried out to its end even where the caller
    /// stops waiting, and its answer is dated like any server's.
    ///
    /// # Errors
    /// The connection was closed without an answer.
    pub async fn call(&self, mut request: Request<Body>) -> Result<Response, HungUp> {
        let visitor = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        request.extensions_mut().insert(ConnectInfo(visitor));
        request.headers_mut().entry(header::HOST).or_insert(HeaderValue::from_static("localhost"));
        let app = self.app.clone();
        // A task of its own, for hanging up ends the task that serves a connection.
        let answered = tokio::spawn(app.oneshot(request)).await;
        let mut answer = answered.map_err(|_| HungUp)?.unwrap_or_else(|never| match never {});
        if let Ok(date) = HeaderValue::try_from(http_date(self.service.machine_time())) {
            answer.headers_mut().insert(header::DATE, date);
        }
        Ok(answer)
    }
}

/// `Sun, 11 Dec 2016 17:31:51 GMT`.
fn http_date(now: jiff::Timestamp) -> String {
    now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
