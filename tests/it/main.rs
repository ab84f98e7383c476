//! The one integration binary; each module is a room or a way of using the program.

mod provider_hostile;
mod provider_read;
mod provider_world;
mod provider_write;
