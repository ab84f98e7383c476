//! Where manifests come from: files, folders, standard input, a branch of a Git repository.

pub mod folder;
pub mod git;
pub mod revision;
mod set;

pub use set::{FileSet, LARGEST_FILE, Problem, SourceError, SourceFile};
