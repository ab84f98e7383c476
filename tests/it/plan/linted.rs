//! The linter refuses plans that no planner should make: each is a good plan, spoiled.

use bursar::domain::{Access, MemberId, Money};
use bursar::manifest::Membership;
use bursar::plan::render::TextOptions;
use bursar::plan::{Action, AllowedPlans, Inputs, LintFault, Op, Plan, checked, lint};

use super::world::{OURSELVES, World, client, email, member};

const JANE: &str = "jane@acme.example";

fn world() -> World {
    World::in_agreement(vec![client("acme", &[JANE])]).with(|w| {
        w.members(0).pop();
        w.subscription(0).seats = Some(1);
        w.sign_up(&[JANE, "pat@agency.example"]);
        w.wanted.clients.push(client("new", &["pat@agency.example"]));
    })
}

fn faults(world: &World, spoil: impl FnOnce(&mut Plan)) -> Vec<String> {
    let mut plan = world.plan();
    spoil(&mut plan);
    let inputs: Inputs<'_> = world.inputs();
    lint(&plan, &inputs).iter().map(ToString::to_string).collect()
}

/// The action, made to do something else.
fn other(action: &Action, op: Op) -> Action {
    Action { op, ..action.clone() }
}

#[test]
fn a_person_before_their_plan_or_seat_is_refused() {
    let world = world();
    insta::assert_debug_snapshot!(faults(&world, |plan| plan.accounts[1].actions.swap(1, 2)), @r#"
    [
        "new: actions are out of order",
        "new: adds pat@agency.example without a plan",
    ]
    "#);
    insta::assert_debug_snapshot!(faults(&world, |plan| { plan.accounts[0].actions.remove(0); plan.requests.to_apply -= 1; }), @r#"
    [
        "acme: 2 people and 1 seats after AddMember",
    ]
    "#);
}

#[test]
fn what_nobody_wanted_is_refused() {
    let world = world();
    let stranger = |plan: &mut Plan| {
        let add = plan.accounts[0].actions[1].clone();
        plan.accounts[0].actions[1] =
            other(&add, Op::AddMember { email: email("x@y.example"), access: Access::Full, role: None });
    };
    insta::assert_debug_snapshot!(faults(&world, stranger), @r#"
    [
        "acme: adds x@y.example, whom nobody wants so",
    ]
    "#);
    let ourselves = |plan: &mut Plan| {
        let op =
            Op::RemoveMember { id: MemberId::new("1"), email: email(OURSELVES), access: Access::Full, invited: false };
        plan.accounts[0].actions[0] = other(&plan.accounts[0].actions[0], op);
    };
    insta::assert_debug_snapshot!(faults(&world, ourselves), @r#"
    [
        "acme: removes ourselves",
        "acme: leaves nobody with full access",
    ]
    "#);
}

#[test]
fn an_account_that_may_not_be_changed_is_not() {
    let mut world = world();
    let plan = world.plan();
    world.client(0).suspend = true;
    let faults: Vec<String> = lint(&plan, &world.inputs()).iter().map(ToString::to_string).collect();
    insta::assert_debug_snapshot!(faults, @r#"
    [
        "acme: planned actions for a suspended or invalid client",
    ]
    "#);
    let mut world = self::world();
    let plan = world.plan();
    world.account(0).account.name = Some(bursar::domain::AccountName::new("Somebody else"));
    let faults: Vec<String> = lint(&plan, &world.inputs()).iter().map(ToString::to_string).collect();
    insta::assert_debug_snapshot!(faults, @r#"
    [
        "acme: acts on 1, which nobody named",
    ]
    "#);
}

#[test]
fn the_rails_are_counted_again() {
    let mut world = world();
    let plan = world.plan();
    world.policy.max_creates = Some(0);
    world.policy.max_monthly_increase = Some(Money::ZERO);
    let faults: Vec<String> = lint(&plan, &world.inputs()).iter().map(ToString::to_string).collect();
    insta::assert_debug_snapshot!(faults, @r#"
    [
        "the plan: 1 creates are over the rail",
        "the plan: the price rises by 87.00, over the rail",
    ]
    "#);
}

#[test]
fn the_number_of_subscriptions_and_removals_and_the_list_of_plans_are_checked_again() {
    let mut world = World::in_agreement(vec![client("acme", &[]), client("beta", &[])]).with(|w| {
        w.client(0).membership = Membership::Exclusive;
        w.policy.allow_removals = true;
        w.members(0).push(member("x@y.example"));
        w.subscription(0).seats = Some(2);
        w.live.accounts.truncate(1);
    });
    let plan = world.plan();
    world.policy.max_subscriptions = Some(0);
    world.policy.max_removals.number = Some(0);
    world.policy.allowed_plans = AllowedPlans::new(["solo".to_owned(), "business-monthly".to_owned()]);
    let faults: Vec<String> = lint(&plan, &world.inputs()).iter().map(ToString::to_string).collect();
    insta::assert_debug_snapshot!(faults, @r#"
    [
        "beta: chooses teams-v2-monthly, which is not on the list of plans",
        "the plan: 1 subscriptions are over the rail",
        "the plan: 1 removals of 2 members are over the rail",
    ]
    "#);
    world.policy.allowed_plans = AllowedPlans::new(["teams".to_owned()]);
    (world.policy.max_subscriptions, world.policy.max_removals.number) = (Some(1), Some(1));
    assert_eq!(lint(&plan, &world.inputs()), []);
}

/// One bad part stops nobody else, and is told as a failure.
#[test]
fn what_is_refused_of_one_client_stops_nobody_else() {
    let world = World::empty(vec![client("acme", &["jane@acme.example"]), client("beta", &[])]);
    let picky = |plan: &Plan, _: &Inputs<'_>| {
        let acme = plan.accounts.iter().filter(|account| account.name == "acme");
        let planned = acme.filter(|account| account.actions.iter().any(Action::is_planned));
        planned.map(|account| LintFault { account: account.name.clone(), what: "it is odd".to_owned() }).collect()
    };
    let (plan, faults) = checked(&world.inputs(), picky);
    assert_eq!(faults, []);
    insta::assert_snapshot!(bursar::plan::render::text(&plan, &TextOptions::default()), @r#"
    acme (no account)  clients/acme.yaml:1  +58.00 a month
      ! create the account "Acme", notified at dns+acme@agency.example: failed: a check of the plan refuses it (it is odd), which is a bug in bursar; please report it
      ! subscribe to teams-v2-monthly with 1 seat: failed: a check of the plan refuses it (it is odd), which is a bug in bursar; please report it
      ! add jane@acme.example with full access: failed: a check of the plan refuses it (it is odd), which is a bug in bursar; please report it

    beta (new)  clients/beta.yaml:1  +29.00 a month
      + create the account "Beta", notified at dns+beta@agency.example
      + subscribe to teams-v2-monthly with 1 seat

    List price a month in USD: 0.00 now, 87.00 after, +87.00
    Plan: 1 to create, 1 to subscribe; 3 failed; 2 requests.
    "#);
}

#[test]
fn a_fault_of_the_whole_stops_the_whole() {
    let world = World::empty(vec![client("acme", &[])]);
    let whole = |_: &Plan, _: &Inputs<'_>| {
        ["the plan", "acme"]
            .map(|account| LintFault { account: account.to_owned(), what: "it is odd".to_owned() })
            .into()
    };
    let (_, faults) = checked(&world.inputs(), whole);
    assert!(faults.iter().any(LintFault::is_of_the_whole), "{faults:?}");
    let never_content =
        |_: &Plan, _: &Inputs<'_>| vec![LintFault { account: "acme".to_owned(), what: "it is odd".to_owned() }];
    assert_eq!(checked(&world.inputs(), never_content).1.len(), 1, "it ends");
}
