//! Payments that settle later: the subscription is `subscribing` until then.

use super::*;

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn slow() -> Play {
    let mut play = Play::new();
    play.settling = DAY;
    play
}

#[test]
fn a_new_subscription_is_subscribing_until_its_payment_is_settled_and_then_its_trial_begins() {
    let mut play = slow();
    let id = play.create();
    assert!(matches!(play.choose(id, TEAMS, Some(2)), Ok(Chosen::Settling(_))));
    assert_eq!((play.standing(id), play.world.plan_in_force(id)), ("subscribing".into(), None));
    let chosen = play.world.accounts[&id].updated_at;
    play.days(1);
    assert_eq!(play.standing(id), "subscribed");
    assert!(play.world.accounts[&id].updated_at > chosen);
    assert_eq!(play.subscription(id).trial_ends_at, Some("2026-03-03T12:00:00Z".parse().unwrap()));
    play.days(30);
    assert_eq!(
        play.charges(),
        ["2026-03-03T12:00:00Z 58.00 first period after the trial of teams-v2-monthly, 2 seat(s)"]
    );
}

#[test]
fn while_it_settles_only_the_same_may_be_asked_for_and_nobody_is_added() {
    let mut play = slow();
    let id = play.on(TEAMS, 2);
    let before = play.world.accounts[&id].clone();
    for (plan, seats) in [(TEAMS, Some(2)), (TEAMS, None), (TEAMS, Some(2))] {
        assert!(matches!(play.choose(id, plan, seats), Ok(Chosen::Settling(_))));
    }
    for (plan, seats, expected) in [
        (TEAMS, Some(3), "402 The payment of the subscription is not settled yet"),
        (TEAMS, Some(1), "402 The payment of the subscription is not settled yet"),
        (SOLO, None, "402 The payment of the subscription is not settled yet"),
        ("gold", None, "400 plan_identifier is unknown"),
    ] {
        assert_eq!(told(play.choose(id, plan, seats)), expected);
    }
    assert_eq!(told(play.add(id, "jane@acme.example")), "402 The account is not subscribed to a plan");
    assert_eq!((play.world.accounts[&id].clone(), play.world.meta.totals.subscriptions_created), (before, 1));
    play.days(1);
    play.add(id, "jane@acme.example").unwrap();
}

#[test]
fn the_money_is_taken_when_it_settles_and_once() {
    let mut play = slow();
    let id = play.on(TEAMS, 1);
    play.ask(|m| subscription::cancel(m, id)).unwrap();
    play.days(100);
    for _ in 0..3 {
        play.choose(id, TEAMS, Some(2)).unwrap();
        assert_eq!(play.charges(), Vec::<String>::new());
    }
    play.days(1);
    play.choose(id, TEAMS, Some(2)).unwrap();
    assert_eq!(play.charges(), ["2026-05-12T12:00:00Z 58.00 first period: teams-v2-monthly, 2 seat(s)"]);
    assert_eq!(play.subscription(id).current_period_ends_at, "2026-06-12T12:00:00Z".parse().unwrap());
    play.choose(id, TEAMS, Some(3)).unwrap();
    assert_eq!(play.stand(id), "teams-v2-monthly 3 | - -", "what is bought more comes at once");
}

#[test]
fn cancelling_while_it_settles_takes_no_money() {
    let mut play = slow();
    let id = play.on(TEAMS, 1);
    for _ in 0..2 {
        play.ask(|m| subscription::cancel(m, id)).unwrap();
        play.choose(id, TEAMS, None).unwrap();
    }
    play.ask(|m| subscription::cancel(m, id)).unwrap();
    play.days(400);
    assert_eq!((play.standing(id), play.charges().len()), ("unsubscribed".into(), 0));
}

#[test]
fn a_card_that_fails_when_it_settles_leaves_an_order_open() {
    let mut play = slow();
    let id = play.on(TEAMS, 1);
    play.ask(|m| subscription::cancel(m, id)).unwrap();
    play.choose(id, TEAMS, None).unwrap();
    play.card(FAILS);
    play.days(1);
    assert_eq!(play.standing(id), "unsubscribed, open 29.00 first period: teams-v2-monthly, 1 seat(s)");
    play.card(PAYS);
    assert_eq!((play.standing(id), play.charges().len()), ("subscribed".into(), 1));
    assert_eq!(play.world.meta.totals.subscriptions_created, 2, "it counted when it was chosen");
}
