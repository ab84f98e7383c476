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
        w.tried("globex", OpKind::AddMember, Some("hank@globex.example"), VerdictState::Waiting, Some(Reason::AwaitingSignup));
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
    insta::assert_snapshot!(serde_json::to_string_pretty(&json).unwrap(), @"");
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
    insta::assert_snapshot!(render::apply_text(&plan), @"");
    let json = render::apply_json(&plan);
    assert!(validator().is_valid(&json));
    insta::assert_snapshot!(json["result"].to_string(), @"");
    insta::assert_snapshot!(json["accounts"][3]["actions"][2].to_string(), @"");
}

#[test]
fn a_diff_shows_the_account_before_and_after() {
    let text = render::text(&busy().plan(), &TextOptions { diff: true, styles: false });
    insta::assert_snapshot!(text, @"");
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
    for text in [
        render::text(&plan, &TextOptions { diff: true, styles: false }),
        render::apply_text(&plan),
    ] {
        assert!(text.chars().all(|c| c == '\n' || !bursar::domain::text::is_active(c)), "{text}");
        assert!(text.lines().all(|line| line.chars().count() < 2_000), "long text is cut");
    }
    let json = serde_json::to_string(&render::json(&plan)).unwrap();
    assert!(!json.contains('\u{1b}'), "JSON escapes what it carries");
}
