//! The schemas of what `doctor` and `charges` say: committed, checked, and renewed by
//! `BURSAR_RENEW=1 cargo test --test it generated`.

#[test]
fn the_schema_of_doctor_is_the_committed_one() {
    crate::support::committed("schemas/doctor.schema.json", &bursar::doctor::json_schema());
}

#[test]
fn the_schema_of_charges_is_the_committed_one() {
    crate::support::committed("schemas/charges.schema.json", &bursar::charges::json_schema());
}
