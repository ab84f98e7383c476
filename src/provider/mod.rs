//! The live account API: what it shows and what it can be asked to do, in the types of the
//! domain. One folder a driver.
//!
//! Reading and writing are two traits. A planner is given what was read, never a reader;
//! a [`Write`] exists only where a plan is carried out.

mod base_url;
mod budget;
pub mod dnsimple;
mod error;
mod examine;
pub mod netlify;
pub mod token;
pub mod transport;
mod types;
mod webhooks;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use base_url::{BaseUrl, BaseUrlError};
pub use budget::{Class, QuotaUse, USUAL_RESERVE};
pub use error::{ApiError, ApiErrorKind, Meaning};
pub use examine::{Billing, Charge, Examine, Greeting, Holder, Paging};
pub use token::{Token, TokenError};
pub use types::{
    Account, AccountPatch, Capabilities, Capability, Grant, IdempotencyKey, Identity, Member, MemberState, NewAccount,
    NewPlan, Offer, PlanOffer, Quirk, RoleOffer, Scope, Subscription, SubscriptionState, Written,
};
pub use wire::{Quota, Traffic};

pub use webhooks::{Webhook, Webhooks};

use crate::domain::{AccountId, Email, MemberId, PlanId};

/// What can be read. Every call is a GET.
#[async_trait]
pub trait Read: Send + Sync {
    /// Which API this is, whose token, and which world of a sandbox: the scope of keys and
    /// of everything that is remembered. One request (`GET /whoami`).
    async fn identity(&self) -> Result<Identity, ApiError>;

    /// What the server offers: plans, capabilities, or that account management is not
    /// offered at all. One request (`GET /plans`).
    async fn offer(&self) -> Result<Offer, ApiError>;

    /// Every account that the token's user is a member of, by ascending id, complete:
    /// a list that was cut short, repeated a page, or disagreed with its own totals is an
    /// error, never a shorter list. One request a hundred accounts. Subscription and
    /// members are embedded where the server has [`Capability::Bulk`].
    async fn accounts(&self) -> Result<Vec<Account>, ApiError>;

    /// One account; `None` where it is absent or not visible. One request, with details
    /// embedded where the server does that.
    async fn account(&self, id: &AccountId) -> Result<Option<Account>, ApiError>;

    /// The subscription of an account; `None` where there never was one.
    async fn subscription(&self, id: &AccountId) -> Result<Option<Subscription>, ApiError>;

    /// The members of an account, pending invitations included, complete.
    async fn members(&self, id: &AccountId) -> Result<Vec<Member>, ApiError>;

    /// The same reader for requests of this class: one count, one quota.
    fn of(&self, class: Class) -> Arc<dyn Read>;

    /// The wire below this reader.
    fn line(&self) -> &dyn Line;
}

/// The wire of one token, which reader and writer share: what went over it, and how its quota
/// stands. No driver has one of its own.
pub trait Line {
    /// How many requests reached the wire so far; one that could not be sent is none.
    fn requests_sent(&self) -> u64;

    /// What went over the wire so far.
    fn traffic(&self) -> Traffic;

    /// Which world of a sandbox the last answer was of, as in [`Scope::world`]; `None` where no
    /// answer told of one.
    fn world(&self) -> Option<String>;

    /// The quota as the last answer told it; `None` where nothing is limited or known.
    fn quota(&self) -> Option<Quota>;

    /// How the quota stands.
    fn quota_use(&self) -> QuotaUse;

    /// From now on what no person waits for is paced, with so many percent of the quota in
    /// reserve.
    fn pace(&self, reserve: u8);

    /// How long it is until so many requests of the reader's class may be begun.
    fn outlook(&self, requests: u64) -> Duration;
}

/// What can be asked for. Each call sends at most one request, on a fresh connection,
/// follows no redirect and is never repeated by the client: repeating is the protocol's
/// decision.
#[async_trait]
pub trait Write: Send + Sync {
    /// `POST /accounts`: the only call that makes a second thing when it is repeated
    /// without a key. Its plan comes with it where the server has it so
    /// ([`Quirk::PlanAtCreation`]); the answer then shows the subscription.
    async fn create_account(
        &self,
        new: &NewAccount,
        key: Option<&IdempotencyKey>,
    ) -> Result<Written<Account>, ApiError>;

    /// Changes name or notification email.
    async fn update_account(&self, id: &AccountId, patch: &AccountPatch) -> Result<Written<Account>, ApiError>;

    /// Chooses the plan and the seats: the first subscription, a change, or both at once.
    /// `seats: None` leaves them as they are (or at what the plan includes).
    async fn put_subscription(
        &self,
        id: &AccountId,
        plan: &PlanId,
        seats: Option<u32>,
    ) -> Result<Written<Subscription>, ApiError>;

    /// Cancels the subscription; the account's domains stop resolving at once (rule 8).
    async fn delete_subscription(&self, id: &AccountId) -> Result<Written<()>, ApiError>;

    /// Adds a person by the email of their registered user (rule 12).
    async fn add_member(&self, id: &AccountId, email: &Email, grant: &Grant) -> Result<Written<Member>, ApiError>;

    /// Changes what a member may do.
    async fn set_access(&self, id: &AccountId, member: &MemberId, grant: &Grant) -> Result<Written<Member>, ApiError>;

    /// Removes a member, or revokes an invitation.
    async fn remove_member(&self, id: &AccountId, member: &MemberId) -> Result<Written<()>, ApiError>;

    /// Waits until one request of a class may be sent, at most so long, and brings a writer
    /// that sends it without waiting: to be asked for before a permit, which is good for a
    /// moment only. Dropped unused, the turn is given back.
    ///
    /// # Errors
    /// [`ApiErrorKind::Quota`], nothing sent.
    async fn turn(&self, class: Class, patience: Duration) -> Result<Arc<dyn Write>, ApiError>;
}
