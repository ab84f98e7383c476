//! The real binary on a disk that fails under its journal: full, or broken, at every write and
//! every flush. Nothing is sent without a permit on disk, and the next run goes on: each thing
//! once. The system calls fail by `strace`; where there is none, that is said. All places:
//! `BURSAR_EVERY_PLACE=1 cargo test --test it disk`.

use std::io::Write as _;
use std::process::Command;

use crate::support::{Done, World};

/// Writes and flushes of the journal that one run makes at the most; past the last one,
/// nothing fails and the loop ends.
const MOST: usize = 400;

fn is_there() -> bool {
    let here =
        Command::new("strace").args(["-o", "/dev/null", "true"]).output().is_ok_and(|output| output.status.success());
    if !here {
        assert!(std::env::var_os("BURSAR_REQUIRE_STRACE").is_none(), "strace is required, and cannot trace here");
        let _ = writeln!(std::io::stderr(), "SKIPPED: a test of failing disks; strace is not here, or cannot trace");
    }
    here
}

/// Runs it with one kind of system call on the journal failing from a place on, for so many
/// calls; whether it came to that place at all.
async fn failing(world: &World, calls: &str, error: &str, when: String) -> (Done, bool) {
    let plain = world.command(&["apply", "--yes"]);
    let trace = world.path().join("trace");
    let journal = world.path().canonicalize().unwrap().join(".bursar/journal.db");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(&trace);
    for part in ["", "-wal"] {
        command.arg("-P").arg(format!("{}{part}", journal.display()));
    }
    command.arg("-e").arg(format!("trace={calls}"));
    command.arg("-e").arg(format!("inject={calls}:error={error}:when={when}"));
    command.arg(plain.get_program()).args(plain.get_args()).current_dir(world.path()).env_clear();
    command.envs(plain.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let done = tokio::task::spawn_blocking(move || Done::from(command.output().unwrap())).await.unwrap();
    (done, std::fs::read_to_string(trace).unwrap().contains("(INJECTED)"))
}

/// One run at each place, and one without trouble after it.
async fn at_every_place(calls: &str, error: &str, from_then_on: bool, stride: usize) {
    if !is_there() {
        return;
    }
    let stride = if std::env::var_os("BURSAR_EVERY_PLACE").is_some() { 1 } else { stride };
    let mut failed = 0;
    for place in (1..MOST).step_by(stride) {
        let world = World::new(&["jane@acme.example"]).await;
        world.client("acme", &["jane@acme.example"]);
        let when = if from_then_on { format!("{place}+") } else { place.to_string() };
        let (first, came) = failing(&world, calls, error, when.clone()).await;
        let what = format!("{calls} {error} at {when}:\n{}{}", first.stdout, first.stderr);
        assert!(!first.stderr.contains("panicked"), "{what}");
        assert!(matches!(first.code, 0 | 1), "{what}");
        failed += usize::from(first.code == 1);
        // What was sent before may settle: with keys that takes no waiting.
        let second = world.run(&["apply", "--yes", "--wait", "60s"]).await;
        assert_eq!(second.code, 0, "after {what}\n{}{}", second.stdout, second.stderr);
        let ledger = world.ledger().await;
        let made = ["accounts_created", "subscriptions_created", "members_added"].map(|what| ledger.count(what));
        assert_eq!(made, [1, 1, 1], "{what}");
        if !came {
            assert!(place > 1, "nothing was made to fail: {what}");
            break;
        }
    }
    assert!(failed > 0, "no failure was told");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_from_any_write_on_loses_nothing_and_makes_nothing_twice() {
    at_every_place("pwrite64", "ENOSPC", true, 11).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_that_fails_once_loses_nothing_and_makes_nothing_twice() {
    at_every_place("fdatasync,fsync", "EIO", false, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_breaks_for_good_loses_nothing_and_makes_nothing_twice() {
    at_every_place("pwrite64,fdatasync,fsync", "EIO", true, 17).await;
}

/// Half a snapshot, or none, must not be taken for one.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_finds_no_room_is_a_failure_and_one_that_nobody_reads_is_none() {
    let world = World::new(&["jane@acme.example"]).await;
    world.client("acme", &["jane@acme.example"]);
    for args in
        [&["schema"][..], &["validate"], &["snapshot"], &["plan", "-o", "json"], &["apply", "--yes"], &["export"]]
    {
        let mut command = world.command(args);
        command.stdout(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
        let done = Done::from(tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()).expect(1);
        let why = "Error: the result could not be written to standard output: No space left on device (os error 28)\n";
        assert!(done.stderr.ends_with(why), "{args:?}: {}", done.stderr);
    }
    assert_eq!(world.ledger().await.count("accounts_created"), 1, "what was carried out stays done");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = world.command(&["schema"]);
    command.stdout(writer);
    Done::from(tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()).expect(0);
}
