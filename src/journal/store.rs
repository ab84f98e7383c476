//! What a journal must be able to do. It knows nothing of the protocol but one rule: a row
//! is replaced only by whoever saw its latest version (rule R5).

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::fact::{Fact, FactKind};
use super::history::{Entry, Query, Recorded};
use super::operation::{OperationId, Owner, ScopeId};
use super::row::{Row, Version};

/// A place in the order of everything that was written; larger is later.
pub type Seq = u64;

/// The name of a journal, given when it is made; `bursar.lock` holds it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JournalId(String);

impl JournalId {
    /// Takes an id that no journal had before.
    pub fn new(raw: impl Into<String>) -> Self {
        Self(raw.into())
    }

    /// As `bursar.lock` holds it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JournalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A row to write, and the version of it that was seen: 0 where there was none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// The version that must be there still.
    pub seen: Version,
    /// The row; its `version` is `seen + 1`.
    pub row: Row,
}

/// What is written together: all of it or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// Rows, each by compare-and-set.
    pub rows: Vec<Put>,
    /// Facts to set; one of the same kind and key is replaced.
    pub facts: Vec<Fact>,
    /// Facts to forget.
    pub forget: Vec<(FactKind, String)>,
    /// What happened.
    pub entries: Vec<Entry>,
    /// It allows a request on the wire: nothing is written while the scope is frozen.
    pub permits: bool,
}

/// Who may act for a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lease {
    /// We, for as long as was asked for from when it was asked for.
    Held,
    /// Somebody else, who may die.
    Taken {
        /// Who.
        by: Owner,
        /// For how long, if it is not renewed.
        expires_in: Duration,
    },
}

/// Another database took over, and may not have everything that was committed before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failover {
    /// The line of history of the database that the journal was written in before.
    pub from: String,
    /// That of the database which answers now.
    pub to: String,
}

/// Everything that a journal holds, to be moved to another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// Its name goes with it.
    pub id: JournalId,
    /// All rows of all scopes.
    pub rows: Vec<Row>,
    /// All facts, by scope.
    pub facts: Vec<(ScopeId, Fact)>,
    /// The whole history.
    pub entries: Vec<Entry>,
}

/// Where rows, facts and history are kept. Every method is one short transaction.
///
/// A commit whose answer was lost is looked up by the journal itself, under the same
/// version: it counts as committed where the row is the one that was to be written.
#[async_trait]
pub trait Journal: Send + Sync + fmt::Debug {
    /// Its name.
    fn id(&self) -> &JournalId;

    /// Where it is, for people, without a password.
    fn place(&self) -> String;

    /// Whether it outlives the process (rule R7).
    fn is_lasting(&self) -> bool;

    /// The rows of a scope that were written after a place, and the last place there is.
    async fn rows(&self, scope: &ScopeId, after: Seq) -> Result<(Vec<Row>, Seq), JournalError>;

    /// The facts of a scope.
    async fn facts(&self, scope: &ScopeId) -> Result<Vec<Fact>, JournalError>;

    /// Writes everything or nothing, on disk before it returns.
    async fn commit(&self, scope: &ScopeId, batch: Batch) -> Result<(), JournalError>;

    /// What happened, in order.
    async fn history(&self, query: &Query) -> Result<Vec<Recorded>, JournalError>;

    /// The scopes that it holds anything of.
    async fn scopes(&self) -> Result<Vec<ScopeId>, JournalError>;

    /// Takes or renews the lease of a fleet for so long; a journal of one machine always
    /// grants it, for its lock keeps others out. It saves work and fences nothing (rule R5).
    async fn lease(&self, fleet: &str, owner: &Owner, ttl: Duration) -> Result<Lease, JournalError>;

    /// Gives the lease back, if it is ours.
    async fn release(&self, fleet: &str, owner: &Owner) -> Result<(), JournalError>;

    /// How many replicas live, ourselves counted in; says that we do, for so long. A time of
    /// zero says goodbye. Several fleets are shared out by it.
    async fn replicas(&self, owner: &Owner, ttl: Duration) -> Result<usize, JournalError> {
        let _ = (owner, ttl);
        Ok(1)
    }

    /// Whether commits that were said to be on disk may be lost, for another database took
    /// over. It is told until somebody handled it; until then no permit is given.
    async fn failed_over(&self) -> Result<Option<Failover>, JournalError> {
        Ok(None)
    }

    /// What was prepared or sent before a failover is in doubt now, and written so.
    async fn handled(&self, failover: &Failover) -> Result<(), JournalError> {
        let _ = failover;
        Ok(())
    }

    /// Everything, for another journal.
    async fn contents(&self) -> Result<Contents, JournalError>;

    /// Takes everything of another journal, its name too. Only an empty journal does.
    async fn restore(&mut self, contents: Contents) -> Result<(), JournalError>;

    /// Gives files and connections back.
    async fn close(&self);
}

/// Why a journal did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Somebody else wrote this row since it was read; nothing was written.
    #[error("operation {operation} was changed by another process")]
    Conflict {
        /// Which.
        operation: OperationId,
    },
    /// The fleet is frozen; nothing was written.
    #[error("frozen: {reason}")]
    Frozen {
        /// In the words of who did it.
        reason: String,
    },
    /// Another process carries out with this journal.
    #[error("the journal {place} is in use by another process")]
    InUse {
        /// Which journal.
        place: String,
    },
    /// Others can read or write the file.
    #[error("the journal {place} can be read by others (mode {mode:o})")]
    Exposed {
        /// Which journal.
        place: String,
        /// Its permissions.
        mode: u32,
    },
    /// Locks of such file systems do not hold.
    #[error("the journal {place} lies on a network file system ({kind})")]
    NetworkFileSystem {
        /// Which journal.
        place: String,
        /// Which kind.
        kind: String,
    },
    /// It is something else.
    #[error("{place} is not a journal")]
    NotAJournal {
        /// Which file.
        place: String,
    },
    /// A later version of bursar wrote it.
    #[error("the journal {place} was written by a newer version of bursar")]
    Newer {
        /// Which journal.
        place: String,
    },
    /// It is damaged.
    #[error("the journal {place} is damaged: {why}")]
    Corrupt {
        /// Which journal.
        place: String,
        /// What does not hold.
        why: String,
    },
    /// No space, read-only, an I/O error, a database that does not answer; nothing was
    /// written, as far as can be told.
    #[error("the journal {place} cannot be {doing}: {why}")]
    Unavailable {
        /// Which journal.
        place: String,
        /// `read`, `written` or `opened`.
        doing: &'static str,
        /// What failed.
        why: String,
    },
    /// Another database took over, and nobody has put in doubt yet what it may have lost
    /// ([`Journal::failed_over`]); nothing was written.
    #[error("the journal {place} failed over to another database, and may have lost its last commits")]
    FailedOver {
        /// Which journal.
        place: String,
    },
    /// What was to be taken over needs an empty journal.
    #[error("the journal {place} is not empty")]
    NotEmpty {
        /// Which journal.
        place: String,
    },
}
