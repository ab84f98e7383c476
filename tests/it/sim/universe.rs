//! A world that runs by one seed: three clients, a sandbox, a network, and processes that
//! converge, die and are started again, until nothing is left to do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bursar::controller::{Freshness, Keeping, Reconciler, Report};
use bursar::domain::{Access, AccountId, AccountName, ClientName, Clock, Email};
use bursar::execute::Silent;
use bursar::journal::{Batch, Contents, Event as Step, Journal as _, Put, Row, Rules, State, Word, step};
use bursar::manifest::{Client, Membership, OriginKind, SourceRef, Wanted, WantedMember, WantedPlan};
use bursar::plan::render::apply_text;
use bursar::plan::{AccountState, Action, ActionState, ApiInfo, Policy, Reason, Selector};
use bursar::provider::{BaseUrl, Token, Write};
use bursar::sandbox::{Dialect, Embedded, Extension, MemberMode, Options, Surroundings, embed};
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::faulty::{Commit, Disk, Faulty};
use super::life::Life;
use super::network::{Event, Fate, Made, Network, Trouble};
use super::ways::{Driver, Ways, connect};
use crate::support::{Ledger, unlimited};

/// The clients that are wanted, and their people, who are all signed up.
pub const CLIENTS: [(&str, [&str; 2]); 3] = [
    ("acme", ["jane@acme.example", "pat@agency.example"]),
    ("beta", ["bo@beta.example", "pat@agency.example"]),
    ("gamma", ["gil@gamma.example", "kim@agency.example"]),
];

/// After so many passes nothing goes wrong any more: what is right in the end must come
/// about then.
const PASSES_IN_TROUBLE: u32 = 25;
/// Who is not done by then, where nothing has gone wrong for so long, never will be.
const MOST_PASSES: u32 = 60;
/// Until every trial is over and the first month is paid.
/// Until what was sent before shows, if it ever does.
const SETTLED: Duration = Duration::from_secs(210);
const UNTIL_PAID: Duration = Duration::from_secs(45 * 24 * 60 * 60);

/// What the service is like.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Terms {
    /// Whose API it speaks.
    pub dialect: Dialect,
    /// What it does without.
    pub without: BTreeSet<Extension>,
    /// How late its lists are.
    pub list_delay: Duration,
    /// How long its payments settle.
    pub settle_delay: Duration,
    /// People are invited, not added.
    pub invites: bool,
    /// When all is done, something else is wanted of each client.
    pub second_wish: bool,
    /// How long what costs or grants is held.
    pub hold: Duration,
}

/// The journal is destroyed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destroyed {
    /// With the first process that dies, and the next one begins with a new journal.
    AtOnce,
    /// The same, and whoever replaces it first waits until everything that was sent has
    /// settled.
    Waited,
}

/// What a seed leaves open, for a test to choose.
#[derive(Debug, Clone)]
pub struct Script {
    pub trouble: Trouble,
    /// The share of the journal's commits that go wrong.
    pub journal_trouble: f64,
    /// At which point of its input and output each process dies, one after the other; those
    /// that come after them live on.
    pub deaths: Vec<u64>,
    pub destroyed: Option<Destroyed>,
    pub terms: Terms,
}

impl Script {
    /// Nothing goes wrong.
    pub fn calm(terms: Terms) -> Self {
        Self { trouble: Trouble::Share(0.0), journal_trouble: 0.0, deaths: Vec::new(), destroyed: None, terms }
    }

    /// Anything goes wrong, by a seed.
    pub fn random(seed: u64, dialect: Dialect, keys: bool) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut one = |of: &[f64]| of[rng.usize(0..of.len())];
        let (trouble, journal_trouble) = (one(&[0.0, 0.1, 0.3, 0.5]), one(&[0.0, 0.0, 0.05, 0.2]));
        let delays = [one(&[0.0, 0.0, 2.0, 30.0, 90.0]), one(&[0.0, 0.0, 40.0, 400.0])].map(Duration::from_secs_f64);
        let mut without = BTreeSet::from_iter((!keys).then_some(Extension::IdempotencyKeys));
        for extension in [Extension::Bulk, Extension::UpdatedAt] {
            without.extend(rng.bool().then_some(extension));
        }
        Self {
            trouble: Trouble::Share(trouble),
            journal_trouble,
            deaths: (0..rng.usize(0..4)).map(|_| rng.u64(0..140)).collect(),
            destroyed: None,
            terms: Terms {
                dialect,
                without,
                list_delay: delays[0],
                settle_delay: delays[1],
                invites: rng.u8(0..4) == 0,
                second_wish: false,
                hold: Duration::ZERO,
            },
        }
    }

    /// Whether nothing at all goes wrong.
    pub fn is_calm(&self) -> bool {
        self.trouble == Trouble::Share(0.0) && self.journal_trouble == 0.0 && self.deaths.is_empty()
    }

    pub fn keys(&self) -> bool {
        Ways::of(self.terms.dialect).keys && !self.terms.without.contains(&Extension::IdempotencyKeys)
    }
}

/// A person was asked whether an account was created.
#[derive(Debug, Clone)]
pub struct Question {
    /// Since the world began.
    pub at: Duration,
    /// The account's name.
    pub account: String,
    /// By which journal: from 0.
    pub journal: usize,
}

/// What a seed and a script led to.
#[derive(Debug)]
pub struct Story {
    /// When all was done.
    pub ledger: Ledger,
    /// When the first month was paid.
    pub paid: Ledger,
    /// Names and notification emails in the end.
    pub accounts: Vec<String>,
    pub events: Vec<Event>,
    pub made: Vec<Made>,
    pub passes: u32,
    pub lives: u32,
    /// To which point the last process came.
    pub points: u64,
    pub questions: Vec<Question>,
    /// What the journals hold, one after the other.
    pub journals: Vec<Contents>,
    /// What became of each commit to them.
    pub commits: Vec<Commit>,
    /// How the last pass found things where it never became quiet.
    pub unrest: Option<String>,
}

impl Story {
    /// For whoever has to find out why it is wrong.
    pub fn told(&self) -> String {
        let Self { ledger, events, passes, lives, questions, journals, unrest, .. } = self;
        let events = events.iter().filter(|event| event.fate != Fate::Answered || !event.call.starts_with("GET"));
        let events: Vec<String> = events.map(ToString::to_string).collect();
        let entries = journals.iter().flat_map(|journal| &journal.entries).map(|entry| {
            let client = entry.client.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{}  {:?} {client}: {} ({})", entry.at, entry.kind, entry.message, entry.actor)
        });
        let entries: Vec<String> = entries.collect();
        let unrest = unrest.as_deref().unwrap_or_default();
        let questions: Vec<String> = questions.iter().map(|asked| format!("{asked:?}")).collect();
        format!(
            "{passes} passes, {lives} lives\n{}\n{}\n{}\n{:#}\n{unrest}",
            events.join("\n"),
            entries.join("\n"),
            questions.join("\n"),
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
        let (mut points, mut unrest) = universe.converge().await;
        if script.terms.second_wish && unrest.is_none() {
            universe.wanted = Wanted { clients: second_wish(script.terms.dialect), ..Wanted::default() };
            (points, unrest) = universe.converge().await;
        }
        universe.network.settle().await;
        let ledger = universe.network.ledger().await;
        tokio::time::sleep(UNTIL_PAID).await;
        let paid = universe.network.ledger().await;
        let accounts = universe.network.accounts().await;
        let Universe { network, disks, passes, lives, questions, .. } = universe;
        let mut journals = Vec::new();
        for disk in &disks {
            journals.push(disk.journal.contents().await.unwrap());
        }
        let commits = disks.iter().flat_map(|disk| disk.commits()).collect();
        let (events, made) = (network.events(), network.made());
        Story { ledger, paid, accounts, events, made, passes, lives, points, questions, journals, commits, unrest }
    })
}

/// The runtime's time as everybody here tells it: the year 2026 begins with the world.
#[derive(Debug, Clone, Copy)]
pub struct Time(Instant);

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
async fn sandbox(seed: u64, terms: &Terms) -> Embedded {
    let (time, ids) = (Time::default(), Mutex::new(Rng::with_seed(seed)));
    let surroundings = Surroundings {
        now: Arc::new(move || time.now()),
        fresh_id: Arc::new(move || format!("{:032x}", ids.lock().unwrap().u128(..))),
    };
    let Terms { dialect, without, list_delay, settle_delay, invites, second_wish: _, hold: _ } = terms.clone();
    let people: BTreeSet<&str> = CLIENTS.into_iter().flat_map(|(_, people)| people).collect();
    // Where everybody can be added, those are invited who never signed up.
    let strangers = invites && dialect == Dialect::Netlify;
    let users = people.into_iter().filter(|_| !strangers).map(str::to_owned).collect();
    let member_mode = if invites { MemberMode::Invite } else { MemberMode::Registered };
    let options = Options { dialect, users, without, list_delay, settle_delay, member_mode, ..unlimited() };
    embed(options, surroundings).await.unwrap()
}

fn client(dialect: Dialect, (name, people): (&str, [&str; 2])) -> Client {
    let source = SourceRef { file: format!("{name}.yaml"), line: 1, column: 1 };
    let member = |email: &str| WantedMember {
        email: Email::lenient(email),
        access: Access::Full,
        role: None,
        source: source.clone(),
        through: OriginKind::Own,
    };
    Client {
        name: ClientName::parse(name).unwrap(),
        labels: BTreeMap::new(),
        account_name: AccountName::new(format!("Client {name}")),
        notification_email: Email::lenient(format!("dns+{name}@agency.example")),
        plan: WantedPlan::Choice(Ways::of(dialect).plan.to_owned()),
        members: people.map(member).into(),
        membership: Membership::Exclusive,
        account_id: None,
        previous_names: Vec::new(),
        previous_notification_emails: Vec::new(),
        suspend: false,
        source,
    }
}

/// Something else of each: another address, one person fewer, another access; so that with
/// the first wish each kind of write is sent.
fn second_wish(dialect: Dialect) -> Vec<Client> {
    let [mut acme, mut beta, mut gamma] = CLIENTS.map(|of| client(dialect, of));
    acme.previous_notification_emails = vec![acme.notification_email.clone()];
    acme.notification_email = Email::lenient("hostmaster@agency.example");
    beta.members.truncate(1);
    if Ways::of(dialect).cancels {
        beta.plan = WantedPlan::Nothing;
    }
    gamma.members[1].access = Access::Limited;
    vec![acme, beta, gamma]
}

/// The world of one seed.
pub struct Universe {
    pub network: Arc<Network>,
    url: BaseUrl,
    token: Token,
    script: Script,
    /// The journals, each of which outlives every process until it is destroyed.
    disks: Vec<Arc<Disk>>,
    pub time: Time,
    pub wanted: Wanted,
    pub rng: Rng,
    passes: u32,
    lives: u32,
    questions: Vec<Question>,
}

impl Universe {
    pub async fn new(seed: u64, script: &Script) -> Self {
        let mut rng = Rng::with_seed(seed);
        // What else draws by chance (the pauses before a read is repeated) does so by the seed.
        fastrand::seed(rng.u64(..));
        let sandbox = sandbox(rng.u64(..), &script.terms).await;
        let token = Token::from_text(sandbox.token().to_owned()).unwrap();
        let url = BaseUrl::parse(&sandbox.api_url()).unwrap();
        let dialect = script.terms.dialect;
        let network = Network::new(sandbox, Ways::of(dialect), rng.u64(..), script.trouble);
        let mut universe = Self {
            network,
            url,
            token,
            script: script.clone(),
            disks: Vec::new(),
            time: Time::default(),
            wanted: Wanted { clients: CLIENTS.map(|of| client(dialect, of)).into(), ..Wanted::default() },
            rng,
            passes: 0,
            lives: 0,
            questions: Vec::new(),
        };
        universe.begin_journal();
        universe
    }

    fn begin_journal(&mut self) {
        let id = format!("simulated {}", self.disks.len());
        self.disks.push(Disk::new(&id, self.rng.u64(..), self.script.journal_trouble));
    }

    pub fn disk(&self) -> &Arc<Disk> {
        self.disks.last().unwrap()
    }

    /// The driver of one life.
    pub fn driver(&self, life: &Arc<Life>) -> Driver {
        let owner = (self.url.clone(), self.token.clone());
        connect(self.script.terms.dialect, owner, self.network.line(life))
    }

    /// Process after process, until one finds nothing left to do; to which point it came, and
    /// how it found things if it never did.
    async fn converge(&mut self) -> (u64, Option<String>) {
        let until = self.passes + MOST_PASSES;
        loop {
            let life = Life::new(self.script.deaths.get(self.lives as usize).copied());
            self.lives += 1;
            let process = Process::start(self, &life);
            if let Some(unrest) = life.live(process.run(self, until)).await {
                return (life.points(), unrest);
            }
            // The next one is started after a while, whatever is still on its way.
            let pause = Duration::from_millis(self.rng.u64(1..30_000));
            tokio::time::sleep(pause).await;
            if let (Some(destroyed), 1) = (self.script.destroyed, self.disks.len()) {
                self.begin_journal();
                if destroyed == Destroyed::Waited {
                    tokio::time::sleep(SETTLED).await;
                    // From here on, whatever is asked is asked because of the loss alone.
                    self.network.calm();
                    self.disk().calm();
                }
            }
        }
    }

    /// A person answers what is asked, as it is: whether the account is there.
    async fn answer(&mut self) {
        let journal = &self.disk().journal;
        let mut asked = Vec::new();
        for scope in journal.scopes().await.unwrap() {
            asked.extend(journal.rows(&scope, 0).await.unwrap().0.into_iter().filter(|row| row.state == State::Ask));
        }
        for row in asked {
            let account = row.account_name.as_ref().unwrap().as_str().to_owned();
            let made = self.network.made().into_iter().find(|made| made.name == account);
            let word = made.map_or(Word::NotCreated, |made| Word::Created { account: Some(AccountId::new(made.id)) });
            let event = Step::Resolved { now: self.time.now(), word };
            let (next, _) = step(&row, &event, &Rules::default()).unwrap();
            let put = Put { seen: row.version, row: Row { version: row.version + 1, ..next } };
            let batch = Batch { rows: vec![put], ..Batch::default() };
            self.disk().journal.commit(&row.operation.scope, batch).await.unwrap();
            let journal = self.disks.len() - 1;
            self.questions.push(Question { at: self.network.age(), account, journal });
        }
    }
}

/// What one process has in mind.
pub struct Process {
    writer: Arc<dyn Write>,
    pub reconciler: Reconciler,
}

impl Process {
    pub fn start(universe: &mut Universe, life: &Arc<Life>) -> Self {
        let (reader, writer) = universe.driver(life);
        let provider = universe.script.terms.dialect.name();
        let api = ApiInfo { provider: provider.into(), url: universe.url.to_string() };
        let seed = universe.rng.u64(..);
        let keeping = Keeping {
            clock: Arc::new(universe.time),
            forgetful: false,
            hold: (!universe.script.terms.hold.is_zero()).then(|| universe.script.terms.hold.try_into().unwrap()),
            ..Keeping::with(Faulty::new(universe.disk(), life), &format!("life {}", universe.lives))
        };
        let policy = Policy { allow_removals: true, allow_unsubscribe: true, ..Policy::default() };
        let mut reconciler = Reconciler::new(api, reader, policy, Selector::default(), keeping, seed);
        // As a daemon does: what was read may be old, and nothing is decided by what is.
        reconciler.freshness = Some(Freshness::of(Duration::from_secs(300)));
        Self { writer, reconciler }
    }

    /// Passes as the daemon makes them, until one that begins when nothing is on its way any
    /// more finds nothing to do; how it found things, if that never comes.
    async fn run(mut self, universe: &mut Universe, until: u32) -> Option<String> {
        let mut settled = false;
        loop {
            universe.passes += 1;
            if universe.passes + MOST_PASSES > until + PASSES_IN_TROUBLE {
                universe.network.calm();
                universe.disk().calm();
            }
            let report = self.pass(&universe.wanted).await;
            universe.answer().await;
            let open = report.as_ref().map_or(1, open);
            let did = report.as_ref().map_or(1, applied);
            if open == 0 && did == 0 && settled {
                return None;
            }
            if universe.passes >= until {
                return Some(report.map_or_else(|error| error, |report| apply_text(&report.plan)));
            }
            settled = open == 0;
            if settled {
                universe.network.settle().await;
            } else {
                let due = self.reconciler.memory().next_due();
                tokio::time::sleep_until(due.unwrap_or_else(|| Instant::now() + Duration::from_secs(60))).await;
            }
            self.reconciler.memory().take_due(Instant::now());
        }
    }

    pub async fn pass(&mut self, wanted: &Wanted) -> Result<Report, String> {
        self.reconciler.observe(wanted).await.map_err(|error| error.to_string())?;
        let writer = self.writer.as_ref();
        let passed = self.reconciler.converge(wanted, None, writer, &Silent, &CancellationToken::new()).await;
        let report = passed.map_err(|error| error.to_string())?;
        match &report.trouble {
            Some(trouble) => Err(trouble.to_string()),
            None => Ok(report),
        }
    }
}

/// What a pass did and left, but for people who have only to accept.
fn actions(report: &Report) -> impl Iterator<Item = &Action> {
    let actions = report.plan.accounts.iter().flat_map(|account| &account.actions);
    actions.filter(|action| action.reason != Some(Reason::AwaitingAcceptance))
}

/// How many things a pass left open; an account that could not be read is one.
fn open(report: &Report) -> usize {
    let unread = report.plan.accounts.iter().filter(|account| account.state == AccountState::Unknown);
    report.left + unread.count() + actions(report).filter(|action| action.state != ActionState::Applied).count()
}

/// How many things a pass did.
fn applied(report: &Report) -> usize {
    actions(report).filter(|action| action.state == ActionState::Applied).count()
}
