//! The file behind the world: SQLite, written through. What a request was answered is on
//! record before the answer goes out, so that not even a kill loses it; what is read is
//! the world in memory, which is loaded from here at the start. Without a file there is
//! nothing behind that world, and no thread and no wait beside the request's own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, QueryBuilder, Sqlite};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use super::SandboxError;
use super::world::{Change, Draft, Meta, World};

/// Marks a file as a sandbox's world (`PRAGMA application_id`).
const APPLICATION_ID: i32 = 0x6275_7253;

/// The layout of the file (`PRAGMA user_version`).
const LAYOUT: i32 = 3;

/// Records in one statement; SQLite takes 32,766 parameters, a record has three.
const RECORDS_A_STATEMENT: usize = 5_000;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS records (
        kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS requests (
        route TEXT NOT NULL PRIMARY KEY, count INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";

/// Where the world is kept.
#[derive(Debug)]
pub enum Store {
    /// In the service's own memory, and nowhere else.
    Nowhere {
        /// Nothing is changed any more.
        is_closed: AtomicBool,
    },
    /// The one connection, for SQLite has one writer anyway; `None` once it is closed.
    File(Mutex<Option<SqliteConnection>>),
}

/// A record on its way to the file: without a body it is removed.
struct Record {
    kind: &'static str,
    id: String,
    body: Option<String>,
}

impl Record {
    fn put(kind: &'static str, id: impl ToString, body: &impl Serialize) -> Result<Self, SandboxError> {
        Ok(Self { kind, id: id.to_string(), body: Some(serde_json::to_string(body)?) })
    }

    fn gone(kind: &'static str, id: impl ToString) -> Self {
        Self { kind, id: id.to_string(), body: None }
    }

    fn of(change: &Change) -> Result<Self, SandboxError> {
        match change {
            Change::PutUser(user) => Self::put("user", user.id, user),
            Change::PutAccount(account) => Self::put("account", account.id, account),
            Change::DropAccount(id) => Ok(Self::gone("account", id)),
            Change::PutTeam(team) => Self::put("team", team.account_id, team),
            Change::DropTeam(id) => Ok(Self::gone("team", id)),
            Change::PutSubscription(latest) => Self::put("subscription", latest.account_id, latest),
            Change::PutMember(member) => Self::put("member", member.id, member),
            Change::DropMember(member) => Ok(Self::gone("member", member.id)),
            Change::PutCharge(charge) => Self::put("charge", charge.id, charge),
            Change::PutPayment(payment) => Self::put("payment", payment.id, payment),
            Change::DropPayment(id) => Ok(Self::gone("payment", id)),
            Change::PutMail(mail) => Self::put("mail", mail.id, mail),
            Change::PutWebhook(webhook) => Self::put("webhook", webhook.id, webhook),
            Change::DropWebhook(id) => Ok(Self::gone("webhook", id)),
            Change::PutDelivery(delivery) => Self::put("delivery", delivery.id, delivery),
            Change::DropDelivery(id) => Ok(Self::gone("delivery", id)),
            Change::PutAnswer(kept) => Self::put("answer", format!("{}/{}", kept.user_id, kept.key), kept),
            Change::DropAnswer(user, key) => Ok(Self::gone("answer", format!("{user}/{key}"))),
        }
    }
}

fn read<T: DeserializeOwned>(body: &str) -> Result<T, SandboxError> {
    Ok(serde_json::from_str(body)?)
}

fn change_of(kind: &str, body: &str) -> Result<Option<Change>, SandboxError> {
    Ok(Some(match kind {
        "user" => Change::PutUser(read(body)?),
        "account" => Change::PutAccount(read(body)?),
        "team" => Change::PutTeam(read(body)?),
        "subscription" => Change::PutSubscription(read(body)?),
        "member" => Change::PutMember(read(body)?),
        "charge" => Change::PutCharge(read(body)?),
        "payment" => Change::PutPayment(read(body)?),
        "mail" => Change::PutMail(read(body)?),
        "webhook" => Change::PutWebhook(read(body)?),
        "delivery" => Change::PutDelivery(read(body)?),
        "answer" => Change::PutAnswer(read(body)?),
        _ => return Ok(None),
    }))
}

impl Store {
    /// Opens the file, if there is to be one.
    ///
    /// # Errors
    /// Where the file cannot be opened, is in use by another sandbox, or is not a
    /// sandbox's.
    pub async fn open(file: Option<&Path>) -> Result<Self, SandboxError> {
        let Some(file) = file else { return Ok(Self::Nowhere { is_closed: AtomicBool::new(false) }) };
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|source| SandboxError::Folder { folder: folder.to_owned(), source })?;
        }
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            // The world in memory is the only reader and writer: a second process on the same
            // file would not see what this one does.
            .locking_mode(SqliteLockingMode::Exclusive)
            .journal_mode(SqliteJournalMode::Wal)
            // Outlives a killed process; only a power cut could lose the last writes.
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_millis(200));
        let named = |source| SandboxError::Data { file: file.to_owned(), source };
        let mut connection = options.connect().await.map_err(named)?;
        Self::claim(&mut connection, file).await?;
        Ok(Self::File(Mutex::new(Some(connection))))
    }

    /// Makes sure that the file is a sandbox's, makes one of an empty file, and locks it.
    async fn claim(connection: &mut SqliteConnection, file: &Path) -> Result<(), SandboxError> {
        let file = || file.to_owned();
        let named = |source| SandboxError::Data { file: file(), source };
        let pragma = |name: &'static str| sqlx::query_scalar::<_, i32>(name);
        let application = pragma("PRAGMA application_id").fetch_one(&mut *connection).await.map_err(named)?;
        let layout = pragma("PRAGMA user_version").fetch_one(&mut *connection).await.map_err(named)?;
        let tables = pragma("SELECT count(*) FROM sqlite_master").fetch_one(&mut *connection).await.map_err(named)?;
        if tables > 0 && application != APPLICATION_ID {
            return Err(SandboxError::NotASandbox { file: file() });
        }
        if layout > LAYOUT {
            return Err(SandboxError::Newer { file: file() });
        }
        sqlx::raw_sql(TABLES).execute(&mut *connection).await.map_err(named)?;
        for (pragma, value) in [("application_id", APPLICATION_ID), ("user_version", LAYOUT)] {
            // A PRAGMA takes no parameters; both parts are constants of this file.
            let statement = sqlx::AssertSqlSafe(format!("PRAGMA {pragma} = {value}"));
            sqlx::raw_sql(statement).execute(&mut *connection).await.map_err(named)?;
        }
        Ok(())
    }

    /// The connection; `None` where there is no file to write to.
    async fn connection(&self) -> Result<Option<MappedMutexGuard<'_, SqliteConnection>>, SandboxError> {
        match self {
            Self::Nowhere { is_closed } if is_closed.load(Ordering::Relaxed) => Err(SandboxError::Closed),
            Self::Nowhere { is_closed: _ } => Ok(None),
            Self::File(connection) => {
                let opened = MutexGuard::try_map(connection.lock().await, Option::as_mut);
                opened.map(Some).map_err(|_| SandboxError::Closed)
            }
        }
    }

    /// Gives the file back, so that the next sandbox may open it at once.
    pub async fn close(&self) {
        match self {
            Self::Nowhere { is_closed } => is_closed.store(true, Ordering::Relaxed),
            Self::File(connection) => {
                if let Some(connection) = connection.lock().await.take()
                    && let Err(error) = connection.close().await
                {
                    tracing::warn!(%error, "the sandbox's file was not closed cleanly");
                }
            }
        }
    }

    /// The world as it was left, and how often each route was asked; `None` for a world
    /// that was never begun.
    pub async fn load(&self) -> Result<Option<(World, BTreeMap<String, u64>)>, SandboxError> {
        let Some(mut connection) = self.connection().await? else { return Ok(None) };
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT kind, body FROM records").fetch_all(&mut *connection).await?;
        let counts: Vec<(String, i64)> =
            sqlx::query_as("SELECT route, count FROM requests").fetch_all(&mut *connection).await?;
        let Some((_, meta)) = rows.iter().find(|(kind, _)| kind == "meta") else { return Ok(None) };
        let mut world = World::of(read::<Meta>(meta)?);
        for (kind, body) in &rows {
            if let Some(change) = change_of(kind, body)? {
                world.apply_one(change);
            }
        }
        let counts = counts.into_iter().map(|(route, count)| (route, u64::try_from(count).unwrap_or(0))).collect();
        Ok(Some((world, counts)))
    }

    /// Writes a draft as one transaction.
    pub async fn write(&self, draft: &Draft) -> Result<(), SandboxError> {
        let Some(mut connection) = self.connection().await? else { return Ok(()) };
        let mut transaction = connection.begin().await?;
        write_records(&mut transaction, draft).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Puts another world in the place of everything there was.
    pub async fn replace(&self, draft: &Draft) -> Result<(), SandboxError> {
        let Some(mut connection) = self.connection().await? else { return Ok(()) };
        let mut transaction = connection.begin().await?;
        sqlx::query("DELETE FROM records").execute(&mut *transaction).await?;
        sqlx::query("DELETE FROM requests").execute(&mut *transaction).await?;
        write_records(&mut transaction, draft).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Counts one request.
    pub async fn count(&self, route: &str) -> Result<(), SandboxError> {
        let Some(mut connection) = self.connection().await? else { return Ok(()) };
        let statement = "INSERT INTO requests (route, count) VALUES (?, 1) \
                         ON CONFLICT (route) DO UPDATE SET count = count + 1";
        sqlx::query(statement).bind(route).execute(&mut *connection).await?;
        Ok(())
    }
}

async fn write_records(connection: &mut SqliteConnection, draft: &Draft) -> Result<(), SandboxError> {
    let mut latest: BTreeMap<(&'static str, String), Option<String>> = BTreeMap::new();
    for record in draft.changes.iter().map(Record::of).chain([Record::put("meta", 0, &draft.meta)]) {
        let Record { kind, id, body } = record?;
        latest.insert((kind, id), body);
    }
    let (put, gone): (Vec<_>, Vec<_>) = latest.into_iter().partition(|(_, body)| body.is_some());
    for some in put.chunks(RECORDS_A_STATEMENT) {
        let mut statement = QueryBuilder::<Sqlite>::new("INSERT OR REPLACE INTO records (kind, id, body) ");
        statement.push_values(some, |mut row, ((kind, id), body)| {
            row.push_bind(*kind).push_bind(id.as_str()).push_bind(body.as_deref());
        });
        statement.build().execute(&mut *connection).await?;
    }
    for ((kind, id), _) in gone {
        sqlx::query("DELETE FROM records WHERE kind = ? AND id = ?")
            .bind(kind)
            .bind(id)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
