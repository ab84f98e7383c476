//! `bursar render`: the manifests as resolved.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::manifest::{self, LoadOptions, Severity};

use super::error::{CliError, CliResult};
use super::ui::Ui;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files and folders of manifests; `-` is standard input
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,
    /// Tell where each value comes from: the client itself, its defaults, or a group
    #[arg(long)]
    origins: bool,
}

pub async fn run(args: Args, ui: Ui) -> CliResult {
    let Args { paths, origins } = args;
    let loaded = super::validate::load(paths, LoadOptions::default()).await?;
    let text = manifest::render(&loaded, origins).map_err(|_| CliError::new("cannot write the clients as YAML"))?;
    ui.out(&text);
    for finding in loaded.findings.iter().filter(|finding| finding.severity == Severity::Error) {
        ui.warn(&finding.to_string());
    }
    if loaded.has_errors() {
        ui.warn("Hint: what is invalid was left out; `bursar validate` shows it in full");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
