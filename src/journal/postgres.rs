//! A journal in PostgreSQL: for several replicas, and where a disk is not to be relied on.

mod layout;
mod link;
mod write;

use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use secrecy::SecretString;
use sqlx::QueryBuilder;
use sqlx::postgres::{PgConnection, Postgres};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use super::fact::Fact;
use super::group::{column, count, nanoseconds, number, read_body, taken_over, word};
use super::history::{Entry, Query, Recorded};
use super::operation::{Owner, ScopeId};
use super::queue::Queue;
use super::row::Row;
use super::store::{Batch, Contents, Failover, Journal, JournalError, JournalId, Lease, Seq};

use layout::Line;
use link::{Link, PATIENCE, READ, Server, WRITE};
use write::{DatabaseWriter, is_another_line};

/// How long everything may take to be read.
const LONG: Duration = Duration::from_secs(120);

/// A journal in PostgreSQL.
#[derive(Debug)]
pub struct InDatabase {
    id: JournalId,
    server: Server,
    line: Line,
    queue: Queue,
    /// `None` once it is closed.
    reader: Mutex<Option<Link>>,
    /// For leases alone: a long read must not keep one from being renewed.
    holder: Mutex<Option<Link>>,
}

impl InDatabase {
    /// Opens a journal to carry out with it; the tables are made where they are missing, in a
    /// schema `bursar`, under the name that is given.
    ///
    /// # Errors
    /// The database does not answer, its schema `bursar` is something else or newer, or what
    /// the user may do there is not enough.
    pub async fn open_executor(url: &SecretString, fresh_id: JournalId) -> Result<Self, JournalError> {
        Self::open(url, Some(fresh_id)).await
    }

    /// Opens a journal that is there.
    ///
    /// # Errors
    /// As [`Self::open_executor`]; and where there is none.
    pub async fn open_beside(url: &SecretString) -> Result<Self, JournalError> {
        Self::open(url, None).await
    }

    async fn open(url: &SecretString, make: Option<JournalId>) -> Result<Self, JournalError> {
        let server = Server::parse(url)?;
        if server.is_in_the_clear() {
            tracing::warn!(
                journal = %server.place,
                "the way to the journal may be read by others; add sslmode=verify-full to its address"
            );
        }
        let mut link = Link::new(server.clone());
        let (id, line) = layout::open(&mut link, make.as_ref()).await?;
        let queue = Queue::start(server.place.clone(), DatabaseWriter::new(Link::new(server.clone()), line));
        let holder = Mutex::new(Some(Link::new(server.clone())));
        Ok(Self { id, server, line, queue, reader: Mutex::new(Some(link)), holder })
    }

    async fn reader(&self) -> Result<MappedMutexGuard<'_, Link>, JournalError> {
        self.opened(&self.reader).await
    }

    async fn holder(&self) -> Result<MappedMutexGuard<'_, Link>, JournalError> {
        self.opened(&self.holder).await
    }

    async fn opened<'a>(&self, link: &'a Mutex<Option<Link>>) -> Result<MappedMutexGuard<'a, Link>, JournalError> {
        let opened = MutexGuard::try_map(link.lock().await, Option::as_mut);
        opened.map_err(|_| self.server.unavailable("read", "it was closed"))
    }

    fn body<T: serde::de::DeserializeOwned>(&self, body: &str) -> Result<T, JournalError> {
        read_body(&self.server.place, body)
    }
}

#[async_trait]
impl Journal for InDatabase {
    fn id(&self) -> &JournalId {
        &self.id
    }

    fn place(&self) -> String {
        self.server.place.clone()
    }

    fn is_lasting(&self) -> bool {
        true
    }

    async fn rows(&self, scope: &ScopeId, after: Seq) -> Result<(Vec<Row>, Seq), JournalError> {
        let scope = scope.clone();
        let read = work(move |connection| {
            // One statement sees one state: the last place comes with the rows, or alone.
            let asked = sqlx::query_as(
                "SELECT meta.seq, rows.body FROM bursar.meta LEFT JOIN bursar.rows \
                 ON rows.scope = $1 AND rows.seq > $2 ORDER BY rows.operation",
            );
            let asked = asked.persistent(false).bind(scope.as_str().to_owned()).bind(number(after));
            Box::pin(asked.fetch_all(connection))
        });
        let found: Vec<(i64, Option<String>)> = self.reader().await?.transact(READ, "read", PATIENCE, read).await?;
        let seq = found.first().map_or(0, |(seq, _)| count(*seq));
        let rows = found.iter().filter_map(|(_, body)| body.as_deref()).map(|body| self.body(body));
        Ok((rows.collect::<Result<_, _>>()?, seq))
    }

    async fn facts(&self, scope: &ScopeId) -> Result<Vec<Fact>, JournalError> {
        let scope = scope.clone();
        let read = work(move |connection| {
            let asked = sqlx::query_scalar("SELECT body FROM bursar.facts WHERE scope = $1 ORDER BY kind, key");
            Box::pin(asked.persistent(false).bind(scope.as_str().to_owned()).fetch_all(connection))
        });
        let found: Vec<String> = self.reader().await?.transact(READ, "read", PATIENCE, read).await?;
        found.iter().map(|body| self.body(body)).collect()
    }

    async fn commit(&self, scope: &ScopeId, batch: Batch) -> Result<(), JournalError> {
        self.queue.commit(scope, batch).await
    }

    async fn history(&self, query: &Query) -> Result<Vec<Recorded>, JournalError> {
        let query = query.clone();
        let read = work(move |connection| {
            let mut statement = asking(&query);
            Box::pin(async move { statement.build_query_as().persistent(false).fetch_all(connection).await })
        });
        let found: Vec<(i64, String)> = self.reader().await?.transact(READ, "read", LONG, read).await?;
        let recorded = found.iter().rev().map(|(seq, body)| {
            let entry: Entry = self.body(body)?;
            Ok(Recorded { seq: count(*seq), entry })
        });
        recorded.collect()
    }

    async fn scopes(&self) -> Result<Vec<ScopeId>, JournalError> {
        let read = work(|connection| {
            let asked = sqlx::query_scalar("SELECT scope FROM bursar.rows UNION SELECT scope FROM bursar.facts");
            Box::pin(asked.persistent(false).fetch_all(connection))
        });
        let found: Vec<String> = self.reader().await?.transact(READ, "read", PATIENCE, read).await?;
        let mut scopes: Vec<ScopeId> = found.into_iter().map(ScopeId::new).collect();
        // A database may sort texts by the rules of a language.
        scopes.sort();
        Ok(scopes)
    }

    async fn lease(&self, fleet: &str, owner: &Owner, ttl: Duration) -> Result<Lease, JournalError> {
        let (fleet, name) = (fleet.to_owned(), owner.as_str().to_owned());
        let ask =
            work(move |connection| Box::pin(take_lease(connection, fleet.clone(), name.clone(), ttl.as_secs_f64())));
        let taken = self.holder().await?.transact(WRITE, "written", PATIENCE, ask).await?;
        Ok(match taken {
            None => Lease::Held,
            Some((by, seconds)) => Lease::Taken {
                by: Owner::new(by),
                expires_in: Duration::try_from_secs_f64(seconds).unwrap_or_default(),
            },
        })
    }

    async fn release(&self, fleet: &str, owner: &Owner) -> Result<(), JournalError> {
        let (fleet, owner) = (fleet.to_owned(), owner.as_str().to_owned());
        let ask = work(move |connection| {
            let asked = sqlx::query("DELETE FROM bursar.leases WHERE fleet = $1 AND owner = $2");
            Box::pin(asked.persistent(false).bind(fleet.clone()).bind(owner.clone()).execute(connection))
        });
        self.holder().await?.transact(WRITE, "written", PATIENCE, ask).await.map(|_| ())
    }

    async fn replicas(&self, owner: &Owner, ttl: Duration) -> Result<usize, JournalError> {
        let owner = owner.as_str().to_owned();
        let ask = work(move |connection| Box::pin(count_replicas(connection, owner.clone(), ttl.as_secs_f64())));
        let living = self.holder().await?.transact(WRITE, "written", PATIENCE, ask).await?;
        Ok(usize::try_from(living).unwrap_or(0))
    }

    async fn failed_over(&self) -> Result<Option<Failover>, JournalError> {
        let statement = format!("SELECT line, {} FROM bursar.meta", self.line.sql());
        let ask = work(move |connection| {
            // Only a constant of the program is put in.
            let asked = sqlx::query_as(sqlx::AssertSqlSafe(statement.clone()));
            Box::pin(asked.persistent(false).fetch_one(connection))
        });
        let (from, to): (Option<String>, Option<String>) =
            self.reader().await?.transact(WRITE, "read", PATIENCE, ask).await?;
        if !is_another_line(from.as_deref(), to.as_deref()) {
            return Ok(None);
        }
        Ok(from.zip(to).map(|(from, to)| Failover { from, to }))
    }

    async fn handled(&self, failover: &Failover) -> Result<(), JournalError> {
        let Failover { from, to } = failover.clone();
        let ask = work(move |connection| {
            let asked = sqlx::query("UPDATE bursar.meta SET line = $2 WHERE line = $1");
            Box::pin(asked.persistent(false).bind(from.clone()).bind(to.clone()).execute(connection))
        });
        self.reader().await?.transact(WRITE, "written", PATIENCE, ask).await.map(|_| ())
    }

    async fn contents(&self) -> Result<Contents, JournalError> {
        let read = work(|connection| Box::pin(read_everything(connection)));
        let (rows, facts, entries) = self.reader().await?.transact(READ, "read", LONG, read).await?;
        let facts = facts.into_iter().map(|(scope, body)| Ok((ScopeId::new(scope), self.body(&body)?)));
        Ok(Contents {
            id: self.id.clone(),
            rows: rows.iter().map(|body| self.body(body)).collect::<Result<_, _>>()?,
            facts: facts.collect::<Result<_, _>>()?,
            entries: entries.iter().map(|body| self.body(body)).collect::<Result<_, _>>()?,
        })
    }

    async fn restore(&mut self, contents: Contents) -> Result<(), JournalError> {
        let mut link = self.reader().await?;
        write::restore(&mut link, &contents.id, taken_over(&contents)).await?;
        drop(link);
        self.id = contents.id;
        Ok(())
    }

    async fn close(&self) {
        self.queue.close().await;
        for link in [&self.reader, &self.holder] {
            if let Some(mut link) = link.lock().await.take() {
                link.close().await;
            }
        }
    }
}

/// Says of a closure that it is for whatever connection it gets.
fn work<T, F>(work: F) -> F
where
    F: for<'c> Fn(&'c mut PgConnection) -> BoxFuture<'c, Result<T, sqlx::Error>> + Send + Sync,
{
    work
}

/// Takes or renews a lease by the database's clock; else says who has it, and for how long.
async fn take_lease(
    connection: &mut PgConnection,
    fleet: String,
    owner: String,
    seconds: f64,
) -> Result<Option<(String, f64)>, sqlx::Error> {
    let taken = sqlx::query(
        "INSERT INTO bursar.leases AS there (fleet, owner, expires_at) \
         VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3)) \
         ON CONFLICT (fleet) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at \
         WHERE there.owner = excluded.owner OR there.expires_at <= clock_timestamp()",
    )
    .persistent(false)
    .bind(fleet.as_str())
    .bind(owner)
    .bind(seconds)
    .execute(&mut *connection)
    .await?;
    if taken.rows_affected() > 0 {
        return Ok(None);
    }
    sqlx::query_as(
        "SELECT owner, extract(epoch FROM expires_at - clock_timestamp())::double precision \
         FROM bursar.leases WHERE fleet = $1",
    )
    .persistent(false)
    .bind(fleet)
    .fetch_one(connection)
    .await
    .map(Some)
}

async fn count_replicas(connection: &mut PgConnection, owner: String, seconds: f64) -> Result<i64, sqlx::Error> {
    let said = if seconds > 0.0 {
        sqlx::query(
            "INSERT INTO bursar.replicas (owner, expires_at) \
             VALUES ($1, clock_timestamp() + make_interval(secs => $2)) \
             ON CONFLICT (owner) DO UPDATE SET expires_at = excluded.expires_at",
        )
        .bind(owner)
        .bind(seconds)
    } else {
        sqlx::query("DELETE FROM bursar.replicas WHERE owner = $1").bind(owner)
    };
    said.persistent(false).execute(&mut *connection).await?;
    // Those long gone are swept out by whoever comes by; never two at once by each other.
    sqlx::raw_sql(
        "DELETE FROM bursar.replicas WHERE owner IN (SELECT owner FROM bursar.replicas \
         WHERE expires_at < clock_timestamp() - interval '1 hour' FOR UPDATE SKIP LOCKED)",
    )
    .execute(&mut *connection)
    .await?;
    sqlx::raw_sql(
        "DELETE FROM bursar.writers WHERE writer IN (SELECT writer FROM bursar.writers \
         WHERE at < clock_timestamp() - interval '1 day' FOR UPDATE SKIP LOCKED)",
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query_scalar("SELECT count(*) FROM bursar.replicas WHERE expires_at > clock_timestamp()")
        .persistent(false)
        .fetch_one(connection)
        .await
}

type Everything = (Vec<String>, Vec<(String, String)>, Vec<String>);

async fn read_everything(connection: &mut PgConnection) -> Result<Everything, sqlx::Error> {
    let rows = sqlx::query_scalar("SELECT body FROM bursar.rows ORDER BY scope COLLATE \"C\", operation COLLATE \"C\"")
        .persistent(false)
        .fetch_all(&mut *connection)
        .await?;
    let facts = sqlx::query_as(
        "SELECT scope, body FROM bursar.facts ORDER BY scope COLLATE \"C\", kind COLLATE \"C\", key COLLATE \"C\"",
    )
    .persistent(false)
    .fetch_all(&mut *connection)
    .await?;
    let entries = sqlx::query_scalar("SELECT body FROM bursar.history ORDER BY seq")
        .persistent(false)
        .fetch_all(connection)
        .await?;
    Ok((rows, facts, entries))
}

/// The statement of a query: the latest first, so that a limit keeps those.
fn asking(query: &Query) -> QueryBuilder<Postgres> {
    let Query { scope, client, account, person, kinds, from, until, after, latest } = query;
    let mut statement = QueryBuilder::new("SELECT seq, body FROM bursar.history WHERE seq > ");
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
        statement.push(" AND kind = ANY (").push_bind(kinds.iter().map(word).collect::<Vec<_>>()).push(")");
    }
    statement.push(" ORDER BY seq DESC");
    if let Some(latest) = latest {
        statement.push(" LIMIT ").push_bind(i64::try_from(*latest).unwrap_or(i64::MAX));
    }
    statement
}
