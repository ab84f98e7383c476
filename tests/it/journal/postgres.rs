//! What only a journal in PostgreSQL does: leases, several replicas, failover, and layouts
//! that two processes make at once.

use std::time::Duration;

use bursar::journal::{
    Address, Batch, EntryKind, Failover, InDatabase, Journal as _, JournalError, Lease, Owner, Query, open_beside,
};
use secrecy::SecretString;
use sqlx::Connection as _;

use super::worlds::{Place as _, entry, fresh_id, put, row, rows, scope};
use crate::support::eventually;
use crate::support_postgres::{Cluster, Database};

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_lease_is_one_replicas_until_it_ends_or_is_given_back() {
    let Some(place) = Database::new().await else { return };
    let (one, two) = (place.open().await, place.beside().await.unwrap());
    let (anne, bob) = (Owner::new("anne"), Owner::new("bob"));
    assert_eq!(one.lease("fleet", &anne, LONG).await.unwrap(), Lease::Held);
    assert_eq!(one.lease("fleet", &anne, LONG).await.unwrap(), Lease::Held, "renewed");
    let Lease::Taken { by, expires_in } = two.lease("fleet", &bob, LONG).await.unwrap() else { panic!("two hold it") };
    assert_eq!(by, anne);
    assert!(expires_in > LONG / 2 && expires_in <= LONG, "{expires_in:?}");
    assert_eq!(two.lease("another", &bob, LONG).await.unwrap(), Lease::Held, "each fleet has its own");
    // Only whoever holds it gives it back.
    two.release("fleet", &bob).await.unwrap();
    assert!(matches!(two.lease("fleet", &bob, LONG).await.unwrap(), Lease::Taken { .. }));
    one.release("fleet", &anne).await.unwrap();
    // The holder dies: it is free when the time is over, by the database's clock.
    assert_eq!(two.lease("fleet", &bob, Duration::from_millis(300)).await.unwrap(), Lease::Held);
    eventually("the lease ends", Duration::from_secs(10), || async {
        one.lease("fleet", &anne, LONG).await.unwrap() == Lease::Held
    })
    .await;
    two.close().await;
    one.close().await;
}

#[tokio::test]
async fn of_many_replicas_that_ask_at_once_one_gets_the_lease() {
    let Some(place) = Database::new().await else { return };
    let journal = place.open().await;
    for round in 0..5 {
        let fleet = format!("fleet-{round}");
        let asked = (0..6).map(|n| {
            let (url, fleet) = (place.url(), fleet.clone());
            async move {
                let journal = InDatabase::open_beside(&SecretString::from(url)).await.unwrap();
                let lease = journal.lease(&fleet, &Owner::new(format!("owner-{n}")), LONG).await.unwrap();
                journal.close().await;
                lease
            }
        });
        let leases = futures::future::join_all(asked).await;
        assert_eq!(leases.iter().filter(|lease| **lease == Lease::Held).count(), 1, "{leases:?}");
    }
    journal.close().await;
}

#[tokio::test]
async fn replicas_are_counted_while_they_live() {
    let Some(place) = Database::new().await else { return };
    let journal = place.open().await;
    let (anne, bob) = (Owner::new("anne"), Owner::new("bob"));
    assert_eq!(journal.replicas(&anne, LONG).await.unwrap(), 1);
    assert_eq!(journal.replicas(&bob, LONG).await.unwrap(), 2);
    assert_eq!(journal.replicas(&anne, LONG).await.unwrap(), 2, "nobody is counted twice");
    assert_eq!(journal.replicas(&bob, Duration::ZERO).await.unwrap(), 1, "said goodbye");
    assert_eq!(journal.replicas(&bob, Duration::from_millis(200)).await.unwrap(), 2);
    eventually("bob is gone", Duration::from_secs(10), || async { journal.replicas(&anne, LONG).await.unwrap() == 1 })
        .await;
    journal.close().await;
}

#[tokio::test]
async fn processes_that_start_at_once_make_one_journal() {
    let Some(place) = Database::new().await else { return };
    let opened = futures::future::join_all((0..6).map(|_| place.journal())).await;
    let ids: std::collections::BTreeSet<_> = opened.iter().map(|journal| journal.id().clone()).collect();
    assert_eq!(ids.len(), 1);
    for journal in opened {
        journal.close().await;
    }
}

#[tokio::test]
async fn what_is_no_journal_or_newer_is_refused_and_nothing_is_made_beside() {
    let Some(place) = Database::new().await else { return };
    let url = SecretString::from(place.url());
    let nothing = InDatabase::open_beside(&url).await.unwrap_err().to_string();
    assert!(nothing.ends_with("cannot be opened: there is nothing in it yet"), "{nothing}");
    let mut sql = place.connect().await;
    sqlx::raw_sql("CREATE SCHEMA bursar; CREATE TABLE bursar.invoices (n integer)").execute(&mut sql).await.unwrap();
    let foreign = InDatabase::open_executor(&url, fresh_id()).await.unwrap_err();
    assert!(matches!(foreign, JournalError::NotAJournal { .. }), "{foreign}");
    sqlx::raw_sql("DROP TABLE bursar.invoices").execute(&mut sql).await.unwrap();
    place.journal().await.close().await;
    sqlx::raw_sql("INSERT INTO bursar.layouts VALUES (99, now())").execute(&mut sql).await.unwrap();
    let newer = InDatabase::open_executor(&url, fresh_id()).await.unwrap_err();
    assert!(matches!(newer, JournalError::Newer { .. }), "{newer}");
    sql.close().await.unwrap();
}

#[tokio::test]
async fn the_history_is_never_changed() {
    let Some(place) = Database::new().await else { return };
    let (journal, here) = (place.open().await, scope("here"));
    let batch = Batch { entries: vec![entry(&here, 1, EntryKind::Sent, "acme")], ..Batch::default() };
    journal.commit(&here, batch).await.unwrap();
    let mut sql = place.connect().await;
    for statement in ["UPDATE bursar.history SET body = 'x'", "DELETE FROM bursar.history", "TRUNCATE bursar.history"] {
        let refused = sqlx::raw_sql(statement).execute(&mut sql).await.unwrap_err().to_string();
        assert!(refused.contains("the history is never changed"), "{statement}: {refused}");
    }
    assert_eq!(journal.history(&Query::default()).await.unwrap().len(), 1);
    sql.close().await.unwrap();
    journal.close().await;
}

#[tokio::test]
async fn after_a_failover_no_permit_is_given_until_it_was_handled() {
    let Some(cluster) = Cluster::start() else { return };
    let url = SecretString::from(cluster.url("postgres"));
    let here = scope("here");
    let journal = InDatabase::open_executor(&url, fresh_id()).await.unwrap();
    let permit = |client, seen| Batch { permits: true, ..rows(vec![put(&row(&here, client), seen)]) };
    journal.commit(&here, permit("acme", 0)).await.unwrap();
    assert_eq!(journal.failed_over().await.unwrap(), None);
    // A crash of the same server is none.
    cluster.down();
    cluster.up();
    assert_eq!(journal.failed_over().await.unwrap(), None);
    journal.commit(&here, permit("acme", 1)).await.unwrap();

    cluster.fail_over();
    let refused = Err(JournalError::FailedOver { place: journal.place() });
    assert_eq!(journal.commit(&here, permit("acme", 2)).await, refused);
    // What puts rows in doubt is no permit, and another process is told, too.
    journal.commit(&here, rows(vec![put(&row(&here, "acme"), 2)])).await.unwrap();
    let other = InDatabase::open_executor(&url, fresh_id()).await.unwrap();
    let told: Failover = other.failed_over().await.unwrap().unwrap();
    let timeline = |line: &str| line.rsplit('/').next().unwrap().to_owned();
    assert_eq!((timeline(&told.from).as_str(), timeline(&told.to).as_str()), ("00000001", "00000002"));
    assert_eq!(journal.failed_over().await.unwrap().as_ref(), Some(&told), "told until it was handled");
    other.handled(&told).await.unwrap();
    assert_eq!(journal.failed_over().await.unwrap(), None);
    journal.commit(&here, permit("acme", 3)).await.unwrap();
    other.close().await;
    journal.close().await;
}

/// A user as a company gives it: it owns a database and nothing else. It must be able to tell
/// a failover all the same.
#[tokio::test]
async fn an_ordinary_user_is_enough() {
    let Some(place) = Database::new().await else { return };
    let mut sql = place.connect().await;
    let name = format!("plain_{}", place.name);
    let made = format!("CREATE ROLE {name} LOGIN PASSWORD 'c4nary'; ALTER DATABASE {} OWNER TO {name}", place.name);
    sqlx::raw_sql(sqlx::AssertSqlSafe(made)).execute(&mut sql).await.unwrap();
    let url = SecretString::from(place.url().replacen("postgres@", &format!("{name}:c4nary@"), 1));
    let journal = InDatabase::open_executor(&url, fresh_id()).await.unwrap();
    let line: Option<String> = sqlx::query_scalar("SELECT line FROM bursar.meta").fetch_one(&mut sql).await.unwrap();
    assert!(line.is_some_and(|line| line.ends_with("/00000001")));
    for shown in [journal.place(), format!("{journal:?}")] {
        assert!(shown.contains(&name) && !shown.contains("c4nary"), "{shown}");
    }
    journal.close().await;
    sql.close().await.unwrap();
}

#[tokio::test]
async fn no_error_shows_a_password() {
    for url in ["postgres://bursar:c4nary@127.0.0.1:1/x?sslmode=c4nary", "postgres://bursar:c4nary@[::1/x"] {
        let error = open_beside(&Address::parse(url).unwrap()).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("c4nary"), "{error}");
    }
}
