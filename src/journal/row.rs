//! One operation as a journal remembers it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{Access, AccountId, AccountName, Email, Money, RequestId};
use crate::manifest::SourceRef;
use crate::plan::Verdict;

use super::operation::{Operation, OperationId, Owner};

/// How often a row was written; 0 is a row that is not there yet. Whoever writes names the
/// version that they saw (compare and set).
pub type Version = u64;

/// Where an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Meant, and nothing of the present attempt was sent.
    Prepared,
    /// Its owner may send once, until the deadline.
    Sending,
    /// It is so.
    Done,
    /// The server did nothing, and said why.
    Refused,
    /// Sent, and nobody knows what came of it.
    Unknown,
    /// It could not be found out: a person answers.
    Ask,
}

impl State {
    /// Whether the thing may be happening, or have happened, without anybody knowing.
    pub const fn is_unsettled(self) -> bool {
        matches!(self, Self::Sending | Self::Unknown | Self::Ask)
    }
}

/// What sending a request a second time does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// Makes a second thing: never, unless it is proved that the first did nothing (rule R2).
    Never,
    /// The server carries one key out once, for a day.
    UnderKey,
    /// States an end, or is refused the second time.
    Freely,
}

/// Which line of which manifest asked for it, and what it costs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cause {
    /// Where the client's document begins.
    pub source: Option<SourceRef>,
    /// The commit that the manifests were read from.
    pub revision: Option<String>,
    /// By how much the list price a month changes with it.
    pub monthly: Option<Money>,
    /// By an `Offboarding`, which counts in no cap.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub offboarding: bool,
    /// The person whom it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Email>,
    /// What they may do when it is done: `full`, `limited`, or nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// The digest of what was wanted of the client then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
    /// In words, as the plan has it.
    pub what: String,
}

/// One operation. Times are this machine's, in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// What is to happen once.
    pub operation: Operation,
    /// Where it stands.
    pub state: State,
    /// From 1; one more each time it is begun anew after a refusal or a person's word.
    pub attempt: u32,
    /// Requests that were allowed on the wire, of all attempts; those that provably were not
    /// sent are taken back.
    pub sends: u32,
    /// A request of this attempt was sent whose outcome nobody knows, so that a later
    /// refusal proves nothing of it.
    pub in_doubt: bool,
    /// Who prepared or sends it.
    pub owner: Owner,
    /// What sending twice does.
    pub repeat: Repeat,
    /// What is sent: the body, from which the driver makes the same bytes each time.
    pub request: String,
    /// The account name, for a create: no other create of this name while it is unsettled.
    pub account_name: Option<AccountName>,
    /// The account that is written to; for a create, the one that was made.
    pub account_id: Option<AccountId>,
    /// When the first request of this attempt was allowed.
    pub first_sent_at: Option<Timestamp>,
    /// Until when its owner may send and hear the answer.
    pub deadline: Option<Timestamp>,
    /// How often it was looked for in vain after it had had time to settle.
    pub looks: u32,
    /// When it came to be done or refused.
    pub ended_at: Option<Timestamp>,
    /// What became of it, where it was not done: shown until it is tried again.
    pub verdict: Option<Verdict>,
    /// The server's id of the last request.
    pub request_id: Option<RequestId>,
    /// For whom and why it is done.
    pub cause: Cause,
    /// What was made is only an invitation so far.
    pub invited: bool,
    /// It left the manifests, or a person wants it anew: wanted again, it is a new generation.
    pub released: bool,
    /// How often this row was written.
    pub version: Version,
}

impl Row {
    /// A new operation, meant and not sent. Rule R5: it is not there until a journal took it.
    pub fn prepared(operation: Operation, owner: Owner, repeat: Repeat, request: String, cause: Cause) -> Self {
        Self {
            operation,
            state: State::Prepared,
            attempt: 1,
            sends: 0,
            in_doubt: false,
            owner,
            repeat,
            request,
            account_name: None,
            account_id: None,
            first_sent_at: None,
            deadline: None,
            looks: 0,
            ended_at: None,
            verdict: None,
            request_id: None,
            cause,
            invited: false,
            released: false,
            version: 0,
        }
    }

    /// The name of the operation.
    pub fn id(&self) -> OperationId {
        self.operation.id()
    }
}
