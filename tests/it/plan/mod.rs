//! Plans: worlds in agreement, one thing changed, the whole plan compared.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod by_word;
mod comment;
mod faces;
mod linted;
mod members;
mod memory;
mod properties;
mod rails;
mod second_thoughts;
mod standing;
mod subscriptions;
mod ways;
pub mod world;
