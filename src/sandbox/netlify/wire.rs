//! What goes over the wire, field by field as the published description has it; what has no
//! value is left out.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::sandbox::catalogue::{Cents, Period};
use crate::sandbox::world::{self, Card};

use super::accounts::{Setup, Update, Whole};
use super::ids;
use super::team::Role;
use super::types::AccountType;

/// Sites that an account may have; there are none in the sandbox.
const SITES: u32 = 500;

/// `2016-12-11T17:31:51.000Z`.
fn time(at: Timestamp) -> String {
    format!("{at:.3}")
}

#[derive(Debug, Serialize)]
pub struct AccountMembership {
    id: String,
    name: String,
    slug: String,
    r#type: String,
    capabilities: Capabilities,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_name: Option<String>,
    billing_email: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_details: Option<String>,
    billing_period: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_method_id: Option<String>,
    type_name: String,
    type_id: String,
    owner_ids: Vec<String>,
    roles_allowed: Vec<&'static str>,
    created_at: String,
    updated_at: String,
}

#[derive(Debug, Serialize)]
struct Capabilities {
    sites: Usage,
    collaborators: Usage,
}

#[derive(Debug, Serialize)]
struct Usage {
    included: u32,
    used: usize,
}

impl From<&Whole> for AccountMembership {
    fn from(whole: &Whole) -> Self {
        let Whole { account, team, subscription, members } = whole;
        let world::Account { id, name, email, created_at, updated_at } = account.clone();
        let (plan, seats) = (whole.plan(), whole.seats());
        let kind = AccountType::of(Some(plan));
        let costs = plan.base_price.is_some_and(|price| price.0 > 0);
        let payer = subscription.as_ref().and_then(|it| it.payer).filter(|_| costs);
        let owners = members.iter().filter(|it| it.user_id.is_some() && Role::of(Some(team), it) == Role::Owner);
        Self {
            id: ids::account(id),
            name,
            slug: team.slug.clone(),
            r#type: "TEAM".to_owned(),
            capabilities: Capabilities {
                sites: Usage { included: SITES, used: 0 },
                collaborators: Usage { included: seats, used: members.len() },
            },
            billing_name: team.billing_name.clone(),
            billing_email: email,
            billing_details: team.billing_details.clone(),
            billing_period: plan.period.word().to_owned(),
            payment_method_id: payer.map(ids::payment_method),
            type_name: kind.name.to_owned(),
            type_id: kind.id(),
            owner_ids: owners.map(ids::member).collect(),
            roles_allowed: Role::ALL.map(Role::word).to_vec(),
            created_at: time(created_at),
            updated_at: time(updated_at),
        }
    }
}

#[derive(Debug, Serialize)]
pub struct Type {
    id: String,
    name: String,
    description: String,
    capabilities: Value,
    monthly_dollar_price: u64,
    yearly_dollar_price: u64,
    /// Left out where no seats are sold.
    #[serde(skip_serializing_if = "Option::is_none")]
    monthly_seats_addon_dollar_price: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    yearly_seats_addon_dollar_price: Option<u64>,
}

impl From<&AccountType> for Type {
    fn from(kind: &AccountType) -> Self {
        let dollars = |price: Cents| price.0 / 100;
        let (month, year) = (kind.plan(Period::Month), kind.plan(Period::Year));
        Self {
            id: kind.id(),
            name: kind.name.to_owned(),
            description: kind.description.to_owned(),
            capabilities: json!({
                "sites": { "included": SITES },
                "collaborators": { "included": month.least_seats() },
            }),
            monthly_dollar_price: dollars(month.base_price.unwrap_or_default()),
            yearly_dollar_price: dollars(year.base_price.unwrap_or_default()),
            monthly_seats_addon_dollar_price: month.seat_price.map(dollars),
            yearly_seats_addon_dollar_price: year.seat_price.map(dollars),
        }
    }
}

/// Who was invited and has not accepted looks like any member: the description has no field
/// that would tell.
#[derive(Debug, Serialize)]
pub struct Member {
    id: String,
    full_name: String,
    email: String,
    avatar: String,
    role: &'static str,
}

impl Member {
    /// A member with their role.
    pub fn of(member: &world::Member, role: Role) -> Self {
        let world::Member { id: _, account_id: _, user_id: _, email, access: _, created_at: _ } = member;
        Self {
            id: ids::member(member),
            full_name: full_name(email),
            email: email.clone(),
            avatar: String::new(),
            role: role.word(),
        }
    }

    /// All members of an account.
    pub fn all(whole: &Whole) -> Vec<Self> {
        let Whole { account: _, team, subscription: _, members } = whole;
        members.iter().map(|member| Self::of(member, Role::of(Some(team), member))).collect()
    }
}

/// The sandbox knows nobody's name: what stands before the `@` stands for it.
fn full_name(email: &str) -> String {
    email.split('@').next().unwrap_or_default().to_owned()
}

#[derive(Debug, Serialize)]
pub struct User {
    id: String,
    uid: String,
    full_name: String,
    email: String,
    site_count: u64,
    created_at: String,
    last_login: String,
    login_providers: Vec<&'static str>,
}

impl From<&world::User> for User {
    fn from(user: &world::User) -> Self {
        let world::User { id, email, verified: _, card: _, created_at, updated_at } = user;
        Self {
            id: ids::user(*id),
            uid: ids::user(*id),
            full_name: full_name(email),
            email: email.clone(),
            site_count: 0,
            created_at: time(*created_at),
            last_login: time(*updated_at),
            login_providers: vec!["email"],
        }
    }
}

#[derive(Debug, Serialize)]
pub struct PaymentMethod {
    id: String,
    method_name: String,
    r#type: String,
    state: String,
    data: CardData,
    created_at: String,
    updated_at: String,
}

#[derive(Debug, Serialize)]
struct CardData {
    card_type: &'static str,
    last4: &'static str,
    email: String,
}

impl PaymentMethod {
    /// The card of a user, if they have one.
    pub fn of(user: &world::User) -> Option<Self> {
        let world::User { id, email, verified: _, card, created_at, updated_at } = user;
        let last4 = match (*card)? {
            Card::Accepted => "4242",
            Card::Refused => "0341",
        };
        Some(Self {
            id: ids::payment_method(*id),
            method_name: format!("Visa ending in {last4}"),
            r#type: "card".to_owned(),
            // A card that its bank refuses looks like any other until it is charged.
            state: "active".to_owned(),
            data: CardData { card_type: "Visa", last4, email: email.clone() },
            created_at: time(*created_at),
            updated_at: time(*updated_at),
        })
    }
}

/// The body of `POST` of an account.
#[derive(Debug, Deserialize)]
pub struct AccountSetup {
    name: Option<String>,
    type_id: Option<String>,
    payment_method_id: Option<String>,
    period: Option<String>,
    extra_seats_block: Option<i64>,
}

impl From<AccountSetup> for Setup {
    fn from(ask: AccountSetup) -> Self {
        let AccountSetup { name, type_id, payment_method_id, period, extra_seats_block } = ask;
        Self { name, type_id, payment_method_id, period, extra_seats_block }
    }
}

/// The body of `PUT` of an account.
#[derive(Debug, Deserialize)]
pub struct AccountUpdateSetup {
    name: Option<String>,
    slug: Option<String>,
    type_id: Option<String>,
    extra_seats_block: Option<i64>,
    billing_name: Option<String>,
    billing_email: Option<String>,
    billing_details: Option<String>,
}

impl From<AccountUpdateSetup> for Update {
    fn from(ask: AccountUpdateSetup) -> Self {
        let AccountUpdateSetup { name, slug, type_id, extra_seats_block, billing_name, billing_email, billing_details } =
            ask;
        Self { name, slug, type_id, extra_seats_block, billing_name, billing_email, billing_details }
    }
}

/// The body of `POST` of a member.
#[derive(Debug, Deserialize)]
pub struct AddMemberSetup {
    pub role: Option<String>,
    pub email: Option<String>,
}

/// The body of `PUT` of a member. Which sites a member sees is taken and forgotten: there
/// are no sites here.
#[derive(Debug, Deserialize)]
pub struct UpdateMemberSetup {
    pub role: Option<String>,
}
