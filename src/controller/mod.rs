//! The passes: observe, plan, carry out, in rounds until only waiting is left; once
//! (`plan`, `apply`) or for ever (`run`). Level-triggered: an event is only a hint to look
//! sooner, and every pass compares what is wanted with what is.

mod announce;
mod asked;
pub mod board;
mod daemon;
mod herald;
mod keeper;
mod last_good;
mod lease;
mod ledger;
mod memory;
mod observe;
mod pass;
mod queue;
mod report;
mod rolling;
pub mod status;
mod tally;
mod troubles;
mod watch;

pub use announce::done_line;
pub use asked::hear;
pub use board::Board;
pub use daemon::{Ask, Daemon, Mode, Reading, Source, Timing};
pub use herald::{Daily, Herald};
pub use keeper::{Keeper, Keeping, Look, Recall};
pub use last_good::{Held, changed_clients};
pub use lease::{Shares, Turn, fair};
pub use ledger::{Ledger, Told};
pub use memory::Memory;
pub use observe::{observe, observe_all};
pub use pass::{Looked, PassError, Reconciler, Report};
pub use queue::{Backoff, Hindrance, Queue};
pub use report::BudgetReport;
pub use rolling::{Freshness, Size};
pub use tally::{Fault, Labels, Tally};
pub use troubles::{Trouble, troubles};
pub use watch::Watch;
