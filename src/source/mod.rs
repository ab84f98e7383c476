//! Where manifests come from: files, folders, standard input.

pub mod folder;
pub mod repository;
pub mod revision;
mod set;
mod write;

pub use set::{FileSet, LARGEST_FILE, Problem, SourceError, SourceFile};
pub use write::{WriteError, replace};
