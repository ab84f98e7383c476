//! What keeps a repository from being read, in words for an operator.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::text::inert;

use super::address::{Branch, CommitId, TreePath};

/// Why there is nothing new from a repository. Holds no secret, and of a stranger's text
/// only what was made inert.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GitError {
    /// There is no `git` here.
    #[error("the program git cannot be started; it must be installed where bursar follows a repository ({0})")]
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
