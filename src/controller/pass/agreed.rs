//! What a person agreed to, kept to in every round of a pass.

use std::collections::BTreeSet;

use crate::domain::ClientName;
use crate::plan::Plan;

use super::{Reconciler, Rounds};

impl Reconciler {
    /// Of the clients that a pass is for, those for whom nothing else turned up than what was
    /// agreed to; `None` where all that is planned may be carried out.
    pub(super) fn still_agreed(&self, only: Option<&BTreeSet<ClientName>>) -> Option<BTreeSet<ClientName>> {
        let mut clients = self.agreed.as_ref()?.clients();
        clients.retain(|client| only.is_none_or(|only| only.contains(client)));
        Some(clients)
    }

    /// The same once a plan was made, with those let go for whom it holds something else.
    pub(super) fn keep_to_agreed(
        &mut self,
        plan: &Plan,
        only: Option<&BTreeSet<ClientName>>,
        so_far: &mut Rounds,
    ) -> Option<BTreeSet<ClientName>> {
        if let Some(agreed) = &mut self.agreed {
            so_far.besides.extend(agreed.keep_to(plan));
        }
        self.still_agreed(only)
    }
}
