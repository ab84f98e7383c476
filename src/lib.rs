//! A declarative reconciler for client accounts: what manifests want, what the account API
//! shows, and the actions that make the two agree, each carried out once.
//!
//! The rooms, imports running downwards only; ARCHITECTURE.md tells how they fit together.

pub mod charges;
pub mod cli;
pub mod controller;
pub mod doctor;
pub mod execute;
pub mod export;
pub mod journal;
pub mod notify;
pub mod pin;
pub mod plan;
pub mod snapshot;
pub mod source;
pub mod web;

pub mod manifest;
pub mod provider;
pub mod sandbox;

pub mod domain;
