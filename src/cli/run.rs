//! `bursar run`: the daemon.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::controller::{Daemon, Mode, Reconciler, Timing, Watch};
use crate::execute;

use super::api::{ApiArgs, PolicyArgs};
use super::error::{CliError, CliResult};
use super::keeping::{JournalArgs, Purpose};
use super::manifests::ManifestArgs;
use super::progress::LogProgress;
use super::ui::Ui;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    manifests: ManifestArgs,
    /// Set differences right, or only report them
    #[arg(long, value_enum, default_value = "apply")]
    mode: Mode,
    /// Between complete looks at the API: `5m`, `90s`
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = super::duration)]
    interval: Duration,
    /// Between readings of the folder that no file event asked for
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = super::duration)]
    poll: Duration,
    /// Accounts at once
    #[arg(long, value_name = "N", default_value = "8", value_parser = clap::value_parser!(u16).range(1..=64))]
    parallelism: u16,
    #[command(flatten)]
    api: ApiArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    journal: JournalArgs,
}

/// What a stop may take in all.
const STOP_WITHIN: Duration = Duration::from_secs(9);

pub async fn run(args: Args, ui: Ui) -> CliResult {
    let _ = ui;
    if args.manifests.paths.iter().any(|path| path.as_os_str() == "-") {
        return Err(CliError::new("standard input cannot be watched").hint("give `bursar run` a folder"));
    }
    if args.interval < Duration::from_secs(1) || args.poll < Duration::from_millis(100) {
        return Err(CliError::new("--interval is at least 1s, --poll at least 100ms"));
    }
    let keeping = args.journal.open(Purpose::Run).await?;
    let connection = args.api.connect().await?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        api = connection.api.url,
        mode = ?args.mode,
        interval_s = args.interval.as_secs(),
        "started"
    );
    if let Some(sandbox) = &connection.sandbox {
        tracing::info!("the sandbox's page, where you can play the clients, is at {}/", sandbox.url());
    }
    let mut reconciler = Reconciler::new(
        connection.api.clone(),
        connection.reader(),
        args.policy.policy(args.api.is_sandbox()),
        args.manifests.selector(),
        keeping,
        fastrand::u64(..),
    );
    reconciler.options = execute::Options { parallelism: usize::from(args.parallelism), ..execute::Options::default() };
    let writer = match args.mode {
        Mode::Apply => Some(connection.writer()),
        Mode::Report => None,
    };
    let timing = Timing { interval: args.interval, poll: args.poll };
    let daemon = Daemon::new(
        reconciler,
        writer,
        Arc::new(args.manifests.clone()),
        Arc::new(LogProgress),
        timing,
        fastrand::u64(..),
    );
    let cancel = CancellationToken::new();
    let (look, looks) = tokio::sync::mpsc::channel(1);
    tokio::spawn(super::signals(cancel.clone(), look));
    let running = daemon.run(Watch::start(), looks, cancel.clone());
    tokio::pin!(running);
    tokio::select! {
        () = &mut running => {}
        () = cancel.cancelled() => {
            tracing::info!("stopping: what is in flight is finished, nothing is begun");
            if tokio::time::timeout(STOP_WITHIN, &mut running).await.is_err() {
                tracing::warn!("stopped while a request was in flight; the next start looks at what came of it");
            }
        }
    }
    connection.close().await;
    tracing::info!("stopped");
    Ok(std::process::ExitCode::SUCCESS)
}
