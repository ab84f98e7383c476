//! What every journal does: one set of checks, run on each kind.

use std::collections::BTreeMap;
use std::sync::Arc;

use bursar::domain::{AccountId, ClientName, Email};
use bursar::journal::{
    Batch, Contents, EntryKind, FactKind, InMemory, Journal, JournalError, Owner, Put, Query, Recorded, Row, ScopeId,
};

use crate::support_postgres::Database;

use super::worlds::{Folder, Memory, Place, at, entry, fact, fresh_id, put, row, rows, scope};

macro_rules! every_kind {
    ($($check:ident),* $(,)?) => {
        mod in_memory {
            $(#[tokio::test]
            async fn $check() {
                super::$check(&super::Memory).await;
            })*
        }
        mod in_a_file {
            $(#[tokio::test]
            async fn $check() {
                super::$check(&super::Folder::new()).await;
            })*
        }
        mod in_postgresql {
            $(#[tokio::test]
            async fn $check() {
                if let Some(place) = super::Database::new().await {
                    super::$check(&place).await;
                }
            })*
        }
    };
}

every_kind![
    a_row_is_replaced_only_by_whoever_saw_its_latest_version,
    a_batch_is_written_wholly_or_not_at_all,
    a_frozen_scope_permits_nothing_and_takes_everything_else,
    facts_are_replaced_and_forgotten,
    the_history_is_given_in_order_and_as_it_was_asked_for,
    a_refresh_gives_what_was_written_since,
    everything_moves_to_another_journal_with_its_name,
    of_many_writers_of_one_row_one_wins,
    many_at_once_are_judged_each_by_itself,
    closing_and_opening_loses_nothing,
    whatever_is_written_it_does_as_the_model_does,
    after_closing_it_says_so,
];

async fn a_row_is_replaced_only_by_whoever_saw_its_latest_version(place: &impl Place) {
    let (journal, here) = (place.open().await, scope("here"));
    let acme = row(&here, "acme");
    let conflict = Err(JournalError::Conflict { operation: acme.id() });
    assert_eq!(journal.commit(&here, rows(vec![put(&acme, 1)])).await, conflict, "it is not there yet");
    journal.commit(&here, rows(vec![put(&acme, 0)])).await.unwrap();
    assert_eq!(journal.commit(&here, rows(vec![put(&acme, 0)])).await, conflict, "it is there");
    journal.commit(&here, rows(vec![put(&acme, 1)])).await.unwrap();
    assert_eq!(journal.commit(&here, rows(vec![put(&acme, 1)])).await, conflict, "somebody was faster");
    assert_eq!(journal.rows(&here, 0).await.unwrap().0, [put(&acme, 1).row]);
    // The same name in another scope is another row.
    let there = scope("there");
    journal.commit(&there, rows(vec![put(&acme, 0)])).await.unwrap();
    assert_eq!(journal.rows(&there, 0).await.unwrap().0, [put(&acme, 0).row]);
    assert_eq!(journal.scopes().await.unwrap(), [here, there]);
    journal.close().await;
}

async fn a_batch_is_written_wholly_or_not_at_all(place: &impl Place) {
    let (journal, here) = (place.open().await, scope("here"));
    let (acme, blue) = (row(&here, "acme"), row(&here, "blue"));
    journal.commit(&here, rows(vec![put(&blue, 0)])).await.unwrap();
    let before = (journal.contents().await.unwrap(), journal.rows(&here, 0).await.unwrap().1);
    let batch = Batch {
        rows: vec![put(&acme, 0), put(&blue, 0)],
        facts: vec![fact(FactKind::Binding, "acme", "1")],
        entries: vec![entry(&here, 1, EntryKind::Sent, "acme")],
        ..Batch::default()
    };
    let written = journal.commit(&here, batch.clone()).await;
    assert_eq!(written, Err(JournalError::Conflict { operation: blue.id() }));
    assert_eq!((journal.contents().await.unwrap(), journal.rows(&here, 0).await.unwrap().1), before);
    let batch = Batch { rows: vec![put(&acme, 0), put(&blue, 1)], ..batch };
    journal.commit(&here, batch.clone()).await.unwrap();
    let Contents { id: _, rows, facts, entries } = journal.contents().await.unwrap();
    assert_eq!(by_id(rows), by_id(batch.rows.into_iter().map(|put| put.row).collect()));
    assert_eq!(facts, [(here, batch.facts[0].clone())]);
    assert_eq!(entries, batch.entries);
    journal.close().await;
}

async fn a_frozen_scope_permits_nothing_and_takes_everything_else(place: &impl Place) {
    let (journal, here, there) = (place.open().await, scope("here"), scope("there"));
    let frozen = fact(FactKind::Frozen, "fleet", "a wrong price list");
    journal.commit(&here, Batch { facts: vec![frozen], ..Batch::default() }).await.unwrap();
    let permit = |seen| Batch { permits: true, ..rows(vec![put(&row(&here, "acme"), seen)]) };
    let refused = Err(JournalError::Frozen { reason: "a wrong price list".to_owned() });
    assert_eq!(journal.commit(&here, permit(0)).await, refused);
    assert_eq!(journal.rows(&here, 0).await.unwrap().0, []);
    journal.commit(&here, rows(vec![put(&row(&here, "acme"), 0)])).await.unwrap();
    journal.commit(&there, permit(0)).await.unwrap();
    let thaw = Batch { forget: vec![(FactKind::Frozen, "fleet".to_owned())], ..Batch::default() };
    journal.commit(&here, thaw).await.unwrap();
    journal.commit(&here, permit(1)).await.unwrap();
    journal.close().await;
}

async fn facts_are_replaced_and_forgotten(place: &impl Place) {
    let (journal, here) = (place.open().await, scope("here"));
    let batch = |facts, forget| Batch { facts, forget, ..Batch::default() };
    let member = |value| fact(FactKind::Member, "1385/Pat@Agency.example", value);
    let registered = fact(FactKind::Registered, "pat@agency.example", "yes");
    journal.commit(&here, batch(vec![member("invited"), registered.clone()], vec![])).await.unwrap();
    journal.commit(&here, batch(vec![member("full")], vec![])).await.unwrap();
    assert_eq!(by_key(journal.facts(&here).await.unwrap()), by_key(vec![registered.clone(), member("full")]));
    assert_eq!(journal.facts(&scope("there")).await.unwrap(), []);
    // What is forgotten and set in one batch is set.
    let forgotten = vec![(FactKind::Member, member("").key), (FactKind::Registered, registered.key.clone())];
    journal.commit(&here, batch(vec![member("limited")], forgotten.clone())).await.unwrap();
    assert_eq!(journal.facts(&here).await.unwrap(), [member("limited")]);
    journal.commit(&here, batch(vec![], forgotten)).await.unwrap();
    assert_eq!(journal.facts(&here).await.unwrap(), []);
    journal.close().await;
}

async fn the_history_is_given_in_order_and_as_it_was_asked_for(place: &impl Place) {
    let journal = place.open().await;
    let scopes = [scope("here"), scope("there")];
    let kinds = [EntryKind::Sent, EntryKind::Done, EntryKind::MemberSeen];
    let clients = ["acme", "blue"];
    let mut all = Vec::new();
    for n in 0..24_i64 {
        let i = usize::try_from(n).unwrap();
        // Clocks are set back at times; the order is that of writing.
        let entry = entry(&scopes[i % 2], (n * 7) % 24, kinds[i % 3], clients[(i / 2) % 2]);
        journal.commit(&entry.scope.clone(), Batch { entries: vec![entry.clone()], ..Batch::default() }).await.unwrap();
        all.push(entry);
    }
    let told = journal.history(&Query::default()).await.unwrap();
    assert_eq!(told.iter().map(|at| at.entry.clone()).collect::<Vec<_>>(), all);
    assert!(told.is_sorted_by(|a, b| a.seq < b.seq));
    let mut chance = fastrand::Rng::with_seed(7);
    for _ in 0..300 {
        let query = any_query(&mut chance, &scopes, &kinds, &told);
        let mut expected: Vec<&Recorded> =
            told.iter().filter(|at| at.seq > query.after.unwrap_or(0) && query.matches(&at.entry)).collect();
        expected.drain(..query.latest.map_or(0, |latest| expected.len().saturating_sub(latest)));
        assert_eq!(journal.history(&query).await.unwrap().iter().collect::<Vec<_>>(), expected, "{query:?}");
    }
    journal.close().await;
}

fn any_query(chance: &mut fastrand::Rng, scopes: &[ScopeId], kinds: &[EntryKind], told: &[Recorded]) -> Query {
    let mut maybe = |choices: usize| (chance.u8(..3) == 0).then(|| chance.usize(..choices));
    Query {
        scope: maybe(2).map(|i| scopes[i].clone()),
        client: maybe(2).map(|i| ClientName::parse(["acme", "blue"][i]).unwrap()),
        account: maybe(4).map(|i| AccountId::new(format!("{}", 1000 + i))),
        person: maybe(4).map(|i| Email::lenient(format!("PAT{i}@agency.example"))),
        kinds: maybe(4).map_or(Vec::new(), |i| kinds[..i.min(kinds.len())].to_vec()),
        from: maybe(24).map(|i| at(i64::try_from(i).unwrap())),
        until: maybe(24).map(|i| at(i64::try_from(i).unwrap())),
        after: maybe(24).map(|i| told[i].seq),
        latest: maybe(6),
    }
}

async fn a_refresh_gives_what_was_written_since(place: &impl Place) {
    let (journal, here) = (place.open().await, scope("here"));
    let beside = place.beside().await;
    let reading: &dyn Journal = beside.as_deref().unwrap_or(journal.as_ref());
    let (acme, blue) = (row(&here, "acme"), row(&here, "blue"));
    let (_, nothing) = reading.rows(&here, 0).await.unwrap();
    journal.commit(&here, rows(vec![put(&acme, 0)])).await.unwrap();
    let (found, first) = reading.rows(&here, nothing).await.unwrap();
    assert_eq!(found, [put(&acme, 0).row]);
    journal.commit(&here, rows(vec![put(&blue, 0)])).await.unwrap();
    journal.commit(&scope("there"), rows(vec![put(&acme, 0)])).await.unwrap();
    let (found, second) = reading.rows(&here, first).await.unwrap();
    assert_eq!(found, [put(&blue, 0).row]);
    journal.commit(&here, rows(vec![put(&acme, 1)])).await.unwrap();
    let (found, third) = reading.rows(&here, second).await.unwrap();
    assert_eq!(found, [put(&acme, 1).row]);
    assert!(nothing < first && first < second && second < third);
    assert_eq!(reading.rows(&here, third).await.unwrap(), (vec![], third));
    if let Some(beside) = &beside {
        beside.close().await;
    }
    journal.close().await;
}

async fn everything_moves_to_another_journal_with_its_name(place: &impl Place) {
    let (journal, here, there) = (place.open().await, scope("here"), scope("there"));
    for (of, client) in [(&here, "acme"), (&there, "blue")] {
        let batch = Batch {
            rows: vec![put(&row(of, client), 0)],
            facts: vec![fact(FactKind::Binding, client, "1385")],
            entries: vec![entry(of, 1, EntryKind::Sent, client), entry(of, 2, EntryKind::Done, client)],
            ..Batch::default()
        };
        journal.commit(of, batch).await.unwrap();
    }
    let contents = journal.contents().await.unwrap();
    assert_eq!(&contents.id, journal.id());
    let mut memory = InMemory::new(fresh_id());
    memory.restore(contents.clone()).await.unwrap();
    let mut other = place.another().await;
    other.restore(memory.contents().await.unwrap()).await.unwrap();
    assert_eq!(other.contents().await.unwrap(), contents);
    assert_eq!(other.id(), journal.id());
    // It goes on where the other was.
    other.commit(&here, rows(vec![put(&row(&here, "acme"), 1)])).await.unwrap();
    let more = Batch { entries: vec![entry(&here, 3, EntryKind::Gone, "acme")], ..Batch::default() };
    other.commit(&here, more).await.unwrap();
    let seqs: Vec<_> = other.history(&Query::default()).await.unwrap().iter().map(|at| at.seq).collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5]);
    let full = other.contents().await.unwrap();
    assert_eq!(other.restore(contents).await, Err(JournalError::NotEmpty { place: other.place() }));
    assert_eq!(other.contents().await.unwrap(), full);
    other.close().await;
    journal.close().await;
}

async fn of_many_writers_of_one_row_one_wins(place: &impl Place) {
    let (journal, here) = (place.open().await, scope("here"));
    let acme = row(&here, "acme");
    let mut writers: Vec<Arc<dyn Journal>> = vec![Arc::from(journal)];
    for _ in 0..2 {
        writers.extend(place.beside().await.map(Arc::from));
    }
    for seen in 0..5 {
        let tasks: Vec<_> = (0..12)
            .map(|n| {
                let (journal, here) = (writers[n % writers.len()].clone(), here.clone());
                let mine = Row { owner: Owner::new(format!("owner-{n}")), ..acme.clone() };
                tokio::spawn(async move { (n, journal.commit(&here, rows(vec![put(&mine, seen)])).await) })
            })
            .collect();
        let mut winners = Vec::new();
        for task in tasks {
            match task.await.unwrap() {
                (n, Ok(())) => winners.push(Owner::new(format!("owner-{n}"))),
                (_, Err(lost)) => assert_eq!(lost, JournalError::Conflict { operation: acme.id() }),
            }
        }
        let (found, _) = writers[0].rows(&here, 0).await.unwrap();
        assert_eq!(winners, [found[0].owner.clone()]);
        assert_eq!(found[0].version, seen + 1);
    }
    for journal in writers.iter().rev() {
        journal.close().await;
    }
}

async fn many_at_once_are_judged_each_by_itself(place: &impl Place) {
    let journal: Arc<dyn Journal> = Arc::from(place.open().await);
    let here = scope("here");
    let clients: Vec<Row> = (0..100).map(|n| row(&here, &format!("client-{n}"))).collect();
    let tasks: Vec<_> = clients
        .iter()
        .enumerate()
        .map(|(n, client)| {
            // Every fifth saw a version that is not there.
            let batch = Batch {
                entries: vec![entry(&here, i64::try_from(n).unwrap(), EntryKind::Sent, "acme")],
                ..rows(vec![put(client, u64::from(n % 5 == 0))])
            };
            let (journal, here) = (journal.clone(), here.clone());
            tokio::spawn(async move { journal.commit(&here, batch).await.is_ok() })
        })
        .collect();
    for (n, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.unwrap(), n % 5 != 0, "{n}");
    }
    let (found, _) = journal.rows(&here, 0).await.unwrap();
    let expected = clients.iter().enumerate().filter(|(n, _)| n % 5 != 0).map(|(_, row)| put(row, 0).row);
    assert_eq!(by_id(found), by_id(expected.collect()));
    assert_eq!(journal.history(&Query::default()).await.unwrap().len(), 80);
    journal.close().await;
}

async fn closing_and_opening_loses_nothing(place: &impl Place) {
    let (journal, here) = (place.open().await, scope("here"));
    let batch = Batch {
        facts: vec![fact(FactKind::Registered, "pat@agency.example", "yes")],
        entries: vec![entry(&here, 1, EntryKind::Sent, "acme")],
        ..rows(vec![put(&row(&here, "acme"), 0)])
    };
    journal.commit(&here, batch).await.unwrap();
    let before = (journal.contents().await.unwrap(), journal.rows(&here, 0).await.unwrap());
    assert_eq!(journal.is_lasting(), place.lasts());
    journal.close().await;
    if !place.lasts() {
        return;
    }
    let again = place.open().await;
    assert_eq!((again.contents().await.unwrap(), again.rows(&here, 0).await.unwrap()), before);
    again.close().await;
}

/// Random batches, right and wrong ones, against the journal in memory: the same verdicts and
/// the same contents after each.
async fn whatever_is_written_it_does_as_the_model_does(place: &impl Place) {
    let mut chance = fastrand::Rng::with_seed(20);
    let (journal, model) = (place.open().await, InMemory::new(fresh_id()));
    let scopes = [scope("here"), scope("there")];
    for step in 0..120 {
        let of = &scopes[chance.usize(..2)];
        let batch = any_batch(&mut chance, of, step);
        let verdicts = (journal.commit(of, batch.clone()).await, model.commit(of, batch.clone()).await);
        assert_eq!(verdicts.0, verdicts.1, "step {step}: {batch:?}");
        if step % 10 == 9 {
            let contents = journal.contents().await.unwrap();
            let modelled = Contents { id: contents.id.clone(), ..model.contents().await.unwrap() };
            assert_eq!(told(contents), told(modelled), "step {step}");
            assert_eq!(journal.scopes().await.unwrap(), model.scopes().await.unwrap());
            assert_eq!(
                journal.history(&Query::default()).await.unwrap(),
                model.history(&Query::default()).await.unwrap()
            );
        }
    }
    journal.close().await;
}

fn any_batch(chance: &mut fastrand::Rng, of: &ScopeId, step: i64) -> Batch {
    let clients = ["acme", "blue", "cyan"];
    let mut puts: Vec<Put> = Vec::new();
    for client in clients {
        if chance.bool() {
            puts.push(put(&row(of, client), chance.u64(..3)));
        }
    }
    chance.shuffle(&mut puts);
    let kinds = [FactKind::Registered, FactKind::Frozen, FactKind::Binding];
    let some_fact = |chance: &mut fastrand::Rng| {
        let kind = kinds[chance.usize(..3)];
        let key = if kind == FactKind::Frozen { "fleet" } else { clients[chance.usize(..3)] };
        fact(kind, key, &step.to_string())
    };
    Batch {
        rows: puts,
        facts: (0..chance.usize(..3)).map(|_| some_fact(chance)).collect(),
        forget: (0..chance.usize(..3)).map(|_| some_fact(chance)).map(|fact| (fact.kind, fact.key)).collect(),
        entries: (0..chance.i64(..3)).map(|n| entry(of, step + n, EntryKind::Sent, "acme")).collect(),
        permits: chance.u8(..4) == 0,
    }
}

async fn after_closing_it_says_so(place: &impl Place) {
    let (journal, here) = (place.open().await, scope("here"));
    journal.close().await;
    if !place.lasts() {
        return;
    }
    let closed = |doing| JournalError::Unavailable { place: journal.place(), doing, why: "it was closed".to_owned() };
    assert_eq!(journal.commit(&here, rows(vec![put(&row(&here, "acme"), 0)])).await, Err(closed("written")));
    assert_eq!(journal.facts(&here).await, Err(closed("read")));
    // Twice is no trouble.
    journal.close().await;
}

fn by_id(rows: Vec<Row>) -> BTreeMap<String, Row> {
    rows.into_iter().map(|row| (row.id().to_string(), row)).collect()
}

fn by_key(facts: Vec<bursar::journal::Fact>) -> BTreeMap<(FactKind, String), bursar::journal::Fact> {
    facts.into_iter().map(|fact| ((fact.kind, fact.key.clone()), fact)).collect()
}

/// Contents without the order in which a journal keeps rows and facts.
fn told(contents: Contents) -> impl PartialEq + std::fmt::Debug {
    let Contents { id, mut rows, mut facts, entries } = contents;
    rows.sort_by_key(|row| (row.operation.scope.clone(), row.id()));
    facts.sort_by_key(|(scope, fact)| (scope.clone(), fact.kind, fact.key.clone()));
    (id, rows, facts, entries)
}
