//! The operator's guard rails, all in one place. A rail that trips blocks all actions of its
//! kind, names itself, and lets the others through.

use crate::domain::Money;

use super::decide::Draft;
use super::policy::Policy;
use super::tree::{Action, ActionState, Op, Reason, TrippedRail};
use super::words::count;

/// `--max-removals` and `--allow-removals`. Offboardings need neither and count in neither.
pub(super) fn removals(drafts: &mut [Draft<'_>], policy: &Policy, tripped: &mut Vec<TrippedRail>) {
    let unlisted = |action: &Action| !action.offboarding;
    let held = drafts.iter().flat_map(|draft| &draft.removals);
    let held = held.filter(|r| r.action.state == ActionState::Blocked && r.action.reason == Some(Reason::GuardRail));
    let held = held.count();
    if held > 0 {
        tripped.push(TrippedRail {
            flag: "--allow-removals",
            value: "off".to_owned(),
            message: format!(
                "{} of exclusive accounts, whom no manifest lists, would be removed and stay; allow it with \
                 --allow-removals",
                count(held, "member", "members")
            ),
        });
    }
    let leaving =
        drafts.iter().flat_map(|draft| &draft.removals).filter(|r| r.action.is_planned() && unlisted(&r.action));
    let leaving = leaving.count() as u64;
    let ours = drafts.iter().filter(|draft| draft.found.observed().is_some());
    let in_scope = ours.map(|draft| draft.people.present.len() as u64).sum::<u64>();
    let percent = policy.max_removals_percent;
    if leaving <= u64::from(Policy::REMOVALS_ALWAYS) || leaving * 100 <= u64::from(percent) * in_scope {
        return;
    }
    let message = format!("{leaving} of the {in_scope} members in scope would be removed");
    tripped.push(TrippedRail {
        flag: "--max-removals",
        value: format!("{percent}%"),
        message: format!("{message}, and all of them stay; look why, then raise it for this run"),
    });
    for removal in drafts.iter_mut().flat_map(|draft| &mut draft.removals) {
        if removal.action.is_planned() && unlisted(&removal.action) {
            let why = format!("{message}, over --max-removals {percent}%");
            removal.action.hold(ActionState::Blocked, Reason::GuardRail, why);
        }
    }
}

/// `--allow-unsubscribe`.
pub(super) fn unsubscribes(drafts: &mut [Draft<'_>], policy: &Policy, tripped: &mut Vec<TrippedRail>) {
    if policy.allow_unsubscribe {
        return;
    }
    let message = "cancelling is off: the account's domains would stop resolving at once; allow it with \
                   --allow-unsubscribe";
    let held = block(drafts, |_, op| matches!(op, Op::Unsubscribe { .. }), message);
    if held > 0 {
        tripped.push(TrippedRail {
            flag: "--allow-unsubscribe",
            value: "off".to_owned(),
            message: format!(
                "{} would be cancelled and stay; domains stop resolving at once, so allow it with \
                 --allow-unsubscribe only if that is meant",
                count(held, "subscription", "subscriptions")
            ),
        });
    }
}

/// `--max-creates`.
pub(super) fn creates(drafts: &mut [Draft<'_>], policy: &Policy, tripped: &mut Vec<TrippedRail>) {
    let Some(most) = policy.max_creates else { return };
    let is_create = |op: &Op| matches!(op, Op::CreateAccount { .. });
    let planned = drafts.iter().flat_map(|draft| &draft.actions).filter(|a| a.is_planned() && is_create(&a.op)).count();
    if planned <= most as usize {
        return;
    }
    let what = format!("{} would be created", count(planned, "account", "accounts"));
    block(drafts, |_, op| is_create(op), &format!("{what}, over --max-creates {most}"));
    tripped.push(TrippedRail {
        flag: "--max-creates",
        value: most.to_string(),
        message: format!("{what}, and none of them is; look why, then raise it for this run"),
    });
}

/// `--max-monthly-increase`, over the list price a month with everyone wanted. Whether it
/// tripped.
pub(super) fn money(drafts: &mut [Draft<'_>], policy: &Policy, tripped: &mut Vec<TrippedRail>) -> bool {
    let Some(most) = policy.max_monthly_increase else { return false };
    let rise: Money = drafts
        .iter()
        .filter(|draft| draft.actions.iter().any(|action| action.is_planned() && raises(draft, &action.op)))
        .filter_map(|draft| Some(draft.after? - draft.before?))
        .filter(|rise| *rise > Money::ZERO)
        .sum();
    if rise <= most {
        return false;
    }
    let what = format!("the list price would rise by {rise} a month");
    block(drafts, raises, &format!("{what}, over --max-monthly-increase {most}"));
    tripped.push(TrippedRail {
        flag: "--max-monthly-increase",
        value: most.to_string(),
        message: format!("{what}, so no plan or seat is bought; look why, then raise it for this run"),
    });
    true
}

/// Whether an action may raise the price: choosing the plan in force again does not, unless
/// it brings seats.
fn raises(draft: &Draft<'_>, op: &Op) -> bool {
    match op {
        Op::Subscribe { .. } => true,
        Op::ChangePlan { from: _, to, seats, downgrade } => {
            let now = draft.subscription().ok().flatten();
            !downgrade && now.is_none_or(|now| now.plan != *to || *seats > now.seats)
        }
        Op::SetSeats { plan: _, from, to } => to > from,
        Op::CreateAccount { .. }
        | Op::UpdateAccount { .. }
        | Op::RemoveMember { .. }
        | Op::AddMember { .. }
        | Op::SetAccess { .. }
        | Op::Unsubscribe { .. } => false,
    }
}

fn block(drafts: &mut [Draft<'_>], which: impl Fn(&Draft<'_>, &Op) -> bool, message: &str) -> usize {
    let mut blocked = 0;
    for draft in drafts {
        let mut actions = std::mem::take(&mut draft.actions);
        for action in actions.iter_mut().filter(|action| action.is_planned()) {
            if which(draft, &action.op) {
                action.hold(ActionState::Blocked, Reason::GuardRail, message);
                blocked += 1;
            }
        }
        draft.actions = actions;
    }
    blocked
}
