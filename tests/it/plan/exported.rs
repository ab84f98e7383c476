//! What is exported, as one text or as a folder, wants what is there: planned against the same
//! world it changes nothing.

use bursar::domain::{Access, Email};
use bursar::export;
use bursar::manifest::{self, LoadOptions, Wanted, WantedPlan};
use bursar::plan::{ActionState, Policy, Reading};
use bursar::source::FileSet;
use proptest::prelude::*;

use super::properties::{disturb, random};
use super::world::{World, client, email};

/// The manifests in both forms, which are found to say the same.
fn exported(world: &World) -> (Wanted, export::Folder) {
    let options = LoadOptions::default();
    let text = export::manifests(&world.live, &options).unwrap().text;
    let folder = export::folder(&world.live, &options).unwrap();
    let one = manifest::load(&FileSet::in_memory([("all.yaml", text)]), &options);
    let many = manifest::load(&FileSet::in_memory(folder.files.clone()), &options);
    assert!(!one.has_errors() && !many.has_errors(), "{:?} {:?}", one.findings, many.findings);
    assert_eq!(one.wanted.without_places(), many.wanted.clone().without_places());
    for (name, text) in &folder.files {
        assert!(text.len() <= 64 * 1024, "{name}");
    }
    (many.wanted, folder)
}

/// What the same world planned with these manifests has of actions that go ahead or are held up
/// by anything but time.
fn changes(world: &World, wanted: Wanted) -> Vec<String> {
    let world = World { wanted, policy: Policy::default(), known: Default::default(), ..world.clone() };
    let plan = world.plan();
    assert_eq!(plan.unmanaged.len(), world.live.accounts.len() - world.wanted.clients.len(), "matched by their ids");
    let actions = plan.accounts.iter().flat_map(|account| &account.actions);
    actions.filter(|action| action.state != ActionState::Waiting).map(|action| action.message.clone()).collect()
}

/// No server lets seats be cut below the people who are there.
fn with_room(mut world: World) -> World {
    for live in &mut world.live.accounts {
        let heads = live.members.seen().map_or(u32::MAX, |members| u32::try_from(members.len()).unwrap());
        if let Reading::Seen(Some(subscription)) = &mut live.subscription {
            subscription.pending_seats = subscription.pending_seats.filter(|seats| *seats >= heads);
        }
    }
    world
}

/// A fleet that has much in common.
fn fleet(seed: u64) -> World {
    let mut rng = fastrand::Rng::with_seed(seed);
    let clients: Vec<_> = (0..rng.usize(1..14))
        .map(|n| {
            let often = ["pat@agency.example", "ops@agency.example", "boss@agency.example"];
            let own = format!("owner@c{n}.example");
            let mut people: Vec<&str> = often.into_iter().filter(|_| rng.u8(0..12) > 0).collect();
            people.push(&own);
            let mut client = client(&format!("c{n}"), &people);
            for member in &mut client.members {
                let usual = member.email == email("ops@agency.example");
                member.access = if usual != (rng.u8(0..15) == 0) { Access::Limited } else { Access::Full };
            }
            if rng.u8(0..10) == 0 {
                client.notification_email = email("all@agency.example");
            }
            if rng.u8(0..20) == 0 {
                client.plan = WantedPlan::Nothing;
                client.members.clear();
            }
            client
        })
        .collect();
    let mut world = World::in_agreement(clients);
    for index in 0..world.live.accounts.len() {
        if rng.u8(0..12) == 0 {
            disturb(&mut world, index, &mut rng);
        }
        if rng.u8(0..40) == 0 {
            world.account(index).members = Reading::NotRead;
        }
        if rng.u8(0..10) == 0 && world.account(index).members.seen().is_some() {
            world.members(index).iter_mut().for_each(|m| m.email = Email::lenient(m.email.as_str().to_uppercase()));
        }
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn exported_then_planned_nothing_changes(seed in any::<u64>()) {
        for world in [random(seed), fleet(seed)].map(with_room) {
            let (wanted, _) = exported(&world);
            prop_assert_eq!(changes(&world, wanted), Vec::<String>::new(), "{}", world.text());
        }
    }
}

/// The files of a folder, one after another.
fn shown(folder: &export::Folder) -> String {
    let files = folder.files.iter().map(|(name, text)| format!("# {name}\n{text}"));
    let said = folder.shared.iter().map(|line| format!("> {line}\n"));
    files.chain(said).collect()
}

#[test]
fn what_most_accounts_share_is_said_once() {
    let mut clients: Vec<_> = (0..5).map(|n| client(&format!("c{n}"), &["pat@agency.example"])).collect();
    clients[1] = client("c1", &["pat@agency.example", "eve@other.example"]);
    clients[3].notification_email = email("hosting@agency.example");
    clients[4].members.clear();
    let world = World::in_agreement(clients);
    let (wanted, folder) = exported(&world);
    assert_eq!(changes(&world, wanted), Vec::<String>::new());
    insta::assert_snapshot!(shown(&folder), @r#"
    # groups/everywhere.yaml
    apiVersion: bursar.dev/v1
    kind: MemberGroup
    metadata:
      name: everywhere
    spec:
      members:
        - pat@agency.example
    # defaults.yaml
    apiVersion: bursar.dev/v1
    kind: ClientDefaults
    metadata:
      name: defaults
    spec:
      notificationEmail: "dns+{name}@agency.example"
      plan: teams-v2-monthly
      memberGroups: [everywhere]
    # clients/c0.yaml
    apiVersion: bursar.dev/v1
    kind: ClientAccount
    metadata:
      name: c0
    spec:
      accountId: "1"
      accountName: C0
    # clients/c1.yaml
    apiVersion: bursar.dev/v1
    kind: ClientAccount
    metadata:
      name: c1
    spec:
      accountId: "2"
      accountName: C1
      members:
        - eve@other.example
    # clients/c2.yaml
    apiVersion: bursar.dev/v1
    kind: ClientAccount
    metadata:
      name: c2
    spec:
      accountId: "3"
      accountName: C2
    # clients/c3.yaml
    apiVersion: bursar.dev/v1
    kind: ClientAccount
    metadata:
      name: c3
    spec:
      accountId: "4"
      accountName: C3
      notificationEmail: hosting@agency.example
    # clients/c4.yaml
    apiVersion: bursar.dev/v1
    kind: ClientAccount
    metadata:
      name: c4
    spec:
      accountId: "5"
      accountName: C4
      memberGroups: []
    > plan teams-v2-monthly: in defaults.yaml
    > notificationEmail dns+{name}@agency.example: in defaults.yaml
    > pat@agency.example: in groups/everywhere.yaml, which defaults.yaml gives to everybody
    "#);
}

#[test]
fn nothing_is_shared_that_would_say_more_than_is_there() {
    let mut clients: Vec<_> = (0..4).map(|n| client(&format!("c{n}"), &["pat@agency.example"])).collect();
    clients[0].plan = WantedPlan::Nothing;
    // In two of four with another access: nobody's group.
    clients[1].members[0].access = Access::Limited;
    clients[2].members[0].access = Access::Limited;
    let world = World::in_agreement(clients);
    let (wanted, folder) = exported(&world);
    assert_eq!(changes(&world, wanted), Vec::<String>::new());
    assert_eq!(
        folder.shared,
        [
            "plan teams-v2-monthly: in each client, because 1 account has none that can be written down, and a default \
             would choose it for them",
            "notificationEmail dns+{name}@agency.example: in defaults.yaml",
        ]
    );
    // Two accounts are too few for a group, and nothing is more than half of them.
    let mut two = World::in_agreement(vec![client("a", &["pat@agency.example"]), client("b", &["pat@agency.example"])]);
    two.account(0).account.email = Some(email("x@y.example"));
    two.subscription(0).plan = bursar::domain::PlanId::new(super::world::BUSINESS);
    assert_eq!(exported(&two).1.shared, Vec::<String>::new());
}
