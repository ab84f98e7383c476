//! What time brings: trial ends, renewals, pending downgrades and seat cuts.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};

use crate::sandbox::catalogue::{self, Cents, Period};
use crate::sandbox::world::{AccountId, Change, Charge, ChargeId, Draft, Subscription, World};

use super::{Moment, Refusal, Terms, touch};

/// How long a kept answer to an `Idempotency-Key` lives.
pub const KEY_LIFE: SignedDuration = SignedDuration::from_hours(24);

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
    let mut charges = Vec::new();
    for subscription in world.subscriptions.values().filter(|it| it.in_force() && it.current_period_ends_at <= to) {
        let mut renewed = subscription.clone();
        while renewed.current_period_ends_at <= to {
            charges.extend(renew(&mut renewed, world.seats_taken(subscription.account_id)));
        }
        touch(&mut draft, world, terms, renewed.account_id, renewed.updated_at);
        draft.put(Change::PutSubscription(renewed));
    }
    charges.sort_by_key(|due: &Due| (due.at, due.account_id));
    for due in charges {
        let id = draft.next_charge();
        draft.put(Change::PutCharge(due.collected(id)));
    }
    let expired = world.answers.values().filter(|kept| to.duration_since(kept.at) >= KEY_LIFE);
    let expired: Vec<_> = expired.map(|kept| Change::DropAnswer(kept.user_id, kept.key.clone())).collect();
    draft.changes.extend(expired);
    draft
}

/// Money that falls due.
struct Due {
    account_id: AccountId,
    amount: Cents,
    at: Timestamp,
    reason: String,
    subscription: Subscription,
}

impl Due {
    fn collected(self, id: ChargeId) -> Charge {
        let Self { account_id, amount, at, reason, subscription } = self;
        let Subscription { id: subscription_id, plan_identifier, .. } = subscription;
        Charge { id, account_id, amount, at, reason, subscription_id, plan_identifier }
    }
}

/// Ends one period and begins the next: what was pending happens now (rules 6, 17), and
/// the new period is paid for.
fn renew(subscription: &mut Subscription, members: u32) -> Option<Due> {
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
    subscription.updated_at = at;
    let amount = plan.and_then(|plan| plan.price(subscription.seats)).filter(|amount| amount.0 > 0)?;
    let what = if trial_ended { "first period after the trial" } else { "renewal" };
    Some(Due {
        account_id: subscription.account_id,
        amount,
        at,
        reason: format!("{what} of {}, {} seat(s)", subscription.plan_identifier, subscription.seats),
        subscription: subscription.clone(),
    })
}
