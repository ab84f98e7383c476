//! What is held for second thoughts, why an account differs from its manifest, and prices
//! that changed.

use std::collections::{BTreeMap, BTreeSet};

use bursar::domain::{Access, AccountName, ClientName, Money, PlanId, Role};
use bursar::manifest::Membership;
use bursar::plan::render::{self, TextOptions};
use bursar::plan::{Applied, Cause, OldPrice, Op, Plan, Thought, applied, clocks};
use bursar::provider::NewPlan;
use jiff::Timestamp;

use super::world::{TEAMS, World, client, email, member, short};

const JANE: &str = "jane@acme.example";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Holds everything that is planned and may be held, until one time.
fn hold(world: World) -> World {
    let deeds = clocks(&world.plan()).run;
    world.with(|w| w.known.held = deeds.into_iter().map(|deed| (deed, at("2026-11-25T10:42:00Z"))).collect())
}

fn name(raw: &str) -> ClientName {
    ClientName::parse(raw).unwrap()
}

#[test]
fn what_costs_or_grants_is_held_and_says_until_when_and_how_to_stop_it() {
    let world = World::empty(vec![client("acme", &[JANE])]).with(|w| w.sign_up(&[JANE]));
    let free = world.plan();
    let held = hold(world);
    insta::assert_snapshot!(held.text(), @r#"
    acme (new)  clients/acme.yaml:1  +58.00 a month
      + create the account "Acme", notified at dns+acme@agency.example
      … subscribe to teams-v2-monthly with 2 seats: held until 2026-11-25 10:42:00 UTC for second thoughts; to stop it: revert, or bursar freeze (Held)
      … add jane@acme.example with full access: held until 2026-11-25 10:42:00 UTC for second thoughts; to stop it: revert, or bursar freeze (Held)

    People who get full access
      jane@acme.example: acme

    List price a month in USD: 0.00 now, 58.00 after, +58.00
    Plan: 1 to create; 2 waiting; 1 request.
    "#);
    assert_eq!(held.plan().digest, free.digest, "what is held counts as planned");
}

#[test]
fn who_leaves_goes_at_once_and_what_takes_access_back_is_not_held() {
    let (joe, pat) = ("joe@acme.example", "pat@agency.example");
    let world = World::in_agreement(vec![client("acme", &[JANE, joe, pat])]).with(|w| {
        w.client(0).members[1].access = Access::Limited;
        w.client(0).account_name = bursar::domain::AccountName::new("Acme Inc");
        w.client(0).account_id = Some(bursar::domain::AccountId::new("1"));
        w.members(0).retain(|member| member.email != email(JANE));
        w.offboard(&[pat]);
        w.sign_up(&[JANE]);
    });
    let held = hold(world);
    insta::assert_snapshot!(short(&held.plan(), "acme"), @"Changes: RemoveMember pat@agency.example Planned, UpdateAccount Planned, AddMember jane@acme.example Waiting(Held), SetAccess joe@acme.example Planned");
}

#[test]
fn a_freeze_drops_what_is_held_and_its_time_begins_anew() {
    let held = hold(World::empty(vec![client("acme", &[])]));
    let frozen = held.with(|w| w.known.frozen = Some("stop".to_owned()));
    insta::assert_snapshot!(short(&frozen.plan(), "acme"), @"Blocked: CreateAccount Blocked(Frozen), Subscribe Blocked(Frozen)");
    assert_eq!(clocks(&frozen.plan()), bursar::plan::Clocks::default(), "no clock goes on");
}

#[test]
fn a_plan_that_does_what_is_held_is_refused() {
    let world = World::in_agreement(vec![client("acme", &[JANE])]).with(|w| {
        w.members(0).truncate(1);
        w.sign_up(&[JANE]);
    });
    let (free, held) = (world.plan(), hold(world));
    let faults: Vec<String> = bursar::plan::lint(&free, &held.inputs()).iter().map(ToString::to_string).collect();
    assert_eq!(faults, ["acme: AddMember is planned while it is held"]);
}

#[test]
fn what_is_edited_while_it_is_held_is_thought_over_anew() {
    let add = |access, role: Option<&str>| Op::AddMember { email: email(JANE), access, role: role.map(Role::new) };
    let create = |name: &str, plan: &str, seats| Op::CreateAccount {
        name: AccountName::new(name),
        email: Some(email("dns+acme@agency.example")),
        plan: Some(NewPlan { plan: PlanId::new(plan), seats }),
    };
    let all = [
        add(Access::Limited, None),
        add(Access::Full, None),
        add(Access::Full, Some("Owner")),
        create("Acme", "starter", None),
        create("Acme", "enterprise", None),
        create("Acme", "enterprise", Some(9)),
        create("Acme Inc", "enterprise", Some(9)),
        Op::Subscribe { plan: PlanId::new("starter"), seats: Some(2) },
        Op::Subscribe { plan: PlanId::new("starter"), seats: Some(3) },
    ];
    let thoughts: BTreeSet<Thought> = all.iter().map(|op| Thought::of(&name("acme"), op)).collect();
    let keys: BTreeSet<String> = thoughts.iter().map(Thought::key).collect();
    assert_eq!((thoughts.len(), keys.len()), (all.len(), all.len()), "{keys:#?}");
    // The email of an account that is made neither costs nor grants.
    let Op::CreateAccount { name: called, email: _, plan } = &all[3] else { unreachable!() };
    let elsewhere = Op::CreateAccount { name: called.clone(), email: None, plan: plan.clone() };
    assert_eq!(Thought::of(&name("acme"), &elsewhere), Thought::of(&name("acme"), &all[3]));
}

#[test]
fn of_one_client_nothing_goes_ahead_piecemeal() {
    let joe = "joe@acme.example";
    let world = World::in_agreement(vec![client("acme", &[JANE, joe])]).with(|w| {
        w.members(0).truncate(1);
        w.sign_up(&[JANE, joe]);
    });
    let terms = format!("{JANE}/full/");
    let first = Thought { client: name("acme"), kind: bursar::plan::OpKind::AddMember, terms };
    let world = world.with(|w| {
        w.known.held.insert(first, at("2026-11-25T10:42:00Z"));
    });
    insta::assert_snapshot!(short(&world.plan(), "acme"), @"Waiting: AddMember jane@acme.example Waiting(Held), AddMember joe@acme.example Waiting(Held)");
}

/// What was so after a pass that left nothing open.
fn settled(world: &World) -> BTreeMap<ClientName, Applied> {
    let plan = world.plan();
    let clients = world.wanted.clients.iter().zip(&plan.accounts);
    clients
        .map(|(client, part)| {
            (client.name.clone(), applied(part, client, None, at("2026-11-02T08:00:00Z")).expect("it was seen"))
        })
        .collect()
}

fn causes(plan: &Plan) -> Vec<String> {
    let actions = plan.accounts.iter().flat_map(|account| &account.actions);
    actions.map(|action| format!("{:?}: {:?}", action.op.kind(), action.cause)).collect()
}

#[test]
fn what_a_hand_changed_is_told_apart_from_what_a_manifest_changed() {
    let (joe, eve) = ("joe@acme.example", "eve@else.example");
    let world = World::in_agreement(vec![client("acme", &[JANE, joe])]).with(|w| {
        w.client(0).membership = Membership::Exclusive;
        w.policy.allow_removals = true;
        w.sign_up(&[JANE, joe, "new@acme.example"]);
    });
    let before = settled(&world);
    assert_eq!(causes(&world.plan()), Vec::<String>::new());
    let world = world.with(|w| {
        // By hand: the notification email, Jane is out, Eve is in.
        w.account(0).account.email = Some(email("changed@agency.example"));
        w.client(0).previous_notification_emails = vec![email("changed@agency.example")];
        w.members(0).retain(|member| member.email != email(JANE));
        w.members(0).push(member(eve));
        // By the manifest: Joe is out, somebody new is in.
        let wanted = client("acme", &["new@acme.example", JANE]).members;
        w.client(0).members = wanted;
        w.known.applied = Some(before);
    });
    insta::assert_snapshot!(world.text(), @"
    acme (account 1)  clients/acme.yaml:1
      ~ notification email from changed@agency.example to dns+acme@agency.example; set back: changed elsewhere since 2026-11-02
      - remove eve@else.example (full access); set back: changed elsewhere since 2026-11-02
      - remove joe@acme.example (full access)
      + add jane@acme.example with full access; set back: changed elsewhere since 2026-11-02
      + add new@acme.example with full access

    People who get full access
      jane@acme.example: acme
      new@acme.example: acme

    Drift
      acme (1): eve@else.example is a member with full access, and no manifest lists them
      acme (1): joe@acme.example is a member with full access, and no manifest lists them

    List price a month in USD: 87.00 now, 87.00 after, 0.00
    Plan: 1 to update, 2 to remove, 2 to add; 5 requests.
    ");
    let json = render::json(&world.plan());
    let actions = &json["accounts"][0]["actions"];
    assert_eq!(actions[0]["cause"], "drift");
    assert_eq!(actions[0]["changed_since"], "2026-11-02T08:00:00Z");
    assert_eq!(actions[2]["cause"], "manifest");
    let without = world.clone().with(|w| w.known.applied = None);
    assert_eq!(without.plan().digest, world.plan().digest, "the cause is no part of the digest");
    assert!(without.plan().accounts[0].actions.iter().all(|action| action.cause.is_none()), "nothing is said");
}

#[test]
fn what_is_drift_stays_drift_until_it_is_set_right_or_no_more_wanted() {
    let world = World::in_agreement(vec![client("acme", &[JANE])]);
    let first = settled(&world).remove(&name("acme")).unwrap();
    let drifted = world.with(|w| {
        w.members(0).truncate(1);
    });
    let plan = drifted.plan();
    let later = at("2026-11-20T08:00:00Z");
    let again = applied(&plan.accounts[0], &drifted.wanted.clients[0], Some(&first), later).unwrap();
    assert_eq!((&again.marks, again.since), (&first.marks, first.since), "looked at again and again");
    let taken_out = drifted.with(|w| w.client(0).members.clear());
    let plan = taken_out.plan();
    let gone = applied(&plan.accounts[0], &taken_out.wanted.clients[0], Some(&again), later).unwrap();
    let back = taken_out.with(|w| {
        w.client(0).members = client("acme", &[JANE]).members;
        w.known.applied = Some(BTreeMap::from([(name("acme"), gone)]));
    });
    assert_eq!(back.plan().accounts[0].actions[0].cause, Some(Cause::Manifest), "wanted anew");
}

#[test]
fn a_client_for_whom_nothing_was_done_yet_is_new() {
    let world = World::empty(vec![client("acme", &[])]).with(|w| w.known.applied = Some(BTreeMap::new()));
    assert_eq!(causes(&world.plan()), ["CreateAccount: Some(New)", "Subscribe: Some(New)"]);
}

#[test]
fn a_change_of_a_list_price_is_told_with_what_it_means_a_month() {
    let world = World::in_agreement(vec![client("acme", &[JANE]), client("beta", &[])]).with(|w| {
        let plan = w.live.offer.plans.iter_mut().find(|plan| plan.id == PlanId::new(TEAMS)).unwrap();
        plan.seat_price = Some(Money::cents(3100));
        plan.base_price = Some(Money::cents(3100));
        let price = |cents| OldPrice {
            base: Some(Money::cents(cents)),
            seat: Some(Money::cents(cents)),
            since: at("2026-01-02T00:00:00Z"),
        };
        w.known.prices.insert(PlanId::new(TEAMS), price(2900));
        // Nothing changed about this one, whatever is remembered.
        w.known.prices.insert(PlanId::new("small-monthly"), OldPrice { base: Some(Money::cents(1000)), ..price(500) });
    });
    insta::assert_snapshot!(render::text(&world.plan(), &TextOptions::default()), @"
    Look at
      teams-v2-monthly: a seat is 31.00, was 29.00 and the plan is 31.00, was 29.00 since 2026-01-02: +6.00 a month for 2 accounts

    Nothing to do; 2 clients are in sync.
    ");
}
