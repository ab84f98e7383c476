//! GitHub: from a pull request to the merge and the night after.

use serde_json::json;

use super::runner::Forge;
use crate::support::{World, manifest};

/// A forge with two clients who were applied by the recipe; the commit of main.
async fn applied(world: &World) -> (Forge, String) {
    let forge = Forge::new(world).await;
    forge.init();
    forge.write("clients/acme.yaml", &manifest("acme", &["jane@acme.example"]));
    forge.write("clients/beta.yaml", &manifest("beta", &["bob@beta.example"]));
    let main = forge.push("main", "Two clients");
    merged(&forge, &main);
    (forge, main)
}

/// The id of an account by its name.
async fn account(world: &World, name: &str) -> String {
    let accounts = world.get("/accounts").await;
    let mut accounts = accounts["data"].as_array().unwrap().iter();
    accounts.find(|account| account["name"] == name).unwrap()["id"].to_string().trim_matches('"').to_owned()
}

/// Both jobs of the recipe that applies.
fn merged(forge: &Forge, sha: &str) {
    let plan = forge.run("apply.yml", "plan", sha, &[]).expect(true);
    let changes = plan.outputs["changes"].clone();
    assert_eq!(changes, "true", "{}", plan.log);
    forge.run("apply.yml", "apply", sha, &[("needs.plan.outputs.changes", &changes)]).expect(true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_is_checked_planned_merged_applied_and_looked_after() {
    let world = World::new(&["jane@acme.example", "bob@beta.example", "pat@agency.example"]).await;
    let (forge, main) = applied(&world).await;
    assert_eq!(world.ledger().await.count("accounts_created"), 2);

    forge.run("snapshot.yml", "snapshot", &main, &[]).expect(true);
    let snapshot = forge.show("bursar-snapshot:snapshot.json").expect("a snapshot");
    assert!(!snapshot.contains("jane@acme.example") && snapshot.contains("j***@acme.example#"));

    forge.git(&forge.clone_folder(), &["checkout", "--quiet", "-b", "pat"]);
    forge.write("clients/acme.yaml", &manifest("acme", &["jane@acme.example", "pat@agency.example"]));
    let proposal = forge.push("pat", "Let Pat into acme");
    let event = Forge::event(&main, &proposal);

    let requests = world.ledger().await.requests();
    let checked = forge.run("validate.yml", "validate", &proposal, &event).expect(true);
    assert!(checked.log.contains("Plan against the snapshot") && checked.summary.contains("p***@agency.example#"));
    assert_eq!(world.ledger().await.requests(), requests, "without a token nothing is sent");

    let writes = world.ledger().await.writes();
    forge.run("plan.yml", "plan", &main, &event).expect(true);
    let [comment] = &forge.comments()[..] else { panic!("one comment") };
    assert!(comment.contains("add p***@agency.example#") && !comment.contains("pat@agency.example"), "{comment}");
    assert!(!comment.contains("beta"), "only who is touched: {comment}");
    assert_eq!(world.ledger().await.writes(), writes, "a dry run");

    forge.write("clients/acme.yaml", &manifest("acme", &["pat@agency.example"]));
    let again = forge.push("pat", "And Jane leaves the list");
    let event = Forge::event(&main, &again);
    forge.run("plan.yml", "plan", &main, &event).expect(true);
    let [updated] = &forge.comments()[..] else { panic!("still one comment") };
    assert_ne!(updated, comment, "updated in place");

    let merge = forge.merge();
    merged(&forge, &merge);
    assert_eq!(world.members().await["Client acme"].len(), 3, "owner, Jane (additive) and Pat");
    forge.run("drift.yml", "drift", &merge, &[]).expect(true);

    let acme = account(&world, "Client acme").await;
    let url = format!("{}/{acme}/members", world.sandbox.api_url());
    let members = world.get(&format!("/{acme}/members")).await;
    let pat =
        members["data"].as_array().unwrap().iter().find(|member| member["email"] == "pat@agency.example").unwrap();
    let pat = pat["id"].to_string();
    let removed =
        world.http.delete(format!("{url}/{}", pat.trim_matches('"'))).bearer_auth(world.sandbox.token()).send().await;
    assert!(removed.unwrap().status().is_success(), "somebody removes Pat by hand");
    let drifted = forge.run("drift.yml", "drift", &merge, &[]).expect(false);
    assert!(drifted.log.contains("p***@agency.example#"), "{}", drifted.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_plan_whose_world_moved_applies_the_rest_and_fails() {
    let world = World::new(&["jane@acme.example", "bob@beta.example", "pat@agency.example"]).await;
    let (forge, _) = applied(&world).await;
    for client in ["acme", "beta"] {
        forge.write(&format!("clients/{client}.yaml"), &manifest(client, &["pat@agency.example"]));
    }
    let main = forge.push("main", "Pat everywhere");
    forge.run("apply.yml", "plan", &main, &[]).expect(true);
    let acme = account(&world, "Client acme").await;
    let url = format!("{}/accounts/{acme}", world.sandbox.api_url());
    let renamed = world.http.patch(url).bearer_auth(world.sandbox.token()).json(&json!({"name": "Client acme Ltd"}));
    assert!(renamed.send().await.unwrap().status().is_success(), "while the reviewers think, somebody renames acme");
    let ran = forge.run("apply.yml", "apply", &main, &[("needs.plan.outputs.changes", "true")]).expect(false);
    assert!(ran.log.contains("acme"), "{}", ran.log);
    let members = world.members().await;
    assert!(members["Client beta"].contains(&"pat@agency.example".to_owned()), "{members:?}");
    assert!(!members["Client acme Ltd"].contains(&"pat@agency.example".to_owned()), "{members:?}");
}
