//! Saved plans that are refused as a whole: not for here and now, changed, or none at all.

use serde_json::{Value, json};

use super::saved::{apply, forge, plan_file, refused, repository, save, sealed};
use crate::support::{Done, git, manifest};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_for_here_and_now_is_refused_as_a_whole() {
    let world = repository(&["acme"]).await;
    save(&world).await;
    let good = std::fs::read_to_string(plan_file(&world)).unwrap();
    let mut told = Vec::new();
    type Change = fn(&mut Value);
    let forgeries: [(&str, Change); 10] = [
        ("version", |file| file["bursar_version"] = json!("0.0.9")),
        ("format", |file| file["format_version"] = json!("2.0")),
        ("kind", |file| file["kind"] = json!("snapshot")),
        ("old", |file| file["saved_at"] = json!("2020-01-01T00:00:00Z")),
        ("future", |file| file["saved_at"] = json!("2999-01-01T00:00:00Z")),
        ("api", |file| file["api"]["url"] = json!("https://evil.example/v2")),
        ("provider", |file| file["api"]["provider"] = json!("netlify")),
        ("user", |file| file["scope"]["user_id"] = json!("666\u{1b}[31m")),
        ("world", |file| file["scope"]["world_id"] = json!("another")),
        ("path", |file| file["source"]["paths"] = json!(["clients/../../.."])),
    ];
    for (what, change) in forgeries {
        std::fs::write(plan_file(&world), &good).unwrap();
        forge(&world, change);
        told.push(format!("{what}\n{}", refused(&world).await));
    }
    let world_id = saved_world(&good);
    let told = told.join("\n").replace(&world.sandbox.api_url(), "URL").replace(&world_id, "WORLD");
    let told = told.replace(env!("CARGO_PKG_VERSION"), "X").replace(world.path().to_str().unwrap(), "ROOT");
    insta::assert_snapshot!(told, @r#"
    version
    Error: the saved plan plan.json is refused
    Caused by: it was saved by bursar 0.0.9, and this is X
    Hint: nothing was done; make it anew: bursar plan --out FILE
    format
    Error: the saved plan plan.json is refused
    Caused by: it has the format 2.0, and this bursar reads 1
    Hint: nothing was done; make it anew: bursar plan --out FILE
    Hint: a manifest is read as one when its name ends in .yaml
    kind
    Error: the saved plan plan.json is refused
    Caused by: it is no saved plan: its kind is `snapshot`
    Hint: nothing was done; make it anew: bursar plan --out FILE
    Hint: a manifest is read as one when its name ends in .yaml
    old
    Error: the saved plan plan.json is refused
    Caused by: it was saved at 2020-01-01T00:00:00Z, and is good for 24 hours
    Hint: nothing was done; make it anew: bursar plan --out FILE
    future
    Error: the saved plan plan.json is refused
    Caused by: it was saved at 2999-01-01T00:00:00Z, which is in the future: one of the clocks is wrong
    Hint: nothing was done; make it anew: bursar plan --out FILE
    api
    Error: the saved plan plan.json is refused
    Caused by: it is for the API https://evil.example/v2 (dnsimple), and this is URL (dnsimple)
    Hint: give the --api-url and --provider of then
    provider
    Error: the saved plan plan.json is refused
    Caused by: it is for the API URL (netlify), and this is URL (dnsimple)
    Hint: give the --api-url and --provider of then
    user
    Error: the saved plan plan.json is refused
    Caused by: it is for the token of user 666\u{1b}[31m, and this is user 1's
    Hint: nothing was done; make it anew: bursar plan --out FILE
    world
    Error: the saved plan plan.json is refused
    Caused by: it is for the sandbox's world another, and this is the sandbox's world WORLD
    Hint: nothing was done; make it anew: bursar plan --out FILE
    path
    Error: the saved plan plan.json is refused
    Caused by: clients/../../.. does not lie in ROOT
    Hint: run this in the repository that the plan was made for
    "#);

    // The world itself was reset.
    std::fs::write(plan_file(&world), &good).unwrap();
    world.post("/sandbox/reset", json!({})).await;
    assert!(refused(&world).await.contains("it is for the sandbox's world"));
}

fn saved_world(text: &str) -> String {
    let value: Value = serde_json::from_str(text).unwrap();
    value["scope"]["world_id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_of_another_repository_is_refused() {
    let world = repository(&["acme"]).await;
    save(&world).await;
    let other = tempfile::tempdir().unwrap();
    git(other.path(), &["init", "-q"]);
    std::fs::create_dir(other.path().join("clients")).unwrap();
    std::fs::copy(world.path().join("clients/acme.yaml"), other.path().join("clients/acme.yaml")).unwrap();
    git(other.path(), &["add", "-A"]);
    git(other.path(), &["commit", "-q", "-m", "elsewhere"]);
    let mut command = world.command(&["apply", "--yes", plan_file(&world).to_str().unwrap()]);
    command.current_dir(other.path());
    let done = tokio::task::spawn_blocking(move || Done::from(command.output().unwrap())).await.unwrap().expect(1);
    assert!(
        done.stderr.contains("it is of another repository, the one that begins with the commit"),
        "{}",
        done.stderr
    );
    assert_eq!(world.ledger().await.writes(), 0);

    // The same repository, from which the folder is gone.
    std::fs::remove_dir_all(world.path().join("clients")).unwrap();
    let gone = refused(&world).await;
    assert!(gone.contains("cannot read") && gone.contains("No such file"), "{gone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_byte_of_the_file_may_change() {
    let world = repository(&["acme"]).await;
    save(&world).await;
    let good = std::fs::read(plan_file(&world)).unwrap();
    assert!(good.len() < 16_384, "small enough to try every byte: {}", good.len());
    // Every position against the reader, some against the binary.
    let read = |bytes: &[u8]| bursar::plan::saved::open::<bursar::plan::saved::PlanPart>(bytes).map(|_| ());
    assert_eq!(read(&good), Ok(()));
    for place in 0..good.len() {
        let mut changed = good.clone();
        changed[place] = changed[place].wrapping_add(1);
        assert!(read(&changed).is_err(), "byte {place}");
    }
    for place in [0, 1, good.len() / 3, good.len() / 2, good.len() - 70, good.len() - 5, good.len() - 1] {
        let mut changed = good.clone();
        changed[place] ^= 0x01;
        std::fs::write(plan_file(&world), &changed).unwrap();
        let error = refused(&world).await;
        assert!(error.contains("was changed") && error.contains("bursar plan --out FILE"), "byte {place}: {error}");
    }
    std::fs::write(plan_file(&world), [&good[..], &good[..]].concat()).unwrap();
    assert!(refused(&world).await.contains("its checksum is"), "two in one");
    std::fs::write(plan_file(&world), &good).unwrap();
    apply(&world, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_saved_plan_is_refused_in_one_line_and_a_manifest_stays_one() {
    let world = repository(&["acme"]).await;
    save(&world).await;
    let good = std::fs::read_to_string(plan_file(&world)).unwrap();
    let deep = format!("{}{}", "[".repeat(300_000), "]".repeat(300_000));
    for (text, told) in [
        (String::new(), "no saved plan"),
        ("{}".to_owned(), "no saved plan"),
        (deep.clone(), "no saved plan"),
        (manifest("acme", &[]), "no saved plan"),
        (sealed(&good.replacen("\"masked\": false", &format!("\"masked\": {deep}"), 1)), "invalid type"),
        (sealed(&good.replacen("\"accounts\": [", "\"accounts\": [{\"name\": 7},", 1)), "invalid type"),
    ] {
        std::fs::write(plan_file(&world), &text).unwrap();
        let error = refused(&world).await;
        assert!(error.contains(told), "{error}");
        assert!(error.lines().all(|line| line.len() < 500), "{error}");
    }
    // A file that says that it is huge is not read.
    let huge = std::fs::File::create(plan_file(&world)).unwrap();
    huge.set_len(65 * 1024 * 1024).unwrap();
    assert!(refused(&world).await.contains("a saved plan has at most 64 MiB"));

    world.write(
        "other.yaml",
        "{apiVersion: bursar.dev/v1, kind: MemberGroup, metadata: {name: a}, spec: {members: []}}\n",
    );
    world.run(&["apply", "other.yaml", "--yes"]).await.expect(0);
    // Without .json in its name a saved plan is known by how it begins.
    std::fs::write(world.path().join("agreed"), &good).unwrap();
    world.run(&["apply", "agreed", "--yes"]).await.expect(0);
    assert_eq!(world.ledger().await.count("accounts_created"), 1);
}
