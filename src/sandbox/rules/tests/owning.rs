//! Accounts: rules 1 to 3 and 19, what `updated_at` tells, and the clock.

use super::*;

#[test]
fn rule_1_names_are_not_unique_and_each_account_has_one_notification_email() {
    let mut play = Play::new();
    assert_eq!([play.create(), play.create()], [AccountId(1), AccountId(2)]);
    assert_eq!(play.world.membership(AccountId(2), US).map(|member| member.access), Some(Access::Full));
    assert_eq!(play.world.meta.totals.accounts_created, 2);
}

#[test]
fn rule_1_an_account_needs_a_name_and_an_address_and_every_fault_is_told() {
    let long = "x".repeat(256);
    for (name, email, expected) in [
        (None, None, "400 email is an invalid email address; name can't be blank"),
        (Some("  "), Some("a@b.example"), "400 name can't be blank"),
        (
            Some(long.as_str()),
            Some("no"),
            "400 email is an invalid email address; name is too long (maximum is 255 characters)",
        ),
        (Some("A"), Some("a@localhost"), "400 email is an invalid email address"),
        (Some("A"), Some("A <a@b.example>"), "400 email is an invalid email address"),
        (Some("A"), Some("a@[127.0.0.1]"), "400 email is an invalid email address"),
        (Some("A"), Some("a\r\n@b.example"), "400 email is an invalid email address"),
    ] {
        assert_eq!(told(Play::new().ask(|m| accounts::create(m, name, email))), expected);
    }
}

#[test]
fn rule_2_a_new_account_has_no_plan_and_its_settings_may_be_changed() {
    let mut play = Play::new();
    let id = play.create();
    assert!(play.world.plan_in_force(id).is_none() && !play.world.subscriptions.contains_key(&id));
    let changed = play.ask(|m| accounts::update(m, id, Some("Acme Corp"), None)).unwrap();
    assert_eq!((changed.name.as_str(), changed.email.as_str()), ("Acme Corp", "dns@agency.example"));
}

#[test]
fn rule_3_without_a_plan_only_members_are_out_of_reach() {
    let mut play = Play::new();
    let id = play.create();
    assert_eq!(told(play.add(id, "jane@acme.example")), "402 The account is not subscribed to a plan");
    assert_eq!(play.ask(|m| webhooks::register(m, id, Some("https://a.example/x"))).map(|it| it.id.0), Ok(1));
    assert_eq!(told(play.ask(|m| webhooks::register(m, id, Some("http://a.example")))), "400 url must be an HTTPS URL");
}

#[test]
fn rule_19_an_account_is_visible_to_its_members_alone() {
    let mut play = Play::new();
    let mut ask = Arrangement {
        name: "Theirs".to_owned(),
        email: "dns@theirs.example".to_owned(),
        owner: Some("owner@theirs.example".to_owned()),
        with_caller: false,
        plan: Some(TEAMS.to_owned()),
        seats: None,
        members: vec![("jane@acme.example".to_owned(), Access::Limited)],
    };
    let theirs = play.ask(|m| people::arrange(m, &ask)).unwrap().id;
    assert_eq!(told(play.ask(|m| accounts::update(m, theirs, None, None))), "404 Account `1` not found");
    ask.with_caller = true;
    let shared = play.ask(|m| people::arrange(m, &ask)).unwrap().id;
    let visible = |play: &Play| {
        let m = Moment {
            world: &play.world,
            caller: US,
            now: play.now,
            terms: &play.terms,
            settling: play.settling,
            door: Door::Api,
        };
        m.visible().map(|account| account.id).collect::<Vec<_>>()
    };
    assert_eq!(visible(&play), [shared]);
    assert_eq!(play.stand(shared), "teams-v2-monthly 3 | - -");
    ask.plan = Some(SOLO.to_owned());
    assert_eq!(told(play.ask(|m| people::arrange(m, &ask))), "400 plan takes fewer members than 3");
}

#[test]
fn updated_at_moves_with_every_change_even_within_a_second_and_only_then() {
    let mut play = Play::new();
    let id = play.create();
    let moved = |play: &Play, since: Timestamp| play.world.accounts[&id].updated_at > since;
    let at = |play: &Play| -> Timestamp { play.world.accounts[&id].updated_at };
    let mut seen = at(&play);
    play.choose(id, TEAMS, Some(2)).unwrap();
    assert!(moved(&play, seen), "subscribed");
    seen = at(&play);
    let jane = play.add(id, "jane@acme.example").unwrap();
    assert!(moved(&play, seen), "added");
    seen = at(&play);
    play.ask(|m| members::set_access(m, id, jane.id, Some("limited"))).unwrap();
    assert!(moved(&play, seen), "access");
    seen = at(&play);
    play.ask(|m| members::remove(m, id, jane.id)).unwrap();
    assert!(moved(&play, seen), "removed");
    seen = at(&play);
    play.ask(|m| accounts::update(m, id, Some("Other"), None)).unwrap();
    assert!(moved(&play, seen), "renamed");
    seen = at(&play);
    let Account { name, .. } = play.ask(|m| accounts::update(m, id, Some("Other"), None)).unwrap();
    play.choose(id, TEAMS, Some(2)).unwrap();
    assert_eq!((name.as_str(), at(&play)), ("Other", seen), "nothing changed");

    play.terms.without = BTreeSet::from([Extension::UpdatedAt]);
    play.add(id, "jane@acme.example").unwrap();
    assert_eq!(at(&play), seen, "without the extension it stays");
}

#[test]
fn the_clock_goes_forward_only_and_not_for_ever() {
    let mut play = Play::new();
    assert!(told(play.ask(|m| time::advance(m, -1))).starts_with("400 advance_seconds must be from 0 to"));
    assert!(told(play.ask(|m| time::advance(m, i64::MAX))).starts_with("400"));
}
