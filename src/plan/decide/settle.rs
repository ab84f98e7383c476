//! What depends on what, and the state that an account's actions come to.

use crate::plan::tree::{AccountState, Action, ActionState, Op, Reason};

use super::subscription::on_its_way;
use super::{Draft, Found};

/// Takes out of the plan what depends on something that does not go ahead: everything on the
/// creation, and people on their plan and seats. The rest goes on.
pub(in crate::plan) fn cascade(draft: &mut Draft<'_>) {
    if matches!(draft.found, Found::New) && draft.actions.iter().any(|a| is_creation(&a.op) && stopped(a)) {
        skip(&mut draft.actions, |action| !is_creation(&action.op), "the account is not created");
        return;
    }
    let held_email =
        draft.actions.iter().any(|a| matches!(a.op, Op::UpdateAccount { email: Some(_), .. }) && stopped(a));
    if let Some(email) = draft.found.observed().and_then(|o| o.account.email.as_ref()).filter(|_| held_email) {
        skip(
            &mut draft.actions,
            |action| matches!(&action.op, Op::AddMember { email: person, .. } if person == email),
            "this is the notification email until it is changed",
        );
    }
    let before = draft.actions.iter().take_while(|action| !matches!(action.op, Op::AddMember { .. }));
    let Some(gate) = before.into_iter().find(|action| opens_the_door(&action.op) && stopped(action)) else { return };
    let message = match gate.op {
        Op::Subscribe { .. } => "needs the subscription, which does not go ahead",
        Op::ChangePlan { .. } => "needs the other plan, which does not go ahead",
        _ => "needs a seat, and none is bought",
    };
    let pending = draft.subscription().ok().flatten().filter(|now| now.pending_plan.is_some());
    let seats_kept = matches!(gate.op, Op::SetSeats { .. });
    if let Some(now) = pending.filter(|_| seats_kept) {
        // Without the seats nothing cancels the pending change: it need not be asked for again.
        let again =
            |op: &Op| matches!(op, Op::ChangePlan { to, downgrade: true, .. } if Some(to) == now.pending_plan.as_ref());
        for action in draft.actions.iter_mut().filter(|action| action.is_planned() && again(&action.op)) {
            action.hold(ActionState::Waiting, Reason::DowngradeAtRenewal, on_its_way(now));
        }
    }
    let Some(mut free) = draft.free_now else { return };

    for action in draft.actions.iter_mut().filter(|action| matches!(action.op, Op::AddMember { .. })) {
        // Whoever is not known to be a user needs no seat to be tried, but a plan for several.
        if !action.is_planned() || (action.unregistered && seats_kept) {
            continue;
        }
        if free > 0 && !action.unregistered {
            free -= 1;
        } else {
            action.hold(ActionState::Skipped, Reason::DependencyNotMet, message);
        }
    }
}

fn is_creation(op: &Op) -> bool {
    matches!(op, Op::CreateAccount { .. })
}

/// Whether people who come may need it first.
fn opens_the_door(op: &Op) -> bool {
    match op {
        Op::Subscribe { .. } | Op::ChangePlan { downgrade: false, .. } => true,
        Op::SetSeats { plan: _, from, to } => to > from,
        _ => false,
    }
}

/// Whether what depends on it has to wait. A person's manual steps are left to the person.
fn stopped(action: &Action) -> bool {
    match action.state {
        ActionState::Planned | ActionState::Applied | ActionState::Manual => false,
        ActionState::Failed | ActionState::Waiting | ActionState::Blocked | ActionState::Skipped => true,
    }
}

fn skip(actions: &mut [Action], which: impl Fn(&Action) -> bool, message: &str) {
    for action in actions.iter_mut().filter(|action| action.is_planned() && which(action)) {
        action.hold(ActionState::Skipped, Reason::DependencyNotMet, message);
    }
}

/// The state of an account that is valid and not suspended: the first that fits, in the
/// order of [`AccountState`]. `unread` says that its members or its subscription could not
/// be read. Whoever carries a plan out asks again with what became of the actions.
pub fn state_of(actions: &[Action], unread: bool) -> AccountState {
    let any = |state| actions.iter().any(|action| action.state == state);
    if any(ActionState::Failed) {
        AccountState::Failed
    } else if any(ActionState::Blocked) {
        AccountState::Blocked
    } else if any(ActionState::Manual) {
        AccountState::Manual
    } else if unread {
        AccountState::Unknown
    } else if any(ActionState::Planned) {
        AccountState::Changes
    } else if any(ActionState::Waiting) || any(ActionState::Skipped) {
        AccountState::Waiting
    } else {
        AccountState::InSync
    }
}
