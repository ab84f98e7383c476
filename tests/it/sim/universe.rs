//! A world that runs by one seed: three clients, a sandbox, a network, and processes that
//! converge, die and are started again, until nothing is left to do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bursar::controller::{Keeping, Reconciler, Report};
use bursar::domain::{Access, AccountName, ClientName, Clock, Email};
use bursar::execute::Silent;
use bursar::journal::{InMemory, JournalId};
use bursar::manifest::{Client, Membership, SourceRef, Wanted, WantedMember, WantedPlan};
use bursar::plan::render::apply_text;
use bursar::plan::{ActionState, ApiInfo, Policy, Reason, Selector};
use bursar::provider::dnsimple::{self, Config, Reader};
use bursar::provider::{BaseUrl, Token};
use bursar::sandbox::{Embedded, Extension, Options, Surroundings, embed};
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::life::Life;
use super::network::{Event, Network, Trouble};
use crate::support::{Ledger, unlimited};

/// The clients that are wanted, and their people, who are all signed up.
pub const CLIENTS: [(&str, [&str; 2]); 3] = [
    ("acme", ["jane@acme.example", "pat@agency.example"]),
    ("beta", ["bo@beta.example", "pat@agency.example"]),
    ("gamma", ["gil@gamma.example", "kim@agency.example"]),
];

/// After so many passes the network is calm: what is right in the end must come about then.
const PASSES_IN_TROUBLE: u32 = 25;
/// Who is not done by then, in a network that has been calm for so long, is started again by
/// a person.
const PASSES_OF_PATIENCE: u32 = 40;
const MOST_PASSES: u32 = 50;

/// What a seed leaves open, for a test to choose.
#[derive(Debug, Clone)]
pub struct Script {
    pub trouble: Trouble,
    /// At which point of its input and output each process dies, one after the other; those
    /// that come after them live on.
    pub deaths: Vec<u64>,
    /// What the server does without.
    pub without: BTreeSet<Extension>,
}

impl Script {
    /// Nothing goes wrong.
    pub fn calm() -> Self {
        Self { trouble: Trouble::Share(0.0), deaths: Vec::new(), without: BTreeSet::new() }
    }

    /// Anything goes wrong, by a seed.
    pub fn random(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        Self {
            trouble: Trouble::Share([0.0, 0.1, 0.3, 0.5][rng.usize(0..4)]),
            deaths: (0..rng.usize(0..4)).map(|_| rng.u64(0..80)).collect(),
            without: if rng.bool() { BTreeSet::new() } else { BTreeSet::from([Extension::Bulk]) },
        }
    }
}

/// What a seed and a script led to.
#[derive(Debug)]
pub struct Story {
    pub ledger: Ledger,
    pub events: Vec<Event>,
    pub passes: u32,
    pub lives: u32,
    /// To which point the last process came.
    pub points: u64,
    /// How often a person had to start a process again that was still running.
    pub asked: u32,
    /// How the last pass found things where it never became quiet.
    pub unrest: Option<String>,
}

/// How a life ended.
enum End {
    /// It found nothing left to do.
    Quiet,
    /// It does not know whether an account was created and asks to be started again, or it was
    /// restless for too long.
    Asking,
    /// It goes on and on; how the last pass found things.
    Restless(String),
}

impl Story {
    /// For whoever has to find out why it is wrong.
    pub fn told(&self) -> String {
        let Self { ledger, events, passes, lives, points: _, asked, unrest } = self;
        let events: Vec<String> = events.iter().map(ToString::to_string).collect();
        let unrest = unrest.as_deref().unwrap_or_default();
        format!(
            "{passes} passes, {lives} lives, a person asked {asked} times\n{}\n{:#}\n{unrest}",
            events.join("\n"),
            ledger.0
        )
    }
}

/// Runs work on tokio's paused time, on this thread.
pub fn on_paused_time<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(work)
}

/// One seed, from nothing to quiet.
pub fn story(seed: u64, script: &Script) -> Story {
    on_paused_time(async {
        let mut universe = Universe::new(seed, script).await;
        let (points, unrest) = universe.converge(&script.deaths).await;
        let Universe { network, passes, lives, asked, .. } = universe;
        Story { ledger: network.ledger().await, events: network.events(), passes, lives, points, asked, unrest }
    })
}

/// The runtime's time as everybody here tells it: the year 2026 begins with the world.
#[derive(Debug, Clone, Copy)]
struct Time(Instant);

impl Default for Time {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for Time {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_767_225_600).unwrap() + SignedDuration::try_from(self.uptime()).unwrap()
    }

    fn uptime(&self) -> Duration {
        self.0.elapsed()
    }
}

/// A sandbox whose time is the runtime's, and whose ids come from the seed.
pub async fn sandbox(seed: u64, without: &BTreeSet<Extension>) -> Embedded {
    let people: BTreeSet<&str> = CLIENTS.into_iter().flat_map(|(_, people)| people).collect();
    let users = people.into_iter().map(str::to_owned).collect();
    let (time, ids) = (Time::default(), Mutex::new(Rng::with_seed(seed)));
    let surroundings = Surroundings {
        now: Arc::new(move || time.now()),
        fresh_id: Arc::new(move || format!("{:032x}", ids.lock().unwrap().u128(..))),
    };
    embed(Options { users, without: without.clone(), ..unlimited() }, surroundings).await.unwrap()
}

fn client((name, people): (&str, [&str; 2])) -> Client {
    let source = SourceRef { file: format!("{name}.yaml"), line: 1, column: 1 };
    let member =
        |email: &str| WantedMember { email: Email::lenient(email), access: Access::Full, source: source.clone() };
    Client {
        name: ClientName::parse(name).unwrap(),
        labels: BTreeMap::new(),
        account_name: AccountName::new(format!("Client {name}")),
        notification_email: Email::lenient(format!("dns+{name}@agency.example")),
        plan: WantedPlan::Choice("teams".into()),
        members: people.map(member).into(),
        membership: Membership::Exclusive,
        account_id: None,
        previous_names: Vec::new(),
        previous_notification_emails: Vec::new(),
        suspend: false,
        source,
    }
}

/// The world of one seed.
pub struct Universe {
    pub network: Arc<Network>,
    config: Config,
    /// Outlives every process.
    journal: Arc<InMemory>,
    time: Time,
    wanted: Wanted,
    rng: Rng,
    passes: u32,
    lives: u32,
    asked: u32,
}

impl Universe {
    pub async fn new(seed: u64, script: &Script) -> Self {
        let mut rng = Rng::with_seed(seed);
        // What else draws by chance (the pauses before a read is repeated) does so by the seed.
        fastrand::seed(rng.u64(..));
        let sandbox = sandbox(rng.u64(..), &script.without).await;
        let token = Token::from_text(sandbox.token().to_owned()).unwrap();
        let config = Config::new(BaseUrl::parse(&sandbox.api_url()).unwrap(), token);
        let network = Network::new(sandbox, rng.u64(..), script.trouble);
        let wanted = Wanted { clients: CLIENTS.map(client).into(), ..Wanted::default() };
        let journal = Arc::new(InMemory::new(JournalId::new("simulated")));
        Self { network, config, journal, time: Time::default(), wanted, rng, passes: 0, lives: 0, asked: 0 }
    }

    /// The driver of one life.
    pub fn driver(&self, life: &Arc<Life>) -> Reader {
        dnsimple::connect_over(self.config.clone(), self.network.line(life))
    }

    /// Process after process, until one finds nothing left to do; to which point it came, and
    /// how it found things if it never did.
    async fn converge(&mut self, deaths: &[u64]) -> (u64, Option<String>) {
        loop {
            let life = Life::new(deaths.get(self.lives as usize).copied());
            self.lives += 1;
            let process = Process::start(self, &life);
            match life.live(process.run(&self.network, &self.wanted, &mut self.passes)).await {
                Some(End::Quiet) => return (life.points(), None),
                Some(End::Restless(unrest)) => return (life.points(), Some(unrest)),
                Some(End::Asking) => self.asked += 1,
                None => {}
            }
            // The next one is started after a while, whatever is still on its way.
            let pause = Duration::from_millis(self.rng.u64(1..30_000));
            tokio::time::sleep(pause).await;
        }
    }
}

/// What one process has in mind.
struct Process {
    reader: Reader,
    reconciler: Reconciler,
}

impl Process {
    fn start(universe: &mut Universe, life: &Arc<Life>) -> Self {
        let reader = universe.driver(life);
        let api = ApiInfo { provider: "dnsimple".into(), url: universe.config.base_url.to_string() };
        let seed = universe.rng.u64(..);
        let keeping = Keeping {
            clock: Arc::new(universe.time),
            ..Keeping::with(Arc::<InMemory>::clone(&universe.journal), &format!("life {}", universe.lives))
        };
        let (policy, selector) = (Policy::default(), Selector::default());
        let reconciler = Reconciler::new(api, Arc::new(reader.clone()), policy, selector, keeping, seed);
        Self { reader, reconciler }
    }

    /// Passes as the daemon makes them, until one that begins when nothing is on its way any
    /// more has nothing to do.
    async fn run(mut self, network: &Network, wanted: &Wanted, passes: &mut u32) -> End {
        let mut settled = false;
        loop {
            *passes += 1;
            if *passes > PASSES_IN_TROUBLE {
                network.calm();
            }
            let report = self.pass(wanted).await;
            let quiet = report.as_ref().is_ok_and(is_quiet);
            if quiet && settled {
                return End::Quiet;
            }
            if *passes > MOST_PASSES {
                return End::Restless(report.map_or_else(|error| error, |report| apply_text(&report.plan)));
            }
            if *passes == PASSES_OF_PATIENCE || report.is_ok_and(|report| is_asking(&report)) {
                return End::Asking;
            }
            settled = quiet;
            if quiet {
                network.settle().await;
            } else {
                let due = self.reconciler.memory().next_due();
                tokio::time::sleep_until(due.unwrap_or_else(|| Instant::now() + Duration::from_secs(60))).await;
            }
            self.reconciler.memory().take_due(Instant::now());
        }
    }

    async fn pass(&mut self, wanted: &Wanted) -> Result<Report, String> {
        self.reconciler.observe(wanted).await.map_err(|error| error.to_string())?;
        let writer = self.reader.writer();
        let passed = self.reconciler.converge(wanted, None, &writer, &Silent, &CancellationToken::new()).await;
        passed.map_err(|error| error.to_string())
    }
}

/// Whether a pass hands a create whose outcome is unknown to a person.
fn is_asking(report: &Report) -> bool {
    let mut actions = report.plan.accounts.iter().flat_map(|account| &account.actions);
    actions.any(|action| action.state == ActionState::Blocked && action.reason == Some(Reason::OutcomeUnknown))
}

/// Whether a pass left nothing open.
fn is_quiet(report: &Report) -> bool {
    let mut actions = report.plan.accounts.iter().flat_map(|account| &account.actions);
    report.trouble.is_none() && report.left == 0 && actions.all(|action| action.state == ActionState::Applied)
}
