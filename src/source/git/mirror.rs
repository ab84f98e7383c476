//! Our own copy of a repository, a bare one without a working tree, and beside it the last
//! good commit: one process at a time, bounded on disk, thrown away when it does not hold.

use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::address::{Address, Branch, CommitId, TreePath};
use super::command::{Git, Input, Run, of_mirror};
use super::error::GitError;

/// What was fetched last.
const NEW: &str = "refs/bursar/new";
/// As many fetches leave as many packs; then a fresh copy takes the old one's place.
const MOST_PACKS: usize = 50;
/// How far back is looked at first for the last good commit, and then.
const DEPTHS: [&str; 3] = ["50", "1000", EVERYTHING];
/// Git's own word for all of the history.
const EVERYTHING: &str = "2147483647";
/// Larger files are not read, so they need not come over either, where the server can leave
/// them out.
const FILTER: &str = "--filter=blob:limit=1048577";
/// How often a lock is tried that another process holds.
const LOCK_TRIES: Duration = Duration::from_millis(50);

/// The folder of one followed branch.
#[derive(Debug, Clone)]
pub(super) struct Mirror {
    folder: PathBuf,
}

/// What is to be fetched, and from where.
#[derive(Debug)]
pub(super) struct Wish<'a> {
    pub(super) address: &'a Address,
    pub(super) branch: &'a Branch,
    /// The history is to reach back to this one.
    pub(super) back_to: Option<&'a CommitId>,
    pub(super) quota: u64,
}

/// What came.
#[derive(Debug)]
pub(super) struct Brought {
    pub(super) commit: CommitId,
    /// It comes after the one that was asked for.
    pub(super) descends: bool,
}

impl Mirror {
    /// The folder for a branch, below the folder of all of them.
    pub(super) fn new(all: &Path, address: &Address, branch: &Branch, path: &TreePath) -> Self {
        let mut hash = Sha256::new();
        for part in [address.argument().as_encoded_bytes(), branch.reference().as_bytes(), path.as_str().as_bytes()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let name: String = hash.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        Self { folder: all.join(name) }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The bare repository.
    pub(super) fn repository(&self) -> PathBuf {
        self.folder.join("repository.git")
    }

    /// One that takes its place once it is whole.
    fn fresh(&self) -> PathBuf {
        self.folder.join("fresh.git")
    }

    /// Makes the folder, for us alone.
    pub(super) fn make(&self) -> Result<(), GitError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.folder).map_err(of_mirror(&self.folder))
    }

    /// Keeps other processes out, and takes away what a killed
    /// fetch left. Blocks, at most so long.
    pub(super) fn lock(&self, at_most: Duration, cancel: &CancellationToken) -> Result<File, GitError> {
        let failed = of_mirror(&self.folder);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(self.folder.join("lock"));
        let file = file.map_err(&failed)?;
        let until = Instant::now() + at_most;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(cause)) => return Err(failed(cause)),
                Err(TryLockError::WouldBlock) if cancel.is_cancelled() => return Err(GitError::Cancelled),
                Err(TryLockError::WouldBlock) if Instant::now() < until => thread::sleep(LOCK_TRIES),
                Err(TryLockError::WouldBlock) => return Err(GitError::InUse(self.folder.clone())),
            }
        }
        // Whoever held it is gone, with everything that it had started: git holds the lock too.
        self.discard_fresh()?;
        sweep(&self.repository()).map_err(&failed)?;
        Ok(file)
    }

    /// The last commit that was taken; `None` where there is none yet.
    pub(super) fn good(&self) -> Result<Option<CommitId>, GitError> {
        let mut text = String::new();
        match File::open(self.folder.join("good")).and_then(|file| file.take(128).read_to_string(&mut text)) {
            Ok(_) => Ok(CommitId::parse(text.trim())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(of_mirror(&self.folder)(cause)),
        }
    }

    /// Remembers the last commit that was taken, on disk before it returns.
    pub(super) fn keep(&self, commit: &CommitId) -> Result<(), GitError> {
        let write = || {
            let next = self.folder.join("good.next");
            let mut file = File::create(&next)?;
            writeln!(file, "{commit}")?;
            file.sync_all()?;
            fs::rename(next, self.folder.join("good"))
        };
        write().map_err(of_mirror(&self.folder))
    }

    /// Throws the copy away; the last good commit is still known.
    pub(super) fn discard(&self) -> Result<(), GitError> {
        gone(&self.repository()).map_err(of_mirror(&self.folder))
    }

    fn discard_fresh(&self) -> Result<(), GitError> {
        gone(&self.fresh()).map_err(of_mirror(&self.folder))
    }

    /// Fetches the branch, into the copy that is there, or where that fails into a fresh one
    /// that takes its place. `head` is where the branch was a moment ago.
    pub(super) fn fetch(&self, git: &Git, wish: &Wish<'_>, head: &CommitId, lock: &File) -> Result<Brought, GitError> {
        let repository = self.repository();
        if repository.join("HEAD").exists() && packs(&repository) < MOST_PACKS {
            match bring(&git.clone().with_repository(&repository), &repository, wish, lock) {
                Ok(brought) => return Ok(brought),
                Err(error @ (GitError::Slow { .. } | GitError::Cancelled | GitError::NoGit(_))) => return Err(error),
                // The copy may be at fault, or full of what nobody needs any more.
                Err(error) => tracing::debug!("{error}; fetched anew"),
            }
        }
        self.discard_fresh()?;
        let fresh = self.fresh();
        let brought =
            init(git, &fresh, head).and_then(|()| bring(&git.clone().with_repository(&fresh), &fresh, wish, lock));
        match brought {
            // It is refused; the old copy may hold what is in force.
            Ok(brought) if !brought.descends => {
                self.discard_fresh()?;
                Ok(brought)
            }
            Ok(brought) => {
                self.discard()?;
                fs::rename(&fresh, &repository).map_err(of_mirror(&self.folder))?;
                Ok(brought)
            }
            Err(error) => {
                self.discard_fresh()?;
                Err(error)
            }
        }
    }
}

/// Where the branch is: one connection, and nothing is fetched.
pub(super) fn head(git: &Git, address: &Address, branch: &Branch) -> Result<CommitId, GitError> {
    let (address, reference) = (address.argument(), branch.reference());
    let mut run = Run::new("asking the repository where the branch is", &["ls-remote", "--quiet", "--refs"]);
    run.args.extend([OsStr::new("--end-of-options"), &address, OsStr::new(&reference)]);
    let told = git.run(run)?.well()?;
    let told = String::from_utf8_lossy(&told);
    // A pattern of ls-remote's fits the end of a name, too.
    let ours = told.lines().filter_map(|line| line.split_once('\t')).find(|(_, name)| *name == reference);
    ours.and_then(|(id, _)| CommitId::parse(id)).ok_or_else(|| GitError::NoBranch(branch.clone()))
}

/// Whether a commit is here.
pub(super) fn has(git: &Git, commit: &CommitId) -> Result<bool, GitError> {
    let object = format!("{commit}^{{commit}}");
    Ok(git.run(Run::new("looking for a commit", &["cat-file", "-e", &object]))?.code == Some(0))
}

fn init(git: &Git, repository: &Path, head: &CommitId) -> Result<(), GitError> {
    let format = format!("--object-format={}", head.object_format());
    let args = ["init", "--quiet", "--bare", "--template=", "--initial-branch=none", &format, "--end-of-options"];
    let mut run = Run::new("making a copy of the repository", &args);
    run.args.push(repository.as_os_str());
    git.run(run)?.well().map(drop)
}

/// Fetches deeper and deeper, until the history reaches what it is to reach or there is no
/// more of it.
fn bring(git: &Git, repository: &Path, wish: &Wish<'_>, lock: &File) -> Result<Brought, GitError> {
    let Wish { address, branch, back_to, quota } = wish;
    let network = git.clone().with_quota(repository, *quota);
    let Some(good) = back_to else {
        fetch_to(&network, address, branch, "1", lock)?;
        return Ok(Brought { commit: fetched(git)?, descends: true });
    };
    let mut depths = DEPTHS.iter();
    loop {
        let Some(depth) = depths.next() else { return Ok(Brought { commit: fetched(git)?, descends: false }) };
        fetch_to(&network, address, branch, depth, lock)?;
        let commit = fetched(git)?;
        if is_ancestor(git, good, &commit)? {
            return Ok(Brought { commit, descends: true });
        }
        if !git.is_shallow()? {
            return Ok(Brought { commit, descends: false });
        }
    }
}

fn fetch_to(git: &Git, address: &Address, branch: &Branch, depth: &str, lock: &File) -> Result<(), GitError> {
    // By a name, for git leaves files out only where the repository it fetches from has one;
    // its address is not written into the copy, which so reaches nothing by itself.
    let mut url = OsString::from("remote.bursar.url=");
    url.push(address.argument());
    let (depth, refspec) = (format!("--depth={depth}"), format!("+{}:{NEW}", branch.reference()));
    let args = [
        "fetch",
        "--quiet",
        "--no-progress",
        "--no-tags",
        "--no-recurse-submodules",
        "--no-write-fetch-head",
        "--no-auto-maintenance",
        "--no-show-forced-updates",
        FILTER,
        &depth,
        "--end-of-options",
        "bursar",
        &refspec,
    ];
    let mut run = Run::new("fetching the branch", &args);
    run.args.splice(0..0, [OsStr::new("-c"), &url]);
    // A fetch that outlives us keeps the next process from the folder until it ends.
    run.input = Input::Lock(lock.try_clone().map_err(of_mirror(Path::new("lock")))?);
    git.run(run)?.well().map(drop)
}

/// What was fetched, as a commit.
fn fetched(git: &Git) -> Result<CommitId, GitError> {
    let object = format!("{NEW}^{{commit}}");
    let ran = git.run(Run::new("looking at what was fetched", &["rev-parse", "--verify", "--quiet", &object]))?;
    let failed = ran.failed();
    let told = ran.well()?;
    CommitId::parse(String::from_utf8_lossy(&told).trim()).ok_or(failed)
}

/// Whether one commit is among those before another, as far as the history is here.
fn is_ancestor(git: &Git, good: &CommitId, commit: &CommitId) -> Result<bool, GitError> {
    if !has(git, good)? {
        return Ok(false);
    }
    let args = ["merge-base", "--is-ancestor", good.as_str(), commit.as_str()];
    let ran = git.run(Run::new("comparing with the last good commit", &args))?;
    match ran.code {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => Err(ran.failed()),
    }
}

fn packs(repository: &Path) -> usize {
    let Ok(entries) = fs::read_dir(repository.join("objects/pack")) else { return 0 };
    entries.flatten().filter(|entry| entry.path().extension().is_some_and(|extension| extension == "pack")).count()
}

/// Takes away what a killed program left in a repository: half a pack, locks.
fn sweep(repository: &Path) -> io::Result<()> {
    for folder in ["", "objects/pack", "refs/bursar"] {
        let entries = match fs::read_dir(repository.join(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with("tmp_") || name.ends_with(".lock") {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}

fn gone(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
