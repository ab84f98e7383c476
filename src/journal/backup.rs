//! A journal as lines of JSON: a header that says how many of each follow, then rows, facts
//! and entries. What is cut off or of a newer form is refused as a whole.

use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};

use super::fact::Fact;
use super::history::Entry;
use super::operation::ScopeId;
use super::row::Row;
use super::store::{Contents, JournalId};

/// The form of a backup; a later major number is not read.
const FORMAT_VERSION: &str = "1.0";

/// Why a backup is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// It cannot be read or written.
    #[error("the backup cannot be {0}")]
    File(&'static str, #[source] io::Error),
    /// It does not begin as a backup does.
    #[error("this is no backup of a journal")]
    NotABackup,
    /// It was written by a newer version.
    #[error("this backup has the form {0}, which a newer version of bursar wrote")]
    Newer(String),
    /// A line says nothing that can be understood.
    #[error("line {0} of the backup cannot be understood")]
    Line(usize, #[source] serde_json::Error),
    /// Something is missing, or too much.
    #[error("the backup is not whole: it should hold {expected}, and holds {found}")]
    NotWhole {
        /// What the header says.
        expected: String,
        /// What there is.
        found: String,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format_version: String,
    journal: JournalId,
    rows: usize,
    facts: usize,
    entries: usize,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Row(Box<Row>),
    Fact { scope: ScopeId, fact: Fact },
    Entry(Box<Entry>),
}

/// The same, borrowed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum LineOf<'a> {
    Row(&'a Row),
    Fact { scope: &'a ScopeId, fact: &'a Fact },
    Entry(&'a Entry),
}

/// Writes everything of a journal.
///
/// # Errors
/// It cannot be written.
pub fn write(contents: &Contents, mut to: impl Write) -> Result<(), BackupError> {
    let Contents { id, rows, facts, entries } = contents;
    let header = Header {
        format_version: FORMAT_VERSION.to_owned(),
        journal: id.clone(),
        rows: rows.len(),
        facts: facts.len(),
        entries: entries.len(),
    };
    let mut all = || {
        line(&mut to, &header)?;
        rows.iter().try_for_each(|row| line(&mut to, &LineOf::Row(row)))?;
        facts.iter().try_for_each(|(scope, fact)| line(&mut to, &LineOf::Fact { scope, fact }))?;
        entries.iter().try_for_each(|entry| line(&mut to, &LineOf::Entry(entry)))?;
        to.flush()
    };
    all().map_err(|error| BackupError::File("written", error))
}

fn line(to: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *to, value)?;
    to.write_all(b"\n")
}

/// Reads everything of a journal, or nothing.
///
/// # Errors
/// It cannot be read, is no backup, is newer, or is not whole.
pub fn read(from: impl BufRead) -> Result<Contents, BackupError> {
    let mut lines = from.lines();
    let unread = |error| BackupError::File("read", error);
    let first = lines.next().ok_or(BackupError::NotABackup)?.map_err(unread)?;
    let start: serde_json::Value = serde_json::from_str(&first).map_err(|_| BackupError::NotABackup)?;
    let version = start.get("format_version").and_then(serde_json::Value::as_str).ok_or(BackupError::NotABackup)?;
    if version.split('.').next() != FORMAT_VERSION.split('.').next() {
        return Err(BackupError::Newer(version.chars().take(16).filter(|c| c.is_ascii_graphic()).collect()));
    }
    let header: Header = serde_json::from_value(start).map_err(|_| BackupError::NotABackup)?;
    let mut contents = Contents { id: header.journal, rows: Vec::new(), facts: Vec::new(), entries: Vec::new() };
    for (number, line) in lines.enumerate() {
        let line = line.map_err(unread)?;
        match serde_json::from_str(&line).map_err(|error| BackupError::Line(number + 2, error))? {
            Line::Row(row) => contents.rows.push(*row),
            Line::Fact { scope, fact } => contents.facts.push((scope, fact)),
            Line::Entry(entry) => contents.entries.push(*entry),
        }
    }
    let counted = |rows, facts, entries| format!("{rows} rows, {facts} facts and {entries} entries");
    let expected = counted(header.rows, header.facts, header.entries);
    let found = counted(contents.rows.len(), contents.facts.len(), contents.entries.len());
    if expected == found { Ok(contents) } else { Err(BackupError::NotWhole { expected, found }) }
}
