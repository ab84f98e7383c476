//! Any answer of Netlify's published description parses: examples made out of the names and
//! types of its properties, with fields left out, null, and ones that nobody knows.

use std::sync::LazyLock;

use bursar::domain::{AccountId, Email};
use bursar::provider::ApiErrorKind;
use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::netlify::Netlify;
use super::{Driver, driver_of};
use crate::provider_world::{Asked, json as reply, world};

static FACTS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../facts/netlify.json")).expect("the facts are JSON"));

/// How an example is made less than whole.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Whole,
    /// Each field but an id may be missing, null, or beside an unknown one.
    Sparse,
}

fn example(fact: &Value, how: How, rng: &mut Rng) -> Value {
    match fact {
        Value::Array(of) => (0..rng.usize(0..4)).map(|_| example(&of[0], how, rng)).collect(),
        Value::Object(properties) => properties_of(properties, how, rng),
        Value::String(word) => match word.as_str() {
            "string" => ["", "monthly", "Owner", "jane@acme.example", "Ünï\u{202e}cøde"][rng.usize(0..5)].into(),
            "integer" => json!([0, 1, 19, 4_000_000_000_u64][rng.usize(0..4)]),
            "object" => [json!({}), json!({"collaborators": {"included": 3}}), json!({"collaborators": 7})]
                [rng.usize(0..3)]
            .clone(),
            "dateTime" => json!("2016-12-11T17:31:51.123Z"),
            definition => example(&FACTS["definitions"][definition], how, rng),
        },
        _ => Value::Null,
    }
}

fn properties_of(properties: &Map<String, Value>, how: How, rng: &mut Rng) -> Value {
    let mut made = Map::new();
    for (name, fact) in properties {
        match (name.as_str(), how, rng.u8(0..4)) {
            // What has no id of its own is no entry of a list.
            ("id", ..) => drop(made.insert(name.clone(), json!(format!("id-{}", rng.u32(..))))),
            (_, How::Sparse, 0) => {}
            (_, How::Sparse, 1) => drop(made.insert(name.clone(), Value::Null)),
            _ => drop(made.insert(name.clone(), example(fact, how, rng))),
        }
    }
    if how == How::Sparse && rng.bool() {
        made.insert("brand_new".to_owned(), json!([{"deep": [null, 1.5]}, "x"]));
    }
    Value::Object(made)
}

/// The route of a request, as the facts name it.
fn route(asked: &Asked) -> String {
    let (method, path) = asked.line.split_once(" /api/v1").unwrap();
    match path.split('/').skip(1).collect::<Vec<_>>().as_slice() {
        ["accounts", id] if *id != "types" => format!("{method} /accounts/{{}}"),
        [_, "members"] => format!("{method} /{{}}/members"),
        _ => format!("{method} {path}"),
    }
}

async fn read_everything(driver: &Driver) {
    let reader = &driver.reader;
    reader.identity().await.unwrap();
    let offer = reader.offer().await.unwrap();
    assert!(offer.plans.iter().all(|plan| plan.base_price.is_some() == plan.available));
    for account in reader.accounts().await.unwrap() {
        // Reading its members needs a slug of its own, and is not sent without one.
        if let Err(error) = reader.members(&account.id).await {
            assert!(matches!(error.kind, ApiErrorKind::NotSent { .. }), "{error}");
        }
        assert_eq!(account.subscription.is_some(), account.plan.is_some(), "a plan that is not told was not read");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_of_the_published_description_parses() {
    for how in [How::Whole, How::Sparse] {
        for seed in 0..60 {
            let rng = std::sync::Mutex::new(Rng::with_seed(seed));
            let published = world(move |_, asked| {
                let fact = &FACTS["answers"][route(asked)];
                assert!(!fact.is_null(), "{}", asked.line);
                reply(200, example(fact, how, &mut rng.lock().unwrap()))
            })
            .await;
            read_everything(&driver_of::<Netlify>(&published)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_smallest_answers_of_the_description_parse() {
    let published = world(|_, asked| match route(asked).as_str() {
        "GET /user" | "GET /accounts/{}" => reply(200, json!({"id": "a1"})),
        _ => reply(200, json!([{"id": "a1"}])),
    })
    .await;
    let driver = driver_of::<Netlify>(&published);
    let identity = driver.reader.identity().await.unwrap();
    assert_eq!((identity.scope.user_id.as_str(), identity.email), ("a1", Email::lenient("")));
    let offer = driver.reader.offer().await.unwrap();
    assert_eq!((offer.plans.len(), offer.plans[0].available, offer.unpayable), (2, false, None));
    let accounts = driver.reader.accounts().await.unwrap();
    assert_eq!((accounts.len(), &accounts[0].subscription), (1, &None));
    let id = AccountId::new("a1");
    let error = driver.reader.subscription(&id).await.unwrap_err();
    insta::assert_snapshot!(error, @"GET /api/v1/accounts/{account}: no answer: the account does not say which plan it is on");
    let error = driver.reader.members(&id).await.unwrap_err();
    insta::assert_snapshot!(error, @"GET /api/v1/{account}/members: not sent: the account shows no slug of its own to ask for its members by");
}
