//! The driver for the account API in DNSimple's style, over HTTP: what it publishes, and
//! account management where a server offers it.
//!
//! *Reading* is complete or an error, and may be tried again. *Writing* sends one request a
//! call, never twice. Both share one count of requests and one quota. Every answer is bounded
//! in time and size, redirects are not followed, and the token shows nowhere.

mod http;
mod pages;
mod quota;
mod read;
mod wire;
mod write;

use std::time::Duration;

use reqwest::{Client, ClientBuilder, redirect, retry};

pub use quota::Quota;
pub use read::Reader;
pub use write::Writer;

use super::{BaseUrl, Capabilities, Token};

/// What each request calls itself.
const USER_AGENT: &str = concat!("bursar/", env!("CARGO_PKG_VERSION"));

/// How the driver is set up.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the API is.
    pub base_url: BaseUrl,
    /// A user token.
    pub token: Token,
    /// The operator's word on what the server has, in place of the server's own.
    pub capabilities: Option<Capabilities>,
    /// Whether account management is used on the vendor's own hosts.
    pub account_management: AccountManagement,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// How often a read is tried again when nothing clear came back; a write never is.
    pub read_retries: usize,
}

impl Config {
    /// The usual setup: capabilities as the server says, 2 retries, the usual timeouts.
    pub fn new(base_url: BaseUrl, token: Token) -> Self {
        Self {
            base_url,
            token,
            capabilities: None,
            account_management: AccountManagement::default(),
            timeouts: Timeouts::default(),
            read_retries: 2,
        }
    }
}

/// Whether account management is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccountManagement {
    /// Where the server offers it, and never on the vendor's own hosts.
    #[default]
    Auto,
    /// Where the server offers it, the vendor's own hosts included.
    On,
}

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

/// Sets the driver up. Nothing is sent yet.
///
/// # Errors
/// No usable TLS on this machine (no root certificates, for one).
pub fn connect(config: Config) -> Result<Reader, ConnectError> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may have been quicker, with the same provider: nothing is lost.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let reads = client(&config).build().map_err(ConnectError)?;
    // A fresh connection for each write: one that the server closed meanwhile would leave the
    // outcome open for nothing. HTTP/1.1, so that a request has a connection of its own.
    let writes = client(&config).pool_max_idle_per_host(0).http1_only().build().map_err(ConnectError)?;
    let wire = http::Wire::new(config.base_url.clone(), config.token.clone(), config.timeouts.whole);
    Ok(Reader::new(wire, reads, writes, config))
}

fn client(config: &Config) -> ClientBuilder {
    let client = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .connect_timeout(config.timeouts.connect)
        .timeout(config.timeouts.whole);
    // What goes to this very machine goes there directly: a proxy would carry the token, in
    // the clear, to another one.
    if config.base_url.is_loopback() { client.no_proxy() } else { client.https_only(true) }
}
