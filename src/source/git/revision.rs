//! Which commit a folder of manifests is at: for the history, never for a decision.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use crate::source::names::Place;

use super::address::CommitId;
use super::command::{Git, LISTING, Run};
use super::objects::{self, EntryKind, path_of};

/// So many files are compared in one run: their names have to fit in a command.
const AT_ONCE: usize = 100;

/// The commit that the folder's working tree is at, with `-dirty` behind it where a manifest
/// in the folder is not as it was committed. `None` where it is in no repository, or there is
/// no `git` here.
///
/// The files are compared as they are, byte by byte, so no filter of the repository's runs, as
/// it would for `git status`; what a filter changed is not as it was committed.
pub fn of(folder: &Path) -> Option<String> {
    let folder = if folder.is_dir() { folder } else { folder.parent()? };
    let git = Git::around(folder);
    let commit = git.text("asking for the commit", &["rev-parse", "--verify", "HEAD"]).ok()?;
    let commit = CommitId::parse(&commit)?;
    let clean = is_clean(&git, folder, &commit)?;
    Some(if clean { commit.to_string() } else { format!("{commit}-dirty") })
}

/// Whether each manifest is as it was committed, and there is none besides; `None` where that
/// cannot be told.
fn is_clean(git: &Git, folder: &Path, commit: &CommitId) -> Option<bool> {
    let entries = objects::list(git, commit, &[]).ok()?;
    let mut committed: BTreeSet<&[u8]> = BTreeSet::new();
    let mut files: Vec<(&[u8], &str)> = Vec::new();
    for entry in entries.iter().filter(|entry| is_manifest(&entry.path)) {
        committed.insert(&entry.path);
        let place = folder.join(path_of(&entry.path));
        match (entry.kind, fs::symlink_metadata(&place)) {
            (EntryKind::Link, _) => {
                let target = git.bytes("reading a link", &["cat-file", "blob", &entry.object]).ok()?;
                if fs::read_link(&place).map_or(true, |there| there.as_os_str().as_encoded_bytes() != target) {
                    return Some(false);
                }
            }
            (EntryKind::File, Ok(found)) if found.is_file() => files.push((&entry.path, &entry.object)),
            _ => return Some(false),
        }
    }
    // What is in the index, and what is nowhere but in the folder.
    let args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let present = git.bytes("listing the folder", &args).ok()?;
    if present.split(|byte| *byte == 0).any(|path| is_manifest(path) && !committed.contains(path)) {
        return Some(false);
    }
    for some in files.chunks(AT_ONCE) {
        let paths: Vec<_> = some.iter().map(|(path, _)| path_of(path)).collect();
        let mut run = Run::new("comparing the files", &["hash-object", "--no-filters", "--"]);
        run.args.extend(paths.iter().map(|path| -> &OsStr { path.as_os_str() }));
        run.most = LISTING;
        let hashes = String::from_utf8(git.run(run).and_then(|ran| ran.well()).ok()?).ok()?;
        if !hashes.lines().eq(some.iter().map(|(_, object)| *object)) {
            return Some(false);
        }
    }
    Some(true)
}

/// By its path below the folder, as it would be read there.
fn is_manifest(path: &[u8]) -> bool {
    Place::of(path) == Place::Manifest
}

#[cfg(test)]
mod tests {
    use super::super::scratch::{self, git};
    use super::*;

    #[test]
    fn a_folder_is_at_a_commit_and_dirty_when_it_was_edited_since() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        assert_eq!(of(path), None, "no repository");
        git(path, &["init", "-q"]);
        assert_eq!(of(path), None, "no commit yet");
        std::fs::write(path.join("acme.yaml"), "a: 1\n").unwrap();
        scratch::commit(path, "first");
        let commit = of(path).unwrap();
        assert_eq!(commit.len(), 40, "{commit}");
        assert_eq!(of(&path.join("acme.yaml")), Some(commit.clone()), "a file's folder");
        std::fs::write(path.join(".hidden.yaml"), "h: 1\n").unwrap();
        assert_eq!(of(path), Some(commit.clone()), "what is hidden is no manifest");
        std::fs::write(path.join("beta.yaml"), "b: 1\n").unwrap();
        assert_eq!(of(path), Some(format!("{commit}-dirty")));
    }

    #[cfg(unix)]
    #[test]
    fn no_filter_of_the_repository_runs_to_tell_whether_something_was_edited() {
        let folder = tempfile::tempdir().unwrap();
        let (path, marker) = (folder.path(), folder.path().join("marker"));
        let run = |args: &[&str]| git(path, args);
        run(&["init", "-q"]);
        for name in ["acme.yaml", "beta.yaml"] {
            std::fs::write(path.join(name), "a: 1\n").unwrap();
        }
        scratch::commit(path, "first");
        let commit = of(path).unwrap();
        let touch = format!("touch '{}'; cat", marker.display());
        for key in ["filter.x.clean", "filter.x.smudge", "filter.x.process", "core.fsmonitor", "diff.x.textconv"] {
            run(&["config", key, &touch]);
        }
        std::fs::write(path.join(".git/info/attributes"), "*.yaml filter=x diff=x\n").unwrap();
        std::fs::write(path.join(".gitattributes"), "* filter=x\n").unwrap();
        // Written anew as it was: git would have to look into it.
        std::fs::write(path.join("acme.yaml"), "a: 1\n").unwrap();
        std::fs::write(path.join("notes.txt"), "no manifest").unwrap();
        assert_eq!(of(path), Some(commit.clone()));
        for dirty in [
            &|| std::fs::write(path.join("acme.yaml"), "a: 2\n").unwrap(),
            &|| std::fs::remove_file(path.join("acme.yaml")).unwrap(),
            &|| std::os::unix::fs::symlink("beta.yaml", path.join("acme.yaml")).unwrap(),
        ] as [&dyn Fn(); 3]
        {
            dirty();
            assert_eq!(of(path), Some(format!("{commit}-dirty")));
        }
        assert!(!marker.exists());
        run(&["-c", "core.fsmonitor=false", "status"]);
        assert!(marker.exists(), "what `git status` would have done");
    }
}
