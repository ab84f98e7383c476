//! What a plan is to know of what the journal holds.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{COUNTED_FROM, Keeper, Recall};
use crate::domain::{AccountId, ClientName, Email, Money};
use crate::journal::{Book, FactKind, GONE, Row, Standing, State, said};
use crate::plan::{
    ActionKey, Known, Matter, OpKind, RailMemory, Reason, Series, Undone, Unsettled, Verdict, VerdictState,
};

impl Keeper {
    /// Refusals of earlier processes that still stand.
    pub fn recalled(&self, digests: &BTreeMap<ClientName, String>) -> Vec<(ActionKey, Verdict)> {
        let Some(book) = &self.book else { return Vec::new() };
        let stands = |row: &Row, verdict: &Verdict| match self.keeping.recall {
            Recall::Nothing => false,
            Recall::All => true,
            Recall::Blocked => verdict.state == VerdictState::Blocked,
        } && row.cause.wanted.as_ref() == digests.get(&row.operation.series.client);
        book.rows()
            .into_iter()
            .filter(|row| row.state == State::Refused && !row.released)
            .filter_map(|row| {
                let verdict = row.verdict.clone().filter(|verdict| stands(&row, verdict))?;
                Some((key_of(&row), verdict))
            })
            .collect()
    }

    /// What a plan is to know, beside what this process learned.
    pub fn inform(&self, known: &Known, lifted: bool, keys: bool) -> Known {
        let mut known = known.clone();
        let Some(book) = &self.book else { return known };
        known.registered.extend(book.facts(FactKind::Registered).into_values().map(|fact| Email::lenient(fact.value)));
        known.frozen = book.facts(FactKind::Frozen).into_values().next().map(|fact| fact.value);
        known.vanished = self.vanished;
        known.doubtful = self.now() < self.doubtful_until;
        known.rails = self.rails(book, lifted);
        known.words = said::words(&book.facts(FactKind::Acknowledged), &book.facts(FactKind::Heard), self.now());
        known.applied = self.applied(book);
        known.prices = self.old_prices(book);
        let rows = book.rows();
        let mut last: BTreeMap<(&ClientName, Matter), &Row> = BTreeMap::new();
        let (mut undone, mut created) = (BTreeMap::new(), BTreeMap::new());
        for row in &rows {
            let series = &row.operation.series;
            if row.state.is_unsettled() {
                known.unsettled.extend(self.unsettled(book, row, keys));
            } else if row.state == State::Done {
                if series.kind == OpKind::CreateAccount {
                    later(&mut created, &series.client, row);
                }
                later(&mut last, (&series.client, series.matter()), row);
                if let Some(matter) = undoable(series) {
                    later(&mut undone, (&series.client, matter), row);
                }
            }
        }
        known.made = created.into_iter().filter_map(|(c, row)| Some((c.clone(), row.account_id.clone()?))).collect();
        for ((client, matter), row) in last {
            let settling = matches!(book.standing(&row.operation.series, self.began), Standing::Settling(..));
            if settling && !self.shown.contains(&row.id()) && !self.answered.contains(client) {
                known.settling.insert((client.clone(), matter));
            }
        }
        if !self.keeping.heal {
            for row in undone.into_values().filter(|row| made(row) && !row.released) {
                let undone = Undone { account: row.account_id.clone(), invited: row.invited };
                known.undone.insert(row.operation.series.clone(), undone);
            }
            for (client, fact) in book.facts(FactKind::Binding) {
                let Ok(client) = ClientName::parse(&client) else { continue };
                let series = Series { client, kind: OpKind::CreateAccount, argument: String::new() };
                let account = Some(AccountId::new(fact.value.trim_start_matches(GONE)));
                known.undone.entry(series).or_insert(Undone { account, invited: false });
            }
        }
        known
    }

    fn unsettled(&self, book: &Book, row: &Row, keys: bool) -> Option<Unsettled> {
        use crate::journal::{Effect, step};
        // Under a key that lives it is simply sent again.
        if let Effect::SendAgain { until } = step::due(row, book.rules())
            && keys
            && book.clock().now() < until
        {
            return None;
        }
        let verdict = if row.state == State::Ask { ask(row) } else { settling(row, book) };
        Some(Unsettled {
            series: row.operation.series.clone(),
            account_name: row.account_name.clone(),
            account_id: row.account_id.clone(),
            verdict,
        })
    }

    fn rails(&self, book: &Book, lifted: bool) -> RailMemory {
        let counted = book.facts(FactKind::Watermark).remove(COUNTED_FROM).and_then(|fact| fact.value.parse().ok());
        let from = counted.unwrap_or(Timestamp::MIN).max(self.day_ago());
        let done = || self.day.iter().filter(|entry| entry.at > from && !entry.offboarding);
        // What may have happened counts as if it had.
        let rows = book.rows();
        let unsettled = || {
            rows.iter().filter(|row| {
                row.state.is_unsettled() && !row.cause.offboarding && row.first_sent_at.is_some_and(|sent| sent > from)
            })
        };
        let count = |op: OpKind| {
            let all = done().filter(|entry| entry.op == Some(op)).count()
                + unsettled().filter(|row| row.operation.series.kind == op).count();
            u32::try_from(all).unwrap_or(u32::MAX)
        };
        let bought = done().filter(|entry| entry.op.is_some_and(|op| buys(op, entry.monthly))).count()
            + unsettled().filter(|row| buys(row.operation.series.kind, row.cause.monthly)).count();
        let rises = done().filter_map(|entry| entry.monthly).chain(unsettled().filter_map(|row| row.cause.monthly));
        RailMemory {
            created: count(OpKind::CreateAccount),
            subscribed: u32::try_from(bought).unwrap_or(u32::MAX),
            increase: rises.filter(|rise| *rise > Money::ZERO).sum(),
            removed: count(OpKind::RemoveMember),
            latched: book.facts(FactKind::Latched).into_iter().map(|(flag, fact)| (flag, fact.value)).collect(),
            lifted,
        }
    }
}

/// Whether something that was done bought a subscription, or a plan that costs more.
fn buys(op: OpKind, monthly: Option<Money>) -> bool {
    match op {
        OpKind::Subscribe => true,
        // A create that brings a plan with it is one whose price rose.
        OpKind::ChangePlan | OpKind::CreateAccount => monthly.is_some_and(|rise| rise > Money::ZERO),
        OpKind::UpdateAccount
        | OpKind::SetSeats
        | OpKind::RemoveMember
        | OpKind::AddMember
        | OpKind::SetAccess
        | OpKind::Unsubscribe => false,
    }
}

/// Keeps the row that was done last.
fn later<'a, K: Ord>(rows: &mut BTreeMap<K, &'a Row>, key: K, row: &'a Row) {
    let kept = rows.entry(key).or_insert(row);
    if row.ended_at >= kept.ended_at {
        *kept = row;
    }
}

/// What is not done again by itself where somebody undid it: that an account is there, and
/// that a person is in it, of which our own removals are the end.
fn undoable(series: &Series) -> Option<Matter> {
    matches!(series.kind, OpKind::CreateAccount | OpKind::AddMember | OpKind::RemoveMember).then(|| series.matter())
}

fn made(row: &Row) -> bool {
    matches!(row.operation.series.kind, OpKind::CreateAccount | OpKind::AddMember)
}

fn key_of(row: &Row) -> ActionKey {
    let Series { client, kind, argument: _ } = &row.operation.series;
    ActionKey { client: client.clone(), op: *kind, person: row.cause.person.clone() }
}

fn ask(row: &Row) -> Verdict {
    let id = row.id();
    let ways = match row.operation.series.kind {
        OpKind::CreateAccount => format!("bursar resolve {id} --created ID, or bursar resolve {id} --not-created"),
        _ => format!("bursar resolve {id} --done, or bursar resolve {id} --not-done"),
    };
    Verdict {
        state: VerdictState::Blocked,
        reason: Some(Reason::OutcomeUnknown),
        message: format!("whether it happened could not be found out; look at the service, then: {ways}"),
        request_id: row.request_id.clone(),
    }
}

fn settling(row: &Row, book: &Book) -> Verdict {
    let until = crate::journal::settled_from(row, book.rules());
    let seconds = until.duration_since(book.clock().now()).as_secs().max(0);
    let when = if seconds > 0 { format!("it is given {seconds} s to show") } else { "it is looked for now".to_owned() };
    Verdict {
        state: VerdictState::Waiting,
        reason: Some(Reason::OutcomeSettling),
        message: format!("whether it happened is not known yet; {when}, and it is not sent again meanwhile"),
        request_id: row.request_id.clone(),
    }
}
