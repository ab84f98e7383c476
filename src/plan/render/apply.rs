//! What became of a plan: a closing summary, client by client, of what is not simply done.

use std::fmt::Write as _;

use crate::domain::text::inert;
use crate::plan::tree::{AccountPlan, AccountState, ActionState, Op, Plan};
use crate::plan::words::count;

use super::text::{Paint, actions};

/// A line for each client with what was done, and one for each action that was not; clients
/// that are in sync and were not touched are counted only.
pub fn text(plan: &Plan) -> String {
    let paint = Paint(false);
    let mut out = String::new();
    let mut untouched = 0;
    for account in &plan.accounts {
        if account.actions.is_empty() && account.state == AccountState::InSync {
            untouched += 1;
            continue;
        }
        let _ = writeln!(out, "{}: {}", inert(&account.name), what_became(account));
        if let Some(message) = &account.message {
            let _ = writeln!(out, "  ! {message}");
        }
        actions(&mut out, account.actions.iter().filter(|one| one.state != ActionState::Applied), paint);
    }
    let _ = writeln!(out, "{}", summary(plan, untouched));
    out
}

fn what_became(account: &AccountPlan) -> String {
    let applied: Vec<&Op> =
        account.actions.iter().filter(|action| action.state == ActionState::Applied).map(|action| &action.op).collect();
    let added = applied.iter().filter(|op| matches!(op, Op::AddMember { .. })).count();
    let removed = applied.iter().filter(|op| matches!(op, Op::RemoveMember { .. })).count();
    let changed = applied.iter().filter(|op| matches!(op, Op::SetAccess { .. })).count();
    let mut parts = Vec::new();
    for op in &applied {
        parts.extend(match op {
            Op::CreateAccount { .. } => Some(match &account.account_id {
                Some(id) => format!("created as account {id}"),
                None => "created".to_owned(),
            }),
            Op::UpdateAccount { .. } => Some("updated".to_owned()),
            Op::Subscribe { plan, .. } => Some(format!("subscribed to {plan}")),
            Op::ChangePlan { to, downgrade: false, .. } => Some(format!("plan {to}")),
            Op::ChangePlan { to, downgrade: true, .. } => Some(format!("plan {to} from the renewal on")),
            Op::SetSeats { to, .. } => Some(count(*to as usize, "seat", "seats")),
            Op::Unsubscribe { .. } => Some("unsubscribed".to_owned()),
            Op::AddMember { .. } | Op::RemoveMember { .. } | Op::SetAccess { .. } => None,
        });
    }
    for (n, what) in [(added, "added"), (removed, "removed"), (changed, "with other access")] {
        if n > 0 {
            parts.push(format!("{} {what}", count(n, "person", "people")));
        }
    }
    if !parts.is_empty() {
        return parts.join(", ");
    }
    match account.state {
        AccountState::Invalid => "invalid, not touched",
        AccountState::Suspended => "suspended, not touched",
        AccountState::Failed => "failed",
        AccountState::Blocked => "blocked",
        AccountState::Manual => "by hand",
        AccountState::Unknown => "unknown",
        AccountState::Changes => "left as it was",
        AccountState::Waiting => "waiting",
        AccountState::InSync => "in sync",
    }
    .to_owned()
}

fn summary(plan: &Plan, untouched: usize) -> String {
    let actions = || plan.accounts.iter().flat_map(|account| &account.actions);
    let applied = actions().filter(|action| action.state == ActionState::Applied).count();
    let unknown = plan.accounts.iter().filter(|account| account.state == AccountState::Unknown).count();
    let parts: Vec<String> = [
        (ActionState::Failed, "failed"),
        (ActionState::Waiting, "waiting"),
        (ActionState::Blocked, "blocked"),
        (ActionState::Manual, "by hand"),
        (ActionState::Skipped, "skipped"),
        (ActionState::Planned, "left"),
    ]
    .into_iter()
    .map(|(state, word)| (actions().filter(|action| action.state == state).count(), word))
    .chain([(unknown, "unknown")])
    .filter(|(n, _)| *n > 0)
    .map(|(n, word)| format!("{n} {word}"))
    .collect();
    let synced = match untouched {
        0 => String::new(),
        1 => "; 1 client was in sync".to_owned(),
        n => format!("; {n} clients were in sync"),
    };
    let rest = if parts.is_empty() { String::new() } else { format!("; {}", parts.join(", ")) };
    match (applied, parts.is_empty()) {
        (0, true) => format!("Nothing to do{synced}."),
        (0, false) => format!("Nothing applied{rest}{synced}."),
        (n, _) => format!("Applied {}{rest}{synced}.", count(n, "action", "actions")),
    }
}
