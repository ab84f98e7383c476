//! From nothing to in sync by a person's steps, and back after 90 days, the real binary.

use bursar::journal::{Address, Batch, Fact, FactKind, open_beside};
use jiff::SignedDuration;
use serde_json::Value;

use super::server::Published;

fn state(report: &Value) -> (&str, &str) {
    let account = &report["accounts"][0];
    (account["state"].as_str().unwrap(), account["message"].as_str().unwrap_or_default())
}

/// As if so many days had passed since everything that was said.
async fn days_later(world: &Published, days: i64) {
    let journal = open_beside(&Address::File(world.folder.path().join(".bursar/journal.db"))).await.unwrap();
    for scope in journal.scopes().await.unwrap() {
        let said = journal.facts(&scope).await.unwrap().into_iter();
        let said = said.filter(|fact| fact.kind == FactKind::Acknowledged);
        let earlier = |fact: Fact| Fact {
            since: fact.since.saturating_sub(SignedDuration::from_hours(24 * days)).unwrap(),
            ..fact
        };
        let batch = Batch { facts: said.map(earlier).collect(), ..Batch::default() };
        journal.commit(&scope, batch).await.unwrap();
    }
    journal.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_does_the_steps_each_look_notices_and_their_word_counts_for_ninety_days() {
    let world = Published::new().await;
    world.client("acme", &["jane@acme.example", "joe@acme.example"]);
    let steps = world.run(&["plan"]).await.expect(0).stdout;
    insta::assert_snapshot!(steps.replace(&world.server.address.to_string(), "ADDRESS"), @r#"
    acme (new)  acme.yaml:1
      * create the account "Client acme", notified at dns+acme@agency.example, by hand
        1. In your user settings, https://dnsimple.com/user, add a new account.
        2. Type its name and its notification email:
           Client acme
           dns+acme@agency.example
      * subscribe to teams, by hand
        3. In the new account's settings, under billing and plans, subscribe to this plan, with 3 seats, for you and everybody wanted:
           teams
      * add jane@acme.example with full access, by hand
        4. In the new account's settings, under members and seats, invite, with full access:
           jane@acme.example
      * add joe@acme.example with full access, by hand
        5. In the new account's settings, under members and seats, invite, with full access:
           joe@acme.example

    What bears * is done by hand: this service offers it to no program. The next look sees by itself that accounts and plans are done; of members it is told: bursar ack CLIENT.
    The links lead to DNSimple's own site, and this API is on this machine: where it is the sandbox, its page http://ADDRESS/ stands for that site.
    Nothing planned; 4 by hand.
    "#);
    let nobody = world.run(&["ack", "acme"]).await.expect(1).stderr;
    assert!(nobody.contains("`bursar apply` and `bursar run` make it"), "{nobody}");
    world.run(&["apply", "--yes"]).await.expect(3);
    let unknown = world.run(&["ack", "acme"]).await.expect(1).stderr;
    insta::assert_snapshot!(unknown, @"
    Error: no account of acme is known
    Hint: `bursar apply` and `bursar run` find it as soon as the service lists it
    ");

    // Account and plan show by themselves.
    world.account(1385, "acme");
    let report = world.run(&["apply", "--yes", "-o", "json"]).await.expect(0).json();
    let (now, message) = state(&report);
    assert_eq!(now, "unknown");
    assert!(
        message.contains("jane@acme.example, joe@acme.example; look at https://dnsimple.com/a/1385/account/members, set right there what differs")
    );

    let invited = world.run(&["ack", "1385", "JOE@acme.example", "--invited"]).await.expect(0).stdout;
    insta::assert_snapshot!(invited, @"
    acme (account 1385), for 90 days:
      JOE@acme.example is invited
    The next pass is `bursar apply`, or a running daemon's next look (`--interval`; at once on SIGHUP).
    ");
    let all = world.run(&["ack", "acme", "jane@acme.example", "--by", "Kim\u{1b}[2J"]).await.expect(0).stdout;
    assert!(all.contains("  jane@acme.example is a member\n"), "{all}");
    let report = world.run(&["plan", "-o", "json"]).await.expect(0).json();
    assert_eq!(state(&report).0, "waiting");
    let told = report["accounts"][0]["told"].as_array().unwrap();
    assert_eq!(told[0]["by"], "Kim\\u{1b}[2J");

    let all = world.run(&["ack", "acme"]).await.expect(0).stdout;
    insta::assert_snapshot!(all, @"
    acme (account 1385), for 90 days:
      jane@acme.example is a member with full access
      joe@acme.example is a member with full access
    The next pass is `bursar apply`, or a running daemon's next look (`--interval`; at once on SIGHUP).
    ");
    assert_eq!(state(&world.run(&["apply", "--yes", "-o", "json"]).await.expect(0).json()).0, "in_sync");

    let history = world.run(&["history", "--kind", "acknowledged"]).await.expect(0).stdout;
    assert_eq!(history.matches("joe@acme.example is a member with full access, says pat").count(), 1, "{history}");
    let explained = world.run(&["explain", "acme"]).await.expect(0).stdout;
    let (_, said) = explained.split_once("On somebody's word").unwrap();
    let rows: Vec<Vec<&str>> =
        said.lines().skip(2).map(|line| line.split("  ").filter(|c| !c.is_empty()).collect()).collect();
    assert_eq!(rows.len(), 2, "{explained}");
    for (row, who) in rows.iter().zip(["jane@acme.example", "joe@acme.example"]) {
        let cells: Vec<&str> = row.iter().map(|cell| cell.trim()).collect();
        assert_eq!((cells[0], cells[1], cells[3]), (who, "a member with full access", "yes"), "{explained}");
        assert!(cells[2].starts_with("pat said so on 20"), "{explained}");
    }
    days_later(&world, 89).await;
    assert_eq!(state(&world.run(&["plan", "-o", "json"]).await.expect(0).json()).0, "in_sync");
    days_later(&world, 1).await;
    let report = world.run(&["plan", "-o", "json"]).await.expect(0).json();
    let (now, message) = state(&report);
    assert_eq!(now, "unknown");
    assert!(message.contains("jane@acme.example (a member with full access: pat said so on"), "{message}");
    assert!(message.contains("which is too old"), "{message}");
    // Nothing but reading was ever asked of the server.
    assert!(world.server.lines().iter().all(|line| line.starts_with("GET ")), "{:?}", world.server.lines());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_removed_by_hand_is_told_and_what_fits_nothing_is_refused() {
    let world = Published::new().await;
    world.client("acme", &["jane@acme.example"]);
    world.write(
        "leavers.yaml",
        "apiVersion: bursar.dev/v1\nkind: Offboarding\nmetadata: { name: leavers }\nspec: { people: [pat@agency.example] }\n",
    );
    world.account(1385, "acme");
    world.run(&["apply", "--yes"]).await.expect(0);
    world.run(&["ack", "acme", "pat@agency.example"]).await.expect(0);
    world.run(&["ack", "acme", "jane@acme.example", "--access", "limited"]).await.expect(0);
    let report = world.run(&["plan", "-o", "json"]).await.expect(0).json();
    let actions: Vec<_> = report["accounts"][0]["actions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|action| format!("{} {} {}", action["op"], action["email"], action["state"]))
        .collect();
    assert_eq!(
        actions,
        [r#""RemoveMember" "pat@agency.example" "manual""#, r#""SetAccess" "jane@acme.example" "manual""#]
    );
    world.run(&["ack", "acme", "pat@agency.example", "--removed"]).await.expect(0);
    world.run(&["ack", "acme", "jane@acme.example", "--access", "full"]).await.expect(0);
    assert_eq!(state(&world.run(&["plan", "-o", "json"]).await.expect(0).json()).0, "in_sync");

    for (args, says) in [
        (vec!["ack", "acme", "jane"], "jane"),
        (vec!["ack", "globex"], "no account of globex is known"),
        (vec!["ack", "acme", "--removed"], "<EMAIL>"),
        (vec!["ack", "acme", "jane@acme.example", "--removed", "--access", "full"], "cannot be used with"),
        (vec!["ack", "acme", "--manifests", "leavers.yaml"], "no manifest here says who is wanted in acme"),
    ] {
        let refused = world.run(&args).await.expect(1).stderr;
        assert!(refused.contains(says), "{args:?}: {refused}");
    }
}
