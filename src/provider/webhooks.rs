//! Where a service tells what happens in an account.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{ApiError, Written};
use crate::domain::{AccountId, Foreign};

/// An address to which a service sends what happens in an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id in the account.
    pub id: String,
    /// The address. It may hold somebody's secret, and is not to be shown whole.
    pub url: Foreign,
    /// Since when the service sends nothing any more, because nothing answered.
    pub suppressed_at: Option<Timestamp>,
}

/// The webhooks of accounts, where the service publishes them.
#[async_trait]
pub trait Webhooks: Send + Sync {
    /// Those of an account, complete.
    async fn webhooks(&self, account: &AccountId) -> Result<Vec<Webhook>, ApiError>;

    /// Registers an address, once: a second request makes a second webhook.
    async fn register(&self, account: &AccountId, url: &str) -> Result<Written<Webhook>, ApiError>;

    /// Takes a webhook away.
    async fn unregister(&self, account: &AccountId, webhook: &str) -> Result<Written<()>, ApiError>;
}
