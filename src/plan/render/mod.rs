//! The faces of a plan. Each reads the same tree.

mod apply;
mod diff;
mod executive;
mod github;
mod json;
mod lists;
mod markdown;
mod model;
mod text;

pub use apply::text as apply_text;
pub use github::{GithubOptions, github, github_outputs, github_without_plan};
pub use json::{apply_json, apply_json_of_saved, json, json_schema};
pub use markdown::{MARKER, markdown};
pub(super) use model::{ApiJson, PlanJson};
pub use text::{TextOptions, text};
