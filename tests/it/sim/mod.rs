//! The real driver, executor and controller in a simulated world: the sandbox's rules, a
//! network of faults and processes that die, all by one seed, on paused time. The sandbox's
//! ledger is the judge.
//!
//! `BURSAR_SEEDS=10000` makes a long run of it, `BURSAR_SEED=7` tells the story of one seed.

mod embedded;
mod life;
mod network;
mod universe;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bursar::domain::{AccountName, Email};
use bursar::provider::{NewAccount, Read as _, Write as _};

use life::Life;
use network::{Fate, Trouble};
use universe::{CLIENTS, Script, Story, Universe, on_paused_time, story};

/// Each thing once, whatever the seed brought.
fn judged(seed: u64, script: &Script) -> Story {
    let story = story(seed, script);
    let told = || format!("seed {seed}, {script:?}: {}", story.told());
    assert_eq!(story.unrest, None, "it does not end; {}", told());
    let counts = ["accounts_created", "subscriptions_created", "members_added"].map(|what| story.ledger.count(what));
    assert_eq!(counts, [3, 3, 6], "{}", told());
    let mails = story.ledger.0["mails"].as_array().unwrap();
    let written: BTreeSet<_> = mails.iter().map(|mail| (mail["account_id"].as_u64(), mail["to"].as_str())).collect();
    assert_eq!((mails.len(), written.len()), (6, 6), "nobody is written to twice; {}", told());
    story
}

/// Does the same for each number below `count`, on every core.
fn on_every_core<T: Send>(count: u64, work: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let (next, cores) = (AtomicU64::new(0), std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    let some = || {
        let numbers =
            std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)).filter(|number| *number < count));
        numbers.map(&work).collect::<Vec<T>>()
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(some)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

#[test]
fn with_keys_each_thing_happens_once_whatever_the_network_does() {
    if let Some(seed) = number_of("BURSAR_SEED") {
        println!("{}", judged(seed, &Script::random(seed)).told());
        return;
    }
    let (begun, seeds) = (std::time::Instant::now(), number_of("BURSAR_SEEDS").unwrap_or(200));
    let stories = on_every_core(seeds, |seed| judged(seed, &Script::random(seed)));
    let each = |of: fn(&Story) -> f64| stories.iter().map(of).sum::<f64>() / seeds as f64;
    println!(
        "{seeds} seeds in {:.1} s; each {:.0} requests, {:.1} passes, {:.1} lives; a person was asked {} times",
        begun.elapsed().as_secs_f64(),
        each(|story| story.events.len() as f64),
        each(|story| story.passes.into()),
        each(|story| story.lives.into()),
        stories.iter().map(|story| story.asked).sum::<u32>()
    );
    if seeds >= 200 {
        let met: BTreeSet<Fate> = stories.iter().flat_map(|story| &story.events).map(|event| event.fate).collect();
        assert!(Fate::MISFORTUNES.iter().all(|fate| met.contains(fate)), "{met:?}");
    }
}

#[test]
fn a_process_may_die_at_every_point_of_its_input_and_output() {
    let points = judged(1, &Script::calm()).points;
    assert!(points > 40, "{points}");
    let stories = on_every_core(points, |point| judged(point, &Script { deaths: vec![point], ..Script::calm() }));
    assert!(stories.iter().all(|story| story.lives == 2));
}

#[test]
fn each_request_may_go_wrong_in_each_way() {
    let requests = judged(1, &Script::calm()).events.len() as u64;
    let ways = Fate::MISFORTUNES.len() as u64;
    on_every_core(requests * ways, |number| {
        let (request, fate) = ((number / ways) as usize, Fate::MISFORTUNES[(number % ways) as usize]);
        let story = judged(number, &Script { trouble: Trouble::Once(request, fate), ..Script::calm() });
        assert_eq!(story.events[request].fate, fate);
    });
}

#[test]
fn a_seed_repeats_its_story_to_the_millisecond() {
    on_every_core(10, |seed| {
        let (one, other) = (story(seed, &Script::random(seed)), story(seed, &Script::random(seed)));
        assert_eq!(one.events, other.events);
        assert_eq!(one.ledger.0, other.ledger.0);
    });
}

/// The control: what anybody would write first does not come through the same seeds.
#[test]
fn a_loop_that_lists_and_then_creates_makes_accounts_twice() {
    let script = Script { trouble: Trouble::Share(0.3), ..Script::calm() };
    let created = on_every_core(60, |seed| {
        on_paused_time(async {
            let universe = Universe::new(seed, &script).await;
            let reader = universe.driver(&Life::new(None));
            let writer = reader.writer();
            let mut missing = true;
            while missing {
                tokio::time::sleep(Duration::from_secs(5)).await;
                let Ok(listed) = reader.accounts().await else { continue };
                missing = false;
                for (name, _) in CLIENTS {
                    let new = NewAccount {
                        name: AccountName::new(format!("Client {name}")),
                        email: Email::lenient(format!("dns+{name}@agency.example")),
                    };
                    if listed.iter().all(|account| account.name.as_ref() != Some(&new.name)) {
                        missing = true;
                        let _ = writer.create_account(&new, None).await;
                    }
                }
            }
            universe.network.settle().await;
            universe.network.ledger().await.count("accounts_created")
        })
    });
    let twice = created.iter().filter(|created| **created > 3).count();
    assert!(twice >= 5, "the network is too kind to prove anything: {created:?}");
}
