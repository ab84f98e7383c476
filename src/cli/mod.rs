//! The command line: one file a verb; wiring and the choice of renderer, no logic.

pub mod error;
pub mod ui;

mod access;
mod ack;
mod against;
mod api;
mod apply;
mod approve;
mod beside;
mod charges;
mod completions;
mod demo;
mod digest;
mod doctor;
mod driver;
mod explain;
mod export;
mod fleet;
mod freeze;
mod git;
mod github;
mod history;
mod init;
mod journal;
mod keeping;
mod listen;
mod logs;
mod manifests;
mod moment;
mod notify;
mod pin;
mod plan;
mod policy;
mod progress;
mod reaffirm;
mod reconcile;
mod render;
mod resolve;
mod run;
mod sandbox;
mod saved;
mod schema;
mod scope;
mod snapshot;
mod status;
#[cfg(unix)]
mod supervisor;
mod table;
mod validate;
mod webhooks;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tokio_util::sync::CancellationToken;

use crate::controller::Ask;

use logs::LogFormat;
use ui::Ui;

/// Keeps client accounts as their manifests say: created, subscribed, joined, each once.
#[derive(Debug, Parser)]
#[command(name = "bursar", version, propagate_version = true, after_help = EXIT_CODES)]
struct Cli {
    /// Only results and errors
    #[arg(short, long, global = true)]
    quiet: bool,
    /// More talk; twice for more still
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// The form of log lines
    #[arg(long, global = true, value_enum, default_value = "text", env = "BURSAR_LOG_FORMAT")]
    log_format: LogFormat,
    #[command(subcommand)]
    verb: Verb,
}

const EXIT_CODES: &str = "Exit codes: 0 done (waiting included); 1 something failed or is invalid, or a usage error; \
2 with `plan --detailed-exitcode`: something is planned, blocked or manual; 3 from `apply` and `pin`: nothing failed, \
but something is blocked or manual.";

#[derive(Debug, Subcommand)]
enum Verb {
    /// Check manifests, offline
    Validate(validate::Args),
    /// Show manifests as resolved, each value with where it comes from
    Render(render::Args),
    /// Show what would be done, and what it costs; sends nothing but GET
    Plan(Box<plan::Args>),
    /// Plan, ask, and carry out
    Apply(Box<apply::Args>),
    /// Watch a folder and keep accounts as it says, for ever
    Run(Box<run::Args>),
    /// Show how each client stands, why, since when, and what comes next
    Status(Box<status::Args>),
    /// Ask a running daemon for a look now
    Reconcile(reconcile::Args),
    /// Show what waits, whom to remind, what a person must do, and what it costs meanwhile
    Digest(Box<digest::Args>),
    /// Lay what was really charged beside what the plans cost by list price
    Charges(Box<charges::Args>),
    /// Write manifests from the live accounts, to adopt what exists
    Export(Box<export::Args>),
    /// Write the ids of accounts that exist into the manifests, every other byte kept
    Pin(Box<pin::Args>),
    /// Write what the API shows into a file, emails masked, for plans without a token
    Snapshot(Box<snapshot::Args>),
    /// Look the API over: is it reached, whose token is it, what does it offer
    Doctor(Box<doctor::Args>),
    /// Write into a folder of manifests which journal it belongs to
    Init(init::Args),
    /// Back up, restore, move or export the journal
    Journal(journal::Args),
    /// Show what was done, when, and for which line of which commit
    History(Box<history::Args>),
    /// Show why a client stands where it stands, and what ends it
    Explain(explain::Args),
    /// Show who can or could reach what, since when, and through which commit
    Access(access::Args),
    /// Say how an operation ended whose outcome could not be found out
    Resolve(resolve::Args),
    /// Say who is in an account, where the service shows it to no program
    Ack(ack::Args),
    /// Want an account or a person anew that somebody removed elsewhere
    Reaffirm(reaffirm::Args),
    /// Stop all writes at once, a running daemon's too
    Freeze(freeze::FreezeArgs),
    /// Let writes go on
    Unfreeze(freeze::UnfreezeArgs),
    /// Let one plan of a running daemon pass the guard rails, by its digest
    Approve(approve::Args),
    /// Show the promise: answers get lost, the daemon is killed, and each thing happens once
    Demo(demo::Args),
    /// List, register or remove the webhooks of each account
    Webhooks(Box<webhooks::Args>),
    /// Run the embedded account API by itself
    Sandbox(sandbox::Args),
    /// Print the JSON Schemas
    Schema(schema::Args),
    /// Print a shell's completions
    Completions(completions::CompletionsArgs),
    /// Print the manual page
    Man(completions::ManArgs),
}

/// Parses the command line, does what it says, and tells how it ended.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            // A usage error must not look like `plan --detailed-exitcode`'s 2.
            return if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    logs::init(cli.log_format, cli.verbose, cli.quiet);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ui = Ui::new(cli.quiet);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            ui.warn(&format!("Error: cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(dispatch(cli.verb, ui));
    // Whatever still hangs in a blocking read must not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(100));
    let code = done.unwrap_or_else(|error| {
        ui.warn(&error.to_string());
        ExitCode::FAILURE
    });
    match ui::lost() {
        Some(why) => {
            ui.warn(&format!("Error: the result could not be written to standard output: {why}"));
            ExitCode::FAILURE
        }
        None => code,
    }
}

async fn dispatch(verb: Verb, ui: Ui) -> error::CliResult {
    match verb {
        Verb::Validate(args) => validate::run(args, ui).await,
        Verb::Render(args) => render::run(args, ui).await,
        Verb::Plan(args) => plan::run(*args, ui).await,
        Verb::Apply(args) => apply::run(*args, ui).await,
        Verb::Run(args) => run::run(*args, ui).await,
        Verb::Status(args) => status::run(*args, ui).await,
        Verb::Reconcile(args) => reconcile::run(args, ui).await,
        Verb::Demo(args) => demo::run(args, ui).await,
        Verb::Digest(args) => digest::run(*args, ui).await,
        Verb::Charges(args) => charges::run(*args, ui).await,
        Verb::Export(args) => export::run(*args, ui).await,
        Verb::Pin(args) => pin::run(*args, ui).await,
        Verb::Snapshot(args) => snapshot::run(*args, ui).await,
        Verb::Doctor(args) => doctor::run(*args, ui).await,
        Verb::Init(args) => init::run(args, ui).await,
        Verb::Journal(args) => journal::run(args, ui).await,
        Verb::History(args) => history::run(*args, ui).await,
        Verb::Explain(args) => explain::run(args, ui).await,
        Verb::Access(args) => access::run(args, ui).await,
        Verb::Resolve(args) => resolve::run(args, ui).await,
        Verb::Ack(args) => ack::run(args, ui).await,
        Verb::Reaffirm(args) => reaffirm::run(args, ui).await,
        Verb::Freeze(args) => freeze::freeze(args, ui).await,
        Verb::Unfreeze(args) => freeze::unfreeze(args, ui).await,
        Verb::Approve(args) => approve::run(args, ui).await,
        Verb::Webhooks(args) => webhooks::run(*args, ui).await,
        Verb::Sandbox(args) => sandbox::run(args, ui).await,
        Verb::Schema(args) => schema::run(args, ui).await,
        Verb::Completions(args) => completions::completions(&args, ui),
        Verb::Man(args) => completions::man(&args, ui),
    }
}

/// Reads `90s`, `10m`, `1h`, `1d`; a bare number is seconds.
fn duration(raw: &str) -> Result<Duration, String> {
    let at = raw.find(|c: char| !c.is_ascii_digit()).unwrap_or(raw.len());
    let (digits, unit) = raw.split_at(at);
    let number: u64 = digits.parse().map_err(|_| "expected a duration like 90s, 10m or 1h".to_owned())?;
    let seconds = match unit {
        "ms" => return Ok(Duration::from_millis(number)),
        "" | "s" => Some(number),
        "m" => number.checked_mul(60),
        "h" => number.checked_mul(3600),
        "d" => number.checked_mul(86_400),
        _ => None,
    };
    seconds
        .filter(|seconds| *seconds <= 366 * 86_400)
        .map(Duration::from_secs)
        .ok_or_else(|| "expected a duration like 90s, 10m or 1h, of at most a year".to_owned())
}

/// Cancels on the first Ctrl-C or SIGTERM; on the second, ends at once.
async fn interrupt(cancel: CancellationToken, ui: Ui) {
    stop_signal().await;
    ui.warn("Stopping: what is in flight is finished, nothing is begun. Once more to stop at once.");
    cancel.cancel();
    stop_signal().await;
    std::process::exit(130);
}

/// For the daemon: SIGTERM and Ctrl-C stop it, SIGHUP asks for a look at everything.
async fn signals(cancel: CancellationToken, looks: Vec<tokio::sync::mpsc::Sender<Ask>>) {
    let asked = async {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            if let Ok(mut hangups) = signal(SignalKind::hangup()) {
                while hangups.recv().await.is_some() {
                    // A full channel already holds the wish.
                    for look in &looks {
                        let _ = look.try_send(Ask::Operator);
                    }
                }
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = stop_signal() => cancel.cancel(),
        () = asked => {}
    }
}

/// Ends on Ctrl-C or SIGTERM.
async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_are_read_with_their_units() {
        for (raw, seconds) in [("90s", 90), ("10m", 600), ("1h", 3600), ("1d", 86_400), ("7", 7)] {
            assert_eq!(duration(raw), Ok(Duration::from_secs(seconds)), "{raw}");
        }
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for bad in ["", "m", "-1s", "1.5m", "9999999d", "1w"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
