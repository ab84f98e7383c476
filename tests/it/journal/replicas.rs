//! Two processes with one journal, who both believe that they lead.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bursar::domain::{AccountId, ClientName, Clock};
use bursar::journal::{
    Answer, Book, BookError, Cause, InMemory, Intent, JournalError, JournalId, Owner, Rejected, Repeat, Rules,
    Standing, State,
};
use bursar::plan::{OpKind, Series};
use bursar::provider::Scope;
use jiff::{SignedDuration, Timestamp};

/// A clock that a test sets.
#[derive(Debug, Default)]
struct Hand(AtomicI64);

impl Hand {
    fn pass(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(self.0.load(Ordering::Relaxed))
    }

    fn uptime(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed).cast_unsigned())
    }
}

/// Two processes and the clock that both look at.
async fn two() -> (Book, Book, Arc<Hand>) {
    let journal = Arc::new(InMemory::new(JournalId::new("journal")));
    let clock = Arc::new(Hand::default());
    let scope = Scope { api_url: "http://x/v2".into(), user_id: "1".into(), world: None };
    let open =
        |owner: &str| Book::open(journal.clone(), &scope, Owner::new(owner), Rules::default(), clock.clone(), false);
    (open("A").await.unwrap(), open("B").await.unwrap(), clock.clone())
}

fn create() -> Intent {
    Intent {
        series: Series {
            client: ClientName::parse("acme").unwrap(),
            kind: OpKind::CreateAccount,
            argument: String::new(),
        },
        repeat: Repeat::Never,
        request: "{}".into(),
        account_name: None,
        account_id: None,
        cause: Cause::default(),
        read_began: Timestamp::MAX,
        heal: false,
    }
}

fn done() -> Answer {
    Answer::Done { account: Some(AccountId::new("7")), invited: false, request_id: None }
}

#[tokio::test]
async fn one_of_two_gets_the_permit_and_only_after_a_look() {
    let (a, b, _) = two().await;
    // What no journal holds was not looked for after it was prepared, whoever says so.
    assert_eq!(a.permit(&create(), true).await.unwrap_err(), BookError::Rejected(Rejected::NotLooked));
    a.prepare(&[create()]).await.unwrap();
    b.refresh().await.unwrap();
    assert!(a.permit(&create(), true).await.is_ok());
    let refused = b.permit(&create(), true).await.unwrap_err();
    assert!(matches!(refused, BookError::Journal(JournalError::Conflict { .. })), "{refused}");
    b.refresh().await.unwrap();
    assert_eq!(b.permit(&create(), true).await.unwrap_err(), BookError::Rejected(Rejected::Unrepeatable));
}

#[tokio::test]
async fn an_answer_is_still_written_after_another_process_gave_the_request_up() {
    let (a, b, clock) = two().await;
    a.prepare(&[create()]).await.unwrap();
    let permit = a.permit(&create(), true).await.unwrap();
    clock.pass(21);
    b.refresh().await.unwrap();
    b.recover().await.unwrap();
    assert_eq!(b.latest(&create().series).unwrap().state, State::Unknown);
    let row = a.answered(&permit.row, done()).await.unwrap();
    assert_eq!((row.state, row.account_id), (State::Done, Some(AccountId::new("7"))));
}

#[tokio::test]
async fn what_was_done_stands_until_it_is_wanted_anew_and_was_read_anew() {
    let (a, _, clock) = two().await;
    a.prepare(&[create()]).await.unwrap();
    let permit = a.permit(&create(), true).await.unwrap();
    let row = a.answered(&permit.row, done()).await.unwrap();
    let early = clock.now();
    let shows = early + Rules::default().settle;
    let series = create().series;
    assert_eq!(a.standing(&series, early), Standing::Settling(row.clone(), shows));
    assert_eq!(a.standing(&series, shows), Standing::Undone(row.clone()));
    let (row, _) = a.apply(&row, &bursar::journal::Event::Released).await.unwrap();
    assert_eq!(a.standing(&series, early), Standing::Settling(row, shows));
    assert_eq!(a.standing(&series, shows), Standing::Free);
}

/// Each of these was found by reading: what another process did since a plan was made must not
/// become a new generation of it.
#[tokio::test]
async fn a_plan_that_does_not_know_what_another_process_did_since_makes_nothing_anew() {
    let (a, b, clock) = two().await;
    let planned = Intent { read_began: clock.now(), ..create() };
    clock.pass(1);
    a.prepare(&[create()]).await.unwrap();
    let permit = a.permit(&create(), true).await.unwrap();
    a.answered(&permit.row, done()).await.unwrap();
    b.refresh().await.unwrap();
    let refused = b.prepare(std::slice::from_ref(&planned)).await.unwrap_err();
    assert_eq!(refused, BookError::Rejected(Rejected::Settling));
    // Read long after it was done, its absence is somebody's doing, and not undone by itself.
    let later = Intent { read_began: clock.now() + SignedDuration::from_hours(1), ..create() };
    let refused = b.prepare(std::slice::from_ref(&later)).await.unwrap_err();
    assert_eq!(refused, BookError::Rejected(Rejected::Undone));
    let healed = Intent { heal: true, ..later };
    assert_eq!(b.prepare(&[healed]).await.unwrap()[0].operation.generation, 1);
}

#[tokio::test]
async fn a_freeze_stops_what_is_sent_again_under_its_key_too() {
    let (a, _, _) = two().await;
    let keyed = Intent { repeat: Repeat::UnderKey, ..create() };
    let permit = a.permit(&keyed, false).await.unwrap();
    let verdict = bursar::plan::Verdict {
        state: bursar::plan::VerdictState::Waiting,
        reason: None,
        message: "lost".into(),
        request_id: None,
    };
    let row = a.answered(&permit.row, Answer::Unknown { verdict }).await.unwrap();
    a.note(vec![a.fact(bursar::journal::FactKind::Frozen, "fleet", "audit")], vec![], vec![]).await.unwrap();
    let refused = a.permit_again(&row).await.unwrap_err();
    assert_eq!(refused, BookError::Journal(JournalError::Frozen { reason: "audit".into() }));
}

#[tokio::test]
async fn one_row_that_somebody_wrote_meanwhile_keeps_no_other_from_its_step() {
    let (a, b, _) = two().await;
    let other = Intent { series: Series { client: ClientName::parse("beta").unwrap(), ..create().series }, ..create() };
    let rows = a.prepare(&[create(), other.clone()]).await.unwrap();
    b.refresh().await.unwrap();
    let now = Timestamp::UNIX_EPOCH;
    b.apply(&rows[0], &bursar::journal::Event::Withdrawn { now }).await.unwrap();
    let steps = rows.iter().map(|row| (row.clone(), bursar::journal::Event::Withdrawn { now })).collect();
    let written = a.apply_all(steps).await.unwrap();
    assert_eq!(written.iter().map(|row| row.operation.series.clone()).collect::<Vec<_>>(), [other.series]);
}
