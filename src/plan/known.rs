//! What is remembered and makes a plan better informed. It may be empty, and it is never
//! the truth about accounts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;

use crate::domain::{Access, AccountId, AccountName, ClientName, Email, Money, PlanId, RequestId};

use super::cause::Applied;
use super::tree::Reason;

/// Facts learned from answers, in this process or an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// People who are users of the service.
    pub registered: BTreeSet<Email>,
    /// What became of actions that were tried and are not to be tried again yet. Whoever
    /// keeps this drops an entry when its time has come, or when the manifest changed.
    pub verdicts: BTreeMap<ActionKey, Verdict>,
    /// What may be happening, or have happened, without anybody knowing: nothing else is
    /// written to the account meanwhile, and no account of that name is made.
    pub unsettled: Vec<Unsettled>,
    /// What somebody undid after it had been done: not done again by itself.
    pub undone: BTreeMap<Series, Undone>,
    /// What was done a moment ago: what is read of it may be older than that, and nothing more
    /// is done about it until it shows.
    pub settling: BTreeSet<(ClientName, Matter)>,
    /// The accounts that were made for these clients.
    pub made: BTreeMap<ClientName, AccountId>,
    /// Clients whose part of the plan the independent check refuses, and what it says: a bug in
    /// bursar, which is that client's trouble alone.
    pub refused: BTreeMap<ClientName, String>,
    /// What the guard rails remember.
    pub rails: RailMemory,
    /// All writes are stopped, for this reason.
    pub frozen: Option<String>,
    /// The journal may have lost its last commits a moment ago: nothing is created until what
    /// may be on its way shows.
    pub doubtful: bool,
    /// More accounts are gone than a few: an outage, not an order to create.
    pub vanished: Option<Vanished>,
    /// What was said of members, by account. It counts only where they cannot be read.
    pub words: BTreeMap<AccountId, Words>,
    /// What is held for second thoughts, and until when; only what still is.
    pub held: BTreeMap<super::Thought, Timestamp>,
    /// What was so of each client when it was last seen to be as wanted; `None` where no
    /// journal tells.
    pub applied: Option<BTreeMap<ClientName, Applied>>,
    /// The list prices that plans had before they changed, where that is news.
    pub prices: BTreeMap<PlanId, OldPrice>,
}

/// The list price of a plan before it changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OldPrice {
    /// Of the plan with the seats that it includes; `None` is custom.
    pub base: Option<Money>,
    /// Of one more seat.
    pub seat: Option<Money>,
    /// Since when it was known to be so.
    pub since: Timestamp,
}

/// What was said of the members of an account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Words {
    /// That nobody is in it but who was named.
    pub whole: Option<Word>,
    /// Of each person.
    pub people: BTreeMap<Email, Word>,
}

/// The word on a person: the latest one of the highest standing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// What is said.
    pub says: Says,
    /// By whom.
    pub whose: Whose,
    /// When it was so.
    pub at: Timestamp,
    /// Whether it counts.
    pub weight: Weight,
}

/// What is said of a person in an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// They are a member; `None` where it was not said with which access.
    Member(Option<Access>),
    /// They are invited and have not accepted yet.
    Invited,
    /// They are neither.
    Absent,
}

impl fmt::Display for Says {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(Some(access)) => write!(f, "a member with {access} access"),
            Self::Member(None) => f.write_str("a member"),
            Self::Invited => f.write_str("invited"),
            Self::Absent => f.write_str("not a member"),
        }
    }
}

/// Whose word it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whose {
    /// A person's, who gave this name. Inert text.
    Person(String),
    /// An unsigned notice of the service, or of somebody who knows where it goes.
    Webhook,
}

/// Whether a word counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// It does.
    Holds,
    /// It is too old.
    Expired,
    /// A webhook told the opposite later.
    Contested {
        /// When.
        at: Timestamp,
    },
}

/// `pat, 2026-11-25`.
impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = self.at.strftime("%Y-%m-%d");
        match &self.whose {
            Whose::Person(name) => write!(f, "{name} said so on {day}"),
            Whose::Webhook => write!(f, "a webhook told on {day}"),
        }
    }
}

/// An operation whose outcome is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsettled {
    /// Whose and what.
    pub series: Series,
    /// The name of the account that it may have made.
    pub account_name: Option<AccountName>,
    /// The account that it was written to.
    pub account_id: Option<AccountId>,
    /// How it stands, and what ends that.
    pub verdict: Verdict,
}

/// Something that was done, and everything that was read since shows the opposite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// The account that it was, or was done to.
    pub account: Option<AccountId>,
    /// The person had been invited only.
    pub invited: bool,
}

/// What an action is about: two actions about one matter follow one another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Matter {
    /// That the account is there.
    Account,
    /// Its name and notification email.
    Identity,
    /// Its plan and seats.
    Subscription,
    /// A person, by their email's key.
    Person(String),
}

/// What the guard rails remember of the last 24 hours, and of people's answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RailMemory {
    /// Accounts that were created.
    pub created: u32,
    /// Subscriptions and plan changes upward that were bought.
    pub subscribed: u32,
    /// By how much the price a month rose.
    pub increase: Money,
    /// Members who were removed, offboardings aside.
    pub removed: u32,
    /// Rails that tripped: flag to the value that it had then. Such a rail stays tripped until
    /// a person lets a plan pass, or sets another value.
    pub latched: BTreeMap<String, String>,
    /// A person lets this plan pass.
    pub lifted: bool,
}

/// Known accounts that are not there any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vanished {
    /// How many are gone.
    pub missing: usize,
    /// Of how many.
    pub known: usize,
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
    /// What it is about.
    pub fn matter(&self) -> Matter {
        match self.kind {
            OpKind::CreateAccount => Matter::Account,
            OpKind::UpdateAccount => Matter::Identity,
            OpKind::Subscribe | OpKind::ChangePlan | OpKind::SetSeats | OpKind::Unsubscribe => Matter::Subscription,
            OpKind::RemoveMember | OpKind::AddMember => Matter::Person(self.argument.clone()),
            OpKind::SetAccess => {
                Matter::Person(self.argument.rsplit_once('/').map_or("", |(person, _)| person).to_owned())
            }
        }
    }

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

impl OpKind {
    /// All of them, in the order in which they are carried out.
    pub const ALL: [Self; 9] = [
        Self::CreateAccount,
        Self::UpdateAccount,
        Self::Subscribe,
        Self::ChangePlan,
        Self::SetSeats,
        Self::RemoveMember,
        Self::AddMember,
        Self::SetAccess,
        Self::Unsubscribe,
    ];
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
