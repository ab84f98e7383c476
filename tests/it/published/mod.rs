//! DNSimple as it is published: accounts can be read and webhooks registered, and everything
//! else is a person's to do.

mod answers;
mod by_hand;
mod hooks;
mod recorded;
mod server;
mod webhooks;
