//! Which clients a plan is for: by labels (`-l wave=canary,tier!=gold,env`) and by name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::domain::ClientName;
use crate::manifest::Client;

use super::tree::Notice;

/// Which clients a plan is for; the empty selector is all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selector {
    terms: Vec<Term>,
    names: Option<BTreeSet<ClientName>>,
    notices: Vec<Notice>,
}

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
    /// Of the clients that it means, those of these names alone.
    #[must_use]
    pub fn among(mut self, names: BTreeSet<ClientName>) -> Self {
        self.names = Some(match self.names {
            Some(before) => before.intersection(&names).cloned().collect(),
            None => names,
        });
        self
    }

    /// With what a person is to know of this choice of clients; it stands in the plan.
    #[must_use]
    pub fn telling(mut self, notices: impl IntoIterator<Item = Notice>) -> Self {
        self.notices.extend(notices);
        self
    }

    /// What a person is to know of this choice of clients.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// The names of the clients that it means at most, where it goes by name.
    pub const fn names(&self) -> Option<&BTreeSet<ClientName>> {
        self.names.as_ref()
    }

    /// Whether some client may be left out.
    pub const fn leaves_out(&self) -> bool {
        !self.terms.is_empty() || self.names.is_some()
    }

    /// Whether a client is meant.
    pub fn matches(&self, client: &Client) -> bool {
        self.names.as_ref().is_none_or(|names| names.contains(&client.name)) && self.is_labelled(&client.labels)
    }

    /// Whether a client with these labels is meant. A client without the key differs from
    /// every value.
    pub fn is_labelled(&self, labels: &BTreeMap<String, String>) -> bool {
        self.terms.iter().all(|term| match term {
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
        for (place, term) in self.terms.iter().enumerate() {
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
            .map(|terms| Self { terms, ..Self::default() })
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
            assert_eq!(parsed.is_labelled(&labels), wanted, "{selector}");
            assert_eq!(parsed.to_string().parse::<Selector>().unwrap(), parsed, "{selector}");
        }
        assert!(Selector::default().is_labelled(&labels));
        for bad in ["", "=x", "a=", "a b=c", "a=b=c"] {
            assert!(bad.parse::<Selector>().is_err(), "{bad}");
        }
    }
}
