//! Saved plans: `plan --out FILE` writes one, `apply FILE` takes one up.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::controller::{Reconciler, Source as _};
use crate::domain::ClientName;
use crate::journal::lock;
use crate::manifest::Wanted;
use crate::plan::saved::{self, Agreed, Comparison, LARGEST, Origin, PlanPart, Saved, Scope, WorldPart};
use crate::plan::{ApiInfo, Plan, Selector, Snapshot, render};
use crate::source::git::identity::{Repository, RepositoryError};

use super::error::CliError;
use super::keeping::other_journal;
use super::manifests::ManifestArgs;

/// What to do where a saved plan is of no use.
const ANEW: &str = "nothing was done; make it anew: bursar plan --out FILE";

/// Refuses what could not be saved, before anything is read.
///
/// # Errors
/// Standard input is no place to read again; several files with one name.
pub fn check_out(file: &Path, manifests: &ManifestArgs) -> Result<(), CliError> {
    if manifests.paths.iter().any(|path| path.as_os_str() == "-") {
        return Err(CliError::new("a plan of standard input cannot be saved: nobody could read it again")
            .hint("name the files or folders"));
    }
    if file.as_os_str() == "-" || file.file_name().is_none() {
        return Err(CliError::new("--out takes the name of a file"));
    }
    Ok(())
}

/// Saves a plan. The file is this user's alone, and there at once or not at all.
///
/// # Errors
/// The manifests lie in no one place, or the file cannot be written.
pub fn write(
    file: &Path,
    manifests: &ManifestArgs,
    reconciler: &Reconciler,
    wanted: &Wanted,
    plan: &Plan,
    masked: bool,
) -> Result<(), CliError> {
    let Some(snapshot) = reconciler.snapshot() else { return Err(CliError::new("nothing was observed")) };
    let names: BTreeSet<String> =
        PlanPart::of(plan, false).planned().map(|account| account.name().to_owned()).collect();
    let saved = Saved {
        format_version: saved::FORMAT_VERSION.to_owned(),
        kind: saved::KIND.to_owned(),
        bursar_version: env!("CARGO_PKG_VERSION").to_owned(),
        saved_at: Timestamp::from_second(Timestamp::now().as_second())?,
        masked,
        api: plan.api.clone(),
        scope: scope_of(snapshot),
        source: origin_of(manifests, &reconciler.selector)?,
        plan: saved::masked_if(masked, render::json(plan)),
        world: WorldPart::of(plan, wanted, &snapshot.offer, &names, masked),
        checksum: String::new(),
    };
    let bytes = saved::seal(&saved).map_err(|error| {
        CliError::new("the plan cannot be saved")
            .because(&error)
            .hint("save it in parts, each with its own -l SELECTOR")
    })?;
    put(file, &bytes).map_err(|error| CliError::new(format!("{} cannot be written", file.display())).because(&error))
}

fn scope_of(snapshot: &Snapshot) -> Scope {
    let scope = &snapshot.identity.scope;
    Scope { user_id: scope.user_id.clone(), world_id: scope.world.clone() }
}

/// Where the manifests are, for another machine.
fn origin_of(manifests: &ManifestArgs, meant: &Selector) -> Result<Origin, CliError> {
    let ManifestArgs { paths, selector, .. } = manifests;
    let placed = |error: RepositoryError| {
        CliError::new("the plan cannot be saved")
            .because(&error)
            .hint("all manifests of a saved plan lie in one repository, or without one below the working directory")
    };
    let here = around(&manifests_root(paths), paths)?;
    let relative: Result<Vec<String>, _> = paths.iter().map(|path| here.relative(path)).collect();
    Ok(Origin {
        repository: here.name.clone(),
        revision: manifests.revision(),
        paths: relative.map_err(placed)?,
        selector: selector.as_ref().map(ToString::to_string),
        clients: meant.names().map(|names| names.iter().map(ToString::to_string).collect()),
    })
}

/// Where to look for the repository: at the manifests. Without one it is the working directory.
fn manifests_root(paths: &[PathBuf]) -> PathBuf {
    let first = paths.first().and_then(|path| path.canonicalize().ok());
    let in_one = first.filter(|path| path.ancestors().any(|folder| folder.join(".git").exists()));
    match in_one {
        Some(path) if path.is_dir() => path,
        Some(path) => path.parent().map_or_else(|| PathBuf::from("."), Path::to_owned),
        None => PathBuf::from("."),
    }
}

/// The repository around a folder, by the journal that all of these paths belong to, or by
/// its own name.
fn around(folder: &Path, paths: &[PathBuf]) -> Result<Repository, CliError> {
    let mut journals = BTreeSet::new();
    for path in paths {
        journals.insert(lock::find(path).map_err(other_journal)?.map(|(_, id)| id.to_string()));
    }
    let journal = if journals.len() == 1 { journals.pop_first().flatten() } else { None };
    Ok(Repository::around(folder, journal)?)
}

/// Writes beside the file, and puts it in its place when every byte is on disk.
fn put(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = file.file_name().unwrap_or_default().to_owned();
    beside.push(format!(".{}.tmp", uuid::Uuid::new_v4().simple()));
    let beside = file.with_file_name(beside);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&beside).and_then(|mut opened| {
        opened.write_all(bytes)?;
        opened.sync_all()?;
        std::fs::rename(&beside, file)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

/// A saved plan that was given to `apply`.
#[derive(Debug)]
pub struct Taken {
    saved: Saved<PlanPart>,
    file: PathBuf,
}

impl Taken {
    /// The saved plan among the paths, if there is one: a file that is not named `.yaml` or
    /// `.yml`, and is named `.json` or begins like JSON.
    ///
    /// # Errors
    /// It cannot be read, was changed, or is not for here and now; or there are other paths.
    pub fn find(manifests: &ManifestArgs, now: Timestamp) -> Result<Option<Self>, CliError> {
        let Some(file) = manifests.paths.iter().find(|path| is_saved_plan(path)) else { return Ok(None) };
        if manifests.paths.len() > 1 {
            return Err(CliError::new("a saved plan is carried out by itself, without other paths"));
        }
        if manifests.selector.is_some() {
            return Err(CliError::new("a saved plan has its own selector")
                .hint("leave -l out, or make another one: bursar plan -l SELECTOR --out FILE"));
        }
        let refused = |error: &(dyn std::error::Error + 'static)| {
            CliError::new(format!("the saved plan {} is refused", shown(file))).because(error)
        };
        let bytes = read(file).map_err(|error| refused(&error).hint("nothing was done"))?;
        let saved: Saved<PlanPart> = saved::open(&bytes).map_err(|error| {
            refused(&error).hint(ANEW).hint("a manifest is read as one when its name ends in .yaml")
        })?;
        saved::check(&saved, now).map_err(|error| refused(&error).hint(ANEW))?;
        Ok(Some(Self { saved, file: file.clone() }))
    }

    /// The manifests that it was made from, in the repository of the working directory.
    ///
    /// # Errors
    /// This is another repository, or they are not there.
    pub fn manifests(&self, mut given: ManifestArgs) -> Result<ManifestArgs, CliError> {
        let Origin { repository: _, revision: _, paths, selector, clients: _ } = &self.saved.source;
        let there = "run this in the repository that the plan was made for";
        // First where it is, to find the paths; then what it is called, which their lock tells.
        let root = Repository::around(Path::new("."), None)?;
        let found: Result<Vec<PathBuf>, RepositoryError> = paths.iter().map(|path| root.resolve(path)).collect();
        let named = around(Path::new("."), found.as_deref().unwrap_or(std::slice::from_ref(&root.root)))?;
        self.saved.check_repository(&named.name).map_err(|misfit| self.refused(&misfit).hint(there))?;
        let found = found.map_err(|error| self.refused(&error).hint(there))?;
        if found.is_empty() {
            return Err(CliError::new(format!("the saved plan {} is refused", shown(&self.file)))
                .hint("it names no manifests; nothing was done"));
        }
        given.paths = found;
        given.selector = selector.as_deref().map(str::parse).transpose()?;
        Ok(given)
    }

    /// The clients that it is for, of those that the manifests' own selector means.
    ///
    /// # Errors
    /// A name that is none.
    pub fn selector(&self, manifests: &ManifestArgs) -> Result<Selector, CliError> {
        let selector = manifests.selector();
        let Some(clients) = &self.saved.source.clients else { return Ok(selector) };
        let names = clients.iter().map(|name| ClientName::parse(name)).collect::<Result<_, _>>();
        Ok(selector.among(names.map_err(|error| self.refused(&error).hint(ANEW))?))
    }

    /// Whether it is for this API.
    ///
    /// # Errors
    /// It is for another one.
    pub fn check_api(&self, api: &ApiInfo) -> Result<(), CliError> {
        self.saved
            .check_api(api)
            .map_err(|misfit| self.refused(&misfit).hint("give the --api-url and --provider of then"))
    }

    /// What of it still fits a plan that was made a moment ago.
    ///
    /// # Errors
    /// It is for another user or another world.
    pub fn compare(&self, reconciler: &Reconciler, wanted: &Wanted, plan: &Plan) -> Result<Comparison, CliError> {
        let Some(snapshot) = reconciler.snapshot() else { return Err(CliError::new("nothing was observed")) };
        self.saved.check_scope(&scope_of(snapshot)).map_err(|misfit| self.refused(&misfit).hint(ANEW))?;
        let masked = self.saved.masked;
        let names: BTreeSet<String> = self.saved.plan.planned().map(|account| account.name().to_owned()).collect();
        let world = WorldPart::of(plan, wanted, &snapshot.offer, &names, masked);
        let fresh = PlanPart::of(plan, masked);
        Ok(saved::compare((&self.saved.plan, &self.saved.world), (&fresh, &world)))
    }

    fn refused(&self, why: &(dyn std::error::Error + 'static)) -> CliError {
        CliError::new(format!("the saved plan {} is refused", shown(&self.file))).because(why)
    }
}

fn shown(file: &Path) -> String {
    crate::domain::text::inert(&file.to_string_lossy()).into_owned()
}

fn is_saved_plan(path: &Path) -> bool {
    if path.as_os_str() == "-" || !path.is_file() {
        return false;
    }
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("yaml" | "yml") => false,
        Some("json") => true,
        _ => {
            let mut first = [0];
            File::open(path).and_then(|mut file| file.read_exact(&mut first)).is_ok() && first == *b"{"
        }
    }
}

/// Reads at most [`LARGEST`] bytes and one, whatever the file says about its length.
fn read(file: &Path) -> io::Result<Vec<u8>> {
    let opened = File::open(file)?;
    let most = LARGEST as u64 + 1;
    // A file that says that it is larger is not read at all.
    if opened.metadata()?.len() >= most {
        return Err(io::Error::other(saved::SealError::TooLarge));
    }
    let mut bytes = Vec::new();
    opened.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What of a saved plan is carried out.
#[derive(Debug)]
pub struct Carry {
    /// What becomes of each client.
    pub comparison: Comparison,
    /// The clients that the outcome is not about.
    pub hidden: BTreeSet<String>,
}

impl Carry {
    /// Of how a fresh plan compares.
    pub fn of(comparison: Comparison) -> Self {
        Self { hidden: comparison.hidden(), comparison }
    }

    /// What was agreed to for those that go ahead.
    pub fn agreed(&self, plan: &Plan) -> Agreed {
        Agreed::to(plan, &self.comparison.carried_out)
    }

    /// Refuses those for whom something else turned up while it was carried out.
    pub fn refuse(&mut self, besides: &[(ClientName, String)]) {
        for (client, what) in besides {
            self.comparison.refuse(client.as_str(), format!("something else turned up meanwhile: {what}"));
        }
    }
}
