//! `bursar demo`: the promise in sixty seconds, with nothing to install. Two embedded
//! sandboxes lose answers by the same seed; one is kept by the real daemon, which is killed
//! every other second, the other by a plain loop.

mod board;
mod clients;
mod daemon;
mod person;
mod plain;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::sandbox::{self, Extension, Sandbox};

use super::error::{CliError, CliResult};
use super::ui::Ui;
use board::{Board, Score};
use clients::Client;
use daemon::Victim;
use plain::Plain;

#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 when bursar made everything exactly once in the time; 1 otherwise.")]
pub struct Args {
    /// Which answers are lost and when the daemon is killed is drawn from it [default: another one each time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The longest it may take
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// How many clients there are
    #[arg(long, value_name = "N", default_value = "12", value_parser = clap::value_parser!(u64).range(1..=40))]
    clients: u64,
    /// How often the daemon is killed
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = super::duration)]
    kill_every: Duration,
    /// How many of the answers are lost, from 0 to 0.6
    #[arg(long, value_name = "SHARE", default_value = "0.33", value_parser = share)]
    lose: f64,
}

fn share(raw: &str) -> Result<f64, String> {
    raw.parse().ok().filter(|share| (0.0..=0.6).contains(share)).ok_or_else(|| "expected a number from 0 to 0.6".into())
}

/// Between two looks at the worlds.
const LOOK: Duration = Duration::from_millis(200);

/// Runs it.
///
/// # Errors
/// A sandbox, the folder or the daemon cannot be had.
pub async fn run(args: Args, ui: Ui) -> CliResult {
    if args.kill_every < Duration::from_millis(500) {
        return Err(CliError::new("--kill-every is at least 500ms: the daemon must come to do something"));
    }
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let mut chance = fastrand::Rng::with_seed(seed);
    let clients = clients::clients(usize::try_from(args.clients).unwrap_or(usize::MAX), &mut chance);
    let folder = Folder::make(&clients)?;
    let kept = world(&clients, args.lose, seed).await?;
    let other = world(&clients, args.lose, seed).await?;
    let plain = Plain::new(other.api_url(), other.token().to_owned())?;
    ui.say(&opening(&args, seed));

    let mut victim = Victim::new(folder.0.clone(), kept.api_url(), kept.token().to_owned());
    let stage = Stage { args: &args, clients: &clients, kept: &kept, other: &other, plain: &plain };
    let played = tokio::select! {
        played = stage.play(&mut victim, &mut chance, ui) => Some(played?),
        () = super::stop_signal() => None,
    };
    // Before the folder goes.
    drop(victim);
    let Some(score) = played else { return Ok(ExitCode::FAILURE) };
    ui.out(&format!("{}\n{}", score.table(), closing(&args, seed, &score)));
    if !score.is_kept() {
        ui.say(&format!("The daemon's log is {}.", folder.keep().display()));
    }
    kept.stop().await;
    other.stop().await;
    Ok(if score.is_kept() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Everything that plays a part.
struct Stage<'a> {
    args: &'a Args,
    clients: &'a [Client],
    kept: &'a Sandbox,
    other: &'a Sandbox,
    plain: &'a Plain,
}

impl Stage<'_> {
    /// Until both are done and the daemon was killed at rest once more, or the time is up.
    async fn play(&self, victim: &mut Victim, chance: &mut fastrand::Rng, ui: Ui) -> Result<Score, CliError> {
        let Self { args, clients, plain, .. } = self;
        let begun = Instant::now();
        let mut board = Board::new(ui);
        let looping = plain.run(clients);
        tokio::pin!(looping);
        victim.start()?;
        let mut next_kill = begun + jittered(args.kill_every, chance);
        let mut kills_at_rest = None;
        let mut questions = 0;
        loop {
            tokio::select! {
                () = &mut looping, if !plain.is_done() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
            let score = self.score(victim.kills, questions).await;
            board.show(&score, begun.elapsed());
            let rest = if score.is_kept() { Some(kills_at_rest.unwrap_or(victim.kills)) } else { None };
            kills_at_rest = rest;
            let is_over = plain.is_done() && rest.is_some_and(|at| victim.kills > at + 1);
            if is_over || begun.elapsed() >= Duration::from_secs(args.seconds) {
                board.clear();
                return Ok(score);
            }
            if Instant::now() >= next_kill {
                victim.kill()?;
                questions += person::answer(&victim.journal(), self.kept).await;
                victim.start()?;
                next_kill = Instant::now() + jittered(args.kill_every, chance);
            }
        }
    }

    async fn score(&self, kills: u64, questions: u64) -> Score {
        let (kept, plain) = (self.kept.standing().await, self.other.standing().await);
        Score { wanted: clients::wanted(self.clients), kept, plain, kills, questions }
    }
}

/// A fifth more or less.
fn jittered(duration: Duration, chance: &mut fastrand::Rng) -> Duration {
    duration.mul_f64(0.8 + 0.4 * chance.f64())
}

/// A sandbox with everybody signed up, without idempotency keys, that loses answers.
async fn world(clients: &[Client], lose: f64, seed: u64) -> Result<Sandbox, CliError> {
    let options = sandbox::Options {
        users: clients::everybody(clients),
        rate_limit: 0,
        without: [Extension::IdempotencyKeys].into(),
        ..sandbox::Options::default()
    };
    let sandbox = sandbox::start(options).await.map_err(super::sandbox::not_started)?;
    let wish = json!({"rate": lose, "kinds": ["lose_answer"], "seed": seed});
    let http = reqwest::Client::builder().no_proxy().build()?;
    http.put(format!("{}/sandbox/faults", sandbox.url())).json(&wish).send().await?.error_for_status()?;
    Ok(sandbox)
}

fn opening(args: &Args, seed: u64) -> String {
    let Args { seed: _, seconds, clients, kill_every, lose } = args;
    format!(
        "{clients} clients, two account APIs in this process, both without idempotency keys. Of all answers {:.0}% are \
         lost: what was asked for was done, and nobody hears of it.\nbursar run keeps the first; it is killed with -9 \
         about every {:.1} s and started again. A plain loop keeps the second: it lists, creates what is missing, tries \
         again where there was an error, and is never killed.\nAt most {seconds} s; seed {seed}.\n",
        lose * 100.0,
        kill_every.as_secs_f64(),
    )
}

fn closing(args: &Args, seed: u64, score: &Score) -> String {
    let Score { wanted, kept, plain, kills, questions } = score;
    let mut told = Vec::new();
    told.push(if score.is_kept() {
        format!("bursar made each thing once, through {kills} kills and {} lost answers.", kept.faults)
    } else if Score::has_too_much(wanted, kept) {
        "bursar made more than was wanted: this is a bug, please report it with the seed.".to_owned()
    } else {
        "bursar made nothing twice, and was not done when the time was up; give it more --seconds.".to_owned()
    });
    if *questions > 0 {
        told.push(format!(
            "Asked of a person: {questions}. Killed just before a request to create went out, it cannot know whether it \
             did; here the answer comes from a look at the service (bursar resolve)."
        ));
    }
    told.push(if Score::has_too_much(wanted, plain) {
        let much = plain.cents.saturating_sub(wanted.cents) / 100;
        format!("The plain loop made {} accounts too many, for {much} dollars a month.", plain.accounts - plain.names)
    } else {
        "The plain loop was lucky: with this seed no answer to a create was lost that it asked for again.".to_owned()
    });
    told.push(format!(
        "The seed decides which answers are lost and when the daemon is killed; what they hit depends on the machine \
         too.\nAgain: bursar demo --seed {seed}{}",
        others(args)
    ));
    told.join("\n") + "\n"
}

/// The options that are not as they come, to be typed again.
fn others(args: &Args) -> String {
    let Args { seed: _, seconds, clients, kill_every, lose } = args;
    let mut text = String::new();
    for (option, value, usual) in [
        ("seconds", seconds.to_string(), "60"),
        ("clients", clients.to_string(), "12"),
        ("kill-every", format!("{}ms", kill_every.as_millis()), "2000ms"),
        ("lose", lose.to_string(), "0.33"),
    ] {
        if value != usual {
            text += &format!(" --{option} {value}");
        }
    }
    text
}

/// A folder of our own, gone with the demonstration unless it is kept.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn make(clients: &[Client]) -> Result<Self, CliError> {
        let path = std::env::temp_dir().join(format!("bursar-demo-{}", uuid::Uuid::new_v4()));
        let failed = |error| CliError::new(format!("cannot make {}", path.display())).because(&error);
        let manifests = path.join("clients");
        std::fs::create_dir_all(&manifests).map_err(failed)?;
        let folder = Self(path.clone());
        clients::write(clients, &manifests).map_err(failed)?;
        Ok(folder)
    }

    /// Leaves it where it is.
    fn keep(self) -> PathBuf {
        let path = self.0.join(daemon::LOG);
        std::mem::forget(self);
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
