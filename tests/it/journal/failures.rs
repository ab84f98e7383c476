//! What a journal in a file does when something fails: refused in one clear line, or nothing
//! of the commit is there and the next one works.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bursar::journal::{
    Batch, Contents, EntryKind, FactKind, InFile, Journal, JournalError, Owner, Query, Row, network_file_system,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use super::worlds::{Folder, Place as _, entry, fact, fresh_id, put, row, rows, scope};

/// Names the folder to a test that runs as a process of its own.
const CHILD: &str = "BURSAR_TEST_CHILD";

/// One test of this binary as a process of its own, in which a file that grows too large is
/// an error and no signal.
fn child(test: &str, folder: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", r#"trap '' XFSZ; exec "$@""#, "sh"]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("journal::failures::{test}"), "--nocapture", "--test-threads=1"]);
    command.env(CHILD, folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn child_folder() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

async fn raw(file: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(file).create_if_missing(true).connect().await.unwrap()
}

async fn refusal(file: &Path) -> JournalError {
    InFile::open_executor(file, fresh_id()).await.unwrap_err()
}

#[tokio::test]
async fn a_new_journal_is_for_its_owner_alone_and_an_open_one_is_refused() {
    let place = Folder::new();
    place.open().await.close().await;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let file = place.file();
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    for exposed in [0o640, 0o604, 0o620, 0o666] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(exposed)).unwrap();
        let refused = JournalError::Exposed { place: file.display().to_string(), mode: exposed };
        assert_eq!(refusal(&file).await, refused);
        assert_eq!(InFile::open_beside(&file).await.unwrap_err(), refused);
    }
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    place.open().await.close().await;
}

#[test]
fn network_file_systems_are_known_by_their_numbers() {
    // NFS, SMB, SMB2, CIFS, AFS, 9P; then ext4, xfs, btrfs, tmpfs, overlay, zfs, FUSE.
    let network = [0x6969, 0x517b, 0xfe53_4d42, 0xff53_4d42, 0x5346_414f, 0x0102_1997];
    let local = [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630, 0x2fc1_2fc1, 0x6573_5546];
    let known = network.map(network_file_system);
    assert_eq!(known, [Some("NFS"), Some("SMB"), Some("SMB2"), Some("CIFS"), Some("AFS"), Some("9P")]);
    assert_eq!(local.map(network_file_system), [None; 7]);
}

#[tokio::test]
async fn a_second_executor_is_refused_until_the_first_is_gone() {
    let place = Folder::new();
    let first = place.open().await;
    let in_use = JournalError::InUse { place: place.file().display().to_string() };
    assert_eq!(refusal(&place.file()).await, in_use);
    // A person's answer is written all the same.
    let (beside, here) = (place.beside().await.unwrap(), scope("here"));
    beside.commit(&here, rows(vec![put(&row(&here, "acme"), 0)])).await.unwrap();
    assert_eq!(first.rows(&here, 0).await.unwrap().0.len(), 1);
    beside.close().await;
    first.close().await;
    place.open().await.close().await;
}

#[tokio::test]
async fn what_is_no_journal_is_refused_and_not_touched() {
    let place = Folder::new();
    let folder = place.file().parent().unwrap().to_owned();
    std::fs::create_dir(&folder).unwrap();
    let text = folder.join("notes.txt");
    std::fs::write(&text, "not a database, but long enough to be taken for one by its size\n".repeat(80)).unwrap();
    let other = folder.join("invoices.db");
    let mut sql = raw(&other).await;
    sqlx::raw_sql("CREATE TABLE invoices (n INTEGER); INSERT INTO invoices VALUES (1)")
        .execute(&mut sql)
        .await
        .unwrap();
    sql.close().await.unwrap();
    for file in [&text, &other] {
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let before = std::fs::read(file).unwrap();
        let refused = JournalError::NotAJournal { place: file.display().to_string() };
        assert_eq!(refusal(file).await, refused);
        assert_eq!(InFile::open_beside(file).await.unwrap_err(), refused);
        assert_eq!(std::fs::read(file).unwrap(), before, "{}", file.display());
    }
    assert_eq!(refusal(&folder).await, JournalError::NotAJournal { place: folder.display().to_string() });
}

#[tokio::test]
async fn one_of_a_newer_version_is_refused() {
    let place = Folder::new();
    place.open().await.close().await;
    let mut sql = raw(&place.file()).await;
    sqlx::raw_sql("PRAGMA user_version = 99").execute(&mut sql).await.unwrap();
    sql.close().await.unwrap();
    assert_eq!(refusal(&place.file()).await, JournalError::Newer { place: place.file().display().to_string() });
}

#[tokio::test]
async fn damage_is_told_and_not_written_over() {
    let place = Folder::new();
    let (journal, here) = (place.open().await, scope("here"));
    for n in 0..40 {
        let client = format!("client-{n}");
        journal.commit(&here, rows(vec![put(&row(&here, &client), 0)])).await.unwrap();
    }
    journal.close().await;
    let mut file = std::fs::OpenOptions::new().write(true).open(place.file()).unwrap();
    file.seek(SeekFrom::Start(2 * 4096)).unwrap();
    file.write_all(&[0xa5; 3 * 4096]).unwrap();
    let damaged = std::fs::read(place.file()).unwrap();
    let told = refusal(&place.file()).await;
    assert!(matches!(told, JournalError::Corrupt { .. }), "{told:?}");
    assert_eq!(std::fs::read(place.file()).unwrap(), damaged);
}

#[tokio::test]
async fn a_row_that_says_nothing_is_damage_too() {
    let place = Folder::new();
    let (journal, here) = (place.open().await, scope("here"));
    journal.commit(&here, rows(vec![put(&row(&here, "acme"), 0)])).await.unwrap();
    let mut sql = raw(&place.file()).await;
    sqlx::raw_sql("UPDATE rows SET body = '{\"state\":\"dreaming\"}'").execute(&mut sql).await.unwrap();
    let told = journal.rows(&here, 0).await.unwrap_err();
    assert!(matches!(told, JournalError::Corrupt { .. }), "{told:?}");
    sql.close().await.unwrap();
    journal.close().await;
}

#[tokio::test]
async fn the_history_is_never_changed() {
    let place = Folder::new();
    let (journal, here) = (place.open().await, scope("here"));
    let batch = Batch { entries: vec![entry(&here, 1, EntryKind::Sent, "acme")], ..Batch::default() };
    journal.commit(&here, batch).await.unwrap();
    let mut sql = raw(&place.file()).await;
    for statement in ["UPDATE history SET body = 'x'", "DELETE FROM history"] {
        let refused = sqlx::raw_sql(statement).execute(&mut sql).await.unwrap_err().to_string();
        assert!(refused.contains("the history is never changed"), "{statement}: {refused}");
    }
    assert_eq!(journal.history(&Query::default()).await.unwrap().len(), 1);
    sql.close().await.unwrap();
    journal.close().await;
}

#[tokio::test]
async fn beside_nothing_there_is_nothing_to_open() {
    let place = Folder::new();
    let told = InFile::open_beside(&place.file()).await.unwrap_err().to_string();
    assert!(told.ends_with("cannot be opened: No such file or directory (os error 2)"), "{told}");
    assert!(!place.file().exists());
}

/// A writer that does not let go for longer than anybody waits is told, and spoils nothing.
#[tokio::test]
async fn while_another_process_holds_the_file_nothing_is_written() {
    let place = Folder::new();
    let (journal, here) = (place.open().await, scope("here"));
    let mut sql = raw(&place.file()).await;
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut sql).await.unwrap();
    let batch = rows(vec![put(&row(&here, "acme"), 0)]);
    let told = journal.commit(&here, batch.clone()).await.unwrap_err().to_string();
    assert!(told.ends_with("another process has been writing to it for five seconds"), "{told}");
    sqlx::raw_sql("ROLLBACK").execute(&mut sql).await.unwrap();
    journal.commit(&here, batch).await.unwrap();
    sql.close().await.unwrap();
    journal.close().await;
}

/// The disk is full from any byte on, at every commit of a short scenario.
#[test]
fn a_full_disk_leaves_the_journal_as_it_was_and_the_next_commit_works() {
    let folder = tempfile::tempdir().unwrap();
    let done = child("the_disk_fills", folder.path()).output().unwrap();
    let told = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    let failed: usize =
        told.lines().find_map(|line| line.strip_prefix("commits that failed: ")?.parse().ok()).expect(&told);
    assert!(done.status.success() && failed > 50, "{told}");
}

#[tokio::test]
async fn the_disk_fills() {
    let Some(folder) = child_folder() else { return };
    let file = folder.join("journal.db");
    let journal = InFile::open_executor(&file, fresh_id()).await.unwrap();
    let here = scope("here");
    let mut failed = 0;
    for seen in 0..6 {
        let batch = Batch {
            facts: vec![fact(FactKind::Binding, &format!("client-{seen}"), "1385")],
            entries: vec![entry(&here, 1, EntryKind::Sent, "acme")],
            ..rows(vec![put(&row(&here, "acme"), seen), put(&row(&here, "blue"), seen)])
        };
        let before = state(&journal).await;
        let size = std::fs::metadata(folder.join("journal.db-wal")).unwrap().len();
        let mut room = 0;
        loop {
            limit(Some(size + room));
            let written = journal.commit(&here, batch.clone()).await;
            limit(None);
            let Err(told) = written else { break };
            assert!(matches!(told, JournalError::Unavailable { doing: "written", .. }), "{told:?}");
            assert_eq!(state(&journal).await, before, "commit {seen}, room for {room} bytes");
            let beside = InFile::open_beside(&file).await.unwrap();
            assert_eq!(state(&beside).await, before);
            beside.close().await;
            (failed, room) = (failed + 1, room + 1024);
        }
    }
    let after = state(&journal).await;
    journal.close().await;
    let again = InFile::open_executor(&file, fresh_id()).await.unwrap();
    assert_eq!(state(&again).await, after);
    assert_eq!(after.0.rows.iter().map(|row| row.version).collect::<Vec<_>>(), [6, 6]);
    again.close().await;
    println!("\ncommits that failed: {failed}");
}

async fn state(journal: &dyn Journal) -> (Contents, u64) {
    (journal.contents().await.unwrap(), journal.rows(&scope("here"), 0).await.unwrap().1)
}

/// No file of this process grows past so many bytes.
fn limit(bytes: Option<u64>) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    setrlimit(Resource::Fsize, Rlimit { current: bytes.or(maximum), maximum }).unwrap();
}

/// Two processes raise one row's version in turns: each version is written by one of them.
#[tokio::test]
async fn of_two_processes_that_write_one_row_one_wins_each_time() {
    let place = Folder::new();
    let journal = place.open().await;
    let other = child("the_other_process_writes", place.file().parent().unwrap()).spawn().unwrap();
    let ours = raise(journal.as_ref(), "parent").await;
    let done = tokio::task::spawn_blocking(|| other.wait_with_output().unwrap()).await.unwrap();
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{told}{}", String::from_utf8_lossy(&done.stderr));
    let theirs: Vec<u64> = told.lines().filter_map(|line| line.strip_prefix("won ")?.parse().ok()).collect();
    let mut all: Vec<u64> = ours.into_iter().chain(theirs).collect();
    all.sort_unstable();
    assert_eq!(all, (0..ROUNDS).collect::<Vec<_>>());
    assert_eq!(journal.history(&Query::default()).await.unwrap().len(), usize::try_from(ROUNDS).unwrap());
    journal.close().await;
}

const ROUNDS: u64 = 60;

#[tokio::test]
async fn the_other_process_writes() {
    let Some(folder) = child_folder() else { return };
    let journal = InFile::open_beside(&folder.join("journal.db")).await.unwrap();
    for won in raise(&journal, "child").await {
        println!("\nwon {won}");
    }
    journal.close().await;
}

/// Tries every version once; those that were ours come back.
async fn raise(journal: &dyn Journal, name: &str) -> Vec<u64> {
    let here = scope("here");
    let mine = Row { owner: Owner::new(name), ..row(&here, "acme") };
    let mut won = Vec::new();
    for seen in 0..ROUNDS {
        let entries = vec![entry(&here, 1, EntryKind::Sent, "acme")];
        match journal.commit(&here, Batch { entries, ..rows(vec![put(&mine, seen)]) }).await {
            Ok(()) => won.push(seen),
            Err(lost) => assert_eq!(lost, JournalError::Conflict { operation: mine.id() }),
        }
    }
    won
}
