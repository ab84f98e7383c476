//! Progress on standard error: a bar on a terminal, plain lines elsewhere, log lines in the
//! daemon.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressStyle};

use crate::controller::done_line;
use crate::domain::ClientName;
use crate::execute::Progress;
use crate::plan::{Action, Verdict, VerdictState, describe};

use super::ui::Ui;

/// Progress that ends.
pub trait Finish: Progress {
    /// Clears what is transient.
    fn finish(&self);
}

/// The progress that fits standard error.
pub fn for_stream(planned: u64, ui: Ui) -> Box<dyn Finish> {
    if std::io::stderr().is_terminal() && !ui.is_quiet() {
        let bar = ProgressBar::new(planned);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}") {
            bar.set_style(style);
        }
        Box::new(Bar(bar))
    } else {
        Box::new(Lines(ui))
    }
}

struct Bar(ProgressBar);

impl Finish for Bar {
    fn finish(&self) {
        self.0.finish_and_clear();
    }
}

impl Progress for Bar {
    fn begun(&self, client: &ClientName, action: &Action) {
        self.0.set_message(format!("{client}: {}", action.message));
    }
    fn applied(&self, _: &ClientName, _: &Action) {
        self.0.inc(1);
    }
    fn not_applied(&self, client: &ClientName, action: &Action, verdict: &Verdict) {
        self.0.inc(1);
        if verdict.state == VerdictState::Failed {
            self.0.println(not_applied_line(client, action, verdict));
        }
    }
    fn needs_seat(&self, _: &ClientName, _: &Action) {
        // A seat, and the same person once more.
        self.0.inc_length(1);
    }
    fn pausing(&self, seconds: u64) {
        self.0.set_message(pausing_line(seconds));
    }
}

struct Lines(Ui);

impl Finish for Lines {
    fn finish(&self) {}
}

impl Progress for Lines {
    fn begun(&self, _: &ClientName, _: &Action) {}
    fn applied(&self, client: &ClientName, action: &Action) {
        self.0.say(&format!("{client}: {}", done_line(action)));
    }
    fn not_applied(&self, client: &ClientName, action: &Action, verdict: &Verdict) {
        self.0.say(&not_applied_line(client, action, verdict));
    }
    fn needs_seat(&self, _: &ClientName, _: &Action) {}
    fn pausing(&self, seconds: u64) {
        self.0.say(&pausing_line(seconds));
    }
}

fn not_applied_line(client: &ClientName, action: &Action, verdict: &Verdict) -> String {
    let word = match verdict.state {
        VerdictState::Waiting => "waiting",
        VerdictState::Blocked => "blocked",
        VerdictState::Failed => "failed",
    };
    format!("{client}: {word}: {}: {}", describe(&action.op), verdict.message)
}

fn pausing_line(seconds: u64) -> String {
    format!("the quota of requests is used up; going on in {seconds} s")
}

/// For the daemon: what was done is a log line; what was not done is told with the state of
/// the account, once.
#[derive(Debug)]
pub struct LogProgress;

impl Progress for LogProgress {
    fn begun(&self, client: &ClientName, action: &Action) {
        tracing::debug!(%client, "sending: {}", action.message);
    }
    fn applied(&self, client: &ClientName, action: &Action) {
        tracing::info!(%client, "{}", done_line(action));
    }
    fn not_applied(&self, client: &ClientName, action: &Action, verdict: &Verdict) {
        tracing::debug!("{}", not_applied_line(client, action, verdict));
    }
    fn needs_seat(&self, client: &ClientName, action: &Action) {
        tracing::debug!(%client, "needs a seat: {}", action.message);
    }
    fn pausing(&self, seconds: u64) {
        // Waiting for one's turn is how a backlog goes; who waits in vain is told of.
        tracing::debug!("{}", pausing_line(seconds));
    }
}
