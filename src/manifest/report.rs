//! Collects findings while manifests are read and checked, and gives them their places at the end.

use std::collections::BTreeMap;

use super::codes::{self, Code};
use super::finding::{Finding, Place, Severity};
use super::wanted::SourceRef;
use crate::domain::text::is_active;

/// Bytes of a file, by the file's index in the set; `start..end`, or all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Span {
    pub(crate) file: u32,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    /// The whole of a file, where no place in it can be named.
    pub(crate) const fn file(file: u32) -> Self {
        Self { file, start: u32::MAX, end: u32::MAX }
    }
}

/// A value and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Located<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// A finding that has bytes instead of lines.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) code: &'static Code,
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) related: Vec<(Span, String)>,
}

impl Draft {
    pub(crate) fn new(code: &'static Code, span: Span, message: impl Into<String>) -> Self {
        Self { code, span, message: message.into(), help: None, related: Vec::new() }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn related(mut self, span: Span, what: impl Into<String>) -> Self {
        self.related.push((span, what.into()));
        self
    }
}

/// The most findings shown of one document, so that a hostile one stays readable.
const SHOWN_PER_DOCUMENT: usize = 50;

/// The findings of one document: bounded, and knowing whether there was an error.
#[derive(Debug)]
pub(crate) struct DocumentReport {
    drafts: Vec<Draft>,
    more: usize,
    first_error: Option<String>,
}

impl DocumentReport {
    pub(crate) const fn new() -> Self {
        Self { drafts: Vec::new(), more: 0, first_error: None }
    }

    pub(crate) fn add(&mut self, draft: Draft) {
        if draft.code.severity == Severity::Error && self.first_error.is_none() {
            self.first_error = Some(draft.message.clone());
        }
        if self.drafts.len() < SHOWN_PER_DOCUMENT {
            self.drafts.push(draft);
        } else {
            self.more += 1;
        }
    }

    /// What the first error says, if there was one.
    pub(crate) fn first_error(&self) -> Option<&str> {
        self.first_error.as_deref()
    }

    /// Hands the findings over, with one that tells how many were left out.
    pub(crate) fn finish(mut self, document: Span, into: &mut Drafts) {
        if self.more > 0 {
            let message = format!("{} more findings in this document", self.more);
            self.drafts.push(Draft::new(&codes::TOO_MANY_FINDINGS, document, message));
        }
        into.append(&mut self.drafts);
    }
}

/// The most findings of a severity shown of one file: what a person reads before looking again, and
/// a bound on the work and memory that a hostile file costs.
const SHOWN_PER_FILE: usize = 100;

/// The findings of all files; of each file, only so many of a severity are kept.
#[derive(Debug, Default)]
pub(crate) struct Drafts {
    kept: Vec<Draft>,
    counts: BTreeMap<(u32, Severity), usize>,
}

impl Drafts {
    pub(crate) fn push(&mut self, draft: Draft) {
        let count = self.counts.entry((draft.span.file, draft.code.severity)).or_default();
        *count += 1;
        if *count <= SHOWN_PER_FILE {
            self.kept.push(draft);
        }
    }

    pub(crate) fn append(&mut self, drafts: &mut Vec<Draft>) {
        drafts.drain(..).for_each(|draft| self.push(draft));
    }

    /// What was kept, with a finding for each file of which some were left out.
    fn into_kept(self) -> Vec<Draft> {
        let Self { mut kept, counts } = self;
        for ((file, severity), count) in counts {
            let Some(more) = count.checked_sub(SHOWN_PER_FILE).filter(|more| *more > 0) else { continue };
            let (code, what) = match severity {
                Severity::Error => (&codes::TOO_MANY_FINDINGS, "errors"),
                Severity::Warning => (&codes::TOO_MANY_WARNINGS, "warnings"),
            };
            kept.push(Draft::new(code, Span::file(file), format!("{more} more {what} in this file")));
        }
        kept
    }
}

/// One file's name and text, for turning bytes into lines.
#[derive(Debug)]
pub(crate) struct SourceText<'a> {
    pub(crate) name: &'a str,
    pub(crate) text: &'a str,
    line_starts: Vec<u32>,
}

impl<'a> SourceText<'a> {
    pub(crate) fn new(name: &'a str, text: &'a str) -> Self {
        let bytes = text.as_bytes();
        // YAML ends a line with LF, CRLF, or CR alone.
        let ends = |at: usize| bytes[at] == b'\n' || bytes[at] == b'\r' && bytes.get(at + 1) != Some(&b'\n');
        let breaks = (0..bytes.len()).filter(|at| ends(*at)).map(|at| clamp(at + 1));
        Self { name, text, line_starts: std::iter::once(0).chain(breaks).collect() }
    }

    /// Line and column from 1, the column in characters, and the bytes of the line.
    fn locate(&self, at: usize) -> (u32, u32, std::ops::Range<usize>) {
        let at = at.min(self.text.len());
        let index = self.line_starts.partition_point(|start| *start as usize <= at).saturating_sub(1);
        let start = self.line_starts[index] as usize;
        let end = self.line_starts.get(index + 1).map_or(self.text.len(), |next| *next as usize);
        let column = self.text.get(start..at).map_or(0, |before| before.chars().count());
        (clamp(index + 1), clamp(column + 1), start..end)
    }

    pub(crate) fn source_ref(&self, span: Span) -> SourceRef {
        let (line, column) = if span.start == u32::MAX {
            (1, 1)
        } else {
            let (line, column, _) = self.locate(span.start as usize);
            (line, column)
        };
        SourceRef { file: self.name.to_owned(), line, column }
    }

    fn place(&self, span: Span) -> Place {
        if span.start == u32::MAX {
            return Place { file: self.name.to_owned(), line: 0, column: 0, excerpt: String::new(), marked: 0..0 };
        }
        let (start, end) = (span.start as usize, span.end as usize);
        let (line, column, bytes) = self.locate(start);
        let whole = self.text[bytes.clone()].trim_end_matches(['\n', '\r']);
        let (excerpt, marked) = excerpt(whole, start - bytes.start, end.saturating_sub(bytes.start));
        Place { file: self.name.to_owned(), line, column, excerpt, marked }
    }
}

/// How much of a long line is shown before and behind the place, in bytes.
const WINDOW: (usize, usize) = (60, 80);

/// The line made inert and cut to a window, with the marked bytes carried along.
fn excerpt(line: &str, start: usize, end: usize) -> (String, std::ops::Range<usize>) {
    let (start, end) = (start.min(line.len()), end.clamp(start, line.len().max(start)).min(line.len()));
    let boundary = |mut at: usize| {
        while !line.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let from = if line.len() <= WINDOW.0 + WINDOW.1 { 0 } else { boundary(start.saturating_sub(WINDOW.0)) };
    let to = if line.len() <= WINDOW.0 + WINDOW.1 { line.len() } else { boundary((start + WINDOW.1).min(line.len())) };
    let mut out = String::with_capacity(to - from + 8);
    if from > 0 {
        out.push('…');
    }
    let (mut marked_from, mut marked_to) = (None, None);
    for (at, c) in line[from..to].char_indices().map(|(at, c)| (at + from, c)) {
        if at >= start && marked_from.is_none() {
            marked_from = Some(out.len());
        }
        if at >= end && marked_to.is_none() {
            marked_to = Some(out.len());
        }
        match c {
            '\t' => out.push(' '),
            c if is_active(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    let marked_from = marked_from.unwrap_or(out.len());
    let marked_to = marked_to.unwrap_or(out.len());
    if to < line.len() {
        out.push('…');
    }
    (out, marked_from..marked_to.max(marked_from))
}

/// Gives the drafts their lines, in a stable order: file, line, column, code.
pub(crate) fn finish(drafts: Drafts, sources: &[SourceText<'_>]) -> Vec<Finding> {
    let mut drafts = drafts.into_kept();
    drafts.sort_by(|a, b| {
        let key = |d: &Draft| (d.span.file, d.span.start.wrapping_add(1), d.code.id);
        key(a).cmp(&key(b)).then_with(|| a.message.cmp(&b.message))
    });
    let place = |span: Span| sources[span.file as usize].place(span);
    let finished = drafts.into_iter().map(|draft| {
        let Draft { code, span, message, help, related } = draft;
        Finding {
            code: code.id,
            severity: code.severity,
            message,
            help,
            place: place(span),
            related: related.into_iter().map(|(span, what)| (place(span), what)).collect(),
        }
    });
    finished.collect()
}

/// Files have at most 1 MiB, so that every position fits.
pub(crate) fn clamp(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_line_is_shown_inert_and_the_mark_stays_on_the_same_characters() {
        let line = "name: a\u{1b}[31mb # \u{202e}x";
        let (shown, marked) = excerpt(line, 6, 12);
        assert_eq!(shown, "name: a\\u{1b}[31mb # \\u{202e}x");
        assert_eq!(&shown[marked], "a\\u{1b}[31m");
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let line = format!("{}é{}", "x".repeat(1000), "y".repeat(1000));
        let (shown, marked) = excerpt(&line, 1000, 1002);
        assert!(shown.len() < 200 && shown.starts_with('…') && shown.ends_with('…'));
        assert_eq!(&shown[marked], "é");
    }

    #[test]
    fn a_mark_past_the_end_of_the_line_is_drawn_in() {
        assert_eq!(excerpt("ab", 5, 9), ("ab".to_owned(), 2..2));
        assert_eq!(excerpt("", 0, 3), (String::new(), 0..0));
    }
}
