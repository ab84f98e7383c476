//! Requests over HTTPS, or over plain HTTP to this very machine.

use std::error::Error as _;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, ClientBuilder, Response, redirect, retry};

use super::{Answer, Failure, Request, Transport};
use crate::provider::BaseUrl;

/// What each request calls itself.
const USER_AGENT: &str = concat!("bursar/", env!("CARGO_PKG_VERSION"));

/// How long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For name, connection and TLS.
    pub connect: Duration,
    /// For a whole request, from the name to the last byte of the answer.
    pub whole: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), whole: Duration::from_secs(15) }
    }
}

/// The HTTPS client cannot be set up on this machine.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up HTTPS")]
pub struct ConnectError(#[source] reqwest::Error);

/// The real network.
#[derive(Debug)]
pub struct Https {
    reads: Client,
    writes: Client,
    deadline: Duration,
}

impl Https {
    /// Sets the clients up for one address. Nothing is sent yet.
    ///
    /// # Errors
    /// No usable TLS on this machine (no root certificates, for one).
    pub fn new(base_url: &BaseUrl, timeouts: Timeouts) -> Result<Self, ConnectError> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Another thread may have been quicker, with the same provider: nothing is lost.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let client = || client(base_url, timeouts);
        let reads = client().build().map_err(ConnectError)?;
        // A fresh connection for each write: one that the server closed meanwhile would leave
        // the outcome open for nothing. HTTP/1.1, so that a request has a connection of its own.
        let writes = client().pool_max_idle_per_host(0).http1_only().build().map_err(ConnectError)?;
        Ok(Self { reads, writes, deadline: timeouts.whole })
    }

    /// What a request without an answer proves.
    fn no_answer(&self, failure: &reqwest::Error) -> Failure {
        let root = root_of(failure);
        if failure.is_builder() {
            Failure::NotSent(root)
        } else if failure.is_connect() {
            // Name resolution, the connection and the TLS handshake: nothing was written yet.
            Failure::NotSent(format!("cannot connect: {root}"))
        } else {
            broken(failure, self.deadline)
        }
    }
}

fn client(base_url: &BaseUrl, timeouts: Timeouts) -> ClientBuilder {
    let client = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .connect_timeout(timeouts.connect)
        .timeout(timeouts.whole);
    // What goes to this very machine goes there directly: a proxy would carry the token, in
    // the clear, to another one.
    if base_url.is_loopback() { client.no_proxy() } else { client.https_only(true) }
}

#[async_trait]
impl Transport for Https {
    async fn send(&self, request: Request) -> Result<Answer, Failure> {
        let Request { method, url, headers, body } = request;
        let client = if method.is_safe() { &self.reads } else { &self.writes };
        let mut built = reqwest::Request::new(method, url);
        *built.headers_mut() = headers;
        *built.body_mut() = body.map(Into::into);
        let response = client.execute(built).await.map_err(|failure| self.no_answer(&failure))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let deadline = self.deadline;
        let chunks = futures::stream::try_unfold(response, move |mut response: Response| async move {
            match response.chunk().await {
                Ok(chunk) => Ok(chunk.map(|chunk| (chunk, response))),
                Err(failure) => Err(broken(&failure, deadline)),
            }
        });
        Ok(Answer { status, headers, body: Box::pin(chunks) })
    }
}

fn broken(failure: &reqwest::Error, deadline: Duration) -> Failure {
    if failure.is_timeout() { Failure::TimedOut(deadline) } else { Failure::Broken(root_of(failure)) }
}

/// The innermost cause of a failure, without the address (which holds ids).
fn root_of(failure: &reqwest::Error) -> String {
    let mut root: Option<&(dyn std::error::Error + 'static)> = failure.source();
    while let Some(next) = root.and_then(std::error::Error::source) {
        root = Some(next);
    }
    root.map_or_else(|| "the request cannot be made".to_owned(), ToString::to_string)
}
