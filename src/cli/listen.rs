//! What the daemon serves, where, and under which names: the options of `bursar run`.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::controller::{Ask, Board, Tally};
use crate::domain::MachineClock;
use crate::journal::Journal;
use crate::web::{Bounds, GitHooks, Hooks, Names, Secret, SecretError, Site, site};

use super::error::CliError;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Serving")]
pub struct ListenArgs {
    /// Serve the status page, /status.json, /metrics, /healthz and /readyz here, and webhooks where there is a
    /// secret for them: `127.0.0.1:8080`
    #[arg(long, env = "BURSAR_LISTEN", value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Serve the page under this name, too; loopback's names and the address itself always are
    #[arg(long, env = "BURSAR_LISTEN_HOST", value_name = "NAME", value_delimiter = ',')]
    listen_host: Vec<String>,
    /// A file with the secret of the webhooks' address, 32 characters or more: `openssl rand -hex 32`
    #[arg(long, env = "BURSAR_HOOK_SECRET_FILE", value_name = "FILE")]
    hook_secret_file: Option<PathBuf>,
    /// A file with the secret that the Git server signs its webhooks with [default: the address's]
    #[arg(long, env = "BURSAR_GIT_HOOK_SECRET_FILE", value_name = "FILE")]
    git_hook_secret_file: Option<PathBuf>,
}

/// A port that is ours, and the secrets of what comes in.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    names: Names,
    secret: Option<Secret>,
    git_key: Option<Secret>,
}

/// A fleet, as those who ask for a look at it reach it.
#[derive(Debug, Clone)]
pub struct Bell {
    /// How it stands.
    pub board: Board,
    /// Where it is asked.
    pub look: mpsc::Sender<Ask>,
    /// The branch that it follows, where it follows one.
    pub branch: Option<String>,
}

impl ListenArgs {
    /// Takes the port; `None` where nothing is to be served. Everything that does not hold is
    /// put to the faults.
    pub async fn bind(&self, faults: &mut Vec<CliError>) -> Option<Listener> {
        let address = self.listen?;
        let mut read = |file: &Option<PathBuf>| match file.as_deref().map(Secret::from_file) {
            None => None,
            Some(Ok(secret)) => Some(secret),
            Some(Err(error)) => {
                faults.push(no_secret(error));
                None
            }
        };
        let (secret, git_key) = (read(&self.hook_secret_file), read(&self.git_hook_secret_file));
        match TcpListener::bind(address).await {
            Ok(socket) => {
                let names = Names::new(self.listen_host.iter().map(|name| name.trim().to_owned()));
                Some(Listener { socket, names, secret, git_key })
            }
            Err(error) => {
                let fault = CliError::new(format!("cannot listen on {address}: {error}"));
                faults.push(fault.hint("choose another --listen"));
                None
            }
        }
    }
}

/// The error of a secret, with what to do about it.
pub fn no_secret(error: SecretError) -> CliError {
    let shown = |file: &Path| crate::domain::text::inert(&file.to_string_lossy()).into_owned();
    let hint = match &error {
        SecretError::Exposed { file, .. } => {
            format!("chmod 600 {}, and give it another secret if others may have read it", shown(file))
        }
        SecretError::Unreadable { .. } | SecretError::NotOne { .. } => {
            "make one: (umask 077; openssl rand -hex 32 > FILE)".to_owned()
        }
    };
    CliError::from(error).hint(hint)
}

/// Serves until it is cancelled.
pub async fn serve(
    listener: Option<Listener>,
    journal: Arc<dyn Journal>,
    urls: BTreeSet<String>,
    bells: Vec<Bell>,
    tally: Tally,
    cancel: CancellationToken,
) {
    let Some(Listener { socket, names, secret, git_key }) = listener else { return };
    if let Ok(address) = socket.local_addr() {
        tracing::info!("status, metrics and health are served at http://{address}/");
        if secret.is_some() {
            tracing::info!("webhooks are received at http://{address}{}SECRET", crate::web::DNSIMPLE);
        }
        if secret.is_some() || git_key.is_some() {
            tracing::info!("pushes are received at http://{address}{}SECRET", crate::web::GIT);
        }
    }
    let boards = bells.iter().map(|bell| bell.board.clone()).collect();
    let git = secret.clone().or_else(|| git_key.clone()).map(|path| {
        let (key, bells) = (git_key.unwrap_or_else(|| path.clone()), bells.clone());
        Arc::new(GitHooks::new(path, key, move |branch| pushed(&bells, branch)))
    });
    let hooks = secret.map(|secret| {
        let hint = move || hint(&bells);
        Arc::new(Hooks::new(secret, journal, urls, Arc::new(MachineClock), hint))
    });
    let app = site(Site { boards, tally, clock: Arc::new(MachineClock), names, hooks, git });
    crate::web::serve(socket, app, Bounds::default(), cancel).await;
}

/// Asks every fleet to look. Any wish that is there is as good, and there must be room for the
/// operator's.
fn hint(bells: &[Bell]) {
    for Bell { look, .. } in bells.iter().filter(|bell| bell.look.capacity() * 2 > bell.look.max_capacity()) {
        let _ = look.try_send(Ask::Hint);
    }
}

/// Asks the fleets that may follow this branch to read their manifests; whether any does.
fn pushed(bells: &[Bell], branch: Option<&str>) -> bool {
    let follows = |bell: &&Bell| match (&bell.branch, branch) {
        (Some(ours), Some(theirs)) => ours == theirs,
        (None, _) | (_, None) => true,
    };
    let mut any = false;
    for Bell { look, .. } in bells.iter().filter(follows) {
        any = true;
        if look.capacity() * 4 > look.max_capacity() {
            let _ = look.try_send(Ask::Source);
        }
    }
    any
}
