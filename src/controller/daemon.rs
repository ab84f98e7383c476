//! The continuous loop: a changed file, the interval, an account's own time, a signal. Each
//! is a hint to look sooner; what is done comes from what is wanted and what is.

mod reading;
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
use crate::manifest::{Finding, Wanted};
use crate::plan::{AccountState, Plan};
use crate::provider::{ApiErrorKind, Class, Write};

use super::announce::Announcer;
use super::board::Board;
use super::herald::Herald;
use super::last_good::Held;
use super::pass::{Looked, PassError, Reconciler, Report};
use super::rolling::Freshness;
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

/// A pass that goes on for so long gives way to an edit.
const LONG_PASS: Duration = Duration::from_secs(30);

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
    herald: Herald,
    /// How often in a row the manifests could not be read.
    unread: u32,
    /// How often in a row a pass did not go through.
    troubled: u32,
    /// When everything was last looked at.
    looked: Option<Instant>,
    next_full: Instant,
    /// What the next look at everything is for.
    full_class: Class,
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
    /// The complete list and every client, with requests of this class.
    Everything(Class),
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
        let mut reconciler = reconciler;
        reconciler.freshness = Some(Freshness::of(timing.interval));
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
            herald: Herald::default(),
            unread: 0,
            troubled: 0,
            looked: None,
            next_full: Instant::now(),
            full_class: Class::Background,
            next_poll: Instant::now(),
            full_tries: 0,
            chance: fastrand::Rng::with_seed(seed),
            board,
            began,
            hurried: None,
            next_hurry: None,
        }
    }

    /// Tells people through this herald.
    #[must_use]
    pub fn telling(mut self, herald: Herald) -> Self {
        self.herald = herald;
        self
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
        self.pass(Scope::Everything(Class::Changed), &mut watch, &cancel).await;
        while !cancel.is_cancelled() {
            let due = self.reconciler.memory().next_due();
            self.rest(due);
            let (next_due, next_hurry) = (at(due), at(self.next_hurry));
            let next_digest = self.herald.next_digest(self.reconciler.keeper().now());
            let digest_due = at(next_digest.map(|wait| Instant::now() + wait));
            let scope = tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                Some(ask) = look.recv() => match ask {
                    Ask::Operator => {
                        tracing::info!("asked to look at everything again");
                        self.reconciler.memory().forget_all();
                        self.reconciler.forget_terms();
                        source.hurry();
                        self.read(&mut watch).await;
                        Some(Scope::Everything(Class::Changed))
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
                    Some(Scope::Everything(self.full_class))
                }
                () = digest_due => None,
                // Last, so that a thousand clients who are due one after the other keep
                // nobody from reading the folder or looking at everything.
                () = next_due => {
                    Some(Scope::Clients(self.reconciler.memory().take_due(Instant::now())))
                }
            };
            match scope {
                Some(scope) => self.pass(scope, &mut watch, &cancel).await,
                None => self.tell_standing().await,
            }
            self.herald.digest(&self.reconciler, &self.held.wanted).await;
        }
    }

    /// Looks sooner, unless the API is in trouble or everything was looked at a moment ago.
    fn hinted(&mut self) {
        if self.api_trouble.is_none() {
            let soonest = self.looked.map_or_else(Instant::now, |looked| looked + HINTS_APART);
            self.next_full = self.next_full.min(soonest);
            self.full_class = self.full_class.min(Class::Changed);
        }
    }

    /// One pass: look, then carry out or report, then tell what changed.
    async fn pass(&mut self, scope: Scope, watch: &mut Watch, cancel: &CancellationToken) {
        if !self.ever_read {
            self.next_full = Instant::now() + self.timing.poll;
            return;
        }
        self.board.beat();
        if scope == Scope::Everything(Class::Background) {
            // A list is not begun that would have to wait in the middle.
            let wait = self.reconciler.outlook(Class::Background);
            if !wait.is_zero() {
                self.next_full = Instant::now() + wait;
                return;
            }
        }
        match &scope {
            // Whoever is due is looked at with all the others.
            Scope::Everything(_) => drop(self.reconciler.memory().take_due(Instant::now())),
            Scope::Clients(clients) => self.reconciler.memory().take(clients, Instant::now()),
        }
        let span = self.span();
        self.passing(scope, watch, cancel).instrument(span).await;
        self.tell_standing().await;
    }

    async fn passing(&mut self, scope: Scope, watch: &mut Watch, cancel: &CancellationToken) {
        let (begun, whole) = (Instant::now(), matches!(scope, Scope::Everything(_)));
        let only = match self.look(scope).await {
            Ok(only) => only,
            Err(trouble) => {
                self.no_pass(&trouble);
                return self.tell_end(whole, Some(&trouble), begun.elapsed());
            }
        };
        let wanted = self.held.wanted.clone();
        let done = match &self.writer {
            Some(writer) => {
                let stop = cancel.child_token();
                let passing =
                    self.reconciler.converge(&wanted, only.as_ref(), writer.as_ref(), self.progress.as_ref(), &stop);
                let source = Arc::clone(&self.source);
                let edited = async {
                    tokio::select! {
                        () = watch.changed() => {}
                        () = source.changed() => {}
                    }
                };
                let done = giving_way(passing, edited, self.timing.interval, &stop).await;
                if stop.is_cancelled() && !cancel.is_cancelled() {
                    // What is left goes on with what was read anew; it is part of a write.
                    (self.next_full, self.full_class) = (Instant::now(), Class::Write);
                }
                done.map(|report| (report.plan, report.left, report.trouble))
            }
            None => {
                let plan = self.reconciler.plan(&wanted);
                self.reconciler.memory().rest(Instant::now(), &mut self.chance);
                plan.map(|plan| (plan.unwrap_or_else(|| unreachable!("just looked")), 0, None))
            }
        };
        let (plan, trouble) = match done {
            Ok((plan, left, trouble)) => {
                self.passed(&plan, left);
                let calm = trouble.is_none() && left == 0;
                self.herald.passed(&mut self.reconciler, &plan, &self.held.kept, calm).await;
                (Some(plan), trouble)
            }
            Err(trouble) => (None, Some(trouble)),
        };
        match &trouble {
            Some(trouble) => self.no_pass(trouble),
            None => self.troubled = 0,
        }
        if let Some(plan) = &plan {
            self.tell_pass(plan, only.as_ref()).await;
        }
        self.tell_end(only.is_none(), trouble.as_ref(), begun.elapsed());
    }

    async fn look(&mut self, scope: Scope) -> Result<Option<BTreeSet<ClientName>>, PassError> {
        let wanted = self.held.wanted.clone();
        if let Scope::Clients(clients) = &scope
            && clients.len() <= ONE_BY_ONE
            && self.reconciler.are_seen(&wanted, clients)
            && self.reconciler.look_at(&wanted, clients).await? == Looked::Fresh
            && !self.sets_others_free(&wanted, clients)?
        {
            return Ok(Some(clients.clone()));
        }
        let class = match scope {
            Scope::Everything(class) => class,
            Scope::Clients(_) => Class::Changed,
        };
        self.reconciler.observe_as(&wanted, class).await?;
        self.full_tries = 0;
        self.full_class = Class::Background;
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
            tracing::info!(left, "stopped before everything was done; the next pass goes on from here");
        }
        let looked = plan.accounts.iter().filter(|account| account.state != AccountState::Invalid).count();
        tracing::debug!(clients = looked, requests = plan.requests.spent, "pass done");
    }

    fn no_pass(&mut self, trouble: &PassError) {
        self.full_tries = self.full_tries.saturating_add(1);
        self.troubled = self.troubled.saturating_add(1);
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
        let next = self.next_full;
        self.reconciler.memory().postpone(next, &mut self.chance);
        let line = trouble.to_string();
        if self.api_trouble.as_ref() != Some(&line) {
            tracing::warn!("{line}; nothing is changed, tried again in {} s", backoff.as_secs());
            self.api_trouble = Some(line);
        }
    }
}

/// Lets a pass that goes on for long give way: to an edit after a while, and to another look
/// at everything after the interval. What is in flight is finished, nothing is begun.
async fn giving_way(
    pass: impl Future<Output = Result<Report, PassError>>,
    edited: impl Future<Output = ()>,
    interval: Duration,
    stop: &CancellationToken,
) -> Result<Report, PassError> {
    tokio::pin!(pass);
    tokio::select! {
        done = &mut pass => return done,
        () = tokio::time::sleep(LONG_PASS) => {}
    }
    tokio::select! {
        done = &mut pass => return done,
        () = edited => {}
        () = tokio::time::sleep(interval.max(LONG_PASS)) => {}
    }
    stop.cancel();
    pass.await
}

/// Waits for a time, or for ever.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
