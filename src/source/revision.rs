//! Which commit a folder of manifests is at: for the history, never for a decision.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::git_command::Git;

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
    let git = Git::at(folder);
    let commit = git.text("rev-parse", &["--verify", "HEAD"]).ok()?;
    if commit.len() < 40 || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let clean = is_clean(&git, folder, &commit)?;
    Some(if clean { commit } else { format!("{commit}-dirty") })
}

/// Whether each manifest is as it was committed, and there is none besides; `None` where that
/// cannot be told.
fn is_clean(git: &Git, folder: &Path, commit: &str) -> Option<bool> {
    // A name that is no text is no manifest's that could be found again.
    let listed = git.bytes("ls-tree", &["-r", "-z", commit]).ok()?;
    let listed = String::from_utf8_lossy(&listed);
    let mut committed = BTreeSet::new();
    let mut files: Vec<(&str, &str)> = Vec::new();
    for line in listed.split_terminator('\0') {
        // `MODE TYPE OBJECT\tPATH`.
        let (about, path) = line.split_once('\t')?;
        let mut about = about.split(' ');
        let (mode, object) = (about.next()?, about.nth(1)?);
        if !is_manifest(path) {
            continue;
        }
        committed.insert(path);
        let place = path_in(folder, path);
        match (mode, fs::symlink_metadata(&place)) {
            ("120000", _) => {
                let target = git.bytes("cat-file", &["blob", object]).ok()?;
                if fs::read_link(&place).map_or(true, |there| there.as_os_str().as_encoded_bytes() != target) {
                    return Some(false);
                }
            }
            (_, Ok(found)) if found.is_file() => files.push((path, object)),
            _ => return Some(false),
        }
    }
    // What is in the index, and what is nowhere but in the folder.
    let present = git.bytes("ls-files", &["-z", "--cached", "--others", "--exclude-standard"]).ok()?;
    if String::from_utf8_lossy(&present)
        .split_terminator('\0')
        .any(|path| is_manifest(path) && !committed.contains(path))
    {
        return Some(false);
    }
    for some in files.chunks(AT_ONCE) {
        let mut args = vec!["--no-filters", "--"];
        args.extend(some.iter().map(|(path, _)| *path));
        let hashes = git.text("hash-object", &args).ok()?;
        if !hashes.lines().eq(some.iter().map(|(_, object)| *object)) {
            return Some(false);
        }
    }
    Some(true)
}

fn path_in(folder: &Path, path: &str) -> PathBuf {
    if folder.as_os_str().is_empty() { PathBuf::from(path) } else { folder.join(path) }
}

fn is_manifest(path: &str) -> bool {
    [".yaml", ".yml"].iter().any(|end| path.ends_with(end))
}

/// Makes repositories for tests.
#[cfg(test)]
pub(super) fn git(folder: &Path, args: &[&str]) -> Option<String> {
    let mut command = std::process::Command::new("git");
    command.args(args).current_dir(folder).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    let output = command.output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_at_a_commit_and_dirty_when_it_was_edited_since() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        assert_eq!(of(path), None, "no repository");
        let run = |args: &[&str]| git(path, args).expect("git is there");
        run(&["init", "-q"]);
        assert_eq!(of(path), None, "no commit yet");
        std::fs::write(path.join("acme.yaml"), "a: 1\n").unwrap();
        run(&["add", "."]);
        run(&["-c", "user.name=x", "-c", "user.email=x@y.example", "commit", "-q", "-m", "first"]);
        let commit = of(path).unwrap();
        assert_eq!(commit.len(), 40, "{commit}");
        assert_eq!(of(&path.join("acme.yaml")), Some(commit.clone()), "a file's folder");
        std::fs::write(path.join("beta.yaml"), "b: 1\n").unwrap();
        assert_eq!(of(path), Some(format!("{commit}-dirty")));
    }
    #[cfg(unix)]
    #[test]
    fn no_filter_of_the_repository_runs_to_tell_whether_something_was_edited() {
        let folder = tempfile::tempdir().unwrap();
        let (path, marker) = (folder.path(), folder.path().join("marker"));
        let run = |args: &[&str]| git(path, args).expect("git is there");
        run(&["init", "-q"]);
        for name in ["acme.yaml", "beta.yaml"] {
            std::fs::write(path.join(name), "a: 1\n").unwrap();
        }
        run(&["add", "."]);
        run(&["-c", "user.name=x", "-c", "user.email=x@y.example", "commit", "-q", "-m", "first"]);
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
