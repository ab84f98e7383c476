//! Plans against a snapshot are those of the live world, apart from the addresses.

use bursar::domain::{Access, Email, mask};
use bursar::plan::render::{self, TextOptions};
use bursar::plan::{Inputs, Known, Plan};
use bursar::snapshot::Recorded;
use jiff::Timestamp;
use proptest::prelude::*;

use super::properties::{random, remembering};
use super::world::{World, client, email, invited, member};

fn now() -> Timestamp {
    "2026-11-25T09:00:00Z".parse().unwrap()
}

/// The snapshot of a world, through its file.
fn recorded(world: &World, masked: bool) -> Recorded {
    let taken = if masked {
        Recorded::masked(now(), world.api.clone(), &world.live)
    } else {
        Recorded::clear(now(), world.api.clone(), world.live.clone())
    };
    let read = Recorded::parse(taken.to_json().as_bytes()).unwrap();
    assert_eq!(read.to_json(), taken.to_json());
    read
}

fn against(world: &World, recorded: &Recorded) -> Plan {
    let (wanted, live) = recorded.clone().against(&world.wanted);
    let inputs = Inputs { wanted: &wanted, live: &live, api: &recorded.api, ..world.inputs() };
    let plan = bursar::plan::plan(&inputs);
    assert_eq!(bursar::plan::lint(&plan, &inputs), Vec::new());
    plan
}

/// Digests are of the addresses, too, so they differ.
fn without_digests(mut plan: Plan) -> Plan {
    plan.digest.clear();
    for account in &mut plan.accounts {
        account.digest.clear();
    }
    plan
}

fn faces(plan: &Plan) -> [String; 3] {
    let text = render::text(plan, &TextOptions::default());
    [text, format!("{:#}", render::json(plan)), render::markdown(plan, true)]
}

/// A world without memory, which a plan without a token has none of.
fn forgetful(seed: u64, past: u64) -> World {
    World { known: Known::default(), ..remembering(random(seed), past) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_masked_snapshot_gives_the_live_plan_with_its_addresses_masked(seed in any::<u64>(), past in any::<u64>()) {
        let world = forgetful(seed, past);
        let live = without_digests(world.plan());
        let masked = without_digests(against(&world, &recorded(&world, true)));
        prop_assert_eq!(faces(&live).map(|face| mask(&face)), faces(&masked));
    }

    #[test]
    fn a_snapshot_in_the_clear_gives_the_live_plan_digest_and_all(seed in any::<u64>(), past in any::<u64>()) {
        let world = forgetful(seed, past);
        prop_assert_eq!(against(&world, &recorded(&world, false)), world.plan());
    }

    #[test]
    fn nobodys_address_is_in_a_masked_snapshot(seed in any::<u64>()) {
        let world = random(seed);
        let text = recorded(&world, true).to_json();
        let everybody = world.live.accounts.iter().flat_map(|observed| {
            observed.account.email.iter().chain(observed.members.seen().into_iter().flatten().map(|m| &m.email))
        });
        for person in everybody {
            prop_assert!(!text.contains(person.as_str()), "{person}");
        }
    }
}

/// Who is the last one with full access goes by the order of addresses, which masks do not have.
#[test]
fn the_same_person_is_held_as_the_last_with_full_access() {
    let people = ["zoe@a.example", "adam@z.example", "bea@m.example", "ann@z.example"];
    let mut world = World::in_agreement(vec![client("acme", &people)]);
    world.members(0).retain(|member| member.email != email(super::world::OURSELVES));
    world.offboard(&people);
    let live = without_digests(world.plan());
    let masked = without_digests(against(&world, &recorded(&world, true)));
    assert_eq!(mask(&render::text(&live, &TextOptions::default())), render::text(&masked, &TextOptions::default()));
}

/// Whatever a manifest writes, it is nobody but the address that it writes.
#[test]
fn a_manifest_that_writes_a_masked_form_poses_as_nobody() {
    let form = mask("jane@acme.example");
    assert!(Email::parse(&form).is_err());
    let stump = "j***@acme.example";
    let mut world = World::in_agreement(vec![client("acme", &["jane@acme.example"])]);
    world.client(0).members[0].email = email(stump);
    let plan = against(&world, &recorded(&world, true));
    assert_eq!((plan.summary.add_member, plan.drift.len()), (1, 1));
    // In a name, too.
    let mut world = World::in_agreement(vec![client("acme", &[])]);
    world.account(0).account.name = Some(bursar::domain::AccountName::new("jane@acme.example"));
    world.client(0).account_name = bursar::domain::AccountName::new(form);
    assert_eq!(against(&world, &recorded(&world, true)).summary.create_account, 1);
}

#[test]
fn addresses_in_names_and_errors_and_odd_ones_are_masked_as_well() {
    let mut world = World::in_agreement(vec![client("acme", &["jane@acme.example"])]);
    world.account(0).account.name = Some(bursar::domain::AccountName::new("owned by boss@acme.example"));
    let odd = ["root", "\"a b\"@acme.example", "user@localhost", "j***@acme.example#3f2a1c"];
    world.members(0).extend(odd.map(member));
    world.members(0).push(invited("secret.person@acme.example"));
    world.account(0).subscription =
        bursar::plan::Reading::Failed(bursar::domain::Foreign::new("denied for boss@acme.example"));
    for (n, member) in world.members(0).iter_mut().enumerate() {
        member.id = bursar::domain::MemberId::new(n.to_string());
    }
    let text = recorded(&world, true).to_json();
    for clear in ["boss", "\"root\"", "a b", "localhost", "ecret", "jane"] {
        assert!(!text.contains(clear), "{clear} in {text}");
    }
    // They are all told apart.
    let read = recorded(&world, true);
    let emails: std::collections::BTreeSet<&str> =
        read.live.accounts[0].members.seen().unwrap().iter().map(|member| member.email.key()).collect();
    assert_eq!(emails.len(), 2 + odd.len() + 1);
    assert_eq!(read.alike(), 0);
    assert!(read.live.accounts[0].members.seen().unwrap().iter().any(|member| member.access == Access::Full));
}

/// Whoever brings a snapshot may write any number into it.
#[test]
fn the_greatest_numbers_are_planned_with_as_well() {
    let mut world = World::in_agreement(vec![client("acme", &["jane@acme.example"]), client("b", &["x@b.example"])]);
    world.wanted.clients.push(client("new", &["n@new.example"]));
    world.members(0).pop();
    let greatest = bursar::domain::Money::cents(i64::MAX);
    for plan in &mut world.live.offer.plans {
        (plan.base_price, plan.seat_price, plan.yearly) = (Some(greatest), Some(greatest), true);
    }
    world.subscription(0).seats = Some(u32::MAX);
    world.subscription(1).pending_seats = Some(u32::MAX);
    for included in [0, 1, u32::MAX] {
        world.live.offer.plans.iter_mut().for_each(|plan| plan.included_seats = Some(included));
        for masked in [true, false] {
            let plan = against(&world, &recorded(&world, masked));
            assert_eq!(plan.accounts.len(), 3);
            assert_eq!(faces(&plan).len(), 3);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Cut off it is refused; with a byte changed it is refused, or planned with.
    #[test]
    fn a_snapshot_that_was_cut_or_changed_breaks_nothing(seed in any::<u64>(), at in any::<usize>(), byte in any::<u8>()) {
        let world = forgetful(seed, seed);
        let mut text = recorded(&world, seed % 2 == 0).to_json().into_bytes();
        let at = at % (text.len() - 2);
        prop_assert!(Recorded::parse(&text[..at]).is_err());
        text[at] = byte;
        if let Ok(read) = Recorded::parse(&text) {
            let (wanted, live) = read.clone().against(&world.wanted);
            let inputs = Inputs { wanted: &wanted, live: &live, api: &read.api, ..world.inputs() };
            let plan = bursar::plan::plan(&inputs);
            prop_assert_eq!(faces(&plan).len(), 3);
        }
    }
}
