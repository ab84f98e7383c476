//! The recipes for CI: their steps, in their order, on a real Git repository, against the
//! embedded sandbox; and what a hostile pull request could try against them.

mod github;
mod hostile;
mod others;
mod runner;
