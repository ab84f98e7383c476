//! Which repository manifests belong to: so that what was agreed for one is not carried out
//! with another.

use std::collections::BTreeSet;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::domain::RepositoryName;
use crate::domain::text::inert;

use super::address::CommitId;
use super::command::Git;

/// Where the paths of manifests begin, and what that place is called wherever it is checked
/// out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// The folder that holds `.git`; the working directory where there is no repository.
    pub root: PathBuf,
    /// What it is called.
    pub name: RepositoryName,
}

/// Why a repository, or a path in it, cannot be named.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepositoryError {
    /// What was named is not there or cannot be looked at.
    #[error("cannot read {}", inert(&path.to_string_lossy()))]
    Unreadable {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A path leads out of the repository.
    #[error("{} does not lie in {}", inert(&path.to_string_lossy()), inert(&root.to_string_lossy()))]
    Outside {
        /// What was named.
        path: PathBuf,
        /// The root.
        root: PathBuf,
    },
    /// A path cannot be written as text.
    #[error("{} is not UTF-8", inert(&.0.to_string_lossy()))]
    NoText(PathBuf),
}

impl Repository {
    /// The repository that a folder lies in. It goes by the journal that its lock file names,
    /// where there is one. Blocks.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn around(folder: &Path, journal: Option<String>) -> Result<Self, RepositoryError> {
        let here = canonical(folder)?;
        let git_root = here.ancestors().find(|folder| folder.join(".git").exists());
        let root = git_root.unwrap_or(&here).to_owned();
        let name = journal
            .map(RepositoryName::Journal)
            .or_else(|| git_root.and_then(|root| origin(root).or_else(|| first_commits(root))))
            .unwrap_or_else(|| RepositoryName::Folder(root.to_string_lossy().into_owned()));
        Ok(Self { root, name })
    }

    /// A path as it is written relative to the root, with `/` and without links.
    ///
    /// # Errors
    /// It is not there, lies elsewhere, or is no text.
    pub fn relative(&self, path: &Path) -> Result<String, RepositoryError> {
        let real = canonical(path)?;
        let outside = |_| RepositoryError::Outside { path: path.to_owned(), root: self.root.clone() };
        let below = real.strip_prefix(&self.root).map_err(outside)?;
        let parts: Option<Vec<&str>> = below.components().map(|part| part.as_os_str().to_str()).collect();
        let parts = parts.ok_or_else(|| RepositoryError::NoText(path.to_owned()))?;
        Ok(if parts.is_empty() { ".".to_owned() } else { parts.join("/") })
    }

    /// The path that [`Self::relative`] wrote. What leads out of the root is refused, by its
    /// words or by a link.
    ///
    /// # Errors
    /// It is not there, or leads elsewhere.
    pub fn resolve(&self, relative: &str) -> Result<PathBuf, RepositoryError> {
        let outside = || RepositoryError::Outside { path: PathBuf::from(relative), root: self.root.clone() };
        let plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        if relative.is_empty() || relative.contains('\0') || !Path::new(relative).components().all(plain) {
            return Err(outside());
        }
        let real = canonical(&self.root.join(relative))?;
        if real.starts_with(&self.root) { Ok(real) } else { Err(outside()) }
    }
}

fn canonical(path: &Path) -> Result<PathBuf, RepositoryError> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    path.canonicalize().map_err(|source| RepositoryError::Unreadable { path: path.to_owned(), source })
}

fn origin(root: &Path) -> Option<RepositoryName> {
    let url =
        Git::around(root).text("asking for the origin", &["config", "--local", "--get", "remote.origin.url"]).ok()?;
    place_of(url.trim()).map(RepositoryName::Origin)
}

/// Host and path of a URL; `None` of what is not on a network.
fn place_of(url: &str) -> Option<String> {
    let (rest, path) = match url.split_once("://") {
        Some(("http" | "https" | "ssh" | "git", rest)) => rest.split_once('/')?,
        Some(_) => return None,
        // `user@host:path`: a colon before any slash, and no drive's letter.
        None => url
            .split_once(':')
            .filter(|(host, path)| host.len() > 1 && !host.contains('/') && !path.starts_with(':'))?,
    };
    let host = rest.rsplit('@').next().unwrap_or(rest).to_ascii_lowercase();
    // A query may hold a secret, and names no other repository.
    let path = path.split(['?', '#']).next().unwrap_or(path).trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path).trim_end_matches('/');
    (!host.is_empty() && !path.is_empty()).then(|| format!("{host}/{path}"))
}

fn first_commits(root: &Path) -> Option<RepositoryName> {
    // What a shallow history begins with is where it was cut.
    let git = Git::around(root);
    if git.is_shallow().ok()? {
        return None;
    }
    let listed = git.text("asking where the history begins", &["rev-list", "--max-parents=0", "HEAD"]).ok()?;
    let commits: BTreeSet<&str> = listed.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    (!commits.is_empty() && commits.iter().all(|commit| CommitId::parse(commit).is_some()))
        .then(|| RepositoryName::Root(commits.into_iter().collect::<Vec<_>>().join(" ")))
}

#[cfg(test)]
mod tests {
    use super::super::scratch::{self, git};
    use super::*;

    fn repository() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        git(folder.path(), &["init", "-q"]);
        std::fs::create_dir(folder.path().join("clients")).unwrap();
        for (file, message) in [("clients/a.yaml", "first"), ("clients/b.yaml", "second")] {
            std::fs::write(folder.path().join(file), "").unwrap();
            scratch::commit(folder.path(), message);
        }
        folder
    }

    fn of(folder: &Path) -> RepositoryName {
        Repository::around(folder, None).unwrap().name
    }

    #[test]
    fn one_place_has_one_name_whatever_way_leads_there() {
        for url in [
            "https://github.com/acme/clients.git",
            "https://x-access-token:canary@GitHub.com/acme/clients",
            "git@github.com:acme/clients.git",
            "ssh://git@github.com/acme/clients/",
            "https://github.com/acme/clients?token=canary",
        ] {
            assert_eq!(place_of(url).as_deref(), Some("github.com/acme/clients"), "{url}");
        }
        for url in ["/srv/git/clients.git", "../clients", "file:///srv/clients", "ext::sh -c x", "C:\\clients", ""] {
            assert_eq!(place_of(url), None, "{url}");
        }
    }

    #[test]
    fn a_repository_is_known_by_its_lock_file_its_origin_its_first_commit_or_its_folder() {
        let made = repository();
        let clients = made.path().join("clients");
        assert!(matches!(of(&clients), RepositoryName::Root(_)), "{:?}", of(&clients));
        let first = of(made.path());
        assert_eq!(of(&clients), first, "of a folder below");

        // A clone by path has no name of a network: its history is the same.
        let clone = tempfile::tempdir().unwrap();
        let url = format!("file://{}", made.path().display());
        git(clone.path(), &["-c", "protocol.file.allow=always", "clone", "-q", &url, "."]);
        assert_eq!(of(clone.path()), first);
        let shallow = tempfile::tempdir().unwrap();
        git(shallow.path(), &["-c", "protocol.file.allow=always", "clone", "-q", "--depth=1", &url, "."]);
        assert!(matches!(of(shallow.path()), RepositoryName::Folder(_)), "where it was cut is not where it began");

        git(shallow.path(), &["remote", "set-url", "origin", "https://canary@git.example/acme/clients.git"]);
        git(clone.path(), &["remote", "set-url", "origin", "git@git.example:acme/clients.git"]);
        assert_eq!(of(shallow.path()), RepositoryName::Origin("git.example/acme/clients".to_owned()));
        assert_eq!(of(clone.path()), of(shallow.path()));

        let locked = Repository::around(clone.path(), Some("ours".to_owned())).unwrap();
        assert_eq!(locked.name, RepositoryName::Journal("ours".to_owned()));
    }

    #[test]
    fn a_path_is_written_from_the_root_and_never_leads_out_of_it() {
        let made = repository();
        let root = made.path();
        let repository = Repository::around(&root.join("clients"), None).unwrap();
        assert_eq!(repository.relative(root).unwrap(), ".");
        assert_eq!(repository.relative(&root.join("clients/../clients/a.yaml")).unwrap(), "clients/a.yaml");
        assert_eq!(repository.resolve("clients/a.yaml").unwrap(), root.canonicalize().unwrap().join("clients/a.yaml"));
        assert_eq!(repository.resolve(".").unwrap(), root.canonicalize().unwrap());
        let elsewhere = tempfile::tempdir().unwrap();
        assert!(repository.relative(elsewhere.path()).is_err());
        for bad in ["", "..", "clients/../..", "/etc", "clients/gone", "a\0b"] {
            assert!(repository.resolve(bad).is_err(), "{bad:?}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(elsewhere.path(), root.join("link")).unwrap();
            assert!(matches!(repository.resolve("link"), Err(RepositoryError::Outside { .. })));
        }
    }
}
