//! The faces of a plan. Each reads the same tree.

mod apply;
mod diff;
mod executive;
mod json;
mod lists;
mod markdown;
mod model;
mod text;

pub use apply::text as apply_text;
pub use json::{apply_json, json, json_schema};
pub use markdown::{MARKER, markdown};
pub use text::{TextOptions, text};
