//! Accounts, subscriptions, members and plans as the account API shows them.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;

use crate::domain::{Access, AccountId, AccountName, Email, MemberId, Money, PlanFamily, PlanId, RequestId, Role};

/// Which API, whose token, which world: two processes with the same scope speak of the
/// same accounts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// The base URL, without a trailing slash.
    pub api_url: String,
    /// The id of the token's user.
    pub user_id: String,
    /// The id of a sandbox's world (`X-Sandbox-World`), which a reset renews.
    pub world: Option<String>,
}

/// Who the token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The scope of everything that is said of this server.
    pub scope: Scope,
    /// The user whose token it is; first member of each account it creates.
    pub email: Email,
}

/// What a server offers, asked and never assumed. The default offers nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offer {
    /// Whether accounts can be created, subscribed and joined over this API at all.
    pub account_management: bool,
    /// The plans, legacy ones included.
    pub plans: Vec<PlanOffer>,
    /// The extensions it has.
    pub capabilities: Capabilities,
    /// In what it differs from the way of `account-api.md`.
    pub quirks: BTreeSet<Quirk>,
    /// Its own roles, where it has more than full and limited access.
    pub roles: Vec<RoleOffer>,
    /// Why nothing that costs can be bought, where that is known beforehand. Inert text.
    pub unpayable: Option<String>,
}

impl Offer {
    /// Whether it differs in this.
    pub fn has_quirk(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }

    /// What a role may do; `None` where the server has no such role.
    pub fn access_of(&self, role: &Role) -> Option<Access> {
        self.roles.iter().find(|offered| offered.role == *role).map(|offered| offered.access)
    }

    /// The plan of this identifier.
    pub fn plan(&self, id: &PlanId) -> Option<&PlanOffer> {
        self.plans.iter().find(|plan| plan.id == *id)
    }
}

/// In what a server differs from the way of `account-api.md`, so that a plan says beforehand
/// what will happen there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quirk {
    /// An account is made with its plan and seats, in one request, and none without a plan.
    PlanAtCreation,
    /// Creating takes no notification email: it is set afterwards.
    EmailAfterwards,
    /// A subscription ends with its account only, which bursar never closes.
    NoUnsubscribe,
    /// Whether a plan is paid by the month or by the year is decided when it is first chosen.
    FixedPeriod,
}

impl Quirk {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::PlanAtCreation, Self::EmailAfterwards, Self::NoUnsubscribe, Self::FixedPeriod];

    /// In words, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::PlanAtCreation => "an account is made with its plan, in one request",
            Self::EmailAfterwards => "the notification email is set after the account is made",
            Self::NoUnsubscribe => "a subscription cannot be cancelled without closing the account",
            Self::FixedPeriod => "the billing period cannot be changed",
        }
    }
}

/// A role that a server has, and what access it comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleOffer {
    /// The server's word.
    pub role: Role,
    /// Whether its holder has every right on the account.
    pub access: Access,
}

/// One plan (rules 10, 11).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlanOffer {
    /// The identifier, `teams-v2-monthly`.
    pub id: PlanId,
    /// The name that people read.
    pub name: String,
    /// The family, `teams`.
    pub family: PlanFamily,
    /// Whether prices are a year's; a month's otherwise.
    pub yearly: bool,
    /// The price with the included seats, a billing period; `None` is a custom price.
    pub base_price: Option<Money>,
    /// Seats in the base price.
    pub included_seats: Option<u32>,
    /// The price of one seat more, a billing period.
    pub seat_price: Option<Money>,
    /// The most members it takes; `None` is unlimited.
    pub max_members: Option<u32>,
    /// Whether it takes members besides the owner.
    pub multi_member: bool,
    /// `false` is a legacy plan: kept where it is, not newly chosen.
    pub available: bool,
}

impl PlanOffer {
    /// The list price a month with this many seats; `None` where the price is custom.
    pub fn monthly(&self, seats: u32) -> Option<Money> {
        let extra = seats.saturating_sub(self.included_seats.unwrap_or(1));
        let seats_price = if extra == 0 { Money::ZERO } else { self.seat_price? * extra };
        let period = self.base_price? + seats_price;
        Some(if self.yearly { period.monthly_of_yearly() } else { period })
    }

    /// The price a month of the seat after `seats`; `None` where the price is custom.
    pub fn monthly_seat(&self) -> Option<Money> {
        let seat = self.seat_price?;
        Some(if self.yearly { seat.monthly_of_yearly() } else { seat })
    }
}

/// An extension that a server may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// `include=subscription,members` on account reads.
    Bulk,
    /// `Idempotency-Key` on `POST /accounts`.
    IdempotencyKeys,
    /// `updated_at` of an account moves with its subscription and members.
    UpdatedAt,
    /// Members may have limited access.
    LimitedAccess,
    /// Any email may be invited; nobody needs to be registered first.
    Invitations,
}

impl Capability {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Bulk, Self::IdempotencyKeys, Self::UpdatedAt, Self::LimitedAccess, Self::Invitations];

    /// The name that servers and the command line use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bulk => "bulk",
            Self::IdempotencyKeys => "idempotency_keys",
            Self::UpdatedAt => "updated_at",
            Self::LimitedAccess => "limited_access",
            Self::Invitations => "invitations",
        }
    }

    /// The capability of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.name() == name)
    }
}

/// The extensions that a server has; unknown names are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capabilities(BTreeSet<Capability>);

impl Capabilities {
    /// Whether the server has it.
    pub fn has(&self, capability: Capability) -> bool {
        self.0.contains(&capability)
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|c| c.name()).collect();
        f.write_str(&names.join(", "))
    }
}

/// An account. Details are there where the server embeds them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The service's id.
    pub id: AccountId,
    /// The name; a server may have none.
    pub name: Option<AccountName>,
    /// The notification email; a server may have none.
    pub email: Option<Email>,
    /// The plan that the list names; `None` is no plan.
    pub plan: Option<PlanId>,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// When it last changed; counted on only with [`Capability::UpdatedAt`].
    pub updated_at: Option<Timestamp>,
    /// The subscription, where it was read: `Some(None)` is "never had one".
    pub subscription: Option<Option<Subscription>>,
    /// The members, where they were read.
    pub members: Option<Vec<Member>>,
}

/// The state of a subscription, DNSimple's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionState {
    /// `new`
    New,
    /// `subscribing`: payment settles later.
    Subscribing,
    /// `subscribed`
    Subscribed,
    /// `unsubscribed`: there was one.
    Unsubscribed,
    /// `not_subscribed`
    NotSubscribed,
}

/// A subscription of an account to a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The plan in force.
    pub plan: PlanId,
    /// Where it stands.
    pub state: SubscriptionState,
    /// Seats paid for, the owner's included; `None` where the plan has none.
    pub seats: Option<u32>,
    /// A renewal failed; services go on for 21 days (rule 9).
    pub dunned: bool,
    /// When the trial ends.
    pub trial_ends_at: Option<Timestamp>,
    /// When it is renewed: the time of pending downgrades and seat cuts.
    pub current_period_ends_at: Option<Timestamp>,
    /// The plan it becomes at renewal (rule 6).
    pub pending_plan: Option<PlanId>,
    /// The seats it has from renewal on (rule 17).
    pub pending_seats: Option<u32>,
}

impl Subscription {
    /// Whether a plan is in force or on its way.
    pub fn is_active(&self) -> bool {
        matches!(self.state, SubscriptionState::Subscribed | SubscriptionState::Subscribing)
    }
}

/// Whether a member has joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemberState {
    /// Joined.
    Active,
    /// Invited, and takes a seat.
    Invited,
}

/// A member of an account, or a pending invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The id of the membership. Empty for the owner of an account that was created a
    /// moment ago and not read since: rule 18 keeps everybody from removing themselves.
    pub id: MemberId,
    /// The person; a server may show none.
    pub email: Email,
    /// What they may do.
    pub access: Access,
    /// The server's own word for that, where it has roles.
    pub role: Option<Role>,
    /// Joined or invited.
    pub state: MemberState,
}

/// What a person is to be able to do in an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Everything, or less.
    pub access: Access,
    /// The exact role, where one is asked for; the server's usual one for the access else.
    pub role: Option<Role>,
}

impl Grant {
    /// Access without an exact role.
    pub const fn of(access: Access) -> Self {
        Self { access, role: None }
    }
}

/// An account to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// Its name.
    pub name: AccountName,
    /// Its notification email; `None` where creating takes none ([`Quirk::EmailAfterwards`]).
    pub email: Option<Email>,
    /// Its plan, where it is made with one ([`Quirk::PlanAtCreation`]).
    pub plan: Option<NewPlan>,
}

/// The plan that an account is created with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct NewPlan {
    /// The plan.
    pub plan: PlanId,
    /// Seats in all; `None` where the plan has none to choose.
    pub seats: Option<u32>,
}

/// A change of an account; what is `None` stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountPatch {
    /// The new name.
    pub name: Option<AccountName>,
    /// The new notification email.
    pub email: Option<Email>,
}

/// What a write brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written<T> {
    /// What is there now.
    pub value: T,
    /// The server's id of the request, for the history.
    pub request_id: Option<RequestId>,
}

/// The name of one attempt, under which the server carries a request out once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Takes a key of at most 64 characters of `[0-9a-z-]`.
    pub fn new(key: String) -> Self {
        Self(key)
    }

    /// As it stands in the header.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(yearly: bool, base: Option<i64>, seat: Option<i64>) -> PlanOffer {
        PlanOffer {
            id: PlanId::new("p"),
            name: "P".into(),
            family: PlanFamily::new("f"),
            yearly,
            base_price: base.map(Money::cents),
            included_seats: Some(1),
            seat_price: seat.map(Money::cents),
            max_members: None,
            multi_member: true,
            available: true,
        }
    }

    #[test]
    fn a_price_counts_the_seats_beyond_those_included() {
        let teams = plan(false, Some(2900), Some(2900));
        assert_eq!(teams.monthly(1), Some(Money::cents(2900)));
        assert_eq!(teams.monthly(3), Some(Money::cents(8700)));
        assert_eq!(plan(true, Some(12_000), Some(1200)).monthly(2), Some(Money::cents(1100)));
        assert_eq!(plan(false, None, None).monthly(1), None, "a custom price is no price");
        assert_eq!(plan(false, Some(0), None).monthly(1), Some(Money::ZERO));
    }
}
