//! The report for machines.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Period, Report, Row, Sums};

/// The version of this format: a reader ignores unknown fields and refuses another major.
const FORMAT_VERSION: &str = "1.0";

/// The result of `charges -o json`.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "bursar charges")]
struct ChargesJson {
    /// A reader ignores unknown fields and refuses another major version.
    format_version: &'static str,
    /// The first day.
    since: String,
    /// The last day, included.
    until: String,
    currency: &'static str,
    /// Over all accounts, as far as they are known.
    sums: SumsJson,
    /// By ascending id, unmanaged ones included.
    accounts: Vec<AccountJson>,
}

/// Over all accounts.
#[derive(Serialize, JsonSchema)]
struct SumsJson {
    /// Where the charges could be read.
    charged: String,
    /// Where the price is known.
    list_price: String,
    /// Where both are known.
    difference: String,
    /// Accounts whose charges could not be read.
    unread: usize,
    /// Accounts whose list price is not known.
    unpriced: usize,
}

/// One account.
#[derive(Serialize, JsonSchema)]
struct AccountJson {
    account_id: String,
    account_name: Option<String>,
    /// The client; null is unmanaged.
    name: Option<String>,
    /// Collected and not given back; null could not be read.
    charged: Option<String>,
    /// By the plan and seats of today, by the day; null is not known.
    list_price: Option<String>,
    /// What was charged more than the list price; null where one of them is not known.
    difference: Option<String>,
    /// What explains it, as far as it can be told.
    notes: Vec<String>,
    /// Why the charges could not be read.
    error: Option<String>,
}

/// For machines.
pub fn json(report: &Report) -> serde_json::Value {
    let Report { period: Period { since, until }, rows } = report;
    let Sums { charged, list_price, difference, unread, unpriced } = report.sums();
    let charges = ChargesJson {
        format_version: FORMAT_VERSION,
        since: since.to_string(),
        until: until.to_string(),
        currency: "USD",
        sums: SumsJson {
            charged: charged.to_string(),
            list_price: list_price.to_string(),
            difference: difference.to_string(),
            unread,
            unpriced,
        },
        accounts: rows.iter().map(AccountJson::from).collect(),
    };
    // Every key is a text and every value has a form, so this does not fail.
    serde_json::to_value(charges).unwrap_or_default()
}

impl From<&Row> for AccountJson {
    fn from(row: &Row) -> Self {
        let Row { account_id, name, client, charged, list_price, notes } = row;
        Self {
            account_id: account_id.as_str().to_owned(),
            account_name: name.as_ref().map(|name| name.as_str().to_owned()),
            name: client.as_ref().map(ToString::to_string),
            charged: charged.as_ref().ok().map(ToString::to_string),
            list_price: list_price.map(|price| price.to_string()),
            difference: row.difference().map(|difference| difference.to_string()),
            notes: notes.clone(),
            error: charged.as_ref().err().map(|why| why.raw().to_owned()),
        }
    }
}

/// The JSON Schema of [`json`].
pub fn json_schema() -> serde_json::Value {
    schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<ChargesJson>()
        .to_value()
}
