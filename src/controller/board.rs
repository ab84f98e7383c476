//! The board of a fleet: the daemon writes what it saw, whoever serves or supervises reads.
//! Neither waits for the other.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::domain::ClientName;
use crate::execute::Progress;
use crate::journal::ScopeId;
use crate::plan::{Action, ApiInfo, Verdict};
use crate::provider::{Read, Traffic};

use super::daemon::Mode;
use super::report::BudgetReport;
use super::status::{AccountStatus, FleetStatus, QuotaStatus, ReadFrom, Status, Trouble};
use super::tally::{Fault, Tally};

/// A loop that shows no sign of life for so long past the time it was to wake up at hangs. A
/// request is given up within 15 s, and one read is tried three times.
const HANGS_AFTER: Duration = Duration::from_secs(180);

/// A fleet's board. Clones are the same board.
#[derive(Clone)]
pub struct Board(Arc<Inner>);

struct Inner {
    name: String,
    tally: Tally,
    reader: Arc<dyn Read>,
    fleet: Mutex<FleetStatus>,
    accounts: Mutex<Arc<Vec<AccountStatus>>>,
    scope: Mutex<Option<ScopeId>>,
    pulse: Mutex<Pulse>,
    budget: Mutex<Option<(BudgetReport, Instant)>>,
}

/// Until when the loop need not show a sign of life.
#[derive(Debug)]
struct Pulse {
    until: Instant,
    sent: u64,
}

impl std::fmt::Debug for Board {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Board").field("fleet", &self.0.name).finish_non_exhaustive()
    }
}

impl Board {
    /// An empty board.
    pub fn new(name: &str, mode: Mode, api: &ApiInfo, reader: Arc<dyn Read>, tally: Tally) -> Self {
        tally.begin(name);
        Self(Arc::new(Inner {
            name: name.to_owned(),
            tally,
            reader,
            fleet: Mutex::new(FleetStatus::new(name, mode, &api.provider, &api.url)),
            accounts: Mutex::default(),
            scope: Mutex::default(),
            pulse: Mutex::new(Pulse { until: Instant::now() + HANGS_AFTER, sent: 0 }),
            budget: Mutex::default(),
        }))
    }

    /// The fleet's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// How the fleet stands.
    pub fn fleet(&self) -> FleetStatus {
        let mut fleet = locked(&self.0.fleet).clone();
        let budget = self.budget();
        fleet.api.full_pass_seconds = budget.full_pass.map(|time| time.as_secs());
        fleet.api.quota = (budget.limit > 0).then_some(QuotaStatus {
            limit: budget.limit,
            remaining: budget.remaining,
            reserve: budget.reserve,
            others: budget.others,
            resets_in_seconds: budget.resets_in.as_secs(),
        });
        fleet
    }

    /// How its clients stand, by name.
    pub fn accounts(&self) -> Arc<Vec<AccountStatus>> {
        Arc::clone(&locked(&self.0.accounts))
    }

    /// Which part of the journal is the fleet's, once a look has told.
    pub fn scope(&self) -> Option<ScopeId> {
        locked(&self.0.scope).clone()
    }

    /// What went over the wire.
    pub fn traffic(&self) -> Traffic {
        self.0.reader.line().traffic()
    }

    /// What the budget of the token is good for, as the last pass saw it.
    pub fn plans_with(&self, budget: BudgetReport) {
        *locked(&self.0.budget) = Some((budget, Instant::now()));
    }

    /// How the budget stands now, and what it is good for.
    pub fn budget(&self) -> BudgetReport {
        let now = BudgetReport::of(self.0.reader.line().quota_use(), None, None);
        let Some((seen, at)) = locked(&self.0.budget).clone() else { return now };
        let BudgetReport { list_requests, details_requests, full_pass, oldest, .. } = seen;
        let oldest = oldest.map(|age| age + at.elapsed());
        BudgetReport { list_requests, details_requests, full_pass, oldest, ..now }
    }

    /// What is counted.
    pub fn tally(&self) -> &Tally {
        &self.0.tally
    }

    /// This process acts for the fleet, or stands by.
    pub fn hold(&self, holding: bool) {
        self.change(|fleet| fleet.holding = holding);
    }

    /// Changes what is shown of the fleet.
    pub fn change(&self, change: impl FnOnce(&mut FleetStatus)) {
        change(&mut locked(&self.0.fleet));
    }

    /// The manifests could be read, whether or not anything was new.
    pub fn read(&self, now: Timestamp) {
        self.change(|fleet| {
            let known = fleet.source.read_at.is_some();
            fleet.source.trouble = None;
            if known {
                fleet.source.read_at = Some(now);
            }
        });
    }

    /// Shows how the clients stand.
    pub fn show(&self, accounts: Vec<AccountStatus>, scope: Option<&ScopeId>) {
        *locked(&self.0.accounts) = Arc::new(accounts);
        *locked(&self.0.scope) = scope.cloned();
    }

    /// Something did not go through; it counts once each time, and is shown until [`Board::well`].
    pub fn fault(&self, fault: Fault, message: &str, now: Timestamp) {
        self.0.tally.failed(&self.0.name, fault);
        self.change(|fleet| {
            let Some(shown) = trouble_of(fleet, fault) else { return };
            // The time stays while it is one trouble after the other.
            let since = shown.as_ref().map_or(now, |trouble| trouble.since);
            *shown = Some(Trouble { message: message.to_owned(), since });
        });
    }

    /// It goes through again.
    pub fn well(&self, fault: Fault) {
        self.change(|fleet| {
            if let Some(shown) = trouble_of(fleet, fault) {
                *shown = None;
            }
        });
    }

    /// A sign of life of the loop, which then rests until this time at the latest.
    pub fn rests_until(&self, until: Instant) {
        let mut pulse = locked(&self.0.pulse);
        pulse.until = pulse.until.max(Instant::now() + HANGS_AFTER).max(until + HANGS_AFTER);
    }

    /// A sign of life.
    pub fn beat(&self) {
        self.rests_until(Instant::now());
    }

    /// Whether the loop goes on: it showed a sign of life, or sent something, not long ago. Who
    /// stands by has no loop, and lives.
    pub fn is_alive(&self, now: Instant) -> bool {
        if !locked(&self.0.fleet).holding {
            return true;
        }
        let sent = self.0.reader.line().requests_sent();
        let mut pulse = locked(&self.0.pulse);
        if pulse.sent != sent {
            pulse.sent = sent;
            pulse.until = pulse.until.max(now + HANGS_AFTER);
        }
        now <= pulse.until
    }

    /// Why nothing can be told of the fleet yet; `None` where it is ready, or stands by.
    pub fn unready(&self) -> Option<&'static str> {
        let fleet = locked(&self.0.fleet);
        if !fleet.holding {
            None
        } else if fleet.source.read_at.is_none() {
            Some("the manifests were not read yet")
        } else if fleet.api.read_at.is_none() {
            Some("the account API was not read yet")
        } else {
            None
        }
    }

    /// Whether the manifests were read, or are another replica's to read.
    pub fn has_read(&self) -> bool {
        let fleet = locked(&self.0.fleet);
        !fleet.holding || fleet.source.read_at.is_some()
    }

    /// Progress that is counted, and is a sign of life, before it is told.
    pub fn progress(&self, told: Arc<dyn Progress>) -> Arc<dyn Progress> {
        Arc::new(Counted { board: self.clone(), told })
    }
}

/// The status of several fleets, with their emails masked.
pub fn status_of(boards: &[Board], now: Timestamp) -> Status {
    let fleets = boards.iter().map(Board::fleet).collect();
    let accounts = boards.iter().flat_map(|board| board.accounts().to_vec()).collect();
    Status::new(ReadFrom::Daemon, now, fleets, accounts).masked()
}

/// Where a trouble is shown; a plan's stands at the last pass.
fn trouble_of(fleet: &mut FleetStatus, fault: Fault) -> Option<&mut Option<Trouble>> {
    match fault {
        Fault::Source => Some(&mut fleet.source.trouble),
        Fault::Api => Some(&mut fleet.api.trouble),
        Fault::Journal => Some(&mut fleet.journal_trouble),
        Fault::Plan => None,
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Counted {
    board: Board,
    told: Arc<dyn Progress>,
}

impl Progress for Counted {
    fn begun(&self, client: &ClientName, action: &Action) {
        self.board.beat();
        self.told.begun(client, action);
    }

    fn applied(&self, client: &ClientName, action: &Action) {
        self.board.beat();
        self.board.tally().tried(self.board.name(), action.op.kind(), None);
        self.told.applied(client, action);
    }

    fn not_applied(&self, client: &ClientName, action: &Action, verdict: &Verdict) {
        self.board.beat();
        self.board.tally().tried(self.board.name(), action.op.kind(), Some(verdict.state));
        self.told.not_applied(client, action, verdict);
    }

    fn needs_seat(&self, client: &ClientName, action: &Action) {
        self.told.needs_seat(client, action);
    }

    fn pausing(&self, seconds: u64) {
        self.board.rests_until(Instant::now() + Duration::from_secs(seconds));
        self.told.pausing(seconds);
    }
}
