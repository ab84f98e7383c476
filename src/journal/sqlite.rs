//! A journal in a file: SQLite, on disk before a commit returns. One process carries out
//! with it; others read it and write people's answers in short transactions.

mod file;
mod tables;
mod write;

use std::fs::File;
use std::path::Path;
use std::sync::PoisonError;
use std::time::Duration;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use sqlx::sqlite::{Sqlite, SqliteConnection};
use sqlx::{Connection as _, QueryBuilder};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use super::fact::Fact;
use super::group::{column, count, nanoseconds, number, read_body, taken_over, word};
use super::history::{Entry, Query, Recorded};
use super::operation::{Owner, ScopeId};
use super::queue::Queue;
use super::row::Row;
use super::store::{Batch, Contents, Journal, JournalError, JournalId, Lease, Seq};

pub use file::network_file_system;
use tables::Opening;
use write::FileWriter;

/// A journal in a file.
#[derive(Debug)]
pub struct InFile {
    id: JournalId,
    place: String,
    queue: Queue,
    /// `None` once it is closed.
    reader: Mutex<Option<SqliteConnection>>,
    /// Held by whoever carries out.
    lock: std::sync::Mutex<Option<File>>,
}

impl InFile {
    /// Opens a journal to carry out with it, alone; it is made where it is missing, for us to
    /// read and nobody else, under the name that is given.
    ///
    /// # Errors
    /// Another process carries out with it, others can read it, it lies on a network file
    /// system, it is no journal, newer or damaged, or the file cannot be opened.
    pub async fn open_executor(path: &Path, fresh_id: JournalId) -> Result<Self, JournalError> {
        file::make_folder(path)?;
        file::check_file_system(path)?;
        let lock = file::lock(path)?;
        file::claim(path, true)?;
        Self::open(path, Opening::Executor, fresh_id, Some(lock)).await
    }

    /// Opens a journal that is there, beside whoever carries out with it.
    ///
    /// # Errors
    /// As [`Self::open_executor`], but that it may be in use; and where there is none.
    pub async fn open_beside(path: &Path) -> Result<Self, JournalError> {
        file::claim(path, false)?;
        file::check_file_system(path)?;
        Self::open(path, Opening::Beside, JournalId::new(""), None).await
    }

    async fn open(
        path: &Path,
        opening: Opening,
        fresh_id: JournalId,
        lock: Option<File>,
    ) -> Result<Self, JournalError> {
        let place = path.display().to_string();
        let (writer, reader, id) = tables::open(path, opening, &fresh_id).await?;
        let queue = Queue::start(place.clone(), FileWriter::new(place.clone(), writer));
        Ok(Self { id, place, queue, reader: Mutex::new(Some(reader)), lock: std::sync::Mutex::new(lock) })
    }

    async fn reader(&self) -> Result<MappedMutexGuard<'_, SqliteConnection>, JournalError> {
        let opened = MutexGuard::try_map(self.reader.lock().await, Option::as_mut);
        opened.map_err(|_| JournalError::Unavailable {
            place: self.place.clone(),
            doing: "read",
            why: "it was closed".to_owned(),
        })
    }

    fn unread(&self, error: &sqlx::Error) -> JournalError {
        told(&self.place, "read", error)
    }

    fn body<T: DeserializeOwned>(&self, body: &str) -> Result<T, JournalError> {
        read_body(&self.place, body)
    }
}

#[async_trait]
impl Journal for InFile {
    fn id(&self) -> &JournalId {
        &self.id
    }

    fn place(&self) -> String {
        self.place.clone()
    }

    fn is_lasting(&self) -> bool {
        true
    }

    async fn rows(&self, scope: &ScopeId, after: Seq) -> Result<(Vec<Row>, Seq), JournalError> {
        let mut reader = self.reader().await?;
        // One statement sees one state: the last place comes with the rows, or alone.
        let found: Vec<(i64, Option<String>)> = sqlx::query_as(
            "SELECT meta.seq, rows.body FROM meta LEFT JOIN rows ON rows.scope = ? AND rows.seq > ? ORDER BY rows.operation",
        )
        .bind(scope.as_str())
        .bind(number(after))
        .fetch_all(&mut *reader)
        .await
        .map_err(|error| self.unread(&error))?;
        let seq = found.first().map_or(0, |(seq, _)| count(*seq));
        let rows = found.iter().filter_map(|(_, body)| body.as_deref()).map(|body| self.body(body));
        Ok((rows.collect::<Result<_, _>>()?, seq))
    }

    async fn facts(&self, scope: &ScopeId) -> Result<Vec<Fact>, JournalError> {
        let mut reader = self.reader().await?;
        let found: Vec<String> = sqlx::query_scalar("SELECT body FROM facts WHERE scope = ? ORDER BY kind, key")
            .bind(scope.as_str())
            .fetch_all(&mut *reader)
            .await
            .map_err(|error| self.unread(&error))?;
        found.iter().map(|body| self.body(body)).collect()
    }

    async fn commit(&self, scope: &ScopeId, batch: Batch) -> Result<(), JournalError> {
        self.queue.commit(scope, batch).await
    }

    async fn history(&self, query: &Query) -> Result<Vec<Recorded>, JournalError> {
        let mut statement = asking(query);
        let mut reader = self.reader().await?;
        let found: Vec<(i64, String)> =
            statement.build_query_as().fetch_all(&mut *reader).await.map_err(|error| self.unread(&error))?;
        let recorded = found.iter().rev().map(|(seq, body)| {
            let entry: Entry = self.body(body)?;
            Ok(Recorded { seq: count(*seq), entry })
        });
        recorded.collect()
    }

    async fn scopes(&self) -> Result<Vec<ScopeId>, JournalError> {
        let mut reader = self.reader().await?;
        let found: Vec<String> =
            sqlx::query_scalar("SELECT scope FROM rows UNION SELECT scope FROM facts ORDER BY scope")
                .fetch_all(&mut *reader)
                .await
                .map_err(|error| self.unread(&error))?;
        Ok(found.into_iter().map(ScopeId::new).collect())
    }

    async fn lease(&self, _: &str, _: &Owner, _: Duration) -> Result<Lease, JournalError> {
        Ok(Lease::Held)
    }

    async fn release(&self, _: &str, _: &Owner) -> Result<(), JournalError> {
        Ok(())
    }

    async fn contents(&self) -> Result<Contents, JournalError> {
        let mut reader = self.reader().await?;
        let unread = |error: sqlx::Error| self.unread(&error);
        // Given up by whoever asked, it is rolled back with the guard's end.
        let mut at_once = reader.begin().await.map_err(unread)?;
        let rows: Vec<String> = sqlx::query_scalar("SELECT body FROM rows ORDER BY scope, operation")
            .fetch_all(&mut *at_once)
            .await
            .map_err(unread)?;
        let facts: Vec<(String, String)> = sqlx::query_as("SELECT scope, body FROM facts ORDER BY scope, kind, key")
            .fetch_all(&mut *at_once)
            .await
            .map_err(unread)?;
        let entries: Vec<String> = sqlx::query_scalar("SELECT body FROM history ORDER BY seq")
            .fetch_all(&mut *at_once)
            .await
            .map_err(unread)?;
        at_once.rollback().await.map_err(unread)?;
        let facts = facts.into_iter().map(|(scope, body)| Ok((ScopeId::new(scope), self.body(&body)?)));
        Ok(Contents {
            id: self.id.clone(),
            rows: rows.iter().map(|body| self.body(body)).collect::<Result<_, _>>()?,
            facts: facts.collect::<Result<_, _>>()?,
            entries: entries.iter().map(|body| self.body(body)).collect::<Result<_, _>>()?,
        })
    }

    async fn restore(&mut self, contents: Contents) -> Result<(), JournalError> {
        let mut connection = self.reader().await?;
        write::restore(&mut connection, &self.place, &contents.id, &taken_over(&contents)).await?;
        drop(connection);
        self.id = contents.id;
        Ok(())
    }

    async fn close(&self) {
        self.queue.close().await;
        if let Some(reader) = self.reader.lock().await.take()
            && let Err(error) = reader.close().await
        {
            tracing::warn!(%error, journal = %self.place, "the journal was not closed cleanly");
        }
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// The statement of a query: the latest first, so that a limit keeps those.
fn asking(query: &Query) -> QueryBuilder<Sqlite> {
    let Query { scope, client, account, person, kinds, from, until, after, latest } = query;
    let mut statement = QueryBuilder::new("SELECT seq, body FROM history WHERE seq > ");
    statement.push_bind(number(after.unwrap_or(0)));
    let texts = [
        (" AND scope = ", scope.as_ref().map(|scope| scope.as_str())),
        (" AND client = ", client.as_ref().map(|client| client.as_str())),
        (" AND account = ", account.as_ref().map(|account| account.as_str())),
        (" AND person = ", person.as_ref().map(|person| person.key())),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            statement.push(name).push_bind(column(text));
        }
    }
    for (name, time) in [(" AND at >= ", from), (" AND at < ", until)] {
        if let Some(time) = time {
            statement.push(name).push_bind(nanoseconds(*time));
        }
    }
    if !kinds.is_empty() {
        let mut among = statement.push(" AND kind IN (").separated(", ");
        for kind in kinds {
            among.push_bind(word(kind));
        }
        statement.push(")");
    }
    statement.push(" ORDER BY seq DESC");
    if let Some(latest) = latest {
        statement.push(" LIMIT ").push_bind(i64::try_from(*latest).unwrap_or(i64::MAX));
    }
    statement
}

/// What went wrong, by SQLite's result code.
fn told(place: &str, doing: &'static str, error: &sqlx::Error) -> JournalError {
    let place = place.to_owned();
    let code = error.as_database_error().and_then(|error| error.code()).and_then(|code| code.parse::<i32>().ok());
    let why = match code.map(|code| code & 0xff) {
        Some(11) => return JournalError::Corrupt { place, why: message(error) },
        Some(26) => return JournalError::NotAJournal { place },
        Some(5 | 6) => "another process has been writing to it for five seconds".to_owned(),
        Some(8) => "it is read-only".to_owned(),
        Some(10) => format!("the disk does not do as it is told ({})", message(error)),
        Some(13) => "there is no space left".to_owned(),
        _ => message(error),
    };
    JournalError::Unavailable { place, doing, why }
}

fn message(error: &sqlx::Error) -> String {
    error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
}
