//! Each rule, by table: a world, a request, and what comes of it.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::people::{Arrangement, SignUp};
use super::subscription::Chosen;
use super::{Door, Extension, MemberMode, Moment, Refusal, Terms, accounts, members, people, subscription, time};
use crate::sandbox::world::{
    Access, Account, AccountId, Draft, Member, MemberId, Subscription, SubscriptionState, UserId, World,
};

const SOLO: &str = "solo-v2-monthly";
const TEAMS: &str = "teams-v2-monthly";
const US: UserId = UserId(1);
const PAYS: &str = "4242 4242 4242 4242";
const FAILS: &str = "4000 0000 0000 0341";

/// A world in which requests follow one another.
struct Play {
    world: World,
    terms: Terms,
    now: Timestamp,
}

impl Play {
    fn new() -> Self {
        let now = "2026-01-31T12:00:00Z".parse().unwrap();
        let mut play = Self { world: World::default(), terms: Terms::default(), now };
        play.user("agency@example.com", Some(true), Some(PAYS));
        play.user("jane@acme.example", None, None);
        play.user("pat@agency.example", None, None);
        play
    }

    fn invite() -> Self {
        let mut play = Self::new();
        play.terms.member_mode = MemberMode::Invite;
        play
    }

    fn ask_as<T>(
        &mut self,
        caller: UserId,
        ask: impl FnOnce(&Moment) -> Result<(Draft, T), Refusal>,
    ) -> Result<T, Refusal> {
        let moment = Moment { world: &self.world, caller, now: self.now, terms: &self.terms, door: Door::Api };
        let (draft, told) = ask(&moment)?;
        self.world.apply(draft);
        Ok(told)
    }

    fn ask<T>(&mut self, ask: impl FnOnce(&Moment) -> Result<(Draft, T), Refusal>) -> Result<T, Refusal> {
        self.ask_as(US, ask)
    }

    fn user(&mut self, email: &str, verified: Option<bool>, card: Option<&str>) -> UserId {
        let person = SignUp { email: email.to_owned(), verified, card: card.map(str::to_owned) };
        self.ask(|m| people::sign_up(m, &person)).unwrap().0.id
    }

    fn create(&mut self) -> AccountId {
        self.ask(|m| accounts::create(m, Some("Acme"), Some("dns@agency.example"))).unwrap().id
    }

    fn on(&mut self, plan: &str, seats: u32) -> AccountId {
        let id = self.create();
        self.choose(id, plan, Some(seats)).unwrap();
        id
    }

    fn choose(&mut self, id: AccountId, plan: &str, seats: Option<u32>) -> Result<Chosen, Refusal> {
        self.ask(|m| subscription::choose(m, id, Some(plan), seats))
    }

    fn add(&mut self, id: AccountId, email: &str) -> Result<Member, Refusal> {
        self.ask(|m| members::add(m, id, Some(email), None))
    }

    fn days(&mut self, days: i64) {
        let seconds = days * 24 * 60 * 60;
        let to = self.now.saturating_add(SignedDuration::from_secs(seconds)).unwrap();
        self.ask(|m| time::advance(m, seconds)).unwrap();
        self.now = to;
    }

    fn subscription(&self, id: AccountId) -> &Subscription {
        &self.world.subscriptions[&id]
    }

    /// Plan, seats and what is pending.
    fn stand(&self, id: AccountId) -> String {
        let it = self.subscription(id);
        let pending = it.pending_plan_identifier.as_deref().unwrap_or("-");
        let seats = it.pending_seats.map_or_else(|| "-".to_owned(), |seats| seats.to_string());
        format!("{} {} | {pending} {seats}", it.plan_identifier, it.seats)
    }

    fn charges(&self) -> Vec<String> {
        let words =
            |charge: &crate::sandbox::world::Charge| format!("{} {} {}", charge.at, charge.amount, charge.reason);
        self.world.charges.values().map(words).collect()
    }
}

/// The refusal in one line: status, message, faults.
fn told<T: std::fmt::Debug>(result: Result<T, Refusal>) -> String {
    match result {
        Ok(done) => panic!("not refused: {done:?}"),
        Err(Refusal { status, message, errors }) if errors.is_empty() => format!("{status} {message}"),
        Err(Refusal { status, message, errors }) => {
            assert_eq!(message, "Validation failed");
            let faults = errors.iter().flat_map(|(field, all)| all.iter().map(move |one| format!("{field} {one}")));
            format!("{status} {}", faults.collect::<Vec<_>>().join("; "))
        }
    }
}

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
    assert_eq!(play.ask(|m| accounts::register_webhook(m, id, Some("https://a.example/x"))).map(|it| it.id.0), Ok(1));
    assert_eq!(
        told(play.ask(|m| accounts::register_webhook(m, id, Some("http://a.example")))),
        "400 url must be an HTTPS URL"
    );
}

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
fn rule_12_registered_a_user_becomes_a_member_at_once_and_anybody_else_is_refused() {
    let mut play = Play::new();
    let id = play.on(TEAMS, 3);
    let jane = play.add(id, "jane@acme.example").unwrap();
    assert!(jane.user_id.is_some());
    assert_eq!(told(play.add(id, "new@acme.example")), "400 email is not a registered user");
    play.user("new@acme.example", None, None);
    play.add(id, "new@acme.example").unwrap();
    assert_eq!((play.world.meta.totals.members_added, play.world.meta.totals.invitations_sent), (2, 0));
}

#[test]
fn rule_12_invite_anybody_is_invited_once_and_active_when_they_accept() {
    let mut play = Play::invite();
    let id = play.on(TEAMS, 3);
    let invited = play.add(id, "new@acme.example").unwrap();
    assert_eq!(invited.user_id, None);
    assert_eq!(told(play.add(id, "New@acme.example")), "400 email has already been taken");
    assert_eq!(play.world.mails.len(), 1);
    assert_eq!(play.world.meta.totals.invitations_sent, 1);
    let joined = play.ask(|m| members::accept(m, invited.id)).unwrap();
    assert_eq!(joined.user_id, play.world.user_by_email("new@acme.example").map(|user| user.id));
    assert_eq!(told(play.ask(|m| members::accept(m, invited.id))), "404 Invitation `2` not found");
}

#[test]
fn rule_12_an_invitation_is_revoked_by_removing_it() {
    let mut play = Play::invite();
    let id = play.on(TEAMS, 2);
    let invited = play.add(id, "jane@acme.example").unwrap();
    play.ask(|m| members::remove(m, id, invited.id)).unwrap();
    assert_eq!(play.world.members_of(id).len(), 1);
    assert!(told(play.ask(|m| members::accept(m, invited.id))).starts_with("404"));
}

#[test]
fn rule_13_adding_and_removing_leaves_the_user_as_they_are() {
    let mut play = Play::new();
    let id = play.on(TEAMS, 2);
    let before = play.world.user_by_email("jane@acme.example").cloned();
    let jane = play.add(id, "JANE@acme.example").unwrap();
    play.ask(|m| members::remove(m, id, jane.id)).unwrap();
    assert_eq!(play.world.user_by_email("jane@acme.example").cloned(), before);
}

#[test]
fn rule_14_limited_access_is_for_multi_member_plans_and_manages_nothing() {
    let mut play = Play::new();
    let id = play.on(TEAMS, 2);
    let jane = play.ask(|m| members::add(m, id, Some("jane@acme.example"), Some("limited"))).unwrap();
    let user = jane.user_id.unwrap();
    assert_eq!(
        told(play.ask_as(user, |m| members::add(m, id, Some("pat@agency.example"), None))),
        "403 Full access to the account is required"
    );
    assert_eq!(
        told(play.ask(|m| members::add(m, id, Some("pat@agency.example"), Some("root")))),
        "400 access must be full or limited; seats none available"
    );
    let us = play.world.membership(id, US).unwrap().id;
    assert_eq!(
        told(play.ask(|m| members::set_access(m, id, us, Some("limited")))),
        "403 An account needs a member with full access"
    );
    play.ask(|m| members::set_access(m, id, jane.id, Some("full"))).unwrap();
    assert_eq!(told(play.ask(|m| members::set_access(m, id, jane.id, None))), "400 access must be full or limited");
    assert_eq!(told(play.ask(|m| members::set_access(m, id, MemberId(99), Some("full")))), "404 Member `99` not found");
    let solo = play.on(SOLO, 1);
    let owner = play.world.membership(solo, US).unwrap().id;
    assert_eq!(
        told(play.ask(|m| members::set_access(m, solo, owner, Some("full")))),
        "412 The plan has no limited access"
    );
}

#[test]
fn rule_14_without_the_extension_there_is_no_limited_access() {
    let mut play = Play::new();
    play.terms.without = BTreeSet::from([Extension::LimitedAccess]);
    let id = play.on(TEAMS, 2);
    let refused = play.ask(|m| members::add(m, id, Some("jane@acme.example"), Some("limited")));
    assert_eq!(told(refused), "412 The plan has no limited access");
}

#[test]
fn rule_15_nobody_is_added_twice_whatever_the_letter_case_and_the_case_given_is_kept() {
    let mut play = Play::new();
    let id = play.on(TEAMS, 3);
    assert_eq!(play.add(id, "Jane@Acme.example").unwrap().email, "Jane@Acme.example");
    assert_eq!(told(play.add(id, "jane@acme.EXAMPLE")), "400 email has already been taken");
    assert_eq!(told(play.add(id, "AGENCY@example.com")), "400 email has already been taken");
}

#[test]
fn rule_16_the_notification_email_is_no_members() {
    let mut play = Play::new();
    assert_eq!(
        told(play.ask(|m| accounts::create(m, Some("A"), Some("Agency@Example.com")))),
        "400 email is the user email of a member"
    );
    let id = play.on(TEAMS, 3);
    play.add(id, "jane@acme.example").unwrap();
    assert_eq!(
        told(play.ask(|m| accounts::update(m, id, Some(""), Some("JANE@acme.example")))),
        "400 email is the user email of a member; name can't be blank"
    );
    play.user("dns@agency.example", None, None);
    assert_eq!(told(play.add(id, "DNS@agency.example")), "400 email is the notification email of this account");
}

#[test]
fn rule_17_everyone_takes_a_seat_and_every_fault_of_an_add_is_told_at_once() {
    let mut play = Play::new();
    let id = play.on(TEAMS, 1);
    for (email, expected) in [
        ("jane@acme.example", "400 seats none available"),
        ("new@acme.example", "400 email is not a registered user; seats none available"),
        ("agency@example.com", "400 email has already been taken; seats none available"),
        (
            "dns@agency.example",
            "400 email is not a registered user; email is the notification email of this account; seats none available",
        ),
        ("nobody", "400 email is an invalid email address; seats none available"),
    ] {
        assert_eq!(told(play.add(id, email)), expected);
    }
    let mut play = Play::invite();
    let id = play.on(TEAMS, 2);
    play.add(id, "jane@acme.example").unwrap();
    assert_eq!(told(play.add(id, "pat@agency.example")), "400 seats none available", "an invitation takes a seat");
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

#[test]
fn rule_18_nobody_removes_themselves_but_another_may() {
    let mut play = Play::new();
    let id = play.on(TEAMS, 2);
    let jane = play.add(id, "jane@acme.example").unwrap();
    let us = play.world.membership(id, US).unwrap().id;
    assert_eq!(
        told(play.ask(|m| members::remove(m, id, us))),
        "403 You cannot remove yourself; another member with full access must"
    );
    play.ask_as(jane.user_id.unwrap(), |m| members::remove(m, id, us)).unwrap();
    assert_eq!(told(play.ask(|m| members::remove(m, id, jane.id))), "404 Account `1` not found");
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
        let m = Moment { world: &play.world, caller: US, now: play.now, terms: &play.terms, door: Door::Api };
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
