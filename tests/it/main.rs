//! The one integration binary; each module is a room or a way of using the program.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on should panic; clippy's exemption does not reach helpers"
)]

mod adopting;
mod charges;
mod ci;
mod conformance;
mod converge;
mod daemon;
mod demo;
mod deploy;
mod disk;
mod doctor;
mod export;
mod fleets;
mod flow;
mod generated_doctor;
mod generated_history;
mod generated_openapi;
mod generated_plan;
mod generated_status;
mod git;
mod hostile;
mod isolation;
mod journal;
mod kills;
mod manifest;
mod manifest_hostile;
mod manifest_robust;
mod model;
mod notify;
mod observe;
mod ops;
mod page_browser;
mod people;
mod pin;
mod plan;
mod plan_scope;
mod policy;
mod provider_hostile;
mod provider_read;
mod provider_world;
mod provider_write;
mod proxy;
mod published;
mod quota;
mod readme;
mod replicas;
mod requests;
mod rules;
mod sandbox;
mod sandbox_cli;
mod sandbox_delays;
mod sandbox_faults;
mod sandbox_netlify;
mod sandbox_page;
mod sandbox_published;
mod sim;
mod snapshot;
mod soak;
mod support;
mod support_postgres;
mod validate_faces;
mod watch;
