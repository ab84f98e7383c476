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
