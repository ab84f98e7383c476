//! Second thoughts: what costs money or gives or takes access is held for a while after it is
//! first planned, so that a person can stop it by a revert or a freeze.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::domain::{Access, ClientName, Role};
use crate::provider::NewPlan;

use super::decide::Draft;
use super::known::OpKind;
use super::tree::{Action, ActionState, Op, Plan, Reason};

/// Whether an action is held: it costs money, gives access, or takes away what is not given
/// back with a click. An offboarding is not: whoever leaves must go at once.
pub fn is_held_first(action: &Action) -> bool {
    match &action.op {
        Op::Subscribe { .. }
        | Op::CreateAccount { plan: Some(_), .. }
        | Op::ChangePlan { downgrade: false, .. }
        | Op::AddMember { .. }
        | Op::Unsubscribe { .. }
        | Op::SetAccess { to: Access::Full, .. }
        | Op::SetAccess { role: Some(_), .. } => true,
        Op::SetSeats { plan: _, from, to } => to > from,
        Op::RemoveMember { .. } => !action.offboarding,
        Op::CreateAccount { plan: None, .. }
        | Op::UpdateAccount { .. }
        | Op::ChangePlan { downgrade: true, .. }
        | Op::SetAccess { to: Access::Limited, role: None, .. } => false,
    }
}

/// The deeds of a plan whose time to be held runs, and those that keep the time that they
/// have: tried before, or waiting for somebody. What a freeze or a rail stops begins anew.
pub fn clocks(plan: &Plan) -> Clocks {
    let mut clocks = Clocks::default();
    for account in &plan.accounts {
        let Some(client) = &account.client else { continue };
        let coming = account.actions.iter().any(|action| {
            let open = matches!(action.state, ActionState::Planned | ActionState::Waiting | ActionState::Failed);
            open && matches!(action.op, Op::AddMember { .. })
        });
        for action in account.actions.iter().filter(|action| is_held_first(action)) {
            // A seat for somebody who comes was thought over with them.
            if coming && matches!(action.op, Op::SetSeats { .. }) {
                continue;
            }
            let thought = Thought::of(client, &action.op);
            match action.state {
                ActionState::Planned => clocks.run.push(thought),
                ActionState::Waiting | ActionState::Failed => clocks.stay.push(thought),
                ActionState::Blocked if !matches!(action.reason, Some(Reason::Frozen | Reason::GuardRail)) => {
                    clocks.stay.push(thought);
                }
                ActionState::Blocked | ActionState::Applied | ActionState::Manual | ActionState::Skipped => {}
            }
        }
    }
    clocks
}

/// What is thought over: all that a person would want to read again before it goes ahead.
/// Finer than a [`super::Series`], for which it is the same deed to add somebody with more
/// access or to make an account with a dearer plan: whoever edits that has their time anew.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thought {
    /// The client's name in the manifests.
    pub client: ClientName,
    /// What is done.
    pub kind: OpKind,
    /// To whom and on which terms: access, role, plan, seats, and the name of a new account.
    pub terms: String,
}

impl Thought {
    /// What is thought over with an action of a client.
    pub fn of(client: &ClientName, op: &Op) -> Self {
        let terms = match op {
            Op::CreateAccount { name, email: _, plan } => {
                let plan = plan.as_ref().map(|NewPlan { plan, seats }| (plan.as_str(), seats.unwrap_or_default()));
                let (plan, seats) = plan.unwrap_or_default();
                format!("{plan}/{seats}/{name}")
            }
            Op::AddMember { email, access, role } => {
                let role = role.as_ref().map_or("", Role::as_str);
                format!("{}/{access}/{role}", email.key())
            }
            Op::SetAccess { id: _, email, from: _, to, role } => {
                let role = role.as_ref().map_or("", Role::as_str);
                format!("{}/{to}/{role}", email.key())
            }
            // These say all of it already.
            Op::UpdateAccount { .. }
            | Op::Subscribe { .. }
            | Op::ChangePlan { .. }
            | Op::SetSeats { .. }
            | Op::RemoveMember { .. }
            | Op::Unsubscribe { .. } => op.argument(),
        };
        Self { client: client.clone(), kind: op.kind(), terms }
    }

    /// The key of its time in the journal.
    pub fn key(&self) -> String {
        let Self { client, kind, terms } = self;
        format!("{client}/{kind:?}/{terms}")
    }
}

/// Whose time runs, by a plan that is made without holding anything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Clocks {
    /// Planned: their time begins, or goes on.
    pub run: Vec<Thought>,
    /// Not planned now, and still wanted: their time is kept where it began.
    pub stay: Vec<Thought>,
}

/// Holds what is held, and whatever of the same client comes with it: of one client nothing
/// that costs or grants goes ahead piecemeal.
pub(super) fn keep(drafts: &mut [Draft<'_>], held: &BTreeMap<Thought, Timestamp>) {
    if held.is_empty() {
        return;
    }
    for draft in drafts {
        let client: &ClientName = &draft.client.name;
        let planned = draft.actions.iter().filter(|action| action.is_planned());
        let ours = planned.filter_map(|action| held.get(&Thought::of(client, &action.op)));
        let Some(until) = ours.max().copied() else { continue };
        let creation = draft.actions.iter().any(|action| {
            action.is_planned()
                && matches!(action.op, Op::CreateAccount { .. })
                && held.contains_key(&Thought::of(client, &action.op))
        });
        for action in draft.actions.iter_mut().filter(|action| action.is_planned()) {
            if creation || waits_along(action) {
                let message = format!(
                    "held until {} UTC for second thoughts; to stop it: revert, or bursar freeze",
                    until.strftime("%Y-%m-%d %H:%M:%S")
                );
                action.hold(ActionState::Waiting, Reason::Held, message);
            }
        }
    }
}

/// Whether an action waits while something of its client is held: what is held itself, and
/// what is cut afterwards, for it counts on what comes before it.
fn waits_along(action: &Action) -> bool {
    match &action.op {
        Op::SetSeats { .. } | Op::ChangePlan { .. } => true,
        _ => is_held_first(action),
    }
}
