//! The driver for the account API in DNSimple's style, over HTTP: what it publishes, and
//! account management where a server offers it.
//!
//! *Reading* is complete or an error, and may be tried again. *Writing* sends one request a
//! call, never twice. Both share one count of requests and one quota. Every answer is bounded
//! in time and size, redirects are not followed, and the token shows nowhere.

mod billing;
mod examine;
mod json;
mod read;
mod webhooks;
mod write;

use std::sync::Arc;

pub use read::Reader;
pub use write::Writer;

pub use super::transport::{ConnectError, Timeouts};
use super::transport::{Https, Transport};
pub use super::wire::Quota;
use super::wire::Wire;
use super::{BaseUrl, Capabilities, Token};

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
    /// How long the real network is waited for.
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

/// Sets the driver up over the real network. Nothing is sent yet.
///
/// # Errors
/// No usable TLS on this machine (no root certificates, for one).
pub fn connect(config: Config) -> Result<Reader, ConnectError> {
    let https = Https::new(&config.base_url, config.timeouts)?;
    Ok(connect_over(config, Arc::new(https)))
}

/// Sets the driver up over a transport, whose deadlines are its own. Nothing is sent yet.
pub fn connect_over(config: Config, transport: Arc<dyn Transport>) -> Reader {
    let owner = (config.base_url.clone(), config.token.clone());
    let wire = Wire::new(owner, transport, config.read_retries, json::refusal);
    Reader::new(wire, config)
}
