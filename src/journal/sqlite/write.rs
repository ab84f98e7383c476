//! Writing to a file: batches in one transaction, flushed before it is said to be done.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use sqlx::sqlite::{Sqlite, SqliteConnection};
use sqlx::{Connection as _, QueryBuilder};

use super::super::fact::{Fact, FactKind};
use super::super::group::{Before, FLEET, Group, Writes, asked, count, read_body, word};
use super::super::operation::{OperationId, ScopeId};
use super::super::queue::{Failed, Writer, Written};
use super::super::row::Version;
use super::super::store::{Batch, JournalError, JournalId};
use super::told;

/// Rows in one statement; SQLite takes 32,766 parameters, an entry has eight.
const AT_ONCE: usize = 4_000;

/// The one writer of a file in this process.
#[derive(Debug)]
pub(super) struct FileWriter {
    place: String,
    connection: SqliteConnection,
}

impl FileWriter {
    pub fn new(place: String, connection: SqliteConnection) -> Self {
        Self { place, connection }
    }

    fn unwritten(&self, error: &sqlx::Error) -> JournalError {
        told(&self.place, "written", error)
    }

    /// The verdict on each batch, and what is to be written; inside of a transaction.
    async fn judge(
        &mut self,
        batches: &[(ScopeId, Batch)],
    ) -> Result<(Vec<Result<(), JournalError>>, Writes), JournalError> {
        let (rows, permits) = asked(batches.iter().map(|(scope, batch)| (scope, batch)));
        let (seq, entries): (i64, i64) = sqlx::query_as("SELECT seq, entries FROM meta")
            .fetch_one(&mut self.connection)
            .await
            .map_err(|error| self.unwritten(&error))?;
        let versions = versions(&mut self.connection, &rows).await.map_err(|error| self.unwritten(&error))?;
        let mut frozen = BTreeMap::new();
        for scope in permits {
            if let Some(reason) = self.frozen(&scope).await? {
                frozen.insert(scope, reason);
            }
        }
        let mut group = Group::new(Before { seq: count(seq), entries: count(entries), versions, frozen });
        let verdicts = batches.iter().map(|(scope, batch)| group.take(scope, batch)).collect();
        Ok((verdicts, group.writes()))
    }

    async fn frozen(&mut self, scope: &ScopeId) -> Result<Option<String>, JournalError> {
        let body: Option<String> =
            sqlx::query_scalar("SELECT body FROM facts WHERE scope = ? AND kind = ? AND key = ?")
                .bind(scope.as_str())
                .bind(word(&FactKind::Frozen))
                .bind(FLEET)
                .fetch_optional(&mut self.connection)
                .await
                .map_err(|error| self.unwritten(&error))?;
        let fact: Option<Fact> = body.map(|body| read_body(&self.place, &body)).transpose()?;
        Ok(fact.map(|fact| fact.value))
    }

    async fn transact(&mut self, batches: &[(ScopeId, Batch)]) -> Result<Vec<Result<(), JournalError>>, JournalError> {
        // The right to write is taken first: what is read then is still so at the commit.
        begin(&mut self.connection).await.map_err(|error| self.unwritten(&error))?;
        let (verdicts, writes) = self.judge(batches).await?;
        if writes.is_empty() {
            roll_back(&mut self.connection).await;
            return Ok(verdicts);
        }
        put(&mut self.connection, &writes).await.map_err(|error| self.unwritten(&error))?;
        sqlx::query("COMMIT").execute(&mut self.connection).await.map_err(|error| self.unwritten(&error))?;
        Ok(verdicts)
    }
}

#[async_trait]
impl Writer for FileWriter {
    async fn write(&mut self, batches: &[(ScopeId, Batch)]) -> Written {
        let written = self.transact(batches).await;
        if written.is_err() {
            roll_back(&mut self.connection).await;
        }
        written.map_err(|error| Failed { error, apart: true })
    }

    async fn close(self) {
        let Self { place, connection } = self;
        if let Err(error) = connection.close().await {
            tracing::warn!(%error, journal = %place, "the journal was not closed cleanly");
        }
    }
}

/// Takes everything of another journal, where there is nothing yet.
pub(super) async fn restore(
    connection: &mut SqliteConnection,
    place: &str,
    id: &JournalId,
    writes: &Writes,
) -> Result<(), JournalError> {
    let unwritten = |error: sqlx::Error| told(place, "written", &error);
    let restored = async {
        begin(connection).await.map_err(unwritten)?;
        let there: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM rows) OR EXISTS (SELECT 1 FROM facts) OR EXISTS (SELECT 1 FROM history)",
        )
        .fetch_one(&mut *connection)
        .await
        .map_err(unwritten)?;
        if there {
            return Err(JournalError::NotEmpty { place: place.to_owned() });
        }
        put(connection, writes).await.map_err(unwritten)?;
        let renamed = sqlx::query("UPDATE meta SET id = ?").bind(id.as_str()).execute(&mut *connection).await;
        renamed.map_err(unwritten)?;
        sqlx::query("COMMIT").execute(&mut *connection).await.map_err(unwritten)?;
        Ok(())
    };
    let restored = restored.await;
    if restored.is_err() {
        roll_back(connection).await;
    }
    restored
}

async fn begin(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("BEGIN IMMEDIATE").execute(connection).await.map(|_| ())
}

/// Leaves no transaction open. SQLite rolls some failures back by itself, and then says that
/// there is nothing to roll back.
async fn roll_back(connection: &mut SqliteConnection) {
    let _ = sqlx::query("ROLLBACK").execute(connection).await;
}

async fn versions(
    connection: &mut SqliteConnection,
    rows: &BTreeSet<(ScopeId, OperationId)>,
) -> Result<BTreeMap<(ScopeId, OperationId), Version>, sqlx::Error> {
    let mut versions = BTreeMap::new();
    let rows: Vec<_> = rows.iter().collect();
    for some in rows.chunks(AT_ONCE) {
        let mut statement =
            QueryBuilder::<Sqlite>::new("SELECT scope, operation, version FROM rows WHERE (scope, operation) IN (");
        statement.push_values(some, |mut values, (scope, operation)| {
            values.push_bind(scope.as_str()).push_bind(operation.as_str());
        });
        statement.push(")");
        let found: Vec<(String, String, i64)> = statement.build_query_as().fetch_all(&mut *connection).await?;
        let found = found
            .into_iter()
            .map(|(scope, operation, version)| ((ScopeId::new(scope), OperationId::new(operation)), count(version)));
        versions.extend(found);
    }
    Ok(versions)
}

async fn put(connection: &mut SqliteConnection, writes: &Writes) -> Result<(), sqlx::Error> {
    let Writes { seq, last_entry, rows, set, forget, entries } = writes;
    for some in rows.chunks(AT_ONCE) {
        let mut statement =
            QueryBuilder::<Sqlite>::new("INSERT OR REPLACE INTO rows (scope, operation, version, seq, body) ");
        statement.push_values(some, |mut values, row| {
            values.push_bind(row.scope.as_str()).push_bind(row.operation.as_str());
            values.push_bind(row.version).push_bind(row.seq).push_bind(row.body.as_str());
        });
        statement.build().execute(&mut *connection).await?;
    }
    for fact in forget {
        sqlx::query("DELETE FROM facts WHERE scope = ? AND kind = ? AND key = ?")
            .bind(fact.scope.as_str())
            .bind(fact.kind.as_str())
            .bind(fact.key.as_str())
            .execute(&mut *connection)
            .await?;
    }
    for some in set.chunks(AT_ONCE) {
        let mut statement = QueryBuilder::<Sqlite>::new("INSERT OR REPLACE INTO facts (scope, kind, key, body) ");
        statement.push_values(some, |mut values, fact| {
            values.push_bind(fact.scope.as_str()).push_bind(fact.kind.as_str());
            values.push_bind(fact.key.as_str()).push_bind(fact.body.as_deref());
        });
        statement.build().execute(&mut *connection).await?;
    }
    for some in entries.chunks(AT_ONCE) {
        let mut statement =
            QueryBuilder::<Sqlite>::new("INSERT INTO history (seq, at, scope, kind, client, account, person, body) ");
        statement.push_values(some, |mut values, entry| {
            values.push_bind(entry.seq).push_bind(entry.at).push_bind(entry.scope.as_str());
            values.push_bind(entry.kind.as_str()).push_bind(entry.client.as_deref());
            values.push_bind(entry.account.as_deref()).push_bind(entry.person.as_deref());
            values.push_bind(entry.body.as_str());
        });
        statement.build().execute(&mut *connection).await?;
    }
    sqlx::query("UPDATE meta SET seq = ?, entries = ?").bind(seq).bind(last_entry).execute(connection).await?;
    Ok(())
}
