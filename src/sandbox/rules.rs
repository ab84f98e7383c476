//! The rules of the service, as pure functions: a request against the world gives either
//! the changes it makes, or a refusal that names every fault at once. Rule numbers are
//! those of the account API's contract (docs/sandbox.md).

pub mod accounts;
pub mod events;
pub mod members;
pub mod payments;
pub mod people;
pub mod subscription;
pub mod time;
pub mod webhooks;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::catalogue::Plan;
use super::dialect::Dialect;
use super::world::{Access, Account, AccountId, Change, Draft, Member, User, UserId, World};

/// How people become members (rule 12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MemberMode {
    /// A registered user becomes a member at once; anybody else is refused.
    #[default]
    Registered,
    /// Anybody is invited, and a member once they accept.
    Invite,
}

/// An extension of the API that the sandbox can do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extension {
    /// `include=subscription,members` on reads of accounts.
    Bulk,
    /// `Idempotency-Key` on `POST /accounts`.
    IdempotencyKeys,
    /// An account's `updated_at` moves with its subscription and members.
    UpdatedAt,
    /// Members may have limited access.
    LimitedAccess,
    /// The word that anybody may be invited; spoken in the mode `invite` only.
    Invitations,
    /// Everything that DNSimple does not publish, all of the above included.
    AccountManagement,
}

impl Extension {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Bulk,
        Self::IdempotencyKeys,
        Self::UpdatedAt,
        Self::LimitedAccess,
        Self::Invitations,
        Self::AccountManagement,
    ];

    /// Those that `GET /plans` names, in its order.
    pub const TOLD: [Self; 5] =
        [Self::Bulk, Self::IdempotencyKeys, Self::UpdatedAt, Self::LimitedAccess, Self::Invitations];

    /// The name on the wire and the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bulk => "bulk",
            Self::IdempotencyKeys => "idempotency_keys",
            Self::UpdatedAt => "updated_at",
            Self::LimitedAccess => "limited_access",
            Self::Invitations => "invitations",
            Self::AccountManagement => "account_management",
        }
    }

    /// The extension of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|extension| extension.name() == name)
    }
}

/// What the operator of the sandbox chose.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    pub dialect: Dialect,
    pub member_mode: MemberMode,
    pub without: BTreeSet<Extension>,
}

impl Terms {
    /// The plan of this identifier, where the service sells or knows it.
    pub fn plan(&self, identifier: &str) -> Option<&'static Plan> {
        self.dialect.plans().iter().find(|plan| plan.identifier == identifier)
    }

    /// Whether this extension is offered.
    pub fn offers(&self, extension: Extension) -> bool {
        let by_mode = extension != Extension::Invitations || self.member_mode == MemberMode::Invite;
        // What is published offers no extension.
        let is_without = |it: &Extension| self.without.contains(it);
        by_mode && !is_without(&extension) && !is_without(&Extension::AccountManagement)
    }

    /// Whether people may have limited access: on the page also where the API publishes none.
    pub fn limits_access(&self) -> bool {
        !self.without.contains(&Extension::LimitedAccess)
    }
}

/// Over which door a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// The API: counted in the ledger's totals.
    Api,
    /// Somebody by hand, on the page.
    ByHand,
}

/// Everything a rule may look at.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'w> {
    pub world: &'w World,
    pub caller: UserId,
    /// The sandbox's time, in whole seconds.
    pub now: Timestamp,
    pub terms: &'w Terms,
    /// How long the payment of a new subscription takes to settle.
    pub settling: SignedDuration,
    pub door: Door,
}

impl<'w> Moment<'w> {
    /// The user who asks.
    pub fn user(&self) -> Result<&'w User, Refusal> {
        self.world.users.get(&self.caller).ok_or_else(Refusal::credentials)
    }

    /// An account that the caller is a member of.
    pub fn account(&self, id: AccountId) -> Result<(&'w Account, &'w Member), Refusal> {
        let found = self.world.accounts.get(&id).zip(self.world.membership(id, self.caller));
        found.ok_or_else(|| Refusal::absent("Account", id.0))
    }

    /// An account that the caller has full access to (rule 14).
    pub fn managed(&self, id: AccountId) -> Result<&'w Account, Refusal> {
        match self.account(id)? {
            (account, Member { access: Access::Full, .. }) => Ok(account),
            (_, Member { access: Access::Limited, .. }) => {
                Err(Refusal::new(403, "Full access to the account is required"))
            }
        }
    }

    /// The accounts that the caller is a member of, by ascending id.
    pub fn visible(&self) -> impl Iterator<Item = &'w Account> {
        let (world, caller) = (self.world, self.caller);
        world.accounts.values().filter(move |account| world.membership(account.id, caller).is_some())
    }

    /// Moves `updated_at` of an account whose subscription or members change, where the
    /// server is honest about it.
    pub fn touch(&self, draft: &mut Draft, account: AccountId) {
        touch(draft, self.world, self.terms, account, self.now);
    }
}

fn touch(draft: &mut Draft, world: &World, terms: &Terms, account: AccountId, now: Timestamp) {
    if let Some(account) = world.accounts.get(&account)
        && terms.offers(Extension::UpdatedAt)
    {
        draft.put(Change::PutAccount(moved(account, now)));
    }
}

/// The account with a later `updated_at`: times have whole seconds on the wire, and a
/// second change within one must show too.
pub fn moved(account: &Account, now: Timestamp) -> Account {
    let next = account.updated_at.saturating_add(SignedDuration::from_secs(1)).unwrap_or(account.updated_at);
    Account { updated_at: now.max(next), ..account.clone() }
}

/// Why a request is refused: the status, the message, and the fields at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub message: String,
    pub errors: BTreeMap<&'static str, Vec<String>>,
}

impl Refusal {
    /// A refusal without fields.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), errors: BTreeMap::new() }
    }

    /// 401.
    pub fn credentials() -> Self {
        Self::new(401, "Authentication failed")
    }

    /// 404: not there, or not visible to the caller, which must look the same.
    pub fn absent(what: &str, id: u64) -> Self {
        Self::new(404, format!("{what} `{id}` not found"))
    }
}

/// The faults of a request, gathered until all are known.
#[derive(Debug, Default)]
pub struct Faults(BTreeMap<&'static str, Vec<String>>);

impl Faults {
    /// Notes one.
    pub fn note(&mut self, field: &'static str, fault: impl Into<String>) {
        self.0.entry(field).or_default().push(fault.into());
    }

    /// Notes others besides.
    pub fn merge(&mut self, others: Self) {
        for (field, faults) in others.0 {
            self.0.entry(field).or_default().extend(faults);
        }
    }

    /// Refuses with 400 where there is one.
    pub fn refuse_if_any(self) -> Result<(), Refusal> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(Refusal { status: 400, message: "Validation failed".to_owned(), errors: self.0 })
    }
}

/// Whether the service takes this text for an address.
pub fn is_email(text: &str) -> bool {
    let options = email_address::Options::default().with_required_tld().without_display_text().without_domain_literal();
    text.len() <= 254
        && text.is_ascii()
        && !text.contains(['"', '<', '>', ' '])
        && email_address::EmailAddress::parse_with_options(text, options).is_ok()
}
