//! Plans and seats: chosen, changed, pending, cancelled.

use bursar::domain::PlanId;
use bursar::manifest::WantedPlan;
use bursar::plan::{Op, OpKind, Reading, Reason, VerdictState};
use bursar::provider::SubscriptionState;

use super::world::{BUSINESS, SOLO, TEAMS, World, client, member, short, subscription};

const JANE: &str = "jane@acme.example";

fn acme(members: &[&str], change: impl FnOnce(&mut World)) -> World {
    World::in_agreement(vec![client("acme", members)]).with(change)
}

fn wants(world: &mut World, plan: &str) {
    world.client(0).plan = WantedPlan::Choice(plan.to_owned());
}

/// The operations themselves, for what `short` leaves out.
fn ops(world: &World) -> Vec<Op> {
    world.plan().accounts[0].actions.iter().map(|action| action.op.clone()).collect()
}

fn said(world: &World) -> String {
    short(&world.plan(), "acme")
}

#[test]
fn any_plan_of_the_family_satisfies_it_and_an_identifier_is_that_one() {
    let legacy = |w: &mut World| w.subscription(0).plan = PlanId::new("teams-v1-monthly");
    insta::assert_snapshot!(said(&acme(&[], legacy)), @"InSync:");
    let exact = acme(&[], |w| {
        legacy(w);
        wants(w, TEAMS);
    });
    insta::assert_snapshot!(exact.text(), @r#"
    acme (account 1)  clients/acme.yaml:1  +10.00 a month
      ~ change the plan from teams-v1-monthly to teams-v2-monthly with 1 seat

    List price a month in USD: 19.00 now, 29.00 after, +10.00
    Plan: 1 to change plan; 1 request.
    "#);
}

#[test]
fn a_plan_that_cannot_be_chosen_blocks_with_what_to_write() {
    for (word, expected) in [
        ("taems", "no plan or family is called taems; did you mean teams?"),
        ("teams-v1-monthly", "the plan teams-v1-monthly is not on sale any more, or not by self-service"),
        ("enterprise", "no plan of the family enterprise is on sale by self-service"),
    ] {
        let world = World::empty(vec![client("acme", &[JANE])]).with(|w| wants(w, word));
        let plan = world.plan();
        assert_eq!(
            short(&plan, "acme"),
            format!(
                "Blocked: CreateAccount Planned, Subscribe Blocked(PlanUnavailable), AddMember {JANE} \
                 Skipped(DependencyNotMet)"
            )
        );
        assert_eq!(plan.accounts[0].actions[1].message, expected);
    }
    let kept = acme(&[JANE], |w| {
        wants(w, "taems");
        w.members(0).pop();
    });
    insta::assert_snapshot!(said(&kept), @"Blocked: AddMember jane@acme.example Planned, ChangePlan Blocked(PlanUnavailable)");
}

#[test]
fn an_upgrade_brings_its_seats_and_comes_before_the_people() {
    let world = acme(&[JANE], |w| {
        w.account(0).subscription = Reading::Seen(Some(subscription(SOLO, None)));
        w.members(0).pop();
        w.sign_up(&[JANE]);
    });
    insta::assert_snapshot!(world.text(), @r#"
    acme (account 1)  clients/acme.yaml:1  +58.00 a month
      ~ change the plan from solo-v2-monthly to teams-v2-monthly with 2 seats
      + add jane@acme.example with full access

    People who get full access
      jane@acme.example: acme

    List price a month in USD: 0.00 now, 58.00 after, +58.00
    Plan: 1 to change plan, 1 to add; 2 requests.
    "#);
    let refused = world.with(|w| {
        w.tried("acme", OpKind::ChangePlan, None, VerdictState::Blocked, Some(Reason::PaymentRequired));
    });
    insta::assert_snapshot!(said(&refused), @"Blocked: ChangePlan Blocked(PaymentRequired), AddMember jane@acme.example Skipped(DependencyNotMet)");
}

#[test]
fn a_downgrade_waits_for_the_renewal_and_is_asked_for_once() {
    let world = acme(&[], |w| {
        w.account(0).subscription = Reading::Seen(Some(subscription(BUSINESS, Some(1))));
    });
    insta::assert_snapshot!(world.text(), @r#"
    acme (account 1)  clients/acme.yaml:1  -70.00 a month
      ~ change the plan from business-monthly to teams-v2-monthly with 1 seat, from the renewal on

    List price a month in USD: 99.00 now, 29.00 after, -70.00
    Plan: 1 to change plan; 1 request.
    "#);
    let pending = world.with(|w| {
        w.subscription(0).pending_plan = Some(PlanId::new(TEAMS));
        w.subscription(0).pending_seats = Some(1);
    });
    insta::assert_snapshot!(pending.text(), @r#"
    acme (account 1)  clients/acme.yaml:1  -70.00 a month
      … change the plan from business-monthly to teams-v2-monthly with 1 seat, from the renewal on: on its way, it begins at the renewal on 2027-01-05 (DowngradeAtRenewal)

    List price a month in USD: 99.00 now, 29.00 after, -70.00
    Nothing planned; 1 waiting.
    "#);
    let needs_a_seat = pending.with(|w| {
        w.wanted.clients[0].members = client("acme", &[JANE]).members;
        w.sign_up(&[JANE]);
    });
    insta::assert_snapshot!(needs_a_seat.text(), @r#"
    acme (account 1)  clients/acme.yaml:1  -41.00 a month
      ~ seats from 1 to 2
      + add jane@acme.example with full access
      ~ change the plan from business-monthly to teams-v2-monthly with 2 seats, from the renewal on; asked for again, because buying seats cancels it

    People who get full access
      jane@acme.example: acme

    List price a month in USD: 99.00 now, 58.00 after, -41.00
    Plan: 1 to change plan, 1 to change seats, 1 to add; 3 requests.
    "#);
}

#[test]
fn a_pending_downgrade_that_nobody_wants_is_cancelled() {
    let world = acme(&[JANE], |w| w.subscription(0).pending_plan = Some(PlanId::new(SOLO)));
    insta::assert_snapshot!(world.text(), @r#"
    acme (account 1)  clients/acme.yaml:1
      ~ change the plan from solo-v2-monthly to teams-v2-monthly with 2 seats; teams-v2-monthly stays in force: this cancels the change at renewal

    List price a month in USD: 58.00 now, 58.00 after, 0.00
    Plan: 1 to change plan; 1 request.
    "#);
    assert_eq!(
        ops(&world),
        [Op::ChangePlan { from: PlanId::new(SOLO), to: PlanId::new(TEAMS), seats: Some(2), downgrade: false }]
    );
    let same_family = acme(&[JANE], |w| w.subscription(0).pending_plan = Some(PlanId::new("teams-v1-monthly")));
    insta::assert_snapshot!(said(&same_family), @"InSync:");
}

#[test]
fn a_downgrade_is_refused_while_more_are_present_than_the_plan_takes() {
    let world = acme(&[], |w| {
        wants(w, "solo");
        w.members(0).push(member(JANE));
        w.subscription(0).seats = Some(2);
    });
    insta::assert_snapshot!(world.text(), @r#"
    acme (account 1)  clients/acme.yaml:1
      ! change the plan from teams-v2-monthly to solo-v2-monthly, from the renewal on: solo-v2-monthly takes 1 member, and the account has 2; remove some first, or choose another plan (TooManyMembers)

    Drift
      acme (1): jane@acme.example is a member with full access, and no manifest lists them

    Nothing planned; 1 blocked.
    "#);
}

#[test]
fn a_payment_that_settles_is_waited_for() {
    let world = acme(&[JANE], |w| {
        w.subscription(0).state = SubscriptionState::Subscribing;
        w.members(0).pop();
        w.sign_up(&[JANE]);
    });
    insta::assert_snapshot!(world.text(), @r#"
    acme (account 1)  clients/acme.yaml:1
      … subscribe to teams-v2-monthly with 2 seats: the service is still settling the payment; the rest goes on when it has (SubscriptionSettling)
        skipped: add jane@acme.example with full access: needs the subscription, which does not go ahead

    Nothing planned; 1 waiting.
    "#);
}

#[test]
fn a_subscription_that_ended_is_made_again() {
    for state in [SubscriptionState::Unsubscribed, SubscriptionState::NotSubscribed, SubscriptionState::New] {
        let world = acme(&[JANE], |w| w.subscription(0).state = state);
        assert_eq!(ops(&world), [Op::Subscribe { plan: PlanId::new(TEAMS), seats: Some(2) }], "{state:?}");
    }
}

#[test]
fn a_plan_for_one_has_no_seats_to_choose() {
    let world = World::empty(vec![client("acme", &[])]).with(|w| wants(w, "solo"));
    assert_eq!(ops(&world)[1], Op::Subscribe { plan: PlanId::new(SOLO), seats: None });
}

#[test]
fn no_plan_wanted_cancels_only_where_that_is_allowed() {
    let world = acme(&[], |w| w.client(0).plan = WantedPlan::Nothing);
    insta::assert_snapshot!(world.text(), @r#"
    acme (account 1)  clients/acme.yaml:1
      ! cancel the subscription to teams-v2-monthly: cancelling is off: the account's domains would stop resolving at once; allow it with --allow-unsubscribe (GuardRail)

    Guard rails
      --allow-unsubscribe off: 1 subscription would be cancelled and stay; domains stop resolving at once, so allow it with --allow-unsubscribe only if that is meant

    Nothing planned; 1 blocked.
    "#);
    insta::assert_snapshot!(world.with(|w| w.policy.allow_unsubscribe = true).text(), @r#"
    acme (account 1)  clients/acme.yaml:1  -29.00 a month
      - cancel the subscription to teams-v2-monthly; the account's domains stop resolving at once, and what is left of the period is lost

    List price a month in USD: 29.00 now, 0.00 after, -29.00
    Plan: 1 to unsubscribe; 1 request.
    "#);
    let without = acme(&[], |w| {
        w.client(0).plan = WantedPlan::Nothing;
        w.account(0).subscription = Reading::Seen(None);
    });
    insta::assert_snapshot!(said(&without), @"InSync:");
}

#[test]
fn a_plan_that_is_not_mentioned_is_not_touched() {
    let world = acme(&[], |w| {
        w.client(0).plan = WantedPlan::Untouched;
        w.subscription(0).pending_plan = Some(PlanId::new(SOLO));
    });
    insta::assert_snapshot!(said(&world), @"InSync:");
}

#[test]
fn spare_seats_are_shown_and_cut_only_when_told() {
    let world = acme(&[JANE], |w| w.subscription(0).seats = Some(5));
    insta::assert_snapshot!(world.text(), @r#"
    Drift
      acme (1): 3 spare seats, 87.00 a month; --trim-seats cuts them at renewal

    Nothing to do; 1 client is in sync.
    "#);
    let trimmed = world.with(|w| w.policy.trim_seats = true);
    insta::assert_snapshot!(trimmed.text(), @r#"
    acme (account 1)  clients/acme.yaml:1  -87.00 a month
      ~ seats from 5 to 2, from the renewal on

    List price a month in USD: 145.00 now, 58.00 after, -87.00
    Plan: 1 to change seats; 1 request.
    "#);
    let pending = trimmed.with(|w| w.subscription(0).pending_seats = Some(2));
    insta::assert_snapshot!(pending.text(), @r#"
    acme (account 1)  clients/acme.yaml:1  -87.00 a month
      … seats from 5 to 2, from the renewal on: 3 seats fewer at the renewal on 2027-01-05 (SeatsAtRenewal)

    List price a month in USD: 145.00 now, 58.00 after, -87.00
    Nothing planned; 1 waiting.
    "#);
}

#[test]
fn a_pending_cut_below_those_who_are_there_is_cancelled() {
    let world = acme(&[JANE], |w| w.subscription(0).pending_seats = Some(1));
    insta::assert_snapshot!(world.text(), @r#"
    acme (account 1)  clients/acme.yaml:1
      ~ keep 2 seats; cancels the cut to 1 at renewal

    List price a month in USD: 58.00 now, 58.00 after, 0.00
    Plan: 1 to change seats; 1 request.
    "#);
    assert_eq!(ops(&world), [Op::SetSeats { plan: PlanId::new(TEAMS), from: 2, to: 2 }]);
}

#[test]
fn a_failed_renewal_is_shown() {
    insta::assert_snapshot!(acme(&[], |w| w.subscription(0).dunned = true).text(), @r#"
    Drift
      acme (1): a renewal failed; the subscription ends 21 days after it unless it is paid

    Nothing to do; 1 client is in sync.
    "#);
}

#[test]
fn seats_of_a_plan_that_sells_none_are_asked_for_at_the_service() {
    let world = acme(&[JANE], |w| {
        wants(w, "enterprise");
        w.account(0).subscription = Reading::Seen(Some(subscription("enterprise-v1-yearly", Some(1))));
        w.members(0).pop();
        w.sign_up(&[JANE]);
    });
    insta::assert_snapshot!(world.text(), @r#"
    acme (account 1)  clients/acme.yaml:1
      ! seats from 1 to 2: 2 seats are needed, 1 paid for, and enterprise-v1-yearly sells none by self-service; ask the service for more (PlanUnavailable)
        skipped: add jane@acme.example with full access: needs a seat, and none is bought

    Nothing planned; 1 blocked.
    "#);
}

#[test]
fn what_was_tried_and_is_not_needed_any_more_is_forgotten() {
    let world = acme(&[], |w| w.tried("acme", OpKind::Subscribe, None, VerdictState::Failed, None));
    insta::assert_snapshot!(said(&world), @"InSync:");
}
