//! The one integration binary; each module is a room or a way of using the program.

mod daemon;
mod flow;
mod hostile;
mod isolation;
mod proxy;
mod requests;
mod support;
