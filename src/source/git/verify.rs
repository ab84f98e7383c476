//! Whether a commit is signed by somebody whom the operator named, in a file that no commit
//! can change.

use std::path::Path;

use super::address::{Address, CommitId, Kind};
use super::command::{Git, Run};
use super::error::GitError;

/// Refuses a file of signers that somebody else can decide about: one inside of the very
/// repository, or one that others may write.
///
/// # Errors
/// In words for the operator.
pub fn check_signers(file: &Path, address: &Address) -> Result<(), GitError> {
    let refused = |why: String| GitError::Signers { file: file.to_owned(), why };
    let real = file.canonicalize().map_err(|error| refused(format!("cannot be read ({error})")))?;
    let found = std::fs::metadata(&real).map_err(|error| refused(format!("cannot be read ({error})")))?;
    if !found.is_file() {
        return Err(refused("is not a file".to_owned()));
    }
    if let Kind::Local(repository) = address.kind()
        && let Ok(repository) = repository.canonicalize()
        && real.starts_with(&repository)
    {
        return Err(refused("stands in the repository itself, whose writers could add to it".to_owned()));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = found.permissions().mode() & 0o7777;
        if mode & 0o022 != 0 {
            return Err(refused(format!("can be written by other users of this machine (mode {mode:04o})")));
        }
    }
    Ok(())
}

/// Requires an SSH signature for git by a key that the file names.
///
/// # Errors
/// There is none, it is another's, or it does not fit.
pub fn require(git: &Git, commit: &CommitId, signers: &Path) -> Result<(), GitError> {
    let unsigned = |why: String| GitError::Unsigned { commit: commit.clone(), why };
    let signers = std::path::absolute(signers)
        .map_err(|error| GitError::Signers { file: signers.to_owned(), why: format!("cannot be read ({error})") })?;
    let Some(shown) = signers.to_str() else {
        return Err(GitError::Signers { file: signers.clone(), why: "has a name that is no UTF-8 text".to_owned() });
    };
    let file = format!("gpg.ssh.allowedSignersFile={shown}");
    let args = [
        "-c",
        "gpg.format=ssh",
        "-c",
        "gpg.ssh.program=ssh-keygen",
        "-c",
        "gpg.minTrustLevel=fully",
        "-c",
        &file,
        "verify-commit",
        "--raw",
        commit.as_str(),
    ];
    let ran = git.run(Run::new("checking the signature", &args))?;
    // A key that the file does not name is good for nobody; git says then which key it was.
    let good = ran.stderr.lines().any(|line| line.starts_with("Good \"git\" signature for "));
    match (ran.code, good) {
        (Some(0), true) => Ok(()),
        _ if ran.stderr.trim().is_empty() => Err(unsigned("is not signed".to_owned())),
        _ if ran.stderr.contains("Good \"git\" signature with ") => {
            Err(unsigned("is signed by a key that the file of signers does not name".to_owned()))
        }
        _ => Err(unsigned(format!("has no signature that holds ({})", complaint(&ran.failed())))),
    }
}

fn complaint(error: &GitError) -> String {
    match error {
        GitError::Failed { said, .. } => said.clone(),
        other => other.to_string(),
    }
}
