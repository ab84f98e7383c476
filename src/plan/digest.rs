//! Digests: the same world has the same one on every machine, in any order of files, accounts
//! and members. No times, no paths, no words.

use sha2::{Digest as _, Sha256};

use crate::domain::{Access, AccountId, ClientName, Email, Money, Role};
use crate::manifest::{Client, Membership, WantedPlan};
use crate::provider::{MemberState, NewPlan, PlanOffer, Subscription, SubscriptionState};

use super::decide::Inputs;
use super::policy::{Adopt, MaxRemovals, Policy};
use super::snapshot::ObservedAccount;
use super::tree::{AccountPlan, Action, ActionState, Change, Op, Plan, Reason};

/// The version of what is written: another one is another digest.
const FORMAT: &str = "bursar-plan-1";

/// A writer of fields, each with its length before it, so that no two worlds write the same
/// bytes.
struct Canon(Sha256);

impl Canon {
    fn new(kind: &str) -> Self {
        let mut canon = Self(Sha256::new());
        canon.text(FORMAT);
        canon.text(kind);
        canon
    }

    fn text(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_be_bytes());
        self.0.update(text.as_bytes());
    }

    fn number(&mut self, number: u64) {
        self.0.update(number.to_be_bytes());
    }

    fn flag(&mut self, flag: bool) {
        self.0.update([u8::from(flag)]);
    }

    fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    fn list<T>(&mut self, values: impl ExactSizeIterator<Item = T>, mut write: impl FnMut(&mut Self, T)) {
        self.number(values.len() as u64);
        values.for_each(|value| write(self, value));
    }

    fn email(&mut self, email: &Email) {
        self.text(email.key());
    }

    fn access(&mut self, access: Access) {
        self.text(match access {
            Access::Full => "full",
            Access::Limited => "limited",
        });
    }

    fn role(&mut self, role: Option<&Role>) {
        self.option(role, |canon, role| canon.text(role.as_str()));
    }

    fn money(&mut self, money: Money) {
        self.0.update(money.as_cents().to_be_bytes());
    }

    fn finish(self) -> String {
        use std::fmt::Write as _;
        let mut out = String::from("sha256:");
        for byte in self.0.finalize() {
            let _ = write!(out, "{byte:02x}");
        }
        out
    }
}

/// The digest of a whole plan.
pub(super) fn whole(plan: &Plan, inputs: &Inputs<'_>) -> String {
    let Plan {
        digest: _,
        api: _,
        accounts,
        drift: _,
        unmanaged,
        notices: _,
        rails: _,
        passed: _,
        multiplied: _,
        cost: _,
        summary: _,
        requests: _,
    } = plan;
    let mut canon = Canon::new("plan");
    policy(&mut canon, inputs.policy);
    let mut plans: Vec<&PlanOffer> = inputs.live.offer.plans.iter().collect();
    plans.sort_by(|a, b| a.id.cmp(&b.id));
    canon.flag(inputs.live.offer.account_management);
    canon.list(plans.into_iter(), prices);
    let mut leaving: Vec<&Email> = inputs.wanted.offboardings.iter().flat_map(|document| &document.people).collect();
    leaving.sort();
    leaving.dedup();
    canon.list(leaving.into_iter(), Canon::email);
    let mut parts: Vec<&str> = accounts.iter().map(|account| account.digest.as_str()).collect();
    parts.sort_unstable();
    canon.list(parts.into_iter(), Canon::text);
    canon.list(unmanaged.iter(), |canon, account| {
        canon.text(account.account_id.as_str());
        canon.option(account.monthly, Canon::money);
    });
    canon.finish()
}

/// The digest of a client's part: what is wanted, what was seen, what is done.
pub(super) fn account(part: &AccountPlan, client: &Client) -> String {
    let mut canon = Canon::new("account");
    wanted(&mut canon, client);
    canon.option(part.observed.as_ref(), observed);
    canon.option(part.monthly_before, Canon::money);
    canon.option(part.monthly_after, Canon::money);
    canon.list(part.actions.iter(), action);
    canon.finish()
}

/// The digest of what is wanted of a client.
pub fn of_wanted(client: &Client) -> String {
    let mut canon = Canon::new("wanted");
    wanted(&mut canon, client);
    canon.finish()
}

/// The digest of a document that does not hold.
pub(super) fn invalid(name: Option<&ClientName>, account: Option<&AccountId>) -> String {
    let mut canon = Canon::new("invalid");
    canon.option(name, |canon, name| canon.text(name.as_str()));
    canon.option(account, |canon, id| canon.text(id.as_str()));
    canon.finish()
}

fn policy(canon: &mut Canon, policy: &Policy) {
    let Policy {
        max_creates,
        max_subscriptions,
        max_monthly_increase,
        max_removals: MaxRemovals { percent, number },
        allow_removals,
        allow_unsubscribe,
        allowed_plans,
        adopt,
        trim_seats,
    } = policy;
    canon.option(*max_creates, |canon, most| canon.number(most.into()));
    canon.option(*max_subscriptions, |canon, most| canon.number(most.into()));
    canon.option(*max_monthly_increase, Canon::money);
    canon.option(*percent, |canon, most| canon.number(most.into()));
    canon.option(*number, |canon, most| canon.number(most.into()));
    canon.flag(*allow_removals);
    canon.flag(*allow_unsubscribe);
    canon.list(allowed_plans.words().iter(), |canon, word| canon.text(word));
    canon.text(match adopt {
        Adopt::Matching => "matching",
        Adopt::ByName => "by-name",
        Adopt::Never => "never",
    });
    canon.flag(*trim_seats);
}

fn prices(canon: &mut Canon, plan: &PlanOffer) {
    let PlanOffer {
        id,
        name: _,
        family,
        yearly,
        base_price,
        included_seats,
        seat_price,
        max_members,
        multi_member,
        available,
    } = plan;
    canon.text(id.as_str());
    canon.text(family.as_str());
    canon.flag(*yearly);
    canon.option(*base_price, Canon::money);
    canon.option(*included_seats, |canon, seats| canon.number(seats.into()));
    canon.option(*seat_price, Canon::money);
    canon.option(*max_members, |canon, most| canon.number(most.into()));
    canon.flag(*multi_member);
    canon.flag(*available);
}

fn wanted(canon: &mut Canon, client: &Client) {
    let Client {
        name,
        labels: _,
        source: _,
        account_name,
        notification_email,
        plan,
        members,
        membership,
        account_id,
        previous_names,
        previous_notification_emails,
        suspend,
    } = client;
    canon.text(name.as_str());
    canon.text(account_name.as_str());
    canon.email(notification_email);
    match plan {
        WantedPlan::Untouched => canon.text("untouched"),
        WantedPlan::Nothing => canon.text("nothing"),
        WantedPlan::Choice(word) => {
            canon.text("choice");
            canon.text(word);
        }
    }
    let mut people: Vec<_> = members.iter().map(|member| (&member.email, member.access, &member.role)).collect();
    people.sort();
    canon.list(people.into_iter(), |canon, (email, access, role)| {
        canon.email(email);
        canon.access(access);
        canon.role(role.as_ref());
    });
    canon.flag(*membership == Membership::Exclusive);
    canon.option(account_id.as_ref(), |canon, id| canon.text(id.as_str()));
    let mut names: Vec<_> = previous_names.iter().collect();
    names.sort();
    canon.list(names.into_iter(), |canon, name| canon.text(name.as_str()));
    let mut emails: Vec<_> = previous_notification_emails.iter().collect();
    emails.sort();
    canon.list(emails.into_iter(), Canon::email);
    canon.flag(*suspend);
}

fn observed(canon: &mut Canon, observed: &ObservedAccount) {
    let ObservedAccount { account, subscription, members } = observed;
    canon.text(account.id.as_str());
    canon.option(account.name.as_ref(), |canon, name| canon.text(name.as_str()));
    canon.option(account.email.as_ref(), Canon::email);
    canon.option(account.plan.as_ref(), |canon, plan| canon.text(plan.as_str()));
    canon.option(subscription.seen(), |canon, seen| canon.option(seen.as_ref(), self::subscription));
    canon.option(members.seen(), |canon, members| {
        let mut members: Vec<_> = members.iter().collect();
        members.sort_by(|a, b| (&a.email, &a.id).cmp(&(&b.email, &b.id)));
        canon.list(members.into_iter(), |canon, member| {
            canon.text(member.id.as_str());
            canon.email(&member.email);
            canon.access(member.access);
            canon.role(member.role.as_ref());
            canon.flag(member.state == MemberState::Invited);
        });
    });
}

fn subscription(canon: &mut Canon, subscription: &Subscription) {
    let Subscription {
        plan,
        state,
        seats,
        dunned,
        trial_ends_at: _,
        current_period_ends_at: _,
        pending_plan,
        pending_seats,
    } = subscription;
    canon.text(plan.as_str());
    canon.text(match state {
        SubscriptionState::New => "new",
        SubscriptionState::Subscribing => "subscribing",
        SubscriptionState::Subscribed => "subscribed",
        SubscriptionState::Unsubscribed => "unsubscribed",
        SubscriptionState::NotSubscribed => "not_subscribed",
    });
    canon.option(*seats, |canon, seats| canon.number(seats.into()));
    canon.flag(*dunned);
    canon.option(pending_plan.as_ref(), |canon, plan| canon.text(plan.as_str()));
    canon.option(*pending_seats, |canon, seats| canon.number(seats.into()));
}

/// What is held for second thoughts is written as planned, and so is an add that awaits a
/// sign-up, whatever it came to when it was tried: who has a journal and who has none make
/// the same digest.
fn action(canon: &mut Canon, action: &Action) {
    let Action { op, state, reason, message: _, offboarding, unregistered, cause: _, request_id: _, steps: _, link: _ } =
        action;
    self::op(canon, op);
    let counts_as_planned = *unregistered || *reason == Some(Reason::Held);
    let (state, reason) = if counts_as_planned { (ActionState::Planned, None) } else { (*state, *reason) };
    canon.text(match state {
        ActionState::Planned => "planned",
        ActionState::Applied => "applied",
        ActionState::Failed => "failed",
        ActionState::Waiting => "waiting",
        ActionState::Blocked => "blocked",
        ActionState::Manual => "manual",
        ActionState::Skipped => "skipped",
    });
    canon.option(reason, |canon, reason| canon.text(&format!("{reason:?}")));
    canon.flag(*offboarding);
    canon.flag(*unregistered);
}

fn op(canon: &mut Canon, op: &Op) {
    let seats =
        |canon: &mut Canon, seats: &Option<u32>| canon.option(*seats, |canon, seats| canon.number(seats.into()));
    match op {
        Op::CreateAccount { name, email, plan } => {
            canon.text("CreateAccount");
            canon.text(name.as_str());
            canon.option(email.as_ref(), Canon::email);
            canon.option(plan.as_ref(), |canon, NewPlan { plan, seats: n }| {
                canon.text(plan.as_str());
                seats(canon, n);
            });
        }
        Op::UpdateAccount { name, email } => {
            canon.text("UpdateAccount");
            canon.option(name.as_ref(), |canon, Change { from: _, to }| canon.text(to.as_str()));
            canon.option(email.as_ref(), |canon, Change { from: _, to }| canon.email(to));
        }
        Op::Subscribe { plan, seats: n } => {
            canon.text("Subscribe");
            canon.text(plan.as_str());
            seats(canon, n);
        }
        Op::ChangePlan { from, to, seats: n, downgrade } => {
            canon.text("ChangePlan");
            canon.text(from.as_str());
            canon.text(to.as_str());
            seats(canon, n);
            canon.flag(*downgrade);
        }
        Op::SetSeats { plan, from, to } => {
            canon.text("SetSeats");
            canon.text(plan.as_str());
            canon.number((*from).into());
            canon.number((*to).into());
        }
        Op::RemoveMember { id, email, access, invited } => {
            canon.text("RemoveMember");
            canon.text(id.as_str());
            canon.email(email);
            canon.access(*access);
            canon.flag(*invited);
        }
        Op::AddMember { email, access, role } => {
            canon.text("AddMember");
            canon.email(email);
            canon.access(*access);
            canon.role(role.as_ref());
        }
        Op::SetAccess { id, email, from, to, role } => {
            canon.text("SetAccess");
            canon.text(id.as_str());
            canon.email(email);
            canon.access(*from);
            canon.access(*to);
            canon.role(role.as_ref());
        }
        Op::Unsubscribe { plan } => {
            canon.text("Unsubscribe");
            canon.text(plan.as_str());
        }
    }
}
