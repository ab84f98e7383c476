//! One thing that a person is told.

use jiff::Timestamp;

use crate::domain::{AccountId, ClientName};
use crate::plan::Reason;

/// What kind of thing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A person must act for a client.
    Blocked,
    /// An account or a person is gone that was there, and is not made again by itself.
    RemovedElsewhere,
    /// Whether something was done could not be found out.
    OutcomeUnknown,
    /// Something goes on failing.
    Failed,
    /// A person's steps.
    Manual,
    /// A manifest does not hold.
    Invalid,
    /// An account's members or subscription cannot be read.
    Unknown,
    /// Something that costs or grants is held for second thoughts.
    Held,
    /// An account was changed elsewhere.
    Drift,
    /// The manifests cannot be read.
    Source,
    /// The account API, or the journal, is in trouble.
    Api,
    /// A guard rail tripped.
    Rail,
    /// All writes are stopped.
    Frozen,
    /// A list price changed.
    Price,
}

impl Kind {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::RemovedElsewhere => "removed_elsewhere",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Failed => "failed",
            Self::Manual => "manual",
            Self::Invalid => "invalid",
            Self::Unknown => "unknown",
            Self::Held => "held",
            Self::Drift => "drift",
            Self::Source => "source",
            Self::Api => "api",
            Self::Rail => "rail",
            Self::Frozen => "frozen",
            Self::Price => "price",
        }
    }

    /// How bad it is.
    pub const fn severity(self) -> Severity {
        match self {
            Self::Failed | Self::OutcomeUnknown | Self::Source | Self::Api => Severity::Error,
            Self::Blocked
            | Self::RemovedElsewhere
            | Self::Manual
            | Self::Invalid
            | Self::Unknown
            | Self::Rail
            | Self::Frozen
            | Self::Price => Severity::Warning,
            Self::Held | Self::Drift => Severity::Info,
        }
    }

    /// Whether there is an end of it that is worth telling.
    pub const fn recovers(self) -> bool {
        !matches!(self, Self::Held | Self::Drift | Self::Price)
    }
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// To be known.
    Info,
    /// A person should act.
    Warning,
    /// Something does not work.
    Error,
}

/// A client and its account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The client.
    pub client: ClientName,
    /// Its account, where it has one.
    pub account: Option<AccountId>,
}

/// One thing that a person is told, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// When it is told.
    pub at: Timestamp,
    /// What kind of thing it is.
    pub kind: Kind,
    /// The condition, where it is a client's.
    pub reason: Option<Reason>,
    /// It is over.
    pub recovered: bool,
    /// The fleet, where there are several.
    pub fleet: Option<String>,
    /// Whom it concerns; nobody is the fleet as a whole.
    pub clients: Vec<Named>,
    /// What happened. Inert text.
    pub message: String,
    /// What to do.
    pub next: Option<String>,
    /// The commit that the manifests were read from.
    pub revision: Option<String>,
    /// Since when it is, or was, so.
    pub since: Timestamp,
    /// How often it came and went since it was last told, where that was kept quiet.
    pub times: u32,
}
