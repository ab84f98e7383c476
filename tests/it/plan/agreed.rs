//! What was agreed to, kept to in every round: the world moves between two looks of one run,
//! and nothing is written that nobody looked at.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bursar::domain::{Access, PlanId};
use bursar::manifest::{Membership, WantedPlan};
use bursar::plan::saved::Agreed;
use bursar::sandbox::{Extension, Options};
use reqwest::Method;
use serde_json::{Value, json};

use super::world::{self, client, member};
use crate::proxy::{self, Fault};
use crate::support::{Done, World, manifest, unlimited};

const FLAGS: &[&str] = &["--allow-removals", "--max-removals", "none"];

/// Acme, exclusive and new, with jane and joe, and beta, which is new, too, on a server without
/// keys: it is looked at once more before something is created, and between the two looks
/// somebody makes acme's account by hand, with x@y.example in it.
async fn moving() -> World {
    let users = ["jane@acme.example", "joe@acme.example", "x@y.example"];
    let without = [Extension::IdempotencyKeys].into();
    let options = Options { users: users.map(str::to_owned).to_vec(), without, ..unlimited() };
    let mut world = World::with(options).await;
    let acme = manifest("acme", &users[..2]).replace("  members:", "  membership: exclusive\n  members:");
    world.write("clients/acme.yaml", &acme);
    world.write("clients/beta.yaml", &manifest("beta", &[]));
    let (http, token, api) = (world.http.clone(), world.sandbox.token().to_owned(), world.sandbox.api_url());
    let lists = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&lists);
    let url = proxy::start(world.sandbox.url(), move |method, path, _| {
        let is_list = *method == Method::GET && path.starts_with("/v2/accounts") && !path[12..].contains('/');
        if is_list && seen.fetch_add(1, Ordering::SeqCst) == 1 {
            let by_hand = by_hand(&http, &api, &token);
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(by_hand));
        }
        Fault::None
    })
    .await;
    world.through(url);
    world.run(&[&["plan", "clients", "--out", "plan.json"], FLAGS].concat()).await.expect(0);
    lists.store(0, Ordering::SeqCst);
    world
}

async fn by_hand(http: &reqwest::Client, api: &str, token: &str) {
    let send = async |method: Method, path: String, body: Value| -> Value {
        let request = http.request(method, format!("{api}{path}")).bearer_auth(token).json(&body);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
        answer.json().await.unwrap()
    };
    let new = json!({"name": "Client acme", "email": "dns+acme@agency.example"});
    let made = send(Method::POST, "/accounts".to_owned(), new).await;
    let id = &made["data"]["id"];
    let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
    let seats = json!({"plan_identifier": "teams-v2-monthly", "seats": 4});
    send(Method::PUT, format!("/{id}/subscription"), seats).await;
    send(Method::POST, format!("/{id}/members"), json!({"email": "x@y.example"})).await;
}

async fn apply(world: &World, args: &[&str], code: i32) -> Done {
    world.run(&[&["apply"], args, FLAGS].concat()).await.expect(code)
}

/// Acme is as the hand left it; beta, of which nothing moved, was made.
async fn is_kept_to(world: &World, done: &Done) {
    let told = format!("{}{}", done.stdout, done.stderr);
    assert!(told.contains("acme: something else turned up meanwhile: remove x@y.example"), "{told}");
    let members = world.members().await;
    assert_eq!(members["Client acme"], ["agency@example.com", "x@y.example"], "{told}");
    assert_eq!(members["Client beta"], ["agency@example.com"]);
    assert_eq!(world.ledger().await.writes(), 3 + 2, "three by hand, and beta with its plan");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_is_kept_to_within_the_first_pass() {
    let world = moving().await;
    let done = apply(&world, &["plan.json", "--yes"], 1).await;
    is_kept_to(&world, &done).await;
}

async fn digest(world: &World, flags: &[&str]) -> String {
    let direct = |args: &[&str]| {
        let mut command = world.command(args);
        command.env("BURSAR_API_URL", world.sandbox.api_url());
        command
    };
    let mut command = direct(&[&["plan", "clients", "-o", "json"], flags].concat());
    let done = tokio::task::spawn_blocking(move || Done::from(command.output().unwrap())).await.unwrap().expect(0);
    done.json()["digest"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_is_kept_to_within_the_first_pass() {
    let world = moving().await;
    let digest = digest(&world, FLAGS).await;
    let done = apply(&world, &["clients", "--digest", &digest, "--wait", "1s"], 1).await;
    is_kept_to(&world, &done).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_yes_alone_whatever_turns_up_is_carried_out() {
    let world = moving().await;
    apply(&world, &["clients", "--yes"], 0).await;
    assert_eq!(world.members().await["Client acme"], ["agency@example.com", "jane@acme.example", "joe@acme.example"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_lifts_no_rail_for_what_turns_up_later() {
    let world = moving().await;
    let flags = ["--allow-removals", "--max-creates", "0", "--max-removals", "0"];
    let digest = digest(&world, &flags).await;
    let done = world.run(&[&["apply", "clients", "--yes", "--approve", &digest], &flags[..]].concat()).await;
    assert_ne!(done.code, 0, "{}", done.stdout);
    let members = world.members().await;
    assert!(members["Client acme"].contains(&"x@y.example".to_owned()), "{}", done.stdout);
    assert!(!members.contains_key("Client beta"), "a plan that is another one passes no rail: {}", done.stdout);
    assert_eq!(world.ledger().await.writes(), 3 + 2, "three by hand, and jane and joe, whom no rail stops");
}

/// Acme with jane, where joe is wanted, too, who may have signed up.
fn joe_comes() -> world::World {
    let mut world = world::World::in_agreement(vec![client("acme", &["jane@acme.example"])]);
    world.wanted.clients[0] = client("acme", &["jane@acme.example", "joe@acme.example"]);
    world
}

type Change = fn(&mut world::World);

#[test]
fn what_is_done_must_be_what_was_agreed_to_and_not_only_of_its_kind() {
    let changes: [(&str, bool, Change); 9] = [
        ("the same", true, |_| {}),
        ("joe is a user: a seat that was counted", true, |w| w.sign_up(&["joe@acme.example"])),
        ("other access", false, |w| w.client(0).members[1].access = Access::Limited),
        ("another person", false, |w| w.client(0).members.push(client("x", &["eve@acme.example"]).members[0].clone())),
        ("a person who takes the seat", false, |w| {
            w.sign_up(&["joe@acme.example"]);
            w.members(0).push(member("x@y.example"));
        }),
        ("dearer seats", false, |w| {
            w.sign_up(&["joe@acme.example"]);
            w.live.offer.plans.iter_mut().for_each(|p| p.seat_price = Some(bursar::domain::Money::cents(3100)));
        }),
        ("another plan", false, |w| w.client(0).plan = WantedPlan::Choice("business".to_owned())),
        ("another plan in force", false, |w| w.subscription(0).plan = PlanId::new("business-monthly")),
        ("somebody to remove", false, |w| {
            w.client(0).membership = Membership::Exclusive;
            w.policy.allow_removals = true;
            w.members(0).push(member("x@y.example"));
        }),
    ];
    let then = joe_comes().plan();
    for (what, is_within, change) in changes {
        let later = joe_comes().with(change).plan();
        let mut agreed = Agreed::to_all(&then);
        assert_eq!(agreed.covers(&later), is_within, "{what}: {:#?}", later.accounts[0].actions);
        assert_eq!(agreed.keep_to(&later).is_empty(), is_within, "{what}");
        assert_eq!(agreed.clients().is_empty(), !is_within, "{what}: who is let go stays so");
    }
}

#[test]
fn one_plan_that_was_agreed_to_is_no_other() {
    let business = |w: &mut world::World| w.client(0).plan = WantedPlan::Choice("business".to_owned());
    let upgrade = joe_comes().with(business).plan();
    let agreed = Agreed::to_all(&upgrade);
    assert!(agreed.covers(&upgrade));
    let solo = joe_comes().with(|w| {
        business(w);
        w.subscription(0).plan = PlanId::new("business-monthly");
        w.client(0).plan = WantedPlan::Choice("teams".to_owned());
    });
    assert!(!agreed.covers(&solo.plan()), "{:#?}", solo.plan().accounts[0].actions);
}
