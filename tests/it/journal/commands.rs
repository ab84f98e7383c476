//! `bursar journal` and `bursar init`, with the real binary.

use std::path::{Path, PathBuf};

use bursar::journal::{Address, Batch, EntryKind, FactKind, InFile, Journal, open_beside};
use tempfile::TempDir;

use super::worlds::{entry, fact, fresh_id, put, row, rows, scope};
use crate::support::{Done, bursar, manifest};
use crate::support_postgres::Database;

/// A folder with a manifest, where commands run.
struct Shop {
    folder: TempDir,
}

impl Shop {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("acme.yaml"), manifest("acme", &["pat@agency.example"])).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn run(&self, args: &[&str]) -> Done {
        let mut command = bursar(args);
        command.current_dir(self.folder.path());
        tokio::task::spawn_blocking(move || Done::from(command.output().unwrap())).await.unwrap()
    }

    /// A journal with something of everything in it; its name.
    async fn fill(&self, file: &str) -> String {
        let journal = InFile::open_executor(&self.path(file), fresh_id()).await.unwrap();
        for of in [scope("here"), scope("there")] {
            let batch = Batch {
                facts: vec![fact(FactKind::Registered, "pat@agency.example", "yes")],
                entries: vec![entry(&of, 1, EntryKind::Sent, "acme"), entry(&of, 2, EntryKind::Done, "acme")],
                ..rows(vec![put(&row(&of, "acme"), 0), put(&row(&of, "blue"), 0)])
            };
            journal.commit(&of, batch).await.unwrap();
        }
        journal.close().await;
        journal.id().to_string()
    }
}

async fn beside(path: &Path) -> std::sync::Arc<dyn Journal> {
    open_beside(&Address::File(path.to_owned())).await.unwrap()
}

#[tokio::test]
async fn a_backup_is_restored_with_everything_in_it_and_its_name() {
    let shop = Shop::new();
    let id = shop.fill(".bursar/journal.db").await;
    let told = shop.run(&["journal", "backup", "all.jsonl"]).await.expect(0);
    assert_eq!(told.stderr, format!("The journal {id} has 4 rows, 2 facts and 4 entries.\n"));
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(shop.path("all.jsonl")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let text = std::fs::read_to_string(shop.path("all.jsonl")).unwrap();
    let header = format!(r#"{{"format_version":"1.0","journal":"{id}","rows":4,"facts":2,"entries":4}}"#);
    assert_eq!((text.lines().next(), text.lines().count()), (Some(header.as_str()), 11));
    assert_eq!(shop.run(&["journal", "backup", "-", "-q"]).await.expect(0).stdout, text);
    let again = shop.run(&["journal", "backup", "all.jsonl"]).await.expect(1).stderr;
    assert!(again.ends_with("Hint: a backup is never written over; give another name\n"), "{again}");

    let told = shop.run(&["journal", "restore", "all.jsonl", "--journal", "new.db"]).await.expect(0);
    assert_eq!(told.stderr, format!("new.db is the journal {id} now, with 4 rows, 2 facts and 4 entries.\n"));
    let (old, new) = (beside(&shop.path(".bursar/journal.db")).await, beside(&shop.path("new.db")).await);
    assert_eq!(old.contents().await.unwrap(), new.contents().await.unwrap());
    old.close().await;
    new.close().await;
    let full = shop.run(&["journal", "restore", "all.jsonl", "--journal", "new.db"]).await.expect(1).stderr;
    assert!(full.starts_with("Error: the journal new.db is not empty\nHint: "), "{full}");
}

#[tokio::test]
async fn a_backup_that_is_not_whole_or_something_else_is_refused_as_a_whole() {
    let shop = Shop::new();
    shop.fill(".bursar/journal.db").await;
    shop.run(&["journal", "backup", "all.jsonl"]).await.expect(0);
    let text = std::fs::read_to_string(shop.path("all.jsonl")).unwrap();
    let without_the_last: Vec<&str> = text.lines().take(10).collect();
    for (bad, expected) in [
        (
            without_the_last.join("\n"),
            "the backup is not whole: it should hold 4 rows, 2 facts and 4 entries, and holds 4 rows, 2 facts and 3 entries",
        ),
        (text[..text.len() - 20].to_owned(), "line 11 of the backup cannot be understood"),
        (text.replacen("\"prepared\"", "\"dreaming\"", 1), "line 2 of the backup cannot be understood"),
        (text.replacen("\"1.0\"", "\"2.0\"", 1), "this backup has the form 2.0, which a newer version of bursar wrote"),
        ("{}".to_owned(), "this is no backup of a journal"),
        (String::new(), "this is no backup of a journal"),
    ] {
        std::fs::write(shop.path("bad.jsonl"), bad).unwrap();
        let told = shop.run(&["journal", "restore", "bad.jsonl", "--journal", "new.db"]).await.expect(1).stderr;
        assert_eq!(told.lines().next(), Some(format!("Error: {expected}").as_str()));
        assert!(!shop.path("new.db").exists());
    }
}

#[tokio::test]
async fn a_journal_moves_and_nothing_more_is_done_with_the_old_one() {
    let shop = Shop::new();
    let id = shop.fill("old.db").await;
    let before = beside(&shop.path("old.db")).await;
    let contents = before.contents().await.unwrap();
    before.close().await;
    let told = shop.run(&["journal", "move", "--journal", "old.db", "--to", "new.db"]).await.expect(0);
    assert_eq!(
        told.stderr,
        format!(
            "The old file is old.db.moved now.\nThe journal {id} is at new.db now, with 4 rows, 2 facts and 4 entries.\n"
        )
    );
    assert!(!shop.path("old.db").exists());
    let new = beside(&shop.path("new.db")).await;
    assert_eq!(new.contents().await.unwrap(), contents);
    new.close().await;
    let old = beside(&shop.path("old.db.moved")).await;
    let permit = Batch { permits: true, ..rows(vec![put(&row(&scope("here"), "acme"), 1)]) };
    let told = old.commit(&scope("here"), permit).await.unwrap_err().to_string();
    assert_eq!(told, "frozen: this journal was moved to new.db");
    old.close().await;
    // Broken off before the old one was put aside, it goes on when it is repeated.
    std::fs::rename(shop.path("old.db.moved"), shop.path("old.db")).unwrap();
    shop.run(&["journal", "move", "--journal", "old.db", "--to", "new.db"]).await.expect(0);
    let missing = shop.run(&["journal", "move", "--journal", "old.db", "--to", "new.db"]).await.expect(1).stderr;
    assert_eq!(missing, "Error: there is no journal at old.db\n");
    assert!(!shop.path("old.db").exists());
}

#[tokio::test]
async fn a_journal_moves_to_postgresql_and_back() {
    let Some(place) = Database::new().await else { return };
    let shop = Shop::new();
    shop.fill("old.db").await;
    let before = beside(&shop.path("old.db")).await;
    let contents = before.contents().await.unwrap();
    before.close().await;
    shop.run(&["journal", "move", "--journal", "old.db", "--to", &place.url()]).await.expect(0);
    shop.run(&["journal", "move", "--journal", &place.url(), "--to", "back.db"]).await.expect(0);
    let back = beside(&shop.path("back.db")).await;
    assert_eq!(back.contents().await.unwrap(), contents);
    back.close().await;
    let told = shop.run(&["journal", "move", "--journal", "back.db", "--to", &place.url()]).await.expect(1).stderr;
    assert!(told.contains("is not empty"), "{told}");
}

#[tokio::test]
async fn the_history_is_exported_a_line_an_entry() {
    let shop = Shop::new();
    shop.fill(".bursar/journal.db").await;
    let told = shop.run(&["journal", "export"]).await.expect(0);
    let seqs = |text: &str| -> Vec<u64> {
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.map(|line| line["seq"].as_u64().unwrap()).collect()
    };
    assert_eq!(seqs(&told.stdout), [1, 2, 3, 4]);
    assert_eq!(seqs(&shop.run(&["journal", "export", "--after", "3"]).await.expect(0).stdout), [4]);
    let first = told.stdout.lines().next().unwrap();
    assert_eq!(
        first,
        r#"{"seq":1,"at":"2025-10-09T08:53:21Z","scope":"here","kind":"sent","actor":"owner-1","client":"acme","account":"1001","message":"number 1"}"#
    );
}

#[tokio::test]
async fn a_folder_names_its_journal_and_another_one_writes_nothing() {
    let shop = Shop::new();
    let told = shop.run(&["init"]).await.expect(0).stderr;
    let id = told.split_whitespace().find(|word| word.len() == 36).expect(&told).to_owned();
    assert_eq!(told, format!("bursar.lock now names the journal {id} (.bursar/journal.db). Commit it.\n"));
    let again = shop.run(&["init"]).await.expect(0).stderr;
    assert_eq!(again, format!("bursar.lock names already the journal {id} (.bursar/journal.db). Commit it.\n"));
    shop.run(&["apply", "--sandbox", "--yes"]).await.expect(0);

    let lock = std::fs::read_to_string(shop.path("bursar.lock")).unwrap();
    for other in [vec!["--journal", "other.db"], vec!["--journal", "none"]] {
        let args = [vec!["apply", "--sandbox", "--yes"], other].concat();
        let told = shop.run(&args).await.expect(1).stderr;
        assert!(told.contains(&format!("bursar.lock names the journal {id}, and this is ")), "{told}");
        assert!(told.contains("Hint: two journals for one fleet may do everything twice"), "{told}");
    }
    let told = shop.run(&["init", "--journal", "other.db"]).await.expect(1).stderr;
    assert!(told.contains(&format!("names the journal {id}, and this is ")), "{told}");
    assert_eq!(std::fs::read_to_string(shop.path("bursar.lock")).unwrap(), lock);
    shop.run(&["init", "--journal", "other.db", "--force"]).await.expect(0);
    let told = shop.run(&["apply", "--sandbox", "--yes"]).await.expect(1).stderr;
    assert!(told.contains(&format!(", and this is {id}\n")), "{told}");
    // A lock that cannot be understood forbids, too: nobody knows which journal is the right one.
    std::fs::write(shop.path("bursar.lock"), "<<<<<<< HEAD\njournal: a\n").unwrap();
    let told = shop.run(&["apply", "--sandbox", "--yes"]).await.expect(1).stderr;
    assert!(told.contains("bursar.lock is no lock file of bursar's: expected one line, `journal: ID`"), "{told}");
}

#[tokio::test]
async fn without_a_journal_there_is_nothing_to_name_or_back_up() {
    let shop = Shop::new();
    let told = shop.run(&["init", "--journal", "none"]).await.expect(1).stderr;
    assert!(told.starts_with("Error: a journal that ends with the process cannot be named\nHint: "), "{told}");
    let told = shop.run(&["journal", "backup", "all.jsonl"]).await.expect(1).stderr;
    assert!(told.starts_with("Error: the journal .bursar/journal.db cannot be opened: No such file"), "{told}");
    assert!(!shop.path(".bursar").exists() && !shop.path("all.jsonl").exists());
}
