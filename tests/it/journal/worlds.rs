//! Rows, facts and entries to fill journals with, and the places where journals are made.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use bursar::domain::{AccountId, ClientName, Email};
use bursar::journal::{
    Batch, Cause, Entry, EntryKind, Fact, FactKind, InFile, InMemory, Journal, JournalId, Operation, Owner, Put,
    Repeat, Row, ScopeId,
};
use bursar::plan::{OpKind, Series};
use jiff::Timestamp;
use tempfile::TempDir;

/// Where journals of one kind are made and opened again.
pub trait Place: Send + Sync {
    /// To carry out; made where there is none.
    fn open(&self) -> impl Future<Output = Box<dyn Journal>> + Send;

    /// Beside an open one, as another process would; none where that cannot be.
    fn beside(&self) -> impl Future<Output = Option<Box<dyn Journal>>> + Send;

    /// An empty one of the same kind somewhere else.
    fn another(&self) -> impl Future<Output = Box<dyn Journal>> + Send;

    /// Whether what was written is there when it is opened again.
    fn lasts(&self) -> bool;
}

pub struct Memory;

impl Place for Memory {
    async fn open(&self) -> Box<dyn Journal> {
        Box::new(InMemory::new(fresh_id()))
    }

    async fn beside(&self) -> Option<Box<dyn Journal>> {
        None
    }

    async fn another(&self) -> Box<dyn Journal> {
        self.open().await
    }

    fn lasts(&self) -> bool {
        false
    }
}

pub struct Folder {
    folder: TempDir,
    others: AtomicU64,
}

impl Folder {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), others: AtomicU64::new(0) }
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join(".bursar/journal.db")
    }
}

impl Place for Folder {
    async fn open(&self) -> Box<dyn Journal> {
        Box::new(InFile::open_executor(&self.file(), fresh_id()).await.unwrap())
    }

    async fn beside(&self) -> Option<Box<dyn Journal>> {
        Some(Box::new(InFile::open_beside(&self.file()).await.unwrap()))
    }

    async fn another(&self) -> Box<dyn Journal> {
        let other = self.folder.path().join(format!("{}.db", self.others.fetch_add(1, Ordering::Relaxed)));
        Box::new(InFile::open_executor(&other, fresh_id()).await.unwrap())
    }

    fn lasts(&self) -> bool {
        true
    }
}

pub fn fresh_id() -> JournalId {
    JournalId::new(uuid::Uuid::new_v4().to_string())
}

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_760_000_000 + second).unwrap()
}

pub fn scope(name: &str) -> ScopeId {
    ScopeId::new(name)
}

/// The first version of a client's create, not yet written.
pub fn row(of: &ScopeId, client: &str) -> Row {
    let series =
        Series { client: ClientName::parse(client).unwrap(), kind: OpKind::CreateAccount, argument: String::new() };
    let operation = Operation { scope: of.clone(), series, generation: 0 };
    let cause = Cause { what: "create the account \u{202e}\"Ünïcode\"".to_owned(), ..Cause::default() };
    let request = format!("{{\"name\":\"{client}\"}}");
    Row { version: 1, ..Row::prepared(operation, Owner::new("owner-1"), Repeat::Never, request, cause) }
}

/// The write that replaces what was seen of a row.
pub fn put(row: &Row, seen: u64) -> Put {
    Put { seen, row: Row { version: seen + 1, sends: u32::try_from(seen).unwrap(), ..row.clone() } }
}

pub fn rows(rows: Vec<Put>) -> Batch {
    Batch { rows, ..Batch::default() }
}

pub fn fact(kind: FactKind, key: &str, value: &str) -> Fact {
    Fact { kind, key: key.to_owned(), value: value.to_owned(), since: at(0) }
}

pub fn entry(of: &ScopeId, second: i64, kind: EntryKind, client: &str) -> Entry {
    Entry {
        client: Some(ClientName::parse(client).unwrap()),
        account: Some(AccountId::new(format!("{}", 1000 + second % 3))),
        person: (second % 2 == 0).then(|| Email::lenient(format!("Pat{}@Agency.example", second % 4))),
        message: format!("number {second}"),
        ..Entry::new(at(second), of.clone(), kind, "owner-1")
    }
}
