//! How clients stand, told from a plan, what the journal remembers and what was shown before;
//! pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{AccountStatus, Condition, CostStatus, FleetStatus, Next, OpenActions, RailStatus, Truth};
use crate::domain::ClientName;
use crate::plan::{AccountPlan, AccountState, Action, ActionState, OpKind, Plan, TrippedRail, describe};

/// What the journal tells of a client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trace {
    /// When something was last done for it.
    pub applied_at: Option<Timestamp>,
    /// For which commit.
    pub revision: Option<String>,
    /// Since when what is not done was tried.
    pub tried_since: Option<Timestamp>,
}

/// What the standing of clients is made from, beside the plan.
pub struct Setting<'a> {
    /// The fleet.
    pub fleet: &'a str,
    /// What the time is.
    pub now: Timestamp,
    /// Since when a state counts of which nobody knows more.
    pub began: Timestamp,
    /// The commit that was read.
    pub revision: Option<&'a str>,
    /// Clients whose last good version is in force, and why.
    pub kept: &'a BTreeMap<ClientName, String>,
    /// What the journal tells.
    pub traces: &'a BTreeMap<ClientName, Trace>,
    /// Who was looked at; everyone without it.
    pub looked: Option<&'a BTreeSet<ClientName>>,
    /// When a client is looked at again.
    pub next: &'a dyn Fn(&AccountPlan) -> Option<Next>,
}

impl std::fmt::Debug for Setting<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setting").field("fleet", &self.fleet).field("now", &self.now).finish_non_exhaustive()
    }
}

impl Setting<'_> {
    /// How each client of a plan stands, with the times of what did not change since `before`.
    pub fn accounts(&self, plan: &Plan, before: &[AccountStatus]) -> Vec<AccountStatus> {
        let before: BTreeMap<&str, &AccountStatus> = before.iter().map(|known| (known.name.as_str(), known)).collect();
        plan.accounts.iter().map(|account| self.account(account, before.get(account.name.as_str()).copied())).collect()
    }

    fn account(&self, account: &AccountPlan, before: Option<&AccountStatus>) -> AccountStatus {
        let client = account.client.as_ref();
        let trace = client.and_then(|client| self.traces.get(client)).cloned().unwrap_or_default();
        let (reason, message) = why(account);
        let first = match account.state {
            AccountState::InSync | AccountState::Suspended => trace.applied_at,
            _ => trace.tried_since,
        };
        let since = match before {
            Some(known) if known.state == account.state && known.reason == reason => known.since,
            Some(_) => self.now,
            None => first.unwrap_or(self.began),
        };
        let kept = client.and_then(|client| self.kept.get(client)).map(String::as_str);
        let conditions = conditions(account, kept, &reason, &message)
            .into_iter()
            .map(|(kind, status, reason, message)| {
                let known = before.and_then(|known| known.conditions.iter().find(|condition| condition.kind == kind));
                let last_transition_time = match known {
                    Some(known) if known.status == status => known.last_transition_time,
                    Some(_) => self.now,
                    None => since,
                };
                Condition { kind: kind.to_owned(), status, reason, message, last_transition_time }
            })
            .collect();
        let agreed = (account.state == AccountState::InSync && kept.is_none()).then_some(self.revision).flatten();
        let looked = client.is_some_and(|client| self.looked.is_none_or(|looked| looked.contains(client)));
        AccountStatus {
            name: account.name.clone(),
            fleet: self.fleet.to_owned(),
            account_id: account.account_id.as_ref().map(|id| id.as_str().to_owned()),
            labels: account.labels.clone(),
            state: account.state,
            reason,
            message,
            since,
            conditions,
            looked_at: if looked { Some(self.now) } else { before.and_then(|known| known.looked_at) },
            next: (self.next)(account),
            last_applied_revision: agreed.map(str::to_owned).or(trace.revision),
            last_applied_at: trace.applied_at,
        }
    }
}

/// Why an account stands as it does: in one word, and in words.
fn why(account: &AccountPlan) -> (String, String) {
    let plain = |reason: &str, message: &str| (reason.to_owned(), message.to_owned());
    let of = |state: ActionState, reason: &str| {
        let mut open = account.actions.iter().filter(|action| action.state == state);
        let Some(first) = open.next() else {
            return plain(reason, account.message.as_deref().unwrap_or_default());
        };
        let more = match open.count() {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let reason = first.reason.map_or_else(|| reason.to_owned(), |reason| format!("{reason:?}"));
        (reason, format!("{}{more}", line(first)))
    };
    match account.state {
        AccountState::Invalid => plain("Invalid", account.message.as_deref().unwrap_or("its manifest does not hold")),
        AccountState::Suspended => plain("Suspended", "observed, not changed"),
        AccountState::Failed => of(ActionState::Failed, "Failed"),
        AccountState::Blocked => of(ActionState::Blocked, "Blocked"),
        AccountState::Manual => of(ActionState::Manual, "Manual"),
        AccountState::Unknown => plain("MembersUnknown", account.message.as_deref().unwrap_or_default()),
        AccountState::Changes => of(ActionState::Planned, "ChangesPlanned"),
        AccountState::Waiting => of(ActionState::Waiting, "Waiting"),
        AccountState::InSync => plain("InSync", "as its manifest says"),
    }
}

fn line(action: &Action) -> String {
    match action.state {
        ActionState::Planned | ActionState::Manual => action.message.clone(),
        _ => format!("{}: {}", describe(&action.op), action.message),
    }
}

type Told = (&'static str, Truth, String, String);

fn conditions(account: &AccountPlan, kept: Option<&str>, reason: &str, message: &str) -> Vec<Told> {
    let ready = match account.state {
        AccountState::InSync => Truth::True,
        AccountState::Suspended | AccountState::Unknown => Truth::Unknown,
        AccountState::Invalid
        | AccountState::Failed
        | AccountState::Blocked
        | AccountState::Manual
        | AccountState::Changes
        | AccountState::Waiting => Truth::False,
    };
    let mut all = vec![("Ready", ready, reason.to_owned(), message.to_owned())];
    if matches!(account.state, AccountState::Invalid | AccountState::Blocked | AccountState::Manual) {
        all.push(("Stalled", Truth::True, reason.to_owned(), message.to_owned()));
    }
    if let Some(why) = kept {
        let message = format!("{why}; the last good version stays in force");
        all.push(("ManifestValid", Truth::False, "LastGoodVersion".into(), message));
    } else if account.state == AccountState::Invalid {
        all.push(("ManifestValid", Truth::False, reason.to_owned(), message.to_owned()));
    }
    all
}

/// What a plan tells of the whole fleet.
pub fn tell_fleet(fleet: &mut FleetStatus, plan: &Plan, accounts: &[AccountStatus]) {
    fleet.states = BTreeMap::new();
    for account in accounts {
        *fleet.states.entry(account.state.as_str().to_owned()).or_default() += 1;
    }
    let mut open: BTreeMap<(&'static str, String), u32> = BTreeMap::new();
    let mut people: BTreeMap<String, u32> = BTreeMap::new();
    for action in plan.accounts.iter().flat_map(|account| &account.actions) {
        let Some(state) = open_name(action.state) else { continue };
        let reason = action.reason.map_or_else(|| "None".to_owned(), |reason| format!("{reason:?}"));
        if action.state == ActionState::Waiting && action.op.kind() == OpKind::AddMember {
            *people.entry(reason.clone()).or_default() += 1;
        }
        *open.entry((state, reason)).or_default() += 1;
    }
    let opened = |((state, reason), count): ((&str, String), u32)| OpenActions { state: state.into(), reason, count };
    fleet.open = open.into_iter().map(opened).collect();
    fleet.waiting_people = people;
    let rail = |rail: &TrippedRail| RailStatus {
        flag: rail.flag.to_owned(),
        value: rail.value.clone(),
        message: rail.message.clone(),
    };
    fleet.rails = plan.rails.iter().map(rail).collect();
    fleet.cost = Some(CostStatus {
        currency: "USD".into(),
        monthly_now: plan.cost.before.to_string(),
        monthly_after: plan.cost.after.to_string(),
        unpriced: plan.cost.unpriced,
    });
    fleet.unmanaged = u32::try_from(plan.unmanaged.len()).unwrap_or(u32::MAX);
    let clients = accounts.iter().filter(|account| account.state != AccountState::Invalid);
    fleet.oldest_look_at = clients.filter_map(|account| account.looked_at).min();
}

/// The name of a state in which something is not done; `None` where it is, or nobody tried.
const fn open_name(state: ActionState) -> Option<&'static str> {
    match state {
        ActionState::Planned => Some("planned"),
        ActionState::Failed => Some("failed"),
        ActionState::Waiting => Some("waiting"),
        ActionState::Blocked => Some("blocked"),
        ActionState::Manual => Some("manual"),
        ActionState::Applied | ActionState::Skipped => None,
    }
}
