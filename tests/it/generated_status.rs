//! The schema of a status: committed, checked, and renewed by
//! `BURSAR_RENEW=1 cargo test --test it generated`.

use crate::support::committed;

#[test]
fn the_schema_of_statuses_is_the_committed_one() {
    committed("schemas/status.schema.json", &bursar::controller::status::json_schema());
}
