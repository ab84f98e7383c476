//! With which journal: the options that plan, apply and run share.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use crate::controller::{Keeping, Recall};
use crate::journal::lock::{self, LockError};
use crate::journal::{Address, InMemory, Journal, JournalError, Owner, Rules, fresh_id, open_beside, open_executor};

use super::error::CliError;
use super::ui::Ui;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Journal")]
pub struct JournalArgs {
    /// Where intents, outcomes and history are kept: a file, postgres://..., or `none`
    /// [default: .bursar/journal.db; none where CI is set]
    #[arg(long, env = "BURSAR_JOURNAL", value_name = "WHERE", hide_env_values = true)]
    journal: Option<Address>,
}

/// How the protocol is tuned.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Journal")]
pub struct RuleArgs {
    /// How long a write may take to show at the service, before it is asked about or done again
    #[arg(long, env = "BURSAR_SETTLE", value_name = "DURATION", default_value = "180s", value_parser = super::duration)]
    settle: Duration,
    /// What becomes of an account or a person that somebody removed elsewhere
    #[arg(long, env = "BURSAR_ON_REMOVED", value_enum, default_value = "ask", value_name = "WHAT")]
    on_removed: OnRemoved,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum OnRemoved {
    /// It is shown, and made again when a person says so (`bursar reaffirm`)
    Ask,
    /// It is made again
    Heal,
}

/// What the journal is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A dry run: it is read.
    Plan,
    /// A person carries out once.
    Apply,
    /// The daemon.
    Run,
}

impl JournalArgs {
    /// Where the journal is.
    pub fn address(&self) -> Address {
        let ci = std::env::var("CI").ok();
        self.journal.clone().unwrap_or_else(|| Address::default_for(ci.as_deref()))
    }

    /// Opens the journal.
    ///
    /// # Errors
    /// It cannot be opened, is somebody else's, or is in use.
    pub async fn open(&self, purpose: Purpose, ui: Ui) -> Result<Opened, CliError> {
        let address = self.address();
        let journal = match purpose {
            Purpose::Plan => self.to_look_into(&address, ui).await?,
            Purpose::Apply | Purpose::Run => open_executor(&address).await.map_err(not_opened)?,
        };
        let alone = !matches!(address, Address::Postgres(_));
        Ok(Opened { journal, owner: Owner::new(uuid::Uuid::now_v7().to_string()), alone })
    }

    /// Refuses to write with another journal than the one that `bursar.lock` names beside the
    /// manifests (rule R7).
    ///
    /// # Errors
    /// It names another one, or cannot be read.
    pub fn check_lock(&self, manifests: &Path, journal: &dyn Journal) -> Result<(), CliError> {
        let _ = self;
        if manifests == Path::new("-") {
            return Ok(());
        }
        lock::check(manifests, journal.id()).map_err(other_journal)
    }

    /// A dry run needs no journal, and is better informed by one that is there.
    async fn to_look_into(&self, address: &Address, ui: Ui) -> Result<Arc<dyn Journal>, CliError> {
        let none = || Arc::new(InMemory::new(fresh_id()));
        match address {
            Address::Nowhere => return Ok(none()),
            Address::File(file) if self.journal.is_none() && !Path::exists(file) => return Ok(none()),
            Address::File(_) | Address::Postgres(_) => {}
        }
        match open_beside(address).await {
            Ok(journal) => Ok(journal),
            Err(error) if self.journal.is_none() => {
                ui.warn(&format!("Warning: {error}; this plan does without what it knows"));
                Ok(none())
            }
            Err(error) => Err(not_opened(error)),
        }
    }
}

/// A journal that was opened, by this process.
#[derive(Debug)]
pub struct Opened {
    /// The journal.
    pub journal: Arc<dyn Journal>,
    /// This process's life.
    pub owner: Owner,
    /// No other process can carry out with it.
    alone: bool,
}

impl RuleArgs {
    /// How the passes are to use a journal.
    pub fn keeping(&self, opened: &Opened, purpose: Purpose) -> Keeping {
        let Opened { journal, owner, alone } = opened;
        let settle = SignedDuration::try_from(self.settle).unwrap_or(SignedDuration::MAX);
        Keeping {
            owner: owner.clone(),
            rules: Rules { settle, ..Rules::default() },
            alone: *alone,
            whole: purpose == Purpose::Run,
            forgetful: false,
            dry: purpose == Purpose::Plan,
            recall: match purpose {
                Purpose::Plan => Recall::All,
                Purpose::Apply => Recall::Nothing,
                Purpose::Run => Recall::Blocked,
            },
            heal: self.on_removed == OnRemoved::Heal,
            ..Keeping::with(Arc::clone(journal), owner.as_str())
        }
    }
}

/// The error of a lock file, with what to do about it.
pub fn other_journal(error: LockError) -> CliError {
    let hint = match &error {
        LockError::Another { .. } => {
            "two journals for one fleet may do everything twice: name the right one with --journal; where this one \
             takes its place for good, `bursar init --force`"
        }
        _ => "bring it back from the repository, or write it anew: bursar init --force",
    };
    CliError::from(error).hint(hint)
}

/// The error, with what to do about it.
pub fn not_opened(error: JournalError) -> CliError {
    let hint = match &error {
        JournalError::InUse { .. } => {
            "one process carries out with a journal; stop the other, or use the commands that work beside it: plan, \
             history, explain, resolve, reaffirm, freeze"
        }
        JournalError::Exposed { .. } => "it names people and what they may do: chmod 600 it, then look who read it",
        JournalError::NetworkFileSystem { .. } => "put it on a local disk, or use PostgreSQL: --journal postgres://...",
        JournalError::NotAJournal { .. } => "name another file with --journal",
        JournalError::Newer { .. } => "use the version of bursar that wrote it, or a later one",
        JournalError::Corrupt { .. } => {
            "keep the file, and restore the latest backup: bursar journal restore FILE; without one, move it away: \
             accounts are matched from what the service shows before anything is created"
        }
        JournalError::Unavailable { .. } => "nothing was sent; once it can be used again, the same command goes on",
        _ => return CliError::from(error),
    };
    CliError::from(error).hint(hint)
}
