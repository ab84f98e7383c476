//! The one integration binary; each module is a room or a way of using the program.

mod manifest;
mod manifest_hostile;
