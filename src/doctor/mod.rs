//! Looking a server over: asking it ([`ask`]), trying it out where it is a sandbox
//! ([`probe`]), judging what came ([`Profile::checks`], pure), and showing that.

mod ask;
mod judge;
mod probe;
mod profile;
mod render;

pub use ask::{Asked, ask};
pub use judge::{Check, Health, Subject};
pub use probe::probe;
pub use profile::{Probed, Profile, SERVICES, Service};
pub use render::{json, json_schema, text};
