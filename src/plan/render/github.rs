//! The plan for GitHub: annotations at the file and line of each manifest, and the outputs of
//! the step. Nothing that somebody else wrote can begin a command or an output of its own.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::executive::{Executive, gives_all, takes_away};
use super::{lists, text};
use crate::domain::mask;
use crate::domain::text::{inert, is_active};
use crate::manifest::{Finding, Severity, SourceRef, annotation_data, annotation_property, codes, file_below};
use crate::plan::tree::{AccountPlan, AccountState, Action, ActionState, Plan, Reason};
use crate::plan::words::describe;

/// How many annotations of a kind GitHub shows of one step.
const SHOWN: usize = 10;

/// What a plan is shown to GitHub with.
#[derive(Debug, Clone, Copy)]
pub struct GithubOptions<'a> {
    /// What is wrong in the manifests.
    pub findings: &'a [Finding],
    /// The folder that files are named from.
    pub folder: &'a Path,
    /// Emails show so that people are told apart and not named.
    pub masked: bool,
}

/// The kinds of annotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Error,
    Warning,
    Notice,
}

impl Kind {
    const fn command(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
        }
    }
}

/// One annotation. Lower ranks are shown before higher ones.
struct Annotation {
    kind: Kind,
    rank: u8,
    /// File, line and column.
    place: Option<(String, u32, u32)>,
    title: String,
    text: String,
}

/// The plan as workflow commands, the most important of each kind first; past what GitHub shows
/// of a kind, the last one counts the rest.
pub fn github(plan: &Plan, options: &GithubOptions<'_>) -> String {
    let mut all: Vec<Annotation> = findings(options).collect();
    all.extend(lists::tripped(plan).into_iter().map(|rail| Annotation {
        kind: Kind::Error,
        rank: 0,
        place: None,
        title: "Guard rail".to_owned(),
        text: rail,
    }));
    let mut warn = |place, title: &str, text| {
        all.push(Annotation { kind: Kind::Warning, rank: 1, place, title: title.to_owned(), text });
    };
    for line in lists::passed(plan) {
        warn(None, lists::PASSED, line);
    }
    for (one, line) in plan.multiplied.iter().zip(lists::multiplied(plan)) {
        let SourceRef { file, line: number, column } = &one.source;
        warn(Some((file_below(file, options.folder), *number, *column)), lists::MULTIPLIED, line);
    }
    for account in plan.accounts.iter().filter(|account| account.state != AccountState::InSync) {
        client(&mut all, account, options);
    }
    all.extend(notices(plan, options));
    commands(all, options.masked)
}

/// What is said where there is no plan: why, and what is wrong in the manifests.
pub fn github_without_plan(why: &str, options: &GithubOptions<'_>) -> String {
    let failed = Annotation {
        kind: Kind::Error,
        rank: 0,
        place: None,
        title: "There is no plan".to_owned(),
        text: why.to_owned(),
    };
    commands(std::iter::once(failed).chain(findings(options)).collect(), options.masked)
}

/// The outputs of the step, as lines of the file that `GITHUB_OUTPUT` names. `delimiter` stands
/// around the comment, and must not be in it.
pub fn github_outputs(plan: &Plan, exit_code: u8, comment: &str, delimiter: &str) -> String {
    let executive = Executive::of(plan);
    let summary = &plan.summary;
    let changes = plan.accounts.iter().flat_map(|account| &account.actions).any(Action::is_planned);
    let outputs = [
        ("digest", plan.digest.clone()),
        ("changes", changes.to_string()),
        ("exit_code", exit_code.to_string()),
        ("removals", summary.remove_member.to_string()),
        ("cancellations", summary.unsubscribe.to_string()),
        ("full_access", executive.full_access.len().to_string()),
        ("waiting", summary.waiting.to_string()),
        ("blocked", summary.blocked.to_string()),
        ("manual", summary.manual.to_string()),
        ("rails", plan.rails.len().to_string()),
        ("monthly_before", plan.cost.before.to_string()),
        ("monthly_after", plan.cost.after.to_string()),
        ("monthly_delta", (plan.cost.after - plan.cost.before).to_string()),
    ];
    let mut out = String::new();
    for (name, value) in outputs {
        let _ = writeln!(out, "{name}={value}");
    }
    let _ = writeln!(out, "comment<<{delimiter}\n{}\n{delimiter}", comment.trim_end_matches('\n'));
    out
}

fn findings(options: &GithubOptions<'_>) -> impl Iterator<Item = Annotation> {
    options.findings.iter().map(|finding| {
        let Finding { code, severity, message, help, place, related: _ } = finding.clone().below(options.folder);
        let (kind, rank) = match severity {
            Severity::Error => (Kind::Error, 1),
            Severity::Warning => (Kind::Warning, 3),
        };
        let text = help.map_or_else(|| message.clone(), |help| format!("{message}\n{help}"));
        let title = codes::ALL.iter().find(|known| known.id == code).map_or("", |known| known.title);
        let place = Some((place.file, place.line.max(1), place.column.max(1)));
        Annotation { kind, rank, place, title: format!("{code}: {title}"), text }
    })
}

fn client(all: &mut Vec<Annotation>, account: &AccountPlan, options: &GithubOptions<'_>) {
    let name = inert(&account.name);
    let mut say = |kind, rank, title: &str, text: String| {
        let place =
            Some((file_below(&account.source.file, options.folder), account.source.line, account.source.column));
        all.push(Annotation { kind, rank, place, title: format!("{name}: {title}"), text });
    };
    // The findings tell more of a document that does not hold, and at the very place.
    let told = options
        .findings
        .iter()
        .any(|finding| finding.severity == Severity::Error && finding.place.file == account.source.file);
    match &account.message {
        Some(message) if account.state == AccountState::Invalid && !told => {
            say(Kind::Error, 1, "invalid", message.clone());
        }
        Some(message) if account.state != AccountState::Invalid => say(Kind::Warning, 2, "look at", message.clone()),
        _ => {}
    }
    for action in &account.actions {
        let what = || format!("{}: {}", describe(&action.op), action.message);
        match action.state {
            ActionState::Planned if takes_away(action) => {
                say(Kind::Warning, 0, "removed or cancelled", action.message.clone());
            }
            ActionState::Failed => say(Kind::Error, 2, "failed", what()),
            ActionState::Blocked => {
                let rank = if action.reason == Some(Reason::GuardRail) { 4 } else { 3 };
                let reason = action.reason.map_or_else(String::new, |reason| format!(" ({reason:?})"));
                say(Kind::Error, rank, &format!("blocked{reason}"), what());
            }
            _ => {}
        }
    }
    let people: Vec<String> = account.actions.iter().filter_map(gives_all).map(ToString::to_string).collect();
    if !people.is_empty() {
        say(Kind::Warning, 1, "full access", format!("full access is given to {}", people.join(", ")));
    }
    let by_hand = account.actions.iter().filter(|action| action.state == ActionState::Manual);
    let by_hand: Vec<String> = by_hand.map(|action| describe(&action.op)).collect();
    if !by_hand.is_empty() {
        say(Kind::Warning, 2, "by hand", by_hand.join("\n"));
    }
}

fn notices(plan: &Plan, options: &GithubOptions<'_>) -> Vec<Annotation> {
    let notice =
        |rank, place, title: &str, text| Annotation { kind: Kind::Notice, rank, place, title: title.to_owned(), text };
    let executive = Executive::of(plan);
    let summary = std::iter::once(text::summary(plan)).chain(executive.money).collect::<Vec<_>>();
    let mut all = vec![notice(0, None, "bursar plan", summary.join("\n"))];
    if !executive.waits.is_empty() {
        all.push(notice(1, None, "What waits, and on whom", executive.waits.join("\n")));
    }
    let sources: BTreeMap<_, _> =
        plan.accounts.iter().filter_map(|account| Some((account.client.as_ref()?, &account.source))).collect();
    for (said, line) in plan.notices.iter().zip(lists::notices(plan)) {
        let source = said.client.as_ref().and_then(|client| sources.get(client));
        let place = source.map(|source| (file_below(&source.file, options.folder), source.line, source.column));
        all.push(notice(2, place, "Look at", line));
    }
    all
}

fn commands(mut all: Vec<Annotation>, masked: bool) -> String {
    all.sort_by_key(|annotation| (annotation.kind, annotation.rank));
    let mut out = String::new();
    for group in all.chunk_by(|a, b| a.kind == b.kind) {
        let shown = if group.len() > SHOWN { SHOWN - 1 } else { group.len() };
        for annotation in &group[..shown] {
            command(&mut out, annotation, masked);
        }
        let more = group.len() - shown;
        if let (true, Some(first)) = (more > 0, group.first()) {
            let text = format!("{more} more of this kind; the job summary and bursar plan show them all");
            let title = "bursar plan".to_owned();
            command(&mut out, &Annotation { kind: first.kind, rank: 0, place: None, title, text }, masked);
        }
    }
    out
}

fn command(out: &mut String, annotation: &Annotation, masked: bool) {
    let Annotation { kind, rank: _, place, title, text } = annotation;
    // What is masked is masked before it is escaped: else an escape would be taken for a name.
    let shown = |text: &str| if masked { mask(text) } else { text.to_owned() };
    let mut properties = Vec::new();
    if let Some((file, line, column)) = place {
        // A path that shows as something else is of no use to anybody.
        let hostile = file.chars().any(is_active);
        let file = if hostile { inert(file) } else { Cow::Borrowed(file.as_str()) };
        properties.push(format!("file={}", annotation_property(&file)));
        properties.push(format!("line={line}"));
        properties.push(format!("col={column}"));
    }
    properties.push(format!("title={}", annotation_property(&shown(title))));
    let _ = writeln!(out, "::{} {}::{}", kind.command(), properties.join(","), annotation_data(&shown(text)));
}
