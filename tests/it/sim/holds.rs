//! Second thoughts in simulated worlds: people edit and revert at random, processes come and
//! go, and nothing that was held is sent before its time.

use std::collections::BTreeMap;
use std::time::Duration;

use bursar::domain::{Access, Clock as _};
use bursar::journal::{EntryKind, Journal as _, Query};
use bursar::manifest::Client;
use bursar::plan::{ActionState, OpKind, Reason};
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};

use super::judge::judged;
use super::life::Life;
use super::on_every_core;
use super::universe::{Process, Script, Terms, Universe, on_paused_time};

const HOLD: Duration = Duration::from_secs(600);

/// Since which pass each person has been wanted, or not, in each client without a break.
type Wishes = BTreeMap<(String, String), (bool, Timestamp)>;

fn note_wishes(wishes: &mut Wishes, everybody: &[Client], wanted: &[Client], now: Timestamp) {
    for all in everybody {
        let client = wanted.iter().find(|client| client.name == all.name);
        for member in &all.members {
            let is = client.is_some_and(|client| client.members.iter().any(|one| one.email == member.email));
            let key = (all.name.to_string(), member.email.key().to_owned());
            let wish = wishes.entry(key).or_insert((is, now));
            if wish.0 != is {
                *wish = (is, now);
            }
        }
    }
}

fn edit(rng: &mut Rng, everybody: &[Client], wanted: &mut [Client]) {
    let (i, all) = (rng.usize(0..wanted.len()), everybody);
    let member = all[i].members[rng.usize(0..all[i].members.len())].clone();
    let members = &mut wanted[i].members;
    match members.iter().position(|one| one.email == member.email) {
        Some(place) => {
            members.remove(place);
        }
        None => members.push(member),
    }
}

/// How many requests were held to their time, and how many were dropped by a revert.
fn edits(seed: u64) -> (usize, usize) {
    on_paused_time(async {
        let script = Script::calm(Terms { hold: HOLD, ..Terms::default() });
        let mut universe = Universe::new(seed, &script).await;
        let mut rng = Rng::with_seed(seed);
        let everybody = universe.wanted.clients.clone();
        let mut wishes = Wishes::new();
        let mut process = Process::start(&mut universe, &Life::new(None));
        let (mut seen, mut held_to_time, mut reverts) = (0, 0, 0);
        for step in 0..80 {
            let edited = step < 50 && rng.u8(0..5) == 0;
            if edited {
                edit(&mut rng, &everybody, &mut universe.wanted.clients);
                reverts += 1;
            }
            if step < 50 && rng.u8(0..8) == 0 {
                // Nothing of what a process has in mind is left.
                process = Process::start(&mut universe, &Life::new(None));
            }
            note_wishes(&mut wishes, &everybody, &universe.wanted.clients, universe.time.now());
            let wanted = universe.wanted.clone();
            let report = process.pass(&wanted).await.unwrap();
            let query = Query { kinds: vec![EntryKind::Sent], after: Some(seen), ..Query::default() };
            for recorded in universe.disk().journal.history(&query).await.unwrap() {
                seen = seen.max(recorded.seq);
                let entry = recorded.entry;
                if !matches!(entry.op, Some(OpKind::AddMember | OpKind::RemoveMember)) {
                    continue;
                }
                let key = (entry.client.unwrap().to_string(), entry.person.unwrap().key().to_owned());
                let (is, since) = wishes[&key];
                assert_eq!(is, entry.op == Some(OpKind::AddMember), "seed {seed}: {key:?} is not wished");
                let passed = entry.at.duration_since(since);
                assert!(passed >= SignedDuration::try_from(HOLD).unwrap(), "seed {seed}: {key:?} after {passed}");
                held_to_time += 1;
            }
            let held = report.plan.accounts.iter().flat_map(|account| &account.actions);
            let held = held.filter(|action| action.reason == Some(Reason::Held)).count();
            let due = process.reconciler.memory().next_due();
            assert!(held == 0 || due.is_some(), "seed {seed}: what is held has its time");
            match due {
                Some(due) if step >= 50 || rng.bool() => tokio::time::sleep_until(due).await,
                _ => tokio::time::sleep(Duration::from_secs(rng.u64(1..500))).await,
            }
            let now = tokio::time::Instant::now();
            process.reconciler.memory().take_due(now);
        }
        let wanted = universe.wanted.clone();
        let last = process.pass(&wanted).await.unwrap();
        let open = last.plan.accounts.iter().flat_map(|account| &account.actions);
        let open: Vec<_> = open.filter(|action| action.state != ActionState::Applied).collect();
        // What a person undid by an edit and its revert is asked about, and nothing is held.
        assert!(open.iter().all(|action| action.reason != Some(Reason::Held)), "seed {seed}: {open:#?}");
        (held_to_time, reverts)
    })
}

#[test]
fn nothing_held_is_sent_before_its_time_whatever_is_edited_reverted_and_restarted() {
    let stories = on_every_core(20, edits);
    let (held, reverts): (usize, usize) = stories.into_iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert!(held > 100 && reverts > 100, "{held} requests, {reverts} edits: too few to tell");
}

/// Limited access is committed; five seconds before its time is over it is edited to full.
#[test]
fn what_is_edited_while_it_is_held_goes_ahead_only_after_a_time_of_its_own() {
    on_paused_time(async {
        let script = Script::calm(Terms { hold: HOLD, ..Terms::default() });
        let mut universe = Universe::new(1, &script).await;
        let mut process = Process::start(&mut universe, &Life::new(None));
        universe.wanted.clients.truncate(1);
        let everybody = universe.wanted.clients[0].members.clone();
        let newcomer = everybody.len() - 1;
        universe.wanted.clients[0].members.truncate(newcomer);
        // All that is there first goes ahead.
        for _ in 0..4 {
            process.pass(&universe.wanted).await.unwrap();
            tokio::time::sleep(HOLD).await;
        }
        universe.wanted.clients[0].members = everybody;
        universe.wanted.clients[0].members[newcomer].access = Access::Limited;
        process.pass(&universe.wanted).await.unwrap();
        tokio::time::sleep(HOLD - Duration::from_secs(5)).await;
        universe.wanted.clients[0].members[newcomer].access = Access::Full;
        let edited = universe.time.now();
        let person = universe.wanted.clients[0].members[newcomer].email.clone();
        let sent = loop {
            process.pass(&universe.wanted).await.unwrap();
            let query = Query { kinds: vec![EntryKind::Sent], ..Query::default() };
            let entries = universe.disk().journal.history(&query).await.unwrap();
            let adds = |entry: &bursar::journal::Entry| {
                entry.op == Some(OpKind::AddMember) && entry.person == Some(person.clone())
            };
            if let Some(sent) = entries.into_iter().map(|recorded| recorded.entry).find(adds) {
                break sent.at;
            }
            assert!(universe.time.now().duration_since(edited) < SignedDuration::from_hours(1), "it never goes ahead");
            tokio::time::sleep(Duration::from_secs(5)).await;
        };
        let held = sent.duration_since(edited);
        assert!(held >= SignedDuration::try_from(HOLD).unwrap(), "{held}");
    });
}

/// With trouble of every kind each thing still happens once, and in the end it has happened.
#[test]
fn with_a_hold_each_thing_happens_once_all_the_same() {
    on_every_core(20, |seed| {
        let mut script = Script::random(seed, bursar::sandbox::Dialect::Dnsimple, seed % 2 == 0);
        script.terms.hold = Duration::from_secs(60);
        judged(seed, &script);
    });
}
