//! A saved plan against a later one: which clients go ahead, and in which words the others
//! are refused.

use std::collections::BTreeSet;

use bursar::domain::{Access, AccountName, Email, Foreign, Money, PlanId};
use bursar::manifest::{Membership, WantedPlan};
use bursar::plan::saved::{Agreed, Comparison, PlanPart, WorldPart, compare};
use bursar::plan::{Plan, Reading};
use proptest::prelude::*;

use super::properties::{disturb, random, shuffled};
use super::world::{World, account, client, email, member};

fn parts(world: &World, names: &BTreeSet<String>) -> (Plan, PlanPart, WorldPart) {
    let plan = world.plan();
    let part = PlanPart::of(&plan, false);
    let seen = WorldPart::of(&plan, &world.wanted, &world.live.offer, names, false);
    (plan, part, seen)
}

fn compared(then: &World, now: &World) -> Comparison {
    let (_, part, _) = parts(then, &BTreeSet::new());
    let names = part.planned().map(|account| account.name().to_owned()).collect();
    let ((_, a, seen_a), (_, b, seen_b)) = (parts(then, &names), parts(now, &names));
    compare((&a, &seen_a), (&b, &seen_b))
}

/// Acme with jane, where joe is wanted, too; beta, for whom nothing is to be done.
fn joe_comes() -> World {
    let mut world = World::in_agreement(vec![client("acme", &["jane@acme.example"]), client("beta", &[])]);
    world.wanted.clients[0] = client("acme", &["jane@acme.example", "joe@acme.example"]);
    world.sign_up(&["joe@acme.example"]);
    world
}

type Change = fn(&mut World);

#[test]
fn each_thing_that_moves_is_told_in_its_own_words() {
    let changes: [(&str, Change); 22] = [
        ("another plan", |w| w.client(0).plan = WantedPlan::Choice("business".to_owned())),
        ("another name", |w| w.client(0).account_name = AccountName::new("Acme\u{1b}[31m Ltd")),
        ("another email", |w| w.client(0).notification_email = email("x@agency.example")),
        ("exclusive", |w| w.client(0).membership = Membership::Exclusive),
        ("less access", |w| w.client(0).members[0].access = Access::Limited),
        ("suspended", |w| w.client(0).suspend = true),
        ("an old name", |w| w.client(0).previous_names = vec![AccountName::new("Old")]),
        ("no manifest", |w| {
            w.wanted.clients.remove(0);
        }),
        ("renamed by hand", |w| w.account(0).account.name = Some(AccountName::new("ACME"))),
        ("email by hand", |w| w.account(0).account.email = Some(Email::lenient("dns+ACME@agency.example.org"))),
        ("a member more", |w| w.members(0).push(member("x@y.example"))),
        ("a member less", |w| {
            w.members(0).retain(|m| m.email != email("jane@acme.example"));
        }),
        ("access by hand", |w| w.members(0)[1].access = Access::Limited),
        ("seats by hand", |w| w.subscription(0).seats = Some(5)),
        ("plan by hand", |w| w.subscription(0).plan = PlanId::new("business-monthly")),
        ("a downgrade", |w| w.subscription(0).pending_plan = Some(PlanId::new("solo-v2-monthly"))),
        ("members unread", |w| w.account(0).members = Reading::Failed(Foreign::new("503"))),
        ("account gone", |w| {
            w.live.accounts.remove(0);
        }),
        ("account twice", |w| {
            let twin = account("77", &w.wanted.clients[0].clone());
            w.live.accounts.push(twin);
        }),
        ("price", |w| w.live.offer.plans.iter_mut().for_each(|p| p.base_price = Some(Money::cents(3100)))),
        ("seat price", |w| w.live.offer.plans.iter_mut().for_each(|p| p.seat_price = Some(Money::cents(3100)))),
        ("a rail", |w| w.policy.max_monthly_increase = Some(Money::cents(1))),
    ];
    let then = joe_comes();
    let mut told = String::new();
    for (what, change) in changes {
        let comparison = compared(&then, &then.clone().with(change));
        assert_eq!(comparison.carried_out, BTreeSet::new(), "{what}");
        let [refused] = &comparison.refused[..] else { panic!("{what}: {comparison:?}") };
        told.push_str(&format!("{what}\n"));
        refused.moved.iter().for_each(|line| told.push_str(&format!("  {}: {line}\n", refused.name)));
    }
    insta::assert_snapshot!(told, @r#"
    another plan
      acme: the manifest asks for plan business, the saved plan for teams
    another name
      acme: the manifest asks for the name Acme\u{1b}[31m Ltd, the saved plan for Acme
      acme: no account goes by it any more, and 1 did
    another email
      acme: the manifest asks for the notification email x@agency.example, the saved plan for dns+acme@agency.example
      acme: this is blocked (AdoptionNeeded) now: account 1 bears the name, but may be somebody else's: its notification email is dns+acme@agency.example, neither the manifest's nor a previous one. If it is this client's, write accountId: "1" in the … (43 more characters)
    exclusive
      acme: the manifest asks for membership exclusive, the saved plan for additive
    less access
      acme: jane@acme.example is listed with limited access, was with full access
    suspended
      acme: the manifest suspends it
    an old name
      acme: the manifest is another: what it says of names and emails of before
    no manifest
      acme: no manifest that is read asks for it any more
    renamed by hand
      acme: the account's name is ACME, was Acme
    email by hand
      acme: the notification email is dns+ACME@agency.example.org, was dns+acme@agency.example
      acme: this is blocked (AdoptionNeeded) now: account 1 bears the name, but may be somebody else's: its notification email is dns+ACME@agency.example.org, neither the manifest's nor a previous one. If it is this client's, write accountId: "1" in … (47 more characters)
    a member more
      acme: x@y.example was added as a member since
    a member less
      acme: jane@acme.example is no member any more
    access by hand
      acme: jane@acme.example is a member with limited access, was with full access
    seats by hand
      acme: the number of seats is 5, was 2
    plan by hand
      acme: the plan is business-monthly, was teams-v2-monthly
    a downgrade
      acme: the plan from the renewal on is solo-v2-monthly, was none
    members unread
      acme: its members cannot be read
    account gone
      acme: no account goes by it any more, and 1 did
    account twice
      acme: no account goes by it any more, and 1 did
      acme: this is blocked (AmbiguousAccount) now: accounts 1 and 77 bear the name; write the id of the right one, as in accountId: "1"
    price
      acme: the price of teams-v2-monthly is 31.00 a month, was 29.00
    seat price
      acme: the price of a seat of teams-v2-monthly is 31.00 a month, was 29.00
    a rail
      acme: a rail stops this now: the list price would rise by 29.00 a month, over --max-monthly-increase 0.01
    "#);
}

#[test]
fn who_comes_and_goes_by_the_thousand_is_told_in_a_dozen_lines() {
    let now = joe_comes().with(|w| {
        w.members(0).extend((0..1000).map(|n| member(&format!("p{n:04}@acme.example"))));
    });
    let comparison = compared(&joe_comes(), &now);
    assert_eq!(comparison.refused[0].moved.len(), 13);
    assert!(comparison.refused[0].moved[12].ends_with(" more"), "{:?}", comparison.refused[0].moved);
}

#[test]
fn what_somebody_else_has_done_is_done_and_what_nobody_did_is_not() {
    let then = joe_comes();
    let done = then.clone().with(|w| {
        w.members(0).push(member("joe@acme.example"));
        w.subscription(0).seats = Some(3);
    });
    assert_eq!(compared(&then, &done).done_already, BTreeSet::from(["acme".to_owned()]));

    // Joe has not signed up: that he is still to be added proves nothing.
    let mut waiting = joe_comes();
    waiting.known.registered.clear();
    let drifted = waiting.clone().with(|w| w.members(0).push(member("x@y.example")));
    let comparison = compared(&waiting, &drifted);
    assert_eq!(comparison.done_already, BTreeSet::new());
    assert!(comparison.refused[0].moved.contains(&"x@y.example was added as a member since".to_owned()));
}

#[test]
fn a_plan_that_a_person_let_pass_goes_ahead_as_it_was_saved() {
    let then = joe_comes().with(|w| w.policy.max_monthly_increase = Some(Money::cents(1)));
    assert_eq!(PlanPart::of(&then.plan(), false).planned().count(), 0, "the rail stops it");
    let free = joe_comes();
    let laxer = compared(&then, &free);
    assert_eq!((laxer.carried_out.len(), laxer.untouched.len()), (0, 1), "another rail is no word on this plan");
    // As the reconciler has it: what is lifted keeps the digest that was let pass.
    let lifted = Plan { digest: then.plan().digest, ..free.plan() };
    let (a, b) = (PlanPart::of(&then.plan(), false), PlanPart::of(&lifted, false));
    let nothing = WorldPart::default();
    assert_eq!(compare((&a, &nothing), (&b, &nothing)).carried_out, BTreeSet::from(["acme".to_owned()]));
}

#[test]
fn a_later_look_does_nothing_that_was_not_agreed_to() {
    let then = joe_comes();
    let agreed = Agreed::to(&then.plan(), &BTreeSet::from(["acme".to_owned()]));
    assert_eq!(agreed.within(&then.plan()), (agreed.clients(), vec![]));
    let later = then.clone().with(|w| w.account(0).account.name = Some(AccountName::new("ACME")));
    let (within, besides) = agreed.within(&later.plan());
    assert_eq!(within, BTreeSet::new());
    assert_eq!(besides.len(), 1, "{besides:?}");
    assert!(besides[0].1.contains("ACME"), "{besides:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn only_what_is_as_it_was_goes_ahead_whatever_moved(seed in any::<u64>(), other in any::<u64>(), order in any::<u64>()) {
        let then = random(seed);
        prop_assert_eq!(compared(&then, &shuffled(&then, order)).refused, vec![], "an order is nothing");
        let mut now = then.clone();
        let mut rng = fastrand::Rng::with_seed(other);
        for index in 0..now.live.accounts.len() {
            let seen = &now.live.accounts[index];
            // What cannot be read is disturbed enough.
            if seen.members.seen().is_some() && seen.subscription.seen().is_some() && rng.bool() {
                disturb(&mut now, index, &mut rng);
            }
        }
        let comparison = compared(&then, &now);
        let digest = |plan: &Plan, name: &str| {
            plan.accounts.iter().find(|account| account.name == name).map(|account| account.digest.clone())
        };
        let (before, after) = (then.plan(), now.plan());
        let planned: BTreeSet<String> =
            PlanPart::of(&before, false).planned().map(|account| account.name().to_owned()).collect();
        let mut seen = BTreeSet::new();
        for name in &planned {
            let same = digest(&before, name) == digest(&after, name);
            prop_assert_eq!(same, comparison.carried_out.contains(name), "{}", name);
        }
        let refused = comparison.refused.iter().map(|moved| &moved.name);
        for name in refused.chain(&comparison.carried_out).chain(&comparison.done_already) {
            prop_assert!(seen.insert(name.clone()), "{} twice", name);
        }
        prop_assert_eq!(&seen, &planned);
        prop_assert!(comparison.untouched.is_disjoint(&planned));
        for moved in &comparison.refused {
            prop_assert!(!moved.moved.is_empty());
            let vague = moved.moved.iter().any(|line| line.contains("something that its digest covers"));
            prop_assert!(!vague, "{}: {:?}\n{}\n{}", moved.name, moved.moved, then.text(), now.text());
        }
    }
}
