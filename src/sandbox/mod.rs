//! The embedded account API: a faithful server of the contract in docs/sandbox.md, with a
//! page for people and calls for testers beside it. It shares no domain code with the
//! driver that is tested against it, else both could be wrong together.

mod catalogue;
mod courier;
mod delays;
mod dialect;
mod embedded;
mod faults;
mod http;
mod netlify;
mod page;
mod quota;
mod rules;
mod service;
mod standing;
mod store;
mod world;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use dialect::Dialect;
pub use embedded::{Embedded, HungUp, embed};
pub use http::openapi;
pub use rules::{Extension, MemberMode};
pub use service::Surroundings;
pub use standing::Standing;

use delays::Delays;
use service::Service;
use world::UserId;

/// The token's user: the first of every world.
const AGENCY: UserId = UserId(1);

/// The address of the token's user.
pub const AGENCY_EMAIL: &str = "agency@example.com";

/// How long running requests may take to end when the sandbox stops.
const FAREWELL: Duration = Duration::from_secs(2);

/// How a sandbox is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whose API it speaks.
    pub dialect: Dialect,
    /// Where to listen, on loopback; port 0 picks one.
    pub listen: SocketAddr,
    /// The file that keeps the world; in memory without one.
    pub data: Option<PathBuf>,
    /// Who is signed up from the start, by email.
    pub users: Vec<String>,
    /// How people become members.
    pub member_mode: MemberMode,
    /// Requests in a window of the dialect, an hour or a minute; 0 is without limit.
    pub rate_limit: u32,
    /// The extensions it does without.
    pub without: BTreeSet<Extension>,
    /// How old the world is that lists show (`GET /accounts`, `GET /{account}/members`).
    pub list_delay: Duration,
    /// How long a new subscription stays `subscribing`, in whole seconds, rounded up.
    pub settle_delay: Duration,
    /// The token of `agency@example.com`.
    pub token: String,
}

impl Options {
    /// A sandbox of this dialect, with its usual quota.
    pub fn of(dialect: Dialect) -> Self {
        Self {
            dialect,
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            data: None,
            users: Vec::new(),
            member_mode: MemberMode::default(),
            rate_limit: dialect.usual_rate_limit(),
            without: BTreeSet::new(),
            list_delay: Duration::ZERO,
            settle_delay: Duration::ZERO,
            token: "sandbox".to_owned(),
        }
    }

    fn delays(&self) -> Delays {
        Delays { list: self.list_delay.min(delays::LONGEST), settle: self.settle_delay.min(delays::LONGEST) }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::of(Dialect::default())
    }
}

/// Why a sandbox does not start, or could not write.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// Its well-known token and its page are for this machine alone.
    #[error("the sandbox listens on loopback only, not on {0}")]
    NotLoopback(SocketAddr),
    /// A token that no header can carry would lock everybody out.
    #[error("the sandbox's token must be visible ASCII characters, and at least one")]
    Token,
    /// The address is taken or not permitted.
    #[error("cannot listen on {address}")]
    Listen { address: SocketAddr, source: std::io::Error },
    /// The folder of the file cannot be made.
    #[error("cannot make the folder {}", folder.display())]
    Folder { folder: PathBuf, source: std::io::Error },
    /// The file cannot be opened, or another sandbox has it open.
    #[error("cannot open the sandbox's file {}", file.display())]
    Data { file: PathBuf, source: sqlx::Error },
    /// It holds something else.
    #[error("{} is a database, but not a sandbox's", file.display())]
    NotASandbox { file: PathBuf },
    /// Its world has another service's plans and rules.
    #[error("the world in {} is of the dialect {}", file.display(), made_for.name())]
    OtherDialect { file: PathBuf, made_for: Dialect },
    /// A later version of bursar wrote it.
    #[error("{} was written by a newer version of the sandbox", file.display())]
    Newer { file: PathBuf },
    /// Somebody to sign up has an address that the service does not take.
    #[error("cannot sign up `{}`: not an email address", email.escape_debug())]
    User { email: String },
    /// Reading or writing the file failed.
    #[error("cannot read or write the sandbox's file")]
    Store(#[from] sqlx::Error),
    /// The file holds what this version cannot read.
    #[error("the sandbox's file holds a record that cannot be read")]
    Record(#[from] serde_json::Error),
    /// The sandbox has stopped.
    #[error("the sandbox has stopped")]
    Closed,
    /// The work on a request ended before it was done.
    #[error("the request was interrupted: {0}")]
    Interrupted(String),
}

/// A running sandbox; it stops when this is dropped.
#[derive(Debug)]
pub struct Sandbox {
    address: SocketAddr,
    dialect: Dialect,
    token: String,
    stop: DropGuard,
    serving: JoinHandle<()>,
    service: Arc<Service>,
}

/// Starts a sandbox; it accepts connections when this returns.
///
/// # Errors
/// See [`SandboxError`].
pub async fn start(options: Options) -> Result<Sandbox, SandboxError> {
    start_in(options, Surroundings::default()).await
}

/// Starts a sandbox with another clock and other ids than the machine's.
///
/// # Errors
/// See [`SandboxError`].
pub async fn start_in(options: Options, surroundings: Surroundings) -> Result<Sandbox, SandboxError> {
    if !options.listen.ip().is_loopback() {
        return Err(SandboxError::NotLoopback(options.listen));
    }
    check_token(&options.token)?;
    let address = options.listen;
    let failed = |source| SandboxError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let service = Service::open(&options, surroundings).await?;
    let stop = CancellationToken::new();
    let app = http::app(Arc::clone(&service)).into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, app).with_graceful_shutdown(stop.clone().cancelled_owned());
    let serving = tokio::spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "the sandbox stopped");
        }
    });
    Ok(Sandbox { address, dialect: options.dialect, token: options.token, stop: stop.drop_guard(), serving, service })
}

fn check_token(token: &str) -> Result<(), SandboxError> {
    let is_sendable = !token.is_empty() && token.chars().all(|c| c.is_ascii_graphic());
    if is_sendable { Ok(()) } else { Err(SandboxError::Token) }
}

impl Sandbox {
    /// Where its page is: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The base URL of its API.
    pub fn api_url(&self) -> String {
        format!("{}{}", self.url(), self.dialect.base_path())
    }

    /// The token of its user `agency@example.com`.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Stops it: requests that run may end, new ones are not accepted.
    pub async fn stop(self) {
        let Self { address: _, dialect: _, token: _, stop, mut serving, service } = self;
        drop(stop);
        if tokio::time::timeout(FAREWELL, &mut serving).await.is_err() {
            serving.abort();
        }
        service.close().await;
    }
}
