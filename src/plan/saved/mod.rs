//! Saved plans: what was looked at, kept so that it can be carried out later, client by
//! client, as far as the world still is as it was. Pure: no IO, no clock.
//!
//! **What a saved plan can do.** It chooses which clients are carried out, and nothing else.
//! Carrying one out reads the manifests and the accounts again and plans afresh within the
//! rails of the command line; a client goes ahead when the digest of that fresh part is the
//! one in the file. No action, price, address, rail or token is ever taken from the file.
//!
//! **What its checksum is for.** It finds what was changed by accident: a cut download, an
//! editor, a merge. It is no signature. Whoever forges a file with a right checksum has to
//! write the digests that the fresh plan has, and then has chosen some of the clients that
//! `bursar apply` without a file would carry out, all of them.

mod compare;
mod model;
mod part;
mod seal;
mod words;
mod world;

pub use compare::{Comparison, Moved, compare};
pub use model::{FORMAT_VERSION, KIND, Origin, PlanPart, Saved, Scope, json_schema, masked_if};
pub use part::{Agreed, part_of};
pub use seal::{LARGEST, Misfit, SealError, check, open, seal};
pub use words::text;
pub use world::WorldPart;
