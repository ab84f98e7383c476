//! What people write into a journal beside whoever carries out with it: how something ended,
//! that something is wanted anew, stop, go on, let this plan pass. Each is one short
//! transaction, tried again on what is there then where somebody else was faster.

use jiff::Timestamp;

use crate::domain::text::inert;
use crate::domain::{AccountId, ClientName, Clock, Email};
use crate::plan::{OpKind, Says, Series};

use super::book::{describe, note_access};
use super::fact::{Fact, FactKind, GONE};
use super::history::{Entry, EntryKind};
use super::operation::{OperationId, ScopeId};
use super::row::{Row, State};
use super::said::{self, Acknowledged};
use super::scopes::{ScopeView, latest};
use super::step::{Event, Rejected, Rules, Word, settles_at, step};
use super::store::{Batch, Journal, JournalError, Put};

/// How often what somebody else changed meanwhile is read again.
const TRIES: u32 = 8;

/// A person at a journal.
#[derive(Debug)]
pub struct Person<'a> {
    journal: &'a dyn Journal,
    name: String,
    clock: &'a dyn Clock,
    rules: Rules,
}

/// How a person says that an operation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The account was made: this one.
    Created(AccountId),
    /// No account was made.
    NotCreated,
    /// Anything but a create: it is so.
    Done,
    /// It is not so.
    NotDone,
}

/// What became of a row that a person resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The row as it is now: done, or prepared for another attempt.
    pub row: Row,
    /// The reason of a freeze that holds it back.
    pub frozen: Option<String>,
}

/// What is wanted anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaffirmed {
    /// The account that it was.
    pub account: Option<AccountId>,
    /// A look found that it is not listed any more.
    pub gone: bool,
    /// The reason of a freeze that holds it back.
    pub frozen: Option<String>,
}

/// Why a person's word was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeopleError {
    /// The journal did not take it.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The protocol does not allow it.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// Nobody knows this operation.
    #[error("the journal holds no operation {0}")]
    NoSuchOperation(OperationId),
    /// Its outcome is no question.
    #[error("operation {operation} is no open question: it {}", in_words(*state))]
    NotOpen {
        /// Which.
        operation: OperationId,
        /// How it stands.
        state: State,
    },
    /// An answer for another kind of operation.
    #[error("operation {operation} {}", if *create { "creates an account" } else { "creates no account" })]
    WrongWord {
        /// Which.
        operation: OperationId,
        /// It is a create.
        create: bool,
    },
    /// What was sent may still take effect, so nobody can know that it did not.
    #[error("what operation {operation} sent may still take effect until {until:.0}")]
    TooEarly {
        /// Which.
        operation: OperationId,
        /// By when it has shown, if it ever does.
        until: Timestamp,
    },
    /// Another client's account.
    #[error("account {account} is {client}'s")]
    Taken {
        /// Which.
        account: AccountId,
        /// Whose.
        client: ClientName,
    },
    /// Nothing holds this back.
    #[error("nothing is remembered of {what}, so nothing holds it back")]
    NothingRemembered {
        /// Of what.
        what: String,
    },
    /// It is open how it ended.
    #[error("how {what} ended is not known yet (operation {operation})")]
    Unsettled {
        /// What.
        what: String,
        /// Which.
        operation: OperationId,
        /// Whose.
        client: ClientName,
    },
    /// It is there.
    #[error("{person} is in account {account}, as far as the journal knows")]
    StillThere {
        /// Who.
        person: Email,
        /// Where.
        account: AccountId,
    },
}

/// The state of a row, after "it".
pub const fn in_words(state: State) -> &'static str {
    match state {
        State::Prepared => "is written down, and nothing was sent",
        State::Sending => "may be on its way right now",
        State::Done => "is done",
        State::Refused => "was refused, and nothing was done",
        State::Unknown => "was sent, and what came of it is not known yet",
        State::Ask => "was sent, and what came of it could not be found out",
    }
}

impl<'a> Person<'a> {
    /// Somebody who answers. The name becomes inert.
    pub fn new(journal: &'a dyn Journal, name: &str, clock: &'a dyn Clock, rules: Rules) -> Self {
        Self { journal, name: inert(name).into_owned(), clock, rules }
    }

    /// Says how an operation ended whose outcome is not known.
    ///
    /// # Errors
    /// It is not an open question, the answer does not fit it, its request may be under way,
    /// the account is another client's, or the journal did not take it.
    pub async fn resolve(
        &self,
        scope: &ScopeId,
        operation: &OperationId,
        ending: &Ending,
    ) -> Result<Resolved, PeopleError> {
        let mut tries = 0;
        loop {
            let view = ScopeView::read(self.journal, scope).await?;
            let (batch, resolved) = self.resolution(&view, operation, ending)?;
            match self.journal.commit(scope, batch).await {
                Err(JournalError::Conflict { .. }) if tries < TRIES => tries += 1,
                done => return Ok(done.map(|()| resolved)?),
            }
        }
    }

    fn resolution(
        &self,
        view: &ScopeView,
        operation: &OperationId,
        ending: &Ending,
    ) -> Result<(Batch, Resolved), PeopleError> {
        let row = view.rows.iter().find(|row| row.id() == *operation);
        let row = row.ok_or_else(|| PeopleError::NoSuchOperation(operation.clone()))?;
        let (operation, now) = (operation.clone(), self.clock.now());
        let create = row.operation.series.kind == OpKind::CreateAccount;
        if create != matches!(ending, Ending::Created(_) | Ending::NotCreated) {
            return Err(PeopleError::WrongWord { operation, create });
        }
        if !matches!(row.state, State::Unknown | State::Ask) {
            return Err(PeopleError::NotOpen { operation, state: row.state });
        }
        let word = match ending {
            Ending::Created(account) => {
                whose(view, account, &row.operation.series.client)?;
                Word::Created { account: Some(account.clone()) }
            }
            Ending::Done => Word::Created { account: None },
            Ending::NotCreated | Ending::NotDone => Word::NotCreated,
        };
        let (mut next, _) = step(row, &Event::Resolved { now, word }, &self.rules).map_err(|why| match why {
            Rejected::TooEarly => PeopleError::TooEarly { operation, until: settles_at(row, &self.rules) },
            why => PeopleError::Rejected(why),
        })?;
        next.version = row.version + 1;
        let it_is_so = next.state == State::Done;
        let said = match ending {
            Ending::Created(account) => format!("it was created: account {account}"),
            Ending::NotCreated => "it was not created".to_owned(),
            Ending::Done => "it was done".to_owned(),
            Ending::NotDone => "it was not done".to_owned(),
        };
        let told = describe(&next, EntryKind::Resolved, now, &self.name);
        let message = format!("{}: {said}, says {}", row.cause.what, self.name);
        let mut entries = vec![Entry { message, ..told }];
        if it_is_so {
            entries.push(describe(&next, EntryKind::Done, now, &self.name));
        }
        let resolved = Resolved { row: next.clone(), frozen: frozen(view) };
        let mut batch = Batch { entries, ..Batch::default() };
        note_access(&mut batch, row, &next);
        batch.rows.push(Put { seen: row.version, row: next });
        Ok((batch, resolved))
    }

    /// Wants an account or a person anew that somebody removed elsewhere.
    ///
    /// # Errors
    /// Nothing of it is remembered, it is there, how it ended is not known, or the journal did
    /// not take it.
    pub async fn reaffirm(
        &self,
        scope: &ScopeId,
        client: &ClientName,
        person: Option<&Email>,
    ) -> Result<Reaffirmed, PeopleError> {
        let mut tries = 0;
        loop {
            let view = ScopeView::read(self.journal, scope).await?;
            let (batch, reaffirmed) = self.reaffirmation(&view, client, person)?;
            match self.journal.commit(scope, batch).await {
                Err(JournalError::Conflict { .. }) if tries < TRIES => tries += 1,
                done => return Ok(done.map(|()| reaffirmed)?),
            }
        }
    }

    fn reaffirmation(
        &self,
        view: &ScopeView,
        client: &ClientName,
        person: Option<&Email>,
    ) -> Result<(Batch, Reaffirmed), PeopleError> {
        let what = person.map_or_else(|| format!("{client}'s account"), |person| format!("{person} at {client}"));
        let row = made(view, client, person);
        let binding = view.fact(FactKind::Binding, client.as_str()).filter(|_| person.is_none());
        if let Some(row) = row.filter(|row| row.state.is_unsettled()) {
            return Err(PeopleError::Unsettled { what, operation: row.id(), client: client.clone() });
        }
        let row = row.filter(|row| row.state == State::Done && !row.released);
        if row.is_none() && binding.is_none() {
            return Err(PeopleError::NothingRemembered { what });
        }
        let bound = binding.map(|fact| AccountId::new(fact.value.trim_start_matches(GONE)));
        let account = bound.or_else(|| row.and_then(|row| row.account_id.clone()));
        if let (Some(person), Some(account)) = (person, &account)
            && view.fact(FactKind::Member, &format!("{}/{}", account.as_str(), person.key())).is_some()
        {
            return Err(PeopleError::StillThere { person: person.clone(), account: account.clone() });
        }
        let mut batch = Batch::default();
        let mut entry = self.entry(view, EntryKind::Reaffirmed);
        if let Some(row) = row {
            let (mut next, _) = step(row, &Event::Released, &self.rules)?;
            next.version = row.version + 1;
            entry = Entry { access: None, ..describe(&next, EntryKind::Reaffirmed, entry.at, &self.name) };
            batch.rows.push(Put { seen: row.version, row: next });
        }
        batch.forget.extend(binding.map(|fact| (FactKind::Binding, fact.key.clone())));
        let message = format!("{what} is wanted anew, says {}", self.name);
        let (client, person) = (Some(client.clone()), person.cloned());
        batch.entries.push(Entry { client, person, account: account.clone(), message, ..entry });
        let gone = binding.is_some_and(|fact| fact.value.starts_with(GONE));
        Ok((batch, Reaffirmed { account, gone, frozen: frozen(view) }))
    }

    /// Stops all writes of a scope: no request is allowed on the wire any more. A freeze that
    /// is there already stays as it is, and comes back.
    ///
    /// # Errors
    /// The journal did not take it.
    pub async fn freeze(&self, scope: &ScopeId, reason: &str) -> Result<Option<Fact>, PeopleError> {
        let view = ScopeView::read(self.journal, scope).await?;
        if let Some(fact) = view.facts_of(FactKind::Frozen).next() {
            return Ok(Some(fact.clone()));
        }
        let reason = inert(reason);
        let value = match reason.trim() {
            "" => format!("by {}", self.name),
            reason => format!("{reason} (by {})", self.name),
        };
        let message = format!("all writes are stopped: {value}");
        let fact = Fact { kind: FactKind::Frozen, key: "fleet".to_owned(), value, since: self.clock.now() };
        let entry = Entry { message, ..self.entry(&view, EntryKind::Frozen) };
        let batch = Batch { facts: vec![fact], entries: vec![entry], ..Batch::default() };
        self.journal.commit(scope, batch).await?;
        Ok(None)
    }

    /// Lets the writes of a scope go on; the freeze that was, if there was one.
    ///
    /// # Errors
    /// The journal did not take it.
    pub async fn unfreeze(&self, scope: &ScopeId) -> Result<Option<Fact>, PeopleError> {
        let view = ScopeView::read(self.journal, scope).await?;
        let Some(fact) = view.facts_of(FactKind::Frozen).next().cloned() else { return Ok(None) };
        let message = format!("writes go on, says {}; they were stopped: {}", self.name, fact.value);
        let entry = Entry { message, ..self.entry(&view, EntryKind::Unfrozen) };
        let forget = view.facts_of(FactKind::Frozen).map(|fact| (fact.kind, fact.key.clone())).collect();
        self.journal.commit(scope, Batch { forget, entries: vec![entry], ..Batch::default() }).await?;
        Ok(Some(fact))
    }

    /// Lets one plan pass the rails, by its digest, once; the caps that are tripped, each with
    /// its value.
    ///
    /// # Errors
    /// The journal did not take it.
    pub async fn approve(&self, scope: &ScopeId, digest: &str) -> Result<Vec<String>, PeopleError> {
        let view = ScopeView::read(self.journal, scope).await?;
        let tripped = view.facts_of(FactKind::Latched).map(|fact| format!("{} {}", fact.key, fact.value));
        let tripped: Vec<String> = tripped.collect();
        let which = if tripped.is_empty() { String::new() } else { format!(" {}", tripped.join(", ")) };
        let message = format!("plan {digest} may pass the rails{which}, says {}", self.name);
        let entry = Entry { message, ..self.entry(&view, EntryKind::Approved) };
        let (kind, key, value) = (FactKind::Approved, digest.to_owned(), self.name.clone());
        let facts = vec![Fact { kind, key, value, since: self.clock.now() }];
        self.journal.commit(scope, Batch { facts, entries: vec![entry], ..Batch::default() }).await?;
        Ok(tripped)
    }

    /// Asks whoever runs on this journal for a look now: at one client, or at everything.
    ///
    /// # Errors
    /// The journal did not take it.
    pub async fn ask_to_look(&self, scope: &ScopeId, client: Option<&ClientName>) -> Result<(), PeopleError> {
        let view = ScopeView::read(self.journal, scope).await?;
        let what = client.map_or_else(|| "everything".to_owned(), ToString::to_string);
        let message = format!("{what} is to be looked at now, says {}", self.name);
        let entry = Entry { client: client.cloned(), message, ..self.entry(&view, EntryKind::LookAsked) };
        Ok(self.journal.commit(scope, Batch { entries: vec![entry], ..Batch::default() }).await?)
    }

    /// Says who is in an account, or is not, where that cannot be read; without a person, that
    /// nobody else is.
    ///
    /// # Errors
    /// The journal did not take it.
    pub async fn acknowledge(
        &self,
        scope: &ScopeId,
        account: &AccountId,
        client: Option<&ClientName>,
        words: &[(Option<Email>, Says)],
    ) -> Result<(), PeopleError> {
        let view = ScopeView::read(self.journal, scope).await?;
        let mut batch = Batch::default();
        for (person, says) in words {
            let word = Acknowledged { email: person.clone(), says: *says, by: self.name.clone() };
            batch.facts.push(Fact {
                kind: FactKind::Acknowledged,
                key: said::key(account, person.as_ref()),
                value: word.to_value(),
                since: self.clock.now(),
            });
            let what = match person {
                Some(person) => format!("account {account}: {person} is {says}"),
                None => format!("account {account}: nobody else is a member"),
            };
            batch.entries.push(Entry {
                client: client.cloned(),
                account: Some(account.clone()),
                person: person.clone(),
                access: said::access(*says),
                message: format!("{what}, says {}", self.name),
                ..self.entry(&view, EntryKind::Acknowledged)
            });
        }
        Ok(self.journal.commit(scope, batch).await?)
    }

    fn entry(&self, view: &ScopeView, kind: EntryKind) -> Entry {
        Entry::new(self.clock.now(), view.card.id.clone(), kind, self.name.as_str())
    }
}

/// The latest row that made a client's account, or added a person to it.
fn made<'a>(view: &'a ScopeView, client: &ClientName, person: Option<&Email>) -> Option<&'a Row> {
    let (kind, argument) = match person {
        None => (OpKind::CreateAccount, String::new()),
        Some(person) => (OpKind::AddMember, person.key().to_owned()),
    };
    let series = Series { client: client.clone(), kind, argument };
    latest(&view.rows).into_iter().find(|row| row.operation.series == series)
}

/// Refuses an account that is known to be another client's.
fn whose(view: &ScopeView, account: &AccountId, client: &ClientName) -> Result<(), PeopleError> {
    let bound = view.facts_of(FactKind::Binding).filter(|fact| fact.value == account.as_str());
    let bound = bound.filter_map(|fact| ClientName::parse(&fact.key).ok());
    let made = view.rows.iter().filter(|row| {
        row.operation.series.kind == OpKind::CreateAccount
            && row.state == State::Done
            && row.account_id.as_ref() == Some(account)
    });
    let made = made.map(|row| row.operation.series.client.clone());
    match bound.chain(made).find(|other| other != client) {
        Some(client) => Err(PeopleError::Taken { account: account.clone(), client }),
        None => Ok(()),
    }
}

fn frozen(view: &ScopeView) -> Option<String> {
    view.facts_of(FactKind::Frozen).next().map(|fact| fact.value.clone())
}

#[cfg(test)]
mod tests;
