//! `bursar validate`: the manifests checked, offline.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::manifest::{self, Finding, LoadOptions, Loaded};
use crate::source;

use super::error::{CliError, CliResult};
use super::ui::Ui;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files and folders of manifests; `-` is standard input
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,
    /// The form of the findings
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// Take warnings for errors
    #[arg(long)]
    strict: bool,
    /// A domain of your own agency, whose people may be in several client accounts
    #[arg(long = "own-domain", value_name = "DOMAIN")]
    own_domains: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Output {
    /// For people
    #[default]
    Text,
    /// For machines
    Json,
    /// Annotations beside the line, for GitHub Actions
    Github,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}

#[derive(serde::Serialize)]
struct Report<'a> {
    format_version: &'static str,
    findings: &'a [Finding],
}

pub async fn run(args: Args, ui: Ui) -> CliResult {
    let Args { paths, output, strict, own_domains } = args;
    // Of a single folder, files are shown by their path in it.
    let folder = match paths.as_slice() {
        [only] if only.is_dir() => only.clone(),
        _ => PathBuf::new(),
    };
    let loaded = load(paths, LoadOptions { own_domains }).await?;
    let from_here = || loaded.findings.iter().map(|finding| finding.clone().below(&folder)).collect::<Vec<_>>();
    match output {
        Output::Text => {
            let mut text = String::new();
            for finding in &loaded.findings {
                text.push_str(&finding.render(true));
                text.push('\n');
            }
            text.push_str(&manifest::summary(&loaded));
            text.push('\n');
            ui.out(&text);
        }
        Output::Json => {
            let report = Report { format_version: "1.0", findings: &loaded.findings };
            ui.out(&format!("{}\n", serde_json::to_string_pretty(&report)?));
        }
        Output::Github => {
            ui.commands(&manifest::annotations(&from_here()));
            ui.warn(&manifest::summary(&loaded));
        }
        Output::Sarif => ui.out(&format!("{:#}\n", manifest::sarif(&from_here()))),
    }
    if loaded.files == 0 {
        ui.warn("Warning: no manifests found; *.yaml and *.yml files are looked for, hidden ones skipped");
    }
    let failed = loaded.has_errors() || (strict && !loaded.findings.is_empty());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Reads the paths and loads what they hold, away from the threads that serve.
pub(super) async fn load(paths: Vec<PathBuf>, options: LoadOptions) -> Result<Loaded, CliError> {
    let work = move || source::folder::read(&paths).map(|files| manifest::load(&files, &options));
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(loaded)) => Ok(loaded),
        Ok(Err(error)) => {
            Err(CliError::from(error).hint("name the folder of manifests, a manifest file, or - for standard input"))
        }
        Err(error) => Err(CliError::from(error)),
    }
}
