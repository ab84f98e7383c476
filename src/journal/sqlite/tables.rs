//! The tables of a journal in SQLite, and how a file becomes or is known as one.

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Row as _};
use std::path::Path;
use std::time::Duration;

use super::super::store::{JournalError, JournalId};
use super::told;

/// Marks a file as a journal (`PRAGMA application_id`).
const APPLICATION_ID: i32 = 0x6275_724a;

/// The layout of the file (`PRAGMA user_version`).
const LAYOUT: i32 = 1;

/// How long a commit waits for another process's.
const PATIENCE: Duration = Duration::from_secs(5);

/// A file up to this size is checked wholly when it is opened to carry out: some 0.2 s.
const CHECKED: u64 = 64 * 1024 * 1024;

const TABLES: &str = "
    CREATE TABLE meta (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        id TEXT NOT NULL, seq INTEGER NOT NULL, entries INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE rows (
        scope TEXT NOT NULL, operation TEXT NOT NULL, version INTEGER NOT NULL, seq INTEGER NOT NULL,
        body TEXT NOT NULL CHECK (body <> ''), PRIMARY KEY (scope, operation)
    ) STRICT;
    CREATE INDEX rows_since ON rows (scope, seq);
    CREATE TABLE facts (
        scope TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL,
        body TEXT NOT NULL CHECK (body <> ''), PRIMARY KEY (scope, kind, key)
    ) STRICT;
    CREATE TABLE history (
        seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, scope TEXT NOT NULL, kind TEXT NOT NULL,
        client TEXT, account TEXT, person TEXT, body TEXT NOT NULL CHECK (body <> '')
    ) STRICT;
    CREATE INDEX history_of_scope ON history (scope, at);
    CREATE INDEX history_of_client ON history (client) WHERE client IS NOT NULL;
    CREATE INDEX history_of_account ON history (account) WHERE account IS NOT NULL;
    CREATE INDEX history_of_person ON history (person) WHERE person IS NOT NULL;
    CREATE TRIGGER history_stays BEFORE UPDATE ON history
        BEGIN SELECT RAISE(ABORT, 'the history is never changed'); END;
    CREATE TRIGGER history_is_kept BEFORE DELETE ON history
        BEGIN SELECT RAISE(ABORT, 'the history is never changed'); END;
";

/// What a file is to be opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// To carry out: it is made where it is missing, and checked.
    Executor,
    /// Beside whoever carries out.
    Beside,
}

/// A connection to a file that is there; nothing of it is changed until it is known as ours.
async fn connect(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .synchronous(SqliteSynchronous::Full)
        // On macOS a plain fsync leaves the drive's own cache behind; elsewhere it says nothing.
        .pragma("fullfsync", "ON")
        .busy_timeout(PATIENCE)
        .disable_statement_logging()
        .connect()
        .await
}

/// The connection that writes and the one that reads, and the journal's name.
pub(super) async fn open(
    path: &Path,
    opening: Opening,
    fresh_id: &JournalId,
) -> Result<(SqliteConnection, SqliteConnection, JournalId), JournalError> {
    let place = path.display().to_string();
    let told = |error: sqlx::Error| told(&place, "opened", &error);
    let mut writer = connect(path).await.map_err(told)?;
    let id = match check(&mut writer, &place, path, opening, fresh_id).await {
        Ok(id) => id,
        Err(error) => {
            // The file is given back before the error is told.
            let _ = sqlx::Connection::close(writer).await;
            return Err(error);
        }
    };
    let reader = connect(path).await.map_err(told)?;
    Ok((writer, reader, id))
}

async fn check(
    connection: &mut SqliteConnection,
    place: &str,
    path: &Path,
    opening: Opening,
    fresh_id: &JournalId,
) -> Result<JournalId, JournalError> {
    let told = |error: sqlx::Error| told(place, "opened", &error);
    let pragma = |name: &'static str| sqlx::query_scalar::<_, i32>(name);
    let application = pragma("PRAGMA application_id").fetch_one(&mut *connection).await.map_err(told)?;
    let layout = pragma("PRAGMA user_version").fetch_one(&mut *connection).await.map_err(told)?;
    let tables = pragma("SELECT count(*) FROM sqlite_master").fetch_one(&mut *connection).await.map_err(told)?;
    if application != APPLICATION_ID && (tables > 0 || application != 0 || layout != 0) {
        return Err(JournalError::NotAJournal { place: place.to_owned() });
    }
    if layout > LAYOUT {
        return Err(JournalError::Newer { place: place.to_owned() });
    }
    if opening == Opening::Executor {
        check_pages(connection, place, path).await?;
    }
    if tables == 0 {
        if opening == Opening::Beside {
            let why = "there is nothing in it yet".to_owned();
            return Err(JournalError::Unavailable { place: place.to_owned(), doing: "opened", why });
        }
        make(connection, fresh_id).await.map_err(told)?;
    }
    // A file in WAL mode stays so; setting it anew would want the file alone.
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut *connection).await.map_err(told)?;
    if mode != "wal" {
        sqlx::query("PRAGMA journal_mode = WAL").execute(&mut *connection).await.map_err(told)?;
    }
    let id: String = sqlx::query_scalar("SELECT id FROM meta").fetch_one(&mut *connection).await.map_err(told)?;
    Ok(JournalId::new(id))
}

/// Looks at every page, as long as they are not too many.
async fn check_pages(connection: &mut SqliteConnection, place: &str, path: &Path) -> Result<(), JournalError> {
    let size = std::fs::metadata(path).map_or(0, |told| told.len());
    if size > CHECKED {
        tracing::debug!(journal = place, size, "too large to be checked at each start");
        return Ok(());
    }
    let found = sqlx::query("PRAGMA quick_check(1)").fetch_all(&mut *connection).await;
    let found = found.map_err(|error| told(place, "opened", &error))?;
    match found.first().and_then(|row| row.try_get::<String, _>(0).ok()) {
        Some(word) if word == "ok" => Ok(()),
        word => Err(JournalError::Corrupt { place: place.to_owned(), why: word.unwrap_or_default() }),
    }
}

/// Makes the tables, all or none.
async fn make(connection: &mut SqliteConnection, id: &JournalId) -> Result<(), sqlx::Error> {
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await?;
    sqlx::raw_sql(TABLES).execute(&mut *connection).await?;
    sqlx::query("INSERT INTO meta (one, id, seq, entries) VALUES (1, ?, 0, 0)")
        .bind(id.as_str())
        .execute(&mut *connection)
        .await?;
    for (pragma, value) in [("application_id", APPLICATION_ID), ("user_version", LAYOUT)] {
        // A PRAGMA takes no parameters; both parts are constants of this file.
        let statement = sqlx::AssertSqlSafe(format!("PRAGMA {pragma} = {value}"));
        sqlx::raw_sql(statement).execute(&mut *connection).await?;
    }
    sqlx::query("COMMIT").execute(&mut *connection).await?;
    Ok(())
}
