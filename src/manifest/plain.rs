//! What YAML readers take a scalar without quotes for: text, or something else.

/// What a plain scalar is, for the readers of YAML 1.1 and 1.2 together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlainKind {
    Null,
    /// `true` or `false` in both.
    Bool(bool),
    /// `yes`, `no`, `on`, `off` in any capitals: a truth value for some readers.
    OldBool,
    Number,
    /// `2001-12-14`, with or without a time of day (YAML 1.1).
    Date,
    Text,
}

/// Tells what a plain scalar is.
pub(crate) fn plain_kind(text: &str) -> PlainKind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return PlainKind::Null,
        "true" | "True" | "TRUE" => return PlainKind::Bool(true),
        "false" | "False" | "FALSE" => return PlainKind::Bool(false),
        _ => {}
    }
    if text.len() <= 3 && ["yes", "no", "on", "off", "y", "n"].iter().any(|word| word.eq_ignore_ascii_case(text)) {
        return PlainKind::OldBool;
    }
    if is_number(text) {
        PlainKind::Number
    } else if is_date(text) {
        PlainKind::Date
    } else {
        PlainKind::Text
    }
}

/// Year, month and day, and behind them nothing or what may begin a time of day.
fn is_date(text: &str) -> bool {
    let (date, rest) = text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(text.len()));
    let parts: Vec<_> = date.split('-').map(str::len).collect();
    matches!(parts[..], [4, 1..=2, 1..=2])
        && (rest.is_empty() || rest.trim_start_matches(['T', 't', ' ', '\t']).starts_with(|c: char| c.is_ascii_digit()))
}

/// Integers (decimal, octal, hexadecimal, binary, with underscores, sexagesimal) and floats.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if [".inf", ".nan"].iter().any(|word| word.eq_ignore_ascii_case(digits)) {
        return true;
    }
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') || !digits.bytes().any(|b| b.is_ascii_digit()) {
        return false;
    }
    let of = |rest: &str, radix: u32| !rest.is_empty() && rest.chars().all(|c| c == '_' || c.is_digit(radix));
    if let Some(rest) = digits.strip_prefix("0x") {
        return of(rest, 16);
    }
    if let Some(rest) = digits.strip_prefix("0o").or_else(|| digits.strip_prefix("0b")) {
        return of(rest, 8);
    }
    let sexagesimal = digits.contains(':') && digits.split(':').all(|part| of(part, 10));
    sexagesimal || digits.replace('_', "").parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_that_some_reader_takes_for_something_else_are_told_apart() {
        for (text, kind) in [
            ("", PlainKind::Null),
            ("~", PlainKind::Null),
            ("true", PlainKind::Bool(true)),
            ("no", PlainKind::OldBool),
            ("Off", PlainKind::OldBool),
            ("0123", PlainKind::Number),
            ("-1_000", PlainKind::Number),
            ("1e3", PlainKind::Number),
            (".5", PlainKind::Number),
            ("0x1F", PlainKind::Number),
            ("12:30:45", PlainKind::Number),
            ("2001-12-14", PlainKind::Date),
            ("2001-1-4", PlainKind::Date),
            ("2001-12-14 21:59:43.10 -5", PlainKind::Date),
            ("2001-12-14t21:59:43Z", PlainKind::Date),
            ("2001-12-14 Ltd", PlainKind::Text),
            ("2001-12-14th", PlainKind::Text),
            ("2001-12", PlainKind::Text),
            ("1-2-3", PlainKind::Text),
            (".inf", PlainKind::Number),
            ("Acme", PlainKind::Text),
            ("3M", PlainKind::Text),
            ("1and1", PlainKind::Text),
            ("infinity", PlainKind::Text),
            ("nano", PlainKind::Text),
            ("...", PlainKind::Text),
        ] {
            assert_eq!(plain_kind(text), kind, "{text:?}");
        }
    }
}
