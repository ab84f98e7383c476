//! The sandbox's bad days: each fault as it looks from outside and what it leaves behind,
//! and the whole program under all of them.

use serde_json::{Value, json};

use crate::support::World;

async fn ask_for(world: &World, wish: Value) {
    let answer = world.http.put(format!("{}/sandbox/faults", world.sandbox.url())).json(&wish).send().await.unwrap();
    assert!(answer.status().is_success());
}

/// What came back: a status and the body, or the word that the connection broke.
async fn create(world: &World) -> Result<(u16, String), &'static str> {
    let request = world.http.post(format!("{}/accounts", world.sandbox.api_url())).bearer_auth(world.sandbox.token());
    let answer = request.json(&json!({"name": "Acme", "email": "a@acme.example"})).send().await;
    let Ok(answer) = answer else { return Err("no answer") };
    let status = answer.status().as_u16();
    answer.text().await.map(|body| (status, body)).map_err(|_| "half an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_looks_as_it_should_and_leaves_what_it_says() {
    for (kind, looks, created) in [
        ("refuse", "no answer", Some(0)),
        ("lose_request", "no answer", Some(0)),
        ("lose_answer", "no answer", Some(1)),
        ("error_500", "500", None),
        ("html_502", "502", None),
        ("quota_429", "429", Some(0)),
        ("slow", "201", Some(1)),
        ("truncate", "half an answer", Some(1)),
    ] {
        let world = World::new(&[]).await;
        ask_for(&world, json!({"rate": 1, "kinds": [kind], "seed": 3, "max": 1})).await;
        let came = match create(&world).await {
            Ok((status, _)) => status.to_string(),
            Err(what) => what.to_owned(),
        };
        assert_eq!(came, looks, "{kind}");
        let ledger = world.ledger().await;
        if let Some(created) = created {
            assert_eq!(ledger.count("accounts_created"), created, "{kind}");
        }
        assert_eq!(ledger.call("POST /v2/accounts"), u64::from(kind != "refuse"), "{kind}");
        assert_eq!(create(&world).await.unwrap().0, 201, "{kind}: one fault was asked for, not two");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_comes_as_often_after_the_deed_as_before() {
    let world = World::new(&[]).await;
    ask_for(&world, json!({"rate": 1, "kinds": ["error_500", "html_502"], "seed": 11})).await;
    for _ in 0..40 {
        create(&world).await.unwrap();
    }
    let created = world.ledger().await.count("accounts_created");
    assert!((10..=30).contains(&created), "{created}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_that_is_none_and_a_kind_that_is_none_are_refused() {
    let world = World::new(&[]).await;
    for wish in [json!({"rate": 2}), json!({"rate": -0.1}), json!({"rate": 1, "kinds": ["fire"]})] {
        let url = format!("{}/sandbox/faults", world.sandbox.url());
        assert_eq!(world.http.put(url).json(&wish).send().await.unwrap().status(), 400, "{wish}");
    }
}

/// A third of everything goes wrong, in every way; apply is typed until nothing is left.
#[tokio::test(flavor = "multi_thread")]
async fn the_main_job_is_done_once_on_the_worst_of_days() {
    let people = ["jane@acme.example", "pat@agency.example"];
    let world = World::new(&people).await;
    for name in ["acme", "beta", "gamma", "delta"] {
        world.client(name, &people);
    }
    ask_for(&world, json!({"rate": 0.34, "seed": 2})).await;
    let mut runs = 0;
    loop {
        runs += 1;
        assert!(runs <= 30, "it does not end");
        if world.run(&["apply", "--yes"]).await.code == 0 && world.run(&["plan", "--detailed-exitcode"]).await.code == 0
        {
            break;
        }
    }
    let ledger = world.ledger().await;
    let counts = ["accounts_created", "subscriptions_created", "members_added"].map(|what| ledger.count(what));
    assert_eq!(counts, [4, 4, 8], "after {runs} runs");
    assert_eq!(ledger.0["mails"].as_array().unwrap().len(), 8, "nobody is written to twice");
}
