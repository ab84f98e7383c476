//! How a world stands, counted from inside: no request is sent for it, so that no fault hits
//! it and no ledger counts it.

use std::collections::BTreeMap;

use super::service::locked;
use super::world::AccountId;
use super::{AGENCY, Sandbox};

/// What the token's user has, over all accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Accounts that are visible to the token's user.
    pub accounts: usize,
    /// Different names among them.
    pub names: usize,
    /// Subscriptions in force.
    pub subscriptions: usize,
    /// Names that more than one subscription is paid for.
    pub paid_twice: usize,
    /// Members besides the token's user, invited ones included.
    pub people: usize,
    /// What the subscriptions cost each period, in cents; custom prices count nothing.
    pub cents: u64,
    /// Faults that were asked for and happened.
    pub faults: u64,
}

impl Sandbox {
    /// How the world stands now.
    pub async fn standing(&self) -> Standing {
        let faults = locked(&self.service.faults).injected();
        self.service
            .look(|moment| {
                let world = moment.world;
                let mut standing = Standing { faults, ..Standing::default() };
                let mut paid: BTreeMap<&str, usize> = BTreeMap::new();
                for account in moment.visible() {
                    let id: AccountId = account.id;
                    standing.accounts += 1;
                    let paid = paid.entry(&account.name).or_default();
                    let others = world.members_of(id).iter().filter(|member| member.user_id != Some(AGENCY));
                    standing.people += others.count();
                    let Some(subscription) = world.subscriptions.get(&id).filter(|it| it.in_force()) else { continue };
                    *paid += 1;
                    standing.subscriptions += 1;
                    let price = subscription.plan().and_then(|plan| plan.price(subscription.seats));
                    standing.cents += price.unwrap_or_default().0;
                }
                standing.names = paid.len();
                standing.paid_twice = paid.values().filter(|paid| **paid > 1).count();
                standing
            })
            .await
    }

    /// The ids of the accounts of this name.
    pub async fn accounts_named(&self, name: &str) -> Vec<u64> {
        let named = |moment: &super::rules::Moment| {
            moment.visible().filter(|account| account.name == name).map(|account| account.id.0).collect()
        };
        self.service.look(named).await
    }
}
