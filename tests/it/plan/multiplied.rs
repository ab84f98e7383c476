//! One line that costs a lot: a person whom a group or defaults bring into several accounts.

use bursar::domain::Money;
use bursar::manifest::{Client, LoadOptions, OriginKind, WantedPlan, load};
use bursar::plan::render::{self, TextOptions};
use bursar::source::FileSet;

use super::world::{BUSINESS, World, account, client};

const PAT: &str = "pat@agency.example";

/// Accounts in agreement, and then a line in a file whose people come into all of them.
fn world(clients: usize, files: &[(&str, &str)]) -> World {
    let mut sources: Vec<(String, String)> =
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    for i in 0..clients {
        let text = format!(
            "apiVersion: bursar.dev/v1\nkind: ClientAccount\nmetadata: {{ name: c{i} }}\nspec:\n  accountName: C{i}\n  \
             notificationEmail: dns+c{i}@agency.example\n"
        );
        sources.push((format!("c{i}.yaml"), text));
    }
    let loaded = load(&FileSet::in_memory(sources), &LoadOptions::default());
    assert!(!loaded.has_errors(), "{:?}", loaded.findings);
    let accounts = (0..clients).map(|i| account(&(i + 1).to_string(), &client(&format!("c{i}"), &[]))).collect();
    World::empty(loaded.wanted.clients).with(|w| {
        w.live.accounts = accounts;
        w.sign_up(&[PAT]);
    })
}

const DEFAULTS: &str = "apiVersion: bursar.dev/v1\nkind: ClientDefaults\nmetadata: { name: agency }\nspec:\n  plan: teams\n  \
                        memberGroups: [on-call]\n";
const GROUP: &str = "apiVersion: bursar.dev/v1\nkind: MemberGroup\nmetadata: { name: on-call }\nspec: { members: [pat@agency.example] }\n";

fn lines(world: &World) -> Vec<String> {
    let text = world.text();
    let lines = text.lines().skip_while(|line| *line != "One line, several accounts").skip(1);
    lines.take_while(|line| !line.is_empty()).map(|line| line.trim().to_owned()).collect()
}

#[test]
fn a_person_in_a_group_of_the_defaults_is_shown_once_as_accounts_times_the_price_of_a_seat() {
    let world = world(42, &[("defaults.yaml", DEFAULTS), ("groups.yaml", GROUP)]).with(|w| {
        w.policy.max_monthly_increase = None;
    });
    let plan = world.plan();
    insta::assert_debug_snapshot!(plan.multiplied, @r#"
    [
        Multiplied {
            email: Email(pat@agency.example),
            through: Group(
                "on-call",
            ),
            source: SourceRef {
                file: "groups.yaml",
                line: 4,
                column: 19,
            },
            accounts: 42,
            seats: 42,
            seat_price: Some(
                Money(
                    2900,
                ),
            ),
            monthly: Money(
                121800,
            ),
            unpriced: 0,
            registered: true,
        },
    ]
    "#);
    insta::assert_debug_snapshot!(lines(&world), @r#"
    [
        "pat@agency.example joins 42 accounts through the group on-call (groups.yaml:4): 42 × 29.00 = 1218.00 a month",
    ]
    "#);
    assert_eq!(plan.cost.after - plan.cost.before, plan.multiplied[0].monthly, "all of the difference");
    let json = render::json(&plan);
    insta::assert_snapshot!(json["multiplied"], @r#"[{"email":"pat@agency.example","through":"group","name":"on-call","source":{"file":"groups.yaml","line":4},"accounts":42,"seats":42,"seat_price":"29.00","monthly":"1218.00","unpriced":0,"registered":true}]"#);
    assert!(render::markdown(&plan, false).contains(&lines(&world)[0]));
}

#[test]
fn the_money_rail_trips_on_one_line_and_names_it() {
    let world = world(42, &[("defaults.yaml", DEFAULTS), ("groups.yaml", GROUP)]);
    let plan = world.plan();
    assert_eq!(plan.requests.to_apply, 0);
    insta::assert_snapshot!(plan.rails[0].message, @"the list price would rise by 1218.00 a month (the largest part of it by one line: pat@agency.example joins 42 accounts through the group on-call (groups.yaml:4): 42 × 29.00 = 1218.00 a month), so no plan or seat is bought; look why, then let this plan pass by its digest (--approve), or set --max-monthly-increase 1218.00");
    assert_eq!(lines(&world).len(), 1, "what is stopped is shown all the same");
}

#[test]
fn free_seats_and_other_prices_are_counted_as_they_are() {
    let world = world(6, &[("defaults.yaml", DEFAULTS), ("groups.yaml", GROUP)]).with(|w| {
        w.subscription(0).seats = Some(2);
        for i in [1, 2] {
            let plan = WantedPlan::Choice(BUSINESS.to_owned());
            *w.account(i) =
                account(&(i + 1).to_string(), &Client { plan: plan.clone(), ..client(&format!("c{i}"), &[]) });
            w.client(i).plan = plan;
        }
    });
    let plan = world.plan();
    insta::assert_debug_snapshot!(lines(&world), @r#"
    [
        "pat@agency.example joins 6 accounts through the group on-call (groups.yaml:4): 5 seats at different prices = 185.00 a month, 1 seat at no cost",
    ]
    "#);
    assert_eq!(plan.multiplied[0].monthly, plan.cost.after - plan.cost.before);
}

#[test]
fn who_has_not_signed_up_costs_nothing_yet_and_trips_no_rail() {
    let world = world(42, &[("defaults.yaml", DEFAULTS), ("groups.yaml", GROUP)]).with(|w| w.known.registered.clear());
    assert!(world.plan().rails.is_empty());
    insta::assert_debug_snapshot!(lines(&world), @r#"
    [
        "pat@agency.example joins 42 accounts through the group on-call (groups.yaml:4): 42 × 29.00 = 1218.00 a month, once signed up",
    ]
    "#);
}

#[test]
fn defaults_that_list_people_themselves_are_a_line_too_and_a_clients_own_list_is_none() {
    let defaults =
        DEFAULTS.replace("memberGroups: [on-call]", "members:\n    - lee@agency.example\n    - pat@agency.example");
    let world = world(3, &[("defaults.yaml", &defaults)]).with(|w| w.policy.max_monthly_increase = Some(Money::ZERO));
    insta::assert_debug_snapshot!(lines(&world), @r#"
    [
        "lee@agency.example joins 3 accounts through the defaults agency (defaults.yaml:7): 3 × 29.00 = 87.00 a month, once signed up",
        "pat@agency.example joins 3 accounts through the defaults agency (defaults.yaml:8): 3 × 29.00 = 87.00 a month",
    ]
    "#);
    let own = world.clone().with(|w| {
        for client in &mut w.wanted.clients {
            client.members.iter_mut().for_each(|member| member.through = OriginKind::Own);
        }
    });
    assert_eq!(own.plan().multiplied, []);
    assert_eq!(own.plan().digest, world.plan().digest);
    let two = world.with(|w| {
        w.wanted.clients.pop();
    });
    assert_eq!(two.plan().multiplied, [], "two accounts are no crowd");
}

/// What is shown belongs to whoever wrote the name of the group.
#[test]
fn a_line_with_foreign_text_is_inert() {
    let world = world(3, &[("defaults.yaml", DEFAULTS), ("groups.yaml", GROUP)]).with(|w| {
        for client in &mut w.wanted.clients {
            client.members[0].through = OriginKind::Group("\u{1b}[31mred".to_owned());
            client.members[0].source.file = "\u{202e}x.yaml".to_owned();
        }
    });
    let text = render::text(&world.plan(), &TextOptions::default());
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text}");
}
