//! Where `accountId` goes into a document: one insertion, and every other byte stays.

use std::ops::Range;

use crate::domain::AccountId;

use super::report::DocumentReport;
use super::wanted::SourceRef;
use super::yaml::{self, Key, Node, Piece, Value};

/// A text to be put into a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Insertion {
    /// Before this byte of the file.
    pub at: usize,
    /// What.
    pub text: String,
}

impl Insertion {
    /// The file with several insertions, whose places are those of the file as it is.
    pub fn all_into(mut insertions: Vec<Self>, file: &str) -> String {
        insertions.sort_by_key(|insertion| insertion.at);
        let mut out = String::with_capacity(file.len() + insertions.iter().map(|i| i.text.len()).sum::<usize>());
        let mut from = 0;
        for Self { at, text } in insertions {
            out.push_str(&file[from..at]);
            out.push_str(&text);
            from = at;
        }
        out.push_str(&file[from..]);
        out
    }
}

/// Where the id of its account goes into the ClientAccount that begins at `place`, in the style
/// of the document: a line of its own beside `accountName`, or in braces behind it.
///
/// `None` where the document is written in a way in which that cannot be told for certain; and
/// whoever writes the file reads it again first.
pub fn account_id(file: &str, place: &SourceRef, id: &AccountId) -> Option<Insertion> {
    let range = document(file, place)?;
    let mut report = DocumentReport::new();
    let root = yaml::read(0, file, range, &mut report).ok()?;
    let (_, spec) = entry(&root, "spec")?;
    let (key, value) = entry(spec, "accountName")?;
    let entry = format!("accountId: {}", serde_json::to_string(id.as_str()).ok()?);
    if file[spec.span.start as usize..].starts_with('{') {
        // Spaces behind a value without quotes may count in.
        let at = value.span.start as usize + file.get(bytes(value))?.trim_end().len();
        return Some(Insertion { at, text: format!(", {entry}") });
    }
    line(file, key, value, &entry)
}

/// A line of its own: below a name that stands on one line, above one that stands on several.
fn line(file: &str, key: &Key<'_>, value: &Node<'_>, entry: &str) -> Option<Insertion> {
    let begins = key.span.start as usize;
    let start = file[..begins].rfind('\n').map_or(0, |at| at + 1);
    let indent = &file[start..begins];
    if indent.is_empty() || !indent.bytes().all(|b| b == b' ') {
        return None;
    }
    let end = file[begins..].find('\n').map(|at| begins + at + 1);
    let one_line = (value.span.end as usize) <= end.unwrap_or(file.len());
    let ending = |line: &str| if line.ends_with("\r\n") { "\r\n" } else { "\n" };
    Some(match end {
        Some(end) if one_line => Insertion { at: end, text: format!("{indent}{entry}{}", ending(&file[start..end])) },
        // The file ends in this line, which has no ending: that of the line before is used.
        None if one_line => Insertion { at: file.len(), text: format!("{}{indent}{entry}", ending(&file[..start])) },
        _ => Insertion { at: start, text: format!("{indent}{entry}{}", ending(&file[..start])) },
    })
}

/// The document whose content begins at a place.
fn document(file: &str, place: &SourceRef) -> Option<Range<usize>> {
    let line = usize::try_from(place.line.checked_sub(1)?).ok()?;
    let mut starts = std::iter::once(0).chain(file.match_indices('\n').map(|(at, _)| at + 1));
    let begin = starts.nth(line)?;
    let mut documents = yaml::pieces(file).into_iter().filter_map(|piece| match piece {
        Piece::Document(range) => Some(range),
        Piece::AfterEnd(_) | Piece::Directive(_) => None,
    });
    // A BOM stands before the first document, on its line.
    let begin = begin + if begin == 0 && file.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    documents.find(|range| range.start <= begin && begin < range.end)
}

fn entry<'n, 'a>(node: &'n Node<'a>, name: &str) -> Option<(&'n Key<'a>, &'n Node<'a>)> {
    let Value::Map(entries) = &node.value else { return None };
    entries.iter().find(|(key, _)| key.text == name).map(|(key, value)| (key, value))
}

fn bytes(node: &Node<'_>) -> Range<usize> {
    node.span.start as usize..node.span.end as usize
}
