//! Deciding: what is wanted against what is, as a tree of actions. Pure: no IO, no clock,
//! no randomness; the same input gives the same bytes.

mod known;
mod policy;
pub mod render;
mod selector;
mod snapshot;
mod tree;

pub use known::{ActionKey, Known, OpKind, Verdict, VerdictState};
pub use policy::{Adopt, Policy};
pub use selector::{Selector, SelectorError};
pub use snapshot::{ObservedAccount, Reading, Snapshot};
pub use tree::{
    AccountPlan, AccountState, Action, ActionState, ApiInfo, Change, Cost, Desired, Drift, DriftKind, Notice, Op, Plan,
    Reason, Requests, Summary, TrippedRail, Unmanaged,
};
