//! Each rule, by table: a world, a request, and what comes of it.

mod buying;
mod dunning;
mod joining;
mod owning;
mod settling;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::people::{Arrangement, SignUp};
use super::subscription::Chosen;
use super::{
    Door, Extension, MemberMode, Moment, Refusal, Terms, accounts, members, people, subscription, time, webhooks,
};
use crate::sandbox::world::{
    Access, Account, AccountId, Draft, Member, MemberId, Subscription, SubscriptionState, UserId, World,
};

const SOLO: &str = "solo-v2-monthly";
const TEAMS: &str = "teams-v2-monthly";
const US: UserId = UserId(1);
const PAYS: &str = "4242 4242 4242 4242";
const FAILS: &str = "4000 0000 0000 0341";

/// A world in which requests follow one another.
struct Play {
    world: World,
    terms: Terms,
    settling: SignedDuration,
    now: Timestamp,
}

impl Play {
    fn new() -> Self {
        let now = "2026-01-31T12:00:00Z".parse().unwrap();
        let mut play = Self { world: World::default(), terms: Terms::default(), settling: SignedDuration::ZERO, now };
        play.user("agency@example.com", Some(true), Some(PAYS));
        play.user("jane@acme.example", None, None);
        play.user("pat@agency.example", None, None);
        play
    }

    fn invite() -> Self {
        let mut play = Self::new();
        play.terms.member_mode = MemberMode::Invite;
        play
    }

    fn ask_as<T>(
        &mut self,
        caller: UserId,
        ask: impl FnOnce(&Moment) -> Result<(Draft, T), Refusal>,
    ) -> Result<T, Refusal> {
        let moment = Moment {
            world: &self.world,
            caller,
            now: self.now,
            terms: &self.terms,
            settling: self.settling,
            door: Door::Api,
        };
        let (draft, told) = ask(&moment)?;
        self.world.apply(draft);
        Ok(told)
    }

    fn ask<T>(&mut self, ask: impl FnOnce(&Moment) -> Result<(Draft, T), Refusal>) -> Result<T, Refusal> {
        self.ask_as(US, ask)
    }

    fn user(&mut self, email: &str, verified: Option<bool>, card: Option<&str>) -> UserId {
        let person = SignUp { email: email.to_owned(), verified, card: card.map(str::to_owned) };
        self.ask(|m| people::sign_up(m, &person)).unwrap().0.id
    }

    fn create(&mut self) -> AccountId {
        self.ask(|m| accounts::create(m, Some("Acme"), Some("dns@agency.example"))).unwrap().id
    }

    fn on(&mut self, plan: &str, seats: u32) -> AccountId {
        let id = self.create();
        self.choose(id, plan, Some(seats)).unwrap();
        id
    }

    fn choose(&mut self, id: AccountId, plan: &str, seats: Option<u32>) -> Result<Chosen, Refusal> {
        self.ask(|m| subscription::choose(m, id, Some(plan), seats))?
    }

    fn add(&mut self, id: AccountId, email: &str) -> Result<Member, Refusal> {
        self.ask(|m| members::add(m, id, Some(email), None))
    }

    fn days(&mut self, days: i64) {
        let seconds = days * 24 * 60 * 60;
        let to = self.now.saturating_add(SignedDuration::from_secs(seconds)).unwrap();
        self.ask(|m| time::advance(m, seconds)).unwrap();
        self.now = to;
    }

    fn subscription(&self, id: AccountId) -> &Subscription {
        &self.world.subscriptions[&id]
    }

    /// Plan, seats and what is pending.
    fn stand(&self, id: AccountId) -> String {
        let it = self.subscription(id);
        let pending = it.pending_plan_identifier.as_deref().unwrap_or("-");
        let seats = it.pending_seats.map_or_else(|| "-".to_owned(), |seats| seats.to_string());
        format!("{} {} | {pending} {seats}", it.plan_identifier, it.seats)
    }

    /// Another card of the token's user.
    fn card(&mut self, card: &str) {
        self.user("agency@example.com", None, Some(card));
    }

    /// State, dunning, and what is open, in a line.
    fn standing(&self, id: AccountId) -> String {
        let it = self.subscription(id);
        let dunned = if it.dunned_since.is_some() { ", dunned" } else { "" };
        let open: Vec<_> = self.world.payments_of(id).map(|it| format!(", open {} {}", it.amount, it.reason)).collect();
        format!("{}{dunned}{}", it.state.word(), open.concat())
    }

    fn charges(&self) -> Vec<String> {
        let words =
            |charge: &crate::sandbox::world::Charge| format!("{} {} {}", charge.at, charge.amount, charge.reason);
        self.world.charges.values().map(words).collect()
    }
}

/// The refusal in one line: status, message, faults.
fn told<T: std::fmt::Debug>(result: Result<T, Refusal>) -> String {
    match result {
        Ok(done) => panic!("not refused: {done:?}"),
        Err(Refusal { status, message, errors }) if errors.is_empty() => format!("{status} {message}"),
        Err(Refusal { status, message, errors }) => {
            assert_eq!(message, "Validation failed");
            let faults = errors.iter().flat_map(|(field, all)| all.iter().map(move |one| format!("{field} {one}")));
            format!("{status} {}", faults.collect::<Vec<_>>().join("; "))
        }
    }
}
