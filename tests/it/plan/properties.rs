//! What holds of every plan, over random worlds: the linter accepts it, its digest does not
//! depend on any order, and carrying it out ends in silence.

use bursar::domain::{Access, AccountId, AccountName, Email, MemberId, PlanId};
use bursar::manifest::{Membership, WantedPlan};
use bursar::plan::{
    AccountState, Action, ActionKey, ActionState, Adopt, AllowedPlans, Change, Matter, MaxRemovals, Op, OpKind, Plan,
    Reading, Reason, Verdict, VerdictState,
};
use bursar::provider::{Account, Capability, Member, MemberState, Quirk, SubscriptionState};
use proptest::prelude::*;

use super::world::{BUSINESS, SOLO, TEAMS, World, account, client, email, subscription};

const PEOPLE: [&str; 6] =
    ["a@x.example", "b@x.example", "c@y.example", "d@y.example", "pat@agency.example", "e@z.example"];

/// A world of a few clients and accounts, at odds in every way that a seed gives.
pub fn random(seed: u64) -> World {
    let mut rng = fastrand::Rng::with_seed(seed);
    let clients: Vec<_> = (0..rng.usize(0..5))
        .map(|i| {
            let people: Vec<&str> = PEOPLE.into_iter().filter(|_| rng.u8(0..3) == 0).collect();
            let mut client = client(&format!("c{i}"), &people);
            for member in &mut client.members {
                member.access = if rng.u8(0..4) == 0 { Access::Limited } else { Access::Full };
            }
            client.plan = match rng.u8(0..8) {
                0 => WantedPlan::Untouched,
                1 => WantedPlan::Nothing,
                2 => WantedPlan::Choice("solo".to_owned()),
                3 => WantedPlan::Choice("business".to_owned()),
                4 => WantedPlan::Choice("nonsense".to_owned()),
                _ => WantedPlan::Choice("teams".to_owned()),
            };
            client.membership = if rng.bool() { Membership::Exclusive } else { Membership::Additive };
            client.suspend = rng.u8(0..8) == 0;
            client
        })
        .collect();
    let mut world = World::in_agreement(clients);
    let accounts = std::mem::take(&mut world.live.accounts);
    world.live.accounts = accounts.into_iter().filter(|_| rng.u8(0..4) > 0).collect();
    if rng.bool() {
        world.live.accounts.push(account("900", &client("stranger", &["a@x.example"])));
    }
    for i in 0..world.live.accounts.len() {
        disturb(&mut world, i, &mut rng);
    }
    if rng.bool() {
        world.offboard(&[PEOPLE[rng.usize(0..PEOPLE.len())]]);
    }
    let users: Vec<&str> = PEOPLE.into_iter().filter(|_| rng.bool()).collect();
    world.sign_up(&users);
    world.policy.allow_removals = rng.bool();
    world.policy.allow_unsubscribe = rng.bool();
    world.policy.trim_seats = rng.bool();
    world.policy.max_creates = Some(rng.u32(0..4));
    world.policy.max_subscriptions = rng.bool().then(|| rng.u32(0..4));
    world.policy.max_removals =
        MaxRemovals { percent: rng.bool().then(|| rng.u32(0..100)), number: rng.bool().then(|| rng.u32(0..4)) };
    let words = ["teams", TEAMS, "business", "solo"].into_iter().filter(|_| rng.u8(0..4) == 0);
    world.policy.allowed_plans = AllowedPlans::new(words.map(str::to_owned));
    world.policy.adopt = [Adopt::Matching, Adopt::ByName, Adopt::Never][rng.usize(0..3)];
    if rng.bool() {
        world.policy.max_monthly_increase = Some(bursar::domain::Money::cents(rng.i64(0..30_000)));
    }
    if rng.u8(0..4) == 0 {
        world.set_capabilities(&[Capability::Invitations, Capability::LimitedAccess]);
    }
    world
}

/// Makes an account differ from what is wanted.
pub fn disturb(world: &mut World, index: usize, rng: &mut fastrand::Rng) {
    let account = world.account(index);
    if rng.u8(0..4) == 0 {
        account.account.email = Some(email(PEOPLE[rng.usize(0..PEOPLE.len())]));
    }
    if rng.u8(0..6) == 0 {
        account.account.name = account.account.name.as_ref().map(|name| AccountName::new(name.as_str().to_uppercase()));
    }
    let Reading::Seen(members) = &mut account.members else { unreachable!("worlds begin readable") };
    members.truncate(1 + rng.usize(0..4));
    for person in PEOPLE {
        if rng.u8(0..4) == 0 && !members.iter().any(|member| member.email == email(person)) {
            members.push(super::world::member(person));
        }
    }
    for member in members.iter_mut().skip(1) {
        member.access = if rng.u8(0..3) == 0 { Access::Limited } else { Access::Full };
        member.state = if rng.u8(0..4) == 0 { MemberState::Invited } else { MemberState::Active };
    }
    if rng.u8(0..6) == 0 {
        members[0].access = Access::Limited;
    }
    let heads = u32::try_from(members.len()).unwrap();
    let plan = [TEAMS, TEAMS, TEAMS, BUSINESS, SOLO][rng.usize(0..5)];
    let mut now = subscription(plan, (plan != SOLO).then(|| heads + rng.u32(0..3)));
    if plan == SOLO {
        members.truncate(1);
    }
    match rng.u8(0..10) {
        0 => now.state = SubscriptionState::Unsubscribed,
        1 => now.state = SubscriptionState::Subscribing,
        2 => now.pending_seats = now.seats.map(|_| rng.u32(1..4)),
        3 if plan == BUSINESS => now.pending_plan = Some(PlanId::new(TEAMS)),
        4 => now.dunned = true,
        _ => {}
    }
    account.subscription = Reading::Seen((rng.u8(0..8) > 0).then_some(now));
    match rng.u8(0..12) {
        0 => account.members = Reading::NotRead,
        1 => account.subscription = Reading::Failed(bursar::domain::Foreign::new("timed out")),
        _ => {}
    }
}

/// What became of some of it when it was tried before, what was done a moment ago, and a
/// server with ways of its own.
pub fn remembering(mut world: World, seed: u64) -> World {
    let mut rng = fastrand::Rng::with_seed(seed);
    let clients: Vec<_> = world.wanted.clients.iter().map(|client| client.name.clone()).collect();
    for client in clients {
        for op in OpKind::ALL {
            let people = PEOPLE.into_iter().map(Some).chain([None]);
            for person in people.filter(|_| rng.u8(0..8) == 0).collect::<Vec<_>>() {
                let (state, reason) = [
                    (VerdictState::Failed, None),
                    (VerdictState::Waiting, Some(Reason::OutcomeSettling)),
                    (VerdictState::Blocked, Some(Reason::NotPermitted)),
                ][rng.usize(0..3)];
                world.tried(client.as_str(), op, person, state, reason);
            }
        }
        let matters = PEOPLE.map(|person| Matter::Person(email(person).key().to_owned()));
        for matter in matters.into_iter().chain([Matter::Subscription, Matter::Identity]) {
            if rng.u8(0..8) == 0 {
                world.known.settling.insert((client.clone(), matter));
            }
        }
    }
    if rng.bool() {
        world.live.offer.quirks = Quirk::ALL.into_iter().filter(|_| rng.bool()).collect();
    }
    world.live.offer.unpayable = (rng.u8(0..6) == 0).then(|| "there is no payment method".to_owned());
    world
}

/// The same world in another order.
pub fn shuffled(world: &World, seed: u64) -> World {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut world = world.clone();
    rng.shuffle(&mut world.wanted.clients);
    rng.shuffle(&mut world.live.accounts);
    rng.shuffle(&mut world.live.offer.plans);
    for client in &mut world.wanted.clients {
        rng.shuffle(&mut client.members);
        client.source.file = format!("elsewhere/{}", rng.u32(..));
    }
    for account in &mut world.live.accounts {
        if let Reading::Seen(members) = &mut account.members {
            rng.shuffle(members);
        }
        if let Reading::Seen(Some(subscription)) = &mut account.subscription {
            subscription.current_period_ends_at = None;
        }
    }
    world
}

/// What a server does with a plan, with the rules of the account API. It panics where it
/// would refuse: a plan asks for nothing that is known to be refused.
fn carry_out(world: &mut World, plan: &Plan, users: &[Email]) {
    for part in &plan.accounts {
        let mut id = part.account_id.clone();
        for action in part.actions.iter().filter(|action| action.state == ActionState::Planned) {
            if let Op::CreateAccount { name, email: Some(email), plan: None } = &action.op {
                assert!(id.is_none(), "an account twice");
                let new = AccountId::new((1000 + world.live.accounts.len()).to_string());
                world.live.accounts.push(created(new.clone(), name.clone(), email.clone()));
                id = Some(new);
                continue;
            }
            let client = part.client.clone().expect("a valid client");
            let id = id.clone().expect("made or found");
            let index = world.live.accounts.iter().position(|live| live.account.id == id).expect("visible");
            if let Some(verdict) = write(world, index, action, users) {
                world
                    .known
                    .verdicts
                    .insert(ActionKey { client, op: action.op.kind(), person: action.op.person().cloned() }, verdict);
            }
        }
    }
}

fn created(id: AccountId, name: AccountName, email: Email) -> bursar::plan::ObservedAccount {
    let account = Account {
        id,
        name: Some(name),
        email: Some(email),
        plan: None,
        created_at: None,
        updated_at: None,
        subscription: None,
        members: None,
    };
    let owner = super::world::member(super::world::OURSELVES);
    bursar::plan::ObservedAccount { account, subscription: Reading::Seen(None), members: Reading::Seen(vec![owner]) }
}

fn write(world: &mut World, index: usize, action: &Action, users: &[Email]) -> Option<Verdict> {
    let invitations = world.live.offer.capabilities.has(Capability::Invitations);
    let live = &mut world.live.accounts[index];
    let Reading::Seen(now) = &mut live.subscription else {
        match &action.op {
            Op::UpdateAccount { .. } => return update(&mut live.account, &action.op),
            other => panic!("{other:?} without knowing the subscription"),
        }
    };
    let heads = live.members.seen().map_or(0, |members| u32::try_from(members.len()).unwrap());
    match &action.op {
        Op::CreateAccount { .. } => unreachable!("made before"),
        Op::UpdateAccount { .. } => return update(&mut live.account, &action.op),
        Op::Subscribe { plan, seats } => {
            assert!(seats.is_none_or(|seats| seats >= heads), "fewer seats than members");
            assert!(!now.as_ref().is_some_and(|now| now.is_active()), "a second subscription");
            *now = Some(subscription(plan.as_str(), *seats));
        }
        Op::ChangePlan { from: _, to, seats, downgrade } => {
            let now = now.as_mut().expect("a subscription");
            if *downgrade {
                (now.pending_plan, now.pending_seats) = (Some(to.clone()), *seats);
            } else {
                assert!(seats.is_none_or(|seats| seats >= heads), "fewer seats than members");
                (now.plan, now.seats, now.pending_plan, now.pending_seats) = (to.clone(), *seats, None, None);
            }
        }
        Op::SetSeats { plan, from: _, to } => {
            let now = now.as_mut().expect("a subscription");
            assert!(now.plan == *plan && *to >= heads, "{to} seats for {heads}");
            now.pending_plan = None;
            now.pending_seats = (Some(*to) < now.seats).then_some(*to);
            now.seats = now.seats.max(Some(*to));
        }
        Op::Unsubscribe { .. } => now.as_mut().expect("a subscription").state = SubscriptionState::Unsubscribed,
        Op::RemoveMember { id, .. } => members(&mut live.members).retain(|member| member.id != *id),
        Op::SetAccess { id, to, .. } => {
            for member in members(&mut live.members).iter_mut().filter(|member| member.id == *id) {
                member.access = *to;
            }
        }
        Op::AddMember { email, access, role: _ } => {
            let now = now.as_ref().filter(|now| now.state == SubscriptionState::Subscribed).expect("subscribed");
            assert_ne!(now.plan, PlanId::new(SOLO), "a plan for one");
            assert_ne!(live.account.email.as_ref(), Some(email), "the notification email");
            if !users.contains(email) && !invitations {
                assert!(action.unregistered);
                return Some(Verdict {
                    state: VerdictState::Waiting,
                    reason: Some(Reason::AwaitingSignup),
                    message: "not a user yet".to_owned(),
                    request_id: None,
                });
            }
            world.known.registered.insert(email.clone());
            if now.seats.is_some_and(|seats| seats <= heads) {
                assert!(action.unregistered, "no seat for somebody who is known to need one");
                return None;
            }
            let state = if users.contains(email) { MemberState::Active } else { MemberState::Invited };
            let id = MemberId::new(format!("m-{}", email.key()));
            members(&mut live.members).push(Member { id, email: email.clone(), access: *access, role: None, state });
        }
    }
    None
}

fn update(account: &mut Account, op: &Op) -> Option<Verdict> {
    let Op::UpdateAccount { name, email } = op else { unreachable!("an update") };
    if let Some(Change { from: _, to }) = name {
        account.name = Some(to.clone());
    }
    if let Some(Change { from: _, to }) = email {
        account.email = Some(to.clone());
    }
    None
}

fn members(reading: &mut Reading<Vec<Member>>) -> &mut Vec<Member> {
    match reading {
        Reading::Seen(members) => members,
        other => panic!("members written without being read: {other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// The linter is run by `World::plan`.
    #[test]
    fn the_linter_accepts_every_plan(seed in any::<u64>(), past in any::<u64>()) {
        let plan = remembering(random(seed), past).plan();
        for account in &plan.accounts {
            prop_assert!(account.state != AccountState::InSync || account.actions.is_empty());
        }
    }

    /// Each rail tells a value with which it stops nothing of the plan.
    #[test]
    fn the_value_that_a_rail_tells_suffices(seed in any::<u64>(), latched in any::<bool>()) {
        let mut world = random(seed);
        if latched {
            let value = world.policy.max_removals.to_string();
            world.known.rails.latched.insert("--max-removals".to_owned(), value);
        }
        for rail in world.plan().rails {
            let suffices = rail.suffices.unwrap_or_default();
            let mut wider = world.clone();
            match rail.flag {
                "--max-creates" => wider.policy.max_creates = suffices.parse().ok(),
                "--max-subscriptions" => wider.policy.max_subscriptions = suffices.parse().ok(),
                "--max-monthly-increase" => wider.policy.max_monthly_increase = suffices.parse().ok(),
                "--max-removals" => wider.policy.max_removals = suffices.parse().unwrap(),
                "--allow-removals" => wider.policy.allow_removals = true,
                "--allow-unsubscribe" => wider.policy.allow_unsubscribe = true,
                "--allowed-plans" => {
                    wider.policy.allowed_plans = AllowedPlans::new(suffices.split(',').map(str::to_owned));
                }
                other => prop_assert!(false, "{other}"),
            }
            prop_assert!(wider.plan().rails.iter().all(|again| again.flag != rail.flag), "{}", wider.text());
        }
    }

    #[test]
    fn no_order_changes_a_digest(seed in any::<u64>(), order in any::<u64>()) {
        let world = random(seed);
        let (one, other) = (world.plan(), shuffled(&world, order).plan());
        prop_assert_eq!(&one.digest, &other.digest);
        let parts = |plan: &Plan| plan.accounts.iter().map(|a| (a.name.clone(), a.digest.clone())).collect::<Vec<_>>();
        prop_assert_eq!(parts(&one), parts(&other));
    }

    #[test]
    fn carrying_out_ends_and_the_next_pass_is_silent(seed in any::<u64>(), signed_up in any::<u8>()) {
        let mut world = random(seed);
        let mut users: Vec<Email> = world.known.registered.iter().cloned().collect();
        users.extend(PEOPLE.iter().enumerate().filter(|(i, _)| signed_up & (1 << i) != 0).map(|(_, p)| email(p)));
        for live in &world.live.accounts {
            users.extend(live.members.seen().into_iter().flatten().map(|member| member.email.clone()));
        }
        for _ in 0..6 {
            let plan = world.plan();
            if plan.requests.to_apply == 0 {
                break;
            }
            carry_out(&mut world, &plan, &users);
        }
        let plan = world.plan();
        prop_assert_eq!(plan.requests.to_apply, 0, "{}", world.text());
        prop_assert_eq!(world.plan(), plan);
    }
}

#[test]
fn ten_thousand_clients_are_planned_at_once() {
    let clients: Vec<_> =
        (0..10_000).map(|i| client(&format!("c{i}"), &["pat@agency.example", "a@x.example"])).collect();
    let world = World::in_agreement(clients).with(|w| {
        for i in 0..5_000 {
            w.members(i).pop();
        }
        w.policy.max_monthly_increase = None;
        w.live.accounts.truncate(9_000);
        (w.policy.max_creates, w.policy.max_subscriptions) = (None, None);
    });
    let start = std::time::Instant::now();
    let plan = bursar::plan::plan(&world.inputs());
    // Generous, because this build is not optimised; a quadratic step would take minutes.
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    assert_eq!(plan.summary.create_account, 1_000);
    assert_eq!(plan.summary.add_member, 5_000 + 2_000);
}
