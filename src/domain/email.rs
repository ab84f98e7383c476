//! Email addresses: the identity of a person.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use super::mask::is_masked;
use super::text::{inert, is_active};

/// The address of a person or an account. Compared without regard to letter case, the
/// case given is kept (rule 15 of the account API).
#[derive(Clone)]
pub struct Email {
    given: String,
    key: String,
    /// The place of a masked address among others, by which they stand in the order of the
    /// addresses behind them; 0 for one in the clear.
    rank: u32,
}

/// Why a text is not an address that `bursar` accepts from a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    /// Over 254 characters (RFC 5321).
    #[error("an email address has at most 254 characters, this one has {0}")]
    TooLong(usize),
    /// White space, control or invisible characters, or a character outside ASCII.
    #[error("an email address holds no {0}")]
    Character(String),
    /// Quotes, display text, address literals, a missing `@` or top-level domain.
    #[error("{0}")]
    Form(&'static str),
}

impl Email {
    /// Reads an address that a person wrote: plain `local@domain.tld`, ASCII, no quotes,
    /// no display text, no address literal.
    ///
    /// # Errors
    /// Says which of these does not hold.
    pub fn parse(raw: &str) -> Result<Self, EmailError> {
        let length = raw.chars().count();
        if length > 254 {
            return Err(EmailError::TooLong(length));
        }
        if let Some(c) = raw.chars().find(|c| c.is_whitespace()) {
            return Err(EmailError::Character(match c {
                ' ' => "spaces".to_owned(),
                other => format!("white space ({})", other.escape_unicode()),
            }));
        }
        if let Some(c) = raw.chars().find(|c| is_active(*c)) {
            return Err(EmailError::Character(format!("control or invisible characters ({})", c.escape_unicode())));
        }
        if let Some(c) = raw.chars().find(|c| !c.is_ascii()) {
            return Err(EmailError::Character(format!(
                "characters outside ASCII (`{c}`, U+{:04X}); write an international domain in its xn-- form",
                c as u32
            )));
        }
        if raw.contains(['"', '<', '>', '(', ')', ',', ';', ':', '\\', '[', ']', '`']) {
            return Err(EmailError::Form(
                "write the plain address, without quotes, brackets, comments or an IP address",
            ));
        }
        let options =
            email_address::Options::default().with_required_tld().without_display_text().without_domain_literal();
        if raw.matches('@').count() != 1 || email_address::EmailAddress::parse_with_options(raw, options).is_err() {
            return Err(EmailError::Form("expected an address like jane@acme.example"));
        }
        let domain = raw.rsplit('@').next().unwrap_or_default();
        // The grammar of mail lets more through than any domain holds, the form of a mask as well.
        if !domain.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.') {
            return Err(EmailError::Form("the domain holds only a-z, 0-9, `-` and `.`"));
        }
        if domain.rsplit('.').next().is_some_and(|tld| tld.chars().all(|c| c.is_ascii_digit())) {
            return Err(EmailError::Form("the domain needs a name, not an IP address"));
        }
        Ok(Self::lenient(raw))
    }

    /// Takes an address as a server gave it, whatever it is: it was accepted there.
    pub fn lenient(raw: impl Into<String>) -> Self {
        let given = raw.into();
        let key = given.trim().to_lowercase();
        Self { given, key, rank: 0 }
    }

    /// An address of which only the masked form is known ([`super::mask_address`]); `None` for
    /// any other text. Nobody reads one from a manifest: [`Email::parse`] refuses the form.
    ///
    /// `rank` is its place in the order of the addresses behind the masks.
    pub fn from_masked(form: &str, rank: u32) -> Option<Self> {
        is_masked(form).then(|| Self { given: form.to_owned(), key: form.to_lowercase(), rank })
    }

    /// The address as it was written.
    pub fn as_str(&self) -> &str {
        &self.given
    }

    /// The form that comparisons use: lower case.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The part behind the `@`, in lower case.
    pub fn domain(&self) -> &str {
        self.key.rsplit('@').next().unwrap_or_default()
    }
}

impl PartialEq for Email {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.rank == other.rank
    }
}
impl Eq for Email {}
impl PartialOrd for Email {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Email {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.rank, &self.key).cmp(&(other.rank, &other.key))
    }
}
impl Hash for Email {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}
impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&inert(&self.given))
    }
}
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Email({})", inert(&self.given))
    }
}
/// As it was written; what a server or a journal says is not judged again.
impl<'de> serde::Deserialize<'de> for Email {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <String as serde::Deserialize>::deserialize(deserializer).map(Self::lenient)
    }
}

impl serde::Serialize for Email {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_compare_without_case_and_keep_it() {
        let (a, b) = (Email::parse("Jane@Acme.example").unwrap(), Email::parse("jane@acme.EXAMPLE").unwrap());
        assert_eq!(a, b);
        assert_eq!(a.to_string(), "Jane@Acme.example");
        assert_eq!(a.domain(), "acme.example");
    }

    #[test]
    fn plus_signs_dots_and_subdomains_are_fine() {
        for ok in ["dns+acme@agency.example", "a.b-c_d@x.y.z.example", "x@xn--bcher-kva.example"] {
            Email::parse(ok).unwrap();
        }
    }

    #[test]
    fn a_masked_form_is_read_by_its_own_door_alone_and_stands_where_its_rank_says() {
        let form = crate::domain::mask_address("jane@acme.example");
        assert!(Email::parse(&form).is_err());
        let (first, second) = (Email::from_masked(&form, 1).unwrap(), Email::from_masked("a***@x.example#000000", 2));
        assert!(Some(&first) < second.as_ref());
        assert_ne!(Email::lenient("jane@acme.example"), first);
        for clear in
            ["jane@acme.example", "j***@acme.example", "j***@acme.example#3f2a1", "***", "", "\u{1b}***@a.b#000000"]
        {
            assert!(Email::from_masked(clear, 1).is_none(), "{clear}");
        }
    }

    #[test]
    fn what_is_not_a_plain_address_is_refused_with_the_reason() {
        for (bad, why) in [
            ("jane", "expected an address"),
            ("jane@acme", "expected an address"),
            ("jane@@acme.example", "expected an address"),
            ("Jane <jane@acme.example>", "no spaces"),
            ("<jane@acme.example>", "without quotes"),
            ("\"j\"@acme.example", "without quotes"),
            ("jane@[127.0.0.1]", "without quotes"),
            ("jane@127.0.0.1", "not an IP address"),
            ("jane@acme.example\r\nBcc: x@y.example", "white space"),
            ("ja\u{200b}ne@acme.example", "invisible"),
            ("jаne@acme.example", "outside ASCII"),
            ("jane＠acme.example", "outside ASCII"),
            ("j***@acme.example#3f2a1c", "the domain holds only"),
            ("", "expected an address"),
        ] {
            let error = Email::parse(bad).unwrap_err().to_string();
            assert!(error.contains(why), "{bad:?}: {error}");
        }
        assert_eq!(Email::parse(&format!("{}@acme.example", "x".repeat(300))).unwrap_err(), EmailError::TooLong(313));
    }
}
