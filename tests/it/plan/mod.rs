//! Plans: worlds in agreement, one thing changed, the whole plan compared.

mod faces;
mod members;
mod properties;
mod rails;
mod standing;
mod subscriptions;
mod world;
