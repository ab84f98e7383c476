//! The one integration binary; each module is a room or a way of using the program.

mod generated_openapi;
mod sandbox;
mod sandbox_cli;
mod sandbox_page;
