//! The part of a plan that a saved one lets through.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Access, ClientName, Email, Money, PlanId, Role};
use crate::plan::known::OpKind;
use crate::plan::tree::{AccountPlan, Action, ActionState, Op, Plan, Requests};
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

/// What was agreed to for some clients, kept while it is carried out: a look after a while, or
/// the next round, may find other things to do, and those nobody has looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Agreed(BTreeMap<ClientName, Terms>);

/// What was agreed to for one client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Terms {
    /// Each thing that may be done, with its argument.
    deeds: BTreeSet<Deed>,
    /// How many come for whom a seat may be bought once they turn out to be users.
    newcomers: u32,
    /// The price a month that it may come to, which counts those; `None` where it is custom.
    monthly: Option<Money>,
}

/// One thing that is done, and to what end. An operation may do several.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    Create(String),
    Rename(String),
    Notify(String),
    Choose(PlanId),
    Cut(PlanId, u32),
    Remove(Email),
    Grant(OpKind, Email, Access, Option<Role>),
    Cancel(PlanId),
}

/// What an operation does. Seats that are bought are no deed: whether they were agreed to, the
/// money tells.
fn deeds(op: &Op) -> Vec<Deed> {
    let given =
        |email: &Email, to: Access, role: &Option<Role>| vec![Deed::Grant(op.kind(), email.clone(), to, role.clone())];
    match op {
        Op::CreateAccount { name, email, plan } => {
            let mut deeds = vec![Deed::Create(name.as_str().to_owned())];
            deeds.extend(email.iter().map(|email| Deed::Notify(email.key().to_owned())));
            deeds.extend(plan.iter().map(|new| Deed::Choose(new.plan.clone())));
            deeds
        }
        Op::UpdateAccount { name, email } => {
            let name = name.iter().map(|change| Deed::Rename(change.to.as_str().to_owned()));
            name.chain(email.iter().map(|change| Deed::Notify(change.to.key().to_owned()))).collect()
        }
        Op::Subscribe { plan, seats: _ } | Op::ChangePlan { from: _, to: plan, seats: _, downgrade: _ } => {
            vec![Deed::Choose(plan.clone())]
        }
        Op::SetSeats { plan, from, to } if to < from => vec![Deed::Cut(plan.clone(), *to)],
        Op::SetSeats { .. } => Vec::new(),
        Op::RemoveMember { id: _, email, access: _, invited: _ } => vec![Deed::Remove(email.clone())],
        Op::AddMember { email, access, role } => given(email, *access, role),
        Op::SetAccess { id: _, email, from: _, to, role } => given(email, *to, role),
        Op::Unsubscribe { plan } => vec![Deed::Cancel(plan.clone())],
    }
}

impl Terms {
    fn of(account: &AccountPlan) -> Self {
        let going = |state| matches!(state, ActionState::Planned | ActionState::Waiting | ActionState::Skipped);
        let actions = || account.actions.iter().filter(|action| going(action.state)).map(|action| &action.op);
        let bought = actions().map(|op| match op {
            Op::SetSeats { plan: _, from, to } => to.saturating_sub(*from),
            Op::AddMember { .. } => 1,
            _ => 0,
        });
        Self { deeds: actions().flat_map(deeds).collect(), newcomers: bought.sum(), monthly: account.monthly_after }
    }

    /// Whether this is among what was agreed to. Seats for somebody who turned out to be a user
    /// are, for the price that was agreed to counts everybody who is wanted.
    fn allow(&self, account: &AccountPlan, action: &Action) -> bool {
        let affordable = match (self.monthly, account.monthly_after) {
            (Some(agreed), Some(later)) => later <= agreed,
            (None, None) => true,
            _ => false,
        };
        let paid = match &action.op {
            // Without a price the number of people is the measure.
            Op::SetSeats { plan: _, from, to } if to > from => {
                affordable && self.newcomers > 0 && (self.monthly.is_some() || to - from <= self.newcomers)
            }
            Op::CreateAccount { .. } | Op::Subscribe { .. } | Op::ChangePlan { downgrade: false, .. } => affordable,
            _ => true,
        };
        paid && deeds(&action.op).iter().all(|deed| self.deeds.contains(deed))
    }
}

impl Agreed {
    /// What a plan says of these clients.
    pub fn to(plan: &Plan, clients: &BTreeSet<String>) -> Self {
        Self::among(plan, |account| clients.contains(&account.name))
    }

    /// All that a plan says.
    pub fn to_all(plan: &Plan) -> Self {
        Self::among(plan, |_| true)
    }

    fn among(plan: &Plan, is_meant: impl Fn(&AccountPlan) -> bool) -> Self {
        let accounts = plan.accounts.iter().filter(|account| is_meant(account));
        Self(accounts.filter_map(|account| Some((account.client.clone()?, Terms::of(account)))).collect())
    }

    /// The clients.
    pub fn clients(&self) -> BTreeSet<ClientName> {
        self.0.keys().cloned().collect()
    }

    /// The clients for whom a later plan holds nothing else, and what it holds besides for the
    /// others. Seats for somebody who is to be added belong to that, as far as the price did.
    pub fn within(&self, later: &Plan) -> (BTreeSet<ClientName>, Vec<(ClientName, String)>) {
        let mut besides = Vec::new();
        let mut within = self.clients();
        for account in &later.accounts {
            let Some((client, terms)) = account.client.as_ref().and_then(|client| self.0.get_key_value(client)) else {
                continue;
            };
            let planned = account.actions.iter().filter(|action| action.is_planned());
            for action in planned.filter(|action| !terms.allow(account, action)) {
                within.remove(client);
                besides.push((client.clone(), action.message.clone()));
            }
        }
        (within, besides)
    }

    /// Lets go of the clients for whom a later plan holds something else, for good; what that
    /// is comes back.
    pub fn keep_to(&mut self, later: &Plan) -> Vec<(ClientName, String)> {
        let (within, besides) = self.within(later);
        self.0.retain(|client, _| within.contains(client));
        besides
    }

    /// Whether a later plan is what is left of this one: all that it plans was agreed to.
    pub fn covers(&self, later: &Plan) -> bool {
        later.accounts.iter().all(|account| {
            let terms = account.client.as_ref().and_then(|client| self.0.get(client));
            let mut planned = account.actions.iter().filter(|action| action.is_planned());
            planned.all(|action| terms.is_some_and(|terms| terms.allow(account, action)))
        })
    }
}
