//! One scope's part of a journal as one process sees it: its latest rows and facts in
//! memory, and every change written through before it counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::{AccountId, AccountName, Clock};
use crate::plan::{OpKind, Series};
use crate::provider::Scope;

use super::fact::{Fact, FactKind};
use super::history::{Entry, EntryKind};
use super::operation::{Operation, OperationId, Owner, ScopeId};
use super::row::{Cause, Repeat, Row, State};
use super::step::{Answer, Effect, Event, Rejected, Rules, Sight, settles_at, step};
use super::store::{Batch, Journal, JournalError, Put, Seq};

/// How long one request may take, and how long its permit lasts.
pub const PERMIT: Duration = Duration::from_secs(20);

/// And within how much of it a request is begun: it has the rest to be answered.
const BEGIN: Duration = Duration::from_secs(5);

/// A scope of a journal at work.
#[derive(Debug)]
pub struct Book {
    journal: Arc<dyn Journal>,
    scope: ScopeId,
    owner: Owner,
    rules: Rules,
    clock: Arc<dyn Clock>,
    /// No other process can hold this journal, so whoever owned a row before is gone.
    alone: bool,
    kept: Mutex<Kept>,
    commits: AtomicU64,
    nanoseconds: AtomicU64,
}

#[derive(Debug, Default)]
struct Kept {
    seq: Seq,
    rows: BTreeMap<OperationId, Row>,
    /// The latest generation of each series.
    latest: BTreeMap<Series, OperationId>,
    facts: BTreeMap<(FactKind, String), Fact>,
}

/// Something that is to be done once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Whose and what.
    pub series: Series,
    /// What sending it twice does.
    pub repeat: Repeat,
    /// What is sent.
    pub request: String,
    /// For a create.
    pub account_name: Option<AccountName>,
    /// For everything else.
    pub account_id: Option<AccountId>,
    /// Why.
    pub cause: Cause,
    /// When the reads began that it was planned from.
    pub read_began: Timestamp,
    /// What somebody undid is made again.
    pub heal: bool,
}

/// A request that may be sent, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    /// The row, on disk.
    pub row: Row,
    /// By [`Clock::uptime`]: after this it is not sent any more.
    pub until: Duration,
}

/// How a series stands before something of it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is in the way.
    Free,
    /// It may be happening, or have happened.
    Unsettled(Row),
    /// It was done, and what was read may be older than that, until this time; so even where
    /// it is wanted anew.
    Settling(Row, Timestamp),
    /// It was done, and everything read since shows the opposite: somebody undid it.
    Undone(Row),
}

/// Why a change of the book did not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// The journal did not take it.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The protocol does not allow it.
    #[error(transparent)]
    Rejected(#[from] Rejected),
}

impl Book {
    /// Opens a scope: reads all of it once. `alone` says that no other process can carry out
    /// with this journal, so that whoever owned a row before is gone.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn open(
        journal: Arc<dyn Journal>,
        scope: &Scope,
        owner: Owner,
        rules: Rules,
        clock: Arc<dyn Clock>,
        alone: bool,
    ) -> Result<Self, JournalError> {
        let book = Self {
            journal,
            scope: ScopeId::of(scope),
            owner,
            rules,
            clock,
            alone,
            kept: Mutex::default(),
            commits: AtomicU64::new(0),
            nanoseconds: AtomicU64::new(0),
        };
        book.refresh().await?;
        Ok(book)
    }

    /// Takes in what other processes wrote: a person's answers, another replica's rows.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn refresh(&self) -> Result<(), JournalError> {
        let after = self.kept().seq;
        let (rows, seq) = self.journal.rows(&self.scope, after).await?;
        if seq == after && after > 0 {
            return Ok(());
        }
        let facts = self.journal.facts(&self.scope).await?;
        let mut kept = self.kept();
        for row in rows {
            kept.put(row);
        }
        kept.seq = kept.seq.max(seq);
        kept.facts = facts.into_iter().map(|fact| ((fact.kind, fact.key.clone()), fact)).collect();
        Ok(())
    }

    /// The scope's id.
    pub const fn scope(&self) -> &ScopeId {
        &self.scope
    }

    /// This process.
    pub const fn owner(&self) -> &Owner {
        &self.owner
    }

    /// How long things take.
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The journal behind it.
    pub fn journal(&self) -> &Arc<dyn Journal> {
        &self.journal
    }

    /// What the time is.
    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// Commits so far, and the time that they took in all.
    pub fn spent(&self) -> (u64, Duration) {
        let nanoseconds = Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed));
        (self.commits.load(Ordering::Relaxed), nanoseconds)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Whole after each statement, whoever panicked while holding it.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The latest generation of a series.
    pub fn latest(&self, series: &Series) -> Option<Row> {
        let kept = self.kept();
        kept.latest.get(series).and_then(|id| kept.rows.get(id)).cloned()
    }

    /// The latest generation of every series, by client.
    pub fn rows(&self) -> Vec<Row> {
        let kept = self.kept();
        kept.latest.values().filter_map(|id| kept.rows.get(id)).cloned().collect()
    }

    /// The facts of a kind, by key.
    pub fn facts(&self, kind: FactKind) -> BTreeMap<String, Fact> {
        let kept = self.kept();
        let of_kind = kept.facts.range((kind, String::new())..).take_while(|((of, _), _)| *of == kind);
        of_kind.map(|((_, key), fact)| (key.clone(), fact.clone())).collect()
    }

    /// How a series stands, for a plan made from reads that began at this time.
    pub fn standing(&self, series: &Series, read_began: Timestamp) -> Standing {
        standing(self.latest(series), read_began, &self.rules)
    }

    /// Writes down what is meant, all of it in one commit: for what must be looked at once
    /// more before it is sent (rule R3).
    ///
    /// # Errors
    /// The journal did not take it, or one of them is not settled.
    pub async fn prepare(&self, intents: &[Intent]) -> Result<Vec<Row>, BookError> {
        let mut changes = Vec::new();
        let mut as_they_are = Vec::new();
        for intent in intents {
            let change = self.prepared(intent)?;
            if change.before == change.after && change.before.version > 0 {
                as_they_are.push(change.after);
            } else {
                changes.push(change);
            }
        }
        if !changes.is_empty() {
            as_they_are.extend(self.write(changes, false).await?);
        }
        Ok(as_they_are)
    }

    /// Asks for the permit to send one thing once; on disk before it returns (rule R5).
    ///
    /// # Errors
    /// The journal did not take it, the fleet is frozen, or the protocol forbids it.
    pub async fn permit(&self, intent: &Intent, looked: bool) -> Result<Permit, BookError> {
        let Change { before, after, entries: _ } = self.prepared(intent)?;
        let until = self.clock.uptime() + BEGIN;
        let (now, deadline) = self.term();
        let event = Event::Permit { owner: self.owner.clone(), now, deadline, looked };
        let (row, _) = step(&after, &event, &self.rules)?;
        let entries = self.told(&before, &row);
        let mut written = self.write(vec![Change { before, after: row, entries }], true).await?;
        Ok(Permit { row: written.remove(0), until })
    }

    /// Asks for the permit to send the same bytes again under the same key.
    ///
    /// # Errors
    /// As [`Self::permit`].
    pub async fn permit_again(&self, row: &Row) -> Result<Permit, BookError> {
        let until = self.clock.uptime() + BEGIN;
        let (now, deadline) = self.term();
        let (next, _) = step(row, &Event::Resend { owner: self.owner.clone(), now, deadline }, &self.rules)?;
        let entries = self.told(row, &next);
        let mut written = self.write(vec![Change { before: row.clone(), after: next, entries }], true).await?;
        Ok(Permit { row: written.remove(0), until })
    }

    fn term(&self) -> (Timestamp, Timestamp) {
        let now = self.clock.now();
        let permit = SignedDuration::try_from(PERMIT).unwrap_or(SignedDuration::MAX);
        (now, now.saturating_add(permit).unwrap_or(Timestamp::MAX))
    }

    /// Whether a permit still holds: asked just before the first byte.
    pub fn holds(&self, permit: &Permit) -> bool {
        self.clock.uptime() < permit.until
    }

    /// Takes in an answer. It is still written when the lease is lost meanwhile (rule R6).
    ///
    /// # Errors
    /// The journal did not take it; the row is then found unsettled later, and read back.
    pub async fn answered(&self, row: &Row, answer: Answer) -> Result<Row, BookError> {
        let event = Event::Answered { owner: self.owner.clone(), now: self.clock.now(), answer };
        let conflict = match self.apply(row, &event).await {
            Err(BookError::Journal(error @ JournalError::Conflict { .. })) => error,
            written => return written.map(|(row, _)| row),
        };
        // Another process gave the request up: the answer is taken in by the row as it is now,
        // unless it belongs to another attempt.
        self.refresh().await?;
        let latest = self.kept().rows.get(&row.id()).cloned();
        let latest = latest.filter(|latest| latest.attempt == row.attempt).ok_or(conflict)?;
        Ok(self.apply(&latest, &event).await?.0)
    }

    /// Takes in what a complete look found.
    ///
    /// # Errors
    /// The journal did not take it, or the row does not ask for it.
    pub async fn looked(&self, row: &Row, began: Timestamp, sight: Sight) -> Result<Row, BookError> {
        Ok(self.apply(row, &Event::Looked { began, sight }).await?.0)
    }

    /// One step of one row, written through.
    ///
    /// # Errors
    /// The journal did not take it, or the row does not allow it.
    pub async fn apply(&self, row: &Row, event: &Event) -> Result<(Row, Vec<Effect>), BookError> {
        let (next, effects) = step(row, event, &self.rules)?;
        let entries = self.told(row, &next);
        let mut written = self.write(vec![Change { before: row.clone(), after: next, entries }], false).await?;
        Ok((written.remove(0), effects))
    }

    /// Steps of several rows in one commit; those that a row does not allow are left out.
    ///
    /// # Errors
    /// The journal did not take it.
    pub async fn apply_all(&self, steps: Vec<(Row, Event)>) -> Result<Vec<Row>, BookError> {
        let mut changes: BTreeMap<OperationId, Change> = BTreeMap::new();
        for (row, event) in steps {
            let id = row.id();
            let (first, latest) = match changes.get(&id) {
                Some(change) => (change.before.clone(), change.after.clone()),
                None => (row.clone(), row),
            };
            if let Ok((next, _)) = step(&latest, &event, &self.rules) {
                let entries = self.told(&first, &next);
                changes.insert(id, Change { before: first, after: next, entries });
            }
        }
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let changes: Vec<Change> = changes.into_values().collect();
        match self.write(changes.clone(), false).await {
            Err(BookError::Journal(JournalError::Conflict { .. })) => {}
            written => return written,
        }
        // Somebody wrote one of them meanwhile, which keeps no other from its step.
        let mut written = Vec::new();
        for change in changes {
            match self.write(vec![change], false).await {
                Err(BookError::Journal(JournalError::Conflict { operation })) => {
                    tracing::debug!(%operation, "changed by another process meanwhile; looked at again");
                }
                done => written.extend(done?),
            }
        }
        self.refresh().await?;
        Ok(written)
    }

    /// Recovery: what was being sent by a process that is gone may have happened, and what
    /// it prepared is ours to go on with. Done at start, when a lease changes hands, and at
    /// every pass.
    ///
    /// # Errors
    /// The journal did not take it.
    pub async fn recover(&self) -> Result<(), BookError> {
        let now = self.clock.now();
        let sending = self.rows().into_iter().filter(|row| row.state == State::Sending);
        let steps = sending.map(|row| {
            let proved = self.alone && row.owner != self.owner;
            (row, Event::Orphaned { now, proved })
        });
        let steps: Vec<_> = steps.collect();
        self.apply_all(steps).await.map(|_| ())
    }

    /// After a failover: what was prepared may have been sent, for the permit may be lost.
    ///
    /// # Errors
    /// The journal did not take it.
    pub async fn doubt(&self) -> Result<(), BookError> {
        let open = self.rows().into_iter().filter(|row| matches!(row.state, State::Prepared | State::Sending));
        // A permit that was lost with its commit ends no later than one that is given now.
        let (_, deadline) = self.term();
        self.apply_all(open.map(|row| (row, Event::Doubted { deadline })).collect()).await.map(|_| ())
    }

    /// Writes facts and entries.
    ///
    /// # Errors
    /// The journal did not take it.
    pub async fn note(
        &self,
        facts: Vec<Fact>,
        forget: Vec<(FactKind, String)>,
        entries: Vec<Entry>,
    ) -> Result<(), JournalError> {
        if facts.is_empty() && forget.is_empty() && entries.is_empty() {
            return Ok(());
        }
        let batch = Batch { facts: facts.clone(), forget: forget.clone(), entries, ..Batch::default() };
        self.commit(batch).await?;
        self.kept().know(facts, forget);
        Ok(())
    }

    /// A fact that holds from now on.
    pub fn fact(&self, kind: FactKind, key: impl Into<String>, value: impl Into<String>) -> Fact {
        Fact { kind, key: key.into(), value: value.into(), since: self.clock.now() }
    }

    /// An entry of now, by this process.
    pub fn entry(&self, kind: EntryKind) -> Entry {
        Entry::new(self.clock.now(), self.scope.clone(), kind, self.owner.as_str())
    }

    /// The row that an intent begins or goes on with, prepared and ours.
    fn prepared(&self, intent: &Intent) -> Result<Change, BookError> {
        let Intent { series, repeat, request, account_name, account_id, cause, read_began, heal } = intent;
        let latest = self.latest(series);
        if series.kind == OpKind::CreateAccount {
            // Whoever planned this may not have known what another process did since (rule R1).
            match standing(latest.clone(), *read_began, &self.rules) {
                Standing::Settling(..) => return Err(Rejected::Settling.into()),
                Standing::Undone(_) if !heal => return Err(Rejected::Undone.into()),
                Standing::Undone(_) | Standing::Free | Standing::Unsettled(_) => {}
            }
        }
        let next_generation = latest.as_ref().map_or(0, |row| row.operation.generation + 1);
        let before = match latest {
            Some(row) if row.state != State::Done => row,
            _ => {
                let operation =
                    Operation { scope: self.scope.clone(), series: series.clone(), generation: next_generation };
                Row::prepared(operation, self.owner.clone(), *repeat, request.clone(), cause.clone())
            }
        };
        let mut row = before.clone();
        let anew =
            |row: &Row| step(row, &Event::Retry { owner: self.owner.clone(), request: request.clone() }, &self.rules);
        match row.state {
            State::Prepared if row.request != *request && row.version > 0 => {
                // Nothing was sent: other bytes are another attempt.
                row = step(&row, &Event::Withdrawn { now: self.clock.now() }, &self.rules)?.0;
                row = anew(&row)?.0;
            }
            State::Prepared if row.owner != self.owner => {
                row = step(&row, &Event::TakenOver { owner: self.owner.clone() }, &self.rules)?.0;
            }
            State::Prepared => {}
            State::Refused => row = anew(&row)?.0,
            State::Sending | State::Unknown | State::Ask | State::Done => return Err(Rejected::Unrepeatable.into()),
        }
        row.repeat = *repeat;
        row.account_name.clone_from(account_name);
        row.account_id.clone_from(account_id);
        row.cause = cause.clone();
        Ok(Change { before, after: row, entries: Vec::new() })
    }

    async fn write(&self, changes: Vec<Change>, permits: bool) -> Result<Vec<Row>, BookError> {
        let mut batch = Batch { permits, ..Batch::default() };
        for Change { before, mut after, entries } in changes {
            after.version = before.version + 1;
            note_access(&mut batch, &before, &after);
            batch.rows.push(Put { seen: before.version, row: after });
            batch.entries.extend(entries);
        }
        let rows: Vec<Row> = batch.rows.iter().map(|put| put.row.clone()).collect();
        let (facts, forget) = (batch.facts.clone(), batch.forget.clone());
        self.commit(batch).await?;
        let mut kept = self.kept();
        for row in &rows {
            kept.put(row.clone());
        }
        kept.know(facts, forget);
        Ok(rows)
    }

    async fn commit(&self, batch: Batch) -> Result<(), JournalError> {
        let begun = std::time::Instant::now();
        let committed = self.journal.commit(&self.scope, batch).await;
        self.commits.fetch_add(1, Ordering::Relaxed);
        let taken = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(taken, Ordering::Relaxed);
        committed
    }

    /// What is worth an entry in the history, of a change from one row to another.
    fn told(&self, before: &Row, after: &Row) -> Vec<Entry> {
        let kind = match (before.state, after.state) {
            (_, State::Sending) => EntryKind::Sent,
            (State::Done, State::Done) if !before.released && after.released => return Vec::new(),
            (was, is) if was == is => return Vec::new(),
            (_, State::Done) => EntryKind::Done,
            (State::Sending, State::Prepared) if after.sends < before.sends => EntryKind::NotSent,
            (State::Sending, State::Prepared | State::Refused) => EntryKind::Refused,
            (_, State::Unknown) => EntryKind::Unknown,
            (_, State::Ask) => EntryKind::Asked,
            (_, State::Prepared | State::Refused) => return Vec::new(),
        };
        vec![describe(after, kind, self.clock.now(), self.owner.as_str())]
    }
}

/// How a series whose latest row this is stands, for a plan made from reads that began at
/// this time (rule R1).
pub fn standing(latest: Option<Row>, read_began: Timestamp, rules: &Rules) -> Standing {
    let Some(row) = latest else { return Standing::Free };
    match row.state {
        State::Sending | State::Unknown | State::Ask => Standing::Unsettled(row),
        State::Prepared | State::Refused => Standing::Free,
        State::Done => {
            let ended = row.ended_at.unwrap_or(Timestamp::MIN);
            let shows = ended.saturating_add(rules.settle).unwrap_or(Timestamp::MAX);
            // Released or not: a read that is older than what was done does not show it.
            if read_began < shows {
                Standing::Settling(row, shows)
            } else if row.released {
                Standing::Free
            } else {
                Standing::Undone(row)
            }
        }
    }
}

/// The entry that tells what became of a row.
pub(super) fn describe(row: &Row, kind: EntryKind, at: Timestamp, actor: &str) -> Entry {
    let Row { operation, attempt, account_id, verdict, request_id, cause, invited, .. } = row;
    let Cause { source, revision, monthly, offboarding, person, access, wanted: _, what } = cause;
    let why = verdict.as_ref().filter(|_| kind != EntryKind::Done).map(|verdict| format!(": {}", verdict.message));
    let is_done = kind == EntryKind::Done;
    let access = access.map(|access| if *invited { "invited".to_owned() } else { access.to_string() });
    Entry {
        operation: Some(row.id()),
        op: Some(operation.series.kind),
        attempt: Some(*attempt),
        client: Some(operation.series.client.clone()),
        account: account_id.clone(),
        person: person.clone(),
        access: access.filter(|_| is_done),
        offboarding: *offboarding,
        message: format!("{what}{}", why.unwrap_or_default()),
        source: source.clone(),
        revision: revision.clone(),
        request_id: request_id.clone().filter(|_| kind != EntryKind::Sent),
        monthly: monthly.filter(|_| is_done),
        ..Entry::new(at, operation.scope.clone(), kind, actor)
    }
}

/// A row on its way from one version to the next.
#[derive(Debug, Clone)]
struct Change {
    before: Row,
    after: Row,
    entries: Vec<Entry>,
}

/// Where a row came to be done that gave or took somebody's access: from then on they are
/// known to have it, so that a look which shows something else is news.
pub(super) fn note_access(batch: &mut Batch, before: &Row, after: &Row) {
    let (Some(account), Some(person)) = (&after.account_id, &after.cause.person) else { return };
    if before.state == State::Done || after.state != State::Done {
        return;
    }
    let (kind, key) = (FactKind::Member, format!("{}/{}", account.as_str(), person.key()));
    match (after.operation.series.kind, after.cause.access) {
        (OpKind::AddMember | OpKind::SetAccess, Some(access)) => {
            let value = if after.invited { "invited".to_owned() } else { access.to_string() };
            let since = after.ended_at.unwrap_or(Timestamp::MIN);
            batch.facts.push(Fact { kind, key, value, since });
        }
        (OpKind::RemoveMember, _) => batch.forget.push((kind, key)),
        _ => {}
    }
}

impl Kept {
    fn know(&mut self, facts: Vec<Fact>, forget: Vec<(FactKind, String)>) {
        for key in forget {
            self.facts.remove(&key);
        }
        for fact in facts {
            self.facts.insert((fact.kind, fact.key.clone()), fact);
        }
    }

    fn put(&mut self, row: Row) {
        let id = row.id();
        let series = row.operation.series.clone();
        let newer = self
            .latest
            .get(&series)
            .and_then(|latest| self.rows.get(latest))
            .is_none_or(|latest| latest.operation.generation <= row.operation.generation);
        if newer {
            self.latest.insert(series, id.clone());
        }
        if self.rows.get(&id).is_none_or(|there| there.version <= row.version) {
            self.rows.insert(id, row);
        }
    }
}

/// Names of accounts that may have been made without anybody knowing.
pub fn unsettled_names(rows: &[Row]) -> BTreeSet<String> {
    let unsettled = rows.iter().filter(|row| row.state.is_unsettled());
    unsettled.filter_map(|row| row.account_name.as_ref()).map(AccountName::key).collect()
}

/// When a row's outcome is settled, if it shows at all.
pub fn settled_from(row: &Row, rules: &Rules) -> Timestamp {
    settles_at(row, rules)
}
