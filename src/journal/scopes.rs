//! A journal as a person meets it: which scopes it holds, and what stands in each.

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::text::inert;

use super::fact::{Fact, FactKind};
use super::operation::ScopeId;
use super::row::Row;
use super::store::{Journal, JournalError};

/// A scope, described for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeCard {
    /// Its id.
    pub id: ScopeId,
    /// The API's address.
    pub url: Option<String>,
    /// The token's user.
    pub user: Option<String>,
    /// For a sandbox, which world.
    pub world: Option<String>,
}

/// What a journal holds of one scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeView {
    /// Which.
    pub card: ScopeCard,
    /// All rows, all generations.
    pub rows: Vec<Row>,
    /// All facts.
    pub facts: Vec<Fact>,
}

impl ScopeCard {
    /// What the facts of a scope say of it.
    fn of(id: ScopeId, facts: &[Fact]) -> Self {
        let part = |key: &str| {
            let fact = facts.iter().find(|fact| fact.kind == FactKind::Scope && fact.key == key);
            fact.map(|fact| fact.value.clone())
        };
        Self { id, url: part("url"), user: part("user"), world: part("world") }
    }
}

impl fmt::Display for ScopeCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, url, user, world } = self;
        write!(f, "{id}: {}", inert(url.as_deref().unwrap_or("an unknown address")))?;
        if let Some(user) = user {
            write!(f, ", user {}", inert(user))?;
        }
        if let Some(world) = world {
            write!(f, ", world {}", inert(world))?;
        }
        Ok(())
    }
}

impl ScopeView {
    /// Reads one scope.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn read(journal: &dyn Journal, scope: &ScopeId) -> Result<Self, JournalError> {
        let (rows, _) = journal.rows(scope, 0).await?;
        let facts = journal.facts(scope).await?;
        Ok(Self { card: ScopeCard::of(scope.clone(), &facts), rows, facts })
    }

    /// Reads every scope.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn read_all(journal: &dyn Journal) -> Result<Vec<Self>, JournalError> {
        let mut views = Vec::new();
        for scope in journal.scopes().await? {
            views.push(Self::read(journal, &scope).await?);
        }
        Ok(views)
    }

    /// A fact, by its key.
    pub fn fact(&self, kind: FactKind, key: &str) -> Option<&Fact> {
        self.facts.iter().find(|fact| fact.kind == kind && fact.key == key)
    }

    /// All facts of a kind.
    pub fn facts_of(&self, kind: FactKind) -> impl Iterator<Item = &Fact> {
        self.facts.iter().filter(move |fact| fact.kind == kind)
    }
}

/// The latest generation of every series, by client and kind.
pub fn latest(rows: &[Row]) -> Vec<&Row> {
    let mut latest: BTreeMap<_, &Row> = BTreeMap::new();
    for row in rows {
        let there = latest.entry(&row.operation.series).or_insert(row);
        if there.operation.generation < row.operation.generation {
            *there = row;
        }
    }
    latest.into_values().collect()
}
