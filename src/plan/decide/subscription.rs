//! The plan and the seats of one account.

use jiff::Timestamp;

use crate::domain::{Money, PlanId};
use crate::manifest::Client;
use crate::plan::choose::{Target, satisfies};
use crate::plan::tree::{Action, ActionState, Op, Reason};
use crate::plan::words::count;
use crate::plan::{monthly_change, price};
use crate::provider::{Offer, PlanOffer, Quirk, Subscription, SubscriptionState};

use super::World;

/// Who takes a seat, for one account.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heads {
    /// Present, without those who go, with those who come and are known to be users: these
    /// need a seat now.
    pub(super) seated: u32,
    /// And those who are not known to be users: they need one some day.
    pub(super) everyone: u32,
    /// Present, without those who go.
    pub(super) staying: u32,
}

/// The subscription as far as it is known.
#[derive(Debug, Clone, Copy)]
pub(super) enum Now<'a> {
    /// No plan is in force.
    Without,
    /// This one is in force.
    Active(&'a Subscription),
    /// This one is being paid for.
    Settling(&'a Subscription),
}

impl<'a> Now<'a> {
    /// Reads a subscription's state.
    pub(super) fn of(subscription: Option<&'a Subscription>) -> Self {
        match subscription {
            None => Self::Without,
            Some(subscription) => match subscription.state {
                SubscriptionState::Subscribed => Self::Active(subscription),
                SubscriptionState::Subscribing => Self::Settling(subscription),
                SubscriptionState::New | SubscriptionState::Unsubscribed | SubscriptionState::NotSubscribed => {
                    Self::Without
                }
            },
        }
    }

    /// The plan in force or on its way.
    pub(super) fn plan(self) -> Option<&'a PlanId> {
        match self {
            Self::Without => None,
            Self::Active(subscription) | Self::Settling(subscription) => Some(&subscription.plan),
        }
    }
}

/// What is to be done about plan and seats: what comes before the members, and after.
#[derive(Default)]
pub(super) struct Steps {
    pub(super) before: Vec<Action>,
    pub(super) after: Vec<Action>,
    /// Seats that nobody is wanted for, which are not being cut.
    pub(super) spare: u32,
}

/// Decides about plan and seats of an account whose members are known.
pub(super) fn decide(world: &World<'_>, client: &Client, now: Now<'_>, target: &Target<'_>, heads: Heads) -> Steps {
    let mut steps = match now {
        Now::Settling(subscription) => settling(subscription),
        Now::Without => without(target, heads),
        Now::Active(subscription) => active(world, client, subscription, target, heads),
    };
    hold_unpayable(world.offer(), now, &mut steps);
    for list in [&mut steps.before, &mut steps.after] {
        *list = std::mem::take(list).into_iter().map(|action| world.recall(&client.name, action)).collect();
    }
    steps
}

/// Holds what costs more where it is known beforehand that it cannot be paid.
fn hold_unpayable(offer: &Offer, now: Now<'_>, steps: &mut Steps) {
    let Some(why) = &offer.unpayable else { return };
    let subscription = match now {
        Now::Without => None,
        Now::Active(subscription) | Now::Settling(subscription) => Some(subscription),
    };
    for action in steps.before.iter_mut().chain(&mut steps.after).filter(|action| action.is_planned()) {
        if monthly_change(offer, &action.op, subscription).is_some_and(|change| change > Money::ZERO) {
            action.hold(ActionState::Blocked, Reason::PaymentRequired, why.clone());
        }
    }
}

/// Payment settles later (202): nothing is asked for a second time.
fn settling(subscription: &Subscription) -> Steps {
    let op = Op::Subscribe { plan: subscription.plan.clone(), seats: subscription.seats };
    let message = "the service is still settling the payment; the rest goes on when it has";
    let waiting = Action::held(op, ActionState::Waiting, Reason::SubscriptionSettling, message);
    Steps { before: vec![waiting], ..Steps::default() }
}

fn without(target: &Target<'_>, heads: Heads) -> Steps {
    let action = match target {
        Target::Untouched | Target::Nothing | Target::InForce => return Steps::default(),
        Target::Refused { word, reason, message } => {
            Action::blocked(Op::Subscribe { plan: PlanId::new(*word), seats: None }, *reason, message.clone())
        }
        Target::Other(plan) => {
            let seats = price::sells_seats(plan).then(|| heads.seated.max(price::included(plan)));
            let op = Op::Subscribe { plan: plan.id.clone(), seats };
            match too_many(plan, heads) {
                Some(message) => Action::blocked(op, Reason::TooManyMembers, message),
                None => Action::planned(op),
            }
        }
    };
    Steps { before: vec![action], ..Steps::default() }
}

fn active(world: &World<'_>, client: &Client, subscription: &Subscription, target: &Target<'_>, heads: Heads) -> Steps {
    let offer = world.offer();
    match target {
        Target::Nothing => {
            let op = Op::Unsubscribe { plan: subscription.plan.clone() };
            if offer.has_quirk(Quirk::NoUnsubscribe) {
                let message = "this server ends a subscription with its account only, and bursar closes no account";
                let mut action = Action::held(op, ActionState::Manual, Reason::NotOffered, message);
                action.steps = vec![
                    "Close the account at the service, if that is meant; or write plan: with the one that is to stay. \
                     This server ends a subscription with its account only, and bursar closes no account."
                        .to_owned(),
                ];
                return Steps { after: vec![action], ..Steps::default() };
            }
            let note = "the account's domains stop resolving at once, and what is left of the period is lost";
            Steps { after: vec![Action::planned(op).noting(note)], ..Steps::default() }
        }
        Target::Untouched => seats(world, subscription, heads),
        Target::Refused { word, reason, message } => {
            let mut steps = seats(world, subscription, heads);
            let op = Op::ChangePlan {
                from: subscription.plan.clone(),
                to: PlanId::new(*word),
                seats: None,
                downgrade: false,
            };
            // Not a gate: whoever has a seat of the plan in force can still come.
            steps.after.push(Action::blocked(op, *reason, message.clone()));
            steps
        }
        Target::InForce => match unwanted_pending(offer, client, subscription) {
            None => seats(world, subscription, heads),
            Some(pending) => keep(offer, subscription, pending, heads),
        },
        Target::Other(plan) => change(world, client, subscription, plan, heads),
    }
}

/// A plan that begins at renewal although the one in force is wanted.
fn unwanted_pending<'a>(offer: &Offer, client: &Client, subscription: &'a Subscription) -> Option<&'a PlanId> {
    let pending = subscription.pending_plan.as_ref()?;
    let wanted = match &client.plan {
        crate::manifest::WantedPlan::Choice(word) => satisfies(offer, word, pending),
        crate::manifest::WantedPlan::Untouched | crate::manifest::WantedPlan::Nothing => true,
    };
    (!wanted && *pending != subscription.plan).then_some(pending)
}

/// Chooses the plan in force again, which cancels a pending downgrade (rule 6).
fn keep(offer: &Offer, subscription: &Subscription, pending: &PlanId, heads: Heads) -> Steps {
    let listed = offer.plan(&subscription.plan);
    let bought = subscription.seats.or_else(|| listed.filter(|p| price::sells_seats(p)).map(price::included));
    let op = Op::ChangePlan {
        from: pending.clone(),
        to: subscription.plan.clone(),
        seats: bought.map(|seats| seats.max(heads.seated)),
        downgrade: false,
    };
    let note = format!("{} stays in force: this cancels the change at renewal", subscription.plan);
    Steps { before: vec![Action::planned(op).noting(&note)], ..Steps::default() }
}

fn change(world: &World<'_>, client: &Client, subscription: &Subscription, plan: &PlanOffer, heads: Heads) -> Steps {
    let offer = world.offer();
    let current = offer.plan(&subscription.plan);
    let downgrade = current.is_some_and(|current| price::is_downgrade(current, plan, heads.seated));
    let keeps = if downgrade || world.inputs.policy.trim_seats { 0 } else { subscription.seats.unwrap_or(0) };
    let op = Op::ChangePlan {
        from: subscription.plan.clone(),
        to: plan.id.clone(),
        seats: price::sells_seats(plan).then(|| heads.seated.max(keeps).max(price::included(plan))),
        downgrade,
    };
    if offer.has_quirk(Quirk::FixedPeriod) && current.is_some_and(|current| current.yearly != plan.yearly) {
        let mut steps = seats(world, subscription, heads);
        let message = "this server changes no billing period: write a plan of the same period, or change it by hand";
        steps.after.push(Action::blocked(op, Reason::PlanUnavailable, message));
        return steps;
    }
    if let Some(message) = too_many(plan, heads) {
        let mut steps = seats(world, subscription, heads);
        steps.after.push(Action::blocked(op, Reason::TooManyMembers, message));
        return steps;
    }
    let word = match &client.plan {
        crate::manifest::WantedPlan::Choice(word) => word.as_str(),
        crate::manifest::WantedPlan::Untouched | crate::manifest::WantedPlan::Nothing => plan.id.as_str(),
    };
    let pending = subscription.pending_plan.as_ref().filter(|pending| satisfies(offer, word, pending));
    if pending.is_none() && !downgrade {
        return Steps { before: vec![Action::planned(op)], ..Steps::default() };
    }
    let mut steps = seats(world, subscription, heads);
    let Some(pending) = pending else {
        steps.after.push(Action::planned(op));
        return steps;
    };
    // Buying seats of the plan in force cancels the pending change: it is asked for again.
    let short = subscription.pending_seats.is_some_and(|seats| price::sells_seats(plan) && seats < heads.seated);
    if steps.before.is_empty() && !short {
        let op = Op::ChangePlan {
            from: subscription.plan.clone(),
            to: pending.clone(),
            seats: subscription.pending_seats,
            downgrade: true,
        };
        let message = on_its_way(subscription);
        steps.after.push(Action::held(op, ActionState::Waiting, Reason::DowngradeAtRenewal, message));
    } else {
        steps.after.push(Action::planned(op).noting("asked for again, because buying seats cancels it"));
    }
    steps
}

/// What is said of a pending change that is wanted.
pub(super) fn on_its_way(subscription: &Subscription) -> String {
    format!("on its way, it begins at {}", renewal(subscription.current_period_ends_at))
}

/// Seats of the plan in force: as many as are needed now, never fewer than are present.
fn seats(world: &World<'_>, subscription: &Subscription, heads: Heads) -> Steps {
    let mut steps = Steps::default();
    let listed = world.offer().plan(&subscription.plan);
    let included = listed.map_or(1, price::included);
    let sold = listed.is_none_or(price::sells_seats);
    let have = match subscription.seats {
        Some(seats) => seats,
        None if sold && listed.is_some() => included,
        None => return steps,
    };
    let op = |to| Op::SetSeats { plan: subscription.plan.clone(), from: have, to };
    if heads.seated > have {
        let action = if sold {
            Action::planned(op(heads.seated))
        } else {
            let message = format!(
                "{} seats are needed, {have} paid for, and {} sells none by self-service; ask the service for more",
                heads.seated, subscription.plan
            );
            Action::blocked(op(heads.seated), Reason::PlanUnavailable, message)
        };
        steps.before.push(action);
        return steps;
    }
    // Seats that are cut with a pending plan belong to that plan.
    let cut = subscription.pending_seats.filter(|_| subscription.pending_plan.is_none());
    if let Some(cut) = cut.filter(|cut| *cut < heads.seated) {
        // What is paid for anyway is kept for those who have not signed up yet.
        let keep = heads.everyone.clamp(heads.seated, have);
        let action = Action::planned(op(keep)).noting(&format!("cancels the cut to {cut} at renewal"));
        if keep < have {
            steps.after.push(action);
        } else {
            steps.before.push(action);
        }
        return steps;
    }
    let floor = heads.everyone.max(included);
    let trim = world.inputs.policy.trim_seats && sold && subscription.pending_plan.is_none();
    match cut {
        _ if have <= floor || !sold => {}
        Some(cut) if cut <= floor => {
            if trim {
                let message = format!(
                    "{} fewer at {}",
                    count((have - cut) as usize, "seat", "seats"),
                    renewal(subscription.current_period_ends_at)
                );
                steps.after.push(Action::held(op(cut), ActionState::Waiting, Reason::SeatsAtRenewal, message));
            }
        }
        Some(_) | None if trim => steps.after.push(Action::planned(op(floor))),
        Some(_) | None => steps.spare = have - floor,
    }
    steps
}

/// Why a plan cannot be chosen with those who stay.
fn too_many(plan: &PlanOffer, heads: Heads) -> Option<String> {
    if price::takes(plan, heads.staying) {
        return None;
    }
    let most = price::most_members(plan).unwrap_or(u32::MAX);
    Some(format!(
        "{} takes {}, and the account has {}; remove some first, or choose another plan",
        plan.id,
        count(most as usize, "member", "members"),
        heads.staying
    ))
}

fn renewal(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "the renewal".to_owned(), |time| format!("the renewal on {}", time.strftime("%Y-%m-%d")))
}
