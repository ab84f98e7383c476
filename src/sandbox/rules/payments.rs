//! Money that a card refuses: what stays open, what it stops, and paying it (rule 9).

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::sandbox::catalogue::{self, Cents};
use crate::sandbox::world::{
    AccountId, Card, Change, Charge, Draft, Order, Payment, Subscription, User, UserId, World,
};

use super::subscription::begin;
use super::{Moment, Refusal};

/// Who buys, where they may: a verified email, nothing open, and a card (rules 4 and 9).
/// Whether the card pays is for the caller to see.
pub fn buyer<'w>(m: &Moment<'w>, account: AccountId) -> Result<&'w User, Refusal> {
    let user = m.user()?;
    if !user.verified {
        return Err(Refusal::new(412, "The email of the user is not verified"));
    }
    let open: u64 = m.world.payments_of(account).map(|payment| payment.amount.0).sum();
    if open > 0 {
        let message = format!("Nothing is sold before the open payment of {} USD is made", Cents(open));
        return Err(Refusal::new(402, message));
    }
    match user.card {
        Some(_) => Ok(user),
        None => Err(Refusal::new(402, "There is no card")),
    }
}

/// What a buyer is told whose card does not pay.
pub fn card_refused() -> Refusal {
    Refusal::new(402, "The card was refused")
}

/// Whether the renewals of this subscription are paid: what nobody here pays for (an
/// account that was arranged for somebody without a card) is in order.
pub fn is_paid_for(world: &World, subscription: &Subscription) -> bool {
    let payer = subscription.payer.and_then(|id| world.users.get(&id));
    payer.is_none_or(|payer| payer.card != Some(Card::Refused))
}

/// Money for a subscription as it is.
#[derive(Debug, Clone)]
pub struct Bill {
    pub amount: Cents,
    pub at: Timestamp,
    pub reason: String,
    pub subscription: Subscription,
}

impl Bill {
    /// The money is taken; nothing is recorded where there is nothing to take.
    pub fn collect(self, draft: &mut Draft) {
        let Self { amount, at, reason, subscription } = self;
        let Subscription { id: subscription_id, account_id, plan_identifier, .. } = subscription;
        if amount.0 > 0 {
            let id = draft.next_charge();
            let charge = Charge { id, account_id, amount, at, reason, subscription_id, plan_identifier };
            draft.put(Change::PutCharge(charge));
        }
    }

    /// The card was refused: the payment stays open, and what comes with it waits.
    pub fn leave_open(self, draft: &mut Draft, payer: UserId, order: Option<Order>) {
        let Self { amount, at: since, reason, subscription } = self;
        let Subscription { account_id, plan_identifier, .. } = subscription;
        if amount.0 > 0 {
            let id = draft.next_payment();
            let payment = Payment { id, account_id, payer, amount, since, reason, plan_identifier, order };
            draft.put(Change::PutPayment(payment));
        }
    }
}

/// Forgets what is open for an account whose subscription has ended: nobody owes for what
/// will not be given.
pub fn lapse(world: &World, draft: &mut Draft, account: AccountId) {
    draft.changes.extend(world.payments_of(account).map(|payment| Change::DropPayment(payment.id)));
}

/// Pays everything that a user left open, each once: a subscription is in order again, and
/// what was ordered comes.
pub fn pay_all(m: &Moment, draft: &mut Draft, payer: UserId) {
    let mut latest: BTreeMap<AccountId, Subscription> = BTreeMap::new();
    for payment in m.world.payments.values().filter(|payment| payment.payer == payer) {
        let account = payment.account_id;
        let known = latest.get(&account).or_else(|| m.world.subscriptions.get(&account));
        let subscription = match (known, payment.order) {
            (Some(it), None) => Subscription { dunned_since: None, ..it.clone() },
            (Some(it), Some(order)) if it.in_force() => given(it, payment, order),
            (_, Some(order)) => begun(m, draft, payment, order),
            // A renewal that nobody has a subscription for.
            (None, None) => continue,
        };
        let subscription = Subscription { payer: Some(payer), updated_at: m.now, ..subscription };
        let Payment { amount, reason, .. } = payment.clone();
        Bill { amount, at: m.now, reason, subscription: subscription.clone() }.collect(draft);
        draft.put(Change::DropPayment(payment.id));
        latest.insert(account, subscription);
    }
    for (account, subscription) in latest {
        draft.put(Change::PutSubscription(subscription));
        m.touch(draft, account);
    }
}

/// The subscription with what was ordered. It was paid for, so it comes even where the
/// plan became another one meanwhile; what is pending does not count any more. Everyone
/// has a seat: while it was open, none could be bought for more people.
fn given(current: &Subscription, payment: &Payment, order: Order) -> Subscription {
    Subscription {
        plan_identifier: payment.plan_identifier.clone(),
        seats: order.seats,
        pending_plan_identifier: None,
        pending_seats: None,
        ..current.clone()
    }
}

/// The subscription that was ordered: in force from now on, since it is paid.
fn begun(m: &Moment, draft: &mut Draft, payment: &Payment, order: Order) -> Subscription {
    let period = catalogue::find(&payment.plan_identifier).map_or(catalogue::Period::Month, |plan| plan.period);
    draft.meta.totals.subscriptions_created += u64::from(order.counts);
    begin(draft, payment.account_id, (&payment.plan_identifier, period), order.seats, (m.now, m.now))
}
