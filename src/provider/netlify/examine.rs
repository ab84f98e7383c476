//! Looking a server over: whose token, how far, which clock, and whether it knows pages.

use async_trait::async_trait;
use jiff::Timestamp;

use super::json::AccountJson;
use super::read::Reader;
use crate::provider::wire::json::{Listed as _, UserJson};
use crate::provider::wire::pages::Linked;
use crate::provider::wire::{ANSWER_CAP, PAGE_CAP};
use crate::provider::{ApiError, Capabilities, Examine, Greeting, Holder, Paging};

#[async_trait]
impl Examine for Reader {
    async fn greet(&self) -> Result<Greeting, ApiError> {
        let url = self.wire.base.endpoint(&["user"]);
        let (user, answer) = self.wire.read::<UserJson>("/user", &url, ANSWER_CAP).await?;
        let received_at = Timestamp::now();
        let holder = Holder::User(user.into_parts().1);
        Ok(Greeting { holder, world: answer.world, took: answer.took, date: answer.date, received_at })
    }

    /// The API has no word for its extensions: these are the description's.
    async fn named_capabilities(&self) -> Result<Option<Capabilities>, ApiError> {
        Ok(Some(super::read::capabilities()))
    }

    async fn paging(&self) -> Result<Paging, ApiError> {
        let mut url = self.wire.base.endpoint(&["accounts"]);
        url.query_pairs_mut().append_pair("page", "1").append_pair("per_page", "1");
        let (page, answer) = self.wire.read::<Vec<AccountJson>>("/accounts", &url, PAGE_CAP).await?;
        let entries = page.len() as u64;
        let ids = page.iter().map(AccountJson::listed_id);
        Ok(match Linked::default().accept(&url, &answer.links, ids) {
            Ok(Some(_)) if entries <= 1 => Paging::Honoured { total: None },
            Ok(Some(_)) => Paging::Other { per_page: None, entries },
            Ok(None) => Paging::OnePage { entries },
            Err(fault) => return Err(self.wire.unclear(&answer, &fault.words())),
        })
    }
}
