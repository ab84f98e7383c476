//! Which commit a folder of manifests is at: for the history, never for a decision.

use std::path::Path;
use std::process::{Command, Stdio};

/// The commit that the folder's working tree is at, with `-dirty` behind it where something
/// in the folder is not as it was committed. `None` where it is in no repository, or there is
/// no `git` here.
///
/// The program runs without the user's and the machine's configuration, without hooks,
/// prompts, a file monitor or locks.
pub fn of(folder: &Path) -> Option<String> {
    let folder = if folder.is_dir() { folder } else { folder.parent()? };
    let commit = git(folder, &["rev-parse", "--verify", "HEAD"])?;
    let commit = commit.trim();
    if commit.len() < 40 || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let changes = git(folder, &["status", "--porcelain", "-z", "--ignore-submodules=all", "--", "."])?;
    Some(if changes.is_empty() { commit.to_owned() } else { format!("{commit}-dirty") })
}

/// What `git` says in a folder; `None` where it fails or is not there.
pub(super) fn git(folder: &Path, args: &[&str]) -> Option<String> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut command = Command::new("git");
    command.args(["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"]).args(args).current_dir(folder);
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_CONFIG_PARAMETERS", "GIT_EXTERNAL_DIFF"] {
        command.env_remove(name);
    }
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_OPTIONAL_LOCKS", "0");
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
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
}
