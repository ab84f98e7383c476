//! `bursar plan`: the dry run.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

use crate::controller::{Recall, Reconciler};
use crate::domain::mask;
use crate::manifest::{Loaded, Wanted};
use crate::plan::render::{self, GithubOptions};
use crate::plan::{AccountPlan, AccountState, ActionState, Plan, Policy, Reading, Selector};

use super::api::ApiArgs;
use super::error::{CliError, CliResult};
use super::keeping::{JournalArgs, Purpose, RuleArgs};
use super::manifests::{ManifestArgs, tell};
use super::policy::PolicyArgs;
use super::saved;
use super::scope::ScopeArgs;
use super::ui::Ui;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    manifests: ManifestArgs,
    #[command(flatten)]
    scope: ScopeArgs,
    /// The form of the result
    #[arg(short, long, value_enum, default_value = "text")]
    output: Output,
    /// Show each changed account as a unified diff
    #[arg(long)]
    diff: bool,
    /// Save the plan, too: `bursar apply FILE` carries out what of it still fits, for 24 hours
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Exit with 2 where something is planned, blocked or manual
    #[arg(long)]
    detailed_exitcode: bool,
    /// Show emails as j***@acme.example with a short hash; so by default in Markdown and on GitHub
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true, default_missing_value = "yes")]
    mask_emails: Option<Mask>,
    /// Plan against what `bursar snapshot` wrote: without a token, a request, or a journal
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sandbox", "out"])]
    against: Option<PathBuf>,
    #[command(flatten)]
    api: ApiArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    journal: JournalArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

/// The form of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    Text,
    /// For programs
    Json,
    /// For a comment on a pull request
    Markdown,
    /// For a step on GitHub: annotations, and its summary and outputs where it has files for them
    Github,
}

/// Whether emails are masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mask {
    /// Masked
    Yes,
    /// As they are
    No,
}

impl Args {
    /// Whether emails are masked in what is shown.
    fn masks(&self) -> bool {
        self.mask_emails.map_or(matches!(self.output, Output::Markdown | Output::Github), |mask| mask == Mask::Yes)
    }
}

pub async fn run(args: Args, ui: Ui) -> CliResult {
    if let Some(file) = &args.out {
        saved::check_out(file, &args.manifests)?;
    }
    let loaded = args.manifests.loaded()?;
    // On GitHub they are annotations.
    if args.output != Output::Github {
        tell(&loaded.findings, ui);
    }
    let masked = args.masks();
    let folder = args.manifests.folder();
    let github = GithubOptions { findings: &loaded.findings, folder: &folder, masked };
    let plan = match planned(&args, &loaded, ui).await {
        Ok(plan) => plan,
        Err(error) => {
            if args.output == Output::Github {
                let why = error.to_string();
                ui.commands(&render::github_without_plan(why.trim_start_matches("Error: "), &github));
            }
            return Err(error);
        }
    };
    let code = if loaded.has_errors() { 1 } else { exit_code(&plan, args.detailed_exitcode) };
    match (args.output, masked) {
        (Output::Github, _) => super::github::show(&plan, &github, code, ui)?,
        (Output::Markdown, _) => ui.out(&render::markdown(&plan, masked)),
        (_, true) => ui.out(&mask(&show(&plan, args.output, args.diff))),
        (_, false) => ui.out(&show(&plan, args.output, args.diff)),
    }
    Ok(ExitCode::from(code))
}

async fn planned(args: &Args, loaded: &Loaded, ui: Ui) -> Result<Plan, CliError> {
    let policy = args.policy.policy(args.api.is_sandbox(), &args.manifests.paths)?;
    args.manifests.check_strict(loaded)?;
    let wanted = &loaded.wanted;
    let selector = args.scope.selector(&args.manifests, wanted).await?;
    match &args.against {
        Some(file) => super::against::plan(file, wanted, &policy, &selector),
        None => live(args, policy, selector, wanted, ui).await,
    }
}

/// The plan for what the API shows now.
async fn live(args: &Args, policy: Policy, selector: Selector, wanted: &Wanted, ui: Ui) -> Result<Plan, CliError> {
    let opened = args.journal.open(Purpose::Plan, ui).await?;
    let mut keeping = args.rules.keeping(&opened, Purpose::Plan);
    if args.out.is_some() {
        // `apply` tries again what was refused before, so what it is to carry out says so.
        keeping.recall = Recall::Nothing;
    }
    let connection = args.api.connect().await?;
    let mut reconciler =
        Reconciler::new(connection.api.clone(), connection.reader(), policy, selector, keeping, fastrand::u64(..));
    let planned = match reconciler.observe(wanted).await {
        Ok(()) => reconciler.plan(wanted),
        Err(error) => Err(error),
    };
    connection.close().await;
    let plan = planned?.ok_or_else(|| CliError::new("nothing was observed"))?;
    if let Some(file) = &args.out {
        saved::write(file, &args.manifests, &reconciler, wanted, &plan, args.masks())?;
    }
    Ok(plan)
}

/// The plan as the command line shows it.
pub fn show(plan: &Plan, output: Output, diff: bool) -> String {
    match output {
        Output::Text => render::text(plan, &render::TextOptions { diff, styles: true }),
        Output::Json => format!("{:#}\n", render::json(plan)),
        // A step's summary is the comment.
        Output::Markdown | Output::Github => render::markdown(plan, true),
    }
}

/// Whether an account makes the exit code 1: its manifest does not hold, something failed,
/// or its details could not be read. A server that offers no reading of them is no failure.
pub fn is_broken(account: &AccountPlan) -> bool {
    let unread = account.observed.as_ref().is_some_and(|observed| {
        matches!(observed.members, Reading::Failed(_)) || matches!(observed.subscription, Reading::Failed(_))
    });
    match account.state {
        AccountState::Invalid | AccountState::Failed => true,
        AccountState::Suspended => false,
        AccountState::Blocked
        | AccountState::Manual
        | AccountState::Unknown
        | AccountState::Changes
        | AccountState::Waiting
        | AccountState::InSync => unread,
    }
}

fn exit_code(plan: &Plan, detailed: bool) -> u8 {
    let open = |state: ActionState| matches!(state, ActionState::Planned | ActionState::Blocked | ActionState::Manual);
    if plan.accounts.iter().any(is_broken) {
        1
    } else if detailed && plan.accounts.iter().flat_map(|account| &account.actions).any(|action| open(action.state)) {
        2
    } else {
        0
    }
}
