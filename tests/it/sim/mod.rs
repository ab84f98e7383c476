//! The real driver, executor and controller in a simulated world: the sandbox's rules, a
//! network of faults and a process that dies, all by one seed, on paused time. The sandbox's
//! ledger is the judge.

mod network;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bursar::controller::{Reconciler, Report};
use bursar::domain::{Access, AccountName, ClientName, Email};
use bursar::execute::Silent;
use bursar::manifest::{Client, Membership, SourceRef, Wanted, WantedMember, WantedPlan};
use bursar::plan::{ActionState, ApiInfo, Policy, Selector};
use bursar::provider::dnsimple::{self, Config};
use bursar::provider::{BaseUrl, Token};
use bursar::sandbox::{Extension, Options, Surroundings, embed};
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::support::{Ledger, unlimited};
use network::{Event, Life, Network};

const CLIENTS: [(&str, [&str; 2]); 3] = [
    ("acme", ["jane@acme.example", "pat@agency.example"]),
    ("beta", ["bo@beta.example", "pat@agency.example"]),
    ("gamma", ["gil@gamma.example", "kim@agency.example"]),
];

/// After so many passes the network is calm: what is right in the end must come about then.
const PASSES_IN_TROUBLE: u32 = 25;
const MOST_PASSES: u32 = 50;

/// What a seed led to.
#[derive(Debug)]
struct Story {
    ledger: Ledger,
    events: Vec<Event>,
    passes: u32,
    lives: u32,
}

impl Story {
    fn told(&self) -> String {
        let Self { ledger, events, passes, lives } = self;
        let events: Vec<String> = events.iter().map(ToString::to_string).collect();
        format!("{passes} passes, {lives} lives\n{}\n{:#}", events.join("\n"), ledger.0)
    }
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

/// The sandbox's time is the runtime's, and its ids come from the seed.
fn surroundings(seed: u64) -> Surroundings {
    let (begun, ids) = (Instant::now(), std::sync::Mutex::new(Rng::with_seed(seed)));
    let first: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    Surroundings {
        now: Arc::new(move || first + SignedDuration::try_from(begun.elapsed()).unwrap()),
        fresh_id: Arc::new(move || format!("{:032x}", ids.lock().unwrap().u128(..))),
    }
}

struct Universe {
    network: Arc<Network>,
    api_url: String,
    token: String,
    wanted: Wanted,
    rng: Rng,
    passes: u32,
    lives: u32,
}

impl Universe {
    async fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        // What else draws by chance (the pauses before a read is repeated) does so by the seed.
        fastrand::seed(rng.u64(..));
        let users: BTreeSet<_> = CLIENTS.iter().flat_map(|(_, people)| people).map(ToString::to_string).collect();
        let without = if rng.bool() { BTreeSet::new() } else { BTreeSet::from([Extension::Bulk]) };
        let options = Options { users: users.into_iter().collect(), without, ..unlimited() };
        let sandbox = embed(options, surroundings(rng.u64(..))).await.unwrap();
        let (api_url, token) = (sandbox.api_url(), sandbox.token().to_owned());
        let trouble = [0.0, 0.1, 0.3, 0.5][rng.usize(0..4)];
        let network = Network::new(sandbox, rng.u64(..), trouble);
        let wanted = Wanted { clients: CLIENTS.map(client).into(), ..Wanted::default() };
        Self { network, api_url, token, wanted, rng, passes: 0, lives: 0 }
    }

    /// Process after process, until one finds nothing left to do.
    async fn converge(&mut self) {
        loop {
            self.lives += 1;
            let mortal = self.lives <= 4 && self.rng.bool();
            let life = Life::new(mortal.then(|| self.rng.u64(0..80)));
            let process = Process::start(self, &life);
            if life.live(process.run(&self.network, &self.wanted, &mut self.passes)).await.is_some() {
                return;
            }
            // The next one is started after a while, whatever is still on its way.
            let pause = Duration::from_millis(self.rng.u64(1..30_000));
            tokio::time::sleep(pause).await;
        }
    }
}

struct Process {
    reader: dnsimple::Reader,
    reconciler: Reconciler,
}

impl Process {
    fn start(universe: &mut Universe, life: &Arc<Life>) -> Self {
        let config =
            Config::new(BaseUrl::parse(&universe.api_url).unwrap(), Token::from_text(universe.token.clone()).unwrap());
        let reader = dnsimple::connect_over(config, universe.network.line(life));
        let api = ApiInfo { provider: "dnsimple".into(), url: universe.api_url.clone() };
        let seed = universe.rng.u64(..);
        let reconciler = Reconciler::new(api, Arc::new(reader.clone()), Policy::default(), Selector::default(), seed);
        Self { reader, reconciler }
    }

    /// Passes as the daemon makes them, until one that begins when nothing is on its way any
    /// more has nothing to do.
    async fn run(mut self, network: &Network, wanted: &Wanted, passes: &mut u32) {
        let mut settled = false;
        loop {
            *passes += 1;
            assert!(*passes <= MOST_PASSES, "it does not end");
            if *passes > PASSES_IN_TROUBLE {
                network.set_trouble(0.0);
            }
            match self.pass(wanted).await {
                Some(report) if is_quiet(&report) && settled => return,
                Some(report) if is_quiet(&report) => {
                    network.settle().await;
                    settled = true;
                }
                Some(_) | None => {
                    settled = false;
                    let due = self.reconciler.memory().next_due();
                    tokio::time::sleep_until(due.unwrap_or_else(|| Instant::now() + Duration::from_secs(60))).await;
                }
            }
            let keys = self.reconciler.keys();
            self.reconciler.memory().take_due(Instant::now(), keys);
        }
    }

    async fn pass(&mut self, wanted: &Wanted) -> Option<Report> {
        self.reconciler.observe(wanted).await.ok()?;
        let writer = self.reader.writer();
        self.reconciler.converge(wanted, None, &writer, &Silent, &CancellationToken::new()).await.ok()
    }
}

/// Whether a pass found everything as it should be.
fn is_quiet(report: &Report) -> bool {
    let mut actions = report.plan.accounts.iter().flat_map(|account| &account.actions);
    report.trouble.is_none() && report.left == 0 && actions.all(|action| action.state == ActionState::Applied)
}

/// One seed, from nothing to quiet.
fn story(seed: u64) -> Story {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let mut universe = Universe::new(seed).await;
        universe.converge().await;
        let Universe { network, passes, lives, .. } = universe;
        Story { ledger: network.ledger().await, events: network.events(), passes, lives }
    })
}

/// Each thing once, whatever the seed brought.
fn judge(seed: u64) -> Story {
    let story = story(seed);
    let told = || format!("seed {seed}: {}", story.told());
    let counts = ["accounts_created", "subscriptions_created", "members_added"].map(|what| story.ledger.count(what));
    assert_eq!(counts, [3, 3, 6], "{}", told());
    let mails = story.ledger.0["mails"].as_array().unwrap();
    let written: BTreeSet<_> = mails.iter().map(|mail| (mail["account_id"].as_u64(), mail["to"].as_str())).collect();
    assert_eq!((mails.len(), written.len()), (6, 6), "nobody is written to twice; {}", told());
    story
}

/// How many seeds: a short run, or as many as the environment says.
fn seeds() -> u64 {
    std::env::var("BURSAR_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(200)
}

#[test]
fn with_keys_each_thing_happens_once_whatever_the_network_does() {
    let (begun, seeds) = (std::time::Instant::now(), seeds());
    let (mut requests, mut passes, mut lives) = (0, 0, 0);
    for seed in 0..seeds {
        let story = judge(seed);
        requests += story.events.len();
        passes += story.passes;
        lives += story.lives;
    }
    let each = |count: f64| count / seeds as f64;
    println!(
        "{seeds} seeds, each {:.1} ms, {:.0} requests, {:.1} passes, {:.1} lives",
        each(begun.elapsed().as_secs_f64() * 1e3),
        each(requests as f64),
        each(passes.into()),
        each(lives.into())
    );
}

#[test]
fn a_seed_repeats_its_story_to_the_millisecond() {
    for seed in 0..10 {
        let (one, other) = (story(seed), story(seed));
        assert_eq!(one.events, other.events);
        assert_eq!(one.ledger.0, other.ledger.0);
    }
}
