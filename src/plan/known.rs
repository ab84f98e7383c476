//! What is remembered and makes a plan better informed. It may be empty, and it is never
//! the truth about accounts.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{ClientName, Email, RequestId};

use super::tree::Reason;

/// Facts learned from answers, in this process or an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// People who are users of the service.
    pub registered: BTreeSet<Email>,
    /// What became of actions that were tried and are not to be tried again yet. Whoever
    /// keeps this drops an entry when its time has come, or when the manifest changed.
    pub verdicts: BTreeMap<ActionKey, Verdict>,
}

/// Which action of which client.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionKey {
    /// The client.
    pub client: ClientName,
    /// The kind of action.
    pub op: OpKind,
    /// The person, for the actions that concern one.
    pub person: Option<Email>,
}

/// All that is the same deed: which client, what, to whom or to what end. Finer than an
/// [`ActionKey`]: three seats and four are two deeds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Series {
    /// The client's name in the manifests.
    pub client: ClientName,
    /// What is done.
    pub kind: OpKind,
    /// To whom, or to what end ([`super::Op::argument`]).
    pub argument: String,
}

impl Series {
    /// The series that an action of a client belongs to.
    pub fn of(client: &ClientName, op: &super::Op) -> Self {
        Self { client: client.clone(), kind: op.kind(), argument: op.argument() }
    }
}

/// The kinds of action, in the order in which an account goes through them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum OpKind {
    /// Make the account.
    CreateAccount,
    /// Change its name or notification email.
    UpdateAccount,
    /// Its first subscription, or one after a cancelled one.
    Subscribe,
    /// Another plan.
    ChangePlan,
    /// More or fewer seats of the same plan.
    SetSeats,
    /// Remove a member or revoke an invitation.
    RemoveMember,
    /// Add a person.
    AddMember,
    /// Change what a member may do.
    SetAccess,
    /// Cancel the subscription.
    Unsubscribe,
}

/// What became of an action that was tried.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Verdict {
    /// Waiting, blocked or failed.
    pub state: VerdictState,
    /// The condition.
    pub reason: Option<Reason>,
    /// What happened and what ends it, in the server's words where it said something. Inert text.
    pub message: String,
    /// The server's id of the request.
    pub request_id: Option<RequestId>,
}

/// The kinds of trouble; the kind decides about retries and exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictState {
    /// Time or somebody's sign-up ends it.
    Waiting,
    /// A person must act.
    Blocked,
    /// To be tried again later.
    Failed,
}
