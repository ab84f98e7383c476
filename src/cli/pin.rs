//! `bursar pin`: the ids of accounts into manifests.

use std::collections::BTreeSet;
use std::process::ExitCode;

use similar::TextDiff;

use crate::domain::ClientName;
use crate::domain::text::is_active;
use crate::manifest::Loaded;
use crate::pin::{self, Edited, Outcome, Pin, Pins, Word};
use crate::plan::Adopt;
use crate::source::{self, FileSet};

use super::api::ApiArgs;
use super::error::{CliError, CliResult};
use super::manifests::ManifestArgs;
use super::ui::Ui;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    manifests: ManifestArgs,
    /// Write nothing: show what would be written, as a unified diff
    #[arg(long, visible_alias = "check")]
    dry_run: bool,
    /// The account of this name is this client's, whatever its notification email is; may be given again
    #[arg(long, value_name = "CLIENT")]
    take_over: Vec<String>,
    /// The accounts of all names are the clients', whatever their notification emails are
    #[arg(long)]
    take_over_all: bool,
    /// When the id of an account found by its name is written without a word about it
    #[arg(long, env = "BURSAR_ADOPT", value_enum, default_value = "matching")]
    adopt: Adopt,
    #[command(flatten)]
    api: ApiArgs,
}

pub async fn run(args: Args, ui: Ui) -> CliResult {
    let (files, loaded) = read(&args, ui)?;
    let take_over = take_over(&args, &loaded)?;
    let connection = args.api.connect().await?;
    // The list is all that matching needs.
    let accounts = connection.reader().accounts().await;
    connection.close().await;
    let word = Word {
        adopt: args.adopt,
        take_over: &take_over,
        take_over_all: args.take_over_all,
        selector: &args.manifests.selector(),
    };
    let pins = pin::pins(&files, &loaded, &args.manifests.options(), &accounts?, &word);
    let mut failed = Vec::new();
    if args.dry_run {
        ui.out(&pins.files.iter().map(diff).collect::<String>());
    } else {
        failed.extend(pins.files.iter().filter_map(|file| Some((file, write(file).err()?))));
    }
    for (file, why) in &failed {
        ui.warn(&CliError::new(format!("{} was left as it is", shown(file))).because(why).to_string());
    }
    let lost: Vec<&str> = failed.iter().map(|(file, _)| file.file.name.as_str()).collect();
    let report = report(&pins, args.dry_run, &lost);
    // The diff is the result of a dry run; what it means is talk.
    if args.dry_run {
        ui.warn(&report)
    } else {
        ui.out(&format!("{report}\n"))
    }
    Ok(exit_code(&pins, !failed.is_empty()))
}

fn read(args: &Args, ui: Ui) -> Result<(FileSet, Loaded), CliError> {
    for path in &args.manifests.paths {
        let path_shown = crate::domain::text::inert(&path.to_string_lossy()).into_owned();
        if path.as_os_str() == "-" {
            return Err(CliError::new("standard input cannot be written").hint("name the file or folder"));
        }
        let found = std::fs::symlink_metadata(path);
        if found.is_ok_and(|found| found.is_symlink()) && !path.is_dir() {
            return Err(CliError::new(format!("{path_shown} is a symbolic link, which is not followed for writing"))
                .hint("name the file that it leads to"));
        }
    }
    let (files, loaded) = args.manifests.read_all()?;
    if args.manifests.strict && loaded.has_errors() {
        return Err(CliError::new("some manifests do not hold, and --strict refuses the rest, too; nothing was done"));
    }
    for finding in &loaded.findings {
        ui.say(&finding.render(true));
    }
    Ok((files, loaded))
}

/// The clients that are named, each of which there must be: a slip would go unnoticed.
fn take_over(args: &Args, loaded: &Loaded) -> Result<BTreeSet<ClientName>, CliError> {
    let known = |name: &ClientName| loaded.wanted.clients.iter().any(|client| client.name == *name);
    let named = args.take_over.iter().map(|raw| {
        ClientName::parse(raw).ok().filter(known).ok_or_else(|| {
            CliError::new(format!("--take-over {}: no such client", crate::domain::text::inert(raw)))
                .hint("it is the metadata.name of a ClientAccount that holds")
        })
    });
    named.collect()
}

fn write(edited: &Edited) -> Result<(), source::WriteError> {
    let Edited { file, before, after } = edited;
    match &file.path {
        Some(path) => source::replace(path, before.as_bytes(), after.as_bytes()),
        None => Err(source::WriteError::Io(std::io::Error::other("it has no path"))),
    }
}

/// Foreign text in it is inert; a carriage return at the end of a line is left out.
fn diff(edited: &Edited) -> String {
    let name = shown(edited);
    let diff = TextDiff::from_lines(&edited.before, &edited.after);
    let text = diff.unified_diff().context_radius(3).header(&format!("a/{name}"), &format!("b/{name}")).to_string();
    let lines = text.lines().map(|line| line.trim_end_matches('\r'));
    lines.map(|line| line.chars().flat_map(visible).collect::<String>() + "\n").collect()
}

fn visible(c: char) -> Vec<char> {
    if is_active(c) && c != '\t' { c.escape_unicode().collect() } else { vec![c] }
}

fn shown(edited: &Edited) -> String {
    crate::domain::text::inert(&edited.file.name).into_owned()
}

/// A line a client that there is something to say of, and the sum.
fn report(pins: &Pins, dry: bool, lost: &[&str]) -> String {
    let (mut lines, mut counts) = (Vec::new(), [0_usize; 6]);
    for Pin { name, source, outcome } in &pins.clients {
        let is_lost = lost.contains(&source.file.as_str());
        let (kind, said) = match outcome {
            Outcome::Written { id, note } if is_lost => {
                (4, Some(format!("accountId: \"{id}\" was not written, {note}")))
            }
            Outcome::Written { id, note } => (0, Some(format!("accountId: \"{id}\", {note}"))),
            Outcome::Already(_) => (1, None),
            Outcome::New => (2, None),
            Outcome::Person(why) => (3, Some(format!("! {why}"))),
            Outcome::Refused(why) => (4, Some(format!("! {why}"))),
            Outcome::Invalid(why) => (5, Some(format!("! the document does not hold: {why}"))),
        };
        counts[kind] += 1;
        lines.extend(said.map(|said| format!("{name}  {source}  {said}")));
    }
    let words = [
        if dry { "would be written" } else { "written" },
        "had one before",
        "without an account yet",
        "for a person",
        "left as they are",
        "invalid",
    ];
    let sums = counts.iter().zip(words).filter(|(n, _)| **n > 0).map(|(n, word)| format!("{n} {word}"));
    let sums: Vec<String> = sums.collect();
    lines.push(if sums.is_empty() { "No clients.".to_owned() } else { format!("Ids: {}.", sums.join(", ")) });
    lines.join("\n")
}

fn exit_code(pins: &Pins, failed: bool) -> ExitCode {
    let any = |which: fn(&Outcome) -> bool| pins.clients.iter().any(|pin| which(&pin.outcome));
    if failed || any(|outcome| matches!(outcome, Outcome::Refused(_) | Outcome::Invalid(_))) {
        ExitCode::FAILURE
    } else if any(|outcome| matches!(outcome, Outcome::Person(_))) {
        ExitCode::from(3)
    } else {
        ExitCode::SUCCESS
    }
}
