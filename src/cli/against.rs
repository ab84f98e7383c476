//! A plan from a snapshot's file: no token, no request, no journal.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use jiff::Timestamp;

use crate::controller::PassError;
use crate::domain::text::inert;
use crate::manifest::Wanted;
use crate::plan::{Inputs, Known, Plan, Policy, Selector, checked, lint};
use crate::snapshot::{LARGEST, Recorded};

use super::error::CliError;

/// What would be done if the world still were as it was recorded.
///
/// # Errors
/// The file cannot be read or is no snapshot, or the plan does not hold.
pub fn plan(file: &Path, wanted: &Wanted, policy: &Policy, selector: &Selector) -> Result<Plan, CliError> {
    let recorded = read(file)?;
    let (api, notices) = (recorded.api.clone(), recorded.notices(Timestamp::now()));
    let (wanted, live) = recorded.against(wanted);
    let inputs = Inputs {
        api: &api,
        wanted: &wanted,
        live: &live,
        known: &Known::default(),
        policy,
        selector,
        requests_spent: 0,
    };
    let (mut plan, faults) = checked(&inputs, lint);
    if !faults.is_empty() {
        return Err(PassError::Lint(faults).into());
    }
    plan.notices.splice(0..0, notices);
    Ok(plan)
}

/// Reads no more than the largest snapshot there may be, whatever the file says of its length.
fn read(file: &Path) -> Result<Recorded, CliError> {
    let shown = inert(&file.to_string_lossy()).into_owned();
    let failed = |error: std::io::Error| CliError::new(format!("cannot read {shown}")).because(&error);
    let opened = File::open(file).map_err(failed)?;
    let mut text = Vec::new();
    opened.take(LARGEST as u64 + 1).read_to_end(&mut text).map_err(failed)?;
    Recorded::parse(&text).map_err(|error| {
        CliError::new(format!("cannot plan against {shown}"))
            .because(&error)
            .hint("write it anew: bursar snapshot > FILE")
    })
}
