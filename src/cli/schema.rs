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
    /// The operator's policy file
    Policy,
    /// The result of `plan -o json` and `apply -o json`
    Plan,
    /// What `plan --out` writes
    SavedPlan,
    /// The result of `history -o json`
    History,
    /// The result of `status -o json`, and the daemon's `/status.json`
    Status,
    /// The result of `doctor -o json`
    Doctor,
    /// The result of `charges -o json`
    Charges,
    /// What `run --notify` sends
    Notification,
    /// The result of `digest -o json`, and the daily digest of `run --notify`
    Digest,
    /// What `snapshot` writes
    Snapshot,
    /// The account API, as OpenAPI 3.1
    AccountApi,
}

pub async fn run(args: Args, ui: Ui) -> CliResult {
    let pretty = |schema| serde_json::to_string_pretty(&schema).map(|text| text + "\n");
    ui.out(&match args.of {
        Schema::Manifest => pretty(crate::manifest::json_schema())?,
        Schema::Policy => pretty(crate::plan::policy_schema())?,
        Schema::Plan => pretty(crate::plan::render::json_schema())?,
        Schema::SavedPlan => pretty(crate::plan::saved::json_schema())?,
        Schema::History => pretty(crate::journal::export::json_schema())?,
        Schema::Status => pretty(crate::controller::status::json_schema())?,
        Schema::Doctor => pretty(crate::doctor::json_schema())?,
        Schema::Charges => pretty(crate::charges::json_schema())?,
        Schema::Notification => pretty(crate::notify::note_json_schema())?,
        Schema::Digest => pretty(crate::notify::digest_json_schema())?,
        Schema::Snapshot => pretty(crate::snapshot::json_schema())?,
        Schema::AccountApi => crate::sandbox::openapi(),
    });
    Ok(ExitCode::SUCCESS)
}
