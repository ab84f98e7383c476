//! The API token: where it comes from, what is refused, and how it stays secret.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use crate::domain::text::inert;

/// The longest token that is taken, in bytes. Real ones have some 40; a file that holds
/// more is some other file.
const LONGEST: usize = 4096;

/// What stands in a text where the token stood.
const REDACTED: &str = "[token]";

/// The secret that every request carries. Neither `Debug` nor anything else shows it, and
/// its memory is wiped when it is dropped.
#[derive(Clone)]
pub struct Token(SecretString);

/// Where a token was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenOrigin {
    /// Given by the program itself.
    Program,
    /// The environment variable `BURSAR_TOKEN`.
    Environment,
    /// A file.
    File(PathBuf),
}

/// Why there is no token to work with. Never holds any part of one.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Nobody gave one.
    #[error("there is no API token; set BURSAR_TOKEN, or name a file with --token-file or BURSAR_TOKEN_FILE")]
    Missing,
    /// Both ways at once: which one was meant is not for us to guess.
    #[error("both BURSAR_TOKEN and the token file {} are given; keep one of them", shown(file))]
    Both {
        /// The file.
        file: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read the token file {}", shown(file))]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Other users of the machine can reach it.
    #[error(
        "the token file {0} is open to other users of this machine (mode {mode:04o}); run `chmod 600 {0}`, \
         and give it a new token if others may have read it",
        shown(file)
    )]
    Exposed {
        /// The file.
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Nothing in it.
    #[error("{origin} is empty; it holds one API token and nothing else")]
    Empty {
        /// Where.
        origin: TokenOrigin,
    },
    /// Several lines.
    #[error("{origin} holds more than one line; it holds one API token and nothing else")]
    Lines {
        /// Where.
        origin: TokenOrigin,
    },
    /// Something that no token holds, and that no request header may hold.
    #[error("{origin} holds white space, a control character or a character outside ASCII, which no API token does")]
    Character {
        /// Where.
        origin: TokenOrigin,
    },
    /// Some other file, surely.
    #[error("{origin} holds more than {LONGEST} bytes, which no API token does")]
    TooLong {
        /// Where.
        origin: TokenOrigin,
    },
}

fn shown(file: &Path) -> String {
    inert(&file.to_string_lossy()).into_owned()
}

impl fmt::Display for TokenOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program => f.write_str("the API token"),
            Self::Environment => f.write_str("BURSAR_TOKEN"),
            Self::File(file) => write!(f, "the token file {}", shown(file)),
        }
    }
}

/// The one token that the operator gave: `env_token` is the value of `BURSAR_TOKEN`, `file`
/// what `--token-file` or `BURSAR_TOKEN_FILE` names. A variable that is set but empty counts
/// as not given where there is a file.
///
/// # Errors
/// None given, both given, or what [`Token::from_text`] and [`Token::from_file`] refuse.
pub fn find(env_token: Option<String>, file: Option<&Path>) -> Result<Token, TokenError> {
    match (env_token, file) {
        (Some(text), Some(file)) if !text.is_empty() => Err(TokenError::Both { file: file.to_owned() }),
        (_, Some(file)) => Token::from_file(file),
        (Some(text), None) => Token::parse(text, TokenOrigin::Environment),
        (None, None) => Err(TokenError::Missing),
    }
}

impl Token {
    /// Takes a token as text, without one line break at its end.
    ///
    /// # Errors
    /// An empty text, more than one line, and characters that no token holds.
    pub fn from_text(text: String) -> Result<Self, TokenError> {
        Self::parse(text, TokenOrigin::Program)
    }

    /// Reads a token from a file that nobody but its owner can reach. The permissions are
    /// those of the file that was opened, whatever stands at its path a moment later.
    ///
    /// # Errors
    /// A file that cannot be read, that others can reach, or whose text is not a token.
    pub fn from_file(path: &Path) -> Result<Self, TokenError> {
        let unreadable = |source| TokenError::Unreadable { file: path.to_owned(), source };
        let file = std::fs::File::open(path).map_err(unreadable)?;
        refuse_exposed(&file, path)?;
        let mut text = String::with_capacity(LONGEST);
        file.take(LONGEST as u64 + 3).read_to_string(&mut text).map_err(unreadable)?;
        Self::parse(text, TokenOrigin::File(path.to_owned()))
    }

    fn parse(text: String, origin: TokenOrigin) -> Result<Self, TokenError> {
        // From here on the text is wiped whatever happens to it.
        let text = SecretString::from(text);
        let whole = text.expose_secret();
        let line = whole.strip_suffix('\n').map_or(whole, |rest| rest.strip_suffix('\r').unwrap_or(rest));
        if line.is_empty() {
            return Err(TokenError::Empty { origin });
        }
        if line.len() > LONGEST {
            return Err(TokenError::TooLong { origin });
        }
        if line.contains(['\n', '\r']) {
            return Err(TokenError::Lines { origin });
        }
        if !line.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(TokenError::Character { origin });
        }
        Ok(Self(SecretString::from(line.to_owned())))
    }

    /// The token itself, for the one header that carries it.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// A text of the server without the token, wherever it repeats it.
    pub(super) fn redact(&self, text: &str) -> String {
        text.replace(self.expose(), REDACTED)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

#[cfg(unix)]
fn refuse_exposed(file: &std::fs::File, path: &Path) -> Result<(), TokenError> {
    match exposed(file).map_err(|source| TokenError::Unreadable { file: path.to_owned(), source })? {
        Some(mode) => Err(TokenError::Exposed { file: path.to_owned(), mode }),
        None => Ok(()),
    }
}

/// The permission bits of a file with a secret, where others can reach it.
///
/// # Errors
/// The file cannot be looked at.
#[cfg(unix)]
pub fn exposed(file: &std::fs::File) -> std::io::Result<Option<u32>> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = file.metadata()?;
    let mode = metadata.permissions().mode() & 0o7777;
    // A pipe (`--token-file <(pass show agency)`) is nobody else's whatever its mode says.
    Ok((metadata.is_file() && mode & 0o066 != 0).then_some(mode))
}

/// The permission bits of a file with a secret, where others can reach it: here, unknown.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn exposed(_file: &std::fs::File) -> std::io::Result<Option<u32>> {
    Ok(None)
}

#[cfg(not(unix))]
fn refuse_exposed(_file: &std::fs::File, _path: &Path) -> Result<(), TokenError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_with(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    fn error_of(text: &str) -> String {
        Token::from_text(text.to_owned()).unwrap_err().to_string()
    }

    #[test]
    fn one_line_break_at_the_end_is_no_part_of_the_token() {
        for text in ["canary-1", "canary-1\n", "canary-1\r\n"] {
            assert_eq!(Token::from_text(text.to_owned()).unwrap().expose(), "canary-1");
        }
        let (_folder, path) = file_with("canary-1\n", 0o600);
        assert_eq!(Token::from_file(&path).unwrap().expose(), "canary-1");
    }

    #[test]
    fn what_is_not_one_token_is_refused_without_repeating_it() {
        for (text, why) in [
            ("", "is empty"),
            ("\n", "is empty"),
            ("canary-1\n\n", "more than one line"),
            ("canary-1\ncanary-2", "more than one line"),
            ("canary-1\rcanary-2", "more than one line"),
            (" canary-1", "white space"),
            ("canary-1\0", "control character"),
            ("canary-\u{e9}", "outside ASCII"),
            (&"canary-1".repeat(1000), "more than 4096 bytes"),
        ] {
            let error = error_of(text);
            assert!(error.contains(why) && !error.contains("canary"), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_file_that_others_can_reach_is_refused_with_what_to_do() {
        for mode in [0o644, 0o640, 0o604, 0o620, 0o602, 0o666] {
            let (_folder, path) = file_with("canary-1\n", mode);
            let error = Token::from_file(&path).unwrap_err().to_string();
            let place = path.display().to_string();
            assert_eq!(
                error.replace(&place, "FILE"),
                format!(
                    "the token file FILE is open to other users of this machine (mode {mode:04o}); \
                     run `chmod 600 FILE`, and give it a new token if others may have read it"
                )
            );
        }
        for mode in [0o600, 0o400] {
            let (_folder, path) = file_with("canary-1\n", mode);
            Token::from_file(&path).unwrap();
        }
    }

    #[test]
    fn a_file_of_bad_content_is_named() {
        for (text, why) in [("", "is empty"), ("canary-1\ncanary-2\n", "more than one line"), ("\n", "is empty")] {
            let (_folder, path) = file_with(text, 0o600);
            let error = Token::from_file(&path).unwrap_err().to_string();
            assert!(error.starts_with(&format!("the token file {} ", path.display())), "{error}");
            assert!(error.contains(why) && !error.contains("canary"), "{error}");
        }
        let gone = Token::from_file(Path::new("/nowhere/token")).unwrap_err();
        assert_eq!(gone.to_string(), "cannot read the token file /nowhere/token");
        assert!(Token::from_file(&std::env::temp_dir()).is_err(), "a folder is no token");
    }

    #[test]
    fn an_endless_file_is_read_to_the_limit_only() {
        assert!(matches!(Token::from_file(Path::new("/dev/zero")), Err(TokenError::TooLong { .. })));
    }

    #[test]
    fn exactly_one_way_of_giving_it_is_taken() {
        let (_folder, path) = file_with("from-file\n", 0o600);
        let found = |variable: Option<&str>, file| find(variable.map(str::to_owned), file);
        assert_eq!(found(Some("from-env\n"), None).unwrap().expose(), "from-env");
        assert_eq!(found(None, Some(path.as_path())).unwrap().expose(), "from-file");
        assert_eq!(found(Some(""), Some(path.as_path())).unwrap().expose(), "from-file");
        assert_eq!(
            found(Some("from-env"), Some(Path::new("t"))).unwrap_err().to_string(),
            "both BURSAR_TOKEN and the token file t are given; keep one of them"
        );
        assert!(found(Some(""), None).unwrap_err().to_string().starts_with("BURSAR_TOKEN is empty"));
        assert!(matches!(found(None, None), Err(TokenError::Missing)));
    }

    #[test]
    fn a_token_shows_nothing_of_itself() {
        let token = Token::from_text("canary-1".into()).unwrap();
        assert_eq!(format!("{token} {token:?} {:#?}", Some(&token)), "[token] [token] Some(\n    [token],\n)");
        assert_eq!(token.redact("Bearer canary-1, canary-1"), "Bearer [token], [token]");
    }
}
