//! The `git` program, run so that nothing of the machine, the user or the repository has a part
//! in what it does but the objects and names of the repository itself.

use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::domain::text::inert;

/// The most that is read of an answer, in bytes: a list of a million files.
const LONGEST_ANSWER: u64 = 256 << 20;

/// Why the program did not answer.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// It is not there, or cannot be run.
    #[error("the program git cannot be run")]
    NotRun(#[source] io::Error),
    /// It refused; its first words, inert.
    #[error("git {0}: {1}")]
    Refused(&'static str, String),
    /// Its answer is no answer to what was asked.
    #[error("git {0} answered in a way that is not understood")]
    Answer(&'static str),
}

/// The repository around a folder.
#[derive(Debug, Clone)]
pub struct Git {
    folder: PathBuf,
}

impl Git {
    /// For commands in a folder.
    pub fn at(folder: &Path) -> Self {
        Self { folder: if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() } }
    }

    /// A command without configuration of the user or the machine, hooks, prompts, a pager, a
    /// file monitor, replaced objects, locks, or any way to fetch.
    pub fn command(&self, verb: &'static str) -> Command {
        let mut command = Command::new("git");
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"GIT_") {
                command.env_remove(name);
            }
        }
        for (name, value) in [
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_ATTR_NOSYSTEM", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_LITERAL_PATHSPECS", "1"),
            ("LC_ALL", "C"),
        ] {
            command.env(name, value);
        }
        command.arg("--no-pager");
        for setting in ["core.hooksPath=/dev/null", "core.fsmonitor=false", "protocol.allow=never"] {
            command.args(["-c", setting]);
        }
        command.arg(verb).current_dir(&self.folder).stdin(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// What a command answers, as text without the line break at its end.
    ///
    /// # Errors
    /// It cannot be run, refuses, or answers with what is no text.
    pub fn text<A: AsRef<OsStr>>(&self, verb: &'static str, args: &[A]) -> Result<String, GitError> {
        let text = String::from_utf8(self.bytes(verb, args)?).map_err(|_| GitError::Answer(verb))?;
        Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
    }

    /// What a command answers.
    ///
    /// # Errors
    /// It cannot be run, refuses, or answers without end.
    pub fn bytes<A: AsRef<OsStr>>(&self, verb: &'static str, args: &[A]) -> Result<Vec<u8>, GitError> {
        let mut child = self.command(verb).args(args).stdout(Stdio::piped()).spawn().map_err(GitError::NotRun)?;
        let (mut answer, mut complaint) = (Vec::new(), Vec::new());
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let read = std::thread::scope(|scope| {
            let complaints = scope.spawn(|| {
                let mut complaint = Vec::new();
                err.map(|err| err.take(4096).read_to_end(&mut complaint));
                complaint
            });
            let read = out.map_or(Ok(0), |out| out.take(LONGEST_ANSWER + 1).read_to_end(&mut answer));
            complaint = complaints.join().unwrap_or_default();
            read
        });
        let status = child.wait().map_err(GitError::NotRun)?;
        read.map_err(GitError::NotRun)?;
        if answer.len() as u64 > LONGEST_ANSWER {
            return Err(GitError::Answer(verb));
        }
        if !status.success() {
            let said = String::from_utf8_lossy(&complaint);
            let said = said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it failed without a word");
            return Err(GitError::Refused(verb, inert(said).into_owned()));
        }
        Ok(answer)
    }
}
