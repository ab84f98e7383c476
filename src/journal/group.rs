//! Several batches in one transaction: which of them hold, and what is written in all. Pure;
//! the databases read what it asks for and write what comes of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::domain::Email;

use super::fact::{Fact, FactKind};
use super::history::Entry;
use super::operation::{OperationId, ScopeId};
use super::row::{Row, Version};
use super::store::{Batch, Contents, JournalError, Seq};

/// The key of the fact that freezes a scope.
pub(super) const FLEET: &str = "fleet";

/// A row as a table holds it.
#[derive(Debug)]
pub(super) struct RowRecord {
    pub scope: String,
    pub operation: String,
    pub version: i64,
    pub seq: i64,
    pub body: String,
}

/// A fact as a table holds it; without a body it is forgotten.
#[derive(Debug)]
pub(super) struct FactRecord {
    pub scope: String,
    pub kind: String,
    pub key: String,
    pub body: Option<String>,
}

/// An entry as a table holds it: the columns are what queries ask for.
#[derive(Debug)]
pub(super) struct EntryRecord {
    pub seq: i64,
    /// Nanoseconds since 1970.
    pub at: i64,
    pub scope: String,
    pub kind: String,
    pub client: Option<String>,
    pub account: Option<String>,
    pub person: Option<String>,
    pub body: String,
}

/// What was there when the transaction began to hold the only right to write.
#[derive(Debug, Default)]
pub(super) struct Before {
    /// The last place of a batch.
    pub seq: Seq,
    /// The last place of an entry.
    pub entries: Seq,
    /// The versions of the rows that are asked for, as far as they are there.
    pub versions: BTreeMap<(ScopeId, OperationId), Version>,
    /// The frozen scopes, with the reason.
    pub frozen: BTreeMap<ScopeId, String>,
}

/// Batches that are taken one after the other, each wholly or not at all.
#[derive(Debug)]
pub(super) struct Group {
    now: Before,
    rows: BTreeMap<(ScopeId, OperationId), RowRecord>,
    facts: BTreeMap<(ScopeId, FactKind, String), FactRecord>,
    entries: Vec<EntryRecord>,
}

/// What a group writes, and where its counters stand afterwards.
#[derive(Debug)]
pub(super) struct Writes {
    pub seq: i64,
    pub last_entry: i64,
    pub rows: Vec<RowRecord>,
    pub set: Vec<FactRecord>,
    pub forget: Vec<FactRecord>,
    pub entries: Vec<EntryRecord>,
}

impl Writes {
    /// Whether there is anything to write.
    pub fn is_empty(&self) -> bool {
        let Self { seq: _, last_entry: _, rows, set, forget, entries } = self;
        rows.is_empty() && set.is_empty() && forget.is_empty() && entries.is_empty()
    }

    /// Keeps so many of each kind, and returns the others for later, if there are any.
    pub fn split_off(&mut self, at_once: usize) -> Option<Self> {
        fn rest<T>(all: &mut Vec<T>, at_once: usize) -> Vec<T> {
            if all.len() > at_once { all.split_off(at_once) } else { Vec::new() }
        }
        let Self { seq, last_entry, rows, set, forget, entries } = self;
        let later = Self {
            seq: *seq,
            last_entry: *last_entry,
            rows: rest(rows, at_once),
            set: rest(set, at_once),
            forget: rest(forget, at_once),
            entries: rest(entries, at_once),
        };
        (!later.is_empty()).then_some(later)
    }
}

/// The rows whose versions batches ask for, and the scopes that they permit something in.
pub(super) fn asked<'a>(
    batches: impl Iterator<Item = (&'a ScopeId, &'a Batch)>,
) -> (BTreeSet<(ScopeId, OperationId)>, BTreeSet<ScopeId>) {
    let (mut rows, mut permits) = (BTreeSet::new(), BTreeSet::new());
    for (scope, batch) in batches {
        rows.extend(batch.rows.iter().map(|put| (scope.clone(), put.row.id())));
        if batch.permits {
            permits.insert(scope.clone());
        }
    }
    (rows, permits)
}

impl Group {
    /// Begins with what is there.
    pub fn new(before: Before) -> Self {
        Self { now: before, rows: BTreeMap::new(), facts: BTreeMap::new(), entries: Vec::new() }
    }

    /// Takes a batch wholly, or says why not and leaves nothing of it.
    pub fn take(&mut self, scope: &ScopeId, batch: &Batch) -> Result<(), JournalError> {
        let Batch { rows, facts, forget, entries, permits } = batch;
        if let (true, Some(reason)) = (*permits, self.now.frozen.get(scope)) {
            return Err(JournalError::Frozen { reason: reason.clone() });
        }
        for put in rows {
            let operation = put.row.id();
            let there = self.now.versions.get(&(scope.clone(), operation.clone())).copied().unwrap_or(0);
            if there != put.seen {
                return Err(JournalError::Conflict { operation });
            }
        }
        self.now.seq += 1;
        for put in rows {
            let key = (scope.clone(), put.row.id());
            self.rows.insert(key.clone(), row_record(scope, &put.row, self.now.seq));
            self.now.versions.insert(key, put.row.version);
        }
        for (kind, key) in forget {
            self.facts.insert((scope.clone(), *kind, key.clone()), fact_record(scope, *kind, key, None));
            if (*kind, key.as_str()) == (FactKind::Frozen, FLEET) {
                self.now.frozen.remove(scope);
            }
        }
        for fact in facts {
            let Fact { kind, key, value, since: _ } = fact;
            self.facts.insert((scope.clone(), *kind, key.clone()), fact_record(scope, *kind, key, Some(fact)));
            if (*kind, key.as_str()) == (FactKind::Frozen, FLEET) {
                self.now.frozen.insert(scope.clone(), value.clone());
            }
        }
        for entry in entries {
            self.now.entries += 1;
            self.entries.push(entry_record(self.now.entries, entry));
        }
        Ok(())
    }

    /// What is to be written.
    pub fn writes(self) -> Writes {
        let Self { now: Before { seq, entries: last_entry, versions: _, frozen: _ }, rows, facts, entries } = self;
        let (set, forget) = facts.into_values().partition(|fact| fact.body.is_some());
        Writes {
            seq: number(seq),
            last_entry: number(last_entry),
            rows: rows.into_values().collect(),
            set,
            forget,
            entries,
        }
    }
}

/// What another journal's contents are in an empty one.
pub(super) fn taken_over(contents: &Contents) -> Writes {
    let Contents { id: _, rows, facts, entries } = contents;
    Writes {
        seq: 1,
        last_entry: i64::try_from(entries.len()).unwrap_or(i64::MAX),
        rows: rows.iter().map(|row| row_record(&row.operation.scope, row, 1)).collect(),
        set: facts.iter().map(|(scope, fact)| fact_record(scope, fact.kind, &fact.key, Some(fact))).collect(),
        forget: Vec::new(),
        entries: entries.iter().zip(1..).map(|(entry, seq)| entry_record(seq, entry)).collect(),
    }
}

fn row_record(scope: &ScopeId, row: &Row, seq: Seq) -> RowRecord {
    RowRecord {
        scope: scope.as_str().to_owned(),
        operation: row.id().as_str().to_owned(),
        version: number(row.version),
        seq: number(seq),
        body: json(row),
    }
}

fn fact_record(scope: &ScopeId, kind: FactKind, key: &str, fact: Option<&Fact>) -> FactRecord {
    FactRecord { scope: scope.as_str().to_owned(), kind: word(&kind), key: column(key), body: fact.map(json) }
}

fn entry_record(seq: Seq, entry: &Entry) -> EntryRecord {
    EntryRecord {
        seq: number(seq),
        at: nanoseconds(entry.at),
        scope: entry.scope.as_str().to_owned(),
        kind: word(&entry.kind),
        client: entry.client.as_ref().map(|client| column(client.as_str())),
        account: entry.account.as_ref().map(|account| column(account.as_str())),
        person: entry.person.as_ref().map(|person| column(Email::key(person))),
        body: json(entry),
    }
}

/// A foreign text as a column that is searched: PostgreSQL's texts hold no NUL. The body has
/// it as it was.
pub(super) fn column(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// A place or version as SQL counts; 2^63 of them are never written.
pub(super) fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A place or version as SQL gives it.
pub(super) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A time as a column; one past the year 2262 is its last moment.
pub(super) fn nanoseconds(at: jiff::Timestamp) -> i64 {
    let nanoseconds = at.as_nanosecond();
    i64::try_from(nanoseconds).unwrap_or(if nanoseconds < 0 { i64::MIN } else { i64::MAX })
}

/// What a body says; one that says nothing is damage.
pub(super) fn read_body<T: DeserializeOwned>(place: &str, body: &str) -> Result<T, JournalError> {
    serde_json::from_str(body)
        .map_err(|error| JournalError::Corrupt { place: place.to_owned(), why: error.to_string() })
}

/// The word that serde writes for a variant.
pub(super) fn word(variant: &impl Serialize) -> String {
    json(variant).trim_matches('"').to_owned()
}

/// These types hold nothing that JSON has no form for, so that an empty body never happens;
/// a table refuses one.
fn json(body: &impl Serialize) -> String {
    serde_json::to_string(body).unwrap_or_default()
}
