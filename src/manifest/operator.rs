//! Reads a document of the operator's with the same eyes as manifests: everything that is wrong
//! with it at once, each with its place.

use super::codes;
use super::decode::{self, Fields, fields, suggestion, wrong_type};
use super::documents::{API_VERSION, DOCUMENT_FIELDS, METADATA_FIELDS};
use super::finding::Finding;
use super::report::{DocumentReport, Draft, Drafts, SourceText, Span, clamp, finish};
use super::yaml::{self, LARGEST_DOCUMENT, Node, Piece, Value};
use crate::domain::text::inert;

/// The fields below `spec` of a document, each of which may be left out.
#[derive(Debug)]
pub struct OperatorSpec<'n, 'a, 'r> {
    fields: Fields<'n, 'a>,
    report: &'r mut DocumentReport,
}

impl OperatorSpec<'_, '_, '_> {
    /// A number or a word; `expected` says in messages which ones are taken.
    pub fn word<T>(&mut self, field: &str, expected: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let node = self.fields.get(field)?;
        let read = match &node.value {
            Value::Plain(text) | Value::Quoted(text) if !text.is_empty() => parse(text),
            Value::Plain(_) | Value::Quoted(_) | Value::List(_) | Value::Map(_) | Value::Refused => None,
        };
        if read.is_none() {
            wrong_type(node, field, expected, self.report);
        }
        read
    }

    /// One of several words.
    pub fn one_of<T: Copy>(&mut self, field: &str, known: &[(&str, T)]) -> Option<T> {
        let node = self.fields.get(field)?;
        let written = decode::text(node, field, self.report)?;
        let found = known.iter().find(|(word, _)| *word == written.value).map(|(_, value)| *value);
        if found.is_none() {
            let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
            let message = format!("`{field}` is not `{}`", inert(written.value));
            let help = suggestion(written.value, &words)
                .map_or_else(|| format!("it is one of {}", words.join(", ")), |near| format!("did you mean `{near}`?"));
            self.report.add(Draft::new(&codes::UNKNOWN_VALUE, written.span, message).help(help));
        }
        found
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, field: &str) -> Option<bool> {
        let node = self.fields.get(field)?;
        decode::boolean(node, field, self.report).map(|read| read.value)
    }

    /// A list of words of a kind.
    pub fn words(&mut self, field: &str, expected: &str, holds: impl Fn(&str) -> bool) -> Option<Vec<String>> {
        let node = self.fields.get(field)?;
        let items = decode::list(node, field, self.report)?;
        let word = |item: &Node<'_>, report: &mut DocumentReport| {
            let word = decode::text(item, field, report)?.value.to_owned();
            if !holds(&word) {
                wrong_type(item, field, expected, report);
            }
            Some(word)
        };
        Some(items.iter().filter_map(|item| word(item, self.report)).collect())
    }
}

/// Reads the one document of a file, of a kind whose `spec` has these fields.
///
/// # Errors
/// Everything that is wrong with it; `name` is the file's in these findings.
pub fn operator_document<T>(
    name: &str,
    text: &str,
    kind: &str,
    known: &[&str],
    read: impl FnOnce(&mut OperatorSpec<'_, '_, '_>) -> T,
) -> Result<T, Vec<Finding>> {
    let mut report = DocumentReport::new();
    let made = only_document(text, &mut report)
        .and_then(|range| yaml::read(0, text, range, &mut report).ok())
        .and_then(|node| spec(&node, kind, known, &mut report, read));
    let sound = report.first_error().is_none();
    let mut drafts = Drafts::default();
    report.finish(Span::file(0), &mut drafts);
    match made {
        Some(made) if sound => Ok(made),
        _ => Err(finish(drafts, &[SourceText::new(name, text)])),
    }
}

/// Where the document stands, which has to be the only one.
fn only_document(text: &str, report: &mut DocumentReport) -> Option<std::ops::Range<usize>> {
    let mut first = None;
    for piece in yaml::pieces(text) {
        let (range, code, message, help) = match piece {
            Piece::Document(range) if first.is_none() => {
                first = Some(range);
                continue;
            }
            Piece::Document(range) => {
                (range, &codes::SYNTAX, "a second document begins here", "the file has one document; remove the other")
            }
            Piece::Directive(range) => (range, &codes::DIRECTIVE, "YAML directives are not read", "remove the line"),
            Piece::AfterEnd(range) => {
                (range, &codes::AFTER_END, "text after `...`, the end of the document", "remove it")
            }
        };
        let [start, end] = [range.start, range.start + 1].map(clamp);
        report.add(Draft::new(code, Span { file: 0, start, end }, message).help(help));
    }
    match &first {
        None => report.add(
            Draft::new(&codes::MISSING_FIELD, Span::file(0), "the file holds no document")
                .help(format!("begin it with `apiVersion: {API_VERSION}`")),
        ),
        Some(range) if range.len() > LARGEST_DOCUMENT => {
            report.add(Draft::new(&codes::TOO_LARGE, Span::file(0), "the document has more than 64 KiB"));
            return None;
        }
        Some(_) => {}
    }
    first
}

fn spec<T>(
    node: &Node<'_>,
    kind: &str,
    known: &[&str],
    report: &mut DocumentReport,
    read: impl FnOnce(&mut OperatorSpec<'_, '_, '_>) -> T,
) -> Option<T> {
    let top = fields(node, "the document", DOCUMENT_FIELDS, report)?;
    for (field, code, value) in [("apiVersion", &codes::API_VERSION, API_VERSION), ("kind", &codes::KIND, kind)] {
        let written = top.require(field, report).and_then(|node| decode::text(node, field, report));
        if let Some(written) = written.filter(|written| written.value != value) {
            let message = format!("unknown {field} `{}`", inert(written.value));
            report.add(Draft::new(code, written.span, message).help(format!("write `{field}: {value}`")));
        }
    }
    if let Some(metadata) = top.get("metadata").and_then(|node| fields(node, "metadata", METADATA_FIELDS, report)) {
        metadata.get("name").and_then(|node| decode::text(node, "name", report));
    }
    let fields = fields(top.require("spec", report)?, "spec", known, report)?;
    Some(read(&mut OperatorSpec { fields, report }))
}
