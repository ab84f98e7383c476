//! What is wrong in a manifest, with the place in the file; shown as rustc shows its errors.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::wanted::SourceRef;
use crate::domain::text::inert;

/// Whether a finding keeps a document from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// What depends on the document is not changed.
    Error,
    /// Worth a look; nothing is kept back.
    Warning,
}

impl Severity {
    /// The word for it, capitalised.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Error => "Error",
            Self::Warning => "Warning",
        }
    }
}

/// Something wrong at a place. Every text in it is inert: safe to print anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The stable code, `BUR0022`; explained in `docs/findings.md`.
    pub code: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, one line.
    pub message: String,
    /// What to do, one line.
    pub help: Option<String>,
    /// Where.
    pub place: Place,
    /// Other places that matter, each with what is there.
    pub related: Vec<(Place, String)>,
}

/// A place in a file with the line of source that stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as it is shown.
    pub file: String,
    /// From 1; 0 where the whole file is meant.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// The line, inert and cut to a window around the place.
    pub(crate) excerpt: String,
    /// The bytes of the excerpt that are meant.
    pub(crate) marked: std::ops::Range<usize>,
}

impl Place {
    /// The place as the rest of the program knows it.
    pub fn source_ref(&self) -> SourceRef {
        SourceRef { file: self.file.clone(), line: self.line.max(1), column: self.column.max(1) }
    }
}

impl Finding {
    /// The same with its files named from where `folder` is, for programs that know nothing of
    /// the folder that was read.
    #[must_use]
    pub fn below(mut self, folder: &Path) -> Self {
        let places = std::iter::once(&mut self.place).chain(self.related.iter_mut().map(|(place, _)| place));
        for place in places.filter(|place| place.file != "-") {
            place.file = file_below(&place.file, folder);
        }
        self
    }

    /// The finding with its source line, caret and help, ending in a line break.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let Self { code, severity, message, help, place, related } = self;
        let level = match severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut first = show(Group::with_title(level.primary_title(message.as_str()).id(*code)), place);
        if let Some(help) = help {
            first = first.element(Level::HELP.message(help.as_str()));
        }
        let mut groups = vec![first];
        for (place, label) in related {
            groups.push(show(Group::with_title(Level::NOTE.secondary_title(label.as_str())), place));
        }
        let mut text = renderer.decor_style(DecorStyle::Ascii).term_width(140).render(&groups);
        text.push('\n');
        text
    }
}

/// A file named from where `folder` is.
pub fn file_below(file: &str, folder: &Path) -> String {
    let path = folder.join(file);
    path.components().filter(|part| *part != Component::CurDir).collect::<PathBuf>().display().to_string()
}

/// Adds a place to a group: the path, and the line with its caret where there is one.
fn show<'a>(group: Group<'a>, place: &'a Place) -> Group<'a> {
    let Place { file, line, column, excerpt, marked } = place;
    let (line, column) = (*line as usize, *column as usize);
    if line == 0 {
        return group.element(Origin::path(inert(file)));
    }
    let origin = Origin::path(inert(file)).line(line).char_column(column);
    if excerpt.is_empty() {
        return group.element(origin);
    }
    let snippet =
        Snippet::source(excerpt.as_str()).line_start(line).annotation(AnnotationKind::Primary.span(marked.clone()));
    // The renderer counts the column in the excerpt; where that was cut or escaped, the true one is given apart.
    if excerpt[..marked.start].chars().count() + 1 == column {
        group.element(snippet.path(inert(file)))
    } else {
        group.element(origin).element(snippet)
    }
}

impl fmt::Display for Finding {
    /// One line: `clients/acme.yaml:3:5: error[BUR0022]: unknown field`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, severity, message, help: _, place, related: _ } = self;
        write!(f, "{}", inert(&place.file))?;
        if place.line > 0 {
            write!(f, ":{}:{}", place.line, place.column)?;
        }
        write!(f, ": {}[{code}]: {message}", severity.word().to_lowercase())
    }
}

impl serde::Serialize for Finding {
    /// As `validate -o json` gives it; the file's name raw, everything else inert.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let Self { code, severity, message, help, place, related } = self;
        let mut out = serializer.serialize_struct("Finding", 8)?;
        out.serialize_field("code", code)?;
        out.serialize_field("severity", severity)?;
        out.serialize_field("message", message)?;
        out.serialize_field("help", help)?;
        out.serialize_field("file", &place.file)?;
        out.serialize_field("line", &place.line.max(1))?;
        out.serialize_field("column", &place.column.max(1))?;
        out.serialize_field("related", &related.iter().map(RelatedJson::from).collect::<Vec<_>>())?;
        out.end()
    }
}

#[derive(serde::Serialize)]
struct RelatedJson<'a> {
    message: &'a str,
    file: &'a str,
    line: u32,
    column: u32,
}

impl<'a> From<&'a (Place, String)> for RelatedJson<'a> {
    fn from((place, message): &'a (Place, String)) -> Self {
        Self { message, file: &place.file, line: place.line.max(1), column: place.column.max(1) }
    }
}
