//! `bursar access`: who can or could reach what, since when, through which commit.

use std::process::ExitCode;

use jiff::Timestamp;

use crate::domain::Email;
use crate::domain::text::inert;
use crate::journal::Query;
use crate::journal::access::{About, Doubt, Edge, How, KINDS, Level, Ours, Span, doubts, spans};

use super::beside::{BesideArgs, Desk};
use super::error::{CliError, CliResult};
use super::history::{inert_whole, place};
use super::moment::{Moment, shown};
use super::table::table;
use super::ui::Ui;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    about: AboutArgs,
    /// How it was then: a day (its end), a time, or how long ago; without it, the whole history
    #[arg(long, value_name = "WHEN")]
    as_of: Option<Moment>,
    #[command(flatten)]
    beside: BesideArgs,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct AboutArgs {
    /// What this person can reach
    #[arg(long, value_name = "EMAIL")]
    person: Option<String>,
    /// Who can reach this account: a client's name, or an account's id
    #[arg(long, value_name = "CLIENT|ID")]
    account: Option<String>,
}

pub async fn run(args: Args, ui: Ui) -> CliResult {
    let about = match (&args.about.person, &args.about.account) {
        (Some(person), _) => About::Person(Email::lenient(person.as_str())),
        (None, account) => About::Account(account.clone().unwrap_or_default()),
    };
    let desk = args.beside.open().await?;
    let found = replayed(&args, &desk, &about).await;
    let (spans, doubts) = desk.closing(found).await?;
    if spans.is_empty() && doubts.is_empty() {
        let when = if args.as_of.is_some() { " then" } else { "" };
        ui.say(&match about {
            About::Person(person) => format!("{person} could reach nothing that the journal knows of{when}."),
            About::Account(account) => {
                format!("Nobody could reach {} that the journal knows of{when}.", inert(&account))
            }
        });
    }
    ui.out(&text(&spans, &doubts));
    Ok(ExitCode::SUCCESS)
}

async fn replayed(args: &Args, desk: &Desk, about: &About) -> Result<(Vec<Span>, Vec<Doubt>), CliError> {
    let as_of = args.as_of.map(|moment| moment.ends(Timestamp::now()));
    let query = Query { scope: desk.only(), kinds: KINDS.to_vec(), until: as_of, ..Query::default() };
    let history = desk.journal.history(&query).await?;
    let mut spans = spans(&history, about);
    let mut doubtful = Vec::new();
    match as_of {
        Some(_) => spans.retain(|span| span.until.is_none()),
        None => doubtful.extend(desk.scopes.iter().flat_map(|view| doubts(&view.rows, about))),
    }
    Ok((spans, doubtful))
}

fn text(spans: &[Span], doubts: &[Doubt]) -> String {
    let mut out = String::new();
    if !spans.is_empty() {
        let several = spans.iter().any(|span| span.scope != spans[0].scope);
        let rows: Vec<_> = spans.iter().map(|span| row(span, several)).collect();
        out +=
            &table(&["SCOPE", "ACCOUNT", "CLIENT", "PERSON", "ACCESS", "FROM (UTC)", "BY", "UNTIL (UTC)", "BY"], &rows);
    }
    for Doubt { operation, client, what } in doubts {
        out += &format!(
            "It is not known whether this happened: {client}: {} (operation {operation}; bursar explain {client})\n",
            inert_whole(what)
        );
    }
    out
}

fn row(span: &Span, several: bool) -> Vec<String> {
    let Span { scope, account, client, person, access, from, until } = span;
    let access = match access {
        Level::Full => "full".to_owned(),
        Level::Limited => "limited".to_owned(),
        Level::Invited => "none yet: invited".to_owned(),
        Level::Other(word) => inert(word).into_owned(),
    };
    let (until, until_how) = match until {
        Some(Edge { at, how }) => (shown(*at), went(how)),
        None => ("now".to_owned(), String::new()),
    };
    vec![
        if several { scope.to_string() } else { String::new() },
        account.to_string(),
        client.as_ref().map(ToString::to_string).unwrap_or_default(),
        person.to_string(),
        access,
        shown(from.at),
        came(&from.how),
        until,
        until_how,
    ]
}

fn came(how: &How) -> String {
    match how {
        How::Ours(ours) => through(ours),
        How::WithAccount(ours) => format!("made with the account, {}", through(ours)),
        How::FirstLook => "there at the first look".to_owned(),
        How::Accepted(Some(ours)) => format!("accepted, {}", through(ours)),
        How::Accepted(None) => "accepted".to_owned(),
        How::ByHand => "by somebody's hand".to_owned(),
        How::Account => "the account was listed again".to_owned(),
    }
}

fn went(how: &How) -> String {
    match how {
        How::Ours(ours) => through(ours),
        How::Account => "the account was not listed any more".to_owned(),
        How::Accepted(_) => "accepted".to_owned(),
        How::WithAccount(_) | How::FirstLook | How::ByHand => "by somebody's hand".to_owned(),
    }
}

fn through(ours: &Ours) -> String {
    let Ours { source, revision, request_id: _, offboarding, said_by } = ours;
    let source = source.as_ref().map(|source| place(&source.to_string(), revision.as_deref()));
    let mut said = source.unwrap_or_else(|| "ours".to_owned());
    if *offboarding {
        said += " (offboarding)";
    }
    if let Some(by) = said_by {
        said += &format!(" (says {})", inert(by));
    }
    said
}
