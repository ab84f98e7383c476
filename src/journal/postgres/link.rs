//! One connection to PostgreSQL, made anew when it breaks. Nothing is kept in a session, so
//! that a pooler may give each transaction another one.

use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::super::store::JournalError;

/// How long a database that does not answer is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How long one step of a commit may take: longer than it waits for a lock, and short enough
/// for another try within [`PATIENCE`].
pub(super) const STEP: Duration = Duration::from_secs(6);

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// Begins a transaction that writes. Its settings end with it. The idle time-out gives the
/// locks of a process back that was stopped or cut off in the middle.
pub(super) const WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
    SET LOCAL synchronous_commit = on; SET LOCAL lock_timeout = '5s'; \
    SET LOCAL statement_timeout = '30s'; SET LOCAL idle_in_transaction_session_timeout = '5s'";

/// Begins a transaction that sees one state.
pub(super) const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
    SET LOCAL statement_timeout = '60s'; SET LOCAL idle_in_transaction_session_timeout = '10s'";

/// What went wrong in a transaction.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The connection or the server is gone, or busy: worth another try.
    Away(String),
    /// It would go wrong again.
    Final(JournalError),
}

/// Where the database is, without a connection. Its `Debug` shows no password.
#[derive(Clone)]
pub(super) struct Server {
    pub place: String,
    options: PgConnectOptions,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Server {
    /// Reads a URL.
    pub fn parse(url: &SecretString) -> Result<Self, JournalError> {
        // The parser's words may repeat a part of the URL, and with it the password.
        let options: PgConnectOptions =
            url.expose_secret().parse().map_err(|_: sqlx::Error| JournalError::Unavailable {
                place: "postgres://...".to_owned(),
                doing: "opened",
                why: "the URL cannot be read; expected postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full"
                    .to_owned(),
            })?;
        let host = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => options.get_host().to_owned(),
        };
        let place = format!(
            "postgres://{}@{host}:{}/{}",
            options.get_username(),
            options.get_port(),
            options.get_database().unwrap_or(options.get_username())
        );
        let options = options
            .statement_cache_capacity(0)
            // Poolers know few parameters of a start, and this one is about numbers with points.
            .extra_float_digits(None::<i8>)
            .application_name("bursar")
            .disable_statement_logging();
        Ok(Self { place, options })
    }

    /// Whether what goes over the wire could be read on its way.
    pub fn is_in_the_clear(&self) -> bool {
        let host = self.options.get_host();
        let here = self.options.get_socket().is_some() || host.starts_with('/') || host == "localhost";
        let here = here || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        !here && matches!(self.options.get_ssl_mode(), PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer)
    }

    pub fn unavailable(&self, doing: &'static str, why: impl Into<String>) -> JournalError {
        JournalError::Unavailable { place: self.place.clone(), doing, why: why.into() }
    }

    /// Whether an error is worth another try.
    pub fn trouble(&self, doing: &'static str, error: &sqlx::Error) -> Trouble {
        let why = error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
        match error {
            sqlx::Error::Database(told) if !told.code().is_some_and(|code| is_away(&code)) => {
                Trouble::Final(self.unavailable(doing, why))
            }
            sqlx::Error::Configuration(_) | sqlx::Error::Tls(_) => Trouble::Final(self.unavailable(doing, why)),
            _ => Trouble::Away(why),
        }
    }
}

/// Codes of a server that is going down or coming up, is a standby, or is busy.
fn is_away(code: &str) -> bool {
    code.starts_with("08")
        || code.starts_with("53")
        || matches!(code, "57P01" | "57P02" | "57P03" | "57P05" | "57014" | "25006" | "25P03")
        || matches!(code, "40001" | "40P01" | "55P03" | "XX000" | "58030")
}

/// A connection and how to make another.
#[derive(Debug)]
pub(super) struct Link {
    pub server: Server,
    /// Taken out while it is used: whoever gives up in the middle leaves none behind.
    connection: Option<PgConnection>,
}

impl Link {
    pub fn new(server: Server) -> Self {
        Self { server, connection: None }
    }

    /// A connection in a transaction that was just begun.
    pub async fn begin(&mut self, begin: &'static str) -> Result<PgConnection, Trouble> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        // The server may have gone since the last transaction; nothing is lost by another try.
        let begun = timeout(CONNECT, sqlx::raw_sql(begin).execute(&mut connection)).await;
        match begun {
            Ok(Ok(_)) => Ok(connection),
            Ok(Err(error)) => Err(self.server.trouble("opened", &error)),
            Err(_) => Err(Trouble::Away("it does not answer".to_owned())),
        }
    }

    async fn connect(&self) -> Result<PgConnection, Trouble> {
        match timeout(CONNECT, self.server.options.connect()).await {
            Ok(connected) => connected.map_err(|error| self.server.trouble("opened", &error)),
            Err(_) => Err(Trouble::Away("it does not answer".to_owned())),
        }
    }

    /// Keeps a connection whose transaction ended for the next one.
    pub fn keep(&mut self, connection: PgConnection) {
        self.connection = Some(connection);
    }

    /// A transaction that may be repeated; while the server is away, for [`PATIENCE`].
    pub async fn transact<T, F>(
        &mut self,
        begin: &'static str,
        doing: &'static str,
        within: Duration,
        work: F,
    ) -> Result<T, JournalError>
    where
        F: for<'c> Fn(&'c mut PgConnection) -> BoxFuture<'c, Result<T, sqlx::Error>> + Send + Sync,
        T: Send,
    {
        let mut again = Again::new();
        loop {
            let tried = match timeout(within, self.once(begin, doing, &work)).await {
                Ok(tried) => tried,
                Err(_) => Err(Trouble::Away("it does not answer".to_owned())),
            };
            match tried {
                Ok(told) => return Ok(told),
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Away(why)) => {
                    if !again.wait().await {
                        return Err(self.server.unavailable(doing, why));
                    }
                }
            }
        }
    }

    async fn once<T, F>(&mut self, begin: &'static str, doing: &'static str, work: &F) -> Result<T, Trouble>
    where
        F: for<'c> Fn(&'c mut PgConnection) -> BoxFuture<'c, Result<T, sqlx::Error>> + Send + Sync,
        T: Send,
    {
        let mut connection = self.begin(begin).await?;
        let told = work(&mut connection).await.map_err(|error| self.server.trouble(doing, &error))?;
        let ended = sqlx::raw_sql("COMMIT").execute(&mut connection).await;
        ended.map_err(|error| self.server.trouble(doing, &error))?;
        self.keep(connection);
        Ok(told)
    }

    pub async fn close(&mut self) {
        if let Some(connection) = self.connection.take() {
            // The server notices by itself; this only spares it a line in its log.
            let _ = timeout_at(Instant::now() + Duration::from_secs(1), connection.close()).await;
        }
    }
}

/// Waits between tries, longer each time, for [`PATIENCE`] in all.
#[derive(Debug)]
pub(super) struct Again {
    until: Instant,
    pause: Duration,
}

impl Again {
    pub fn new() -> Self {
        Self { until: Instant::now() + PATIENCE, pause: Duration::from_millis(20) }
    }

    /// Whether there is time for another try, after a pause.
    pub async fn wait(&mut self) -> bool {
        if Instant::now() + self.pause > self.until {
            return false;
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(Duration::from_secs(1));
        true
    }
}
