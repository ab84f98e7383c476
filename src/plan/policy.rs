//! The operator's word: guard rails and ways of taking accounts over. Never a manifest's.

mod file;

use std::fmt;
use std::str::FromStr;

use crate::domain::{Money, PlanId};
use crate::provider::Offer;

use super::choose::satisfies;

pub use file::{PolicyFile, policy_schema};

/// What a plan may do without a person letting it pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The most accounts to create in one run; `None` is no limit.
    pub max_creates: Option<u32>,
    /// The most subscriptions and plan changes upward to buy in one run; `None` is no limit.
    pub max_subscriptions: Option<u32>,
    /// The most that the list price a month may rise in one run; `None` is no limit.
    pub max_monthly_increase: Option<Money>,
    /// The most members to remove in one run.
    pub max_removals: MaxRemovals,
    /// Whether members who are not listed in an exclusive account may be removed.
    pub allow_removals: bool,
    /// Whether subscriptions may be cancelled.
    pub allow_unsubscribe: bool,
    /// The plans that may be chosen.
    pub allowed_plans: AllowedPlans,
    /// When an account found by name is taken over.
    pub adopt: Adopt,
    /// Cut seats that nobody is wanted for.
    pub trim_seats: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_creates: Some(50),
            max_subscriptions: Some(50),
            max_monthly_increase: Some(Money::cents(100_000)),
            max_removals: MaxRemovals::default(),
            allow_removals: false,
            allow_unsubscribe: false,
            allowed_plans: AllowedPlans::default(),
            adopt: Adopt::default(),
            trim_seats: false,
        }
    }
}

/// The most members to remove in one run: a share of the members in scope, a number, or both,
/// of which each holds. Neither is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxRemovals {
    /// In percent, 0 to 100. [`MaxRemovals::ALWAYS`] are let through whatever share they are.
    pub percent: Option<u32>,
    /// So many, and not one more.
    pub number: Option<u32>,
}

impl MaxRemovals {
    /// Removals that no share forbids; a number does.
    pub const ALWAYS: u32 = 5;

    /// No limit.
    pub const NONE: Self = Self { percent: None, number: None };

    /// A share alone.
    pub const fn of_percent(percent: u32) -> Self {
        Self { percent: Some(percent), number: None }
    }

    /// Whether so many of the members in scope are more than may go.
    pub(super) fn forbids(self, removals: u64, scope: u64) -> bool {
        let Self { percent, number } = self;
        let share = |percent: u32| removals > u64::from(Self::ALWAYS) && removals * 100 > u64::from(percent) * scope;
        percent.is_some_and(share) || number.is_some_and(|most| removals > u64::from(most))
    }

    /// What would let so many of the members in scope go, and is not this value.
    pub(super) fn that_allows(self, removals: u64, scope: u64) -> Self {
        let Self { percent, number } = self;
        let share = u32::try_from((removals * 100).div_ceil(scope.max(1))).unwrap_or(100).min(100);
        let all = u32::try_from(removals).unwrap_or(u32::MAX);
        let wider = Self { percent: percent.map(|now| now.max(share)), number: number.map(|now| now.max(all)) };
        if wider != self {
            return wider;
        }
        // It holds on to a value that tripped before: any other that suffices ends that.
        match (percent, number) {
            (_, Some(number)) => Self { number: Some(number.saturating_add(1)), ..self },
            (Some(percent), None) if percent < 100 => Self { percent: Some(percent + 1), ..self },
            (_, None) => Self::NONE,
        }
    }
}

impl Default for MaxRemovals {
    fn default() -> Self {
        Self::of_percent(30)
    }
}

/// `30%`, `20`, `30%,20`, or `none`: as it is read.
impl fmt::Display for MaxRemovals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.percent, self.number) {
            (Some(percent), Some(number)) => write!(f, "{percent}%,{number}"),
            (Some(percent), None) => write!(f, "{percent}%"),
            (None, Some(number)) => write!(f, "{number}"),
            (None, None) => f.write_str("none"),
        }
    }
}

impl FromStr for MaxRemovals {
    type Err = &'static str;

    fn from_str(raw: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected a percentage, a number or both, `30%`, `20`, `30%,20`, or `none`";
        let mut made = Self::NONE;
        if raw == "none" {
            return Ok(made);
        }
        for part in raw.split(',').map(str::trim) {
            let (kept, digits, most) = match part.strip_suffix('%') {
                Some(digits) => (&mut made.percent, digits, 100),
                None => (&mut made.number, part, u32::MAX),
            };
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            let value = digits.parse().ok().filter(|value| plain && *value <= most && kept.is_none());
            *kept = Some(value.ok_or(EXPECTED)?);
        }
        Ok(made)
    }
}

/// The plans that may be chosen, by identifier or family; empty is every plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowedPlans(Vec<String>);

impl AllowedPlans {
    /// These, in any order, each once.
    pub fn new(words: impl IntoIterator<Item = String>) -> Self {
        let words = words.into_iter().map(|word| word.trim().to_owned()).filter(|word| !word.is_empty());
        let mut words: Vec<String> = words.collect();
        words.sort();
        words.dedup();
        Self(words)
    }

    /// The identifiers and families, sorted.
    pub fn words(&self) -> &[String] {
        &self.0
    }

    /// Whether a text can name a plan or a family.
    pub fn is_word(text: &str) -> bool {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.');
        (1..=64).contains(&text.len()) && text.bytes().all(plain)
    }

    /// Whether a plan may be chosen.
    pub(super) fn allows(&self, offer: &Offer, plan: &PlanId) -> bool {
        self.0.is_empty() || self.0.iter().any(|word| satisfies(offer, word, plan))
    }

    /// These and some more.
    pub(super) fn with(&self, more: impl IntoIterator<Item = String>) -> Self {
        Self::new(self.0.iter().cloned().chain(more))
    }
}

/// As a comma list, and inert: they may have come from a file.
impl fmt::Display for AllowedPlans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::domain::text::inert(&self.0.join(",")))
    }
}

/// When an account that was found by its name is taken over by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Adopt {
    /// Where its notification email is the manifest's, or one of the previous ones.
    #[default]
    Matching,
    /// Always.
    ByName,
    /// Never: `accountId` is asked for.
    Never,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removals_are_capped_by_a_share_a_number_or_both() {
        for (raw, percent, number) in [
            ("30%", Some(30), None),
            ("20", None, Some(20)),
            ("30%,20", Some(30), Some(20)),
            ("20, 30%", Some(30), Some(20)),
            ("0%", Some(0), None),
            ("0", None, Some(0)),
            ("none", None, None),
        ] {
            let read: MaxRemovals = raw.parse().unwrap();
            assert_eq!(read, MaxRemovals { percent, number }, "{raw}");
            assert_eq!(read.to_string().parse(), Ok(read), "{raw}");
        }
        for bad in ["", "%", "101%", "30%,40%", "20,21", "-1", "+3", "3.5%", "all", "30%,", "none,20"] {
            assert!(bad.parse::<MaxRemovals>().is_err(), "{bad}");
        }
    }
}
