//! A long life: the daemon follows a real Git repository while commits come in, the server
//! fails at random, quotas run out, people do things by hand and the process is killed. In the
//! end everything is as the manifests say, each thing was done once, memory is flat, and the
//! history explains every request.
//!
//! `BURSAR_SOAK=3600 cargo test --test it soak -- --nocapture` makes an hour of it,
//! `BURSAR_SEED=7` another one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use bursar::journal::{Address, EntryKind, Query, open_beside};
use serde_json::json;

use crate::git::repo::Repo;
use crate::support::{Running, World, manifest, unlimited};
use bursar::sandbox::Options;

const PEOPLE: [&str; 6] = [
    "jane@acme.example",
    "joe@beta.example",
    "lena@agency.example",
    "pat@agency.example",
    "rosa@gamma.example",
    "theo@delta.example",
];
/// Signs up in the course of the run.
const LATE: &str = "theo@delta.example";
/// More clients than this are not added: memory must not grow for want of an end.
const MOST: usize = 40;
const FAULTS: [&str; 8] =
    ["refuse", "lose_request", "lose_answer", "error_500", "html_502", "quota_429", "slow", "truncate"];
/// Shorter runs say nothing of memory.
const TELLING: Duration = Duration::from_secs(300);

struct Soak {
    world: World,
    repo: Repo,
    chance: fastrand::Rng,
    clients: BTreeMap<String, BTreeSet<&'static str>>,
    port: u16,
    kills: u32,
    commits: u32,
    by_hand: u32,
    faults: u64,
}

impl Soak {
    async fn begin(seed: u64) -> Self {
        let users = PEOPLE.iter().filter(|person| **person != LATE).map(ToString::to_string).collect();
        let world = World::with(Options { users, ..unlimited() }).await;
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut soak = Self {
            world,
            repo: Repo::empty(),
            chance: fastrand::Rng::with_seed(seed),
            clients: BTreeMap::new(),
            port,
            kills: 0,
            commits: 0,
            by_hand: 0,
            faults: 0,
        };
        for _ in 0..3 {
            soak.edit();
        }
        soak
    }

    fn start(&self) -> Running {
        let url = self.repo.path().display().to_string();
        let listen = format!("127.0.0.1:{}", self.port);
        Running::start(self.world.command(&[
            "run",
            "--git",
            &url,
            "--git-path",
            "clients",
            "--git-interval",
            "1s",
            "--interval",
            "2s",
            "--settle",
            "2s",
            "--on-removed",
            "heal",
            "--max-creates",
            "none",
            "--max-subscriptions",
            "none",
            "--max-monthly-increase",
            "none",
            "--listen",
            &listen,
        ]))
    }

    async fn spoil(&mut self, rate: f64, seed: u64) {
        let url = format!("{}/sandbox/faults", self.world.sandbox.url());
        // Counted anew with each wish.
        let before = self.world.http.get(&url).send().await.unwrap().json::<serde_json::Value>().await.unwrap();
        self.faults += before["data"]["injected"].as_u64().unwrap_or(0);
        let wish = json!({"rate": rate, "kinds": FAULTS, "seed": seed});
        assert!(self.world.http.put(url).json(&wish).send().await.unwrap().status().is_success());
    }

    /// One commit: a client more, a person more, a manifest that does not hold for a while, or
    /// nothing of the clients at all.
    fn edit(&mut self) {
        let kind = self.chance.u8(0..10);
        if self.clients.len() < 3 || (kind < 4 && self.clients.len() < MOST) {
            let name = format!("c{:03}", self.clients.len());
            self.clients.insert(name.clone(), BTreeSet::new());
            self.put(&name);
        } else if kind < 8 {
            let name = self.clients.keys().nth(self.chance.usize(0..self.clients.len())).unwrap().clone();
            let person = PEOPLE[self.chance.usize(0..PEOPLE.len())];
            self.clients.get_mut(&name).unwrap().insert(person);
            self.put(&name);
        } else if kind == 8 {
            let name = self.clients.keys().nth(self.chance.usize(0..self.clients.len())).unwrap().clone();
            let broken = manifest(&name, &[]).replace("plan:", "paln:");
            self.repo.write(&format!("clients/{name}.yaml"), broken);
            self.commit();
            self.put(&name);
        } else {
            self.repo.write("README.md", format!("{}\n", self.commits));
        }
        self.commit();
    }

    fn put(&self, name: &str) {
        let people: Vec<&str> = self.clients[name].iter().copied().collect();
        self.repo.write(&format!("clients/{name}.yaml"), manifest(name, &people));
    }

    fn commit(&mut self) {
        self.repo.commit(&[]);
        self.commits += 1;
    }

    /// Somebody renames an account, or throws somebody out.
    async fn by_hand(&mut self) {
        // A person's own clicks go through.
        self.spoil(0.0, 0).await;
        let members = self.world.get("/accounts?include=members&per_page=100").await;
        let Some(accounts) = members["data"].as_array().filter(|accounts| !accounts.is_empty()) else { return };
        let account = &accounts[self.chance.usize(0..accounts.len())];
        let id = &account["id"];
        let bearer = self.world.sandbox.token();
        let api = self.world.sandbox.api_url();
        let member = account["members"].as_array().and_then(|members| {
            members.iter().find(|m| m["access"] == "full" && PEOPLE.contains(&m["email"].as_str().unwrap()))
        });
        let request = match member {
            Some(member) => self.world.http.delete(format!("{api}/{id}/members/{}", member["id"])),
            None => return,
        };
        if request.bearer_auth(bearer).send().await.is_ok_and(|answer| answer.status().is_success()) {
            self.by_hand += 1;
        }
    }

    /// Whether a fresh look finds nothing to do.
    async fn agrees(&self) -> bool {
        let clients = self.repo.path().join("clients").display().to_string();
        self.world.run(&["plan", &clients, "--detailed-exitcode"]).await.code == 0
    }
}

/// Resident memory of a process, in KiB.
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or_default()
}

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_life_of_commits_faults_and_kills_ends_as_the_manifests_say() {
    let length = Duration::from_secs(number_of("BURSAR_SOAK").unwrap_or(20));
    let seed = number_of("BURSAR_SEED").unwrap_or(1);
    let mut soak = Soak::begin(seed).await;
    soak.spoil(0.2, seed).await;
    let begun = Instant::now();
    let mut daemon = soak.start();
    let mut memory = Vec::new();
    // Killed in the first half; one long life in the second.
    while begun.elapsed() < length {
        let pause = soak.chance.u64(300..=3_000).min(length.as_millis() as u64 / 20);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        match soak.chance.u8(0..12) {
            0 if begun.elapsed() < length / 2 => {
                daemon.signal("-KILL");
                drop(daemon);
                soak.kills += 1;
                daemon = soak.start();
            }
            1 => {
                soak.by_hand().await;
                soak.spoil(0.2, seed + u64::from(soak.by_hand)).await;
            }
            2 => {
                let (rate, seed) = ([0.0, 0.1, 0.5][soak.chance.usize(0..3)], soak.chance.u64(..));
                soak.spoil(rate, seed).await;
            }
            3 if begun.elapsed() > length / 3 => {
                soak.world
                    .http
                    .post(format!("{}/sandbox/users", soak.world.sandbox.url()))
                    .json(&json!({"email": LATE}))
                    .send()
                    .await
                    .unwrap();
            }
            _ => soak.edit(),
        }
        if begun.elapsed() > length / 2 {
            memory.push(resident(daemon.id()));
        }
    }
    soak.spoil(0.0, seed).await;
    soak.world
        .http
        .post(format!("{}/sandbox/users", soak.world.sandbox.url()))
        .json(&json!({"email": LATE}))
        .send()
        .await
        .unwrap();
    daemon.signal("-HUP");
    let until = Instant::now() + Duration::from_secs(120);
    while !soak.agrees().await {
        assert!(
            Instant::now() < until,
            "it does not come to rest:\n{}",
            daemon.log().lines().rev().take(40).collect::<Vec<_>>().join("\n")
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let metrics = soak
        .world
        .http
        .get(format!("http://127.0.0.1:{}/metrics", soak.port))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let commit = soak.repo.head();
    assert!(metrics.contains(&commit), "the last good commit is in the metrics:\n{metrics}");
    let (_, code, log) = daemon.stop();
    assert_eq!(code, 0, "{log}");
    let ledger = soak.world.ledger().await;
    let clients = soak.clients.len() as u64;
    assert_eq!(ledger.count("accounts_created"), clients, "each account once");
    assert_eq!(ledger.count("subscriptions_created"), clients, "each subscription once");
    let members = soak.world.members().await;
    for (client, people) in &soak.clients {
        let there = &members[&format!("Client {client}")];
        assert!(people.iter().all(|person| there.contains(&(*person).to_owned())), "{client}: {there:?}");
    }
    explained(&soak, ledger.writes() - u64::from(soak.by_hand)).await;
    println!(
        "{} s: {} clients, {} commits, {} kills, {} by hand, {} faults, {} requests of which {} writes; memory in KiB {:?}",
        begun.elapsed().as_secs(),
        clients,
        soak.commits,
        soak.kills,
        soak.by_hand,
        soak.faults,
        ledger.requests(),
        ledger.writes(),
        memory.iter().step_by((memory.len() / 12).max(1)).collect::<Vec<_>>()
    );
    if length >= TELLING {
        let quarter = memory.len() / 4;
        let (first, last) = (&memory[..quarter], &memory[memory.len() - quarter..]);
        let (first, last) = (first.iter().max().unwrap(), last.iter().max().unwrap());
        assert!(*last <= first * 5 / 4, "memory grew from {first} to {last} KiB");
    }
}

/// Each write on the wire is an entry of the history, and each entry says for whom, by which
/// line of which commit.
async fn explained(soak: &Soak, writes: u64) {
    let journal = open_beside(&Address::File(soak.world.path().join(".bursar/journal.db"))).await.unwrap();
    let sent = Query { kinds: vec![EntryKind::Sent], ..Query::default() };
    let entries = journal.history(&sent).await.unwrap();
    journal.close().await;
    assert!(entries.len() as u64 >= writes, "{writes} writes on the wire, and {} in the history", entries.len());
    let known: BTreeSet<String> = soak.repo.git(&["log", "--format=%H"]).lines().map(str::to_owned).collect();
    for recorded in entries {
        let entry = recorded.entry;
        assert!(entry.client.is_some() && entry.source.is_some(), "{entry:?}");
        assert!(entry.revision.as_ref().is_some_and(|revision| known.contains(revision)), "{entry:?}");
    }
}
