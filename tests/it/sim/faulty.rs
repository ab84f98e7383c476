//! A journal that a process may die at, before a commit reaches it or after it was written,
//! and that fails commits by a seed. What was written outlives the process.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bursar::journal::{
    Batch, Contents, Fact, InMemory, Journal, JournalError, JournalId, Lease, Owner, Query, Recorded, Row, ScopeId, Seq,
};
use fastrand::Rng;

use super::life::Life;

/// What becomes of one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Commit {
    /// It is written, and said to be.
    Written,
    /// It is not written, and said not to be.
    Unavailable,
    /// It is written, and the answer is lost; the journal looks it up and says that it is.
    AnswerLost,
    /// It is written, the answer is lost, and looking it up fails too: it is said not to be.
    Unclear,
}

impl Commit {
    /// All that can go wrong.
    pub const MISFORTUNES: [Self; 3] = [Self::Unavailable, Self::AnswerLost, Self::Unclear];
}

#[derive(Debug)]
struct Chance {
    rng: Rng,
    /// The share of commits that go wrong, from 0 to 1.
    share: f64,
    commits: Vec<Commit>,
}

/// What the journal is written on; it outlives the processes, unless it is destroyed.
#[derive(Debug)]
pub struct Disk {
    pub journal: InMemory,
    chance: Mutex<Chance>,
}

impl Disk {
    /// Everything that chance decides comes from the seed.
    pub fn new(id: &str, seed: u64, share: f64) -> Arc<Self> {
        let chance = Mutex::new(Chance { rng: Rng::with_seed(seed), share, commits: Vec::new() });
        Arc::new(Self { journal: InMemory::new(JournalId::new(id)), chance })
    }

    fn chance(&self) -> MutexGuard<'_, Chance> {
        self.chance.lock().unwrap()
    }

    /// From now on nothing goes wrong.
    pub fn calm(&self) {
        self.chance().share = 0.0;
    }

    /// What became of each commit so far.
    pub fn commits(&self) -> Vec<Commit> {
        self.chance().commits.clone()
    }

    fn draw(&self) -> Commit {
        let mut chance = self.chance();
        let misfortune = Commit::MISFORTUNES[chance.rng.usize(0..Commit::MISFORTUNES.len())];
        let commit = if chance.rng.f64() < chance.share { misfortune } else { Commit::Written };
        chance.commits.push(commit);
        commit
    }
}

/// The journal of one life: two points a commit, before it reaches the disk and when it is
/// written.
#[derive(Debug)]
pub struct Faulty {
    disk: Arc<Disk>,
    life: Arc<Life>,
}

impl Faulty {
    pub fn new(disk: &Arc<Disk>, life: &Arc<Life>) -> Arc<Self> {
        Arc::new(Self { disk: Arc::clone(disk), life: Arc::clone(life) })
    }

    fn unavailable(&self) -> JournalError {
        JournalError::Unavailable { place: self.place(), doing: "written", why: "no space left on device".into() }
    }

    /// Whether the rows are those that were to be written.
    async fn holds(&self, scope: &ScopeId, written: &[Row]) -> Result<bool, JournalError> {
        let (there, _) = self.disk.journal.rows(scope, 0).await?;
        Ok(written.iter().all(|row| there.contains(row)))
    }
}

#[async_trait]
impl Journal for Faulty {
    fn id(&self) -> &JournalId {
        self.disk.journal.id()
    }

    fn place(&self) -> String {
        "simulated".to_owned()
    }

    fn is_lasting(&self) -> bool {
        true
    }

    async fn rows(&self, scope: &ScopeId, after: Seq) -> Result<(Vec<Row>, Seq), JournalError> {
        self.disk.journal.rows(scope, after).await
    }

    async fn facts(&self, scope: &ScopeId) -> Result<Vec<Fact>, JournalError> {
        self.disk.journal.facts(scope).await
    }

    async fn commit(&self, scope: &ScopeId, batch: Batch) -> Result<(), JournalError> {
        self.life.point().await;
        let rows: Vec<Row> = batch.rows.iter().map(|put| put.row.clone()).collect();
        let commit = self.disk.draw();
        let written = match commit {
            Commit::Unavailable => Err(self.unavailable()),
            Commit::Written | Commit::AnswerLost | Commit::Unclear => self.disk.journal.commit(scope, batch).await,
        };
        self.life.point().await;
        match (commit, written) {
            (Commit::AnswerLost, _) if !rows.is_empty() && self.holds(scope, &rows).await? => Ok(()),
            (Commit::Unclear, Ok(())) => Err(self.unavailable()),
            (_, written) => written,
        }
    }

    async fn history(&self, query: &Query) -> Result<Vec<Recorded>, JournalError> {
        self.disk.journal.history(query).await
    }

    async fn scopes(&self) -> Result<Vec<ScopeId>, JournalError> {
        self.disk.journal.scopes().await
    }

    async fn lease(&self, fleet: &str, owner: &Owner, ttl: Duration) -> Result<Lease, JournalError> {
        self.disk.journal.lease(fleet, owner, ttl).await
    }

    async fn release(&self, fleet: &str, owner: &Owner) -> Result<(), JournalError> {
        self.disk.journal.release(fleet, owner).await
    }

    async fn contents(&self) -> Result<Contents, JournalError> {
        self.disk.journal.contents().await
    }

    async fn restore(&mut self, _: Contents) -> Result<(), JournalError> {
        Err(JournalError::NotEmpty { place: self.place() })
    }

    async fn close(&self) {}
}
