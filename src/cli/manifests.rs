//! Reading manifests for plan, apply and run.

use std::path::PathBuf;

use crate::controller::{Reading, Source};
use crate::manifest::{self, Finding, LoadOptions, Loaded, Severity, Wanted};
use crate::plan::Selector;
use crate::source::git::revision;
use crate::source::{FileSet, SourceError, folder};

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
    /// A domain of your own agency, whose people may be in several client accounts
    #[arg(long = "own-domain", value_name = "DOMAIN")]
    own_domains: Vec<String>,
}

impl ManifestArgs {
    /// All clients of these paths.
    pub fn of(paths: Vec<PathBuf>) -> Self {
        Self { paths, selector: None, strict: false, own_domains: Vec::new() }
    }

    /// Whether no path was named.
    pub fn is_default(&self) -> bool {
        matches!(self.paths.as_slice(), [path] if path.as_os_str() == ".")
    }

    /// The selector; everything without one.
    pub fn selector(&self) -> Selector {
        self.selector.clone().unwrap_or_default()
    }

    /// How manifests are checked.
    pub fn options(&self) -> LoadOptions {
        LoadOptions { own_domains: self.own_domains.clone() }
    }

    /// Reads and checks; tells every finding on standard error. The second value is whether
    /// something is invalid.
    ///
    /// # Errors
    /// The source cannot be read, or with `--strict` something is invalid.
    pub fn load(&self, ui: Ui) -> Result<(Wanted, bool), CliError> {
        let loaded = self.loaded()?;
        tell(&loaded.findings, ui);
        let invalid = loaded.has_errors();
        self.check_strict(&loaded)?;
        Ok((loaded.wanted, invalid))
    }

    /// Reads and checks; what is wrong is the caller's to tell.
    ///
    /// # Errors
    /// The source cannot be read.
    pub fn loaded(&self) -> Result<Loaded, CliError> {
        Ok(self.read_all()?.1)
    }

    /// Refuses everything where something is invalid and `--strict` was given.
    ///
    /// # Errors
    /// That.
    pub fn check_strict(&self, loaded: &Loaded) -> Result<(), CliError> {
        if self.strict && loaded.has_errors() {
            return Err(CliError::new(
                "some manifests do not hold, and --strict refuses the rest, too; nothing was done",
            ));
        }
        Ok(())
    }

    /// The folder that files are named from, where they are.
    pub fn folder(&self) -> PathBuf {
        match self.paths.as_slice() {
            [only] if only.is_dir() => only.clone(),
            _ => PathBuf::new(),
        }
    }

    /// Whether these are all manifests of a fleet, as far as can be told: the very folder that
    /// `bursar.lock` stands in. Of a part of them nobody can tell who has left.
    pub fn is_whole(&self) -> bool {
        let [path] = self.paths.as_slice() else { return false };
        let Ok(folder) = path.canonicalize() else { return false };
        let lock = crate::journal::lock::find(path).ok().flatten();
        lock.is_some_and(|(file, _)| file.parent() == Some(folder.as_path()))
    }

    /// The files as they are, and what is in them.
    ///
    /// # Errors
    /// The source cannot be read.
    pub fn read_all(&self) -> Result<(FileSet, Loaded), SourceError> {
        let files = folder::read(&self.paths)?;
        let loaded = manifest::load(&files, &self.options());
        Ok((files, loaded))
    }
}

/// Tells findings on standard error.
pub fn tell(findings: &[Finding], ui: Ui) {
    for finding in findings {
        let text = finding.render(true);
        match finding.severity {
            Severity::Error => ui.warn(&text),
            Severity::Warning => ui.say(&text),
        }
    }
}

impl Source for ManifestArgs {
    fn revision(&self) -> Option<String> {
        self.paths.first().filter(|path| path.as_os_str() != "-").and_then(|path| revision::of(path))
    }

    fn read(&self) -> Result<Option<Reading>, String> {
        let (files, loaded) = self.read_all().map_err(|error| error.to_string())?;
        let watched = files.watched().to_vec();
        refuse_if_strict(self.strict, &loaded)?;
        let Loaded { wanted, findings, .. } = loaded;
        Ok(Some(Reading { wanted, findings, watched, revision: None }))
    }
}

/// With `--strict`, one document that does not hold keeps everything as it was.
///
/// # Errors
/// The first one.
pub fn refuse_if_strict(strict: bool, loaded: &Loaded) -> Result<(), String> {
    match loaded.findings.iter().find(|finding| finding.severity == Severity::Error) {
        Some(first) if strict => {
            Err(format!("some manifests do not hold, and --strict keeps everything as it was: {first}"))
        }
        _ => Ok(()),
    }
}
