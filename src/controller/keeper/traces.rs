//! What the journal tells of each client for its status: when something was last done, for which
//! commit, and since when what is not done was tried.

use std::collections::{BTreeMap, BTreeSet};

use super::Keeper;
use crate::controller::status::{Trace, Trouble};
use crate::domain::ClientName;
use crate::journal::{EntryKind, FactKind, JournalError, OperationId, Query, Row, State};

/// Clients whose history is looked through at most: more than that are not in trouble each by
/// itself, and their age is the process's.
const MOST: usize = 500;

impl Keeper {
    /// The traces of every client that the journal knows.
    pub fn traces(&self) -> BTreeMap<ClientName, Trace> {
        let mut traces: BTreeMap<ClientName, Trace> = BTreeMap::new();
        let Some(book) = &self.book else { return traces };
        for row in book.rows().into_iter().filter(|row| !row.released) {
            let trace = traces.entry(row.operation.series.client).or_default();
            match row.state {
                State::Done if row.ended_at > trace.applied_at => {
                    trace.applied_at = row.ended_at;
                    trace.revision = row.cause.revision;
                }
                State::Done | State::Prepared => {}
                _ => {
                    let tried = row.first_sent_at.or(row.ended_at);
                    trace.tried_since = [trace.tried_since, tried].into_iter().flatten().min();
                }
            }
        }
        traces
    }

    /// Since when what is not done was first tried, from the history: the rows know the latest
    /// attempt only. For the first look of a process.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn trace_back(&self, traces: &mut BTreeMap<ClientName, Trace>) -> Result<(), JournalError> {
        let Some(book) = &self.book else { return Ok(()) };
        let mut open: BTreeMap<ClientName, BTreeSet<OperationId>> = BTreeMap::new();
        let is_open = |row: &Row| !matches!(row.state, State::Done | State::Prepared) && !row.released;
        for row in book.rows().into_iter().filter(is_open) {
            open.entry(row.operation.series.client.clone()).or_default().insert(row.id());
        }
        for (client, operations) in open.into_iter().take(MOST) {
            let (scope, kinds) = (Some(book.scope().clone()), vec![EntryKind::Sent]);
            let query = Query { scope, client: Some(client.clone()), kinds, ..Query::default() };
            let sent = self.keeping.journal.history(&query).await?;
            let of_open =
                |operation: &Option<OperationId>| operation.as_ref().is_some_and(|id| operations.contains(id));
            let first = sent.iter().find(|recorded| of_open(&recorded.entry.operation));
            if let Some(first) = first {
                traces.entry(client).or_default().tried_since = Some(first.entry.at);
            }
        }
        Ok(())
    }

    /// Who stopped all writes, why and since when.
    pub fn frozen(&self) -> Option<Trouble> {
        let fact = self.book.as_ref()?.facts(FactKind::Frozen).into_values().next()?;
        Some(Trouble { message: fact.value, since: fact.since })
    }
}
