//! The faces of a plan: JSON with its schema, diffs, what became of it.

use bursar::domain::{AccountId, AccountName, Email, RequestId};
use bursar::plan::render::{self, TextOptions};
use bursar::plan::{ActionState, OpKind, Reason, VerdictState};

use super::world::{World, client, email, member};

/// A world with something of everything.
fn busy() -> World {
    World::in_agreement(vec![
        client("acme", &["jane@acme.example"]),
        client("globex", &["hank@globex.example"]),
        client("initech", &["bill@initech.example"]),
    ])
    .with(|w| {
        w.client(0).account_name = AccountName::new("Acme Holding");
        w.client(0).previous_names = vec![AccountName::new("Acme")];
        w.members(0).push(member("x@y.example"));
        w.subscription(0).seats = Some(3);
        w.members(1).pop();
        w.wanted.clients.push(client("umbrella", &["ada@umbrella.example"]));
        w.live.accounts.push(super::world::account("77", &client("old", &[])));
        w.tried(
            "globex",
            OpKind::AddMember,
            Some("hank@globex.example"),
            VerdictState::Waiting,
            Some(Reason::AwaitingSignup),
        );
    })
}

fn validator() -> jsonschema::Validator {
    jsonschema::validator_for(&render::json_schema()).unwrap()
}

#[test]
fn json_says_everything_and_fits_its_schema() {
    let plan = busy().plan();
    let mut json = render::json(&plan);
    let validator = validator();
    let faults: Vec<String> = validator.iter_errors(&json).map(|error| error.to_string()).collect();
    assert!(faults.is_empty(), "{faults:?}");
    let mut broken = json.clone();
    broken["cost"]["monthly_after"] = serde_json::json!(29.0);
    assert!(!validator.is_valid(&broken), "money is text");

    for account in json["accounts"].as_array_mut().unwrap() {
        account["digest"] = "[digest]".into();
    }
    json["digest"] = "[digest]".into();
    json["bursar_version"] = "[version]".into();
    insta::assert_snapshot!(serde_json::to_string_pretty(&json).unwrap(), @r#"
    {
      "format_version": "1.0",
      "bursar_version": "[version]",
      "digest": "[digest]",
      "api": {
        "provider": "dnsimple",
        "url": "https://api.example/v2"
      },
      "summary": {
        "create_account": 1,
        "update_account": 1,
        "subscribe": 1,
        "change_plan": 0,
        "set_seats": 0,
        "remove_member": 0,
        "add_member": 1,
        "set_access": 0,
        "unsubscribe": 0,
        "waiting": 1,
        "blocked": 0,
        "manual": 0,
        "in_sync": 1
      },
      "cost": {
        "currency": "USD",
        "monthly_before": "203.00",
        "monthly_after": "261.00",
        "monthly_delta": "58.00",
        "unpriced": 0
      },
      "requests": {
        "spent": 3,
        "to_apply": 4
      },
      "accounts": [
        {
          "name": "acme",
          "account_id": "1",
          "source": {
            "file": "clients/acme.yaml",
            "line": 1
          },
          "state": "changes",
          "digest": "[digest]",
          "monthly_before": "87.00",
          "monthly_after": "87.00",
          "actions": [
            {
              "op": "UpdateAccount",
              "state": "planned",
              "reason": null,
              "message": "rename \"Acme\" to \"Acme Holding\"",
              "name": "Acme Holding",
              "name_from": "Acme"
            }
          ]
        },
        {
          "name": "globex",
          "account_id": "2",
          "source": {
            "file": "clients/globex.yaml",
            "line": 1
          },
          "state": "waiting",
          "digest": "[digest]",
          "monthly_before": "58.00",
          "monthly_after": "58.00",
          "actions": [
            {
              "op": "AddMember",
              "state": "waiting",
              "reason": "AwaitingSignup",
              "message": "the server said so",
              "unregistered": true,
              "request_id": "req-1",
              "email": "hank@globex.example",
              "access": "full"
            }
          ]
        },
        {
          "name": "initech",
          "account_id": "3",
          "source": {
            "file": "clients/initech.yaml",
            "line": 1
          },
          "state": "in_sync",
          "digest": "[digest]",
          "monthly_before": "58.00",
          "monthly_after": "58.00",
          "actions": []
        },
        {
          "name": "umbrella",
          "account_id": null,
          "source": {
            "file": "clients/umbrella.yaml",
            "line": 1
          },
          "state": "changes",
          "digest": "[digest]",
          "monthly_before": "0.00",
          "monthly_after": "58.00",
          "actions": [
            {
              "op": "CreateAccount",
              "state": "planned",
              "reason": null,
              "message": "create the account \"Umbrella\", notified at dns+umbrella@agency.example",
              "name": "Umbrella",
              "email": "dns+umbrella@agency.example"
            },
            {
              "op": "Subscribe",
              "state": "planned",
              "reason": null,
              "message": "subscribe to teams-v2-monthly with 1 seat",
              "plan": "teams-v2-monthly",
              "seats": 1
            },
            {
              "op": "AddMember",
              "state": "planned",
              "reason": null,
              "message": "add ada@umbrella.example with full access; once signed up, then also a seat at 29.00 a month",
              "unregistered": true,
              "email": "ada@umbrella.example",
              "access": "full"
            }
          ]
        }
      ],
      "drift": [
        {
          "account_id": "1",
          "name": "acme",
          "what": "member_added",
          "email": "x@y.example",
          "message": "x@y.example is a member with full access, and no manifest lists them"
        }
      ],
      "unmanaged": [
        {
          "account_id": "77",
          "name": "Old",
          "monthly": "29.00"
        }
      ],
      "notices": [],
      "rails": []
    }
    "#);
}

#[test]
fn what_became_of_it_is_counted() {
    let mut plan = busy().plan();
    for action in plan.accounts.iter_mut().flat_map(|account| &mut account.actions) {
        if action.state == ActionState::Planned {
            action.state = ActionState::Applied;
            action.request_id = Some(RequestId::new("req-7"));
        }
    }
    let last = plan.accounts.last_mut().unwrap();
    let failed = last.actions.last_mut().unwrap();
    failed.state = ActionState::Failed;
    failed.message = "POST /v2/{account}/members: 500: oops".to_owned();
    last.account_id = Some(AccountId::new("4"));
    insta::assert_snapshot!(render::apply_text(&plan), @r#"
    acme: updated
    globex: waiting
      … add hank@globex.example with full access: the server said so (AwaitingSignup)
    umbrella: created as account 4, subscribed to teams-v2-monthly
      ! add ada@umbrella.example with full access: failed: POST /v2/{account}/members: 500: oops, request id req-7
    Applied 3 actions; 1 failed, 1 waiting; 1 client was in sync.
    "#);
    let json = render::apply_json(&plan);
    assert!(validator().is_valid(&json));
    insta::assert_snapshot!(json["result"].to_string(), @r#"{"applied":3,"failed":1,"waiting":1,"blocked":0,"manual":0,"skipped":0}"#);
    insta::assert_snapshot!(json["accounts"][3]["actions"][2].to_string(), @r#"{"op":"AddMember","state":"failed","reason":null,"message":"POST /v2/{account}/members: 500: oops","unregistered":true,"request_id":"req-7","error":"POST /v2/{account}/members: 500: oops","email":"ada@umbrella.example","access":"full"}"#);
}

#[test]
fn a_diff_shows_the_account_before_and_after() {
    let text = render::text(&busy().plan(), &TextOptions { diff: true, styles: false });
    insta::assert_snapshot!(text, @r#"
    In short
      List price a month in USD: 203.00 now, 261.00 after, +58.00
      1 person gets full access: ada@umbrella.example
      1 person has not signed up: hank@globex.example

    acme (account 1)  clients/acme.yaml:1
      ~ rename "Acme" to "Acme Holding"
        @@ -1,4 +1,4 @@
        -name: Acme
        +name: Acme Holding
         notificationEmail: dns+acme@agency.example
         plan: teams-v2-monthly
         seats: 3

    globex (account 2)  clients/globex.yaml:1
      … add hank@globex.example with full access: the server said so (AwaitingSignup)
        @@ -4,3 +4,4 @@
         seats: 2
         members:
           agency@example.com: full
        +  hank@globex.example: full

    umbrella (new)  clients/umbrella.yaml:1  +58.00 a month
      + create the account "Umbrella", notified at dns+umbrella@agency.example
      + subscribe to teams-v2-monthly with 1 seat
      + add ada@umbrella.example with full access; once signed up, then also a seat at 29.00 a month
        @@ -0,0 +1,7 @@
        +name: Umbrella
        +notificationEmail: dns+umbrella@agency.example
        +plan: teams-v2-monthly
        +seats: 2
        +members:
        +  ada@umbrella.example: full
        +  agency@example.com: full

    People who get full access
      ada@umbrella.example: umbrella

    Drift
      acme (1): x@y.example is a member with full access, and no manifest lists them

    Without a manifest, never touched: 1 account, 29.00 a month
      77  Old  29.00

    List price a month in USD: 203.00 now, 261.00 after, +58.00
    Plan: 1 to create, 1 to update, 1 to subscribe, 1 to add; 1 waiting; 1 client is in sync; 4 requests.
    "#);
}

#[test]
fn styles_change_nothing_but_the_look() {
    let plan = busy().plan();
    let styled = render::text(&plan, &TextOptions { diff: true, styles: true });
    assert!(styled.contains('\u{1b}'));
    let stripped = anstream::adapter::strip_str(&styled).to_string();
    assert_eq!(stripped, render::text(&plan, &TextOptions { diff: true, styles: false }));
}

#[test]
fn foreign_text_is_inert_in_every_line() {
    let evil = "\u{1b}]0;pwned\u{7}\u{202e}\n<script>".repeat(400);
    let world = busy().with(|w| {
        w.account(0).account.name = Some(AccountName::new(evil.clone()));
        w.client(0).previous_names = vec![AccountName::new(evil.clone())];
        w.account(0).account.email = Some(Email::lenient(evil.clone()));
        w.client(0).account_id = Some(AccountId::new("1"));
        w.members(0).push(member(&format!("{evil}@y.example")));
        w.account(3).account.name = Some(AccountName::new(evil.clone()));
        w.account(3).account.email = Some(email("dns+umbrella@agency.example"));
        w.tried("initech", OpKind::AddMember, None, VerdictState::Failed, None);
        w.offboard(&["hank@globex.example"]);
        w.wanted.offboardings[0].reason = Some(evil.clone());
    });
    let plan = world.plan();
    for text in [render::text(&plan, &TextOptions { diff: true, styles: false }), render::apply_text(&plan)] {
        assert!(text.chars().all(|c| c == '\n' || !bursar::domain::text::is_active(c)), "{text}");
        assert!(text.lines().all(|line| line.chars().count() < 2_000), "long text is cut");
    }
    let json = serde_json::to_string(&render::json(&plan)).unwrap();
    assert!(!json.contains('\u{1b}'), "JSON escapes what it carries");
}
