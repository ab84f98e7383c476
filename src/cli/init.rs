//! `bursar init`: which journal a folder of manifests belongs to.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::journal::{Address, lock, open_beside, open_executor};

use super::error::{CliError, CliResult};
use super::keeping::{JournalArgs, not_opened, other_journal};
use super::ui::Ui;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder with the manifests
    #[arg(value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
    /// Name this journal even where another one is named
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    journal: JournalArgs,
}

pub async fn run(args: Args, ui: Ui) -> CliResult {
    let address = args.journal.address();
    if matches!(address, Address::Nowhere) {
        return Err(CliError::new("a journal that ends with the process cannot be named")
            .hint("name a lasting one: --journal .bursar/journal.db, or --journal postgres://..."));
    }
    if !args.folder.is_dir() {
        return Err(CliError::new(format!("{} is no folder", args.folder.display())));
    }
    // Beside a daemon where there is one; else the journal may have to be made.
    let journal = match open_beside(&address).await {
        Ok(journal) => journal,
        Err(_) => open_executor(&address).await.map_err(not_opened)?,
    };
    let written = lock::write(&args.folder, journal.id(), args.force);
    let (id, place) = (journal.id().clone(), journal.place());
    journal.close().await;
    let named = match written.map_err(other_journal)? {
        true => "now names",
        false => "names already",
    };
    ui.say(&format!("{} {named} the journal {id} ({place}). Commit it.", lock::NAME));
    Ok(ExitCode::SUCCESS)
}
