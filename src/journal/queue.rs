//! The one writer of a database: commits that come while it is busy go to disk together.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::operation::ScopeId;
use super::store::{Batch, JournalError};

/// Batches in one transaction at most.
const TOGETHER: usize = 64;

/// Commits that may wait before those who ask wait, too.
const WAITING: usize = 1024;

/// What became of each batch of one transaction; or nothing of it was written.
pub(super) type Written = Result<Vec<Result<(), JournalError>>, Failed>;

/// Nothing of a transaction was written.
#[derive(Debug)]
pub(super) struct Failed {
    /// Why.
    pub error: JournalError,
    /// It may be the fault of one batch: each is worth a transaction of its own.
    pub apart: bool,
}

/// Who writes.
#[async_trait]
pub(super) trait Writer: Send + 'static {
    /// Writes batches in one transaction.
    async fn write(&mut self, batches: &[(ScopeId, Batch)]) -> Written;

    /// Gives the connection back.
    async fn close(self)
    where
        Self: Sized;
}

/// A batch on its way, and who waits for it.
struct Waiting {
    batch: (ScopeId, Batch),
    answer: oneshot::Sender<Result<(), JournalError>>,
}

/// The way to the writer. What was handed in is written, whether or not anybody waits still.
pub(super) struct Queue {
    place: String,
    sender: Mutex<Option<mpsc::Sender<Waiting>>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Queue {
    /// Sets the writer to work.
    pub fn start(place: String, writer: impl Writer) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        let task = tokio::spawn(serve(writer, receiver));
        Self { place, sender: Mutex::new(Some(sender)), task: Mutex::new(Some(task)) }
    }

    /// Writes a batch, or says why not.
    pub async fn commit(&self, scope: &ScopeId, batch: Batch) -> Result<(), JournalError> {
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (answer, answered) = oneshot::channel();
        let closed = || JournalError::Unavailable {
            place: self.place.clone(),
            doing: "written",
            why: "it was closed".to_owned(),
        };
        let sender = sender.ok_or_else(closed)?;
        sender.send(Waiting { batch: (scope.clone(), batch), answer }).await.map_err(|_| closed())?;
        drop(sender);
        answered.await.map_err(|_| closed())?
    }

    /// Takes nothing more, writes what was handed in, and gives the connection back.
    pub async fn close(&self) {
        drop(self.sender.lock().unwrap_or_else(PoisonError::into_inner).take());
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, journal = %self.place, "the journal's writer ended badly");
        }
    }
}

async fn serve(mut writer: impl Writer, mut receiver: mpsc::Receiver<Waiting>) {
    let mut waiting = Vec::new();
    while receiver.recv_many(&mut waiting, TOGETHER).await > 0 {
        let (batches, answers): (Vec<_>, Vec<_>) =
            waiting.drain(..).map(|Waiting { batch, answer }| (batch, answer)).unzip();
        let written = match writer.write(&batches).await {
            Err(Failed { apart: true, .. }) if batches.len() > 1 => apart(&mut writer, &batches).await,
            Err(Failed { error, .. }) => vec![Err(error); batches.len()],
            Ok(written) => written,
        };
        for (answer, written) in answers.into_iter().zip(written) {
            // Whoever went away finds it in the journal.
            let _ = answer.send(written);
        }
    }
    writer.close().await;
}

/// One batch must not spoil the others: each by itself.
async fn apart(writer: &mut impl Writer, batches: &[(ScopeId, Batch)]) -> Vec<Result<(), JournalError>> {
    let mut written = Vec::new();
    for batch in batches {
        written.push(match writer.write(std::slice::from_ref(batch)).await {
            Ok(mut one) => one.pop().unwrap_or(Ok(())),
            Err(Failed { error, .. }) => Err(error),
        });
    }
    written
}
