//! How long a simulated process lives: to a point of its input and output that a seed or a
//! test chose.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_util::sync::CancellationToken;

/// One life of a process: each point of its input and output has a number, and it may end at
/// one of them, as if by `kill -9`.
#[derive(Debug, Default)]
pub struct Life {
    points: AtomicU64,
    ends_at: Option<u64>,
    ended: CancellationToken,
}

impl Life {
    /// Ends at the point of this number, counted from 0; never without one.
    pub fn new(ends_at: Option<u64>) -> Arc<Self> {
        Arc::new(Self { ends_at, ..Self::default() })
    }

    /// How many points it came to.
    pub fn points(&self) -> u64 {
        self.points.load(Ordering::Relaxed)
    }

    /// A point of input or output: does not return where the life ends here, or has ended.
    pub async fn point(&self) {
        if self.ended.is_cancelled() {
            std::future::pending::<()>().await;
        }
        if Some(self.points.fetch_add(1, Ordering::Relaxed)) == self.ends_at {
            self.ended.cancel();
            std::future::pending::<()>().await;
        }
    }

    /// Runs what the process does; `None` where its life ended before that was done, and all
    /// that it had in mind is gone.
    pub async fn live<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.ended.cancelled() => None,
            done = work => Some(done),
        }
    }
}
