//! With which journal: the options that plan, apply and run share.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use crate::controller::{Keeping, Recall};
use crate::journal::{Address, InMemory, Journal, JournalError, JournalId, Rules, open_beside, open_executor};

use super::error::CliError;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Journal")]
pub struct JournalArgs {
    /// Where intents, outcomes and history are kept: a file, postgres://..., or `none`
    /// [default: .bursar/journal.db; none where CI is set]
    #[arg(long, env = "BURSAR_JOURNAL", value_name = "WHERE", hide_env_values = true)]
    pub journal: Option<String>,
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

/// Where the journal is: as it was said, or the default.
///
/// # Errors
/// It is no journal's address.
pub fn address(said: Option<&str>) -> Result<Address, CliError> {
    match said {
        Some(said) => Address::parse(said).map_err(|error| CliError::new("--journal").because(&error)),
        None => Ok(Address::default_for(std::env::var("CI").ok().as_deref())),
    }
}

async fn opened(address: &Address, purpose: Purpose) -> Result<Arc<dyn Journal>, JournalError> {
    match address {
        Address::File(path) if purpose == Purpose::Plan && !path.exists() => open_executor(&Address::Nowhere).await,
        _ if purpose == Purpose::Plan => open_beside(address).await,
        _ => open_executor(address).await,
    }
}

impl JournalArgs {
    /// Opens the journal.
    ///
    /// # Errors
    /// It cannot be opened, is somebody else's, or is in use.
    pub async fn open(&self, purpose: Purpose) -> Result<Keeping, CliError> {
        let owner = uuid::Uuid::now_v7().to_string();
        let journal: Arc<dyn Journal> = match &self.journal {
            None => Arc::new(InMemory::new(JournalId::new(owner.as_str()))),
            Some(_) => opened(&address(self.journal.as_deref())?, purpose).await?,
        };
        let settle = SignedDuration::try_from(self.settle).unwrap_or(SignedDuration::MAX);
        Ok(Keeping {
            rules: Rules { settle, ..Rules::default() },
            dry: purpose == Purpose::Plan,
            recall: match purpose {
                Purpose::Plan => Recall::All,
                Purpose::Apply => Recall::Nothing,
                Purpose::Run => Recall::Blocked,
            },
            heal: self.on_removed == OnRemoved::Heal,
            ..Keeping::with(journal, &owner)
        })
    }
}
