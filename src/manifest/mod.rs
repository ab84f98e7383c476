//! What is wanted: manifests read, checked, and resolved with their defaults and groups.
//!
//! Pure: it is given the files' bytes (see [`crate::source`]) and does no IO.
//!
//! A file goes from text to nodes (`yaml`), to the documents as written (`documents`, with the
//! help of `decode`), to clients with their defaults and groups (`resolve`), through the checks
//! that look at all clients together (`checks`), and comes out as [`Wanted`] and [`Finding`]s.

mod annotations;
mod checks;
pub mod codes;
mod decode;
mod documents;
mod finding;
mod insert;
mod load;
mod model;
mod operator;
mod origin;
mod plain;
mod render;
mod report;
mod resolve;
mod sarif;
mod schema;
mod wanted;
mod yaml;

pub use annotations::{annotations, data as annotation_data, property as annotation_property};
pub use finding::{Finding, Place, Severity, file_below};
pub use insert::{Insertion, account_id as insert_account_id};
pub use load::{LoadOptions, Loaded, load};
pub use operator::{OperatorSpec, operator_document};
pub use origin::{Origin, OriginKind, Origins};
pub use render::{render, scalar, summary};
pub use sarif::sarif;
pub use schema::json_schema;
pub(crate) use schema::without_null;
pub use wanted::{Client, Invalid, Membership, Offboarding, SourceRef, Wanted, WantedMember, WantedPlan};
