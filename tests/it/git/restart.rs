//! Starting again: what was in force before is in force, whatever the branch is at by then.

use std::time::Duration;

use crate::support::{Running, World, eventually, manifest};

use super::repo::{Manner, Repo, Served};
use super::{files, look, options, repository, took};

const SOON: Duration = Duration::from_secs(30);
const FROM_DISK: &str = "the last good commit is taken from the copy on this disk";

/// Somebody renames the first account by hand.
async fn rename(world: &World) {
    let account = format!("{}/accounts/1", world.sandbox.api_url());
    let body = serde_json::json!({"name": "Client ACME"});
    let renamed = world.http.patch(account).bearer_auth(world.sandbox.token()).json(&body);
    assert!(renamed.send().await.unwrap().status().is_success());
}

/// A start with these options carries out the last good commit, and says `why` it is not the newest.
async fn carries_on(world: &World, args: &[&str], good: &str, why: &str) {
    rename(world).await;
    let mut daemon = Running::start(world.command(args));
    daemon.wait_for("renamed to Client acme", SOON);
    daemon.wait_for("every client's last good version stays in force", SOON);
    let (_, code, log) = daemon.stop();
    assert_eq!(code, 0, "{log}");
    let told: Vec<&str> = log.lines().filter(|line| line.contains(FROM_DISK)).collect();
    assert!(told.len() == 1 && told[0].contains(why) && told[0].contains(&good[..12]), "{log}");
    assert!(log.contains(&format!("the commit is in force commit={}", &good[..12])), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_good_commit_is_in_force_whatever_keeps_the_newest_from_being_taken() {
    let world = World::new(&[]).await;
    let repo = Repo::empty();
    let (jane, line) = repo.key("jane");
    let signers = repo.signers(&line).display().to_string();
    let good = repo.commit_signed(&[("acme.yaml", &manifest("acme", &[]))], &jane);
    let url = repo.path().display().to_string();
    let plain = ["run", "--git", &url, "--git-interval", "1s", "--settle", "0s"];
    let verified = [&plain[..], &["--git-verify", &signers]].concat();
    let strict = [&plain[..], &["--strict"]].concat();
    let mut daemon = Running::start(world.command(&plain));
    daemon.wait_for("1 client: 1 in sync", SOON);
    daemon.stop();

    std::fs::rename(repo.path(), repo.beside("elsewhere")).unwrap();
    carries_on(&world, &plain, &good, "asking the repository where the branch is failed").await;
    std::fs::rename(repo.beside("elsewhere"), repo.path()).unwrap();

    repo.commit(&[("beta.yaml", &manifest("beta", &[]))]);
    carries_on(&world, &verified, &good, "is not signed, so it is not used").await;

    repo.git(&["reset", "--quiet", "--hard", &good]);
    repo.commit(&[("beta.yaml", "apiVersion: [\n")]);
    // Twice: what was refused did not become the last good one.
    for _ in 0..2 {
        carries_on(&world, &strict, &good, "--strict keeps everything as it was").await;
    }

    repo.git(&["reset", "--quiet", "--hard", &good]);
    repo.git(&["rm", "--quiet", "acme.yaml"]);
    repo.commit(&[]);
    carries_on(&world, &plain, &good, "has no manifest in .").await;

    repo.git(&["checkout", "--quiet", "--orphan", "other"]);
    repo.commit(&[("gamma.yaml", &manifest("gamma", &[]))]);
    repo.git(&["branch", "--force", "main"]);
    carries_on(&world, &plain, &good, "does not come after").await;
    assert_eq!(world.ledger().await.count("accounts_created"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_disk_is_judged_again_and_refused_where_it_does_not_hold() {
    let world = World::new(&[]).await;
    let repo = Repo::with(&[("acme.yaml", &manifest("acme", &[]))]);
    let (_, line) = repo.key("jane");
    let signers = repo.signers(&line).display().to_string();
    let url = repo.path().display().to_string();
    let plain = ["run", "--git", &url, "--git-interval", "1s", "--settle", "0s"];
    let mut daemon = Running::start(world.command(&plain));
    daemon.wait_for("1 client: 1 in sync", SOON);
    daemon.stop();
    let writes = world.ledger().await.writes();
    rename(&world).await;
    std::fs::rename(repo.path(), repo.beside("elsewhere")).unwrap();
    let mut daemon = Running::start(world.command(&[&plain[..], &["--git-verify", &signers]].concat()));
    daemon.wait_for("is not signed, so it is not used; nothing is in force yet, so nothing is done", SOON);
    daemon.stop();
    assert_eq!(world.ledger().await.writes(), writes + 1, "the renaming by hand alone");
}

#[test]
fn a_rewritten_branch_does_not_push_the_last_good_commit_out_of_the_copy() {
    let repo = Repo::with(&[("a.yaml", "good")]);
    let mirrors = tempfile::tempdir().unwrap();
    let options = options(repo.path().to_str().unwrap(), mirrors.path());
    let mut followed = repository(options.clone());
    // So many packs that the next fetch is into a fresh copy.
    for turn in 0..50 {
        repo.commit(&[("b.yaml", &turn.to_string())]);
        took(&mut followed);
    }
    assert!(followed.last_good("bursar.lock").unwrap().is_none(), "one is in force");
    repo.git(&["checkout", "--quiet", "--orphan", "other"]);
    repo.commit(&[("a.yaml", "bad")]);
    repo.git(&["branch", "--force", "main"]);
    let mut restarted = repository(options.clone());
    assert!(look(&mut restarted).unwrap_err().contains("does not come after"));
    assert_eq!(files(&restarted.last_good("bursar.lock").unwrap().unwrap())[0].1, "good");
    let fresh = bursar::source::git::Options { mirrors: mirrors.path().join("none"), ..options };
    assert!(repository(fresh).last_good("bursar.lock").unwrap().is_none(), "nothing is known");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_answers_keeps_neither_health_nor_asks_nor_a_stop_waiting() {
    let world = World::new(&[]).await;
    let repo = Repo::with(&[("acme.yaml", &manifest("acme", &[]))]);
    let served = Served::start(&repo).await;
    served.set(Manner::Hang);
    let url = served.url();
    let args = ["-v", "run", "--git", &url, "--listen", "127.0.0.1:0", "--poll", "200ms"];
    let mut daemon = Running::start(world.command(&args));
    daemon.wait_for("are served at http://", SOON);
    let log = daemon.log();
    let base = log.split("are served at ").nth(1).unwrap().split('/').nth(2).unwrap().to_owned();
    eventually("the look hangs", SOON, || async { served.stalled() > 0 }).await;
    // The loop goes round, which is its sign of life.
    daemon.signal("-HUP");
    daemon.wait_for("asked to look at everything again", SOON);
    let get = |path: &str| world.http.get(format!("http://{base}{path}")).send();
    assert_eq!(get("/healthz").await.unwrap().status(), 200);
    let unready = get("/readyz").await.unwrap();
    assert_eq!(unready.status(), 503);
    assert!(unready.text().await.unwrap().contains("the manifests were not read yet"));
    let (took, code, log) = tokio::task::spawn_blocking(|| daemon.stop()).await.unwrap();
    assert!(took < Duration::from_secs(5), "{took:?}\n{log}");
    assert_eq!(code, 0, "{log}");
    assert_eq!(world.ledger().await.requests(), 0);
}
