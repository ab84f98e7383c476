//! `bursar reconcile`: asks a running daemon for a look now, through its journal.

use std::process::ExitCode;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::text::inert;
use crate::domain::{ClientName, MachineClock};
use crate::journal::people::Person;
use crate::journal::{FactKind, Rules, ScopeView};

use super::beside::{BesideArgs, ByArgs, Desk, not_taken};
use super::error::{CliError, CliResult};
use super::status;
use super::ui::Ui;

/// Between two questions whether it has looked.
const AGAIN: Duration = Duration::from_millis(250);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The client to look at; without, everything
    #[arg(value_name = "CLIENT", value_parser = ClientName::parse)]
    client: Option<ClientName>,
    /// Wait until the daemon has looked, for so long at most
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true, default_missing_value = "2m", value_parser = super::duration)]
    wait: Option<Duration>,
    /// With --wait, where the daemon serves its status
    #[arg(long, env = "BURSAR_DAEMON", value_name = "URL", default_value = status::USUAL)]
    daemon: String,
    #[command(flatten)]
    by: ByArgs,
    #[command(flatten)]
    beside: BesideArgs,
}

pub async fn run(args: Args, ui: Ui) -> CliResult {
    let desk = args.beside.open().await?;
    let asked_at = Timestamp::now();
    let done = asked(&args, &desk).await;
    desk.closing(done).await?;
    let what = args.client.as_ref().map_or_else(|| "everything".to_owned(), ToString::to_string);
    ui.out(&format!("Asked to look at {what}; a running daemon takes that in within seconds.\n"));
    if let Some(within) = args.wait {
        looked(&args, asked_at, within).await?;
        ui.out(&format!("It has looked at {what}.\n"));
    }
    Ok(ExitCode::SUCCESS)
}

async fn asked(args: &Args, desk: &Desk) -> Result<(), CliError> {
    if desk.scopes.is_empty() {
        return Err(CliError::new("the journal holds nothing yet, so no daemon runs on it, or it has not looked once")
            .hint("a daemon looks at everything when it begins"));
    }
    let name = args.by.name();
    let person = Person::new(desk.journal.as_ref(), &name, &MachineClock, Rules::default());
    let Some(client) = &args.client else {
        for view in &desk.scopes {
            person.ask_to_look(&view.card.id, None).await.map_err(|error| not_taken(&error))?;
        }
        return Ok(());
    };
    let knows = |view: &ScopeView| {
        view.fact(FactKind::Binding, client.as_str()).is_some()
            || view.rows.iter().any(|row| row.operation.series.client == *client)
    };
    let view = match desk.one(client.as_str(), knows)? {
        Some(view) => view,
        None => match &desk.scopes[..] {
            [one] => one,
            _ => {
                let error = CliError::new(format!("the journal knows no {client}"));
                return Err(error.hint("choose the part of the journal with --scope, or ask for everything"));
            }
        },
    };
    person.ask_to_look(&view.card.id, Some(client)).await.map_err(|error| not_taken(&error))
}

/// Waits until a pass that began after the question has ended.
async fn looked(args: &Args, asked_at: Timestamp, within: Duration) -> Result<(), CliError> {
    let until = tokio::time::Instant::now() + within;
    loop {
        let why = match status::ask(&args.daemon, Duration::from_secs(10)).await {
            Ok(status) => {
                let done = match &args.client {
                    Some(client) => status
                        .accounts
                        .iter()
                        .any(|at| at.name == client.as_str() && at.looked_at.is_some_and(|at| at > asked_at)),
                    None => status
                        .fleets
                        .iter()
                        .filter(|fleet| fleet.holding)
                        .all(|fleet| fleet.last_pass.as_ref().is_some_and(|pass| pass.whole && pass.at > asked_at)),
                };
                if done {
                    return Ok(());
                }
                "it has not looked yet".to_owned()
            }
            Err(why) => why,
        };
        if tokio::time::Instant::now() >= until {
            let daemon = inert(&args.daemon);
            return Err(CliError::new(format!("no look within {within:?}, by the daemon at {daemon}: {why}"))
                .hint("it was asked nevertheless; `bursar status` tells how it goes on"));
        }
        tokio::time::sleep(AGAIN).await;
    }
}
