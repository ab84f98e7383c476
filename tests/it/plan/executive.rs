//! The plan in short: what a reviewer must know is on the first screen, however long the plan.

use bursar::domain::{AccountId, Money};
use bursar::manifest::Membership;
use bursar::plan::render::{self, TextOptions};
use bursar::plan::{OpKind, Reason, VerdictState};

use super::world::{World, client, member};

const LEE: &str = "lee@old.example";

fn text(world: &World) -> String {
    render::text(&world.plan(), &TextOptions::default())
}

/// New clients, and one that somebody leaves, last by name.
fn one_removal_among(new: usize) -> World {
    let mut leaving = client("zenith", &["jane@zenith.example"]);
    leaving.membership = Membership::Exclusive;
    World::in_agreement(vec![leaving]).with(|w| {
        w.members(0).push(member(LEE));
        w.subscription(0).seats = Some(3);
        w.policy.allow_removals = true;
        (w.policy.max_creates, w.policy.max_subscriptions, w.policy.max_monthly_increase) = (None, None, None);
        let new = (0..new).map(|n| client(&format!("new{n:05}"), &[&format!("user{n:05}@new.example")]));
        w.wanted.clients.extend(new);
    })
}

#[test]
fn the_one_removal_among_five_hundred_changes_is_on_the_first_screen_of_the_terminal() {
    let world = one_removal_among(166);
    let planned = world.plan().accounts.iter().map(|account| account.actions.len()).sum::<usize>();
    assert_eq!(planned, 499);
    let text = text(&world);
    let screen: Vec<&str> = text.lines().take(24).collect();
    insta::assert_snapshot!(screen.join("\n"), @r#"
    In short
      List price a month in USD: 87.00 now, 9715.00 after, +9628.00
      1 removed or cancelled:
        - zenith: remove lee@old.example (full access)
      166 people get full access: user00000@new.example, user00001@new.example, user00002@new.example and 163 more

    zenith (account 1)  clients/zenith.yaml:1
      - remove lee@old.example (full access)

    new00000 (new)  clients/new00000.yaml:1  +58.00 a month
      + create the account "New00000", notified at dns+new00000@agency.example
      + subscribe to teams-v2-monthly with 1 seat
      + add user00000@new.example with full access; once signed up, then also a seat at 29.00 a month

    new00001 (new)  clients/new00001.yaml:1  +58.00 a month
      + create the account "New00001", notified at dns+new00001@agency.example
      + subscribe to teams-v2-monthly with 1 seat
      + add user00001@new.example with full access; once signed up, then also a seat at 29.00 a month

    new00002 (new)  clients/new00002.yaml:1  +58.00 a month
      + create the account "New00002", notified at dns+new00002@agency.example
      + subscribe to teams-v2-monthly with 1 seat
      + add user00002@new.example with full access; once signed up, then also a seat at 29.00 a month
    "#);
}

#[test]
fn of_ten_thousand_clients_the_short_form_fits_a_screen() {
    let world = one_removal_among(10_000).with(|w| {
        w.policy.max_creates = Some(9_999);
        w.policy.max_monthly_increase = Some(Money::cents(100));
        for n in 0..40 {
            let name = format!("new{n:05}");
            w.tried(&name, OpKind::Subscribe, None, VerdictState::Waiting, Some(Reason::SubscriptionSettling));
            w.tried(&name, OpKind::CreateAccount, None, VerdictState::Failed, None);
        }
        for n in 40..80 {
            w.client(n).account_id = Some(AccountId::new("99999"));
        }
    });
    let text = text(&world);
    let end = text.lines().position(str::is_empty).unwrap();
    assert!(end < 24, "{end} lines");
    insta::assert_snapshot!(text.lines().take(end).collect::<Vec<_>>().join("\n"), @r#"
    In short
      List price a month in USD: 87.00 now, 1218.00 after, +1131.00
      1 removed or cancelled:
        - zenith: remove lee@old.example (full access)
      guard rail: --max-monthly-increase 1.00: the list price would rise by 575418.00 a month, so no plan or seat is bought; look why, then let this plan pass by its digest (--approve), or set --max-monthly-increase 575418.00
      39 payments settle at the service: new00000, new00001, new00002 and 36 more
      39 failed: new00000, new00001, new00002 and 36 more
      9961 blocked, a person must act (AccountNotFound 40, GuardRail 9921): new00039, new00040, new00041 and 9958 more
    "#);
    let listed = text.lines().filter(|line| line.contains("(new)") || line.contains("(no account)")).count();
    assert_eq!(listed, 10_000, "and every client is told of below");
}

#[test]
fn a_plan_that_fits_a_screen_has_no_short_form() {
    let world = one_removal_among(2);
    insta::assert_snapshot!(text(&world), @r#"
    zenith (account 1)  clients/zenith.yaml:1
      - remove lee@old.example (full access)

    new00000 (new)  clients/new00000.yaml:1  +58.00 a month
      + create the account "New00000", notified at dns+new00000@agency.example
      + subscribe to teams-v2-monthly with 1 seat
      + add user00000@new.example with full access; once signed up, then also a seat at 29.00 a month

    new00001 (new)  clients/new00001.yaml:1  +58.00 a month
      + create the account "New00001", notified at dns+new00001@agency.example
      + subscribe to teams-v2-monthly with 1 seat
      + add user00001@new.example with full access; once signed up, then also a seat at 29.00 a month

    People who get full access
      user00000@new.example: new00000
      user00001@new.example: new00001

    Drift
      zenith (1): lee@old.example is a member with full access, and no manifest lists them
      zenith (1): 1 spare seat, 29.00 a month; --trim-seats cuts them at renewal

    List price a month in USD: 87.00 now, 203.00 after, +116.00
    Plan: 2 to create, 2 to subscribe, 1 to remove, 2 to add; 7 requests.
    "#);
}

#[test]
fn what_takes_away_stands_before_what_needs_somebody_and_that_before_the_rest() {
    let clients: Vec<_> =
        ["a-new", "b-blocked", "c-invited", "d-leaves", "e-failed"].iter().map(|n| client(n, &[])).collect();
    let world = World::in_agreement(clients).with(|w| {
        w.live.accounts.remove(0);
        w.client(1).account_id = Some(AccountId::new("404"));
        w.client(2).members = client("x", &["kim@invited.example"]).members;
        w.members(1).push(super::world::invited("kim@invited.example"));
        w.subscription(1).seats = Some(2);
        w.members(2).push(member(LEE));
        w.offboard(&[LEE]);
        w.client(4).members = client("x", &["pat@failed.example"]).members;
        w.sign_up(&["pat@failed.example"]);
        w.subscription(3).seats = Some(2);
        w.tried("e-failed", OpKind::AddMember, Some("pat@failed.example"), VerdictState::Failed, None);
    });
    let plan = world.plan();
    let text = render::text(&plan, &TextOptions::default());
    let heads: Vec<&str> =
        text.lines().filter(|line| line.contains("clients/")).map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(heads, ["d-leaves", "b-blocked", "e-failed", "a-new", "c-invited"], "{text}");
    let comment = render::markdown(&plan, false);
    let places: Vec<usize> = heads.iter().map(|name| comment.find(&format!("` {name} (")).unwrap()).collect();
    assert!(places.is_sorted(), "the comment has the same order: {comment}");
    assert!(
        comment.contains(
            "**What waits, and on whom**\n\n```text\n1 person has not accepted the invitation: kim@invited.example\n```"
        ),
        "{comment}"
    );
    assert!(comment.contains("**What needs a person**\n\n```text\n1 failed: e-failed\n1 blocked, a person must act (AccountNotFound 1): b-blocked\n```"), "{comment}");
}

#[test]
fn who_has_not_signed_up_is_told_by_name_and_counted_past_three() {
    let people: Vec<String> = (0..5).map(|n| format!("p{n}@acme.example")).collect();
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    let world = World::in_agreement(vec![client("acme", &people), client("beta", &people[..1])]).with(|w| {
        for (index, name) in ["acme", "beta"].into_iter().enumerate() {
            w.members(index).truncate(1);
            for person in &people[..if index == 0 { 5 } else { 1 }] {
                w.tried(name, OpKind::AddMember, Some(person), VerdictState::Waiting, Some(Reason::AwaitingSignup));
            }
        }
        w.wanted.clients.extend((0..30).map(|n| client(&format!("new{n}"), &["pat@agency.example"])));
    });
    let text = text(&world);
    insta::assert_snapshot!(text.lines().take(5).collect::<Vec<_>>().join("\n"), @r#"
    In short
      List price a month in USD: 232.00 now, 232.00 after, 0.00
      guard rail: --max-monthly-increase 1000.00: the list price would rise by 1740.00 a month, so no plan or seat is bought; look why, then let this plan pass by its digest (--approve), or set --max-monthly-increase 1740.00
      5 people have not signed up: p0@acme.example, p1@acme.example, p2@acme.example and 2 more
      30 blocked, a person must act (GuardRail 30): new0, new1, new10 and 27 more
    "#);
}
