//! What a commit of a followed branch holds: its manifests, and the file beside them.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::source::names::{DEEPEST, Place};
use crate::source::set::{FileSet, LARGEST_FILE, Problem, SourceFile};

use super::address::{CommitId, TreePath};
use super::command::{Git, Run};
use super::error::GitError;
use super::objects::{self, Below, Content, Entry, Named, path_of, shown};

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
    let named: Vec<Named<'_>> = entries.iter().filter_map(|entry| entry.below(prefix.as_bytes())).collect();
    if named.is_empty() {
        return Err(GitError::Empty { commit: commit.clone(), path: path.clone() });
    }
    let below = Below::of(named);
    if below.deep > 0 {
        return Err(GitError::Many { commit: commit.clone(), most: DEEPEST, what: "folders one in another" });
    }
    let mut files: Vec<SourceFile> = below.operators.iter().map(|name| file(name, Err(Problem::Operators))).collect();
    let contents = objects::contents(git, commit, &below.manifests, LARGEST_FILE)?;
    for (manifest, content) in below.manifests.iter().zip(contents) {
        // The server left it out, for it is larger than what we asked for.
        let left_out = || Err(Problem::Unreadable("the server does not send files of more than 1 MiB".to_owned()));
        files.push(file(manifest.name, content.unwrap_or_else(left_out)));
    }
    files.extend(links(git, commit, &below.links, &entries)?);
    Ok(Tree {
        files: FileSet::new(files),
        beside: nearest(git, &entries, path, beside)?,
        submodules: below.submodules.iter().map(|name| shown(name)).collect(),
    })
}

/// Links that look like a manifest, or lead to a folder whose manifests somebody may miss.
fn links(git: &Git, commit: &CommitId, links: &[Named<'_>], all: &[Entry]) -> Result<Vec<SourceFile>, GitError> {
    let folders: BTreeSet<&[u8]> = all.iter().flat_map(|entry| above(&entry.path)).collect();
    let targets = objects::contents(git, commit, links, TARGET)?;
    let missed = links.iter().zip(targets).filter(|(link, target)| {
        let leads = |target: &Vec<u8>| leads_to(&link.entry.path, target, &folders);
        Place::of(link.name) == Place::Manifest || matches!(target, Some(Ok(target)) if leads(target))
    });
    Ok(missed.map(|(link, _)| file(link.name, Err(Problem::Link("is not followed in a commit")))).collect())
}

fn file(name: &[u8], content: Content) -> SourceFile {
    let folder = Path::new("/").join(path_of(name).parent().unwrap_or(Path::new("")));
    SourceFile { name: shown(name), folder, path: None, content }
}

fn list(git: &Git, commit: &CommitId, path: &TreePath, beside: &str) -> Result<Vec<Entry>, GitError> {
    if path.as_str().is_empty() {
        return objects::list(git, commit, &[]);
    }
    let folder = format!("{}/", path.as_str());
    let places = places(path, beside);
    let paths: Vec<&OsStr> = std::iter::once(&folder).chain(&places).map(OsStr::new).collect();
    objects::list(git, commit, &paths)
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

/// Whether a link leads to a folder of the commit.
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
