//! One client's part of the plan, from what was found to the actions in their order.

use std::collections::BTreeMap;

use crate::domain::{Access, Email, Money, PlanId};
use crate::manifest::Client;
use crate::plan::choose::{Target, choose, not_allowed};
use crate::plan::tree::{
    AccountPlan, AccountState, Action, ActionState, Change, Desired, Drift, DriftKind, Op, Reason,
};
use crate::plan::words::describe;
use crate::plan::{ObservedAccount, Reading, digest, manual, price};
use crate::provider::{NewPlan, PlanOffer, Quirk, Subscription};

use super::people::{self, Add, People, Removal};
use super::subscription::{self, Heads, Now, Steps};
use super::{Found, World, state_of};

/// A client's part while the plan is being made.
pub(in crate::plan) struct Draft<'a> {
    pub(in crate::plan) client: &'a Client,
    pub(in crate::plan) found: Found<'a>,
    pub(in crate::plan) people: People,
    /// Who is to leave; moved into `actions` when the account is decided.
    pub(in crate::plan) removals: Vec<Removal>,
    /// In the order in which they are carried out.
    pub(in crate::plan) actions: Vec<Action>,
    pub(in crate::plan) drift: Vec<Drift>,
    /// Seats of the plan in force that are free for people who come; `None` is no limit.
    pub(in crate::plan) free_now: Option<u32>,
    /// What could not be read.
    pub(in crate::plan) message: Option<String>,
    /// List price a month now; `None` is a custom price.
    pub(in crate::plan) before: Option<Money>,
    /// List price a month with everyone wanted; `None` is a custom price.
    pub(in crate::plan) after: Option<Money>,
}

/// The places of the actions in the order of an account.
mod rank {
    pub(super) const OFFBOARD: u8 = 0;
    pub(super) const CREATE: u8 = 1;
    pub(super) const UPDATE: u8 = 2;
    pub(super) const REMOVE_FOR_A_SEAT: u8 = 3;
    pub(super) const BUY: u8 = 4;
    pub(super) const REMOVE: u8 = 5;
    pub(super) const ADD: u8 = 6;
    pub(super) const ACCESS: u8 = 7;
    pub(super) const CUT: u8 = 8;
    pub(super) const UNSUBSCRIBE: u8 = 9;
}

impl<'a> Draft<'a> {
    /// Looks the account up and finds who is to leave it.
    pub(super) fn begin(world: &World<'a>, client: &'a Client) -> Self {
        let found = world.find(client);
        let people = match found.observed() {
            Some(observed) => People::of(world, client, observed),
            None => People::of_new(world),
        };
        let ours = matches!(found, Found::Account(_)) && !client.suspend;
        let removals = if ours { people::removals(world, client, &people) } else { Vec::new() };
        Self {
            client,
            found,
            people,
            removals,
            actions: Vec::new(),
            drift: Vec::new(),
            free_now: Some(0),
            message: None,
            before: None,
            after: None,
        }
    }

    /// What was seen of the subscription: `Err` says why it is not known.
    pub(in crate::plan) fn subscription(&self) -> Result<Option<&'a Subscription>, String> {
        match self.found.observed().map(|observed| &observed.subscription) {
            None => Ok(None),
            Some(Reading::Seen(subscription)) => Ok(subscription.as_ref()),
            Some(Reading::NotRead) => Err("it was not read".to_owned()),
            Some(Reading::Failed(why)) => Err(why.to_string()),
        }
    }

    /// Works the actions out.
    pub(super) fn decide(&mut self, world: &World<'a>) {
        if let Found::Blocked(reason, message) = &self.found {
            let action = Action::blocked(self.creation(), *reason, message.clone());
            self.actions.push(action);
            return;
        }
        if let Found::Account(observed) = self.found {
            self.drift = people::unlisted(world, self.client, observed, &self.people);
        }
        if self.client.suspend && matches!(self.found, Found::Account(_)) {
            // Too late for the rails, which count none of them: they are only shown.
            self.removals = people::removals(world, self.client, &self.people);
        }
        let mut ranked = self.identity(world);
        if world.offer().account_management {
            self.details(world, &mut ranked);
        } else {
            self.details_by_hand(world, &mut ranked);
        }
        if matches!(self.found, Found::New) {
            self.make_at_once(world, &mut ranked);
        }
        ranked.sort_by_key(|(rank, _)| *rank);
        self.actions = ranked.into_iter().map(|(_, action)| action).collect();
        if self.client.suspend {
            for action in &mut self.actions {
                let message = "the client is suspended, so this is shown and not done";
                action.hold(ActionState::Skipped, Reason::Suspended, message);
            }
        } else if let Found::Stranger(_, message) = &self.found {
            hold_for_adoption(&mut self.actions, message);
        }
        if !world.offer().account_management {
            let coming = people::wanted(world, self.client);
            let place = manual::Place {
                pages: manual::Pages::of(world.inputs.api),
                account: self.found.observed().map(|observed| &observed.account.id),
                heads: 1 + coming.iter().filter(|member| member.email != *world.ourselves()).count(),
            };
            manual::by_hand(&mut self.actions, place);
        }
    }

    pub(super) fn creation(&self) -> Op {
        let Client { account_name, notification_email, .. } = self.client;
        Op::CreateAccount { name: account_name.clone(), email: Some(notification_email.clone()), plan: None }
    }

    /// The account itself: made, or given its name and notification email.
    fn identity(&self, world: &World<'_>) -> Vec<(u8, Action)> {
        let client = self.client;
        let conflict = |email: &Email| {
            format!("{email} is the user email of a member, which a notification email cannot be; use another one")
        };
        let Some(observed) = self.found.observed() else {
            let action = if client.notification_email == *world.ourselves() {
                let message = conflict(&client.notification_email);
                Action::blocked(self.creation(), Reason::NotificationEmailConflict, message)
            } else {
                world.recall(&client.name, Action::planned(self.creation()))
            };
            return vec![(rank::CREATE, action)];
        };
        let account = &observed.account;
        let name = (account.name.as_ref() != Some(&client.account_name))
            .then(|| Change { from: account.name.clone(), to: client.account_name.clone() });
        let email = (account.email.as_ref() != Some(&client.notification_email))
            .then(|| Change { from: account.email.clone(), to: client.notification_email.clone() });
        if name.is_none() && email.is_none() {
            return Vec::new();
        }
        let member = email.is_some() && self.people.get(&client.notification_email).is_some();
        let offboarded = self.removals.iter().any(|removal| {
            removal.action.offboarding
                && removal.action.is_planned()
                && removal.action.op.person() == Some(&client.notification_email)
        });
        let op = Op::UpdateAccount { name, email };
        let action = if member && !offboarded {
            Action::blocked(op, Reason::NotificationEmailConflict, conflict(&client.notification_email))
        } else {
            world.recall(&client.name, Action::planned(op))
        };
        vec![(rank::UPDATE, action)]
    }

    /// Makes create and subscribe one action where the server has it so, and what creating
    /// does not take another.
    fn make_at_once(&self, world: &World<'_>, ranked: &mut Vec<(u8, Action)>) {
        let offer = world.offer();
        let chosen = ranked.iter().position(|(_, action)| matches!(action.op, Op::Subscribe { .. }));
        let chosen = chosen.filter(|_| offer.has_quirk(Quirk::PlanAtCreation)).map(|place| ranked.remove(place).1);
        let Some((_, create)) = ranked.iter_mut().find(|(rank, _)| *rank == rank::CREATE) else { return };
        if offer.has_quirk(Quirk::PlanAtCreation) {
            match chosen {
                Some(chosen) => with_plan(create, chosen),
                None if create.is_planned() => {
                    let message = "this server makes no account without a plan, and the manifest names none; write \
                                   plan: with the one that it is to have";
                    create.hold(ActionState::Blocked, Reason::PlanUnavailable, message);
                }
                None => {}
            }
        }
        if offer.has_quirk(Quirk::EmailAfterwards) {
            if let Op::CreateAccount { email, .. } = &mut create.op {
                *email = None;
            }
            if create.is_planned() {
                create.message = describe(&create.op);
            }
            let email = Some(Change { from: None, to: self.client.notification_email.clone() });
            let action = Action::planned(Op::UpdateAccount { name: None, email });
            ranked.push((rank::UPDATE, world.recall(&self.client.name, action)));
        }
    }

    /// Plan, seats and members, over the API.
    fn details(&mut self, world: &World<'a>, ranked: &mut Vec<(u8, Action)>) {
        let subscription = self.subscription();
        if let Some(why) = self.people.unreadable.clone().or_else(|| subscription.as_ref().err().cloned()) {
            let what = if self.people.unreadable.is_some() { "members" } else { "subscription" };
            self.message = Some(format!("its {what} cannot be read, so what depends on that is left as it is: {why}"));
            self.removals.clear();
            if let Ok(Some(subscription)) = subscription {
                self.without_people(world, subscription, ranked);
            }
            return;
        }
        let subscription = subscription.ok().flatten();
        let now = Now::of(subscription);
        let mut adds = people::adds(world, self.client, &self.people);
        let leaving = self.removals.iter().filter(|removal| goes_now(&removal.action)).count();
        let stuck = self.removals.iter().filter(|removal| is_stuck(&removal.action)).count();
        let staying = self.people.count().saturating_sub(u32::try_from(leaving).unwrap_or(u32::MAX));
        let everyone = staying.saturating_add(coming(&adds, |_| true));
        let target = choose(world.offer(), &self.client.plan, now.plan(), everyone);
        let target = target.within(&world.inputs.policy.allowed_plans, world.offer());
        let in_force = now.plan().and_then(|plan| world.offer().plan(plan));
        let final_plan = final_plan(&target, in_force);
        if !self.check_plan(&target, now, &mut adds) {
            people::check_room(&mut adds, final_plan, staying);
        }
        hold_for_a_seat(&mut adds, subscription, staying, stuck);
        let heads = Heads {
            staying,
            seated: staying.saturating_add(coming(&adds, |add| add.known)),
            everyone: staying.saturating_add(coming(&adds, |_| true)),
        };
        let steps = subscription::decide(world, self.client, now, &target, heads);
        let usable = subscription.filter(|_| matches!(now, Now::Active(_)));
        self.free_now = free_now(in_force, usable, staying);
        self.note_drift(world, subscription, &steps);
        note_sign_ups(&mut adds, final_plan, self.free_now);

        let single = final_plan.map_or(now.plan().is_none(), |plan| !plan.multi_member);
        let accesses = people::accesses(world, self.client, &self.people, &self.removals, single);
        let invitations = people::invitations(world, self.client, &self.people, &self.removals);
        self.place_removals(&steps, ranked);
        ranked.extend(steps.before.into_iter().map(|action| (rank::BUY, action)));
        ranked.extend(adds.into_iter().map(|add| (rank::ADD, add.action)));
        ranked.extend(invitations.into_iter().map(|action| (rank::ADD, action)));
        ranked.extend(accesses.into_iter().map(|action| (rank::ACCESS, action)));
        ranked.extend(steps.after.into_iter().map(after));
    }

    /// Removals, before anything is bought where a seat that they free is needed.
    fn place_removals(&mut self, steps: &Steps, ranked: &mut Vec<(u8, Action)>) {
        let place = if steps.before.is_empty() { rank::REMOVE } else { rank::REMOVE_FOR_A_SEAT };
        for Removal { action } in self.removals.drain(..) {
            ranked.push((if action.offboarding { rank::OFFBOARD } else { place }, action));
        }
    }

    /// Blocks those who cannot come because no plan is wanted or to be had; whether that was so.
    fn check_plan(&self, target: &Target<'_>, now: Now<'_>, adds: &mut [Add]) -> bool {
        let message = match target {
            Target::Nothing => "plan: none takes no members; choose a plan for several members, or list nobody",
            Target::Untouched if now.plan().is_none() => {
                "members need a plan, this account has none, and the manifest names none; write plan: with the one \
                 that it is to have"
            }
            Target::Untouched | Target::InForce | Target::Other(_) | Target::Refused { .. } => return false,
        };
        for add in adds.iter_mut().filter(|add| add.action.is_planned()) {
            add.action.hold(ActionState::Blocked, Reason::PlanUnavailable, message);
        }
        true
    }

    /// What is safe while the members are not known: to cancel. Every other plan and every
    /// seat depends on how many they are.
    fn without_people(&self, world: &World<'_>, subscription: &Subscription, ranked: &mut Vec<(u8, Action)>) {
        let now = Now::of(Some(subscription));
        let target = choose(world.offer(), &self.client.plan, now.plan(), 1);
        let nobody = Heads { staying: 0, seated: 0, everyone: 0 };
        if let (Target::Nothing, Now::Active(_)) = (&target, now) {
            let steps = subscription::decide(world, self.client, now, &target, nobody);
            ranked.extend(steps.after.into_iter().map(after));
        }
    }

    fn note_drift(&mut self, world: &World<'_>, subscription: Option<&Subscription>, steps: &Steps) {
        let Found::Account(observed) = self.found else { return };
        let Some(subscription) = subscription.filter(|subscription| subscription.is_active()) else { return };
        let mut note = |what, message| {
            let (account_id, client) = (observed.account.id.clone(), self.client.name.clone());
            self.drift.push(Drift { account_id, client, what, email: None, message });
        };
        if subscription.dunned {
            note(
                DriftKind::Dunned,
                "a renewal failed; the subscription ends 21 days after it unless it is paid".to_owned(),
            );
        }
        if steps.spare > 0 {
            let price = world.offer().plan(&subscription.plan).and_then(PlanOffer::monthly_seat);
            let cost = price.map_or_else(String::new, |price| format!(", {} a month", price * steps.spare));
            let seats = crate::plan::words::count(steps.spare as usize, "spare seat", "spare seats");
            note(DriftKind::SpareSeats, format!("{seats}{cost}; --trim-seats cuts them at renewal"));
        }
    }

    /// Where the service does not offer account management: what can be seen is compared, and
    /// what cannot be seen is said.
    fn details_by_hand(&mut self, world: &World<'a>, ranked: &mut Vec<(u8, Action)>) {
        let observed = self.found.observed();
        let in_force = observed.and_then(|observed| observed.account.plan.as_ref());
        let offer = world.offer();
        match (&self.client.plan, in_force) {
            (crate::manifest::WantedPlan::Untouched, _) | (crate::manifest::WantedPlan::Nothing, None) => {}
            (crate::manifest::WantedPlan::Nothing, Some(plan)) => {
                let note = "the account's domains stop resolving at once, and what is left of the period is lost";
                let op = Op::Unsubscribe { plan: plan.clone() };
                ranked.push((rank::UNSUBSCRIBE, Action::planned(op).noting(note)));
            }
            (crate::manifest::WantedPlan::Choice(word), None) => {
                let op = Op::Subscribe { plan: PlanId::new(word), seats: None };
                ranked.push((rank::BUY, chosen_by_hand(world, op, word)));
            }
            (crate::manifest::WantedPlan::Choice(word), Some(plan)) => {
                if !crate::plan::choose::satisfies(offer, word, plan) {
                    let to = PlanId::new(word);
                    let op = Op::ChangePlan { from: plan.clone(), to, seats: None, downgrade: false };
                    ranked.push((rank::BUY, chosen_by_hand(world, op, word)));
                }
            }
        }
        self.message.clone_from(&self.people.unreadable);
        let accesses = people::accesses(world, self.client, &self.people, &self.removals, false);
        self.place_removals(&Steps::default(), ranked);
        let untold = &self.people.untold;
        let adds = people::adds(world, self.client, &self.people);
        // Whoever may be there already is asked about, and not invited again.
        let absent = |add: &Add| add.action.op.person().is_none_or(|person| !untold.contains(person));
        for mut add in adds.into_iter().filter(absent) {
            // Whether they are users cannot be told apart here: a person does what is left.
            add.action.unregistered = false;
            ranked.push((rank::ADD, add.action));
        }
        let invitations = people::invitations(world, self.client, &self.people, &self.removals);
        ranked.extend(invitations.into_iter().map(|action| (rank::ADD, action)));
        ranked.extend(accesses.into_iter().map(|action| (rank::ACCESS, action)));
    }

    /// The finished part of the plan.
    pub(super) fn finish(self, world: &World<'_>) -> AccountPlan {
        let desired = (!matches!(self.found, Found::Blocked(..))).then(|| self.desired(world));
        let Self { client, found, people, removals: _, actions, drift: _, free_now: _, message, before, after } = self;
        let offered = world.offer().account_management;
        let unread = found.observed().is_some() && (people.unreadable.is_some() || (offered && message.is_some()));
        let state = if client.suspend { AccountState::Suspended } else { state_of(&actions, unread) };
        let mut part = AccountPlan {
            name: client.name.to_string(),
            client: Some(client.name.clone()),
            account_id: found.observed().map(|observed| observed.account.id.clone()),
            source: client.source.clone(),
            labels: client.labels.clone(),
            state,
            actions,
            message,
            told: people.told,
            observed: found.observed().cloned(),
            monthly_before: before,
            monthly_after: after,
            desired,
            digest: String::new(),
        };
        part.digest = digest::account(&part, client);
        part
    }

    /// The account when everything that goes ahead has happened.
    fn desired(&self, world: &World<'_>) -> Desired {
        let observed: Option<&ObservedAccount> = self.found.observed();
        let account = observed.map(|observed| &observed.account);
        let subscription = self.subscription().ok().flatten().filter(|subscription| subscription.is_active());
        let mut desired = Desired {
            name: account.and_then(|a| a.name.clone()).unwrap_or_else(|| self.client.account_name.clone()),
            email: account.and_then(|a| a.email.clone()).unwrap_or_else(|| self.client.notification_email.clone()),
            plan: match subscription {
                Some(subscription) => Some(subscription.plan.clone()),
                None => account.and_then(|a| a.plan.clone()),
            },
            seats: subscription.and_then(|subscription| subscription.seats),
            members: self.people.present.iter().map(|m| (m.email.clone(), m.access)).collect::<BTreeMap<_, Access>>(),
        };
        for action in self.actions.iter().filter(|action| action.is_going()) {
            apply(&mut desired, &action.op);
        }
        // A person who has not signed up yet gets their seat when they have.
        let sells = desired.plan.as_ref().and_then(|plan| world.offer().plan(plan)).is_some_and(price::sells_seats);
        if let Some(seats) = desired.seats.as_mut().filter(|_| sells) {
            *seats = (*seats).max(u32::try_from(desired.members.len()).unwrap_or(u32::MAX));
        }
        desired
    }
}

/// The choice of a plan, where the operator's list has it.
fn chosen_by_hand(world: &World<'_>, op: Op, word: &str) -> Action {
    let (allowed, plan) = (&world.inputs.policy.allowed_plans, PlanId::new(word));
    if allowed.allows(world.offer(), &plan) {
        Action::planned(op)
    } else {
        Action::blocked(op, Reason::GuardRail, not_allowed(allowed, &plan))
    }
}

fn apply(desired: &mut Desired, op: &Op) {
    match op {
        Op::CreateAccount { name, email, plan } => {
            desired.name = name.clone();
            if let Some(email) = email {
                desired.email = email.clone();
            }
            if let Some(NewPlan { plan, seats }) = plan {
                (desired.plan, desired.seats) = (Some(plan.clone()), *seats);
            }
        }
        Op::UpdateAccount { name, email } => {
            if let Some(Change { from: _, to }) = name {
                desired.name = to.clone();
            }
            if let Some(Change { from: _, to }) = email {
                desired.email = to.clone();
            }
        }
        Op::Subscribe { plan, seats } | Op::ChangePlan { from: _, to: plan, seats, downgrade: _ } => {
            (desired.plan, desired.seats) = (Some(plan.clone()), *seats);
        }
        Op::SetSeats { plan: _, from: _, to } => desired.seats = Some(*to),
        Op::RemoveMember { id: _, email, access: _, invited: _ } => {
            desired.members.remove(email);
        }
        Op::AddMember { email, access, .. } | Op::SetAccess { email, to: access, .. } => {
            desired.members.insert(email.clone(), *access);
        }
        Op::Unsubscribe { plan: _ } => (desired.plan, desired.seats) = (None, None),
    }
}

/// Takes the choice of a plan into the create; where it cannot go ahead, neither can.
fn with_plan(create: &mut Action, chosen: Action) {
    let (Op::CreateAccount { plan: with, .. }, Op::Subscribe { plan, seats }) = (&mut create.op, chosen.op) else {
        return;
    };
    *with = Some(NewPlan { plan, seats });
    if !create.is_planned() {
        return;
    }
    match chosen.reason {
        None => create.message = describe(&create.op),
        Some(reason) => create.hold(chosen.state, reason, chosen.message),
    }
}

fn after(action: Action) -> (u8, Action) {
    let place = if matches!(action.op, Op::Unsubscribe { .. }) { rank::UNSUBSCRIBE } else { rank::CUT };
    (place, action)
}

fn coming(adds: &[Add], which: impl Fn(&Add) -> bool) -> u32 {
    let n = adds.iter().filter(|add| add.action.is_going() && which(add)).count();
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Whether somebody who is to leave does so before anything is done about seats.
const fn goes_now(removal: &Action) -> bool {
    matches!(removal.state, ActionState::Planned | ActionState::Applied | ActionState::Manual)
}

/// Whether somebody is to leave, and does not go yet: their seat is not free.
const fn is_stuck(removal: &Action) -> bool {
    matches!(removal.state, ActionState::Waiting | ActionState::Failed)
}

/// Holds as many of those who come as would need the seats of those who do not go yet: none is
/// bought for the time until then.
fn hold_for_a_seat(adds: &mut [Add], subscription: Option<&Subscription>, staying: u32, stuck: usize) {
    let Some(seats) = subscription.and_then(|subscription| subscription.seats) else { return };
    let needed = staying.saturating_add(coming(adds, |add| add.known));
    let held = usize::try_from(needed.saturating_sub(seats)).map_or(stuck, |short| short.min(stuck));
    let last = adds.iter_mut().rev().filter(|add| add.action.is_planned() && add.known);
    for add in last.take(held) {
        let message = "takes the seat of somebody who is to leave and has not left yet";
        add.action.hold(ActionState::Skipped, Reason::DependencyNotMet, message);
    }
}

/// The plan that members are to be on; `None` where there is none or it is not listed.
fn final_plan<'p>(target: &Target<'p>, in_force: Option<&'p PlanOffer>) -> Option<&'p PlanOffer> {
    match target {
        Target::Nothing => None,
        Target::Other(plan) => Some(plan),
        Target::Untouched | Target::InForce | Target::Refused { .. } => in_force,
    }
}

/// Seats of the plan in force that are free once those who leave have left.
fn free_now(in_force: Option<&PlanOffer>, subscription: Option<&Subscription>, staying: u32) -> Option<u32> {
    let Some(subscription) = subscription else { return Some(0) };
    let room = in_force.and_then(price::most_members);
    let seats = match (subscription.seats, in_force) {
        (Some(seats), _) => Some(seats),
        (None, Some(plan)) if price::sells_seats(plan) => Some(price::included(plan)),
        (None, _) => None,
    };
    let most = room.into_iter().chain(seats).min();
    most.map(|most| most.saturating_sub(staying))
}

/// Says of each person who is not known to be a user what happens when they sign up.
fn note_sign_ups(adds: &mut [Add], plan: Option<&PlanOffer>, free: Option<u32>) {
    let known = coming(adds, |add| add.known);
    let mut spare = free.map(|free| free.saturating_sub(known));
    for add in adds.iter_mut().filter(|add| add.action.is_planned() && add.action.unregistered) {
        let seat = match &mut spare {
            None => None,
            Some(0) => plan.filter(|plan| price::sells_seats(plan)).and_then(PlanOffer::monthly_seat),
            Some(left) => {
                *left -= 1;
                None
            }
        };
        let note = match seat {
            Some(price) => {
                format!("once signed up, then also a seat at {price} a month")
            }
            None => "once signed up".to_owned(),
        };
        add.action = add.action.clone().noting(&note);
    }
}

/// Blocks the whole of an account that may be somebody else's: one action says so, the
/// others depend on it.
fn hold_for_adoption(actions: &mut Vec<Action>, message: &str) {
    for action in actions.iter_mut() {
        action.hold(ActionState::Skipped, Reason::DependencyNotMet, "the account is not taken over");
    }
    match actions.first_mut().filter(|action| matches!(action.op, Op::UpdateAccount { .. })) {
        Some(first) => first.hold(ActionState::Blocked, Reason::AdoptionNeeded, message),
        None => {
            let op = Op::UpdateAccount { name: None, email: None };
            actions.insert(0, Action::blocked(op, Reason::AdoptionNeeded, message));
        }
    }
}
