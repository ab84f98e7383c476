//! The operator's word: guard rails and ways of taking accounts over. Never a manifest's.

use crate::domain::Money;

/// What a plan may do without a person letting it pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The most accounts to create in one run; `None` is no limit.
    pub max_creates: Option<u32>,
    /// The most that the list price a month may rise in one run; `None` is no limit.
    pub max_monthly_increase: Option<Money>,
    /// The most members to remove in one run, in percent of the members in scope
    /// ([`Policy::REMOVALS_ALWAYS`] are always let through).
    pub max_removals_percent: u32,
    /// Whether members who are not listed in an exclusive account may be removed.
    pub allow_removals: bool,
    /// Whether subscriptions may be cancelled.
    pub allow_unsubscribe: bool,
    /// When an account found by name is taken over.
    pub adopt: Adopt,
    /// Cut seats that nobody is wanted for.
    pub trim_seats: bool,
}

impl Policy {
    /// Removals that no percentage forbids.
    pub const REMOVALS_ALWAYS: u32 = 5;
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_creates: Some(50),
            max_monthly_increase: Some(Money::cents(100_000)),
            max_removals_percent: 30,
            allow_removals: false,
            allow_unsubscribe: false,
            adopt: Adopt::default(),
            trim_seats: false,
        }
    }
}

/// When an account that was found by its name is taken over by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, serde::Serialize)]
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
