//! From the files that were read to what is wanted, with everything that is wrong.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::domain::text::inert;
use crate::domain::{AccountName, ClientName};
use crate::source::{FileSet, Problem, SourceFile};

use super::checks;
use super::codes;
use super::documents::{
    ClientDocument, DefaultsDocument, Document, GroupDocument, KINDS, OffboardingDocument, document, ignored,
};
use super::finding::{Finding, Severity};
use super::origin::Origins;
use super::report::{DocumentReport, Draft, Drafts, SourceText, Span, clamp, finish};
use super::resolve::{self, Candidate};
use super::wanted::{Invalid, Offboarding, Wanted};
use super::yaml::{self, Guess, LARGEST_DOCUMENT, Piece};

/// The operator's word on how manifests are checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoadOptions {
    /// Domains of the agency itself, whose people may be in several client accounts.
    pub own_domains: Vec<String>,
}

/// Manifests as resolved, with everything that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loaded {
    /// What is wanted, the invalid left out of it and listed.
    pub wanted: Wanted,
    /// Where the values of each of `wanted.clients` come from, in the same order.
    pub origins: Vec<Origins>,
    /// Everything that is wrong, by file, line and column.
    pub findings: Vec<Finding>,
    /// How many files there were.
    pub files: usize,
}

impl Loaded {
    /// Findings of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// Whether anything is an error: exit code 1, though the valid clients go on.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

/// Reads, resolves and checks all manifests together. Pure; the same files give the same result.
pub fn load(files: &FileSet, options: &LoadOptions) -> Loaded {
    let mut loader = Loader::default();
    for (index, file) in files.files().iter().enumerate() {
        loader.file(clamp(index), file);
    }
    let mut world = resolve::resolve(loader.read, loader.drafts);
    checks::run(&mut world, &options.own_domains);

    let sources = &loader.sources;
    let (mut wanted, mut origins) = (Wanted::default(), Vec::new());
    let mut valid: Vec<_> = Vec::new();
    for candidate in &world.candidates {
        match world.finish(candidate, sources) {
            Ok(pair) => valid.push(pair),
            Err(why) => wanted.invalid.push(invalid_client(candidate, why, sources)),
        }
    }
    valid.sort_by(|a, b| a.0.name.cmp(&b.0.name));
    for (client, origin) in valid {
        wanted.clients.push(client);
        origins.push(origin);
    }
    wanted.offboardings = world.offboardings.iter().filter_map(|document| offboarding(document, sources)).collect();
    wanted.offboardings.sort_by(|a, b| a.name.cmp(&b.name));
    wanted.invalid.extend(loader.invalid.into_iter().map(|lost| lost.into_invalid(sources)));
    wanted.invalid.sort_by(|a, b| a.source.cmp(&b.source));
    Loaded { wanted, origins, findings: finish(world.drafts, sources), files: files.files().len() }
}

fn invalid_client(candidate: &Candidate, why: String, sources: &[SourceText<'_>]) -> Invalid {
    let ClientDocument { header, account_name, account_id, previous_names: _, shared: _ } = &candidate.document;
    Invalid {
        name: header.name.as_ref().map(|name| name.value.clone()),
        account_name: account_name.as_ref().map(|name| name.value.clone()),
        account_id: account_id.as_ref().map(|id| id.value.clone()),
        source: sources[header.span.file as usize].source_ref(header.span),
        why,
        whole_file: false,
    }
}

fn offboarding(document: &Checked<OffboardingDocument>, sources: &[SourceText<'_>]) -> Option<Offboarding> {
    let OffboardingDocument { header, people, reason } = &document.document;
    if document.why.is_some() {
        return None;
    }
    Some(Offboarding {
        name: header.name.as_ref()?.value.clone(),
        people: people.iter().map(|person| person.value.clone()).collect(),
        reason: reason.clone(),
        source: sources[header.span.file as usize].source_ref(header.span),
    })
}

/// A document as read, and the first thing wrong with it.
#[derive(Debug)]
pub(crate) struct Checked<D> {
    pub(crate) document: D,
    pub(crate) why: Option<String>,
}

/// Everything that could be read, before anything is resolved.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) clients: Vec<Checked<ClientDocument>>,
    pub(crate) groups: Vec<Checked<GroupDocument>>,
    pub(crate) defaults: Vec<Checked<DefaultsDocument>>,
    pub(crate) offboardings: Vec<Checked<OffboardingDocument>>,
    /// The folder of each file, by index.
    pub(crate) folders: Vec<PathBuf>,
    /// Folders in which ClientDefaults may stand that could not be read, and why.
    pub(crate) broken_defaults: HashMap<PathBuf, String>,
    /// Why a group may exist though it is not known.
    pub(crate) broken_groups: Option<String>,
}

/// A piece of a file that could not be read at all.
#[derive(Debug)]
struct Lost {
    span: Span,
    guess: Guess,
    why: String,
}

impl Lost {
    fn into_invalid(self, sources: &[SourceText<'_>]) -> Invalid {
        Invalid {
            name: self.guess.name.and_then(|name| ClientName::parse(&name).ok()),
            account_name: self.guess.account_name.map(AccountName::new),
            account_id: None,
            source: sources[self.span.file as usize].source_ref(self.span),
            why: self.why,
            whole_file: true,
        }
    }
}

#[derive(Debug, Default)]
struct Loader<'a> {
    read: Read,
    drafts: Drafts,
    invalid: Vec<Lost>,
    sources: Vec<SourceText<'a>>,
}

/// The most documents of a file: about as many of the shortest clients as a file of the largest size holds.
const MOST_DOCUMENTS: usize = 10_000;

/// Names that a policy or configuration of ours bears by convention.
const OPERATOR_FILES: &[&str] = &["bursar.policy", "bursar.config", "bursar-policy", "bursar-config"];
/// Names that one may bear, and manifests too: these are one where no kind of manifest is named in it.
const PERHAPS_OPERATOR_FILES: &[&str] = &["bursar", "policy", "config", "fleets"];

fn is_operators(stem: &str, bytes: &[u8]) -> bool {
    let text = || String::from_utf8_lossy(bytes);
    OPERATOR_FILES.contains(&stem)
        || PERHAPS_OPERATOR_FILES.contains(&stem) && !KINDS.iter().any(|kind| text().contains(kind))
}

impl<'a> Loader<'a> {
    fn file(&mut self, index: u32, file: &'a SourceFile) {
        let SourceFile { name, folder, path: _, content } = file;
        self.read.folders.push(folder.clone());
        let stem = Path::new(name).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let whole = Span::file(index);
        let text = match content {
            Ok(bytes) if is_operators(&stem, bytes) => {
                self.drafts.push(ignored(whole, "this policy or configuration among the manifests is ignored"));
                ""
            }
            Ok(bytes) => match decode(bytes) {
                Ok(text) => text,
                Err((valid, span, message, help)) => {
                    let span = span.map_or(whole, |at| Span { file: index, start: at, end: at });
                    let draft = Draft::new(&codes::ENCODING, span, message).help(help);
                    self.lose(folder, draft, yaml::guess(&String::from_utf8_lossy(bytes)), whole);
                    self.sources.push(SourceText::new(name, valid));
                    return;
                }
            },
            Err(Problem::Operators) => {
                self.drafts.push(ignored(whole, "this policy or configuration among the manifests is ignored"));
                ""
            }
            Err(problem) => {
                let (draft, guess) = problem_finding(whole, problem);
                self.lose(folder, draft, guess, whole);
                ""
            }
        };
        self.sources.push(SourceText::new(name, text));
        let pieces = yaml::pieces(text);
        if pieces.len() > MOST_DOCUMENTS {
            let message = format!("the file has {} documents, more than {MOST_DOCUMENTS}", pieces.len());
            let draft = Draft::new(&codes::TOO_LARGE, whole, message).help("split it into several files");
            self.lose(folder, draft, yaml::guess(text), whole);
            return;
        }
        for piece in pieces {
            self.piece(index, folder, text, piece);
        }
    }

    fn piece(&mut self, file: u32, folder: &Path, text: &'a str, piece: Piece) {
        let span = |range: &std::ops::Range<usize>| Span { file, start: clamp(range.start), end: clamp(range.end) };
        match piece {
            Piece::Directive(range) => self.drafts.push(
                Draft::new(&codes::DIRECTIVE, span(&range), "YAML directives are not read").help("remove the line"),
            ),
            Piece::AfterEnd(range) => {
                let draft = Draft::new(&codes::AFTER_END, span(&range), "text after `...`, the end of the document")
                    .help("begin another document with `---`, or remove the `...`");
                self.lose(folder, draft, yaml::guess(&text[range.clone()]), span(&range));
            }
            Piece::Document(range) if range.len() > LARGEST_DOCUMENT => {
                let message = format!("the document has {} KiB, more than 64", range.len().div_ceil(1024));
                let first = Span { end: clamp(range.start), ..span(&range) };
                let draft = Draft::new(&codes::TOO_LARGE, first, message).help("split it into several documents");
                self.lose(folder, draft, yaml::guess(&text[range.clone()]), first);
            }
            Piece::Document(range) => self.document(file, folder, text, range),
        }
    }

    fn document(&mut self, file: u32, folder: &Path, text: &'a str, range: std::ops::Range<usize>) {
        let mut report = DocumentReport::new();
        let mut span = Span { file, start: clamp(range.start), end: clamp(range.start) };
        let found = match yaml::read(file, text, range.clone(), &mut report) {
            Ok(node) => {
                span = node.span;
                document(&node, &mut report)
            }
            Err(yaml::Unreadable) => Document::Unknown(None),
        };
        let why = report.first_error().map(str::to_owned);
        match found {
            Document::Client(document) => self.read.clients.push(Checked { document: *document, why }),
            Document::Group(document) => self.read.groups.push(Checked { document, why }),
            Document::Defaults(document) => self.read.defaults.push(Checked { document, why }),
            Document::Offboarding(document) => self.read.offboardings.push(Checked { document, why }),
            Document::Ignored => {}
            Document::Unknown(near) => {
                let mut guess = yaml::guess(&text[range]);
                guess.defaults |= near == Some("ClientDefaults");
                guess.group |= near == Some("MemberGroup");
                self.out(folder, guess, span, why.unwrap_or_else(|| "it cannot be read".to_owned()));
            }
        }
        report.finish(span, &mut self.drafts);
    }

    fn lose(&mut self, folder: &Path, draft: Draft, guess: Guess, span: Span) {
        let why = draft.message.clone();
        self.drafts.push(draft);
        self.out(folder, guess, span, why);
    }

    /// Notes what is out: the piece itself, and what may depend on it.
    fn out(&mut self, folder: &Path, guess: Guess, span: Span, why: String) {
        if guess.defaults {
            let reason = format!("the ClientDefaults of its folder may be in a document that cannot be used: {why}");
            self.read.broken_defaults.entry(folder.to_owned()).or_insert(reason);
        }
        if guess.group && self.read.broken_groups.is_none() {
            self.read.broken_groups = Some(format!("it may be in a document that cannot be used: {why}"));
        }
        self.invalid.push(Lost { span, guess, why });
    }
}

/// The finding for a file that was not read, and what the file may hold.
fn problem_finding(span: Span, problem: &Problem) -> (Draft, Guess) {
    let message = inert(&problem.to_string()).into_owned();
    match problem {
        Problem::TooLarge { head } => {
            let draft = Draft::new(&codes::TOO_LARGE, span, message).help("split it into several files");
            (draft, yaml::guess(&String::from_utf8_lossy(head)))
        }
        Problem::NotAFile(_) => {
            (Draft::new(&codes::NOT_A_FILE, span, message).help("remove it or rename it"), Guess::default())
        }
        Problem::Link(_) | Problem::Operators => {
            let draft = Draft::new(&codes::LINK_LEAVES, span, message).help("copy the file into the folder instead");
            (draft, Guess::default())
        }
        // What it holds cannot be known: it may be the defaults or the groups of others.
        Problem::Unreadable(_) => {
            let draft = Draft::new(&codes::UNREADABLE_FILE, span, message).help("make it readable, or take it out");
            (draft, Guess { defaults: true, group: true, ..Guess::default() })
        }
    }
}

/// The text of a file; else the part that is text, where it ends, what is wrong and what to do.
fn decode(bytes: &[u8]) -> Result<&str, (&str, Option<u32>, String, &'static str)> {
    let wide = bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]);
    let zeros = bytes.iter().take(64).filter(|b| **b == 0).count();
    if wide || zeros * 4 >= bytes.len().min(64) && zeros > 0 {
        return Err(("", None, "the file is UTF-16 or UTF-32, not UTF-8".to_owned(), "save it as UTF-8"));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let valid = std::str::from_utf8(&bytes[..at]).unwrap_or_default();
        let message = format!("the byte 0x{:02X} here is not UTF-8 text", bytes.get(at).copied().unwrap_or_default());
        (valid, Some(clamp(at)), message, "save the file as UTF-8")
    })
}
