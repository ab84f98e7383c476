//! The journal's stores: what all of them must do, and what each does when something fails.

mod conformance;
mod replicas;
mod worlds;
