//! The webhooks of an account: published, and so offered on every server, with account
//! management or without.

use jiff::Timestamp;
use reqwest::Method;
use serde_json::json;

use super::json::WebhookJson;
use super::read::Reader;
use super::write::Writer;
use crate::domain::{AccountId, Foreign};
use crate::provider::wire::Target;
use crate::provider::wire::json::Listed as _;
use crate::provider::{ApiError, Written};

/// Where a service sends what happens in an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id in the account.
    pub id: String,
    /// The address. It may hold somebody's secret, and is not to be shown whole.
    pub url: Foreign,
    /// Since when the service sends nothing any more, because nothing answered.
    pub suppressed_at: Option<Timestamp>,
}

const LIST: &str = "/{account}/webhooks";
const ONE: &str = "/{account}/webhooks/{webhook}";

impl Reader {
    /// The webhooks of an account, complete.
    ///
    /// # Errors
    /// They could not be read, or not to their end.
    pub async fn webhooks(&self, account: &AccountId) -> Result<Vec<Webhook>, ApiError> {
        let list = self.list::<WebhookJson>(LIST, self.below(LIST, &[account.as_str(), "webhooks"])?).await?;
        Ok(list.entries.into_iter().map(WebhookJson::into_webhook).collect())
    }
}

impl Writer {
    /// Registers an address, once: a second request makes a second webhook.
    ///
    /// # Errors
    /// It was refused, or nobody knows what came of it.
    pub async fn create_webhook(&self, account: &AccountId, url: &str) -> Result<Written<Webhook>, ApiError> {
        let target = Target { method: Method::POST, route: LIST, path: &[account.as_str(), "webhooks"] };
        let answer = self.send_published(target, Some(json!({ "url": url })), None).await?;
        self.agreed(&answer, WebhookJson::into_webhook, |said: &Webhook| {
            (said.url.raw() != url).then_some("another address")
        })
    }

    /// Takes a webhook away.
    ///
    /// # Errors
    /// It was refused, or nobody knows what came of it.
    pub async fn delete_webhook(&self, account: &AccountId, webhook: &str) -> Result<Written<()>, ApiError> {
        let target = Target { method: Method::DELETE, route: ONE, path: &[account.as_str(), "webhooks", webhook] };
        self.wire.emptied(&self.send_published(target, None, None).await?)
    }
}

impl WebhookJson {
    fn into_webhook(self) -> Webhook {
        let id = self.listed_id().to_owned();
        let Self { id: _, url, suppressed_at } = self;
        Webhook { id, url: Foreign::new(url), suppressed_at }
    }
}
