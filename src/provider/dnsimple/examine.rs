//! Looking a server over: whose token, how far, which clock, and whether it knows pages.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;

use super::json::{AccountJson, PlanJson, WhoamiJson, capabilities};
use super::read::{List, Reader};
use crate::domain::{AccountId, AccountName};
use crate::provider::wire::json::is_id;
use crate::provider::wire::{ANSWER_CAP, PAGE_CAP, is_absent};
use crate::provider::{ApiError, Capabilities, Examine, Greeting, Holder, Paging};

#[async_trait]
impl Examine for Reader {
    async fn greet(&self) -> Result<Greeting, ApiError> {
        let url = self.wire.base.endpoint(&["whoami"]);
        let (envelope, answer) = self.get::<WhoamiJson>("/whoami", &url, ANSWER_CAP).await?;
        let received_at = Timestamp::now();
        let holder = match envelope.data {
            WhoamiJson { user: Some(user), account: _ } => Holder::User(user.into_parts().1),
            WhoamiJson { user: None, account: Some(account) } => holder_of(&account),
            WhoamiJson { user: None, account: None } => Holder::Nobody,
        };
        Ok(Greeting { holder, world: answer.world, took: answer.took, date: answer.date, received_at })
    }

    async fn named_capabilities(&self) -> Result<Option<Capabilities>, ApiError> {
        if !self.allowed {
            return Ok(None);
        }
        match self.list::<PlanJson>("/plans", self.wire.base.endpoint(&["plans"])).await {
            Ok(List { entries: _, capabilities: named }) => Ok(Some(capabilities(named))),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn paging(&self) -> Result<Paging, ApiError> {
        let mut url = self.wire.base.endpoint(&["accounts"]);
        url.query_pairs_mut().append_pair("page", "1").append_pair("per_page", "1");
        let (envelope, _) = self.get::<Vec<AccountJson>>("/accounts", &url, PAGE_CAP).await?;
        let entries = envelope.data.len() as u64;
        Ok(match envelope.pagination {
            None => Paging::OnePage { entries },
            Some(page) if page.per_page == 1 && entries <= 1 => Paging::Honoured { total: Some(page.total_entries) },
            Some(page) => Paging::Other { per_page: Some(page.per_page), entries },
        })
    }
}

/// The account that a token is of, as far as it can be read.
fn holder_of(account: &Value) -> Holder {
    let id = match account.get("id") {
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(Value::String(text)) => Some(text.clone()),
        _ => None,
    };
    let name = account.get("name").and_then(Value::as_str).filter(|name| !name.is_empty());
    Holder::Account { id: id.filter(|id| is_id(id)).map(AccountId::new), name: name.map(AccountName::new) }
}
