//! Several replicas of the real binary on one PostgreSQL: killed, stopped past their lease and
//! started again, while answers are lost. The sandbox's ledger is the judge. The long run is
//! `BURSAR_REPLICA_RUNS=20 cargo test --test it replicas -- --nocapture`.

use std::io::Write as _;
use std::time::{Duration, Instant};

use bursar::sandbox::{Extension, Options};
use fastrand::Rng;
use serde_json::json;

use crate::support::{Running, World, eventually, unlimited};
use crate::support_postgres::Database;

const CLIENTS: usize = 4;
const PEOPLE: [&str; 2] = ["jane@acme.example", "john@acme.example"];
/// What a lease may take to change hands after its holder died.
const SLACK: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_secs(120);

/// Replicas of one deployment; they die with it.
struct Deployment<'w> {
    world: &'w World,
    journal: String,
    lease: &'static str,
    replicas: Vec<Option<Running>>,
}

impl<'w> Deployment<'w> {
    fn start(world: &'w World, database: &Database, lease: &'static str, replicas: usize) -> Self {
        let mut made = Self { world, journal: database.url(), lease, replicas: Vec::new() };
        for _ in 0..replicas {
            let replica = made.replica();
            made.replicas.push(Some(replica));
        }
        made
    }

    fn replica(&self) -> Running {
        let args = ["run", "--interval", "1s", "--settle", "2s", "--lease", self.lease, "--journal", &self.journal];
        Running::start(self.world.command(&args))
    }

    /// Kills one and starts another in its place.
    fn replace(&mut self, which: usize) {
        self.replicas[which] = None;
        self.replicas[which] = Some(self.replica());
    }

    fn log(&self, which: usize) -> String {
        self.replicas[which].as_ref().map(Running::log).unwrap_or_default()
    }

    /// Who said last that it holds the fleet.
    fn holder(&self) -> Option<usize> {
        (0..self.replicas.len()).find(|which| self.log(*which).contains("this replica holds the fleet"))
    }
}

async fn world(options: Options) -> World {
    let world = World::with(options).await;
    for i in 0..CLIENTS {
        world.client(&format!("c{i}"), &PEOPLE);
    }
    world
}

/// For whoever runs this with `--nocapture`.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn people() -> Vec<String> {
    PEOPLE.iter().map(ToString::to_string).collect()
}

/// Everything was made, and made once.
async fn converged_once(world: &World, what: &str) {
    let clients = CLIENTS as u64;
    eventually(what, LONG, || async {
        let ledger = world.ledger().await;
        ledger.count("members_added") >= clients * PEOPLE.len() as u64
    })
    .await;
    let ledger = world.ledger().await;
    let made = ["accounts_created", "subscriptions_created", "members_added"].map(|what| ledger.count(what));
    assert_eq!(made, [clients, clients, clients * PEOPLE.len() as u64], "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_holds_the_fleet_the_other_stands_by_and_takes_over_in_time() {
    let Some(database) = Database::new().await else { return };
    let world = world(Options { users: people(), ..unlimited() }).await;
    let mut deployment = Deployment::start(&world, &database, "3s", 2);
    converged_once(&world, "with two replicas").await;
    let holder = deployment.holder().expect("somebody did it");
    assert!(deployment.log(1 - holder).contains("standing by"), "{}", deployment.log(1 - holder));

    deployment.replicas[holder] = None;
    let killed = Instant::now();
    let other = deployment.replicas[1 - holder].as_mut().unwrap();
    other.wait_for("this replica holds the fleet", Duration::from_secs(3) + SLACK);
    let taken_over = killed.elapsed().as_secs_f64();
    say(&format!("taken over {taken_over:.1} s after a kill, with a lease of 3 s"));

    // The new holder goes on with what is wanted.
    world.client("late", &PEOPLE);
    other.wait_for("late: in sync", LONG);
    assert_eq!(world.ledger().await.count("accounts_created"), CLIENTS as u64 + 1);
    // A clean stop gives the lease back at once.
    deployment.replicas[holder] = Some(deployment.replica());
    deployment.replicas[holder].as_mut().unwrap().wait_for("standing by", LONG);
    let stopped = Instant::now();
    deployment.replicas[1 - holder].take().unwrap().stop();
    deployment.replicas[holder].as_mut().unwrap().wait_for("this replica holds the fleet", SLACK);
    assert!(stopped.elapsed() < SLACK, "it is given back, and not waited for: {:?}", stopped.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_are_killed_and_stopped_make_each_thing_once() {
    let runs: u64 = std::env::var("BURSAR_REPLICA_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(1);
    let first: u64 = std::env::var("BURSAR_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    for seed in first..first + runs {
        for keys in [true, false] {
            chaos(seed, keys).await;
        }
    }
}

/// Replicas are killed and stopped past their lease by seed. With keys a third of all answers
/// is lost besides; without, what is in flight is left to the kills.
async fn chaos(seed: u64, keys: bool) {
    let Some(database) = Database::new().await else { return };
    let mut rng = Rng::with_seed(seed);
    let without = if keys { [].into() } else { [Extension::IdempotencyKeys].into() };
    let world = world(Options { users: people(), without, ..unlimited() }).await;
    if keys {
        let wish = json!({"rate": 0.3, "kinds": ["lose_answer", "lose_request", "error_500"], "seed": seed});
        world.http.put(format!("{}/sandbox/faults", world.sandbox.url())).json(&wish).send().await.unwrap();
    }
    let replicas = rng.usize(2..=3);
    let mut deployment = Deployment::start(&world, &database, "1s", replicas);
    let (mut kills, mut stops) = (0, 0);
    let begun = Instant::now();
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(rng.u64(50..700))).await;
        let which = rng.usize(0..replicas);
        if rng.bool() {
            deployment.replace(which);
            kills += 1;
        } else {
            // Past its lease, so that another takes over while this one still has a permit.
            let stopped = deployment.replicas[which].as_ref().unwrap();
            stopped.signal("-STOP");
            tokio::time::sleep(Duration::from_millis(rng.u64(1200..2500))).await;
            stopped.signal("-CONT");
            stops += 1;
        }
    }
    world.http.put(format!("{}/sandbox/faults", world.sandbox.url())).json(&json!({"rate": 0.0})).send().await.unwrap();
    converged_once(&world, &format!("seed {seed}, keys {keys}, {replicas} replicas")).await;
    let seconds = begun.elapsed().as_secs();
    say(&format!(
        "seed {seed}, keys {keys}: {replicas} replicas, {kills} kills, {stops} stops, each thing once after {seconds} s"
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_fleets_are_shared_out_and_each_goes_on_when_a_replica_dies() {
    let Some(database) = Database::new().await else { return };
    let worlds = [world(Options { users: people(), ..unlimited() }).await, world(unlimited()).await];
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "sandbox").unwrap();
    std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let fleet = |name: &str, world: &World| {
        format!(
            "  - name: {name}\n    paths: [{}]\n    apiUrl: {}\n    tokenFile: {}\n    interval: 1s\n    settle: 2s\n",
            world.path().display(),
            world.sandbox.api_url(),
            token.display()
        )
    };
    let config = format!("fleets:\n{}{}", fleet("north", &worlds[0]), fleet("south", &worlds[1]));
    std::fs::write(folder.path().join("fleets.yaml"), config).unwrap();
    let start = || {
        let mut command = crate::support::bursar(&["run", "--config", "fleets.yaml", "--lease", "2s"]);
        command.args(["--journal", &database.url()]).current_dir(folder.path());
        Running::start(command)
    };
    let mut replicas = [start(), start()];
    let holds = |replica: &Running, fleet: &str| {
        let log = replica.log();
        let count = |what: &str| log.lines().filter(|line| line.contains(what) && line.contains(fleet)).count();
        count("this replica holds the fleet") > count("given up")
    };
    eventually("each replica holds one fleet", LONG, || async {
        ["north", "south"].iter().all(|fleet| replicas.iter().filter(|r| holds(r, fleet)).count() == 1)
            && replicas.iter().all(|r| holds(r, "north") != holds(r, "south"))
    })
    .await;
    let [first, second] = &mut replicas;
    let other = if holds(first, "north") { "south" } else { "north" };
    first.signal("-KILL");
    second.wait_for(&format!("fleet={}", if other == "north" { "south" } else { "north" }), LONG);
    eventually("the other takes it over", LONG, || async { holds(second, "north") && holds(second, "south") }).await;
    for world in &worlds {
        world.client("late", &[]);
    }
    eventually("both fleets go on", LONG, || async {
        let mut made = Vec::new();
        for world in &worlds {
            made.push(world.ledger().await.count("accounts_created"));
        }
        made == [CLIENTS as u64 + 1; 2]
    })
    .await;
}
