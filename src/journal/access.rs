//! Who could reach what, since when and through what: the history, played again. Pure.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use crate::domain::{AccountId, ClientName, Email, RequestId};
use crate::manifest::SourceRef;
use crate::plan::OpKind;

use super::history::{Entry, EntryKind, Recorded};
use super::operation::{OperationId, ScopeId};
use super::row::{Row, State};
use super::scopes::latest;

/// The kinds of entries that say something of access.
pub const KINDS: [EntryKind; 7] = [
    EntryKind::Sent,
    EntryKind::Resolved,
    EntryKind::Done,
    EntryKind::MemberSeen,
    EntryKind::MemberGone,
    EntryKind::Bound,
    EntryKind::Gone,
];

/// What is seen of an account within so long of its first member is one first look.
const FIRST_LOOK_SECONDS: i64 = 1;

/// One person in one account with one access, without a break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// In which scope.
    pub scope: ScopeId,
    /// The account.
    pub account: AccountId,
    /// Whose account it is.
    pub client: Option<ClientName>,
    /// Who.
    pub person: Email,
    /// What they may do.
    pub access: Level,
    /// How it began.
    pub from: Edge,
    /// How it ended; `None` where it has not.
    pub until: Option<Edge>,
}

/// What a person may do in an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Level {
    /// Every right.
    Full,
    /// Restricted.
    Limited,
    /// Invited: no access until they accept.
    Invited,
    /// In the words of a later version of bursar.
    Other(String),
}

/// The beginning or the end of a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// When it was done, or first seen.
    pub at: Timestamp,
    /// Through what.
    pub how: How,
}

/// Through what somebody came or went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// We did it.
    Ours(Ours),
    /// They were in the account when it was first looked at, after we had made it: the
    /// service makes the token's user its first member.
    WithAccount(Ours),
    /// They were in the account when it was first looked at.
    FirstLook,
    /// An invitation was accepted: one of ours, or somebody else's.
    Accepted(Option<Ours>),
    /// Seen at a look, and nobody here did it: by somebody's hand.
    ByHand,
    /// The whole account was not there any more, or there again.
    Account,
}

/// What of ours it was.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ours {
    /// The document that asked for it.
    pub source: Option<SourceRef>,
    /// The commit that it was read from.
    pub revision: Option<String>,
    /// The server's id of the request.
    pub request_id: Option<RequestId>,
    /// By an `Offboarding`.
    pub offboarding: bool,
    /// A person said that it was done.
    pub said_by: Option<String>,
}

/// Which spans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A person's, in all accounts.
    Person(Email),
    /// Everybody's in one account: a client's name or an account's id.
    Account(String),
}

/// Something that may have given or taken access, and nobody knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// Which operation.
    pub operation: OperationId,
    /// Whose account.
    pub client: ClientName,
    /// What it was to do.
    pub what: String,
}

impl Level {
    fn of(word: &str) -> Self {
        match word {
            "full" => Self::Full,
            "limited" => Self::Limited,
            "invited" => Self::Invited,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Whether they can reach the account: an invitation is not yet access.
    pub const fn is_access(&self) -> bool {
        !matches!(self, Self::Invited)
    }
}

impl Span {
    /// Whether it holds at a time.
    pub fn holds_at(&self, at: Timestamp) -> bool {
        self.from.at <= at && self.until.as_ref().is_none_or(|until| until.at > at)
    }
}

/// Plays entries again, which must be in order, and tells the spans of what is asked for: by
/// account and person, each person's in their order.
pub fn spans(history: &[Recorded], about: &About) -> Vec<Span> {
    let mut replay = Replay::default();
    for recorded in history {
        replay.take(recorded);
    }
    let Replay { mut closed, open, clients, .. } = replay;
    closed.extend(open.into_values());
    let mut spans: Vec<Span> = closed
        .into_iter()
        .map(|span| {
            let client = clients.get(&(span.scope.clone(), span.account.clone())).cloned();
            Span { client: client.or(span.client), ..span }
        })
        .filter(|span| match about {
            About::Person(person) => span.person == *person,
            About::Account(name) => {
                span.account.as_str() == name || span.client.as_ref().is_some_and(|client| client.as_str() == name)
            }
        })
        .collect();
    let numeric = |id: &AccountId| id.as_str().parse::<u64>().unwrap_or(u64::MAX);
    spans.sort_by(|a, b| {
        let by = |span: &Span| (numeric(&span.account), span.account.clone(), span.person.clone(), span.from.at);
        by(a).cmp(&by(b))
    });
    spans
}

/// Operations on people's access whose outcome is not known.
pub fn doubts(rows: &[Row], about: &About) -> Vec<Doubt> {
    let open = latest(rows).into_iter().filter(|row| {
        matches!(row.state, State::Sending | State::Unknown | State::Ask)
            && matches!(row.operation.series.kind, OpKind::AddMember | OpKind::RemoveMember | OpKind::SetAccess)
    });
    let asked = open.filter(|row| match about {
        About::Person(person) => row.cause.person.as_ref() == Some(person),
        About::Account(name) => {
            row.operation.series.client.as_str() == name
                || row.account_id.as_ref().is_some_and(|account| account.as_str() == name)
        }
    });
    asked
        .map(|row| Doubt {
            operation: row.id(),
            client: row.operation.series.client.clone(),
            what: row.cause.what.clone(),
        })
        .collect()
}

type Place = (ScopeId, AccountId);

#[derive(Default)]
struct Replay {
    open: BTreeMap<(Place, String), Span>,
    closed: Vec<Span>,
    clients: HashMap<Place, ClientName>,
    /// When an operation was first sent.
    sent: HashMap<OperationId, Timestamp>,
    /// Who said how an operation ended.
    said: HashMap<OperationId, String>,
    /// Accounts that we made.
    made: HashMap<Place, Ours>,
    /// When somebody was first seen in an account.
    first_seen: HashMap<Place, Timestamp>,
    /// Accounts that are gone, with those who were in them.
    gone: HashMap<Place, Vec<Span>>,
}

impl Replay {
    fn take(&mut self, recorded: &Recorded) {
        let entry = &recorded.entry;
        match (entry.kind, &entry.operation) {
            (EntryKind::Sent, Some(operation)) => {
                self.sent.entry(operation.clone()).or_insert(entry.at);
            }
            (EntryKind::Resolved, Some(operation)) => {
                self.said.insert(operation.clone(), entry.actor.clone());
            }
            _ => {}
        }
        let Some(account) = &entry.account else { return };
        let place = (entry.scope.clone(), account.clone());
        if let Some(client) = &entry.client {
            self.clients.insert(place.clone(), client.clone());
        }
        match (entry.kind, entry.op, &entry.person) {
            (EntryKind::Gone, ..) => self.account_gone(&place, entry.at),
            (EntryKind::Bound, ..) => self.account_back(&place, entry.at),
            (EntryKind::Done, Some(OpKind::CreateAccount), _) => {
                self.made.insert(place, self.ours(entry));
            }
            (EntryKind::Done, Some(OpKind::AddMember | OpKind::SetAccess), Some(person)) => {
                if let Some(access) = &entry.access {
                    self.done(&place, person, Level::of(access), entry);
                }
            }
            (EntryKind::Done, Some(OpKind::RemoveMember), Some(person)) => {
                self.close(&place, person, Edge { at: entry.at, how: How::Ours(self.ours(entry)) });
            }
            (EntryKind::MemberSeen, _, Some(person)) => {
                if let Some(access) = &entry.access {
                    self.seen(&place, person, Level::of(access), entry.at);
                }
            }
            (EntryKind::MemberGone, _, Some(person)) => {
                self.close(&place, person, Edge { at: entry.at, how: How::ByHand });
            }
            _ => {}
        }
    }

    fn ours(&self, entry: &Entry) -> Ours {
        let said_by = entry.operation.as_ref().and_then(|operation| self.said.get(operation));
        Ours {
            source: entry.source.clone(),
            revision: entry.revision.clone(),
            request_id: entry.request_id.clone(),
            offboarding: entry.offboarding,
            said_by: said_by.filter(|by| **by == entry.actor).cloned(),
        }
    }

    fn done(&mut self, place: &Place, person: &Email, level: Level, entry: &Entry) {
        let edge = Edge { at: entry.at, how: How::Ours(self.ours(entry)) };
        let sent = entry.operation.as_ref().and_then(|operation| self.sent.get(operation)).copied();
        let key = (place.clone(), person.key().to_owned());
        match self.open.get_mut(&key) {
            Some(span) if span.access == level => {
                // Seen before its outcome was known: it was ours all the same.
                if span.from.how == How::ByHand && sent.is_some_and(|sent| sent <= span.from.at) {
                    span.from.how = edge.how;
                }
            }
            _ => self.change(place, person, level, edge),
        }
    }

    fn seen(&mut self, place: &Place, person: &Email, level: Level, at: Timestamp) {
        let first = *self.first_seen.entry(place.clone()).or_insert(at);
        let key = (place.clone(), person.key().to_owned());
        let before = self.open.get(&key);
        if before.is_some_and(|span| span.access == level) {
            return;
        }
        let at_first = at.duration_since(first).as_secs() < FIRST_LOOK_SECONDS;
        let how = match (before, self.made.get(place)) {
            (Some(Span { access: Level::Invited, from: Edge { how: How::Ours(ours), .. }, .. }), _) => {
                How::Accepted(Some(ours.clone()))
            }
            (Some(Span { access: Level::Invited, .. }), _) => How::Accepted(None),
            (None, Some(made)) if at_first => How::WithAccount(made.clone()),
            (None, None) if at_first => How::FirstLook,
            _ => How::ByHand,
        };
        self.change(place, person, level, Edge { at, how });
    }

    /// Ends what was, and begins something else.
    fn change(&mut self, place: &Place, person: &Email, access: Level, edge: Edge) {
        self.close(place, person, edge.clone());
        let (scope, account) = place.clone();
        let span = Span { scope, account, client: None, person: person.clone(), access, from: edge, until: None };
        self.open.insert((place.clone(), person.key().to_owned()), span);
    }

    fn close(&mut self, place: &Place, person: &Email, edge: Edge) {
        if let Some(span) = self.open.remove(&(place.clone(), person.key().to_owned())) {
            self.closed.push(Span { until: Some(edge), ..span });
        }
    }

    fn account_gone(&mut self, place: &Place, at: Timestamp) {
        let people: Vec<Span> = self.open.values().filter(|span| is_at(span, place)).cloned().collect();
        for span in &people {
            self.close(place, &span.person, Edge { at, how: How::Account });
        }
        self.gone.insert(place.clone(), people);
    }

    /// Listed again: who was in it is in it still, as long as no look says otherwise.
    fn account_back(&mut self, place: &Place, at: Timestamp) {
        for span in self.gone.remove(place).unwrap_or_default() {
            self.change(place, &span.person, span.access, Edge { at, how: How::Account });
        }
    }
}

fn is_at(span: &Span, place: &Place) -> bool {
    (&span.scope, &span.account) == (&place.0, &place.1)
}

#[cfg(test)]
mod tests;
