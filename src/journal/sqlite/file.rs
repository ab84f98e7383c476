//! The file of a journal and what it lies on: its lock, its permissions, its file system.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::super::store::JournalError;

/// Makes the folder, for us alone, where it is missing.
pub(super) fn make_folder(path: &Path) -> Result<(), JournalError> {
    let Some(folder) = folder(path) else { return Ok(()) };
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&folder).map_err(|error| unavailable(path, &error))
}

/// Refuses file systems of other machines.
pub(super) fn check_file_system(path: &Path) -> Result<(), JournalError> {
    #[cfg(target_os = "linux")]
    {
        let folder = folder(path).unwrap_or_else(|| PathBuf::from("."));
        let told = rustix::fs::statfs(&folder).map_err(|error| unavailable(path, &error.into()))?;
        // The kernel's numbers have 32 bits; the field's width and sign are the machine's.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the number is the low 32 bits")]
        let magic = told.f_type as u32;
        if let Some(kind) = network_file_system(magic) {
            return Err(JournalError::NetworkFileSystem { place: path.display().to_string(), kind: kind.to_owned() });
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = path;
    Ok(())
}

/// The network file system that a magic number of Linux's `statfs` stands for. Several
/// machines see its files, and neither locks nor shared memory hold between them.
///
/// FUSE tells nothing of what stands behind it, a disk or sshfs, and is let through.
pub fn network_file_system(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "NFS",
        0x517b => "SMB",
        0xfe53_4d42 => "SMB2",
        0xff53_4d42 => "CIFS",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x7375_7245 => "Coda",
        0x564c => "NCP",
        0x00c3_6400 => "Ceph",
        0x0bd0_0bd0 => "Lustre",
        0x4750_4653 => "GPFS",
        0x0102_1997 => "9P",
        0x786f_4256 => "a folder shared by VirtualBox",
        _ => return None,
    })
}

/// Takes the lock beside the file, for as long as what is returned lives. The kernel gives
/// it back, however the process ends.
pub(super) fn lock(path: &Path) -> Result<File, JournalError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let file = private().write(true).create(true).truncate(false).open(PathBuf::from(beside));
    let file = file.map_err(|error| unavailable(path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::InUse { place: path.display().to_string() }),
        Err(TryLockError::Error(error)) => Err(unavailable(path, &error)),
    }
}

/// Makes an empty file for us alone where there is none, and refuses one that is others', too.
pub(super) fn claim(path: &Path, make: bool) -> Result<(), JournalError> {
    if make {
        match private().write(true).create_new(true).open(path) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(unavailable(path, &error)),
        }
    }
    let told = std::fs::metadata(path).map_err(|error| unavailable(path, &error))?;
    if !told.is_file() {
        return Err(JournalError::NotAJournal { place: path.display().to_string() });
    }
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&told.permissions()) & 0o777;
        if mode & 0o077 != 0 {
            return Err(JournalError::Exposed { place: path.display().to_string(), mode });
        }
    }
    Ok(())
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn folder(path: &Path) -> Option<PathBuf> {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).map(Path::to_owned)
}

fn unavailable(path: &Path, error: &io::Error) -> JournalError {
    JournalError::Unavailable { place: path.display().to_string(), doing: "opened", why: error.to_string() }
}
