//! The API's JSON, and how it becomes the types of the domain. Every field but an id may be
//! missing or null, for the description requires none.

use jiff::Timestamp;
use serde_json::Value;

use super::catalogue::{Catalogue, Period, role};
use crate::domain::{Access, AccountId, AccountName, Email, MemberId, Money, PlanId, Role};
use crate::provider::wire::json::{Id, Listed, filled, money, time, word};
use crate::provider::{Account, Member, MemberState, Subscription, SubscriptionState};

#[derive(Debug, serde::Deserialize)]
pub(super) struct AccountJson {
    id: Id,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    slug: Option<String>,
    #[serde(default)]
    billing_email: Option<String>,
    #[serde(default)]
    billing_period: Option<String>,
    #[serde(default, deserialize_with = "word")]
    type_id: Option<String>,
    #[serde(default)]
    type_name: Option<String>,
    #[serde(default)]
    capabilities: Option<Value>,
    #[serde(default, deserialize_with = "time")]
    created_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "time")]
    updated_at: Option<Timestamp>,
}

impl Listed for AccountJson {
    fn listed_id(&self) -> &str {
        self.id.as_str()
    }
}

impl AccountJson {
    pub(super) fn id(&self) -> AccountId {
        AccountId::new(self.id.as_str())
    }

    pub(super) fn slug(&self) -> Option<&str> {
        self.slug.as_deref()
    }

    /// How it is paid for; `None` where that is not said, or in a word that we do not know.
    pub(super) fn period(&self) -> Option<Period> {
        self.billing_period.as_deref().and_then(Period::read)
    }

    /// What its plan is called here; `None` where the answer does not say.
    fn plan(&self, catalogue: &Catalogue) -> Option<PlanId> {
        let (type_id, name) = (self.type_id.as_deref(), self.type_name.as_deref().filter(|name| !name.is_empty()));
        let period = self.billing_period.as_deref().filter(|period| !period.is_empty());
        catalogue.plan_of(type_id, name, period)
    }

    pub(super) fn into_account(self, catalogue: &Catalogue) -> Account {
        let plan = self.plan(catalogue);
        let Self { id, name, slug: _, billing_email, capabilities, created_at, updated_at, .. } = self;
        let seats = capabilities.as_ref().and_then(included_collaborators);
        Account {
            id: AccountId::new(id.into_string()),
            name: filled(name).map(AccountName::new),
            email: filled(billing_email).map(Email::lenient),
            plan: plan.clone(),
            created_at,
            updated_at,
            // Every account has a plan: where none is named, it was not read.
            subscription: plan.map(|plan| Some(subscription(plan, seats))),
            members: None,
        }
    }
}

fn subscription(plan: PlanId, seats: Option<u32>) -> Subscription {
    Subscription {
        plan,
        state: SubscriptionState::Subscribed,
        seats,
        dunned: false,
        trial_ends_at: None,
        current_period_ends_at: None,
        pending_plan: None,
        pending_seats: None,
    }
}

/// `collaborators.included` of capabilities, whatever else they are.
fn included_collaborators(capabilities: &Value) -> Option<u32> {
    let included = capabilities.get("collaborators")?.get("included")?;
    u32::try_from(included.as_u64()?).ok()
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct TypeJson {
    pub(super) id: Id,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    capabilities: Option<Value>,
    #[serde(default, deserialize_with = "money")]
    monthly_dollar_price: Option<Money>,
    #[serde(default, deserialize_with = "money")]
    yearly_dollar_price: Option<Money>,
    #[serde(default, deserialize_with = "money")]
    monthly_seats_addon_dollar_price: Option<Money>,
    #[serde(default, deserialize_with = "money")]
    yearly_seats_addon_dollar_price: Option<Money>,
}

impl Listed for TypeJson {
    fn listed_id(&self) -> &str {
        self.id.as_str()
    }
}

impl TypeJson {
    pub(super) fn included(&self) -> Option<u32> {
        self.capabilities.as_ref().and_then(included_collaborators)
    }

    /// The price of a period, and of one seat more. Nobody is paid for taking a plan: below
    /// nought is not a price.
    pub(super) fn prices(&self, period: Period) -> (Option<Money>, Option<Money>) {
        let (base, seat) = match period {
            Period::Monthly => (self.monthly_dollar_price, self.monthly_seats_addon_dollar_price),
            Period::Yearly => (self.yearly_dollar_price, self.yearly_seats_addon_dollar_price),
        };
        let price = |price: Option<Money>| price.filter(|price| *price >= Money::ZERO);
        (price(base), price(seat))
    }
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct MemberJson {
    id: Id,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    role: Option<String>,
}

impl Listed for MemberJson {
    fn listed_id(&self) -> &str {
        self.id.as_str()
    }
}

impl MemberJson {
    /// A role that we do not know, or that is not told, is not taken for full access.
    pub(super) fn into_member(self) -> Member {
        let Self { id, email, role: word } = self;
        let word = filled(word);
        Member {
            id: MemberId::new(id.into_string()),
            email: Email::lenient(email.unwrap_or_default()),
            access: word.as_deref().and_then(role).map_or(Access::Limited, |(_, access)| access),
            role: word.map(Role::new),
            state: MemberState::Active,
        }
    }
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct PaymentMethodJson {
    id: Id,
    #[serde(default, deserialize_with = "word")]
    method_name: Option<String>,
}

impl Listed for PaymentMethodJson {
    fn listed_id(&self) -> &str {
        self.id.as_str()
    }
}

impl PaymentMethodJson {
    /// For a person who has to choose.
    pub(super) fn words(&self) -> String {
        match &self.method_name {
            Some(name) => format!("{} ({name})", self.id.as_str()),
            None => self.id.as_str().to_owned(),
        }
    }
}
