//! What is worth a line in the log: a change of state is told once, not on every pass.

use std::collections::BTreeMap;

use crate::domain::{Email, Money};
use crate::plan::{
    AccountPlan, AccountState, Action, ActionState, Cost, Op, OpKind, Plan, Reason, TrippedRail, describe,
};

/// What was told of each client, so that it is not told again.
#[derive(Debug, Default)]
pub struct Announcer {
    told: BTreeMap<String, Standing>,
    summary: Option<String>,
    rails: Vec<(&'static str, String, String)>,
}

/// What a client's line says: when it changes, there is news.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Standing {
    state: AccountState,
    open: Vec<(OpKind, Option<Email>, ActionState, Option<Reason>)>,
    kept: Option<String>,
}

/// One thing to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// The client; `None` for all of them together.
    pub client: Option<String>,
    /// Somebody should look.
    pub warn: bool,
    /// In words.
    pub message: String,
}

impl Announcer {
    /// What changed since the last time.
    pub fn news(&mut self, plan: &Plan, kept: &BTreeMap<crate::domain::ClientName, String>) -> Vec<News> {
        let mut news = Vec::new();
        // A document that is no client's is told of by its findings.
        for account in plan.accounts.iter().filter(|account| account.client.is_some()) {
            let kept = account.client.as_ref().and_then(|client| kept.get(client)).cloned();
            let standing = Standing::of(account, kept);
            let before = self.told.insert(account.name.clone(), standing.clone());
            if before.as_ref() != Some(&standing) {
                news.extend(lines(account, &standing, before.as_ref()));
            }
        }
        let present: std::collections::BTreeSet<&str> = plan.accounts.iter().map(|a| a.name.as_str()).collect();
        let gone: Vec<_> = self.told.keys().filter(|name| !present.contains(name.as_str())).cloned().collect();
        for name in gone {
            self.told.remove(&name);
            news.push(News {
                client: Some(name),
                warn: false,
                message: "no manifest any more; the account is left as it is".into(),
            });
        }
        // Another plan has another digest, and that is what a person needs to let it pass.
        let told = |rail: &TrippedRail| {
            let digest = if rail.is_cap() { plan.digest.clone() } else { String::new() };
            (rail.flag, rail.value.clone(), digest)
        };
        let rails: Vec<_> = plan.rails.iter().map(told).collect();
        for rail in plan.rails.iter().filter(|rail| !self.rails.contains(&told(rail))) {
            let pass =
                if rail.is_cap() { format!("; to let it pass: bursar approve {}", plan.digest) } else { String::new() };
            let message = format!("{} {}: {}{pass}", rail.flag, rail.value, rail.message);
            news.push(News { client: None, warn: true, message });
        }
        self.rails = rails;
        let summary = summary(plan);
        if self.summary.as_ref() != Some(&summary) {
            news.push(News { client: None, warn: false, message: summary.clone() });
            self.summary = Some(summary);
        }
        news
    }
}

impl Standing {
    fn of(account: &AccountPlan, kept: Option<String>) -> Self {
        let open = account
            .actions
            .iter()
            .filter(|action| !matches!(action.state, ActionState::Applied | ActionState::Skipped))
            .map(|action| (action.op.kind(), action.op.person().cloned(), action.state, action.reason))
            .collect();
        Self { state: account.state, open, kept }
    }
}

fn lines(account: &AccountPlan, now: &Standing, before: Option<&Standing>) -> Vec<News> {
    let mut lines = Vec::new();
    let mut tell = |warn: bool, message: String| {
        lines.push(News { client: Some(account.name.clone()), warn, message });
    };
    if let Some(why) = &now.kept
        && before.is_none_or(|before| before.kept != now.kept)
    {
        tell(true, format!("its manifest does not hold ({why}); the last good version stays in force"));
    }
    match now.state {
        AccountState::InSync => tell(false, "in sync".into()),
        AccountState::Suspended => tell(false, "suspended: observed, not changed".into()),
        AccountState::Invalid | AccountState::Unknown => {
            let message = account.message.as_ref().map_or_else(String::new, |message| format!(": {message}"));
            tell(true, format!("{}{message}", now.state.words()));
        }
        AccountState::Failed
        | AccountState::Blocked
        | AccountState::Manual
        | AccountState::Changes
        | AccountState::Waiting => {}
    }
    for action in &account.actions {
        let key = (action.op.kind(), action.op.person().cloned(), action.state, action.reason);
        let told = before.is_some_and(|before| before.open.contains(&key));
        if now.open.contains(&key) && !told {
            let warn = matches!(action.state, ActionState::Failed | ActionState::Blocked);
            tell(warn, open_line(action));
        }
    }
    lines
}

fn open_line(action: &Action) -> String {
    let word = match action.state {
        ActionState::Planned => "planned",
        ActionState::Applied => "applied",
        ActionState::Failed => "failed",
        ActionState::Waiting => "waiting",
        ActionState::Blocked => "blocked",
        ActionState::Manual => "manual",
        ActionState::Skipped => "skipped",
    };
    let reason = action.reason.map_or_else(String::new, |reason| format!(" ({reason:?})"));
    match action.state {
        ActionState::Planned | ActionState::Manual => format!("{word}{reason}: {}", action.message),
        ActionState::Applied
        | ActionState::Failed
        | ActionState::Waiting
        | ActionState::Blocked
        | ActionState::Skipped => format!("{word}{reason}: {}: {}", describe(&action.op), action.message),
    }
}

fn summary(plan: &Plan) -> String {
    let mut counts: BTreeMap<AccountState, usize> = BTreeMap::new();
    let clients = plan.accounts.iter().filter(|account| account.client.is_some());
    for account in clients.clone() {
        *counts.entry(account.state).or_default() += 1;
    }
    let parts: Vec<_> = counts.iter().rev().map(|(state, count)| format!("{count} {}", state.words())).collect();
    let price = price(plan.cost);
    match clients.count() {
        0 => "no clients".into(),
        1 => format!("1 client: {}{price}", parts.join(", ")),
        n => format!("{n} clients: {}{price}", parts.join(", ")),
    }
}

/// What is paid now by list price; nothing where no price is known at all.
fn price(Cost { before, after: _, unpriced }: Cost) -> String {
    match unpriced {
        0 => format!("; list price {before} a month"),
        _ if before == Money::ZERO => String::new(),
        n => format!("; list price {before} a month, {n} of unknown price not counted"),
    }
}

/// An action that was carried out, in the past tense.
pub fn done_line(action: &Action) -> String {
    match &action.op {
        Op::CreateAccount { name, email: _, plan: None } => format!("created account {name}"),
        Op::CreateAccount { name, email: _, plan: Some(new) } => format!("created account {name} on {}", new.plan),
        Op::UpdateAccount { name, email } => {
            let mut what = Vec::new();
            if let Some(change) = name {
                what.push(format!("renamed to {}", change.to));
            }
            if let Some(change) = email {
                what.push(format!("notification email is now {}", change.to));
            }
            what.join(", ")
        }
        Op::Subscribe { plan, seats } => format!("subscribed to {plan}{}", seats_word(*seats)),
        Op::ChangePlan { from, to, seats, downgrade: false } => {
            format!("plan changed from {from} to {to}{}", seats_word(*seats))
        }
        Op::ChangePlan { from, to, seats: _, downgrade: true } => {
            format!("plan changes from {from} to {to} at renewal")
        }
        Op::SetSeats { plan: _, from, to } => format!("seats changed from {from} to {to}"),
        Op::RemoveMember { id: _, email, access: _, invited: false } => format!("removed {email}"),
        Op::RemoveMember { id: _, email, access: _, invited: true } => format!("revoked the invitation of {email}"),
        Op::AddMember { email, access, role: None } => format!("added {email} ({access} access)"),
        Op::AddMember { email, access, role: Some(role) } => format!("added {email} as {role} ({access} access)"),
        Op::SetAccess { id: _, email, from, to, role: None } => {
            format!("access of {email} changed from {from} to {to}")
        }
        Op::SetAccess { id: _, email, from: _, to, role: Some(role) } => {
            format!("role of {email} changed to {role} ({to} access)")
        }
        Op::Unsubscribe { plan } => format!("cancelled the subscription to {plan}"),
    }
}

fn seats_word(seats: Option<u32>) -> String {
    match seats {
        None => String::new(),
        Some(1) => " with 1 seat".into(),
        Some(seats) => format!(" with {seats} seats"),
    }
}
