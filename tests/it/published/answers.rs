//! Every answer that DNSimple publishes for the endpoints that are used, in the shapes of its
//! documentation and as its errors really come: with fields left out, null, or unknown.

use bursar::domain::AccountId;
use bursar::provider::dnsimple::Reader;
use bursar::provider::{ApiErrorKind, Billing as _, Examine as _, Holder, Read as _, Webhooks as _};
use fastrand::Rng;
use jiff::civil::date;
use serde_json::{Map, Value, json};

use crate::provider_world::{Reply, impatient, json as reply, message, world};

/// As the documentation shows the entries of each endpoint: an account's name is not among
/// them, and webhooks come without pages.
fn documented(path: &str) -> Value {
    let times = ("2015-09-18T23:04:37Z", "2016-06-09T20:03:39Z");
    match path.split('?').next().unwrap_or_default() {
        "/v2/whoami" => json!({"data": {
            "user": {"id": 7, "email": "ops@agency.example", "created_at": times.0, "updated_at": times.1},
            "account": null
        }}),
        "/v2/accounts" => json!({"data": [
            {"id": 123, "email": "dns@acme.example", "plan_identifier": "dnsimple-personal", "created_at": times.0, "updated_at": times.1},
            {"id": 456, "email": "dns@beta.example", "plan_identifier": "teams-v1-monthly", "created_at": times.0, "updated_at": times.1}
        ]}),
        "/v2/123/billing/charges" => json!({
            "data": [
                {
                    "invoiced_at": times.0, "total_amount": "14.50", "balance_amount": "0.00", "reference": "1-2",
                    "state": "collected", "items": [{
                        "description": "Register bubble.example", "amount": "14.50", "product_id": 1,
                        "product_type": "domain-registration", "product_reference": "bubble.example"
                    }]
                },
                {
                    "invoiced_at": times.1, "total_amount": "1099999.99", "balance_amount": "0.00", "reference": "4-2",
                    "state": "refunded", "items": [
                        {"description": "By hand", "amount": "99999.99", "product_id": null, "product_type": "manual", "product_reference": null},
                        {"description": "By hand", "amount": "1000000.00", "product_id": null, "product_type": "manual", "product_reference": null}
                    ]
                }
            ],
            "pagination": {"current_page": 1, "per_page": 30, "total_entries": 2, "total_pages": 1}
        }),
        "/v2/123/webhooks" => json!({"data": [
            {"id": 1, "url": "https://hooks.agency.example/a", "suppressed_at": null},
            {"id": 2, "url": "https://hooks.agency.example/b"}
        ]}),
        _ => Value::Null,
    }
}

/// What a reader cannot do without; everything else may be missing, null, or joined by more.
const NEEDED: [&str; 7] = ["data", "user", "id", "url", "total_amount", "reference", "pagination"];

fn sparse(value: Value, rng: &mut Rng) -> Value {
    match value {
        Value::Array(entries) => entries.into_iter().map(|entry| sparse(entry, rng)).collect(),
        Value::Object(fields) => {
            let mut kept = Map::new();
            for (name, value) in fields {
                // The totals of a page hold together or not at all.
                let whole = name == "pagination";
                match rng.u8(0..4) {
                    0 if !NEEDED.contains(&name.as_str()) => continue,
                    1 if !NEEDED.contains(&name.as_str()) => drop(kept.insert(name, Value::Null)),
                    _ if whole => drop(kept.insert(name, value)),
                    _ => drop(kept.insert(name, sparse(value, rng))),
                }
            }
            kept.insert("of_tomorrow".to_owned(), json!({"nobody": ["knows", 1, null]}));
            Value::Object(kept)
        }
        other => other,
    }
}

async fn read_everything(reader: &Reader) {
    let id = AccountId::new("123");
    assert!(matches!(reader.greet().await.unwrap().holder, Holder::User(_)));
    assert_eq!(reader.identity().await.unwrap().scope.user_id, "7");
    assert_eq!(reader.accounts().await.unwrap().len(), 2);
    assert_eq!(reader.charges(&id, date(2015, 1, 1), date(2016, 12, 31)).await.unwrap().len(), 2);
    assert_eq!(reader.webhooks(&id).await.unwrap().len(), 2);
    assert!(!reader.offer().await.unwrap().account_management, "there is nothing at /plans");
}

fn path(line: &str) -> &str {
    line.split(' ').nth(1).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_parses_whole_and_sparse() {
    for seed in 0..40 {
        let rng = std::sync::Mutex::new(Rng::with_seed(seed));
        let published = world(move |_, asked| match documented(path(&asked.line)) {
            Value::Null => message(404, "Not found"),
            whole if seed == 0 => reply(200, whole),
            whole => reply(200, sparse(whole, &mut rng.lock().unwrap())),
        })
        .await;
        read_everything(&published.reader()).await;
    }
}

/// The published schema says that a field's fault is one text, and that `errors` is always
/// there; neither is so.
#[tokio::test]
async fn every_form_of_error_is_a_refusal_in_the_services_own_words() {
    let forms: [fn() -> Reply; 6] = [
        || message(400, "Invalid date format must be ISO8601 (YYYY-MM-DD)"),
        || message(403, "Permission Denied. Required Scope: billing:*:read"),
        || reply(400, json!({"message": "Validation failed", "errors": {"url": ["can't be blank", "is not HTTPS"]}})),
        || reply(400, json!({"message": "Validation failed", "errors": {"url": "is not HTTPS"}})),
        || reply(400, json!({"message": "Validation failed", "errors": null})),
        || reply(400, json!({"message": "Validation failed", "errors": ["is odd"], "code": 7})),
    ];
    let mut said = Vec::new();
    for form in forms {
        let server = world(move |_, _| form()).await;
        let reader = server.reader_with(impatient);
        let error = reader.webhooks(&AccountId::new("123")).await.unwrap_err();
        assert!(matches!(error.kind, ApiErrorKind::Refused { status: 400 | 403, .. }), "{error}");
        said.push(error.to_string());
    }
    insta::assert_snapshot!(said.join("\n"), @"
    GET /v2/{account}/webhooks: 400 Invalid date format must be ISO8601 (YYYY-MM-DD) (request id req-0)
    GET /v2/{account}/webhooks: 403 Permission Denied. Required Scope: billing:*:read (request id req-0)
    GET /v2/{account}/webhooks: 400 Validation failed; url can't be blank; url is not HTTPS (request id req-0)
    GET /v2/{account}/webhooks: 400 Validation failed; url is not HTTPS (request id req-0)
    GET /v2/{account}/webhooks: 400 Validation failed (request id req-0)
    GET /v2/{account}/webhooks: 400 Validation failed; errors is odd (request id req-0)
    ");
}
