//! What a choice of clients must not hide: people who are to leave accounts that it leaves out.

use std::collections::BTreeSet;

use crate::domain::Email;
use crate::plan::tree::Notice;
use crate::plan::words::count;

use super::{Draft, World};

/// What the selector has to say, and how many clients it leaves out of which somebody is to be
/// offboarded.
pub(super) fn notices(world: &World<'_>) -> Vec<Notice> {
    let mut notices = world.inputs.selector.notices().to_vec();
    if !world.inputs.selector.leaves_out() || world.leavers().next().is_none() {
        return notices;
    }
    let (mut clients, mut people) = (0, BTreeSet::<Email>::new());
    for client in world.left_out() {
        let draft = Draft::begin(world, client);
        let leaving: Vec<&Email> = draft
            .removals
            .iter()
            .filter(|removal| removal.action.offboarding)
            .filter_map(|removal| removal.action.op.person())
            .collect();
        clients += usize::from(!leaving.is_empty());
        people.extend(leaving.into_iter().cloned());
    }
    if clients > 0 {
        notices.push(Notice {
            client: None,
            plan: None,
            message: format!(
                "{} to be offboarded from {} that this plan leaves out, and stay there until a plan without the \
                 choice of clients is carried out",
                count(people.len(), "person is", "people are"),
                count(clients, "client", "clients"),
            ),
        });
    }
    notices
}
