//! When each key is looked at again: one queue, the earliest time wins, and no key runs twice
//! at once. Time and chance come in as parameters.
//!
//! A wake-up carries no input: whoever takes a key looks at everything that concerns it. A
//! key that is taken is on its way until it is given back, and what is added meanwhile runs
//! after it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

/// What is the matter with a key that is given back: it decides when the key is due again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hindrance {
    /// It waits, and until then there is nothing to see.
    WaitingUntil(Instant),
    /// A person must act: no time makes it due.
    Blocked,
    /// It did not go ahead: each time in a row it is tried again half as often.
    Failed(Backoff),
}

/// How often something is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// After the first time.
    pub first: Duration,
    /// At most.
    pub longest: Duration,
}

impl Backoff {
    /// The pause after so many times in a row, with up to a tenth of jitter, so that a
    /// thousand keys do not come back at once.
    pub fn pause(self, tries: u32, chance: &mut fastrand::Rng) -> Duration {
        let plain = self.first.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(self.longest);
        plain.mul_f64(1.0 + chance.f64() / 10.0)
    }
}

/// The queue.
#[derive(Debug)]
pub struct Queue<K> {
    slots: BTreeMap<K, Slot>,
}

/// How one key stands. One that is neither due nor on its way may still count its failures.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    due: Option<Instant>,
    on_its_way: bool,
    /// Failures in a row.
    tries: u32,
}

impl<K> Default for Queue<K> {
    fn default() -> Self {
        Self { slots: BTreeMap::new() }
    }
}

impl<K: Ord + Clone> Queue<K> {
    /// Wants a key looked at, at that time at the latest.
    pub fn add(&mut self, key: K, at: Instant) {
        let slot = self.slots.entry(key).or_default();
        slot.due = Some(slot.due.map_or(at, |due| due.min(at)));
    }

    /// The keys whose time has come, and that are not on their way: from now on they are.
    pub fn take_due(&mut self, now: Instant) -> BTreeSet<K> {
        let mut taken = BTreeSet::new();
        for (key, slot) in &mut self.slots {
            if !slot.on_its_way && slot.due.is_some_and(|due| due <= now) {
                (slot.due, slot.on_its_way) = (None, true);
                taken.insert(key.clone());
            }
        }
        taken
    }

    /// Takes a key whether it is due or not; `false` where it is on its way already, and then
    /// is due right after.
    pub fn take(&mut self, key: K, now: Instant) -> bool {
        let slot = self.slots.entry(key).or_default();
        if slot.on_its_way {
            slot.due = Some(slot.due.map_or(now, |due| due.min(now)));
            return false;
        }
        (slot.due, slot.on_its_way) = (None, true);
        true
    }

    /// Gives a key back, or tells of one that was looked at with all others: `None` is well,
    /// and forgets its failures. What was added meanwhile stays.
    pub fn give_back(&mut self, key: &K, hindrance: Option<Hindrance>, now: Instant, chance: &mut fastrand::Rng) {
        let mut slot = self.slots.remove(key).unwrap_or_default();
        slot.on_its_way = false;
        let at = match hindrance {
            None | Some(Hindrance::Blocked) => {
                slot.tries = 0;
                None
            }
            Some(Hindrance::WaitingUntil(at)) => Some(at),
            Some(Hindrance::Failed(backoff)) => {
                slot.tries = slot.tries.saturating_add(1);
                Some(now + backoff.pause(slot.tries, chance))
            }
        };
        slot.due = slot.due.into_iter().chain(at).min();
        if slot.due.is_some() {
            self.slots.insert(key.clone(), slot);
        }
    }

    /// When the next key is due that is not on its way.
    pub fn next_due(&self) -> Option<Instant> {
        self.slots.values().filter(|slot| !slot.on_its_way).filter_map(|slot| slot.due).min()
    }

    /// When a key is due; `None` where nothing makes it so by itself.
    pub fn due(&self, key: &K) -> Option<Instant> {
        self.slots.get(key).and_then(|slot| slot.due)
    }

    /// How often in a row a key failed.
    pub fn tries(&self, key: &K) -> u32 {
        self.slots.get(key).map_or(0, |slot| slot.tries)
    }

    /// The keys that are on their way.
    pub fn on_their_way(&self) -> BTreeSet<K> {
        self.slots.iter().filter(|(_, slot)| slot.on_its_way).map(|(key, _)| key.clone()).collect()
    }

    /// All keys that are due some time or on their way.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.slots.keys()
    }

    /// How many keys wait for their time.
    pub fn depth(&self) -> usize {
        self.slots.values().filter(|slot| slot.due.is_some()).count()
    }

    /// Takes a key out: it is not due, and its failures are forgotten. One that is on its way
    /// stays so until it is given back.
    pub fn forget(&mut self, key: &K) {
        if let Some(slot) = self.slots.remove(key)
            && slot.on_its_way
        {
            self.slots.insert(key.clone(), Slot { on_its_way: true, ..Slot::default() });
        }
    }

    /// Takes all keys out, as [`Self::forget`] does.
    pub fn forget_all(&mut self) {
        self.slots.retain(|_, slot| slot.on_its_way);
        for slot in self.slots.values_mut() {
            *slot = Slot { on_its_way: true, ..Slot::default() };
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SOON: Backoff = Backoff { first: Duration::from_secs(5), longest: Duration::from_secs(900) };

    fn chance() -> fastrand::Rng {
        fastrand::Rng::with_seed(1)
    }

    fn after(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_is_added_twice_keeps_its_earliest_time() {
        let mut queue = Queue::default();
        for seconds in [30, 10, 20] {
            queue.add("acme", after(seconds));
        }
        assert_eq!((queue.next_due(), queue.depth()), (Some(after(10)), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_added_while_a_key_is_on_its_way_runs_after_it_and_once() {
        let mut queue = Queue::default();
        queue.add("acme", after(0));
        assert_eq!(queue.take_due(Instant::now()), BTreeSet::from(["acme"]));
        queue.add("acme", after(0));
        queue.add("acme", after(0));
        assert!(!queue.take("acme", Instant::now()), "it is on its way");
        assert_eq!((queue.next_due(), queue.take_due(Instant::now())), (None, BTreeSet::new()));
        queue.give_back(&"acme", None, Instant::now(), &mut chance());
        assert_eq!(queue.take_due(Instant::now()), BTreeSet::from(["acme"]));
        queue.give_back(&"acme", None, Instant::now(), &mut chance());
        assert_eq!(queue.next_due(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_tried_again_half_as_often_each_time_and_a_success_forgets_it() {
        let (mut queue, mut chance) = (Queue::default(), chance());
        let mut pauses = Vec::new();
        queue.add("acme", after(0));
        for _ in 0..10 {
            assert_eq!(queue.take_due(Instant::now()).len(), 1);
            queue.give_back(&"acme", Some(Hindrance::Failed(SOON)), Instant::now(), &mut chance);
            let pause = queue.next_due().unwrap() - Instant::now();
            pauses.push(pause.as_secs_f64());
            tokio::time::advance(pause).await;
        }
        for (pause, plain) in pauses.iter().zip([5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 900.0, 900.0]) {
            assert!((plain..=plain * 1.1).contains(pause), "{pauses:?}");
        }
        queue.give_back(&"acme", None, Instant::now(), &mut chance);
        queue.give_back(&"acme", Some(Hindrance::Failed(SOON)), Instant::now(), &mut chance);
        assert!(queue.next_due().unwrap() - Instant::now() < Duration::from_secs(6));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_due_at_that_time_and_who_is_blocked_never() {
        let (mut queue, mut chance) = (Queue::default(), chance());
        queue.take("acme", Instant::now());
        queue.give_back(&"acme", Some(Hindrance::WaitingUntil(after(60))), Instant::now(), &mut chance);
        queue.take("beta", Instant::now());
        queue.give_back(&"beta", Some(Hindrance::Blocked), Instant::now(), &mut chance);
        assert_eq!((queue.due(&"acme"), queue.due(&"beta")), (Some(after(60)), None));
        assert_eq!(queue.keys().collect::<Vec<_>>(), [&"acme"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_is_forgotten_on_its_way_is_still_not_taken_twice() {
        let mut queue = Queue::default();
        queue.add("acme", after(0));
        queue.take_due(Instant::now());
        queue.forget(&"acme");
        queue.add("acme", after(0));
        assert!(queue.take_due(Instant::now()).is_empty());
        queue.forget_all();
        assert_eq!(queue.on_their_way(), BTreeSet::from(["acme"]));
    }

    /// What can be done to a queue, of four keys, in seconds.
    #[derive(Debug, Clone, Copy)]
    enum Step {
        Add(u8, u64),
        Take(u8),
        TakeDue,
        GiveBack(u8, Option<u64>),
        Forget(u8),
        Pass(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let key = 0_u8..4;
        let step = prop_oneof![
            3 => (key.clone(), 0_u64..20).prop_map(|(key, at)| Step::Add(key, at)),
            1 => key.clone().prop_map(Step::Take),
            3 => Just(Step::TakeDue),
            3 => (key.clone(), proptest::option::of(0_u64..20)).prop_map(|(key, at)| Step::GiveBack(key, at)),
            1 => key.prop_map(Step::Forget),
            2 => (0_u64..10).prop_map(Step::Pass),
        ];
        proptest::collection::vec(step, 0..60)
    }

    proptest! {
        /// The model: for each key all the times that it was wanted at since it was last taken
        /// or forgotten, and whether it runs.
        #[test]
        fn it_does_what_a_heap_of_wishes_would(steps in steps()) {
            let (mut queue, mut chance, zero) = (Queue::default(), chance(), Instant::now());
            let (mut wishes, mut running): (Vec<(u8, u64)>, BTreeSet<u8>) = Default::default();
            let mut now = 0;
            let at = |second: u64| zero + Duration::from_secs(second);
            for step in steps {
                match step {
                    Step::Add(key, wait) => {
                        queue.add(key, at(now + wait));
                        wishes.push((key, now + wait));
                    }
                    Step::Take(key) => {
                        prop_assert_eq!(queue.take(key, at(now)), !running.contains(&key));
                        if running.insert(key) {
                            wishes.retain(|(wished, _)| *wished != key);
                        } else {
                            wishes.push((key, now));
                        }
                    }
                    Step::TakeDue => {
                        let due = wishes.iter().filter(|(key, at)| *at <= now && !running.contains(key));
                        let due: BTreeSet<u8> = due.map(|(key, _)| *key).collect();
                        wishes.retain(|(key, _)| !due.contains(key));
                        running.extend(&due);
                        prop_assert_eq!(queue.take_due(at(now)), due);
                    }
                    Step::GiveBack(key, wait) => {
                        let hindrance = wait.map(|wait| Hindrance::WaitingUntil(at(now + wait)));
                        queue.give_back(&key, hindrance, at(now), &mut chance);
                        running.remove(&key);
                        wishes.extend(wait.map(|wait| (key, now + wait)));
                    }
                    Step::Forget(key) => {
                        queue.forget(&key);
                        wishes.retain(|(wished, _)| *wished != key);
                    }
                    Step::Pass(seconds) => now += seconds,
                }
                let next = wishes.iter().filter(|(key, _)| !running.contains(key)).map(|(_, at)| *at).min();
                prop_assert_eq!(queue.next_due(), next.map(at));
                prop_assert_eq!(queue.on_their_way(), running.clone());
            }
        }
    }
}
