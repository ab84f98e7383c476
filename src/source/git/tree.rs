//! Manifests as they are in a commit: read as objects, never checked out, so that no filter,
//! hook or file name does anything.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::source::set::{FileSet, LARGEST_FILE, Problem, SourceFile};

use super::address::{CommitId, TreePath};
use super::command::{Git, Input, Run};
use super::error::GitError;

/// The most that is read of a listing: some 150,000 files.
const LISTING: usize = 16 << 20;
/// The most that is read of all manifests together, in bytes.
const MANIFESTS: usize = 48 << 20;
/// Of so many files that are too large the beginning is read, for what they seem to hold.
const HEADS: usize = 16;
/// The longest target of a link that is looked at.
const TARGET: usize = 4096;

/// What a commit holds for us.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    /// The manifests, named from the folder on.
    pub files: FileSet,
    /// The file of `beside` that is nearest to the folder, in it or above: its path and text.
    pub beside: Option<(String, Vec<u8>)>,
    /// Submodules, which are not read. Raw, as all names are.
    pub submodules: Vec<String>,
}

/// Reads the manifests of a folder of a commit, and the nearest file named `beside`. Files
/// and folders that are hidden are left out, symbolic links are not followed. Blocks.
///
/// # Errors
/// The commit or the folder is not there, is too large, or cannot be read.
pub fn read(git: &Git, commit: &CommitId, path: &TreePath, beside: &str) -> Result<Tree, GitError> {
    let entries = list(git, commit, path, beside)?;
    let prefix = if path.as_str().is_empty() { String::new() } else { format!("{path}/", path = path.as_str()) };
    let folders: BTreeSet<&[u8]> = entries.iter().flat_map(|entry| above(&entry.path)).collect();
    let mut wanted: Vec<Wanted<'_>> = Vec::new();
    let mut tree = Tree::default();
    let mut found = false;
    for entry in &entries {
        let Some(name) = entry.path.strip_prefix(prefix.as_bytes()) else { continue };
        found = true;
        let hidden = name.split(|byte| *byte == b'/').any(|part| part.starts_with(b"."));
        if hidden {
            continue;
        }
        match entry.kind {
            EntryKind::File if is_manifest(name) => wanted.push(Wanted { entry, name, link: false }),
            EntryKind::Link => wanted.push(Wanted { entry, name, link: true }),
            EntryKind::Submodule => tree.submodules.push(shown(name)),
            EntryKind::File => {}
        }
    }
    if !found {
        return Err(GitError::Empty { commit: commit.clone(), path: path.clone() });
    }
    let mut contents = contents(git, commit, &wanted)?;
    let mut files = Vec::new();
    for (wanted, content) in wanted.iter().zip(contents.drain(..)) {
        let Wanted { entry, name, link } = wanted;
        let content = match (*link, content) {
            (false, content) => content,
            (true, content) => {
                let leads = content.is_ok_and(|target| leads_to(&entry.path, &target, &folders));
                if !leads && !is_manifest(name) {
                    continue;
                }
                Err(Problem::Link("is not followed in a commit"))
            }
        };
        let name = shown(name);
        let folder = Path::new("/").join(Path::new(&name).parent().unwrap_or(Path::new("")));
        files.push(SourceFile { name, folder, path: None, content });
    }
    tree.files = FileSet::new(files);
    tree.beside = nearest(git, &entries, path, beside)?;
    Ok(tree)
}

#[derive(Debug)]
struct Wanted<'a> {
    entry: &'a Entry,
    name: &'a [u8],
    link: bool,
}

/// One line of a listing.
#[derive(Debug)]
struct Entry {
    kind: EntryKind,
    object: String,
    path: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EntryKind {
    File,
    Link,
    Submodule,
}

fn list(git: &Git, commit: &CommitId, path: &TreePath, beside: &str) -> Result<Vec<Entry>, GitError> {
    let mut run = Run::new("listing the commit", &["ls-tree", "-r", "-z", "--full-tree", "--end-of-options"]);
    let mut paths = Vec::new();
    if !path.as_str().is_empty() {
        paths.push(format!("{}/", path.as_str()));
        paths.extend(places(path, beside));
    }
    run.args.push(commit.as_str().as_ref());
    run.args.extend(paths.iter().map(|path| path.as_ref() as &std::ffi::OsStr));
    run.most = LISTING;
    let told = match git.run(run) {
        Err(GitError::Loud { most, .. }) => {
            return Err(GitError::Many { commit: commit.clone(), most, what: "bytes of file names" });
        }
        ran => ran?.well()?,
    };
    Ok(told.split(|byte| *byte == 0).filter_map(entry).collect())
}

/// `MODE TYPE OBJECT\tPATH`.
fn entry(line: &[u8]) -> Option<Entry> {
    let tab = line.iter().position(|byte| *byte == b'\t')?;
    let mut words = std::str::from_utf8(&line[..tab]).ok()?.split(' ');
    let kind = match words.next()? {
        "120000" => EntryKind::Link,
        "160000" => EntryKind::Submodule,
        _ => EntryKind::File,
    };
    let object = words.nth(1)?.to_owned();
    Some(Entry { kind, object, path: line[tab + 1..].to_vec() })
}

/// The bytes of each, in their order.
fn contents(git: &Git, commit: &CommitId, wanted: &[Wanted<'_>]) -> Result<Vec<Result<Vec<u8>, Problem>>, GitError> {
    let objects: Vec<&str> = wanted.iter().map(|wanted| wanted.entry.object.as_str()).collect();
    let sizes = sizes(git, &objects)?;
    let largest = |wanted: &Wanted<'_>| if wanted.link { TARGET } else { LARGEST_FILE };
    let readable: Vec<bool> =
        wanted.iter().zip(&sizes).map(|(wanted, size)| size.is_some_and(|size| size <= largest(wanted))).collect();
    let of_all = || readable.iter().zip(&sizes).filter(|(readable, _)| **readable).filter_map(|(_, size)| *size);
    let total = of_all().fold(0usize, usize::saturating_add);
    if total > MANIFESTS {
        return Err(GitError::Many { commit: commit.clone(), most: MANIFESTS, what: "bytes of manifests" });
    }
    let asked: Vec<&str> =
        objects.iter().zip(&readable).filter(|(_, readable)| **readable).map(|(id, _)| *id).collect();
    let mut bodies = bodies(git, &asked, total)?.into_iter();
    let mut heads = 0;
    let mut out = Vec::new();
    for ((wanted, size), readable) in wanted.iter().zip(&sizes).zip(&readable) {
        out.push(match (size, readable) {
            (_, true) => Ok(bodies.next().unwrap_or_default()),
            // The server left it out, for it is larger than what we asked for.
            (None, false) => Err(Problem::Unreadable("the server does not send files of more than 1 MiB".to_owned())),
            (Some(_), false) if wanted.link || heads == HEADS => {
                Err(Problem::Unreadable("it has more than 1 MiB".to_owned()))
            }
            (Some(_), false) => {
                heads += 1;
                Err(Problem::TooLarge { head: head(git, &wanted.entry.object)? })
            }
        });
    }
    Ok(out)
}

fn lines(objects: &[&str]) -> Vec<u8> {
    objects.iter().flat_map(|object| [object.as_bytes(), b"\n"].concat()).collect()
}

/// How large each is; `None` of one that is not here.
fn sizes(git: &Git, objects: &[&str]) -> Result<Vec<Option<usize>>, GitError> {
    if objects.is_empty() {
        return Ok(Vec::new());
    }
    let doing = "reading how large the files of the commit are";
    let mut run = Run::new(doing, &["cat-file", "--batch-check=%(objecttype) %(objectsize)"]);
    run.input = Input::Bytes(lines(objects));
    run.most = LISTING;
    let ran = git.run(run)?;
    let failed = ran.failed();
    let told = String::from_utf8(ran.well()?).unwrap_or_default();
    let sizes: Vec<Option<usize>> =
        told.lines().map(|line| line.strip_prefix("blob ").and_then(|size| size.parse().ok())).collect();
    if sizes.len() == objects.len() { Ok(sizes) } else { Err(failed) }
}

/// The bytes of objects whose sizes are known, `total` in all.
fn bodies(git: &Git, objects: &[&str], total: usize) -> Result<Vec<Vec<u8>>, GitError> {
    if objects.is_empty() {
        return Ok(Vec::new());
    }
    let mut run = Run::new("reading the files of the commit", &["cat-file", "--batch=%(objectsize)"]);
    run.input = Input::Bytes(lines(objects));
    // A number, and two line breaks for each.
    run.most = total + objects.len() * 24;
    let ran = git.run(run)?;
    let failed = ran.failed();
    let told = ran.well()?;
    let mut rest = told.as_slice();
    let mut bodies = Vec::new();
    for _ in objects {
        let Some((body, behind)) = body(rest) else { return Err(failed) };
        bodies.push(body.to_vec());
        rest = behind;
    }
    Ok(bodies)
}

/// `SIZE\nBYTES\n`, and what comes behind.
fn body(told: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = told.iter().position(|byte| *byte == b'\n')?;
    let size: usize = std::str::from_utf8(&told[..end]).ok()?.parse().ok()?;
    let body = told.get(end + 1..end + 1 + size)?;
    Some((body, told.get(end + 2 + size..)?))
}

fn head(git: &Git, object: &str) -> Result<Vec<u8>, GitError> {
    let mut run = Run::new("reading a large file of the commit", &["cat-file", "blob", object]);
    (run.most, run.cut) = (LARGEST_FILE + 1, true);
    Ok(git.run(run)?.stdout)
}

/// Where the file that stands beside manifests may be: in the folder, and above it.
fn places(path: &TreePath, name: &str) -> Vec<String> {
    let folders = Path::new(path.as_str()).ancestors();
    folders.map(|folder| folder.join(name).to_string_lossy().into_owned()).collect()
}

fn nearest(git: &Git, entries: &[Entry], path: &TreePath, name: &str) -> Result<Option<(String, Vec<u8>)>, GitError> {
    for place in places(path, name) {
        let Some(entry) = entries.iter().find(|entry| entry.path == place.as_bytes()) else { continue };
        let mut run = Run::new("reading a file beside the manifests", &["cat-file", "blob", &entry.object]);
        run.cut = true;
        return Ok(Some((place, git.run(run)?.well()?)));
    }
    Ok(None)
}

/// Whether a link leads to a folder of the commit, whose manifests somebody may miss.
fn leads_to(link: &[u8], target: &[u8], folders: &BTreeSet<&[u8]>) -> bool {
    let target = String::from_utf8_lossy(target);
    let link = String::from_utf8_lossy(link);
    let mut at = PathBuf::from(link.as_ref());
    at.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if !at.pop() => return false,
            ".." => {}
            part => at.push(part),
        }
    }
    !target.starts_with('/') && (at.as_os_str().is_empty() || folders.contains(at.as_os_str().as_encoded_bytes()))
}

/// The folders above a path.
fn above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| &path[..at])
}

fn is_manifest(name: &[u8]) -> bool {
    let file = name.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    file.ends_with(b".yaml") || file.ends_with(b".yml")
}

fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}
