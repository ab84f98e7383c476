//! Where a journal is, as people say it, and opening what is there.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::SecretString;

use super::memory::InMemory;
use super::postgres::InDatabase;
use super::sqlite::InFile;
use super::store::{Journal, JournalError, JournalId};

/// Where the journal is, when nothing else is said, below the working directory.
pub const DEFAULT: &str = ".bursar/journal.db";

/// Where a journal is (`--journal`). Neither its `Display` nor its `Debug` shows a password.
#[derive(Debug, Clone)]
pub enum Address {
    /// Nowhere: what was meant and done is forgotten with the process.
    Nowhere,
    /// A file of SQLite.
    File(PathBuf),
    /// A database of PostgreSQL, as a URL.
    Postgres(SecretString),
}

/// Why a text is no journal's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is empty.
    #[error("expected `none`, a file, or postgres://...")]
    Empty,
    /// It looks like a URL of something else.
    #[error("a journal is a file or a database of PostgreSQL (postgres://...), not {0}://")]
    Scheme(String),
}

impl Address {
    /// Reads `none`, a file's name, or `postgres://...`.
    ///
    /// # Errors
    /// It is empty, or a URL of something else.
    pub fn parse(raw: &str) -> Result<Self, AddressError> {
        match raw.split_once("://") {
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(SecretString::from(raw))),
            Some((scheme, _)) if scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) => {
                Err(AddressError::Scheme(scheme.to_owned()))
            }
            _ if raw.is_empty() => Err(AddressError::Empty),
            _ if raw == "none" => Ok(Self::Nowhere),
            _ => Ok(Self::File(PathBuf::from(raw))),
        }
    }

    /// Where it is when nothing is said: in the working directory, and nowhere on a machine
    /// that is thrown away, which is what a set `CI` says.
    pub fn default_for(ci: Option<&str>) -> Self {
        match ci {
            Some(ci) if !matches!(ci, "" | "false" | "0") => Self::Nowhere,
            _ => Self::File(PathBuf::from(DEFAULT)),
        }
    }
}

impl std::str::FromStr for Address {
    type Err = AddressError;

    fn from_str(raw: &str) -> Result<Self, AddressError> {
        Self::parse(raw)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nowhere => f.write_str("none"),
            Self::File(path) => Path::display(path).fmt(f),
            Self::Postgres(_) => f.write_str("postgres://..."),
        }
    }
}

/// An id that no journal had before.
pub fn fresh_id() -> JournalId {
    JournalId::new(uuid::Uuid::new_v4().to_string())
}

/// Opens a journal to carry out with it; it is made where it is missing.
///
/// # Errors
/// As [`InFile::open_executor`] has them.
pub async fn open_executor(address: &Address) -> Result<Arc<dyn Journal>, JournalError> {
    match address {
        Address::Nowhere => Ok(Arc::new(InMemory::new(fresh_id()))),
        Address::File(path) => Ok(Arc::new(InFile::open_executor(path, fresh_id()).await?)),
        Address::Postgres(url) => Ok(Arc::new(InDatabase::open_executor(url, fresh_id()).await?)),
    }
}

/// Opens a journal that is there, to read it and to write a person's answers, beside whoever
/// carries out with it.
///
/// # Errors
/// There is none, or as [`InFile::open_beside`] has them.
pub async fn open_beside(address: &Address) -> Result<Arc<dyn Journal>, JournalError> {
    match address {
        Address::Nowhere => Err(JournalError::Unavailable {
            place: address.to_string(),
            doing: "opened",
            why: "there is none; name one with --journal".to_owned(),
        }),
        Address::File(path) => Ok(Arc::new(InFile::open_beside(path).await?)),
        Address::Postgres(url) => Ok(Arc::new(InDatabase::open_beside(url).await?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_none_a_file_or_a_database() {
        let shown = |raw| Address::parse(raw).map(|address| format!("{address} {address:?}"));
        assert_eq!(shown("none").unwrap(), "none Nowhere");
        assert_eq!(shown("x/journal.db").unwrap(), "x/journal.db File(\"x/journal.db\")");
        assert_eq!(shown("./none").unwrap(), "./none File(\"./none\")");
        assert_eq!(shown(""), Err(AddressError::Empty));
        assert_eq!(shown("mysql://x"), Err(AddressError::Scheme("mysql".to_owned())));
        for url in ["postgres://bursar:s3cret@db/x", "postgresql://bursar:s3cret@db/x"] {
            assert!(!shown(url).unwrap().contains("s3cret"), "{url}");
        }
    }

    #[test]
    fn by_default_it_is_in_the_folder_and_nowhere_in_ci() {
        for (ci, expected) in [
            (None, DEFAULT),
            (Some(""), DEFAULT),
            (Some("false"), DEFAULT),
            (Some("true"), "none"),
            (Some("1"), "none"),
        ] {
            assert_eq!(Address::default_for(ci).to_string(), expected, "{ci:?}");
        }
    }
}
