use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::domain::Access;
use crate::journal::FactKind;

fn at(minutes: i64) -> Timestamp {
    let start: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    start + SignedDuration::from_mins(minutes)
}

fn days(days: i64) -> i64 {
    days * 24 * 60
}

fn invitation(sent: i64, came: Came, when: i64) -> Event {
    Event::Invitation(Invitation { sent: at(sent), came, at: at(when) })
}

fn removed(delivery: &str) -> Event {
    Event::Removed { delivery: Some(delivery.to_owned()) }
}

fn heard(events: &[(Event, i64)]) -> Heard {
    let mut heard = Heard { email: "Jane@acme.example".to_owned(), ..Heard::default() };
    for (event, now) in events {
        heard.take(event, at(*now));
    }
    heard
}

/// The word on Jane in account 7.
fn word(person: Option<(Says, i64)>, webhook: &[(Event, i64)], now: i64) -> Option<String> {
    let email = Email::lenient("jane@acme.example");
    let fact = |kind, value, since| {
        let key = key(&AccountId::new("7"), Some(&email));
        BTreeMap::from([(key.clone(), Fact { kind, key, value, since })])
    };
    let person = person.map(|(says, since)| {
        let word = Acknowledged { email: Some(email.clone()), says, by: "pat".to_owned() };
        fact(FactKind::Acknowledged, word.to_value(), at(since))
    });
    let heard = heard(webhook).to_value();
    let webhook = (!webhook.is_empty()).then(|| fact(FactKind::Heard, heard, at(0)));
    let words = words(&person.unwrap_or_default(), &webhook.unwrap_or_default(), at(now));
    let word = words.get(&AccountId::new("7"))?.people.get(&email)?.clone();
    Some(format!("{}, {word}: {:?}", word.says, word.weight))
}

const MEMBER: Says = Says::Member(Some(Access::Full));

#[test]
fn a_word_counts_for_ninety_days_by_the_clock() {
    let invited = [(invitation(0, Came::Sent, 0), 1)];
    for (now, person, webhook) in [
        (
            days(90) - 1,
            "a member with full access, pat said so on 2026-03-01: Holds",
            "invited, a webhook told on 2026-03-01: Holds",
        ),
        (
            days(90),
            "a member with full access, pat said so on 2026-03-01: Expired",
            "invited, a webhook told on 2026-03-01: Expired",
        ),
    ] {
        assert_eq!(word(Some((MEMBER, 0)), &[], now).as_deref(), Some(person));
        assert_eq!(word(None, &invited, now).as_deref(), Some(webhook));
    }
}

#[test]
fn a_persons_word_goes_before_a_webhooks_and_the_opposite_later_is_a_question() {
    let accepted = [(invitation(0, Came::Accepted, 60), 61)];
    let gone = [(removed("a"), 60)];
    for (person, webhook, now, says) in [
        ((MEMBER, 0), &accepted, 100, "a member with full access, pat said so on 2026-03-01: Holds"),
        ((Says::Invited, 0), &accepted, 100, "a member, a webhook told on 2026-03-01: Holds"),
        ((MEMBER, 100), &gone, 200, "a member with full access, pat said so on 2026-03-01: Holds"),
        ((Says::Absent, 0), &gone, 100, "not a member, pat said so on 2026-03-01: Holds"),
        // Once the person's is too old, the webhook's is all that there is.
        ((MEMBER, 0), &gone, days(90), "not a member, a webhook told on 2026-03-01: Holds"),
        ((MEMBER, 0), &gone, days(91), "not a member, a webhook told on 2026-03-01: Expired"),
    ] {
        assert_eq!(word(Some(person), webhook, now).as_deref(), Some(says), "{person:?} {webhook:?}");
    }
    for (person, webhook) in [((MEMBER, 0), &gone), ((Says::Absent, 0), &accepted)] {
        let word = word(Some(person), webhook, 100).unwrap();
        assert!(word.contains("pat said so") && word.contains("Contested"), "{word}");
    }
}

#[test]
fn a_removal_that_is_told_twice_does_not_undo_what_came_between() {
    let (invite, accept) = (invitation(10, Came::Sent, 10), invitation(10, Came::Accepted, 20));
    let story = [(removed("a"), 5), (invite.clone(), 11), (accept.clone(), 21), (removed("a"), 30), (invite, 40)];
    assert_eq!(heard(&story).says(), Some((Says::Member(None), at(20))));
    assert_eq!(heard(&[(accept, 21), (removed("b"), 30)]).says(), Some((Says::Absent, at(30))));
}

#[test]
fn a_time_to_come_is_no_last_word() {
    let far = Invitation { sent: Timestamp::MAX, came: Came::Accepted, at: Timestamp::MAX };
    let story = [(Event::Invitation(far), 5), (removed("a"), 6)];
    assert_eq!(heard(&story).says(), Some((Says::Absent, at(6))));
}

#[test]
fn what_is_no_word_is_none() {
    let fact = |value: &str| {
        let (kind, key) = (FactKind::Heard, "7/jane@acme.example".to_owned());
        BTreeMap::from([(key.clone(), Fact { kind, key, value: value.to_owned(), since: at(0) })])
    };
    for value in ["", "{}", "[1]", "{\"email\":3}", "full"] {
        assert!(words(&fact(value), &fact(value), at(1)).is_empty(), "{value}");
    }
}

proptest! {
    /// Three invitations, each sent, and then perhaps accepted or revoked: whatever order they
    /// come in, and however often each, the last one told is what counts.
    #[test]
    fn invitations_come_to_one_word_in_any_order_and_however_often(
        ends in proptest::collection::vec(0..3_u8, 1..4),
        order in proptest::collection::vec(any::<prop::sample::Index>(), 0..30),
    ) {
        let mut all = Vec::new();
        for (number, end) in ends.iter().enumerate() {
            let sent = i64::try_from(number).unwrap() * 100;
            all.push(invitation(sent, Came::Sent, sent));
            match end {
                1 => all.push(invitation(sent, Came::Revoked, sent)),
                2 => all.push(invitation(sent, Came::Accepted, sent + 50)),
                _ => {}
            }
        }
        let later = 1_000;
        let in_order = heard(&all.iter().map(|event| (event.clone(), later)).collect::<Vec<_>>());
        let mut mixed: Vec<_> = order.iter().map(|index| (index.get(&all).clone(), later)).collect();
        mixed.extend(all.iter().rev().map(|event| (event.clone(), later)));
        prop_assert_eq!(heard(&mixed), in_order);
    }
}
