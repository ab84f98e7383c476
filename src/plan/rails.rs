//! The operator's guard rails, all in one place. A rail that trips blocks all actions of its
//! kind, names itself, and lets the others through.

use crate::domain::Money;

use super::decide::{Draft, Inputs};
use super::known::Vanished;
use super::policy::Policy;
use super::tree::{Action, ActionState, Op, Reason, TrippedRail};
use super::words::count;

/// `--max-removals` and `--allow-removals`. Offboardings need neither and count in neither.
pub(super) fn removals(drafts: &mut [Draft<'_>], inputs: &Inputs<'_>, tripped: &mut Vec<TrippedRail>) {
    let memory = &inputs.known.rails;
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
    let percent = inputs.policy.max_removals_percent;
    let value = format!("{percent}%");
    let before = u64::from(memory.removed);
    // Those who left within the day were in scope when it began.
    let (all, scope) = (leaving + before, in_scope + before);
    let over = all > u64::from(Policy::REMOVALS_ALWAYS) && all * 100 > u64::from(percent) * scope;
    if !stops(inputs, "--max-removals", &value, leaving > 0, over) {
        return;
    }
    let message = format!(
        "{leaving} of the {in_scope} members in scope would be removed{}",
        within_a_day((before > 0).then(|| format!("{before} were")))
    );
    tripped.push(TrippedRail {
        flag: "--max-removals",
        value: value.clone(),
        message: format!("{message}, and all of them stay; {NEXT}"),
    });
    for removal in drafts.iter_mut().flat_map(|draft| &mut draft.removals) {
        if removal.action.is_planned() && unlisted(&removal.action) {
            let why = format!("{message}, over --max-removals {value}");
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

/// `--max-creates`, and the breaker for accounts that vanished.
pub(super) fn creates(drafts: &mut [Draft<'_>], inputs: &Inputs<'_>, tripped: &mut Vec<TrippedRail>) {
    let is_create = |op: &Op| matches!(op, Op::CreateAccount { .. });
    if let Some(Vanished { missing, known }) = inputs.known.vanished {
        breaker(drafts, missing, known, tripped);
    }
    if inputs.known.doubtful {
        let actions = drafts.iter_mut().flat_map(|draft| &mut draft.actions);
        for action in actions.filter(|action| action.is_planned() && is_create(&action.op)) {
            let message = "the journal's database took over from another a moment ago and may not know of a create on \
                           its way; nothing is created until that would show";
            action.hold(ActionState::Waiting, Reason::OutcomeSettling, message);
        }
    }
    let Some(most) = inputs.policy.max_creates else { return };
    let before = inputs.known.rails.created;
    let planned = drafts.iter().flat_map(|draft| &draft.actions).filter(|a| a.is_planned() && is_create(&a.op)).count();
    let over = planned + before as usize > most as usize;
    if !stops(inputs, "--max-creates", &most.to_string(), planned > 0, over) {
        return;
    }
    let what = format!(
        "{} would be created{}",
        count(planned, "account", "accounts"),
        within_a_day((before > 0).then(|| format!("{before} were")))
    );
    block(drafts, |_, op| is_create(op), &format!("{what}, over --max-creates {most}"));
    tripped.push(TrippedRail {
        flag: "--max-creates",
        value: most.to_string(),
        message: format!("{what}, and none of them is; {NEXT}"),
    });
}

/// Stops all creates while more known accounts are gone than a few: an outage reads like that.
fn breaker(drafts: &mut [Draft<'_>], missing: usize, known: usize, tripped: &mut Vec<TrippedRail>) {
    let what = format!("{missing} of {} that were there are not listed", count(known, "account", "accounts"));
    for action in drafts.iter_mut().flat_map(|draft| &mut draft.actions) {
        if action.is_planned() && matches!(action.op, Op::CreateAccount { .. }) {
            let message = format!("{what}, which looks like an outage; nothing is created meanwhile");
            action.hold(ActionState::Blocked, Reason::AccountsVanished, message);
        }
    }
    tripped.push(TrippedRail {
        flag: "breaker",
        value: "accounts vanished".to_owned(),
        message: format!(
            "{what}, which looks like an outage, so nothing is created; if they were closed on purpose, take their \
             manifests out, or `bursar reaffirm` each client that is to get a new one"
        ),
    });
}

/// What a person does about a rail that tripped.
const NEXT: &str = "look why, then let this plan pass by its digest (--approve), or set another value";

/// Whether a rail stops its kind: something of it is planned, and it is over, or was before
/// at the same value and nobody let a plan pass since. A plan that a person let pass is not
/// stopped.
fn stops(inputs: &Inputs<'_>, flag: &str, value: &str, planned: bool, over: bool) -> bool {
    let memory = &inputs.known.rails;
    let latched = memory.latched.get(flag).is_some_and(|then| then == value);
    planned && !memory.lifted && (over || latched)
}

fn within_a_day(before: Option<String>) -> String {
    before.map_or_else(String::new, |before| format!(" ({before} within 24 hours)"))
}

/// `--max-monthly-increase`, over the list price a month with everyone wanted. Whether it
/// tripped.
pub(super) fn money(drafts: &mut [Draft<'_>], inputs: &Inputs<'_>, tripped: &mut Vec<TrippedRail>) -> bool {
    let Some(most) = inputs.policy.max_monthly_increase else { return false };
    let rise: Money = drafts
        .iter()
        .filter(|draft| draft.actions.iter().any(|action| action.is_planned() && raises(draft, &action.op)))
        .filter_map(|draft| Some(draft.after? - draft.before?))
        .filter(|rise| *rise > Money::ZERO)
        .sum();
    let before = inputs.known.rails.increase;
    if !stops(inputs, "--max-monthly-increase", &most.to_string(), rise > Money::ZERO, rise + before > most) {
        return false;
    }
    let what = format!(
        "the list price would rise by {rise} a month{}",
        within_a_day((before > Money::ZERO).then(|| format!("it rose by {before}")))
    );
    block(drafts, raises, &format!("{what}, over --max-monthly-increase {most}"));
    tripped.push(TrippedRail {
        flag: "--max-monthly-increase",
        value: most.to_string(),
        message: format!("{what}, so no plan or seat is bought; {NEXT}"),
    });
    true
}

/// Whether an action may raise the price: choosing the plan in force again does not, unless
/// it brings seats.
fn raises(draft: &Draft<'_>, op: &Op) -> bool {
    match op {
        Op::Subscribe { .. } | Op::CreateAccount { plan: Some(_), .. } => true,
        Op::ChangePlan { from: _, to, seats, downgrade } => {
            let now = draft.subscription().ok().flatten();
            !downgrade && now.is_none_or(|now| now.plan != *to || *seats > now.seats)
        }
        Op::SetSeats { plan: _, from, to } => to > from,
        Op::CreateAccount { plan: None, .. }
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
