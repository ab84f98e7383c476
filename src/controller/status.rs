//! How fleets stand, as plain data: what `/status.json` and `bursar status` show.

mod standing;

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::mask;
use crate::plan::AccountState;

use super::daemon::Mode;

pub use standing::{Setting, Trace, tell_fleet};

/// The version of this format: a reader ignores unknown fields and refuses another major.
pub const FORMAT_VERSION: &str = "1.0";

/// The result of `status -o json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "bursar status")]
pub struct Status {
    /// A reader ignores unknown fields and refuses another major version.
    pub format_version: String,
    /// The program that made it.
    pub bursar_version: String,
    /// Where this comes from.
    pub read_from: ReadFrom,
    /// When it was made.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
    /// Each fleet; without a daemon the one that was looked at.
    pub fleets: Vec<FleetStatus>,
    /// Each client of each fleet, by name.
    pub accounts: Vec<AccountStatus>,
}

/// Where a status comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReadFrom {
    /// A running daemon's last pass. Emails are masked in it.
    Daemon,
    /// The manifests, the journal and the API, read just now.
    JournalAndApi,
}

/// How a fleet stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FleetStatus {
    /// Its name; `default` where there is one only.
    pub name: String,
    /// Whether differences are set right or only reported.
    pub mode: Mode,
    /// When the daemon began; none without a daemon.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub started_at: Option<Timestamp>,
    /// Whether this process acts for the fleet; a replica that stands by does not.
    pub holding: bool,
    /// Between complete looks.
    pub interval_seconds: Option<u64>,
    /// Where the manifests come from.
    pub source: SourceStatus,
    /// The account API.
    pub api: ApiStatus,
    /// What is wrong with the journal.
    pub journal_trouble: Option<Trouble>,
    /// The last pass.
    pub last_pass: Option<PassStatus>,
    /// The next one, at the latest.
    pub next_pass: Option<Next>,
    /// Clients who have a time of their own at which they are looked at again.
    pub queue_depth: u32,
    /// When the client was looked at who was not looked at for longest.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub oldest_look_at: Option<Timestamp>,
    /// All writes are stopped, by whom and why.
    pub frozen: Option<Trouble>,
    /// Guard rails that stop something.
    pub rails: Vec<RailStatus>,
    /// The list price a month.
    pub cost: Option<CostStatus>,
    /// Clients by state.
    pub states: BTreeMap<String, u32>,
    /// What is not done, by state and reason.
    pub open: Vec<OpenActions>,
    /// People who are not members yet, by what they are waited for.
    pub waiting_people: BTreeMap<String, u32>,
    /// Accounts without a manifest.
    pub unmanaged: u32,
}

/// Where the manifests come from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct SourceStatus {
    /// The commit of the last good reading, with `-dirty` behind it where files were edited since.
    pub revision: Option<String>,
    /// When that commit was read first.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub since: Option<Timestamp>,
    /// The last time that the manifests could be read.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub read_at: Option<Timestamp>,
    /// What does not hold in them.
    pub errors: u32,
    /// What may not be meant.
    pub warnings: u32,
    /// Why they cannot be read now.
    pub trouble: Option<Trouble>,
}

/// The account API.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ApiStatus {
    /// Whose API it is.
    pub provider: String,
    /// Where.
    pub url: String,
    /// The last time that it could be read.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub read_at: Option<Timestamp>,
    /// Why it cannot be read or used now.
    pub trouble: Option<Trouble>,
    /// The quota as the last answer told it.
    pub quota: Option<QuotaStatus>,
    /// In what time the details of every managed account are read anew.
    pub full_pass_seconds: Option<u64>,
}

/// What is left of a quota.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuotaStatus {
    /// Requests a window.
    pub limit: u64,
    /// Left of them.
    pub remaining: u64,
    /// Kept for people and for finishing what was begun.
    pub reserve: u64,
    /// Requests of others with this token in this window, as far as the headers show.
    pub others: u64,
    /// Until the window opens again.
    pub resets_in_seconds: u64,
}

/// Something that is wrong, or stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trouble {
    /// In words.
    pub message: String,
    /// Since when.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
}

/// One pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PassStatus {
    /// When it ended.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
    /// How long it took.
    pub duration_seconds: f64,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether everything was looked at, or some clients only.
    pub whole: bool,
    /// What kept it from going through.
    pub message: Option<String>,
}

/// How a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It went through; what does not go ahead stands at its client.
    Done,
    /// It did not.
    Failed,
}

impl Outcome {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// A time to come, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Next {
    /// When, at the latest.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
    /// Why then.
    pub why: String,
}

/// A guard rail that stops something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RailStatus {
    /// The option that sets it.
    pub flag: String,
    /// Its value.
    pub value: String,
    /// What it stopped.
    pub message: String,
}

/// The list price a month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CostStatus {
    /// Always `USD`.
    pub currency: String,
    /// Now.
    pub monthly_now: String,
    /// With everything done and everyone joined.
    pub monthly_after: String,
    /// Accounts whose price is not known, and not counted.
    pub unpriced: u32,
}

/// Actions that are not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpenActions {
    /// Where they stand.
    pub state: String,
    /// Why.
    pub reason: String,
    /// How many.
    pub count: u32,
}

/// How a client stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AccountStatus {
    /// The client, by the name of its manifest.
    pub name: String,
    /// Its fleet.
    pub fleet: String,
    /// Its account, where there is one.
    pub account_id: Option<String>,
    /// The labels of its manifest.
    pub labels: BTreeMap<String, String>,
    /// The first that fits.
    pub state: AccountState,
    /// Why: a condition's name.
    pub reason: String,
    /// Why, and what ends it.
    pub message: String,
    /// Since when it is in this state for this reason.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
    /// `Ready` always; `Stalled` while a person must act; `ManifestValid` while it does not hold.
    pub conditions: Vec<Condition>,
    /// When it was last looked at.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub looked_at: Option<Timestamp>,
    /// When it is looked at again, at the latest, and why then.
    pub next: Option<Next>,
    /// The commit that the account was last found to agree with, or else the one that something
    /// was last done for.
    pub last_applied_revision: Option<String>,
    /// When something was last done for it.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub last_applied_at: Option<Timestamp>,
}

/// A condition, as Kubernetes has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Condition {
    /// `Ready`, `Stalled` or `ManifestValid`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it is so.
    pub status: Truth,
    /// Why, in one word.
    pub reason: String,
    /// Why, in words.
    pub message: String,
    /// When `status` last changed.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub last_transition_time: Timestamp,
}

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the words of Kubernetes")]
pub enum Truth {
    True,
    False,
    Unknown,
}

impl Truth {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl FleetStatus {
    /// A fleet of which nothing is known yet.
    pub fn new(name: &str, mode: Mode, provider: &str, url: &str) -> Self {
        Self {
            name: name.to_owned(),
            mode,
            started_at: None,
            holding: true,
            interval_seconds: None,
            source: SourceStatus::default(),
            api: ApiStatus { provider: provider.to_owned(), url: url.to_owned(), ..ApiStatus::default() },
            journal_trouble: None,
            last_pass: None,
            next_pass: None,
            queue_depth: 0,
            oldest_look_at: None,
            frozen: None,
            rails: Vec::new(),
            cost: None,
            states: BTreeMap::new(),
            open: Vec::new(),
            waiting_people: BTreeMap::new(),
            unmanaged: 0,
        }
    }
}

impl Status {
    /// A status of now.
    pub fn new(read_from: ReadFrom, at: Timestamp, fleets: Vec<FleetStatus>, mut accounts: Vec<AccountStatus>) -> Self {
        accounts.sort_by(|a, b| (&a.name, &a.fleet).cmp(&(&b.name, &b.fleet)));
        let (format_version, bursar_version) = (FORMAT_VERSION.to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        Self { format_version, bursar_version, read_from, at, fleets, accounts }
    }

    /// Everything in words with its emails masked, for many eyes.
    #[must_use]
    pub fn masked(mut self) -> Self {
        let trouble = |trouble: &mut Option<Trouble>| {
            if let Some(Trouble { message, since: _ }) = trouble {
                *message = mask(message);
            }
        };
        for fleet in &mut self.fleets {
            for one in
                [&mut fleet.source.trouble, &mut fleet.api.trouble, &mut fleet.journal_trouble, &mut fleet.frozen]
            {
                trouble(one);
            }
            for message in fleet.last_pass.iter_mut().filter_map(|pass| pass.message.as_mut()) {
                *message = mask(message);
            }
            for rail in &mut fleet.rails {
                rail.message = mask(&rail.message);
            }
        }
        for account in &mut self.accounts {
            // A document without a name goes by its file.
            account.name = mask(&account.name);
            account.message = mask(&account.message);
            for condition in &mut account.conditions {
                condition.message = mask(&condition.message);
            }
        }
        self
    }
}

/// The JSON Schema of a status.
pub fn json_schema() -> serde_json::Value {
    schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<Status>()
        .to_value()
}
