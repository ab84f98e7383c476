//! `bursar charges`: what was really charged, beside what the plans cost.

use std::collections::HashMap;
use std::process::ExitCode;

use futures::StreamExt as _;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::charges::{self, CAVEAT, Period, Report, Row, Sums};
use crate::controller::observe_all;
use crate::domain::{ClientName, Foreign, Money};
use crate::manifest::Wanted;
use crate::plan::{Match, Snapshot, match_accounts};
use crate::provider::Billing;

use super::api::{ApiArgs, Connection};
use super::error::{CliError, CliResult};
use super::manifests::ManifestArgs;

use super::table::table;
use super::ui::{Form, Ui};

/// Accounts whose charges are read at once.
const AT_ONCE: usize = 8;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    manifests: ManifestArgs,
    /// The first day, 2026-10-01 [default: that of the last full month]
    #[arg(long, value_name = "DATE")]
    since: Option<Date>,
    /// The last day, included [default: the last of the month of --since]
    #[arg(long, value_name = "DATE")]
    until: Option<Date>,
    /// The form of the result
    #[arg(short, long, value_enum, default_value = "text")]
    output: Form,
    #[command(flatten)]
    api: ApiArgs,
}

pub async fn run(args: Args, ui: Ui) -> CliResult {
    let today = TimeZone::UTC.to_datetime(Timestamp::now()).date();
    let period = period(args.since, args.until, today)?;
    let (wanted, invalid) = args.manifests.load(ui)?;
    let connection = args.api.connect().await?;
    let read = read(&connection, &wanted, period).await;
    connection.close().await;
    let report = read?;
    ui.out(&match args.output {
        Form::Text => text(&report),
        Form::Json => format!("{:#}\n", charges::json(&report)),
    });
    Ok(if invalid || report.sums().unread > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn period(since: Option<Date>, until: Option<Date>, today: Date) -> Result<Period, CliError> {
    let last = Period::last_month(today);
    let period = match (since, until) {
        (None, None) => last,
        (Some(since), None) => Period { since, until: since.last_of_month() },
        (None, Some(until)) => Period { since: until.first_of_month(), until },
        (Some(since), Some(until)) => Period { since, until },
    };
    if period.since > period.until {
        return Err(CliError::new(format!("--since {} is after --until {}", period.since, period.until)));
    }
    Ok(period)
}

async fn read(connection: &Connection, wanted: &Wanted, period: Period) -> Result<Report, CliError> {
    let billing = connection.billing()?;
    let snapshot = observe_all(connection.reader().as_ref()).await?;
    let clients = clients(wanted, &snapshot);
    let billing: &dyn Billing = billing.as_ref();
    let read: Vec<charges::Read<'_>> = futures::stream::iter(snapshot.accounts.iter().enumerate())
        .map(|(index, observed)| {
            let client = clients.get(&index).cloned();
            async move {
                let charges = billing.charges(&observed.account.id, period.since, period.until).await;
                let charges = charges.map_err(|error| Foreign::new(error.to_string()));
                charges::Read { observed, client, charges }
            }
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    Ok(charges::lay_beside(period, &snapshot.offer, read))
}

fn clients(wanted: &Wanted, snapshot: &Snapshot) -> HashMap<usize, ClientName> {
    let matching = match_accounts(wanted, &snapshot.accounts);
    let found = wanted.clients.iter().filter_map(|client| match matching.account_of(&client.name) {
        Match::Account(index) => Some((index, client.name.clone())),
        Match::New | Match::Blocked { .. } => None,
    });
    found.collect()
}

fn text(report: &Report) -> String {
    let Report { period: Period { since, until }, rows } = report;
    let mut out = format!("From {since} to {until}, in US dollars.\n\n");
    let mut lines: Vec<Vec<String>> = rows.iter().flat_map(lines).collect();
    let Sums { charged, list_price, difference, unread, unpriced } = report.sums();
    let sums = [charged.to_string(), list_price.to_string(), signed(difference)];
    lines.push([&["".into(), "all of these".into(), String::new()][..], &sums, &[String::new()]].concat());
    out += &table(&["ACCOUNT", "NAME", "CLIENT", "CHARGED", "LIST PRICE", "DIFFERENCE", "WHAT EXPLAINS IT"], &lines);
    out += "\n";
    if unread > 0 {
        out += &format!("Not in the sums: the charges of {unread} that could not be read.\n");
    }
    if unpriced > 0 {
        out += &format!("Not in the sums: the list price of {unpriced} where it is not known.\n");
    }
    out + CAVEAT + "\n"
}

/// An account's lines: its row, and a line for each further note.
fn lines(row: &Row) -> Vec<Vec<String>> {
    let Row { account_id, name, client, charged, list_price, notes } = row;
    let mut notes = notes.clone();
    if let Err(why) = charged {
        notes.insert(0, why.to_string());
    }
    let mut notes = notes.into_iter();
    let first = vec![
        account_id.to_string(),
        name.as_ref().map(ToString::to_string).unwrap_or_default(),
        client.as_ref().map_or_else(|| "(unmanaged)".to_owned(), ToString::to_string),
        charged.as_ref().map_or_else(|_| "not read".to_owned(), ToString::to_string),
        list_price.map_or_else(|| "not known".to_owned(), |price| price.to_string()),
        row.difference().map(signed).unwrap_or_default(),
        notes.next().unwrap_or_default(),
    ];
    let further = notes.map(|note| {
        let mut line = vec![String::new(); 6];
        line.push(note);
        line
    });
    std::iter::once(first).chain(further).collect()
}

fn signed(money: Money) -> String {
    if money > Money::ZERO { format!("+{money}") } else { money.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_what_was_said_and_the_last_full_month_else() {
        let date = |raw: &str| raw.parse::<Date>().unwrap();
        let told = |since: Option<&str>, until: Option<&str>| {
            let period = period(since.map(date), until.map(date), date("2026-11-25"));
            period.map(|Period { since, until }| format!("{since} {until}")).map_err(|error| error.to_string())
        };
        assert_eq!(told(None, None).as_deref(), Ok("2026-10-01 2026-10-31"));
        assert_eq!(told(Some("2026-09-10"), None).as_deref(), Ok("2026-09-10 2026-09-30"));
        assert_eq!(told(None, Some("2026-09-10")).as_deref(), Ok("2026-09-01 2026-09-10"));
        assert_eq!(told(Some("2026-08-31"), Some("2026-09-10")).as_deref(), Ok("2026-08-31 2026-09-10"));
        assert!(told(Some("2026-09-10"), Some("2026-09-09")).unwrap_err().contains("is after"));
    }
}
