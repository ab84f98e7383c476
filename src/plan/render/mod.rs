//! The faces of a plan. Each reads the same tree.

mod apply;
mod diff;
mod json;
mod model;
mod text;

pub use apply::text as apply_text;
pub use json::{apply_json, json, json_schema};
pub use text::{TextOptions, text};
