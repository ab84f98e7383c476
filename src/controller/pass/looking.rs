//! Looking: at everything, at some clients, and once more before something is created or
//! decided from what was read long ago.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::{Looked, PassError, ROUNDS, Reconciler, matched, planned, replace};
use crate::controller::keeper::Look;
use crate::controller::observe::{Terms, look_over, managed, observe_accounts, read_details, read_details_of};
use crate::controller::report::BudgetReport;
use crate::controller::rolling::{Choice, Size};
use crate::domain::{AccountId, ClientName};
use crate::execute;
use crate::manifest::Wanted;
use crate::plan::{Action, ObservedAccount, OpKind, Plan, Reading, Reason, Snapshot};
use crate::provider::{ApiError, Capability, Class, Read};

impl Reconciler {
    /// Looks at everything, and settles what the journal left open. What is remembered of
    /// another world is forgotten.
    ///
    /// # Errors
    /// The list could not be read completely, or the journal not be read or written.
    pub async fn observe(&mut self, wanted: &Wanted) -> Result<(), PassError> {
        self.observe_as(wanted, Class::Changed).await
    }

    /// The same, with requests of this class.
    ///
    /// # Errors
    /// As [`Self::observe`].
    pub async fn observe_as(&mut self, wanted: &Wanted, class: Class) -> Result<(), PassError> {
        let began = self.keeper.now();
        let reader = self.reader.of(class);
        let (mut snapshot, anew) = match look_over(reader.as_ref(), self.terms()).await {
            Ok(seen) => seen,
            Err(error) => {
                if matches!(error.status(), Some(401 | 403)) {
                    self.forget_terms();
                }
                return Err(error.into());
            }
        };
        if anew {
            self.terms_at = Some(Instant::now());
        }
        let first = self.keeper.book().is_none();
        if self.keeper.open(&snapshot.identity.scope).await? {
            tracing::warn!("the server shows another world than before; everything that was remembered is forgotten");
            self.memory.clear();
        }
        if snapshot.offer.account_management {
            self.read_details(reader.as_ref(), wanted, &mut snapshot, began).await?;
        }
        self.memory.thaw();
        let matched = matched(wanted, &snapshot);
        let fresh = self.without_stale(&snapshot, began);
        let look =
            Look { wanted, snapshot: fresh.as_ref().unwrap_or(&snapshot), matched: &matched, began, complete: true };
        self.keeper.take_in(&look).await?;
        self.memory.keep(&wanted.clients.iter().map(|client| client.name.clone()).collect());
        if first {
            self.memory.recall(self.keeper.recalled(&super::digests(wanted, None)));
        }
        self.listed = snapshot.accounts.iter().map(|seen| seen.account.id.clone()).collect();
        self.rolling.keep(&snapshot);
        self.snapshot = Some(snapshot);
        self.read_at = Instant::now();
        Ok(())
    }

    /// Whose token it is and what is offered, where that was read lately enough.
    fn terms(&self) -> Option<Terms> {
        let within = self.freshness?.terms;
        self.terms_at.filter(|at| at.elapsed() < within)?;
        let snapshot = self.begun.as_ref().or(self.snapshot.as_ref())?;
        Some((snapshot.identity.clone(), snapshot.offer.clone()))
    }

    /// Whose token it is and what is offered is read again at the next look.
    pub const fn forget_terms(&mut self) {
        self.terms_at = None;
    }

    /// Reads the details that the list did not bring and that are due.
    async fn read_details(
        &mut self,
        reader: &dyn Read,
        wanted: &Wanted,
        snapshot: &mut Snapshot,
        began: Timestamp,
    ) -> Result<(), ApiError> {
        let managed = managed(wanted, snapshot);
        let size = Size::of(snapshot, managed.len());
        let full_pass = self.freshness.map_or(Duration::ZERO, |f| f.full_pass(size, &self.reader.line().quota_use()));
        let must = self.keeper.to_be_read(&self.rolling);
        let previous = self.begun.as_ref().or(self.snapshot.as_ref());
        let (rolls, at_most) = (self.freshness.is_some(), self.freshness.map_or(Duration::ZERO, |f| f.details));
        let choice = Choice { previous, managed: &managed, must: &must, full_pass, at_most, rolls };
        let due = self.rolling.choose(snapshot, choice, Instant::now());
        let embedded = managed.iter().filter(|place| !due.contains(place)).filter(|_| size.embedded);
        let read: Vec<usize> = due.iter().chain(embedded).copied().collect();
        let done = read_details_of(reader, due, snapshot).await;
        self.rolling.note(read.iter().map(|place| &snapshot.accounts[*place]), began, Instant::now());
        // A fleet whose details are more than a window holds is read in several: what was read
        // is not read again for what was not.
        self.begun = done.is_err().then(|| snapshot.clone());
        done
    }

    /// What was seen without details that were read earlier and that nothing vouches for: they
    /// settle nothing. `None` where there are none.
    fn without_stale(&self, snapshot: &Snapshot, began: Timestamp) -> Option<Snapshot> {
        self.freshness?;
        let capabilities = &snapshot.offer.capabilities;
        if capabilities.has(Capability::Bulk) || capabilities.has(Capability::UpdatedAt) {
            return None;
        }
        let mut fresh = snapshot.clone();
        for observed in &mut fresh.accounts {
            if self.rolling.is_older(&observed.account.id, began) {
                (observed.subscription, observed.members) = (Reading::NotRead, Reading::NotRead);
            }
        }
        Some(fresh)
    }

    /// Looks at the accounts of some clients only, one request each where the server embeds
    /// details.
    ///
    /// # Errors
    /// An account could not be read.
    pub async fn look_at(&mut self, wanted: &Wanted, clients: &BTreeSet<ClientName>) -> Result<Looked, PassError> {
        self.look_at_as(wanted, clients, Class::Changed).await
    }

    async fn look_at_as(
        &mut self,
        wanted: &Wanted,
        clients: &BTreeSet<ClientName>,
        class: Class,
    ) -> Result<Looked, PassError> {
        let reader = self.reader.of(class);
        let Some(snapshot) = &mut self.snapshot else { return Ok(Looked::NeedsList) };
        let began = self.keeper.now();
        self.keeper.open(&snapshot.identity.scope).await?;
        self.memory.thaw();
        self.keeper.let_go(wanted).await?;
        let matched = matched(wanted, snapshot);
        let accounts = clients.iter().filter_map(|client| matched.get(client)).cloned();
        let Some(ids) = accounts.collect::<Option<Vec<AccountId>>>() else { return Ok(Looked::NeedsList) };
        let seen = observe_accounts(reader.as_ref(), ids).await?;
        let another_world = reader.line().world() != snapshot.identity.scope.world;
        let Some(seen) = seen.filter(|_| !another_world) else { return Ok(Looked::NeedsList) };
        self.rolling.note(&seen, began, Instant::now());
        let looked_at = Snapshot { accounts: seen.clone(), ..snapshot.clone() };
        replace(snapshot, seen);
        // Only what was looked at settles anything.
        let only_these = self.freshness.is_some().then_some(&looked_at);
        let look = Look { wanted, snapshot: only_these.unwrap_or(snapshot), matched: &matched, began, complete: false };
        self.keeper.take_in(&look).await?;
        self.read_at = Instant::now();
        Ok(Looked::Fresh)
    }

    /// Whether every one of these clients has an account that was seen.
    pub fn are_seen(&self, wanted: &Wanted, clients: &BTreeSet<ClientName>) -> bool {
        self.snapshot.as_ref().is_some_and(|snapshot| {
            let matched = matched(wanted, snapshot);
            clients.iter().all(|client| matched.get(client).is_none_or(Option::is_some))
        })
    }

    /// The plan, made from nothing that is older than the interval where something is to be
    /// done: those accounts are looked at first, and so are the prices before money is spent.
    pub(super) async fn plan_of_fresh(
        &mut self,
        wanted: &Wanted,
        only: Option<&BTreeSet<ClientName>>,
    ) -> Result<Option<Plan>, PassError> {
        for _ in 0..ROUNDS {
            let Some(plan) = self.plan(wanted)? else { return Ok(None) };
            let Some(freshness) = self.freshness else { return Ok(Some(plan)) };
            let old_terms = self.terms_at.is_none_or(|at| at.elapsed() > freshness.interval);
            // An edit may name a plan that was not there an hour ago.
            let unknown = only.is_some_and(|only| names_unknown_plan(&plan, only));
            if old_terms && (unknown || planned(&plan, only).any(costs)) {
                let offer = self.reader.of(Class::Write).offer().await?;
                self.terms_at = Some(Instant::now());
                if let Some(snapshot) = &mut self.snapshot {
                    snapshot.offer = offer;
                }
                continue;
            }
            let stale = self.stale(wanted, &plan, only, freshness.interval);
            if stale.is_empty() {
                return Ok(Some(plan));
            }
            if self.look_at_as(wanted, &stale, Class::Write).await? == Looked::NeedsList {
                self.observe_as(wanted, Class::Write).await?;
            }
        }
        // They change faster than they can be looked at: the next pass begins anew.
        Ok(None)
    }

    /// The clients for whom something is to be done, by details that are old.
    fn stale(
        &self,
        wanted: &Wanted,
        plan: &Plan,
        only: Option<&BTreeSet<ClientName>>,
        interval: Duration,
    ) -> BTreeSet<ClientName> {
        let Some(snapshot) = &self.snapshot else { return BTreeSet::new() };
        if !snapshot.offer.account_management {
            return BTreeSet::new();
        }
        let accounts: BTreeMap<ClientName, Option<AccountId>> = matched(wanted, snapshot);
        let now = Instant::now();
        plan.accounts
            .iter()
            .filter_map(|account| Some((account.client.as_ref()?, account)))
            .filter(|(client, _)| only.is_none_or(|only| only.contains(*client)))
            .filter(|(client, account)| {
                let due = || account.actions.iter().filter(|action| action.is_planned());
                let within = if due().any(costs) { execute::STALE.min(interval) } else { interval };
                let id = accounts.get(*client).and_then(Option::as_ref);
                id.is_some_and(|id| due().next().is_some() && !self.rolling.is_fresh(id, within, now))
            })
            .map(|(client, _)| client.clone())
            .collect()
    }

    /// Once more after what will be created was written down (rule R3).
    pub(super) async fn second_look(&mut self, wanted: &Wanted) -> Result<(), PassError> {
        let began = self.keeper.now();
        let reader = self.reader.of(Class::Write);
        let accounts = reader.accounts().await?;
        let again: BTreeSet<&AccountId> = accounts.iter().map(|account| &account.id).collect();
        if !self.listed.iter().all(|id| again.contains(id)) {
            return Err(PassError::Shrunk);
        }
        if let Some(snapshot) = &mut self.snapshot {
            let seen: HashSet<_> = snapshot.accounts.iter().map(|seen| seen.account.id.clone()).collect();
            let new = accounts.into_iter().filter(|account| !seen.contains(&account.id));
            let new: Vec<ObservedAccount> = new.map(ObservedAccount::from).collect();
            let ids: BTreeSet<AccountId> = new.iter().map(|new| new.account.id.clone()).collect();
            replace(snapshot, new);
            read_details(reader.as_ref(), wanted, snapshot).await?;
            let read = snapshot.accounts.iter().filter(|seen| ids.contains(&seen.account.id));
            self.rolling.note(read, began, Instant::now());
        }
        if let Some(snapshot) = &self.snapshot {
            let matched = matched(wanted, snapshot);
            let fresh = self.without_stale(snapshot, began);
            let snapshot = fresh.as_ref().unwrap_or(snapshot);
            let look = Look { wanted, snapshot, matched: &matched, began, complete: true };
            self.keeper.take_in(&look).await?;
        }
        Ok(())
    }

    /// How the quota stands, and what it is good for with these clients.
    pub fn budget(&self, wanted: &Wanted) -> BudgetReport {
        let quota = self.reader.line().quota_use();
        let Some(snapshot) = &self.snapshot else { return BudgetReport::of(quota, None, self.freshness) };
        let size = Size::of(snapshot, managed(wanted, snapshot).len());
        BudgetReport {
            oldest: self.rolling.oldest(Instant::now()),
            ..BudgetReport::of(quota, Some(size), self.freshness)
        }
    }

    /// How long it is until everything may be looked at in this class.
    pub fn outlook(&self, class: Class) -> Duration {
        let pages = self.snapshot.as_ref().map_or(1, |snapshot| Size::of(snapshot, 0).pages());
        self.reader.of(class).line().outlook(pages)
    }
}

/// Whether an action spends money.
fn costs(action: &Action) -> bool {
    matches!(action.op.kind(), OpKind::CreateAccount | OpKind::Subscribe | OpKind::ChangePlan | OpKind::SetSeats)
}

/// Whether a plan that one of these clients wants is not on sale, as far as is known.
fn names_unknown_plan(plan: &Plan, clients: &BTreeSet<ClientName>) -> bool {
    let accounts = plan.accounts.iter().filter(|account| account.client.as_ref().is_some_and(|c| clients.contains(c)));
    accounts.flat_map(|account| &account.actions).any(|action| action.reason == Some(Reason::PlanUnavailable))
}
