//! What goes out to people: delivered or given up without holding anything up, told once, and
//! the same over a restart.

mod daemon;
mod delivery;
mod digests;
mod github;
mod receiver;
mod troubles;
