//! `bursar apply`: plan, ask, carry out.

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::controller::{Keeping, PassError, Reconciler, Report, Source as _};
use crate::execute::{self, Progress};
use crate::manifest::Wanted;
use crate::plan::saved::Agreed;
use crate::plan::{ActionState, Plan, Selector, render, saved};
use crate::provider::Write;

use super::api::{ApiArgs, Connection};
use super::error::{CliError, CliResult};
use super::keeping::{JournalArgs, Purpose, RuleArgs};
use super::manifests::ManifestArgs;
use super::plan::{self, is_broken, show};
use super::policy::PolicyArgs;
use super::progress;
use super::saved::{Carry, Taken};
use super::scope::ScopeArgs;
use super::ui::{Form, Ui};

#[derive(Debug, clap::Args)]
#[command(mut_arg("paths", |paths| paths.help(PATHS)))]
pub struct Args {
    #[command(flatten)]
    manifests: ManifestArgs,
    #[command(flatten)]
    scope: ScopeArgs,
    /// The form of the result
    #[arg(short, long, value_enum, default_value = "text")]
    output: Form,
    /// Show each changed account as a unified diff
    #[arg(long)]
    diff: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Carry out the plan of this digest or nothing; such a plan was agreed to, so nobody is asked
    #[arg(long, value_name = "DIGEST", value_parser = digest)]
    digest: Option<String>,
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

const PATHS: &str =
    "Files or folders with manifests, `-` is standard input; or one file that `bursar plan --out` saved";

pub async fn run(mut args: Args, ui: Ui) -> CliResult {
    let taken = Taken::find(&args.manifests, Timestamp::now())?;
    if let Some(taken) = &taken {
        if args.digest.is_some() {
            return Err(CliError::new("a saved plan has its own digests").hint("leave --digest out"));
        }
        args.scope.check_absent()?;
        args.manifests = taken.manifests(args.manifests)?;
    }
    let (wanted, invalid) = args.manifests.load(ui)?;
    let selector = match &taken {
        Some(taken) => taken.selector(&args.manifests)?,
        None => args.scope.selector(&args.manifests, &wanted).await?,
    };
    let opened = args.journal.open(Purpose::Apply, ui).await?;
    for path in &args.manifests.paths {
        args.journal.check_lock(path, opened.journal.as_ref())?;
    }
    let keeping = args.rules.keeping(&opened, Purpose::Apply);
    let connection = args.api.connect().await?;
    let journal = Arc::clone(&keeping.journal);
    let done = carry_out(&args, &wanted, selector, taken.as_ref(), &connection, keeping, ui).await;
    journal.close().await;
    connection.close().await;
    done.map(|code| if invalid { ExitCode::FAILURE } else { code })
}

async fn carry_out(
    args: &Args,
    wanted: &Wanted,
    selector: Selector,
    taken: Option<&Taken>,
    connection: &Connection,
    keeping: Keeping,
    ui: Ui,
) -> CliResult {
    if let Some(taken) = taken {
        taken.check_api(&connection.api)?;
    }
    let mut reconciler = reconciler(args, selector, connection, keeping)?;
    reconciler.observe(wanted).await?;
    let plan = reconciler.plan(wanted)?.ok_or_else(|| CliError::new("nothing was observed"))?;
    if let Some(digest) = args.digest.as_ref().filter(|digest| **digest != plan.digest) {
        return Err(CliError::new(format!("the plan is another one: {}, not {digest}; nothing was done", plan.digest))
            .hint("look at it: `bursar plan`; with a journal that remembers refusals, `bursar plan --out FILE`"));
    }
    let mut carry = match taken {
        Some(taken) => Some(Carry::of(taken.compare(&reconciler, wanted, &plan)?)),
        None => None,
    };
    let part = carry.as_ref().map_or_else(|| plan.clone(), |carry| saved::part_of(&plan, &carry.hidden));
    let planned = part.accounts.iter().flat_map(|a| &a.actions).filter(|a| a.state == ActionState::Planned).count();
    if args.output == Form::Text {
        let moved = carry.as_ref().map_or_else(String::new, |carry| saved::text(&carry.comparison));
        // Where every client is named already, nothing is left to show.
        let shown = if carry.is_some() && part.accounts.is_empty() {
            String::new()
        } else {
            show(&part, plan::Output::Text, args.diff)
        };
        ui.out(&format!("{moved}{shown}"));
    }
    if planned > 0 && !args.yes && args.digest.is_none() && !asked(&part, planned, ui)? {
        return Err(CliError::new("not confirmed; nothing was done"));
    }
    reconciler.agreed = match &carry {
        Some(carry) => Some(carry.agreed(&plan)),
        // With --yes alone nobody looked: whatever turns up is carried out.
        None => (!args.yes || args.digest.is_some()).then(|| Agreed::to_all(&plan)),
    };
    if reconciler.age() > execute::STALE {
        still_agreed(&plan, wanted, &mut reconciler).await?;
    }
    let cancel = CancellationToken::new();
    let interrupted = tokio::spawn(super::interrupt(cancel.clone(), ui));
    let progress = progress::for_stream(planned as u64, ui);
    let writer = connection.writer();
    let hands = Hands { writer: writer.as_ref(), progress: &*progress, cancel: &cancel };
    let report = converge(args.wait, wanted, &mut reconciler, &hands).await;
    interrupted.abort();
    progress.finish();
    let report = report?;
    if let Some(carry) = &mut carry {
        carry.refuse(&report.besides);
    }
    Ok(told(args.output, report, carry.as_ref(), ui))
}

/// Shows what came of it, and says how the command ends.
fn told(form: Form, mut report: Report, carry: Option<&Carry>, ui: Ui) -> ExitCode {
    if let Some(carry) = carry {
        report.agreed = saved::part_of(&report.agreed, &carry.hidden);
        report.plan = saved::part_of(&report.plan, &carry.hidden);
    }
    let outcome = report.outcome();
    ui.out(&match (form, carry) {
        (Form::Text, _) => render::apply_text(&outcome),
        (Form::Json, None) => format!("{:#}\n", render::apply_json(&outcome)),
        (Form::Json, Some(carry)) => format!("{:#}\n", render::apply_json_of_saved(&outcome, &carry.comparison)),
    });
    if let Some(trouble) = &report.trouble {
        ui.warn(&format!("Error: stopped early: {trouble}"));
    }
    if report.left > 0 {
        ui.warn(&format!("Stopped before everything was done: {} planned actions were not begun.", report.left));
    }
    match carry.map_or(0, |carry| carry.comparison.refused.len()) {
        0 if !report.besides.is_empty() => {
            for (client, what) in &report.besides {
                ui.warn(&format!("{client}: something else turned up meanwhile: {what}"));
            }
            ui.warn(
                "Error: what was not agreed to was not carried out\n\
                 Hint: look at the plan anew: bursar plan",
            );
            ExitCode::FAILURE
        }
        0 => exit_code(&report),
        refused => {
            // The others were told before anything was done.
            let late = carry.iter().flat_map(|carry| &carry.comparison.refused);
            for moved in late.filter(|moved| carry.is_some_and(|carry| !carry.hidden.contains(&moved.name))) {
                ui.warn(&format!("{}: {}", moved.name, moved.moved.join("; ")));
            }
            let who = if refused == 1 { "1 client".to_owned() } else { format!("{refused} clients") };
            ui.warn(&format!(
                "Error: not carried out, for it changed since the plan was saved: {who}\n\
                 Hint: look at the plan anew, and save it: bursar plan --out FILE"
            ));
            ExitCode::FAILURE
        }
    }
}

fn reconciler(
    args: &Args,
    selector: Selector,
    connection: &Connection,
    mut keeping: Keeping,
) -> Result<Reconciler, CliError> {
    keeping.approved.extend(args.approve.iter().cloned());
    keeping.whole = args.manifests.is_whole();
    let mut reconciler = Reconciler::new(
        connection.api.clone(),
        connection.reader(),
        args.policy.policy(args.api.is_sandbox(), &args.manifests.paths)?,
        selector,
        keeping,
        fastrand::u64(..),
    );
    reconciler.options = execute::Options {
        parallelism: usize::from(args.parallelism),
        quota_patience: args.wait.max(execute::Options::default().quota_patience),
        ..execute::Options::default()
    };
    reconciler.revision = args.manifests.revision();
    Ok(reconciler)
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

/// With what a plan is carried out.
struct Hands<'a> {
    writer: &'a dyn Write,
    progress: &'a dyn Progress,
    cancel: &'a CancellationToken,
}

async fn converge(
    wait: Duration,
    wanted: &Wanted,
    reconciler: &mut Reconciler,
    hands: &Hands<'_>,
) -> Result<Report, PassError> {
    let Hands { writer, progress, cancel } = *hands;
    let until = Instant::now() + wait;
    let mut report = reconciler.converge(wanted, None, writer, progress, cancel).await?;
    let agreed = report.agreed.clone();
    let mut applied = report.take_applied();
    let mut besides = std::mem::take(&mut report.besides);
    while report.trouble.is_none()
        && let Some(due) = reconciler.memory().next_due().filter(|due| *due <= until)
    {
        tokio::select! {
            () = tokio::time::sleep_until(due) => {}
            () = cancel.cancelled() => break,
        }
        reconciler.memory().take_due(Instant::now());
        match look_again(wanted, reconciler, hands).await {
            Ok(again) => report = again,
            // What was done before must be told all the same.
            Err(trouble) => report.trouble = Some(trouble),
        }
        for (client, actions) in report.take_applied() {
            applied.entry(client).or_default().extend(actions);
        }
        besides.append(&mut report.besides);
    }
    report.put_applied(applied);
    report.agreed = agreed;
    report.besides = besides;
    Ok(report)
}

/// Goes on with what is due by now.
async fn look_again(wanted: &Wanted, reconciler: &mut Reconciler, hands: &Hands<'_>) -> Result<Report, PassError> {
    let Hands { writer, progress, cancel } = *hands;
    reconciler.observe(wanted).await?;
    reconciler.converge(wanted, None, writer, progress, cancel).await
}

fn digest(raw: &str) -> Result<String, String> {
    let hex = raw.strip_prefix("sha256:").filter(|hex| hex.len() == 64);
    match hex.filter(|hex| hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))) {
        Some(_) => Ok(raw.to_owned()),
        None => Err("expected sha256: and 64 digits, as `bursar plan -o json` tells".to_owned()),
    }
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
