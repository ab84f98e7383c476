//! The operator's guard rails, all in one place. A rail that trips blocks all actions of its
//! kind, names itself, and lets the others through.

use std::collections::BTreeSet;

use crate::domain::Money;

use super::decide::{Draft, Inputs};
use super::known::Vanished;
use super::multiplied;
use super::policy::{MaxRemovals, Policy};
use super::tree::{Action, ActionState, Multiplied, Op, Reason, TrippedRail};
use super::words::count;

/// What became of the rails.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// Those that stopped something.
    pub(super) tripped: Vec<TrippedRail>,
    /// Those that would have, had a person not let this plan pass.
    pub(super) passed: Vec<TrippedRail>,
}

/// A cap on an amount, and how it stands.
struct Cap {
    flag: &'static str,
    value: String,
    /// A value that stops nothing of this plan.
    suffices: String,
    /// What would happen.
    what: String,
    /// What does not happen, where it stops.
    effect: &'static str,
    /// Something of its kind is planned.
    planned: bool,
    /// More is planned than it allows.
    over: bool,
}

impl Judged {
    /// Whether a cap stops its kind: it is over, or was before at the same value and nobody let
    /// a plan pass since. A plan that a person let pass is not stopped.
    fn stops(&mut self, inputs: &Inputs<'_>, cap: Cap) -> bool {
        let Cap { flag, value, suffices, what, effect, planned, over } = cap;
        let memory = &inputs.known.rails;
        let latched = memory.latched.get(flag).is_some_and(|then| *then == value);
        if !planned || !(over || latched) {
            return false;
        }
        if memory.lifted {
            self.passed.push(TrippedRail { flag, value, suffices: None, message: what });
            return false;
        }
        let message = format!(
            "{what}, {effect}; look why, then let this plan pass by its digest (--approve), or set {flag} {suffices}"
        );
        self.tripped.push(TrippedRail { flag, value, suffices: Some(suffices), message });
        true
    }
}

/// `--max-removals` and `--allow-removals`. Offboardings need neither and count in neither.
/// An invitation counts as a member, and revoking it as a removal.
pub(super) fn removals(drafts: &mut [Draft<'_>], inputs: &Inputs<'_>, judged: &mut Judged) {
    let memory = &inputs.known.rails;
    let unlisted = |action: &Action| !action.offboarding;
    let held = drafts.iter().flat_map(|draft| &draft.removals);
    let held = held.filter(|r| r.action.state == ActionState::Blocked && r.action.reason == Some(Reason::GuardRail));
    let held = held.count();
    if held > 0 {
        judged.tripped.push(TrippedRail {
            flag: "--allow-removals",
            value: "off".to_owned(),
            suffices: Some("on".to_owned()),
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
    let most = inputs.policy.max_removals;
    let before = u64::from(memory.removed);
    // Those who left within the day were in scope when it began.
    let (all, scope) = (leaving + before, in_scope + before);
    let what = format!(
        "{leaving} of the {in_scope} members in scope would be removed{}",
        within_a_day((before > 0).then(|| format!("{before} were")))
    );
    let why = format!("{what}, over --max-removals {most}");
    let cap = Cap {
        flag: "--max-removals",
        value: most.to_string(),
        suffices: most.that_allows(all, scope).to_string(),
        what,
        effect: "and all of them stay",
        planned: leaving > 0 && most != MaxRemovals::NONE,
        over: most.forbids(all, scope),
    };
    if !judged.stops(inputs, cap) {
        return;
    }
    for removal in drafts.iter_mut().flat_map(|draft| &mut draft.removals) {
        if removal.action.is_planned() && unlisted(&removal.action) {
            removal.action.hold(ActionState::Blocked, Reason::GuardRail, why.clone());
        }
    }
}

/// `--allowed-plans`, which kept plans from being chosen when the accounts were decided.
pub(super) fn plans(drafts: &[Draft<'_>], inputs: &Inputs<'_>, judged: &mut Judged) {
    let refused =
        drafts.iter().flat_map(|draft| &draft.actions).filter(|action| action.reason == Some(Reason::GuardRail));
    let plans: Vec<_> = refused
        .filter_map(|action| match &action.op {
            Op::Subscribe { plan, .. } | Op::ChangePlan { to: plan, .. } => Some(plan),
            Op::CreateAccount { plan: Some(new), .. } => Some(&new.plan),
            _ => None,
        })
        .collect();
    if plans.is_empty() {
        return;
    }
    let names: BTreeSet<_> = plans.iter().map(|plan| plan.as_str().to_owned()).collect();
    let shown: Vec<String> = names.iter().map(|name| crate::domain::text::inert(name).into_owned()).collect();
    let wider = inputs.policy.allowed_plans.with(names);
    judged.tripped.push(TrippedRail {
        flag: "--allowed-plans",
        value: inputs.policy.allowed_plans.to_string(),
        suffices: Some(wider.to_string()),
        message: format!(
            "{} would have a plan that is not on the list, {}, and none of them gets it; allow it with \
             --allowed-plans {wider}",
            count(plans.len(), "account", "accounts"),
            shown.join(", ")
        ),
    });
}

/// `--allow-unsubscribe`.
pub(super) fn unsubscribes(drafts: &mut [Draft<'_>], policy: &Policy, judged: &mut Judged) {
    if policy.allow_unsubscribe {
        return;
    }
    let message = "cancelling is off: the account's domains would stop resolving at once; allow it with \
                   --allow-unsubscribe";
    let held = block(drafts, |_, op| matches!(op, Op::Unsubscribe { .. }), message);
    if held > 0 {
        judged.tripped.push(TrippedRail {
            flag: "--allow-unsubscribe",
            value: "off".to_owned(),
            suffices: Some("on".to_owned()),
            message: format!(
                "{} would be cancelled and stay; domains stop resolving at once, so allow it with \
                 --allow-unsubscribe only if that is meant",
                count(held, "subscription", "subscriptions")
            ),
        });
    }
}

/// `--max-creates`, and the breaker for accounts that vanished.
pub(super) fn creates(drafts: &mut [Draft<'_>], inputs: &Inputs<'_>, judged: &mut Judged) {
    if let Some(Vanished { missing, known }) = inputs.known.vanished {
        breaker(drafts, missing, known, judged);
    }
    if inputs.known.doubtful {
        let actions = drafts.iter_mut().flat_map(|draft| &mut draft.actions);
        for action in actions.filter(|action| action.is_planned() && is_create(&action.op)) {
            let message = "the journal's database took over from another a moment ago and may not know of a create on \
                           its way; nothing is created until that would show";
            action.hold(ActionState::Waiting, Reason::OutcomeSettling, message);
        }
    }
    let limit = Limit {
        flag: "--max-creates",
        most: inputs.policy.max_creates,
        before: inputs.known.rails.created,
        effect: "and none of them is",
    };
    let what = |n| format!("{} would be created", count(n, "account", "accounts"));
    limit.apply(drafts, inputs, judged, |_, op| is_create(op), what);
}

fn is_create(op: &Op) -> bool {
    matches!(op, Op::CreateAccount { .. })
}

/// `--max-subscriptions`: what is bought anew, or changed for a plan above.
pub(super) fn subscriptions(drafts: &mut [Draft<'_>], inputs: &Inputs<'_>, judged: &mut Judged) {
    let limit = Limit {
        flag: "--max-subscriptions",
        most: inputs.policy.max_subscriptions,
        before: inputs.known.rails.subscribed,
        effect: "and none of them is",
    };
    let what =
        |n| format!("{} would be bought", count(n, "subscription or larger plan", "subscriptions or larger plans"));
    limit.apply(drafts, inputs, judged, buys, what);
}

/// A cap on how many actions of a kind there are, within 24 hours.
struct Limit {
    flag: &'static str,
    most: Option<u32>,
    before: u32,
    effect: &'static str,
}

impl Limit {
    fn apply(
        self,
        drafts: &mut [Draft<'_>],
        inputs: &Inputs<'_>,
        judged: &mut Judged,
        which: fn(&Draft<'_>, &Op) -> bool,
        what: impl Fn(usize) -> String,
    ) {
        let Self { flag, most, before, effect } = self;
        let Some(most) = most else { return };
        let of = |draft: &Draft<'_>| draft.actions.iter().filter(|a| a.is_planned() && which(draft, &a.op)).count();
        let planned: usize = drafts.iter().map(of).sum();
        let all = u32::try_from(planned).unwrap_or(u32::MAX).saturating_add(before);
        let what = format!("{}{}", what(planned), within_a_day((before > 0).then(|| format!("{before} were"))));
        let why = format!("{what}, over {flag} {most}");
        let cap = Cap {
            flag,
            value: most.to_string(),
            suffices: all.max(most.saturating_add(1)).to_string(),
            what,
            effect,
            planned: planned > 0,
            over: all > most,
        };
        if judged.stops(inputs, cap) {
            block(drafts, which, &why);
        }
    }
}

/// Stops all creates while more known accounts are gone than a few: an outage reads like that.
fn breaker(drafts: &mut [Draft<'_>], missing: usize, known: usize, judged: &mut Judged) {
    let what = format!("{missing} of {} that were there are not listed", count(known, "account", "accounts"));
    for action in drafts.iter_mut().flat_map(|draft| &mut draft.actions) {
        if action.is_planned() && is_create(&action.op) {
            let message = format!("{what}, which looks like an outage; nothing is created meanwhile");
            action.hold(ActionState::Blocked, Reason::AccountsVanished, message);
        }
    }
    judged.tripped.push(TrippedRail {
        flag: "breaker",
        value: "accounts vanished".to_owned(),
        suffices: None,
        message: format!(
            "{what}, which looks like an outage, so nothing is created; if they were closed on purpose, take their \
             manifests out, or `bursar reaffirm` each client that is to get a new one"
        ),
    });
}

fn within_a_day(before: Option<String>) -> String {
    before.map_or_else(String::new, |before| format!(" ({before} within 24 hours)"))
}

/// `--max-monthly-increase`, over the list price a month with everyone wanted. Whether it
/// tripped.
pub(super) fn money(
    drafts: &mut [Draft<'_>],
    inputs: &Inputs<'_>,
    multiplied: &[Multiplied],
    judged: &mut Judged,
) -> bool {
    let Some(most) = inputs.policy.max_monthly_increase else { return false };
    let rise: Money = drafts
        .iter()
        .filter(|draft| draft.actions.iter().any(|action| action.is_planned() && raises(draft, &action.op)))
        .filter_map(|draft| Some(draft.after? - draft.before?))
        .filter(|rise| *rise > Money::ZERO)
        .sum();
    let before = inputs.known.rails.increase;
    let what = format!(
        "the list price would rise by {rise} a month{}",
        within_a_day((before > Money::ZERO).then(|| format!("it rose by {before}")))
    );
    let why = format!("{what}, over --max-monthly-increase {most}");
    let line = multiplied::largest(multiplied)
        .map(|line| format!(" (the largest part of it by one line: {})", multiplied::told(line)));
    let cap = Cap {
        flag: "--max-monthly-increase",
        value: most.to_string(),
        suffices: (rise + before).max(most + Money::cents(1)).to_string(),
        what: format!("{what}{}", line.unwrap_or_default()),
        effect: "so no plan or seat is bought",
        planned: rise > Money::ZERO,
        over: rise + before > most,
    };
    let stops = judged.stops(inputs, cap);
    if stops {
        block(drafts, raises, &why);
    }
    stops
}

/// Whether an action buys a subscription, or changes to a plan that does not wait for the
/// renewal. Choosing the plan in force again buys none.
fn buys(draft: &Draft<'_>, op: &Op) -> bool {
    match op {
        Op::Subscribe { .. } | Op::CreateAccount { plan: Some(_), .. } => true,
        Op::ChangePlan { from: _, to, seats: _, downgrade } => {
            !downgrade && draft.subscription().ok().flatten().is_none_or(|now| now.plan != *to)
        }
        Op::CreateAccount { plan: None, .. }
        | Op::UpdateAccount { .. }
        | Op::SetSeats { .. }
        | Op::RemoveMember { .. }
        | Op::AddMember { .. }
        | Op::SetAccess { .. }
        | Op::Unsubscribe { .. } => false,
    }
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
