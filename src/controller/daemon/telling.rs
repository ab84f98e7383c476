//! What the daemon writes on its board.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::{Daemon, Scope};
use crate::controller::pass::PassError;
use crate::controller::status::{Next, Outcome, PassStatus, Setting, SourceStatus, tell_fleet};
use crate::controller::tally::Fault;
use crate::domain::ClientName;
use crate::domain::text::inert;
use crate::manifest::{Finding, Severity};
use crate::plan::{AccountPlan, AccountState, Plan};

impl Daemon {
    /// The fields of every line of a pass; of a level that `--quiet` lets through, too.
    pub(super) fn span(&self) -> tracing::Span {
        let commit = self.reconciler.revision.as_deref().map(inert);
        tracing::error_span!("pass", commit = commit.as_deref())
    }

    /// The loop begins.
    pub(super) fn begin(&self) {
        let (began, interval) = (self.began, self.timing.interval.as_secs());
        self.board.change(|fleet| {
            fleet.started_at = Some(began);
            fleet.interval_seconds = Some(interval);
        });
        self.board.hold(true);
        self.board.beat();
    }

    /// The loop rests until something comes, or its next time does.
    pub(super) fn rest(&mut self, due: Option<Instant>) {
        let wakes = due.into_iter().chain(self.next_hurry).fold(self.next_poll.min(self.next_full), Instant::min);
        self.board.rests_until(wakes);
        let (at, why) = match due {
            Some(due) if due < self.next_full => (due, "a client's own time"),
            _ => (self.next_full, self.full_why()),
        };
        let next = Next { at: self.time_of(at), why: why.to_owned() };
        let depth = u32::try_from(self.reconciler.memory().waiting()).unwrap_or(u32::MAX);
        self.board.change(|fleet| {
            fleet.next_pass = Some(next);
            fleet.queue_depth = depth;
        });
    }

    fn full_why(&self) -> &'static str {
        if self.api_trouble.is_some() { "tried again" } else { "everything is looked at" }
    }

    /// The wall clock's word for a time to come.
    fn time_of(&self, instant: Instant) -> Timestamp {
        let ahead = instant.saturating_duration_since(Instant::now());
        let now = self.reconciler.keeper().now();
        now.saturating_add(SignedDuration::try_from(ahead).unwrap_or(SignedDuration::MAX)).unwrap_or(Timestamp::MAX)
    }

    /// A reading that came through.
    pub(super) fn tell_source(&self, findings: &[Finding]) {
        let now = self.reconciler.keeper().now();
        let revision = self.reconciler.revision.clone();
        let of = |severity: Severity| {
            u32::try_from(findings.iter().filter(|finding| finding.severity == severity).count()).unwrap_or(u32::MAX)
        };
        let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
        self.board.change(|fleet| {
            let before = &fleet.source;
            let same = before.read_at.is_some() && before.revision == revision;
            let since = if same { before.since } else { revision.as_ref().map(|_| now) };
            let read_at = Some(now);
            fleet.source = SourceStatus { revision, since, read_at, errors, warnings, trouble: None };
        });
    }

    /// How everybody stands after a pass.
    pub(super) async fn tell_pass(&mut self, plan: &Plan, looked: Option<&BTreeSet<ClientName>>) {
        let now = self.reconciler.keeper().now();
        let before = self.board.accounts();
        let mut traces = self.reconciler.keeper().traces();
        if before.is_empty()
            && let Err(error) = self.reconciler.keeper().trace_back(&mut traces).await
        {
            tracing::debug!(%error, "since when what is not done was tried could not be read");
        }
        let full = Next { at: self.time_of(self.next_full), why: self.full_why().to_owned() };
        let mut own: BTreeMap<ClientName, Timestamp> = BTreeMap::new();
        for client in plan.accounts.iter().filter_map(|account| account.client.clone()) {
            if let Some(due) = self.reconciler.memory().due_of(&client) {
                own.insert(client, self.time_of(due));
            }
        }
        let next = |account: &AccountPlan| {
            let own = account.client.as_ref().and_then(|client| own.get(client)).filter(|at| **at < full.at);
            Some(own.map_or_else(|| full.clone(), |at| Next { at: *at, why: own_why(account.state).to_owned() }))
        };
        let setting = Setting {
            fleet: self.board.name(),
            now,
            began: self.began,
            revision: self.reconciler.revision.as_deref(),
            kept: &self.held.kept,
            traces: &traces,
            looked,
            next: &next,
        };
        let accounts = setting.accounts(plan, &before);
        let frozen = self.reconciler.keeper().frozen();
        self.board.plans_with(self.reconciler.budget(&self.held.wanted));
        self.board.change(|fleet| {
            tell_fleet(fleet, plan, &accounts);
            fleet.frozen = frozen;
            fleet.api.read_at = Some(now);
        });
        self.board.show(accounts, self.reconciler.keeper().book().map(|book| book.scope()));
    }

    /// Tells whether the manifests and the API can be used.
    pub(super) async fn tell_standing(&mut self) {
        let source = self.source_trouble.as_deref().map(|why| (why, self.unread));
        let api = self.api_trouble.as_deref().map(|why| (why, self.troubled));
        self.herald.standing(&mut self.reconciler, source, api).await;
    }

    /// How a pass ended.
    pub(super) fn tell_end(&self, whole: bool, trouble: Option<&PassError>, took: Duration) {
        let (at, duration_seconds) = (self.reconciler.keeper().now(), took.as_secs_f64());
        let outcome = if trouble.is_none() { Outcome::Done } else { Outcome::Failed };
        match trouble {
            None => [Fault::Api, Fault::Journal].into_iter().for_each(|fault| self.board.well(fault)),
            Some(trouble) => self.board.fault(at_fault(trouble), &trouble.to_string(), at),
        }
        self.board.tally().passed(self.board.name(), whole, outcome.as_str(), duration_seconds);
        let message = trouble.map(ToString::to_string);
        self.board.change(|fleet| fleet.last_pass = Some(PassStatus { at, duration_seconds, outcome, whole, message }));
    }
}

const fn at_fault(trouble: &PassError) -> Fault {
    match trouble {
        PassError::Api(_) | PassError::Shrunk => Fault::Api,
        PassError::Journal(_) => Fault::Journal,
        PassError::Lint(_) | PassError::Unkept => Fault::Plan,
    }
}

const fn own_why(state: AccountState) -> &'static str {
    match state {
        AccountState::Waiting => "what it waits for may have come",
        AccountState::Failed => "tried again",
        _ => "looked at again",
    }
}

impl Scope {
    /// This and what else is to be looked at.
    pub(super) fn with(self, other: Option<Self>) -> Self {
        match (self, other) {
            (Self::Clients(mut clients), Some(Self::Clients(more))) => {
                clients.extend(more);
                Self::Clients(clients)
            }
            (Self::Everything(class), Some(Self::Everything(other))) => Self::Everything(class.min(other)),
            (Self::Everything(class), _) | (_, Some(Self::Everything(class))) => Self::Everything(class),
            (some, None) => some,
        }
    }
}
