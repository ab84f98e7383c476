//! Who comes, who waits, who leaves, and who may do what.

use bursar::domain::Access;
use bursar::manifest::{Membership, WantedPlan};
use bursar::plan::{MaxRemovals, Op, OpKind, Reading, Reason, VerdictState};
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
    insta::assert_snapshot!(world.text(), @r#"
    acme (account 1)  clients/acme.yaml:1  +29.00 a month
      ~ seats from 2 to 3
      + add jane@acme.example with full access

    People who get full access
      jane@acme.example: acme

    List price a month in USD: 58.00 now, 87.00 after, +29.00
    Plan: 1 to change seats, 1 to add; 2 requests.
    "#);
}

#[test]
fn nobody_pays_for_a_person_who_has_not_signed_up() {
    let world = acme(&[JANE], |w| {
        w.members(0).pop();
        w.subscription(0).seats = Some(1);
    });
    insta::assert_snapshot!(world.text(), @"
    acme (account 1)  clients/acme.yaml:1  +29.00 a month
      + add jane@acme.example with full access; once signed up, then also a seat at 29.00 a month

    People who get full access
      jane@acme.example: acme

    List price a month in USD: 29.00 now, 58.00 after, +29.00
    Plan: 1 to add; 1 request.
    ");
    let waiting = world.clone().with(|w| {
        w.tried("acme", OpKind::AddMember, Some(JANE), VerdictState::Waiting, Some(Reason::AwaitingSignup));
    });
    insta::assert_snapshot!(waiting.text(), @r#"
    acme (account 1)  clients/acme.yaml:1  +29.00 a month
      … add jane@acme.example with full access: the server said so (AwaitingSignup)

    List price a month in USD: 29.00 now, 58.00 after, +29.00
    Nothing planned; 1 waiting.
    "#);
    assert_eq!(world.plan().digest, waiting.plan().digest, "who waits for a sign-up counts as planned");
    assert_eq!(world.plan().accounts[0].digest, waiting.plan().accounts[0].digest);
    let joined = waiting.with(|w| w.sign_up(&[JANE]));
    insta::assert_snapshot!(said(&joined), @"Changes: SetSeats Planned, AddMember jane@acme.example Planned");
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
    insta::assert_snapshot!(said(&acme(&[JANE], |w| other(w, member("Jane@ACME.example")))), @"Changes: SetSeats Planned, AddMember jane@acme.example Planned");
    insta::assert_snapshot!(said(&acme(&[JANE], |w| other(w, invited(JANE)))), @"Changes: AddMember jane@acme.example Planned");
}

#[test]
fn where_the_server_invites_anybody_has_a_seat_from_the_start() {
    let world = acme(&[JANE], |w| {
        w.set_capabilities(&[Capability::Invitations]);
        w.members(0).pop();
        w.subscription(0).seats = Some(1);
    });
    insta::assert_snapshot!(said(&world), @"Changes: SetSeats Planned, AddMember jane@acme.example Planned");
}

#[test]
fn an_invitation_is_waited_for_and_not_sent_again() {
    let world = acme(&[JANE], |w| w.members(0)[1] = invited(JANE));
    insta::assert_snapshot!(world.text(), @r#"
    acme (account 1)  clients/acme.yaml:1
      … add jane@acme.example with full access: jane@acme.example has been invited and has not accepted yet (AwaitingAcceptance)

    Nothing planned; 1 waiting.
    "#);
}

#[test]
fn what_became_of_one_person_concerns_that_person_only() {
    let world = acme(&[JANE, PAT], |w| {
        w.members(0).truncate(1);
        w.subscription(0).seats = Some(1);
        w.sign_up(&[JANE, PAT]);
        w.tried("acme", OpKind::AddMember, Some(PAT), VerdictState::Blocked, Some(Reason::NotPermitted));
    });
    insta::assert_snapshot!(said(&world), @"Blocked: SetSeats Planned, AddMember jane@acme.example Planned, AddMember pat@agency.example Blocked(NotPermitted)");
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
    insta::assert_snapshot!(world.text(), @"
    acme (account 1)  clients/acme.yaml:1
      ! seats from 2 to 3: the server said so (PaymentRequired)
      + add jane@acme.example with full access
        skipped: add pat@agency.example with full access: needs a seat, and none is bought
      + add zoe@acme.example with full access; once signed up, then also a seat at 29.00 a month

    People who get full access
      jane@acme.example: acme
      zoe@acme.example: acme

    List price a month in USD: 58.00 now, 58.00 after, 0.00
    Plan: 2 to add; 1 blocked; 2 requests.
    ");
}

#[test]
fn access_is_set_and_limited_access_needs_a_plan_and_a_server_that_have_it() {
    let limited = |w: &mut World| w.client(0).members[0].access = Access::Limited;
    insta::assert_snapshot!(acme(&[JANE], limited).text(), @r#"
    acme (account 1)  clients/acme.yaml:1
      ~ access of jane@acme.example from full to limited

    List price a month in USD: 58.00 now, 58.00 after, 0.00
    Plan: 1 to change access; 1 request.
    "#);
    let without = acme(&[JANE], |w| {
        limited(w);
        w.set_capabilities(&[]);
    });
    insta::assert_snapshot!(said(&without), @"Blocked: SetAccess jane@acme.example Blocked(AccessUnavailable)");
    let coming = acme(&[JANE], |w| {
        limited(w);
        w.set_capabilities(&[]);
        w.members(0).pop();
    });
    insta::assert_snapshot!(said(&coming), @"Blocked: AddMember jane@acme.example Blocked(AccessUnavailable)");
    let single = acme(&[JANE], |w| {
        limited(w);
        w.client(0).plan = WantedPlan::Untouched;
        w.account(0).subscription = Reading::Seen(Some(subscription(SOLO, None)));
    });
    insta::assert_snapshot!(said(&single), @"Blocked: SetAccess jane@acme.example Blocked(AccessUnavailable)");
    let back = acme(&[JANE], |w| w.members(0)[1].access = Access::Limited);
    insta::assert_snapshot!(said(&back), @"Changes: SetAccess jane@acme.example Planned");
}

#[test]
fn an_unlisted_member_is_drift_and_leaves_an_exclusive_account_where_that_is_allowed() {
    let world = acme(&[JANE], |w| {
        w.members(0).push(member("x@y.example"));
        w.members(0).push(invited("z@y.example"));
        w.subscription(0).seats = Some(4);
    });
    insta::assert_snapshot!(world.text(), @r#"
    Drift
      acme (1): x@y.example is a member with full access, and no manifest lists them
      acme (1): z@y.example is invited with full access, and no manifest lists them

    Nothing to do; 1 client is in sync.
    "#);
    let exclusive = world.with(|w| w.client(0).membership = Membership::Exclusive);
    insta::assert_snapshot!(exclusive.text(), @r#"
    acme (account 1)  clients/acme.yaml:1
      ! remove x@y.example (full access): nobody lists them, but removals are off; allow them with --allow-removals, or list them (GuardRail)
      ! revoke the invitation of z@y.example: nobody lists them, but removals are off; allow them with --allow-removals, or list them (GuardRail)

    Drift
      acme (1): x@y.example is a member with full access, and no manifest lists them
      acme (1): z@y.example is invited with full access, and no manifest lists them

    Guard rails
      --allow-removals off: 2 members of exclusive accounts, whom no manifest lists, would be removed and stay; allow it with --allow-removals

    Nothing planned; 2 blocked.
    "#);
    let allowed = exclusive.with(|w| w.policy.allow_removals = true);
    insta::assert_snapshot!(allowed.text(), @r#"
    acme (account 1)  clients/acme.yaml:1
      - remove x@y.example (full access)
      - revoke the invitation of z@y.example

    Drift
      acme (1): x@y.example is a member with full access, and no manifest lists them
      acme (1): z@y.example is invited with full access, and no manifest lists them
      acme (1): 2 spare seats, 58.00 a month; --trim-seats cuts them at renewal

    List price a month in USD: 116.00 now, 116.00 after, 0.00
    Plan: 2 to remove; 2 requests.
    "#);
}

#[test]
fn nobody_takes_the_seat_of_somebody_who_could_not_be_removed_yet() {
    let world = acme(&[JANE], |w| {
        w.members(0)[1] = member("x@y.example");
        w.client(0).membership = Membership::Exclusive;
        w.policy.allow_removals = true;
        w.sign_up(&[JANE]);
        w.tried("acme", OpKind::RemoveMember, Some("x@y.example"), VerdictState::Failed, None);
    });
    insta::assert_snapshot!(said(&world), @"Failed: RemoveMember x@y.example Failed, AddMember jane@acme.example Skipped(DependencyNotMet)");
}

#[test]
fn a_seat_that_a_removal_frees_is_not_bought() {
    let world = acme(&[JANE], |w| {
        w.members(0)[1] = member("x@y.example");
        w.client(0).membership = Membership::Exclusive;
        w.policy.allow_removals = true;
        w.sign_up(&[JANE]);
    });
    insta::assert_snapshot!(said(&world), @"Changes: RemoveMember x@y.example Planned, AddMember jane@acme.example Planned");
    let still_one_short = world.with(|w| {
        w.client(0).members.push(client("x", &[PAT]).members.remove(0));
        w.sign_up(&[PAT]);
    });
    insta::assert_snapshot!(said(&still_one_short), @"Changes: RemoveMember x@y.example Planned, SetSeats Planned, AddMember jane@acme.example Planned, AddMember pat@agency.example Planned");
}

#[test]
fn an_offboarding_comes_first_and_passes_the_rails() {
    let world = World::in_agreement(vec![client("acme", &[PAT, JANE]), client("globex", &[PAT])]).with(|w| {
        w.client(1).members.clear();
        w.client(0).notification_email = email("new@agency.example");
        w.client(0).account_id = Some(bursar::domain::AccountId::new("1"));
        w.policy.max_removals = MaxRemovals::of_percent(0);
        w.offboard(&["Pat@agency.example"]);
    });
    insta::assert_snapshot!(world.text(), @r#"
    acme (account 1)  clients/acme.yaml:1
      - remove pat@agency.example (full access); offboarded by leavers: left the agency
      ~ notification email from dns+acme@agency.example to new@agency.example

    globex (account 2)  clients/globex.yaml:1
      - remove pat@agency.example (full access); offboarded by leavers: left the agency

    Drift
      acme (1): 1 spare seat, 29.00 a month; --trim-seats cuts them at renewal
      globex (2): 1 spare seat, 29.00 a month; --trim-seats cuts them at renewal

    List price a month in USD: 145.00 now, 145.00 after, 0.00
    Plan: 1 to update, 2 to remove; 3 requests.
    "#);
    let plan = world.plan();
    let removals = plan.accounts.iter().flat_map(|account| &account.actions);
    assert!(removals.filter(|a| a.op.kind() == OpKind::RemoveMember).all(|action| action.offboarding));
}

#[test]
fn neither_ourselves_nor_the_last_with_full_access_are_removed() {
    let ours = acme(&[], |w| w.offboard(&[OURSELVES]));
    insta::assert_snapshot!(said(&ours), @"Blocked: RemoveMember agency@example.com Blocked(LastFullAccess)");
    let last = acme(&[PAT], |w| {
        w.members(0)[0].access = Access::Limited;
        w.offboard(&[PAT]);
    });
    insta::assert_snapshot!(said(&last), @"Blocked: RemoveMember pat@agency.example Blocked(LastFullAccess)");
    let both = acme(&[PAT, JANE], |w| {
        w.members(0)[0].access = Access::Limited;
        w.offboard(&[PAT, JANE]);
    });
    insta::assert_snapshot!(said(&both), @"Blocked: RemoveMember jane@acme.example Planned, RemoveMember pat@agency.example Blocked(LastFullAccess)");
    let demoted = acme(&[PAT], |w| {
        w.members(0)[0].access = Access::Limited;
        w.client(0).members[0].access = Access::Limited;
    });
    insta::assert_snapshot!(said(&demoted), @"Blocked: SetAccess pat@agency.example Blocked(LastFullAccess)");
}

#[test]
fn our_own_user_is_wanted_or_not_and_is_there() {
    insta::assert_snapshot!(said(&acme(&[OURSELVES], |w| { w.members(0).pop(); w.subscription(0).seats = Some(1); })), @"InSync:");
    let exclusive = acme(&[], |w| w.client(0).membership = Membership::Exclusive);
    insta::assert_snapshot!(said(&exclusive), @"InSync:");
}

#[test]
fn members_without_a_plan_for_several_are_blocked_with_the_reason() {
    let solo =
        World::empty(vec![client("acme", &[JANE])]).with(|w| w.client(0).plan = WantedPlan::Choice("solo".to_owned()));
    insta::assert_snapshot!(solo.text(), @r#"
    acme (new)  clients/acme.yaml:1
      + create the account "Acme", notified at dns+acme@agency.example
      + subscribe to solo-v2-monthly
      ! add jane@acme.example with full access: solo-v2-monthly takes the owner only; choose a plan for several members, or list nobody (PlanTakesOneMember)

    List price a month in USD: 0.00 now, 0.00 after, 0.00
    Plan: 1 to create, 1 to subscribe; 1 blocked; 2 requests.
    "#);
    let none = World::empty(vec![client("acme", &[JANE])]).with(|w| w.client(0).plan = WantedPlan::Nothing);
    insta::assert_snapshot!(said(&none), @"Blocked: CreateAccount Planned, AddMember jane@acme.example Blocked(PlanUnavailable)");
    let untouched = World::empty(vec![client("acme", &[JANE])]).with(|w| w.client(0).plan = WantedPlan::Untouched);
    insta::assert_snapshot!(said(&untouched), @"Blocked: CreateAccount Planned, AddMember jane@acme.example Blocked(PlanUnavailable)");
    let small = World::empty(vec![client("acme", &[JANE, PAT, "zoe@acme.example"])])
        .with(|w| w.client(0).plan = WantedPlan::Choice("small".to_owned()));
    insta::assert_snapshot!(said(&small), @"Blocked: CreateAccount Planned, Subscribe Planned, AddMember jane@acme.example Blocked(TooManyMembers), AddMember pat@agency.example Blocked(TooManyMembers), AddMember zoe@acme.example Blocked(TooManyMembers)");
}
