//! Commands that work beside a running daemon: they open its journal without its lock, read
//! it, and write a person's answer.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use crate::domain::text::inert;
use crate::journal::people::PeopleError;
use crate::journal::{Address, Journal, Rules, ScopeId, ScopeView, open_beside};

use super::error::CliError;
use super::keeping::{JournalArgs, not_opened};

/// Which journal, and which part of it.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Journal")]
pub struct BesideArgs {
    #[command(flatten)]
    journal: JournalArgs,
    /// Only what belongs to this API, user and world, by the id that a journal knows them by, or
    /// its beginning
    #[arg(long, value_name = "ID")]
    scope: Option<String>,
}

/// How long the service may be behind.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Journal")]
pub struct SettleArgs {
    /// How long a write may take to show at the service, as `apply` and `run` have it
    #[arg(long, env = "BURSAR_SETTLE", value_name = "DURATION", default_value = "180s", value_parser = super::duration)]
    settle: Duration,
}

impl SettleArgs {
    /// The protocol's rules with it.
    pub fn rules(&self) -> Rules {
        let settle = SignedDuration::try_from(self.settle).unwrap_or(SignedDuration::MAX);
        Rules { settle, ..Rules::default() }
    }
}

/// Who answers.
#[derive(Debug, clap::Args)]
pub struct ByArgs {
    /// Your name, for the history [default: who is logged in]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

impl ByArgs {
    /// The name that stands in the history.
    pub fn name(&self) -> String {
        let logged_in = || ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
        let name = self.by.clone().or_else(logged_in).map(|name| name.trim().to_owned());
        name.filter(|name| !name.is_empty()).unwrap_or_else(|| "somebody".to_owned())
    }
}

/// A journal, open beside whoever carries out with it.
#[derive(Debug)]
pub struct Desk {
    /// The journal.
    pub journal: Arc<dyn Journal>,
    /// Its scopes, or the one that was chosen.
    pub scopes: Vec<ScopeView>,
}

impl BesideArgs {
    /// Opens it and reads its scopes.
    ///
    /// # Errors
    /// There is none, it cannot be read, or it has no such scope.
    pub async fn open(&self) -> Result<Desk, CliError> {
        let address = self.journal.address();
        let journal = open_beside(&address).await.map_err(|error| match &address {
            Address::File(path) if !path.exists() => CliError::from(error)
                .hint("`bursar apply` and `bursar run` make it; say where theirs is with --journal or BURSAR_JOURNAL"),
            _ => not_opened(error),
        })?;
        match self.scopes(journal.as_ref()).await {
            Ok(scopes) => Ok(Desk { journal, scopes }),
            Err(error) => {
                journal.close().await;
                Err(error)
            }
        }
    }

    async fn scopes(&self, journal: &dyn Journal) -> Result<Vec<ScopeView>, CliError> {
        let mut scopes = ScopeView::read_all(journal).await?;
        let Some(wanted) = &self.scope else { return Ok(scopes) };
        let all = scopes.clone();
        scopes.retain(|view| view.card.id.as_str().starts_with(wanted.as_str()));
        match scopes.len() {
            1 => Ok(scopes),
            0 => Err(listing(CliError::new(format!("the journal has no scope {}", inert(wanted))), &all)),
            _ => Err(listing(CliError::new(format!("several scopes begin with {}", inert(wanted))), &scopes)),
        }
    }
}

impl Desk {
    /// The one scope where something is found; `None` where it is nowhere.
    ///
    /// # Errors
    /// It is in several.
    pub fn one(&self, what: &str, holds: impl Fn(&ScopeView) -> bool) -> Result<Option<&ScopeView>, CliError> {
        let found: Vec<&ScopeView> = self.scopes.iter().filter(|view| holds(view)).collect();
        match found[..] {
            [] => Ok(None),
            [one] => Ok(Some(one)),
            _ => {
                let error = CliError::new(format!("{what} is in several scopes of the journal"));
                let found: Vec<ScopeView> = found.into_iter().cloned().collect();
                Err(listing(error, &found).hint("choose one with --scope"))
            }
        }
    }

    /// The chosen scope, for a query; none where there are several to read.
    pub fn only(&self) -> Option<ScopeId> {
        match &self.scopes[..] {
            [one] => Some(one.card.id.clone()),
            _ => None,
        }
    }

    /// Gives the journal back, and passes on how the work ended.
    pub async fn closing<T>(self, done: Result<T, CliError>) -> Result<T, CliError> {
        self.journal.close().await;
        done
    }
}

/// Lists scopes below an error.
fn listing(mut error: CliError, scopes: &[ScopeView]) -> CliError {
    for view in scopes {
        error = error.hint(format!("scope {}", view.card));
    }
    error
}

/// A person's word that was not taken, with what to do.
pub fn not_taken(error: &PeopleError) -> CliError {
    let told = CliError::new(error.to_string());
    match error {
        PeopleError::Journal(_) | PeopleError::Rejected(_) => told,
        PeopleError::NoSuchOperation(_) => told.hint("`bursar explain CLIENT` and `bursar history` name them"),
        PeopleError::NotOpen { .. } => told.hint("there is nothing to resolve; `bursar explain CLIENT` tells more"),
        PeopleError::WrongWord { operation, create: true } => {
            told.hint(format!("bursar resolve {operation} --created ACCOUNT_ID, or --not-created"))
        }
        PeopleError::WrongWord { operation, create: false } => {
            told.hint(format!("bursar resolve {operation} --done, or --not-done"))
        }
        PeopleError::TooEarly { .. } => told.hint("look at the service after that, and then say how it ended"),
        PeopleError::Taken { .. } => told.hint("one account is one client's; look for another one at the service"),
        PeopleError::NothingRemembered { .. } => {
            told.hint("what the manifests want is done by `bursar apply` or `bursar run`")
        }
        PeopleError::Unsettled { client, .. } => told.hint(format!("bursar explain {client} tells what ends that")),
        PeopleError::StillThere { .. } => {
            told.hint("if they were removed since, wait for the next look of `bursar run`, or `bursar apply`")
        }
    }
}
