//! `bursar completions` and `bursar man`: for shells and readers.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Cli;
use super::error::{CliError, CliResult};
use super::ui::Ui;

#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// Write one page a command into this folder, instead of one page to standard output
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub fn completions(args: &CompletionsArgs, ui: Ui) -> CliResult {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "bursar", &mut script);
    ui.out(&String::from_utf8_lossy(&script));
    Ok(ExitCode::SUCCESS)
}

pub fn man(args: &ManArgs, ui: Ui) -> CliResult {
    if let Some(folder) = &args.out {
        let written = std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Cli::command(), folder));
        written.map_err(|error| {
            CliError::new(format!("the pages could not be written to {}", folder.display())).because(&error)
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command())
        .render(&mut page)
        .map_err(|error| CliError::new("the page could not be made").because(&error))?;
    ui.out(&String::from_utf8_lossy(&page));
    Ok(ExitCode::SUCCESS)
}
