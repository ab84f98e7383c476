//! What keeps a repository from being read, in words for an operator.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::text::inert;

use super::address::{Branch, CommitId, TreePath};

/// Why a repository says nothing, or nothing that is taken. Holds no secret, and of a stranger's text
/// only what was made inert.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GitError {
    /// There is no `git` here.
    #[error("the program git cannot be started; it must be installed where a repository is read ({0})")]
    NoGit(io::Error),
    /// The program refused.
    #[error("{doing} failed: {said}")]
    Failed {
        /// What it was to do.
        doing: &'static str,
        /// Its own words, inert and without secrets.
        said: String,
    },
    /// The program did not come to an end, and was stopped.
    #[error("{doing} took longer than {} s and was stopped", after.as_secs_f32())]
    Slow {
        /// What it was to do.
        doing: &'static str,
        /// How long it had.
        after: Duration,
    },
    /// The repository brings more than the disk is given for it.
    #[error("the repository brings more than {} MiB, and was not fetched; keep the manifests in one of their own", most >> 20)]
    Large {
        /// How much it may bring, in bytes.
        most: u64,
    },
    /// The program said more than is read.
    #[error("{doing} told more than {most} bytes")]
    Loud {
        /// What it was to do.
        doing: &'static str,
        /// How much is read.
        most: usize,
    },
    /// The program's answer is no answer to what was asked.
    #[error("{0} brought an answer that is not understood")]
    Answer(&'static str),
    /// We are being stopped.
    #[error("reading the repository was stopped")]
    Cancelled,
    /// The branch is not there, or the repository is empty.
    #[error("the repository has no branch {0}")]
    NoBranch(Branch),
    /// The branch does not go on from what was in force.
    #[error(
        "the branch was moved to {}, which does not come after {}; look at who did that, and if it is meant start \
         once with --git-allow-rewind", head.short(), good.short()
    )]
    Rewound {
        /// Where the branch is.
        head: CommitId,
        /// The last good commit.
        good: CommitId,
    },
    /// Nobody who may has signed the commit.
    #[error("the commit {} {why}, so it is not used", commit.short())]
    Unsigned {
        /// The commit.
        commit: CommitId,
        /// `is not signed`.
        why: String,
    },
    /// Whoever may write the file decides who may sign.
    #[error("the file of signers {} {why}", inert(&file.to_string_lossy()))]
    Signers {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A repository that was emptied does not say that all clients are gone.
    #[error("the commit {} has no manifest in {path}, which is not taken for every client's leaving", commit.short())]
    Empty {
        /// The commit.
        commit: CommitId,
        /// The folder.
        path: TreePath,
    },
    /// More manifests than are read.
    #[error("the commit {} has more than {most} {what}", commit.short())]
    Many {
        /// The commit.
        commit: CommitId,
        /// How many there may be.
        most: usize,
        /// Of what.
        what: &'static str,
    },
    /// Our own copy cannot be kept.
    #[error("the copy of the repository in {} cannot be kept ({cause})", inert(&folder.to_string_lossy()))]
    Mirror {
        /// Where.
        folder: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// Another process is at it.
    #[error("another process uses the copy of the repository in {}", inert(&.0.to_string_lossy()))]
    InUse(PathBuf),
}

impl GitError {
    /// Whether the same commit would be refused again.
    pub(super) const fn is_of_the_commit(&self) -> bool {
        matches!(self, Self::Rewound { .. } | Self::Empty { .. } | Self::Many { .. } | Self::Large { .. })
    }
}

/// What the program complained of, in one line: the same trouble in the same words, so that
/// it is told once.
pub(super) fn complaint(stderr: &str) -> String {
    let lines = || stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let fatal = lines().find(|line| line.starts_with("fatal: ") || line.starts_with("error: "));
    let first = match (fatal, lines().next()) {
        (Some(fatal), Some(first)) if first != fatal && !first.starts_with("warning: ") => {
            format!("{first}; {fatal}")
        }
        (Some(line), _) | (None, Some(line)) => line.to_owned(),
        (None, None) => "it did not say why".to_owned(),
    };
    inert(&without_times(&first)).into_owned()
}

/// Without ` after 12 ms`, which differs each time.
fn without_times(line: &str) -> String {
    let Some((before, rest)) = line.split_once(" after ") else { return line.to_owned() };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    match rest[digits..].strip_prefix(" ms") {
        Some(behind) if digits > 0 => format!("{before}{behind}"),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_trouble_is_told_in_the_same_words() {
        let one = "fatal: unable to access 'https://x/': Failed to connect to x port 443 after 12 ms: refused\n";
        let two = one.replace("12 ms", "7 ms");
        assert_eq!(complaint(one), complaint(&two));
        assert_eq!(complaint("ssh: no route\nfatal: Could not read\n\nmore\n"), "ssh: no route; fatal: Could not read");
        assert_eq!(complaint("fatal: \u{1b}[31mred"), "fatal: \\u{1b}[31mred");
        assert_eq!(complaint(""), "it did not say why");
    }
}
