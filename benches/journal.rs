//! How long a commit takes until it is on disk: a permit, one row and one entry.
//!
//! The folder is `BURSAR_BENCH_FOLDER`, the working directory's `target` without it, for a
//! temporary folder may lie in memory; a database is `BURSAR_BENCH_POSTGRES`, if there is one.

use std::sync::Arc;

use bursar::domain::ClientName;
use bursar::journal::{
    Address, Batch, Cause, Entry, EntryKind, Journal, Operation, Owner, Put, Repeat, Row, ScopeId, open_executor,
};
use bursar::plan::{OpKind, Series};
use tokio::runtime::Runtime;

fn main() {
    divan::main();
}

/// Batches that no earlier commit knows.
fn permit(scope: &ScopeId) -> Batch {
    let client = format!("client-{:016x}", fastrand::u64(..));
    let client = ClientName::parse(&client).expect("a DNS label");
    let series = Series { client: client.clone(), kind: OpKind::CreateAccount, argument: String::new() };
    let operation = Operation { scope: scope.clone(), series, generation: 0 };
    let request = format!("{{\"name\":\"{client}\",\"notification_email\":\"dns@agency.example\"}}");
    let row = Row::prepared(operation, Owner::new("bench"), Repeat::Never, request, Cause::default());
    let entry =
        Entry { client: Some(client), ..Entry::new(jiff::Timestamp::now(), scope.clone(), EntryKind::Sent, "bench") };
    Batch {
        rows: vec![Put { seen: 0, row: Row { version: 1, ..row } }],
        entries: vec![entry],
        permits: true,
        ..Batch::default()
    }
}

struct Bench {
    runtime: Runtime,
    journal: Arc<dyn Journal>,
    scope: ScopeId,
    _folder: Option<tempfile::TempDir>,
}

impl Bench {
    fn in_a_file() -> Self {
        let base = std::env::var("BURSAR_BENCH_FOLDER").unwrap_or_else(|_| "target".to_owned());
        let folder = tempfile::tempdir_in(base).expect("a writable folder");
        let address = Address::File(folder.path().join("journal.db"));
        Self::open(&address, Some(folder))
    }

    fn in_postgresql() -> Option<Self> {
        let url = std::env::var("BURSAR_BENCH_POSTGRES").ok()?;
        Some(Self::open(&Address::parse(&url).expect("a URL"), None))
    }

    fn open(address: &Address, folder: Option<tempfile::TempDir>) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let journal = runtime.block_on(open_executor(address)).expect("a journal");
        Self { runtime, journal, scope: ScopeId::new("bench"), _folder: folder }
    }

    fn one(&self, batch: Batch) {
        self.runtime.block_on(self.journal.commit(&self.scope, batch)).expect("a commit");
    }

    /// As many at once as accounts are carried out side by side.
    fn together(&self, batches: Vec<Batch>) {
        let commits = batches.into_iter().map(|batch| self.journal.commit(&self.scope, batch));
        for written in self.runtime.block_on(futures::future::join_all(commits)) {
            written.expect("a commit");
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.runtime.block_on(self.journal.close());
    }
}

/// A thousand commits in order, and what half and 99 of 100 of them took at most.
fn told(name: &str, bench: &Bench) {
    let mut times: Vec<_> = (0..1_000)
        .map(|_| {
            let batch = permit(&bench.scope);
            let begun = std::time::Instant::now();
            bench.one(batch);
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    #[allow(clippy::print_stderr, reason = "a bench tells what it measured")]
    {
        eprintln!("{name}: of 1,000 commits, median {:.2?}, p99 {:.2?}", times[499], times[989]);
    }
}

#[divan::bench(sample_count = 300)]
fn a_commit_in_a_file(bencher: divan::Bencher) {
    let bench = Bench::in_a_file();
    told("in a file", &bench);
    bencher.with_inputs(|| permit(&bench.scope)).bench_local_values(|batch| bench.one(batch));
}

#[divan::bench(sample_count = 100, args = [8, 64])]
fn commits_at_once_in_a_file(bencher: divan::Bencher, at_once: usize) {
    let bench = Bench::in_a_file();
    let batches = || (0..at_once).map(|_| permit(&bench.scope)).collect();
    bencher.with_inputs(batches).bench_local_values(|batches: Vec<Batch>| bench.together(batches));
}

#[divan::bench(sample_count = 300)]
fn a_commit_in_postgresql(bencher: divan::Bencher) {
    let Some(bench) = Bench::in_postgresql() else { return };
    told("in PostgreSQL", &bench);
    bencher.with_inputs(|| permit(&bench.scope)).bench_local_values(|batch| bench.one(batch));
}

#[divan::bench(sample_count = 100, args = [8, 64])]
fn commits_at_once_in_postgresql(bencher: divan::Bencher, at_once: usize) {
    let Some(bench) = Bench::in_postgresql() else { return };
    let batches = || (0..at_once).map(|_| permit(&bench.scope)).collect();
    bencher.with_inputs(batches).bench_local_values(|batches: Vec<Batch>| bench.together(batches));
}
