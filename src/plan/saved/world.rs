//! As much of the world as is needed to say later what moved.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::{Access, mask};
use crate::manifest::{Client, Membership, Wanted, WantedPlan};
use crate::plan::snapshot::ObservedAccount;
use crate::plan::tree::Plan;
use crate::provider::{MemberState, Offer, PlanOffer, SubscriptionState};

/// Prices, and the clients for whom something is planned.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct WorldPart {
    /// What the service offers, by identifier.
    pub(super) prices: Vec<Price>,
    /// By name.
    pub(super) clients: Vec<ClientPart>,
}

/// A plan of the service and its price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) struct Price {
    /// The identifier.
    pub(super) plan: String,
    /// A month with the included seats; null is a custom price.
    pub(super) monthly: Option<String>,
    /// A month of one seat more; null is a custom price, or none.
    pub(super) seat: Option<String>,
    /// Whether it can be newly chosen.
    pub(super) available: bool,
}

/// One client, as it was wanted and seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) struct ClientPart {
    pub(super) name: String,
    /// What its manifest asks for.
    pub(super) wanted: WantedPart,
    /// Its account; null where there is none.
    pub(super) seen: Option<SeenPart>,
}

/// What a manifest asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) struct WantedPart {
    /// Over all of it.
    pub(super) digest: String,
    pub(super) account_name: String,
    pub(super) notification_email: String,
    /// An identifier or a family, or `none`; null where the manifest leaves it alone.
    pub(super) plan: Option<String>,
    pub(super) members: Vec<MemberPart>,
    pub(super) membership: Membership,
    pub(super) account_id: Option<String>,
    pub(super) suspend: bool,
}

/// What the account showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) struct SeenPart {
    pub(super) account_id: String,
    pub(super) name: Option<String>,
    pub(super) notification_email: Option<String>,
    /// The plan; null where there never was one.
    pub(super) plan: Option<String>,
    /// Where the subscription stands, in the service's word; `not_read` where that is not
    /// known, null where there never was one.
    pub(super) subscription: Option<String>,
    /// A renewal failed.
    pub(super) dunned: bool,
    /// The plan from the renewal on.
    pub(super) pending_plan: Option<String>,
    pub(super) seats: Option<u32>,
    /// The seats from the renewal on.
    pub(super) pending_seats: Option<u32>,
    /// Null where they could not be read.
    pub(super) members: Option<Vec<MemberPart>>,
}

/// A person in an account, or wanted there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) struct MemberPart {
    /// The membership, of somebody who is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    pub(super) email: String,
    pub(super) access: Access,
    /// The exact role, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<String>,
    /// Has not accepted yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) invited: bool,
}

impl WorldPart {
    /// Of these clients of a plan, and all prices.
    pub fn of(plan: &Plan, wanted: &Wanted, offer: &Offer, names: &BTreeSet<String>, masked: bool) -> Self {
        let email = |raw: &str| if masked { mask(raw) } else { raw.to_owned() };
        let mut prices: Vec<Price> = offer.plans.iter().map(Price::of).collect();
        prices.sort_by(|a, b| a.plan.cmp(&b.plan));
        let clients = plan.accounts.iter().filter(|account| names.contains(&account.name)).filter_map(|account| {
            let place = wanted.clients.binary_search_by(|client| Some(&client.name).cmp(&account.client.as_ref()));
            // By name, unless somebody put them together in another order.
            let named = |client: &&Client| Some(&client.name) == account.client.as_ref();
            let client = place.ok().map(|at| &wanted.clients[at]).or_else(|| wanted.clients.iter().find(named))?;
            Some(ClientPart {
                name: account.name.clone(),
                wanted: WantedPart::of(client, &email),
                seen: account.observed.as_ref().map(|observed| SeenPart::of(observed, &email)),
            })
        });
        Self { prices, clients: clients.collect() }
    }

    /// The clients, by name.
    pub(super) fn by_name(&self) -> BTreeMap<&str, &ClientPart> {
        self.clients.iter().map(|client| (client.name.as_str(), client)).collect()
    }
}

impl Price {
    fn of(plan: &PlanOffer) -> Self {
        Self {
            plan: plan.id.as_str().to_owned(),
            monthly: plan.monthly(plan.included_seats.unwrap_or(1)).map(|price| price.to_string()),
            seat: plan.monthly_seat().map(|price| price.to_string()),
            available: plan.available,
        }
    }
}

impl WantedPart {
    fn of(client: &Client, email: &impl Fn(&str) -> String) -> Self {
        let Client {
            name: _,
            labels: _,
            source: _,
            account_name,
            notification_email,
            plan,
            members,
            membership,
            account_id,
            previous_names: _,
            previous_notification_emails: _,
            suspend,
        } = client;
        let members = members.iter().map(|member| MemberPart {
            id: None,
            email: email(member.email.as_str()),
            access: member.access,
            role: member.role.as_ref().map(|role| role.as_str().to_owned()),
            invited: false,
        });
        Self {
            digest: crate::plan::wanted_digest(client),
            account_name: account_name.as_str().to_owned(),
            notification_email: email(notification_email.as_str()),
            plan: match plan {
                WantedPlan::Untouched => None,
                WantedPlan::Nothing => Some("none".to_owned()),
                WantedPlan::Choice(word) => Some(word.clone()),
            },
            members: members.collect(),
            membership: *membership,
            account_id: account_id.as_ref().map(|id| id.as_str().to_owned()),
            suspend: *suspend,
        }
    }
}

impl SeenPart {
    fn of(observed: &ObservedAccount, email: &impl Fn(&str) -> String) -> Self {
        let ObservedAccount { account, subscription, members } = observed;
        let paid = subscription.seen().and_then(Option::as_ref);
        let plan = match subscription.seen() {
            Some(_) => paid.map(|paid| &paid.plan),
            None => account.plan.as_ref(),
        };
        let members = members.seen().map(|members| {
            let mut members: Vec<MemberPart> = members
                .iter()
                .map(|member| MemberPart {
                    id: Some(member.id.as_str().to_owned()),
                    email: email(member.email.as_str()),
                    access: member.access,
                    role: member.role.as_ref().map(|role| role.as_str().to_owned()),
                    invited: member.state == MemberState::Invited,
                })
                .collect();
            members.sort_by_cached_key(|member| member.email.to_lowercase());
            members
        });
        Self {
            account_id: account.id.as_str().to_owned(),
            name: account.name.as_ref().map(|name| name.as_str().to_owned()),
            notification_email: account.email.as_ref().map(|address| email(address.as_str())),
            plan: plan.map(|plan| plan.as_str().to_owned()),
            subscription: match subscription.seen() {
                Some(seen) => seen.as_ref().map(|seen| state_word(seen.state).to_owned()),
                None => Some("not_read".to_owned()),
            },
            dunned: paid.is_some_and(|paid| paid.dunned),
            pending_plan: paid.and_then(|paid| paid.pending_plan.as_ref()).map(|plan| plan.as_str().to_owned()),
            seats: paid.and_then(|paid| paid.seats),
            pending_seats: paid.and_then(|paid| paid.pending_seats),
            members,
        }
    }
}

const fn state_word(state: SubscriptionState) -> &'static str {
    match state {
        SubscriptionState::New => "new",
        SubscriptionState::Subscribing => "subscribing",
        SubscriptionState::Subscribed => "subscribed",
        SubscriptionState::Unsubscribed => "unsubscribed",
        SubscriptionState::NotSubscribed => "not_subscribed",
    }
}
