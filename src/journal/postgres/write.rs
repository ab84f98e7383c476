//! Writing to PostgreSQL: batches in one transaction, and the truth about a commit whose
//! answer was lost.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sqlx::postgres::PgConnection;
use tokio::time::timeout;

use super::super::fact::{Fact, FactKind};
use super::super::group::{
    Before, EntryRecord, FLEET, FactRecord, Group, RowRecord, Writes, asked, count, read_body, word,
};
use super::super::operation::{OperationId, ScopeId};
use super::super::queue::{Failed, Writer, Written};
use super::super::store::{Batch, JournalError, JournalId};
use super::layout::Line;
use super::link::{Again, Link, STEP, Trouble, WRITE};

/// Entries in one statement of a restore.
const AT_ONCE: usize = 5_000;

type Verdicts = Vec<Result<(), JournalError>>;

/// The one writer of this process.
#[derive(Debug)]
pub(super) struct DatabaseWriter {
    link: Link,
    line: Line,
    /// This process in the table of writers, a random name.
    name: String,
    /// Transactions that were begun.
    begun: u64,
}

/// How a transaction ended.
enum Ended {
    /// On disk, or there was nothing to write.
    Committed(Verdicts),
    /// The commit was sent, and no answer came.
    Unanswered(Verdicts, String),
}

impl DatabaseWriter {
    pub fn new(link: Link, line: Line) -> Self {
        Self { link, line, name: uuid::Uuid::new_v4().to_string(), begun: 0 }
    }

    fn trouble(&self, error: &sqlx::Error) -> Trouble {
        self.link.server.trouble("written", error)
    }

    async fn transact(&mut self, batches: &[(ScopeId, Batch)]) -> Result<Ended, Trouble> {
        self.begun += 1;
        let mut connection = self.link.begin(WRITE).await?;
        let (verdicts, writes) = match timeout(STEP, self.judge(&mut connection, batches)).await {
            Ok(judged) => judged?,
            Err(_) => return Err(Trouble::Away("it does not answer".to_owned())),
        };
        if writes.is_empty() {
            // Nothing was changed, so whether this arrives does not matter.
            if sqlx::raw_sql("ROLLBACK").execute(&mut connection).await.is_ok() {
                self.link.keep(connection);
            }
            return Ok(Ended::Committed(verdicts));
        }
        let token = self.begun.to_string();
        match timeout(STEP, put(&mut connection, &writes, &self.name, &token)).await {
            Ok(put) => put.map_err(|error| self.trouble(&error))?,
            Err(_) => return Err(Trouble::Away("it does not answer".to_owned())),
        }
        match timeout(STEP, sqlx::raw_sql("COMMIT").execute(&mut connection)).await {
            Ok(Ok(_)) => {
                self.link.keep(connection);
                Ok(Ended::Committed(verdicts))
            }
            Ok(Err(error)) => Ok(Ended::Unanswered(verdicts, error.to_string())),
            Err(_) => Ok(Ended::Unanswered(verdicts, "it does not answer".to_owned())),
        }
    }

    /// The verdict on each batch, and what is to be written; with the only right to write.
    async fn judge(
        &self,
        connection: &mut PgConnection,
        batches: &[(ScopeId, Batch)],
    ) -> Result<(Verdicts, Writes), Trouble> {
        let locked = format!("SELECT seq, entries, line, {} FROM bursar.meta FOR UPDATE", self.line.sql());
        let (seq, entries, before, now): (i64, i64, Option<String>, Option<String>) =
            // Only a constant of the program is put in.
            sqlx::query_as(sqlx::AssertSqlSafe(locked))
                .persistent(false)
                .fetch_one(&mut *connection)
                .await
                .map_err(|error| self.trouble(&error))?;
        let (rows, permits) = asked(batches.iter().map(|(scope, batch)| (scope, batch)));
        let (scopes, operations): (Vec<&str>, Vec<&str>) =
            rows.iter().map(|(scope, operation)| (scope.as_str(), operation.as_str())).unzip();
        let permits: Vec<&str> = permits.iter().map(ScopeId::as_str).collect();
        let found: Vec<(String, String, i64, Option<String>)> = sqlx::query_as(
            "SELECT scope, operation, version, NULL FROM bursar.rows \
             JOIN unnest($1::text[], $2::text[]) AS asked (scope, operation) USING (scope, operation) \
             UNION ALL SELECT scope, '', 0, body FROM bursar.facts WHERE scope = ANY ($3) AND kind = $4 AND key = $5",
        )
        .persistent(false)
        .bind(scopes)
        .bind(operations)
        .bind(permits)
        .bind(word(&FactKind::Frozen))
        .bind(FLEET)
        .fetch_all(&mut *connection)
        .await
        .map_err(|error| self.trouble(&error))?;
        let (mut versions, mut frozen) = (BTreeMap::new(), BTreeMap::new());
        for (scope, operation, version, body) in found {
            let scope = ScopeId::new(scope);
            if let Some(body) = body {
                let fact: Fact = read_body(&self.link.server.place, &body).map_err(Trouble::Final)?;
                frozen.insert(scope, fact.value);
            } else {
                versions.insert((scope, OperationId::new(operation)), count(version));
            }
        }
        let failed_over = is_another_line(before.as_deref(), now.as_deref());
        let mut group = Group::new(Before { seq: count(seq), entries: count(entries), versions, frozen });
        let judged = batches.iter().map(|(scope, batch)| {
            if batch.permits && failed_over {
                return Err(JournalError::FailedOver { place: self.link.server.place.clone() });
            }
            group.take(scope, batch)
        });
        let verdicts = judged.collect();
        Ok((verdicts, group.writes()))
    }

    /// Whether the last transaction is there. The lock waits for its end, if the server still
    /// works on it: what is not there then will never be.
    async fn is_there(&mut self) -> Result<bool, Trouble> {
        let token = self.begun.to_string();
        let mut connection = self.link.begin(WRITE).await?;
        let asked = timeout(STEP, async {
            sqlx::raw_sql("SELECT FROM bursar.meta FOR UPDATE").execute(&mut connection).await?;
            let found: bool =
                sqlx::query_scalar("SELECT EXISTS (SELECT FROM bursar.writers WHERE writer = $1 AND token = $2)")
                    .persistent(false)
                    .bind(&self.name)
                    .bind(&token)
                    .fetch_one(&mut connection)
                    .await?;
            sqlx::raw_sql("ROLLBACK").execute(&mut connection).await?;
            Ok(found)
        });
        let found = match asked.await {
            Ok(found) => found.map_err(|error: sqlx::Error| self.trouble(&error))?,
            Err(_) => return Err(Trouble::Away("it does not answer".to_owned())),
        };
        self.link.keep(connection);
        Ok(found)
    }

    /// Finds out about a commit whose answer was lost; an error where it cannot be told.
    async fn resolve(&mut self, mut why: String) -> Result<bool, JournalError> {
        let mut again = Again::new();
        loop {
            match self.is_there().await {
                Ok(found) => return Ok(found),
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Away(away)) => why = format!("{why}; then {away}"),
            }
            if !again.wait().await {
                let why = format!("whether the last commit is on disk is not known: {}", shortened(&why));
                return Err(self.link.server.unavailable("written", why));
            }
        }
    }
}

#[async_trait]
impl Writer for DatabaseWriter {
    async fn write(&mut self, batches: &[(ScopeId, Batch)]) -> Written {
        let mut again = Again::new();
        loop {
            let why = match self.transact(batches).await {
                Ok(Ended::Committed(verdicts)) => return Ok(verdicts),
                Ok(Ended::Unanswered(verdicts, why)) => match self.resolve(why.clone()).await {
                    Ok(true) => return Ok(verdicts),
                    Ok(false) => why,
                    Err(error) => return Err(Failed { error, apart: false }),
                },
                Err(Trouble::Final(error)) => return Err(Failed { error, apart: true }),
                Err(Trouble::Away(why)) => why,
            };
            if !again.wait().await {
                return Err(Failed { error: self.link.server.unavailable("written", why), apart: false });
            }
        }
    }

    async fn close(mut self) {
        self.link.close().await;
    }
}

/// Whether the database that answers is not the one that the journal was written in.
pub(super) fn is_another_line(before: Option<&str>, now: Option<&str>) -> bool {
    matches!((before, now), (Some(before), Some(now)) if before != now)
}

/// The first and the last of a list of reasons, which repeat each other.
fn shortened(why: &str) -> String {
    match (why.split_once("; then "), why.rsplit_once("; then ")) {
        (Some((first, _)), Some((_, last))) if first != last => format!("{first}; then {last}"),
        (Some((first, _)), _) => first.to_owned(),
        _ => why.to_owned(),
    }
}

/// Takes everything of another journal, where there is nothing yet. Not repeated: what was
/// taken over would be found there as somebody else's.
pub(super) async fn restore(link: &mut Link, id: &JournalId, mut writes: Writes) -> Result<(), JournalError> {
    let server = link.server.clone();
    let told = |trouble| match trouble {
        Trouble::Final(error) => error,
        Trouble::Away(why) => server.unavailable("written", why),
    };
    let sql = |error: sqlx::Error| told(server.trouble("written", &error));
    let mut connection = link.begin(WRITE).await.map_err(told)?;
    let full: bool = {
        sqlx::raw_sql("SELECT FROM bursar.meta FOR UPDATE").execute(&mut connection).await.map_err(sql)?;
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM bursar.rows) OR EXISTS (SELECT FROM bursar.facts) \
             OR EXISTS (SELECT FROM bursar.history)",
        )
        .persistent(false)
        .fetch_one(&mut connection)
        .await
        .map_err(sql)?
    };
    if full {
        return Err(JournalError::NotEmpty { place: server.place.clone() });
    }
    loop {
        let later = writes.split_off(AT_ONCE);
        put(&mut connection, &writes, "restore", "1").await.map_err(sql)?;
        match later {
            Some(later) => writes = later,
            None => break,
        }
    }
    sqlx::query("UPDATE bursar.meta SET id = $1")
        .persistent(false)
        .bind(id.as_str())
        .execute(&mut connection)
        .await
        .map_err(sql)?;
    sqlx::raw_sql("COMMIT").execute(&mut connection).await.map_err(sql)?;
    link.keep(connection);
    Ok(())
}

/// One statement for all of it: each costs two ways to the server and back. No row of a table
/// is named twice in it.
const PUT: &str = "
    WITH put_rows AS (
        INSERT INTO bursar.rows (scope, operation, version, seq, body)
        SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[])
        ON CONFLICT (scope, operation)
        DO UPDATE SET version = excluded.version, seq = excluded.seq, body = excluded.body
    ), forgotten AS (
        DELETE FROM bursar.facts USING unnest($6::text[], $7::text[], $8::text[]) AS gone (scope, kind, key)
        WHERE facts.scope = gone.scope AND facts.kind = gone.kind AND facts.key = gone.key
    ), put_facts AS (
        INSERT INTO bursar.facts (scope, kind, key, body)
        SELECT * FROM unnest($9::text[], $10::text[], $11::text[], $12::text[])
        ON CONFLICT (scope, kind, key) DO UPDATE SET body = excluded.body
    ), told AS (
        INSERT INTO bursar.history (seq, at, scope, kind, client, account, person, body)
        SELECT * FROM unnest($13::bigint[], $14::bigint[], $15::text[], $16::text[], $17::text[], $18::text[],
            $19::text[], $20::text[])
    ), marked AS (
        INSERT INTO bursar.writers (writer, token, at) VALUES ($21, $22, clock_timestamp())
        ON CONFLICT (writer) DO UPDATE SET token = excluded.token, at = excluded.at
    )
    UPDATE bursar.meta SET seq = $23, entries = $24";

async fn put(connection: &mut PgConnection, writes: &Writes, writer: &str, token: &str) -> Result<(), sqlx::Error> {
    let Writes { seq, last_entry, rows, set, forget, entries } = writes;
    let row = |of: fn(&RowRecord) -> &str| rows.iter().map(of).collect::<Vec<_>>();
    let fact = |facts: &[FactRecord], of: fn(&FactRecord) -> &str| {
        facts.iter().map(|fact| of(fact).to_owned()).collect::<Vec<_>>()
    };
    let entry = |of: fn(&EntryRecord) -> Option<&str>| entries.iter().map(of).collect::<Vec<_>>();
    sqlx::query(PUT)
        .persistent(false)
        .bind(row(|row| &row.scope))
        .bind(row(|row| &row.operation))
        .bind(rows.iter().map(|row| row.version).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.seq).collect::<Vec<_>>())
        .bind(row(|row| &row.body))
        .bind(fact(forget, |fact| &fact.scope))
        .bind(fact(forget, |fact| &fact.kind))
        .bind(fact(forget, |fact| &fact.key))
        .bind(fact(set, |fact| &fact.scope))
        .bind(fact(set, |fact| &fact.kind))
        .bind(fact(set, |fact| &fact.key))
        .bind(set.iter().map(|fact| fact.body.as_deref()).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| entry.seq).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| entry.at).collect::<Vec<_>>())
        .bind(entry(|entry| Some(&entry.scope)))
        .bind(entry(|entry| Some(&entry.kind)))
        .bind(entry(|entry| entry.client.as_deref()))
        .bind(entry(|entry| entry.account.as_deref()))
        .bind(entry(|entry| entry.person.as_deref()))
        .bind(entry(|entry| Some(&entry.body)))
        .bind(writer)
        .bind(token)
        .bind(seq)
        .bind(last_entry)
        .execute(connection)
        .await
        .map(|_| ())
}
