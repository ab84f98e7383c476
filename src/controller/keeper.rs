//! What the journal tells the passes, and what the passes tell the journal: recovery, what a
//! complete look settles, who left the manifests, and what a plan is to know.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::domain::{AccountId, ClientName, Clock, Email, MachineClock, Money};
use crate::journal::{
    Batch, Book, BookError, Entry, EntryKind, Event, Fact, FactKind, GONE, InMemory, Journal, JournalError, JournalId,
    OperationId, Owner, PERMIT, Put, Query, Row, Rules, ScopeId, Seq, Sight, Standing, State, request, said,
};
use crate::manifest::Wanted;
use crate::plan::{
    ActionKey, Known, Matter, OpKind, RailMemory, Reason, Series, Snapshot, TrippedRail, Undone, Unsettled, Vanished,
    Verdict, VerdictState,
};
use crate::provider::{MemberState, Scope};

/// The caps count what so many hours did.
const CAPS_HOURS: i64 = 24;

/// The watermark from which on the caps count: a plan that a person let pass counts in none.
const COUNTED_FROM: &str = "counted-from";
/// The watermark before which nothing is created: the journal may have lost a create.
const NO_CREATES_UNTIL: &str = "no-creates-until";

/// So many known accounts may be gone at a time before it reads as an outage.
const FEW: usize = 3;

/// With which journal, as whom.
#[derive(Debug, Clone)]
pub struct Keeping {
    /// Where intents and outcomes are kept.
    pub journal: Arc<dyn Journal>,
    /// The life of this process.
    pub owner: Owner,
    /// How long things take.
    pub rules: Rules,
    /// What the time is.
    pub clock: Arc<dyn Clock>,
    /// No other process can carry out with this journal.
    pub alone: bool,
    /// The manifests that are read are all of the fleet's: who is not among them has left.
    pub whole: bool,
    /// Accounts may be created without keys though nothing outlives the process (rule R7):
    /// for simulations and tests.
    pub forgetful: bool,
    /// Nothing is written to it: a dry run works with a copy.
    pub dry: bool,
    /// Which earlier refusals still stand.
    pub recall: Recall,
    /// Make again what somebody undid elsewhere (`--on-removed heal`).
    pub heal: bool,
    /// Plans that a person lets pass, by their digest (`--approve`).
    pub approved: BTreeSet<String>,
}

/// Which refusals of earlier processes still stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recall {
    /// None: a person runs this, perhaps because they changed something.
    Nothing,
    /// Those that a person must end, unless the manifest changed: the daemon.
    Blocked,
    /// All: a dry run says what the daemon would say.
    All,
}

impl Keeping {
    /// With a journal that ends with the process.
    pub fn in_memory(owner: &str) -> Self {
        Self::with(Arc::new(InMemory::new(JournalId::new(owner))), owner)
    }

    /// With this journal, by this machine's clock.
    pub fn with(journal: Arc<dyn Journal>, owner: &str) -> Self {
        Self {
            journal,
            owner: Owner::new(owner),
            rules: Rules::default(),
            clock: Arc::new(MachineClock),
            alone: true,
            whole: true,
            forgetful: true,
            dry: false,
            recall: Recall::Nothing,
            heal: false,
            approved: BTreeSet::new(),
        }
    }
}

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

    /// An approval is used up by the plan that it was given for; the rails begin anew, and the
    /// caps count from now on: what is left of that plan needs no second approval.
    ///
    /// # Errors
    /// The journal did not take it.
    pub async fn use_approval(&mut self, digest: &str) -> Result<(), JournalError> {
        let flag = self.keeping.approved.remove(digest);
        let Some(book) = self.book.clone() else { return Ok(()) };
        let mut forget: Vec<_> =
            book.facts(FactKind::Latched).into_keys().map(|flag| (FactKind::Latched, flag)).collect();
        forget.extend(book.facts(FactKind::Approved).into_keys().map(|digest| (FactKind::Approved, digest)));
        let mut entries = Vec::new();
        if flag {
            let message = format!("plan {digest} may pass the rails");
            entries.push(Entry { message, ..book.entry(EntryKind::Approved) });
        }
        let counted = book.fact(FactKind::Watermark, COUNTED_FROM, self.now().to_string());
        book.note(vec![counted], forget, entries).await?;
        self.read_day().await
    }

    fn day_ago(&self) -> Timestamp {
        self.now().saturating_sub(SignedDuration::from_hours(CAPS_HOURS)).unwrap_or(Timestamp::MIN)
    }

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
        let rows = book.rows();
        let mut last: BTreeMap<(&ClientName, Matter), &Row> = BTreeMap::new();
        let mut undone = BTreeMap::new();
        for row in &rows {
            let series = &row.operation.series;
            if row.state.is_unsettled() {
                known.unsettled.extend(self.unsettled(book, row, keys));
            } else if row.state == State::Done {
                if let (OpKind::CreateAccount, Some(id)) = (series.kind, &row.account_id) {
                    known.made.insert(series.client.clone(), id.clone());
                }
                later(&mut last, (&series.client, series.matter()), row);
                if let Some(matter) = undoable(series) {
                    later(&mut undone, (&series.client, matter), row);
                }
            }
        }
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
        let rises = done().filter_map(|entry| entry.monthly).chain(unsettled().filter_map(|row| row.cause.monthly));
        RailMemory {
            created: count(OpKind::CreateAccount),
            increase: rises.filter(|rise| *rise > Money::ZERO).sum(),
            removed: count(OpKind::RemoveMember),
            latched: book.facts(FactKind::Latched).into_iter().map(|(flag, fact)| (flag, fact.value)).collect(),
            lifted,
        }
    }

    /// Gives the journal back.
    pub async fn close(&self) {
        self.keeping.journal.close().await;
    }
}

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

/// Who wants what, to tell which rows nobody asks for any more.
struct Standings<'a> {
    clients: BTreeMap<&'a ClientName, BTreeSet<&'a Email>>,
    invalid: BTreeSet<&'a ClientName>,
    unnamed: bool,
}

impl<'a> Standings<'a> {
    fn of(wanted: &'a Wanted) -> Self {
        let members = |client: &'a crate::manifest::Client| client.members.iter().map(|m| &m.email).collect();
        Self {
            clients: wanted.clients.iter().map(|client| (&client.name, members(client))).collect(),
            invalid: wanted.invalid.iter().filter_map(|invalid| invalid.name.as_ref()).collect(),
            unnamed: wanted.invalid.iter().any(|invalid| invalid.name.is_none()),
        }
    }

    /// Whether a client is wanted, or may be: its document does not hold.
    fn may_want(&self, client: &ClientName) -> bool {
        self.clients.contains_key(client) || self.unnamed || self.invalid.contains(client)
    }

    /// The event of a row that nobody asks for any more: wanted again, it is a new wish.
    fn let_go(&self, row: &Row, now: Timestamp) -> Option<Event> {
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

#[derive(Default)]
struct Notes {
    facts: Vec<Fact>,
    forget: Vec<(FactKind, String)>,
    entries: Vec<Entry>,
}

/// Who is in the accounts, where it differs from what was seen before.
fn note_members(book: &Book, look: &Look<'_>, shown: &HashSet<OperationId>, notes: &mut Notes) {
    let known = book.facts(FactKind::Member);
    let mut by_account: BTreeMap<&str, Vec<(&str, &Fact)>> = BTreeMap::new();
    for (key, fact) in &known {
        if let Some((account, email)) = key.split_once('/') {
            by_account.entry(account).or_default().push((email, fact));
        }
    }
    // What was done a moment ago may not show yet: that is nobody's hand.
    let fresh: HashSet<String> = book
        .rows()
        .iter()
        .filter(|row| !shown.contains(&row.id()) && is_fresh(row, book, look.began))
        .filter_map(member_key)
        .collect();
    let owners: BTreeMap<&AccountId, &ClientName> =
        look.matched.iter().filter_map(|(client, account)| Some((account.as_ref()?, client))).collect();
    for seen in &look.snapshot.accounts {
        let Some(members) = seen.members.seen() else { continue };
        let id = &seen.account.id;
        let entry = |kind, person: &Email, access: Option<String>, what: &str| Entry {
            client: owners.get(id).map(|client| (*client).clone()),
            account: Some(id.clone()),
            person: Some(person.clone()),
            access,
            message: format!("{person} {what}"),
            ..book.entry(kind)
        };
        for member in members {
            let access = match member.state {
                MemberState::Active => member.access.to_string(),
                MemberState::Invited => "invited".to_owned(),
            };
            let key = format!("{}/{}", id.as_str(), member.email.key());
            if !fresh.contains(&key) && known.get(&key).is_none_or(|fact| fact.value != access) {
                notes.facts.push(book.fact(FactKind::Member, key, access.as_str()));
                let what = format!("is in account {id} ({access})");
                notes.entries.push(entry(EntryKind::MemberSeen, &member.email, Some(access), &what));
            }
        }
        let present: BTreeSet<&str> = members.iter().map(|member| member.email.key()).collect();
        for (email, _) in by_account.get(id.as_str()).into_iter().flatten() {
            let key = format!("{}/{email}", id.as_str());
            if !present.contains(email) && !fresh.contains(&key) {
                notes.forget.push((FactKind::Member, key));
                let person = Email::lenient(*email);
                let what = format!("is not in account {id} any more");
                notes.entries.push(entry(EntryKind::MemberGone, &person, None, &what));
            }
        }
    }
}

/// Whether a look that began then may be older than what a row did.
fn is_fresh(row: &Row, book: &Book, began: Timestamp) -> bool {
    let shows = row.ended_at.map(|ended| ended.saturating_add(book.rules().settle).unwrap_or(Timestamp::MAX));
    row.state == State::Done && shows.is_some_and(|shows| began < shows)
}

/// Whom in which account a row is about.
fn member_key(row: &Row) -> Option<String> {
    Some(format!("{}/{}", row.account_id.as_ref()?.as_str(), row.cause.person.as_ref()?.key()))
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
