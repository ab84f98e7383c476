//! What is wrong with how the daemon was started is told at once, all of it, before anything is
//! begun.

use super::{SECRET, secret};
use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_wrong_is_told_at_once_and_nothing_is_begun() {
    let world = World::new(&[]).await;
    world.client("acme", &[]);
    world.write("exposed", SECRET);
    secret(&world, "empty", "");
    world.write("journal.db", "this is no journal, and long enough to be looked at as one\n");
    let mut command = world.command(&[
        "run",
        ".",
        "--git-verify",
        "signers",
        "--api-url",
        "http://evil.example/v2",
        "--interval",
        "10ms",
        "--lease",
        "1ms",
        "--listen",
        "192.0.2.1:1",
        "--hook-secret-file",
        "exposed",
        "--git-hook-secret-file",
        "empty",
        "--journal",
        "journal.db",
        "--token-file",
        "nowhere",
    ]);
    command.env_remove("BURSAR_TOKEN");
    let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let told = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(1), "{told}");
    let heads: Vec<&str> = told.lines().filter(|line| line.starts_with("  - ") || line.starts_with("Error")).collect();
    insta::assert_snapshot!(heads.join("\n"), @"
    Error: 9 things keep the daemon from starting:
      - --interval is at least 1s, --poll at least 100ms
      - --git-verify without --git, and a folder is read as it is
      - --lease is at least 1s
      - the hook secret file exposed is open to other users of this machine (mode 0644)
      - the hook secret file empty does not hold one secret: 32 to 256 letters, digits, `-` and `_` on one line
      - cannot listen on 192.0.2.1:1: Cannot assign requested address (os error 99)
      - the journal journal.db can be read by others (mode 644)
      - the API's address needs https://; plain http:// is for this very machine only (127.0.0.1, ::1, localhost)
      - cannot read the token file nowhere: No such file or directory (os error 2)
    ");
    assert!(!told.contains(SECRET), "{told}");
    assert_eq!(world.ledger().await.requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_secret_refuses_to_start() {
    let world = World::new(&[]).await;
    world.client("acme", &[]);
    secret(&world, "empty", "\n");
    for flag in ["--hook-secret-file", "--git-hook-secret-file"] {
        let refused = world.run(&["run", "--listen", "127.0.0.1:0", flag, "empty"]).await.expect(1).stderr;
        assert!(refused.contains("does not hold one secret: 32 to 256 letters"), "{refused}");
        assert!(refused.contains("openssl rand -hex 32"), "{refused}");
    }
    assert_eq!(world.ledger().await.requests(), 0);
}
