//! What was looked at, and who wants what in it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::domain::{AccountId, ClientName, Email};
use crate::journal::{Event, Row, State};
use crate::manifest::Wanted;
use crate::plan::{OpKind, Series, Snapshot};

use super::Keeper;
use crate::controller::rolling::Rolling;

/// What was looked at.
#[derive(Debug)]
pub struct Look<'a> {
    /// What is wanted.
    pub wanted: &'a Wanted,
    /// What was seen.
    pub snapshot: &'a Snapshot,
    /// Which account is whose, for the clients of whom that is clear.
    pub matched: &'a BTreeMap<ClientName, Option<AccountId>>,
    /// When reading began.
    pub began: Timestamp,
    /// The whole list was read.
    pub complete: bool,
}

impl Keeper {
    /// The accounts whose details are read at the next look whatever the list says: something
    /// is not settled there, or was written since they were read, by whomever.
    pub(in crate::controller) fn to_be_read(&self, rolling: &Rolling) -> BTreeSet<AccountId> {
        let rows = self.book.iter().flat_map(|book| book.rows());
        let open = |row: &Row| match row.state {
            State::Unknown | State::Ask | State::Prepared | State::Sending => true,
            State::Done | State::Refused => false,
        };
        rows.filter_map(|row| {
            let id = row.account_id.clone()?;
            let written = row.ended_at.is_some_and(|ended| !rolling.is_newer(&id, ended));
            (open(&row) || written).then_some(id)
        })
        .collect()
    }
}

/// Who wants what, to tell which rows nobody asks for any more.
pub(super) struct Standings<'a> {
    clients: BTreeMap<&'a ClientName, BTreeSet<&'a Email>>,
    invalid: BTreeSet<&'a ClientName>,
    unnamed: bool,
}

impl<'a> Standings<'a> {
    pub(super) fn of(wanted: &'a Wanted) -> Self {
        let members = |client: &'a crate::manifest::Client| client.members.iter().map(|m| &m.email).collect();
        Self {
            clients: wanted.clients.iter().map(|client| (&client.name, members(client))).collect(),
            invalid: wanted.invalid.iter().filter_map(|invalid| invalid.name.as_ref()).collect(),
            unnamed: wanted.invalid.iter().any(|invalid| invalid.name.is_none()),
        }
    }

    /// Whether a client is wanted, or may be: its document does not hold.
    pub(super) fn may_want(&self, client: &ClientName) -> bool {
        self.clients.contains_key(client) || self.unnamed || self.invalid.contains(client)
    }

    /// The event of a row that nobody asks for any more: wanted again, it is a new wish.
    pub(super) fn let_go(&self, row: &Row, now: Timestamp) -> Option<Event> {
        let Series { client, kind, argument } = &row.operation.series;
        let is_wanted = match self.clients.get(client) {
            None => self.may_want(client),
            Some(members) if *kind == OpKind::AddMember => members.iter().any(|email| email.key() == argument),
            Some(_) => true,
        };
        match row.state {
            _ if is_wanted => None,
            State::Prepared => Some(Event::Withdrawn { now }),
            State::Done | State::Refused if !row.released => Some(Event::Released),
            _ => None,
        }
    }
}
