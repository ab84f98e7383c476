//! Writing: each call is sent once, on a fresh connection, and taken as done only where the
//! answer agrees with the request. What a request needs to know (the type behind a plan, the
//! slug of an account) was read before: a write reads nothing by itself.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::catalogue::{Catalogue, Sold, role, role_for};
use super::json::{AccountJson, MemberJson};
use super::known::{Known, Seen};
use crate::domain::{AccountId, AccountName, Email, MemberId, PlanId};
use crate::provider::wire::{Answer, Target, Wire};
use crate::provider::{
    Account, AccountPatch, ApiError, Class, Grant, IdempotencyKey, Member, NewAccount, Subscription,
};
use crate::provider::{Write, Written};

const ACCOUNT: &str = "/accounts/{account}";
const MEMBERS: &str = "/{account}/members";
const MEMBER: &str = "/{account}/members/{member}";

/// Writes to the API. Clones share count, quota and what is known with their reader.
#[derive(Debug, Clone)]
pub struct Writer {
    wire: Arc<Wire>,
    known: Arc<Known>,
}

impl Writer {
    pub(super) fn new(wire: Arc<Wire>, known: Arc<Known>) -> Self {
        Self { wire, known }
    }

    fn not_sent<T>(&self, method: &Method, route: &str, why: &str) -> Result<T, ApiError> {
        Err(self.wire.not_sent((method, route), why))
    }

    fn catalogue(&self, method: &Method, route: &str) -> Result<Arc<Catalogue>, ApiError> {
        let why = "what the service sells was not read yet";
        self.known.catalogue().ok_or_else(|| self.wire.not_sent((method, route), why))
    }

    fn slug(&self, id: &AccountId, method: &Method, route: &str) -> Result<String, ApiError> {
        let why = "the slug of the account is not known; it is read again";
        let slug = self.known.account(id).and_then(|Seen { slug, period: _ }| slug);
        slug.ok_or_else(|| self.wire.not_sent((method, route), why))
    }

    /// What is sold under a plan, and the seats beyond those that it includes.
    fn sold<'a>(
        &self,
        catalogue: &'a Catalogue,
        (method, route): (&Method, &str),
        plan: &PlanId,
        seats: Option<u32>,
    ) -> Result<(&'a Sold, Option<u32>), ApiError> {
        let Some(sold) = catalogue.sold(plan) else {
            return self.not_sent(method, route, "the service does not list this plan any more");
        };
        match sold.extra_seats(seats) {
            Ok(extra) => Ok((sold, extra)),
            Err(why) => self.not_sent(method, route, why),
        }
    }

    /// The account of an answer, where `disagreement` finds none with the request.
    fn account(
        &self,
        answer: &Answer,
        catalogue: &Catalogue,
        disagreement: impl FnOnce(&Account) -> Option<&'static str>,
    ) -> Result<Written<Account>, ApiError> {
        let said = self.wire.parse::<AccountJson>(answer)?;
        self.known.note(&said);
        let said = said.into_account(catalogue);
        let other = disagreement(&said);
        self.wire.agreed(answer, said, other)
    }

    async fn put_account(&self, id: &AccountId, body: Map<String, Value>) -> Result<Answer, ApiError> {
        // One of that name is another endpoint.
        if id.as_str() == "types" {
            return self.not_sent(&Method::PUT, ACCOUNT, "the account id is not one");
        }
        let target = Target { method: Method::PUT, route: ACCOUNT, path: &["accounts", id.as_str()] };
        self.wire.write(target, Some(Value::Object(body)), None).await
    }

    /// The exact role of a grant: the one asked for, or the usual one for its access.
    fn role(&self, grant: &Grant, method: &Method, route: &str) -> Result<&'static str, ApiError> {
        let found = match &grant.role {
            None => role_for(grant.access),
            Some(asked) => role(asked.as_str()).filter(|(_, access)| *access == grant.access).map(|(role, _)| role),
        };
        found.ok_or_else(|| self.wire.not_sent((method, route), "the service has no such role with this access"))
    }
}

fn names_other(said: &Account, name: &AccountName) -> Option<&'static str> {
    let same = said.name.as_ref().is_some_and(|said| said.as_str().trim() == name.as_str().trim());
    (!same).then_some("another account name")
}

/// Whether plan and seats are those that were asked for. An answer may leave the seats out.
fn terms_differ(said: &Account, plan: &PlanId, seats: Option<u32>) -> Option<&'static str> {
    let Some(Some(subscription)) = &said.subscription else { return Some("no plan, rather") };
    if subscription.plan != *plan {
        return Some("another plan");
    }
    let other_seats = matches!((seats, subscription.seats), (Some(asked), Some(said)) if asked != said);
    other_seats.then_some("another number of seats")
}

/// How many seats an account has with so many beyond the included ones.
fn seats_in_all(sold: &Sold, extra: Option<u32>) -> Option<u32> {
    extra.map(|extra| sold.offer.included_seats.unwrap_or(1).saturating_add(extra))
}

fn role_differs(said: &Member, role: &str) -> Option<&'static str> {
    let same = said.role.as_ref().is_some_and(|said| said.as_str() == role);
    (!same).then_some("another role")
}

#[async_trait]
impl Write for Writer {
    async fn turn(&self, class: Class, patience: Duration) -> Result<Arc<dyn Write>, ApiError> {
        let wire = Arc::new(self.wire.in_turn(class, patience).await?);
        Ok(Arc::new(Self { wire, ..self.clone() }))
    }

    async fn create_account(&self, new: &NewAccount, _: Option<&IdempotencyKey>) -> Result<Written<Account>, ApiError> {
        let (method, route) = (Method::POST, "/accounts");
        // The billing email is set afterwards.
        let NewAccount { name, email: _, plan } = new;
        let Some(plan) = plan else {
            return self.not_sent(&method, route, "the service makes no account without a plan");
        };
        let catalogue = self.catalogue(&method, route)?;
        let (sold, extra) = self.sold(&catalogue, (&method, route), &plan.plan, plan.seats)?;
        let mut body = Map::new();
        body.insert("name".to_owned(), json!(name.as_str()));
        body.insert("type_id".to_owned(), json!(sold.type_id));
        body.insert("period".to_owned(), json!(sold.period.word()));
        if sold.costs(extra) {
            match &catalogue.payment {
                Ok(method_id) => body.insert("payment_method_id".to_owned(), json!(method_id)),
                Err(why) => return self.not_sent(&method, route, why),
            };
        }
        body.extend(extra.map(|extra| ("extra_seats_block".to_owned(), json!(extra))));
        let target = Target { method, route, path: &["accounts"] };
        let answer = self.wire.write(target, Some(Value::Object(body)), None).await?;
        let seats = seats_in_all(sold, extra);
        self.account(&answer, &catalogue, |said| {
            names_other(said, name).or_else(|| terms_differ(said, &plan.plan, seats))
        })
    }

    async fn update_account(&self, id: &AccountId, patch: &AccountPatch) -> Result<Written<Account>, ApiError> {
        let AccountPatch { name, email } = patch;
        let catalogue = self.catalogue(&Method::PUT, ACCOUNT)?;
        let mut body = Map::new();
        body.extend(name.as_ref().map(|name| ("name".to_owned(), json!(name.as_str()))));
        body.extend(email.as_ref().map(|email| ("billing_email".to_owned(), json!(email.as_str()))));
        let answer = self.put_account(id, body).await?;
        self.account(&answer, &catalogue, |said| {
            if said.id != *id {
                return Some("another account");
            }
            let other_name = name.as_ref().and_then(|name| names_other(said, name));
            let other_email = email.is_some() && said.email != *email;
            other_name.or_else(|| other_email.then_some("another billing email"))
        })
    }

    async fn put_subscription(
        &self,
        id: &AccountId,
        plan: &PlanId,
        seats: Option<u32>,
    ) -> Result<Written<Subscription>, ApiError> {
        let (method, route) = (Method::PUT, ACCOUNT);
        let catalogue = self.catalogue(&method, route)?;
        let (sold, extra) = self.sold(&catalogue, (&method, route), plan, seats)?;
        let period = self.known.account(id).and_then(|Seen { slug: _, period }| period);
        if period.is_some_and(|period| period != sold.period) {
            return self.not_sent(&method, route, "the billing period of an account cannot be changed");
        }
        let mut body = Map::new();
        body.insert("type_id".to_owned(), json!(sold.type_id));
        body.extend(extra.map(|extra| ("extra_seats_block".to_owned(), json!(extra))));
        let answer = self.put_account(id, body).await?;
        let seats = seats_in_all(sold, extra);
        let written = self.account(&answer, &catalogue, |said| {
            if said.id == *id { terms_differ(said, plan, seats) } else { Some("another account") }
        })?;
        let Written { value: account, request_id } = written;
        match account.subscription.flatten() {
            Some(value) => Ok(Written { value, request_id }),
            None => Err(self.wire.unclear(&answer, "the answer names no plan")),
        }
    }

    async fn delete_subscription(&self, _: &AccountId) -> Result<Written<()>, ApiError> {
        let why = "the service ends a subscription with its account only, and bursar closes no account";
        self.not_sent(&Method::DELETE, ACCOUNT, why)
    }

    async fn add_member(&self, id: &AccountId, email: &Email, grant: &Grant) -> Result<Written<Member>, ApiError> {
        let role = self.role(grant, &Method::POST, MEMBERS)?;
        let slug = self.slug(id, &Method::POST, MEMBERS)?;
        let target = Target { method: Method::POST, route: MEMBERS, path: &[&slug, "members"] };
        let body = json!({"role": role, "email": email.as_str()});
        let answer = self.wire.write(target, Some(body), None).await?;
        let said = self.wire.parse::<Vec<MemberJson>>(&answer)?;
        let person = said.into_iter().map(MemberJson::into_member).find(|member| member.email == *email);
        match person {
            Some(person) => {
                let other = role_differs(&person, role);
                self.wire.agreed(&answer, person, other)
            }
            None => Err(self.wire.unclear(&answer, "the person is not among those that the answer names")),
        }
    }

    async fn set_access(&self, id: &AccountId, member: &MemberId, grant: &Grant) -> Result<Written<Member>, ApiError> {
        let role = self.role(grant, &Method::PUT, MEMBER)?;
        let slug = self.slug(id, &Method::PUT, MEMBER)?;
        let target = Target { method: Method::PUT, route: MEMBER, path: &[&slug, "members", member.as_str()] };
        let answer = self.wire.write(target, Some(json!({"role": role})), None).await?;
        let said = self.wire.parse::<MemberJson>(&answer)?.into_member();
        let other = if said.id == *member { role_differs(&said, role) } else { Some("another member") };
        self.wire.agreed(&answer, said, other)
    }

    async fn remove_member(&self, id: &AccountId, member: &MemberId) -> Result<Written<()>, ApiError> {
        let slug = self.slug(id, &Method::DELETE, MEMBER)?;
        let target = Target { method: Method::DELETE, route: MEMBER, path: &[&slug, "members", member.as_str()] };
        self.wire.emptied(&self.wire.write(target, None, None).await?)
    }
}
