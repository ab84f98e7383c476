//! Where manifests come from: files, folders, standard input, a branch of a Git repository.

pub mod folder;
pub mod git;
pub mod git_command;
pub mod repository;
pub mod revision;
mod set;
pub mod tree_at;
mod write;

pub use set::{FileSet, LARGEST_FILE, Problem, SourceError, SourceFile};
pub use write::{WriteError, replace};
