//! Reads manifests from folders, single files and standard input.
//!
//! Symbolic links are followed inside the folder only, and checked again once the file is
//! open, so that one which is swapped meanwhile does not lead out either.

use std::collections::HashSet;
use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::names::{DEEPEST, Name};
use super::set::{FileSet, LARGEST_FILE, Problem, SourceError, SourceFile};

/// Reads everything that the paths name: a folder means its `*.yaml` and `*.yml` files,
/// recursively, without hidden entries; `-` is standard input. A file is shown by its path
/// relative to the folder, or with the folder before it where several are named. Blocks.
///
/// # Errors
/// A path, or a folder below it, that is gone or unreadable: what it held is not known, so
/// that nothing may be taken as absent. Trouble with one file is that file's [`Problem`].
pub fn read(paths: &[PathBuf]) -> Result<FileSet, SourceError> {
    let mut reader = Reader::default();
    for path in paths {
        if path.as_os_str() == "-" {
            reader.standard_input()?;
            continue;
        }
        let real = fs::canonicalize(path).map_err(|cause| SourceError::new(path, cause))?;
        let kind = fs::metadata(&real).map_err(|cause| SourceError::new(path, cause))?;
        // A root that is a link may be swapped, which only its parent shows.
        reader.watch_parent(path);
        if kind.is_dir() {
            // With several folders, paths relative to one of them would not tell which.
            reader.root(&real, if paths.len() > 1 { path } else { Path::new("") })?;
        } else {
            reader.single(path, &real);
        }
    }
    reader.set.sort();
    Ok(reader.set)
}

#[derive(Debug, Default)]
struct Reader {
    set: FileSet,
    /// Real paths that were read, so that a link or a second root does not read them again.
    seen: HashSet<PathBuf>,
    /// Links of the root that is being read; the real files go first.
    links: Vec<Link>,
}

#[derive(Debug)]
struct Link {
    path: PathBuf,
    name: PathBuf,
    depth: usize,
}

impl Reader {
    fn standard_input(&mut self) -> Result<(), SourceError> {
        let content = bounded(io::stdin().lock()).map_err(|cause| SourceError::new(Path::new("-"), cause))?;
        // Its own folder: defaults in it reach nothing but itself.
        self.set.files.push(SourceFile { name: "<stdin>".to_owned(), folder: PathBuf::new(), path: None, content });
        Ok(())
    }

    fn single(&mut self, given: &Path, real: &Path) {
        if !self.seen.insert(real.to_owned()) {
            return;
        }
        let folder = real.parent().unwrap_or(Path::new("/")).to_owned();
        self.set.watched.push(folder.clone());
        let content = fs::metadata(real).map_or_else(
            |error| Err(Problem::Unreadable(error.to_string())),
            |found| regular(found.file_type()).and_then(|()| open(real, None)),
        );
        self.set.files.push(SourceFile { name: shown(given), folder, path: Some(real.to_owned()), content });
    }

    fn root(&mut self, root: &Path, name: &Path) -> Result<(), SourceError> {
        self.folder(root, root, name, 0)?;
        // Following a link may find more links.
        while !self.links.is_empty() {
            let mut links = std::mem::take(&mut self.links);
            links.sort_by(|a, b| a.path.cmp(&b.path));
            for link in links {
                self.link(root, &link)?;
            }
        }
        Ok(())
    }

    /// Reads a real folder; `name` is its path below the root as it is shown.
    fn folder(&mut self, root: &Path, folder: &Path, name: &Path, depth: usize) -> Result<(), SourceError> {
        let failed = |cause| SourceError::new(folder, cause);
        if depth > DEEPEST {
            return Err(failed(io::Error::other(format!("more than {DEEPEST} folders deep"))));
        }
        if !self.seen.insert(folder.to_owned()) {
            return Ok(());
        }
        self.set.watched.push(folder.to_owned());
        let mut entries = fs::read_dir(folder).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let file_name = entry.file_name();
            let (path, name) = (entry.path(), name.join(&file_name));
            let said = Name::of(file_name.as_encoded_bytes());
            match said {
                Name::Operators => {
                    self.push(&path, &name, Err(Problem::Operators));
                    continue;
                }
                Name::Hidden => continue,
                Name::Manifest | Name::Other => {}
            }
            let kind = match entry.file_type() {
                Ok(kind) => kind,
                // Gone since the folder was listed: as if it had not been there.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(error)),
            };
            if kind.is_symlink() {
                self.links.push(Link { path, name, depth: depth + 1 });
            } else if kind.is_dir() {
                self.folder(root, &path, &name, depth + 1)?;
            } else if said == Name::Manifest {
                self.file(root, &path, &path, &name, regular(kind));
            }
        }
        Ok(())
    }

    fn link(&mut self, root: &Path, link: &Link) -> Result<(), SourceError> {
        let Link { path, name, depth } = link;
        let manifest = path.file_name().is_some_and(|name| Name::of(name.as_encoded_bytes()) == Name::Manifest);
        self.watch_parent(path);
        let refused = |why| Err(Problem::Link(why));
        let real = match fs::canonicalize(path) {
            Ok(real) => real,
            Err(_) if !manifest => return Ok(()),
            Err(error) => {
                let why = if error.kind() == io::ErrorKind::NotFound { "leads nowhere" } else { "leads in a circle" };
                self.push(path, name, refused(why));
                return Ok(());
            }
        };
        self.watch_parent(&real);
        let Ok(found) = fs::metadata(&real) else { return Ok(()) };
        let kind = found.file_type();
        if !real.starts_with(root) {
            if manifest || kind.is_dir() {
                self.push(path, name, refused("leaves the folder of manifests"));
            }
            return Ok(());
        }
        if kind.is_dir() {
            return self.folder(root, &real, name, *depth);
        }
        if manifest {
            self.file(root, path, &real, name, regular(kind));
        }
        Ok(())
    }

    fn file(&mut self, root: &Path, path: &Path, real: &Path, name: &Path, regular: Result<(), Problem>) {
        if !self.seen.insert(real.to_owned()) {
            return;
        }
        let content = regular.and_then(|()| open(real, Some(root)));
        self.push(path, name, content);
    }

    fn push(&mut self, path: &Path, name: &Path, content: Result<Vec<u8>, Problem>) {
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        self.set.files.push(SourceFile { name: shown(name), folder, path: Some(path.to_owned()), content });
    }

    fn watch_parent(&mut self, path: &Path) {
        let parent = match path.parent() {
            Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
            Some(parent) => parent,
            None => return,
        };
        if let Ok(parent) = fs::canonicalize(parent) {
            self.set.watched.push(parent);
        }
    }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn regular(kind: FileType) -> Result<(), Problem> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        for (is, what) in
            [(kind.is_fifo(), "a pipe"), (kind.is_socket(), "a socket"), (kind.is_block_device(), "a device")]
        {
            if is {
                return Err(Problem::NotAFile(what));
            }
        }
    }
    if kind.is_file() { Ok(()) } else { Err(Problem::NotAFile("a device")) }
}

/// Opens a real path, makes sure that it is still what it was taken for, and reads it.
fn open(real: &Path, root: Option<&Path>) -> Result<Vec<u8>, Problem> {
    let unreadable = |error: io::Error| Problem::Unreadable(error.to_string());
    let file = open_without_waiting(real).map_err(unreadable)?;
    let opened = file.metadata().map_err(unreadable)?;
    regular(opened.file_type())?;
    if let Some(root) = root {
        // Between looking and opening, a folder on the way may have become a link.
        let now = fs::canonicalize(real).map_err(unreadable)?;
        let same = fs::metadata(&now).is_ok_and(|found| same_file(&found, &opened));
        if !now.starts_with(root) || !same {
            return Err(Problem::Link("changed while it was read"));
        }
    }
    bounded(file).map_err(unreadable)?
}

/// Opens for reading without waiting for the other end of a pipe that took the file's place.
fn open_without_waiting(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW);
    }
    options.open(path)
}

#[cfg(unix)]
fn same_file(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn same_file(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    a.len() == b.len() && a.modified().ok() == b.modified().ok()
}

/// Reads at most [`LARGEST_FILE`] bytes, whatever the stream says about its length.
fn bounded(stream: impl io::Read) -> io::Result<Result<Vec<u8>, Problem>> {
    let mut bytes = Vec::new();
    stream.take(LARGEST_FILE as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > LARGEST_FILE {
        return Ok(Err(Problem::TooLarge { head: bytes }));
    }
    Ok(Ok(bytes))
}
