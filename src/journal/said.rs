//! What people and webhooks said of members that cannot be read: how it stands in facts, how
//! deliveries in any order come to one word, and how long a word counts. Pure.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::domain::{AccountId, Email};
use crate::plan::{Says, Weight, Whose, Word, Words};

use super::fact::Fact;

/// How long a word counts: nobody tells when it stops being true.
pub const COUNTS: SignedDuration = SignedDuration::from_hours(90 * 24);

/// So many deliveries of a person are known again.
const KNOWN_AGAIN: usize = 32;

/// A person's word, as it stands in a fact. Without a person it says that nobody else is in
/// the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// Of whom.
    pub email: Option<Email>,
    /// What.
    pub says: Says,
    /// Who said so. Inert text.
    pub by: String,
}

/// All that webhooks told of a person in an account, as it stands in a fact.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Heard {
    /// Of whom.
    pub email: String,
    /// The latest invitation.
    pub invitation: Option<Invitation>,
    /// When they were said to be removed; of that a delivery holds no time of its own.
    pub removed: Option<Timestamp>,
    /// When they were said to be added by single sign-on; likewise.
    pub added: Option<Timestamp>,
    /// Deliveries without a time of their own, so that a repeated one tells nothing new.
    pub deliveries: BTreeSet<String>,
}

/// An invitation and the furthest that was told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// When it was sent.
    pub sent: Timestamp,
    /// How far it came.
    pub came: Came,
    /// When it came so far.
    pub at: Timestamp,
}

/// How far an invitation came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Came {
    /// It is on its way.
    Sent,
    /// It was taken back.
    Revoked,
    /// It was accepted.
    Accepted,
}

/// What one delivery tells of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Of an invitation, with its own times.
    Invitation(Invitation),
    /// They were removed.
    Removed {
        /// The delivery.
        delivery: Option<String>,
    },
    /// They were added by single sign-on.
    Added {
        /// The delivery.
        delivery: Option<String>,
    },
}

impl Invitation {
    /// A later invitation is news, and so is how far one came. When it came so far was told
    /// best the first time.
    fn or_later(self, told: Self) -> Self {
        match (told.sent, told.came).cmp(&(self.sent, self.came)) {
            Ordering::Greater => told,
            Ordering::Less => self,
            Ordering::Equal => Self { at: self.at.min(told.at), ..self },
        }
    }
}

impl Heard {
    /// As it stands in a fact.
    pub fn to_value(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Takes a delivery in that came at `now`. Of invitations the order does not matter, and
    /// neither does how often each comes.
    pub fn take(&mut self, event: &Event, now: Timestamp) {
        match event {
            Event::Invitation(told) => {
                // A time to come is a clock that is fast, or somebody who wants the last word.
                let told = Invitation { sent: told.sent.min(now), came: told.came, at: told.at.min(now) };
                self.invitation = Some(self.invitation.map_or(told, |known| known.or_later(told)));
            }
            Event::Removed { delivery } => {
                if self.is_new(delivery.as_deref()) {
                    self.removed = self.removed.max(Some(now));
                }
            }
            Event::Added { delivery } => {
                if self.is_new(delivery.as_deref()) {
                    self.added = self.added.max(Some(now));
                }
            }
        }
    }

    fn is_new(&mut self, delivery: Option<&str>) -> bool {
        let Some(delivery) = delivery else { return true };
        if self.deliveries.contains(delivery) {
            return false;
        }
        if self.deliveries.len() < KNOWN_AGAIN {
            self.deliveries.insert(delivery.to_owned());
        }
        true
    }

    /// What it comes to: the latest of what was told.
    pub fn says(&self) -> Option<(Says, Timestamp)> {
        let invitation = self.invitation.map(|Invitation { sent: _, came, at }| match came {
            Came::Sent => (at, Says::Invited),
            Came::Accepted => (at, Says::Member(None)),
            Came::Revoked => (at, Says::Absent),
        });
        let removed = self.removed.map(|at| (at, Says::Absent));
        let added = self.added.map(|at| (at, Says::Member(None)));
        let latest = [invitation, added, removed].into_iter().flatten().max_by_key(|(at, _)| *at);
        latest.map(|(at, says)| (says, at))
    }
}

impl Acknowledged {
    /// As it stands in a fact.
    pub fn to_value(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The access that a word names, as the history has it; `None` where it names none.
pub fn access(says: Says) -> Option<String> {
    match says {
        Says::Member(access) => access.map(|access| access.to_string()),
        Says::Invited => Some("invited".to_owned()),
        Says::Absent => None,
    }
}

/// The key of a fact about somebody in an account, or about the account as a whole.
pub fn key(account: &AccountId, email: Option<&Email>) -> String {
    format!("{}/{}", account.as_str(), email.map_or("", Email::key))
}

/// All words of a scope: one of each person in each account.
pub fn words(
    acknowledged: &BTreeMap<String, Fact>,
    heard: &BTreeMap<String, Fact>,
    now: Timestamp,
) -> BTreeMap<AccountId, Words> {
    let mut words: BTreeMap<AccountId, Words> = BTreeMap::new();
    let keys: BTreeSet<&String> = acknowledged.keys().chain(heard.keys()).collect();
    for key in keys {
        let Some((account, _)) = key.split_once('/') else { continue };
        let person = acknowledged.get(key).and_then(|fact| {
            let Acknowledged { email, says, by } = serde_json::from_str(&fact.value).ok()?;
            Some((email, stated(says, Whose::Person(by), fact.since, now)))
        });
        let webhook = heard.get(key).and_then(|fact| {
            let heard: Heard = serde_json::from_str(&fact.value).ok()?;
            let (says, at) = heard.says()?;
            Some((Some(Email::lenient(heard.email)), stated(says, Whose::Webhook, at, now)))
        });
        let email = person.as_ref().or(webhook.as_ref()).map(|(email, _)| email.clone());
        let word = weigh(person.map(|(_, word)| word), webhook.map(|(_, word)| word));
        let (Some(email), Some(word)) = (email, word) else { continue };
        let of = words.entry(AccountId::new(account)).or_default();
        match email {
            Some(email) => drop(of.people.insert(email, word)),
            None => of.whole = Some(word),
        }
    }
    words
}

fn stated(says: Says, whose: Whose, at: Timestamp, now: Timestamp) -> Word {
    let until = at.saturating_add(COUNTS).unwrap_or(Timestamp::MAX);
    let weight = if now < until { Weight::Holds } else { Weight::Expired };
    Word { says, whose, at, weight }
}

/// A person's word goes before a webhook's, which anybody may have sent. A later webhook that
/// tells the opposite is no answer, but it is a question.
fn weigh(person: Option<Word>, webhook: Option<Word>) -> Option<Word> {
    let (person, webhook) = match (person, webhook) {
        (Some(person), Some(webhook)) => (person, webhook),
        (person, webhook) => return person.or(webhook),
    };
    Some(match (person.weight, webhook.weight) {
        (Weight::Expired, Weight::Holds) => webhook,
        (Weight::Expired, _) if webhook.at > person.at => webhook,
        (Weight::Holds, Weight::Holds) if webhook.at > person.at => match (person.says, webhook.says) {
            // Somebody sent the invitation, said so, and it was accepted.
            (Says::Invited, Says::Member(_)) => webhook,
            (Says::Absent, Says::Absent) => person,
            (Says::Absent, _) | (_, Says::Absent) => Word { weight: Weight::Contested { at: webhook.at }, ..person },
            _ => person,
        },
        _ => person,
    })
}

#[cfg(test)]
mod tests;
