//! Who comes, who waits, who leaves, and who may do what.

use bursar::domain::Access;
use bursar::manifest::{Membership, WantedPlan};
use bursar::plan::{Op, OpKind, Reading, Reason, VerdictState};
use bursar::provider::Capability;

use super::world::{OURSELVES, SOLO, World, client, email, invited, member, short, subscription};

const JANE: &str = "jane@acme.example";
const PAT: &str = "pat@agency.example";

/// One client in agreement, changed.
fn acme(members: &[&str], change: impl FnOnce(&mut World)) -> World {
    World::in_agreement(vec![client("acme", members)]).with(change)
}

fn said(world: &World) -> String {
    short(&world.plan(), "acme")
}

#[test]
fn a_person_who_is_a_user_gets_a_seat_and_comes() {
    let world = acme(&[JANE, PAT], |w| {
        w.members(0).retain(|m| m.email != email(JANE));
        w.subscription(0).seats = Some(2);
        w.sign_up(&[JANE]);
    });
    insta::assert_snapshot!(world.text(), @"");
}

#[test]
fn nobody_pays_for_a_person_who_has_not_signed_up() {
    let world = acme(&[JANE], |w| {
        w.members(0).pop();
        w.subscription(0).seats = Some(1);
    });
    insta::assert_snapshot!(world.text(), @"");
    let waiting = world.clone().with(|w| {
        w.tried("acme", OpKind::AddMember, Some(JANE), VerdictState::Waiting, Some(Reason::AwaitingSignup));
    });
    insta::assert_snapshot!(waiting.text(), @"");
    assert_eq!(world.plan().digest, waiting.plan().digest, "who waits for a sign-up counts as planned");
    assert_eq!(world.plan().accounts[0].digest, waiting.plan().accounts[0].digest);
    let joined = waiting.with(|w| w.sign_up(&[JANE]));
    insta::assert_snapshot!(said(&joined), @"");
}

#[test]
fn a_member_of_any_account_is_a_user_an_invited_person_is_not() {
    let other = |w: &mut World, person| {
        let theirs = super::world::account("77", &client("other", &[]));
        w.live.accounts.push(theirs);
        w.members(1).push(person);
        w.members(0).pop();
        w.subscription(0).seats = Some(1);
    };
    insta::assert_snapshot!(said(&acme(&[JANE], |w| other(w, member("Jane@ACME.example")))), @"");
    insta::assert_snapshot!(said(&acme(&[JANE], |w| other(w, invited(JANE)))), @"");
}

#[test]
fn where_the_server_invites_anybody_has_a_seat_from_the_start() {
    let world = acme(&[JANE], |w| {
        w.set_capabilities(&[Capability::Invitations]);
        w.members(0).pop();
        w.subscription(0).seats = Some(1);
    });
    insta::assert_snapshot!(said(&world), @"");
}

#[test]
fn an_invitation_is_waited_for_and_not_sent_again() {
    let world = acme(&[JANE], |w| w.members(0)[1] = invited(JANE));
    insta::assert_snapshot!(world.text(), @"");
}

#[test]
fn what_became_of_one_person_concerns_that_person_only() {
    let world = acme(&[JANE, PAT], |w| {
        w.members(0).truncate(1);
        w.subscription(0).seats = Some(1);
        w.sign_up(&[JANE, PAT]);
        w.tried("acme", OpKind::AddMember, Some(PAT), VerdictState::Blocked, Some(Reason::NotPermitted));
    });
    insta::assert_snapshot!(said(&world), @"");
    let Op::SetSeats { to, .. } = world.plan().accounts[0].actions[0].op else { panic!("seats first") };
    assert_eq!(to, 2, "no seat for a person who is blocked");
}

#[test]
fn seats_that_are_not_bought_keep_out_those_who_need_one() {
    let world = acme(&[JANE, PAT, "zoe@acme.example"], |w| {
        w.members(0).truncate(1);
        w.subscription(0).seats = Some(2);
        w.sign_up(&[JANE, PAT]);
        w.tried("acme", OpKind::SetSeats, None, VerdictState::Blocked, Some(Reason::PaymentRequired));
    });
    insta::assert_snapshot!(world.text(), @"");
}

#[test]
fn access_is_set_and_limited_access_needs_a_plan_and_a_server_that_have_it() {
    let limited = |w: &mut World| w.client(0).members[0].access = Access::Limited;
    insta::assert_snapshot!(acme(&[JANE], limited).text(), @"");
    let without = acme(&[JANE], |w| {
        limited(w);
        w.set_capabilities(&[]);
    });
    insta::assert_snapshot!(said(&without), @"");
    let coming = acme(&[JANE], |w| {
        limited(w);
        w.set_capabilities(&[]);
        w.members(0).pop();
    });
    insta::assert_snapshot!(said(&coming), @"");
    let single = acme(&[JANE], |w| {
        limited(w);
        w.client(0).plan = WantedPlan::Untouched;
        w.account(0).subscription = Reading::Seen(Some(subscription(SOLO, None)));
    });
    insta::assert_snapshot!(said(&single), @"");
    let back = acme(&[JANE], |w| w.members(0)[1].access = Access::Limited);
    insta::assert_snapshot!(said(&back), @"");
}

#[test]
fn an_unlisted_member_is_drift_and_leaves_an_exclusive_account_where_that_is_allowed() {
    let world = acme(&[JANE], |w| {
        w.members(0).push(member("x@y.example"));
        w.members(0).push(invited("z@y.example"));
        w.subscription(0).seats = Some(4);
    });
    insta::assert_snapshot!(world.text(), @"");
    let exclusive = world.with(|w| w.client(0).membership = Membership::Exclusive);
    insta::assert_snapshot!(exclusive.text(), @"");
    let allowed = exclusive.with(|w| w.policy.allow_removals = true);
    insta::assert_snapshot!(allowed.text(), @"");
}

#[test]
fn a_seat_that_a_removal_frees_is_not_bought() {
    let world = acme(&[JANE], |w| {
        w.members(0)[1] = member("x@y.example");
        w.client(0).membership = Membership::Exclusive;
        w.policy.allow_removals = true;
        w.sign_up(&[JANE]);
    });
    insta::assert_snapshot!(said(&world), @"");
    let still_one_short = world.with(|w| {
        w.client(0).members.push(client("x", &[PAT]).members.remove(0));
        w.sign_up(&[PAT]);
    });
    insta::assert_snapshot!(said(&still_one_short), @"");
}

#[test]
fn an_offboarding_comes_first_and_passes_the_rails() {
    let world = World::in_agreement(vec![client("acme", &[PAT, JANE]), client("globex", &[PAT])]).with(|w| {
        w.client(1).members.clear();
        w.client(0).notification_email = email("new@agency.example");
        w.client(0).account_id = Some(bursar::domain::AccountId::new("1"));
        w.policy.max_removals_percent = 0;
        w.offboard(&["Pat@agency.example"]);
    });
    insta::assert_snapshot!(world.text(), @"");
    let plan = world.plan();
    let removals = plan.accounts.iter().flat_map(|account| &account.actions);
    assert!(removals.filter(|a| a.op.kind() == OpKind::RemoveMember).all(|action| action.offboarding));
}

#[test]
fn neither_ourselves_nor_the_last_with_full_access_are_removed() {
    let ours = acme(&[], |w| w.offboard(&[OURSELVES]));
    insta::assert_snapshot!(said(&ours), @"");
    let last = acme(&[PAT], |w| {
        w.members(0)[0].access = Access::Limited;
        w.offboard(&[PAT]);
    });
    insta::assert_snapshot!(said(&last), @"");
    let both = acme(&[PAT, JANE], |w| {
        w.members(0)[0].access = Access::Limited;
        w.offboard(&[PAT, JANE]);
    });
    insta::assert_snapshot!(said(&both), @"");
    let demoted = acme(&[PAT], |w| {
        w.members(0)[0].access = Access::Limited;
        w.client(0).members[0].access = Access::Limited;
    });
    insta::assert_snapshot!(said(&demoted), @"");
}

#[test]
fn our_own_user_is_wanted_or_not_and_is_there() {
    insta::assert_snapshot!(said(&acme(&[OURSELVES], |w| { w.members(0).pop(); w.subscription(0).seats = Some(1); })), @"");
    let exclusive = acme(&[], |w| w.client(0).membership = Membership::Exclusive);
    insta::assert_snapshot!(said(&exclusive), @"");
}

#[test]
fn members_without_a_plan_for_several_are_blocked_with_the_reason() {
    let solo = World::empty(vec![client("acme", &[JANE])])
        .with(|w| w.client(0).plan = WantedPlan::Choice("solo".to_owned()));
    insta::assert_snapshot!(solo.text(), @"");
    let none = World::empty(vec![client("acme", &[JANE])]).with(|w| w.client(0).plan = WantedPlan::Nothing);
    insta::assert_snapshot!(said(&none), @"");
    let untouched = World::empty(vec![client("acme", &[JANE])]).with(|w| w.client(0).plan = WantedPlan::Untouched);
    insta::assert_snapshot!(said(&untouched), @"");
    let small = World::empty(vec![client("acme", &[JANE, PAT, "zoe@acme.example"])])
        .with(|w| w.client(0).plan = WantedPlan::Choice("small".to_owned()));
    insta::assert_snapshot!(said(&small), @"");
}
