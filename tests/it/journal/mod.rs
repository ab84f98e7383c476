//! The journal's stores: what all of them must do, and what each does when something fails.

mod commands;
mod conformance;
mod cuts;
mod failures;
mod postgres;
mod replicas;
pub mod worlds;
