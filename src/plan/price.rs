//! List prices a month, and what a plan's seats and members come to (rules 6, 10, 11, 17).

use crate::domain::Money;
use crate::provider::PlanOffer;

/// Whether seats of this plan are bought one by one.
pub(super) fn sells_seats(plan: &PlanOffer) -> bool {
    plan.multi_member && plan.seat_price.is_some()
}

/// The most members that a plan takes; `None` is unlimited. A plan that is not for several
/// takes the owner only (rule 11).
pub(super) fn most_members(plan: &PlanOffer) -> Option<u32> {
    if plan.multi_member { plan.max_members } else { Some(1) }
}

/// Whether a plan takes that many members.
pub(super) fn takes(plan: &PlanOffer, members: u32) -> bool {
    most_members(plan).is_none_or(|most| members <= most)
}

/// The seats that are paid for at the least.
pub(super) fn included(plan: &PlanOffer) -> u32 {
    plan.included_seats.unwrap_or(1).max(1)
}

/// The list price a month with these seats; a plan that sells none costs the same whatever
/// the seats. `None` is a custom price.
pub(super) fn monthly(plan: &PlanOffer, seats: u32) -> Option<Money> {
    let seats = if sells_seats(plan) { seats.max(included(plan)) } else { included(plan) };
    plan.monthly(seats)
}

/// Whether going from one plan to the other waits for the renewal: a lower price a month
/// with the same seats, or fewer members taken (rule 6). Of a custom price only the members
/// are compared.
pub(super) fn is_downgrade(from: &PlanOffer, to: &PlanOffer, seats: u32) -> bool {
    let cheaper = monthly(from, seats).zip(monthly(to, seats)).is_some_and(|(now, then)| then < now);
    let fewer = match (most_members(from), most_members(to)) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(now), Some(then)) => then < now,
    };
    cheaper || fewer
}
