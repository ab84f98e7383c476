//! Where manifests come from: files, folders, standard input, a branch of a Git repository.

pub mod folder;
pub mod git;
pub mod repository;
pub mod revision;
mod set;
mod write;

pub use set::{FileSet, LARGEST_FILE, Problem, SourceError, SourceFile};
pub use write::{WriteError, replace};
