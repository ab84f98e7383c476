//! The memory that makes each thing happen once: intents, their outcomes, facts learned and
//! the history of everything that was done. It is never the truth about accounts.
//!
//! The protocol is [`step()`], a pure function from a row and an event to the next row and
//! what is to be done about it; docs/reliability.md tells why it is as it is. A [`Journal`]
//! keeps the rows and knows nothing of the protocol but one rule: a row is replaced only by
//! whoever saw its latest version.

pub mod access;
pub mod backup;
mod book;
pub mod explain;
pub mod export;
mod fact;
mod group;
pub mod hearsay;
mod history;
pub mod lock;
mod memory;
mod open;
mod operation;
pub mod people;
mod postgres;
mod queue;
pub mod request;
mod row;
pub mod said;
mod scopes;
mod sqlite;
pub mod step;
mod store;

pub use book::{Book, BookError, Intent, PERMIT, Permit, Standing, settled_from, standing, unsettled_names};
pub use fact::{Fact, FactKind, GONE};
pub use history::{Entry, EntryKind, Query, Recorded};
pub use memory::InMemory;
pub use open::{Address, AddressError, DEFAULT, fresh_id, open_beside, open_executor};
pub use operation::{Operation, OperationId, Owner, ScopeId};
pub use postgres::InDatabase;
pub use request::Request;
pub use row::{Cause, Repeat, Row, State, Version};
pub use scopes::{ScopeCard, ScopeView, latest};
pub use sqlite::{InFile, network_file_system};
pub use step::{Answer, Effect, Event, Rejected, Rules, Sight, Word, step};
pub use store::{Batch, Contents, Failover, Journal, JournalError, JournalId, Lease, Put, Seq};
