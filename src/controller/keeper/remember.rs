//! What the journal remembers of plans: since when something is open or held, what was so
//! when it was last as wanted, and what plans cost before their price changed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Keeper, Recall};
use crate::domain::{ClientName, Money, PlanId};
use crate::journal::{Book, Fact, FactKind, JournalError};
use crate::manifest::{Client, Wanted};
use crate::plan::{Action, ActionState, Applied, Clocks, Marks, OldPrice, Plan, Series, Thought, applied};
use crate::provider::Offer;

/// A change of a list price is news for so long.
const PRICE_NEWS: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A plan's list price as a fact has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Price {
    base: Option<Money>,
    seat: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    was: Option<Before>,
}

/// The price before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Before {
    base: Option<Money>,
    seat: Option<Money>,
    since: Timestamp,
}

/// The key of a deed in facts.
pub fn key_of_deed(series: &Series) -> String {
    let Series { client, kind, argument } = series;
    format!("{client}/{kind:?}/{argument}")
}

/// What stands of an open action in a fact.
pub fn standing_word(action: &Action) -> String {
    let reason = action.reason.map_or_else(String::new, |reason| format!("/{reason:?}"));
    format!("{:?}{reason}", action.state)
}

impl Keeper {
    /// Whether anything is held, or may be by another process.
    pub fn holds(&self) -> bool {
        let by_another = || self.book.as_ref().is_some_and(|book| !book.facts(FactKind::Held).is_empty());
        self.keeping.hold.is_some() || (self.keeping.recall == Recall::All && by_another())
    }

    /// What is still held of what would be planned, and until when.
    pub fn held(&self, clocks: &Clocks) -> BTreeMap<Thought, Timestamp> {
        let Some(book) = &self.book else { return BTreeMap::new() };
        let facts = book.facts(FactKind::Held);
        let now = self.now();
        let until = |thought: &Thought| {
            let fact = facts.get(&thought.key());
            match self.keeping.hold {
                Some(hold) => fact.map_or(now, |fact| fact.since).saturating_add(hold).ok(),
                // What a daemon beside us holds.
                None => fact.and_then(|fact| fact.value.parse().ok()),
            }
        };
        let held = clocks.run.iter().filter_map(|thought| Some((thought.clone(), until(thought)?)));
        held.filter(|(_, until)| now < *until).collect()
    }

    /// What was so of each client when it was last as wanted.
    pub(super) fn applied(&self, book: &Book) -> Option<BTreeMap<ClientName, Applied>> {
        let facts = book.facts(FactKind::Applied);
        if facts.is_empty() && !self.keeping.journal.is_lasting() {
            return None;
        }
        let applied = facts.into_values().filter_map(|fact| Some((ClientName::parse(&fact.key).ok()?, of_fact(&fact))));
        Some(applied.collect())
    }

    /// The prices that changed a short while ago, as they were.
    pub(super) fn old_prices(&self, book: &Book) -> BTreeMap<PlanId, OldPrice> {
        let news_from = self.now().saturating_sub(PRICE_NEWS).unwrap_or(Timestamp::MIN);
        let facts = book.facts(FactKind::Price).into_iter().filter(|(_, fact)| fact.since >= news_from);
        facts
            .filter_map(|(plan, fact)| {
                let Before { base, seat, since } = serde_json::from_str::<Price>(&fact.value).ok()?.was?;
                Some((PlanId::new(plan), OldPrice { base, seat, since }))
            })
            .collect()
    }

    /// Takes in what plans cost now.
    pub(super) async fn note_prices(&self, book: &Book, offer: &Offer) -> Result<(), JournalError> {
        let known = book.facts(FactKind::Price);
        let mut facts = Vec::new();
        for plan in &offer.plans {
            let fact = known.get(plan.id.as_str());
            let before = fact.and_then(|fact| Some((fact, serde_json::from_str::<Price>(&fact.value).ok()?)));
            let was = match &before {
                Some((_, old)) if (old.base, old.seat) == (plan.base_price, plan.seat_price) => continue,
                Some((fact, old)) => Some(Before { base: old.base, seat: old.seat, since: fact.since }),
                None => None,
            };
            let price = Price { base: plan.base_price, seat: plan.seat_price, was };
            let value = serde_json::to_string(&price).unwrap_or_default();
            facts.push(book.fact(FactKind::Price, plan.id.as_str(), value));
        }
        book.note(facts, Vec::new(), Vec::new()).await
    }

    /// Takes in how things stand after a pass over all clients or some: since when what is
    /// open is so, whose time to be held runs, and what is as wanted. Whoever left the
    /// manifests is forgotten.
    ///
    /// # Errors
    /// The journal did not take it.
    pub async fn remember(
        &self,
        wanted: &Wanted,
        only: Option<&BTreeSet<ClientName>>,
        plan: &Plan,
        clocks: &Clocks,
    ) -> Result<(), JournalError> {
        let Some(book) = self.book.clone().filter(|_| !self.keeping.dry) else { return Ok(()) };
        let clients: HashMap<&ClientName, &Client> = wanted.clients.iter().map(|c| (&c.name, c)).collect();
        let ours = |client: &ClientName| only.is_none_or(|only| only.contains(client));
        // A key names its client; one that is in no manifest any more is everybody's.
        let ours_by_key = |key: &str| {
            let client = ClientName::parse(key.split('/').next().unwrap_or_default());
            client.is_ok_and(|client| ours(&client) || !clients.contains_key(&client))
        };
        let (mut facts, mut forget) = (Vec::new(), Vec::new());
        let known = book.facts(FactKind::Held);
        let mut stays = BTreeSet::new();
        if let Some(hold) = self.keeping.hold {
            for thought in &clocks.run {
                let key = thought.key();
                if ours(&thought.client) && !known.contains_key(&key) {
                    let until = self.now().saturating_add(hold).unwrap_or(Timestamp::MAX);
                    facts.push(book.fact(FactKind::Held, key.as_str(), until.to_string()));
                }
                stays.insert(key);
            }
            stays.extend(clocks.stay.iter().map(Thought::key));
        }
        let gone = known.into_keys().filter(|key| !stays.contains(key) && ours_by_key(key));
        forget.extend(gone.map(|key| (FactKind::Held, key)));

        let known = book.facts(FactKind::Open);
        let open = open_deeds(plan, ours);
        for (key, word) in &open {
            if known.get(key).is_none_or(|fact| fact.value != *word) {
                facts.push(book.fact(FactKind::Open, key.as_str(), word.as_str()));
            }
        }
        let gone = known.into_keys().filter(|key| !open.contains_key(key) && ours_by_key(key));
        forget.extend(gone.map(|key| (FactKind::Open, key)));

        let known = book.facts(FactKind::Applied);
        for account in &plan.accounts {
            let Some(client) = account.client.as_ref().filter(|client| ours(client)) else { continue };
            let Some(wanted) = clients.get(client) else { continue };
            let before = known.get(client.as_str());
            let now = applied(account, wanted, before.map(of_fact).as_ref(), self.now());
            let Some(Applied { marks, since }) = now else { continue };
            let value = marks.to_string();
            if before.is_none_or(|fact| fact.value != value) {
                facts.push(Fact { kind: FactKind::Applied, key: client.to_string(), value, since });
            }
        }
        let named = |key: &str| {
            ClientName::parse(key).is_ok_and(|client| {
                clients.contains_key(&client) || wanted.invalid.iter().any(|i| i.name.as_ref() == Some(&client))
            })
        };
        let left = known.into_keys().filter(|key| !named(key) && self.keeping.whole);
        forget.extend(left.map(|key| (FactKind::Applied, key)));
        book.note(facts, forget, Vec::new()).await
    }

    /// Since when the deeds that are open have been as they are.
    pub fn open_since(&self) -> BTreeMap<String, Timestamp> {
        let Some(book) = &self.book else { return BTreeMap::new() };
        book.facts(FactKind::Open).into_iter().map(|(key, fact)| (key, fact.since)).collect()
    }

    /// How far something came that is told once.
    pub fn watermark(&self, name: &str) -> Option<String> {
        self.book.as_ref()?.facts(FactKind::Watermark).remove(name).map(|fact| fact.value)
    }

    /// Remembers how far it came.
    ///
    /// # Errors
    /// The journal did not take it.
    pub async fn note_watermark(&self, name: &str, value: String) -> Result<(), JournalError> {
        let Some(book) = &self.book else { return Ok(()) };
        book.note(vec![book.fact(FactKind::Watermark, name, value)], Vec::new(), Vec::new()).await
    }

    /// The troubles that were told, by key.
    pub fn troubles(&self) -> BTreeMap<String, String> {
        let Some(book) = &self.book else { return BTreeMap::new() };
        book.facts(FactKind::Trouble).into_iter().map(|(key, fact)| (key, fact.value)).collect()
    }

    /// Remembers how troubles stand; `None` forgets one.
    ///
    /// # Errors
    /// The journal did not take it.
    pub async fn note_troubles(&self, changed: Vec<(String, Option<String>)>) -> Result<(), JournalError> {
        let Some(book) = self.book.clone().filter(|_| !self.keeping.dry) else { return Ok(()) };
        let (mut facts, mut forget) = (Vec::new(), Vec::new());
        for (key, value) in changed {
            match value {
                Some(value) => facts.push(book.fact(FactKind::Trouble, key, value)),
                None => forget.push((FactKind::Trouble, key)),
            }
        }
        book.note(facts, forget, Vec::new()).await
    }
}

fn of_fact(fact: &Fact) -> Applied {
    Applied { marks: Marks::from(fact.value.as_str()), since: fact.since }
}

/// What is not done, by key, with how it stands.
fn open_deeds(plan: &Plan, ours: impl Fn(&ClientName) -> bool) -> BTreeMap<String, String> {
    let mut open = BTreeMap::new();
    for account in &plan.accounts {
        let Some(client) = account.client.as_ref().filter(|client| ours(client)) else { continue };
        for action in &account.actions {
            if !matches!(action.state, ActionState::Applied | ActionState::Skipped | ActionState::Planned) {
                open.insert(key_of_deed(&Series::of(client, &action.op)), standing_word(action));
            }
        }
    }
    open
}
