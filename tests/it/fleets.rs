//! Several fleets in one daemon, one of each provider: each with its own token, quota and
//! journal scope, and manifests that never choose.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use bursar::sandbox::{Dialect, Options};

use crate::support::{Running, World, eventually, manifest, unlimited};

const LONG: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn one_daemon_keeps_a_fleet_of_each_provider() {
    let people = vec!["jane@acme.example".to_owned()];
    let domains = World::with(Options { users: people, token: "first".into(), ..unlimited() }).await;
    let sites = World::with(Options { rate_limit: 0, token: "second".into(), ..Options::of(Dialect::Netlify) }).await;
    domains.client("acme", &["jane@acme.example"]);
    sites.write("acme.yaml", &manifest("acme", &["jane@acme.example"]).replace("plan: teams", "plan: pro"));
    let folder = tempfile::tempdir().unwrap();
    let mut config = "fleets:\n".to_owned();
    for (name, provider, world) in [("domains", "dnsimple", &domains), ("sites", "netlify", &sites)] {
        let token = folder.path().join(format!("{name}.token"));
        std::fs::write(&token, world.sandbox.token()).unwrap();
        std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
        config += &format!(
            "  - name: {name}\n    provider: {provider}\n    paths: [{}]\n    apiUrl: {}\n    tokenFile: {}\n    \
             interval: 1s\n",
            world.path().display(),
            world.sandbox.api_url(),
            token.display()
        );
    }
    std::fs::write(folder.path().join("fleets.yaml"), config).unwrap();
    let mut command = crate::support::bursar(&["run", "--config", "fleets.yaml"]);
    let daemon = Running::start({
        command.current_dir(folder.path());
        command
    });
    eventually("both fleets are as their manifests say", LONG, || async {
        let mut done = Vec::new();
        for world in [&domains, &sites] {
            let ledger = world.ledger().await;
            done.push(["accounts_created", "subscriptions_created"].map(|what| ledger.count(what)) == [1, 1]);
            let people = ledger.0["mails"].as_array().unwrap().iter().filter(|mail| mail["to"] == "jane@acme.example");
            done.push(people.count() == 1);
        }
        done == [true; 4]
    })
    .await;
    let ledger = sites.ledger().await;
    let calls = |call: &str| ledger.call(call);
    // One for account and plan, one for the billing email, one a member.
    let writes = (calls("POST /api/v1/accounts"), calls("PUT /api/v1/accounts/{account_id}"), ledger.writes());
    assert_eq!(writes, (1, 1, 3), "{}", ledger.0);
    for (world, provider) in [(&domains, "dnsimple"), (&sites, "netlify")] {
        let plan = world.run(&["plan", ".", "--provider", provider, "--journal", "none", "-o", "json"]).await.expect(0);
        assert_eq!(plan.json()["summary"]["in_sync"], 1, "{}", plan.stdout);
    }
    drop(daemon);
}
