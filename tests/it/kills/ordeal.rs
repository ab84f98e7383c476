//! One world in which the daemon is killed again and again while clients are added, and the
//! verdict of the sandbox's ledger in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bursar::journal::{Address, EntryKind, FactKind, Query, Repeat, Row, State, open_beside};
use bursar::plan::OpKind;
use bursar::sandbox::{Extension, MemberMode, Options};
use serde_json::{Value, json};

use crate::proxy;
use crate::support::{Ledger, World, unlimited};

use super::victim::{Call, Death, Ended, Moment, Victim};

const PEOPLE: [&str; 4] = ["jane@acme.example", "joe@beta.example", "lena@agency.example", "pat@agency.example"];
/// What a seat costs a month, in cents.
const SEAT: u64 = 2900;
/// Just longer than a trial.
const TRIAL: u64 = 30 * 24 * 3600 + 3600;
/// How old lists are, where they lag.
const LAG: Duration = Duration::from_secs(1);
/// Clients that are still to be made, at least, while there is killing to be done.
const AHEAD: usize = 4;
/// A permit's life, the settling time, three looks, and a slow machine.
const ENOUGH: Duration = Duration::from_secs(90);

/// What a world is like.
#[derive(Debug, Clone)]
pub struct Plot {
    pub seed: u64,
    /// How often the daemon is killed.
    pub kills: u64,
    /// The server carries one key out once.
    pub keys: bool,
    /// People are invited.
    pub invite: bool,
    /// Kills at points of requests, not at times alone.
    pub points: bool,
    /// Lists show what was a second ago.
    pub lag: bool,
    /// The sandbox's faults, a third of the requests; none where it is empty.
    pub faults: &'static [&'static str],
    /// Creates without keys may be lost on the way: each costs 20 s until somebody is asked.
    pub patient: bool,
}

/// What was counted.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    pub kills: u64,
    pub by_point: BTreeMap<String, u64>,
    /// Operations that a kill found in each state.
    pub found: BTreeMap<State, u64>,
    pub clients: u64,
    pub requests: u64,
    pub faults: u64,
    /// Answered truthfully: it had not been made.
    pub asked_of_unmade: u64,
    /// Answered truthfully: it had been made, and could be seen. There must be none.
    pub asked_of_made: u64,
    /// Creates that were carried out while nobody saw the answer.
    pub unseen: u64,
    pub problems: Vec<String>,
}

impl Tally {
    pub fn add(&mut self, other: Self) {
        let Self {
            kills,
            by_point,
            found,
            clients,
            requests,
            faults,
            asked_of_unmade,
            asked_of_made,
            unseen,
            problems,
        } = other;
        self.kills += kills;
        self.clients += clients;
        self.requests += requests;
        self.faults += faults;
        self.asked_of_unmade += asked_of_unmade;
        self.asked_of_made += asked_of_made;
        self.unseen += unseen;
        self.problems.extend(problems);
        for (point, count) in by_point {
            *self.by_point.entry(point).or_default() += count;
        }
        for (state, count) in found {
            *self.found.entry(state).or_default() += count;
        }
    }
}

/// A world under way.
pub struct Ordeal {
    pub world: World,
    plot: Plot,
    chance: fastrand::Rng,
    pub victim: Arc<Victim>,
    clients: BTreeMap<String, Vec<&'static str>>,
    pub tally: Tally,
}

impl Ordeal {
    pub async fn begin(plot: Plot) -> Self {
        let mut without = BTreeSet::new();
        if !plot.keys {
            without.insert(Extension::IdempotencyKeys);
        }
        let users = PEOPLE.iter().map(ToString::to_string).collect();
        let member_mode = if plot.invite { MemberMode::Invite } else { MemberMode::Registered };
        let list_delay = if plot.lag { LAG } else { Duration::ZERO };
        let mut world = World::with(Options { users, member_mode, without, list_delay, ..unlimited() }).await;
        let victim = Arc::new(Victim::default());
        if plot.points {
            let (deciding, struck) = (Arc::clone(&victim), Arc::clone(&victim));
            let decide = move |method: &_, path: &str, _: &[u8]| deciding.fate(method, path);
            let strike = move |carried_out| struck.strike(carried_out);
            world.through(proxy::striking(world.sandbox.url(), decide, strike).await);
        }
        let chance = fastrand::Rng::with_seed(plot.seed);
        Self { world, plot, chance, victim, clients: BTreeMap::new(), tally: Tally::default() }
    }

    /// The whole of it.
    pub async fn run(mut self) -> Tally {
        self.spoil(0.34).await;
        while self.tally.kills < self.plot.kills && self.tally.problems.is_empty() {
            self.grow().await;
            let death = self.death();
            self.live(death).await;
        }
        self.finish().await;
        self.tally
    }

    async fn spoil(&self, rate: f64) {
        if !self.plot.faults.is_empty() {
            let url = format!("{}/sandbox/faults", self.world.sandbox.url());
            let wish = json!({"rate": rate, "kinds": self.plot.faults, "seed": self.plot.seed});
            assert!(self.world.http.put(url).json(&wish).send().await.unwrap().status().is_success());
        }
    }

    /// Keeps some clients to be made.
    async fn grow(&mut self) {
        let made = self.world.ledger().await.count("accounts_created") as usize;
        while self.clients.len() < made + AHEAD {
            let count = self.chance.usize(0..=2);
            let mut people = PEOPLE;
            self.chance.shuffle(&mut people);
            self.client(&people[..count]);
        }
    }

    /// Adds a client.
    pub fn client(&mut self, people: &[&'static str]) {
        let name = format!("c{:03}", self.clients.len());
        self.world.client(&name, people);
        self.clients.insert(format!("Client {name}"), people.to_vec());
    }

    fn death(&mut self) -> Death {
        let chance = &mut self.chance;
        // Without keys, a create that is lost on the way is asked about 20 s later.
        let quick = !self.plot.keys && !self.plot.patient;
        if !quick && (!self.plot.points || chance.u8(0..10) == 0) {
            return Death::After(Duration::from_millis(chance.u64(5..=900)));
        }
        let call = [Call::List, Call::Write, Call::CreateAccount, Call::ChooseSubscription, Call::AddMember]
            [chance.usize(0..5)];
        let mut moment = [Moment::Sent, Moment::CarriedOut, Moment::Answered(chance.u64(0..6_000))][chance.usize(0..3)];
        if quick && matches!(call, Call::CreateAccount | Call::Write) {
            moment = Moment::CarriedOut;
        }
        let most = if quick { Duration::from_secs(3) } else { Duration::from_millis(chance.u64(800..=2000)) };
        Death::At(call, if quick { 0 } else { chance.u32(0..3) }, moment, most)
    }

    /// One life, to its violent end; then what it left behind is looked at, and a person
    /// answers what is asked.
    pub async fn live(&mut self, death: Death) -> Ended {
        self.start(death);
        let ended = match self.victim.end(death).await {
            Ok(ended) => ended,
            Err(why) => {
                self.problem(why);
                return Ended::ByTime;
            }
        };
        self.tally.kills += 1;
        *self.tally.by_point.entry(ended.told()).or_default() += 1;
        if let Ended::At(Call::CreateAccount, Moment::CarriedOut, true) = ended {
            self.tally.unseen += 1;
        }
        for row in self.rows().await {
            *self.tally.found.entry(row.state).or_default() += 1;
        }
        self.answer().await;
        ended
    }

    fn start(&self, death: Death) {
        let settle = self.settle();
        let parallelism = if self.plot.keys || self.plot.patient { "8" } else { "1" };
        let command = self.world.command(&[
            "run",
            ".",
            "--interval",
            "1s",
            "--settle",
            settle,
            "--parallelism",
            parallelism,
            "--max-creates",
            "none",
            "--max-monthly-increase",
            "none",
        ]);
        self.victim.begin(command, &self.log(), death);
    }

    /// Longer than the lag, and than the second that times on the wire are cut to.
    const fn settle(&self) -> &'static str {
        if self.plot.lag { "3s" } else { "1s" }
    }

    fn log(&self) -> PathBuf {
        self.world.path().join("log")
    }

    fn problem(&mut self, what: impl Into<String>) {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(15).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        self.tally.problems.push(format!("{:?}: {}\n{}", self.plot, what.into(), tail.join("\n")));
    }

    async fn journal(&self) -> Option<Arc<dyn bursar::journal::Journal>> {
        open_beside(&Address::File(self.world.path().join(".bursar/journal.db"))).await.ok()
    }

    /// Every row of the journal.
    pub async fn rows(&self) -> Vec<Row> {
        let Some(journal) = self.journal().await else { return Vec::new() };
        let mut rows = Vec::new();
        for scope in journal.scopes().await.unwrap() {
            rows.extend(journal.rows(&scope, 0).await.unwrap().0);
        }
        journal.close().await;
        rows
    }

    /// What is known of a kind.
    pub async fn facts(&self, kind: FactKind) -> Vec<String> {
        let journal = self.journal().await.unwrap();
        let mut facts = Vec::new();
        for scope in journal.scopes().await.unwrap() {
            let of_kind = journal.facts(&scope).await.unwrap().into_iter().filter(|fact| fact.kind == kind);
            facts.extend(of_kind.map(|fact| fact.value));
        }
        journal.close().await;
        facts
    }

    /// A person answers each question with what they see at the service.
    async fn answer(&mut self) {
        let asked: Vec<Row> = self.rows().await.into_iter().filter(|row| row.state == State::Ask).collect();
        if asked.is_empty() {
            return;
        }
        let accounts = self.accounts().await;
        for row in asked {
            let name = row.account_name.as_ref().unwrap().to_string();
            let made = accounts.iter().find(|account| account["name"] == name.as_str());
            let (id, account) = (row.id(), made.map(|account| account["id"].to_string()));
            let ending = match &account {
                Some(account) => vec!["--created", account],
                None => vec!["--not-created"],
            };
            *if made.is_some() { &mut self.tally.asked_of_made } else { &mut self.tally.asked_of_unmade } += 1;
            let args = [&["resolve", id.as_str(), "--settle", self.settle()], &ending[..]].concat();
            self.world.run(&args).await.expect(0);
        }
    }

    /// All accounts as the service shows them, however often it has to be asked.
    async fn accounts(&self) -> Vec<Value> {
        let mut accounts = Vec::new();
        for page in 1.. {
            let listed = loop {
                let url = format!(
                    "{}/accounts?include=subscription,members&per_page=100&page={page}",
                    self.world.sandbox.api_url()
                );
                let Ok(answer) = self.world.http.get(url).bearer_auth(self.world.sandbox.token()).send().await else {
                    continue;
                };
                if let Some(listed) = answer.json::<Value>().await.ok().filter(|listed| listed["data"].is_array()) {
                    break listed;
                }
            };
            let some = listed["data"].as_array().unwrap();
            accounts.extend(some.iter().cloned());
            if some.len() < 100 {
                break;
            }
        }
        accounts
    }

    /// A good day: what is left is done by one life, and the ledger judges.
    pub async fn finish(&mut self) {
        if !self.tally.problems.is_empty() {
            return;
        }
        let answer = self.world.http.get(format!("{}/sandbox/faults", self.world.sandbox.url())).send().await.unwrap();
        self.tally.faults += answer.json::<Value>().await.unwrap()["data"]["injected"].as_u64().unwrap_or(0);
        self.spoil(0.0).await;
        let prompt = self.world.http.put(format!("{}/sandbox/delays", self.world.sandbox.url()));
        assert!(prompt.json(&json!({"list_seconds": 0})).send().await.unwrap().status().is_success());
        self.start(Death::Never);
        let until = Instant::now() + ENOUGH;
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            self.answer().await;
            let open: Vec<Row> = self.rows().await.into_iter().filter(|row| row.state.is_unsettled()).collect();
            let ledger = self.world.ledger().await;
            let made = self.counts().iter().all(|(what, wanted)| ledger.count(what) >= *wanted);
            if open.is_empty() && made && self.world.run(&["plan", ".", "--detailed-exitcode"]).await.code == 0 {
                break;
            }
            if !self.victim.lives() || Instant::now() > until {
                self.problem(format!("it does not come to rest; open: {open:?}"));
                break;
            }
        }
        let _ = self.victim.end(Death::After(Duration::ZERO)).await;
        self.judge().await;
    }

    /// What the ledger counts where each thing happened once.
    fn counts(&self) -> [(&'static str, u64); 3] {
        let people: u64 = self.clients.values().map(|people| people.len() as u64).sum();
        let clients = self.clients.len() as u64;
        let added = if self.plot.invite { "invitations_sent" } else { "members_added" };
        [("accounts_created", clients), ("subscriptions_created", clients), (added, people)]
    }

    async fn judge(&mut self) {
        // The trials end, and everybody pays for the first month.
        self.world.post("/sandbox/clock", json!({"advance_seconds": TRIAL})).await;
        let ledger = self.world.ledger().await;
        let accounts = self.accounts().await;
        let rows = self.rows().await;
        let people: u64 = self.clients.values().map(|people| people.len() as u64).sum();
        let clients = self.clients.len() as u64;
        self.tally.clients += clients;
        self.tally.requests += ledger.requests();
        let mut wrong = Vec::new();
        for (what, wanted) in self.counts() {
            if ledger.count(what) != wanted {
                wrong.push(format!("{what}: {} where {wanted} are wanted", ledger.count(what)));
            }
        }
        wrong.extend(self.check_accounts(&accounts, &ledger));
        wrong.extend(check_mails(&ledger, people));
        for (call, op) in [("POST /v2/accounts", Some(OpKind::CreateAccount)), ("all writes", None)] {
            let permits: u64 = rows
                .iter()
                .filter(|row| op.is_none_or(|op| row.operation.series.kind == op))
                .map(|row| u64::from(row.sends))
                .sum();
            let wire = if op.is_some() { ledger.call(call) } else { ledger.writes() };
            if wire > permits {
                wrong.push(format!("{wire} requests ({call}) on the wire, and {permits} permits in the journal"));
            }
        }
        if self.tally.asked_of_made > 0 {
            wrong.push(format!("{} questions about what could be seen", self.tally.asked_of_made));
        }
        wrong.extend(self.check_questions(&rows).await);
        if !wrong.is_empty() {
            self.problem(wrong.join("; "));
        }
    }

    /// Each client once, with its people, and paid for as planned.
    fn check_accounts(&self, accounts: &[Value], ledger: &Ledger) -> Vec<String> {
        let mut wrong = Vec::new();
        if accounts.len() != self.clients.len() {
            wrong.push(format!("{} accounts for {} clients", accounts.len(), self.clients.len()));
        }
        let mut paid: BTreeMap<u64, u64> = BTreeMap::new();
        for charge in ledger.0["charges"].as_array().unwrap() {
            let cents = charge["amount"].as_str().unwrap().replace('.', "").parse::<u64>().unwrap();
            *paid.entry(charge["account_id"].as_u64().unwrap()).or_default() += cents;
        }
        for account in accounts {
            let name = account["name"].as_str().unwrap();
            let Some(people) = self.clients.get(name) else {
                wrong.push(format!("nobody asked for {name}"));
                continue;
            };
            let seen = account["members"].as_array().unwrap();
            let mut seen: Vec<&str> = seen.iter().map(|member| member["email"].as_str().unwrap()).collect();
            let mut wanted: Vec<&str> = people.iter().copied().chain([bursar::sandbox::AGENCY_EMAIL]).collect();
            seen.sort_unstable();
            wanted.sort_unstable();
            if seen != wanted {
                wrong.push(format!("{name}: {seen:?} where {wanted:?} are wanted"));
            }
            let (cents, due) = (paid.get(&account["id"].as_u64().unwrap()), SEAT * wanted.len() as u64);
            if cents != Some(&due) {
                wrong.push(format!("{name}: {cents:?} cents were charged where {due} are due"));
            }
        }
        wrong
    }

    /// Nobody is asked of what never had a permit, nor of what can be sent again.
    async fn check_questions(&self, rows: &[Row]) -> Vec<String> {
        let Some(journal) = self.journal().await else { return vec!["there is no journal".to_owned()] };
        let told = journal.history(&Query::default()).await.unwrap();
        journal.close().await;
        let mut sent = BTreeSet::new();
        let mut wrong = Vec::new();
        for entry in told.iter().map(|recorded| &recorded.entry) {
            match (entry.kind, &entry.operation) {
                (EntryKind::Sent, Some(operation)) => drop(sent.insert(operation.clone())),
                (EntryKind::Asked, Some(operation)) if !sent.contains(operation) => {
                    wrong.push(format!("asked of {operation}, which was never sent"));
                }
                (EntryKind::Asked, Some(operation))
                    if !rows.iter().any(|row| row.id() == *operation && row.repeat == Repeat::Never) =>
                {
                    wrong.push(format!("asked of {operation}, which can be sent again"));
                }
                _ => {}
            }
        }
        wrong
    }
}

/// Nobody is written to twice.
fn check_mails(ledger: &Ledger, people: u64) -> Option<String> {
    let mails = ledger.0["mails"].as_array().unwrap();
    let to: BTreeSet<_> = mails.iter().map(|mail| (mail["account_id"].as_u64(), mail["to"].as_str())).collect();
    (mails.len() as u64 != people || to.len() != mails.len())
        .then(|| format!("{} mails to {} people, where {people} are due", mails.len(), to.len()))
}
