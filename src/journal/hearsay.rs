//! What webhooks tell, written into a journal beside whoever carries out with it. It is
//! hearsay: nothing proves who sent it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::domain::{AccountId, ClientName, Email};

use super::fact::{Fact, FactKind};
use super::history::{Entry, EntryKind};
use super::operation::ScopeId;
use super::said::{self, Event, Heard};
use super::store::{Batch, Journal, JournalError};

/// Of so many people in one account something may be told: more are no people.
const MOST_PEOPLE: usize = 1_000;

/// What was done with a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Noted {
    /// It told something new of somebody in the account of this client.
    New(ClientName),
    /// It told nothing that was not known.
    Known,
    /// No account that we look after.
    NotOurs,
}

/// Takes in what a delivery tells of a person in an account. Only scopes of these API
/// addresses are looked at, for another API may give the same id to another account.
///
/// # Errors
/// The journal cannot be read, or did not take it.
pub async fn hear(
    journal: &dyn Journal,
    urls: &BTreeSet<String>,
    (account, email): (&AccountId, &Email),
    event: &Event,
    now: Timestamp,
) -> Result<Noted, JournalError> {
    let mut noted = Noted::NotOurs;
    for scope in journal.scopes().await? {
        let facts = journal.facts(&scope).await?;
        let of = |kind: FactKind| facts.iter().filter(move |fact| fact.kind == kind);
        if !of(FactKind::Scope).any(|fact| fact.key == "url" && urls.contains(&fact.value)) {
            continue;
        }
        let bound = of(FactKind::Binding).find(|fact| fact.value == account.as_str());
        let Some(client) = bound.and_then(|fact| ClientName::parse(&fact.key).ok()) else { continue };
        let key = said::key(account, Some(email));
        let known = of(FactKind::Heard).find(|fact| fact.key == key);
        let whole = said::key(account, None);
        if known.is_none() && of(FactKind::Heard).filter(|fact| fact.key.starts_with(&whole)).count() >= MOST_PEOPLE {
            tracing::warn!(%client, "webhooks told of {MOST_PEOPLE} people of one account; of others nothing is noted");
            noted = Noted::Known;
            continue;
        }
        let before: Option<Heard> = known.and_then(|fact| serde_json::from_str(&fact.value).ok());
        let mut heard = before.clone().unwrap_or_default();
        email.as_str().clone_into(&mut heard.email);
        heard.take(event, now);
        if before.as_ref() == Some(&heard) {
            noted = Noted::Known;
            continue;
        }
        let fact = Fact { kind: FactKind::Heard, key, value: heard.to_value(), since: now };
        let entry = entry(&scope, &client, (account, email), &heard, now);
        journal.commit(&scope, Batch { facts: vec![fact], entries: vec![entry], ..Batch::default() }).await?;
        noted = Noted::New(client);
    }
    Ok(noted)
}

fn entry(
    scope: &ScopeId,
    client: &ClientName,
    (account, email): (&AccountId, &Email),
    heard: &Heard,
    now: Timestamp,
) -> Entry {
    let says = heard.says().map(|(says, _)| says);
    let what = says.map_or_else(String::new, |says| format!(": {email} is {says}"));
    Entry {
        client: Some(client.clone()),
        account: Some(account.clone()),
        person: Some(email.clone()),
        access: says.and_then(said::access),
        message: format!("a webhook told of account {account}{what}"),
        ..Entry::new(now, scope.clone(), EntryKind::Heard, "webhook")
    }
}
