//! Requests, counted by the sandbox's ledger: 2,400 an hour is all there is.

use std::collections::BTreeSet;

use bursar::sandbox::{Extension, Options};

use crate::support::{World, unlimited};

/// `ceil(A/100) + 2`
fn looking(accounts: u64) -> u64 {
    accounts.max(1).div_ceil(100) + 2
}

async fn world_of(clients: usize, members: usize, users: bool, without: &[Extension]) -> World {
    let people: Vec<Vec<String>> =
        (0..clients).map(|c| (0..members).map(|m| format!("p{m}@client{c}.example")).collect()).collect();
    let signed_up = if users { people.concat() } else { Vec::new() };
    let world =
        World::with(Options { users: signed_up, without: BTreeSet::from_iter(without.iter().copied()), ..unlimited() })
            .await;
    for (c, emails) in people.iter().enumerate() {
        world.client(&format!("c{c}"), &emails.iter().map(String::as_str).collect::<Vec<_>>());
    }
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_converge_with_keys_and_include_costs_what_it_must() {
    let (n, m) = (7, 3);
    let world = world_of(n, m, true, &[]).await;
    world.run(&["apply", "--yes"]).await.expect(0);
    // Nobody was known to be a user, so each is tried first without a seat (U = M).
    let bound = looking(0) + (n as u64) * (2 + (m + m) as u64 + 1);
    let ledger = world.ledger().await;
    assert!(ledger.requests() <= bound, "{} > {bound}: {:#}", ledger.requests(), ledger.0);
    assert_eq!(ledger.count("members_added"), (n * m) as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_who_never_signed_up_cost_one_try_each() {
    let (n, m) = (4, 2);
    let world = world_of(n, m, false, &[]).await;
    world.run(&["apply", "--yes"]).await.expect(0);
    let ledger = world.ledger().await;
    assert_eq!(ledger.requests(), looking(0) + (n as u64) * (2 + m as u64), "{:#}", ledger.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_keys_there_is_one_list_more() {
    let world = world_of(3, 0, true, &[Extension::IdempotencyKeys]).await;
    world.run(&["apply", "--yes"]).await.expect(0);
    let ledger = world.ledger().await;
    assert_eq!(ledger.requests(), looking(0) + 1 + 3 * 2, "{:#}", ledger.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_include_each_managed_account_costs_two_more() {
    let world = world_of(3, 1, true, &[Extension::Bulk]).await;
    world.run(&["apply", "--yes"]).await.expect(0);
    let before = world.ledger().await.requests();
    world.run(&["plan"]).await.expect(0);
    assert_eq!(world.ledger().await.requests() - before, looking(3) + 3 * 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_with_nothing_to_do_costs_the_list_and_two() {
    let world = world_of(130, 0, true, &[]).await;
    world
        .run(&[
            "apply",
            "--yes",
            "--max-creates",
            "none",
            "--max-subscriptions",
            "none",
            "--max-monthly-increase",
            "none",
        ])
        .await
        .expect(0);
    for verb in [&["plan"][..], &["apply", "--yes"][..]] {
        let before = world.ledger().await;
        world.run(verb).await.expect(0);
        let after = world.ledger().await;
        assert_eq!(after.requests() - before.requests(), 4, "130 accounts are two pages");
        assert_eq!(after.writes(), before.writes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn validate_and_render_send_nothing_and_plan_nothing_but_get() {
    let world = world_of(2, 2, true, &[]).await;
    world.run(&["validate"]).await.expect(0);
    world.run(&["render", "--origins"]).await.expect(0);
    assert_eq!(world.ledger().await.requests(), 0);
    let faces: [&[&str]; 7] = [
        &[],
        &["-o", "json", "--diff"],
        &["-o", "markdown"],
        &["-o", "github"],
        &["--diff", "--mask-emails"],
        &["--only", "c1"],
        &["--detailed-exitcode", "--strict"],
    ];
    for face in faces {
        let code = if face.contains(&"--detailed-exitcode") { 2 } else { 0 };
        world.run(&[&["plan"][..], face].concat()).await.expect(code);
    }
    let ledger = world.ledger().await;
    assert_eq!((ledger.requests(), ledger.writes()), (3 * faces.len() as u64, 0));
}
