//! A journal in memory, for a run that needs none and for simulations. It ends with its
//! last holder.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::fact::{Fact, FactKind};
use super::history::{Entry, Query, Recorded};
use super::operation::{OperationId, Owner, ScopeId};
use super::row::Row;
use super::store::{Batch, Contents, Journal, JournalError, JournalId, Lease, Seq};

/// A journal in memory.
#[derive(Debug)]
pub struct InMemory {
    id: JournalId,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    seq: Seq,
    rows: BTreeMap<(ScopeId, OperationId), (Seq, Row)>,
    facts: BTreeMap<(ScopeId, FactKind, String), Fact>,
    entries: Vec<Recorded>,
}

impl InMemory {
    /// An empty one.
    pub fn new(id: JournalId) -> Self {
        Self { id, kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Whole after each statement, whoever panicked while holding it.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Journal for InMemory {
    fn id(&self) -> &JournalId {
        &self.id
    }

    fn place(&self) -> String {
        "in memory".to_owned()
    }

    fn is_lasting(&self) -> bool {
        false
    }

    async fn rows(&self, scope: &ScopeId, after: Seq) -> Result<(Vec<Row>, Seq), JournalError> {
        let kept = self.kept();
        let of_scope = kept.rows.iter().filter(|((of, _), (seq, _))| of == scope && *seq > after);
        Ok((of_scope.map(|(_, (_, row))| row.clone()).collect(), kept.seq))
    }

    async fn facts(&self, scope: &ScopeId) -> Result<Vec<Fact>, JournalError> {
        let kept = self.kept();
        Ok(kept.facts.iter().filter(|((of, _, _), _)| of == scope).map(|(_, fact)| fact.clone()).collect())
    }

    async fn commit(&self, scope: &ScopeId, batch: Batch) -> Result<(), JournalError> {
        let mut kept = self.kept();
        let Batch { rows, facts, forget, entries, permits } = batch;
        let frozen = kept.facts.get(&(scope.clone(), FactKind::Frozen, "fleet".to_owned()));
        if let (true, Some(frozen)) = (permits, frozen) {
            return Err(JournalError::Frozen { reason: frozen.value.clone() });
        }
        for put in &rows {
            let there = kept.rows.get(&(scope.clone(), put.row.id())).map_or(0, |(_, row)| row.version);
            if there != put.seen {
                return Err(JournalError::Conflict { operation: put.row.id() });
            }
        }
        kept.seq += 1;
        let seq = kept.seq;
        for put in rows {
            kept.rows.insert((scope.clone(), put.row.id()), (seq, put.row));
        }
        for (kind, key) in forget {
            kept.facts.remove(&(scope.clone(), kind, key));
        }
        for fact in facts {
            kept.facts.insert((scope.clone(), fact.kind, fact.key.clone()), fact);
        }
        for entry in entries {
            let seq = kept.entries.last().map_or(1, |last| last.seq + 1);
            kept.entries.push(Recorded { seq, entry });
        }
        Ok(())
    }

    async fn history(&self, query: &Query) -> Result<Vec<Recorded>, JournalError> {
        let kept = self.kept();
        let after = query.after.unwrap_or(0);
        let mut found: Vec<_> =
            kept.entries.iter().filter(|at| at.seq > after && query.matches(&at.entry)).cloned().collect();
        if let Some(latest) = query.latest {
            found.drain(..found.len().saturating_sub(latest));
        }
        Ok(found)
    }

    async fn scopes(&self) -> Result<Vec<ScopeId>, JournalError> {
        let kept = self.kept();
        let rows = kept.rows.keys().map(|(scope, _)| scope);
        let mut scopes: Vec<_> = rows.chain(kept.facts.keys().map(|(scope, _, _)| scope)).cloned().collect();
        scopes.sort();
        scopes.dedup();
        Ok(scopes)
    }

    async fn lease(&self, _: &str, _: &Owner, _: Duration) -> Result<Lease, JournalError> {
        Ok(Lease::Held)
    }

    async fn release(&self, _: &str, _: &Owner) -> Result<(), JournalError> {
        Ok(())
    }

    async fn contents(&self) -> Result<Contents, JournalError> {
        let kept = self.kept();
        Ok(Contents {
            id: self.id.clone(),
            rows: kept.rows.values().map(|(_, row)| row.clone()).collect(),
            facts: kept.facts.iter().map(|((scope, _, _), fact)| (scope.clone(), fact.clone())).collect(),
            entries: kept.entries.iter().map(|at| at.entry.clone()).collect(),
        })
    }

    async fn restore(&mut self, contents: Contents) -> Result<(), JournalError> {
        let Contents { id, rows, facts, entries } = contents;
        {
            let mut kept = self.kept();
            if !kept.rows.is_empty() || !kept.facts.is_empty() || !kept.entries.is_empty() {
                return Err(JournalError::NotEmpty { place: self.place() });
            }
            kept.seq = 1;
            kept.rows = rows.into_iter().map(|row| ((row.operation.scope.clone(), row.id()), (1, row))).collect();
            let keyed = facts.into_iter().map(|(scope, fact)| ((scope, fact.kind, fact.key.clone()), fact));
            kept.facts = keyed.collect();
            let numbered = entries.into_iter().zip(1..).map(|(entry, seq): (Entry, Seq)| Recorded { seq, entry });
            kept.entries = numbered.collect();
        }
        self.id = id;
        Ok(())
    }

    async fn close(&self) {}
}
