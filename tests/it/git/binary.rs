//! `bursar run --git`, the real binary.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use crate::support::{Running, World, eventually, manifest};

use super::repo::{Manner, Repo, Served};

const SOON: Duration = Duration::from_secs(30);

fn repo(clients: &[&str]) -> Repo {
    let repo = Repo::empty();
    add(&repo, clients);
    repo
}

fn add(repo: &Repo, clients: &[&str]) -> String {
    for client in clients {
        repo.write(&format!("clients/{client}.yaml"), manifest(client, &[]));
    }
    repo.commit(&[])
}

/// A world, and one client of it in a repository that is served.
async fn served() -> (World, Repo, Served) {
    let world = World::new(&[]).await;
    let repo = repo(&["acme"]);
    let served = Served::start(&repo).await;
    (world, repo, served)
}

/// Where a program is.
fn which(program: &str) -> String {
    let paths = std::env::var_os("PATH").unwrap();
    let mut found = std::env::split_paths(&paths).map(|folder| folder.join(program)).filter(|path| path.exists());
    found.next().unwrap().display().to_string()
}

fn run<'a>(url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["run", "--git", url, "--git-path", "clients", "--git-interval", "1s"];
    args.extend(more);
    args
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pushed_commit_is_carried_out_and_told_in_log_and_history() {
    let world = World::new(&[]).await;
    let repo = repo(&["acme"]);
    let url = repo.path().display().to_string();
    let first = repo.head();
    let mut daemon = Running::start(world.command(&run(&url, &[])));
    daemon.wait_for("1 client: 1 in sync", SOON);
    let second = add(&repo, &["beta"]);
    daemon.wait_for("created account Client beta", SOON);
    daemon.wait_for("2 clients: 2 in sync", SOON);
    // A commit that changes no client is in force all the same.
    let third = repo.commit(&[("README.md", "x")]);
    daemon.wait_for(&format!("the commit is in force commit={} before={}", &third[..12], &second[..12]), SOON);
    let (_, code, log) = daemon.stop();
    assert_eq!(code, 0, "{log}");
    for (line, commit) in
        [("acme: created account", &first), ("beta: created account", &second), ("2 clients: 2", &second)]
    {
        let line = log.lines().find(|told| told.contains(line)).unwrap();
        assert!(line.ends_with(&format!(" commit={}", &commit[..12])), "{line}");
    }
    let history = world.run(&["history", "-o", "json"]).await.expect(0);
    for (client, commit) in [("acme", first), ("beta", second)] {
        let entries = history.json()["entries"].as_array().unwrap().clone();
        let requests = entries.iter().filter(|entry| entry["name"] == client && entry["op"].is_string());
        let commits: Vec<_> = requests.map(|entry| entry["revision"].as_str().unwrap_or("-")).collect();
        // Account and subscription, each sent and done.
        assert_eq!(commits, [commit.as_str(); 4], "{}", history.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_is_gone_or_rewritten_changes_nothing_and_is_told_once() {
    let world = World::new(&[]).await;
    let repo = repo(&["acme"]);
    let url = repo.path().display().to_string();
    let first = repo.head();
    let mut daemon = Running::start(world.command(&run(&url, &[])));
    daemon.wait_for("1 client: 1 in sync", SOON);
    std::fs::rename(repo.path(), repo.beside("elsewhere")).unwrap();
    daemon.wait_for("every client's last good version stays in force", SOON);
    std::fs::rename(repo.beside("elsewhere"), repo.path()).unwrap();
    daemon.wait_for("the manifests can be read again", SOON);
    add(&repo, &["beta"]);
    daemon.wait_for("2 clients: 2 in sync", SOON);
    let writes = world.ledger().await.writes();

    repo.git(&["reset", "--quiet", "--hard", &first]);
    add(&repo, &["gamma"]);
    daemon.wait_for("does not come after", SOON);
    // Asked to look at once, and again: it is no news.
    daemon.signal("-HUP");
    daemon.wait_for("asked to look at everything again", SOON);
    let (_, _, log) = daemon.stop();
    assert_eq!(log.matches("does not come after").count(), 1, "{log}");
    assert_eq!(world.ledger().await.writes(), writes, "{log}");

    let mut daemon = Running::start(world.command(&run(&url, &[])));
    daemon.wait_for("does not come after", SOON);
    daemon.stop();
    assert_eq!(world.ledger().await.writes(), writes);
    let mut daemon = Running::start(world.command(&run(&url, &["--git-allow-rewind"])));
    daemon.wait_for("created account Client gamma", SOON);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_document_that_does_not_hold_keeps_its_last_good_version_and_stops_nobody() {
    let world = World::new(&[]).await;
    let repo = repo(&["acme"]);
    let url = repo.path().display().to_string();
    let mut daemon = Running::start(world.command(&run(&url, &[])));
    daemon.wait_for("1 client: 1 in sync", SOON);
    repo.write("clients/acme.yaml", "apiVersion: [\n");
    add(&repo, &["beta"]);
    daemon.wait_for("last good version stays in force", SOON);
    daemon.wait_for("created account Client beta", SOON);
    // Everything gone is not everyone's leaving.
    repo.git(&["rm", "--quiet", "-r", "clients"]);
    repo.commit(&[("clients/compose.yaml", "services: {}\n")]);
    daemon.wait_for("has no client that holds, which is not taken for every client's leaving: compose.yaml:1:", SOON);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_server_keeps_no_pass_and_no_stop_waiting() {
    let (world, repo, served) = served().await;
    let url = served.url();
    let mut daemon = Running::start(world.command(&run(&url, &["--interval", "1s"])));
    daemon.wait_for("1 client: 1 in sync", SOON);
    served.set(Manner::Stall(100));
    add(&repo, &["beta"]);
    eventually("the fetch hangs", SOON, || async { served.stalled() > 0 }).await;
    // Meanwhile somebody renames an account by hand.
    let account = format!("{}/accounts/1", world.sandbox.api_url());
    let body = serde_json::json!({"name": "Client ACME"});
    let renamed = world.http.patch(account).bearer_auth(world.sandbox.token()).json(&body);
    assert!(renamed.send().await.unwrap().status().is_success());
    daemon.wait_for("renamed to Client acme", SOON);
    let (took, code, log) = tokio::task::spawn_blocking(|| daemon.stop()).await.unwrap();
    assert!(took < Duration::from_secs(5), "{took:?}\n{log}");
    assert_eq!(code, 0, "{log}");
    served.set(Manner::Serve);
    let mut daemon = Running::start(world.command(&run(&url, &[])));
    daemon.wait_for("created account Client beta", SOON);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_of_a_fetch_it_goes_on_from_there() {
    let (world, _repo, served) = served().await;
    served.set(Manner::Stall(100));
    let url = served.url();
    let daemon = Running::start(world.command(&run(&url, &[])));
    eventually("the fetch hangs", SOON, || async { served.stalled() > 0 }).await;
    daemon.signal("-KILL");
    drop(daemon);
    // The git that outlives it holds the copy until its connection ends.
    served.cut();
    served.set(Manner::Serve);
    let mut daemon = Running::start(world.command(&run(&url, &[])));
    daemon.wait_for("created account Client acme", SOON);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_a_server_that_repeats_it_is_nowhere() {
    let (world, repo, served) = served().await;
    served.set(Manner::Echo);
    world.write("git.token", "canary-token-1\n");
    std::fs::set_permissions(world.path().join("git.token"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let url = served.url();
    let words = repo.program("git", &format!("exec {} \"$@\"", which("git")));
    let mut command = world.command(&run(&url, &["--git-token-file", "git.token", "-vv"]));
    command.env("PATH", &words.path);
    command.env("GIT_TRACE", "1").env("GIT_CURL_VERBOSE", "1").env("GIT_TRACE_CURL", "1");
    let mut daemon = Running::start(command);
    daemon.wait_for("nothing is in force yet, so nothing is done", SOON);
    let sent = served.seen().last().unwrap().1.clone().unwrap();
    let (_, _, log) = daemon.stop();
    let words = words.told();
    assert!(words.contains("ls-remote"), "{words}");
    for secret in ["canary", sent.strip_prefix("Basic ").unwrap()] {
        assert!(!log.contains(secret) && !words.contains(secret), "{log}\n{words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_signatures_are_asked_for_nothing_unsigned_is_carried_out() {
    let world = World::new(&[]).await;
    let repo = repo(&["acme"]);
    let url = repo.path().display().to_string();
    let (jane, line) = repo.key("jane");
    let signers = repo.signers(&line).display().to_string();
    let mut daemon = Running::start(world.command(&run(&url, &["--git-verify", &signers])));
    daemon.wait_for("is not signed, so it is not used", SOON);
    assert_eq!(world.ledger().await.writes(), 0);
    repo.commit_signed(&[("clients/beta.yaml", &manifest("beta", &[]))], &jane);
    daemon.wait_for("2 clients: 2 in sync", SOON);
    add(&repo, &["gamma"]);
    eventually("the unsigned one is told of", SOON, || async { daemon.log().matches("is not signed").count() == 2 })
        .await;
    assert_eq!(world.ledger().await.count("accounts_created"), 2);
}

/// The real ssh is not needed to see what it would be told.
#[tokio::test(flavor = "multi_thread")]
async fn over_ssh_only_the_given_key_and_known_hosts_count() {
    let world = World::new(&[]).await;
    let repo = repo(&["acme"]);
    let ssh = repo.program("ssh", "for last; do :; done\nexec sh -c \"$last\"");
    let (key, _) = repo.key("deploy");
    let url = format!("git@git.example:{}", repo.path().display());
    let key = key.display().to_string();
    let mut command = world.command(&run(&url, &["--git-ssh-key", &key, "--git-known-hosts", "/etc/hosts"]));
    command.env("PATH", &ssh.path).env("SSH_AUTH_SOCK", "/tmp/agent").env("GIT_SSH_COMMAND", "false");
    let mut daemon = Running::start(command);
    daemon.wait_for("created account Client acme", SOON);
    daemon.stop();
    let told = ssh.told().replace(&key, "KEY").replace(&repo.path().display().to_string(), "REPO");
    insta::assert_snapshot!(told.lines().next().unwrap().replace(" -o ", "\n-o "), @r#"
    -F /dev/null
    -o BatchMode=yes
    -o StrictHostKeyChecking=yes
    -o IdentitiesOnly=yes
    -o IdentityAgent=none
    -o ClearAllForwardings=yes
    -o PermitLocalCommand=no
    -o ConnectTimeout=20
    -o ServerAliveInterval=15
    -o ServerAliveCountMax=3
    -o IdentityFile="KEY"
    -o UserKnownHostsFile="/etc/hosts"
    -o GlobalKnownHostsFile=/dev/null
    -o SendEnv=GIT_PROTOCOL git@git.example git-upload-pack 'REPO'
    "#);
    assert!(!told.contains("SSH_AUTH_SOCK") && !told.contains("BURSAR"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_repository_branch_or_folder_is_refused_at_the_start() {
    let world = World::new(&[]).await;
    let repo = repo(&["acme"]);
    let url = repo.path().display().to_string();
    world.write("inside", "");
    world.write("open.key", "x");
    let marker = world.path().join("x");
    for args in [
        vec!["--git", "ext::sh -c touch%20x"],
        vec!["--git", "ext::touch"],
        vec!["--git=--upload-pack=touch x;true"],
        vec!["--git", "https://jane:canary@git.example/a"],
        vec!["--git", "http://git.example/a"],
        vec!["--git", &url, "--git-branch=--upload-pack=touch x"],
        vec!["--git", &url, "--git-branch", "+main"],
        vec!["--git", &url, "--git-path", "../elsewhere"],
        vec!["--git", &url, "--git-path=--output=x"],
        vec!["--git", &url, "--git-interval", "0s"],
        vec!["--git", &url, "--git-token-file", "open.key"],
        vec!["--git", &url, "--git-verify", "gone"],
        vec!["--git", "git@git.example:a"],
        vec!["--git", "git@git.example:a", "--git-ssh-key", "open.key"],
        vec!["--git", &url, "clients"],
        vec!["--git-allow-rewind"],
    ] {
        let done = world.run(&[&["run"], args.as_slice()].concat()).await.expect(1);
        assert!(done.stderr.starts_with("Error: ") || done.stderr.starts_with("error: "), "{args:?}: {}", done.stderr);
        assert!(!done.stderr.contains("canary"), "{}", done.stderr);
        assert!(!marker.exists(), "{args:?}");
    }
    assert_eq!(world.ledger().await.requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_file_of_another_journal_in_the_commit_forbids_everything() {
    let world = World::new(&[]).await;
    let repo = repo(&["acme"]);
    repo.commit(&[("bursar.lock", "journal: somebody-elses\n")]);
    let url = repo.path().display().to_string();
    let mut daemon = Running::start(world.command(&run(&url, &[])));
    daemon.wait_for("names the journal somebody-elses", SOON);
    let id = daemon.log().split("and this is ").nth(1).unwrap().split([';', '\n']).next().unwrap().to_owned();
    assert_eq!(world.ledger().await.writes(), 0);
    repo.commit(&[("bursar.lock", &format!("journal: {id}\n"))]);
    daemon.wait_for("created account Client acme", SOON);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_of_a_file_follows_a_branch_as_well() {
    let world = World::new(&[]).await;
    let repo = repo(&["acme"]);
    world.write(
        "fleets.yaml",
        &format!(
            "fleets:\n  - name: north\n    apiUrl: {}\n    tokenFile: token\n    git: {}\n    gitPath: clients\n    \
             gitInterval: 1s\n",
            world.sandbox.api_url(),
            repo.path().display()
        ),
    );
    world.write("token", world.sandbox.token());
    std::fs::set_permissions(world.path().join("token"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = crate::support::bursar(&["run", "--config", "fleets.yaml"]);
    command.current_dir(world.path());
    let mut daemon = Running::start(command);
    daemon.wait_for("created account Client acme", SOON);
    add(&repo, &["beta"]);
    daemon.wait_for("created account Client beta", SOON);
}
