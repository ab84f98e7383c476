//! Reading manifests for plan, apply and run.

use std::path::PathBuf;

use crate::controller::{Reading, Source};
use crate::manifest::{self, Finding, LoadOptions, Wanted};
use crate::plan::Selector;
use crate::source::folder;

use super::error::CliError;
use super::ui::Ui;

#[derive(Debug, Clone, clap::Args)]
pub struct ManifestArgs {
    /// Files or folders with manifests; `-` is standard input
    #[arg(value_name = "PATH", default_value = ".")]
    pub paths: Vec<PathBuf>,
    /// Only clients with these labels, `wave=canary,tier!=gold`
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub selector: Option<Selector>,
    /// Do nothing at all while any document is invalid
    #[arg(long)]
    pub strict: bool,
}

impl ManifestArgs {
    /// The selector; everything without one.
    pub fn selector(&self) -> Selector {
        self.selector.clone().unwrap_or_default()
    }

    /// Reads and checks; tells every finding on standard error. The second value is whether
    /// something is invalid.
    ///
    /// # Errors
    /// The source cannot be read, or with `--strict` something is invalid.
    pub fn load(&self, ui: Ui) -> Result<(Wanted, bool), CliError> {
        let files = folder::read(&self.paths)?;
        let loaded = manifest::load(&files, &LoadOptions::default());
        for finding in &loaded.findings {
            if finding.is_error() {
                ui.warn(&manifest::render_findings(&files, std::slice::from_ref(finding), true));
            } else {
                ui.say(&manifest::render_findings(&files, std::slice::from_ref(finding), true));
            }
        }
        let invalid = loaded.findings.iter().any(Finding::is_error);
        if self.strict && invalid {
            return Err(CliError::new("some manifests do not hold, and --strict refuses the rest, too; nothing was done"));
        }
        Ok((loaded.wanted, invalid))
    }
}

impl Source for ManifestArgs {
    fn read(&self) -> Result<Reading, String> {
        let files = folder::read(&self.paths).map_err(|error| error.to_string())?;
        let watched = files.watched().to_vec();
        let loaded = manifest::load(&files, &LoadOptions::default());
        if self.strict && loaded.findings.iter().any(Finding::is_error) {
            let first = loaded.findings.iter().find(|f| f.is_error()).map(Finding::one_line).unwrap_or_default();
            return Err(format!("some manifests do not hold, and --strict keeps everything as it was: {first}"));
        }
        Ok(Reading { wanted: loaded.wanted, findings: loaded.findings, watched })
    }
}
