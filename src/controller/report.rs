//! What the budget of a token is and what it is good for, for `doctor`, metrics and status.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::provider::{Class, QuotaUse};

use super::rolling::{Freshness, Size};

/// The budget, and how long looking at everything takes with it.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetReport {
    /// Requests a window; 0 where nothing is known to be limited.
    pub limit: u64,
    /// Requests left in this window, of all who use the token.
    pub remaining: u64,
    /// From now until the window opens again.
    pub resets_in: Duration,
    /// Requests that are kept for people and for finishing what was begun.
    pub reserve: u64,
    /// Our requests in this window by class.
    pub spent: BTreeMap<Class, u64>,
    /// Our requests since the start by class.
    pub total: BTreeMap<Class, u64>,
    /// Requests of others with this token in this window, as far as the headers show.
    pub others: u64,
    /// Answers of 429 since the start.
    pub refused: u64,
    /// Requests for a complete list.
    pub list_requests: u64,
    /// Requests for the details of all managed accounts, where the list does not bring them.
    pub details_requests: u64,
    /// In what time the details of every managed account are read anew; `None` before the
    /// first look.
    pub full_pass: Option<Duration>,
    /// How long ago the details were read that are the oldest.
    pub oldest: Option<Duration>,
}

impl BudgetReport {
    /// Of a quota, for a fleet of this size.
    pub fn of(quota: QuotaUse, size: Option<Size>, freshness: Option<Freshness>) -> Self {
        let full_pass = size.zip(freshness).map(|(size, freshness)| freshness.full_pass(size, &quota));
        let QuotaUse { limit, remaining, resets_in, reserve, spent, total, others, refused, window: _ } = quota;
        let by_class = |counts: [u64; 5]| Class::ALL.into_iter().zip(counts).collect();
        Self {
            limit,
            remaining,
            resets_in,
            reserve,
            spent: by_class(spent),
            total: by_class(total),
            others,
            refused,
            list_requests: size.map_or(0, |size| size.pages()),
            details_requests: size.map_or(0, |size| size.details()),
            full_pass,
            oldest: None,
        }
    }
}
