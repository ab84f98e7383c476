//! `bursar run`: the daemon, of one fleet or of several, alone or as one of several replicas.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::controller::{
    Ask, Board, Daemon, Keeping, Mode, Reconciler, Shares, Source, Tally, Timing, Turn, Watch, hear,
};
use crate::execute;
use crate::journal::{JournalId, ScopeId};
use crate::provider::Identity;

use super::api::Connection;
use super::error::{CliError, CliResult};
use super::fleet::{self, Fleet, FleetArgs};
use super::git::GitSource;
use super::keeping::{JournalArgs, Opened, Purpose};
use super::listen::{Bell, ListenArgs, Listener};
use super::notify::{Notices, NotifyArgs};
use super::progress::LogProgress;
use super::ui::Ui;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    fleet: FleetArgs,
    /// Several fleets, each with its own source, API, token and rails: a file of the operator's
    #[arg(long, env = "BURSAR_CONFIG", value_name = "FILE", conflicts_with_all = ["paths", "git"])]
    config: Option<PathBuf>,
    #[command(flatten)]
    journal: JournalArgs,
    /// With several replicas: how long one that does not answer any more keeps its fleets
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = super::duration, help_heading = "Journal")]
    lease: Duration,
    #[command(flatten)]
    listen: ListenArgs,
    #[command(flatten)]
    notify: NotifyArgs,
}

/// What a stop may take in all.
const STOP_WITHIN: Duration = Duration::from_secs(9);
/// Wishes for a look that are kept: one of each kind, with room to spare.
const ASKS: usize = 8;
/// A shorter lease would be lost to a busy machine.
const SHORTEST_LEASE: Duration = Duration::from_secs(1);
/// Between two tries to learn whose token it is, before anything else can begin.
const INTRODUCTION: Duration = Duration::from_secs(5);

pub async fn run(args: Args, ui: Ui) -> CliResult {
    let mut faults = Vec::new();
    let ready = prepare(&args, ui, &mut faults).await;
    let Some(Ready { posts, opened, listener, notices }) = ready.filter(|_| faults.is_empty()) else {
        return Err(CliError::several("keep the daemon from starting", faults));
    };
    for post in &posts {
        announce(&post.fleet, &post.connection, posts.len() > 1);
    }
    hold_all(&posts, &opened, args.lease, listener).await;
    notices.close().await;
    opened.journal.close().await;
    for post in posts {
        post.connection.close().await;
    }
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// A fleet, and all that is needed to look after it.
struct Post {
    fleet: Fleet,
    keeping: Keeping,
    connection: Connection,
    board: Board,
    journal: JournalId,
    notices: Notices,
    /// It is one of several, and named to whoever is told of it.
    several: bool,
}

/// Everything that a daemon begins with.
struct Ready {
    posts: Vec<Post>,
    opened: Opened,
    listener: Option<Listener>,
    notices: Notices,
}

/// Sets everything up, and puts whatever does not hold to the faults: all of it at once, before
/// anything is begun. `None` where there is nothing to begin with.
async fn prepare(args: &Args, ui: Ui, faults: &mut Vec<CliError>) -> Option<Ready> {
    let fleets = match &args.config {
        Some(file) => fleet::read(file).map_err(|error| faults.push(error)).unwrap_or_default(),
        None => vec![Fleet::new("default".to_owned(), args.fleet.clone(), faults)],
    };
    if args.lease < SHORTEST_LEASE {
        faults.push(CliError::new("--lease is at least 1s"));
    }
    let listener = args.listen.bind(faults).await;
    let notices = args.notify.start(faults).unwrap_or_default();
    let writes = fleets.iter().any(|fleet| fleet.args.mode == Mode::Apply);
    let opened = args.journal.open(if writes { Purpose::Run } else { Purpose::Plan }, ui).await;
    let opened = opened.map_err(|error| faults.push(error)).ok();
    let tally = Tally { receivers: notices.counters(), ..Tally::default() };
    let (mut posts, several) = (Vec::new(), fleets.len() > 1);
    for fleet in fleets {
        let journal = opened.as_ref().map(|opened| opened.journal.as_ref());
        for path in fleet.paths() {
            let checked = journal.map_or(Ok(()), |journal| args.journal.check_lock(path, journal));
            faults.extend(checked.err());
        }
        let Some(connection) = fleet.args.api.connect_or(faults).await else { continue };
        let purpose = if fleet.args.mode == Mode::Apply { Purpose::Run } else { Purpose::Plan };
        let Some(opened) = &opened else { continue };
        let hold = fleet.args.hold.and_then(|hold| SignedDuration::try_from(hold).ok());
        let hold = hold.filter(|hold| hold.is_positive());
        let keeping = Keeping { hold, ..fleet.args.rules.keeping(opened, purpose) };
        let (reader, journal) = (connection.reader(), opened.journal.id().clone());
        let board = Board::new(&fleet.name, fleet.args.mode, &connection.api, reader, tally.clone());
        posts.push(Post { fleet, keeping, connection, board, journal, notices: notices.clone(), several });
    }
    let opened = opened?;
    if !faults.is_empty() {
        opened.journal.close().await;
        return None;
    }
    Some(Ready { posts, opened, listener, notices })
}

/// Runs all fleets side by side until a signal stops them.
async fn hold_all(posts: &[Post], opened: &Opened, lease: Duration, listener: Option<Listener>) {
    let cancel = CancellationToken::new();
    let mut bells = Vec::new();
    let shares = Shares::new(Arc::clone(&opened.journal), opened.owner.clone(), lease, posts.len());
    let tokens = Tokens { several: posts.len() > 1, claimed: Mutex::default() };
    let mut holds = Vec::new();
    for post in posts {
        let (look, asked) = mpsc::channel(ASKS);
        let branch = post.fleet.branch.as_ref().map(|followed| followed.branch.as_str().to_owned());
        bells.push(Bell { board: post.board.clone(), look, branch });
        // Every line that concerns a fleet says which; the formatter leaves out the only one.
        let span = tracing::error_span!("fleet", fleet = %crate::domain::text::inert(&post.fleet.name));
        holds.push(hold(post, Arc::clone(&shares), &tokens, asked, cancel.clone()).instrument(span));
    }
    let urls = posts.iter().map(|post| post.connection.api.url.clone()).collect();
    let tally = posts.first().map(|post| post.board.tally().clone()).unwrap_or_default();
    let journal = Arc::clone(&opened.journal);
    let serving = super::listen::serve(listener, Arc::clone(&journal), urls, bells.clone(), tally, cancel.clone());
    let asked = bells.iter().map(|bell| (bell.board.clone(), bell.look.clone())).collect();
    let asked = hear(journal, asked, cancel.clone());
    tokio::spawn(super::signals(cancel.clone(), bells.iter().map(|bell| bell.look.clone()).collect()));
    #[cfg(unix)]
    if let Some(supervisor) = super::supervisor::Supervisor::from_env() {
        let boards = bells.iter().map(|bell| bell.board.clone()).collect();
        tokio::spawn(supervisor.watch(boards, cancel.clone()));
    }
    let all = async { tokio::join!(futures::future::join_all(holds), shares.beat(&cancel), serving, asked) };
    tokio::pin!(all);
    tokio::select! {
        _ = &mut all => {}
        () = cancel.cancelled() => {
            tracing::info!("stopping: what is in flight is finished, nothing is begun");
            if tokio::time::timeout(STOP_WITHIN, &mut all).await.is_err() {
                tracing::warn!("stopped while a request was in flight; the next start looks at what came of it");
            }
        }
    }
}

fn announce(fleet: &Fleet, connection: &Connection, several: bool) {
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        fleet = several.then_some(fleet.name.as_str()),
        api = connection.api.url,
        mode = ?fleet.args.mode,
        interval_s = fleet.args.interval.as_secs(),
        git = fleet.branch.as_ref().map(|followed| followed.address.to_string()),
        branch = fleet.branch.as_ref().map(|followed| followed.branch.to_string()),
        "started"
    );
    if let Some(sandbox) = &connection.sandbox {
        tracing::info!("the sandbox's page, where you can play the clients, is at {}/", sandbox.url());
    }
}

/// Runs a fleet whenever it is our turn, until we are stopped.
async fn hold(
    post: &Post,
    shares: Arc<Shares>,
    tokens: &Tokens,
    mut looks: mpsc::Receiver<Ask>,
    cancel: CancellationToken,
) {
    let Post { fleet, keeping, connection, board, .. } = post;
    let leased = !keeping.alone && !keeping.dry;
    let mut lease = String::new();
    if leased || tokens.several {
        let Some(identity) = introduced(connection, &cancel).await else { return };
        let scope = ScopeId::of(&identity.scope);
        if let Err(other) = tokens.claim(&scope, &fleet.name) {
            tracing::error!(
                "the fleets {} and {other} have one token, so each would take the other's clients for gone; this one \
                 does nothing: list both folders as the paths of one fleet",
                fleet.name
            );
            return cancel.cancelled().await;
        }
        // One lease a fleet: the same on every machine that runs it.
        lease = format!("{scope}/{}", fleet.name);
    }
    if !leased {
        post.fulfil(&mut looks, cancel).await;
        return;
    }
    board.hold(false);
    let mut turn = Turn::new(shares, lease);
    while turn.come(&cancel).await {
        tracing::info!(owner = %keeping.owner, "this replica holds the fleet");
        let ours = cancel.child_token();
        let mut running = Box::pin(post.fulfil(&mut looks, ours.clone()));
        tokio::select! {
            () = &mut running => {}
            () = turn.keep(&cancel) => {
                // Losing the lease cancels no request in flight: its outcome is still written
                // (rule R6), while the lease is already somebody else's.
                ours.cancel();
                running.await;
            }
        }
        board.hold(false);
        turn.go().await;
    }
}

impl Post {
    /// Keeps the fleet until it is cancelled, and follows its branch meanwhile.
    async fn fulfil(&self, looks: &mut mpsc::Receiver<Ask>, cancel: CancellationToken) {
        let FleetArgs { manifests, git, .. } = &self.fleet.args;
        let Some(branch) = self.fleet.branch.clone() else {
            return self.daemon(Arc::new(manifests.clone())).run(Watch::start(), looks, cancel).await;
        };
        let source = GitSource::new(branch, git.interval(), manifests, self.journal.clone(), cancel.clone());
        let source = Arc::new(source);
        let daemon = self.daemon(Arc::clone(&source) as Arc<dyn Source>);
        tokio::join!(source.follow(&cancel), daemon.run(Watch::start(), looks, cancel.clone()));
    }

    fn daemon(&self, source: Arc<dyn Source>) -> Daemon {
        let Self { fleet, keeping, connection, board, journal: _, notices, several } = self;
        let FleetArgs { manifests, git: _, mode, interval, poll, parallelism, quota_reserve, .. } = &fleet.args;
        let reader = connection.reader();
        reader.line().pace(*quota_reserve);
        let mut reconciler = Reconciler::new(
            connection.api.clone(),
            reader,
            fleet.policy.clone(),
            manifests.selector(),
            keeping.clone(),
            fastrand::u64(..),
        );
        reconciler.options = execute::Options { parallelism: usize::from(*parallelism), ..execute::Options::default() };
        let writer = match mode {
            Mode::Apply => Some(connection.writer()),
            Mode::Report => None,
        };
        let timing = Timing { interval: *interval, poll: *poll };
        let (board, progress) = (board.clone(), Arc::new(LogProgress));
        let herald = notices.herald(several.then_some(fleet.name.as_str()));
        Daemon::new(reconciler, writer, source, progress, timing, fastrand::u64(..), board).telling(herald)
    }
}

/// Whose token it is: a lease is of a scope, and only the server tells it.
async fn introduced(connection: &Connection, cancel: &CancellationToken) -> Option<Identity> {
    let reader = connection.reader();
    loop {
        match reader.identity().await {
            Ok(identity) => return Some(identity),
            Err(error) => tracing::warn!("{error}; nothing is done, tried again in {} s", INTRODUCTION.as_secs()),
        }
        tokio::select! {
            () = tokio::time::sleep(INTRODUCTION) => {}
            () = cancel.cancelled() => return None,
        }
    }
}

/// Which fleet has which token: one token is one fleet.
#[derive(Debug)]
struct Tokens {
    several: bool,
    claimed: Mutex<BTreeMap<ScopeId, String>>,
}

impl Tokens {
    /// Takes a scope for a fleet; `Err` is the fleet that has it already.
    fn claim(&self, scope: &ScopeId, fleet: &str) -> Result<(), String> {
        let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        match claimed.get(scope) {
            Some(other) if other != fleet => Err(other.clone()),
            _ => {
                claimed.insert(scope.clone(), fleet.to_owned());
                Ok(())
            }
        }
    }
}
