//! The daily digest, whole.

use std::collections::BTreeMap;

use bursar::domain::{AccountId, AccountName, Money};
use bursar::notify::{Digest, digest, digest_json, digest_json_schema, digest_text};
use bursar::plan::{OpKind, Reason, VerdictState};
use jiff::Timestamp;

use crate::plan::world::{World, account, client, email, invited};
use crate::support::{Done, committed};

const JANE: &str = "jane@acme.example";

fn now() -> Timestamp {
    "2026-11-25T09:00:00Z".parse().unwrap()
}

fn of(world: &World, since: &BTreeMap<String, Timestamp>) -> Digest {
    digest(&world.plan(), &world.live.offer, since, now())
}

fn agency() -> World {
    let clients = vec![client("acme", &[JANE]), client("beta", &["bo@beta.example"]), client("gamma", &[])];
    World::in_agreement(clients).with(|w| {
        w.members(0).truncate(1);
        w.subscription(0).seats = Some(1);
        w.tried("acme", OpKind::AddMember, Some(JANE), VerdictState::Waiting, Some(Reason::AwaitingSignup));
        w.members(1).pop();
        w.members(1).push(invited("bo@beta.example"));
        w.subscription(1).seats = Some(4);
        w.account(2).account.email = Some(email("old@agency.example"));
        w.client(2).previous_notification_emails = vec![email("old@agency.example")];
        w.tried("gamma", OpKind::UpdateAccount, None, VerdictState::Blocked, Some(Reason::NotPermitted));
        let mut stranger = account("77", &client("old", &[]));
        stranger.account.name = Some(AccountName::new("Old Client"));
        w.live.accounts.push(stranger);
    })
}

#[test]
fn it_tells_what_waits_whom_to_remind_what_to_do_and_what_that_costs() {
    let since = BTreeMap::from([
        ("acme/AddMember/jane@acme.example".to_owned(), "2026-11-02T09:00:00Z".parse().unwrap()),
        ("gamma/UpdateAccount//dns+gamma@agency.example".to_owned(), "2026-11-25T07:00:00Z".parse().unwrap()),
    ]);
    let digest = of(&agency(), &since);
    insta::assert_snapshot!(digest_text(&digest, false), @r#"
    bursar, 2026-11-25: 0 of 3 clients in sync, 2 waiting, 1 for a person to act on

    A person must act
      gamma: notification email from old@agency.example to dns+gamma@agency.example: the server said so (NotPermitted)
        on the operator, since 2026-11-25 (2 hours); bursar explain gamma

    Waiting
      beta (account 2): add bo@beta.example with full access (AwaitingAcceptance)
        remind bo@beta.example: Hello, you have been invited to the account "Beta" at DNSimple, by mail to bo@beta.example. Please open that mail and accept the invitation; look among the spam if it is not there. Thank you.
      acme (account 1): add jane@acme.example with full access (AwaitingSignup, since 2026-11-02 (23 days))
        remind jane@acme.example: Hello, we would like to give you access to the account "Acme" at DNSimple. Please sign up at https://dnsimple.com/signup with this very address, jane@acme.example. You are added by itself, within an hour of that. Thank you.

    Paid a month meanwhile, by list price in USD
      29.00 for 1 seat of somebody who has not accepted
      58.00 for 2 seats that nobody is wanted for
      29.00 for 1 account without a manifest
    "#);
    let masked = digest_json(&digest, true).to_string();
    assert!(!masked.contains("jane@") && !masked.contains("bo@beta"), "{masked}");
    let validator = jsonschema::validator_for(&digest_json_schema()).unwrap();
    assert!(validator.is_valid(&digest_json(&digest, false)));
    assert_eq!(digest.idle.spare.monthly, Money::cents(5800));
    assert_eq!(digest.waits[1].account, Some(AccountId::new("1")));
}

#[test]
fn masked_its_letters_have_no_address_and_can_be_sent_as_they_are() {
    let digest = of(&agency(), &BTreeMap::new());
    let text = digest_text(&digest, true);
    let waiting = text.split("\n\n").find(|part| part.starts_with("Waiting")).unwrap();
    insta::assert_snapshot!(waiting, @r#"
    Waiting
      acme (account 1): add j***@acme.example#cd5dec with full access (AwaitingSignup)
        remind j***@acme.example#cd5dec: Hello, we would like to give you access to the account "Acme" at DNSimple. Please sign up at https://dnsimple.com/signup with the very address that this came to. You are added by itself, within an hour of that. Thank you.
      beta (account 2): add b***@beta.example#23dcec with full access (AwaitingAcceptance)
        remind b***@beta.example#23dcec: Hello, you have been invited to the account "Beta" at DNSimple, by mail. Please open that mail and accept the invitation; look among the spam if it is not there. Thank you.
      bursar digest tells whom to write to, and has the letters with their addresses
    "#);
    let json = digest_json(&digest, true);
    for waits in json["waits"].as_array().unwrap() {
        let letter = waits["letter"].as_str().unwrap();
        assert!(!letter.contains("***") && !letter.contains('@'), "{letter}");
        assert!(text.contains(letter), "{letter}");
    }
}

#[test]
fn where_nothing_waits_it_is_one_line() {
    let world = World::in_agreement(vec![client("acme", &[JANE])]);
    insta::assert_snapshot!(digest_text(&of(&world, &BTreeMap::new()), false), @"bursar, 2026-11-25: 1 of 1 clients in sync, 0 waiting, 0 for a person to act on");
}

#[test]
fn its_schema_is_the_committed_one() {
    committed("schemas/digest.schema.json", &digest_json_schema());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_tells_the_same_from_the_journal_and_the_api() {
    let world = crate::support::World::new(&[]).await;
    world.client("acme", &[JANE]);
    world.run(&["apply", "--yes"]).await.expect(0);
    let Done { stdout, .. } = world.run(&["digest"]).await.expect(0);
    let day = Timestamp::now().strftime("%Y-%m-%d").to_string();
    let port = world.sandbox.url().rsplit(':').next().unwrap().to_owned();
    insta::assert_snapshot!(stdout.replace(&day, "TODAY").replace(&port, "PORT"), @r#"
    bursar, TODAY: 0 of 1 clients in sync, 1 waiting, 0 for a person to act on

    Waiting
      acme (account 1): add jane@acme.example with full access (AwaitingSignup, since TODAY (less than an hour))
        remind jane@acme.example: Hello, we would like to give you access to the account "Client acme" at this machine. Please sign up at http://127.0.0.1:PORT/ with this very address, jane@acme.example. You are added by itself, within an hour of that. Thank you.
    "#);
    let json = world.run(&["digest", "-o", "json", "--mask-emails"]).await.expect(0).json();
    assert_eq!(json["waits"][0]["reason"], "AwaitingSignup");
    assert!(!json.to_string().contains("jane@"), "{json}");
}
