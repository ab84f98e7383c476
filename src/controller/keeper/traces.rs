//! What the journal tells of each client for its status: when something was last done, for which
//! commit, and since when what is not done was tried.

use std::collections::BTreeMap;

use super::Keeper;
use crate::controller::status::{Trace, Trouble};
use crate::domain::ClientName;
use crate::journal::{FactKind, State};

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
                State::Sending | State::Refused | State::Unknown | State::Ask => {
                    let tried = row.first_sent_at.or(row.ended_at);
                    trace.tried_since = [trace.tried_since, tried].into_iter().flatten().min();
                }
            }
        }
        traces
    }

    /// Who stopped all writes, why and since when.
    pub fn frozen(&self) -> Option<Trouble> {
        let fact = self.book.as_ref()?.facts(FactKind::Frozen).into_values().next()?;
        Some(Trouble { message: fact.value, since: fact.since })
    }
}
