//! Selectors on labels: `-l wave=canary,tier!=gold,env`.

use std::collections::BTreeMap;
use std::fmt;

/// Which clients a plan is for; the empty selector is all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selector(Vec<Term>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Term {
    Equals(String, String),
    Differs(String, String),
    Has(String),
    HasNot(String),
}

/// A text that is not a selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a selector; write key=value, key!=value, key or !key, joined by commas")]
pub struct SelectorError(String);

impl Selector {
    /// Whether a client with these labels is meant. A client without the key differs from
    /// every value.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|term| match term {
            Term::Equals(key, value) => labels.get(key) == Some(value),
            Term::Differs(key, value) => labels.get(key) != Some(value),
            Term::Has(key) => labels.contains_key(key),
            Term::HasNot(key) => !labels.contains_key(key),
        })
    }
}

/// As it can be read again.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, term) in self.0.iter().enumerate() {
            f.write_str(if place > 0 { "," } else { "" })?;
            match term {
                Term::Equals(key, value) => write!(f, "{key}={value}"),
                Term::Differs(key, value) => write!(f, "{key}!={value}"),
                Term::Has(key) => f.write_str(key),
                Term::HasNot(key) => write!(f, "!{key}"),
            }?;
        }
        Ok(())
    }
}

impl std::str::FromStr for Selector {
    type Err = SelectorError;

    fn from_str(raw: &str) -> Result<Self, SelectorError> {
        let fail = || SelectorError(crate::domain::text::inert(raw).into_owned());
        let label = |s: &str| {
            let s = s.trim();
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
            (!s.is_empty() && s.chars().all(plain)).then(|| s.to_owned()).ok_or_else(fail)
        };
        raw.split(',')
            .map(|term| {
                let term = term.trim();
                if let Some((key, value)) = term.split_once("!=") {
                    Ok(Term::Differs(label(key)?, label(value)?))
                } else if let Some((key, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
                    Ok(Term::Equals(label(key)?, label(value)?))
                } else if let Some(key) = term.strip_prefix('!') {
                    Ok(Term::HasNot(label(key)?))
                } else {
                    Ok(Term::Has(label(term)?))
                }
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_joined_by_and() {
        let labels = BTreeMap::from([("wave".to_owned(), "canary".to_owned()), ("tier".to_owned(), "gold".to_owned())]);
        for (selector, wanted) in [
            ("wave=canary", true),
            ("wave==canary", true),
            ("wave=second", false),
            ("wave=canary,tier!=gold", false),
            ("wave, !env", true),
            ("env!=prod", true),
            ("env", false),
        ] {
            let parsed = selector.parse::<Selector>().unwrap();
            assert_eq!(parsed.matches(&labels), wanted, "{selector}");
            assert_eq!(parsed.to_string().parse::<Selector>().unwrap(), parsed, "{selector}");
        }
        assert!(Selector::default().matches(&labels));
        for bad in ["", "=x", "a=", "a b=c", "a=b=c"] {
            assert!(bad.parse::<Selector>().is_err(), "{bad}");
        }
    }
}
