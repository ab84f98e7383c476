//! Foreign text: what a manifest or a server wrote, made inert before a person sees it.

use std::borrow::Cow;
use std::fmt;

/// The longest piece of foreign text that is shown whole, in characters.
pub const SHOWN: usize = 200;

/// Makes text safe to print in a terminal or a log line: control characters, escape
/// sequences, bidirectional overrides and invisible characters are written as `\u{..}`,
/// and text over [`SHOWN`] characters is cut with a word on how much is missing.
pub fn inert(raw: &str) -> Cow<'_, str> {
    let clean = raw.chars().all(|c| !is_active(c));
    if clean && raw.len() <= SHOWN {
        return Cow::Borrowed(raw);
    }
    let mut out = String::with_capacity(raw.len().min(SHOWN * 4));
    let mut chars = raw.chars();
    for c in chars.by_ref().take(SHOWN) {
        if is_active(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    let missing = chars.count();
    if missing > 0 {
        out.push_str(&format!("… ({missing} more characters)"));
    }
    Cow::Owned(out)
}

/// Whether a character does something other than show itself: controls, line separators,
/// bidirectional formatting, zero-width and tag characters.
pub fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

/// A length of time in its two largest units: `3d 4h`, `5m 10s`, `0s`.
pub fn span(length: std::time::Duration) -> String {
    let seconds = length.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let two = |first: u64, one: &str, second: u64, other: &str| match second {
        0 => format!("{first}{one}"),
        _ => format!("{first}{one} {second}{other}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => two(minutes, "m", seconds % 60, "s"),
        (0, _, _) => two(hours, "h", minutes, "m"),
        _ => two(days, "d", hours, "h"),
    }
}

/// Text of a server or another stranger. `Display` is inert, `Debug` too; the raw text is
/// for machines (JSON) and renderers that escape in their own way.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Foreign(String);

impl Foreign {
    /// Takes any text.
    pub fn new(raw: impl Into<String>) -> Self {
        Self(raw.into())
    }

    /// The text as it came, to be escaped by whoever shows it.
    pub fn raw(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&inert(&self.0))
    }
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", inert(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_overrides_are_shown_not_obeyed() {
        assert_eq!(inert("a\u{1b}[31mb"), "a\\u{1b}[31mb");
        assert_eq!(inert("x\u{202e}y\u{200b}z"), "x\\u{202e}y\\u{200b}z");
        assert_eq!(inert("line\nbreak"), "line\\u{a}break");
        assert_eq!(inert("Société Générale & Söhne 株式会社"), "Société Générale & Söhne 株式会社");
    }

    #[test]
    fn a_length_of_time_is_told_in_its_two_largest_units() {
        for (seconds, told) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (310, "5m 10s"),
            (3600, "1h"),
            (7_260, "2h 1m"),
            (86_399, "23h 59m"),
            (86_400, "1d"),
            (273_600, "3d 4h"),
        ] {
            assert_eq!(span(std::time::Duration::from_secs(seconds)), told);
        }
    }

    #[test]
    fn long_text_is_cut_with_a_word_on_what_is_missing() {
        let shown = inert(&"x".repeat(10_000)).into_owned();
        assert_eq!(shown, format!("{}… (9800 more characters)", "x".repeat(200)));
    }
}
