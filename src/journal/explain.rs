//! Why one client stands where it stands: each operation in words, the rule behind it, and
//! what ends it. Pure.

use jiff::Timestamp;

use crate::domain::{AccountId, ClientName, Email, RequestId};
use crate::manifest::SourceRef;
use crate::plan::{OpKind, Reason, VerdictState, Words};

use super::fact::{Fact, FactKind, GONE};
use super::history::{Entry, EntryKind, Recorded};
use super::operation::OperationId;
use super::people::in_words;
use super::row::{Repeat, Row, State};
use super::said;
use super::scopes::{ScopeView, latest};
use super::step::{Rules, key_lives_until, settles_at};

/// So many of the latest answers are told of each operation.
const ANSWERS: usize = 3;

/// How a client stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Whom it is about.
    pub client: ClientName,
    /// Its account.
    pub account: Option<Bound>,
    /// The reason of a freeze, and since when.
    pub frozen: Option<Fact>,
    /// Rails that tripped and stay so, for every client.
    pub rails: Vec<Rail>,
    /// Who was in the account at the last look.
    pub people: Vec<Seen>,
    /// What was said of members, for an account of which they cannot be read.
    pub words: Words,
    /// The operations, in the order in which an account goes through them.
    pub operations: Vec<Told>,
}

/// A client's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// Its id.
    pub id: AccountId,
    /// It is not listed any more.
    pub gone: bool,
    /// Since when it is so.
    pub since: Timestamp,
}

/// A rail that stays tripped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rail {
    /// Its flag.
    pub flag: String,
    /// Its value then.
    pub value: String,
    /// Since when.
    pub since: Timestamp,
    /// What it stopped, and the digest of that plan.
    pub message: Option<String>,
}

/// Somebody in the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Who.
    pub email: Email,
    /// `full`, `limited` or `invited`.
    pub access: String,
    /// Since when they have been seen so.
    pub since: Timestamp,
}

/// One operation, explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its name.
    pub operation: OperationId,
    /// What kind it is.
    pub kind: OpKind,
    /// The account that it was written to, or made.
    pub account: Option<AccountId>,
    /// What it does, as the plan has it.
    pub what: String,
    /// Where it stands.
    pub state: State,
    /// That, in words.
    pub words: String,
    /// When it came to stand so.
    pub since: Option<Timestamp>,
    /// How often it was begun.
    pub attempts: u32,
    /// Requests of it on the wire.
    pub sends: u32,
    /// The document that asked for it.
    pub source: Option<SourceRef>,
    /// The commit that it was read from.
    pub revision: Option<String>,
    /// The rule that it follows.
    pub rule: String,
    /// What ends it; `None` where nothing has to.
    pub ends: Option<String>,
    /// What a person types to end it.
    pub commands: Vec<String>,
    /// What came back last, the newest last.
    pub answers: Vec<Answered>,
}

/// What came back, or was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// When.
    pub at: Timestamp,
    /// What kind of answer.
    pub kind: EntryKind,
    /// In words, beside what was to be done; empty where there is nothing more to say.
    pub message: String,
    /// The server's id of the request.
    pub request_id: Option<RequestId>,
}

/// Explains a client; `None` where the journal knows nothing of it. `history` is of this
/// client and of the rails.
pub fn explain(
    client: &ClientName,
    view: &ScopeView,
    history: &[Recorded],
    rules: &Rules,
    now: Timestamp,
) -> Option<Explanation> {
    let rows = latest(&view.rows).into_iter().filter(|row| row.operation.series.client == *client);
    let mut rows: Vec<&Row> = rows.collect();
    rows.sort_by_key(|row| (row.operation.series.kind, row.first_sent_at));
    let account = bound(client, view);
    let entries: Vec<&Entry> = history.iter().map(|recorded| &recorded.entry).collect();
    if rows.is_empty() && account.is_none() && !entries.iter().any(|entry| entry.client.as_ref() == Some(client)) {
        return None;
    }
    let id = account.as_ref().map(|bound| &bound.id).or_else(|| rows.iter().find_map(|row| row.account_id.as_ref()));
    let people = id.map(|id| people(id, view)).unwrap_or_default();
    Some(Explanation {
        // Where members were read, nobody's word counts.
        words: id.filter(|_| people.is_empty()).map(|id| said_of(id, view, now)).unwrap_or_default(),
        people,
        frozen: view.facts_of(FactKind::Frozen).next().cloned(),
        rails: view.facts_of(FactKind::Latched).map(|fact| rail(fact, &entries)).collect(),
        operations: rows.into_iter().map(|row| told(row, account.as_ref(), &entries, rules, now)).collect(),
        client: client.clone(),
        account,
    })
}

fn bound(client: &ClientName, view: &ScopeView) -> Option<Bound> {
    let fact = view.fact(FactKind::Binding, client.as_str())?;
    let Fact { kind: _, key: _, value, since } = fact;
    let gone = value.starts_with(GONE);
    Some(Bound { id: AccountId::new(value.trim_start_matches(GONE)), gone, since: *since })
}

fn people(account: &AccountId, view: &ScopeView) -> Vec<Seen> {
    let members = view.facts_of(FactKind::Member).filter_map(|fact| Some((fact, fact.key.split_once('/')?)));
    members
        .filter(|(_, (of, _))| *of == account.as_str())
        .map(|(fact, (_, email))| Seen { email: Email::lenient(email), access: fact.value.clone(), since: fact.since })
        .collect()
}

fn said_of(account: &AccountId, view: &ScopeView, now: Timestamp) -> Words {
    let of = |kind| view.facts_of(kind).map(|fact| (fact.key.clone(), fact.clone())).collect();
    let mut words = said::words(&of(FactKind::Acknowledged), &of(FactKind::Heard), now);
    words.remove(account).unwrap_or_default()
}

fn rail(fact: &Fact, entries: &[&Entry]) -> Rail {
    let Fact { kind: _, key, value, since } = fact;
    let tripped = entries.iter().rev().filter(|entry| entry.kind == EntryKind::RailTripped);
    let message = tripped.map(|entry| &entry.message).find(|message| message.starts_with(key.as_str())).cloned();
    Rail { flag: key.clone(), value: value.clone(), since: *since, message }
}

fn told(row: &Row, account: Option<&Bound>, entries: &[&Entry], rules: &Rules, now: Timestamp) -> Told {
    let id = row.id();
    let of_row: Vec<&Entry> = entries.iter().filter(|entry| entry.operation.as_ref() == Some(&id)).copied().collect();
    let undone = undone(row, account, entries);
    let answers = of_row.iter().filter(|entry| entry.kind != EntryKind::Sent);
    let mut answers: Vec<Answered> = answers
        .map(|entry| Answered {
            at: entry.at,
            kind: entry.kind,
            message: what_came(&row.cause.what, &entry.message).to_owned(),
            request_id: entry.request_id.clone(),
        })
        .collect();
    answers.drain(..answers.len().saturating_sub(ANSWERS));
    let since = match row.state {
        State::Done | State::Refused => row.ended_at,
        State::Sending => row.first_sent_at,
        State::Prepared | State::Unknown | State::Ask => of_row.last().map(|entry| entry.at),
    };
    let (ends, commands) = ends(row, undone, rules, now);
    Told {
        operation: id,
        kind: row.operation.series.kind,
        account: row.account_id.clone(),
        what: row.cause.what.clone(),
        state: row.state,
        words: words(row, undone),
        since: undone.and_then(|at| at).or(since),
        attempts: row.attempt,
        sends: row.sends,
        source: row.cause.source.clone(),
        revision: row.cause.revision.clone(),
        rule: rule(row, rules, now),
        ends,
        commands,
        answers,
    }
}

/// What an entry says beside what was to be done.
fn what_came<'a>(what: &str, message: &'a str) -> &'a str {
    message.strip_prefix(what).map_or(message, |rest| rest.strip_prefix(": ").unwrap_or(rest))
}

/// Whether what was made was undone by somebody's hand, and since when that is known: an
/// account that is not listed any more, a person who is not in it any more.
fn undone(row: &Row, account: Option<&Bound>, entries: &[&Entry]) -> Option<Option<Timestamp>> {
    if row.state != State::Done || row.released {
        return None;
    }
    match row.operation.series.kind {
        OpKind::CreateAccount => account
            .filter(|bound| bound.gone && row.account_id.as_ref() == Some(&bound.id))
            .map(|bound| Some(bound.since)),
        OpKind::AddMember => {
            let about = |entry: &&&Entry| {
                entry.person.is_some()
                    && entry.person == row.cause.person
                    && entry.account == row.account_id
                    && Some(entry.at) >= row.ended_at
            };
            let news = entries.iter().filter(about).rev();
            let last = news.into_iter().find(|entry| match entry.kind {
                EntryKind::MemberSeen | EntryKind::MemberGone => true,
                EntryKind::Done => entry.op == Some(OpKind::RemoveMember),
                _ => false,
            });
            last.filter(|entry| entry.kind == EntryKind::MemberGone).map(|entry| Some(entry.at))
        }
        _ => None,
    }
}

fn words(row: &Row, undone: Option<Option<Timestamp>>) -> String {
    let verdict = row.verdict.as_ref().map(|verdict| &verdict.message);
    match (row.state, undone, verdict) {
        (State::Done, Some(_), _) if row.operation.series.kind == OpKind::CreateAccount => {
            "it is done, and the account is not listed any more".to_owned()
        }
        (State::Done, Some(_), _) if row.invited => {
            "they were invited, and the invitation was revoked or declined".to_owned()
        }
        (State::Done, Some(_), _) => "it is done, and somebody removed them since".to_owned(),
        (State::Done, None, _) if row.invited => "it is done: they were invited".to_owned(),
        (State::Done, None, _) if row.released => "it is done; wanted again, it would be done anew".to_owned(),
        (State::Prepared, _, Some(verdict)) => format!("it is tried again: {verdict}"),
        (State::Refused, _, Some(verdict)) => format!("it {}: {verdict}", in_words(State::Refused)),
        // What came back stands among the answers.
        (state, _, _) => format!("it {}", in_words(state)),
    }
}

/// The rule behind what is done about a row, with its number in docs/reliability.md where it
/// has one.
fn rule(row: &Row, rules: &Rules, now: Timestamp) -> String {
    let made = matches!(row.operation.series.kind, OpKind::CreateAccount | OpKind::AddMember);
    match (row.state, repeat_now(row, rules, now)) {
        (State::Prepared, Repeat::Never) => {
            "before it is sent, everything is read once more (R3), and the journal gives one permit (R5)".to_owned()
        }
        (State::Prepared, _) => "the journal gives one permit for one request (R5)".to_owned(),
        (State::Sending, _) => "one permit, one request; its outcome is written down, whatever happens (R6)".to_owned(),
        (State::Done, _) if made => {
            "what was done once is never done again by itself; undone by hand, it is a person's decision (R1)"
                .to_owned()
        }
        (State::Done, _) => "it states an end: where the service shows something else, it is set right".to_owned(),
        (State::Refused, _) => "the server says that it did nothing, so it may be tried anew".to_owned(),
        (State::Unknown, Repeat::UnderKey) => format!(
            "the same bytes are sent again under the same key, which the server carries out once, until {:.0}",
            key_lives_until(row, rules)
        ),
        (State::Unknown, Repeat::Freely) => {
            "it is read back, and sent again only where nothing happened; nothing else is written to the account \
             meanwhile"
                .to_owned()
        }
        (State::Unknown, Repeat::Never) => {
            format!("never sent again: it is looked for {} times, and then a person is asked (R2)", rules.looks)
        }
        (State::Ask, _) => "never sent again without a person's word (R2)".to_owned(),
    }
}

/// What sending again does now: a key that has grown too old is none.
fn repeat_now(row: &Row, rules: &Rules, now: Timestamp) -> Repeat {
    match row.repeat {
        Repeat::UnderKey if row.state == State::Unknown && now >= key_lives_until(row, rules) => Repeat::Never,
        repeat => repeat,
    }
}

/// What ends it, and what a person types for that.
fn ends(row: &Row, undone: Option<Option<Timestamp>>, rules: &Rules, now: Timestamp) -> (Option<String>, Vec<String>) {
    let id = row.id();
    let create = row.operation.series.kind == OpKind::CreateAccount;
    let resolve = || {
        let ways = if create { ["--created ACCOUNT_ID", "--not-created"] } else { ["--done", "--not-done"] };
        ways.iter().map(|way| format!("bursar resolve {id} {way}")).collect()
    };
    match row.state {
        State::Done if undone.is_some() => {
            let client = &row.operation.series.client;
            let (person, out) = match row.cause.person.as_ref().filter(|_| !create) {
                Some(person) => (format!(" {person}"), "take them out of the manifests"),
                None => (String::new(), "take the manifest out"),
            };
            let ends = format!("a person: if that was right, {out}; if it is wanted anew, say so");
            (Some(ends), vec![format!("bursar reaffirm {client}{person}")])
        }
        State::Done => (None, Vec::new()),
        State::Prepared => (Some("the next pass of `bursar run` or `bursar apply` goes on with it".to_owned()), vec![]),
        State::Sending => {
            let until = row.deadline.unwrap_or(now);
            (Some(format!("its answer, until {until:.0}; after that it is found out what came of it")), vec![])
        }
        State::Unknown => {
            let from = settles_at(row, rules);
            let when = if now < from { format!("from {from:.0} on") } else { "at the next pass".to_owned() };
            let ends = match repeat_now(row, rules, now) {
                Repeat::UnderKey => "the next pass asks again under the same key".to_owned(),
                Repeat::Never => format!(
                    "it is looked for {when} ({} of {} looks were in vain); or a person who knows how it ended",
                    row.looks, rules.looks
                ),
                Repeat::Freely => "the next pass reads it back; or a person who knows how it ended".to_owned(),
            };
            (Some(ends), resolve())
        }
        State::Ask => (Some("a person looks at the service and says how it ended".to_owned()), resolve()),
        State::Refused => (Some(refused(row)), vec![]),
    }
}

fn refused(row: &Row) -> String {
    let verdict = row.verdict.as_ref();
    match verdict.map(|verdict| (verdict.state, verdict.reason)) {
        Some((VerdictState::Waiting, Some(Reason::AwaitingSignup))) => {
            "their sign-up with the service; it is tried again by itself, less and less often".to_owned()
        }
        Some((VerdictState::Waiting | VerdictState::Failed, _)) => "it is tried again by itself".to_owned(),
        Some((VerdictState::Blocked, _)) => {
            "a person: put it right at the service or in the manifest; then a changed manifest, SIGHUP to the daemon \
             or `bursar apply` tries it again"
                .to_owned()
        }
        None => "the next pass, if it is wanted still".to_owned(),
    }
}

#[cfg(test)]
mod tests;
