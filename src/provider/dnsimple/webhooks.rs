//! The webhooks of an account: published, and so offered on every server, with account
//! management or without.

use async_trait::async_trait;
use reqwest::Method;
use serde_json::json;

use super::json::WebhookJson;
use super::read::Reader;
use crate::domain::{AccountId, Foreign};
use crate::provider::wire::Target;
use crate::provider::wire::json::Listed as _;
use crate::provider::{ApiError, Webhook, Webhooks, Written};

const LIST: &str = "/{account}/webhooks";
const ONE: &str = "/{account}/webhooks/{webhook}";

#[async_trait]
impl Webhooks for Reader {
    async fn webhooks(&self, account: &AccountId) -> Result<Vec<Webhook>, ApiError> {
        let list = self.list::<WebhookJson>(LIST, self.below(LIST, &[account.as_str(), "webhooks"])?).await?;
        Ok(list.entries.into_iter().map(WebhookJson::into_webhook).collect())
    }

    async fn register(&self, account: &AccountId, url: &str) -> Result<Written<Webhook>, ApiError> {
        let target = Target { method: Method::POST, route: LIST, path: &[account.as_str(), "webhooks"] };
        let writer = self.writer();
        let answer = writer.send_published(target, Some(json!({ "url": url })), None).await?;
        writer.agreed(&answer, WebhookJson::into_webhook, |said: &Webhook| {
            (said.url.raw() != url).then_some("another address")
        })
    }

    async fn unregister(&self, account: &AccountId, webhook: &str) -> Result<Written<()>, ApiError> {
        let target = Target { method: Method::DELETE, route: ONE, path: &[account.as_str(), "webhooks", webhook] };
        self.wire.emptied(&self.writer().send_published(target, None, None).await?)
    }
}

impl WebhookJson {
    fn into_webhook(self) -> Webhook {
        let id = self.listed_id().to_owned();
        let Self { id: _, url, suppressed_at } = self;
        Webhook { id, url: Foreign::new(url), suppressed_at }
    }
}
