//! Actions in words, and the making of actions. Text, JSON and people's steps say the same.

use crate::domain::Access;
use crate::provider::NewPlan;

use super::tree::{Action, ActionState, Change, Op, Reason};

/// `2 seats`, `1 seat`.
pub(super) fn count(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

fn with_seats(seats: Option<u32>) -> String {
    seats.map_or_else(String::new, |seats| format!(" with {}", count(seats as usize, "seat", "seats")))
}

/// What an action does, in a few words without a full stop. Inert text.
pub fn describe(op: &Op) -> String {
    match op {
        Op::CreateAccount { name, email, plan } => {
            let notified = email.as_ref().map_or_else(String::new, |email| format!(", notified at {email}"));
            let subscribed = plan.as_ref().map_or_else(String::new, |NewPlan { plan, seats }| {
                format!(" and subscribe it to {plan}{}, in one request", with_seats(*seats))
            });
            format!("create the account \"{name}\"{subscribed}{notified}")
        }
        Op::UpdateAccount { name, email } => describe_update(name.as_ref(), email.as_ref()),
        Op::Subscribe { plan, seats } => format!("subscribe to {plan}{}", with_seats(*seats)),
        Op::ChangePlan { from, to, seats, downgrade } => {
            let when = if *downgrade { ", from the renewal on" } else { "" };
            format!("change the plan from {from} to {to}{}{when}", with_seats(*seats))
        }
        Op::SetSeats { plan: _, from, to } if from == to => format!("keep {}", count(*to as usize, "seat", "seats")),
        Op::SetSeats { plan: _, from, to } if to < from => format!("seats from {from} to {to}, from the renewal on"),
        Op::SetSeats { plan: _, from, to } => format!("seats from {from} to {to}"),
        Op::RemoveMember { id: _, email, access, invited: false } => format!("remove {email} ({access} access)"),
        Op::RemoveMember { id: _, email, access: _, invited: true } => format!("revoke the invitation of {email}"),
        Op::AddMember { email, access, role: None } => format!("add {email} with {access} access"),
        Op::AddMember { email, access, role: Some(role) } => format!("add {email} as {role}{}", all_of_it(*access)),
        Op::SetAccess { id: _, email, from, to, role: None } => format!("access of {email} from {from} to {to}"),
        Op::SetAccess { id: _, email, from, to, role: Some(role) } => {
            let change =
                if from == to { format!("{to} access as before") } else { format!("from {from} to {to} access") };
            format!("role of {email} to {role} ({change})")
        }
        Op::Unsubscribe { plan } => format!("cancel the subscription to {plan}"),
    }
}

/// Beside a role: that its holder has every right.
const fn all_of_it(access: Access) -> &'static str {
    match access {
        Access::Full => " (full access)",
        Access::Limited => "",
    }
}

fn describe_update<A: std::fmt::Display, B: std::fmt::Display>(
    name: Option<&Change<A>>,
    email: Option<&Change<B>>,
) -> String {
    let mut parts = Vec::new();
    if let Some(Change { from, to }) = name {
        parts.push(match from {
            Some(from) => format!("rename \"{from}\" to \"{to}\""),
            None => format!("name it \"{to}\""),
        });
    }
    if let Some(Change { from, to }) = email {
        parts.push(match from {
            Some(from) => format!("notification email from {from} to {to}"),
            None => format!("notification email {to}"),
        });
    }
    if parts.is_empty() { "take the account over".to_owned() } else { parts.join(", ") }
}

impl Action {
    /// One that goes ahead.
    pub(super) fn planned(op: Op) -> Self {
        let message = describe(&op);
        Self {
            op,
            state: ActionState::Planned,
            reason: None,
            message,
            offboarding: false,
            unregistered: false,
            cause: None,
            request_id: None,
            steps: Vec::new(),
            link: None,
        }
    }

    /// One that does not, with the condition.
    pub(super) fn held(op: Op, state: ActionState, reason: Reason, message: impl Into<String>) -> Self {
        let mut action = Self::planned(op);
        action.hold(state, reason, message);
        action
    }

    /// One that a person must do something about.
    pub(super) fn blocked(op: Op, reason: Reason, message: impl Into<String>) -> Self {
        Self::held(op, ActionState::Blocked, reason, message)
    }

    /// Takes it out of what goes ahead.
    pub(super) fn hold(&mut self, state: ActionState, reason: Reason, message: impl Into<String>) {
        self.state = state;
        self.reason = Some(reason);
        self.message = message.into();
    }

    /// The same with a word more on what happens.
    #[must_use]
    pub(super) fn noting(mut self, note: &str) -> Self {
        self.message.push_str("; ");
        self.message.push_str(note);
        self
    }

    /// Whether it is planned.
    pub fn is_planned(&self) -> bool {
        self.state == ActionState::Planned
    }

    /// Whether it happens, now or later, without a person's decision: what it costs counts.
    pub(super) fn is_going(&self) -> bool {
        match self.state {
            ActionState::Planned
            | ActionState::Applied
            | ActionState::Waiting
            | ActionState::Failed
            | ActionState::Manual => true,
            ActionState::Blocked | ActionState::Skipped => false,
        }
    }
}
