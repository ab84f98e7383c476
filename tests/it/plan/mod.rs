//! Plans: worlds in agreement, one thing changed, the whole plan compared.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod against;
mod agreed;
mod by_word;
mod comment;
mod executive;
mod exported;
mod faces;
mod github;
mod linted;
mod members;
mod memory;
mod multiplied;
mod properties;
mod rails;
mod saved;
mod saved_compared;
mod saved_refused;
mod second_thoughts;
mod standing;
mod subscriptions;
mod ways;
pub mod world;
