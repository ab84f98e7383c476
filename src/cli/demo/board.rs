//! The ledger beside the plan: a table of both worlds, and its place in the terminal.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::time::Duration;

use crate::domain::Money;
use crate::sandbox::Standing;

use super::super::ui::Ui;

/// Both worlds at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Score {
    /// What the manifests come to.
    pub wanted: Standing,
    /// The world that bursar keeps.
    pub kept: Standing,
    /// The world of the plain loop.
    pub plain: Standing,
    /// How often bursar was killed.
    pub kills: u64,
    /// What a person had to answer.
    pub questions: u64,
}

impl Score {
    /// Whether bursar's world is exactly as wanted.
    pub fn is_kept(&self) -> bool {
        Standing { faults: 0, ..self.kept } == self.wanted
    }

    /// Whether a world holds nothing that nobody asked for.
    pub const fn has_too_much(wanted: &Standing, world: &Standing) -> bool {
        world.accounts > world.names
            || world.subscriptions > wanted.subscriptions
            || world.people > wanted.people
            || world.cents > wanted.cents
    }

    /// The table.
    pub fn table(&self) -> String {
        let Self { wanted, kept, plain, kills, questions } = self;
        let mut text = format!("{:24}{:>10}{:>10}{:>14}\n", "", "wanted", "bursar", "a plain loop");
        let mut row = |what: &str, [wanted, kept, plain]: [String; 3]| {
            // Writing to a text does not fail.
            let _ = writeln!(text, "{what:24}{wanted:>10}{kept:>10}{plain:>14}");
        };
        let each = |of: fn(&Standing) -> usize| [wanted, kept, plain].map(|standing| of(standing).to_string());
        row("accounts", each(|it| it.accounts));
        row("subscriptions", each(|it| it.subscriptions));
        row("people in accounts", each(|it| it.people));
        row("dollars a month", [wanted, kept, plain].map(|standing| dollars(standing.cents)));
        row("duplicate accounts", each(|it| it.accounts - it.names));
        row("clients paid for twice", each(|it| it.paid_twice));
        let none = || "-".to_owned();
        row("answers lost", [none(), kept.faults.to_string(), plain.faults.to_string()]);
        row("killed with -9", [none(), kills.to_string(), none()]);
        row("questions to a person", [none(), questions.to_string(), none()]);
        text
    }

    /// The same in one line.
    fn line(&self, elapsed: Duration) -> String {
        let Self { wanted, kept, plain, kills, questions: _ } = self;
        format!(
            "{:3} s: bursar {} of {} accounts, {} duplicates, killed {kills} times; the plain loop {} accounts, {} duplicates",
            elapsed.as_secs(),
            kept.accounts,
            wanted.accounts,
            kept.accounts - kept.names,
            plain.accounts,
            plain.accounts - plain.names,
        )
    }
}

fn dollars(cents: u64) -> String {
    Money::cents(i64::try_from(cents).unwrap_or(i64::MAX)).to_string()
}

/// The place of the table: drawn over itself on a terminal, a line now and then elsewhere.
#[derive(Debug)]
pub struct Board {
    ui: Ui,
    is_terminal: bool,
    /// The lines to go up before it is drawn again.
    drawn: usize,
    next_line: Duration,
}

/// Between two lines where there is no terminal.
const LINES: Duration = Duration::from_secs(5);

impl Board {
    /// On standard error.
    pub fn new(ui: Ui) -> Self {
        Self { ui, is_terminal: std::io::stderr().is_terminal(), drawn: 0, next_line: Duration::ZERO }
    }

    /// Shows a moment.
    pub fn show(&mut self, score: &Score, elapsed: Duration) {
        if self.is_terminal && !self.ui.is_quiet() {
            self.clear();
            let text = format!("{}{:3} s\n", score.table(), elapsed.as_secs());
            self.drawn = text.lines().count();
            self.ui.say(text.trim_end_matches('\n'));
        } else if elapsed >= self.next_line {
            self.next_line = elapsed + LINES;
            self.ui.say(&score.line(elapsed));
        }
    }

    /// Takes the table away again.
    pub fn clear(&mut self) {
        if self.drawn > 0 {
            // Up so many lines, and everything below is cleared.
            self.ui.say(&format!("\x1b[{}A\x1b[J\x1b[1A", self.drawn));
            self.drawn = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_both_worlds_beside_what_is_wanted() {
        let wanted =
            Standing { accounts: 12, names: 12, subscriptions: 12, people: 20, cents: 92_800, ..Standing::default() };
        let kept = Standing { faults: 61, ..wanted };
        let plain = Standing {
            accounts: 17,
            names: 12,
            subscriptions: 17,
            paid_twice: 4,
            people: 29,
            cents: 133_400,
            faults: 49,
        };
        let score = Score { wanted, kept, plain, kills: 5, questions: 0 };
        insta::assert_snapshot!(score.table(), @r"
                                wanted    bursar  a plain loop
    accounts                        12        12            17
    subscriptions                   12        12            17
    people in accounts              20        20            29
    dollars a month             928.00    928.00       1334.00
    duplicate accounts               0         0             5
    clients paid for twice           0         0             4
    answers lost                     -        61            49
    killed with -9                   -         5             -
    questions to a person            -         0             -
    ");
        assert_eq!(
            score.line(Duration::from_secs(12)),
            " 12 s: bursar 12 of 12 accounts, 0 duplicates, killed 5 times; the plain loop 17 accounts, 5 duplicates"
        );
        assert!(score.is_kept() && Score::has_too_much(&wanted, &plain) && !Score::has_too_much(&wanted, &kept));
    }
}
