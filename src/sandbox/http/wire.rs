//! What goes over the wire, field by field as the contract has it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::sandbox::catalogue;
use crate::sandbox::rules::{Extension, Moment, Terms};
use crate::sandbox::world;

/// A success.
#[derive(Debug, Serialize, ToSchema)]
pub struct Data<T: ToSchema> {
    pub data: T,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T: ToSchema> {
    pub data: Vec<T>,
    pub pagination: Pagination,
}

/// Where in a list a page stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct Pagination {
    pub current_page: u64,
    pub per_page: u64,
    pub total_entries: u64,
    pub total_pages: u64,
}

/// Whose token it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct WhoAmI {
    pub user: Option<User>,
    /// Of an account token; the sandbox gives out none.
    pub account: Option<Account>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct User {
    pub id: u64,
    pub email: String,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

impl From<&world::User> for User {
    fn from(user: &world::User) -> Self {
        let world::User { id, email, verified: _, card: _, created_at, updated_at } = user;
        Self { id: id.0, email: email.clone(), created_at: *created_at, updated_at: *updated_at }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Account {
    pub id: u64,
    /// The notification email.
    pub email: String,
    pub name: String,
    /// The plan in force.
    pub plan_identifier: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Moves whenever name, email, subscription or members change.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// With `include=subscription`; null where there never was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Subscription>, required = false)]
    pub subscription: Option<Option<Subscription>>,
    /// With `include=members`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<Member>>,
}

/// What is embedded in an account.
#[derive(Debug, Clone, Copy, Default)]
pub struct Include {
    pub subscription: bool,
    pub members: bool,
}

impl Account {
    /// An account as it goes out, with what is to be embedded.
    pub fn of(m: &Moment, account: &world::Account, include: Include) -> Self {
        let world::Account { id, name, email, created_at, updated_at } = account;
        let embeds = |asked: bool| asked && m.terms.offers(Extension::Bulk);
        Self {
            id: id.0,
            email: email.clone(),
            name: name.clone(),
            plan_identifier: m.world.plan_in_force(*id).map(|plan| plan.identifier.to_owned()),
            created_at: *created_at,
            updated_at: *updated_at,
            subscription: embeds(include.subscription).then(|| m.world.subscriptions.get(id).map(Subscription::from)),
            members: embeds(include.members).then(|| m.world.members_of(*id).iter().map(Member::from).collect()),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Subscription {
    pub id: u64,
    pub plan_identifier: String,
    /// `new`, `subscribing`, `subscribed`, `unsubscribed` or `not_subscribed`.
    pub state: String,
    pub seats: u32,
    /// A renewal was not paid for: it ends 21 days later, unless it is.
    pub dunned: bool,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub trial_ends_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    pub current_period_ends_at: Timestamp,
    pub pending_plan_identifier: Option<String>,
    pub pending_seats: Option<u32>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

impl From<&world::Subscription> for Subscription {
    fn from(subscription: &world::Subscription) -> Self {
        let it = subscription.clone();
        Self {
            id: it.id.0,
            plan_identifier: it.plan_identifier,
            state: it.state.word().to_owned(),
            seats: it.seats,
            dunned: it.dunned_since.is_some(),
            trial_ends_at: it.trial_ends_at,
            current_period_ends_at: it.current_period_ends_at,
            pending_plan_identifier: it.pending_plan_identifier,
            pending_seats: it.pending_seats,
            created_at: it.created_at,
            updated_at: it.updated_at,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Member {
    pub id: u64,
    /// Null while invited.
    pub user_id: Option<u64>,
    pub email: String,
    /// `full` or `limited`.
    pub access: String,
    /// `active` or `invited`.
    pub state: String,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl From<&world::Member> for Member {
    fn from(member: &world::Member) -> Self {
        let world::Member { id, account_id: _, user_id, email, access, created_at } = member;
        Self {
            id: id.0,
            user_id: user_id.map(|id| id.0),
            email: email.clone(),
            access: access.word().to_owned(),
            state: if user_id.is_some() { "active" } else { "invited" }.to_owned(),
            created_at: *created_at,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Plan {
    pub identifier: String,
    pub name: String,
    pub family: String,
    /// `monthly` or `yearly`.
    pub billing_period: String,
    /// US dollars a period, a decimal string; null is a custom price.
    pub base_price: Option<String>,
    pub included_seats: Option<u32>,
    pub seat_price: Option<String>,
    /// Null is unlimited.
    pub max_members: Option<u32>,
    pub multi_member: bool,
    /// False: may be kept, but not newly chosen.
    pub available: bool,
}

impl From<&catalogue::Plan> for Plan {
    fn from(plan: &catalogue::Plan) -> Self {
        Self {
            identifier: plan.identifier.to_owned(),
            name: plan.name.to_owned(),
            family: plan.family.to_owned(),
            billing_period: plan.period.word().to_owned(),
            base_price: plan.base_price.map(|price| price.to_string()),
            included_seats: plan.included_seats,
            seat_price: plan.seat_price.map(|price| price.to_string()),
            max_members: plan.max_members,
            multi_member: plan.multi_member,
            available: plan.standing == catalogue::Standing::OnSale,
        }
    }
}

/// All plans, and the extensions that the server has.
#[derive(Debug, Serialize, ToSchema)]
pub struct Plans {
    data: Vec<Plan>,
    capabilities: Vec<String>,
}

impl Plans {
    /// What is offered under these terms.
    pub fn under(terms: &Terms) -> Self {
        let offered = Extension::TOLD.into_iter().filter(|extension| terms.offers(*extension));
        Self {
            data: catalogue::PLANS.iter().map(Plan::from).collect(),
            capabilities: offered.map(|extension| extension.name().to_owned()).collect(),
        }
    }
}

/// Money that was really collected.
#[derive(Debug, Serialize, ToSchema)]
pub struct Charge {
    #[schema(value_type = String, format = DateTime)]
    invoiced_at: Timestamp,
    total_amount: String,
    balance_amount: String,
    reference: String,
    /// `collected` or `refunded`.
    state: String,
    items: Vec<ChargeItem>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ChargeItem {
    description: String,
    amount: String,
    product_id: u64,
    product_type: String,
    product_reference: String,
}

impl From<&world::Charge> for Charge {
    fn from(charge: &world::Charge) -> Self {
        let world::Charge { id, account_id, amount, at, reason, subscription_id, plan_identifier } = charge;
        Self {
            invoiced_at: *at,
            total_amount: amount.to_string(),
            balance_amount: "0.00".to_owned(),
            reference: format!("{account_id}-{id}"),
            state: "collected".to_owned(),
            items: vec![ChargeItem {
                description: reason.clone(),
                amount: amount.to_string(),
                product_id: subscription_id.0,
                product_type: "subscription".to_owned(),
                product_reference: plan_identifier.clone(),
            }],
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Webhook {
    id: u64,
    url: String,
    /// Set where deliveries failed too often; the sandbox gives up single deliveries, and suppresses nothing.
    #[schema(value_type = Option<String>, format = DateTime)]
    suppressed_at: Option<Timestamp>,
}

impl From<&world::Webhook> for Webhook {
    fn from(webhook: &world::Webhook) -> Self {
        let world::Webhook { id, account_id: _, url } = webhook;
        Self { id: id.0, url: url.clone(), suppressed_at: None }
    }
}

/// The body of `POST` and `PATCH` of an account.
#[derive(Debug, Deserialize, ToSchema)]
pub struct AccountAsk {
    pub name: Option<String>,
    pub email: Option<String>,
}

/// The body of `PUT` of a subscription.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SubscriptionAsk {
    pub plan_identifier: Option<String>,
    pub seats: Option<u32>,
}

/// The body of `POST` of a member.
#[derive(Debug, Deserialize, ToSchema)]
pub struct MemberAsk {
    pub email: Option<String>,
    /// `full` where left out.
    pub access: Option<String>,
}

/// The body of `PATCH` of a member.
#[derive(Debug, Deserialize, ToSchema)]
pub struct AccessAsk {
    pub access: Option<String>,
}

/// The body of `POST` of a webhook.
#[derive(Debug, Deserialize, ToSchema)]
pub struct WebhookAsk {
    pub url: Option<String>,
}
