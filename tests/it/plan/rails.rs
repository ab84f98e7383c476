//! The operator's rails: what trips them, what they stop, what they let through.

use bursar::domain::{Access, Money, PlanId};
use bursar::manifest::{Client, Membership, WantedPlan};
use bursar::plan::{ActionState, AllowedPlans, MaxRemovals};
use bursar::provider::Member;

use super::world::{BUSINESS, TEAMS, World, client, email, invited, member, short};

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
      --max-creates 1: 2 accounts would be created, and none of them is; look why, then let this plan pass by its digest (--approve), or set --max-creates 2
      to let exactly this plan pass, once: --approve sha256:8f06616012d06589bbfa0f49afb5683f7747a241b0c71c001ca8327bf03ed07a

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
    insta::assert_snapshot!(plan.rails[0].message, @"the list price would rise by 87.00 a month, so no plan or seat is bought; look why, then let this plan pass by its digest (--approve), or set --max-monthly-increase 87.00");
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
    insta::assert_snapshot!(plan.rails[0].message, @"the list price would rise by 116.00 a month, so no plan or seat is bought; look why, then let this plan pass by its digest (--approve), or set --max-monthly-increase 116.00");
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
    insta::assert_snapshot!(plan.rails[0].message, @"6 of the 7 members in scope would be removed, and all of them stay; look why, then let this plan pass by its digest (--approve), or set --max-removals 86%");
}

/// An exclusive account with members whom no manifest lists, who may all go but for the cap.
fn leaving(members: Vec<bursar::provider::Member>, most: &str) -> World {
    World::in_agreement(vec![client("acme", &[])]).with(|w| {
        w.client(0).membership = Membership::Exclusive;
        w.policy.allow_removals = true;
        w.policy.max_removals = most.parse().unwrap();
        w.subscription(0).seats = Some(members.len() as u32 + 1);
        w.members(0).extend(members);
    })
}

#[test]
fn removals_past_a_number_are_all_stopped_however_small_their_share() {
    let people = |n: usize| (0..n).map(|i| member(&format!("p{i}@y.example"))).collect();
    for (n, most, stopped) in [
        (3, "3", None),
        (4, "3", Some("--max-removals 4")),
        (1, "0", Some("--max-removals 1")),
        (5, "0%", None),
        (6, "0%", Some("--max-removals 86%")),
        (6, "90%,6", None),
        (6, "90%,5", Some("--max-removals 90%,6")),
        (6, "50%,9", Some("--max-removals 86%,9")),
        (6, "50%,5", Some("--max-removals 86%,6")),
        (6, "none", None),
    ] {
        let plan = leaving(people(n), most).plan();
        let all = if stopped.is_some() { ActionState::Blocked } else { ActionState::Planned };
        assert!(plan.accounts[0].actions.iter().all(|action| action.state == all), "{n} at {most}");
        let message = plan.rails.first().map(|rail| rail.message.as_str());
        assert_eq!(message.and_then(|message| message.split(" or set ").nth(1)), stopped, "{n} at {most}");
    }
}

/// The cap is on all clients together, checked before anything is sent; with a selector on
/// those that it selects.
#[test]
fn the_cap_on_removals_is_on_the_whole_plan_in_scope() {
    let world = World::in_agreement(several(4)).with(|w| {
        w.policy.allow_removals = true;
        for i in 0..4 {
            w.client(i).membership = Membership::Exclusive;
            w.client(i).labels = [("wave".to_owned(), i.to_string())].into();
            w.members(i).extend((0..4).map(|p| member(&format!("p{p}@y.example"))));
            w.subscription(i).seats = Some(5);
        }
    });
    let blocked = |world: &World| {
        let plan = world.plan();
        (plan.summary.remove_member, plan.summary.blocked)
    };
    assert_eq!(blocked(&world), (0, 16), "none is removed of any");
    let one = world.with(|w| w.selector = "wave=1".parse().unwrap());
    assert_eq!(blocked(&one), (4, 0), "4 are always let through");
    assert_eq!(blocked(&one.with(|w| w.policy.max_removals = "3".parse().unwrap())), (0, 4));
}

#[test]
fn an_invitation_counts_as_a_member_and_its_revocation_as_a_removal() {
    let mixed = vec![invited("i1@y.example"), invited("i2@y.example"), member("p1@y.example")];
    let plan = leaving(mixed.clone(), "2").plan();
    insta::assert_snapshot!(plan.rails[0].message, @"3 of the 4 members in scope would be removed, and all of them stay; look why, then let this plan pass by its digest (--approve), or set --max-removals 3");
    assert!(leaving(mixed, "3").plan().rails.is_empty());
    let staying = (0..14).map(|i| invited(&format!("i{i}@y.example")));
    let world = leaving((0..6).map(|i| member(&format!("p{i}@y.example"))).chain(staying).collect(), "30%").with(|w| {
        let listed: Vec<String> = (0..14).map(|i| format!("i{i}@y.example")).collect();
        let listed: Vec<&str> = listed.iter().map(String::as_str).collect();
        w.client(0).members = client("acme", &listed).members;
    });
    assert!(world.plan().rails.is_empty(), "6 of 21, of whom 14 are invited");
}

#[test]
fn removals_and_cuts_together_leave_somebody_who_can_manage_the_account() {
    let limited = |address: &str| Member { access: Access::Limited, ..member(address) };
    // Ourselves may do little here, so that the others are all who can.
    let world = leaving(
        vec![member("a@y.example"), member("b@y.example"), invited("c@y.example"), limited("d@y.example")],
        "none",
    )
    .with(|w| w.members(0)[0].access = Access::Limited);
    insta::assert_snapshot!(short(&world.plan(), "acme"), @"Blocked: RemoveMember a@y.example Planned, RemoveMember b@y.example Blocked(LastFullAccess), RemoveMember c@y.example Planned, RemoveMember d@y.example Planned");
    // One goes by an offboarding, one is to do less: the last of them stays as they are.
    let world = world.with(|w| {
        let mut listed = client("acme", &["b@y.example", "c@y.example"]);
        listed.members[0].access = Access::Limited;
        w.client(0).members = listed.members;
        w.offboard(&["a@y.example"]);
    });
    insta::assert_snapshot!(short(&world.plan(), "acme"), @"Blocked: RemoveMember a@y.example Planned, RemoveMember d@y.example Planned, AddMember c@y.example Waiting(AwaitingAcceptance), SetAccess b@y.example Blocked(LastFullAccess)");
}

/// One more client, who changes to a larger plan, and one who changes to a smaller one.
fn buying(new: usize) -> World {
    let mut clients = several(2);
    clients[1].plan = WantedPlan::Choice(BUSINESS.to_owned());
    World::in_agreement(clients).with(|w| {
        w.client(0).plan = WantedPlan::Choice("business".to_owned());
        w.client(1).plan = WantedPlan::Choice("teams".to_owned());
        w.wanted.clients.extend((0..new).map(|i| client(&format!("new{i}"), &[])));
    })
}

#[test]
fn more_subscriptions_than_allowed_are_all_stopped_and_downgrades_are_none() {
    let world = buying(1).with(|w| w.policy.max_subscriptions = Some(1));
    insta::assert_snapshot!(world.text(), @r#"
    c0 (account 1)  clients/c0.yaml:1
      ! change the plan from teams-v2-monthly to business-monthly with 1 seat: 2 subscriptions or larger plans would be bought, over --max-subscriptions 1 (GuardRail)

    new0 (new)  clients/new0.yaml:1
      + create the account "New0", notified at dns+new0@agency.example
      ! subscribe to teams-v2-monthly with 1 seat: 2 subscriptions or larger plans would be bought, over --max-subscriptions 1 (GuardRail)

    c1 (account 2)  clients/c1.yaml:1  -70.00 a month
      ~ change the plan from business-monthly to teams-v2-monthly with 1 seat, from the renewal on

    Guard rails
      --max-subscriptions 1: 2 subscriptions or larger plans would be bought, and none of them is; look why, then let this plan pass by its digest (--approve), or set --max-subscriptions 2
      to let exactly this plan pass, once: --approve sha256:2e861f1b38b70461ed6010dbf7ac38efb4738441d6cc02723473751511ebb298

    List price a month in USD: 128.00 now, 58.00 after, -70.00
    Plan: 1 to create, 1 to change plan; 2 blocked; 2 requests.
    "#);
    assert!(buying(1).with(|w| w.policy.max_subscriptions = Some(2)).plan().rails.is_empty());
    let later = buying(0).with(|w| {
        w.policy.max_subscriptions = Some(4);
        w.known.rails.subscribed = 4;
    });
    insta::assert_snapshot!(later.plan().rails[0].message, @"1 subscription or larger plan would be bought (4 were within 24 hours), and none of them is; look why, then let this plan pass by its digest (--approve), or set --max-subscriptions 5");
    let none_created = buying(3).with(|w| (w.policy.max_creates, w.policy.max_subscriptions) = (Some(2), Some(1)));
    let flags: Vec<_> = none_created.plan().rails.iter().map(|rail| rail.flag).collect();
    assert_eq!(flags, ["--max-creates"], "what is not created buys nothing");
}

#[test]
fn a_plan_that_is_not_on_the_list_is_not_chosen_and_the_rest_goes_on() {
    let world = buying(1).with(|w| {
        w.policy.allowed_plans = AllowedPlans::new(["teams".to_owned()]);
        w.wanted.clients.push(Client { plan: WantedPlan::Choice("solo".to_owned()), ..client("small", &[]) });
        w.members(0).push(member("x@y.example"));
        w.client(0).members = client("c0", &["x@y.example", "jane@acme.example"]).members;
        w.sign_up(&["jane@acme.example"]);
    });
    insta::assert_snapshot!(world.text(), @r#"
    c0 (account 1)  clients/c0.yaml:1  +58.00 a month
      ~ seats from 1 to 3
      + add jane@acme.example with full access
      ! change the plan from teams-v2-monthly to business-monthly: business-monthly is not on --allowed-plans teams; write one that is, or have it allowed (GuardRail)

    small (new)  clients/small.yaml:1
      + create the account "Small", notified at dns+small@agency.example
      ! subscribe to solo-v2-monthly: solo-v2-monthly is not on --allowed-plans teams; write one that is, or have it allowed (GuardRail)

    c1 (account 2)  clients/c1.yaml:1  -70.00 a month
      ~ change the plan from business-monthly to teams-v2-monthly with 1 seat, from the renewal on

    new0 (new)  clients/new0.yaml:1  +29.00 a month
      + create the account "New0", notified at dns+new0@agency.example
      + subscribe to teams-v2-monthly with 1 seat

    People who get full access
      jane@acme.example: c0

    Guard rails
      --allowed-plans teams: 2 accounts would have a plan that is not on the list, business-monthly, solo-v2-monthly, and none of them gets it; allow it with --allowed-plans business-monthly,solo-v2-monthly,teams

    List price a month in USD: 128.00 now, 145.00 after, +17.00
    Plan: 2 to create, 1 to subscribe, 1 to change plan, 1 to change seats, 1 to add; 2 blocked; 6 requests.
    "#);
    let wider = world.plan().rails[0].suffices.clone().unwrap();
    let wider = AllowedPlans::new(wider.split(',').map(str::to_owned));
    assert!(world.with(|w| w.policy.allowed_plans = wider).plan().rails.is_empty());
}

#[test]
fn an_account_on_a_plan_that_is_not_on_the_list_is_kept_as_it_is() {
    let mut wanted = client("acme", &["jane@acme.example"]);
    wanted.plan = WantedPlan::Choice(BUSINESS.to_owned());
    let world = World::in_agreement(vec![wanted]).with(|w| {
        w.policy.allowed_plans = AllowedPlans::new(["teams".to_owned(), "solo".to_owned()]);
        w.members(0).pop();
        w.subscription(0).seats = Some(1);
        w.sign_up(&["jane@acme.example"]);
    });
    insta::assert_snapshot!(short(&world.plan(), "acme"), @"Changes: SetSeats Planned, AddMember jane@acme.example Planned");
    // A downgrade that somebody asked for is cancelled by choosing the plan in force again.
    let pending = world.with(|w| w.subscription(0).pending_plan = Some(PlanId::new(TEAMS)));
    insta::assert_snapshot!(short(&pending.plan(), "acme"), @"Changes: ChangePlan Planned, AddMember jane@acme.example Planned");
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
        w.policy.max_removals = MaxRemovals::of_percent(100);
    });
    let start = std::time::Instant::now();
    assert_eq!(world.plan().summary.remove_member, 5_000);
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
}
