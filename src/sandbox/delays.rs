//! Delays of a service that is spread over many machines: lists that lag behind, and
//! payments that settle later.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::world::{Draft, World};

/// The longest delay.
pub const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// How late things are shown, and done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delays {
    /// How old the world is that lists show, by the machine's time.
    pub list: Duration,
    /// How long a new subscription stays `subscribing`, by the sandbox's time.
    pub settle: Duration,
}

impl Delays {
    /// How long payments settle: the sandbox's time has whole seconds.
    pub fn settling(&self) -> SignedDuration {
        let rounded_up = self.settle.as_secs() + u64::from(self.settle.subsec_nanos() > 0);
        SignedDuration::from_secs(i64::try_from(rounded_up).unwrap_or(i64::MAX))
    }
}

/// What lists show: the world as it was, and what has happened since. Both are kept only
/// while there is a delay, and only as far back as it reaches.
#[derive(Debug, Default)]
pub struct Lag {
    delay: Duration,
    shown: Option<World>,
    coming: VecDeque<(Timestamp, Draft)>,
}

impl Lag {
    /// From now on lists are that late. They never go back: with a longer delay they show
    /// the same for a while.
    pub fn set(&mut self, delay: Duration, now: Timestamp, world: &World) {
        self.delay = delay;
        if delay.is_zero() {
            *self = Self::default();
        } else if self.shown.is_none() {
            self.shown = Some(world.clone());
        }
        self.catch_up(now);
    }

    /// Another world begins: its lists show it at once.
    pub fn begin(&mut self, delay: Duration, world: &World) {
        *self = Self::default();
        if !delay.is_zero() {
            (self.delay, self.shown) = (delay, Some(world.clone()));
        }
    }

    /// This happens to the world now, and is shown later.
    pub fn note(&mut self, draft: &Draft, now: Timestamp) {
        if self.shown.is_some() {
            self.catch_up(now);
            self.coming.push_back((now, draft.clone()));
        }
    }

    /// The world that lists show; `None` where that is the one there is.
    pub fn shown(&mut self, now: Timestamp) -> Option<&World> {
        self.catch_up(now);
        self.shown.as_ref()
    }

    fn catch_up(&mut self, now: Timestamp) {
        let Some(shown) = &mut self.shown else { return };
        let delay = SignedDuration::try_from(self.delay).unwrap_or(SignedDuration::MAX);
        while let Some((_, draft)) = self.coming.pop_front_if(|(at, _)| now.duration_since(*at) >= delay) {
            shown.apply(draft);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::world::{Account, AccountId, Change};

    /// A world in which an account is called otherwise every second.
    struct Play {
        world: World,
        lag: Lag,
        second: i64,
    }

    impl Play {
        fn new(delay: u64) -> Self {
            let mut play = Self { world: World::default(), lag: Lag::default(), second: 0 };
            play.delay(delay);
            play
        }

        fn now(&self) -> Timestamp {
            Timestamp::from_second(self.second).unwrap()
        }

        fn delay(&mut self, seconds: u64) {
            self.lag.set(Duration::from_secs(seconds), self.now(), &self.world);
        }

        /// A second passes, and the account is called after it.
        fn pass(&mut self) {
            self.second += 1;
            let (id, at) = (AccountId(1), self.now());
            let name = self.second.to_string();
            let account = Account { id, name, email: String::new(), created_at: at, updated_at: at };
            let mut draft = Draft::of(&self.world);
            draft.put(Change::PutAccount(account));
            self.lag.note(&draft, at);
            self.world.apply(draft);
        }

        fn shown(&mut self) -> String {
            let now = self.now();
            let world = self.lag.shown(now).unwrap_or(&self.world);
            world.accounts.get(&AccountId(1)).map_or_else(|| "-".to_owned(), |account| account.name.clone())
        }

        fn shows(&mut self, seconds: usize) -> Vec<String> {
            (0..seconds)
                .map(|_| {
                    self.pass();
                    self.shown()
                })
                .collect()
        }
    }

    #[test]
    fn lists_show_the_world_as_it_was_and_no_more_is_kept_than_that_takes() {
        let mut play = Play::new(3);
        assert_eq!(play.shows(6), ["-", "-", "-", "1", "2", "3"]);
        for _ in 0..1_000 {
            play.pass();
        }
        assert_eq!(play.lag.coming.len(), 3, "also while nobody looks");
        assert_eq!(play.shown(), "1003");
    }

    #[test]
    fn without_a_delay_nothing_is_kept() {
        let mut play = Play::new(0);
        assert_eq!(play.shows(3), ["1", "2", "3"]);
        assert!(play.lag.shown.is_none() && play.lag.coming.is_empty());
    }

    #[test]
    fn another_delay_holds_from_then_on_and_lists_never_go_back() {
        let mut play = Play::new(1);
        assert_eq!(play.shows(4), ["-", "1", "2", "3"]);
        play.delay(3);
        assert_eq!(play.shows(4), ["3", "3", "4", "5"]);
        play.delay(1);
        assert_eq!(play.shows(2), ["8", "9"]);
        play.delay(0);
        assert_eq!(play.shows(2), ["11", "12"]);
        play.delay(2);
        assert_eq!(play.shows(4), ["12", "12", "13", "14"]);
    }

    #[test]
    fn a_part_of_a_second_settles_as_a_whole_one() {
        for (milliseconds, seconds) in [(0, 0), (1, 1), (1_000, 1), (1_001, 2)] {
            let delays = Delays { settle: Duration::from_millis(milliseconds), ..Delays::default() };
            assert_eq!(delays.settling(), SignedDuration::from_secs(seconds));
        }
    }
}
