//! Servers with ways of their own: accounts made with their plan, emails set afterwards,
//! roles, fixed billing periods, and subscriptions that end with the account only.

use bursar::domain::{Access, AccountId, AccountName, ClientName, Money, PlanFamily, PlanId, Role};
use bursar::manifest::{Client, WantedPlan};
use bursar::plan::{Action, ActionState, Op, OpKind, Reading, VerdictState, describe};
use bursar::provider::{Capability, NewPlan, PlanOffer, Quirk, RoleOffer};

use super::world::{World, client, email, short, subscription, title};

const JANE: &str = "jane@acme.example";
const PAT: &str = "pat@agency.example";

fn pro(id: &str, yearly: bool, base: i64) -> PlanOffer {
    PlanOffer {
        id: PlanId::new(id),
        name: "Pro".into(),
        family: PlanFamily::new("pro"),
        yearly,
        base_price: Some(Money::cents(base)),
        included_seats: Some(1),
        seat_price: Some(Money::cents(base)),
        max_members: None,
        multi_member: true,
        available: true,
    }
}

/// A server with every way of its own.
fn server(w: &mut World) {
    w.set_capabilities(&[Capability::LimitedAccess, Capability::Invitations]);
    let offer = &mut w.live.offer;
    offer.quirks = Quirk::ALL.into();
    let role = |name, access| RoleOffer { role: Role::new(name), access };
    offer.roles =
        vec![role("Owner", Access::Full), role("Developer", Access::Limited), role("Reviewer", Access::Limited)];
    offer.plans = vec![pro("pro-monthly", false, 1900), pro("pro-yearly", true, 18_000)];
}

fn wants(client: &mut Client, plan: &str) {
    client.plan = WantedPlan::Choice(plan.to_owned());
}

fn acme(members: &[&str]) -> Client {
    let mut acme = client("acme", members);
    wants(&mut acme, "pro");
    acme
}

/// The account as it is on this server: `plan` with these seats.
fn with_plan(w: &mut World, plan: &str, seats: u32) {
    let account = w.account(0);
    account.account.plan = Some(PlanId::new(plan));
    account.subscription = Reading::Seen(Some(subscription(plan, Some(seats))));
}

fn said(world: &World) -> String {
    short(&world.plan(), "acme")
}

#[test]
fn account_and_plan_are_shown_as_the_one_request_that_they_are() {
    let world = World::empty(vec![acme(&[JANE, PAT])]).with(server);
    insta::assert_snapshot!(world.text(), @r#"
    acme (new)  clients/acme.yaml:1  +57.00 a month
      + create the account "Acme" and subscribe it to pro-monthly with 3 seats, in one request
      ~ notification email dns+acme@agency.example
      + add jane@acme.example with full access
      + add pat@agency.example with full access

    People who get full access
      jane@acme.example: acme
      pat@agency.example: acme

    List price a month in USD: 0.00 now, 57.00 after, +57.00
    Plan: 1 to create, 1 to update, 1 to subscribe, 2 to add; 4 requests.
    "#);
    let plan = world.plan();
    assert_eq!((plan.summary.create_account, plan.summary.subscribe, plan.requests.to_apply), (1, 1, 4));
    let create = &plan.accounts[0].actions[0].op;
    let with = NewPlan { plan: PlanId::new("pro-monthly"), seats: Some(3) };
    assert_eq!(*create, Op::CreateAccount { name: AccountName::new(title("acme")), email: None, plan: Some(with) });
}

#[test]
fn what_keeps_the_plan_from_being_chosen_keeps_the_account_from_being_made() {
    let unknown = World::empty(vec![acme(&[JANE])]).with(server).with(|w| wants(w.client(0), "prro"));
    insta::assert_snapshot!(unknown.text(), @r#"
    acme (no account)  clients/acme.yaml:1
      ! create the account "Acme" and subscribe it to prro, in one request: no plan or family is called prro; did you mean pro? (PlanUnavailable)
        skipped: notification email dns+acme@agency.example: the account is not created
        skipped: add jane@acme.example with full access: the account is not created

    Nothing planned; 1 blocked.
    "#);
    let unsaid = World::empty(vec![acme(&[])]).with(server).with(|w| w.client(0).plan = WantedPlan::Untouched);
    insta::assert_snapshot!(unsaid.text(), @r#"
    acme (no account)  clients/acme.yaml:1
      ! create the account "Acme": this server makes no account without a plan, and the manifest names none; write plan: with the one that it is to have (PlanUnavailable)
        skipped: notification email dns+acme@agency.example: the account is not created

    Nothing planned; 1 blocked.
    "#);
    let unpayable = World::empty(vec![acme(&[JANE])]).with(server).with(|w| {
        w.live.offer.unpayable = Some("there is no payment method; add a card first".to_owned());
    });
    insta::assert_snapshot!(unpayable.text(), @r#"
    acme (no account)  clients/acme.yaml:1
      ! create the account "Acme" and subscribe it to pro-monthly with 2 seats, in one request: there is no payment method; add a card first (PaymentRequired)
        skipped: notification email dns+acme@agency.example: the account is not created
        skipped: add jane@acme.example with full access: the account is not created

    Nothing planned; 1 blocked.
    "#);
}

#[test]
fn where_nothing_can_be_paid_what_costs_nothing_more_goes_on() {
    let world = World::in_agreement(vec![acme(&[JANE])]).with(server).with(|w| {
        with_plan(w, "pro-monthly", 2);
        w.members(0).pop();
        w.live.offer.unpayable = Some("there is no payment method; add a card first".to_owned());
    });
    insta::assert_snapshot!(said(&world), @"Changes: AddMember jane@acme.example Planned");
    let short_of_a_seat = world.with(|w| with_plan(w, "pro-monthly", 1));
    insta::assert_snapshot!(said(&short_of_a_seat), @"Blocked: SetSeats Blocked(PaymentRequired), AddMember jane@acme.example Skipped(DependencyNotMet)");
}

#[test]
fn the_rail_on_money_stops_an_account_that_comes_with_its_plan() {
    let world = World::empty(vec![acme(&[JANE])]).with(server).with(|w| {
        w.policy.max_monthly_increase = Some(Money::cents(2000));
    });
    insta::assert_snapshot!(said(&world), @"Blocked: CreateAccount Blocked(GuardRail), UpdateAccount Skipped(DependencyNotMet), AddMember jane@acme.example Skipped(DependencyNotMet)");
}

#[test]
fn a_family_means_its_plan_by_the_month_and_a_year_is_named() {
    let chosen = |word: &str| {
        let world = World::empty(vec![acme(&[])]).with(server).with(|w| wants(w.client(0), word));
        describe(&world.plan().accounts[0].actions[0].op)
    };
    insta::assert_snapshot!(chosen("pro"), @r#"create the account "Acme" and subscribe it to pro-monthly with 1 seat, in one request"#);
    insta::assert_snapshot!(chosen("pro-yearly"), @r#"create the account "Acme" and subscribe it to pro-yearly with 1 seat, in one request"#);
}

#[test]
fn a_period_that_cannot_be_changed_is_said_beforehand() {
    let by_the_year = |word: &str| {
        World::in_agreement(vec![acme(&[])]).with(server).with(|w| {
            with_plan(w, "pro-yearly", 1);
            wants(w.client(0), word);
        })
    };
    insta::assert_snapshot!(said(&by_the_year("pro")), @"InSync:");
    insta::assert_snapshot!(by_the_year("pro-monthly").text(), @"
    acme (account 1)  clients/acme.yaml:1
      ! change the plan from pro-yearly to pro-monthly with 1 seat: this server changes no billing period: write a plan of the same period, or change it by hand (PlanUnavailable)

    Nothing planned; 1 blocked.
    ");
}

#[test]
fn a_subscription_that_ends_with_the_account_only_is_left_to_a_person() {
    let world = World::in_agreement(vec![acme(&[])]).with(server).with(|w| {
        with_plan(w, "pro-monthly", 1);
        w.client(0).plan = WantedPlan::Nothing;
        w.policy.allow_unsubscribe = true;
    });
    insta::assert_snapshot!(world.text(), @"
    acme (account 1)  clients/acme.yaml:1  -19.00 a month
      * cancel the subscription to pro-monthly, by hand
        1. Close the account at the service, if that is meant; or write plan: with the one that is to stay. This server ends a subscription with its account only, and bursar closes no account.

    List price a month in USD: 19.00 now, 0.00 after, -19.00
    Nothing planned; 1 by hand.
    ");
}

#[test]
fn a_role_is_asked_for_by_the_servers_own_word() {
    let mut reviewed = acme(&[JANE, PAT]);
    for member in &mut reviewed.members {
        member.role = Some(Role::new(if member.email == email(JANE) { "Reviewer" } else { "Owner" }));
    }
    let world = World::empty(vec![reviewed.clone()]).with(server);
    insta::assert_snapshot!(world.text(), @r#"
    acme (new)  clients/acme.yaml:1  +57.00 a month
      + create the account "Acme" and subscribe it to pro-monthly with 3 seats, in one request
      ~ notification email dns+acme@agency.example
      + add jane@acme.example as Reviewer
      + add pat@agency.example as Owner (full access)

    People who get full access
      pat@agency.example: acme

    List price a month in USD: 0.00 now, 57.00 after, +57.00
    Plan: 1 to create, 1 to update, 1 to subscribe, 2 to add; 4 requests.
    "#);

    // Jane is in it, with the access but not the role; Pat is as wanted.
    let there = World::in_agreement(vec![reviewed.clone()]).with(server).with(|w| {
        with_plan(w, "pro-monthly", 3);
        for member in w.members(0) {
            let jane = member.email == email(JANE);
            member.access = if jane { Access::Limited } else { Access::Full };
            member.role = Some(Role::new(if jane { "Developer" } else { "Owner" }));
        }
    });
    insta::assert_snapshot!(there.text(), @"
    acme (account 1)  clients/acme.yaml:1
      ~ role of jane@acme.example to Reviewer (limited access as before)

    List price a month in USD: 57.00 now, 57.00 after, 0.00
    Plan: 1 to change access; 1 request.
    ");

    let unknown = World::empty(vec![reviewed]).with(server).with(|w| w.live.offer.roles.truncate(1));
    insta::assert_snapshot!(short(&unknown.plan(), "acme"), @"Blocked: CreateAccount Planned, UpdateAccount Planned, AddMember jane@acme.example Blocked(AccessUnavailable), AddMember pat@agency.example Planned");
    let message = |world: &World| {
        let plan = world.plan();
        let add =
            |action: &&Action| matches!(&action.op, Op::AddMember { email: person, .. } if *person == email(JANE));
        plan.accounts[0].actions.iter().find(add).unwrap().message.clone()
    };
    assert_eq!(message(&unknown), "this server has no role Reviewer; it has Owner");
    // Nobody is told to get full access by a role that is not there, nor to lose any.
    assert!(!unknown.text().contains("add jane@acme.example as Reviewer (full access)"));
    let theirs = there.with(|w| w.live.offer.roles.truncate(1));
    insta::assert_snapshot!(said(&theirs), @"Blocked: SetAccess jane@acme.example Blocked(AccessUnavailable)");
    let without = unknown.with(|w| w.live.offer.roles.clear());
    assert_eq!(
        message(&without),
        "this server has no roles, and so no Reviewer; write access: full or access: limited in its place"
    );
}

#[test]
fn without_a_role_any_role_of_that_access_will_do() {
    let mut limited = acme(&[JANE]);
    limited.members[0].access = Access::Limited;
    let world = World::in_agreement(vec![limited]).with(server).with(|w| {
        with_plan(w, "pro-monthly", 2);
        for member in w.members(0).iter_mut().filter(|member| member.email == email(JANE)) {
            member.role = Some(Role::new("Reviewer"));
        }
    });
    insta::assert_snapshot!(said(&world), @"InSync:");
}

#[test]
fn an_account_that_was_made_for_a_client_is_theirs_before_it_has_their_email() {
    let half = |made: Option<&str>| {
        World::in_agreement(vec![acme(&[])]).with(server).with(|w| {
            with_plan(w, "pro-monthly", 1);
            w.account(0).account.email = Some(email("agency@example.com"));
            let acme = ClientName::parse("acme").unwrap();
            w.known.made.extend(made.map(|id| (acme, AccountId::new(id))));
        })
    };
    insta::assert_snapshot!(said(&half(Some("1"))), @"Changes: UpdateAccount Planned");
    insta::assert_snapshot!(said(&half(Some("2"))), @"Blocked: UpdateAccount Blocked(AdoptionNeeded)");
    insta::assert_snapshot!(said(&half(None)), @"Blocked: UpdateAccount Blocked(AdoptionNeeded)");
}

#[test]
fn a_create_that_was_refused_keeps_its_plan_and_says_why() {
    let world = World::empty(vec![acme(&[JANE])]).with(server).with(|w| {
        w.tried("acme", OpKind::CreateAccount, None, VerdictState::Failed, None);
    });
    insta::assert_snapshot!(said(&world), @"Failed: CreateAccount Failed, UpdateAccount Skipped(DependencyNotMet), AddMember jane@acme.example Skipped(DependencyNotMet)");
    let plan = world.plan();
    let create = &plan.accounts[0].actions[0];
    assert_eq!((create.state, create.message.as_str()), (ActionState::Failed, "the server said so"));
}
