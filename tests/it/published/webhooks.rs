//! `bursar webhooks`, the real binary against what is published.

use super::server::Published;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const AT: [&str; 4] = ["--url", "https://hooks.agency.example", "--hook-secret-file", "secret"];

/// Two accounts with manifests, one without, and one of the same name that is perhaps somebody
/// else's.
async fn world() -> Published {
    let world = Published::new().await;
    for (id, client) in [(1, "acme"), (2, "beta"), (3, "zeta")] {
        world.account(id, client);
    }
    world.account(4, "gamma");
    world.held.lock().unwrap().accounts[3]["email"] = "somebody@else.example".into();
    for client in ["acme", "beta", "gamma"] {
        world.client(client, &[]);
    }
    world.secret(&format!("{SECRET}\n"));
    world
}

async fn run(world: &Published, args: &[&str], code: i32) -> String {
    let done = world.run(&[&["webhooks"], args].concat()).await.expect(code);
    let shown = format!("{}---\n{}", done.stdout, done.stderr);
    assert!(!shown.contains(SECRET), "{shown}");
    shown
}

async fn change(world: &Published, what: &str, yes: bool, code: i32) -> String {
    let yes: &[&str] = if yes { &["--yes"] } else { &[] };
    run(world, &[&[what], &AT[..], yes].concat(), code).await
}

fn writes(world: &Published) -> Vec<String> {
    world.server.lines().into_iter().filter(|line| !line.starts_with("GET ")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn our_receiver_is_registered_once_in_each_account_that_is_ours() {
    let world = world().await;
    insta::assert_snapshot!(change(&world, "install", false, 0).await, @"
    acme (account 1): to register https://hooks.agency.example/hooks/dnsimple/[secret]
    beta (account 2): to register https://hooks.agency.example/hooks/dnsimple/[secret]
    ---
    Nothing was changed; with --yes it is.
    ");
    assert_eq!(writes(&world), [""; 0]);
    insta::assert_snapshot!(change(&world, "install", true, 0).await, @"
    acme (account 1): 1 registered
    beta (account 2): 2 registered
    ---
    ");
    insta::assert_snapshot!(change(&world, "install", true, 0).await, @"
    acme (account 1): 1 is registered
    beta (account 2): 2 is registered
    ---
    ");
    assert_eq!(writes(&world), ["POST /v2/1/webhooks", "POST /v2/2/webhooks"]);
    let url = format!("https://hooks.agency.example/hooks/dnsimple/{SECRET}");
    assert!(world.held.lock().unwrap().webhooks.iter().all(|(_, webhook)| webhook["url"] == url));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_is_listed_without_anybodys_secret_and_only_ours_is_removed() {
    let world = world().await;
    {
        let mut held = world.held.lock().unwrap();
        for (account, id, url, suppressed) in [
            ("1", 7, "https://other.example/secret-of-theirs", None),
            ("1", 8, "https://hooks.agency.example/hooks/dnsimple/old", Some("2026-11-20T00:00:00Z")),
            ("2", 9, "no url\u{1b}[2J", None),
        ] {
            let webhook = serde_json::json!({"id": id, "url": url, "suppressed_at": suppressed, "new": {}});
            held.webhooks.push((account.to_owned(), webhook));
        }
    }
    insta::assert_snapshot!(run(&world, &["list"], 0).await, @"
    acme (account 1): 7 https://other.example/…
    acme (account 1): 8 https://hooks.agency.example/…, suppressed since 2026-11-20: nothing answered it, and the service sends nothing more until somebody lifts that on the account's page
    beta (account 2): 9 an address that is none
    ---
    ");
    insta::assert_snapshot!(change(&world, "install", true, 0).await, @"
    acme (account 1): 8 is ours with another secret, suppressed since 2026-11-20: nothing answered it, and the service sends nothing more until somebody lifts that on the account's page
    acme (account 1): 1 registered
    beta (account 2): 2 registered
    ---
    ");
    insta::assert_snapshot!(change(&world, "remove", false, 0).await, @"
    acme (account 1): to remove 8
    acme (account 1): to remove 1
    beta (account 2): to remove 2
    ---
    Nothing was changed; with --yes it is.
    ");
    insta::assert_snapshot!(change(&world, "remove", true, 0).await, @"
    acme (account 1): 8 removed
    acme (account 1): 1 removed
    beta (account 2): 2 removed
    ---
    ");
    let left: Vec<_> = world.held.lock().unwrap().webhooks.iter().map(|(_, webhook)| webhook["id"].clone()).collect();
    assert_eq!(left, [7, 9]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_not_asked_for_again_before_it_is_read() {
    let world = world().await;
    world.held.lock().unwrap().loses = true;
    let lost = change(&world, "install", true, 1).await;
    assert_eq!(lost.matches("the same command once more reads first what came of it").count(), 2, "{lost}");
    world.held.lock().unwrap().loses = false;
    let again = change(&world, "install", true, 0).await;
    assert!(again.contains("acme (account 1): 1 is registered\nbeta (account 2): 2 is registered\n"), "{again}");
    assert_eq!(writes(&world).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_or_an_address_that_does_not_hold_is_refused_before_anything_is_sent() {
    let world = world().await;
    for (secret, mode, says) in [
        ("short", 0o600, "does not hold one secret"),
        ("0123456789abcdef0123456789abcde/", 0o600, "does not hold one secret"),
        (SECRET, 0o644, "is open to other users of this machine (mode 0644)"),
    ] {
        use std::os::unix::fs::PermissionsExt as _;
        world.secret(secret);
        let file = world.folder.path().join("secret");
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
        let refused = change(&world, "install", true, 1).await;
        assert!(refused.contains(says) && !refused.contains(secret), "{refused}");
    }
    world.secret(SECRET);
    for url in ["http://hooks.agency.example", "https://me:pw@h.example", "https://h.example/?a=b", "ftp://x", "x"] {
        let refused = run(&world, &["install", "--url", url, "--hook-secret-file", "secret"], 1).await;
        assert!(refused.contains("expected https://HOST"), "{refused}");
    }
    assert_eq!(world.server.lines(), [""; 0]);
}
