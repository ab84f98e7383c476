//! The committed OpenAPI description is the one that the sandbox serves.

use std::path::Path;

#[test]
fn the_openapi_description_is_the_one_that_is_served() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/account-api.openapi.json");
    let generated = bursar::sandbox::openapi();
    if std::env::var_os("BURSAR_RENEW").is_some() {
        std::fs::write(&file, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == generated,
        "schemas/account-api.openapi.json is not up to date; renew it: BURSAR_RENEW=1 cargo test --test it generated"
    );
}

#[test]
fn it_describes_every_call_of_the_contract() {
    let description: serde_json::Value = serde_json::from_str(&bursar::sandbox::openapi()).unwrap();
    let mut calls = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            calls.push(format!("{} {path}", method.to_uppercase()));
        }
    }
    calls.sort();
    insta::assert_snapshot!(calls.join("\n"), @r#"
    DELETE /{account}/members/{id}
    DELETE /{account}/subscription
    DELETE /{account}/webhooks/{id}
    GET /accounts
    GET /accounts/{id}
    GET /plans
    GET /whoami
    GET /{account}/billing/charges
    GET /{account}/members
    GET /{account}/subscription
    GET /{account}/webhooks
    GET /{account}/webhooks/{id}
    PATCH /accounts/{id}
    PATCH /{account}/members/{id}
    POST /accounts
    POST /{account}/members
    POST /{account}/webhooks
    PUT /{account}/subscription
    "#);
    assert_eq!(description["openapi"], "3.1.0");
}
