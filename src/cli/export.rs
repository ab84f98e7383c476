//! `bursar export`: manifests from the live accounts.

use std::process::ExitCode;

use crate::controller::observe_all;
use crate::export;
use crate::manifest::LoadOptions;
use crate::source::LARGEST_FILE;

use super::api::ApiArgs;
use super::error::{CliError, CliResult};
use super::ui::Ui;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    api: ApiArgs,
}

pub async fn run(args: Args, ui: Ui) -> CliResult {
    let connection = args.api.connect().await?;
    let seen = observe_all(connection.reader().as_ref()).await;
    connection.close().await;
    let snapshot = seen?;
    let exported = export::manifests(&snapshot, &LoadOptions::default())
        .map_err(|error| CliError::new("an account cannot be written as a manifest").because(&error))?;
    ui.out(&exported.text);
    let left_out = match exported.left_out {
        0 => String::new(),
        n => format!("; {n} left out, each with a comment that says why"),
    };
    let written = match exported.written {
        1 => "1 account".to_owned(),
        n => format!("{n} accounts"),
    };
    ui.say(&format!("{written} written{left_out}. Check with `bursar plan`: it shows no change."));
    if exported.text.len() > LARGEST_FILE {
        ui.warn("This is more than 1 MiB, the most that is read from one file: split it into several.");
    }
    Ok(ExitCode::SUCCESS)
}
