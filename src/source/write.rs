//! Writes a file of manifests anew: whole or not at all, and never over what somebody else
//! wrote meanwhile.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

/// Why a file was not written; it is as it was.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// What stands in its place is a link: the file that it leads to is somebody's own.
    #[error("this is a symbolic link, which is not followed for writing")]
    Link,
    /// It is not what was read.
    #[error("it changed meanwhile")]
    Changed,
    /// The new file would belong to somebody else.
    #[error("its owner cannot be kept")]
    Owner(#[source] io::Error),
    /// The system refused.
    #[error("the system refused")]
    Io(#[from] io::Error),
}

/// Puts `after` in the place of a file that holds `before`: into a new file beside it, with the
/// same mode and owner, which then takes its name. Blocks.
///
/// # Errors
/// The file is as it was.
pub fn replace(path: &Path, before: &[u8], after: &[u8]) -> Result<(), WriteError> {
    let found = fs::symlink_metadata(path)?;
    if !found.is_file() {
        return Err(WriteError::Link);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Hidden, and no manifest, so that nobody who reads the folder takes it for one.
    let beside = folder.join(format!(".bursar-{}.tmp", uuid::Uuid::now_v7()));
    let written = write_beside(&beside, &found, after).and_then(|()| {
        if !holds(path, before)? {
            return Err(WriteError::Changed);
        }
        fs::rename(&beside, path)?;
        Ok(())
    });
    if written.is_err() {
        let _ = fs::remove_file(&beside);
        return written;
    }
    // The name is on disk when its folder is.
    File::open(folder).and_then(|folder| folder.sync_all())?;
    Ok(())
}

fn write_beside(beside: &Path, like: &fs::Metadata, text: &[u8]) -> Result<(), WriteError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // Nobody who may not read the manifest reads this one while it is written.
        options.mode(0o600).custom_flags(libc::O_NOFOLLOW);
    }
    let mut file = options.open(beside)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let made = file.metadata()?;
        if (made.uid(), made.gid()) != (like.uid(), like.gid()) {
            std::os::unix::fs::fchown(&file, Some(like.uid()), Some(like.gid())).map_err(WriteError::Owner)?;
        }
    }
    file.write_all(text)?;
    file.set_permissions(like.permissions())?;
    file.sync_all()?;
    Ok(())
}

fn holds(path: &Path, text: &[u8]) -> Result<bool, WriteError> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW);
    }
    let file = options.open(path)?;
    let mut now = Vec::new();
    file.take(text.len() as u64 + 1).read_to_end(&mut now)?;
    Ok(now == text)
}
