//! Findings as GitHub shows them beside the line: workflow commands, one a line.

use std::fmt::Write as _;

use super::codes;
use super::finding::{Finding, Severity};

/// A command for each finding. Nothing in it can begin another one: line breaks and what
/// separates properties are escaped as the command's format has it.
pub fn annotations(findings: &[Finding]) -> String {
    let mut out = String::new();
    for Finding { code, severity, message, help, place, related: _ } in findings {
        let command = match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let title = codes::ALL.iter().find(|known| known.id == *code).map_or("", |known| known.title);
        let _ = write!(out, "::{command} file={}", property(&place.file));
        if place.line > 0 {
            let _ = write!(out, ",line={},col={}", place.line, place.column.max(1));
        }
        let text = help.as_ref().map_or_else(|| message.clone(), |help| format!("{message}\n{help}"));
        let _ = writeln!(out, ",title={}::{}", property(&format!("{code}: {title}")), data(&text));
    }
    out
}

/// The text of a command.
pub fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a command.
pub fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
