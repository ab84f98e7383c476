//! What the daemon listens for: webhooks, at an address of the operator's.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::controller::Ask;
use crate::domain::MachineClock;
use crate::journal::Journal;
use crate::web::{Hooks, Secret, SecretError, router};

use super::error::CliError;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Webhooks")]
pub struct ListenArgs {
    /// Receive the service's webhooks here, `127.0.0.1:8080`: behind something that speaks HTTPS
    #[arg(long, env = "BURSAR_LISTEN", value_name = "ADDRESS", requires = "hook_secret_file")]
    listen: Option<SocketAddr>,
    /// A file with the secret of the webhooks' address, 32 characters or more: `openssl rand -hex 32`
    #[arg(long, env = "BURSAR_HOOK_SECRET_FILE", value_name = "FILE")]
    hook_secret_file: Option<PathBuf>,
}

/// A port that is ours, and the secret of what comes in.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    secret: Secret,
}

impl ListenArgs {
    /// Takes the port; `None` where nothing is to be received.
    ///
    /// # Errors
    /// The secret does not hold, or the port is not to be had.
    pub async fn bind(&self) -> Result<Option<Listener>, CliError> {
        let (Some(address), Some(file)) = (self.listen, &self.hook_secret_file) else { return Ok(None) };
        let secret = Secret::from_file(file).map_err(no_secret)?;
        let socket = TcpListener::bind(address).await.map_err(|error| {
            CliError::new(format!("cannot listen on {address}: {error}")).hint("choose another --listen")
        })?;
        Ok(Some(Listener { socket, secret }))
    }
}

/// The error of a secret, with what to do about it.
pub fn no_secret(error: SecretError) -> CliError {
    let hint = match &error {
        SecretError::Exposed { file, .. } => format!(
            "chmod 600 {}, and give it another secret if others may have read it",
            crate::domain::text::inert(&file.to_string_lossy())
        ),
        SecretError::Unreadable { .. } | SecretError::NotOne { .. } => {
            "make one: (umask 077; openssl rand -hex 32 > FILE)".to_owned()
        }
    };
    CliError::from(error).hint(hint)
}

/// Receives webhooks until it is cancelled.
pub async fn serve(
    listener: Option<Listener>,
    journal: Arc<dyn Journal>,
    urls: BTreeSet<String>,
    looks: Vec<mpsc::Sender<Ask>>,
    cancel: CancellationToken,
) {
    let Some(Listener { socket, secret }) = listener else { return };
    if let Ok(address) = socket.local_addr() {
        tracing::info!("webhooks are received at http://{address}{}SECRET", crate::web::DNSIMPLE);
    }
    let hint = move || {
        // Any wish that is there is as good, and there must be room for the operator's.
        for look in looks.iter().filter(|look| look.capacity() == look.max_capacity()) {
            let _ = look.try_send(Ask::Hint);
        }
    };
    let hooks = Arc::new(Hooks::new(secret, journal, urls, Arc::new(MachineClock), hint));
    let stop = cancel.clone();
    tokio::select! {
        served = async { axum::serve(socket, router(hooks)).await } => {
            if let Err(error) = served {
                tracing::error!(%error, "webhooks are not received any more");
            }
        }
        () = stop.cancelled() => {}
    }
}
