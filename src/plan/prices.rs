//! List prices that changed: what that means a month for the accounts that have the plan.

use crate::domain::Money;
use crate::provider::PlanOffer;

use super::decide::World;
use super::known::OldPrice;
use super::price;
use super::tree::{AccountPlan, Notice};
use super::words::count;

/// A notice for each plan on offer whose list price is another than it was.
pub(super) fn notices(world: &World<'_>, accounts: &[AccountPlan]) -> Vec<Notice> {
    let changed = world.inputs.known.prices.iter();
    changed.filter_map(|(id, old)| notice(world.offer().plan(id)?, *old, accounts)).collect()
}

fn notice(plan: &PlanOffer, old: OldPrice, accounts: &[AccountPlan]) -> Option<Notice> {
    let OldPrice { base, seat, since } = old;
    let mut parts = Vec::new();
    if plan.seat_price != seat {
        parts.push(part("a seat", plan.seat_price, seat));
    }
    if plan.base_price != base {
        parts.push(part("the plan", plan.base_price, base));
    }
    if parts.is_empty() {
        return None;
    }
    let before = PlanOffer { base_price: base, seat_price: seat, ..plan.clone() };
    let mut delta = Money::ZERO;
    let mut concerned = 0;
    for account in accounts {
        let subscription = account.observed.as_ref().and_then(|o| o.subscription.seen()).and_then(Option::as_ref);
        let Some(now) = subscription.filter(|now| now.is_active() && now.plan == plan.id) else { continue };
        let seats = now.seats.unwrap_or_else(|| price::included(plan));
        concerned += 1;
        if let (Some(then), Some(now)) = (price::monthly(&before, seats), price::monthly(plan, seats)) {
            delta += now - then;
        }
    }
    let sign = if delta > Money::ZERO { "+" } else { "" };
    let message = format!(
        "{}: {} since {}: {sign}{delta} a month for {}",
        plan.id,
        parts.join(" and "),
        since.strftime("%Y-%m-%d"),
        count(concerned, "account", "accounts"),
    );
    Some(Notice { client: None, plan: Some(plan.id.clone()), message })
}

fn part(what: &str, now: Option<Money>, was: Option<Money>) -> String {
    let shown = |price: Option<Money>| price.map_or_else(|| "custom".to_owned(), |price| price.to_string());
    format!("{what} is {}, was {}", shown(now), shown(was))
}
