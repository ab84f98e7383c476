//! The command line: one file a verb; wiring and the choice of renderer, no logic.

pub mod error;
pub mod ui;

mod render;
mod sandbox;
mod schema;
mod validate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use ui::Ui;

/// Keeps client accounts as their manifests say: created, subscribed, joined, each once.
#[derive(Debug, Parser)]
#[command(name = "bursar", version, propagate_version = true)]
struct Cli {
    /// Only results and errors
    #[arg(short, long, global = true)]
    quiet: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Check manifests, offline
    Validate(validate::Args),
    /// Show manifests as resolved
    Render(render::Args),
    /// Print the JSON Schema of manifests
    Schema(schema::Args),
    /// Run the embedded account API by itself
    Sandbox(sandbox::Args),
}

/// Parses the command line, does what it says, and tells how it ended.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ui = Ui::new(cli.quiet);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            ui.warn(&format!("Error: cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(async {
        match cli.verb {
            Verb::Validate(args) => validate::run(args, ui).await,
            Verb::Render(args) => render::run(args, ui).await,
            Verb::Schema(args) => schema::run(args, ui).await,
            Verb::Sandbox(args) => sandbox::run(args, ui).await,
        }
    });
    done.unwrap_or_else(|error| {
        ui.warn(&error.to_string());
        ExitCode::FAILURE
    })
}
