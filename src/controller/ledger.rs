//! What people were told of, so that each trouble is told once when it begins and once when
//! it is over, restarts included, and one that comes and goes is told once an hour with a
//! count. Time comes in as a parameter.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::domain::{AccountId, ClientName};
use crate::notify::{Kind, Named, Note};
use crate::plan::Reason;

use super::troubles::Trouble;

/// The same trouble is told again no sooner than this after it was told.
const QUIET: SignedDuration = SignedDuration::from_hours(1);
/// More clients than this with the same news at once are one note.
const APART: usize = 5;

/// The troubles of a fleet, as they were told.
#[derive(Debug, Default)]
pub struct Ledger {
    records: BTreeMap<String, Record>,
}

/// How a trouble stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    /// It is so now.
    open: bool,
    /// Its beginning was told, and its end was not.
    told: bool,
    /// Since when it is, or was, so.
    since: Timestamp,
    /// When its beginning was last told.
    at: Option<Timestamp>,
    /// How often it began since then.
    times: u32,
    kind: String,
    what: String,
    reason: Option<Reason>,
    client: Option<ClientName>,
    account: Option<AccountId>,
}

/// What an update brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// To be told.
    pub notes: Vec<Note>,
    /// To be remembered, by key; `None` is forgotten.
    pub changed: Vec<(String, Option<String>)>,
}

impl Ledger {
    /// Takes in what an earlier process told. What this one told already stays told.
    pub fn recall(&mut self, facts: BTreeMap<String, String>) {
        for (key, value) in facts {
            let Ok(before) = serde_json::from_str::<Record>(&value) else { continue };
            match self.records.get_mut(&key) {
                None => {
                    self.records.insert(key, before);
                }
                Some(now) => {
                    now.told |= before.told;
                    now.at = now.at.max(before.at);
                    now.since = now.since.min(before.since);
                }
            }
        }
    }

    /// Takes in what is so now, of everything that `covers` says was looked at.
    pub fn update(&mut self, now: Timestamp, troubles: Vec<Trouble>, covers: impl Fn(&str) -> bool) -> Told {
        let mut told = Told::default();
        let current: BTreeMap<String, Trouble> = troubles.into_iter().map(|one| (one.key.clone(), one)).collect();
        for (key, trouble) in &current {
            let before = self.records.get(key).cloned();
            let record = self.records.entry(key.clone()).or_insert_with(|| Record::new(trouble, now));
            if let Some(note) = record.begins(trouble, now) {
                told.notes.push(note);
            }
            if before.as_ref() != Some(record) {
                told.changed.push((key.clone(), serde_json::to_string(record).ok()));
            }
        }
        let gone: Vec<String> =
            self.records.keys().filter(|key| covers(key) && !current.contains_key(*key)).cloned().collect();
        for key in gone {
            let Some(record) = self.records.get_mut(&key) else { continue };
            let before = record.clone();
            told.notes.extend(record.ends(now));
            if record.is_over(now) {
                self.records.remove(&key);
                told.changed.push((key, None));
            } else if before != *record {
                let value = serde_json::to_string(record).ok();
                told.changed.push((key, value));
            }
        }
        told.notes = together(told.notes);
        told
    }

    /// How many troubles are open and told.
    pub fn open(&self) -> usize {
        self.records.values().filter(|record| record.open && record.told).count()
    }
}

impl Record {
    fn new(trouble: &Trouble, now: Timestamp) -> Self {
        Self {
            open: false,
            told: false,
            since: now,
            at: None,
            times: 0,
            kind: trouble.kind.as_str().to_owned(),
            what: trouble.what.clone(),
            reason: trouble.reason,
            client: trouble.client.as_ref().map(|named| named.client.clone()),
            account: None,
        }
    }

    fn quiet_until(&self) -> Timestamp {
        self.at.map_or(Timestamp::MIN, |at| at.saturating_add(QUIET).unwrap_or(Timestamp::MAX))
    }

    /// It is so: the note of its beginning, where that is due.
    fn begins(&mut self, trouble: &Trouble, now: Timestamp) -> Option<Note> {
        if !self.open {
            self.open = true;
            self.since = now;
            self.times = self.times.saturating_add(1);
        }
        self.what.clone_from(&trouble.what);
        self.account = trouble.client.as_ref().and_then(|named| named.account.clone());
        if self.told || !trouble.ripe || now < self.quiet_until() {
            return None;
        }
        let note = Note {
            at: now,
            kind: trouble.kind,
            reason: trouble.reason,
            recovered: false,
            fleet: None,
            clients: trouble.client.iter().cloned().collect(),
            message: trouble.message.clone(),
            next: trouble.next.clone(),
            revision: None,
            since: self.since,
            times: self.times,
        };
        (self.told, self.at, self.times) = (true, Some(now), 0);
        Some(note)
    }

    /// It is not so any more: the note of its end, where its beginning was told.
    fn ends(&mut self, now: Timestamp) -> Option<Note> {
        self.open = false;
        let told = std::mem::take(&mut self.told);
        let kind = KINDS.into_iter().find(|kind| kind.as_str() == self.kind)?;
        if !told || !kind.recovers() {
            return None;
        }
        let client = self.client.clone().map(|client| Named { client, account: self.account.clone() });
        Some(Note {
            at: now,
            kind,
            reason: self.reason,
            recovered: true,
            fleet: None,
            clients: client.into_iter().collect(),
            message: format!("over: {}", self.what),
            next: None,
            revision: None,
            since: self.since,
            times: 1,
        })
    }

    /// Whether nothing of it need be remembered.
    fn is_over(&self, now: Timestamp) -> bool {
        !self.open && now >= self.quiet_until()
    }
}

const KINDS: [Kind; 14] = [
    Kind::Blocked,
    Kind::RemovedElsewhere,
    Kind::OutcomeUnknown,
    Kind::Failed,
    Kind::Manual,
    Kind::Invalid,
    Kind::Unknown,
    Kind::Held,
    Kind::Drift,
    Kind::Source,
    Kind::Api,
    Kind::Rail,
    Kind::Frozen,
    Kind::Price,
];

/// Makes one note of the same news of many clients.
fn together(notes: Vec<Note>) -> Vec<Note> {
    let mut groups: Vec<Vec<Note>> = Vec::new();
    for note in notes {
        let same = |group: &&mut Vec<Note>| {
            let first = &group[0];
            (first.kind, first.reason, first.recovered) == (note.kind, note.reason, note.recovered)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(note),
            None => groups.push(vec![note]),
        }
    }
    let mut all = Vec::new();
    for mut group in groups {
        if group.len() <= APART || group.iter().any(|note| note.clients.is_empty()) {
            all.append(&mut group);
            continue;
        }
        let clients = group.iter().flat_map(|note| note.clients.clone()).collect();
        let since = group.iter().map(|note| note.since).min();
        let first = group.swap_remove(0);
        all.push(Note {
            clients,
            message: format!("of the first: {}", first.message),
            next: first.next.as_ref().map(|_| "bursar plan, or bursar explain CLIENT".to_owned()),
            since: since.unwrap_or(first.since),
            times: 1,
            ..first
        });
    }
    all
}
