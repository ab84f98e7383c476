//! What people write, in a journal in memory.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::*;
use crate::domain::{Access, AccountName};
use crate::journal::{Book, Cause, InMemory, Intent, JournalId, Owner, Query, Repeat, Request};
use crate::plan::{Verdict, VerdictState};
use crate::provider::Scope;

const JANE: &str = "jane@acme.example";

/// A clock that stands where it was set.
#[derive(Debug)]
struct Stopped(std::sync::Mutex<Timestamp>);

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn uptime(&self) -> Duration {
        Duration::ZERO
    }
}

struct Place {
    journal: Arc<InMemory>,
    clock: Arc<Stopped>,
    book: Book,
}

impl Place {
    async fn new() -> Self {
        let journal = Arc::new(InMemory::new(JournalId::new("j")));
        let clock = Arc::new(Stopped(std::sync::Mutex::new("2026-11-25T12:00:00Z".parse().unwrap())));
        let scope = Scope { api_url: "https://api.example/v2".into(), user_id: "1".into(), world: None };
        let shared: Arc<dyn Journal> = journal.clone();
        let owner = Owner::new("daemon");
        let book = Book::open(shared, &scope, owner, Rules::default(), clock.clone(), true).await.unwrap();
        Self { journal, clock, book }
    }

    fn later(&self, seconds: i64) {
        let mut now = self.clock.0.lock().unwrap();
        *now = now.saturating_add(SignedDuration::from_secs(seconds)).unwrap();
    }

    async fn permit(&self, intent: &Intent) -> Result<crate::journal::Permit, crate::journal::BookError> {
        self.book.prepare(std::slice::from_ref(intent)).await?;
        self.book.permit(intent, true).await
    }

    /// The daemon sends it, and its answer is lost.
    async fn lost(&self, intent: &Intent) -> Row {
        let permit = self.permit(intent).await.unwrap();
        let verdict = Verdict { state: VerdictState::Waiting, reason: None, message: "lost".into(), request_id: None };
        self.book.answered(&permit.row, crate::journal::Answer::Unknown { verdict }).await.unwrap()
    }

    async fn done(&self, intent: &Intent) -> Row {
        let permit = self.permit(intent).await.unwrap();
        let account = Some(AccountId::new("7"));
        let answer = crate::journal::Answer::Done { account, invited: false, request_id: None };
        self.book.answered(&permit.row, answer).await.unwrap()
    }

    fn pat(&self) -> Person<'_> {
        Person::new(self.journal.as_ref(), "Pat \u{1b}[31m", self.clock.as_ref(), Rules::default())
    }

    async fn resolve(&self, row: &Row, ending: Ending) -> Result<Resolved, PeopleError> {
        self.pat().resolve(self.book.scope(), &row.id(), &ending).await
    }

    async fn reaffirm(&self, person: Option<&str>) -> Result<Reaffirmed, PeopleError> {
        let (client, person) = (ClientName::parse("acme").unwrap(), person.map(Email::lenient));
        self.pat().reaffirm(self.book.scope(), &client, person.as_ref()).await
    }

    /// The last entries, in short.
    async fn told(&self, n: usize) -> String {
        let entries = self.journal.history(&Query { latest: Some(n), ..Query::default() }).await.unwrap();
        let line = |entry: &Entry| format!("{} {}: {}\n", entry.kind.as_str(), entry.actor, entry.message);
        entries.iter().map(|recorded| line(&recorded.entry)).collect()
    }
}

fn create(client: &str) -> Intent {
    let (name, email) = (AccountName::new(client), Email::lenient("dns@agency.example"));
    Intent {
        series: Series { client: ClientName::parse(client).unwrap(), kind: OpKind::CreateAccount, argument: "".into() },
        repeat: Repeat::Never,
        request: Request::Create { name: name.clone(), email: Some(email), plan: None }.to_json(),
        account_name: Some(name),
        account_id: None,
        cause: Cause { what: format!("create {client}"), ..Cause::default() },
        read_began: Timestamp::MAX,
        heal: false,
    }
}

fn add(person: &str) -> Intent {
    let (email, access) = (Email::lenient(person), Access::Full);
    let client = ClientName::parse("acme").unwrap();
    Intent {
        series: Series { client, kind: OpKind::AddMember, argument: email.key().to_owned() },
        repeat: Repeat::Freely,
        request: Request::Add { email: email.clone(), access, role: None }.to_json(),
        account_name: None,
        account_id: Some(AccountId::new("7")),
        cause: Cause { what: format!("add {person}"), person: Some(email), access: Some(access), ..Cause::default() },
        read_began: Timestamp::MAX,
        heal: false,
    }
}

#[tokio::test]
async fn a_lost_create_is_done_or_begun_anew_by_a_persons_word() {
    let place = Place::new().await;
    let row = place.lost(&create("acme")).await;
    let other = place.lost(&create("beta")).await;
    let early = place.resolve(&row, Ending::NotCreated).await.unwrap_err();
    insta::assert_snapshot!(early, @"what operation cb02d7acf7d002ede1e13299 sent may still take effect until 2026-11-25T12:03:20Z");
    let word = place.resolve(&row, Ending::Done).await.unwrap_err();
    assert_eq!(word, PeopleError::WrongWord { operation: row.id(), create: true });

    let created = place.resolve(&row, Ending::Created(AccountId::new("12"))).await.unwrap();
    assert_eq!((created.row.state, created.row.account_id), (State::Done, Some(AccountId::new("12"))));
    insta::assert_snapshot!(place.told(2).await, @r"
    resolved Pat \u{1b}[31m: create acme: it was created: account 12, says Pat \u{1b}[31m
    done Pat \u{1b}[31m: create acme
    ");
    let again = place.resolve(&row, Ending::NotCreated).await.unwrap_err();
    assert_eq!(again, PeopleError::NotOpen { operation: row.id(), state: State::Done });
    let taken = place.resolve(&other, Ending::Created(AccountId::new("12"))).await.unwrap_err();
    assert_eq!(taken.to_string(), "account 12 is acme's");

    place.later(200);
    let anew = place.resolve(&other, Ending::NotCreated).await.unwrap();
    assert_eq!((anew.row.state, anew.row.attempt, anew.row.in_doubt), (State::Prepared, 2, false));
    // The daemon sees the answer, and gets a permit for the second attempt.
    place.book.refresh().await.unwrap();
    assert_eq!(place.permit(&create("beta")).await.unwrap().row.sends, 2);
}

#[tokio::test]
async fn a_lost_add_is_resolved_with_its_own_words_and_gives_access_that_is_known() {
    let place = Place::new().await;
    let row = place.lost(&add(JANE)).await;
    let word = place.resolve(&row, Ending::NotCreated).await.unwrap_err();
    assert_eq!(word, PeopleError::WrongWord { operation: row.id(), create: false });
    place.resolve(&row, Ending::Done).await.unwrap();
    let facts = place.journal.facts(place.book.scope()).await.unwrap();
    let known: Vec<_> = facts.iter().map(|fact| (fact.kind, fact.key.as_str(), fact.value.as_str())).collect();
    assert_eq!(known, [(FactKind::Member, "7/jane@acme.example", "full")]);
}

#[tokio::test]
async fn what_changed_meanwhile_is_read_again() {
    let place = Place::new().await;
    let row = place.lost(&create("acme")).await;
    // The daemon's next look finds it: the person comes too late, and is told so.
    place.later(300);
    let sight = crate::journal::Sight::There { account: Some(AccountId::new("12")) };
    place.book.looked(&row, place.clock.now(), sight).await.unwrap();
    let late = place.resolve(&row, Ending::NotCreated).await.unwrap_err();
    assert_eq!(late, PeopleError::NotOpen { operation: row.id(), state: State::Done });
}

#[tokio::test]
async fn a_person_is_wanted_anew_only_once_a_look_found_them_gone() {
    let place = Place::new().await;
    let nothing = place.reaffirm(Some(JANE)).await.unwrap_err();
    insta::assert_snapshot!(nothing, @"nothing is remembered of jane@acme.example at acme, so nothing holds it back");
    let row = place.done(&add(JANE)).await;
    let there = place.reaffirm(Some(JANE)).await.unwrap_err();
    insta::assert_snapshot!(there, @"jane@acme.example is in account 7, as far as the journal knows");
    let gone = (FactKind::Member, format!("7/{JANE}"));
    place.book.note(vec![], vec![gone], vec![]).await.unwrap();
    place.reaffirm(Some("Jane@acme.example")).await.unwrap();
    place.book.refresh().await.unwrap();
    assert!(place.book.latest(&row.operation.series).unwrap().released);
    assert!(place.reaffirm(Some(JANE)).await.is_err(), "once is enough");
    insta::assert_snapshot!(place.told(1).await, @r"reaffirmed Pat \u{1b}[31m: Jane@acme.example at acme is wanted anew, says Pat \u{1b}[31m");
}

#[tokio::test]
async fn an_account_is_wanted_anew_and_its_binding_forgotten() {
    let place = Place::new().await;
    let lost = place.lost(&create("acme")).await;
    let unsettled = place.reaffirm(None).await.unwrap_err();
    insta::assert_snapshot!(unsettled, @"how acme's account ended is not known yet (operation cb02d7acf7d002ede1e13299)");
    place.resolve(&lost, Ending::Created(AccountId::new("7"))).await.unwrap();
    let binding = place.book.fact(FactKind::Binding, "acme", "gone:7");
    place.book.note(vec![binding], vec![], vec![]).await.unwrap();
    let anew = place.reaffirm(None).await.unwrap();
    assert_eq!(anew, Reaffirmed { account: Some(AccountId::new("7")), gone: true, frozen: None });
    place.book.refresh().await.unwrap();
    assert!(place.book.facts(FactKind::Binding).is_empty());
    place.later(3600);
    let next = place.permit(&create("acme")).await.unwrap();
    assert_eq!(next.row.operation.generation, 1, "a new generation, not a second attempt");
}

#[tokio::test]
async fn a_freeze_stops_permits_until_it_is_lifted_and_is_told_once() {
    let place = Place::new().await;
    let scope = place.book.scope();
    assert_eq!(place.pat().unfreeze(scope).await.unwrap(), None);
    assert_eq!(place.pat().freeze(scope, "card\nstolen").await.unwrap(), None);
    let before = place.pat().freeze(scope, "again").await.unwrap().unwrap();
    assert_eq!(before.value, "card\\u{a}stolen (by Pat \\u{1b}[31m)");
    let refused = place.permit(&create("acme")).await.unwrap_err();
    assert_eq!(refused.to_string(), format!("frozen: {}", before.value));
    assert_eq!(place.pat().unfreeze(scope).await.unwrap(), Some(before));
    place.permit(&create("acme")).await.unwrap();
    insta::assert_snapshot!(place.told(3).await, @r"
    frozen Pat \u{1b}[31m: all writes are stopped: card\u{a}stolen (by Pat \u{1b}[31m)
    unfrozen Pat \u{1b}[31m: writes go on, says Pat \u{1b}[31m; they were stopped: card\u{a}stolen (by Pat \u{1b}[31m)
    sent daemon: create acme
    ");
}

#[tokio::test]
async fn an_approval_is_a_fact_with_its_name() {
    let place = Place::new().await;
    place.pat().approve(place.book.scope(), "sha256:00").await.unwrap();
    place.book.refresh().await.unwrap();
    let approved = place.book.facts(FactKind::Approved);
    assert_eq!(approved["sha256:00"].value, "Pat \\u{1b}[31m");
    insta::assert_snapshot!(place.told(1).await, @r"approved Pat \u{1b}[31m: plan sha256:00 may pass the rails, says Pat \u{1b}[31m");
}
