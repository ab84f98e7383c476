//! What every driver over HTTP needs, once: one request and its answer, bounded and counted;
//! the quota; reads that are tried again; lists that are complete or an error; writes that
//! are sent once and taken for done only where the answer agrees.
//!
//! What differs between services comes in from the driver: the form of their refusals
//! (`ReadRefusal`), their JSON, and how a list goes on.

mod exchange;
pub(super) mod json;
pub(super) mod pages;
mod quota;
mod reading;
mod traffic;
mod writing;

pub(super) use exchange::{ANSWER_CAP, Answer, Asked, Complaint, PAGE_CAP, Wire};
pub use quota::Quota;
pub(super) use reading::{id_order, is_absent};
pub use traffic::Traffic;
pub(super) use writing::Target;
