//! Choosing, changing and cancelling an account's plan and seats (rules 4 to 8, 17).

use jiff::{SignedDuration, Timestamp};

use crate::sandbox::catalogue::{Cents, Period, Plan, Standing};
use crate::sandbox::world::{AccountId, Card, Change, Draft, Order, Subscription, SubscriptionState};

use super::payments::{Bill, buyer, card_refused, lapse};
use super::time::{after_period, prorated};
use super::{Door, Faults, Moment, Refusal};

/// How long a trial is (rule 5).
const TRIAL: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What choosing a plan came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    /// There was none in force: a new subscription.
    New(Subscription),
    /// A new one whose payment is not settled yet.
    Settling(Subscription),
    /// The one there was, as it is now.
    Changed(Subscription),
}

/// A plan and the seats asked for, both found sound.
struct Choice {
    plan: &'static Plan,
    seats: Option<u32>,
}

/// What came of a choice that was sound: done, or declined because the card was refused.
/// Unlike a refusal, that leaves a mark: the payment stays open (rule 9).
pub type Bought = Result<Chosen, Refusal>;

/// Chooses a plan, seats or both; states an end, so that repeating it changes nothing.
pub fn choose(
    m: &Moment,
    account: AccountId,
    identifier: Option<&str>,
    seats: Option<u32>,
) -> Result<(Draft, Bought), Refusal> {
    m.managed(account)?;
    let latest = m.world.subscriptions.get(&account);
    let current = latest.filter(|subscription| subscription.in_force() || subscription.is_settling());
    let choice = check(m, account, current, identifier, seats)?;
    match current {
        None => subscribe(m, account, &choice, latest.is_some()),
        Some(current) if current.is_settling() => wait_for(m, current, &choice),
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
    let plan = m.terms.plan(identifier.unwrap_or_default());
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

fn subscribe(m: &Moment, account: AccountId, choice: &Choice, had_one: bool) -> Result<(Draft, Bought), Refusal> {
    let buyer = buyer(m, account)?;
    let Choice { plan, seats } = choice;
    let mut draft = Draft::of(m.world);
    let starts = m.now.saturating_add(m.settling).unwrap_or(m.now);
    let seats = seats.unwrap_or_else(|| plan.least_seats());
    let mut subscription = begin(&mut draft, account, (plan.identifier, plan.period), seats, (m.now, starts));
    subscription.payer = Some(buyer.id);
    if plan.trial && !had_one {
        let end = starts.saturating_add(TRIAL).unwrap_or(starts);
        subscription.trial_ends_at = Some(end);
        subscription.current_period_ends_at = end;
    }
    let bill = first_bill(&subscription, m.now);
    if buyer.card == Some(Card::Refused) {
        return Ok(declined(m, bill));
    }
    if starts > m.now {
        subscription.state = SubscriptionState::Subscribing;
        subscription.settles_at = Some(starts);
    } else {
        bill.collect(&mut draft);
    }
    if m.door == Door::Api {
        draft.meta.totals.subscriptions_created += 1;
    }
    m.touch(&mut draft, account);
    draft.put(Change::PutSubscription(subscription.clone()));
    let is_settling = subscription.is_settling();
    Ok((draft, Ok(if is_settling { Chosen::Settling(subscription) } else { Chosen::New(subscription) })))
}

/// A subscription without a trial, in force, chosen and started at these times.
pub fn begin(
    draft: &mut Draft,
    account: AccountId,
    (plan, period): (&str, Period),
    seats: u32,
    (chosen, starts): (Timestamp, Timestamp),
) -> Subscription {
    Subscription {
        id: draft.next_subscription(),
        account_id: account,
        plan_identifier: plan.to_owned(),
        state: SubscriptionState::Subscribed,
        seats,
        trial_ends_at: None,
        period_started_at: starts,
        current_period_ends_at: after_period(starts, period),
        pending_plan_identifier: None,
        pending_seats: None,
        payer: None,
        settles_at: None,
        dunned_since: None,
        created_at: chosen,
        updated_at: chosen,
    }
}

/// What a new subscription costs when it begins: nothing where that is a trial.
pub fn first_bill(subscription: &Subscription, at: Timestamp) -> Bill {
    let price = subscription.plan().and_then(|plan| plan.price(subscription.seats)).unwrap_or_default();
    let amount = if subscription.trial_ends_at.is_some() { Cents::default() } else { price };
    bill(subscription, amount, at, "first period")
}

/// The purchase failed, and nothing of it happened; what it costs is open from now on.
fn declined(m: &Moment, bill: Bill) -> (Draft, Bought) {
    let mut draft = Draft::of(m.world);
    let order = Order { seats: bill.subscription.seats, counts: m.door == Door::Api };
    bill.leave_open(&mut draft, m.caller, Some(order));
    (draft, Err(card_refused()))
}

/// While a payment settles only the same may be asked for again.
fn wait_for(m: &Moment, current: &Subscription, choice: &Choice) -> Result<(Draft, Bought), Refusal> {
    let same_seats = choice.seats.is_none_or(|seats| seats == current.seats);
    if current.plan_identifier == choice.plan.identifier && same_seats {
        return Ok((Draft::of(m.world), Ok(Chosen::Settling(current.clone()))));
    }
    Err(Refusal::new(402, "The payment of the subscription is not settled yet"))
}

fn change(m: &Moment, current: &Subscription, choice: &Choice) -> Result<(Draft, Bought), Refusal> {
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
        return Ok((draft, Ok(Chosen::Changed(next))));
    }
    if let Some(bill) = difference(m, current, &next) {
        let buyer = buyer(m, current.account_id)?;
        if buyer.card == Some(Card::Refused) {
            return Ok(declined(m, bill));
        }
        next.payer = Some(buyer.id);
        bill.collect(&mut draft);
    }
    next.updated_at = m.now;
    m.touch(&mut draft, current.account_id);
    draft.put(Change::PutSubscription(next.clone()));
    Ok((draft, Ok(Chosen::Changed(next))))
}

/// More seats at once, fewer at the renewal (rule 17).
fn ask_for_seats(next: &mut Subscription, seats: Option<u32>) {
    match seats {
        Some(seats) if seats > next.seats => next.seats = seats,
        Some(seats) if seats < next.seats => next.pending_seats = Some(seats),
        Some(_) | None => {}
    }
}

/// What became more at once, for the rest of the period; it costs nothing in a trial.
pub fn difference(m: &Moment, before: &Subscription, after: &Subscription) -> Option<Bill> {
    if (&before.plan_identifier, before.seats) == (&after.plan_identifier, after.seats) {
        return None;
    }
    let price = |it: &Subscription| it.plan().and_then(|plan| plan.price(it.seats)).unwrap_or_default();
    let more = Cents(price(after).0.saturating_sub(price(before).0));
    let amount = if after.in_trial(m.now) { Cents::default() } else { prorated(more, after, m.now) };
    let what = if before.plan_identifier == after.plan_identifier { "more seats" } else { "upgrade" };
    Some(bill(after, amount, m.now, what))
}

fn bill(subscription: &Subscription, amount: Cents, at: Timestamp, what: &str) -> Bill {
    let reason = format!("{what}: {}, {} seat(s)", subscription.plan_identifier, subscription.seats);
    Bill { amount, at, reason, subscription: subscription.clone() }
}

/// Cancels; the account and its members stay (rule 8). What is open for it lapses, what is
/// ordered is withdrawn. Repeating it changes nothing.
pub fn cancel(m: &Moment, account: AccountId) -> Result<(Draft, ()), Refusal> {
    m.managed(account)?;
    let Some(latest) = m.world.subscriptions.get(&account) else {
        return Err(Refusal::new(404, "The account has no subscription"));
    };
    let mut draft = Draft::of(m.world);
    lapse(m.world, &mut draft, account);
    if latest.in_force() || latest.is_settling() {
        draft.put(Change::PutSubscription(ended(latest, m.now)));
        m.touch(&mut draft, account);
    }
    Ok((draft, ()))
}

/// The subscription when it is over (rule 8): nothing waits any more.
pub fn ended(subscription: &Subscription, at: Timestamp) -> Subscription {
    Subscription {
        state: SubscriptionState::Unsubscribed,
        pending_plan_identifier: None,
        pending_seats: None,
        settles_at: None,
        dunned_since: None,
        updated_at: at,
        ..subscription.clone()
    }
}
