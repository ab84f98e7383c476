//! What a reviewer must know first: money, rails, what is taken away, who gets full access,
//! what waits and on whom. Text, Markdown and GitHub's annotations read it here.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Access, Email, text::inert};
use crate::plan::matching::join_and;
use crate::plan::tree::{AccountPlan, AccountState, Action, ActionState, Op, Plan, Reason};
use crate::plan::words::count;

use super::{lists, text};

/// How many are named before the rest is counted.
const NAMED: usize = 3;
/// How many removals are listed before the rest is counted.
const TAKEN: usize = 5;
/// How many lines of rails, and of what waits, before the rest is counted.
const GROUPS: usize = 3;

/// The plan in short, all of it inert text.
pub(super) struct Executive {
    /// The list price a month, where anything is said of it.
    pub(super) money: Option<String>,
    /// The rails that stopped something.
    pub(super) rails: Vec<String>,
    /// Each planned removal and cancellation.
    pub(super) taken: Vec<String>,
    /// Whom one line brings into several clients, and what that costs.
    pub(super) multiplied: Vec<String>,
    /// Who gets full access, each once, with the clients.
    pub(super) full_access: Vec<(String, Vec<String>)>,
    /// What waits, and on whom: one line a reason.
    pub(super) waits: Vec<String>,
    /// What needs a person: failed, blocked, by hand, each with its clients.
    pub(super) needs: Vec<String>,
}

impl Executive {
    pub(super) fn of(plan: &Plan) -> Self {
        Self {
            money: text::money(plan),
            rails: lists::tripped(plan),
            taken: taken(plan),
            multiplied: lists::multiplied(plan),
            full_access: full_access(plan),
            waits: waits(plan),
            needs: needs(plan),
        }
    }

    /// A line for each person who gets full access.
    pub(super) fn people(&self) -> Vec<String> {
        let line = |(person, clients): &(String, Vec<String>)| {
            format!("{person}: {}", join_and(&clients.iter().map(String::as_str).collect::<Vec<_>>()))
        };
        self.full_access.iter().map(line).collect()
    }

    /// At most some twenty lines.
    pub(super) fn lines(&self) -> Vec<String> {
        let Self { money, rails, taken, multiplied, full_access, waits, needs } = self;
        let mut lines: Vec<String> = money.iter().cloned().collect();
        if !taken.is_empty() {
            lines.push(format!("{} removed or cancelled:", taken.len()));
            cut(&mut lines, taken.iter().map(|line| format!("  - {line}")), TAKEN);
        }
        cut(&mut lines, rails.iter().map(|rail| format!("guard rail: {rail}")), GROUPS);
        cut(&mut lines, multiplied.iter().cloned(), 1);
        if !full_access.is_empty() {
            lines.push(format!(
                "{}: {}",
                count(full_access.len(), "person gets full access", "people get full access"),
                widest(full_access)
            ));
        }
        cut(&mut lines, waits.iter().cloned(), GROUPS);
        lines.extend(needs.iter().cloned());
        lines
    }
}

/// A few people, those who get into the most clients first.
fn widest(full_access: &[(String, Vec<String>)]) -> String {
    let mut people: Vec<&(String, Vec<String>)> = full_access.iter().collect();
    people.sort_by_key(|(_, clients)| std::cmp::Reverse(clients.len()));
    let named = people.iter().take(NAMED + 1).map(|(person, clients)| match clients.len() {
        1 => person.clone(),
        n => format!("{person} in {n} clients"),
    });
    few(&named.collect::<Vec<_>>(), people.len())
}

/// The first lines, and how many more.
fn cut(into: &mut Vec<String>, lines: impl ExactSizeIterator<Item = String>, most: usize) {
    let more = lines.len().saturating_sub(most);
    into.extend(lines.take(most));
    if more > 0 {
        into.push(format!("  and {more} more"));
    }
}

/// `a`, `a and b`, `a, b, c and 12 more`: the first of so many names.
fn few(names: &[String], of: usize) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match of.checked_sub(NAMED + 1) {
        Some(more) => format!("{} and {} more", names[..NAMED].join(", "), more + 1),
        None => join_and(&names),
    }
}

/// What takes something away first, then what needs somebody, then the rest; by name in each.
pub(super) fn in_order(plan: &Plan) -> Vec<&AccountPlan> {
    let mut accounts: Vec<&AccountPlan> =
        plan.accounts.iter().filter(|account| account.state != AccountState::InSync).collect();
    accounts.sort_by_cached_key(|account| urgency(account));
    accounts
}

fn urgency(account: &AccountPlan) -> u8 {
    let held =
        |action: &Action| matches!(action.state, ActionState::Failed | ActionState::Blocked | ActionState::Manual);
    if account.actions.iter().any(takes_away) {
        0
    } else if account.message.is_some() || account.actions.iter().any(held) {
        1
    } else {
        2
    }
}

/// Whether it is planned and takes something away.
pub(super) const fn takes_away(action: &Action) -> bool {
    matches!(action.state, ActionState::Planned)
        && matches!(action.op, Op::RemoveMember { .. } | Op::Unsubscribe { .. })
}

/// Who can do everything by this action, where they could not before.
pub(super) const fn gives_all(action: &Action) -> Option<&Email> {
    match &action.op {
        Op::AddMember { email, access: Access::Full, .. } | Op::SetAccess { email, to: Access::Full, .. }
            if matches!(action.state, ActionState::Planned) || matches!(action.reason, Some(Reason::Held)) =>
        {
            Some(email)
        }
        _ => None,
    }
}

fn taken(plan: &Plan) -> Vec<String> {
    let lines = plan.accounts.iter().flat_map(|account| {
        let going = account.actions.iter().filter(|action| takes_away(action));
        going.map(|action| format!("{}: {}", inert(&account.name), action.message))
    });
    lines.collect()
}

fn full_access(plan: &Plan) -> Vec<(String, Vec<String>)> {
    let mut people: BTreeMap<&Email, Vec<String>> = BTreeMap::new();
    for account in &plan.accounts {
        for email in account.actions.iter().filter_map(gives_all) {
            people.entry(email).or_default().push(inert(&account.name).into_owned());
        }
    }
    people.into_iter().map(|(email, clients)| (email.to_string(), clients)).collect()
}

/// The actions of one condition: how many, whose, and in which clients.
#[derive(Default)]
struct Group<'a> {
    actions: usize,
    people: BTreeSet<&'a Email>,
    clients: BTreeSet<&'a str>,
}

impl<'a> Group<'a> {
    fn add(&mut self, account: &'a AccountPlan, action: &'a Action) {
        self.actions += 1;
        self.people.extend(action.op.person());
        self.clients.insert(&account.name);
    }

    fn clients(&self) -> String {
        let named = self.clients.iter().take(NAMED + 1).map(|name| inert(name).into_owned());
        few(&named.collect::<Vec<_>>(), self.clients.len())
    }

    fn people(&self) -> String {
        let named = self.people.iter().take(NAMED + 1).map(ToString::to_string);
        few(&named.collect::<Vec<_>>(), self.people.len())
    }
}

/// The actions in a state, by what they stand on.
fn grouped(plan: &Plan, state: ActionState) -> BTreeMap<Option<Reason>, Group<'_>> {
    let mut groups: BTreeMap<Option<Reason>, Group<'_>> = BTreeMap::new();
    for account in &plan.accounts {
        for action in account.actions.iter().filter(|action| action.state == state) {
            groups.entry(action.reason).or_default().add(account, action);
        }
    }
    groups
}

fn waits(plan: &Plan) -> Vec<String> {
    let groups = grouped(plan, ActionState::Waiting);
    groups.iter().map(|(reason, group)| waiting(*reason, group)).collect()
}

fn waiting(reason: Option<Reason>, group: &Group<'_>) -> String {
    let people = count(group.people.len(), "person has", "people have");
    let things = |one: &str, many: &str| format!("{}: {}", count(group.actions, one, many), group.clients());
    match reason {
        Some(Reason::AwaitingSignup) => format!("{people} not signed up: {}", group.people()),
        Some(Reason::AwaitingAcceptance) => format!("{people} not accepted the invitation: {}", group.people()),
        Some(Reason::DowngradeAtRenewal) => {
            things("cheaper plan begins at the renewal", "cheaper plans begin at the renewal")
        }
        Some(Reason::SeatsAtRenewal) => {
            things("cut of seats waits for the renewal", "cuts of seats wait for the renewal")
        }
        Some(Reason::SubscriptionSettling) => {
            things("payment settles at the service", "payments settle at the service")
        }
        Some(Reason::OutcomeSettling) => things("action is being read back", "actions are being read back"),
        Some(Reason::QuotaExhausted) => {
            things("action waits for the request quota", "actions wait for the request quota")
        }
        Some(Reason::Held) => things("action is held for second thoughts", "actions are held for second thoughts"),
        Some(other) => things(&format!("action waits ({other:?})"), &format!("actions wait ({other:?})")),
        None => things("action waits", "actions wait"),
    }
}

fn needs(plan: &Plan) -> Vec<String> {
    let states = [
        (ActionState::Failed, "failed"),
        (ActionState::Blocked, "blocked, a person must act"),
        (ActionState::Manual, "by hand"),
    ];
    let lines = states.into_iter().filter_map(|(state, word)| {
        let groups = grouped(plan, state);
        let all: usize = groups.values().map(|group| group.actions).sum();
        let clients: BTreeSet<&str> = groups.values().flat_map(|group| &group.clients).copied().collect();
        let group = Group { clients, ..Group::default() };
        let reasons: Vec<String> = groups
            .iter()
            .filter_map(|(reason, group)| reason.map(|reason| format!("{reason:?} {}", group.actions)))
            .collect();
        let reasons = match (reasons.is_empty(), state) {
            (true, _) | (_, ActionState::Manual) => String::new(),
            _ => format!(" ({})", reasons.join(", ")),
        };
        (all > 0).then(|| format!("{all} {word}{reasons}: {}", group.clients()))
    });
    lines.collect()
}
