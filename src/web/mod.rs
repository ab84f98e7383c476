//! What the daemon serves: its page, status, metrics and health, and the receivers of webhooks.
//! Whatever comes in is a hint to look, and at most hearsay about members; it chooses nothing.

mod dnsimple;
mod gate;
mod git;
mod hooks;
mod host;
pub mod metrics;
mod page;
mod secret;
mod serve;
mod site;

pub use dnsimple::{Delivery, NotJson};
pub use git::GitHooks;
pub use hooks::{Hooks, router};
pub use host::{Arrived, Names};
pub use page::page;
pub use secret::{Secret, SecretError};
pub use serve::{Bounds, serve};
pub use site::{Site, site};

/// The path of DNSimple's receiver, before the secret.
pub const DNSIMPLE: &str = "/hooks/dnsimple/";
/// The path of the receiver of pushes, before the secret.
pub const GIT: &str = "/hooks/git/";
