//! What a plan has to say beside its clients, a line each: every face says the same.

use crate::domain::text::inert;
use crate::plan::tree::{AccountPlan, Plan, Told};

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
    let capped = plan.rails.iter().any(|rail| rail.is_cap());
    let pass = capped.then(|| format!("to let exactly this plan pass, once: --approve {}", plan.digest));
    tripped(plan).into_iter().chain(pass).collect()
}

/// The rails that stopped something.
pub(super) fn tripped(plan: &Plan) -> Vec<String> {
    plan.rails.iter().map(|rail| format!("{} {}: {}", rail.flag, rail.value, rail.message)).collect()
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
