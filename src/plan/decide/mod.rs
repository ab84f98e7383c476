//! The planner: from what is wanted and what is there to the actions, account by account.

mod account;
mod memory;
mod people;
mod scope;
mod settle;
mod subscription;
mod told;
mod world;

use crate::manifest::Wanted;

use super::known::Known;
use super::policy::Policy;
use super::rails::Judged;
use super::selector::Selector;
use super::snapshot::Snapshot;
use super::tree::{AccountPlan, AccountState, ApiInfo, Plan, Requests, Summary};
use super::{cause, cost, digest, hold, multiplied, prices, rails, renames};

pub(super) use account::Draft;
pub(super) use settle::cascade;
pub use settle::state_of;
pub use world::may_adopt;
pub(super) use world::{Found, World};

/// Everything that a plan is made from. Nothing else has a part in it: no clock, no
/// randomness, no reading.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// Which API it is for.
    pub api: &'a ApiInfo,
    /// What is wanted.
    pub wanted: &'a Wanted,
    /// What is there. The details of every account that [`super::match_accounts`] matches to
    /// a selected client have been read, or tried.
    pub live: &'a Snapshot,
    /// What is remembered; may be empty.
    pub known: &'a Known,
    /// The operator's word.
    pub policy: &'a Policy,
    /// Which clients are planned. Matching is over all of them.
    pub selector: &'a Selector,
    /// Requests that reading took, to be shown.
    pub requests_spent: u64,
}

/// Decides what to do. The same input gives the same plan, byte by byte; so does the same
/// world in another order of manifests, accounts and members.
pub fn plan(inputs: &Inputs<'_>) -> Plan {
    let world = World::new(inputs);
    let mut judged = Judged::default();
    let mut drafts: Vec<Draft<'_>> = world.selected().map(|client| Draft::begin(&world, client)).collect();
    drafts.sort_by(|a, b| a.client.name.cmp(&b.client.name));

    // Who leaves is settled before seats are counted: a removal that a rail stops frees none.
    rails::removals(&mut drafts, inputs, &mut judged);
    for draft in &mut drafts {
        draft.decide(&world);
        memory::hold_unsettled(draft, &world);
    }
    rails::plans(&drafts, inputs, &mut judged);
    rails::unsubscribes(&mut drafts, inputs.policy, &mut judged);
    rails::creates(&mut drafts, inputs, &mut judged);
    // What is not created buys no subscription, and what is not bought costs nothing.
    drafts.iter_mut().for_each(cascade);
    rails::subscriptions(&mut drafts, inputs, &mut judged);
    for draft in &mut drafts {
        cascade(draft);
        cost::price(draft, &world);
    }
    let multiplied = multiplied::of(&drafts, &world);
    let held_by_money = rails::money(&mut drafts, inputs, &multiplied, &mut judged);
    let refused = memory::refuse(&mut drafts, &inputs.known.refused);
    if memory::freeze(&mut drafts, inputs.known.frozen.as_deref()) || held_by_money || refused {
        for draft in &mut drafts {
            cascade(draft);
            cost::price(draft, &world);
        }
    }
    // Last, so that rails count it and a freeze drops it.
    hold::keep(&mut drafts, &inputs.known.held);
    cause::tell(&mut drafts, inputs.known);

    let mut drift: Vec<_> = drafts.iter_mut().flat_map(|draft| std::mem::take(&mut draft.drift)).collect();
    drift.sort();
    let mut notices = scope::notices(&world);
    notices.extend(renames::notices(&world, &drafts));
    let mut accounts: Vec<AccountPlan> = drafts.into_iter().map(|draft| draft.finish(&world)).collect();
    accounts.extend(world.invalid());
    accounts.sort_by(|a, b| (&a.name, &a.source).cmp(&(&b.name, &b.source)));
    notices.extend(prices::notices(&world, &accounts));
    let summary = summarise(&accounts);
    let to_apply = accounts.iter().flat_map(|account| &account.actions).filter(|action| action.is_planned()).count();
    let mut plan = Plan {
        digest: String::new(),
        api: inputs.api.clone(),
        drift,
        unmanaged: cost::unmanaged(&world),
        notices,
        rails: judged.tripped,
        passed: judged.passed,
        multiplied,
        cost: cost::total(&accounts),
        summary,
        requests: Requests { spent: inputs.requests_spent, to_apply: to_apply as u64 },
        accounts,
    };
    plan.digest = digest::whole(&plan, inputs);
    plan
}

/// Counts the planned actions by kind, what does not go ahead by state, and the accounts
/// that are as they should be.
pub(super) fn summarise(accounts: &[AccountPlan]) -> Summary {
    use super::known::OpKind;
    use super::tree::{ActionState, Op};
    let mut summary = Summary::default();
    for account in accounts {
        summary.in_sync += u32::from(account.state == AccountState::InSync);
        for action in &account.actions {
            let counter = match action.state {
                ActionState::Planned => match action.op.kind() {
                    OpKind::CreateAccount => &mut summary.create_account,
                    OpKind::UpdateAccount => &mut summary.update_account,
                    OpKind::Subscribe => &mut summary.subscribe,
                    OpKind::ChangePlan => &mut summary.change_plan,
                    OpKind::SetSeats => &mut summary.set_seats,
                    OpKind::RemoveMember => &mut summary.remove_member,
                    OpKind::AddMember => &mut summary.add_member,
                    OpKind::SetAccess => &mut summary.set_access,
                    OpKind::Unsubscribe => &mut summary.unsubscribe,
                },
                ActionState::Waiting => &mut summary.waiting,
                ActionState::Blocked => &mut summary.blocked,
                ActionState::Manual => &mut summary.manual,
                ActionState::Applied | ActionState::Failed | ActionState::Skipped => continue,
            };
            *counter += 1;
            // One request, and a plan is bought all the same.
            let with_plan = matches!(action.op, Op::CreateAccount { plan: Some(_), .. });
            summary.subscribe += u32::from(with_plan && action.is_planned());
        }
    }
    summary
}
