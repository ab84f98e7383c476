//! The driver for the Netlify API, written from its published description: accounts that are
//! made with their plan, roles, members by email, and no idempotency keys.
//!
//! *Reading* is complete or an error, and may be tried again. *Writing* sends one request a
//! call, never twice. Members are asked for by an account's slug, and plans by the id of a
//! type: what was read of both is kept between calls, and a write is only sent where it is
//! known.

mod catalogue;
mod examine;
mod json;
mod known;
mod read;
mod refusal;
mod write;

use std::sync::Arc;

pub use read::Reader;
pub use write::Writer;

use super::transport::{Https, Transport};
use super::wire::Wire;
use super::{BaseUrl, Token};

pub use super::transport::{ConnectError, Timeouts};
pub use super::wire::Quota;

/// Where Netlify's API is.
pub const API_URL: &str = "https://api.netlify.com/api/v1";

/// How the driver is set up.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the API is; usually [`API_URL`].
    pub base_url: BaseUrl,
    /// A personal access token.
    pub token: Token,
    /// With which of the user's payment methods plans are paid; not needed where there is one.
    pub payment_method: Option<String>,
    /// How long the real network is waited for.
    pub timeouts: Timeouts,
    /// How often a read is tried again when nothing clear came back; a write never is.
    pub read_retries: usize,
}

impl Config {
    /// The usual setup: the only payment method, 2 retries, the usual timeouts.
    pub fn new(base_url: BaseUrl, token: Token) -> Self {
        Self { base_url, token, payment_method: None, timeouts: Timeouts::default(), read_retries: 2 }
    }
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
    let Config { base_url, token, payment_method, timeouts: _, read_retries } = config;
    let wire = Wire::new((base_url, token), transport, read_retries, refusal::read);
    Reader::new(wire, payment_method)
}
