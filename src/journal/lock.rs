//! `bursar.lock`: which journal a folder of manifests belongs to (rule R7). A fleet that is
//! carried out with two journals may do everything twice.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::store::JournalId;

/// The name of the file.
pub const NAME: &str = "bursar.lock";

/// A file larger than this is something else.
const LARGEST: u64 = 4096;

/// Why a folder's lock file forbids or fails something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// It names another journal.
    #[error("{file} names the journal {named}, and this is {ours}")]
    Another {
        /// Which file.
        file: String,
        /// The journal that it names.
        named: JournalId,
        /// The one at hand.
        ours: JournalId,
    },
    /// It says nothing that can be understood.
    #[error("{file} is no lock file of bursar's: {why}")]
    Unclear {
        /// Which file.
        file: String,
        /// What is wrong.
        why: &'static str,
    },
    /// It cannot be read or written.
    #[error("{file} cannot be {doing}")]
    File {
        /// Which file.
        file: String,
        /// `read` or `written`.
        doing: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// The lock file that holds for manifests, a file or a folder: beside them, or in a folder
/// above, up to the root of the repository.
///
/// # Errors
/// It cannot be read or understood: then nobody knows which journal is the right one.
pub fn find(manifests: &Path) -> Result<Option<(PathBuf, JournalId)>, LockError> {
    let failed = |doing, source| LockError::File { file: manifests.display().to_string(), doing, source };
    let whole = match manifests.canonicalize() {
        Ok(whole) => whole,
        // What is not there has no lock; whoever reads the manifests says so.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", error)),
    };
    for folder in whole.ancestors().skip(usize::from(!whole.is_dir())) {
        let file = folder.join(NAME);
        match File::open(&file) {
            Ok(opened) => return read(&file, opened).map(|id| Some((file, id))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(LockError::File { file: file.display().to_string(), doing: "read", source }),
        }
        if folder.join(".git").exists() {
            break;
        }
    }
    Ok(None)
}

/// Refuses to write with another journal than the one that the manifests' lock file names.
///
/// # Errors
/// It names another one, or cannot be read.
pub fn check(manifests: &Path, ours: &JournalId) -> Result<(), LockError> {
    match find(manifests)? {
        Some((file, named)) if named != *ours => {
            Err(LockError::Another { file: file.display().to_string(), named, ours: ours.clone() })
        }
        _ => Ok(()),
    }
}

/// Writes the journal's name into a folder's lock file; whether it was not there before.
///
/// # Errors
/// It names another journal, unless `force` says that this does not matter; or it cannot be
/// written.
pub fn write(folder: &Path, ours: &JournalId, force: bool) -> Result<bool, LockError> {
    match check(folder, ours) {
        Ok(()) if find(folder)?.is_some() => return Ok(false),
        Ok(()) => {}
        Err(error) if !force => return Err(error),
        Err(_) => {}
    }
    // The file that holds is the one that is written; a new one is made in the folder itself.
    let file = match find(folder) {
        Ok(Some((file, _))) => file,
        Ok(None) | Err(_) => folder.join(NAME),
    };
    let text = format!(
        "# Written by `bursar init`. Commit it: with another journal than this one, apply and run refuse to write.\n\
         journal: {ours}\n"
    );
    let written = File::create(&file).and_then(|mut opened| {
        opened.write_all(text.as_bytes())?;
        opened.sync_all()
    });
    written.map_err(|source| LockError::File { file: file.display().to_string(), doing: "written", source })?;
    Ok(true)
}

/// The same for a lock file that is not on disk, with its text, of which more than
/// [`LARGEST`] bytes need not be there.
///
/// # Errors
/// It names another journal, or cannot be understood.
pub fn check_text(file: &str, text: &[u8], ours: &JournalId) -> Result<(), LockError> {
    let named = parse(file, text)?;
    if named == *ours {
        return Ok(());
    }
    Err(LockError::Another { file: file.to_owned(), named, ours: ours.clone() })
}

fn read(file: &Path, opened: File) -> Result<JournalId, LockError> {
    let file = file.display().to_string();
    let mut text = Vec::new();
    match opened.take(LARGEST + 1).read_to_end(&mut text) {
        Ok(_) => parse(&file, &text),
        Err(source) => Err(LockError::File { file, doing: "read", source }),
    }
}

fn parse(file: &str, text: &[u8]) -> Result<JournalId, LockError> {
    let unclear = |why| LockError::Unclear { file: file.to_owned(), why };
    if text.len() as u64 > LARGEST {
        return Err(unclear("it is too large"));
    }
    let text = std::str::from_utf8(text).map_err(|_| unclear("it is not UTF-8 text"))?;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let (first, second) = (lines.next(), lines.next());
    let id = first.and_then(|line| line.strip_prefix("journal:")).map(str::trim);
    match (id, second) {
        (Some(id), None) if !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') => {
            Ok(JournalId::new(id))
        }
        _ => Err(unclear("expected one line, `journal: ID`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_for_its_folder_and_those_below_up_to_the_repository() {
        let root = tempfile::tempdir().unwrap();
        let (ours, other) = (JournalId::new("ours"), JournalId::new("other"));
        let below = root.path().join("clients/eu");
        std::fs::create_dir_all(&below).unwrap();
        std::fs::write(below.join("a.yaml"), "").unwrap();
        check(&below, &ours).unwrap();
        assert!(write(root.path(), &ours, false).unwrap());
        assert!(!write(&below, &ours, false).unwrap(), "it is there already");
        for manifests in [root.path(), &below, &below.join("a.yaml")] {
            check(manifests, &ours).unwrap();
            assert!(matches!(check(manifests, &other), Err(LockError::Another { .. })), "{}", manifests.display());
        }
        // A repository of its own below is another fleet.
        std::fs::create_dir(below.join(".git")).unwrap();
        check(&below, &other).unwrap();
    }

    #[test]
    fn another_id_is_written_over_only_by_force() {
        let root = tempfile::tempdir().unwrap();
        let (ours, other) = (JournalId::new("ours"), JournalId::new("other"));
        write(root.path(), &ours, false).unwrap();
        let before = std::fs::read(root.path().join(NAME)).unwrap();
        assert!(write(root.path(), &other, false).is_err());
        assert_eq!(std::fs::read(root.path().join(NAME)).unwrap(), before);
        assert!(write(root.path(), &other, true).unwrap());
        check(root.path(), &other).unwrap();
    }

    #[test]
    fn what_cannot_be_understood_forbids_writing() {
        let root = tempfile::tempdir().unwrap();
        let ours = JournalId::new("ours");
        let huge = "#".repeat(5000);
        for text in ["", "ours", "journal:", "journal: a\njournal: b", "journal: \u{1b}[31m", &huge] {
            std::fs::write(root.path().join(NAME), text).unwrap();
            assert!(matches!(check(root.path(), &ours), Err(LockError::Unclear { .. })), "{text:?}");
        }
        std::fs::write(root.path().join(NAME), [0xff, 0xfe]).unwrap();
        assert!(matches!(check(root.path(), &ours), Err(LockError::Unclear { .. })));
        std::fs::write(root.path().join(NAME), "\r\n# a word\r\njournal: ours\r\n").unwrap();
        check(root.path(), &ours).unwrap();
    }
}
