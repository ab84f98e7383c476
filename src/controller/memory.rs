//! What a process remembers between passes beside its journal: what became of actions, and
//! when each client is looked at again. Time and chance come in as parameters.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::ClientName;
use crate::execute::Carried;
use crate::plan::{AccountState, ActionKey, ActionState, Known, Plan, Reason, Verdict, VerdictState};

use super::queue::{Backoff, Hindrance, Queue};

const FIRST_LOOK: Duration = Duration::from_secs(15);
const LONGEST_LOOK: Duration = Duration::from_secs(3600);
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_secs(900);
const LONGEST_QUOTA: Duration = Duration::from_secs(60);

/// The memory of one process.
#[derive(Debug, Default)]
pub struct Memory {
    known: Known,
    queue: Queue<ClientName>,
    /// When what is held for second thoughts goes ahead.
    holds: BTreeMap<ClientName, Instant>,
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
                self.queue.give_back(client, Some(pace.hindrance()), now, chance);
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
                if self.queue.due(client).is_none() {
                    let pace = if settling && !hidden { Pace::Look } else { Pace::Retry };
                    self.queue.give_back(client, Some(pace.hindrance()), now, chance);
                }
            } else {
                // A list that lags may show again what does not show now: what came of it is
                // not remembered without a time at which it is tried again.
                self.queue.forget(client);
                self.known.verdicts.retain(|key, verdict| key.client != *client || Pace::of(verdict).is_none());
            }
        }
        self.rest(now, chance);
    }

    /// A pass is over: all is well with whoever is still on their way.
    pub fn rest(&mut self, now: Instant, chance: &mut fastrand::Rng) {
        for client in self.queue.on_their_way() {
            self.queue.give_back(&client, None, now, chance);
        }
    }

    /// A pass did not come to its end: whoever is still on their way is due then, and their
    /// failures still count.
    pub fn postpone(&mut self, until: Instant, chance: &mut fastrand::Rng) {
        for client in self.queue.on_their_way() {
            self.queue.give_back(&client, Some(Hindrance::WaitingUntil(until)), until, chance);
        }
    }

    /// When the next client is to be looked at again.
    pub fn next_due(&self) -> Option<Instant> {
        self.queue.next_due().into_iter().chain(self.holds.values().copied()).min()
    }

    /// Takes in when what is held is to be looked at again, in place of what was known of that.
    pub fn hold(&mut self, holds: BTreeMap<ClientName, Instant>) {
        self.holds = holds;
    }

    /// How often in a row a client failed or waited.
    pub fn tries(&self, client: &ClientName) -> u32 {
        self.queue.tries(client)
    }

    /// When this client is to be looked at again by itself.
    pub fn due_of(&self, client: &ClientName) -> Option<Instant> {
        self.queue.due(client).into_iter().chain(self.holds.get(client).copied()).min()
    }

    /// How many clients have a time of their own.
    pub fn waiting(&self) -> usize {
        self.queue.depth() + self.holds.keys().filter(|client| self.queue.due(client).is_none()).count()
    }

    /// The clients whose time has come, on their way from now on; what was tried for them is
    /// tried again. What may have happened is not: the journal gives no second permit for it
    /// (rule R2).
    pub fn take_due(&mut self, now: Instant) -> BTreeSet<ClientName> {
        // What is held goes with the queue from its time on, so that it is not lost with a pass.
        for client in self.holds.extract_if(.., |_, at| *at <= now).map(|(client, _)| client) {
            self.queue.add(client, now);
        }
        let due = self.queue.take_due(now);
        self.known.verdicts.retain(|key, verdict| !due.contains(&key.client) || Pace::of(verdict).is_none());
        due
    }

    /// A pass looks at these clients, whether they are due or not.
    pub fn take(&mut self, clients: &BTreeSet<ClientName>, now: Instant) {
        for client in clients {
            self.queue.take(client.clone(), now);
        }
    }

    /// A client's manifest changed, or is gone: everything is tried again.
    pub fn forget(&mut self, client: &ClientName) {
        self.known.verdicts.retain(|key, _| key.client != *client);
        self.queue.forget(client);
    }

    /// The operator asks for another look at everything, blocked actions included.
    pub fn forget_all(&mut self) {
        self.known.verdicts.clear();
        self.queue.forget_all();
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
        let remembered = self.queue.keys().chain(self.known.verdicts.keys().map(|key| &key.client));
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

    const fn hindrance(self) -> Hindrance {
        let (first, longest) = match self {
            Self::Quota => (FIRST_RETRY, LONGEST_QUOTA),
            Self::Retry => (FIRST_RETRY, LONGEST_RETRY),
            Self::Look => (FIRST_LOOK, LONGEST_LOOK),
        };
        Hindrance::Failed(Backoff { first, longest })
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
