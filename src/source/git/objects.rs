//! The files of a commit, read as objects and never checked out, so that no filter, hook or
//! file name does anything.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;

use crate::source::names::Place;
use crate::source::set::{LARGEST_FILE, Problem};

use super::address::CommitId;
use super::command::{Git, Input, LISTING, Run};
use super::error::GitError;

/// The most that is read of all manifests together, in bytes.
const MANIFESTS: usize = 48 << 20;
/// Of so many files that are too large the beginning is read, for what they seem to hold.
const HEADS: usize = 16;
/// What a run is for.
const LIST: &str = "listing the commit";

/// One line of a listing.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) kind: EntryKind,
    pub(super) object: String,
    /// Raw, as all names are.
    pub(super) path: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    File,
    Link,
    Submodule,
}

/// Everything that a commit has in the folder in which the program runs, or below these paths
/// from there on.
pub(super) fn list(git: &Git, commit: &CommitId, paths: &[&OsStr]) -> Result<Vec<Entry>, GitError> {
    let mut run = Run::new(LIST, &["ls-tree", "-r", "-z", "--end-of-options", commit.as_str()]);
    run.args.extend(paths);
    run.most = LISTING;
    let told = match git.run(run) {
        Err(GitError::Loud { most, .. }) => {
            return Err(GitError::Many { commit: commit.clone(), most, what: "bytes of file names" });
        }
        ran => ran?.well()?,
    };
    let lines = told.split(|byte| *byte == 0).filter(|line| !line.is_empty());
    lines.map(|line| entry(line).ok_or(GitError::Answer(LIST))).collect()
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

/// An entry, and its path below the folder of manifests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named<'a> {
    pub(super) name: &'a [u8],
    pub(super) entry: &'a Entry,
}

impl Entry {
    /// With its path as it was listed.
    pub(super) fn whole(&self) -> Named<'_> {
        Named { name: &self.path, entry: self }
    }

    /// With its path below a folder that is written with a slash at its end, or is empty.
    pub(super) fn below(&self, folder: &[u8]) -> Option<Named<'_>> {
        self.path.strip_prefix(folder).map(|name| Named { name, entry: self })
    }
}

/// What is below the folder of manifests, as the reader of folders would take it by name.
#[derive(Debug, Default)]
pub(super) struct Below<'a> {
    pub(super) manifests: Vec<Named<'a>>,
    /// Paths of what has the name of an operator's file.
    pub(super) operators: BTreeSet<&'a [u8]>,
    /// Whatever they are called, for a link may lead to a folder.
    pub(super) links: Vec<Named<'a>>,
    pub(super) submodules: Vec<&'a [u8]>,
    /// How many stand in folders that are too deep.
    pub(super) deep: usize,
}

impl<'a> Below<'a> {
    pub(super) fn of(entries: impl IntoIterator<Item = Named<'a>>) -> Self {
        let mut below = Self::default();
        for named in entries {
            match (Place::of(named.name), named.entry.kind) {
                (Place::Hidden, _) | (Place::Other, EntryKind::File) => {}
                (Place::Operators(path), _) => drop(below.operators.insert(path)),
                (Place::Deep, _) => below.deep += 1,
                (Place::Manifest, EntryKind::File) => below.manifests.push(named),
                (Place::Manifest | Place::Other, EntryKind::Link) => below.links.push(named),
                (Place::Manifest | Place::Other, EntryKind::Submodule) => below.submodules.push(named.name),
            }
        }
        below
    }
}

/// What one object holds, or what keeps it from being a manifest.
pub(super) type Content = Result<Vec<u8>, Problem>;

/// What each holds, in their order; `None` of one that is not here. Of those that are over
/// `largest` bytes nothing is taken.
pub(super) fn contents(
    git: &Git,
    commit: &CommitId,
    wanted: &[Named<'_>],
    largest: usize,
) -> Result<Vec<Option<Content>>, GitError> {
    let objects: Vec<&str> = wanted.iter().map(|named| named.entry.object.as_str()).collect();
    let sizes = sizes(git, &objects)?;
    let fits = |size: &Option<usize>| size.filter(|size| *size <= largest);
    let total = sizes.iter().filter_map(fits).fold(0usize, usize::saturating_add);
    if total > MANIFESTS {
        return Err(GitError::Many { commit: commit.clone(), most: MANIFESTS, what: "bytes of manifests" });
    }
    let asked: Vec<&str> =
        objects.iter().zip(&sizes).filter(|(_, size)| fits(size).is_some()).map(|(id, _)| *id).collect();
    let mut bodies = bodies(git, &asked, total)?.into_iter();
    let mut heads = 0;
    let mut content = |object: &str, size: &Option<usize>| {
        Ok(match (size, fits(size)) {
            (None, _) => None,
            (Some(_), Some(_)) => Some(Ok(bodies.next().unwrap_or_default())),
            (Some(_), None) if heads == HEADS => Some(Err(Problem::Unreadable("it has more than 1 MiB".to_owned()))),
            (Some(_), None) => {
                heads += 1;
                Some(Err(Problem::TooLarge { head: head(git, object)? }))
            }
        })
    };
    objects.iter().zip(&sizes).map(|(object, size)| content(object, size)).collect()
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

/// A name of git's as one of this system's.
#[cfg(unix)]
pub(super) fn path_of(name: &[u8]) -> Cow<'_, Path> {
    use std::os::unix::ffi::OsStrExt as _;
    Cow::Borrowed(Path::new(OsStr::from_bytes(name)))
}

/// A name of git's as one of this system's.
#[cfg(not(unix))]
pub(super) fn path_of(name: &[u8]) -> Cow<'_, Path> {
    Cow::Owned(String::from_utf8_lossy(name).into_owned().into())
}

/// A name as it is shown.
pub(super) fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
