//! The real binary with its journal in a file, killed with `kill -9` at any time and at each
//! named point, started again, and again: each thing happens once, by the sandbox's ledger.
//!
//! `BURSAR_KILLS=1000 cargo test --test it kills -- --nocapture` makes a long run of it,
//! `BURSAR_SEED=7` another one.

mod ordeal;
mod victim;

use std::time::{Duration, Instant};

use bursar::journal::{FactKind, State};
use futures::StreamExt as _;

use ordeal::{Ordeal, Plot, Tally};
use victim::{Call, Death, Ended, Moment};

/// Every way in which the sandbox can fail.
const EVERY_FAULT: &[&str] =
    &["refuse", "lose_request", "lose_answer", "error_500", "html_502", "quota_429", "slow", "truncate"];
/// Those that leave no doubt of a create for long.
const QUICK_FAULTS: &[&str] = &["refuse", "lose_answer", "quota_429", "slow", "truncate"];
/// Worlds at once.
const AT_ONCE: usize = 8;

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

/// The worlds among which so many kills are shared out: with keys and without, people added
/// and invited, kills at points and at times.
fn plots(kills: u64, seed: u64) -> Vec<Plot> {
    let long = kills > 100;
    let each = if long { 50 } else { kills.div_ceil(6) };
    let mut plots = Vec::new();
    let mut left = kills;
    while left > 0 {
        let number = plots.len() as u64;
        let (keys, invite) = (number.is_multiple_of(2), number / 4 % 2 == 1);
        let faults = match number % 3 {
            1 => &[],
            _ if keys || long => EVERY_FAULT,
            _ => QUICK_FAULTS,
        };
        let points = number % 3 != 2;
        let lag = number % 4 >= 2;
        plots.push(Plot {
            seed: seed + number,
            kills: each.min(left),
            keys,
            invite,
            points,
            lag,
            faults,
            patient: long,
        });
        left = left.saturating_sub(each);
    }
    plots
}

fn calm(seed: u64, keys: bool, points: bool) -> Plot {
    Plot { seed, kills: 0, keys, invite: false, points, lag: false, faults: &[], patient: true }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_thing_happens_once_however_often_the_daemon_is_killed() {
    let (kills, seed) = (number_of("BURSAR_KILLS").unwrap_or(40), number_of("BURSAR_SEED").unwrap_or(1));
    let begun = Instant::now();
    let mut total = Tally::default();
    let mut running = futures::stream::iter(plots(kills, seed))
        .map(|plot| async move { tokio::spawn(async move { Ordeal::begin(plot).await.run().await }).await.unwrap() })
        .buffer_unordered(AT_ONCE);
    while let Some(tally) = running.next().await {
        total.add(tally);
        if kills > 100 {
            println!("{} kills after {:.0} s", total.kills, begun.elapsed().as_secs_f64());
        }
    }
    let minutes = begun.elapsed().as_secs_f64() / 60.0;
    println!("{:.0} kills a minute; {total:#?}", total.kills as f64 / minutes);
    assert!(total.problems.is_empty(), "{}", total.problems.join("\n\n"));
    assert_eq!(total.kills, kills);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_each_point_of_each_write_a_kill_is_made_good() {
    let cases = [true, false].into_iter().flat_map(|keys| {
        let points = Call::WRITES.into_iter().flat_map(|call| Moment::EACH.into_iter().map(move |at| (call, at)));
        // Without keys, a create that never arrived is asked about after 20 s: the long run has it.
        points
            .filter(move |point| keys || *point != (Call::CreateAccount, Moment::Sent))
            .map(move |(c, m)| (keys, c, m))
    });
    let mut running = futures::stream::iter(cases)
        .map(|(keys, call, moment)| async move {
            let mut ordeal = Ordeal::begin(calm(1, keys, true)).await;
            ordeal.client(&["jane@acme.example", "joe@beta.example"]);
            // Each person is refused once, for there is no seat yet.
            let nth = if call == Call::AddMember { 2 } else { 0 };
            let ended = ordeal.live(Death::At(call, nth, moment, Duration::from_secs(20))).await;
            ordeal.finish().await;
            assert_eq!(ended, Ended::At(call, moment, moment != Moment::Sent));
            assert_eq!(ordeal.tally.problems, Vec::<String>::new());
            assert_eq!(ordeal.tally.asked_of_unmade, 0, "nobody is asked: {call:?} {moment:?}");
        })
        .buffer_unordered(3);
    while running.next().await.is_some() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_carried_out_and_shows_is_bound_by_itself() {
    let mut ordeal = Ordeal::begin(calm(2, false, true)).await;
    for _ in 0..6 {
        ordeal.client(&["jane@acme.example"]);
        let ended = ordeal.live(Death::At(Call::CreateAccount, 0, Moment::CarriedOut, Duration::from_secs(20))).await;
        assert_eq!(ended, Ended::At(Call::CreateAccount, Moment::CarriedOut, true));
    }
    ordeal.finish().await;
    assert_eq!(ordeal.tally.problems, Vec::<String>::new());
    assert_eq!((ordeal.tally.asked_of_made, ordeal.tally.asked_of_unmade), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_sent_goes_on_by_itself() {
    let mut ordeal = Ordeal::begin(calm(3, false, true)).await;
    for _ in 0..5 {
        ordeal.client(&["jane@acme.example"]);
    }
    // The second list is asked for when the rows exist (rule R3).
    ordeal.live(Death::At(Call::List, 1, Moment::Sent, Duration::from_secs(20))).await;
    let rows = ordeal.rows().await;
    let states: Vec<_> = rows.iter().map(|row| (row.state, row.sends)).collect();
    assert_eq!(states, [(State::Prepared, 0); 5]);
    ordeal.finish().await;
    assert_eq!(ordeal.tally.problems, Vec::<String>::new());
    assert_eq!((ordeal.tally.asked_of_made, ordeal.tally.asked_of_unmade), (0, 0));
}

/// Else a process that dies every few seconds asks the same of the service for ever.
#[tokio::test(flavor = "multi_thread")]
async fn that_somebody_is_a_user_is_remembered_at_once() {
    let mut ordeal = Ordeal::begin(calm(5, true, true)).await;
    ordeal.client(&["jane@acme.example", "joe@beta.example"]);
    ordeal.live(Death::At(Call::AddMember, 1, Moment::Sent, Duration::from_secs(20))).await;
    assert_eq!(ordeal.facts(FactKind::Registered).await, ["jane@acme.example"]);
    ordeal.finish().await;
    assert_eq!(ordeal.tally.problems, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_faults_asks_nobody_and_sends_what_was_permitted() {
    let mut ordeal = Ordeal::begin(calm(4, false, false)).await;
    for _ in 0..30 {
        ordeal.client(&["jane@acme.example", "pat@agency.example"]);
    }
    ordeal.finish().await;
    assert_eq!(ordeal.tally.problems, Vec::<String>::new());
    assert_eq!((ordeal.tally.asked_of_made, ordeal.tally.asked_of_unmade), (0, 0));
    let permits: u64 = ordeal.rows().await.iter().map(|row| u64::from(row.sends)).sum();
    assert_eq!(ordeal.world.ledger().await.writes(), permits);
}
