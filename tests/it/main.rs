//! The one integration binary; each module is a room or a way of using the program.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod manifest;
mod manifest_hostile;
