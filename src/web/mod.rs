//! What the daemon serves: the receiver of webhooks. Whatever comes in is a hint to look, and
//! at most hearsay about members; it chooses nothing.

mod dnsimple;
mod hooks;
mod secret;

pub use dnsimple::{Delivery, NotJson};
pub use hooks::{Hooks, router};
pub use secret::{Secret, SecretError};

/// The path of DNSimple's receiver, before the secret.
pub const DNSIMPLE: &str = "/hooks/dnsimple/";
