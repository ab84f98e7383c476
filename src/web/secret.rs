//! The secret in a webhook's address: all that tells the service's deliveries from a
//! stranger's, for they are not signed.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use crate::domain::text::inert;
use crate::provider::token::exposed;

/// The fewest characters: 16 bytes in hexadecimal.
const SHORTEST: usize = 32;
/// The most.
const LONGEST: usize = 256;

/// A secret that can stand in a path. Nothing shows it.
#[derive(Clone)]
pub struct Secret(SecretString);

/// Why there is no secret. Never holds any part of one.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read the hook secret file {}", shown(file))]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Other users of the machine can reach it.
    #[error("the hook secret file {0} is open to other users of this machine (mode {mode:04o})", shown(file))]
    Exposed {
        /// The file.
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Something else stands in it.
    #[error(
        "the hook secret file {} does not hold one secret: {SHORTEST} to {LONGEST} letters, digits, `-` and `_` on one \
         line",
        shown(file)
    )]
    NotOne {
        /// The file.
        file: PathBuf,
    },
}

fn shown(file: &Path) -> String {
    inert(&file.to_string_lossy()).into_owned()
}

impl Secret {
    /// Reads a secret from a file that nobody but its owner can reach.
    ///
    /// # Errors
    /// A file that cannot be read, that others can reach, or that holds something else.
    pub fn from_file(path: &Path) -> Result<Self, SecretError> {
        let unreadable = |source| SecretError::Unreadable { file: path.to_owned(), source };
        let file = std::fs::File::open(path).map_err(unreadable)?;
        if let Some(mode) = exposed(&file).map_err(unreadable)? {
            return Err(SecretError::Exposed { file: path.to_owned(), mode });
        }
        let mut text = String::with_capacity(LONGEST);
        file.take(LONGEST as u64 + 3).read_to_string(&mut text).map_err(unreadable)?;
        let secret = Self::from_text(text.trim_end_matches(['\r', '\n']).to_owned());
        secret.ok_or_else(|| SecretError::NotOne { file: path.to_owned() })
    }

    /// Takes a text that can stand in a path and is hard to guess; `None` is any other.
    pub fn from_text(text: String) -> Option<Self> {
        let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let holds = (SHORTEST..=LONGEST).contains(&text.len()) && text.bytes().all(is_safe);
        holds.then(|| Self(SecretString::from(text)))
    }

    /// Whether this is it. It takes the same time whatever is alike, for digests are compared.
    pub fn is(&self, other: &str) -> bool {
        let (ours, theirs) = (Sha256::digest(self.0.expose_secret()), Sha256::digest(other));
        ours.iter().zip(theirs.iter()).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
    }

    /// The secret itself, for the one address that carries it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// A text of the service without the secret, wherever it repeats it.
    pub fn redact(&self, text: &str) -> String {
        text.replace(self.expose(), "[secret]")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}
