//! The protocol, searched through: everything that two replicas, a server that answers late
//! or not at all, crashes, lost messages and a lagging list can do with the real transition
//! function; and what simpler protocols do in the same world. docs/reliability.md has the
//! figures that this prints with `--nocapture`.
#![allow(clippy::print_stdout, reason = "the figures and traces are for people who ask for them")]

mod moves;
mod row;
mod search;
mod trace;
mod world;

use moves::{Kind, Model, Person};
use row::Protocol;
use search::{Found, search};
use world::Left;

/// Nothing happens twice, and nothing is stuck; and so many worlds were seen that it means
/// something.
fn holds(name: &str, at_least: usize, model: &Model) -> Found {
    let found = search(model);
    let Found { states, moves, settled, took, .. } = &found;
    println!("{name}: {states} states, {moves} moves, {settled} settled, {:.1} s", took.as_secs_f32());
    assert_eq!(shown(found.twice.as_ref()), "", "{name}: a thing happened twice");
    assert_eq!(shown(found.stuck.as_ref()), "", "{name}: no way out");
    assert!(*states >= at_least, "{name}: only {states} states");
    assert!(*settled > 0, "{name}: nothing is ever settled");
    found
}

/// A simpler protocol makes something happen twice; the shortest way to it.
fn breaks(name: &str, model: &Model) -> String {
    let found = search(model);
    let trace = shown(found.twice.as_ref());
    println!("{name}: twice after {} states\n{trace}", found.states);
    trace
}

fn shown(trace: Option<&Vec<String>>) -> String {
    let lines = trace.into_iter().flatten().zip(1..).map(|(line, number)| format!("{number:2}. {line}\n"));
    lines.collect()
}

#[test]
fn an_account_is_made_once_without_keys() {
    let left = Left { crashes: 2, losses: 2, refusals: 1, ..Left::default() };
    holds("create without keys", 10_000, &Model { left, ..Model::of(&[Kind::Create]) });
}

#[test]
fn an_account_is_made_once_with_keys() {
    holds("create with keys", 200_000, &Model::of(&[Kind::CreateUnderKey]));
}

#[test]
fn an_account_is_made_once_with_keys_and_a_refusal() {
    let left = Left { crashes: 1, losses: 1, refusals: 1, ..Left::default() };
    holds("create with keys and a refusal", 100_000, &Model { left, ..Model::of(&[Kind::CreateUnderKey]) });
}

#[test]
fn a_person_is_mailed_once_and_a_subscription_charged_once() {
    let left = Left { crashes: 2, losses: 2, refusals: 1, ..Left::default() };
    for (name, kind) in [("member", Kind::Member), ("subscription", Kind::Subscription)] {
        holds(name, 20_000, &Model { left, ..Model::of(&[kind]) });
    }
}

#[test]
fn an_account_and_its_member_are_made_once() {
    holds("create, then a member", 10_000, &Model::of(&[Kind::Create, Kind::Member]));
}

#[test]
fn an_account_is_made_once_though_the_journal_is_destroyed() {
    let left = Left { crashes: 2, losses: 2, journals: 1, ..Left::default() };
    holds("create, the journal destroyed", 10_000, &Model { left, ..Model::of(&[Kind::Create]) });
}

#[test]
fn an_account_is_made_once_by_one_process_at_a_time() {
    let left = Left { crashes: 2, losses: 2, refusals: 1, ..Left::default() };
    let model = Model { left, replicas: 1, is_alone: true, ..Model::of(&[Kind::Create]) };
    holds("create by one process with a lock", 500, &model);
}

#[test]
fn a_client_that_comes_back_keeps_its_account() {
    let left = Left { crashes: 2, losses: 2, releases: 1, ..Left::default() };
    let model = Model { left, is_timely: true, ..Model::of(&[Kind::Create]) };
    holds("create, out of the manifests and back", 10_000, &model);
}

#[test]
fn on_a_server_that_keeps_to_the_settling_time_nobody_is_asked_about_what_shows() {
    let left = Left { crashes: 2, losses: 2, refusals: 1, ..Left::default() };
    let model = Model { left, is_timely: true, ..Model::of(&[Kind::Create]) };
    let found = holds("create, a timely server", 5_000, &model);
    assert_eq!(found.needless_questions, 0);
}

#[test]
fn list_then_create_makes_two_accounts() {
    let left = Left::default();
    let model = Model { left, has_journal: false, ..Model::of(&[Kind::Create]) };
    let trace = breaks("list, then create", &model);
    insta::assert_snapshot!(trace, @r"
    1. A reads everything: it is not there
    2. B reads everything: it is not there
    3. B goes ahead
    4. B sends
    5. A goes ahead
    6. A sends
    7. the server carries out a request
    8. the server carries out a request
    ");
}

#[test]
fn taking_an_error_for_a_failure_makes_two_accounts() {
    let model = Model { error_is_failure: true, ..Model::of(&[Kind::Create]) };
    let trace = breaks("an error means it failed", &model);
    insta::assert_snapshot!(trace, @r"
     1. A reads the journal
     2. A reads everything: it is not there
     3. A writes: prepared
     4. A looks for it: it is not there
     5. A goes ahead
     6. A sends
     7. A waits no longer
     8. A writes: refused
     9. A begins anew
    10. A looks for it: it is not there
    11. A goes ahead
    12. A sends
    13. the server carries out a request
    14. the server carries out a request that nobody waits for
    ");
}

#[test]
fn sending_again_after_a_settling_time_makes_two_accounts() {
    let model = Model { person: Person::Program, ..Model::of(&[Kind::Create]) };
    let trace = breaks("send again after a settling time", &model);
    insta::assert_snapshot!(trace, @r"
     1. A reads the journal
     2. A reads everything: it is not there
     3. A writes: prepared
     4. A looks for it: it is not there
     5. A goes ahead
     6. A sends
     7. A waits no longer
     8. A writes: unknown
     9. time passes
    10. time passes
    11. A looks for it: it is not there
    12. A looks for it: it is not there
    13. A looks for it: it is not there
    14. it does not show after the settling time, so it is taken for not done
    15. A reads the journal
    16. A looks for it: it is not there
    17. A goes ahead
    18. A sends
    19. the server carries out a request
    20. the server carries out a request that nobody waits for
    ");
}

#[test]
fn a_key_that_expires_without_a_guard_makes_two_accounts() {
    let model = Model { protocol: Protocol::with_keys_for_ever(), ..Model::of(&[Kind::CreateUnderKey]) };
    let trace = breaks("a key that expires, without a guard", &model);
    insta::assert_snapshot!(trace, @r"
     1. A reads the journal
     2. A reads everything: it is not there
     3. A writes: prepared
     4. A goes ahead
     5. A sends
     6. A waits no longer
     7. A writes: unknown
     8. the server carries out a request that nobody waits for
     9. time passes
    10. time passes
    11. A goes ahead under the same key
    12. A sends
    13. time passes
    14. time passes
    15. the server carries out a request
    ");
}

#[test]
fn a_journal_that_does_not_compare_makes_two_accounts() {
    let model = Model { compares: false, ..Model::of(&[Kind::Create]) };
    let trace = breaks("a journal without compare-and-set", &model);
    insta::assert_snapshot!(trace, @r"
     1. A reads the journal
     2. A reads everything: it is not there
     3. A writes: prepared
     4. A looks for it: it is not there
     5. B reads the journal
     6. A goes ahead
     7. A sends
     8. B takes the prepared row over
     9. B looks for it: it is not there
    10. B goes ahead
    11. B sends
    12. the server carries out a request
    13. the server carries out a request
    ");
}
