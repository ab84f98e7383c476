//! Bad days: faults that a tester asks for, drawn by a seed. Pure; the doors carry them out.

use serde::{Deserialize, Serialize};

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The connection is closed before the request is looked at; the ledger does not count it.
    Refuse,
    /// The request arrives and is forgotten: nothing happens, and no answer comes.
    LoseRequest,
    /// It is carried out, and no answer comes.
    LoseAnswer,
    /// A JSON error 500; as often as not the request was carried out before.
    #[serde(rename = "error_500")]
    Error500,
    /// A gateway's HTML page; as often as not the request was carried out before.
    #[serde(rename = "html_502")]
    Html502,
    /// The quota is said to be used up, for two seconds; nothing happens.
    #[serde(rename = "quota_429")]
    Quota429,
    /// It is carried out, and the answer takes two seconds.
    Slow,
    /// It is carried out, and the answer breaks off half-way.
    Truncate,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Refuse,
        Self::LoseRequest,
        Self::LoseAnswer,
        Self::Error500,
        Self::Html502,
        Self::Quota429,
        Self::Slow,
        Self::Truncate,
    ];
}

/// What a tester asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wish {
    /// How many of the requests fail, from 0 to 1.
    pub rate: f64,
    /// How; every way without it.
    #[serde(default = "every_kind")]
    pub kinds: Vec<Kind>,
    /// The same seed brings the same faults to the same requests.
    #[serde(default)]
    pub seed: u64,
    /// The most faults there are; without end without it.
    #[serde(default)]
    pub max: Option<u64>,
}

fn every_kind() -> Vec<Kind> {
    Kind::ALL.to_vec()
}

impl Default for Wish {
    fn default() -> Self {
        Self { rate: 0.0, kinds: every_kind(), seed: 0, max: None }
    }
}

/// A fault that was drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: Kind,
    /// Whether the request is carried out before, where the kind leaves that open.
    pub after: bool,
}

/// The faults of a world: what was asked for, and how far they have come.
#[derive(Debug)]
pub struct Faults {
    wish: Wish,
    chance: fastrand::Rng,
    injected: u64,
}

impl Default for Faults {
    fn default() -> Self {
        Self::new(Wish::default())
    }
}

impl Faults {
    /// Begins anew with this wish.
    pub fn new(wish: Wish) -> Self {
        let chance = fastrand::Rng::with_seed(wish.seed);
        Self { wish, chance, injected: 0 }
    }

    /// What was asked for.
    pub const fn wish(&self) -> &Wish {
        &self.wish
    }

    /// How many faults there were.
    pub const fn injected(&self) -> u64 {
        self.injected
    }

    /// What goes wrong with the next request, if anything. Each request takes the same
    /// number of draws, so that the faults of later ones do not depend on this one's.
    pub fn draw(&mut self) -> Option<Fault> {
        let (hit, which, after) = (self.chance.f64() < self.wish.rate, self.chance.f64(), self.chance.bool());
        let is_over = self.wish.max.is_some_and(|max| self.injected >= max);
        if !hit || is_over || self.wish.kinds.is_empty() {
            return None;
        }
        self.injected += 1;
        let at = (which * self.wish.kinds.len() as f64) as usize;
        let kind = self.wish.kinds[at.min(self.wish.kinds.len() - 1)];
        Some(Fault { kind, after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(wish: &Wish, requests: usize) -> Vec<Option<Fault>> {
        let mut faults = Faults::new(wish.clone());
        (0..requests).map(|_| faults.draw()).collect()
    }

    #[test]
    fn a_seed_repeats_its_faults_and_another_brings_others() {
        let wish = Wish { rate: 0.3, seed: 7, ..Wish::default() };
        assert_eq!(drawn(&wish, 500), drawn(&wish, 500));
        assert_ne!(drawn(&wish, 500), drawn(&Wish { seed: 8, ..wish }, 500));
    }

    #[test]
    fn about_as_many_fail_as_were_asked_for_and_in_every_way() {
        let faults: Vec<Fault> = drawn(&Wish { rate: 0.3, ..Wish::default() }, 10_000).into_iter().flatten().collect();
        assert!((2_800..3_200).contains(&faults.len()), "{}", faults.len());
        for kind in Kind::ALL {
            assert!(faults.iter().any(|fault| fault.kind == kind), "{kind:?}");
        }
    }

    #[test]
    fn no_more_than_the_most_and_none_by_default() {
        let some = drawn(&Wish { rate: 1.0, kinds: vec![Kind::Slow], max: Some(3), ..Wish::default() }, 50);
        assert_eq!(some.iter().flatten().count(), 3);
        assert!(drawn(&Wish::default(), 1_000).iter().all(Option::is_none));
        assert!(drawn(&Wish { rate: 1.0, kinds: vec![], ..Wish::default() }, 50).iter().all(Option::is_none));
    }
}
