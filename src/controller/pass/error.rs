//! Why a pass did not go through.

use crate::journal::{BookError, JournalError};
use crate::plan::LintFault;
use crate::provider::ApiError;

/// Why a pass did not go through.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PassError {
    /// The API could not be read, or not completely; nothing was done.
    #[error("the account API could not be read: {0}")]
    Api(ApiError),
    /// The journal could not be read or written.
    #[error("{0}")]
    Journal(BookError),
    /// Accounts would be created on a server without idempotency keys, and nothing would be
    /// remembered of it (rule R7).
    #[error(
        "this server has no idempotency keys, and without a lasting journal an account could be made twice; nothing \
         was done: name a journal with --journal"
    )]
    Unkept,
    /// The list lacks accounts that it showed a moment ago: what else it lacks nobody knows
    /// (rule R4).
    #[error("the list of accounts lacks some that it showed a moment ago; nothing was created")]
    Shrunk,
    /// The independent check found a fault in the plan; nothing was done.
    #[error("the plan does not hold, which is a bug in bursar; nothing was done: {}", faults(.0))]
    Lint(Vec<LintFault>),
}

// Not `#[from]`: the error is in the message, and a cause is not told twice.
impl From<ApiError> for PassError {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl From<BookError> for PassError {
    fn from(error: BookError) -> Self {
        Self::Journal(error)
    }
}

impl From<JournalError> for PassError {
    fn from(error: JournalError) -> Self {
        Self::Journal(error.into())
    }
}

fn faults(faults: &[LintFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
