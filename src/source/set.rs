//! The files that were read: bytes, or what kept them from being read.

use std::io;
use std::path::{Path, PathBuf};

use crate::domain::text::inert;

/// The largest file that is read, in bytes.
pub const LARGEST_FILE: usize = 1024 * 1024;

/// Everything that was found, by path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileSet {
    pub(super) files: Vec<SourceFile>,
    pub(super) watched: Vec<PathBuf>,
}

/// One manifest file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// The path as it is shown: relative to the folder that was given, or as it was given.
    /// Raw: whoever shows it makes it inert.
    pub name: String,
    /// The folder that the file stands in, for the reach of its defaults.
    pub folder: PathBuf,
    /// Where it was opened; standard input has no path.
    pub path: Option<PathBuf>,
    /// The bytes, at most [`LARGEST_FILE`].
    pub content: Result<Vec<u8>, Problem>,
}

/// What kept one file from being read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Over [`LARGEST_FILE`]; the beginning, for telling what it seems to hold.
    #[error("the file has more than 1 MiB")]
    TooLarge {
        /// The first bytes of the file.
        head: Vec<u8>,
    },
    /// A pipe, socket or device.
    #[error("this is {0}, not a file")]
    NotAFile(&'static str),
    /// A symbolic link that leads out of the folder, nowhere, or in a circle.
    #[error("this symbolic link {0}")]
    Link(&'static str),
    /// The system refused.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// By its name a policy or configuration of ours, which is never read here.
    #[error("the operator's files are not read among manifests")]
    Operators,
}

/// A folder or file that was named and cannot be read: nothing may be concluded from what is
/// missing, so there is no set of files at all.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}", inert(&path.to_string_lossy()))]
pub struct SourceError {
    /// What was to be read.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub cause: io::Error,
}

impl SourceError {
    pub(super) fn new(path: &Path, cause: io::Error) -> Self {
        Self { path: path.to_owned(), cause }
    }
}

impl FileSet {
    /// A set that is not on disk, from paths relative to one folder and their text.
    pub fn in_memory<N: Into<String>, B: Into<Vec<u8>>>(files: impl IntoIterator<Item = (N, B)>) -> Self {
        let files = files.into_iter().map(|(name, bytes)| {
            let name = name.into();
            let folder = Path::new("/").join(Path::new(&name).parent().unwrap_or(Path::new("")));
            SourceFile { name, folder, path: None, content: Ok(bytes.into()) }
        });
        Self::new(files.collect())
    }

    /// A set of files that were read in another way.
    pub fn new(files: Vec<SourceFile>) -> Self {
        let mut set = Self { files, watched: Vec::new() };
        set.sort();
        set
    }

    /// The files, by name.
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// The folders where a change means reading again: every one that was visited, and those in
    /// which symbolic links or single files stand.
    pub fn watched(&self) -> &[PathBuf] {
        &self.watched
    }

    pub(super) fn sort(&mut self) {
        self.files.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.folder.cmp(&b.folder)));
        self.watched.sort();
        self.watched.dedup();
    }
}
