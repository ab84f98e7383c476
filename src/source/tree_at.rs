//! The manifests as they were at a revision: read from the objects of the repository, never
//! checked out. Links and submodules are not followed; that they are there is told.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::path::{Component, Path, PathBuf};
use std::process::Stdio;

use crate::domain::text::inert;

use super::git_command::{Git, GitError};
use super::set::{FileSet, LARGEST_FILE, Problem, SourceFile};

/// The deepest folder that is read, as of folders on disk.
const DEEPEST: usize = 64;

/// What the manifests were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeAt {
    /// The files, each as it was committed.
    pub files: FileSet,
    /// Entries whose content is not known: links, submodules, folders that are too deep. What is
    /// in them is not to be taken for absent.
    pub opaque: usize,
}

/// Why there is no telling what the manifests were.
#[derive(Debug, thiserror::Error)]
pub enum TreeAtError {
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

impl TreeAtError {
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
            Self::Git(_) => "git must be installed, and able to read the repository",
        }
    }
}

/// The manifests that the paths held where `reference` and HEAD last were one. Blocks.
///
/// # Errors
/// It cannot be told completely what they were.
pub fn read(paths: &[PathBuf], reference: &str) -> Result<TreeAt, TreeAtError> {
    // A name that begins with a hyphen could be taken for an option of the program.
    if reference.is_empty() || reference.starts_with('-') || reference.contains(char::is_control) {
        return Err(TreeAtError::NotARevision(inert(reference).into_owned()));
    }
    let mut tree = TreeAt { files: FileSet::default(), opaque: 0 };
    let mut files = BTreeMap::new();
    for path in paths {
        if path.as_os_str() == "-" {
            return Err(TreeAtError::StandardInput);
        }
        let real = fs::canonicalize(path).map_err(|cause| TreeAtError::Path(shown(path), cause))?;
        let root = if real.is_dir() { real.clone() } else { real.parent().unwrap_or(&real).to_owned() };
        let git = Git::at(&root);
        let base = base(&git, path, reference)?;
        let prefix = git.text("rev-parse", &["--show-prefix"])?;
        let only = if real == root { None } else { real.file_name().map(|name| name.to_string_lossy().into_owned()) };
        let listed = git.bytes("ls-tree", &["-r", "-z", "--full-tree", &base])?;
        let entries = wanted(&listed, &prefix, only.as_deref(), &mut tree.opaque)?;
        let contents = contents(&git, &entries)?;
        for Entry { path: below, object } in entries {
            let name = match &only {
                Some(_) => path.to_string_lossy().into_owned(),
                // With several folders, paths relative to one of them would not tell which.
                None if paths.len() > 1 => path.join(&below).to_string_lossy().into_owned(),
                None => below.clone(),
            };
            let at = root.join(&below);
            let folder = at.parent().unwrap_or(&root).to_owned();
            let content = contents.get(&object).cloned().ok_or(TreeAtError::Lacking)?;
            files.insert(at, SourceFile { name, folder, path: None, content });
        }
    }
    tree.files = FileSet::new(files.into_values().collect());
    Ok(tree)
}

/// The commit at which the reference and HEAD last were one.
fn base(git: &Git, path: &Path, reference: &str) -> Result<String, TreeAtError> {
    let inside = git.text("rev-parse", &["--is-inside-work-tree"]);
    match inside {
        Ok(answer) if answer == "true" => {}
        Ok(_) => return Err(TreeAtError::NoRepository(shown(path), GitError::Answer("rev-parse"))),
        Err(error @ GitError::NotRun(_)) => return Err(error.into()),
        Err(error) => return Err(TreeAtError::NoRepository(shown(path), error)),
    }
    let shallow = || git.text("rev-parse", &["--is-shallow-repository"]).is_ok_and(|answer| answer == "true");
    let shown = || inert(reference).into_owned();
    let named = format!("{reference}^{{commit}}");
    let commit = git
        .text("rev-parse", &["--verify", "--quiet", "--end-of-options", &named])
        .ok()
        .filter(|commit| is_object(commit))
        .ok_or_else(|| TreeAtError::Unknown { reference: shown(), shallow: shallow() })?;
    git.text("merge-base", &["HEAD", &commit])
        .ok()
        .filter(|base| is_object(base))
        .ok_or_else(|| TreeAtError::Unrelated { reference: shown(), shallow: shallow() })
}

fn is_object(name: &str) -> bool {
    matches!(name.len(), 40 | 64) && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A file of the tree that is a manifest.
struct Entry {
    /// Below the root that was named.
    path: String,
    object: String,
}

/// The manifests among what the tree lists, as the reader of folders would take them.
fn wanted(listed: &[u8], prefix: &str, only: Option<&str>, opaque: &mut usize) -> Result<Vec<Entry>, TreeAtError> {
    let mut entries = Vec::new();
    for line in listed.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
        let line = String::from_utf8_lossy(line);
        let not_understood = || GitError::Answer("ls-tree");
        let (about, path) = line.split_once('\t').ok_or_else(not_understood)?;
        let mut about = about.split_ascii_whitespace();
        let (Some(mode), Some(_), Some(object)) = (about.next(), about.next(), about.next()) else {
            return Err(not_understood().into());
        };
        let Some(below) = path.strip_prefix(prefix) else { continue };
        let parts: Vec<Component<'_>> = Path::new(below).components().collect();
        let hidden = below.split('/').any(|part| part.starts_with('.'));
        if only.map_or(hidden, |only| only != below) {
            continue;
        }
        let manifest = below.ends_with(".yaml") || below.ends_with(".yml") || only.is_some();
        match mode {
            "100644" | "100755" | "100664" if manifest && parts.len() <= DEEPEST => {
                entries.push(Entry { path: below.to_owned(), object: object.to_owned() });
            }
            "100644" | "100755" | "100664" if !manifest => {}
            // A link may lead to a folder whatever its name is, and a submodule is one.
            _ => *opaque += 1,
        }
    }
    Ok(entries)
}

/// What one object holds, or what keeps it from being a manifest.
type Content = Result<Vec<u8>, Problem>;

/// The objects' bytes, each read once.
fn contents(git: &Git, entries: &[Entry]) -> Result<HashMap<String, Content>, TreeAtError> {
    let mut seen = HashSet::new();
    let objects: Vec<&Entry> = entries.iter().filter(|entry| seen.insert(entry.object.as_str())).collect();
    if objects.is_empty() {
        return Ok(HashMap::new());
    }
    let mut command = git.command("cat-file");
    command.arg("--batch").arg("--buffer").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(GitError::NotRun)?;
    let (asked, answers) = (child.stdin.take(), child.stdout.take());
    let read = std::thread::scope(|scope| {
        let objects = &objects;
        scope.spawn(move || {
            // Where nobody reads any more, the answers tell.
            let Some(mut asked) = asked.map(io::BufWriter::new) else { return };
            for entry in objects {
                let _ = writeln!(asked, "{}", entry.object);
            }
            let _ = asked.flush();
        });
        let mut answers = BufReader::new(answers.ok_or(GitError::Answer("cat-file"))?);
        objects.iter().map(|entry| Ok((entry.object.clone(), content(&mut answers, entry)?))).collect()
    });
    let _ = child.kill();
    let _ = child.wait();
    read
}

/// One answer: `<object> blob <size>`, the bytes, a line break.
fn content(answers: &mut impl io::BufRead, entry: &Entry) -> Result<Content, TreeAtError> {
    let not_understood = |_| TreeAtError::Git(GitError::Answer("cat-file"));
    let mut head = String::new();
    answers.take(256).read_line(&mut head).map_err(not_understood)?;
    let size = head.strip_prefix(&entry.object).and_then(|rest| rest.strip_prefix(" blob "));
    let Some(size) = size.and_then(|size| size.trim_end().parse::<u64>().ok()) else {
        return Err(TreeAtError::Lacking);
    };
    let kept = size.min(LARGEST_FILE as u64 + 1);
    let mut bytes = Vec::new();
    answers.by_ref().take(kept).read_to_end(&mut bytes).map_err(not_understood)?;
    let left = size - kept + 1;
    let skipped = io::copy(&mut answers.by_ref().take(left), &mut io::sink()).map_err(not_understood)?;
    if skipped != left {
        return Err(TreeAtError::Lacking);
    }
    Ok(if bytes.len() > LARGEST_FILE { Err(Problem::TooLarge { head: bytes }) } else { Ok(bytes) })
}

fn shown(path: &Path) -> String {
    inert(&path.to_string_lossy()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::folder;

    /// Runs a command of which only that it works matters.
    fn git(folder: &Path, verb: &'static str, args: &[&str]) {
        let mut command = Git::at(folder).command(verb);
        for variable in ["GIT_AUTHOR", "GIT_COMMITTER"] {
            command.env(format!("{variable}_NAME"), "Kim").env(format!("{variable}_EMAIL"), "kim@agency.example");
        }
        let output = command.args(args).output().unwrap();
        assert!(output.status.success(), "{verb} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

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
            ("clients/README.md", b"text".to_vec()),
            ("clients2/other.yaml", b"o: 1\n".to_vec()),
            ("single.txt", b"s: 1\n".to_vec()),
        ] {
            write(root, name, bytes);
        }
        git(root, "init", &["-q"]);
        git(root, "add", &["-A"]);
        git(root, "commit", &["-q", "-m", "all"]);
        let told = |set: &FileSet| -> Vec<(String, PathBuf, Content)> {
            set.files().iter().map(|file| (file.name.clone(), file.folder.clone(), file.content.clone())).collect()
        };
        for paths in [&["clients"][..], &["clients", "clients2"], &["."], &["single.txt"], &["clients", "single.txt"]] {
            let paths: Vec<PathBuf> = paths.iter().map(|path| root.join(path)).collect();
            let tree = read(&paths, "HEAD").unwrap();
            assert_eq!((told(&tree.files), tree.opaque), (told(&folder::read(&paths).unwrap()), 0), "{paths:?}");
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
        git(root, "init", &["-q"]);
        git(root, "add", &["-A"]);
        git(root, "commit", &["-q", "-m", "all"]);
        let tree = read(&[root.join("clients")], "HEAD").unwrap();
        assert_eq!((tree.files.files().len(), tree.opaque), (1, 1));
        assert_eq!(tree.files.files()[0].name, "a.yaml");
    }
}
