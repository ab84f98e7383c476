//! What is counted while the daemon runs, for `/metrics`. Every label is one of a known few: no
//! client, no person, no text of a server.

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;

use crate::notify::Counters;
use crate::plan::{OpKind, VerdictState};

/// Names and values of labels.
pub type Labels = Vec<(&'static str, String)>;

/// The upper bounds of durations, in seconds: from one account read to a first pass of thousands.
const SECONDS: [f64; 12] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0];

/// The counters of one process, shared by its fleets.
#[derive(Debug, Clone)]
pub struct Tally {
    /// How long passes took, by fleet, scope and outcome.
    pub passes: Family<Labels, Histogram, fn() -> Histogram>,
    /// What became of actions that were tried, by fleet, operation and outcome.
    pub actions: Family<Labels, Counter>,
    /// Passes and readings that did not go through, by fleet and what was at fault.
    pub errors: Family<Labels, Counter>,
    /// Deliveries of webhooks, by sender and the status that answered them.
    pub deliveries: Family<Labels, Counter>,
    /// What became of the letters to each receiver of notifications, by its host.
    pub receivers: Vec<(String, Arc<Counters>)>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            passes: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            actions: Family::default(),
            errors: Family::default(),
            deliveries: Family::default(),
            receivers: Vec::new(),
        }
    }
}

/// What is at fault where a pass or a reading does not go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The manifests could not be read.
    Source,
    /// The API could not be read.
    Api,
    /// The journal could not be read or written.
    Journal,
    /// A plan that does not hold, or a create that nobody would remember.
    Plan,
}

impl Fault {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Source, Self::Api, Self::Journal, Self::Plan];

    /// As labels have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Api => "api",
            Self::Journal => "journal",
            Self::Plan => "plan",
        }
    }
}

impl Tally {
    /// Every series of a fleet that a rule may ask about is there from the start: what is not
    /// there cannot be told from what never happened.
    pub fn begin(&self, fleet: &str) {
        for fault in Fault::ALL {
            self.errors.get_or_create_owned(&vec![("fleet", fleet.to_owned()), ("what", fault.as_str().into())]);
        }
    }

    /// A pass that ended.
    pub fn passed(&self, fleet: &str, whole: bool, outcome: &'static str, seconds: f64) {
        let scope = if whole { "everything" } else { "some" };
        let labels = vec![("fleet", fleet.to_owned()), ("scope", scope.into()), ("outcome", outcome.into())];
        self.passes.get_or_create(&labels).observe(seconds);
    }

    /// A pass or a reading that did not go through.
    pub fn failed(&self, fleet: &str, fault: Fault) {
        self.errors.get_or_create(&vec![("fleet", fleet.to_owned()), ("what", fault.as_str().into())]).inc();
    }

    /// An action that was tried; without a state it was carried out.
    pub fn tried(&self, fleet: &str, op: OpKind, state: Option<VerdictState>) {
        let outcome = match state {
            None => "applied",
            Some(VerdictState::Failed) => "failed",
            Some(VerdictState::Waiting) => "waiting",
            Some(VerdictState::Blocked) => "blocked",
        };
        let labels = vec![("fleet", fleet.to_owned()), ("op", format!("{op:?}")), ("outcome", outcome.into())];
        self.actions.get_or_create(&labels).inc();
    }

    /// A delivery that was answered.
    pub fn delivered(&self, sender: &'static str, status: u16) {
        let labels = vec![("sender", sender.to_owned()), ("status", status.to_string())];
        self.deliveries.get_or_create(&labels).inc();
    }
}
