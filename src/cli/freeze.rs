//! `bursar freeze` and `bursar unfreeze`: all writes stop at once, and go on.

use std::process::ExitCode;

use crate::domain::MachineClock;
use crate::domain::text::inert;
use crate::journal::Rules;
use crate::journal::people::Person;

use super::beside::{BesideArgs, ByArgs, Desk, not_taken};
use super::error::{CliError, CliResult};
use super::moment::shown;
use super::ui::Ui;

#[derive(Debug, clap::Args)]
pub struct FreezeArgs {
    /// Why, for everybody who wonders
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    #[command(flatten)]
    by: ByArgs,
    #[command(flatten)]
    beside: BesideArgs,
}

#[derive(Debug, clap::Args)]
pub struct UnfreezeArgs {
    #[command(flatten)]
    by: ByArgs,
    #[command(flatten)]
    beside: BesideArgs,
}

pub async fn freeze(args: FreezeArgs, ui: Ui) -> CliResult {
    let desk = args.beside.open().await?;
    let done = frozen(&args, &desk).await;
    ui.out(&desk.closing(done).await?);
    Ok(ExitCode::SUCCESS)
}

async fn frozen(args: &FreezeArgs, desk: &Desk) -> Result<String, CliError> {
    if desk.scopes.is_empty() {
        return Err(CliError::new("the journal holds nothing yet, so there is nothing to freeze")
            .hint("it learns whose accounts it is about at the first `bursar apply` or `bursar run`"));
    }
    let name = args.by.name();
    let person = Person::new(desk.journal.as_ref(), &name, &MachineClock, Rules::default());
    let mut out = String::new();
    for view in &desk.scopes {
        let before = person.freeze(&view.card.id, &args.reason).await.map_err(|error| not_taken(&error))?;
        out += &match before {
            Some(fact) => {
                format!("Frozen already, since {} ({}): {}\n", shown(fact.since), inert(&fact.value), view.card)
            }
            None => format!("Frozen: {}\n", view.card),
        };
    }
    out += "No request is begun any more; one that is under way ends, and its outcome is written down.\n";
    Ok(out)
}

pub async fn unfreeze(args: UnfreezeArgs, ui: Ui) -> CliResult {
    let desk = args.beside.open().await?;
    let done = unfrozen(&args, &desk).await;
    ui.out(&desk.closing(done).await?);
    Ok(ExitCode::SUCCESS)
}

async fn unfrozen(args: &UnfreezeArgs, desk: &Desk) -> Result<String, CliError> {
    let name = args.by.name();
    let person = Person::new(desk.journal.as_ref(), &name, &MachineClock, Rules::default());
    let mut out = String::new();
    for view in &desk.scopes {
        let before = person.unfreeze(&view.card.id).await.map_err(|error| not_taken(&error))?;
        if let Some(fact) = before {
            out += &format!(
                "Writes go on; they were stopped since {} ({}): {}\n",
                shown(fact.since),
                inert(&fact.value),
                view.card
            );
        }
    }
    if out.is_empty() {
        return Ok("Nothing is frozen.\n".to_owned());
    }
    Ok(out + super::resolve::NEXT_PASS + "\n")
}
