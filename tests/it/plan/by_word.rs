//! A service that shows no members to any program: what a person does by hand, and who counts
//! as there on somebody's word.

use bursar::domain::{Access, AccountId, Email};
use bursar::manifest::Membership;
use bursar::plan::{Reading, Says, Weight, Whose, Word, Words, render};
use bursar::provider::Capability;

use super::world::{World, client, email, short};

/// Acme with its account and these members, at a service of which only the list can be read.
fn published(members: &[&str]) -> World {
    World::in_agreement(vec![client("acme", members)]).with(|w| {
        w.live.offer.account_management = false;
        w.live.offer.plans.clear();
        w.set_capabilities(&[]);
        w.account(0).subscription = Reading::NotRead;
        w.account(0).members = Reading::NotRead;
    })
}

fn pat(says: Says) -> Word {
    Word {
        says,
        whose: Whose::Person("pat".to_owned()),
        at: "2026-11-20T10:00:00Z".parse().unwrap(),
        weight: Weight::Holds,
    }
}

fn webhook(says: Says) -> Word {
    Word { whose: Whose::Webhook, ..pat(says) }
}

impl World {
    fn told(mut self, person: &str, word: Word) -> Self {
        self.words().people.insert(email(person), word);
        self
    }

    fn words(&mut self) -> &mut Words {
        self.known.words.entry(AccountId::new("1")).or_default()
    }
}

const MEMBER: Says = Says::Member(Some(Access::Full));

#[test]
fn members_of_whom_nobody_told_are_asked_about_and_not_invited_again() {
    let world = published(&["jane@acme.example", "joe@acme.example"]);
    insta::assert_snapshot!(world.text(), @"
    acme (account 1)  clients/acme.yaml:1
      ! its members cannot be read over this API, so whether these are members is not known: jane@acme.example, joe@acme.example; look at https://dnsimple.com/a/1/account/members, set right there what differs, then tell: bursar ack acme

    Nothing planned; 1 unknown.
    ");
    let half = world.told("joe@acme.example", pat(MEMBER));
    assert!(half.text().contains("is not known: jane@acme.example; look at"), "{}", half.text());
    assert_eq!(short(&half.plan(), "acme"), "Unknown: ");
    let many: Vec<String> = (0..100).map(|n| format!("p{n:03}@acme.example")).collect();
    let many = published(&many.iter().map(String::as_str).collect::<Vec<_>>()).text();
    assert!(many.contains("p003@acme.example, p004@acme.example, 95 more; look at"), "{many}");
}

#[test]
fn an_account_is_in_sync_once_everybody_wanted_is_told_of_and_the_plan_says_by_whom() {
    let world = published(&["jane@acme.example", "joe@acme.example"])
        .told("jane@acme.example", pat(MEMBER))
        .told("joe@acme.example", webhook(Says::Member(None)));
    insta::assert_snapshot!(world.text(), @"
    On somebody's word, for 90 days
      acme: jane@acme.example is a member with full access (pat said so on 2026-11-20), joe@acme.example is a member (a webhook told on 2026-11-20)

    Nothing to do; 1 client is in sync.
    ");
    let json = render::json(&world.plan());
    insta::assert_snapshot!(json["accounts"][0]["told"], @r#"[{"email":"jane@acme.example","state":"member","access":"full","by":"pat","at":"2026-11-20T10:00:00Z"},{"email":"joe@acme.example","state":"member","by":null,"at":"2026-11-20T10:00:00Z"}]"#);
}

#[test]
fn who_is_said_to_be_invited_is_waited_for_and_who_is_said_to_be_absent_is_invited_by_hand() {
    let world = published(&["jane@acme.example", "joe@acme.example"])
        .told("jane@acme.example", webhook(Says::Invited))
        .told("joe@acme.example", webhook(Says::Absent));
    insta::assert_snapshot!(world.text(), @"
    acme (account 1)  clients/acme.yaml:1
      * add joe@acme.example with full access, by hand
        1. In the account's members and seats, https://dnsimple.com/a/1/account/members, invite, with full access:
           joe@acme.example
      … add jane@acme.example with full access: jane@acme.example has been invited and has not accepted yet (a webhook told on 2026-11-20) (AwaitingAcceptance)

    On somebody's word, for 90 days
      acme: jane@acme.example is invited (a webhook told on 2026-11-20), joe@acme.example is not a member (a webhook told on 2026-11-20)

    What bears * is done by hand: this service offers it to no program. The next look sees by itself that accounts and plans are done; of members it is told: bursar ack CLIENT.
    Nothing planned; 1 waiting, 1 by hand.
    ");
    let waiting = published(&["jane@acme.example"]).told("jane@acme.example", pat(Says::Invited));
    assert_eq!(short(&waiting.plan(), "acme"), "Waiting: AddMember jane@acme.example Waiting(AwaitingAcceptance)");
}

#[test]
fn a_word_that_is_too_old_or_contested_makes_it_unknown_again_and_says_why() {
    let old = Word { weight: Weight::Expired, ..pat(MEMBER) };
    let contested = Word { weight: Weight::Contested { at: "2026-11-22T00:00:00Z".parse().unwrap() }, ..pat(MEMBER) };
    let world = published(&["jane@acme.example", "joe@acme.example"])
        .told("jane@acme.example", old)
        .told("joe@acme.example", contested);
    insta::assert_snapshot!(world.text(), @"
    acme (account 1)  clients/acme.yaml:1
      ! its members cannot be read over this API, so whether these are members is not known: jane@acme.example (a member with full access: pat said so on 2026-11-20, which is too old), joe@acme.example (a member with full access: pat said so on 2026-11-20, and a webhook told the opposite on 2026-11-22); look at https://dnsimple.com/a/1/account/members, set right there what differs, then tell: bursar ack acme

    Nothing planned; 1 unknown.
    ");
}

#[test]
fn members_that_can_be_read_are_no_matter_of_words() {
    let seen = World::in_agreement(vec![client("acme", &["jane@acme.example"])]);
    let told = seen.clone().told("jane@acme.example", pat(Says::Absent)).told("x@acme.example", pat(MEMBER));
    assert_eq!(told.plan(), seen.plan());
    // Neither where they could be read and were not.
    let failed = seen.with(|w| w.account(0).members = Reading::NotRead);
    assert_eq!(failed.clone().told("jane@acme.example", pat(MEMBER)).plan(), failed.plan());
}

#[test]
fn who_leaves_is_asked_about_and_removed_by_hand_where_they_are_said_to_be_there() {
    let world = published(&[]).with(|w| w.offboard(&["pat@agency.example"]));
    assert!(world.text().contains("is not known: pat@agency.example;"), "{}", world.text());
    let there = world.clone().told("pat@agency.example", pat(MEMBER));
    assert_eq!(short(&there.plan(), "acme"), "Manual: RemoveMember pat@agency.example Manual(NotOffered)");
    let steps = there.plan().accounts[0].actions[0].steps.clone();
    assert_eq!(
        steps,
        ["In the account's members and seats, https://dnsimple.com/a/1/account/members, remove:\npat@agency.example"]
    );
    assert_eq!(short(&world.told("pat@agency.example", webhook(Says::Absent)).plan(), "acme"), "InSync: ");
}

#[test]
fn an_access_that_was_told_is_set_right_by_hand_and_one_that_was_not_is_taken_for_the_wanted() {
    let world = published(&["jane@acme.example"]).with(|w| w.client(0).members[0].access = Access::Limited);
    let full = world.clone().told("jane@acme.example", pat(MEMBER));
    assert_eq!(short(&full.plan(), "acme"), "Manual: SetAccess jane@acme.example Manual(NotOffered)");
    assert!(full.text().contains("give limited access, to:\n       jane@acme.example\n"), "{}", full.text());
    assert_eq!(short(&world.told("jane@acme.example", webhook(Says::Member(None))).plan(), "acme"), "InSync: ");
}

#[test]
fn that_nobody_else_is_in_an_exclusive_account_is_somebodys_word_too() {
    let world = published(&["jane@acme.example"])
        .with(|w| {
            w.client(0).membership = Membership::Exclusive;
            w.policy.allow_removals = true;
        })
        .told("jane@acme.example", pat(MEMBER));
    assert!(world.text().contains("is not known: anybody else; look at"), "{}", world.text());
    let whole = world.with(|w| w.words().whole = Some(pat(Says::Absent)));
    assert_eq!(short(&whole.plan(), "acme"), "InSync: ");
    let stranger = whole.told("x@else.example", webhook(Says::Member(None)));
    assert_eq!(short(&stranger.plan(), "acme"), "Manual: RemoveMember x@else.example Manual(NotOffered)");
    insta::assert_snapshot!(stranger.plan().drift[0].message, @"x@else.example is a member (a webhook told on 2026-11-20), and no manifest lists them");
}

#[test]
fn steps_are_in_json_and_what_is_typed_is_inert() {
    let world = World::empty(vec![client("acme", &["jane@acme.example"])]).with(|w| {
        w.live.offer.account_management = false;
        w.client(0).account_name = bursar::domain::AccountName::new("Acme\n\u{1b}[2J\u{202e}Corp");
        w.client(0).members[0].access = Access::Limited;
        w.client(0).members[0].email = Email::lenient("j\nane@acme.example");
        w.set_capabilities(&[Capability::Bulk]);
    });
    let json = render::json(&world.plan());
    let steps: Vec<_> = json["accounts"][0]["actions"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|a| a["steps"].as_array().unwrap())
        .collect();
    insta::assert_json_snapshot!(steps, @r#"
    [
      "In your user settings, https://dnsimple.com/user, add a new account.",
      "Type its name and its notification email:\nAcme\\u{a}\\u{1b}[2J\\u{202e}Corp\ndns+acme@agency.example",
      "In the new account's settings, under billing and plans, subscribe to this plan, with 2 seats, for you and everybody wanted:\nteams",
      "In the new account's settings, under members and seats, invite, with limited access:\nj\\u{a}ane@acme.example"
    ]
    "#);
    assert_eq!(json["accounts"][0]["actions"][0]["link"], "https://dnsimple.com/user");
    assert_eq!(json["accounts"][0]["actions"][1]["link"], serde_json::Value::Null);
}
