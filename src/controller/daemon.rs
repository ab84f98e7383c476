//! The continuous loop: a changed file, the interval, an account's own time, a signal. Each
//! is a hint to look sooner; what is done comes from what is wanted and what is.

mod telling;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::domain::ClientName;
use crate::execute::Progress;
use crate::manifest::{Finding, Severity, Wanted};
use crate::plan::{AccountState, Plan};
use crate::provider::{ApiErrorKind, Write};

use super::announce::Announcer;
use super::board::Board;
use super::last_good::{Held, changed_clients};
use super::pass::{Looked, PassError, Reconciler};
use super::tally::Fault;
use super::watch::Watch;

/// Where manifests come from, read again at each hint.
#[async_trait::async_trait]
pub trait Source: Send + Sync {
    /// Reads everything; `None` where it is certain that nothing changed since. An `Err` is a
    /// source that cannot be read: everyone's last good version stays in force.
    ///
    /// # Errors
    /// In words for the log.
    fn read(&self) -> Result<Option<Reading>, String>;

    /// The commit that was read, where a reading does not say it: for the history.
    fn revision(&self) -> Option<String> {
        None
    }

    /// Ends when there may be something new to read, where the source knows.
    async fn changed(&self) {
        std::future::pending().await
    }

    /// Somebody wants to know now: a source that looks by itself looks at once.
    fn hurry(&self) {}
}

/// One reading of a source.
#[derive(Debug)]
pub struct Reading {
    /// What is wanted.
    pub wanted: Wanted,
    /// What is wrong in the manifests.
    pub findings: Vec<Finding>,
    /// The directories to watch.
    pub watched: Vec<std::path::PathBuf>,
    /// The commit that this is, where the source knows.
    pub revision: Option<String>,
}

/// Whether anything is written.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    clap::ValueEnum,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Differences are set right.
    #[default]
    Apply,
    /// Differences are told, nothing is changed.
    Report,
}

/// A wish for a look, from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// The operator's: at everything, at once, and what is blocked is tried again, too.
    Operator,
    /// The operator's, for one client.
    Client(ClientName),
    /// A webhook's: a hint that something may have changed at the service.
    Hint,
    /// A webhook's: a hint that the manifests may have changed.
    Source,
}

/// When the daemon looks by itself.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Between complete looks at the API.
    pub interval: Duration,
    /// Between readings of the folder that no event asked for.
    pub poll: Duration,
}

/// Looks that webhooks ask for are so far apart: whoever sends many spends no quota with them.
const HINTS_APART: Duration = Duration::from_secs(15);

/// Readings of the manifests that webhooks ask for are so far apart.
const READINGS_APART: Duration = Duration::from_secs(5);

/// More clients than this are looked at through the list: it is cheaper.
const ONE_BY_ONE: usize = 20;

/// The daemon.
pub struct Daemon {
    reconciler: Reconciler,
    writer: Option<Arc<dyn Write>>,
    source: Arc<dyn Source>,
    progress: Arc<dyn Progress>,
    timing: Timing,
    held: Held,
    findings: Vec<String>,
    source_trouble: Option<String>,
    /// The commit that is in force, in short, where the source says it.
    commit: Option<String>,
    /// The source was read at least once: before, nobody knows who is wanted.
    ever_read: bool,
    api_trouble: Option<String>,
    announcer: Announcer,
    /// When everything was last looked at.
    looked: Option<Instant>,
    next_full: Instant,
    next_poll: Instant,
    full_tries: u32,
    chance: fastrand::Rng,
    board: Board,
    began: Timestamp,
    /// When the source was last to be read because of a webhook, and when it is to be again.
    hurried: Option<Instant>,
    next_hurry: Option<Instant>,
}

impl std::fmt::Debug for Daemon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Daemon").field("timing", &self.timing).finish_non_exhaustive()
    }
}

/// What a pass is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Scope {
    /// The complete list and every client.
    Everything,
    /// Some clients only.
    Clients(BTreeSet<ClientName>),
}

impl Daemon {
    /// With a writer it sets differences right, without one it reports them. What it sees
    /// stands on the board.
    pub fn new(
        reconciler: Reconciler,
        writer: Option<Arc<dyn Write>>,
        source: Arc<dyn Source>,
        progress: Arc<dyn Progress>,
        timing: Timing,
        seed: u64,
        board: Board,
    ) -> Self {
        let began = reconciler.keeper().now();
        Self {
            reconciler,
            writer,
            source,
            progress: board.progress(progress),
            timing,
            held: Held::default(),
            findings: Vec::new(),
            source_trouble: None,
            commit: None,
            ever_read: false,
            api_trouble: None,
            announcer: Announcer::default(),
            looked: None,
            next_full: Instant::now(),
            next_poll: Instant::now(),
            full_tries: 0,
            chance: fastrand::Rng::with_seed(seed),
            board,
            began,
            hurried: None,
            next_hurry: None,
        }
    }

    /// Runs until it is cancelled. `look` brings wishes for another look at everything.
    pub async fn run(
        mut self,
        mut watch: Watch,
        look: &mut tokio::sync::mpsc::Receiver<Ask>,
        cancel: CancellationToken,
    ) {
        self.begin();
        let source = Arc::clone(&self.source);
        self.read(&mut watch).await;
        self.pass(Scope::Everything, &cancel).await;
        while !cancel.is_cancelled() {
            let due = self.reconciler.memory().next_due();
            self.rest(due);
            let (next_due, next_hurry) = (at(due), at(self.next_hurry));
            let scope = tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                Some(ask) = look.recv() => match ask {
                    Ask::Operator => {
                        tracing::info!("asked to look at everything again");
                        self.reconciler.memory().forget_all();
                        source.hurry();
                        self.read(&mut watch).await;
                        Some(Scope::Everything)
                    }
                    Ask::Client(client) => {
                        tracing::info!(%client, "asked to look at it again");
                        self.reconciler.memory().forget(&client);
                        source.hurry();
                        let changed = self.read(&mut watch).await;
                        Some(Scope::Clients(BTreeSet::from([client])).with(changed))
                    }
                    Ask::Hint => {
                        self.hinted();
                        None
                    }
                    Ask::Source => {
                        let soonest = self.hurried.map_or_else(Instant::now, |before| before + READINGS_APART);
                        self.next_hurry.get_or_insert(soonest);
                        None
                    }
                },
                () = watch.changed() => self.read(&mut watch).await,
                () = source.changed() => self.read(&mut watch).await,
                () = next_hurry => {
                    (self.next_hurry, self.hurried) = (None, Some(Instant::now()));
                    source.hurry();
                    self.read(&mut watch).await
                }
                () = tokio::time::sleep_until(self.next_poll) => self.read(&mut watch).await,
                () = tokio::time::sleep_until(self.next_full) => {
                    self.read(&mut watch).await;
                    Some(Scope::Everything)
                }
                // Last, so that a thousand clients who are due one after the other keep
                // nobody from reading the folder or looking at everything.
                () = next_due => {
                    Some(Scope::Clients(self.reconciler.memory().take_due(Instant::now())))
                }
            };
            if let Some(scope) = scope {
                self.pass(scope, &cancel).await;
            }
        }
    }

    /// Looks sooner, unless the API is in trouble or everything was looked at a moment ago.
    fn hinted(&mut self) {
        if self.api_trouble.is_none() {
            let soonest = self.looked.map_or_else(Instant::now, |looked| looked + HINTS_APART);
            self.next_full = self.next_full.min(soonest);
        }
    }

    /// Reads the source; tells what changed about it, and what is to be looked at.
    async fn read(&mut self, watch: &mut Watch) -> Option<Scope> {
        let source = Arc::clone(&self.source);
        let read = tokio::task::spawn_blocking(move || source.read()).await;
        self.next_poll = Instant::now() + self.timing.poll;
        let reading = match read {
            Ok(Ok(reading)) => reading,
            Ok(Err(trouble)) => return self.unreadable(trouble),
            Err(_) => return self.unreadable("reading the manifests stopped short, which is a bug".into()),
        };
        if self.source_trouble.take().is_some() {
            tracing::info!("the manifests can be read again");
        }
        self.board.read(self.reconciler.keeper().now());
        let reading = reading?;
        self.ever_read = true;
        watch.set(reading.watched);
        let stated = reading.revision.is_some();
        if stated {
            self.take_revision(reading.revision);
        }
        self.span().in_scope(|| self.tell_findings(&reading.findings));
        let held = self.held.take(reading.wanted);
        let mut changed = changed_clients(&self.held.wanted, &held.wanted);
        changed.extend(held.kept.keys().filter(|client| !self.held.kept.contains_key(*client)).cloned());
        let leaving = self.held.wanted.offboardings.iter().map(|o| &o.people).collect::<Vec<_>>()
            != held.wanted.offboardings.iter().map(|o| &o.people).collect::<Vec<_>>();
        let fewer = self.held.wanted.clients.len() != held.wanted.clients.len()
            || self.held.wanted.invalid != held.wanted.invalid
            || self.held.kept != held.kept;
        let present: BTreeSet<&ClientName> = held.wanted.clients.iter().map(|client| &client.name).collect();
        for client in self.held.wanted.clients.iter().filter(|client| !present.contains(&client.name)) {
            self.reconciler.memory().forget(&client.name);
        }
        self.held = held;
        if !stated && (fewer || leaving || !changed.is_empty()) {
            let source = Arc::clone(&self.source);
            self.reconciler.revision = tokio::task::spawn_blocking(move || source.revision()).await.ok().flatten();
        }
        self.tell_source(&reading.findings);
        for client in &changed {
            self.reconciler.memory().forget(client);
        }
        if leaving {
            Some(Scope::Everything)
        } else if changed.is_empty() && !fewer {
            None
        } else {
            Some(Scope::Clients(changed))
        }
    }

    /// Notes the commit that is in force from now on, and says so.
    fn take_revision(&mut self, revision: Option<String>) {
        let commit = revision.as_deref().map(short).unwrap_or_default().to_owned();
        if self.reconciler.revision != revision {
            let before = self.commit.as_deref();
            tracing::info!(commit, before, "the commit is in force");
        }
        self.commit = Some(commit);
        self.reconciler.revision = revision;
    }

    fn unreadable(&mut self, trouble: String) -> Option<Scope> {
        self.board.fault(Fault::Source, &trouble, self.reconciler.keeper().now());
        if self.source_trouble.as_ref() != Some(&trouble) {
            let _in_force = self.span().entered();
            tracing::warn!("{trouble}; every client's last good version stays in force");
            self.source_trouble = Some(trouble);
        }
        None
    }

    fn tell_findings(&mut self, findings: &[Finding]) {
        let now: Vec<String> = findings.iter().map(ToString::to_string).collect();
        for (finding, line) in findings.iter().zip(&now) {
            if !self.findings.contains(line) {
                match finding.severity {
                    Severity::Error => tracing::warn!("{line}"),
                    Severity::Warning => tracing::info!("{line}"),
                }
            }
        }
        if now.is_empty() && !self.findings.is_empty() {
            tracing::info!("the manifests hold again");
        }
        self.findings = now;
    }

    /// One pass: look, then carry out or report, then tell what changed.
    async fn pass(&mut self, scope: Scope, cancel: &CancellationToken) {
        if !self.ever_read {
            self.next_full = Instant::now() + self.timing.poll;
            return;
        }
        self.board.beat();
        let span = self.span();
        self.passing(scope, cancel).instrument(span).await;
    }

    async fn passing(&mut self, scope: Scope, cancel: &CancellationToken) {
        let (begun, whole) = (Instant::now(), scope == Scope::Everything);
        let only = match self.look(scope).await {
            Ok(only) => only,
            Err(trouble) => {
                self.no_pass(&trouble);
                return self.tell_end(whole, Some(&trouble), begun.elapsed());
            }
        };
        let wanted = self.held.wanted.clone();
        let done = match &self.writer {
            Some(writer) => self
                .reconciler
                .converge(&wanted, only.as_ref(), writer.as_ref(), self.progress.as_ref(), cancel)
                .await
                .map(|report| (report.plan, report.left, report.trouble)),
            None => {
                let plan = self.reconciler.plan(&wanted);
                plan.map(|plan| (plan.unwrap_or_else(|| unreachable!("just looked")), 0, None))
            }
        };
        let (plan, trouble) = match done {
            Ok((plan, left, trouble)) => {
                self.passed(&plan, left);
                (Some(plan), trouble)
            }
            Err(trouble) => (None, Some(trouble)),
        };
        if let Some(trouble) = &trouble {
            self.no_pass(trouble);
        }
        if let Some(plan) = &plan {
            self.tell_pass(plan, only.as_ref()).await;
        }
        self.tell_end(only.is_none(), trouble.as_ref(), begun.elapsed());
    }

    async fn look(&mut self, scope: Scope) -> Result<Option<BTreeSet<ClientName>>, PassError> {
        let wanted = self.held.wanted.clone();
        if let Scope::Clients(clients) = scope
            && clients.len() <= ONE_BY_ONE
            && self.reconciler.are_seen(&wanted, &clients)
            && self.reconciler.look_at(&wanted, &clients).await? == Looked::Fresh
            && !self.sets_others_free(&wanted, &clients)?
        {
            return Ok(Some(clients));
        }
        self.reconciler.observe(&wanted).await?;
        self.full_tries = 0;
        self.looked = Some(Instant::now());
        self.next_full = Instant::now() + self.timing.interval.mul_f64(1.0 + self.chance.f64() / 20.0);
        Ok(None)
    }

    /// Whether something is to be done now for others than these: the edit of one manifest
    /// can end another's ambiguity, or bring all of them back under a rail. What is known of
    /// those others may be old.
    fn sets_others_free(&self, wanted: &Wanted, clients: &BTreeSet<ClientName>) -> Result<bool, PassError> {
        if self.writer.is_none() {
            return Ok(false);
        }
        let planned = self.reconciler.planned_clients(wanted)?;
        Ok(!planned.is_subset(clients))
    }

    fn passed(&mut self, plan: &Plan, left: usize) {
        if self.api_trouble.take().is_some() {
            tracing::info!("the account API answers again");
        }
        for news in self.announcer.news(plan, &self.held.kept) {
            let client = news.client.unwrap_or_default();
            let message = news.message;
            match (news.warn, client.is_empty()) {
                (false, true) => tracing::info!("{message}"),
                (true, true) => tracing::warn!("{message}"),
                (false, false) => tracing::info!(client, "{message}"),
                (true, false) => tracing::warn!(client, "{message}"),
            }
        }
        if left > 0 {
            tracing::info!(left, "stopped before everything was done; the next start goes on from here");
        }
        let looked = plan.accounts.iter().filter(|account| account.state != AccountState::Invalid).count();
        tracing::debug!(clients = looked, requests = plan.requests.spent, "pass done");
    }

    fn no_pass(&mut self, trouble: &PassError) {
        self.full_tries = self.full_tries.saturating_add(1);
        let backoff = Duration::from_secs(5).saturating_mul(1 << self.full_tries.min(6)).min(self.timing.interval);
        let backoff = match trouble {
            PassError::Api(error) => match &error.kind {
                ApiErrorKind::Quota { resets_in, sent: _ } => *resets_in + Duration::from_secs(1),
                _ => backoff,
            },
            PassError::Journal(_) | PassError::Shrunk => backoff,
            PassError::Lint(_) | PassError::Unkept => self.timing.interval,
        };
        self.next_full = Instant::now() + backoff;
        let line = trouble.to_string();
        if self.api_trouble.as_ref() != Some(&line) {
            tracing::warn!("{line}; nothing is changed, tried again in {} s", backoff.as_secs());
            self.api_trouble = Some(line);
        }
    }
}

/// A commit for people.
fn short(revision: &str) -> &str {
    revision.get(..12).unwrap_or(revision)
}

/// Waits for a time, or for ever.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
