//! Generated files of the plan: committed, checked, and renewed by
//! `BURSAR_RENEW=1 cargo test --test it generated`.

use std::path::Path;

#[test]
fn the_schema_of_policies_is_the_committed_one() {
    super::support::committed("schemas/policy.schema.json", &bursar::plan::policy_schema());
}

#[test]
fn the_schema_of_plans_is_the_committed_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/plan.schema.json");
    let schema = bursar::plan::render::json_schema();
    let wanted = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
    if std::env::var_os("BURSAR_RENEW").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &wanted).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == wanted,
        "schemas/plan.schema.json is not what the code says; renew it with \
         `BURSAR_RENEW=1 cargo test --test it generated`"
    );
}
