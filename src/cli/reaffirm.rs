//! `bursar reaffirm`: an account or a person that somebody removed elsewhere is wanted anew.

use std::process::ExitCode;

use crate::domain::text::inert;
use crate::domain::{ClientName, Email, MachineClock};
use crate::journal::people::{Person, Reaffirmed};
use crate::journal::{EntryKind, FactKind, Rules, ScopeView};

use super::beside::{BesideArgs, ByArgs, Desk, not_taken};
use super::error::{CliError, CliResult};
use super::resolve::NEXT_PASS;
use super::ui::Ui;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The client, by the name in its manifest
    #[arg(value_name = "CLIENT", value_parser = ClientName::parse)]
    client: ClientName,
    /// The person who is to be added again; without, the account is to be made again
    #[arg(value_name = "EMAIL")]
    person: Option<String>,
    #[command(flatten)]
    by: ByArgs,
    #[command(flatten)]
    beside: BesideArgs,
}

pub async fn run(args: Args, ui: Ui) -> CliResult {
    let person = args.person.as_deref().map(Email::parse).transpose()?;
    let desk = args.beside.open().await?;
    let done = reaffirmed(&args, &desk, person.as_ref()).await;
    let Reaffirmed { account, gone, frozen } = desk.closing(done).await?;
    let client = &args.client;
    ui.out(&match (&person, &account) {
        (Some(person), _) => {
            format!("{client}: {person} is added again, if the manifest wants them still.\n{NEXT_PASS}\n")
        }
        (None, Some(id)) if !gone => format!(
            "{client}: where account {id} is not listed any more, a new one is made, if the manifest wants it still.\n\
             {NEXT_PASS}\n"
        ),
        (None, _) => format!("{client}: a new account is made, if the manifest wants it still.\n{NEXT_PASS}\n"),
    });
    if let Some(reason) = frozen {
        ui.warn(&format!("All writes are stopped ({}); `bursar unfreeze` lets them go on.", inert(&reason)));
    }
    Ok(ExitCode::SUCCESS)
}

async fn reaffirmed(args: &Args, desk: &Desk, person: Option<&Email>) -> Result<Reaffirmed, CliError> {
    let client = &args.client;
    let knows = |view: &ScopeView| {
        view.fact(FactKind::Binding, client.as_str()).is_some()
            || view.rows.iter().any(|row| row.operation.series.client == *client)
    };
    let view = desk.one(client.as_str(), knows)?;
    let view = view.ok_or_else(|| {
        CliError::new(format!("nothing is remembered of {client}, so nothing holds it back"))
            .hint(format!("`bursar history --kind {}` tells what is", EntryKind::Bound.as_str()))
    })?;
    let name = args.by.name();
    let by = Person::new(desk.journal.as_ref(), &name, &MachineClock, Rules::default());
    by.reaffirm(&view.card.id, client, person).await.map_err(|error| not_taken(&error))
}
