//! With which journal a process keeps what it does, and by which rules.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::SignedDuration;

use crate::domain::{Clock, MachineClock};
use crate::journal::{InMemory, Journal, JournalId, Owner, Rules};

/// With which journal, as whom.
#[derive(Debug, Clone)]
pub struct Keeping {
    /// Where intents and outcomes are kept.
    pub journal: Arc<dyn Journal>,
    /// The life of this process.
    pub owner: Owner,
    /// How long things take.
    pub rules: Rules,
    /// What the time is.
    pub clock: Arc<dyn Clock>,
    /// No other process can carry out with this journal.
    pub alone: bool,
    /// The manifests that are read are all of the fleet's: who is not among them has left.
    pub whole: bool,
    /// Accounts may be created without keys though nothing outlives the process (rule R7):
    /// for simulations and tests.
    pub forgetful: bool,
    /// Nothing is written to it: a dry run works with a copy.
    pub dry: bool,
    /// Which earlier refusals still stand.
    pub recall: Recall,
    /// Make again what somebody undid elsewhere (`--on-removed heal`).
    pub heal: bool,
    /// How long what costs or grants is held after it was first planned (`--hold`).
    pub hold: Option<SignedDuration>,
    /// Plans that a person lets pass, by their digest (`--approve`).
    pub approved: BTreeSet<String>,
}

/// Which refusals of earlier processes still stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recall {
    /// None: a person runs this, perhaps because they changed something.
    Nothing,
    /// Those that a person must end, unless the manifest changed: the daemon.
    Blocked,
    /// All: a dry run says what the daemon would say.
    All,
}

impl Keeping {
    /// With a journal that ends with the process.
    pub fn in_memory(owner: &str) -> Self {
        Self::with(Arc::new(InMemory::new(JournalId::new(owner))), owner)
    }

    /// With this journal, by this machine's clock.
    pub fn with(journal: Arc<dyn Journal>, owner: &str) -> Self {
        Self {
            journal,
            owner: Owner::new(owner),
            rules: Rules::default(),
            clock: Arc::new(MachineClock),
            alone: true,
            whole: true,
            forgetful: true,
            dry: false,
            recall: Recall::Nothing,
            heal: false,
            hold: None,
            approved: BTreeSet::new(),
        }
    }
}
