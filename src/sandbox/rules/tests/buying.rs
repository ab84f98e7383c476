//! Plans, seats and what they cost: rules 4 to 11, and 17 where it is about money.

use super::*;

#[test]
fn rule_4_subscribing_needs_a_verified_email_and_an_accepted_card() {
    for (verified, card, expected) in [
        (Some(false), Some(PAYS), "412 The email of the user is not verified"),
        (Some(true), Some(FAILS), "402 The card was refused"),
    ] {
        let mut play = Play::new();
        let id = play.create();
        play.user("agency@example.com", verified, card);
        assert_eq!(told(play.choose(id, TEAMS, None)), expected);
        assert!(play.world.subscriptions.is_empty());
    }
    let mut play = Play::new();
    let ask = Arrangement {
        name: "Theirs".to_owned(),
        email: "x@y.example".to_owned(),
        owner: Some("jane@acme.example".to_owned()),
        with_caller: false,
        plan: None,
        seats: None,
        members: vec![],
    };
    let id = play.ask(|m| people::arrange(m, &ask)).unwrap().id;
    let jane = play.world.user_by_email("jane@acme.example").unwrap().id;
    assert_eq!(told(play.ask_as(jane, |m| subscription::choose(m, id, Some(SOLO), None))), "402 There is no card");
    assert_eq!(
        told(play.ask(|m| people::sign_up(m, &SignUp { email: "x".into(), card: Some("1".into()), verified: None }))),
        "400 card is not a test card: 4242 4242 4242 4242 succeeds, 4000 0000 0000 0341 fails; email is an invalid email address"
    );
}

#[test]
fn rule_5_the_first_subscription_is_a_trial_of_thirty_days_and_is_charged_when_it_ends() {
    let mut play = Play::new();
    let id = play.on(TEAMS, 2);
    assert_eq!(play.subscription(id).trial_ends_at, Some("2026-03-02T12:00:00Z".parse().unwrap()));
    play.choose(id, TEAMS, Some(3)).unwrap();
    play.days(29);
    assert_eq!(play.charges(), Vec::<String>::new());
    play.days(33);
    assert_eq!(
        play.charges(),
        [
            "2026-03-02T12:00:00Z 87.00 first period after the trial of teams-v2-monthly, 3 seat(s)",
            "2026-04-02T12:00:00Z 87.00 renewal of teams-v2-monthly, 3 seat(s)",
        ]
    );
}

#[test]
fn rule_6_an_upgrade_takes_effect_at_once_and_a_downgrade_at_the_renewal() {
    let mut play = Play::new();
    let id = play.on(SOLO, 1);
    assert!(matches!(play.choose(id, TEAMS, None), Ok(Chosen::Changed(_))));
    assert_eq!(play.stand(id), "teams-v2-monthly 1 | - -");
    play.choose(id, SOLO, None).unwrap();
    assert_eq!(play.stand(id), "teams-v2-monthly 1 | solo-v2-monthly 1");
    let asked_again = play.world.accounts[&id].updated_at;
    play.choose(id, SOLO, None).unwrap();
    assert_eq!(play.world.accounts[&id].updated_at, asked_again, "asking again changes nothing");
    play.days(30);
    assert_eq!(play.stand(id), "solo-v2-monthly 1 | - -");
    assert_eq!(play.charges(), Vec::<String>::new());
}

#[test]
fn rule_6_choosing_the_current_plan_again_cancels_a_pending_downgrade() {
    let mut play = Play::new();
    let id = play.on(TEAMS, 3);
    play.choose(id, SOLO, None).unwrap();
    play.choose(id, TEAMS, None).unwrap();
    assert_eq!(play.stand(id), "teams-v2-monthly 3 | - -");
}

#[test]
fn rule_6_which_changes_are_downgrades() {
    let plan = |identifier: &str| crate::sandbox::catalogue::find(identifier).unwrap();
    for (from, to, expected) in [
        (SOLO, TEAMS, false),
        (TEAMS, SOLO, true),
        ("dnsimple-personal", TEAMS, false),
        ("dnsimple-professional", TEAMS, false),
        ("dnsimple-personal", SOLO, true),
        ("enterprise-v1-yearly", TEAMS, true),
        ("teams-v1-monthly", TEAMS, true),
    ] {
        assert_eq!(plan(from).is_downgrade_to(plan(to)), expected, "{from} to {to}");
    }
}

#[test]
fn rule_7_a_downgrade_is_refused_while_members_do_not_fit() {
    let mut play = Play::new();
    let id = play.on(TEAMS, 2);
    play.add(id, "jane@acme.example").unwrap();
    assert_eq!(told(play.choose(id, SOLO, None)), "400 plan_identifier takes fewer members than this account has (2)");
    let mut play = Play::new();
    let id = play.on(TEAMS, 2);
    play.choose(id, SOLO, None).unwrap();
    play.add(id, "jane@acme.example").unwrap();
    play.days(31);
    assert_eq!(play.stand(id), "teams-v2-monthly 2 | - -", "who joined meanwhile is not thrown out");
}

#[test]
fn rule_8_a_cancelled_account_keeps_its_members_and_subscribes_anew_without_a_trial() {
    let mut play = Play::new();
    let id = play.on(TEAMS, 2);
    play.add(id, "jane@acme.example").unwrap();
    let first = play.subscription(id).id;
    assert_eq!(told(play.ask(|m| subscription::cancel(m, AccountId(9)))), "404 Account `9` not found");
    play.ask(|m| subscription::cancel(m, id)).unwrap();
    play.ask(|m| subscription::cancel(m, id)).unwrap();
    assert_eq!(play.subscription(id).state, SubscriptionState::Unsubscribed);
    assert_eq!((play.world.members_of(id).len(), play.world.plan_in_force(id)), (2, None));
    play.days(400);
    assert_eq!(play.charges(), Vec::<String>::new(), "nothing is renewed");
    assert_eq!(told(play.add(id, "pat@agency.example")), "402 The account is not subscribed to a plan");
    assert_eq!(told(play.choose(id, TEAMS, None)), "400 seats is fewer than the members and invitations (2)");
    assert_eq!(told(play.choose(id, "teams-v1-monthly", Some(2))), "400 plan_identifier is not available");
    let Chosen::New(second) = play.choose(id, TEAMS, Some(2)).unwrap() else { panic!("not a new one") };
    assert!(second.id != first && second.trial_ends_at.is_none());
    assert_eq!(play.charges().len(), 1);
    assert_eq!(play.world.meta.totals.subscriptions_created, 2);
}

#[test]
fn rule_8_without_a_subscription_there_is_nothing_to_cancel() {
    let mut play = Play::new();
    let id = play.create();
    assert_eq!(told(play.ask(|m| subscription::cancel(m, id))), "404 The account has no subscription");
}

#[test]
fn rule_9_a_card_that_fails_buys_no_seats_but_those_there_are_stay() {
    let mut play = Play::new();
    let id = play.on(TEAMS, 2);
    play.user("agency@example.com", None, Some(FAILS));
    assert_eq!(told(play.choose(id, TEAMS, Some(3))), "402 The card was refused");
    play.choose(id, TEAMS, Some(2)).unwrap();
    play.choose(id, TEAMS, Some(1)).unwrap();
    assert_eq!(play.stand(id), "teams-v2-monthly 2 | - 1");
}

#[test]
fn rule_10_only_plans_on_sale_are_chosen_and_every_fault_is_told() {
    for (plan, seats, expected) in [
        (None, None, "400 plan_identifier can't be blank"),
        (Some("gold"), Some(0), "400 plan_identifier is unknown; seats must be at least 1"),
        (Some("enterprise-v1-yearly"), None, "400 plan_identifier is not available for self-service"),
        (Some("dnsimple-personal"), None, "400 plan_identifier is not available"),
        (Some("dnsimple-business"), None, "400 plan_identifier is not available"),
        (Some(SOLO), Some(2), "400 seats is more than the plan takes (1)"),
    ] {
        let mut play = Play::new();
        let id = play.create();
        assert_eq!(told(play.ask(|m| subscription::choose(m, id, plan, seats))), expected);
    }
}

#[test]
fn rule_10_a_legacy_plan_may_be_kept_and_given_seats() {
    let mut play = Play::new();
    let ask = Arrangement {
        name: "Old".to_owned(),
        email: "old@agency.example".to_owned(),
        owner: None,
        with_caller: true,
        plan: Some("dnsimple-business".to_owned()),
        seats: None,
        members: vec![],
    };
    let id = play.ask(|m| people::arrange(m, &ask)).unwrap().id;
    play.choose(id, "dnsimple-business", Some(6)).unwrap();
    assert_eq!(play.stand(id), "dnsimple-business 6 | - -");
    assert_eq!(play.world.meta.totals.accounts_created, 0, "what is arranged was not created over the API");
}

#[test]
fn rule_11_a_plan_of_one_member_takes_nobody_else() {
    let mut play = Play::new();
    let id = play.on(SOLO, 1);
    assert_eq!(told(play.add(id, "nobody")), "412 The plan takes one member only");
    for (identifier, takes_more) in [
        (SOLO, false),
        (TEAMS, true),
        ("enterprise-v1-yearly", true),
        ("dnsimple-personal", false),
        ("dnsimple-professional", false),
        ("dnsimple-business", true),
        ("teams-v1-monthly", true),
    ] {
        assert_eq!(crate::sandbox::catalogue::find(identifier).map(|plan| plan.multi_member), Some(takes_more));
    }
}

#[test]
fn rule_17_more_seats_come_at_once_and_prorated_fewer_at_the_renewal_and_never_below_the_members() {
    let mut play = Play::new();
    let id = play.on(TEAMS, 2);
    play.days(30);
    play.days(14);
    play.choose(id, TEAMS, Some(4)).unwrap();
    assert_eq!(
        play.charges().last().map(String::as_str),
        Some("2026-03-16T12:00:00Z 31.81 more seats: teams-v2-monthly, 4 seat(s)")
    );
    play.add(id, "jane@acme.example").unwrap();
    assert_eq!(told(play.choose(id, TEAMS, Some(1))), "400 seats is fewer than the members and invitations (2)");
    play.choose(id, TEAMS, Some(2)).unwrap();
    assert_eq!(play.stand(id), "teams-v2-monthly 4 | - 2");
    play.choose(id, TEAMS, None).unwrap();
    assert_eq!(play.stand(id), "teams-v2-monthly 4 | - 2", "seats left out are left alone");
    play.add(id, "pat@agency.example").unwrap();
    play.days(31);
    assert_eq!(play.stand(id), "teams-v2-monthly 3 | - -");
    assert_eq!(
        play.charges().last().map(String::as_str),
        Some("2026-04-02T12:00:00Z 87.00 renewal of teams-v2-monthly, 3 seat(s)")
    );
}
