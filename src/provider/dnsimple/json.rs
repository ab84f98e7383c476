//! The API's JSON, and how it becomes the types of the domain. Reading is lenient where
//! servers differ (unknown fields, nulls, ids as numbers) and strict where a wrong reading
//! would be acted upon.

use jiff::Timestamp;
use serde_json::Value;

use crate::domain::{Access, AccountId, AccountName, Email, MemberId, Money, PlanFamily, PlanId};
use crate::provider::wire::json::{Id, Listed, UserJson, faults_by_field, filled, money, present, time};
use crate::provider::wire::pages::Pagination;
use crate::provider::wire::{Asked, Complaint};
use crate::provider::{Account, Capabilities, Capability, Member, MemberState, PlanOffer};
use crate::provider::{Subscription, SubscriptionState};

/// A success: `{"data": ...}`, with `pagination` where a list has pages.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Envelope<T> {
    pub(super) data: T,
    #[serde(default)]
    pub(super) pagination: Option<Pagination>,
    /// Beside the list of plans only.
    #[serde(default)]
    pub(super) capabilities: Option<Vec<Value>>,
}

/// A failure: `{"message": ..., "errors": {field: [faults]}}`.
#[derive(Debug, serde::Deserialize)]
struct Failure {
    message: String,
    #[serde(default)]
    errors: Option<Value>,
}

/// Reads a refusal. Its statuses and documented phrases tell what it means.
pub(super) fn refusal(_: Asked<'_>, body: &[u8]) -> Option<Complaint> {
    let Failure { message, errors } = serde_json::from_slice(body).ok()?;
    Some(Complaint { message, errors: faults_by_field(errors.as_ref()), meaning: None })
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct WhoamiJson {
    #[serde(default)]
    pub(super) user: Option<UserJson>,
    #[serde(default)]
    pub(super) account: Option<Value>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct AccountJson {
    id: Id,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    plan_identifier: Option<String>,
    #[serde(default, deserialize_with = "time")]
    created_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "time")]
    updated_at: Option<Timestamp>,
    /// Left out is not read, null is none.
    #[serde(default, deserialize_with = "present")]
    subscription: Option<Value>,
    #[serde(default)]
    members: Option<Value>,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct WebhookJson {
    pub(super) id: Id,
    pub(super) url: String,
    #[serde(default, deserialize_with = "time")]
    pub(super) suppressed_at: Option<Timestamp>,
}

impl Listed for WebhookJson {
    fn listed_id(&self) -> &str {
        self.id.as_str()
    }
}

impl Listed for AccountJson {
    fn listed_id(&self) -> &str {
        self.id.as_str()
    }
}

impl AccountJson {
    /// `embedded`: whether details were asked for; else fields of their names mean nothing.
    /// Details that do not read well are left out, so that they are read on their own and one
    /// account's trouble stays its own.
    pub(super) fn into_account(self, embedded: bool) -> Account {
        let Self { id, name, email, plan_identifier, created_at, updated_at, subscription, members } = self;
        let subscription = subscription.filter(|_| embedded).and_then(|value| {
            let read: Option<SubscriptionJson> = serde_json::from_value(value).ok()?;
            Some(read.map(SubscriptionJson::into_subscription))
        });
        let members = members.filter(|_| embedded).and_then(|value| {
            let read: Vec<MemberJson> = serde_json::from_value(value).ok()?;
            let mut ids: Vec<_> = read.iter().map(MemberJson::listed_id).collect();
            ids.sort_unstable();
            let distinct = ids.windows(2).all(|pair| pair[0] != pair[1]);
            distinct.then(|| read.into_iter().map(MemberJson::into_member).collect())
        });
        Account {
            id: AccountId::new(id.into_string()),
            name: filled(name).map(AccountName::new),
            email: filled(email).map(Email::lenient),
            plan: filled(plan_identifier).map(PlanId::new),
            created_at,
            updated_at,
            subscription,
            members,
        }
    }
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct SubscriptionJson {
    plan_identifier: String,
    state: StateJson,
    #[serde(default)]
    seats: Option<u32>,
    #[serde(default)]
    dunned: Option<bool>,
    #[serde(default, deserialize_with = "time")]
    trial_ends_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "time")]
    current_period_ends_at: Option<Timestamp>,
    #[serde(default)]
    pending_plan_identifier: Option<String>,
    #[serde(default)]
    pending_seats: Option<u32>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum StateJson {
    New,
    Subscribing,
    Subscribed,
    Unsubscribed,
    NotSubscribed,
}

impl SubscriptionJson {
    pub(super) fn into_subscription(self) -> Subscription {
        let Self {
            plan_identifier,
            state,
            seats,
            dunned,
            trial_ends_at,
            current_period_ends_at,
            pending_plan_identifier,
            pending_seats,
        } = self;
        Subscription {
            plan: PlanId::new(plan_identifier),
            state: match state {
                StateJson::New => SubscriptionState::New,
                StateJson::Subscribing => SubscriptionState::Subscribing,
                StateJson::Subscribed => SubscriptionState::Subscribed,
                StateJson::Unsubscribed => SubscriptionState::Unsubscribed,
                StateJson::NotSubscribed => SubscriptionState::NotSubscribed,
            },
            seats,
            dunned: dunned.unwrap_or(false),
            trial_ends_at,
            current_period_ends_at,
            pending_plan: filled(pending_plan_identifier).map(PlanId::new),
            pending_seats,
        }
    }
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct MemberJson {
    id: Id,
    #[serde(default)]
    email: Option<String>,
    /// A server without limited access may leave it out.
    #[serde(default)]
    access: Option<Access>,
    /// A server without invitations may leave it out.
    #[serde(default)]
    state: Option<MemberStateJson>,
}

#[derive(Debug, Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum MemberStateJson {
    Active,
    Invited,
}

impl Listed for MemberJson {
    fn listed_id(&self) -> &str {
        self.id.as_str()
    }
}

impl MemberJson {
    pub(super) fn into_member(self) -> Member {
        let Self { id, email, access, state } = self;
        Member {
            id: MemberId::new(id.into_string()),
            email: Email::lenient(email.unwrap_or_default()),
            access: access.unwrap_or_default(),
            role: None,
            state: match state {
                None | Some(MemberStateJson::Active) => MemberState::Active,
                Some(MemberStateJson::Invited) => MemberState::Invited,
            },
        }
    }
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct PlanJson {
    identifier: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    family: Option<String>,
    #[serde(default)]
    billing_period: Option<String>,
    #[serde(default, deserialize_with = "money")]
    base_price: Option<Money>,
    #[serde(default)]
    included_seats: Option<u32>,
    #[serde(default, deserialize_with = "money")]
    seat_price: Option<Money>,
    #[serde(default)]
    max_members: Option<u32>,
    #[serde(default)]
    multi_member: Option<bool>,
    #[serde(default)]
    available: Option<bool>,
}

impl Listed for PlanJson {
    fn listed_id(&self) -> &str {
        &self.identifier
    }
}

impl PlanJson {
    /// What is left out is read so that nothing is bought by mistake: a plan that does not say
    /// that it is on sale is not, one that does not say that it takes members takes none.
    pub(super) fn into_offer(self) -> Option<PlanOffer> {
        let Self {
            identifier,
            name,
            family,
            billing_period,
            base_price,
            included_seats,
            seat_price,
            max_members,
            multi_member,
            available,
        } = self;
        // A period that we do not know makes the price one that we do not know.
        let (yearly, priced) = match billing_period.as_deref() {
            Some("monthly" | "month") => (false, true),
            Some("yearly" | "year" | "annual" | "annually") => (true, true),
            _ => (false, false),
        };
        Some(PlanOffer {
            name: filled(name).unwrap_or_else(|| identifier.clone()),
            family: PlanFamily::new(filled(family).unwrap_or_else(|| identifier.clone())),
            id: PlanId::new(filled(Some(identifier))?),
            yearly,
            base_price: base_price.filter(|_| priced),
            included_seats,
            seat_price: seat_price.filter(|_| priced),
            max_members,
            multi_member: multi_member.unwrap_or(false),
            available: available.unwrap_or(false),
        })
    }
}

/// The capabilities that this version knows; whatever else stands there is ignored.
pub(super) fn capabilities(named: Option<Vec<Value>>) -> Capabilities {
    named.unwrap_or_default().iter().filter_map(Value::as_str).filter_map(Capability::from_name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn account(value: Value, embedded: bool) -> Account {
        serde_json::from_value::<AccountJson>(value).unwrap().into_account(embedded)
    }

    #[test]
    fn an_account_of_nulls_and_unknown_fields_reads() {
        let read = account(
            json!({"id": 7, "name": null, "email": null, "plan_identifier": null, "created_at": null,
                   "updated_at": "yesterday", "surprise": [1, {"deep": null}]}),
            true,
        );
        assert_eq!(
            read,
            Account {
                id: AccountId::new("7"),
                name: None,
                email: None,
                plan: None,
                created_at: None,
                updated_at: None,
                subscription: None,
                members: None,
            }
        );
    }

    #[test]
    fn embedded_details_tell_none_from_not_read_and_bad_ones_are_not_read() {
        let member = json!({"id": "m1", "email": "Jane@Acme.example", "access": "full", "state": "invited"});
        let with = |subscription, members| json!({"id": "1", "subscription": subscription, "members": members});
        let read = account(with(json!(null), json!([member])), true);
        assert_eq!(read.subscription, Some(None));
        assert_eq!(read.members.unwrap()[0].state, MemberState::Invited);
        assert_eq!(account(with(json!(null), json!([member])), false).subscription, None, "nobody asked");
        for bad in [
            with(json!({"plan_identifier": "p", "state": "frozen"}), json!([{"id": "m1", "access": "root"}])),
            with(json!("x"), json!({"m": 1})),
            with(json!([]), json!([member, member])),
        ] {
            let read = account(bad, true);
            assert_eq!((read.subscription, read.members), (None, None));
        }
    }

    #[test]
    fn a_price_is_read_by_its_digits_or_not_at_all() {
        let plan = |base: Value, period: Value| {
            let json = json!({"identifier": "p", "billing_period": period, "base_price": base});
            serde_json::from_value::<PlanJson>(json).ok().and_then(PlanJson::into_offer)
        };
        let price = |base, period: &str| plan(base, json!(period)).map(|plan| (plan.yearly, plan.base_price));
        assert_eq!(price(json!("29.00"), "monthly"), Some((false, Some(Money::cents(2900)))));
        assert_eq!(price(json!(29.5), "yearly"), Some((true, Some(Money::cents(2950)))));
        assert_eq!(price(json!(null), "monthly"), Some((false, None)));
        assert_eq!(price(json!("29.00"), "weekly"), Some((false, None)), "an unknown period has no known price");
        assert_eq!(price(json!("29,00"), "monthly"), None);
        assert_eq!(price(json!(["29"]), "monthly"), None);
        let bare = plan(json!("0.00"), json!(null)).unwrap();
        assert_eq!((bare.available, bare.multi_member, bare.family.as_str()), (false, false, "p"));
    }

    #[test]
    fn capabilities_of_the_future_are_ignored() {
        let read = capabilities(Some(vec![json!("bulk"), json!("teleport"), json!(3)]));
        assert_eq!(read.to_string(), "bulk");
        assert_eq!(capabilities(None), Capabilities::default());
    }
}
