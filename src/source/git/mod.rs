//! Manifests in a Git repository: the program, run in one way; the objects of a commit, read
//! in one way; a branch that is followed; and what a folder that somebody works in tells of
//! the repository around it.

mod address;
mod command;
mod error;
mod follow;
pub mod identity;
mod mirror;
mod objects;
pub mod revision;
#[cfg(test)]
mod scratch;
pub mod since;
pub mod tree;
mod verify;

pub use address::{Address, Branch, CommitId, Kind, Refused, TreePath};
pub use command::{Git, Input, Ran, Run};
pub use error::GitError;
pub use follow::{Credential, Limits, Options, Refusal, Repository, Taken};
pub use tree::Tree;
pub use verify::check_signers;
