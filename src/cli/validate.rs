//! `bursar validate`.

use super::error::CliResult;
use super::ui::Ui;

#[derive(Debug, clap::Args)]
pub struct Args {}

pub async fn run(_args: Args, _ui: Ui) -> CliResult {
    Ok(std::process::ExitCode::SUCCESS)
}
