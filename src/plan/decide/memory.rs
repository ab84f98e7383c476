//! What the journal has a say in: operations whose outcome is not known, and a freeze.

use std::collections::BTreeMap;

use crate::domain::ClientName;
use crate::plan::known::{Series, VerdictState};
use crate::plan::tree::{Action, ActionState, Op, Reason};

use super::world::told;
use super::{Draft, World};

/// Holds everything that would be written to an account while something that was written to
/// it is not settled, and every create of a name that may have been created.
pub(super) fn hold_unsettled(draft: &mut Draft<'_>, world: &World<'_>) {
    let account = draft.found.observed().map(|observed| &observed.account.id);
    let mut asked = Vec::new();
    for unsettled in &world.inputs.known.unsettled {
        let ours = unsettled.series.client == draft.client.name
            || (account.is_some() && unsettled.account_id.as_ref() == account);
        let mut shown = false;
        let name = unsettled.account_name.as_ref().map(crate::domain::AccountName::key);
        for action in draft.actions.iter_mut().filter(|action| action.is_planned()) {
            let same = unsettled.series == Series::of(&draft.client.name, &action.op);
            let namesake = matches!(&action.op, Op::CreateAccount { name: new, .. } if name == Some(new.key()));
            if same || namesake {
                shown = true;
                *action = told(action.clone(), &unsettled.verdict);
            } else if ours {
                let message = "an earlier request to this account is not settled yet";
                action.hold(ActionState::Skipped, Reason::DependencyNotMet, message);
            }
        }
        let open = unsettled.verdict.state == VerdictState::Blocked && unsettled.series.client == draft.client.name;
        if open && !shown && !draft.client.suspend {
            asked.push(told(Action::planned(draft.creation()), &unsettled.verdict));
        }
    }
    // A question stands even where nothing of its kind is planned any more.
    draft.actions.splice(0..0, asked);
}

/// Holds everything of the clients whose part of the plan is refused; whether there are any.
pub(super) fn refuse(drafts: &mut [Draft<'_>], refused: &BTreeMap<ClientName, String>) -> bool {
    for draft in drafts.iter_mut() {
        let Some(what) = refused.get(&draft.client.name) else { continue };
        for action in draft.actions.iter_mut().filter(|action| action.is_planned()) {
            let message =
                format!("a check of the plan refuses it ({what}), which is a bug in bursar; please report it");
            action.state = ActionState::Failed;
            action.message = message;
        }
    }
    !refused.is_empty()
}

/// Holds everything while the fleet is frozen; whether it is.
pub(super) fn freeze(drafts: &mut [Draft<'_>], frozen: Option<&str>) -> bool {
    let Some(reason) = frozen else { return false };
    let reason = crate::domain::text::inert(reason);
    for action in drafts.iter_mut().flat_map(|draft| &mut draft.actions).filter(|action| action.is_planned()) {
        let message = format!("frozen: {reason}; `bursar unfreeze` lets it go on");
        action.hold(ActionState::Blocked, Reason::Frozen, message);
    }
    true
}
