//! Where manifests come from: files, folders, standard input, the commits of a Git repository.

pub mod folder;
pub mod git;
mod names;
mod set;
mod write;

pub use set::{FileSet, LARGEST_FILE, Problem, SourceError, SourceFile};
pub use write::{WriteError, replace};
