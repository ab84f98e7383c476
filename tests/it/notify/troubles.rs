//! Telling once: what a plan shows, when it begins, when it is over, and again after an hour.

use std::collections::BTreeMap;

use bursar::controller::{Ledger, Trouble, troubles};
use bursar::domain::ClientName;
use bursar::notify::note_text;
use bursar::plan::{OpKind, Reason, VerdictState};
use jiff::{SignedDuration, Timestamp};

use crate::plan::world::{World, client};

const JANE: &str = "jane@acme.example";

fn at(minutes: i64) -> Timestamp {
    "2026-11-25T10:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minutes)
}

fn of(world: &World, tries: u32) -> Vec<Trouble> {
    troubles(&world.plan(), &BTreeMap::new(), world.known.frozen.as_deref(), |_| tries)
}

fn told(ledger: &mut Ledger, minutes: i64, now: Vec<Trouble>) -> Vec<String> {
    ledger.update(at(minutes), now, |_| true).notes.iter().map(note_text).collect()
}

fn unpaid() -> World {
    World::empty(vec![client("acme", &[JANE])]).with(|w| {
        w.tried("acme", OpKind::Subscribe, None, VerdictState::Blocked, Some(Reason::PaymentRequired));
    })
}

#[test]
fn a_trouble_is_told_when_it_begins_and_when_it_is_over_and_waiting_is_none() {
    let mut ledger = Ledger::default();
    let waits = World::in_agreement(vec![client("acme", &[JANE])]).with(|w| {
        w.members(0).truncate(1);
        w.tried("acme", OpKind::AddMember, Some(JANE), VerdictState::Waiting, Some(Reason::AwaitingSignup));
    });
    assert!(told(&mut ledger, 0, of(&waits, 0)).is_empty());
    let begins = told(&mut ledger, 1, of(&unpaid(), 0));
    insta::assert_snapshot!(begins.join("\n\n"), @"
    Act: acme: blocked: subscribe to teams-v2-monthly with 1 seat: the server said so (PaymentRequired)
    Next: bursar explain acme
    ");
    assert!(told(&mut ledger, 2, of(&unpaid(), 0)).is_empty(), "once");
    let over = told(&mut ledger, 3, of(&waits, 0));
    insta::assert_snapshot!(over.join("\n\n"), @"OK: acme: over: blocked (PaymentRequired): subscribe to teams-v2-monthly with 1 seat");
    assert!(told(&mut ledger, 4, of(&waits, 0)).is_empty(), "once");
}

#[test]
fn a_failure_is_told_after_the_third_try_and_none_that_ended_before() {
    let failing = World::empty(vec![client("acme", &[])])
        .with(|w| w.tried("acme", OpKind::Subscribe, None, VerdictState::Failed, None));
    let mut ledger = Ledger::default();
    assert!(told(&mut ledger, 0, of(&failing, 1)).is_empty());
    assert!(told(&mut ledger, 1, of(&World::in_agreement(vec![client("acme", &[])]), 0)).is_empty());
    assert!(told(&mut ledger, 2, of(&failing, 2)).is_empty());
    insta::assert_snapshot!(told(&mut ledger, 3, of(&failing, 3)).join(""), @"
    Trouble: acme: failing: subscribe to teams-v2-monthly with 1 seat: the server said so
    Next: bursar explain acme
    ");
}

#[test]
fn what_comes_and_goes_is_told_once_an_hour_with_a_count() {
    let calm = World::in_agreement(vec![client("acme", &[])]);
    let mut ledger = Ledger::default();
    let mut all = Vec::new();
    for minute in 0..120 {
        let world = if minute % 10 < 5 { unpaid() } else { calm.clone() };
        for text in told(&mut ledger, minute, of(&world, 0)) {
            all.push(format!("{minute}: {}", text.lines().next().unwrap()));
        }
    }
    insta::assert_snapshot!(all.join("\n"), @"
    0: Act: acme: blocked: subscribe to teams-v2-monthly with 1 seat: the server said so (PaymentRequired)
    5: OK: acme: over: blocked (PaymentRequired): subscribe to teams-v2-monthly with 1 seat
    60: Act: acme: blocked: subscribe to teams-v2-monthly with 1 seat: the server said so (PaymentRequired) (it came and went 6 times since it was last told)
    65: OK: acme: over: blocked (PaymentRequired): subscribe to teams-v2-monthly with 1 seat
    ");
}

#[test]
fn a_restart_tells_nothing_again_and_still_tells_the_end() {
    let mut first = Ledger::default();
    let told_first = first.update(at(0), of(&unpaid(), 0), |_| true);
    assert_eq!(told_first.notes.len(), 1);
    let facts = told_first.changed.into_iter().map(|(key, value)| (key, value.unwrap())).collect();
    let mut second = Ledger::default();
    second.recall(facts);
    assert!(told(&mut second, 10, of(&unpaid(), 0)).is_empty());
    assert_eq!(
        told(&mut second, 11, Vec::new()),
        ["OK: acme: over: blocked (PaymentRequired): subscribe to teams-v2-monthly with 1 seat"]
    );
    // Remembered until it could be told again, and then forgotten.
    let late = second.update(at(90), Vec::new(), |_| true);
    assert_eq!(late.changed.len(), 1);
    assert_eq!(late.changed[0].1, None);
}

#[test]
fn the_same_news_of_many_clients_is_one_note() {
    let names: Vec<String> = (0..8).map(|n| format!("client-{n}")).collect();
    let world = World::empty(names.iter().map(|name| client(name, &[])).collect()).with(|w| {
        for name in &names {
            w.tried(name, OpKind::Subscribe, None, VerdictState::Blocked, Some(Reason::PaymentRequired));
        }
    });
    let mut ledger = Ledger::default();
    insta::assert_snapshot!(told(&mut ledger, 0, of(&world, 0)).join("\n\n"), @"
    Act: 8 clients (client-0, client-1, client-2, client-3, client-4 and 3 more): of the first: blocked: subscribe to teams-v2-monthly with 1 seat: the server said so (PaymentRequired)
    Next: bursar plan, or bursar explain CLIENT
    ");
}

#[test]
fn what_is_the_fleets_is_told_for_the_fleet_and_not_for_each_client() {
    let frozen = World::empty(vec![client("acme", &[]), client("beta", &[])])
        .with(|w| w.known.frozen = Some("card stolen".to_owned()));
    let mut ledger = Ledger::default();
    insta::assert_snapshot!(told(&mut ledger, 0, of(&frozen, 0)).join("\n\n"), @"
    Act: all writes are stopped: card stolen
    Next: bursar unfreeze
    ");
    let railed = World::empty(vec![client("acme", &[]), client("beta", &[])]).with(|w| w.policy.max_creates = Some(1));
    let digest = railed.plan().digest;
    let told = told(&mut ledger, 1, of(&railed, 0)).join("\n\n").replace(&digest, "DIGEST");
    insta::assert_snapshot!(told, @"
    Act: --max-creates 1: 2 accounts would be created, and none of them is; look why, then let this plan pass by its digest (--approve), or set --max-creates 2
    Next: look why; to let it pass: bursar approve DIGEST

    OK: over: all writes are stopped
    ");
}

#[test]
fn a_manifest_that_does_not_hold_and_sources_that_cannot_be_read_are_told() {
    let world = World::in_agreement(vec![client("acme", &[])]);
    let kept = BTreeMap::from([(ClientName::parse("acme").unwrap(), "unknown field `mail`".to_owned())]);
    let mut all = troubles(&world.plan(), &kept, None, |_| 0);
    all.push(Trouble::source("clients: no such folder", 3));
    all.push(Trouble::api("the account API could not be read: 502", 2));
    let mut ledger = Ledger::default();
    insta::assert_snapshot!(told(&mut ledger, 0, all).join("\n\n"), @"
    Act: acme (account 1): its manifest does not hold (unknown field `mail`); the last good version stays in force
    Next: correct clients/acme.yaml:1: bursar validate

    Trouble: clients: no such folder; every client's last good version stays in force
    Next: look at the folder or the repository; nothing is changed meanwhile
    ");
}
