//! Which account is whose, and what stands in the way of changing it.

use bursar::domain::{AccountId, AccountName, ClientName, Email, Foreign};
use bursar::manifest::Invalid;
use bursar::plan::render::{self, TextOptions};
use bursar::plan::{Adopt, FoundBy, Match, OpKind, Reading, Reason, VerdictState, match_accounts};

use super::world::{World, account, client, email, short, source};

#[test]
fn a_world_in_agreement_needs_nothing() {
    let world = World::in_agreement(vec![client("acme", &["jane@acme.example"]), client("globex", &[])]);
    insta::assert_snapshot!(world.text(), @"Nothing to do; 2 clients are in sync.");
}

#[test]
fn a_new_client_is_created_subscribed_and_joined() {
    let world = World::empty(vec![client("acme", &["jane@acme.example", "pat@agency.example"])])
        .with(|w| w.sign_up(&["pat@agency.example"]));
    insta::assert_snapshot!(world.text(), @r#"
    acme (new)  clients/acme.yaml:1  +87.00 a month
      + create the account "Acme", notified at dns+acme@agency.example
      + subscribe to teams-v2-monthly with 2 seats
      + add pat@agency.example with full access
      + add jane@acme.example with full access; once signed up, then also a seat at 29.00 a month

    People who get full access
      jane@acme.example: acme
      pat@agency.example: acme

    List price a month in USD: 0.00 now, 87.00 after, +87.00
    Plan: 1 to create, 1 to subscribe, 2 to add; 4 requests.
    "#);
}

#[test]
fn no_client_at_all_is_said() {
    insta::assert_snapshot!(World::empty(vec![]).text(), @"Nothing to do: no client is selected.");
    let world = World::in_agreement(vec![client("acme", &[])]).with(|w| w.selector = "wave=canary".parse().unwrap());
    insta::assert_snapshot!(world.text(), @"Nothing to do: no client is selected.");
}

#[test]
fn accounts_are_found_by_id_then_name_then_similar_then_previous_name() {
    for (name, id, previous, found) in [
        ("Acme", None, None, Some(("1", FoundBy::Name))),
        ("ACME ", None, None, Some(("1", FoundBy::SimilarName))),
        ("Acme Holding", None, Some("Acme"), Some(("1", FoundBy::PreviousName))),
        ("Acme", Some("2"), None, Some(("2", FoundBy::Id))),
        ("Аcme", None, None, None),
    ] {
        let world = World::in_agreement(vec![client("acme", &[]), client("globex", &[])]).with(|w| {
            w.wanted.clients.pop();
            w.client(0).account_name = AccountName::new(name);
            w.client(0).account_id = id.map(AccountId::new);
            w.client(0).previous_names = previous.into_iter().map(AccountName::new).collect();
        });
        let matching = match_accounts(&world.wanted, &world.live.accounts);
        let acme = ClientName::parse("acme").unwrap();
        let got = match matching.account_of(&acme) {
            Match::Account(index) => {
                Some((world.live.accounts[index].account.id.as_str(), matching.found_by(&acme).unwrap()))
            }
            Match::New => None,
            Match::Blocked { .. } => panic!("{name} is blocked"),
        };
        assert_eq!(got, found, "{name} {id:?} {previous:?}");
    }
}

#[test]
fn names_that_differ_in_case_only_are_corrected() {
    let world = World::in_agreement(vec![client("acme", &[])]).with(|w| {
        w.account(0).account.name = Some(AccountName::new("ACME"));
    });
    insta::assert_snapshot!(world.text(), @r#"
    acme (account 1)  clients/acme.yaml:1
      ~ rename "ACME" to "Acme"

    List price a month in USD: 29.00 now, 29.00 after, 0.00
    Plan: 1 to update; 1 request.
    "#);
}

#[test]
fn a_claim_on_two_accounts_blocks_and_names_the_way_out() {
    let world = World::in_agreement(vec![client("acme", &[])]).with(|w| {
        let twin = account("9", &w.wanted.clients[0].clone());
        w.live.accounts.push(twin);
    });
    insta::assert_snapshot!(world.text(), @r#"
    acme (no account)  clients/acme.yaml:1
      ! create the account "Acme", notified at dns+acme@agency.example: accounts 1 and 9 bear the name; write the id of the right one, as in accountId: "1" (AmbiguousAccount)

    Nothing planned; 1 blocked.
    "#);
    let world = world.with(|w| w.client(0).account_id = Some(AccountId::new("9")));
    insta::assert_snapshot!(world.text(), @r#"
    Without a manifest, never touched: 1 account, 29.00 a month
      1  Acme  29.00

    Nothing to do; 1 client is in sync.
    "#);
}

#[test]
fn an_account_claimed_by_two_blocks_both_in_any_order() {
    let mut world = World::in_agreement(vec![client("acme", &[])]);
    let mut second = client("zeta", &[]);
    second.account_name = AccountName::new("Zeta");
    second.previous_names = vec![AccountName::new("Acme")];
    world.wanted.clients.push(second);
    insta::assert_snapshot!(world.text(), @r#"
    acme (no account)  clients/acme.yaml:1
      ! create the account "Acme", notified at dns+acme@agency.example: account 1 is claimed by acme and zeta; write accountId: "1" in the one that it belongs to (AmbiguousAccount)

    zeta (no account)  clients/zeta.yaml:1
      ! create the account "Zeta", notified at dns+zeta@agency.example: account 1 is claimed by acme and zeta; write accountId: "1" in the one that it belongs to (AmbiguousAccount)

    Nothing planned; 2 blocked.
    "#);
    let digest = world.plan().digest;
    world.wanted.clients.reverse();
    assert_eq!(world.plan().digest, digest);
}

#[test]
fn an_account_id_that_is_not_visible_is_never_created() {
    let world = World::empty(vec![client("acme", &[])]).with(|w| w.client(0).account_id = Some(AccountId::new("1385")));
    insta::assert_snapshot!(world.text(), @r#"
    acme (no account)  clients/acme.yaml:1
      ! create the account "Acme", notified at dns+acme@agency.example: accountId 1385 is not among the accounts that this token can see; correct it, have the token's user added to that account, or leave it out to have an account made (AccountNotFound)

    Nothing planned; 1 blocked.
    "#);
}

#[test]
fn somebody_elses_account_of_the_same_name_is_not_taken_over() {
    let world = World::in_agreement(vec![client("acme", &["jane@acme.example"])]).with(|w| {
        w.account(0).account.email = Some(email("boss@elsewhere.example"));
        w.members(0).pop();
        w.offboard(&["jane@acme.example"]);
    });
    insta::assert_snapshot!(world.text(), @r#"
    acme (account 1)  clients/acme.yaml:1
      ! notification email from boss@elsewhere.example to dns+acme@agency.example: account 1 bears the name, but may be somebody else's: its notification email is boss@elsewhere.example, neither the manifest's nor a previous one. If it is this client's, write accountId: "1" in the manifest (bursar pin --take-over acme does) (AdoptionNeeded)

    Nothing planned; 1 blocked.
    "#);

    let short_with = |adopt, change: fn(&mut World)| {
        let world = world.clone().with(|w| w.policy.adopt = adopt).with(change);
        short(&world.plan(), "acme")
    };
    insta::assert_snapshot!(short_with(Adopt::ByName, |_| ()), @"Changes: UpdateAccount Planned");
    let by_previous = |w: &mut World| {
        w.client(0).previous_notification_emails = vec![Email::lenient("Boss@elsewhere.example")];
    };
    insta::assert_snapshot!(short_with(Adopt::Matching, by_previous), @"Changes: UpdateAccount Planned");
    insta::assert_snapshot!(short_with(Adopt::Never, by_previous), @"Blocked: UpdateAccount Blocked(AdoptionNeeded)");
    let by_id = |w: &mut World| w.client(0).account_id = Some(AccountId::new("1"));
    insta::assert_snapshot!(short_with(Adopt::Never, by_id), @"Changes: UpdateAccount Planned");
}

#[test]
fn nothing_to_change_is_still_not_adopted_where_adoption_is_off() {
    let world = World::in_agreement(vec![client("acme", &[])]).with(|w| w.policy.adopt = Adopt::Never);
    insta::assert_snapshot!(short(&world.plan(), "acme"), @"Blocked: UpdateAccount Blocked(AdoptionNeeded)");
}

#[test]
fn an_account_that_looks_like_the_old_name_of_a_new_client_is_pointed_out() {
    let world = World::in_agreement(vec![client("acme", &["jane@acme.example", "pat@agency.example"])]).with(|w| {
        w.client(0).account_name = AccountName::new("Acme Holding");
        let mut other = client("globex", &["pat@agency.example"]);
        other.plan = bursar::manifest::WantedPlan::Choice("teams".to_owned());
        w.wanted.clients.push(other);
    });
    insta::assert_snapshot!(world.text(), @r#"
    acme (new)  clients/acme.yaml:1  +87.00 a month
      + create the account "Acme Holding", notified at dns+acme@agency.example
      + subscribe to teams-v2-monthly with 3 seats
      + add jane@acme.example with full access
      + add pat@agency.example with full access

    globex (new)  clients/globex.yaml:1  +58.00 a month
      + create the account "Globex", notified at dns+globex@agency.example
      + subscribe to teams-v2-monthly with 2 seats
      + add pat@agency.example with full access

    People who get full access
      jane@acme.example: acme
      pat@agency.example: acme and globex

    Without a manifest, never touched: 1 account, 87.00 a month
      1  Acme  87.00

    Look at
      acme: looks like a rename of 1 ("Acme"), which has its notification email and the member jane@acme.example as well; if it is the same client, write accountId: "1" or previousNames: ["Acme"] instead of having an account made

    List price a month in USD: 0.00 now, 145.00 after, +145.00
    Plan: 2 to create, 2 to subscribe, 3 to add; 7 requests.
    "#);
}

/// What is to be written, in every face; and that it does what it says.
#[test]
fn the_rename_hint_tells_what_to_write_and_that_adopts_the_account() {
    let renamed = World::in_agreement(vec![client("acme", &["jane@acme.example"])])
        .with(|w| w.client(0).account_name = AccountName::new("Acme Holding"));
    let hint = r#"write accountId: "1" or previousNames: ["Acme"] instead of having an account made"#;
    let plan = renamed.plan();
    assert!(render::text(&plan, &TextOptions::default()).contains(hint));
    assert!(render::markdown(&plan, true).contains(hint));
    assert_eq!(render::json(&plan)["notices"][0]["message"].as_str().unwrap().matches(hint).count(), 1);
    let by_name = renamed.clone().with(|w| w.client(0).previous_names = vec![AccountName::new("Acme")]);
    let by_id = renamed.clone().with(|w| w.client(0).account_id = Some(AccountId::new("1")));
    for world in [by_name, by_id] {
        assert_eq!(short(&world.plan(), "acme"), "Changes: UpdateAccount Planned");
    }
    // Where a previous name would not do, it is not spoken of: another notification email, a
    // name that two bear, one that nobody types.
    let only_id = [
        renamed.clone().with(|w| w.account(0).account.email = Some(Email::lenient("boss@elsewhere.example"))),
        renamed.clone().with(|w| {
            let twin = account("2", &client("acme", &[]));
            w.live.accounts.push(twin);
        }),
        renamed.with(|w| w.account(0).account.name = Some(AccountName::new("Ac\u{1b}\"me"))),
    ];
    for world in only_id {
        let text = world.text();
        assert!(text.contains("looks like a rename of 1 ") && !text.contains("previousNames"), "{text}");
    }
}

#[test]
fn an_invalid_document_claims_its_account_and_changes_nothing() {
    let world = World::in_agreement(vec![client("acme", &[]), client("globex", &[])]).with(|w| {
        let out = w.wanted.clients.remove(0);
        w.wanted.invalid.push(Invalid {
            name: Some(out.name),
            account_name: Some(out.account_name),
            account_id: None,
            source: source("clients/acme.yaml"),
            why: "unknown field `memebrs`\u{1b}[31m".to_owned(),
            whole_file: false,
        });
    });
    insta::assert_snapshot!(world.text(), @"
    acme (invalid)  clients/acme.yaml:1
      ! unknown field `memebrs`[31m

    Nothing planned; 1 invalid; 1 client is in sync.
    ");
}

#[test]
fn a_suspended_client_is_observed_and_never_changed() {
    let world = World::in_agreement(vec![client("acme", &["jane@acme.example"])]).with(|w| {
        w.client(0).suspend = true;
        w.client(0).notification_email = email("other@agency.example");
        w.client(0).account_id = Some(AccountId::new("1"));
        w.members(0).push(super::world::member("x@y.example"));
        w.offboard(&["jane@acme.example"]);
    });
    insta::assert_snapshot!(world.text(), @r#"
    acme (account 1, suspended)  clients/acme.yaml:1
        skipped: remove jane@acme.example (full access): the client is suspended, so this is shown and not done
        skipped: notification email from dns+acme@agency.example to other@agency.example: the client is suspended, so this is shown and not done

    Drift
      acme (1): x@y.example is a member with full access, and no manifest lists them

    Nothing planned; 1 suspended.
    "#);
}

#[test]
fn what_depends_on_a_creation_that_failed_is_skipped() {
    let world = World::empty(vec![client("acme", &["jane@acme.example"]), client("globex", &[])])
        .with(|w| w.tried("acme", OpKind::CreateAccount, None, VerdictState::Failed, None));
    insta::assert_snapshot!(world.text(), @r#"
    acme (no account)  clients/acme.yaml:1
      ! create the account "Acme", notified at dns+acme@agency.example: failed: the server said so, request id req-1
        skipped: subscribe to teams-v2-monthly with 1 seat: the account is not created
        skipped: add jane@acme.example with full access: the account is not created

    globex (new)  clients/globex.yaml:1  +29.00 a month
      + create the account "Globex", notified at dns+globex@agency.example
      + subscribe to teams-v2-monthly with 1 seat

    List price a month in USD: 0.00 now, 29.00 after, +29.00
    Plan: 1 to create, 1 to subscribe; 1 failed; 2 requests.
    "#);
}

#[test]
fn members_that_cannot_be_read_are_unknown_and_never_absent() {
    for reading in [Reading::NotRead, Reading::Failed(Foreign::new("502: <html>"))] {
        let world = World::in_agreement(vec![client("acme", &["jane@acme.example"])]).with(|w| {
            w.account(0).members = reading;
            w.account(0).account.name = Some(AccountName::new("ACME"));
            w.client(0).membership = bursar::manifest::Membership::Exclusive;
            w.offboard(&["pat@agency.example"]);
        });
        assert_eq!(short(&world.plan(), "acme"), "Unknown: UpdateAccount Planned");
    }
}

#[test]
fn a_subscription_that_cannot_be_read_is_not_taken_for_none() {
    let world = World::in_agreement(vec![client("acme", &["jane@acme.example"])])
        .with(|w| w.account(0).subscription = Reading::Failed(Foreign::new("timed out")));
    insta::assert_snapshot!(world.text(), @r#"
    acme (account 1)  clients/acme.yaml:1
      ! its subscription cannot be read, so what depends on that is left as it is: timed out

    Nothing planned; 1 unknown.
    "#);
}

#[test]
fn the_notification_email_of_a_member_is_refused_before_anything_is_sent() {
    let world = World::in_agreement(vec![client("acme", &["jane@acme.example"])]).with(|w| {
        w.client(0).notification_email = email("jane@acme.example");
        w.client(0).account_id = Some(AccountId::new("1"));
    });
    insta::assert_snapshot!(short(&world.plan(), "acme"), @"Blocked: UpdateAccount Blocked(NotificationEmailConflict)");
    let owner = World::empty(vec![client("acme", &[])]).with(|w| {
        w.client(0).notification_email = email("Agency@example.com");
    });
    insta::assert_snapshot!(short(&owner.plan(), "acme"), @"Blocked: CreateAccount Blocked(NotificationEmailConflict), Subscribe Skipped(DependencyNotMet)");
    let coming = World::in_agreement(vec![client("acme", &["jane@acme.example"])]).with(|w| {
        w.members(0).pop();
        w.client(0).notification_email = email("jane@acme.example");
        w.client(0).account_id = Some(AccountId::new("1"));
    });
    let reason = coming.plan().accounts[0].actions.iter().find_map(|action| action.reason);
    assert_eq!(reason, Some(Reason::NotificationEmailConflict));
}

#[test]
fn without_account_management_each_step_is_a_persons() {
    let world = World::in_agreement(vec![client("acme", &["jane@acme.example"])]).with(|w| {
        w.live.offer.account_management = false;
        w.live.offer.plans.clear();
        w.account(0).subscription = Reading::NotRead;
        w.account(0).members = Reading::NotRead;
        w.account(0).account.plan = Some(bursar::domain::PlanId::new("solo-v2-monthly"));
        w.wanted.clients.push(client("globex", &["pat@agency.example"]));
        let mut same = client("initech", &[]);
        same.plan = bursar::manifest::WantedPlan::Choice("teams".to_owned());
        let mut there = account("3", &same);
        there.subscription = Reading::NotRead;
        there.members = Reading::NotRead;
        w.wanted.clients.push(same);
        w.live.accounts.push(there);
    });
    insta::assert_snapshot!(world.text(), @r#"
    acme (account 1)  clients/acme.yaml:1
      ! its members cannot be read over this API, so whether these are members is not known: jane@acme.example; look at https://dnsimple.com/a/1/account/members, set right there what differs, then tell: bursar ack acme
      * change the plan from solo-v2-monthly to teams, by hand
        1. In the account's billing and plans, https://dnsimple.com/a/1/account/billing, change to this plan, with 2 seats, for you and everybody wanted:
           teams

    globex (new)  clients/globex.yaml:1
      * create the account "Globex", notified at dns+globex@agency.example, by hand
        1. In your user settings, https://dnsimple.com/user, add a new account.
        2. Type its name and its notification email:
           Globex
           dns+globex@agency.example
      * subscribe to teams, by hand
        3. In the new account's settings, under billing and plans, subscribe to this plan, with 2 seats, for you and everybody wanted:
           teams
      * add pat@agency.example with full access, by hand
        4. In the new account's settings, under members and seats, invite, with full access:
           pat@agency.example

    What bears * is done by hand: this service offers it to no program. The next look sees by itself that accounts and plans are done; of members it is told: bursar ack CLIENT.
    Nothing planned; 4 by hand; 1 client is in sync.
    "#);
}

#[test]
fn a_selector_plans_some_and_matches_all() {
    let mut world = World::in_agreement(vec![client("acme", &[])]);
    let mut rival = client("zeta", &[]);
    rival.account_name = AccountName::new("Acme");
    rival.labels.insert("wave".to_owned(), "canary".to_owned());
    world.wanted.clients.push(rival);
    let plan = world.with(|w| w.selector = "wave=canary".parse().unwrap()).plan();
    assert_eq!(plan.accounts.len(), 1);
    assert_eq!(short(&plan, "zeta"), "Blocked: CreateAccount Blocked(AmbiguousAccount)");
    assert!(plan.unmanaged.is_empty(), "the account of a client that is not selected is managed");
}

#[test]
fn the_vendors_test_site_has_links_of_its_own() {
    let world = World::empty(vec![client("acme", &[])]).with(|w| {
        w.live.offer.account_management = false;
        w.api.url = "https://api.sandbox.dnsimple.com/v2".to_owned();
    });
    let message = &world.plan().accounts[0].actions[0].message;
    assert!(message.contains("https://sandbox.dnsimple.com/user"), "{message}");
}
