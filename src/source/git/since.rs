//! The manifests as they were at a revision: read from the objects of the repository, never
//! checked out. Links and submodules are not followed; that they are there is told.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::domain::text::inert;
use crate::source::set::{FileSet, LARGEST_FILE, Problem, SourceFile};

use super::address::CommitId;
use super::command::Git;
use super::error::GitError;
use super::objects::{self, Below, Content, Entry, EntryKind, Named, path_of, shown};

/// What the manifests were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// The files, each as it was committed.
    pub files: FileSet,
    /// Entries whose content is not known: links, submodules, folders that are too deep. What is
    /// in them is not to be taken for absent.
    pub opaque: usize,
}

/// Why there is no telling what the manifests were.
#[derive(Debug, thiserror::Error)]
pub enum EarlierError {
    /// Standard input was named.
    #[error("standard input has no history")]
    StandardInput,
    /// What was given cannot be a revision.
    #[error("`{0}` is not the name of a revision")]
    NotARevision(String),
    /// A path is in no repository, or in one that git does not trust.
    #[error("{0} is not in a Git repository that can be read")]
    NoRepository(String, #[source] GitError),
    /// The revision is not there.
    #[error("the revision `{reference}` is not in this repository")]
    Unknown {
        /// What was asked for, inert.
        reference: String,
        /// Whether the repository holds a part of its history only.
        shallow: bool,
    },
    /// Nothing leads from the one to the other.
    #[error("`{reference}` and HEAD have no common ancestor here")]
    Unrelated {
        /// What was asked for, inert.
        reference: String,
        /// Whether the repository holds a part of its history only.
        shallow: bool,
    },
    /// An object is named and not there, as in a clone that fetches when it must.
    #[error("the repository lacks an object of the earlier revision")]
    Lacking,
    /// The path itself.
    #[error("cannot read {0}")]
    Path(String, #[source] io::Error),
    /// The program.
    #[error(transparent)]
    Git(#[from] GitError),
}

impl EarlierError {
    /// What a person does about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::StandardInput => "name the folder of manifests",
            Self::NotARevision(_) => "name a branch, a tag or a commit, such as origin/main",
            Self::NoRepository(..) => {
                "name a folder in the working tree of a repository, which belongs to the user who runs this"
            }
            Self::Unknown { shallow: false, .. } => "fetch it: git fetch origin main; then it is called origin/main",
            Self::Unknown { shallow: true, .. } | Self::Unrelated { shallow: true, .. } => {
                "this is a shallow clone: fetch more of its history (git fetch --unshallow origin); actions/checkout \
                 needs fetch-depth: 0"
            }
            Self::Unrelated { shallow: false, .. } => "name a branch that this one began at",
            Self::Lacking => "this is a partial clone: fetch everything (git fetch --refetch --no-filter origin)",
            Self::Path(..) => "name the folder of manifests, or a manifest file",
            Self::Git(GitError::Many { .. }) => "name the folder of manifests alone, not one with much else in it",
            Self::Git(_) => "git must be installed, and able to read the repository",
        }
    }
}

/// The manifests that the paths held where `reference` and HEAD last were one. Blocks.
///
/// # Errors
/// It cannot be told completely what they were.
pub fn read(paths: &[PathBuf], reference: &str) -> Result<Earlier, EarlierError> {
    // A name that begins with a hyphen could be taken for an option of the program.
    if reference.is_empty() || reference.starts_with('-') || reference.contains(char::is_control) {
        return Err(EarlierError::NotARevision(inert(reference).into_owned()));
    }
    let mut files = BTreeMap::new();
    let mut opaque = 0;
    for path in paths {
        if path.as_os_str() == "-" {
            return Err(EarlierError::StandardInput);
        }
        let real = fs::canonicalize(path).map_err(|cause| EarlierError::Path(printed(path), cause))?;
        let root = if real.is_dir() { &real } else { real.parent().unwrap_or(&real) };
        let git = Git::around(root);
        let commit = base(&git, path, reference)?;
        if root == real {
            let found = folder(&git, &commit, &mut opaque)?;
            // With several folders, paths relative to one of them would not tell which.
            let shown_below = if paths.len() > 1 { path.as_path() } else { Path::new("") };
            for (below, content) in found {
                let name = shown_below.join(shown(&below)).to_string_lossy().into_owned();
                // What two of the paths name is shown as the first names it.
                let at = root.join(path_of(&below));
                files.entry(at.clone()).or_insert_with(|| file(&at, name, content));
            }
        } else if let Some(content) = single(&git, &commit, &real, &mut opaque)? {
            let name = path.to_string_lossy().into_owned();
            files.entry(real.clone()).or_insert_with(|| file(&real, name, content));
        }
    }
    Ok(Earlier { files: FileSet::new(files.into_values().collect()), opaque })
}

fn file(at: &Path, name: String, content: Content) -> SourceFile {
    SourceFile { name, folder: at.parent().unwrap_or(at).to_owned(), path: None, content }
}

/// The manifests of the folder in which git runs, by their paths below it.
fn folder(git: &Git, commit: &CommitId, opaque: &mut usize) -> Result<Vec<(Vec<u8>, Content)>, EarlierError> {
    let entries = objects::list(git, commit, &[])?;
    let below = Below::of(entries.iter().map(Entry::whole));
    *opaque += below.links.len() + below.submodules.len() + below.deep;
    let contents = contents(git, commit, &below.manifests)?;
    let manifests = below.manifests.iter().zip(contents).map(|(manifest, content)| (manifest.name.to_vec(), content));
    let operators = below.operators.iter().map(|name| (name.to_vec(), Err(Problem::Operators)));
    Ok(manifests.chain(operators).collect())
}

/// One file, whatever it is called; `None` where it was not there, or was none.
fn single(git: &Git, commit: &CommitId, real: &Path, opaque: &mut usize) -> Result<Option<Content>, EarlierError> {
    let name = real.file_name().unwrap_or(OsStr::new("."));
    let entries = objects::list(git, commit, &[name])?;
    // A folder of its name lists what is in it.
    let Some(entry) = entries.iter().find(|entry| path_of(&entry.path) == Path::new(name)) else { return Ok(None) };
    if entry.kind != EntryKind::File {
        *opaque += 1;
        return Ok(None);
    }
    Ok(contents(git, commit, &[entry.whole()])?.pop())
}

fn contents(git: &Git, commit: &CommitId, wanted: &[Named<'_>]) -> Result<Vec<Content>, EarlierError> {
    let contents = objects::contents(git, commit, wanted, LARGEST_FILE)?;
    contents.into_iter().map(|content| content.ok_or(EarlierError::Lacking)).collect()
}

/// The commit at which the reference and HEAD last were one.
fn base(git: &Git, path: &Path, reference: &str) -> Result<CommitId, EarlierError> {
    let doing = "looking for the repository";
    match git.text(doing, &["rev-parse", "--is-inside-work-tree"]) {
        Ok(answer) if answer == "true" => {}
        Ok(_) => {
            let said = "no working tree is around the folder".to_owned();
            return Err(EarlierError::NoRepository(printed(path), GitError::Failed { doing, said }));
        }
        Err(error @ GitError::Failed { .. }) => return Err(EarlierError::NoRepository(printed(path), error)),
        Err(error) => return Err(error.into()),
    }
    let shallow = || git.is_shallow().unwrap_or(false);
    let named = format!("{reference}^{{commit}}");
    let args = ["rev-parse", "--verify", "--quiet", "--end-of-options", &named];
    let reference = || inert(reference).into_owned();
    let Some(commit) = self::commit(git, "looking for the revision", &args)? else {
        return Err(EarlierError::Unknown { reference: reference(), shallow: shallow() });
    };
    let args = ["merge-base", "HEAD", commit.as_str()];
    self::commit(git, "looking for the common ancestor", &args)?
        .ok_or_else(|| EarlierError::Unrelated { reference: reference(), shallow: shallow() })
}

/// The commit that is answered; `None` where there is none.
fn commit(git: &Git, doing: &'static str, args: &[&str]) -> Result<Option<CommitId>, GitError> {
    match git.text(doing, args) {
        Ok(answer) => Ok(CommitId::parse(&answer)),
        Err(GitError::Failed { .. } | GitError::Answer(_)) => Ok(None),
        // That it took too long, for one, says nothing of the commit.
        Err(error) => Err(error),
    }
}

fn printed(path: &Path) -> String {
    inert(&path.to_string_lossy()).into_owned()
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::super::address::TreePath;
    use super::super::scratch::{commit, git};
    use super::super::tree;
    use super::*;
    use crate::source::folder;
    use crate::source::names::DEEPEST;

    fn write(root: &Path, name: &str, bytes: impl AsRef<[u8]>) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    #[test]
    fn what_was_committed_is_read_as_the_folder_is_read() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        for (name, bytes) in [
            ("clients/a.yaml", b"a: 1\n".to_vec()),
            ("clients/deep/er/b.yml", b"no line break".to_vec()),
            ("clients/deep/copy.yaml", b"a: 1\n".to_vec()),
            ("clients/empty.yaml", Vec::new()),
            ("clients/large.yaml", vec![b'x'; LARGEST_FILE + 10]),
            ("clients/largest.yaml", vec![b'y'; LARGEST_FILE]),
            ("clients/latin.yaml", vec![0xE9, 0]),
            ("clients/\u{e9} a\ttab\"quote.yaml", b"z: 1\n".to_vec()),
            ("clients/.hidden.yaml", b"h: 1\n".to_vec()),
            ("clients/.hidden/c.yaml", b"h: 1\n".to_vec()),
            ("clients/.yaml", b"h: 1\n".to_vec()),
            ("clients/policy.yaml", b"p: 1\n".to_vec()),
            ("clients/bursar.yaml", b"p: 1\n".to_vec()),
            ("clients/bursar.toml", b"p = 1\n".to_vec()),
            ("clients/.bursar.toml", b"p = 1\n".to_vec()),
            ("clients/deep/.bursar.yaml", b"p: 1\n".to_vec()),
            ("clients/deep/bursar-policy.json/x.yaml", b"in: a folder of such a name\n".to_vec()),
            ("clients/deep/bursar-policy.json/y.yaml", b"in: a folder of such a name\n".to_vec()),
            ("clients/.hidden/bursar.toml", b"p = 1\n".to_vec()),
            ("clients/folder.yaml/f.yaml", b"f: 1\n".to_vec()),
            ("clients/upper.YAML", b"u: 1\n".to_vec()),
            (&format!("clients/{}deepest.yaml", "d/".repeat(DEEPEST - 1)), b"d: 1\n".to_vec()),
            ("clients/README.md", b"text".to_vec()),
            ("clients2/other.yaml", b"o: 1\n".to_vec()),
            ("single.txt", b"s: 1\n".to_vec()),
        ] {
            write(root, name, bytes);
        }
        git(root, &["init", "-q"]);
        commit(root, "all");
        let told = |set: &FileSet| -> Vec<(String, PathBuf, Content)> {
            set.files().iter().map(|file| (file.name.clone(), file.folder.clone(), file.content.clone())).collect()
        };
        for paths in [&["clients"][..], &["clients", "clients2"], &["."], &["single.txt"], &["clients", "single.txt"]] {
            let paths: Vec<PathBuf> = paths.iter().map(|path| root.join(path)).collect();
            let tree = read(&paths, "HEAD").unwrap();
            assert_eq!((told(&tree.files), tree.opaque), (told(&folder::read(&paths).unwrap()), 0), "{paths:?}");
        }
        // A branch that is followed has no place on this machine.
        let without_place = |set: &FileSet, place: &Path| -> Vec<(String, PathBuf, Content)> {
            let below = |folder: PathBuf| folder.strip_prefix(place).unwrap().to_owned();
            told(set).into_iter().map(|(name, folder, content)| (name, below(folder), content)).collect()
        };
        for path in ["clients", "clients2", "."] {
            let place = fs::canonicalize(root.join(path)).unwrap();
            let on_disk = folder::read(std::slice::from_ref(&place)).unwrap();
            assert_eq!(
                without_place(&followed(root, path).unwrap().files, Path::new("/")),
                without_place(&on_disk, &place),
                "{path}"
            );
        }
    }

    /// Reads the newest commit as that of a branch that is followed.
    fn followed(root: &Path, path: &str) -> Result<tree::Tree, GitError> {
        let local = Git::at(root, std::time::Duration::from_secs(60), CancellationToken::new());
        let local = local.with_repository(&root.join(".git"));
        let head = CommitId::parse(git(root, &["rev-parse", "HEAD"]).trim()).unwrap();
        tree::read(&local, &head, &TreePath::parse(path).unwrap(), "bursar.lock")
    }

    #[test]
    fn a_folder_that_is_too_deep_is_never_taken_for_an_empty_one() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        write(root, "a.yaml", "a: 1\n");
        write(root, &format!("{}README", "d/".repeat(DEEPEST + 1)), "text");
        git(root, &["init", "-q"]);
        commit(root, "all");
        assert!(folder::read(&[root.to_owned()]).is_err());
        assert_eq!(read(&[root.to_owned()], "HEAD").unwrap().opaque, 1);
        let why = followed(root, ".").unwrap_err().to_string();
        assert!(why.ends_with(" has more than 64 folders one in another"), "{why}");
    }

    #[test]
    fn what_two_paths_name_is_read_once_as_the_folder_reader_has_it() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        write(root, "clients/deep/a.yaml", "a: 1\n");
        git(root, &["init", "-q"]);
        commit(root, "all");
        for paths in [["clients", "clients/../clients/deep"], ["clients/deep/../deep", "clients"]] {
            let paths: Vec<PathBuf> = paths.iter().map(|path| root.join(path)).collect();
            let names = |set: &FileSet| -> Vec<String> { set.files().iter().map(|file| file.name.clone()).collect() };
            assert_eq!(names(&read(&paths, "HEAD").unwrap().files), names(&folder::read(&paths).unwrap()));
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_are_counted_and_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        write(root, "clients/a.yaml", "a: 1\n");
        write(root, "secret.yaml", "s: 1\n");
        std::os::unix::fs::symlink("../secret.yaml", root.join("clients/b.yaml")).unwrap();
        git(root, &["init", "-q"]);
        commit(root, "all");
        let tree = read(&[root.join("clients")], "HEAD").unwrap();
        assert_eq!((tree.files.files().len(), tree.opaque), (1, 1));
        assert_eq!(tree.files.files()[0].name, "a.yaml");
    }
}
