//! What a process remembers between passes beside its journal: what became of actions, and
//! when each client is looked at again. Time and chance come in as parameters.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::ClientName;
use crate::execute::Carried;
use crate::plan::{AccountState, ActionKey, ActionState, Known, Plan, Reason, Verdict, VerdictState};

const FIRST_LOOK: Duration = Duration::from_secs(15);
const LONGEST_LOOK: Duration = Duration::from_secs(3600);
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_secs(900);
const LONGEST_QUOTA: Duration = Duration::from_secs(60);

/// The memory of one process.
#[derive(Debug, Default)]
pub struct Memory {
    known: Known,
    retries: BTreeMap<ClientName, Retry>,
}

#[derive(Debug, Clone, Copy)]
struct Retry {
    tries: u32,
    /// `None` while the pass that it was due for goes on.
    due: Option<Instant>,
}

impl Memory {
    /// For the planner.
    pub const fn known(&self) -> &Known {
        &self.known
    }

    /// Takes in what became of a round.
    pub fn learn(&mut self, carried: &BTreeMap<ClientName, Carried>, now: Instant, chance: &mut fastrand::Rng) {
        for (client, carried) in carried {
            let Carried { observed: _, applied, verdicts, registered, left: _ } = carried;
            for action in applied {
                self.known.verdicts.remove(&action.op.key(client));
            }
            self.known.registered.extend(registered.iter().cloned());
            for (key, verdict) in verdicts {
                self.known.verdicts.insert(key.clone(), verdict.clone());
            }
            let soonest = verdicts.iter().filter_map(|(_, verdict)| Pace::of(verdict)).min();
            if let Some(pace) = soonest {
                self.look_again(client, pace, now, chance);
            }
        }
    }

    /// Takes in how things stand after a pass: clients whose payment or outcome settles are
    /// looked at again, and those for whom nothing is open by itself are not.
    pub fn settle(&mut self, plan: &Plan, now: Instant, chance: &mut fastrand::Rng) {
        for account in &plan.accounts {
            let Some(client) = &account.client else { continue };
            let has = |state: ActionState, reason: Option<Reason>| {
                account
                    .actions
                    .iter()
                    .any(|action| action.state == state && (reason.is_none() || action.reason == reason))
            };
            let tried =
                self.known.verdicts.iter().any(|(key, verdict)| key.client == *client && Pace::of(verdict).is_some());
            let settling = [Reason::SubscriptionSettling, Reason::OutcomeSettling]
                .into_iter()
                .any(|reason| has(ActionState::Waiting, Some(reason)));
            // What was tried does not show while the members cannot be read, and is not done.
            let hidden = tried && account.state == AccountState::Unknown;
            let open = tried && (has(ActionState::Waiting, None) || has(ActionState::Failed, None));
            if settling || hidden || open {
                if self.retries.get(client).is_none_or(|retry| retry.due.is_none()) {
                    let pace = if settling && !hidden { Pace::Look } else { Pace::Retry };
                    self.look_again(client, pace, now, chance);
                }
            } else {
                // A list that lags may show again what does not show now: what came of it is
                // not remembered without a time at which it is tried again.
                self.retries.remove(client);
                self.known.verdicts.retain(|key, verdict| key.client != *client || Pace::of(verdict).is_none());
            }
        }
    }

    fn look_again(&mut self, client: &ClientName, pace: Pace, now: Instant, chance: &mut fastrand::Rng) {
        let tries = self.retries.get(client).map_or(1, |retry| retry.tries.saturating_add(1));
        let due = Some(now + pace.delay(tries, chance));
        self.retries.insert(client.clone(), Retry { tries, due });
    }

    /// When the next client is to be looked at again.
    pub fn next_due(&self) -> Option<Instant> {
        self.retries.values().filter_map(|retry| retry.due).min()
    }

    /// When this client is to be looked at again by itself.
    pub fn due_of(&self, client: &ClientName) -> Option<Instant> {
        self.retries.get(client)?.due
    }

    /// How many clients have a time of their own.
    pub fn waiting(&self) -> usize {
        self.retries.values().filter(|retry| retry.due.is_some()).count()
    }

    /// The clients whose time has come; what was tried for them is tried again. What may have
    /// happened is not: the journal gives no second permit for it (rule R2).
    pub fn take_due(&mut self, now: Instant) -> BTreeSet<ClientName> {
        let mut due = BTreeSet::new();
        for (client, retry) in &mut self.retries {
            if retry.due.is_some_and(|at| at <= now) {
                // Due again only when the pass says so; the count goes on.
                retry.due = None;
                due.insert(client.clone());
            }
        }
        self.known.verdicts.retain(|key, verdict| !due.contains(&key.client) || Pace::of(verdict).is_none());
        due
    }

    /// A client's manifest changed, or is gone: everything is tried again.
    pub fn forget(&mut self, client: &ClientName) {
        self.known.verdicts.retain(|key, _| key.client != *client);
        self.retries.remove(client);
    }

    /// The operator asks for another look at everything, blocked actions included.
    pub fn forget_all(&mut self) {
        self.known.verdicts.clear();
        self.retries.clear();
    }

    /// A freeze that stopped something on its way is the journal's to tell: nothing of it is
    /// remembered here, so that everything goes on once it is over.
    pub fn thaw(&mut self) {
        self.known.verdicts.retain(|_, verdict| verdict.reason != Some(Reason::Frozen));
    }

    /// Another world (a sandbox was reset): nothing that is remembered is of it.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Refusals of earlier processes that still stand.
    pub fn recall(&mut self, verdicts: Vec<(ActionKey, Verdict)>) {
        self.known.verdicts.extend(verdicts);
    }

    /// Forgets the clients that have no manifest any more.
    pub fn keep(&mut self, wanted: &BTreeSet<ClientName>) {
        let remembered = self.retries.keys().chain(self.known.verdicts.keys().map(|key| &key.client));
        let gone: BTreeSet<ClientName> = remembered.filter(|client| !wanted.contains(*client)).cloned().collect();
        for client in &gone {
            self.forget(client);
        }
    }
}

/// How soon something is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Pace {
    /// The quota is used up: after 5 s, doubling to a minute. Nothing is sent before the
    /// window opens, so asking costs nothing.
    Quota,
    /// A failure: after 5 s, doubling to 15 min.
    Retry,
    /// Waiting for somebody: after 15 s, doubling to an hour.
    Look,
}

impl Pace {
    /// `None` for what only a person ends.
    const fn of(verdict: &Verdict) -> Option<Self> {
        match verdict.state {
            VerdictState::Failed if matches!(verdict.reason, Some(Reason::QuotaExhausted)) => Some(Self::Quota),
            VerdictState::Failed => Some(Self::Retry),
            VerdictState::Waiting => Some(Self::Look),
            VerdictState::Blocked => None,
        }
    }

    /// With up to a tenth of jitter, so that a thousand clients do not come back at once.
    fn delay(self, tries: u32, chance: &mut fastrand::Rng) -> Duration {
        let (first, longest) = match self {
            Self::Quota => (FIRST_RETRY, LONGEST_QUOTA),
            Self::Retry => (FIRST_RETRY, LONGEST_RETRY),
            Self::Look => (FIRST_LOOK, LONGEST_LOOK),
        };
        let plain = first.saturating_mul(1 << (tries.saturating_sub(1)).min(16)).min(longest);
        plain.mul_f64(1.0 + chance.f64() / 10.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Email;
    use crate::plan::OpKind;

    fn client(name: &str) -> ClientName {
        ClientName::parse(name).unwrap()
    }

    fn verdict(state: VerdictState, reason: Option<Reason>) -> Verdict {
        Verdict { state, reason, message: "so it is".into(), request_id: None }
    }

    fn key(name: &str, op: OpKind, person: Option<&str>) -> ActionKey {
        ActionKey { client: client(name), op, person: person.map(Email::lenient) }
    }

    fn tried(memory: &mut Memory, key: &ActionKey, verdict: Verdict) {
        let carried = Carried { verdicts: vec![(key.clone(), verdict)], ..Carried::default() };
        let mut chance = fastrand::Rng::with_seed(1);
        memory.learn(&BTreeMap::from([(key.client.clone(), carried)]), Instant::now(), &mut chance);
    }

    fn seconds_to_next(memory: &Memory) -> u64 {
        memory.next_due().unwrap().duration_since(Instant::now()).as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_sign_up_is_looked_for_after_15_s_then_half_as_often_up_to_an_hour() {
        let mut memory = Memory::default();
        let jane = key("acme", OpKind::AddMember, Some("jane@acme.example"));
        let mut waits = Vec::new();
        for _ in 0..10 {
            tried(&mut memory, &jane, verdict(VerdictState::Waiting, Some(Reason::AwaitingSignup)));
            let wait = memory.next_due().unwrap().duration_since(Instant::now());
            waits.push(wait.as_secs_f64());
            assert!(memory.take_due(Instant::now()).is_empty(), "not before its time");
            tokio::time::advance(wait).await;
            assert_eq!(memory.take_due(Instant::now()), BTreeSet::from([client("acme")]));
            assert!(memory.known().verdicts.is_empty(), "it is tried again");
        }
        for (wait, plain) in waits.iter().zip([15.0, 30.0, 60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 3600.0, 3600.0]) {
            assert!((plain..=plain * 1.1).contains(wait), "{waits:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_tried_again_sooner_than_a_sign_up() {
        let mut memory = Memory::default();
        tried(&mut memory, &key("acme", OpKind::Subscribe, None), verdict(VerdictState::Failed, None));
        assert_eq!(seconds_to_next(&memory), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_freeze_is_not_remembered_past_the_next_look() {
        let mut memory = Memory::default();
        let (subscribe, add) =
            (key("acme", OpKind::Subscribe, None), key("acme", OpKind::AddMember, Some("jane@acme.example")));
        tried(&mut memory, &subscribe, verdict(VerdictState::Blocked, Some(Reason::Frozen)));
        tried(&mut memory, &add, verdict(VerdictState::Blocked, Some(Reason::PaymentRequired)));
        memory.thaw();
        assert_eq!(memory.known().verdicts.keys().collect::<Vec<_>>(), [&add]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_blocked_is_not_tried_again_until_its_manifest_changes() {
        let mut memory = Memory::default();
        let subscribe = key("acme", OpKind::Subscribe, None);
        tried(&mut memory, &subscribe, verdict(VerdictState::Blocked, Some(Reason::PaymentRequired)));
        assert_eq!(memory.next_due(), None);
        memory.forget(&client("beta"));
        assert!(memory.known().verdicts.contains_key(&subscribe));
        memory.forget(&client("acme"));
        assert!(memory.known().verdicts.is_empty());
    }
}
