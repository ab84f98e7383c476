//! The plan as a comment on a pull request: what a reviewer must decide first, then client by
//! client, what is destructive before the rest, cut to what a comment may hold.
//!
//! Everything that somebody else wrote stands in code, in fences longer than any run of
//! backticks in it, where neither HTML nor `@` nor Markdown means anything.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::executive::{Executive, in_order};
use super::lists;
use super::text::{self, Paint};
use crate::domain::mask;
use crate::plan::tree::{Plan, Summary};
use crate::plan::words::count;

/// What a comment holds at most, in bytes: GitHub takes 65,536 characters.
const MOST: usize = 65_000;
/// Kept free for what says how much is missing.
const TAIL: usize = 400;
/// Lines of a list before it is cut.
const LISTED: usize = 30;

/// A hidden first line by which one comment is found again and updated in place.
pub const MARKER: &str = "<!-- bursar plan -->";

/// The comment; `masked` shows emails so that people are told apart and not named.
pub fn markdown(plan: &Plan, masked: bool) -> String {
    let mut sheet = Sheet { text: String::new(), masked };
    let digest = code(&plan.digest);
    sheet.push(&format!("{MARKER}\n### bursar plan\n\n{}\n\nDigest {digest}\n\n", text::summary(plan)));
    let executive = Executive::of(plan);
    sheet.push(&table(plan, &executive));
    let people = executive.people();
    sheet.list("Removed or cancelled", executive.taken);
    sheet.list("People who get full access", people);
    sheet.list(lists::MULTIPLIED, lists::multiplied(plan));
    sheet.list("Guard rails", lists::rails(plan));
    sheet.list(lists::PASSED, lists::passed(plan));
    sheet.list("What waits, and on whom", executive.waits);
    sheet.list("What needs a person", executive.needs);
    sheet.list("Look at", lists::notices(plan));
    clients(&mut sheet, plan);
    sheet.list("Drift", lists::drift(plan));
    sheet.list(lists::TOLD, lists::told(plan));
    sheet.text
}

/// Markdown that never grows past what a comment holds.
struct Sheet {
    text: String,
    masked: bool,
}

impl Sheet {
    /// Whether it had room.
    fn push(&mut self, part: &str) -> bool {
        let part = if self.masked { Cow::Owned(mask(part)) } else { Cow::Borrowed(part) };
        let fits = self.text.len() + part.len() <= MOST - TAIL;
        if fits {
            self.text.push_str(&part);
        }
        fits
    }

    fn list(&mut self, title: &str, lines: Vec<String>) {
        if lines.is_empty() {
            return;
        }
        let more = lines.len().saturating_sub(LISTED);
        let mut shown: Vec<String> = lines.into_iter().take(LISTED).collect();
        if more > 0 {
            shown.push(format!("and {more} more"));
        }
        let part = format!("**{title}**\n\n{}\n", fenced("text", &shown.join("\n")));
        if !self.push(&part) {
            self.text.push_str(&format!("**{title}**: left out, the comment is full.\n\n"));
        }
    }
}

/// Code that nothing in it can end.
fn fenced(language: &str, code: &str) -> String {
    let fence = "`".repeat(longest_run(code).max(2) + 1);
    format!("{fence}{language}\n{code}\n{fence}\n")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}

/// A piece of code in a line.
fn code(text: &str) -> String {
    let fence = "`".repeat(longest_run(text) + 1);
    let text = text.replace('|', "\\|");
    format!("{fence} {text} {fence}")
}

/// What the money, the people and the waiting come to, on one screen.
fn table(plan: &Plan, executive: &Executive) -> String {
    let mut out = String::from("| | |\n| --- | --- |\n");
    let mut row = |what: &str, said: String| {
        let _ = writeln!(out, "| {what} | {said} |");
    };
    let crate::plan::Cost { before, after, unpriced } = plan.cost;
    let custom = match unpriced {
        0 => String::new(),
        n => format!("; {} with a custom or unknown price not counted", count(n as usize, "account", "accounts")),
    };
    row(
        "List price a month, USD",
        format!("{before} now, {after} after, **{}**{custom}", text::signed(after - before)),
    );
    row("People who get full access", executive.full_access.len().to_string());
    row("Removals and cancellations", executive.taken.len().to_string());
    let Summary { waiting, blocked, manual, .. } = plan.summary;
    for (what, n) in [("Waiting", waiting), ("Blocked: a person must act", blocked), ("By hand", manual)] {
        if n > 0 {
            row(what, n.to_string());
        }
    }
    out.push('\n');
    out
}

/// Client by client: what takes something away first, then what needs somebody, then the rest.
fn clients(sheet: &mut Sheet, plan: &Plan) {
    let accounts = in_order(plan);
    let mut left = accounts.len();
    for account in &accounts {
        let mut lines = account.message.as_ref().map_or_else(String::new, |message| format!("  ! {message}\n"));
        text::actions(&mut lines, account.actions.iter(), Paint(false));
        // The sign stands first, where a diff has its own.
        let lines: Vec<&str> = lines.lines().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
        let body = if lines.is_empty() { String::new() } else { fenced("diff", &lines.join("\n")) };
        let head = text::head(account, Paint(false));
        if !sheet.push(&format!("{}\n\n{body}\n", code(&head))) {
            break;
        }
        left -= 1;
    }
    if left > 0 {
        let shown = accounts.len() - left;
        let left_out = accounts.iter().skip(shown).flat_map(|account| &account.actions).count();
        sheet.text.push_str(&format!(
            "**{} with {} not shown here**: the comment is full. `bursar plan` shows them all.\n\n",
            count(left, "more client", "more clients"),
            count(left_out, "action", "actions"),
        ));
    }
}
