//! `bursar history`: what was done, when, for which line of which commit.

use std::process::ExitCode;

use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use jiff::Timestamp;

use crate::domain::text::inert;
use crate::domain::{ClientName, Email, Money};
use crate::journal::{Entry, EntryKind, Query, Recorded, export};

use super::beside::{BesideArgs, Desk};
use super::error::{CliError, CliResult};
use super::moment::{Moment, shown};
use super::table::table;
use super::ui::Ui;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only what was done for this client
    #[arg(value_name = "CLIENT", value_parser = ClientName::parse)]
    client: Option<ClientName>,
    /// Only what concerns this person
    #[arg(long, value_name = "EMAIL")]
    person: Option<String>,
    /// Only since then: a day, a time, or how long ago (`7d`)
    #[arg(long, value_name = "WHEN")]
    since: Option<Moment>,
    /// Only until then; a day is included whole
    #[arg(long, value_name = "WHEN")]
    until: Option<Moment>,
    /// Only entries of this kind; may be repeated
    #[arg(long, value_name = "KIND", value_parser = kinds())]
    kind: Vec<EntryKind>,
    /// Only the latest N
    #[arg(short = 'n', long = "latest", value_name = "N")]
    latest: Option<usize>,
    /// The form of the result
    #[arg(short, long, value_enum, default_value = "text")]
    output: Output,
    #[command(flatten)]
    beside: BesideArgs,
}

/// The form of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    Text,
    /// For programs
    Json,
    /// For programs, an entry a line
    Jsonl,
}

fn kinds() -> impl clap::builder::TypedValueParser<Value = EntryKind> {
    PossibleValuesParser::new(EntryKind::ALL.map(EntryKind::as_str))
        .try_map(|word| EntryKind::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or("no kind of entry"))
}

pub async fn run(args: Args, ui: Ui) -> CliResult {
    let desk = args.beside.open().await?;
    let done = read(&args, &desk).await;
    let (history, journal) = (done, desk.journal.id().clone());
    let history = desk.closing(history).await?;
    ui.out(&match args.output {
        Output::Text if history.is_empty() => String::new(),
        Output::Text => text(&history),
        Output::Json => format!("{:#}\n", export::json(&journal, &history)),
        Output::Jsonl => export::json_lines(&history),
    });
    if history.is_empty() {
        ui.say("Nothing of that kind is in the history.");
    }
    Ok(ExitCode::SUCCESS)
}

async fn read(args: &Args, desk: &Desk) -> Result<Vec<Recorded>, CliError> {
    let now = Timestamp::now();
    let query = Query {
        scope: desk.only(),
        client: args.client.clone(),
        person: args.person.as_deref().map(Email::lenient),
        kinds: args.kind.clone(),
        from: args.since.map(|since| since.begins(now)),
        until: args.until.map(|until| until.ends(now)),
        latest: args.latest,
        ..Query::default()
    };
    Ok(desk.journal.history(&query).await?)
}

fn text(history: &[Recorded]) -> String {
    let rows: Vec<Vec<String>> = history.iter().map(|recorded| row(&recorded.entry)).collect();
    table(&["WHEN (UTC)", "KIND", "CLIENT", "ACCOUNT", "A MONTH", "MANIFEST", "REQUEST", "WHAT"], &rows)
}

fn row(entry: &Entry) -> Vec<String> {
    let Entry { at, kind, client, account, message, source, revision, request_id, monthly, .. } = entry;
    let or_empty = |text: Option<String>| text.unwrap_or_default();
    vec![
        shown(*at),
        kind.as_str().to_owned(),
        or_empty(client.as_ref().map(ToString::to_string)),
        or_empty(account.as_ref().map(ToString::to_string)),
        or_empty(monthly.map(signed)),
        or_empty(source.as_ref().map(|source| place(&source.to_string(), revision.as_deref()))),
        or_empty(request_id.as_ref().map(ToString::to_string)),
        inert_whole(message),
    ]
}

/// A file and line, and the commit that they were read from.
pub fn place(source: &str, revision: Option<&str>) -> String {
    match revision {
        Some(revision) => format!("{source}@{}", inert(revision.get(..12).unwrap_or(revision))),
        None => source.to_owned(),
    }
}

/// Text of any length, inert.
pub fn inert_whole(text: &str) -> String {
    let escape = |c: char| {
        if crate::domain::text::is_active(c) { c.escape_unicode().to_string() } else { c.to_string() }
    };
    text.chars().map(escape).collect()
}

fn signed(money: Money) -> String {
    if money > Money::ZERO { format!("+{money}") } else { money.to_string() }
}
