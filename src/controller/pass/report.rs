//! What a pass tells: what was done in all of its rounds, and what is left.

use std::collections::{BTreeMap, HashMap};

use super::PassError;
use crate::domain::ClientName;
use crate::plan::{Action, ActionState, Plan, Summary};

/// What a pass did, and how things stand after it.
#[derive(Debug, Clone)]
pub struct Report {
    /// The plan that was made first: what a person agreed to.
    pub agreed: Plan,
    /// How things stand: what was applied in all rounds, in order, then what is left.
    pub plan: Plan,
    /// Actions that an interruption kept from being begun.
    pub left: usize,
    /// What ended the rounds early, after something had been done.
    pub trouble: Option<PassError>,
    /// What turned up that was not agreed to, and was left; nothing is done any more for these
    /// clients.
    pub besides: Vec<(ClientName, String)>,
}

impl Report {
    /// Takes the applied actions out, to be joined with those of later passes.
    pub fn take_applied(&mut self) -> BTreeMap<ClientName, Vec<Action>> {
        let mut applied = BTreeMap::new();
        for account in &mut self.plan.accounts {
            let Some(client) = &account.client else { continue };
            let (done, open) =
                std::mem::take(&mut account.actions).into_iter().partition(|a| a.state == ActionState::Applied);
            account.actions = open;
            applied.insert(client.clone(), done);
        }
        applied
    }

    /// How things stand, under the digest that was agreed to, with the operations and the
    /// money of the agreed plan: what came of it is in the actions.
    pub fn outcome(&self) -> Plan {
        let Self { agreed, plan, left: _, trouble: _, besides: _ } = self;
        let mut outcome = plan.clone();
        outcome.digest.clone_from(&agreed.digest);
        outcome.cost = agreed.cost;
        outcome.requests.to_apply = agreed.requests.to_apply;
        outcome.summary = Summary {
            waiting: plan.summary.waiting,
            blocked: plan.summary.blocked,
            manual: plan.summary.manual,
            in_sync: plan.summary.in_sync,
            ..agreed.summary
        };
        let before: HashMap<_, _> = agreed.accounts.iter().map(|account| (&account.name, account)).collect();
        for account in &mut outcome.accounts {
            if let Some(agreed) = before.get(&account.name) {
                account.digest.clone_from(&agreed.digest);
                account.monthly_before = agreed.monthly_before;
                account.monthly_after = agreed.monthly_after;
            }
        }
        outcome
    }

    /// Puts applied actions before what is left.
    pub fn put_applied(&mut self, applied: BTreeMap<ClientName, Vec<Action>>) {
        merge(&mut self.plan, applied);
    }
}

pub(super) fn merge(plan: &mut Plan, mut applied: BTreeMap<ClientName, Vec<Action>>) {
    for account in &mut plan.accounts {
        if let Some(done) = account.client.as_ref().and_then(|client| applied.remove(client)) {
            account.actions.splice(0..0, done);
        }
    }
}
