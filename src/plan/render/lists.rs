//! What a plan has to say beside its clients, a line each: every face says the same.

use std::collections::BTreeMap;

use crate::domain::{Access, Email, text::inert};
use crate::plan::tree::{AccountPlan, Op, Plan, Told};

/// Who can do everything where they could not before: each person once, with the clients.
pub(super) fn full_access(plan: &Plan) -> Vec<String> {
    let mut people: BTreeMap<&Email, Vec<&str>> = BTreeMap::new();
    for account in &plan.accounts {
        for action in account.actions.iter().filter(|action| action.is_planned()) {
            if let Op::AddMember { email, access: Access::Full, .. } | Op::SetAccess { email, to: Access::Full, .. } =
                &action.op
            {
                people.entry(email).or_default().push(&account.name);
            }
        }
    }
    let lines = people.iter().map(|(email, clients)| {
        let clients: Vec<String> = clients.iter().map(|name| inert(name).into_owned()).collect();
        let clients: Vec<&str> = clients.iter().map(String::as_str).collect();
        format!("{email}: {}", crate::plan::matching::join_and(&clients))
    });
    lines.collect()
}

/// What somebody changed by hand.
pub(super) fn drift(plan: &Plan) -> Vec<String> {
    plan.drift.iter().map(|d| format!("{} ({}): {}", d.client, d.account_id, d.message)).collect()
}

/// What a person should look at.
pub(super) fn notices(plan: &Plan) -> Vec<String> {
    let lines = plan.notices.iter().map(|notice| match &notice.client {
        Some(client) => format!("{client}: {}", notice.message),
        None => notice.message.clone(),
    });
    lines.collect()
}

/// The title of [`multiplied`].
pub(super) const MULTIPLIED: &str = "One line, several accounts";

/// People whom one line brings into several accounts, and what that costs.
pub(super) fn multiplied(plan: &Plan) -> Vec<String> {
    plan.multiplied.iter().map(crate::plan::multiplied::told).collect()
}

/// The title of [`passed`].
pub(super) const PASSED: &str = "Guard rails that a person lets this plan pass";

/// The rails that would have stopped something, had a person not let this plan pass.
pub(super) fn passed(plan: &Plan) -> Vec<String> {
    plan.passed.iter().map(|rail| format!("{} {}: {}", rail.flag, rail.value, rail.message)).collect()
}

/// The rails that stopped something, and how exactly this plan is let pass.
pub(super) fn rails(plan: &Plan) -> Vec<String> {
    let rails = plan.rails.iter().map(|rail| format!("{} {}: {}", rail.flag, rail.value, rail.message));
    let capped = plan.rails.iter().any(|rail| rail.is_cap());
    let pass = capped.then(|| format!("to let exactly this plan pass, once: --approve {}", plan.digest));
    rails.chain(pass).collect()
}

/// The title of [`told`].
pub(super) const TOLD: &str = "On somebody's word, for 90 days";

/// Who counts as a member or as none because somebody said so, on one line a client.
pub(super) fn told(plan: &Plan) -> Vec<String> {
    plan.accounts.iter().filter_map(told_of).collect()
}

fn told_of(account: &AccountPlan) -> Option<String> {
    const NAMED: usize = 5;
    let mut people: Vec<String> = account
        .told
        .iter()
        .take(NAMED)
        .map(|Told { email, word }| format!("{email} is {} ({word})", word.says))
        .collect();
    let more = account.told.len().saturating_sub(NAMED);
    if more > 0 {
        people.push(format!("{more} more"));
    }
    (!people.is_empty()).then(|| format!("{}: {}", inert(&account.name), people.join(", ")))
}
