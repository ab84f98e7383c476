//! What time brings: payments that settle, trial ends, renewals, pending downgrades, seat
//! cuts, and the end of what is not paid for.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

use crate::sandbox::catalogue::{self, Cents, Period};
use crate::sandbox::world::{Change, Draft, Order, Subscription, SubscriptionState, World};

use super::payments::{Bill, is_paid_for, lapse};
use super::subscription::{ended, first_bill};
use super::{Moment, Refusal, Terms, touch};

/// How long a kept answer to an `Idempotency-Key` lives.
pub const KEY_LIFE: SignedDuration = SignedDuration::from_hours(24);

/// How long services go on while a renewal is unpaid (rule 9).
pub const DUNNING: SignedDuration = SignedDuration::from_hours(21 * 24);

/// The furthest that the clock is moved at once.
const FURTHEST: i64 = 10 * 366 * 24 * 60 * 60;

/// The end of a period that starts now.
pub fn after_period(start: Timestamp, period: Period) -> Timestamp {
    let span = match period {
        Period::Month => Span::new().months(1),
        Period::Year => Span::new().years(1),
    };
    start.to_zoned_datetime(TimeZone::UTC).saturating_add(span).timestamp()
}

/// The part of a price that is left to pay for the rest of a period, rounded to the cent.
pub fn prorated(amount: Cents, subscription: &Subscription, now: Timestamp) -> Cents {
    let seconds = |from: Timestamp, to: Timestamp| u128::try_from(to.duration_since(from).as_secs()).unwrap_or(0);
    let whole = seconds(subscription.period_started_at, subscription.current_period_ends_at).max(1);
    let left = seconds(now, subscription.current_period_ends_at).min(whole);
    let cents = (u128::from(amount.0) * left + whole / 2) / whole;
    Cents(u64::try_from(cents).unwrap_or(u64::MAX))
}

/// Moves the clock ahead, and does everything that falls due on the way.
pub fn advance(m: &Moment, seconds: i64) -> Result<(Draft, Timestamp), Refusal> {
    if !(0..=FURTHEST).contains(&seconds) {
        return Err(Refusal::new(400, format!("advance_seconds must be from 0 to {FURTHEST}")));
    }
    let to = m.now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(m.now);
    let mut draft = fall_due(m.world, m.terms, to);
    draft.meta.ahead_seconds += seconds;
    Ok((draft, to))
}

/// Everything that falls due until `to`; time that passed by itself brings it too.
pub fn fall_due(world: &World, terms: &Terms, to: Timestamp) -> Draft {
    let mut draft = Draft::of(world);
    let (mut collected, mut open) = (Vec::new(), Vec::new());
    for subscription in world.subscriptions.values() {
        let Some(passed) = pass(world, subscription, to) else { continue };
        let Passed { subscription, paid, unpaid, gave_up } = passed;
        let account = subscription.account_id;
        if gave_up {
            lapse(world, &mut draft, account);
        }
        open.extend(unpaid.zip(subscription.payer));
        collected.extend(paid);
        touch(&mut draft, world, terms, account, subscription.updated_at);
        draft.put(Change::PutSubscription(subscription));
    }
    collected.sort_by_key(|bill: &Bill| (bill.at, bill.subscription.account_id));
    for bill in collected {
        bill.collect(&mut draft);
    }
    open.sort_by_key(|(unpaid, _): &(Unpaid, _)| (unpaid.bill.at, unpaid.bill.subscription.account_id));
    for (Unpaid { bill, order }, payer) in open {
        bill.leave_open(&mut draft, payer, order);
    }
    let expired = world.answers.values().filter(|kept| to.duration_since(kept.at) >= KEY_LIFE);
    let expired: Vec<_> = expired.map(|kept| Change::DropAnswer(kept.user_id, kept.key.clone())).collect();
    draft.changes.extend(expired);
    draft
}

/// Whether something happened to a subscription until now that is not done yet.
pub fn is_behind(world: &World, now: Timestamp) -> bool {
    world.subscriptions.values().any(|it| next_event(it).is_some_and(|(at, _)| at <= now))
}

/// What time does to a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    /// Its payment is settled.
    Settled,
    /// A period ends, and another begins.
    Renewal,
    /// A renewal was not paid for in time.
    GivenUp,
}

/// What happens next to a subscription, and when.
fn next_event(subscription: &Subscription) -> Option<(Timestamp, Event)> {
    match subscription.state {
        SubscriptionState::Unsubscribed => None,
        SubscriptionState::Subscribing => subscription.settles_at.map(|at| (at, Event::Settled)),
        SubscriptionState::Subscribed => {
            let renewal = (subscription.current_period_ends_at, Event::Renewal);
            let end = subscription.dunned_since.map(|since| since.saturating_add(DUNNING).unwrap_or(since));
            // Nothing is renewed at the moment at which it ends.
            Some(end.filter(|end| *end <= renewal.0).map_or(renewal, |end| (end, Event::GivenUp)))
        }
    }
}

/// A subscription after everything that happened to it, one after the other.
struct Passed {
    subscription: Subscription,
    paid: Vec<Bill>,
    unpaid: Option<Unpaid>,
    /// Whether what was open for it before lapses.
    gave_up: bool,
}

/// What the card refused to pay.
struct Unpaid {
    bill: Bill,
    order: Option<Order>,
}

fn pass(world: &World, before: &Subscription, to: Timestamp) -> Option<Passed> {
    next_event(before).filter(|(at, _)| *at <= to)?;
    let pays = is_paid_for(world, before);
    let members = world.seats_taken(before.account_id);
    let mut passed = Passed { subscription: before.clone(), paid: Vec::new(), unpaid: None, gave_up: false };
    while let Some((at, event)) = next_event(&passed.subscription).filter(|(at, _)| *at <= to) {
        let Passed { subscription, paid, unpaid, gave_up } = &mut passed;
        match event {
            Event::Settled => {
                let bill = first_bill(subscription, at);
                if pays || bill.amount.0 == 0 {
                    subscription.state = SubscriptionState::Subscribed;
                    subscription.settles_at = None;
                    paid.push(bill);
                } else {
                    // It was counted when it was chosen; paying makes another of it.
                    *unpaid = Some(Unpaid { bill, order: Some(Order { seats: subscription.seats, counts: false }) });
                    *subscription = ended(subscription, at);
                }
            }
            Event::Renewal => {
                let bill = renew(subscription, members);
                if pays || bill.amount.0 == 0 {
                    paid.push(bill);
                } else {
                    subscription.dunned_since = Some(at);
                    *unpaid = Some(Unpaid { bill, order: None });
                }
            }
            Event::GivenUp => {
                (*unpaid, *gave_up) = (None, true);
                *subscription = ended(subscription, at);
            }
        }
        subscription.updated_at = at;
    }
    Some(passed)
}

/// Ends one period and begins the next: what was pending happens now (rules 6, 17); what
/// the new period costs.
fn renew(subscription: &mut Subscription, members: u32) -> Bill {
    let at = subscription.current_period_ends_at;
    let pending_plan = subscription.pending_plan_identifier.take().and_then(|id| catalogue::find(&id));
    let pending_seats = subscription.pending_seats.take();
    // Somebody may have joined since the downgrade was asked for: then it does not happen,
    // and its seats stay too.
    let fits = pending_plan.is_none_or(|plan| plan.takes(members));
    if let Some(plan) = pending_plan.filter(|_| fits) {
        plan.identifier.clone_into(&mut subscription.plan_identifier);
    }
    if let Some(seats) = pending_seats.filter(|_| fits) {
        subscription.seats = seats.max(members);
    }
    let plan = subscription.plan();
    let trial_ended = subscription.trial_ends_at == Some(at);
    subscription.period_started_at = at;
    subscription.current_period_ends_at = after_period(at, plan.map_or(Period::Month, |plan| plan.period));
    let what = if trial_ended { "first period after the trial" } else { "renewal" };
    Bill {
        amount: plan.and_then(|plan| plan.price(subscription.seats)).unwrap_or(Cents(0)),
        at,
        reason: format!("{what} of {}, {} seat(s)", subscription.plan_identifier, subscription.seats),
        subscription: subscription.clone(),
    }
}
