//! `bursar schema`: the JSON Schemas, for editors and CI.

use std::process::ExitCode;

use super::error::CliResult;
use super::ui::Ui;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Of what
    #[arg(value_enum, default_value_t)]
    of: Schema,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Schema {
    /// A document of a manifest file
    #[default]
    Manifest,
}

pub async fn run(args: Args, ui: Ui) -> CliResult {
    let schema = match args.of {
        Schema::Manifest => crate::manifest::json_schema(),
    };
    ui.out(&format!("{}\n", serde_json::to_string_pretty(&schema)?));
    Ok(ExitCode::SUCCESS)
}
