//! What goes out to people: notifications, the daily digest, the status of a commit. Whatever
//! receives it may hang or fail, and holds nothing up: each receiver has a task and a bounded
//! queue of its own.

mod address;
mod courier;
mod digest;
mod github;
mod note;
mod outbox;
mod payload;

pub use address::{Address, AddressError, Format};
pub use courier::{Counters, Pace, SetupError};
pub use digest::{Acts, Digest, Idle, Letter, Owed, Waits, digest, digest_json, digest_json_schema, digest_text};
pub use github::{CommitState, Repository, RepositoryError, description};
pub use note::{Kind, Named, Note, Severity};
pub use outbox::{Outbox, Tell};
pub use payload::{note_json, note_json_schema, note_text, slack};
