//! One account's actions, in order: each is sent, its answer read, and the account as the
//! answers show it is carried along.

use std::collections::BTreeSet;

use crate::domain::{Access, AccountId, ClientName, Email, MemberId, PlanId};
use crate::plan::{Action, ActionState, ObservedAccount, Op, OpKind, Reading, Verdict};
use crate::provider::{Account, AccountPatch, Member, MemberState, NewAccount, Subscription, SubscriptionState};

use super::create::Created;
use super::outcome::{Outcome, Refusal};
use super::repeatable::Sent;
use super::verdict::{self, not_done};
use super::{Carried, Executor};

/// How a step ended when it was not applied.
enum Stop {
    /// Waiting, blocked or failed.
    Verdict(Verdict),
    /// The person is a user, and no seat is free: the next round buys one.
    NeedsSeat,
}

/// The run through one account.
pub struct Run<'a> {
    executor: &'a Executor<'a>,
    client: &'a ClientName,
    carried: Carried,
    undone: BTreeSet<OpKind>,
}

impl<'a> Run<'a> {
    pub fn new(executor: &'a Executor<'a>, client: &'a ClientName, carried: Carried) -> Self {
        let undone = carried.verdicts.iter().map(|(key, _)| key.op).collect();
        Self { executor, client, carried, undone }
    }

    pub fn into_carried(self) -> Carried {
        self.carried
    }

    /// Carries out one action, unless an interruption came or what it depends on was not
    /// done: the next plan says so.
    pub async fn step(&mut self, action: &Action) {
        if self.executor.cancel.is_cancelled() {
            self.carried.left += 1;
            return;
        }
        if self.undone.iter().any(|undone| depends_on(action.op.kind(), *undone)) {
            return;
        }
        let progress = self.executor.progress;
        progress.begun(self.client, action);
        match self.send(action).await {
            Ok(()) => {
                let applied = Action { state: ActionState::Applied, reason: None, ..action.clone() };
                progress.applied(self.client, &applied);
                self.carried.applied.push(applied);
            }
            Err(Stop::NeedsSeat) => {
                progress.needs_seat(self.client, action);
                self.carried.registered.extend(action.op.person().cloned());
            }
            Err(Stop::Verdict(verdict)) => {
                progress.not_applied(self.client, action, &verdict);
                self.undone.insert(action.op.kind());
                self.carried.verdicts.push((action.op.key(self.client), verdict));
            }
        }
    }

    async fn send(&mut self, action: &Action) -> Result<(), Stop> {
        match &action.op {
            Op::CreateAccount { name, email } => {
                self.create(&NewAccount { name: name.clone(), email: email.clone() }).await
            }
            Op::UpdateAccount { name, email } => {
                let patch = AccountPatch {
                    name: name.as_ref().map(|change| change.to.clone()),
                    email: email.as_ref().map(|change| change.to.clone()),
                };
                self.update(&patch).await
            }
            Op::Subscribe { plan, seats } => self.subscribe(OpKind::Subscribe, plan, *seats).await,
            Op::ChangePlan { from: _, to, seats, downgrade: _ } => self.subscribe(OpKind::ChangePlan, to, *seats).await,
            Op::SetSeats { plan, from: _, to } => self.subscribe(OpKind::SetSeats, plan, Some(*to)).await,
            Op::RemoveMember { id, email, access: _, invited: _ } => self.remove(id, email).await,
            Op::AddMember { email, access } => self.add(email, *access, action.unregistered).await,
            Op::SetAccess { id, email, from: _, to } => self.set_access(id, email, *to).await,
            Op::Unsubscribe { plan: _ } => self.unsubscribe().await,
        }
    }

    fn id(&self) -> Result<AccountId, Stop> {
        self.carried
            .observed
            .as_ref()
            .map(|observed| observed.account.id.clone())
            .ok_or_else(|| Stop::Verdict(verdict::failed(None, "the account is not there".to_owned())))
    }

    fn observed(&mut self) -> Option<&mut ObservedAccount> {
        self.carried.observed.as_mut()
    }

    async fn create(&mut self, new: &NewAccount) -> Result<(), Stop> {
        match self.executor.create(self.client, new).await {
            Created::One(account) => {
                let owner = Member {
                    id: MemberId::new(""),
                    email: self.executor.identity.email.clone(),
                    access: Access::Full,
                    state: MemberState::Active,
                };
                self.carried.observed = Some(ObservedAccount {
                    account: Account { subscription: None, members: None, ..*account },
                    subscription: Reading::Seen(None),
                    members: Reading::Seen(vec![owner]),
                });
                Ok(())
            }
            Created::Several(ids) => Err(Stop::Verdict(verdict::several(&ids))),
            Created::Unknown(error) => Err(Stop::Verdict(verdict::settling(&error))),
            Created::Not(outcome, error) => Err(Stop::Verdict(not_done(OpKind::CreateAccount, &outcome, &error))),
        }
    }

    async fn update(&mut self, patch: &AccountPatch) -> Result<(), Stop> {
        let id = self.id()?;
        let Executor { reader, writer, .. } = *self.executor;
        let sent = self
            .executor
            .send_repeatable(
                OpKind::UpdateAccount,
                || writer.update_account(&id, patch),
                || async { Ok(reader.account(&id).await?.filter(|account| agrees(account, patch))) },
            )
            .await;
        let account = settled(OpKind::UpdateAccount, sent)?;
        if let Some(observed) = self.observed() {
            observed.account = Account { subscription: None, members: None, ..account };
        }
        Ok(())
    }

    async fn subscribe(&mut self, op: OpKind, plan: &PlanId, seats: Option<u32>) -> Result<(), Stop> {
        let id = self.id()?;
        let Executor { reader, writer, .. } = *self.executor;
        let is_so = |subscription: &Subscription| {
            let in_force = subscription.plan == *plan && subscription.pending_plan.is_none();
            let pending = subscription.pending_plan.as_ref() == Some(plan);
            let enough = seats.is_none() || [subscription.seats, subscription.pending_seats].contains(&seats);
            subscription.is_active() && (in_force || pending) && (enough || pending)
        };
        let sent = self
            .executor
            .send_repeatable(
                op,
                || writer.put_subscription(&id, plan, seats),
                || async { Ok(reader.subscription(&id).await?.filter(is_so)) },
            )
            .await;
        let subscription = settled(op, sent)?;
        if let Some(observed) = self.observed() {
            observed.account.plan = Some(subscription.plan.clone());
            observed.subscription = Reading::Seen(Some(subscription));
        }
        Ok(())
    }

    async fn unsubscribe(&mut self) -> Result<(), Stop> {
        let id = self.id()?;
        let Executor { reader, writer, .. } = *self.executor;
        let sent = self
            .executor
            .send_repeatable(
                OpKind::Unsubscribe,
                || writer.delete_subscription(&id),
                || async {
                    let active = reader.subscription(&id).await?.is_some_and(|s| s.is_active());
                    Ok((!active).then_some(()))
                },
            )
            .await;
        settled(OpKind::Unsubscribe, sent)?;
        if let Some(observed) = self.observed() {
            observed.account.plan = None;
            if let Reading::Seen(Some(subscription)) = &mut observed.subscription {
                subscription.state = SubscriptionState::Unsubscribed;
            }
        }
        Ok(())
    }

    async fn add(&mut self, email: &Email, access: Access, unregistered: bool) -> Result<(), Stop> {
        let id = self.id()?;
        let Executor { reader, writer, .. } = *self.executor;
        let sent = self
            .executor
            .send_repeatable(
                OpKind::AddMember,
                || writer.add_member(&id, email, access),
                || async { Ok(reader.members(&id).await?.into_iter().find(|member| member.email == *email)) },
            )
            .await;
        if let Sent::Not(Outcome::Refused { reason: Refusal::NoSeatFree }, _) = &sent
            && unregistered
        {
            return Err(Stop::NeedsSeat);
        }
        let member = settled(OpKind::AddMember, sent)?;
        if member.state == MemberState::Active {
            self.carried.registered.push(email.clone());
        }
        if let Some(ObservedAccount { members: Reading::Seen(members), .. }) = self.observed() {
            members.retain(|present| present.email != *email);
            members.push(member);
        }
        Ok(())
    }

    async fn set_access(&mut self, member: &MemberId, email: &Email, to: Access) -> Result<(), Stop> {
        let id = self.id()?;
        let Executor { reader, writer, .. } = *self.executor;
        let sent = self
            .executor
            .send_repeatable(
                OpKind::SetAccess,
                || writer.set_access(&id, member, to),
                || async {
                    let members = reader.members(&id).await?;
                    Ok(members.into_iter().find(|present| present.email == *email && present.access == to))
                },
            )
            .await;
        let changed = settled(OpKind::SetAccess, sent)?;
        if let Some(ObservedAccount { members: Reading::Seen(members), .. }) = self.observed() {
            members.retain(|present| present.email != *email);
            members.push(changed);
        }
        Ok(())
    }

    async fn remove(&mut self, member: &MemberId, email: &Email) -> Result<(), Stop> {
        let id = self.id()?;
        let Executor { reader, writer, .. } = *self.executor;
        let sent = self
            .executor
            .send_repeatable(
                OpKind::RemoveMember,
                || writer.remove_member(&id, member),
                || async {
                    let present = reader.members(&id).await?.iter().any(|present| present.id == *member);
                    Ok((!present).then_some(()))
                },
            )
            .await;
        settled(OpKind::RemoveMember, sent)?;
        if let Some(ObservedAccount { members: Reading::Seen(members), .. }) = self.observed() {
            members.retain(|present| present.email != *email);
        }
        Ok(())
    }
}

fn settled<T>(op: OpKind, sent: Sent<T>) -> Result<T, Stop> {
    match sent {
        Sent::Done(value) => Ok(value),
        Sent::Not(outcome, error) => Err(Stop::Verdict(not_done(op, &outcome, &error))),
    }
}

fn agrees(account: &Account, patch: &AccountPatch) -> bool {
    let AccountPatch { name, email } = patch;
    name.as_ref().is_none_or(|name| account.name.as_ref() == Some(name))
        && email.as_ref().is_none_or(|email| account.email.as_ref() == Some(email))
}

/// Whether an action cannot go ahead in this run once one of the other kind was not done.
/// A person who could not be added keeps nobody else out.
const fn depends_on(op: OpKind, undone: OpKind) -> bool {
    match undone {
        OpKind::CreateAccount => true,
        OpKind::Subscribe | OpKind::ChangePlan => {
            matches!(op, OpKind::AddMember | OpKind::SetAccess | OpKind::SetSeats)
        }
        OpKind::SetSeats => matches!(op, OpKind::AddMember),
        OpKind::UpdateAccount | OpKind::RemoveMember | OpKind::AddMember | OpKind::SetAccess | OpKind::Unsubscribe => {
            false
        }
    }
}
