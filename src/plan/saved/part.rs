//! The part of a plan that a saved one lets through.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{ClientName, Email};
use crate::plan::known::OpKind;
use crate::plan::tree::{ActionState, Plan, Requests};
use crate::plan::{cost, decide};

/// The plan without some clients, with the sums of what is left. The digest and the rails
/// stay those of the whole: that is what was decided on.
pub fn part_of(plan: &Plan, without: &BTreeSet<String>) -> Plan {
    if without.is_empty() {
        return plan.clone();
    }
    let mut part = plan.clone();
    part.accounts.retain(|account| !without.contains(&account.name));
    part.drift.retain(|drift| !without.contains(drift.client.as_str()));
    part.notices.retain(|notice| notice.client.as_ref().is_none_or(|client| !without.contains(client.as_str())));
    part.cost = cost::total(&part.accounts);
    part.summary = decide::summarise(&part.accounts);
    let planned = part.accounts.iter().flat_map(|account| &account.actions).filter(|action| action.is_planned());
    part.requests = Requests { to_apply: planned.count() as u64, ..plan.requests };
    part
}

/// What was agreed to for some clients, kept while it is carried out: a look after a while may
/// find other things to do, and those nobody has looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Agreed(BTreeMap<ClientName, BTreeSet<(OpKind, Option<Email>)>>);

impl Agreed {
    /// What a plan says of these clients.
    pub fn to(plan: &Plan, clients: &BTreeSet<String>) -> Self {
        let accounts = plan.accounts.iter().filter(|account| clients.contains(&account.name));
        let agreed = accounts.filter_map(|account| {
            let going = |state| matches!(state, ActionState::Planned | ActionState::Waiting | ActionState::Skipped);
            let actions = account.actions.iter().filter(|action| going(action.state));
            let keys = actions.map(|action| (action.op.kind(), action.op.person().cloned()));
            Some((account.client.clone()?, keys.collect()))
        });
        Self(agreed.collect())
    }

    /// The clients.
    pub fn clients(&self) -> BTreeSet<ClientName> {
        self.0.keys().cloned().collect()
    }

    /// The clients for whom a later plan holds nothing else, and what it holds besides for the
    /// others. Seats for somebody who is to be added belong to that.
    pub fn within(&self, later: &Plan) -> (BTreeSet<ClientName>, Vec<(ClientName, String)>) {
        let mut besides = Vec::new();
        let mut within = self.clients();
        for account in &later.accounts {
            let Some((client, agreed)) = account.client.as_ref().and_then(|client| self.0.get_key_value(client)) else {
                continue;
            };
            let adds = agreed.iter().any(|(op, _)| *op == OpKind::AddMember);
            let known = |op: OpKind, person: Option<&Email>| {
                agreed.contains(&(op, person.cloned())) || (op == OpKind::SetSeats && adds)
            };
            let planned = account.actions.iter().filter(|action| action.is_planned());
            for action in planned.filter(|action| !known(action.op.kind(), action.op.person())) {
                within.remove(client);
                besides.push((client.clone(), action.message.clone()));
            }
        }
        (within, besides)
    }
}
