//! Choosing, changing and cancelling an account's plan and seats (rules 4 to 8, 17).

use jiff::SignedDuration;

use crate::sandbox::catalogue::{self, Cents, Plan, Standing};
use crate::sandbox::world::{AccountId, Card, Change, Charge, Draft, Subscription, SubscriptionState, User};

use super::time::{after_period, prorated};
use super::{Door, Faults, Moment, Refusal};

/// How long a trial is (rule 5).
const TRIAL: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What choosing a plan came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    /// There was none in force: a new subscription.
    New(Subscription),
    /// The one there was, as it is now.
    Changed(Subscription),
}

/// A plan and the seats asked for, both found sound.
struct Choice {
    plan: &'static Plan,
    seats: Option<u32>,
}

/// Chooses a plan, seats or both; states an end, so that repeating it changes nothing.
pub fn choose(
    m: &Moment,
    account: AccountId,
    identifier: Option<&str>,
    seats: Option<u32>,
) -> Result<(Draft, Chosen), Refusal> {
    m.managed(account)?;
    let latest = m.world.subscriptions.get(&account);
    let current = latest.filter(|subscription| subscription.in_force());
    let choice = check(m, account, current, identifier, seats)?;
    match current {
        None => subscribe(m, account, &choice, latest.is_some()),
        Some(current) => change(m, current, &choice),
    }
}

/// Every fault of the choice at once.
fn check(
    m: &Moment,
    account: AccountId,
    current: Option<&Subscription>,
    identifier: Option<&str>,
    seats: Option<u32>,
) -> Result<Choice, Refusal> {
    let members = m.world.seats_taken(account);
    let mut faults = Faults::default();
    let plan = catalogue::find(identifier.unwrap_or_default());
    let kept = plan.is_some_and(|plan| current.is_some_and(|it| it.plan_identifier == plan.identifier));
    match plan {
        None if identifier.is_none_or(str::is_empty) => faults.note("plan_identifier", "can't be blank"),
        None => faults.note("plan_identifier", "is unknown"),
        Some(plan) if !kept && plan.standing == Standing::Legacy => faults.note("plan_identifier", "is not available"),
        Some(plan) if !kept && plan.standing == Standing::ByAgreement => {
            faults.note("plan_identifier", "is not available for self-service");
        }
        Some(plan) if !plan.takes(members) => {
            faults.note("plan_identifier", format!("takes fewer members than this account has ({members})"));
        }
        Some(_) => {}
    }
    let takes = plan.and_then(|plan| plan.max_members);
    match seats {
        Some(0) => faults.note("seats", "must be at least 1"),
        Some(seats) if takes.is_some_and(|most| seats > most) => {
            faults.note("seats", format!("is more than the plan takes ({})", takes.unwrap_or_default()));
        }
        Some(seats) if seats < members => {
            faults.note("seats", format!("is fewer than the members and invitations ({members})"));
        }
        // Seats cost money: they are not bought unasked, not even for people who are there.
        None if current.is_none() && plan.is_some_and(|plan| plan.takes(members) && plan.least_seats() < members) => {
            faults.note("seats", format!("is fewer than the members and invitations ({members})"));
        }
        Some(_) | None => {}
    }
    faults.refuse_if_any()?;
    let Some(plan) = plan else { return Err(Refusal::new(400, "Validation failed")) };
    Ok(Choice { plan, seats: seats.map(|seats| seats.max(plan.least_seats())) })
}

/// Whether the caller may buy: a verified email and a card that pays (rule 4).
fn may_buy(user: &User) -> Result<(), Refusal> {
    if !user.verified {
        return Err(Refusal::new(412, "The email of the user is not verified"));
    }
    match user.card {
        Some(Card::Accepted) => Ok(()),
        Some(Card::Refused) => Err(Refusal::new(402, "The card was refused")),
        None => Err(Refusal::new(402, "There is no card")),
    }
}

fn subscribe(m: &Moment, account: AccountId, choice: &Choice, had_one: bool) -> Result<(Draft, Chosen), Refusal> {
    may_buy(m.user()?)?;
    let Choice { plan, seats } = choice;
    let trial_ends_at = (plan.trial && !had_one).then(|| m.now.saturating_add(TRIAL).unwrap_or(m.now));
    let mut draft = Draft::of(m.world);
    let subscription = Subscription {
        id: draft.next_subscription(),
        account_id: account,
        plan_identifier: plan.identifier.to_owned(),
        state: SubscriptionState::Subscribed,
        seats: seats.unwrap_or_else(|| plan.least_seats()),
        trial_ends_at,
        period_started_at: m.now,
        current_period_ends_at: trial_ends_at.unwrap_or_else(|| after_period(m.now, plan.period)),
        pending_plan_identifier: None,
        pending_seats: None,
        created_at: m.now,
        updated_at: m.now,
    };
    if trial_ends_at.is_none() {
        let price = plan.price(subscription.seats).unwrap_or_default();
        charge(m, &mut draft, &subscription, price, "first period");
    }
    if m.door == Door::Api {
        draft.meta.totals.subscriptions_created += 1;
    }
    m.touch(&mut draft, account);
    draft.put(Change::PutSubscription(subscription.clone()));
    Ok((draft, Chosen::New(subscription)))
}

fn change(m: &Moment, current: &Subscription, choice: &Choice) -> Result<(Draft, Chosen), Refusal> {
    let same_plan = current.plan_identifier == choice.plan.identifier;
    let downgrade = current.plan().is_some_and(|plan| plan.is_downgrade_to(choice.plan));
    let mut next = current.clone();
    if same_plan {
        let seats_go_with_the_plan = next.pending_plan_identifier.take().is_some();
        if seats_go_with_the_plan || choice.seats.is_some() {
            next.pending_seats = None;
        }
        ask_for_seats(&mut next, choice.seats);
    } else if downgrade {
        next.pending_plan_identifier = Some(choice.plan.identifier.to_owned());
        next.pending_seats = choice.seats.or(choice.plan.max_members);
    } else {
        choice.plan.identifier.clone_into(&mut next.plan_identifier);
        (next.pending_plan_identifier, next.pending_seats) = (None, None);
        next.seats = next.seats.max(choice.plan.least_seats());
        ask_for_seats(&mut next, choice.seats);
    }

    let mut draft = Draft::of(m.world);
    if next == *current {
        return Ok((draft, Chosen::Changed(next)));
    }
    buy_difference(m, &mut draft, current, &next)?;
    next.updated_at = m.now;
    m.touch(&mut draft, current.account_id);
    draft.put(Change::PutSubscription(next.clone()));
    Ok((draft, Chosen::Changed(next)))
}

/// More seats at once, fewer at the renewal (rule 17).
fn ask_for_seats(next: &mut Subscription, seats: Option<u32>) {
    match seats {
        Some(seats) if seats > next.seats => next.seats = seats,
        Some(seats) if seats < next.seats => next.pending_seats = Some(seats),
        Some(_) | None => {}
    }
}

/// Charges the rest of the period for what became more at once; nothing in a trial.
fn buy_difference(m: &Moment, draft: &mut Draft, before: &Subscription, after: &Subscription) -> Result<(), Refusal> {
    if (&before.plan_identifier, before.seats) == (&after.plan_identifier, after.seats) {
        return Ok(());
    }
    may_buy(m.user()?)?;
    let price = |it: &Subscription| it.plan().and_then(|plan| plan.price(it.seats)).unwrap_or_default();
    let more = Cents(price(after).0.saturating_sub(price(before).0));
    if !after.in_trial(m.now) {
        let what = if before.plan_identifier == after.plan_identifier { "more seats" } else { "upgrade" };
        charge(m, draft, after, prorated(more, after, m.now), what);
    }
    Ok(())
}

fn charge(m: &Moment, draft: &mut Draft, subscription: &Subscription, amount: Cents, what: &str) {
    if amount.0 == 0 {
        return;
    }
    let id = draft.next_charge();
    draft.put(Change::PutCharge(Charge {
        id,
        account_id: subscription.account_id,
        amount,
        at: m.now,
        reason: format!("{what}: {}, {} seat(s)", subscription.plan_identifier, subscription.seats),
        subscription_id: subscription.id,
        plan_identifier: subscription.plan_identifier.clone(),
    }));
}

/// Cancels; the account and its members stay (rule 8). Repeating it changes nothing.
pub fn cancel(m: &Moment, account: AccountId) -> Result<(Draft, ()), Refusal> {
    m.managed(account)?;
    let Some(latest) = m.world.subscriptions.get(&account) else {
        return Err(Refusal::new(404, "The account has no subscription"));
    };
    let mut draft = Draft::of(m.world);
    if latest.in_force() {
        let cancelled = Subscription {
            state: SubscriptionState::Unsubscribed,
            pending_plan_identifier: None,
            pending_seats: None,
            updated_at: m.now,
            ..latest.clone()
        };
        draft.put(Change::PutSubscription(cancelled));
        m.touch(&mut draft, account);
    }
    Ok((draft, ()))
}
