//! Carrying a plan out.

mod outcome;

pub use outcome::{Outcome, Refusal, classify};
