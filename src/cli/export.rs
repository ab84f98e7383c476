//! `bursar export`: manifests from the live accounts.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::controller::observe_all;
use crate::domain::text::inert;
use crate::export::{self, Folder};
use crate::manifest::LoadOptions;
use crate::plan::Snapshot;
use crate::source::LARGEST_FILE;

use super::api::ApiArgs;
use super::error::{CliError, CliResult};
use super::ui::Ui;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write into this new or empty folder, a file a client, with what most clients share said once
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    api: ApiArgs,
}

pub async fn run(args: Args, ui: Ui) -> CliResult {
    // Looked at before anything is asked: 300 requests for nothing would be a pity.
    if let Some(folder) = &args.out {
        empty(folder)?;
    }
    let connection = args.api.connect().await?;
    let seen = observe_all(connection.reader().as_ref()).await;
    connection.close().await;
    let snapshot = seen?;
    match &args.out {
        Some(folder) => to_folder(&snapshot, folder, ui),
        None => to_stdout(&snapshot, ui),
    }
}

fn to_stdout(snapshot: &Snapshot, ui: Ui) -> CliResult {
    let exported = export::manifests(snapshot, &LoadOptions::default()).map_err(not_written)?;
    ui.out(&exported.text);
    let left_out = match exported.left_out {
        0 => String::new(),
        n => format!("; {n} left out, each with a comment that says why"),
    };
    ui.say(&format!("{} written{left_out}. Check with `bursar plan`: it shows no change.", accounts(exported.written)));
    if exported.text.len() > LARGEST_FILE {
        ui.warn("This is more than 1 MiB, the most that is read from one file: split it into several, or use --out.");
    }
    Ok(ExitCode::SUCCESS)
}

fn to_folder(snapshot: &Snapshot, folder: &Path, ui: Ui) -> CliResult {
    let Folder { files, written, left_out, shared } =
        export::folder(snapshot, &LoadOptions::default()).map_err(not_written)?;
    empty(folder)?;
    for (name, text) in &files {
        write(&folder.join(name), text).map_err(|error| {
            CliError::new(format!("cannot write {} in {}", inert(name), inert(&folder.to_string_lossy())))
                .because(&error)
                .hint("what was written before it is there; take the folder away and begin anew")
        })?;
    }
    let (clients, others): (Vec<&str>, Vec<&str>) =
        files.iter().map(|(name, _)| name.as_str()).partition(|name| name.starts_with("clients/"));
    let mut lines: Vec<String> = others.into_iter().map(str::to_owned).collect();
    lines.push(match clients.as_slice() {
        [] => "clients/: nothing".to_owned(),
        [one] => (*one).to_owned(),
        many => format!("clients/: {} files", many.len()),
    });
    ui.out(&format!("{}\n", [lines, shared, left_out].concat().join("\n")));
    ui.say(&format!("{} written. Check with `bursar plan`: it shows no change.", accounts(written)));
    Ok(ExitCode::SUCCESS)
}

/// Nothing is there but hidden entries, such as a repository's own.
fn empty(folder: &Path) -> Result<(), CliError> {
    let shown = inert(&folder.to_string_lossy()).into_owned();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(CliError::new(format!("cannot read {shown}")).because(&error)),
    };
    for entry in entries {
        let name = entry.map_err(|error| CliError::new(format!("cannot read {shown}")).because(&error))?.file_name();
        if !name.as_encoded_bytes().starts_with(b".") {
            return Err(CliError::new(format!("{shown} is not empty: it holds {}", inert(&name.to_string_lossy())))
                .hint("nothing is ever overwritten; name a folder that is empty or does not exist"));
        }
    }
    Ok(())
}

/// Makes the file; one that is there is never written over.
fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

fn not_written(error: std::fmt::Error) -> CliError {
    CliError::new("an account cannot be written as a manifest").because(&error)
}

fn accounts(n: usize) -> String {
    if n == 1 { "1 account".to_owned() } else { format!("{n} accounts") }
}
