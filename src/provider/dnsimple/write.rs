//! Writing: each call is sent once, on a fresh connection, and taken as done only where the
//! answer agrees with the request.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::json::{AccountJson, Envelope, MemberJson, SubscriptionJson};
use crate::domain::{Access, AccountId, AccountName, Email, MemberId, PlanId};
use crate::provider::wire::{Answer, Target, Wire};
use crate::provider::{
    Account, AccountPatch, ApiError, Class, Grant, IdempotencyKey, Member, NewAccount, Subscription,
};
use crate::provider::{SubscriptionState, Write, Written};

/// Writes to the account API. Clones share count and quota with their reader.
#[derive(Debug, Clone)]
pub struct Writer {
    wire: Arc<Wire>,
    allowed: bool,
}

impl Writer {
    pub(super) fn new(wire: Arc<Wire>, allowed: bool) -> Self {
        Self { wire, allowed }
    }

    async fn send(
        &self,
        target: Target<'_>,
        body: Option<Value>,
        key: Option<&IdempotencyKey>,
    ) -> Result<Answer, ApiError> {
        if !self.allowed {
            let why = "account management on the vendor's own hosts is off; --account-management on switches it on";
            return Err(self.wire.not_sent((&target.method, target.route), why));
        }
        self.send_published(target, body, key).await
    }

    /// Sends to an endpoint that the vendor publishes, whatever is allowed of the others.
    pub(super) async fn send_published(
        &self,
        target: Target<'_>,
        body: Option<Value>,
        key: Option<&IdempotencyKey>,
    ) -> Result<Answer, ApiError> {
        self.wire.write(target, body, key).await
    }

    /// The body of an answer, where `disagreement` finds none with the request.
    pub(super) fn agreed<J: DeserializeOwned, T>(
        &self,
        answer: &Answer,
        into: impl FnOnce(J) -> T,
        disagreement: impl FnOnce(&T) -> Option<&'static str>,
    ) -> Result<Written<T>, ApiError> {
        let said = into(self.wire.parse::<Envelope<J>>(answer)?.data);
        let other = disagreement(&said);
        self.wire.agreed(answer, said, other)
    }
}

/// Whether an account is the one that was asked for. A server may leave the email out.
fn account_differs(said: &Account, name: Option<&AccountName>, email: Option<&Email>) -> Option<&'static str> {
    let same_name =
        |asked: &AccountName| said.name.as_ref().is_some_and(|name| name.as_str().trim() == asked.as_str().trim());
    if name.is_some_and(|asked| !same_name(asked)) {
        return Some("another account name");
    }
    let other_email = matches!((email, &said.email), (Some(asked), Some(email)) if asked != email);
    other_email.then_some("another notification email")
}

/// Whether a subscription is the one that was asked for, now or from the renewal on (rules 6
/// and 17).
fn subscription_differs(said: &Subscription, plan: &PlanId, seats: Option<u32>) -> Option<&'static str> {
    let pending = said.pending_plan.as_ref() == Some(plan) && said.plan != *plan;
    if said.plan != *plan && !pending {
        return Some("another plan");
    }
    if matches!(said.state, SubscriptionState::Unsubscribed | SubscriptionState::NotSubscribed) {
        return Some("another state");
    }
    // A plan without seats names none, and a pending plan's seats come with it.
    let same_seats =
        seats.is_none() || pending || said.seats.is_none() || said.seats == seats || said.pending_seats == seats;
    (!same_seats).then_some("another number of seats")
}

fn member_differs(said: &Member, email: &Email, access: Access) -> Option<&'static str> {
    if said.email != *email { Some("another person") } else { (said.access != access).then_some("another access") }
}

#[async_trait]
impl Write for Writer {
    async fn turn(&self, class: Class, patience: Duration) -> Result<Arc<dyn Write>, ApiError> {
        let wire = Arc::new(self.wire.in_turn(class, patience).await?);
        Ok(Arc::new(Self { wire, ..self.clone() }))
    }

    async fn create_account(
        &self,
        new: &NewAccount,
        key: Option<&IdempotencyKey>,
    ) -> Result<Written<Account>, ApiError> {
        let NewAccount { name, email, plan: _ } = new;
        let target = Target { method: Method::POST, route: "/accounts", path: &["accounts"] };
        let body = json!({"name": name.as_str(), "email": email.as_ref().map(Email::as_str)});
        let answer = self.send(target, Some(body), key).await?;
        let into = |json: AccountJson| json.into_account(false);
        self.agreed(&answer, into, |said| account_differs(said, Some(name), email.as_ref()))
    }

    async fn update_account(&self, id: &AccountId, patch: &AccountPatch) -> Result<Written<Account>, ApiError> {
        let AccountPatch { name, email } = patch;
        let target = Target { method: Method::PATCH, route: "/accounts/{account}", path: &["accounts", id.as_str()] };
        let mut body = serde_json::Map::new();
        body.extend(name.as_ref().map(|name| ("name".to_owned(), json!(name.as_str()))));
        body.extend(email.as_ref().map(|email| ("email".to_owned(), json!(email.as_str()))));
        let answer = self.send(target, Some(Value::Object(body)), None).await?;
        self.agreed(
            &answer,
            |json: AccountJson| json.into_account(false),
            |said| match said.id == *id {
                true => account_differs(said, name.as_ref(), email.as_ref()),
                false => Some("another account"),
            },
        )
    }

    async fn put_subscription(
        &self,
        id: &AccountId,
        plan: &PlanId,
        seats: Option<u32>,
    ) -> Result<Written<Subscription>, ApiError> {
        let path = &[id.as_str(), "subscription"];
        let target = Target { method: Method::PUT, route: "/{account}/subscription", path };
        let mut body = json!({"plan_identifier": plan.as_str()});
        if let Some(seats) = seats {
            body["seats"] = json!(seats);
        }
        let answer = self.send(target, Some(body), None).await?;
        let differs = |said: &Subscription| subscription_differs(said, plan, seats);
        self.agreed(&answer, SubscriptionJson::into_subscription, differs)
    }

    async fn delete_subscription(&self, id: &AccountId) -> Result<Written<()>, ApiError> {
        let path = &[id.as_str(), "subscription"];
        let target = Target { method: Method::DELETE, route: "/{account}/subscription", path };
        self.wire.emptied(&self.send(target, None, None).await?)
    }

    async fn add_member(&self, id: &AccountId, email: &Email, grant: &Grant) -> Result<Written<Member>, ApiError> {
        let access = grant.access;
        let path = &[id.as_str(), "members"];
        let target = Target { method: Method::POST, route: "/{account}/members", path };
        let body = json!({"email": email.as_str(), "access": access});
        let answer = self.send(target, Some(body), None).await?;
        self.agreed(&answer, MemberJson::into_member, |said| member_differs(said, email, access))
    }

    async fn set_access(&self, id: &AccountId, member: &MemberId, grant: &Grant) -> Result<Written<Member>, ApiError> {
        let access = grant.access;
        let path = &[id.as_str(), "members", member.as_str()];
        let target = Target { method: Method::PATCH, route: "/{account}/members/{member}", path };
        let answer = self.send(target, Some(json!({"access": access})), None).await?;
        self.agreed(&answer, MemberJson::into_member, |said: &Member| {
            if said.id == *member {
                (said.access != access).then_some("another access")
            } else {
                Some("another member")
            }
        })
    }

    async fn remove_member(&self, id: &AccountId, member: &MemberId) -> Result<Written<()>, ApiError> {
        let path = &[id.as_str(), "members", member.as_str()];
        let target = Target { method: Method::DELETE, route: "/{account}/members/{member}", path };
        self.wire.emptied(&self.send(target, None, None).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscription(plan: &str, seats: Option<u32>, pending: (Option<&str>, Option<u32>)) -> Subscription {
        Subscription {
            plan: PlanId::new(plan),
            state: SubscriptionState::Subscribed,
            seats,
            dunned: false,
            trial_ends_at: None,
            current_period_ends_at: None,
            pending_plan: pending.0.map(PlanId::new),
            pending_seats: pending.1,
        }
    }

    #[test]
    fn a_subscription_agrees_now_or_from_the_renewal_on() {
        let none = (None, None);
        for (said, seats, differs) in [
            (subscription("teams", Some(3), none), Some(3), None),
            (subscription("teams", Some(3), none), None, None),
            (subscription("teams", None, none), Some(3), None),
            (subscription("teams", Some(5), (None, Some(3))), Some(3), None),
            (subscription("teams", Some(5), none), Some(3), Some("another number of seats")),
            (subscription("big", Some(5), (Some("teams"), None)), Some(1), None),
            (subscription("solo", Some(3), none), Some(3), Some("another plan")),
            (subscription("solo", Some(3), (Some("other"), None)), Some(3), Some("another plan")),
        ] {
            assert_eq!(subscription_differs(&said, &PlanId::new("teams"), seats), differs, "{said:?}");
        }
        let over = Subscription { state: SubscriptionState::Unsubscribed, ..subscription("teams", None, none) };
        assert_eq!(subscription_differs(&over, &PlanId::new("teams"), None), Some("another state"));
    }
}
