//! `plan -o github`: annotations on standard output, the comment in the job summary, and the
//! outputs of the step, in the files that GitHub names for them.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::plan::Plan;
use crate::plan::render::{self, GithubOptions};

use super::error::CliError;
use super::ui::Ui;

/// What a step's summary holds at most, in bytes.
const LARGEST_SUMMARY: u64 = 1 << 20;

/// Shows the plan: the annotations always, the rest where there is a file for it.
///
/// # Errors
/// A file of GitHub's that cannot be written.
pub fn show(plan: &Plan, options: &GithubOptions<'_>, exit_code: u8, ui: Ui) -> Result<(), CliError> {
    ui.commands(&render::github(plan, options));
    let comment = render::markdown(plan, options.masked);
    if let Some(file) = named("GITHUB_STEP_SUMMARY") {
        let there = std::fs::metadata(&file).map_or(0, |found| found.len());
        if there + comment.len() as u64 > LARGEST_SUMMARY {
            ui.warn("Warning: the step's summary is full, so the plan is not in it");
        } else {
            append(&file, &comment)?;
        }
    }
    if let Some(file) = named("GITHUB_OUTPUT") {
        append(&file, &render::github_outputs(plan, exit_code, &comment, &delimiter(&comment)))?;
    }
    Ok(())
}

fn named(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// What nobody can have written into the text, for nobody knew it.
fn delimiter(text: &str) -> String {
    loop {
        let delimiter = format!("bursar-{}", uuid::Uuid::new_v4().simple());
        if !text.contains(&delimiter) {
            return delimiter;
        }
    }
}

/// Adds to a file what other commands of the step may have begun.
fn append(file: &Path, text: &str) -> Result<(), CliError> {
    let mut open = OpenOptions::new();
    let written = open.append(true).create(true).open(file).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| CliError::new(format!("{} cannot be written", file.display())).because(&error))
}
