//! What each stream shows, decided once: results on standard output, talk on standard error.

use std::io::Write as _;

/// The two streams. Colour is kept only where a terminal wants it (`NO_COLOR` is obeyed).
#[derive(Debug, Clone, Copy, Default)]
pub struct Ui {
    quiet: bool,
}

impl Ui {
    /// `quiet` silences talk, never results or errors.
    pub const fn new(quiet: bool) -> Self {
        Self { quiet }
    }

    /// Whether talk is silenced.
    pub const fn is_quiet(self) -> bool {
        self.quiet
    }

    /// A result, as it stands, on standard output. A reader who went away is no error.
    pub fn out(self, text: &str) {
        let mut stream = anstream::stdout().lock();
        let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
    }

    /// A line of talk on standard error.
    pub fn say(self, line: &str) {
        if !self.quiet {
            self.warn(line);
        }
    }

    /// A line on standard error that `--quiet` does not silence.
    pub fn warn(self, line: &str) {
        let mut stream = anstream::stderr().lock();
        let _ = writeln!(stream, "{line}");
    }
}

/// The form of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// For people
    Text,
    /// For programs
    Json,
}
