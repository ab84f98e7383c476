//! One account's actions, in order: each is sent, its answer read, and the account as the
//! answers show it is carried along.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::{Access, AccountId, ClientName, Email, MemberId, PlanId, RequestId};
use crate::journal::request::{agrees, is_in_force, may};
use crate::journal::{FactKind, Intent};
use crate::plan::{AccountPlan, Action, ActionState, ObservedAccount, Op, OpKind, Reading, Verdict};
use crate::provider::{Account, AccountPatch, Grant, Member, MemberState, Subscription, SubscriptionState};
use crate::provider::{Class, Write, Written};

use super::create::Created;
use super::intent::{Why, intent};
use super::repeatable::Sent;
use super::verdict;
use super::{Carried, Executor, STALE};

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
    account: &'a AccountPlan,
    carried: Carried,
    undone: BTreeSet<OpKind>,
    /// The server's id of the last request that was carried out.
    request_id: Option<RequestId>,
}

impl<'a> Run<'a> {
    pub fn new(executor: &'a Executor<'a>, client: &'a ClientName, account: &'a AccountPlan, carried: Carried) -> Self {
        let undone = carried.verdicts.iter().map(|(key, _)| key.op).collect();
        Self { executor, client, account, carried, undone, request_id: None }
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
                let request_id = self.request_id.take();
                let applied = Action { state: ActionState::Applied, reason: None, request_id, ..action.clone() };
                progress.applied(self.client, &applied);
                self.carried.applied.push(applied);
            }
            Err(Stop::NeedsSeat) => {
                progress.needs_seat(self.client, action);
                self.note_registered(action.op.person()).await;
                self.carried.registered.extend(action.op.person().cloned());
            }
            Err(Stop::Verdict(verdict)) => {
                progress.not_applied(self.client, action, &verdict);
                self.undone.insert(action.op.kind());
                self.carried.verdicts.push((action.op.key(self.client), verdict));
            }
        }
    }

    /// Remembered at once, not at the end of the round: a process that dies before would ask
    /// the service anew, and so might the next one, for ever.
    async fn note_registered(&self, person: Option<&Email>) {
        let (book, Some(person)) = (self.executor.book, person) else { return };
        let fact = book.fact(FactKind::Registered, person.key(), person.as_str());
        if let Err(error) = book.note(vec![fact], Vec::new(), Vec::new()).await {
            // The next pass finds it out again.
            tracing::debug!(%error, "that somebody is a user was not written down");
        }
    }

    async fn send(&mut self, action: &Action) -> Result<(), Stop> {
        let intent = &self.intent(action);
        match &action.op {
            Op::CreateAccount { .. } => self.create(intent).await,
            Op::UpdateAccount { name, email } => {
                let patch = AccountPatch {
                    name: name.as_ref().map(|change| change.to.clone()),
                    email: email.as_ref().map(|change| change.to.clone()),
                };
                self.update(intent, &patch).await
            }
            Op::Subscribe { plan, seats } => self.subscribe(OpKind::Subscribe, intent, plan, *seats).await,
            Op::ChangePlan { from: _, to, seats, downgrade: _ } => {
                self.subscribe(OpKind::ChangePlan, intent, to, *seats).await
            }
            Op::SetSeats { plan, from: _, to } => self.subscribe(OpKind::SetSeats, intent, plan, Some(*to)).await,
            Op::RemoveMember { id, email, access: _, invited: _ } => self.remove(intent, id, email).await,
            Op::AddMember { email, access, role } => {
                let grant = Grant { access: *access, role: role.clone() };
                self.add(intent, email, &grant, action.unregistered).await
            }
            Op::SetAccess { id, email, from: _, to, role } => {
                let grant = Grant { access: *to, role: role.clone() };
                self.set_access(intent, id, email, &grant).await
            }
            Op::Unsubscribe { plan: _ } => self.unsubscribe(intent).await,
        }
    }

    fn intent(&self, action: &Action) -> Intent {
        let Executor { offer, revision, wanted, read_began, heal, .. } = *self.executor;
        let observed = self.carried.observed.as_ref();
        let now = observed.and_then(|observed| observed.subscription.seen()).and_then(Option::as_ref);
        let why = Why {
            client: self.client,
            source: &self.account.source,
            revision,
            wanted: wanted.get(self.client).map(String::as_str),
            read_began,
            heal,
        };
        intent(why, action, observed.map(|observed| &observed.account.id), offer, now, self.executor.keys())
    }

    /// What is there now, where it was done.
    fn settled<T>(&mut self, sent: Sent<T>) -> Result<T, Stop> {
        match sent {
            Sent::Done(Written { value, request_id }) => {
                self.request_id = request_id;
                Ok(value)
            }
            Sent::NoSeatFree(verdict) | Sent::Not(verdict) => Err(Stop::Verdict(verdict)),
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

    async fn create(&mut self, intent: &Intent) -> Result<(), Stop> {
        match self.executor.create(intent).await {
            Created::One(written) => {
                let Written { value: account, request_id } = *written;
                self.request_id = request_id;
                let owner = Member {
                    id: MemberId::new(""),
                    email: self.executor.identity.email.clone(),
                    access: Access::Full,
                    role: None,
                    state: MemberState::Active,
                };
                let subscription = account.subscription.clone().flatten();
                self.carried.observed = Some(ObservedAccount {
                    account: Account { subscription: None, members: None, ..account },
                    subscription: Reading::Seen(subscription),
                    members: Reading::Seen(vec![owner]),
                });
                Ok(())
            }
            Created::Several(ids) => Err(Stop::Verdict(verdict::several(&ids))),
            Created::Not(verdict) => Err(Stop::Verdict(verdict)),
        }
    }

    async fn update(&mut self, intent: &Intent, patch: &AccountPatch) -> Result<(), Stop> {
        let AccountPatch { name, email } = patch;
        let id = self.id()?;
        let Executor { reader, .. } = *self.executor;
        let sent = self
            .executor
            .send_repeatable(
                OpKind::UpdateAccount,
                intent,
                async |writer: Arc<dyn Write>| writer.update_account(&id, patch).await,
                || async {
                    let account = reader.account(&id).await?;
                    Ok(account.filter(|account| agrees(account, name.as_ref(), email.as_ref())))
                },
                |_| false,
            )
            .await;
        let account = self.settled(sent)?;
        if let Some(observed) = self.observed() {
            observed.account = Account { subscription: None, members: None, ..account };
        }
        Ok(())
    }

    async fn subscribe(&mut self, op: OpKind, intent: &Intent, plan: &PlanId, seats: Option<u32>) -> Result<(), Stop> {
        let id = self.id()?;
        self.still_as_planned(&id).await?;
        let Executor { reader, .. } = *self.executor;
        let is_so = |subscription: &Subscription| is_in_force(subscription, plan, seats);
        let sent = self
            .executor
            .send_repeatable(
                op,
                intent,
                async |writer: Arc<dyn Write>| writer.put_subscription(&id, plan, seats).await,
                || async { Ok(reader.subscription(&id).await?.filter(is_so)) },
                |_| false,
            )
            .await;
        let subscription = self.settled(sent)?;
        if subscription.state == SubscriptionState::Subscribing {
            // Nobody can be added before its payment has settled: what needs it is left to the
            // plan after that.
            self.undone.insert(op);
        }
        if let Some(observed) = self.observed() {
            observed.account.plan = Some(subscription.plan.clone());
            observed.subscription = Reading::Seen(Some(subscription));
        }
        Ok(())
    }

    /// Before money moves, plan and seats must be those that the plan was made from. What was
    /// read a moment ago is not read again.
    async fn still_as_planned(&self, id: &AccountId) -> Result<(), Stop> {
        if self.executor.read_at.elapsed() < STALE {
            return Ok(());
        }
        let expected = self.carried.observed.as_ref().and_then(|observed| observed.subscription.seen());
        match self.executor.reader.of(Class::Write).subscription(id).await {
            Ok(now) if expected.is_some_and(|expected| same_terms(expected.as_ref(), now.as_ref())) => Ok(()),
            Ok(_) => Err(Stop::Verdict(verdict::moved("plan or seats"))),
            Err(error) => {
                let message = format!("plan and seats could not be read again, so nothing was bought: {error}");
                Err(Stop::Verdict(verdict::failed(Some(&error), message)))
            }
        }
    }

    async fn unsubscribe(&mut self, intent: &Intent) -> Result<(), Stop> {
        let id = self.id()?;
        let Executor { reader, .. } = *self.executor;
        let sent = self
            .executor
            .send_repeatable(
                OpKind::Unsubscribe,
                intent,
                async |writer: Arc<dyn Write>| writer.delete_subscription(&id).await,
                || async {
                    let active = reader.subscription(&id).await?.is_some_and(|s| s.is_active());
                    Ok((!active).then_some(()))
                },
                |()| false,
            )
            .await;
        self.settled(sent)?;
        if let Some(observed) = self.observed() {
            observed.account.plan = None;
            if let Reading::Seen(Some(subscription)) = &mut observed.subscription {
                subscription.state = SubscriptionState::Unsubscribed;
            }
        }
        Ok(())
    }

    async fn add(&mut self, intent: &Intent, email: &Email, grant: &Grant, unregistered: bool) -> Result<(), Stop> {
        let id = self.id()?;
        let Executor { reader, .. } = *self.executor;
        let sent = self
            .executor
            .send_repeatable(
                OpKind::AddMember,
                intent,
                async |writer: Arc<dyn Write>| writer.add_member(&id, email, grant).await,
                || async { Ok(reader.members(&id).await?.into_iter().find(|member| member.email == *email)) },
                |member| member.state == MemberState::Invited,
            )
            .await;
        if matches!(sent, Sent::NoSeatFree(_)) && unregistered {
            return Err(Stop::NeedsSeat);
        }
        let member = self.settled(sent)?;
        if member.state == MemberState::Active {
            self.carried.registered.push(email.clone());
        }
        if let Some(ObservedAccount { members: Reading::Seen(members), .. }) = self.observed() {
            members.retain(|present| present.email != *email);
            members.push(member);
        }
        Ok(())
    }

    async fn set_access(
        &mut self,
        intent: &Intent,
        member: &MemberId,
        email: &Email,
        grant: &Grant,
    ) -> Result<(), Stop> {
        let id = self.id()?;
        let Executor { reader, .. } = *self.executor;
        let sent = self
            .executor
            .send_repeatable(
                OpKind::SetAccess,
                intent,
                async |writer: Arc<dyn Write>| writer.set_access(&id, member, grant).await,
                || async {
                    let members = reader.members(&id).await?;
                    let so = |present: &Member| may(present, grant.access, grant.role.as_ref());
                    Ok(members.into_iter().find(|present| present.email == *email && so(present)))
                },
                |_| false,
            )
            .await;
        let changed = self.settled(sent)?;
        if let Some(ObservedAccount { members: Reading::Seen(members), .. }) = self.observed() {
            members.retain(|present| present.email != *email);
            members.push(changed);
        }
        Ok(())
    }

    async fn remove(&mut self, intent: &Intent, member: &MemberId, email: &Email) -> Result<(), Stop> {
        let id = self.id()?;
        let Executor { reader, .. } = *self.executor;
        let sent = self
            .executor
            .send_repeatable(
                OpKind::RemoveMember,
                intent,
                async |writer: Arc<dyn Write>| writer.remove_member(&id, member).await,
                || async {
                    let present = reader.members(&id).await?.iter().any(|present| present.id == *member);
                    Ok((!present).then_some(()))
                },
                |()| false,
            )
            .await;
        self.settled(sent)?;
        if let Some(ObservedAccount { members: Reading::Seen(members), .. }) = self.observed() {
            members.retain(|present| present.email != *email);
        }
        Ok(())
    }
}

/// Whether two readings of a subscription come to the same plan and seats, now and later.
fn same_terms(a: Option<&Subscription>, b: Option<&Subscription>) -> bool {
    let terms = |subscription: &Subscription| {
        let Subscription { plan, state: _, seats, dunned, pending_plan, pending_seats, .. } = subscription;
        (plan.clone(), subscription.is_active(), *seats, *dunned, pending_plan.clone(), *pending_seats)
    };
    a.map(terms) == b.map(terms)
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
