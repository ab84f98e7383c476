//! What was charged, which DNSimple publishes.

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::de::{Deserializer, Error as _};

use super::read::Reader;
use crate::domain::{AccountId, Foreign, Money};
use crate::provider::wire::json::{Listed, money, time};
use crate::provider::{ApiError, Billing, Charge};

/// A charge as it goes over the wire.
#[derive(Debug, serde::Deserialize)]
struct ChargeJson {
    #[serde(default, deserialize_with = "time")]
    invoiced_at: Option<Timestamp>,
    #[serde(deserialize_with = "amount")]
    total_amount: Money,
    #[serde(default, deserialize_with = "money")]
    balance_amount: Option<Money>,
    /// What tells one charge from another.
    reference: String,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    items: Option<Vec<ItemJson>>,
}

#[derive(Debug, serde::Deserialize)]
struct ItemJson {
    #[serde(default)]
    description: Option<String>,
}

impl Listed for ChargeJson {
    fn listed_id(&self) -> &str {
        &self.reference
    }
}

impl ChargeJson {
    fn into_charge(self) -> Charge {
        let Self { invoiced_at, total_amount, balance_amount, reference, state, items } = self;
        let items = items.unwrap_or_default().into_iter().filter_map(|item| item.description).map(Foreign::new);
        Charge {
            invoiced_at,
            total: total_amount,
            from_balance: balance_amount.unwrap_or_default(),
            reference: Foreign::new(reference),
            refunded: state.as_deref() == Some("refunded"),
            items: items.collect(),
        }
    }
}

/// An amount; without one a charge is not read, for nothing would be shown as 0.00.
fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Money, D::Error> {
    money(deserializer)?.ok_or_else(|| D::Error::custom("a charge has an amount"))
}

#[async_trait]
impl Billing for Reader {
    async fn charges(&self, id: &AccountId, since: Date, until: Date) -> Result<Vec<Charge>, ApiError> {
        let route = "/{account}/billing/charges";
        let mut url = self.below(route, &[id.as_str(), "billing", "charges"])?;
        url.query_pairs_mut().append_pair("start_date", &since.to_string()).append_pair("end_date", &until.to_string());
        let list = self.list::<ChargeJson>(route, url).await?;
        Ok(list.entries.into_iter().map(ChargeJson::into_charge).collect())
    }
}
