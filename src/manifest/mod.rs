//! What is wanted: manifests read, checked, and resolved with their defaults and groups.
//!
//! Pure: it is given the files' bytes (see [`crate::source`]) and does no IO.

mod wanted;

pub use wanted::{Client, Invalid, Membership, Offboarding, SourceRef, Wanted, WantedMember, WantedPlan};
