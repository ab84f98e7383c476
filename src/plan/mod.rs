//! Deciding: what is wanted against what is, as a tree of actions. Pure: no IO, no clock,
//! no randomness; the same input gives the same bytes.

mod cause;
mod checked;
mod choose;
mod cost;
mod decide;
mod digest;
mod hold;
mod known;
mod lint;
mod manual;
mod matching;
mod multiplied;
mod policy;
mod price;
mod prices;
mod rails;
mod renames;
pub mod render;
pub mod saved;
mod selector;
mod since;
mod snapshot;
mod tree;
mod words;

pub use cause::{Applied, Cause, Marks, applied};
pub use checked::checked;
pub use cost::{list_price, monthly_change};
pub use decide::{Inputs, may_adopt, plan, state_of};
pub use digest::of_wanted as wanted_digest;
pub use hold::{Clocks, Thought, clocks, is_held_first};
pub use known::{
    ActionKey, Known, Matter, OldPrice, OpKind, RailMemory, Says, Series, Undone, Unsettled, Vanished, Verdict,
    VerdictState, Weight, Whose, Word, Words,
};
pub use lint::{LintFault, lint};
pub use matching::{FoundBy, Match, Matching, match_accounts};
pub use policy::{Adopt, AllowedPlans, MaxRemovals, Policy, PolicyFile, policy_schema};
pub use selector::{Selector, SelectorError};
pub use since::{Touched, touched};
pub use snapshot::{ObservedAccount, Reading, Snapshot};
pub use tree::{
    AccountPlan, AccountState, Action, ActionState, ApiInfo, Change, Cost, Desired, Drift, DriftKind, Multiplied,
    Notice, Op, Plan, Reason, Requests, Summary, Told, TrippedRail, Unmanaged,
};
pub use words::describe;
