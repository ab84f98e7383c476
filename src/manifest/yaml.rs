//! YAML text to nodes that know where they stand; the one place that names the YAML library.
//!
//! The library's event parser is used rather than its deserializer: a deserializer stops at
//! the first thing that does not fit, and all findings of a document are to be told at once.
//! Anchors, aliases, tags, merge keys and directives are findings, never obeyed, so that
//! time and memory grow no faster than the text.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde_yaml::granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle, ScanError, Span as YamlSpan, Tag};

use super::codes;
use super::report::{DocumentReport, Draft, Span, clamp};
use crate::domain::text::inert;

/// The largest document that is read, in bytes.
pub(crate) const LARGEST_DOCUMENT: usize = 64 * 1024;

/// The deepest nesting that is read; a manifest needs six levels.
const DEEPEST: usize = 32;

/// A value and where it stands.
#[derive(Debug)]
pub(crate) struct Node<'a> {
    pub(crate) span: Span,
    pub(crate) value: Value<'a>,
}

#[derive(Debug)]
pub(crate) enum Value<'a> {
    /// A scalar without quotes, as it is spelled. Empty where nothing is written.
    Plain(Cow<'a, str>),
    /// A scalar in quotes, or a block of text.
    Quoted(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Map(Vec<(Key<'a>, Node<'a>)>),
    /// Something that was reported already: an alias, a tagged value.
    Refused,
}

#[derive(Debug)]
pub(crate) struct Key<'a> {
    pub(crate) span: Span,
    pub(crate) text: Cow<'a, str>,
    /// Written without quotes.
    pub(crate) plain: bool,
}

/// A piece of a file between its document markers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A document, from its `---` (or the beginning) to the next marker.
    Document(std::ops::Range<usize>),
    /// Text behind `...` that no `---` opens.
    AfterEnd(std::ops::Range<usize>),
    /// A line that begins with `%`.
    Directive(std::ops::Range<usize>),
}

/// Splits a file at its document markers. A line that begins with `---` or `...` is a marker
/// wherever it stands (YAML 1.2, `c-forbidden`), so that this needs no parsing and a broken
/// document leaves the others whole. Documents of nothing but comments are left out.
pub(crate) fn pieces(text: &str) -> Vec<Piece> {
    let begin = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut splitter = Splitter { text, pieces: Vec::new(), open: Some(begin), ended: false, blank: true };
    let mut at = begin;
    for line in text[begin..].split_inclusive('\n') {
        splitter.line(at, line);
        at += line.len();
    }
    splitter.close(text.len());
    splitter.pieces
}

struct Splitter<'a> {
    text: &'a str,
    pieces: Vec<Piece>,
    /// Where the document (or the text behind `...`) that is being read begins.
    open: Option<usize>,
    /// Whether `...` came, and no `---` since.
    ended: bool,
    /// Whether there was nothing but comments since `open`.
    blank: bool,
}

impl Splitter<'_> {
    fn line(&mut self, at: usize, line: &str) {
        let marker = |mark: &str| {
            line.strip_prefix(mark).filter(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
        };
        if let Some(rest) = marker("---") {
            self.close(at);
            (self.open, self.ended, self.blank) = (Some(at), false, is_blank(rest));
        } else if let Some(rest) = marker("...") {
            self.close(at);
            self.ended = true;
            if !is_blank(rest) {
                (self.open, self.blank) = (Some(at + "...".len()), false);
            }
        } else if !is_blank(line) {
            let inside = self.open.is_some() && !self.blank;
            if line.starts_with('%') && !inside {
                self.pieces.push(Piece::Directive(at..at + line.trim_end().len()));
                // The document begins behind it.
                self.open = self.open.map(|_| at + line.len());
                return;
            }
            self.open.get_or_insert(at);
            self.blank = false;
        }
    }

    fn close(&mut self, end: usize) {
        if let Some(start) = self.open.take()
            && !self.blank
        {
            self.pieces.push(if self.ended {
                let text = &self.text[start..end];
                Piece::AfterEnd(start + (text.len() - text.trim_start().len())..start + text.trim_end().len())
            } else {
                Piece::Document(start..end)
            });
        }
        self.blank = true;
    }
}

fn is_blank(line: &str) -> bool {
    let text = line.trim();
    text.is_empty() || text.starts_with('#')
}

/// A document that could not be read; the finding is in the report.
#[derive(Debug)]
pub(crate) struct Unreadable;

/// Reads one document, `text[range]` of the file, into nodes.
///
/// # Errors
/// Where it is not YAML, or nested too deeply.
pub(crate) fn read<'a>(
    file: u32,
    text: &'a str,
    range: std::ops::Range<usize>,
    report: &mut DocumentReport,
) -> Result<Node<'a>, Unreadable> {
    let mut options = Options::default();
    options.emit_comments = false;
    options.emit_unresolved_aliases = true;
    options.disallow_directives = true;
    let slice = &text[range.clone()];
    let mut builder = Builder { file, slice, offset: range.start, report, stack: Vec::new(), root: None };
    for event in Parser::new_from_str_with_options(slice, options) {
        match event {
            Ok((event, span)) => builder.event(event, span)?,
            Err(error) => {
                let draft = syntax_error(file, range.start, slice, &error);
                builder.report.add(draft);
                return Err(Unreadable);
            }
        }
    }
    // A document that is not blank has a node; were it otherwise, it would read as empty.
    let empty = Span { file, start: clamp(range.start), end: clamp(range.start) };
    Ok(builder.root.unwrap_or(Node { span: empty, value: Value::Plain(Cow::Borrowed("")) }))
}

enum Frame<'a> {
    List(Span, Vec<Node<'a>>),
    Map { span: Span, entries: Vec<(Key<'a>, Node<'a>)>, key: Pending<'a> },
}

enum Pending<'a> {
    /// A key comes next.
    Nothing,
    /// A value comes next, for this key.
    Key(Key<'a>),
    /// A value comes next, for a key that was refused.
    Refused,
}

struct Builder<'a, 'r> {
    file: u32,
    /// The text of the document, which begins `offset` bytes into the file.
    slice: &'a str,
    offset: usize,
    report: &'r mut DocumentReport,
    stack: Vec<Frame<'a>>,
    root: Option<Node<'a>>,
}

impl<'a> Builder<'a, '_> {
    fn span(&self, span: YamlSpan) -> Span {
        let bytes = span.byte_range().unwrap_or(0..0);
        Span { file: self.file, start: clamp(self.offset + bytes.start), end: clamp(self.offset + bytes.end) }
    }

    fn event(&mut self, event: Event<'a>, at: YamlSpan) -> Result<(), Unreadable> {
        let span = self.span(at);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = match style {
                    // The parser says `~` where nothing is written.
                    ScalarStyle::Plain if span.start == span.end => Value::Plain(Cow::Borrowed("")),
                    ScalarStyle::Plain => Value::Plain(text),
                    ScalarStyle::SingleQuoted
                    | ScalarStyle::DoubleQuoted
                    | ScalarStyle::Literal
                    | ScalarStyle::Folded => Value::Quoted(text),
                };
                let refused = self.refuse(span, anchor, tag.as_deref());
                self.put(Node { span, value: if refused { Value::Refused } else { value } });
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                self.refuse(span, 1, None);
                self.put(Node { span, value: Value::Refused });
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse(span, anchor, tag.as_deref());
                self.push(span, Frame::List(span, Vec::new()))?;
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse(span, anchor, tag.as_deref());
                self.push(span, Frame::Map { span, entries: Vec::new(), key: Pending::Nothing })?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.pop(),
            Event::DocumentStart(..) if self.root.is_some() => {
                let message = "a second document begins here, and its `---` does not begin a line";
                self.report.add(Draft::new(&codes::SYNTAX, span, message).help("end lines with LF or CRLF"));
                return Err(Unreadable);
            }
            // Comments and anchor events are switched off; the markers carry nothing more.
            _ => {}
        }
        Ok(())
    }

    /// Reports an anchor, alias or tag.
    fn refuse(&mut self, span: Span, anchor: usize, tag: Option<&Tag>) -> bool {
        if anchor > 0 {
            let place = self.property(span, '&').unwrap_or(span);
            self.report.add(
                Draft::new(&codes::ANCHOR, place, "anchors and aliases are not read")
                    .help("to say a thing once, use a MemberGroup or ClientDefaults"),
            );
        }
        if let Some(tag) = tag {
            let place = self.property(span, '!');
            let written =
                place.and_then(|at| self.slice.get(at.start as usize - self.offset..at.end as usize - self.offset));
            let shown = written.map_or_else(|| tag.to_string(), str::to_owned);
            self.report.add(
                Draft::new(&codes::TAG, place.unwrap_or(span), format!("the tag `{}` is not read", inert(&shown)))
                    .help("write the plain value, in quotes where it is to be text"),
            );
        }
        anchor > 0 || tag.is_some()
    }

    /// Where the anchor (`&`) or tag (`!`) of a node stands: one of the two words before it, which the
    /// parser's events do not tell.
    fn property(&self, node: Span, sign: char) -> Option<Span> {
        let mut before = self.slice.get(..node.start as usize - self.offset)?;
        for _ in 0..2 {
            before = before.trim_end();
            let start = before.rfind([' ', '\t', '\n', '\r', '[', '{', ',']).map_or(0, |at| at + 1);
            if before[start..].starts_with(sign) {
                let [start, end] = [start, before.len()].map(|at| clamp(self.offset + at));
                return Some(Span { start, end, ..node });
            }
            before = &before[..start];
        }
        None
    }

    fn push(&mut self, span: Span, frame: Frame<'a>) -> Result<(), Unreadable> {
        if self.stack.len() == DEEPEST {
            self.report.add(too_deep(span));
            return Err(Unreadable);
        }
        self.stack.push(frame);
        Ok(())
    }

    fn pop(&mut self) {
        let node = match self.stack.pop() {
            Some(Frame::List(span, items)) => Node { span, value: Value::List(items) },
            Some(Frame::Map { span, entries, key: _ }) => {
                let entries = self.without_duplicates(entries);
                Node { span, value: Value::Map(entries) }
            }
            None => return,
        };
        self.put(node);
    }

    fn put(&mut self, node: Node<'a>) {
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Frame::List(_, items)) => items.push(node),
            Some(Frame::Map { entries, key, .. }) => match std::mem::replace(key, Pending::Nothing) {
                Pending::Key(waiting) => entries.push((waiting, node)),
                Pending::Refused => {}
                Pending::Nothing => {
                    let (pending, draft) = pending(node);
                    *key = pending;
                    if let Some(draft) = draft {
                        self.report.add(draft);
                    }
                }
            },
        }
    }

    /// The first of each key; the others are reported.
    fn without_duplicates(&mut self, entries: Vec<(Key<'a>, Node<'a>)>) -> Vec<(Key<'a>, Node<'a>)> {
        let mut seen: HashMap<Cow<'a, str>, Span> = HashMap::with_capacity(entries.len());
        let mut kept = Vec::with_capacity(entries.len());
        for (key, node) in entries {
            match seen.entry(key.text.clone()) {
                Entry::Vacant(entry) => {
                    entry.insert(key.span);
                    kept.push((key, node));
                }
                Entry::Occupied(first) => self.report.add(
                    Draft::new(&codes::DUPLICATE_KEY, key.span, format!("`{}` is given twice", inert(&key.text)))
                        .help("remove one of the two")
                        .related(*first.get(), "first given here"),
                ),
            }
        }
        kept
    }
}

/// What a node in the place of a key means.
fn pending(node: Node<'_>) -> (Pending<'_>, Option<Draft>) {
    let Node { span, value } = node;
    match value {
        Value::Plain(text) if text == "<<" => {
            let draft = Draft::new(&codes::MERGE_KEY, span, "merge keys are not read")
                .help("to say a thing once, use a MemberGroup or ClientDefaults");
            (Pending::Refused, Some(draft))
        }
        Value::Plain(text) => (Pending::Key(Key { span, text, plain: true }), None),
        Value::Quoted(text) => (Pending::Key(Key { span, text, plain: false }), None),
        Value::List(_) | Value::Map(_) => {
            let draft = Draft::new(&codes::KEY_KIND, span, "a key is text, not a list or mapping")
                .help("text that begins with `{` or `[` needs quotes");
            (Pending::Refused, Some(draft))
        }
        Value::Refused => (Pending::Refused, None),
    }
}

fn too_deep(span: Span) -> Draft {
    let message = format!("nested more than {DEEPEST} levels deep");
    Draft::new(&codes::TOO_DEEP, span, message).help("a manifest needs six levels")
}

/// The parser's complaint in our words, with the commonest cause looked for first.
fn syntax_error(file: u32, offset: usize, slice: &str, error: &ScanError) -> Draft {
    let at = error.marker().byte_offset().unwrap_or(0).min(slice.len());
    if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
        let at = clamp(offset + at);
        return too_deep(Span { file, start: at, end: at + 1 });
    }
    let line_end = |from: usize| slice[from..].find('\n').map_or(slice.len(), |end| from + end + 1);
    // A tab that begins the next line is told at the end of the text before it.
    let upto = if error.info().contains("tab") { line_end(line_end(at)) } else { line_end(at) };
    let mut start = 0;
    for line in slice[..upto].split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = line[..indent].find('\t').filter(|_| !line.trim().is_empty()) {
            let tab = clamp(offset + start + tab);
            return Draft::new(&codes::TAB, Span { file, start: tab, end: tab + 1 }, "a tab as indentation")
                .help("indent with spaces");
        }
        start += line.len();
    }
    let at = clamp(offset + at);
    let info = error.info();
    let message = format!("not valid YAML: {}", inert(&info));
    let help = if info.contains("expected key") || info.contains("<document start>") {
        "what belongs together begins in the same column; text goes on one line, or in quotes"
    } else {
        "text that holds `: `, ` #` or begins with one of `{}[]&*!|>'\"%@` and the backtick needs quotes"
    };
    Draft::new(&codes::SYNTAX, Span { file, start: at, end: at + 1 }, message).help(help)
}

/// What a document that cannot be read seems to hold, read off its lines: enough to say whose
/// document it is, never enough to act on.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Guess {
    pub(crate) name: Option<String>,
    pub(crate) account_name: Option<String>,
    pub(crate) defaults: bool,
    pub(crate) group: bool,
}

/// Reads a [`Guess`] off the text.
pub(crate) fn guess(text: &str) -> Guess {
    let mut guess =
        Guess { defaults: text.contains("ClientDefaults"), group: text.contains("MemberGroup"), ..Guess::default() };
    for line in text.lines() {
        let line = line.trim().strip_prefix("metadata:").unwrap_or(line.trim()).trim().trim_start_matches('{').trim();
        let value = |key: &str| {
            let raw = line.strip_prefix(key)?.trim();
            let raw = raw.split([',', '}', '#']).next().unwrap_or_default().trim();
            let bare = raw.trim_matches(['"', '\'']);
            (!bare.is_empty()).then(|| bare.to_owned())
        };
        if guess.name.is_none() {
            guess.name = value("name:");
        }
        if guess.account_name.is_none() {
            guess.account_name = value("accountName:");
        }
    }
    guess
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<(&'static str, &str)> {
        let named = pieces(text).into_iter().map(|piece| match piece {
            Piece::Document(range) => ("document", &text[range]),
            Piece::AfterEnd(range) => ("after", &text[range]),
            Piece::Directive(range) => ("directive", &text[range]),
        });
        named.collect()
    }

    #[test]
    fn a_file_is_split_at_its_markers_and_blank_documents_are_left_out() {
        assert_eq!(split("a: 1\n---\nb: 2\n"), [("document", "a: 1\n"), ("document", "---\nb: 2\n")]);
        assert_eq!(split("# only\n---\n# comments\n--- # here\n\n"), []);
        assert_eq!(split("\u{feff}a: 1\r\n---\r\nb: 2"), [("document", "a: 1\r\n"), ("document", "---\r\nb: 2")]);
        assert_eq!(split("a: |\n  ---\n  x\n---x: 1\n"), [("document", "a: |\n  ---\n  x\n---x: 1\n")]);
        assert_eq!(split("--- {a: 1}\n"), [("document", "--- {a: 1}\n")]);
    }

    #[test]
    fn text_behind_the_end_and_directives_are_pieces_of_their_own() {
        assert_eq!(split("a: 1\n...\n\nb: 2\nc: 3\n"), [("document", "a: 1\n"), ("after", "b: 2\nc: 3")]);
        assert_eq!(
            split("a: 1\n... # fine\n# fine\n---\nb: 2\n"),
            [("document", "a: 1\n"), ("document", "---\nb: 2\n")]
        );
        assert_eq!(split("a: 1\n... b\n"), [("document", "a: 1\n"), ("after", "b")]);
        assert_eq!(split("%YAML 1.1\na: 1\n"), [("directive", "%YAML 1.1"), ("document", "a: 1\n")]);
        assert_eq!(split("%YAML 1.1\n---\na: 1\n"), [("directive", "%YAML 1.1"), ("document", "---\na: 1\n")]);
    }

    #[test]
    fn a_broken_document_still_tells_whose_it_seems_to_be() {
        let text = "kind: ClientAccount\nmetadata: { name: acme, labels: {} }\nspec:\n  accountName: \"Acme\"\n  x: [";
        let guessed = guess(text);
        assert_eq!((guessed.name.as_deref(), guessed.account_name.as_deref()), (Some("acme"), Some("Acme")));
        assert!(!guessed.defaults && !guessed.group);
        assert!(guess("kind: ClientDefaults\n[").defaults);
    }

    #[test]
    fn hostile_structures_cost_no_more_than_their_length() {
        for text in [
            "[".repeat(LARGEST_DOCUMENT),
            "{".repeat(LARGEST_DOCUMENT),
            "- ".repeat(LARGEST_DOCUMENT / 2),
            "? ".repeat(LARGEST_DOCUMENT / 2),
            "{a: ".repeat(LARGEST_DOCUMENT / 4),
            (0..5_000).map(|level| format!("{}a:\n", " ".repeat(level % 10))).collect(),
            format!("a: \"{}", "x".repeat(LARGEST_DOCUMENT - 10)),
            format!("a: &a [x]\nb: [{}]", "*a,".repeat(20_000)),
            format!("{}\n", "&a ".repeat(20_000)),
            format!("[{}]", "!x y,".repeat(10_000)),
        ] {
            let began = std::time::Instant::now();
            let mut report = DocumentReport::new();
            let _ = read(0, &text, 0..text.len(), &mut report);
            assert!(report.first_error().is_some(), "{}", &text[..40]);
            assert!(began.elapsed().as_millis() < 1_500, "{:?} for {}", began.elapsed(), &text[..40]);
        }
    }
}
