//! Identifiers, each a type of its own, so that one is never taken for another.

use std::fmt;

use unicode_normalization::UnicodeNormalization;

use super::text::inert;

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the identifier as it was given.
            pub fn new(raw: impl Into<String>) -> Self {
                Self(raw.into())
            }

            /// The identifier as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&inert(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), inert(&self.0))
            }
        }
    };
}

identifier! {
    /// The service's id of an account, a number written as text.
    AccountId
}
identifier! {
    /// The service's id of a membership or of an invitation.
    MemberId
}
identifier! {
    /// A plan's identifier, `teams-v2-monthly`.
    PlanId
}
identifier! {
    /// A family of plans, `teams`.
    PlanFamily
}
identifier! {
    /// A service's own word for what a member may do, `Billing Admin`, where it has more than
    /// full and limited.
    Role
}
identifier! {
    /// The service's id of one request, `X-Request-Id`, to give to its support.
    RequestId
}
identifier! {
    /// The name of an account at the service. Not unique there (rule 1).
    AccountName
}

impl AccountName {
    /// The form in which two names count as the same for a careful reader: normal form
    /// NFKC, lower case, white space trimmed and collapsed.
    pub fn key(&self) -> String {
        let folded: String = self.0.nfkc().collect::<String>().to_lowercase();
        folded.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// `metadata.name` of a client: a DNS label, unique in the folder.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct ClientName(String);

/// A text that is not a DNS label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a DNS label: 1 to 63 of a-z, 0-9 and `-`, beginning and ending with a letter or digit")]
pub struct ClientNameError;

impl ClientName {
    /// Reads a DNS label (RFC 1123).
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(raw: &str) -> Result<Self, ClientNameError> {
        let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let inner = raw.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if raw.len() <= 63 && inner && edge(raw.bytes().next()) && edge(raw.bytes().last()) {
            Ok(Self(raw.to_owned()))
        } else {
            Err(ClientNameError)
        }
    }

    /// The label.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> serde::Deserialize<'de> for ClientName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = String::deserialize(deserializer)?;
        Self::parse(&raw).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
impl fmt::Debug for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientName({})", self.0)
    }
}

/// What a member may do in an account (rule 14).
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Every right on the account, billing and members included.
    #[default]
    Full,
    /// Restricted access; exists on plans that take several members only.
    Limited,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Full => "full",
            Self::Limited => "limited",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_name_is_a_dns_label() {
        for ok in ["acme", "a", "a-1", "1385", &"a".repeat(63)] {
            ClientName::parse(ok).unwrap();
        }
        for bad in ["", "-a", "a-", "Acme", "a_b", "a.b", "ä", "a b", &"a".repeat(64)] {
            assert!(ClientName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_differing_in_case_normal_form_or_space_have_one_key() {
        let key = |raw: &str| AccountName::new(raw).key();
        assert_eq!(key("Acme  Corp "), key("acme corp"));
        assert_eq!(key("Cafe\u{301}"), key("CAFÉ"));
        assert_ne!(key("Acme"), key("Аcme"), "a Cyrillic letter is another letter");
    }
}
