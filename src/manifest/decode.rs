//! From nodes to values, collecting every finding instead of stopping at the first.

use crate::domain::text::inert;

use super::codes;
use super::plain::{PlainKind, plain_kind};
use super::report::{DocumentReport, Draft, Located, Span};
use super::yaml::{Key, Node, Value};

/// The fields of a mapping, unknown ones reported.
#[derive(Debug)]
pub(crate) struct Fields<'n, 'a> {
    span: Span,
    what: &'static str,
    entries: &'n [(Key<'a>, Node<'a>)],
}

/// Reads a mapping whose fields are `known`; `what` names it in messages (`spec`).
pub(crate) fn fields<'n, 'a>(
    node: &'n Node<'a>,
    what: &'static str,
    known: &[&str],
    report: &mut DocumentReport,
) -> Option<Fields<'n, 'a>> {
    let Value::Map(entries) = &node.value else {
        wrong_type(node, what, "a mapping (`key: value` lines)", report);
        return None;
    };
    for (key, _) in entries {
        if !known.contains(&key.text.as_ref()) {
            let message = format!("unknown field `{}` in {what}", inert(&key.text));
            let help = suggestion(&key.text, known).map_or_else(
                || format!("the fields are {}", known.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            report.add(Draft::new(&codes::UNKNOWN_FIELD, key.span, message).help(help));
        }
    }
    Some(Fields { span: node.span, what, entries })
}

impl<'n, 'a> Fields<'n, 'a> {
    /// The value of a field that may be missing.
    pub(crate) fn get(&self, name: &str) -> Option<&'n Node<'a>> {
        self.entries.iter().find(|(key, _)| key.text == name).map(|(_, node)| node)
    }

    /// The value of a field that is required; a missing one is reported at the mapping.
    pub(crate) fn require(&self, name: &str, report: &mut DocumentReport) -> Option<&'n Node<'a>> {
        let found = self.get(name);
        if found.is_none() {
            report.add(missing(self.span, name, self.what));
        }
        found
    }
}

/// The finding for a required field that is not there.
pub(crate) fn missing(span: Span, name: &str, what: &str) -> Draft {
    let first = Span { end: span.start.saturating_add(1), ..span };
    Draft::new(&codes::MISSING_FIELD, first, format!("`{name}` is missing in {what}")).help(format!("add `{name}:`"))
}

/// Text, in quotes or plainly text.
pub(crate) fn text<'n>(node: &'n Node<'_>, field: &str, report: &mut DocumentReport) -> Option<Located<&'n str>> {
    match &node.value {
        Value::Quoted(text) => Some(Located { value: text.as_ref(), span: node.span }),
        Value::Plain(text) => match plain_kind(text) {
            PlainKind::Text => Some(Located { value: text.as_ref(), span: node.span }),
            PlainKind::Null if text.is_empty() => {
                report.add(
                    Draft::new(&codes::QUOTES, node.span, format!("`{field}` is empty"))
                        .help("write a value, in quotes where it is to be empty text, or leave the line out"),
                );
                None
            }
            kind => {
                let taken_for = match kind {
                    PlainKind::Null => "nothing at all",
                    PlainKind::Bool(_) | PlainKind::OldBool => "a truth value",
                    PlainKind::Date => "a date",
                    PlainKind::Number | PlainKind::Text => "a number",
                };
                let shown = inert(text);
                report.add(
                    Draft::new(
                        &codes::QUOTES,
                        node.span,
                        format!("`{field}` is to be text, and YAML readers take `{shown}` for {taken_for}"),
                    )
                    .help(match kind {
                        PlainKind::Null => "leave the line out; or put it in quotes, if that is the text".to_owned(),
                        _ => format!("put it in quotes: \"{shown}\""),
                    }),
                );
                None
            }
        },
        Value::List(_) | Value::Map(_) | Value::Refused => {
            wrong_type(node, field, "text", report);
            None
        }
    }
}

const BOOLEAN: &str = "`true` or `false`";

/// `true` or `false`.
pub(crate) fn boolean(node: &Node<'_>, field: &str, report: &mut DocumentReport) -> Option<Located<bool>> {
    if let Value::Plain(text) = &node.value
        && let PlainKind::Bool(value) = plain_kind(text)
    {
        return Some(Located { value, span: node.span });
    }
    wrong_type(node, field, BOOLEAN, report);
    None
}

/// The items of a list.
pub(crate) fn list<'n, 'a>(node: &'n Node<'a>, field: &str, report: &mut DocumentReport) -> Option<&'n [Node<'a>]> {
    if let Value::List(items) = &node.value {
        return Some(items);
    }
    wrong_type(node, field, "a list", report);
    None
}

/// Reports what stands there instead of what is expected.
pub(crate) fn wrong_type(node: &Node<'_>, field: &str, expected: &str, report: &mut DocumentReport) {
    let found = match &node.value {
        Value::Refused => return,
        Value::Plain(text) if text.is_empty() => {
            let help = match expected {
                "a list" => "write `[]` for an empty list, or leave the line out".to_owned(),
                _ => format!("write {expected}, or leave the line out"),
            };
            report.add(Draft::new(&codes::QUOTES, node.span, format!("`{field}` is empty")).help(help));
            return;
        }
        Value::Plain(text) | Value::Quoted(text) => format!("`{}`", inert(text)),
        Value::List(_) => "a list".to_owned(),
        Value::Map(_) => "a mapping".to_owned(),
    };
    let span = match &node.value {
        // The span of a collection is its first character, or none.
        Value::List(_) | Value::Map(_) => Span { end: node.span.end.max(node.span.start + 1), ..node.span },
        Value::Plain(_) | Value::Quoted(_) | Value::Refused => node.span,
    };
    let mut draft = Draft::new(&codes::WRONG_TYPE, span, format!("`{field}` is to be {expected}, found {found}"));
    if let (Value::Plain(_) | Value::Quoted(_), "a list") = (&node.value, expected) {
        draft = draft.help("write a line `- ...` for each, or all of them in `[ ]`");
    } else if expected == BOOLEAN {
        draft = draft.help("write true or false, without quotes");
    }
    report.add(draft);
}

/// The nearest of the known words, where one is near enough to be meant.
pub(crate) fn suggestion<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    // Long words are not misspelt names, and comparing them costs their square.
    if word.len() > 64 {
        return None;
    }
    let folded = word.to_lowercase();
    let distance = |known: &str| strsim::damerau_levenshtein(&folded, &known.to_lowercase());
    let near = known.iter().map(|k| (distance(k), *k)).min()?;
    (near.0 <= 1 + near.1.len() / 4).then_some(near.1)
}
