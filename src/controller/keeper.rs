//! What the journal tells the passes, and what the passes tell the journal: recovery, what a
//! complete look settles, who left the manifests, and what a plan is to know.

mod inform;
mod keeping;
mod look;
mod members;
mod remember;
mod traces;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::domain::{AccountId, ClientName, Email};
use crate::journal::{
    Batch, Book, BookError, Entry, EntryKind, Event, FactKind, GONE, InMemory, Journal, JournalError, OperationId,
    PERMIT, Put, Query, Row, ScopeId, Seq, Sight, State, request,
};
use crate::manifest::Wanted;
use crate::plan::{OpKind, TrippedRail, Vanished};
use crate::provider::Scope;

pub use keeping::{Keeping, Recall};
pub use look::Look;
use look::Standings;
use members::{Notes, note_members};

/// The caps count what so many hours did.
const CAPS_HOURS: i64 = 24;

/// The watermark from which on the caps count: a plan that a person let pass counts in none.
const COUNTED_FROM: &str = "counted-from";
/// The watermark before which nothing is created: the journal may have lost a create.
const NO_CREATES_UNTIL: &str = "no-creates-until";

/// So many known accounts may be gone at a time before it reads as an outage.
const FEW: usize = 3;

/// The journal as the passes use it.
#[derive(Debug)]
pub struct Keeper {
    keeping: Keeping,
    book: Option<Arc<Book>>,
    /// When the reads began that the next plan is made from.
    began: Timestamp,
    /// Done, and shown by a complete read since: what shows the opposite now is news.
    shown: HashSet<OperationId>,
    /// Clients whose accounts are known from answers of this pass: newer than any read.
    answered: BTreeSet<ClientName>,
    /// What was done within the last day, for the caps.
    day: Vec<Entry>,
    day_seq: Seq,
    vanished: Option<Vanished>,
    /// After a failover of the journal's database: until when a lost create may be on its way.
    doubtful_until: Timestamp,
    /// How many clients left at once when that was last told.
    leaving: usize,
}

impl Keeper {
    /// Opens nothing yet: the scope is known after the first look.
    pub fn new(keeping: Keeping) -> Self {
        Self {
            keeping,
            book: None,
            began: Timestamp::MIN,
            shown: HashSet::new(),
            answered: BTreeSet::new(),
            day: Vec::new(),
            day_seq: 0,
            vanished: None,
            doubtful_until: Timestamp::MIN,
            leaving: 0,
        }
    }

    /// The book, once a look has told the scope.
    pub fn book(&self) -> Option<&Arc<Book>> {
        self.book.as_ref()
    }

    /// Whether an account may be created without a key: only where the intent outlives us.
    pub fn may_create_without_keys(&self) -> bool {
        self.keeping.forgetful || self.keeping.journal.is_lasting()
    }

    /// When the reads began that the next plan is made from.
    pub const fn began(&self) -> Timestamp {
        self.began
    }

    /// Whether what somebody undid is made again.
    pub const fn heals(&self) -> bool {
        self.keeping.heal
    }

    /// What the time is.
    pub fn now(&self) -> Timestamp {
        self.keeping.clock.now()
    }

    /// Opens the book of a scope, or takes in what others wrote to it; then recovers what a
    /// process that is gone left behind. Tells whether the scope is another than before.
    ///
    /// # Errors
    /// The journal cannot be read, or did not take it.
    pub async fn open(&mut self, scope: &Scope) -> Result<bool, BookError> {
        self.answered.clear();
        let id = ScopeId::of(scope);
        let failover = self.keeping.journal.failed_over().await?;
        if failover.is_some() {
            // What this process remembers of the journal may be newer than the journal.
            self.book = None;
        }
        let before = self.book.as_ref().map(|book| book.scope().clone());
        let moved = before.as_ref().is_some_and(|before| *before != id);
        match &self.book {
            Some(book) if !moved && !self.keeping.dry => book.refresh().await?,
            _ => {
                let Keeping { journal, owner, rules, clock, alone, dry, .. } = &self.keeping;
                let journal =
                    if *dry { copy_of(journal.as_ref(), &id, clock.now()).await? } else { Arc::clone(journal) };
                let book = Book::open(journal, scope, owner.clone(), *rules, Arc::clone(clock), *alone).await?;
                self.book = Some(Arc::new(book));
                self.shown.clear();
                (self.day, self.day_seq) = (Vec::new(), 0);
                self.note_scope(scope).await?;
            }
        }
        if let Some(book) = self.book.clone() {
            if let Some(failover) = failover.filter(|_| !self.keeping.dry) {
                tracing::warn!(
                    "the journal's database took over from another and may have lost its last commits: what was \
                     begun is read back before anything is sent"
                );
                book.doubt().await?;
                let wait = SignedDuration::try_from(PERMIT).unwrap_or_default().saturating_add(book.rules().settle);
                let until = self.now().saturating_add(wait).unwrap_or(Timestamp::MAX);
                let fact = book.fact(FactKind::Watermark, NO_CREATES_UNTIL, until.to_string());
                book.note(vec![fact], Vec::new(), Vec::new()).await?;
                book.journal().handled(&failover).await?;
            }
            book.recover().await?;
            let until = book.facts(FactKind::Watermark).remove(NO_CREATES_UNTIL);
            self.doubtful_until = until.and_then(|fact| fact.value.parse().ok()).unwrap_or(Timestamp::MIN);
        }
        self.read_day().await?;
        Ok(moved)
    }

    async fn note_scope(&self, scope: &Scope) -> Result<(), JournalError> {
        let Some(book) = &self.book else { return Ok(()) };
        let Scope { api_url, user_id, world } = scope;
        let known = book.facts(FactKind::Scope);
        let parts = [("url", Some(api_url)), ("user", Some(user_id)), ("world", world.as_ref())];
        let new = parts
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .filter(|(key, value)| known.get(*key).is_none_or(|fact| fact.value != **value))
            .map(|(key, value)| book.fact(FactKind::Scope, key, value.as_str()))
            .collect();
        book.note(new, Vec::new(), Vec::new()).await
    }

    /// What was done since the last time, for the caps of a day.
    async fn read_day(&mut self) -> Result<(), JournalError> {
        let Some(book) = &self.book else { return Ok(()) };
        let now = self.keeping.clock.now();
        let from = now.saturating_sub(SignedDuration::from_hours(CAPS_HOURS)).unwrap_or(Timestamp::MIN);
        let query = Query {
            scope: Some(book.scope().clone()),
            kinds: vec![EntryKind::Done],
            from: Some(from),
            after: Some(self.day_seq),
            ..Query::default()
        };
        for recorded in book.journal().history(&query).await? {
            self.day_seq = self.day_seq.max(recorded.seq);
            self.day.push(recorded.entry);
        }
        self.day.retain(|entry| entry.at >= from);
        Ok(())
    }

    /// Takes in a look. `complete` says that the whole list was read (rule R4); `began` when.
    /// Settles what can be settled, lets go of who left the manifests, and remembers whose
    /// account is which and who is in them.
    ///
    /// # Errors
    /// The journal did not take it.
    pub async fn take_in(&mut self, look: &Look<'_>) -> Result<(), BookError> {
        self.began = look.began;
        let Some(book) = self.book.clone() else { return Ok(()) };
        let steps = self.steps(&book, look);
        if !steps.is_empty() {
            book.apply_all(steps).await?;
        }
        if look.complete {
            self.note_accounts(&book, look).await?;
            self.note_prices(&book, &look.snapshot.offer).await?;
        }
        Ok(())
    }

    /// Before a plan is made from what was read earlier: only who left the manifests.
    ///
    /// # Errors
    /// The journal did not take it.
    pub async fn let_go(&mut self, wanted: &Wanted) -> Result<(), BookError> {
        let Some(book) = self.book.clone() else { return Ok(()) };
        let standing = Standings::of(wanted);
        if !self.lets_go(&book, &standing) {
            return Ok(());
        }
        let bound = book.facts(FactKind::Binding).into_keys();
        let left = bound.filter(|client| ClientName::parse(client).is_ok_and(|name| !standing.may_want(&name)));
        let forget = left.map(|client| (FactKind::Binding, client)).collect();
        book.note(Vec::new(), forget, Vec::new()).await?;
        let steps =
            book.rows().into_iter().filter_map(|row| standing.let_go(&row, book.clock().now()).map(|e| (row, e)));
        let steps: Vec<_> = steps.collect();
        book.apply_all(steps).await.map(|_| ())
    }

    /// Whether who is not in the manifests has left: they are all of the fleet's, and not most
    /// of it is missing at once, as it is where a folder is not mounted yet.
    fn lets_go(&mut self, book: &Book, standing: &Standings<'_>) -> bool {
        if !self.keeping.whole {
            return false;
        }
        let bound = book.facts(FactKind::Binding).into_keys().filter_map(|client| ClientName::parse(&client).ok());
        let done = book.rows().into_iter().filter(|row| row.state == State::Done && !row.released);
        let known: BTreeSet<ClientName> = bound.chain(done.map(|row| row.operation.series.client)).collect();
        let leaving = known.iter().filter(|client| !standing.may_want(client)).count();
        let many = leaving > FEW && leaving * 2 > known.len();
        if many && self.leaving != leaving {
            tracing::warn!(
                "{leaving} of {} clients are not in the manifests any more, which looks like a folder that is not \
                 there; they are remembered as they were",
                known.len()
            );
        }
        self.leaving = leaving;
        !many
    }

    fn steps(&mut self, book: &Book, look: &Look<'_>) -> Vec<(Row, Event)> {
        let standing = Standings::of(look.wanted);
        let lets_go = self.lets_go(book, &standing);
        let named: HashSet<&ClientName> = look
            .wanted
            .clients
            .iter()
            .filter(|client| client.account_id.is_some())
            .map(|client| &client.name)
            .collect();
        let settle_from = look.began.saturating_sub(book.rules().settle).unwrap_or(Timestamp::MIN);
        let mut steps = Vec::new();
        for row in book.rows() {
            let client = &row.operation.series.client;
            let taken = |id: &AccountId| {
                look.matched.iter().any(|(other, account)| other != client && account.as_ref() == Some(id))
            };
            if lets_go && let Some(event) = standing.let_go(&row, book.clock().now()) {
                // It shows, so whoever is not wanted any more may leave again.
                let sight = (row.state == State::Done).then(|| request::sight(&row, &look.snapshot.accounts, taken));
                if let Some(Some(Sight::There { .. })) = sight {
                    self.shown.insert(row.id());
                }
                steps.push((row, event));
                continue;
            }
            let recent = row.ended_at.is_some_and(|ended| ended >= settle_from);
            let asks = match row.state {
                State::Unknown | State::Ask | State::Prepared => true,
                State::Done => recent && !self.shown.contains(&row.id()),
                State::Sending | State::Refused => false,
            };
            if !asks || (!look.complete && row.operation.series.kind == OpKind::CreateAccount) {
                continue;
            }
            let mine = look.matched.get(client).and_then(Option::as_ref);
            let sight = match mine.filter(|_| row.operation.series.kind == OpKind::CreateAccount) {
                // Whoever writes accountId says which one it is.
                Some(id) if named.contains(client) => Some(Sight::There { account: Some(id.clone()) }),
                _ => request::sight(&row, &look.snapshot.accounts, taken),
            };
            match (sight, row.state) {
                (Some(Sight::There { .. }), State::Done) => {
                    self.shown.insert(row.id());
                }
                (None, _) | (_, State::Done) | (Some(Sight::Absent), State::Prepared) => {}
                (Some(sight), _) => steps.push((row, Event::Looked { began: look.began, sight })),
            }
        }
        steps
    }

    /// Whose account is which, who is in it, and whether more are gone than a few.
    async fn note_accounts(&mut self, book: &Book, look: &Look<'_>) -> Result<(), JournalError> {
        let listed: HashSet<&AccountId> = look.snapshot.accounts.iter().map(|seen| &seen.account.id).collect();
        let bound = book.facts(FactKind::Binding);
        let standing = Standings::of(look.wanted);
        let lets_go = self.lets_go(book, &standing);
        let mut notes = Notes::default();
        let mut missing = Vec::new();
        let mut known = 0;
        for (client, fact) in &bound {
            let name = ClientName::parse(client).ok();
            if lets_go && name.as_ref().is_some_and(|name| !standing.may_want(name)) {
                notes.forget.push((FactKind::Binding, client.clone()));
            } else if !fact.value.starts_with(GONE) {
                known += 1;
                if !listed.contains(&AccountId::new(fact.value.as_str())) {
                    missing.push((name, AccountId::new(fact.value.as_str())));
                }
            }
        }
        let outage = missing.len() > FEW || (known > 0 && listed.is_empty());
        self.vanished = outage.then_some(Vanished { missing: missing.len(), known });
        // A few that are gone are somebody's doing, each its own client's affair from now on.
        for (client, id) in missing.into_iter().filter(|_| !outage) {
            let Some(client) = client else { continue };
            notes.facts.push(book.fact(FactKind::Binding, client.as_str(), format!("{GONE}{}", id.as_str())));
            notes.entries.push(Entry {
                message: format!("account {id} of {client} is not listed any more"),
                client: Some(client),
                account: Some(id),
                ..book.entry(EntryKind::Gone)
            });
        }
        for (client, account) in look.matched {
            let Some(id) = account else { continue };
            if bound.get(client.as_str()).is_none_or(|fact| fact.value != id.as_str()) {
                notes.facts.push(book.fact(FactKind::Binding, client.as_str(), id.as_str()));
                let entry = Entry {
                    client: Some(client.clone()),
                    account: Some(id.clone()),
                    message: format!("{client} is account {id}"),
                    ..book.entry(EntryKind::Bound)
                };
                notes.entries.push(entry);
            }
        }
        note_members(book, look, &self.shown, &mut notes);
        let Notes { facts, forget, entries } = notes;
        book.note(facts, forget, entries).await
    }

    /// Takes in that a client's account is known from answers now, until the next look.
    pub fn answered(&mut self, clients: impl Iterator<Item = ClientName>) {
        self.answered.extend(clients);
    }

    /// People who turned out to be users.
    ///
    /// # Errors
    /// The journal did not take it.
    pub async fn registered<'a>(&self, people: impl Iterator<Item = &'a Email>) -> Result<(), JournalError> {
        let Some(book) = &self.book else { return Ok(()) };
        let known = book.facts(FactKind::Registered);
        let new: BTreeSet<&Email> = people.filter(|person| !known.contains_key(person.key())).collect();
        let facts = new.into_iter().map(|person| book.fact(FactKind::Registered, person.key(), person.as_str()));
        book.note(facts.collect(), Vec::new(), Vec::new()).await
    }

    /// Rails that tripped stay tripped; each is told once.
    ///
    /// # Errors
    /// The journal did not take it.
    pub async fn latch(&self, rails: &[TrippedRail], digest: &str) -> Result<(), JournalError> {
        let Some(book) = &self.book else { return Ok(()) };
        let latched = book.facts(FactKind::Latched);
        let new: Vec<_> = rails
            .iter()
            .filter(|rail| rail.is_cap())
            .filter(|rail| latched.get(rail.flag).is_none_or(|fact| fact.value != rail.value))
            .collect();
        let facts = new.iter().map(|rail| book.fact(FactKind::Latched, rail.flag, rail.value.as_str())).collect();
        let entry = |rail: &&TrippedRail| Entry {
            message: format!("{} {}: {} (plan {digest})", rail.flag, rail.value, rail.message),
            ..book.entry(EntryKind::RailTripped)
        };
        book.note(facts, Vec::new(), new.iter().map(entry).collect()).await
    }

    /// Whether a person lets this plan pass, and said so within a day.
    pub fn is_approved(&self, digest: &str) -> bool {
        let day_ago = self.day_ago();
        let by_journal = self
            .book
            .as_ref()
            .is_some_and(|book| book.facts(FactKind::Approved).get(digest).is_some_and(|fact| fact.since >= day_ago));
        by_journal || self.keeping.approved.contains(digest)
    }

    /// An approval is used up by the plan that it was given for; the rails that it let `passed`
    /// begin anew, and the caps count from now on: what is left of that plan needs no second
    /// approval.
    ///
    /// # Errors
    /// The journal did not take it.
    pub async fn use_approval(&mut self, digest: &str, passed: &[TrippedRail]) -> Result<(), JournalError> {
        let flag = self.keeping.approved.remove(digest);
        let Some(book) = self.book.clone() else { return Ok(()) };
        let mut forget: Vec<_> =
            book.facts(FactKind::Latched).into_keys().map(|flag| (FactKind::Latched, flag)).collect();
        forget.extend(book.facts(FactKind::Approved).into_keys().map(|digest| (FactKind::Approved, digest)));
        let mut entries = Vec::new();
        if flag {
            let rails: Vec<String> =
                passed.iter().map(|rail| format!("{} {} ({})", rail.flag, rail.value, rail.message)).collect();
            let message = format!(
                "plan {digest} may pass the rails{}{}",
                if rails.is_empty() { "" } else { " " },
                rails.join(", ")
            );
            entries.push(Entry { message, ..book.entry(EntryKind::Approved) });
        }
        let counted = book.fact(FactKind::Watermark, COUNTED_FROM, self.now().to_string());
        book.note(vec![counted], forget, entries).await?;
        self.read_day().await
    }

    fn day_ago(&self) -> Timestamp {
        self.now().saturating_sub(SignedDuration::from_hours(CAPS_HOURS)).unwrap_or(Timestamp::MIN)
    }

    /// Gives the journal back.
    pub async fn close(&self) {
        self.keeping.journal.close().await;
    }
}

/// A copy of what a journal holds of a scope, for a run that writes nothing to it.
async fn copy_of(journal: &dyn Journal, scope: &ScopeId, now: Timestamp) -> Result<Arc<dyn Journal>, JournalError> {
    let copy = InMemory::new(journal.id().clone());
    let (rows, _) = journal.rows(scope, 0).await?;
    let from = now.saturating_sub(SignedDuration::from_hours(CAPS_HOURS)).unwrap_or(Timestamp::MIN);
    let query =
        Query { scope: Some(scope.clone()), kinds: vec![EntryKind::Done], from: Some(from), ..Query::default() };
    let entries = journal.history(&query).await?.into_iter().map(|recorded| recorded.entry).collect();
    let batch = Batch {
        // Its versions begin anew: nobody else sees this copy.
        rows: rows.into_iter().map(|row| Put { seen: 0, row: Row { version: 1, ..row } }).collect(),
        facts: journal.facts(scope).await?,
        entries,
        ..Batch::default()
    };
    copy.commit(scope, batch).await?;
    Ok(Arc::new(copy))
}
