//! The world of the sandbox: its people, accounts, subscriptions, members and money, and
//! the changes that a decision makes to it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::catalogue::{self, Cents, Plan};
use super::dialect::Dialect;
use super::netlify::Team;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

ids! {
    /// A person who signed up.
    UserId,
    /// An account of a customer.
    AccountId,
    /// One person's place in one account.
    MemberId,
    /// One subscription; subscribing again makes another.
    SubscriptionId,
    /// Money that was collected.
    ChargeId,
    /// Money that could not be collected.
    PaymentId,
    /// A registered webhook.
    WebhookId,
    /// Something that a webhook is to be told.
    DeliveryId,
    /// A mail that went out.
    MailId,
}

/// How a card behaves when it is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Card {
    /// Pays.
    Accepted,
    /// Is refused by its bank.
    Refused,
}

/// A registered user of the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub id: UserId,
    pub email: String,
    pub verified: bool,
    pub card: Option<Card>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// An account of a customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub id: AccountId,
    pub name: String,
    pub email: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Where a subscription stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionState {
    /// Chosen, but its payment is not settled yet: not in force.
    Subscribing,
    /// In force.
    Subscribed,
    /// Cancelled, or never paid for.
    Unsubscribed,
}

impl SubscriptionState {
    /// The word of the API.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Subscribing => "subscribing",
            Self::Subscribed => "subscribed",
            Self::Unsubscribed => "unsubscribed",
        }
    }
}

/// The latest subscription of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    pub id: SubscriptionId,
    pub account_id: AccountId,
    pub plan_identifier: String,
    pub state: SubscriptionState,
    pub seats: u32,
    pub trial_ends_at: Option<Timestamp>,
    pub period_started_at: Timestamp,
    pub current_period_ends_at: Timestamp,
    pub pending_plan_identifier: Option<String>,
    pub pending_seats: Option<u32>,
    /// Whose card its renewals are charged to: who subscribed, or last bought more.
    #[serde(default)]
    pub payer: Option<UserId>,
    /// When it comes into force, while it is `subscribing`.
    #[serde(default)]
    pub settles_at: Option<Timestamp>,
    /// Since when a renewal is unpaid (rule 9).
    #[serde(default)]
    pub dunned_since: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Subscription {
    /// Whether nothing is charged yet at this time (rule 5).
    pub fn in_trial(&self, now: Timestamp) -> bool {
        self.trial_ends_at.is_some_and(|end| now < end)
    }

    /// Whether it is in force.
    pub fn in_force(&self) -> bool {
        self.state == SubscriptionState::Subscribed
    }

    /// Whether it was chosen and is not settled yet.
    pub fn is_settling(&self) -> bool {
        self.state == SubscriptionState::Subscribing
    }

    /// Its plan; `None` in a world whose file names one that is not in the catalogue.
    pub fn plan(&self) -> Option<&'static Plan> {
        catalogue::find(&self.plan_identifier)
    }
}

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Everything, billing and members included (rule 14).
    Full,
    /// Less; on multi-member plans only.
    Limited,
}

impl Access {
    /// The word of the API.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Limited => "limited",
        }
    }

    /// The access of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Full, Self::Limited].into_iter().find(|access| access.word() == word)
    }
}

/// A person's place in an account: `user_id` is absent while they are only invited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub id: MemberId,
    pub account_id: AccountId,
    pub user_id: Option<UserId>,
    pub email: String,
    pub access: Access,
    pub created_at: Timestamp,
}

/// Money that was collected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    pub id: ChargeId,
    pub account_id: AccountId,
    pub amount: Cents,
    pub at: Timestamp,
    /// What it was for, in words.
    pub reason: String,
    pub subscription_id: SubscriptionId,
    pub plan_identifier: String,
}

/// Money that a card refused to pay. While one is open nothing more is bought for the
/// account (rule 9).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    pub id: PaymentId,
    pub account_id: AccountId,
    /// Who pays it, once their card does.
    pub payer: UserId,
    pub amount: Cents,
    pub since: Timestamp,
    /// What it is for, in words.
    pub reason: String,
    pub plan_identifier: String,
    /// What comes with paying it; without one it is a renewal.
    pub order: Option<Order>,
}

/// A purchase that waits until it is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    pub seats: u32,
    /// Whether a subscription that comes of it counts as created over the API.
    pub counts: bool,
}

/// A mail that went out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    pub id: MailId,
    pub account_id: AccountId,
    pub to: String,
    pub subject: String,
    pub at: Timestamp,
}

/// A registered webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    pub id: WebhookId,
    pub account_id: AccountId,
    pub url: String,
}

/// Something that a webhook is to be told, until it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    pub id: DeliveryId,
    pub webhook_id: WebhookId,
    pub url: String,
    /// What is posted.
    pub body: String,
    /// How often it was tried in vain.
    pub attempts: u32,
    pub since: Timestamp,
    pub next_at: Timestamp,
}

/// The answer to a request with an `Idempotency-Key`, kept for its repetition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAnswer {
    pub user_id: UserId,
    pub key: String,
    pub request: serde_json::Value,
    pub answer: serde_json::Value,
    pub at: Timestamp,
}

/// The last id given out of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastIds {
    user: u64,
    account: u64,
    member: u64,
    subscription: u64,
    charge: u64,
    #[serde(default)]
    payment: u64,
    webhook: u64,
    #[serde(default)]
    delivery: u64,
    mail: u64,
}

/// What was done over the API so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub accounts_created: u64,
    pub subscriptions_created: u64,
    pub members_added: u64,
    pub invitations_sent: u64,
}

/// What a world has one of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// The id that a reset renews.
    pub world_id: String,
    /// Whose API it was made for.
    #[serde(default)]
    pub dialect: Dialect,
    /// How far the sandbox's time is ahead of the machine's.
    pub ahead_seconds: i64,
    pub totals: Totals,
    pub last_ids: LastIds,
}

/// One record made, replaced or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    PutUser(User),
    PutAccount(Account),
    /// The account is closed; its members and what else it has are dropped besides.
    DropAccount(AccountId),
    PutTeam(Team),
    DropTeam(AccountId),
    PutSubscription(Subscription),
    PutMember(Member),
    DropMember(Member),
    PutCharge(Charge),
    PutPayment(Payment),
    DropPayment(PaymentId),
    PutMail(Mail),
    PutWebhook(Webhook),
    DropWebhook(WebhookId),
    PutDelivery(Delivery),
    DropDelivery(DeliveryId),
    PutAnswer(KeptAnswer),
    DropAnswer(UserId, String),
}

/// What a decision makes of the world: written and applied as a whole, or not at all.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Who did it, where that is not the token's user.
    pub actor: Option<UserId>,
    pub meta: Meta,
    pub changes: Vec<Change>,
}

macro_rules! next_ids {
    ($($(#[$doc:meta])* $method:ident: $field:ident -> $name:ident),* $(,)?) => {
        impl Draft {$(
            $(#[$doc])*
            pub fn $method(&mut self) -> $name {
                self.meta.last_ids.$field += 1;
                $name(self.meta.last_ids.$field)
            }
        )*}
    };
}

next_ids! {
    /// A user id never given before; the same below for the other kinds.
    next_user: user -> UserId,
    next_account: account -> AccountId,
    next_member: member -> MemberId,
    next_subscription: subscription -> SubscriptionId,
    next_charge: charge -> ChargeId,
    next_payment: payment -> PaymentId,
    next_webhook: webhook -> WebhookId,
    next_delivery: delivery -> DeliveryId,
    next_mail: mail -> MailId,
}

impl Draft {
    /// A draft that changes nothing yet.
    pub fn of(world: &World) -> Self {
        Self { actor: None, meta: world.meta.clone(), changes: Vec::new() }
    }

    /// Adds a change.
    pub fn put(&mut self, change: Change) {
        self.changes.push(change);
    }
}

/// Everything there is, in memory; the store holds the same.
#[derive(Debug, Clone, Default)]
pub struct World {
    pub meta: Meta,
    pub users: BTreeMap<UserId, User>,
    pub accounts: BTreeMap<AccountId, Account>,
    /// What a dialect keeps of an account besides.
    pub teams: BTreeMap<AccountId, Team>,
    pub subscriptions: BTreeMap<AccountId, Subscription>,
    members: BTreeMap<AccountId, Vec<Member>>,
    pub charges: BTreeMap<ChargeId, Charge>,
    /// What is open.
    pub payments: BTreeMap<PaymentId, Payment>,
    pub mails: BTreeMap<MailId, Mail>,
    pub webhooks: BTreeMap<WebhookId, Webhook>,
    /// What is not delivered yet.
    pub deliveries: BTreeMap<DeliveryId, Delivery>,
    pub answers: HashMap<(UserId, String), KeptAnswer>,
    users_by_email: HashMap<String, UserId>,
}

/// Whether two addresses are one: letter case does not count (rule 15).
pub fn same_email(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.eq_ignore_ascii_case(other)
}

impl World {
    /// A world that nothing is in yet.
    pub fn of(meta: Meta) -> Self {
        Self { meta, ..Self::default() }
    }

    /// The members and invitations of an account, in the order in which they came.
    pub fn members_of(&self, account: AccountId) -> &[Member] {
        self.members.get(&account).map_or(&[], Vec::as_slice)
    }

    /// How many seats are taken (rule 17).
    pub fn seats_taken(&self, account: AccountId) -> u32 {
        u32::try_from(self.members_of(account).len()).unwrap_or(u32::MAX)
    }

    /// The user of this address.
    pub fn user_by_email(&self, email: &str) -> Option<&User> {
        self.users_by_email.get(&email.to_ascii_lowercase()).and_then(|id| self.users.get(id))
    }

    /// What is open for this account, the oldest first.
    pub fn payments_of(&self, account: AccountId) -> impl Iterator<Item = &Payment> {
        self.payments.values().filter(move |payment| payment.account_id == account)
    }

    /// The place of this user in this account.
    pub fn membership(&self, account: AccountId, user: UserId) -> Option<&Member> {
        self.members_of(account).iter().find(|member| member.user_id == Some(user))
    }

    /// The plan in force in this account.
    pub fn plan_in_force(&self, account: AccountId) -> Option<&'static Plan> {
        self.subscriptions.get(&account).filter(|subscription| subscription.in_force()).and_then(Subscription::plan)
    }

    /// A place by its id, wherever it is.
    pub fn member(&self, id: MemberId) -> Option<&Member> {
        self.members.values().flatten().find(|member| member.id == id)
    }

    /// Makes the changes of a draft.
    pub fn apply(&mut self, draft: Draft) {
        let Draft { actor: _, meta, changes } = draft;
        self.meta = meta;
        for change in changes {
            self.apply_one(change);
        }
    }

    /// Makes one change.
    pub fn apply_one(&mut self, change: Change) {
        match change {
            Change::PutUser(user) => {
                self.users_by_email.insert(user.email.to_ascii_lowercase(), user.id);
                self.users.insert(user.id, user);
            }
            Change::PutAccount(account) => {
                self.accounts.insert(account.id, account);
            }
            Change::DropAccount(id) => {
                self.accounts.remove(&id);
            }
            Change::PutTeam(team) => {
                self.teams.insert(team.account_id, team);
            }
            Change::DropTeam(id) => {
                self.teams.remove(&id);
            }
            Change::PutSubscription(subscription) => {
                self.subscriptions.insert(subscription.account_id, subscription);
            }
            Change::PutMember(member) => {
                let members = self.members.entry(member.account_id).or_default();
                match members.binary_search_by_key(&member.id, |other| other.id) {
                    Ok(at) => members[at] = member,
                    Err(at) => members.insert(at, member),
                }
            }
            Change::DropMember(member) => {
                if let Some(members) = self.members.get_mut(&member.account_id) {
                    members.retain(|other| other.id != member.id);
                }
            }
            Change::PutCharge(charge) => {
                self.charges.insert(charge.id, charge);
            }
            Change::PutPayment(payment) => {
                self.payments.insert(payment.id, payment);
            }
            Change::DropPayment(id) => {
                self.payments.remove(&id);
            }
            Change::PutMail(mail) => {
                self.mails.insert(mail.id, mail);
            }
            Change::PutWebhook(webhook) => {
                self.webhooks.insert(webhook.id, webhook);
            }
            Change::DropWebhook(id) => {
                self.webhooks.remove(&id);
            }
            Change::PutDelivery(delivery) => {
                self.deliveries.insert(delivery.id, delivery);
            }
            Change::DropDelivery(id) => {
                self.deliveries.remove(&id);
            }
            Change::PutAnswer(kept) => {
                self.answers.insert((kept.user_id, kept.key.clone()), kept);
            }
            Change::DropAnswer(user, key) => {
                self.answers.remove(&(user, key));
            }
        }
    }
}
