//! `bursar approve`: a running daemon's plan may pass the rails, once, by its digest.

use std::process::ExitCode;

use crate::domain::MachineClock;
use crate::domain::text::inert;
use crate::journal::people::Person;
use crate::journal::{EntryKind, Query, Rules};

use super::beside::{BesideArgs, ByArgs, Desk, not_taken};
use super::error::{CliError, CliResult};
use super::resolve::NEXT_PASS;
use super::ui::Ui;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The digest of the plan, `sha256:` and 64 characters: `bursar history --kind rail_tripped` and
    /// `bursar plan` tell it
    #[arg(value_name = "DIGEST", value_parser = digest)]
    digest: String,
    #[command(flatten)]
    by: ByArgs,
    #[command(flatten)]
    beside: BesideArgs,
}

fn digest(raw: &str) -> Result<String, String> {
    let hex = raw.strip_prefix("sha256:").unwrap_or_default();
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if hex.len() == 64 && hex.bytes().all(is_hex) {
        Ok(raw.to_owned())
    } else {
        Err("expected sha256: and 64 characters of 0-9 and a-f".to_owned())
    }
}

pub async fn run(args: Args, ui: Ui) -> CliResult {
    let desk = args.beside.open().await?;
    let done = approved(&args, &desk).await;
    let tripped = desk.closing(done).await?;
    let which = if tripped.is_empty() { String::new() } else { format!(" {}", tripped.join(", ")) };
    ui.out(&format!("Plan {} may pass the rails{which}, once.\n{NEXT_PASS}\n", args.digest));
    if tripped.is_empty() {
        ui.warn("No rail is tripped that the journal knows of. If the plan is another one by then, nothing passes.");
    }
    Ok(ExitCode::SUCCESS)
}

/// Approves, and tells which caps are tripped there.
async fn approved(args: &Args, desk: &Desk) -> Result<Vec<String>, CliError> {
    let query = Query { kinds: vec![EntryKind::RailTripped], ..Query::default() };
    let history = desk.journal.history(&query).await?;
    let stopped: Vec<_> = history.iter().filter(|at| at.entry.message.contains(&args.digest)).collect();
    let view = desk.one(&format!("plan {}", inert(&args.digest)), |view| {
        stopped.is_empty() || stopped.iter().any(|at| at.entry.scope == view.card.id)
    })?;
    let view = view.ok_or_else(|| {
        CliError::new("the journal holds nothing yet, so no plan of it can have been stopped")
            .hint("give the digest to `bursar apply --approve` instead")
    })?;
    let name = args.by.name();
    let person = Person::new(desk.journal.as_ref(), &name, &MachineClock, Rules::default());
    person.approve(&view.card.id, &args.digest).await.map_err(|error| not_taken(&error))
}
