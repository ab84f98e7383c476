//! `bursar resolve`: a person says how an operation ended.

use std::process::ExitCode;

use crate::domain::text::inert;
use crate::domain::{AccountId, MachineClock};
use crate::journal::people::{Ending, Person, Resolved};
use crate::journal::{OperationId, Row, ScopeId, State};

use super::beside::{BesideArgs, ByArgs, Desk, SettleArgs, not_taken};
use super::error::{CliError, CliResult};
use super::ui::Ui;

/// The shortest beginning of an operation's id that is taken.
const SHORTEST: usize = 6;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The operation, as `plan` and `explain` name it; its first characters do, six at least
    #[arg(value_name = "OPERATION")]
    operation: String,
    #[command(flatten)]
    ending: EndingArgs,
    #[command(flatten)]
    by: ByArgs,
    #[command(flatten)]
    settle: SettleArgs,
    #[command(flatten)]
    beside: BesideArgs,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct EndingArgs {
    /// The account was created: this is its id
    #[arg(long, value_name = "ACCOUNT_ID")]
    created: Option<String>,
    /// No account was created; it may be tried anew
    #[arg(long)]
    not_created: bool,
    /// It happened (anything but a create)
    #[arg(long)]
    done: bool,
    /// It did not happen; it may be tried anew
    #[arg(long)]
    not_done: bool,
}

impl EndingArgs {
    fn ending(&self) -> Result<Ending, CliError> {
        Ok(match self {
            Self { created: Some(id), .. } if id.is_empty() || id.bytes().any(|byte| !byte.is_ascii_digit()) => {
                return Err(CliError::new(format!("{} is no id of an account: a number is", inert(id))));
            }
            Self { created: Some(id), .. } => Ending::Created(AccountId::new(id.as_str())),
            Self { not_created: true, .. } => Ending::NotCreated,
            Self { done: true, .. } => Ending::Done,
            Self { .. } => Ending::NotDone,
        })
    }
}

pub async fn run(args: Args, ui: Ui) -> CliResult {
    let ending = args.ending.ending()?;
    let desk = args.beside.open().await?;
    let resolved = resolved(&args, &desk, &ending).await;
    let resolved = desk.closing(resolved).await?;
    ui.out(&told(&resolved));
    if let Some(reason) = &resolved.frozen {
        ui.warn(&format!("All writes are stopped ({}); `bursar unfreeze` lets them go on.", inert(reason)));
    }
    Ok(ExitCode::SUCCESS)
}

async fn resolved(args: &Args, desk: &Desk, ending: &Ending) -> Result<Resolved, CliError> {
    let (scope, operation) = find(&args.operation, desk)?;
    let name = args.by.name();
    let person = Person::new(desk.journal.as_ref(), &name, &MachineClock, args.settle.rules());
    person.resolve(&scope, &operation, ending).await.map_err(|error| not_taken(&error))
}

/// The operation that begins like this.
fn find(beginning: &str, desk: &Desk) -> Result<(ScopeId, OperationId), CliError> {
    let shown = inert(beginning);
    if beginning.len() < SHORTEST {
        return Err(CliError::new(format!(
            "{shown} is too short: give {SHORTEST} characters of the operation at least"
        )));
    }
    let rows = desk.scopes.iter().flat_map(|view| &view.rows);
    let found: Vec<&Row> = rows.filter(|row| row.id().as_str().starts_with(beginning)).collect();
    match found[..] {
        [row] => Ok((row.operation.scope.clone(), row.id())),
        [] => Err(CliError::new(format!("the journal holds no operation {shown}"))
            .hint("`bursar explain CLIENT` and `bursar history` name them")),
        _ => {
            let mut error = CliError::new(format!("several operations begin with {shown}"));
            for row in found {
                error = error.hint(format!("{}: {}", row.id(), inert(&row.cause.what)));
            }
            Err(error)
        }
    }
}

fn told(resolved: &Resolved) -> String {
    let row = &resolved.row;
    let (client, what) = (&row.operation.series.client, inert(&row.cause.what));
    let next = match (row.state, &row.account_id) {
        (State::Done, Some(account)) => format!("it is done, in account {account}; the next pass goes on from there"),
        (State::Done, None) => "it is done; the next pass goes on from there".to_owned(),
        _ => format!("it was not done; the next pass does it anew, as attempt {}", row.attempt),
    };
    format!("{client}: {what}: {next}\n{NEXT_PASS}\n")
}

/// When a person's answer is taken in.
pub const NEXT_PASS: &str =
    "The next pass is `bursar apply`, or a running daemon's next look (`--interval`; at once on SIGHUP).";
