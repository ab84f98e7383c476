//! `bursar digest`: what waits, whom to remind, and what it costs meanwhile.

use std::process::ExitCode;

use clap::ValueEnum;
use jiff::Timestamp;

use crate::controller::Reconciler;
use crate::notify::{digest, digest_json, digest_text};

use super::api::ApiArgs;
use super::error::{CliError, CliResult};
use super::keeping::{JournalArgs, Purpose, RuleArgs};
use super::manifests::ManifestArgs;
use super::policy::PolicyArgs;
use super::ui::Ui;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    manifests: ManifestArgs,
    /// The form of the result
    #[arg(short, long, value_enum, default_value = "text")]
    output: Output,
    /// Show emails as j***@acme.example with a short hash
    #[arg(long)]
    mask_emails: bool,
    #[command(flatten)]
    api: ApiArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    journal: JournalArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    Text,
    /// For programs
    Json,
}

pub async fn run(args: Args, ui: Ui) -> CliResult {
    let policy = args.policy.policy(args.api.is_sandbox(), &args.manifests.paths)?;
    let (wanted, _) = args.manifests.load(ui)?;
    let opened = args.journal.open(Purpose::Plan, ui).await?;
    let keeping = args.rules.keeping(&opened, Purpose::Plan);
    let connection = args.api.connect().await?;
    let mut reconciler = Reconciler::new(
        connection.api.clone(),
        connection.reader(),
        policy,
        args.manifests.selector(),
        keeping,
        fastrand::u64(..),
    );
    let planned = match reconciler.observe(&wanted).await {
        Ok(()) => reconciler.plan(&wanted),
        Err(error) => Err(error),
    };
    connection.close().await;
    let nothing = || CliError::new("nothing was observed");
    let plan = planned?.ok_or_else(nothing)?;
    let offer = reconciler.offer().ok_or_else(nothing)?;
    let digest = digest(&plan, offer, &reconciler.keeper().open_since(), Timestamp::now());
    ui.out(&match args.output {
        Output::Text => digest_text(&digest, args.mask_emails),
        Output::Json => format!("{:#}\n", digest_json(&digest, args.mask_emails)),
    });
    Ok(ExitCode::SUCCESS)
}
