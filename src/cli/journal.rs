//! `bursar journal`: backup, restore, move and export.

use std::fs::OpenOptions;
use std::io::{self, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use crate::journal::{
    Address, Batch, Contents, Fact, FactKind, Journal, JournalError, Query, Seq, backup, open_beside, open_executor,
};

use super::error::{CliError, CliResult};
use super::keeping::{JournalArgs, not_opened};
use super::ui::Ui;

/// What a frozen scope says after a move; a repeated move knows its own words.
const MOVED: &str = "this journal was moved to ";

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Write everything into a file, as lines of JSON; works beside a running daemon
    Backup {
        /// The file, which must not be there; `-` is standard output
        file: PathBuf,
        #[command(flatten)]
        journal: JournalArgs,
    },
    /// Take everything of a backup into an empty journal, its name too
    Restore {
        /// The file; `-` is standard input
        file: PathBuf,
        #[command(flatten)]
        journal: JournalArgs,
    },
    /// Take everything to another, empty journal, and let nothing more be done with this one
    Move {
        /// The other journal: a file or postgres://...
        #[arg(long, value_name = "WHERE")]
        to: Address,
        #[command(flatten)]
        journal: JournalArgs,
    },
    /// Print the history, an entry a line, as JSON
    Export {
        /// Only what came after this place, the `seq` of an earlier line
        #[arg(long, value_name = "SEQ")]
        after: Option<Seq>,
        #[command(flatten)]
        journal: JournalArgs,
    },
}

pub async fn run(args: Args, ui: Ui) -> CliResult {
    match args.verb {
        Verb::Backup { file, journal } => back_up(&file, &journal.address(), ui).await,
        Verb::Restore { file, journal } => restore(&file, &journal.address(), ui).await,
        Verb::Move { to, journal } => move_to(&to, &journal.address(), ui).await,
        Verb::Export { after, journal } => export(after, &journal.address(), ui).await,
    }
}

async fn back_up(file: &Path, address: &Address, ui: Ui) -> CliResult {
    let journal = open_beside(address).await.map_err(not_opened)?;
    let contents = journal.contents().await;
    journal.close().await;
    let contents = contents?;
    if file == Path::new("-") {
        let mut text = Vec::new();
        backup::write(&contents, &mut text)?;
        ui.out(&String::from_utf8_lossy(&text));
    } else {
        write_file(file, &contents)?;
    }
    ui.say(&format!("The journal {} has {}.", contents.id, counted(&contents)));
    Ok(ExitCode::SUCCESS)
}

/// A backup names people as the journal does: it is its owner's alone.
fn write_file(file: &Path, contents: &Contents) -> Result<(), CliError> {
    let unwritten = |error: io::Error| CliError::new(format!("{} cannot be written", file.display())).because(&error);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let opened = options.open(file).map_err(|error| {
        let taken = error.kind() == io::ErrorKind::AlreadyExists;
        let told = unwritten(error);
        if taken { told.hint("a backup is never written over; give another name") } else { told }
    })?;
    let mut to = BufWriter::new(opened);
    let written = backup::write(contents, &mut to).map_err(CliError::from);
    let written = written.and_then(|()| to.flush().and_then(|()| to.get_ref().sync_all()).map_err(unwritten));
    if written.is_err() {
        // Half a backup is worse than none; that it stays is told by the next try.
        let _ = std::fs::remove_file(file);
    }
    written
}

async fn restore(file: &Path, address: &Address, ui: Ui) -> CliResult {
    let contents = if file == Path::new("-") {
        backup::read(io::stdin().lock())?
    } else {
        let opened = std::fs::File::open(file)
            .map_err(|error| CliError::new(format!("{} cannot be read", file.display())).because(&error))?;
        backup::read(BufReader::new(opened))?
    };
    let told = counted(&contents);
    let id = contents.id.clone();
    let mut journal = open_lasting(address).await?;
    let taken = take(&mut journal, contents).await;
    let place = journal.place();
    journal.close().await;
    taken.map_err(not_empty)?;
    ui.say(&format!("{place} is the journal {id} now, with {told}."));
    Ok(ExitCode::SUCCESS)
}

async fn move_to(to: &Address, from: &Address, ui: Ui) -> CliResult {
    if let Address::Nowhere = to {
        return Err(CliError::new("`none` is no place to move a journal to"));
    }
    if let (Address::File(to), Address::File(from)) = (to, from)
        && to == from
    {
        return Err(CliError::new(format!("{} is where the journal is", to.display())));
    }
    if let Address::File(file) = from
        && !file.exists()
    {
        return Err(CliError::new(format!("there is no journal at {}", file.display())));
    }
    // As an executor: nobody carries out with it meanwhile.
    let old = open_lasting(from).await?;
    let moved = carry_over(old.as_ref(), to).await;
    old.close().await;
    let (contents, place) = moved?;
    if let Address::File(file) = from {
        let mut aside = file.as_os_str().to_owned();
        aside.push(".moved");
        std::fs::rename(file, PathBuf::from(&aside))
            .map_err(|error| CliError::new(format!("{} cannot be put aside", file.display())).because(&error))?;
        ui.say(&format!("The old file is {} now.", PathBuf::from(aside).display()));
    }
    ui.say(&format!("The journal {} is at {place} now, with {}.", contents.id, counted(&contents)));
    Ok(ExitCode::SUCCESS)
}

/// Copies, compares, and only then lets nothing more be done with the old one. Broken off, it
/// goes on when it is repeated.
async fn carry_over(old: &dyn Journal, to: &Address) -> Result<(Contents, String), CliError> {
    let mut contents = old.contents().await?;
    contents.facts.retain(|(_, fact)| fact.kind != FactKind::Frozen || !fact.value.starts_with(MOVED));
    let mut new = open_lasting(to).await?;
    let copied = async {
        match take(&mut new, contents.clone()).await {
            Err(JournalError::NotEmpty { place }) if new.contents().await? != contents => {
                return Err(not_empty(JournalError::NotEmpty { place }));
            }
            Ok(()) | Err(JournalError::NotEmpty { .. }) => {}
            Err(error) => return Err(CliError::from(error)),
        }
        if new.contents().await? != contents {
            return Err(CliError::new("the other journal does not show what was written to it; this one goes on"));
        }
        Ok(())
    };
    let copied = copied.await;
    let place = new.place();
    new.close().await;
    copied?;
    for scope in old.scopes().await? {
        let frozen = Fact {
            kind: FactKind::Frozen,
            key: "fleet".to_owned(),
            value: format!("{MOVED}{place}"),
            since: jiff::Timestamp::now(),
        };
        old.commit(&scope, Batch { facts: vec![frozen], ..Batch::default() }).await?;
    }
    Ok((contents, place))
}

async fn export(after: Option<Seq>, address: &Address, ui: Ui) -> CliResult {
    let journal = open_beside(address).await.map_err(not_opened)?;
    let found = journal.history(&Query { after, ..Query::default() }).await;
    journal.close().await;
    let mut text = String::new();
    for recorded in found? {
        text.push_str(&serde_json::to_string(&recorded)?);
        text.push('\n');
    }
    ui.out(&text);
    Ok(ExitCode::SUCCESS)
}

async fn open_lasting(address: &Address) -> Result<Arc<dyn Journal>, CliError> {
    if let Address::Nowhere = address {
        return Err(CliError::new("there is no journal; name one with --journal"));
    }
    open_executor(address).await.map_err(not_opened)
}

/// Nobody else has a journal that was just opened.
async fn take(journal: &mut Arc<dyn Journal>, contents: Contents) -> Result<(), JournalError> {
    let place = journal.place();
    match Arc::get_mut(journal) {
        Some(journal) => journal.restore(contents).await,
        None => Err(JournalError::InUse { place }),
    }
}

fn not_empty(error: JournalError) -> CliError {
    let full = matches!(error, JournalError::NotEmpty { .. });
    let told = CliError::from(error);
    if full {
        told.hint("only an empty journal takes another's place; name a new one, or move the old one away")
    } else {
        told
    }
}

fn counted(contents: &Contents) -> String {
    let Contents { id: _, rows, facts, entries } = contents;
    format!("{} rows, {} facts and {} entries", rows.len(), facts.len(), entries.len())
}
