//! `bursar apply`: plan, ask, carry out.

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::controller::{Keeping, PassError, Reconciler, Report, Source as _};
use crate::execute::{self, Progress};
use crate::manifest::Wanted;
use crate::plan::{ActionState, Plan, render};
use crate::provider::Write;

use super::api::{ApiArgs, Connection};
use super::error::{CliError, CliResult};
use super::keeping::{JournalArgs, Purpose, RuleArgs};
use super::manifests::ManifestArgs;
use super::plan::{self, is_broken, show};
use super::policy::PolicyArgs;
use super::progress;
use super::ui::{Form, Ui};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    manifests: ManifestArgs,
    /// The form of the result
    #[arg(short, long, value_enum, default_value = "text")]
    output: Form,
    /// Show each changed account as a unified diff
    #[arg(long)]
    diff: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Let the plan of this digest pass the rails, once
    #[arg(long, value_name = "DIGEST")]
    approve: Vec<String>,
    /// Go on for so long while something waits: `90s`, `10m`
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = super::duration)]
    wait: Duration,
    /// Accounts at once
    #[arg(long, value_name = "N", default_value = "8", value_parser = clap::value_parser!(u16).range(1..=64))]
    parallelism: u16,
    #[command(flatten)]
    api: ApiArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    journal: JournalArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

pub async fn run(args: Args, ui: Ui) -> CliResult {
    let (wanted, invalid) = args.manifests.load(ui)?;
    let opened = args.journal.open(Purpose::Apply, ui).await?;
    for path in &args.manifests.paths {
        args.journal.check_lock(path, opened.journal.as_ref())?;
    }
    let keeping = args.rules.keeping(&opened, Purpose::Apply);
    let connection = args.api.connect().await?;
    let journal = Arc::clone(&keeping.journal);
    let done = carry_out(&args, &wanted, &connection, keeping, ui).await;
    journal.close().await;
    connection.close().await;
    done.map(|code| if invalid { ExitCode::FAILURE } else { code })
}

async fn carry_out(args: &Args, wanted: &Wanted, connection: &Connection, mut keeping: Keeping, ui: Ui) -> CliResult {
    keeping.approved.extend(args.approve.iter().cloned());
    keeping.whole = args.manifests.is_whole();
    let mut reconciler = Reconciler::new(
        connection.api.clone(),
        connection.reader(),
        args.policy.policy(args.api.is_sandbox(), &args.manifests.paths)?,
        args.manifests.selector(),
        keeping,
        fastrand::u64(..),
    );
    reconciler.options = execute::Options {
        parallelism: usize::from(args.parallelism),
        quota_patience: args.wait.max(execute::Options::default().quota_patience),
        ..execute::Options::default()
    };
    reconciler.revision = args.manifests.revision();
    reconciler.observe(wanted).await?;
    let plan = reconciler.plan(wanted)?.ok_or_else(|| CliError::new("nothing was observed"))?;
    let planned = plan.accounts.iter().flat_map(|a| &a.actions).filter(|a| a.state == ActionState::Planned).count();
    if args.output == Form::Text {
        ui.out(&show(&plan, plan::Output::Text, args.diff));
    }
    if planned > 0 && !args.yes && !asked(&plan, planned, ui)? {
        return Err(CliError::new("not confirmed; nothing was done"));
    }
    if reconciler.age() > execute::STALE {
        still_agreed(&plan, wanted, &mut reconciler).await?;
    }
    let cancel = CancellationToken::new();
    let interrupted = tokio::spawn(super::interrupt(cancel.clone(), ui));
    let progress = progress::for_stream(planned as u64, ui);
    let writer = connection.writer();
    let report = converge(args, wanted, &mut reconciler, &writer, &*progress, &cancel).await;
    interrupted.abort();
    progress.finish();
    let report = report?;
    let outcome = report.outcome();
    ui.out(&match args.output {
        Form::Text => render::apply_text(&outcome),
        Form::Json => format!("{:#}\n", render::apply_json(&outcome)),
    });
    if let Some(trouble) = &report.trouble {
        ui.warn(&format!("Error: stopped early: {trouble}"));
    }
    if report.left > 0 {
        ui.warn(&format!("Stopped before everything was done: {} planned actions were not begun.", report.left));
    }
    Ok(exit_code(&report))
}

/// A person may have thought for long: what they agreed to must still be the plan.
async fn still_agreed(agreed: &Plan, wanted: &Wanted, reconciler: &mut Reconciler) -> Result<(), CliError> {
    reconciler.observe(wanted).await?;
    match reconciler.plan(wanted)? {
        Some(now) if now.digest == agreed.digest => Ok(()),
        _ => Err(CliError::new("something changed since the plan was shown; nothing was done")
            .hint("look at the plan again, and then carry it out")),
    }
}

async fn converge(
    args: &Args,
    wanted: &Wanted,
    reconciler: &mut Reconciler,
    writer: &Arc<dyn Write>,
    progress: &dyn Progress,
    cancel: &CancellationToken,
) -> Result<Report, PassError> {
    let until = Instant::now() + args.wait;
    let mut report = reconciler.converge(wanted, None, writer.as_ref(), progress, cancel).await?;
    let agreed = report.agreed.clone();
    let mut applied = report.take_applied();
    while report.trouble.is_none()
        && let Some(due) = reconciler.memory().next_due().filter(|due| *due <= until)
    {
        tokio::select! {
            () = tokio::time::sleep_until(due) => {}
            () = cancel.cancelled() => break,
        }
        reconciler.memory().take_due(Instant::now());
        match look_again(wanted, reconciler, writer, progress, cancel).await {
            Ok(again) => report = again,
            // What was done before must be told all the same.
            Err(trouble) => report.trouble = Some(trouble),
        }
        for (client, actions) in report.take_applied() {
            applied.entry(client).or_default().extend(actions);
        }
    }
    report.put_applied(applied);
    report.agreed = agreed;
    Ok(report)
}

async fn look_again(
    wanted: &Wanted,
    reconciler: &mut Reconciler,
    writer: &Arc<dyn Write>,
    progress: &dyn Progress,
    cancel: &CancellationToken,
) -> Result<Report, PassError> {
    reconciler.observe(wanted).await?;
    reconciler.converge(wanted, None, writer.as_ref(), progress, cancel).await
}

fn asked(plan: &Plan, planned: usize, ui: Ui) -> Result<bool, CliError> {
    if !std::io::stdin().is_terminal() {
        return Err(CliError::new("there is no terminal to ask on; nothing was done")
            .hint("look at `bursar plan`, then give --yes"));
    }
    ui.warn(&format!(
        "\nCarry out {planned} {}? The price a month goes from {} to {}. Only `yes` does it: ",
        if planned == 1 { "action" } else { "actions" },
        plan.cost.before,
        plan.cost.after
    ));
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|error| CliError::new("the answer could not be read; nothing was done").because(&error))?;
    Ok(answer.trim() == "yes")
}

fn exit_code(report: &Report) -> ExitCode {
    let accounts = &report.plan.accounts;
    let states = || accounts.iter().flat_map(|account| &account.actions).map(|action| action.state);
    let failed = report.left > 0
        || report.trouble.is_some()
        || accounts.iter().any(is_broken)
        || states().any(|state| matches!(state, ActionState::Failed | ActionState::Planned));
    if failed {
        ExitCode::FAILURE
    } else if states().any(|state| matches!(state, ActionState::Blocked | ActionState::Manual)) {
        ExitCode::from(3)
    } else {
        ExitCode::SUCCESS
    }
}
