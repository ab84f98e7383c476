//! Cards that fail: rule 9.

use super::*;

/// Two seats, the trial over and the first period paid for, on 2 March.
fn paying() -> (Play, AccountId) {
    let mut play = Play::new();
    let id = play.on(TEAMS, 2);
    play.days(30);
    assert_eq!(play.charges().len(), 1);
    (play, id)
}

#[test]
fn a_renewal_that_fails_is_dunned_for_twenty_one_days_and_then_ends() {
    let (mut play, id) = paying();
    play.add(id, "jane@acme.example").unwrap();
    play.choose(id, TEAMS, Some(2)).unwrap();
    play.card(FAILS);
    let open = "open 58.00 renewal of teams-v2-monthly, 2 seat(s)";
    for (days, expected) in [
        (30, "subscribed".to_owned()),
        (1, format!("subscribed, dunned, {open}")),
        (20, format!("subscribed, dunned, {open}")),
        (1, "unsubscribed".to_owned()),
        (400, "unsubscribed".to_owned()),
    ] {
        play.days(days);
        assert_eq!(play.standing(id), expected);
    }
    assert_eq!(play.charges().len(), 1, "what was never paid was never charged");
    assert_eq!((play.world.members_of(id).len(), play.world.plan_in_force(id)), (2, None), "as rule 8 has it");
    assert_eq!(told(play.choose(id, TEAMS, Some(2))), "402 The card was refused", "no trial again, and no debt");
    play.card(PAYS);
    assert_eq!(play.standing(id), "subscribed");
}

#[test]
fn who_pays_in_time_is_charged_once_and_goes_on() {
    let (mut play, id) = paying();
    play.card(FAILS);
    play.days(31 + 20);
    assert_eq!(
        told(play.choose(id, TEAMS, Some(3))),
        "402 Nothing is sold before the open payment of 58.00 USD is made"
    );
    for card in [PAYS, PAYS, FAILS, PAYS] {
        play.card(card);
        assert_eq!(play.standing(id), "subscribed");
    }
    play.days(10);
    assert_eq!(
        play.charges()[1..],
        [
            "2026-04-22T12:00:00Z 58.00 renewal of teams-v2-monthly, 2 seat(s)",
            "2026-05-02T12:00:00Z 58.00 renewal of teams-v2-monthly, 2 seat(s)",
        ],
        "the period is that of the renewal, whenever it is paid"
    );
}

#[test]
fn the_first_period_after_a_trial_is_dunned_too() {
    let mut play = Play::new();
    let id = play.on(TEAMS, 2);
    play.card(FAILS);
    play.days(30);
    assert_eq!(
        play.standing(id),
        "subscribed, dunned, open 58.00 first period after the trial of teams-v2-monthly, 2 seat(s)"
    );
}

#[test]
fn services_go_on_while_dunned_and_only_purchases_are_refused() {
    let (mut play, id) = paying();
    play.card(FAILS);
    play.days(31);
    let refused = "402 Nothing is sold before the open payment of 58.00 USD is made";
    play.add(id, "jane@acme.example").unwrap();
    assert_eq!(told(play.choose(id, TEAMS, Some(3))), refused);
    play.choose(id, TEAMS, Some(2)).unwrap();
    let jane = play.user("jane@acme.example", None, Some(PAYS));
    let bought = play.ask_as(jane, |m| subscription::choose(m, id, Some(TEAMS), Some(3)));
    assert_eq!(told(bought), refused, "whoever buys");
    let other = play.create();
    assert_eq!(told(play.choose(other, SOLO, None)), "402 The card was refused", "another account is in order");
    let member = play.world.members_of(id)[1].id;
    play.ask(|m| members::remove(m, id, member)).unwrap();
    play.choose(id, TEAMS, Some(1)).unwrap();
    assert_eq!(play.stand(id), "teams-v2-monthly 2 | - 1", "fewer seats are no purchase");
}

#[test]
fn what_was_pending_happens_before_the_renewal_is_paid_for() {
    let (mut play, id) = paying();
    play.choose(id, TEAMS, Some(1)).unwrap();
    let free = play.on(TEAMS, 1);
    play.choose(free, SOLO, None).unwrap();
    play.card(FAILS);
    play.days(31);
    assert_eq!(play.standing(id), "subscribed, dunned, open 29.00 renewal of teams-v2-monthly, 1 seat(s)");
    assert_eq!((play.standing(free), play.stand(free)), ("subscribed".into(), "solo-v2-monthly 1 | - -".into()));
    play.days(400);
    assert_eq!(play.standing(free), "subscribed", "what costs nothing is not dunned");
}

#[test]
fn a_purchase_that_fails_blocks_others_and_comes_when_it_is_paid() {
    let (mut play, id) = paying();
    play.days(14);
    play.card(FAILS);
    assert_eq!(told(play.choose(id, TEAMS, Some(4))), "402 The card was refused");
    let open = "subscribed, open 31.81 more seats: teams-v2-monthly, 4 seat(s)";
    for seats in [4, 3, 9] {
        let refused = told(play.choose(id, TEAMS, Some(seats)));
        assert_eq!(refused, "402 Nothing is sold before the open payment of 31.81 USD is made");
        assert_eq!((play.standing(id), play.stand(id)), (open.into(), "teams-v2-monthly 2 | - -".into()));
    }
    let before = play.world.accounts[&id].updated_at;
    play.card(PAYS);
    assert_eq!((play.standing(id), play.stand(id)), ("subscribed".into(), "teams-v2-monthly 4 | - -".into()));
    assert!(play.world.accounts[&id].updated_at > before);
    play.choose(id, TEAMS, Some(4)).unwrap();
    assert_eq!(play.charges()[1..], ["2026-03-16T12:00:00Z 31.81 more seats: teams-v2-monthly, 4 seat(s)"]);
}

#[test]
fn a_failed_purchase_and_a_failed_renewal_are_paid_together_each_once() {
    let (mut play, id) = paying();
    play.days(14);
    play.card(FAILS);
    told(play.choose(id, TEAMS, Some(4)));
    play.days(17);
    assert_eq!(
        told(play.choose(id, TEAMS, Some(4))),
        "402 Nothing is sold before the open payment of 89.81 USD is made"
    );
    play.card(PAYS);
    assert_eq!((play.standing(id), play.stand(id)), ("subscribed".into(), "teams-v2-monthly 4 | - -".into()));
    assert_eq!(
        play.charges()[1..],
        [
            "2026-04-02T12:00:00Z 31.81 more seats: teams-v2-monthly, 4 seat(s)",
            "2026-04-02T12:00:00Z 58.00 renewal of teams-v2-monthly, 2 seat(s)",
        ]
    );
}

#[test]
fn subscribing_anew_with_a_card_that_fails_is_an_order_that_counts_once() {
    let (mut play, id) = paying();
    play.ask(|m| subscription::cancel(m, id)).unwrap();
    play.card(FAILS);
    for expected in ["402 The card was refused", "402 Nothing is sold before the open payment of 29.00 USD is made"] {
        assert_eq!(told(play.choose(id, TEAMS, None)), expected);
    }
    assert_eq!(play.standing(id), "unsubscribed, open 29.00 first period: teams-v2-monthly, 1 seat(s)");
    play.days(100);
    play.card(PAYS);
    assert_eq!((play.standing(id), play.stand(id)), ("subscribed".into(), "teams-v2-monthly 1 | - -".into()));
    assert_eq!(play.subscription(id).current_period_ends_at, "2026-07-10T12:00:00Z".parse().unwrap());
    assert_eq!(play.charges()[1..], ["2026-06-10T12:00:00Z 29.00 first period: teams-v2-monthly, 1 seat(s)"]);
    assert_eq!(play.world.meta.totals.subscriptions_created, 2);
}

#[test]
fn cancelling_withdraws_what_was_ordered_and_owes_nothing() {
    for days in [3, 33] {
        let (mut play, id) = paying();
        play.card(FAILS);
        told(play.choose(id, TEAMS, Some(4)));
        play.days(days);
        play.ask(|m| subscription::cancel(m, id)).unwrap();
        assert_eq!(play.standing(id), "unsubscribed");
        play.card(PAYS);
        assert_eq!((play.standing(id), play.charges().len()), ("unsubscribed".into(), 1));
    }
    let (mut play, id) = paying();
    play.ask(|m| subscription::cancel(m, id)).unwrap();
    play.card(FAILS);
    told(play.choose(id, TEAMS, None));
    play.ask(|m| subscription::cancel(m, id)).unwrap();
    assert_eq!(play.standing(id), "unsubscribed", "an order without a subscription too");
}

#[test]
fn nothing_is_open_where_nothing_was_to_be_paid() {
    let mut play = Play::new();
    let id = play.on(TEAMS, 1);
    play.card(FAILS);
    assert_eq!(told(play.choose(id, TEAMS, Some(2))), "402 The card was refused");
    let other = play.create();
    assert_eq!(told(play.choose(other, TEAMS, None)), "402 The card was refused");
    assert!(play.world.payments.is_empty(), "both are trials");
}

#[test]
fn a_renewal_is_charged_to_who_bought_last_and_an_arranged_one_to_its_owner() {
    let mut play = Play::new();
    let arranged = |play: &mut Play, owner: &str| {
        let ask = Arrangement {
            name: "Arranged".to_owned(),
            email: "dns@agency.example".to_owned(),
            owner: Some(owner.to_owned()),
            with_caller: true,
            plan: Some(TEAMS.to_owned()),
            seats: None,
            members: vec![],
        };
        play.ask(|m| people::arrange(m, &ask)).unwrap().id
    };
    let [ours, janes, bought] =
        ["agency@example.com", "jane@acme.example", "jane@acme.example"].map(|it| arranged(&mut play, it));
    let nobodys = arranged(&mut play, "pat@agency.example");
    play.choose(bought, TEAMS, Some(3)).unwrap();
    play.user("jane@acme.example", None, Some(FAILS));
    play.days(31);
    let dunned = |play: &Play| [ours, janes, bought, nobodys].map(|id| play.subscription(id).dunned_since.is_some());
    assert_eq!(dunned(&play), [false, true, false, false], "whose owner has no card pays elsewhere");
    play.card(FAILS);
    play.days(20);
    play.user("jane@acme.example", None, Some(PAYS));
    play.days(11);
    assert_eq!(dunned(&play), [true, false, true, false]);
}

#[test]
fn only_a_user_has_a_card_to_change() {
    let mut play = Play::new();
    assert_eq!(
        told(play.ask(|m| people::change_card(m, "new@acme.example", PAYS))),
        "400 email is not a registered user"
    );
    assert!(
        told(play.ask(|m| people::change_card(m, "jane@acme.example", "12")))
            .starts_with("400 card is not a test card")
    );
    assert_eq!(told(play.ask(|m| people::change_card(m, "nobody", PAYS))), "400 email is an invalid email address");
}

/// What there is to see of a world, without the ids of what nobody sees.
fn seen(play: &Play) -> String {
    let World { users, accounts, subscriptions, charges, payments, .. } = &play.world;
    let open: Vec<_> = payments.values().map(|it| (it.account_id, it.amount, it.since, &it.reason, it.order)).collect();
    format!("{users:#?} {accounts:#?} {subscriptions:#?} {charges:#?} {open:#?}")
}

/// Something that somebody may do, or not.
fn something(play: &mut Play, chance: &mut fastrand::Rng) {
    let ids: Vec<AccountId> = play.world.accounts.keys().copied().collect();
    let id = ids[chance.usize(..ids.len())];
    let user = ["agency@example.com", "jane@acme.example"][chance.usize(..2)];
    match chance.u8(..12) {
        0 | 1 => play.card([PAYS, FAILS][chance.usize(..2)]),
        2 => drop(play.user(user, None, Some(FAILS))),
        3 => drop(play.user(user, None, Some(PAYS))),
        4 => drop(play.choose(id, [SOLO, TEAMS][chance.usize(..2)], Some(chance.u32(1..5)))),
        5..=9 => drop(play.choose(id, TEAMS, Some(chance.u32(1..5)))),
        10 => drop(play.ask(|m| subscription::cancel(m, id))),
        _ => drop(play.add(id, user)),
    }
}

#[test]
fn however_the_clock_is_moved_the_same_comes_of_it() {
    let (mut dunned, mut ended, mut orders) = (0, 0, 0);
    for seed in 0..300 {
        let play = |in_steps: bool| {
            let mut chance = fastrand::Rng::with_seed(seed);
            let mut play = Play::new();
            play.settling = SignedDuration::from_hours(24 * chance.i64(0..3));
            for plan in [TEAMS, TEAMS, SOLO] {
                play.on(plan, 1);
            }
            for _ in 0..25 {
                something(&mut play, &mut chance);
                let days = chance.i64(0..45);
                if in_steps { (0..days).for_each(|_| play.days(1)) } else { play.days(days) }
            }
            play
        };
        let (at_once, in_steps) = (play(false), play(true));
        assert_eq!(seen(&at_once), seen(&in_steps), "seed {seed}");
        for it in at_once.world.subscriptions.values().filter(|it| it.in_force()) {
            assert!(it.seats >= at_once.world.seats_taken(it.account_id), "seed {seed}: somebody has no seat");
        }
        dunned += at_once.world.subscriptions.values().filter(|it| it.dunned_since.is_some()).count();
        ended += at_once.world.subscriptions.values().filter(|it| it.state == SubscriptionState::Unsubscribed).count();
        orders += at_once.world.payments.values().filter(|it| it.order.is_some()).count();
    }
    assert!(dunned > 20 && ended > 20 && orders > 20, "the worlds were dull: {dunned} {ended} {orders}");
}
