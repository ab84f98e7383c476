//! What is to happen once, and the names that it goes by.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::plan::Series;
use crate::provider::{IdempotencyKey, Scope};

/// Which API, whose token, which world, as a hash: what one journal row of one fleet is
/// never mistaken for another's by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScopeId(String);

impl ScopeId {
    /// The id of a scope; the same in every process.
    pub fn of(scope: &Scope) -> Self {
        let Scope { api_url, user_id, world } = scope;
        Self(hash(&["scope/1", api_url, user_id, world.as_deref().unwrap_or("")], 8))
    }

    /// An id as a journal holds it.
    pub fn new(raw: impl Into<String>) -> Self {
        Self(raw.into())
    }

    /// As a journal holds it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ScopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The life of one process: a random id, never a host's name, so that a process that was
/// started again is another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Owner(String);

impl Owner {
    /// Takes an id that nobody had before.
    pub fn new(raw: impl Into<String>) -> Self {
        Self(raw.into())
    }

    /// As a journal holds it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of one operation, derived from what it is, so that replicas and a restored
/// journal agree on it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperationId(String);

impl OperationId {
    /// A name as people and journals write it.
    pub fn new(raw: impl Into<String>) -> Self {
        Self(raw.into())
    }

    /// As people and journals write it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One thing that is to happen once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Operation {
    /// Where.
    pub scope: ScopeId,
    /// Whose and what.
    #[serde(flatten)]
    pub series: Series,
    /// How often it has come to be wanted anew: 0 for the first time.
    pub generation: u32,
}

impl Operation {
    /// Its name.
    pub fn id(&self) -> OperationId {
        let Self { scope, series: Series { client, kind, argument }, generation } = self;
        let (kind, generation) = (format!("{kind:?}"), generation.to_string());
        OperationId(hash(&["operation/1", scope.as_str(), client.as_str(), &kind, argument, &generation], 12))
    }

    /// The name of one attempt, under which a server with keys carries it out once.
    pub fn key(&self, attempt: u32) -> IdempotencyKey {
        let hex = hash(&["key/1", self.id().as_str(), &attempt.to_string()], 24);
        IdempotencyKey::new(format!("bursar-{hex}"))
    }
}

/// The first bytes of a hash over parts, each with its length before it, in hex.
fn hash(parts: &[&str], bytes: usize) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(bytes).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ClientName;
    use crate::plan::OpKind;

    fn create(client: &str, world: Option<&str>, generation: u32) -> Operation {
        let scope = Scope { api_url: "http://x/v2".into(), user_id: "1".into(), world: world.map(str::to_owned) };
        let series =
            Series { client: ClientName::parse(client).unwrap(), kind: OpKind::CreateAccount, argument: String::new() };
        Operation { scope: ScopeId::of(&scope), series, generation }
    }

    #[test]
    fn a_name_is_the_same_everywhere_and_another_for_anything_else() {
        let here = create("acme", Some("w1"), 0);
        assert_eq!(here.id(), create("acme", Some("w1"), 0).id());
        assert_eq!(here.key(1).as_str().len(), "bursar-".len() + 48);
        assert_ne!(here.key(1), here.key(2));
        for other in [create("acme2", Some("w1"), 0), create("acme", Some("w2"), 0), create("acme", Some("w1"), 1)] {
            assert_ne!(here.id(), other.id());
            assert_ne!(here.key(1), other.key(1));
        }
    }
}
