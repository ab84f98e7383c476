//! The plan as a tree of data: old and new value at each change, no rendering in it. Text,
//! JSON and the executor read the same tree.

use std::collections::BTreeMap;

use crate::domain::{Access, AccountId, AccountName, ClientName, Email, MemberId, Money, PlanId, RequestId, Role};
use crate::manifest::{OriginKind, SourceRef};
use crate::provider::NewPlan;

use super::cause::Cause;
use super::known::{ActionKey, OpKind, Word};
use super::snapshot::ObservedAccount;

/// What would be done, account by account, and what it costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// `sha256:...` over wanted, observed, prices, policy and actions in canonical order.
    pub digest: String,
    /// Which API it is for.
    pub api: ApiInfo,
    /// Each client, by name; invalid ones included.
    pub accounts: Vec<AccountPlan>,
    /// Live facts that differ from the manifests by somebody's hand.
    pub drift: Vec<Drift>,
    /// Accounts without a manifest.
    pub unmanaged: Vec<Unmanaged>,
    /// Things that a person should look at, which stop nothing.
    pub notices: Vec<Notice>,
    /// Rails that stopped something.
    pub rails: Vec<TrippedRail>,
    /// Rails that would have stopped something, had a person not let this plan pass.
    pub passed: Vec<TrippedRail>,
    /// People who come into several accounts through one line.
    pub multiplied: Vec<Multiplied>,
    /// The list price a month.
    pub cost: Cost,
    /// How many of what.
    pub summary: Summary,
    /// What it cost to make this plan and what it costs to carry it out.
    pub requests: Requests,
}

/// Which API a plan is for.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ApiInfo {
    /// The driver, `dnsimple`.
    pub provider: String,
    /// The base URL.
    pub url: String,
}

/// Requests to the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Requests {
    /// Spent on reading; not part of the digest.
    pub spent: u64,
    /// To carry the planned actions out, one each.
    pub to_apply: u64,
}

/// One client's part of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountPlan {
    /// The client; a document without a readable name goes by its place.
    pub name: String,
    /// The client's name, where it is one.
    pub client: Option<ClientName>,
    /// The account, where there is one.
    pub account_id: Option<AccountId>,
    /// Where its document begins.
    pub source: SourceRef,
    /// Labels, for selectors.
    pub labels: BTreeMap<String, String>,
    /// The first that fits.
    pub state: AccountState,
    /// In the order in which they are carried out.
    pub actions: Vec<Action>,
    /// Why it is invalid or cannot be read, where that is so. Inert text.
    pub message: Option<String>,
    /// Who counts as a member or as none on somebody's word, because members cannot be read.
    pub told: Vec<Told>,
    /// What is there now, for `--diff` and for the executor.
    pub observed: Option<ObservedAccount>,
    /// The list price a month now and with everyone wanted; `None` is a custom price.
    pub monthly_before: Option<Money>,
    /// See `monthly_before`.
    pub monthly_after: Option<Money>,
    /// What the account looks like when everything is done, for `--diff`.
    pub desired: Option<Desired>,
    /// The digest of this part.
    pub digest: String,
}

/// Somebody of whom only a word tells whether they are a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Who.
    pub email: Email,
    /// The word, which holds.
    pub word: Word,
}

/// The account as it will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// Name.
    pub name: AccountName,
    /// Notification email.
    pub email: Email,
    /// Plan; `None` is no plan.
    pub plan: Option<PlanId>,
    /// Seats, where the plan has them.
    pub seats: Option<u32>,
    /// Members by email, the owner included.
    pub members: BTreeMap<Email, Access>,
}

/// The state of an account: the first that fits.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// Its manifest does not hold.
    Invalid,
    /// Observed, never changed.
    Suspended,
    /// Something failed and is tried again later.
    Failed,
    /// A person must act.
    Blocked,
    /// A person's steps.
    Manual,
    /// Its members cannot be read.
    Unknown,
    /// Something is planned.
    Changes,
    /// Only waiting is left.
    Waiting,
    /// As it should be.
    InSync,
}

impl AccountState {
    /// Every state, in order.
    pub const ALL: [Self; 9] = [
        Self::Invalid,
        Self::Suspended,
        Self::Failed,
        Self::Blocked,
        Self::Manual,
        Self::Unknown,
        Self::Changes,
        Self::Waiting,
        Self::InSync,
    ];

    /// As JSON and labels have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Suspended => "suspended",
            Self::Failed => "failed",
            Self::Blocked => "blocked",
            Self::Manual => "manual",
            Self::Unknown => "unknown",
            Self::Changes => "changes",
            Self::Waiting => "waiting",
            Self::InSync => "in_sync",
        }
    }

    /// In words.
    pub fn words(self) -> String {
        self.as_str().replace('_', " ")
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// What.
    pub op: Op,
    /// Where it stands.
    pub state: ActionState,
    /// The condition, where it does not simply go ahead.
    pub reason: Option<Reason>,
    /// What happens and, where it does not, what ends that. Inert text.
    pub message: String,
    /// By an `Offboarding`: comes before everything else.
    pub offboarding: bool,
    /// Waits for nothing but a person's sign-up, or tries whether they have: counted as
    /// planned in digests.
    pub unregistered: bool,
    /// Whether the manifest changed or the account did; `None` where no journal tells. Not part
    /// of the digest.
    pub cause: Option<Cause>,
    /// The server's id of the request, once it was tried.
    pub request_id: Option<RequestId>,
    /// What a person does where the server offers it to no program, in order. The first line
    /// of a step says what; each further line is a value to type, inert and ready to copy.
    pub steps: Vec<String>,
    /// The page where they begin, where it is known.
    pub link: Option<String>,
}

/// Where an action stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionState {
    /// To be done.
    Planned,
    /// Done.
    Applied,
    /// Tried, and to be tried again later.
    Failed,
    /// Time or somebody else ends it.
    Waiting,
    /// A person must act.
    Blocked,
    /// The server does not offer it; a person's steps.
    Manual,
    /// What it depends on did not happen.
    Skipped,
}

/// A change from one value to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<T> {
    /// What it is; `None` where the server has none.
    pub from: Option<T>,
    /// What it becomes.
    pub to: T,
}

/// What an action does. Everything that is needed to carry it out is in it: there are no
/// choices at execution time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Make the account.
    CreateAccount {
        /// Its name.
        name: AccountName,
        /// Its notification email; `None` where it is set afterwards.
        email: Option<Email>,
        /// The plan that comes with it in the same request, where the server has it so.
        plan: Option<NewPlan>,
    },
    /// Change name or notification email.
    UpdateAccount {
        /// The name.
        name: Option<Change<AccountName>>,
        /// The notification email.
        email: Option<Change<Email>>,
    },
    /// Choose a plan where none is in force.
    Subscribe {
        /// The plan.
        plan: PlanId,
        /// Seats; `None` where the plan has none to choose.
        seats: Option<u32>,
    },
    /// Choose another plan, and its seats with it.
    ChangePlan {
        /// The plan in force.
        from: PlanId,
        /// The plan wanted.
        to: PlanId,
        /// Seats; `None` where the plan has none to choose.
        seats: Option<u32>,
        /// Takes effect at renewal only (rule 6).
        downgrade: bool,
    },
    /// Another number of seats of the same plan.
    SetSeats {
        /// The plan in force.
        plan: PlanId,
        /// Seats now.
        from: u32,
        /// Seats wanted.
        to: u32,
    },
    /// Remove a member or revoke an invitation.
    RemoveMember {
        /// The membership.
        id: MemberId,
        /// The person.
        email: Email,
        /// What they may do now.
        access: Access,
        /// Still an invitation.
        invited: bool,
    },
    /// Add a person.
    AddMember {
        /// The person.
        email: Email,
        /// What they may do.
        access: Access,
        /// The server's exact role, where the manifest asks for one.
        role: Option<Role>,
    },
    /// Change what a member may do.
    SetAccess {
        /// The membership.
        id: MemberId,
        /// The person.
        email: Email,
        /// What they may do now.
        from: Access,
        /// What they are to do.
        to: Access,
        /// The server's exact role, where the manifest asks for one.
        role: Option<Role>,
    },
    /// Cancel the subscription.
    Unsubscribe {
        /// The plan in force.
        plan: PlanId,
    },
}

impl Op {
    /// Its kind.
    pub const fn kind(&self) -> OpKind {
        match self {
            Self::CreateAccount { .. } => OpKind::CreateAccount,
            Self::UpdateAccount { .. } => OpKind::UpdateAccount,
            Self::Subscribe { .. } => OpKind::Subscribe,
            Self::ChangePlan { .. } => OpKind::ChangePlan,
            Self::SetSeats { .. } => OpKind::SetSeats,
            Self::RemoveMember { .. } => OpKind::RemoveMember,
            Self::AddMember { .. } => OpKind::AddMember,
            Self::SetAccess { .. } => OpKind::SetAccess,
            Self::Unsubscribe { .. } => OpKind::Unsubscribe,
        }
    }

    /// The person it concerns.
    pub const fn person(&self) -> Option<&Email> {
        match self {
            Self::RemoveMember { email, .. } | Self::AddMember { email, .. } | Self::SetAccess { email, .. } => {
                Some(email)
            }
            _ => None,
        }
    }

    /// To whom, or to what end, as text. Empty for a create: an edit of its name or email
    /// while it is unsettled does not make another one.
    pub fn argument(&self) -> String {
        let seats = |seats: &Option<u32>| seats.map_or_else(String::new, |seats| format!("/{seats}"));
        match self {
            Self::CreateAccount { name: _, email: _, plan: _ } => String::new(),
            Self::UpdateAccount { name, email } => {
                let name = name.as_ref().map_or("", |change| change.to.as_str());
                let email = email.as_ref().map_or("", |change| change.to.key());
                format!("{name}/{email}")
            }
            Self::Subscribe { plan, seats: some } => format!("{}{}", plan.as_str(), seats(some)),
            Self::ChangePlan { from: _, to, seats: some, downgrade: _ } => format!("{}{}", to.as_str(), seats(some)),
            Self::SetSeats { plan, from: _, to } => format!("{}/{to}", plan.as_str()),
            Self::RemoveMember { id: _, email, access: _, invited: _ }
            | Self::AddMember { email, access: _, role: _ } => email.key().to_owned(),
            Self::SetAccess { id: _, email, from: _, to, role: None } => format!("{}/{to}", email.key()),
            Self::SetAccess { id: _, email, from: _, to, role: Some(role) } => {
                format!("{}/{to} {}", email.key(), role.as_str().replace('/', " "))
            }
            Self::Unsubscribe { plan } => plan.as_str().to_owned(),
        }
    }

    /// What it is remembered by.
    pub fn key(&self, client: &ClientName) -> ActionKey {
        ActionKey { client: client.clone(), op: self.kind(), person: self.person().cloned() }
    }
}

/// The conditions: why something does not simply go ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum Reason {
    // waiting
    /// The person is not a registered user yet (rule 12).
    AwaitingSignup,
    /// The invitation was not accepted yet.
    AwaitingAcceptance,
    /// The new plan begins at renewal (rule 6).
    DowngradeAtRenewal,
    /// Seats are cut at renewal (rule 17).
    SeatsAtRenewal,
    /// Payment settles later (202).
    SubscriptionSettling,
    /// An answer was lost; being read back.
    OutcomeSettling,
    /// The quota is used up; goes on when the window opens.
    QuotaExhausted,
    /// Held for second thoughts (`--hold`); goes ahead when its time is over.
    Held,
    // blocked
    /// Two claim one account, or one claims two.
    AmbiguousAccount,
    /// An account of this name may be somebody else's.
    AdoptionNeeded,
    /// `accountId` names an account that is not visible.
    AccountNotFound,
    /// Members are wanted on a plan that takes the owner only (rule 11).
    PlanTakesOneMember,
    /// The plan is unknown, not for self-service, legacy, or not decided.
    PlanUnavailable,
    /// More members than the plan takes (rule 7).
    TooManyMembers,
    /// 402.
    PaymentRequired,
    /// 412 on a subscription (rule 4).
    EmailNotVerified,
    /// 403.
    NotPermitted,
    /// The notification email is a member's user email (rule 16).
    NotificationEmailConflict,
    /// The plan has no limited access (rule 14).
    AccessUnavailable,
    /// The members of the account cannot be read.
    MembersUnknown,
    /// An outcome could not be found out; a person looks.
    OutcomeUnknown,
    /// An account that was there is gone; not made again by itself (rule R1).
    RemovedElsewhere,
    /// An invitation was revoked or declined; not sent again by itself.
    InvitationGone,
    /// All writes of the fleet are stopped.
    Frozen,
    /// Too many known accounts are gone at once: nothing is created meanwhile.
    AccountsVanished,
    /// A rail of the operator.
    GuardRail,
    /// Would remove the last full-access member, or ourselves.
    LastFullAccess,
    // skipped
    /// What it depends on did not happen.
    DependencyNotMet,
    /// The client is suspended: shown, not done.
    Suspended,
    // manual
    /// The server does not offer it.
    NotOffered,
}

/// A live fact that differs from the manifests by somebody's hand.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Drift {
    /// The account.
    pub account_id: AccountId,
    /// The client that manages it.
    pub client: ClientName,
    /// What kind.
    pub what: DriftKind,
    /// The person, where it concerns one.
    pub email: Option<Email>,
    /// In words.
    pub message: String,
}

/// Kinds of drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftKind {
    /// A member whom no manifest lists.
    MemberAdded,
    /// More seats than anyone is wanted for.
    SpareSeats,
    /// A renewal failed (rule 9).
    Dunned,
}

/// An account without a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmanaged {
    /// Its id.
    pub account_id: AccountId,
    /// Its name.
    pub name: Option<AccountName>,
    /// Its list price a month; `None` where it is custom or was not read.
    pub monthly: Option<Money>,
}

/// Something that a person should look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Notice {
    /// The client, where it concerns one.
    pub client: Option<ClientName>,
    /// The plan whose list price changed, where that is what it is about.
    pub plan: Option<PlanId>,
    /// In words.
    pub message: String,
}

/// A rail that stopped something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrippedRail {
    /// The flag that sets it, `--max-creates`.
    pub flag: &'static str,
    /// Its value, in words.
    pub value: String,
    /// A value with which it would stop nothing of this plan; `None` where it has no value.
    pub suffices: Option<String>,
    /// What was asked for, and what was stopped.
    pub message: String,
}

impl TrippedRail {
    /// Whether it is one of amount, which stays tripped until a person lets a plan pass.
    pub fn is_cap(&self) -> bool {
        self.flag.starts_with("--max-")
    }
}

/// A person who comes into several accounts through one line: of a group, or of defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Multiplied {
    /// Who.
    pub email: Email,
    /// Whose line it is: a group's or defaults', never a client's own.
    pub through: OriginKind,
    /// The line that lists them.
    pub source: SourceRef,
    /// How many accounts they come into.
    pub accounts: u32,
    /// In how many of these a seat is paid for them; in the others one is free, or costs nothing.
    pub seats: u32,
    /// The price of a seat a month, where it is the same in all of these.
    pub seat_price: Option<Money>,
    /// What the seats come to a month.
    pub monthly: Money,
    /// In how many accounts the price of their seat is not known.
    pub unpriced: u32,
    /// Whether they are known to be a user of the service: before, no seat is bought for them.
    pub registered: bool,
}

/// The list price a month of the matched and new accounts with everyone wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Now.
    pub before: Money,
    /// When everything is done and everyone has joined.
    pub after: Money,
    /// Accounts whose price is custom, and not counted.
    pub unpriced: u32,
}

/// How many of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[expect(missing_docs, reason = "named after the actions and states that they count")]
pub struct Summary {
    pub create_account: u32,
    pub update_account: u32,
    pub subscribe: u32,
    pub change_plan: u32,
    pub set_seats: u32,
    pub remove_member: u32,
    pub add_member: u32,
    pub set_access: u32,
    pub unsubscribe: u32,
    pub waiting: u32,
    pub blocked: u32,
    pub manual: u32,
    pub in_sync: u32,
}
