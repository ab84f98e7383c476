//! The operator's policy: what goes before what, what is refused, and that no author of
//! manifests writes one.

use std::os::unix::fs::symlink;
use std::path::Path;

use bursar::domain::Money;
use bursar::plan::{Adopt, AllowedPlans, MaxRemovals, PolicyFile, policy_schema};

use crate::support::{Done, World, manifest};

/// A world of two clients to make, in a folder beside which the operator's files lie.
async fn two_clients() -> World {
    let world = World::new(&[]).await;
    for client in ["acme", "beta"] {
        world.write(&format!("clients/{client}.yaml"), &manifest(client, &[]));
    }
    world
}

fn policy(spec: &str) -> String {
    format!("apiVersion: bursar.dev/v1\nkind: Policy\nspec: {spec}\n")
}

async fn plan(world: &World, args: &[&str], variables: &[(&str, &str)]) -> Done {
    let mut command = world.command(&[&["plan", "clients", "-o", "json"], args].concat());
    command.envs(variables.iter().copied());
    tokio::task::spawn_blocking(move || Done::from(command.output().unwrap())).await.unwrap()
}

/// The value of `--max-creates` that tripped; none where it did not.
fn tripped_at(done: Done) -> Option<String> {
    let rails = done.expect(0).json()["rails"].clone();
    let rail = rails.as_array().unwrap().iter().find(|rail| rail["flag"] == "--max-creates")?;
    Some(rail["value"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_option_goes_before_its_variable_that_before_the_file_and_that_before_what_is_usual() {
    let world = two_clients().await;
    world.write("policy.yaml", &policy("{ maxCreates: 1, allowRemovals: true }"));
    let file = ["--policy", "policy.yaml"];
    let variable = [("BURSAR_MAX_CREATES", "0")];
    assert_eq!(tripped_at(plan(&world, &[], &[]).await), None, "50 are usual");
    assert_eq!(tripped_at(plan(&world, &file, &[]).await).as_deref(), Some("1"));
    assert_eq!(tripped_at(plan(&world, &[], &[("BURSAR_POLICY", "policy.yaml")]).await).as_deref(), Some("1"));
    assert_eq!(tripped_at(plan(&world, &file, &variable).await).as_deref(), Some("0"));
    let all = [&file[..], &["--max-creates", "none"]].concat();
    assert_eq!(tripped_at(plan(&world, &all, &variable).await), None);
}

/// Subscriptions and removals of the last day count, where a journal tells of them.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_bought_and_removed_within_a_day_counts() {
    let world = World::new(&["jane@acme.example", "joe@acme.example"]).await;
    let rails = ["--journal", "j.db", "--max-subscriptions", "1", "--allow-removals", "--max-removals", "1"];
    let apply = [&["apply", "clients", "--yes", "-o", "json"][..], &rails].concat();
    let exclusive = |members: &[&str]| manifest("acme", members) + "  membership: exclusive\n";
    world.write("clients/acme.yaml", &exclusive(&["jane@acme.example", "joe@acme.example"]));
    world.run(&apply).await.expect(0);
    world.write("clients/acme.yaml", &exclusive(&["jane@acme.example"]));
    world.run(&apply).await.expect(0);
    world.write("clients/acme.yaml", &exclusive(&[]));
    world.write("clients/beta.yaml", &manifest("beta", &[]));
    let done = world.run(&apply).await.expect(3).json();
    let messages: Vec<_> =
        done["rails"].as_array().unwrap().iter().map(|rail| rail["message"].as_str().unwrap()).collect();
    insta::assert_debug_snapshot!(messages, @r#"
    [
        "1 of the 3 members in scope would be removed (1 were within 24 hours), and all of them stay; look why, then let this plan pass by its digest (--approve), or set --max-removals 2",
        "1 subscription or larger plan would be bought (1 were within 24 hours), and none of them is; look why, then let this plan pass by its digest (--approve), or set --max-subscriptions 2",
    ]
    "#);
    let ledger = world.ledger().await;
    assert_eq!(ledger.count("accounts_created"), 2, "beta's account costs nothing");
    let after: Vec<usize> = world.members().await.values().map(Vec::len).collect();
    assert_eq!(after, [2, 1], "ourselves in both, and jane");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_wrong_with_a_policy_is_told_with_its_place_and_nothing_is_done() {
    let world = two_clients().await;
    let text = "apiVersion: bursar.dev/v1\nkind: Polcy\nspec:\n  max-creates: 3\n  maxSubscriptions: many\n  \
                allowRemovals: \"yes\"\n  allowedPlans: teams\n  adopt: by-nam\n";
    world.write("policy.yaml", text);
    let done = plan(&world, &["--policy", "policy.yaml"], &[]).await.expect(1);
    assert_eq!((done.stdout.as_str(), world.ledger().await.requests()), ("", 0));
    insta::assert_snapshot!(done.stderr, @r#"
    Error: the policy file policy.yaml does not hold, so nothing was done

    error[BUR0021]: unknown kind `Polcy`
     --> policy.yaml:2:7
      |
    2 | kind: Polcy
      |       ^^^^^
      |
      = help: write `kind: Policy`

    error[BUR0022]: unknown field `max-creates` in spec
     --> policy.yaml:4:3
      |
    4 |   max-creates: 3
      |   ^^^^^^^^^^^
      |
      = help: did you mean `maxCreates`?

    error[BUR0024]: `maxSubscriptions` is to be a whole number or `none`, found `many`
     --> policy.yaml:5:21
      |
    5 |   maxSubscriptions: many
      |                     ^^^^

    error[BUR0024]: `allowRemovals` is to be `true` or `false`, found `yes`
     --> policy.yaml:6:18
      |
    6 |   allowRemovals: "yes"
      |                  ^^^^^
      |
      = help: write true or false, without quotes

    error[BUR0024]: `allowedPlans` is to be a list, found `teams`
     --> policy.yaml:7:17
      |
    7 |   allowedPlans: teams
      |                 ^^^^^
      |
      = help: write a line `- ...` for each, or all of them in `[ ]`

    error[BUR0030]: `adopt` is not `by-nam`
     --> policy.yaml:8:10
      |
    8 |   adopt: by-nam
      |          ^^^^^^
      |
      = help: did you mean `by-name`?
    "#);
    for (text, told) in [
        ("", "the file holds no document"),
        ("kind: Policy\nspec: {}\n", "`apiVersion` is missing"),
        ("apiVersion: bursar.dev/v1\nkind: Policy\n", "`spec` is missing"),
        ("apiVersion: bursar.dev/v1\nkind: ClientAccount\nspec: {}\n", "write `kind: Policy`"),
        ("apiVersion: bursar.dev/v1\nkind: Policy\nspec: { maxCreates: 1 }\n---\nspec: {}\n", "a second document"),
        ("apiVersion: bursar.dev/v1\nkind: Policy\nspec: { maxCreates: 1, maxCreates: 2 }\n", "given twice"),
        ("apiVersion: bursar.dev/v1\nkind: Policy\nspec: { maxCreates: -1 }\n", "a whole number or `none`"),
        ("apiVersion: bursar.dev/v1\nkind: Policy\nspec: { maxCreates: }\n", "`maxCreates` is empty"),
        ("apiVersion: bursar.dev/v1\nkind: Policy\nspec: { maxRemovals: 130% }\n", "`30%,20` or `none`"),
        ("apiVersion: bursar.dev/v1\nkind: Policy\nspec: { maxMonthlyIncrease: 1e3 }\n", "an amount like `1000.00`"),
        ("apiVersion: bursar.dev/v1\nkind: Policy\nspec: { allowedPlans: [Teams!] }\n", "the family of a plan"),
        ("apiVersion: bursar.dev/v1\nkind: Policy\nspec: { apiUrl: \"http://evil.example\" }\n", "unknown field"),
        ("apiVersion: bursar.dev/v1\nkind: Policy\nspec: &a { adopt: *a }\n", "anchors and aliases are not read"),
        ("apiVersion: bursar.dev/v1\nkind: Policy\nspec: [\n", "error[BUR0010]"),
    ] {
        world.write("policy.yaml", text);
        let done = plan(&world, &["--policy", "policy.yaml"], &[]).await.expect(1);
        assert!(done.stderr.contains(told), "{told}:\n{}", done.stderr);
    }
    let done = plan(&world, &["--policy", "nowhere.yaml"], &[]).await.expect(1);
    assert!(done.stderr.starts_with("Error: the policy file nowhere.yaml cannot be read\nCaused by: "));
}

/// Whoever writes a manifest must not write the rails: not there, and not by a link.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_lies_among_the_manifests_is_refused() {
    let world = two_clients().await;
    let lax = policy("{ maxCreates: none }");
    world.write("clients/policies/lax.yaml", &lax);
    world.write("ops/lax.yaml", &lax);
    symlink(world.path().join("ops/lax.yaml"), world.path().join("clients/link.yaml")).unwrap();
    symlink(world.path().join("ops"), world.path().join("clients/folder")).unwrap();
    symlink(world.path().join("clients/policies/lax.yaml"), world.path().join("inward.yaml")).unwrap();
    symlink(world.path().join("clients/link.yaml"), world.path().join("through.yaml")).unwrap();
    for path in [
        "clients/policies/lax.yaml",
        "ops/../clients/policies/lax.yaml",
        "clients/link.yaml",
        "clients/folder/lax.yaml",
        "inward.yaml",
        "through.yaml",
    ] {
        let done = plan(&world, &["--policy", path], &[]).await.expect(1);
        assert!(done.stderr.contains("lies among the manifests"), "{path}: {}", done.stderr);
    }
    let done = world.run(&["plan", "clients/acme.yaml", "--policy", "clients/policies/lax.yaml"]).await.expect(1);
    assert!(done.stderr.contains("lies among the manifests"), "of a single file, its folder counts");
    assert_eq!(world.ledger().await.requests(), 0);
    for link in ["clients/link.yaml", "clients/folder"] {
        std::fs::remove_file(world.path().join(link)).unwrap();
    }
    for path in ["ops/lax.yaml", "clients/../ops/lax.yaml"] {
        plan(&world, &["--policy", path], &[]).await.expect(0);
    }
}

/// A file among the manifests that looks like the operator's changes nothing, and says so.
#[tokio::test(flavor = "multi_thread")]
async fn what_looks_like_a_policy_among_the_manifests_is_ignored_with_a_warning() {
    let world = two_clients().await;
    let digest = |done: Done| done.expect(0).json()["digest"].as_str().unwrap().to_owned();
    let before = digest(plan(&world, &[], &[]).await);
    let whole = policy("{ maxCreates: 0, adopt: by-name, allowedPlans: [solo] }");
    for (name, text) in [
        ("policy.yaml", whole.as_str()),
        ("policy.yml", "maxCreates: 0\n"),
        (".bursar.yaml", &whole),
        (".bursar.toml", "max-creates = 0\n"),
        ("bursar.toml", "max-creates = 0\n"),
        ("bursar.yaml", "maxCreates: 0\n"),
        ("bursar.config.yaml", &whole),
        ("bursar-policy.json", "{}"),
        ("config.yaml", "fleets:\n  - { name: other, apiUrl: \"http://evil.example\", maxCreates: 0 }\n"),
        ("fleets.yaml", "fleets: []\n"),
        ("deep/down/anything.yaml", &whole),
        ("anything.yaml", "apiVersion: bursar.dev/v2\nkind: Policy\nspec: { maxCreates: 0 }\n"),
        ("config-document.yaml", "apiVersion: bursar.dev/v1\nkind: Config\napiUrl: http://evil.example\n"),
    ] {
        let name = format!("clients/{name}");
        world.write(&name, text);
        let done = plan(&world, &[], &[]).await;
        assert!(done.stderr.contains("warning[BUR0006]"), "{name}: {}", done.stderr);
        assert!(done.stderr.contains("with --policy or --config, from outside the folder"), "{}", done.stderr);
        assert_eq!(digest(done), before, "{name}");
        std::fs::remove_file(world.path().join(&name)).unwrap();
    }
    world.write("clients/gamma.yaml", &format!("{}---\n{whole}", manifest("gamma", &[])));
    world.write("clients/policy.yaml", &manifest("delta", &[]));
    let done = plan(&world, &[], &[]).await.expect(0);
    assert_eq!(done.json()["summary"]["create_account"], 4, "manifests beside it, and under such a name, are read");
    assert_eq!(done.stderr.matches("BUR0006").count(), 1, "{}", done.stderr);
}

#[test]
fn the_example_is_a_policy_by_the_schema_and_by_the_reader() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/deploy/policy.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let read = PolicyFile::read("policy.yaml", &text).unwrap();
    let expected = PolicyFile {
        max_creates: Some(Some(20)),
        max_subscriptions: Some(Some(20)),
        max_monthly_increase: Some(Some(Money::cents(50_000))),
        max_removals: Some(MaxRemovals { percent: Some(30), number: Some(20) }),
        allow_removals: Some(true),
        allow_unsubscribe: Some(false),
        allowed_plans: Some(AllowedPlans::new(["teams".to_owned(), "solo-v2-monthly".to_owned()])),
        adopt: Some(Adopt::Matching),
        trim_seats: Some(false),
    };
    assert_eq!(read, expected);
    let schema = jsonschema::validator_for(&policy_schema()).unwrap();
    for (text, holds) in [
        (text.as_str(), true),
        (&policy("{}"), true),
        (&policy("{ maxCreates: none, maxMonthlyIncrease: \"12.50\", maxRemovals: 20 }"), true),
        (&policy("{ maxCreates: many }"), false),
        (&policy("{ maxRemovals: a few }"), false),
        (&policy("{ max-creates: 1 }"), false),
        (&policy("{ adopt: always }"), false),
        (&policy("{ allowRemovals: \"true\" }"), false),
        ("apiVersion: bursar.dev/v1\nkind: Other\nspec: {}\n", false),
    ] {
        let value: serde_json::Value = serde_yaml::from_str(text).unwrap();
        assert_eq!((schema.is_valid(&value), PolicyFile::read("p", text).is_ok()), (holds, holds), "{text}");
    }
}
