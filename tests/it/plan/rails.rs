//! The operator's rails: what trips them, what they stop, what they let through.

use bursar::domain::Money;
use bursar::manifest::Membership;
use bursar::plan::ActionState;

use super::world::{World, client, email, member, short};

fn several(n: usize) -> Vec<bursar::manifest::Client> {
    (0..n).map(|i| client(&format!("c{i}"), &[])).collect()
}

#[test]
fn more_creates_than_allowed_are_all_stopped_and_the_rest_goes_on() {
    let world = World::in_agreement(several(1)).with(|w| {
        w.wanted.clients.extend([client("new1", &[]), client("new2", &[])]);
        w.policy.max_creates = Some(1);
        w.client(0).notification_email = email("other@agency.example");
        w.client(0).previous_notification_emails = vec![email("dns+c0@agency.example")];
    });
    insta::assert_snapshot!(world.text(), @r#"
    new1 (no account)  clients/new1.yaml:1
      ! create the account "New1", notified at dns+new1@agency.example: 2 accounts would be created, over --max-creates 1 (GuardRail)
        skipped: subscribe to teams-v2-monthly with 1 seat: the account is not created

    new2 (no account)  clients/new2.yaml:1
      ! create the account "New2", notified at dns+new2@agency.example: 2 accounts would be created, over --max-creates 1 (GuardRail)
        skipped: subscribe to teams-v2-monthly with 1 seat: the account is not created

    c0 (account 1)  clients/c0.yaml:1
      ~ notification email from dns+c0@agency.example to other@agency.example

    Guard rails
      --max-creates 1: 2 accounts would be created, and none of them is; look why, then let this plan pass by its digest (--approve), or set another value
      to let exactly this plan pass, once: --approve sha256:a57cd0a90c3b2351697656079279cabe8b2f315f7806b8ec69c10cf306343398

    List price a month in USD: 29.00 now, 29.00 after, 0.00
    Plan: 1 to update; 2 blocked; 1 request.
    "#);
    let lifted = world.with(|w| w.policy.max_creates = None);
    assert!(lifted.plan().rails.is_empty());
}

#[test]
fn the_price_may_not_rise_past_the_rail() {
    let at = |dollars: i64| {
        World::empty(several(3)).with(|w| w.policy.max_monthly_increase = Some(Money::cents(dollars * 100))).plan()
    };
    assert!(at(87).rails.is_empty(), "as much as is allowed is allowed");
    let plan = at(86);
    insta::assert_snapshot!(short(&plan, "c0"), @"Blocked: CreateAccount Planned, Subscribe Blocked(GuardRail)");
    insta::assert_snapshot!(plan.rails[0].message, @"the list price would rise by 87.00 a month, so no plan or seat is bought; look why, then let this plan pass by its digest (--approve), or set another value");
    assert_eq!(plan.cost.after, Money::ZERO, "what is blocked costs nothing");
}

#[test]
fn a_person_added_to_everybody_counts_everywhere() {
    let pat = "pat@agency.example";
    let world = World::in_agreement((0..4).map(|i| client(&format!("c{i}"), &[pat])).collect()).with(|w| {
        for i in 0..4 {
            w.members(i).pop();
            w.subscription(i).seats = Some(1);
        }
        w.sign_up(&[pat]);
        w.policy.max_monthly_increase = Some(Money::cents(100 * 100));
    });
    let plan = world.plan();
    insta::assert_snapshot!(plan.rails[0].message, @"the list price would rise by 116.00 a month, so no plan or seat is bought; look why, then let this plan pass by its digest (--approve), or set another value");
    insta::assert_snapshot!(short(&plan, "c3"), @"Blocked: SetSeats Blocked(GuardRail), AddMember pat@agency.example Skipped(DependencyNotMet)");
}

#[test]
fn removals_past_the_share_are_all_stopped_but_a_few_always_pass() {
    let with_unlisted = |unlisted: usize| {
        World::in_agreement(vec![client("acme", &[])]).with(|w| {
            w.client(0).membership = Membership::Exclusive;
            w.policy.allow_removals = true;
            for i in 0..unlisted {
                w.members(0).push(member(&format!("p{i}@y.example")));
            }
            w.subscription(0).seats = Some(unlisted as u32 + 1);
        })
    };
    assert!(with_unlisted(5).plan().rails.is_empty(), "5 of 6 are let through");
    let plan = with_unlisted(6).plan();
    assert!(plan.accounts[0].actions.iter().all(|action| action.state == ActionState::Blocked));
    insta::assert_snapshot!(plan.rails[0].message, @"6 of the 7 members in scope would be removed, and all of them stay; look why, then let this plan pass by its digest (--approve), or set another value");
}

#[test]
fn a_removal_that_a_rail_stops_frees_no_seat() {
    let world = World::in_agreement(vec![client("acme", &["jane@acme.example"])]).with(|w| {
        w.client(0).membership = Membership::Exclusive;
        w.members(0)[1] = member("x@y.example");
        w.sign_up(&["jane@acme.example"]);
    });
    insta::assert_snapshot!(world.text(), @r#"
    acme (account 1)  clients/acme.yaml:1  +29.00 a month
      ! remove x@y.example (full access): nobody lists them, but removals are off; allow them with --allow-removals, or list them (GuardRail)
      ~ seats from 2 to 3
      + add jane@acme.example with full access

    People who get full access
      jane@acme.example: acme

    Drift
      acme (1): x@y.example is a member with full access, and no manifest lists them

    Guard rails
      --allow-removals off: 1 member of exclusive accounts, whom no manifest lists, would be removed and stay; allow it with --allow-removals

    List price a month in USD: 58.00 now, 87.00 after, +29.00
    Plan: 1 to change seats, 1 to add; 1 blocked; 2 requests.
    "#);
}

#[test]
fn five_thousand_new_manifests_in_one_commit_create_nothing() {
    let plan = World::empty(several(5_000)).plan();
    assert_eq!((plan.requests.to_apply, plan.summary.blocked), (0, 5_000));
    assert_eq!(plan.rails.len(), 1, "the creates are stopped, so no money is asked for");
}

#[test]
fn every_manifest_gone_changes_nothing() {
    let world = World::in_agreement(several(3)).with(|w| w.wanted.clients.clear());
    let plan = world.plan();
    assert_eq!((plan.requests.to_apply, plan.unmanaged.len()), (0, 3));
}

#[test]
fn ten_thousand_members_in_one_account_are_compared_at_once() {
    let people: Vec<String> = (0..10_000).map(|i| format!("p{i}@y.example")).collect();
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let world = World::in_agreement(vec![client("acme", &people)]).with(|w| {
        w.client(0).members.truncate(5_000);
        w.client(0).membership = Membership::Exclusive;
        w.policy.allow_removals = true;
        w.policy.max_removals_percent = 100;
    });
    let start = std::time::Instant::now();
    assert_eq!(world.plan().summary.remove_member, 5_000);
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
}
