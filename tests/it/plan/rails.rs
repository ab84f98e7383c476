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
    insta::assert_snapshot!(world.text(), @"");
    let lifted = world.with(|w| w.policy.max_creates = None);
    assert!(lifted.plan().rails.is_empty());
}

#[test]
fn the_price_may_not_rise_past_the_rail() {
    let at = |dollars| {
        World::empty(several(3)).with(|w| w.policy.max_monthly_increase = Some(Money::cents(dollars * 100))).plan()
    };
    assert!(at(87).rails.is_empty(), "as much as is allowed is allowed");
    let plan = at(86);
    insta::assert_snapshot!(short(&plan, "c0"), @"");
    insta::assert_snapshot!(plan.rails[0].message, @"");
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
    insta::assert_snapshot!(plan.rails[0].message, @"");
    insta::assert_snapshot!(short(&plan, "c3"), @"");
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
    insta::assert_snapshot!(plan.rails[0].message, @"");
}

#[test]
fn a_removal_that_a_rail_stops_frees_no_seat() {
    let world = World::in_agreement(vec![client("acme", &["jane@acme.example"])]).with(|w| {
        w.client(0).membership = Membership::Exclusive;
        w.members(0)[1] = member("x@y.example");
        w.sign_up(&["jane@acme.example"]);
    });
    insta::assert_snapshot!(world.text(), @"");
}
