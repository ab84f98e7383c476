//! A plan that the independent check accepts: what it refuses of one client is that client's
//! trouble alone.

use crate::domain::ClientName;

use super::decide::{Inputs, plan};
use super::known::Known;
use super::lint::LintFault;
use super::tree::Plan;

/// Plans, and plans again without the clients whose part `lint` refuses: their actions are
/// failed, with what it says. Faults of the plan as a whole, and of clients that go on being
/// refused, are given back: such a plan is not carried out.
pub fn checked(inputs: &Inputs<'_>, lint: impl Fn(&Plan, &Inputs<'_>) -> Vec<LintFault>) -> (Plan, Vec<LintFault>) {
    let mut known: Known = inputs.known.clone();
    loop {
        let inputs = Inputs { known: &known, ..*inputs };
        let plan = plan(&inputs);
        let faults = lint(&plan, &inputs);
        let before = known.refused.len();
        for LintFault { account, what } in &faults {
            // A document without a readable name has no planned actions.
            if let Ok(client) = ClientName::parse(account) {
                known.refused.entry(client).or_insert_with(|| what.clone());
            }
        }
        if faults.is_empty() || known.refused.len() == before || faults.iter().any(LintFault::is_of_the_whole) {
            return (plan, faults);
        }
    }
}
