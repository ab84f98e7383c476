//! The plan as a person likes to read it. Foreign text in it is inert.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use crate::domain::{Money, text::inert};
use crate::plan::manual;
use crate::plan::tree::{AccountPlan, AccountState, Action, ActionState, Op, Plan, Reason, Summary};
use crate::plan::words::{count, describe};

use super::executive::{Executive, in_order};
use super::lists;

/// What a person is to know of steps that are done by hand.
const BY_HAND: &str = "What bears * is done by hand: this service offers it to no program. The next look sees by itself \
                       that accounts and plans are done; of members it is told: bursar ack CLIENT.";

/// How a plan is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TextOptions {
    /// With a unified diff of each account that changes, as YAML.
    pub diff: bool,
    /// With ANSI styles; what prints it strips them where a terminal does not want them.
    pub styles: bool,
}

/// Styles by meaning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint(pub(super) bool);

impl Paint {
    pub(super) fn with(self, style: Style, text: &str) -> String {
        if self.0 { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.with(Style::new().bold(), text)
    }

    pub(super) fn colour(self, colour: AnsiColor, text: &str) -> String {
        self.with(colour.on_default(), text)
    }

    pub(super) fn faint(self, text: &str) -> String {
        self.with(Style::new().dimmed(), text)
    }
}

/// How many lines of clients still are a screen; past it the plan in short comes first.
const SCREEN: usize = 24;

/// The whole plan: where it is long, in short first; then clients with something to say, what
/// takes something away before the rest, the people who get full access, drift, accounts
/// without a manifest, rails, the money, and one summary line.
pub fn text(plan: &Plan, options: &TextOptions) -> String {
    let paint = Paint(options.styles);
    let executive = Executive::of(plan);
    let mut clients = String::new();
    for account in in_order(plan) {
        client(&mut clients, account, paint);
        if options.diff {
            clients.push_str(&super::diff::unified(account, paint));
        }
        clients.push('\n');
    }
    let mut out = String::new();
    if clients.lines().nth(SCREEN).is_some() {
        section(&mut out, "In short", executive.lines().into_iter(), paint);
    }
    out.push_str(&clients);
    section(&mut out, "People who get full access", executive.people().into_iter(), paint);
    section(&mut out, lists::MULTIPLIED, lists::multiplied(plan).into_iter(), paint);
    section(&mut out, "Drift", lists::drift(plan).into_iter(), paint);
    section(&mut out, lists::TOLD, lists::told(plan).into_iter(), paint);
    unmanaged(&mut out, plan, paint);
    section(&mut out, "Look at", lists::notices(plan).into_iter(), paint);
    section(&mut out, "Guard rails", lists::rails(plan).into_iter(), paint);
    section(&mut out, lists::PASSED, lists::passed(plan).into_iter(), paint);
    // A single step that the server does not offer says so itself.
    let mut actions = plan.accounts.iter().flat_map(|account| &account.actions);
    if actions.any(|action| action.state == ActionState::Manual && action.link.is_some()) {
        let _ = writeln!(out, "{BY_HAND}");
    }
    if let Some(word) = manual::of_links(&plan.api, &out) {
        let _ = writeln!(out, "{word}");
    }
    if let Some(money) = &executive.money {
        let _ = writeln!(out, "{money}");
    }
    let _ = writeln!(out, "{}", paint.bold(&summary(plan)));
    out
}

fn client(out: &mut String, account: &AccountPlan, paint: Paint) {
    let _ = writeln!(out, "{}", head(account, paint));
    if let Some(message) = &account.message {
        let _ = writeln!(out, "  {} {message}", paint.colour(AnsiColor::Yellow, "!"));
    }
    actions(out, account.actions.iter(), paint);
}

/// The client, its account, the place of its manifest, and what it costs more or less.
pub(super) fn head(account: &AccountPlan, paint: Paint) -> String {
    let what = match (&account.account_id, account.state) {
        (_, AccountState::Invalid) => "invalid".to_owned(),
        (Some(id), AccountState::Suspended) => format!("account {id}, suspended"),
        (None, AccountState::Suspended) => "suspended".to_owned(),
        (Some(id), _) => format!("account {id}"),
        (None, _) if creates(account) => "new".to_owned(),
        (None, _) => "no account".to_owned(),
    };
    let price = match (account.monthly_before, account.monthly_after) {
        (Some(before), Some(after)) if before != after => format!("  {} a month", signed(after - before)),
        _ => String::new(),
    };
    let source = paint.faint(&account.source.to_string());
    let name = inert(&account.name);
    format!("{} ({what})  {source}{price}", paint.bold(&name))
}

/// Actions, each on a line; below those that are done by hand their steps, in one count for
/// the account, and each value to type on a line of its own.
pub(super) fn actions<'a>(out: &mut String, actions: impl Iterator<Item = &'a Action>, paint: Paint) {
    let mut steps = 0;
    for one in actions {
        let _ = writeln!(out, "  {}", action(one, paint));
        for step in &one.steps {
            steps += 1;
            let mut lines = step.lines();
            let _ = writeln!(out, "    {steps}. {}", lines.next().unwrap_or_default());
            for value in lines {
                let _ = writeln!(out, "       {value}");
            }
        }
    }
}

fn creates(account: &AccountPlan) -> bool {
    let going = |action: &Action| action.is_planned() || action.state == ActionState::Manual;
    account.actions.iter().any(|action| matches!(action.op, Op::CreateAccount { .. }) && going(action))
}

/// One action on a line: its sign, what it does, and what keeps it.
pub(super) fn action(action: &Action, paint: Paint) -> String {
    let (sign, colour) = sign(action);
    let sign = paint.colour(colour, sign);
    let what = describe(&action.op);
    let because = |reason: Option<Reason>| reason.map_or_else(String::new, |reason| format!(" ({reason:?})"));
    let message = &action.message;
    let cause = cause(action);
    match action.state {
        ActionState::Planned => format!("{sign} {message}{cause}"),
        ActionState::Applied => format!("{sign} {what}: done"),
        ActionState::Manual => format!("{sign} {what}, by hand{cause}"),
        ActionState::Failed => {
            let id = action.request_id.as_ref().map_or_else(String::new, |id| format!(", request id {id}"));
            let again = if message.contains("request id") { String::new() } else { id };
            format!("{sign} {what}: failed: {message}{again}{}{cause}", because(action.reason))
        }
        ActionState::Blocked => format!("{sign} {what}: {message}{}{cause}", because(action.reason)),
        ActionState::Waiting => format!("{sign} {what}: {message}{}{cause}", because(action.reason)),
        ActionState::Skipped => {
            paint.faint(&format!("- skipped: {what}: {message}{cause}")).replacen("- skipped", "  skipped", 1)
        }
    }
}

/// What is to be told of why it is needed, after a semicolon.
fn cause(action: &Action) -> String {
    match action.cause.map(|cause| cause.to_string()) {
        Some(words) if words.is_empty() => String::new(),
        Some(words) if action.is_planned() => format!("; set back: {words}"),
        Some(words) => format!("; {words}"),
        None => String::new(),
    }
}

/// `+` comes, `~` changes, `-` goes, `!` needs somebody, `*` by hand, `…` waits.
fn sign(action: &Action) -> (&'static str, AnsiColor) {
    match action.state {
        ActionState::Failed | ActionState::Blocked => return ("!", AnsiColor::Red),
        ActionState::Waiting => return ("…", AnsiColor::Blue),
        ActionState::Manual => return ("*", AnsiColor::Yellow),
        ActionState::Skipped => return (" ", AnsiColor::Blue),
        ActionState::Planned | ActionState::Applied => {}
    }
    match action.op {
        Op::CreateAccount { .. } | Op::Subscribe { .. } | Op::AddMember { .. } => ("+", AnsiColor::Green),
        Op::UpdateAccount { .. } | Op::ChangePlan { .. } | Op::SetSeats { .. } | Op::SetAccess { .. } => {
            ("~", AnsiColor::Yellow)
        }
        Op::RemoveMember { .. } | Op::Unsubscribe { .. } => ("-", AnsiColor::Red),
    }
}

fn unmanaged(out: &mut String, plan: &Plan, paint: Paint) {
    if plan.unmanaged.is_empty() {
        return;
    }
    let known: Money = plan.unmanaged.iter().filter_map(|account| account.monthly).sum();
    let unread = plan.unmanaged.iter().filter(|account| account.monthly.is_none()).count();
    let title = match unread {
        0 => format!("Without a manifest, never touched: {}, {known} a month", accounts(plan.unmanaged.len())),
        _ => format!(
            "Without a manifest, never touched: {}, {known} a month and {unread} of unknown price",
            accounts(plan.unmanaged.len())
        ),
    };
    let lines = plan.unmanaged.iter().map(|account| {
        let name = account.name.as_ref().map_or_else(|| "(no name)".to_owned(), ToString::to_string);
        let price = account.monthly.map_or_else(|| "price unknown".to_owned(), |price| price.to_string());
        format!("{}  {name}  {price}", account.account_id)
    });
    section(out, &title, lines, paint);
}

fn accounts(n: usize) -> String {
    count(n, "account", "accounts")
}

/// Lines under a title, nothing where there are none; past fifty, how many more.
pub(super) fn section(out: &mut String, title: &str, lines: impl Iterator<Item = String>, paint: Paint) {
    const SHOWN: usize = 50;
    let mut lines = lines.peekable();
    if lines.peek().is_none() {
        return;
    }
    let _ = writeln!(out, "{}", paint.bold(title));
    for line in lines.by_ref().take(SHOWN) {
        let _ = writeln!(out, "  {line}");
    }
    let more = lines.count();
    if more > 0 {
        let _ = writeln!(out, "  and {more} more");
    }
    out.push('\n');
}

pub(super) fn signed(money: Money) -> String {
    if money > Money::ZERO { format!("+{money}") } else { money.to_string() }
}

/// The list price a month, where something changes.
pub(super) fn money(plan: &Plan) -> Option<String> {
    let crate::plan::Cost { before, after, unpriced } = plan.cost;
    let custom = match unpriced {
        0 => String::new(),
        n => format!("; {} with a custom or unknown price not counted", accounts(n as usize)),
    };
    if before == after && plan.requests.to_apply == 0 {
        return None;
    }
    let delta = signed(after - before);
    Some(format!("List price a month in USD: {before} now, {after} after, {delta}{custom}"))
}

pub(super) fn summary(plan: &Plan) -> String {
    let Summary {
        create_account,
        update_account,
        subscribe,
        change_plan,
        set_seats,
        remove_member,
        add_member,
        set_access,
        unsubscribe,
        waiting,
        blocked,
        manual,
        in_sync,
    } = plan.summary;
    let parts = |parts: &[(u32, &str)]| {
        let parts = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
        parts.collect::<Vec<_>>().join(", ")
    };
    let planned = parts(&[
        (create_account, "to create"),
        (update_account, "to update"),
        (subscribe, "to subscribe"),
        (change_plan, "to change plan"),
        (set_seats, "to change seats"),
        (remove_member, "to remove"),
        (add_member, "to add"),
        (set_access, "to change access"),
        (unsubscribe, "to unsubscribe"),
    ]);
    let in_state = |state| plan.accounts.iter().filter(|account| account.state == state).count() as u32;
    let (invalid, suspended) = (in_state(AccountState::Invalid), in_state(AccountState::Suspended));
    let failed =
        plan.accounts.iter().flat_map(|a| &a.actions).filter(|a| a.state == ActionState::Failed).count() as u32;
    let held = parts(&[
        (failed, "failed"),
        (waiting, "waiting"),
        (blocked, "blocked"),
        (manual, "by hand"),
        (invalid, "invalid"),
        (in_state(AccountState::Unknown), "unknown"),
        (suspended, "suspended"),
    ]);
    let synced = match in_sync {
        0 => String::new(),
        1 => "1 client is in sync".to_owned(),
        n => format!("{n} clients are in sync"),
    };
    if plan.accounts.is_empty() {
        return "Nothing to do: no client is selected.".to_owned();
    }
    let head = match (planned.is_empty(), held.is_empty()) {
        (true, true) => "Nothing to do".to_owned(),
        (true, false) => "Nothing planned".to_owned(),
        (false, _) => format!("Plan: {planned}"),
    };
    let requests = match plan.requests.to_apply {
        0 => String::new(),
        n => count(n as usize, "request", "requests"),
    };
    let tail: Vec<String> = [held, synced, requests].into_iter().filter(|part| !part.is_empty()).collect();
    if tail.is_empty() { format!("{head}.") } else { format!("{head}; {}.", tail.join("; ")) }
}
