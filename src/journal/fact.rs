//! What was learned or ordered and is not an operation: small, replaced in place.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// In a binding, before the id of an account that is not there any more, and is known not to be.
pub const GONE: &str = "gone:";

/// What kind of thing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactKind {
    /// The scope itself, for people: key `url`, `user` or `world`.
    Scope,
    /// An email that is a user's.
    Registered,
    /// A client's account: the client's name to the account's id.
    Binding,
    /// Somebody seen in an account: `ACCOUNT/EMAIL` to `full`, `limited` or `invited`.
    Member,
    /// Nothing is written: key `fleet` to the reason.
    Frozen,
    /// A rail that tripped: its flag to the digest of the plan that it stopped.
    Latched,
    /// A time from which on, or until which, something counts.
    Watermark,
    /// A plan that a person lets pass: its digest to who.
    Approved,
    /// A person's word on a member who cannot be read: `ACCOUNT/EMAIL` to what, as JSON.
    Acknowledged,
    /// What webhooks told of one: likewise.
    Heard,
    /// A deed that is held for second thoughts, `CLIENT/KIND/ARGUMENT`, since it was first
    /// planned: until when.
    Held,
    /// What was so of a client when it was last seen to be as wanted: marks.
    Applied,
    /// A plan's list price, as JSON, and the one before it.
    Price,
    /// What is not done yet, `CLIENT/KIND/ARGUMENT`: its state and reason, since when.
    Open,
    /// A trouble that was told: its key to how it stands, as JSON.
    Trouble,
}

/// Something known, since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What kind.
    pub kind: FactKind,
    /// Of what.
    pub key: String,
    /// What it is.
    pub value: String,
    /// Since when.
    pub since: Timestamp,
}
