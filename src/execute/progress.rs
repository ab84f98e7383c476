//! Who is told of each step, while it happens.

use crate::domain::ClientName;
use crate::plan::{Action, Verdict};

/// Told of each step. The library itself prints nothing.
pub trait Progress: Send + Sync {
    /// An action is about to be sent.
    fn begun(&self, client: &ClientName, action: &Action);
    /// It was carried out.
    fn applied(&self, client: &ClientName, action: &Action);
    /// It was not, and this is what became of it.
    fn not_applied(&self, client: &ClientName, action: &Action, verdict: &Verdict);
    /// The person has an account of their own: a seat is bought for them in the next round.
    fn needs_seat(&self, client: &ClientName, action: &Action);
    /// The quota is used up: everything pauses for so long.
    fn pausing(&self, seconds: u64);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn begun(&self, _: &ClientName, _: &Action) {}
    fn applied(&self, _: &ClientName, _: &Action) {}
    fn not_applied(&self, _: &ClientName, _: &Action, _: &Verdict) {}
    fn needs_seat(&self, _: &ClientName, _: &Action) {}
    fn pausing(&self, _: u64) {}
}
