//! The one error type at the edge: what happened, why, what to do next.

use std::error::Error;
use std::fmt;

/// An error that ends a command with exit code 1.
#[derive(Debug)]
pub struct CliError {
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
}

/// How a command ends when nothing kept it from running.
pub type CliResult = Result<std::process::ExitCode, CliError>;

impl CliError {
    /// What happened.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// Several at once, each with its cause and what to do; `what` says what they do.
    pub fn several(what: &str, mut faults: Vec<Self>) -> Self {
        if faults.len() == 1 {
            return faults.remove(0);
        }
        let lines = faults.into_iter().map(|Self { message, causes, hints }| {
            let causes: String = causes.iter().map(|cause| format!(": {cause}")).collect();
            let hints: String = hints.iter().map(|hint| format!("\n    {hint}")).collect();
            format!("\n  - {message}{causes}{hints}")
        });
        let lines: Vec<String> = lines.collect();
        Self::new(format!("{} things {what}:{}", lines.len(), lines.concat()))
    }

    /// What to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Why, with the causes of the cause.
    #[must_use]
    pub fn because(mut self, cause: &(dyn Error + 'static)) -> Self {
        let mut next = Some(cause);
        while let Some(error) = next {
            let cause = error.to_string();
            // Some libraries say their source's words again in their own.
            let told = self.causes.last().unwrap_or(&self.message);
            if !told.ends_with(&cause) {
                self.causes.push(cause);
            }
            next = error.source();
        }
        self
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message, causes, hints } = self;
        write!(f, "Error: {message}")?;
        for cause in causes {
            write!(f, "\nCaused by: {cause}")?;
        }
        for hint in hints {
            write!(f, "\nHint: {hint}")?;
        }
        Ok(())
    }
}

impl<E: Error + 'static> From<E> for CliError {
    fn from(error: E) -> Self {
        let mut made = Self::new(error.to_string());
        if let Some(source) = error.source() {
            made = made.because(source);
        }
        made
    }
}
