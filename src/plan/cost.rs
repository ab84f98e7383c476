//! The money: list prices a month, now and with everyone wanted. Trials are ignored.

use crate::domain::{Money, PlanId};
use crate::provider::{Offer, Subscription};

use super::decide::{Draft, Found, World};
use super::price;
use super::snapshot::{ObservedAccount, Reading};
use super::tree::{AccountPlan, Cost, Op, Unmanaged};

/// What an account costs now; `None` where the price is custom, the plan is not listed, or
/// the seats were not read.
pub fn list_price(offer: &Offer, observed: &ObservedAccount) -> Option<Money> {
    match &observed.subscription {
        Reading::Seen(subscription) => subscription_price(offer, subscription.as_ref()),
        Reading::NotRead | Reading::Failed(_) => match &observed.account.plan {
            None => Some(Money::ZERO),
            Some(plan) => {
                let plan = offer.plan(plan)?;
                if price::sells_seats(plan) { None } else { price::monthly(plan, 1) }
            }
        },
    }
}

fn subscription_price(offer: &Offer, subscription: Option<&Subscription>) -> Option<Money> {
    let Some(subscription) = subscription.filter(|subscription| subscription.is_active()) else {
        return Some(Money::ZERO);
    };
    let plan = offer.plan(&subscription.plan)?;
    price::monthly(plan, subscription.seats.unwrap_or_else(|| price::included(plan)))
}

/// By how much an action changes the list price a month of an account; `None` where it does
/// not, or a price is custom.
pub fn monthly_change(offer: &Offer, op: &Op, now: Option<&Subscription>) -> Option<Money> {
    let price = |plan: &PlanId, seats: Option<u32>| {
        let plan = offer.plan(plan)?;
        price::monthly(plan, seats.unwrap_or_else(|| price::included(plan)))
    };
    let before = || subscription_price(offer, now);
    let change = match op {
        Op::Subscribe { plan, seats } | Op::ChangePlan { from: _, to: plan, seats, downgrade: _ } => {
            price(plan, *seats)? - before()?
        }
        Op::SetSeats { plan, from: _, to } => price(plan, Some(*to))? - before()?,
        Op::Unsubscribe { plan: _ } => Money::ZERO - before()?,
        Op::CreateAccount { plan: Some(new), .. } => price(&new.plan, new.seats)?,
        Op::CreateAccount { plan: None, .. }
        | Op::UpdateAccount { .. }
        | Op::RemoveMember { .. }
        | Op::AddMember { .. }
        | Op::SetAccess { .. } => return None,
    };
    (change != Money::ZERO).then_some(change)
}

/// Sets a draft's price now and with everyone wanted, from the actions as they stand.
pub(super) fn price(draft: &mut Draft<'_>, world: &World<'_>) {
    let offer = world.offer();
    draft.before = match &draft.found {
        Found::New | Found::Blocked(..) => Some(Money::ZERO),
        Found::Account(observed) | Found::Stranger(observed, _) => list_price(offer, observed),
    };
    draft.after = match &draft.found {
        Found::Account(_) | Found::New if !draft.client.suspend && draft.message.is_none() => after(draft, offer),
        _ => draft.before,
    };
}

/// What an account comes to with everyone wanted.
struct Outcome<'a> {
    plan: &'a PlanId,
    /// Bought by an action, or paid for now.
    seats: u32,
    /// Who takes one; none where no more seats are to be had.
    people: u32,
}

fn after(draft: &Draft<'_>, offer: &Offer) -> Option<Money> {
    let Some(Outcome { plan, seats, people }) = outcome(draft, offer) else { return Some(Money::ZERO) };
    price::monthly(offer.plan(plan)?, seats.max(people))
}

/// How many seats an account pays for so that `newcomers` can join, and the price of each a
/// month; `None` where that is not known.
pub(super) fn seats_paid_for(draft: &Draft<'_>, offer: &Offer, newcomers: usize) -> Option<(usize, Money)> {
    let Outcome { plan, seats, people } = outcome(draft, offer)?;
    let plan = offer.plan(plan)?;
    if !price::sells_seats(plan) {
        return Some((0, Money::ZERO));
    }
    let now = draft.subscription().ok().flatten().filter(|subscription| subscription.is_active());
    let newcomers = u32::try_from(newcomers).unwrap_or(u32::MAX);
    let without = now.and_then(|now| now.seats).unwrap_or(0).max(price::included(plan));
    let without = without.max(people.saturating_sub(newcomers));
    let paid = seats.max(people).saturating_sub(without).min(newcomers);
    Some((paid as usize, plan.monthly_seat()?))
}

/// `None` where nothing is paid.
fn outcome<'d>(draft: &'d Draft<'_>, offer: &Offer) -> Option<Outcome<'d>> {
    let subscription = draft.subscription().ok().flatten().filter(|subscription| subscription.is_active());
    let mut plan = subscription.map(|subscription| &subscription.plan);
    if subscription.is_none() && !offer.account_management {
        plan = draft.found.observed().and_then(|observed| observed.account.plan.as_ref());
    }
    let mut seats = subscription.and_then(|subscription| subscription.seats).unwrap_or(0);
    let mut no_more_seats = false;
    let mut people = draft.people.present.len();
    for action in &draft.actions {
        let going = action.is_going();
        match &action.op {
            Op::CreateAccount { .. } if !going => return None,
            Op::CreateAccount { plan: Some(new), .. } => (plan, seats) = (Some(&new.plan), new.seats.unwrap_or(0)),
            Op::Subscribe { plan: to, seats: bought } if going => (plan, seats) = (Some(to), bought.unwrap_or(0)),
            Op::ChangePlan { from: _, to, seats: bought, downgrade: _ } if going => {
                (plan, seats) = (Some(to), bought.unwrap_or(0));
            }
            Op::SetSeats { plan: _, from: _, to } if going => seats = *to,
            Op::SetSeats { plan: _, from, to } if to > from => no_more_seats = true,
            Op::Unsubscribe { .. } if going => plan = None,
            Op::RemoveMember { .. } if going => people = people.saturating_sub(1),
            Op::AddMember { email, .. } if going && draft.people.get(email).is_none() => people += 1,
            _ => {}
        }
    }
    let people = if no_more_seats { 0 } else { u32::try_from(people).unwrap_or(u32::MAX) };
    Some(Outcome { plan: plan?, seats, people })
}

/// The sum over matched and new accounts. An account with a custom price now or later is
/// only counted, on neither side.
pub(super) fn total(accounts: &[AccountPlan]) -> Cost {
    let mut cost = Cost::default();
    for account in accounts {
        match (account.monthly_before, account.monthly_after) {
            (Some(before), Some(after)) => {
                cost.before += before;
                cost.after += after;
            }
            _ if account.observed.is_none() && account.actions.is_empty() => {}
            _ => cost.unpriced += 1,
        }
    }
    cost
}

/// The accounts without a manifest, with their price.
pub(super) fn unmanaged(world: &World<'_>) -> Vec<Unmanaged> {
    let accounts = &world.inputs.live.accounts;
    let mut unmanaged: Vec<Unmanaged> = world
        .matching
        .unmanaged()
        .iter()
        .map(|index| &accounts[*index])
        .map(|observed| Unmanaged {
            account_id: observed.account.id.clone(),
            name: observed.account.name.clone(),
            monthly: list_price(world.offer(), observed),
        })
        .collect();
    unmanaged.sort_by(|a, b| by_number(a.account_id.as_str()).cmp(&by_number(b.account_id.as_str())));
    unmanaged
}

/// Ids are numbers written as text: 9 comes before 10.
fn by_number(id: &str) -> (usize, &str) {
    (id.len(), id)
}
