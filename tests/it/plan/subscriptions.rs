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
    insta::assert_snapshot!(said(&acme(&[], legacy)), @"");
    let exact = acme(&[], |w| {
        legacy(w);
        wants(w, TEAMS);
    });
    insta::assert_snapshot!(exact.text(), @"");
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
    insta::assert_snapshot!(said(&kept), @"");
}

#[test]
fn an_upgrade_brings_its_seats_and_comes_before_the_people() {
    let world = acme(&[JANE], |w| {
        w.account(0).subscription = Reading::Seen(Some(subscription(SOLO, None)));
        w.members(0).pop();
        w.sign_up(&[JANE]);
    });
    insta::assert_snapshot!(world.text(), @"");
    let refused = world.with(|w| {
        w.tried("acme", OpKind::ChangePlan, None, VerdictState::Blocked, Some(Reason::PaymentRequired));
    });
    insta::assert_snapshot!(said(&refused), @"");
}

#[test]
fn a_downgrade_waits_for_the_renewal_and_is_asked_for_once() {
    let world = acme(&[], |w| {
        w.account(0).subscription = Reading::Seen(Some(subscription(BUSINESS, Some(1))));
    });
    insta::assert_snapshot!(world.text(), @"");
    let pending = world.with(|w| {
        w.subscription(0).pending_plan = Some(PlanId::new(TEAMS));
        w.subscription(0).pending_seats = Some(1);
    });
    insta::assert_snapshot!(pending.text(), @"");
    let needs_a_seat = pending.with(|w| {
        w.wanted.clients[0].members = client("acme", &[JANE]).members;
        w.sign_up(&[JANE]);
    });
    insta::assert_snapshot!(needs_a_seat.text(), @"");
}

#[test]
fn a_pending_downgrade_that_nobody_wants_is_cancelled() {
    let world = acme(&[JANE], |w| w.subscription(0).pending_plan = Some(PlanId::new(SOLO)));
    insta::assert_snapshot!(world.text(), @"");
    assert_eq!(
        ops(&world),
        [Op::ChangePlan { from: PlanId::new(SOLO), to: PlanId::new(TEAMS), seats: Some(2), downgrade: false }]
    );
    let same_family = acme(&[JANE], |w| w.subscription(0).pending_plan = Some(PlanId::new("teams-v1-monthly")));
    insta::assert_snapshot!(said(&same_family), @"");
}

#[test]
fn a_downgrade_is_refused_while_more_are_present_than_the_plan_takes() {
    let world = acme(&[], |w| {
        wants(w, "solo");
        w.members(0).push(member(JANE));
        w.subscription(0).seats = Some(2);
    });
    insta::assert_snapshot!(world.text(), @"");
}

#[test]
fn a_payment_that_settles_is_waited_for() {
    let world = acme(&[JANE], |w| {
        w.subscription(0).state = SubscriptionState::Subscribing;
        w.members(0).pop();
        w.sign_up(&[JANE]);
    });
    insta::assert_snapshot!(world.text(), @"");
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
    insta::assert_snapshot!(world.text(), @"");
    insta::assert_snapshot!(world.with(|w| w.policy.allow_unsubscribe = true).text(), @"");
    let without = acme(&[], |w| {
        w.client(0).plan = WantedPlan::Nothing;
        w.account(0).subscription = Reading::Seen(None);
    });
    insta::assert_snapshot!(said(&without), @"");
}

#[test]
fn a_plan_that_is_not_mentioned_is_not_touched() {
    let world = acme(&[], |w| {
        w.client(0).plan = WantedPlan::Untouched;
        w.subscription(0).pending_plan = Some(PlanId::new(SOLO));
    });
    insta::assert_snapshot!(said(&world), @"");
}

#[test]
fn spare_seats_are_shown_and_cut_only_when_told() {
    let world = acme(&[JANE], |w| w.subscription(0).seats = Some(5));
    insta::assert_snapshot!(world.text(), @"");
    let trimmed = world.with(|w| w.policy.trim_seats = true);
    insta::assert_snapshot!(trimmed.text(), @"");
    let pending = trimmed.with(|w| w.subscription(0).pending_seats = Some(2));
    insta::assert_snapshot!(pending.text(), @"");
}

#[test]
fn a_pending_cut_below_those_who_are_there_is_cancelled() {
    let world = acme(&[JANE], |w| w.subscription(0).pending_seats = Some(1));
    insta::assert_snapshot!(world.text(), @"");
    assert_eq!(ops(&world), [Op::SetSeats { plan: PlanId::new(TEAMS), from: 2, to: 2 }]);
}

#[test]
fn a_failed_renewal_is_shown() {
    insta::assert_snapshot!(acme(&[], |w| w.subscription(0).dunned = true).text(), @"");
}

#[test]
fn seats_of_a_plan_that_sells_none_are_asked_for_at_the_service() {
    let world = acme(&[JANE], |w| {
        wants(w, "enterprise");
        w.account(0).subscription = Reading::Seen(Some(subscription("enterprise-v1-yearly", Some(1))));
        w.members(0).pop();
        w.sign_up(&[JANE]);
    });
    insta::assert_snapshot!(world.text(), @"");
}

#[test]
fn what_was_tried_and_is_not_needed_any_more_is_forgotten() {
    let world = acme(&[], |w| w.tried("acme", OpKind::Subscribe, None, VerdictState::Failed, None));
    insta::assert_snapshot!(said(&world), @"");
}
