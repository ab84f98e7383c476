//! What each stream shows, decided once: results on standard output, talk on standard error.

use std::borrow::Cow;
use std::io::{self, Write as _};
use std::sync::OnceLock;

/// The two streams. Colour is kept only where a terminal wants it (`NO_COLOR` is obeyed).
#[derive(Debug, Clone, Copy, Default)]
pub struct Ui {
    quiet: bool,
}

/// Why a result could not be written, where one could not: the process then ends as failed,
/// whatever else it did, so that half a file is taken for none.
static LOST: OnceLock<String> = OnceLock::new();

/// See [`LOST`].
pub fn lost() -> Option<&'static str> {
    LOST.get().map(String::as_str)
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

    /// A result on standard output, as it stands but for what a runner would take for a command.
    /// A reader who went away is no error.
    pub fn out(self, text: &str) {
        self.commands(&no_commands(text));
    }

    /// The same where the commands to a runner are ours.
    pub fn commands(self, text: &str) {
        let mut stream = anstream::stdout().lock();
        match stream.write_all(text.as_bytes()).and_then(|()| stream.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                let _ = LOST.set(error.to_string());
            }
            _ => {}
        }
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
        let _ = writeln!(stream, "{}", no_commands(line));
    }
}

/// The text as a job of GitHub Actions may show it; elsewhere as it stands. The runner there
/// obeys `##[command]` anywhere in a line, and `::command::` where a line begins with it, on
/// either stream: a name that holds one would give commands. JSON stays what it means.
pub fn no_commands(text: &str) -> Cow<'_, str> {
    let is_there = std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| !value.is_empty());
    if is_there { defused(text) } else { Cow::Borrowed(text) }
}

fn defused(text: &str) -> Cow<'_, str> {
    if !text.contains("##[") && !text.contains("::") {
        return Cow::Borrowed(text);
    }
    if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() {
        // There it stands in texts alone, and no line begins with `::`.
        return Cow::Owned(text.replace("##[", "#\\u0023["));
    }
    let lines = text.split_inclusive(['\n', '\r']).map(|line| match line.trim_start().strip_prefix("::") {
        Some(rest) => format!("{}: :{rest}", &line[..line.len() - line.trim_start().len()]),
        None => line.to_owned(),
    });
    Cow::Owned(lines.collect::<String>().replace("##[", "# #["))
}

/// The form of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// For people
    Text,
    /// For programs
    Json,
}

#[cfg(test)]
mod tests {
    use super::defused;

    #[test]
    fn no_line_that_somebody_else_wrote_is_a_command() {
        let text = "a ##[error]x ###[group]\n \u{2003}::stop-commands::t\r::error::x\na::b";
        assert_eq!(defused(text), "a # #[error]x ## #[group]\n \u{2003}: :stop-commands::t\r: :error::x\na::b");
    }

    #[test]
    fn json_means_what_it_meant() {
        let value = serde_json::json!({"name": "x ##[error]y", "::z": ["::error::", "##"]});
        for text in [format!("{value:#}\n"), format!("{value}\n")] {
            let shown = defused(&text);
            assert!(!shown.contains("##["), "{shown}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        }
    }
}
