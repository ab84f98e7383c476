//! How a database becomes a journal, or is known as one; safe when two processes start at once.

use sqlx::postgres::PgConnection;

use super::super::store::{JournalError, JournalId};
use super::link::{Again, Link, Trouble, WRITE};

/// All layouts; a database has the first so many of them.
const LAYOUTS: [&str; 1] = [include_str!("0001.sql")];

/// The lock that whoever changes the layout holds for one transaction.
const LOCK: i64 = 0x6275_7273_6172;

/// How a database's line of history is told: its cluster's number and its timeline, which
/// is another one after each promotion. Not every server lets everybody ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    Whole,
    Timeline,
    Untold,
}

impl Line {
    /// As an expression.
    pub const fn sql(self) -> &'static str {
        match self {
            Self::Whole => {
                "(SELECT system_identifier::text FROM pg_control_system()) \
                 || '/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"
            }
            Self::Timeline => "substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)",
            Self::Untold => "NULL::text",
        }
    }
}

/// Sees to it that the tables are there (`make`), and returns the journal's name and how its
/// line is told.
pub(super) async fn open(link: &mut Link, make: Option<&JournalId>) -> Result<(JournalId, Line), JournalError> {
    let mut again = Again::new();
    loop {
        match once(link, make).await {
            Ok(told) => return Ok(told),
            Err(Trouble::Final(error)) => return Err(error),
            Err(Trouble::Away(why)) => {
                if !again.wait().await {
                    return Err(link.server.unavailable("opened", why));
                }
            }
        }
    }
}

async fn once(link: &mut Link, make: Option<&JournalId>) -> Result<(JournalId, Line), Trouble> {
    let line = line(link).await?;
    let mut connection = link.begin(WRITE).await?;
    let place = || link.server.place.clone();
    let sql = |error: sqlx::Error| link.server.trouble("opened", &error);
    let there = layout(&mut connection).await.map_err(sql)?;
    let there = match (there, make) {
        (Known::Foreign, _) => return Err(Trouble::Final(JournalError::NotAJournal { place: place() })),
        (Known::Nothing, None) => {
            return Err(Trouble::Final(link.server.unavailable("opened", "there is nothing in it yet")));
        }
        (Known::Nothing, Some(_)) => 0,
        (Known::Layout(there), _) => there,
    };
    if there > LAYOUTS.len() {
        return Err(Trouble::Final(JournalError::Newer { place: place() }));
    }
    if there < LAYOUTS.len() {
        let Some(id) = make else {
            let why = "it is of an older version; the next apply or run brings it up to date";
            return Err(Trouble::Final(link.server.unavailable("opened", why)));
        };
        lay_out(&mut connection, id, line).await.map_err(|error| {
            // What a session remembers of the catalogue may be older than the lock that it
            // waited for; another look sees what somebody else made meanwhile.
            if is_there_already(&error) { Trouble::Away(error.to_string()) } else { sql(error) }
        })?;
    }
    let id: String = sqlx::query_scalar("SELECT id FROM bursar.meta")
        .persistent(false)
        .fetch_one(&mut connection)
        .await
        .map_err(sql)?;
    sqlx::raw_sql("COMMIT").execute(&mut connection).await.map_err(sql)?;
    link.keep(connection);
    Ok((JournalId::new(id), line))
}

/// A schema, a table or a row that is there already.
fn is_there_already(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| matches!(&*code, "42P06" | "42P07" | "42723" | "23505"))
}

/// What is in the schema.
enum Known {
    Nothing,
    Foreign,
    Layout(usize),
}

async fn layout(connection: &mut PgConnection) -> Result<Known, sqlx::Error> {
    let (schema, table): (bool, bool) =
        sqlx::query_as("SELECT to_regnamespace('bursar') IS NOT NULL, to_regclass('bursar.layouts') IS NOT NULL")
            .persistent(false)
            .fetch_one(&mut *connection)
            .await?;
    if !table {
        let foreign = schema
            && sqlx::query_scalar(
                "SELECT EXISTS (SELECT FROM pg_class WHERE relnamespace = to_regnamespace('bursar'))",
            )
            .persistent(false)
            .fetch_one(&mut *connection)
            .await?;
        return Ok(if foreign { Known::Foreign } else { Known::Nothing });
    }
    let version: i32 = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM bursar.layouts")
        .persistent(false)
        .fetch_one(connection)
        .await?;
    Ok(Known::Layout(usize::try_from(version).unwrap_or(0)))
}

/// Brings the tables up to date, in the transaction that is open.
async fn lay_out(connection: &mut PgConnection, id: &JournalId, line: Line) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)").persistent(false).bind(LOCK).execute(&mut *connection).await?;
    // Whoever was first has done it, perhaps while we waited.
    let there = match layout(connection).await? {
        Known::Layout(there) => there,
        Known::Nothing | Known::Foreign => {
            let schema: bool = sqlx::query_scalar("SELECT to_regnamespace('bursar') IS NOT NULL")
                .persistent(false)
                .fetch_one(&mut *connection)
                .await?;
            if !schema {
                sqlx::raw_sql("CREATE SCHEMA bursar").execute(&mut *connection).await?;
            }
            sqlx::raw_sql("CREATE TABLE bursar.layouts (version integer PRIMARY KEY, at timestamptz NOT NULL)")
                .execute(&mut *connection)
                .await?;
            0
        }
    };
    for (version, layout) in (1_i32..).zip(LAYOUTS).skip(there) {
        sqlx::raw_sql(layout).execute(&mut *connection).await?;
        sqlx::query("INSERT INTO bursar.layouts (version, at) VALUES ($1, clock_timestamp())")
            .persistent(false)
            .bind(version)
            .execute(&mut *connection)
            .await?;
    }
    if there == 0 {
        let first = format!("INSERT INTO bursar.meta (one, id, seq, entries, line) SELECT 1, $1, 0, 0, {}", line.sql());
        // Only a constant of this file is put in.
        sqlx::query(sqlx::AssertSqlSafe(first)).persistent(false).bind(id.as_str()).execute(connection).await?;
    }
    Ok(())
}

/// How the line is told here: what cannot be asked breaks a transaction, so each way is tried
/// in one of its own.
async fn line(link: &mut Link) -> Result<Line, Trouble> {
    for line in [Line::Whole, Line::Timeline] {
        let mut connection = link.begin(WRITE).await?;
        let asked = sqlx::raw_sql(sqlx::AssertSqlSafe(format!("SELECT {}", line.sql()))).execute(&mut connection).await;
        match asked {
            Ok(_) => {
                sqlx::raw_sql("ROLLBACK")
                    .execute(&mut connection)
                    .await
                    .map_err(|error| link.server.trouble("opened", &error))?;
                link.keep(connection);
                return Ok(line);
            }
            Err(error) => match link.server.trouble("opened", &error) {
                Trouble::Final(_) => {}
                away @ Trouble::Away(_) => return Err(away),
            },
        }
    }
    tracing::warn!(journal = %link.server.place, "this server does not tell its timeline: a failover will not be noticed");
    Ok(Line::Untold)
}
