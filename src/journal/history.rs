//! What happened, in order, never changed: for people, and for the caps of a day.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{AccountId, ClientName, Email, Money, RequestId};
use crate::manifest::SourceRef;
use crate::plan::OpKind;

use super::operation::{OperationId, ScopeId};
use super::store::Seq;

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// A request was allowed on the wire.
    Sent,
    /// It provably was not sent.
    NotSent,
    /// Done, by the answer or by reading back.
    Done,
    /// The server did nothing, and said why.
    Refused,
    /// Nobody knows what came of it.
    Unknown,
    /// A person is asked.
    Asked,
    /// A person said how it ended.
    Resolved,
    /// A person wants it anew.
    Reaffirmed,
    /// An account was found for a client.
    Bound,
    /// A client's account is not there any more.
    Gone,
    /// Somebody was seen in an account who was not there before.
    MemberSeen,
    /// Somebody is not in an account any more.
    MemberGone,
    /// A rail stopped something.
    RailTripped,
    /// A person let a plan pass.
    Approved,
    /// All writes were stopped.
    Frozen,
    /// Writes go on.
    Unfrozen,
    /// A person said who is in an account, or is not, where that cannot be read.
    Acknowledged,
    /// A webhook told so.
    Heard,
    /// A person asked a running daemon for a look now.
    LookAsked,
}

impl EntryKind {
    /// Every kind.
    pub const ALL: [Self; 19] = [
        Self::Sent,
        Self::NotSent,
        Self::Done,
        Self::Refused,
        Self::Unknown,
        Self::Asked,
        Self::Resolved,
        Self::Reaffirmed,
        Self::Bound,
        Self::Gone,
        Self::MemberSeen,
        Self::MemberGone,
        Self::RailTripped,
        Self::Approved,
        Self::Frozen,
        Self::Unfrozen,
        Self::Acknowledged,
        Self::Heard,
        Self::LookAsked,
    ];

    /// As it is written in JSON and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::NotSent => "not_sent",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Asked => "asked",
            Self::Resolved => "resolved",
            Self::Reaffirmed => "reaffirmed",
            Self::Bound => "bound",
            Self::Gone => "gone",
            Self::MemberSeen => "member_seen",
            Self::MemberGone => "member_gone",
            Self::RailTripped => "rail_tripped",
            Self::Approved => "approved",
            Self::Frozen => "frozen",
            Self::Unfrozen => "unfrozen",
            Self::Acknowledged => "acknowledged",
            Self::Heard => "heard",
            Self::LookAsked => "look_asked",
        }
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, by this machine's clock.
    pub at: Timestamp,
    /// In which scope.
    pub scope: ScopeId,
    /// What kind.
    pub kind: EntryKind,
    /// Who did it: a process's id, or a person's name.
    pub actor: String,
    /// The operation, where it is one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationId>,
    /// The kind of action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<OpKind>,
    /// From 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientName>,
    /// The account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// The person whom it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Email>,
    /// `full`, `limited` or `invited`, where it is about a person's access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<String>,
    /// By an `Offboarding`, which counts in no cap.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub offboarding: bool,
    /// In words. Inert text.
    pub message: String,
    /// The document that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceRef>,
    /// The commit that it was read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The server's id of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// By how much the list price a month changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly: Option<Money>,
}

impl Entry {
    /// Something that happened, with nothing more to say of it.
    pub fn new(at: Timestamp, scope: ScopeId, kind: EntryKind, actor: impl Into<String>) -> Self {
        Self {
            at,
            scope,
            kind,
            actor: actor.into(),
            operation: None,
            op: None,
            attempt: None,
            client: None,
            account: None,
            person: None,
            access: None,
            offboarding: false,
            message: String::new(),
            source: None,
            revision: None,
            request_id: None,
            monthly: None,
        }
    }
}

/// An entry and its place in the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Its place; larger is later.
    pub seq: Seq,
    /// What happened.
    #[serde(flatten)]
    pub entry: Entry,
}

/// Which entries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    /// Of this scope; of all without one.
    pub scope: Option<ScopeId>,
    /// Of this client.
    pub client: Option<ClientName>,
    /// Of this account.
    pub account: Option<AccountId>,
    /// Of this person.
    pub person: Option<Email>,
    /// Of these kinds; of all where it is empty.
    pub kinds: Vec<EntryKind>,
    /// At or after this time.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// After this place.
    pub after: Option<Seq>,
    /// At most so many, the latest ones; all without it.
    pub latest: Option<usize>,
}

impl Query {
    /// Whether an entry is asked for, `after` and `latest` aside.
    pub fn matches(&self, entry: &Entry) -> bool {
        let Self { scope, client, account, person, kinds, from, until, after: _, latest: _ } = self;
        scope.as_ref().is_none_or(|scope| entry.scope == *scope)
            && client.as_ref().is_none_or(|client| entry.client.as_ref() == Some(client))
            && account.as_ref().is_none_or(|account| entry.account.as_ref() == Some(account))
            && person.as_ref().is_none_or(|person| entry.person.as_ref() == Some(person))
            && (kinds.is_empty() || kinds.contains(&entry.kind))
            && from.is_none_or(|from| entry.at >= from)
            && until.is_none_or(|until| entry.at < until)
    }
}
