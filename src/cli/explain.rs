//! `bursar explain`: why a client stands where it stands, and what ends it.

use std::fmt::Write as _;
use std::process::ExitCode;

use jiff::Timestamp;

use crate::domain::ClientName;
use crate::domain::text::inert;
use crate::journal::explain::{Answered, Bound, Explanation, Rail, Seen, Told, explain};
use crate::journal::{EntryKind, Query, ScopeView, State};
use crate::plan::{OpKind, Weight, Words};

use super::beside::{BesideArgs, Desk, SettleArgs};
use super::error::{CliError, CliResult};
use super::history::{inert_whole, place};
use super::moment::shown;
use super::table::table;
use super::ui::Ui;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The client, by the name in its manifest
    #[arg(value_name = "CLIENT", value_parser = ClientName::parse)]
    client: ClientName,
    #[command(flatten)]
    settle: SettleArgs,
    #[command(flatten)]
    beside: BesideArgs,
}

pub async fn run(args: Args, ui: Ui) -> CliResult {
    let desk = args.beside.open().await?;
    let explained = explained(&args, &desk).await;
    let explanation = desk.closing(explained).await?;
    ui.out(&text(&explanation));
    Ok(ExitCode::SUCCESS)
}

async fn explained(args: &Args, desk: &Desk) -> Result<Explanation, CliError> {
    let client = &args.client;
    let rules = args.settle.rules();
    let knows = |view: &ScopeView| {
        view.rows.iter().any(|row| row.operation.series.client == *client)
            || view.facts.iter().any(|fact| fact.key == client.as_str())
    };
    let unknown = || {
        CliError::new(format!("the journal knows nothing of {client}")).hint(
            "it learns of a client at the first `bursar apply` or `bursar run`; `bursar validate` reads manifests",
        )
    };
    let view = desk.one(client.as_str(), knows)?.ok_or_else(unknown)?;
    let scope = Some(view.card.id.clone());
    let of_client = Query { scope: scope.clone(), client: Some(client.clone()), ..Query::default() };
    let of_rails = Query { scope, kinds: vec![EntryKind::RailTripped], ..Query::default() };
    let mut history = desk.journal.history(&of_client).await?;
    history.extend(desk.journal.history(&of_rails).await?);
    history.sort_by_key(|recorded| recorded.seq);
    explain(client, view, &history, &rules, Timestamp::now()).ok_or_else(unknown)
}

/// An explanation for a terminal.
fn text(explanation: &Explanation) -> String {
    let Explanation { client, account, frozen, rails, people, words, operations } = explanation;
    let bold = anstyle::Style::new().bold();
    let made = operations.iter().find(|told| told.kind == OpKind::CreateAccount && told.state == State::Done);
    let made = made.and_then(|told| told.account.as_ref());
    let account = match account {
        Some(Bound { id, gone: false, since }) => format!("account {id}, since {}", shown(*since)),
        Some(Bound { id, gone: true, since }) => {
            format!("account {id} is not listed any more, since {}", shown(*since))
        }
        None => made.map_or_else(
            || "no account that the journal knows of".to_owned(),
            |id| format!("account {id}, which no look has seen since it was made"),
        ),
    };
    let mut out = format!("{bold}{client}{bold:#}: {account}\n");
    if let Some(fact) = frozen {
        let _ = writeln!(out, "\nAll writes are stopped since {}: {}", shown(fact.since), inert(&fact.value));
        let _ = writeln!(out, "  type: bursar unfreeze");
    }
    for Rail { flag, value, since, message } in rails {
        let _ = writeln!(out, "\n{} {} tripped, and stays so since {}", inert(flag), inert(value), shown(*since));
        if let Some(message) = message {
            let _ = writeln!(out, "  {}", inert_whole(message));
        }
        let _ = writeln!(out, "  type: bursar approve DIGEST, or set another value");
    }
    for told in operations {
        out.push('\n');
        operation(&mut out, told);
    }
    if !people.is_empty() {
        let row = |Seen { email, access, since }: &Seen| vec![email.to_string(), inert(access).into(), shown(*since)];
        let rows: Vec<_> = people.iter().map(row).collect();
        let _ =
            write!(out, "\nIn the account at the last look\n{}", table(&["WHO", "ACCESS", "SEEN SINCE (UTC)"], &rows));
    }
    said(&mut out, words);
    out
}

/// What was said of members who cannot be read, and whether it counts still.
fn said(out: &mut String, words: &Words) {
    let whole = words.whole.as_ref().map(|word| ("anybody else".to_owned(), word));
    let people = words.people.iter().map(|(email, word)| (email.to_string(), word));
    let rows: Vec<_> = people
        .chain(whole)
        .map(|(who, word)| {
            let counts = match word.weight {
                Weight::Holds => "yes".to_owned(),
                Weight::Expired => "no: too old".to_owned(),
                Weight::Contested { at } => format!("no: a webhook told the opposite, {}", shown(at)),
            };
            vec![who, word.says.to_string(), word.to_string(), counts]
        })
        .collect();
    if !rows.is_empty() {
        let _ =
            write!(out, "\nOn somebody's word, for 90 days\n{}", table(&["WHO", "IS", "WHOSE WORD", "COUNTS"], &rows));
    }
}

fn operation(out: &mut String, told: &Told) {
    let Told {
        operation,
        kind: _,
        account: _,
        what,
        state,
        words,
        since,
        attempts,
        sends,
        source,
        revision,
        rule,
        ends,
        commands,
        answers,
    } = told;
    let bold = anstyle::Style::new().bold();
    let from = source.as_ref().map(|source| place(&source.to_string(), revision.as_deref()));
    let _ = writeln!(out, "{bold}{}{bold:#}  {}", inert_whole(what), from.unwrap_or_default());
    let since = since.map_or_else(String::new, |since| format!("since {}: ", shown(since)));
    let _ = writeln!(out, "  {since}{}", inert_whole(words));
    let _ = writeln!(out, "  operation {operation}, {}, {}", count(*attempts, "attempt"), count(*sends, "request"));
    let quiet = *state == State::Done && commands.is_empty();
    if !quiet {
        let _ = writeln!(out, "  rule: {rule}");
        for Answered { at, kind, message, request_id } in answers {
            // A server's refusal names its request already.
            let id = request_id.as_ref().filter(|id| !message.contains(id.as_str()));
            let id = id.map_or_else(String::new, |id| format!(" (request id {id})"));
            let said = if message.is_empty() { String::new() } else { format!(": {}", inert_whole(message)) };
            let _ = writeln!(out, "  {}  {}{said}{id}", shown(*at), kind.as_str());
        }
    }
    if let Some(ends) = ends {
        let _ = writeln!(out, "  ends by: {ends}");
    }
    for command in commands {
        let _ = writeln!(out, "  type: {command}");
    }
}

fn count(n: u32, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
