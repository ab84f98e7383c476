//! Sending a write that states an end: where the answer was lost, what happened is read
//! back, and only where nothing happened it is sent again.

use std::future::Future;
use std::time::Duration;

use crate::plan::OpKind;
use crate::provider::ApiError;

use super::outcome::{Outcome, Refusal, classify};
use super::{Executor, TRIES};

/// How sending ended.
pub enum Sent<T> {
    /// It is so now, by the answer or by reading back.
    Done(T),
    /// It is not, for this reason.
    Not(Outcome, ApiError),
}

impl Executor<'_> {
    /// Sends until an answer settles it, at most [`TRIES`] times. `read_back` tells whether
    /// the end is reached: `Some` with what it looks like, or `None`.
    pub(super) async fn send_repeatable<T, Send, Back, SendFuture, BackFuture>(
        &self,
        op: OpKind,
        mut send: Send,
        mut read_back: Back,
    ) -> Sent<T>
    where
        Send: FnMut() -> SendFuture,
        SendFuture: Future<Output = Result<T, ApiError>>,
        Back: FnMut() -> BackFuture,
        BackFuture: Future<Output = Result<Option<T>, ApiError>>,
    {
        let mut attempt = 1;
        loop {
            let error = match send().await {
                Ok(value) => return Sent::Done(value),
                Err(error) => error,
            };
            let outcome = classify(op, Err(&error));
            match &outcome {
                Outcome::Quota { resets_in } => {
                    if attempt >= TRIES || !self.wait_for_quota(*resets_in).await {
                        return Sent::Not(outcome, error);
                    }
                }
                Outcome::NotSent => {
                    if attempt >= TRIES || self.cancel.is_cancelled() {
                        return Sent::Not(outcome, error);
                    }
                    self.pause(attempt).await;
                }
                Outcome::Unknown { .. } => {
                    self.pause(attempt).await;
                    match self.read_back(&mut read_back).await {
                        Some(Some(value)) => return Sent::Done(value),
                        // Not read: it may have happened, so it is not sent again now.
                        None => return Sent::Not(outcome, error),
                        Some(None) if attempt >= TRIES || self.cancel.is_cancelled() => {
                            return Sent::Not(outcome, error);
                        }
                        Some(None) => {}
                    }
                }
                // It is there, or gone, already: it may be so by an earlier attempt of ours.
                Outcome::Refused { reason: Refusal::AlreadyTaken | Refusal::Conflict | Refusal::Gone } => {
                    return match self.read_back(&mut read_back).await {
                        Some(Some(value)) => Sent::Done(value),
                        Some(None) | None => Sent::Not(outcome, error),
                    };
                }
                Outcome::Refused { .. } | Outcome::Done => return Sent::Not(outcome, error),
            }
            attempt += 1;
        }
    }

    /// Reads until an answer comes, at most [`TRIES`] times; `None` where none came.
    pub(super) async fn read_back<T, Back, BackFuture>(&self, read: &mut Back) -> Option<T>
    where
        Back: FnMut() -> BackFuture,
        BackFuture: Future<Output = Result<T, ApiError>>,
    {
        for attempt in 1..=TRIES {
            match read().await {
                Ok(value) => return Some(value),
                Err(error) => {
                    tracing::debug!(%error, attempt, "could not read back");
                    if attempt < TRIES {
                        self.pause(attempt).await;
                    }
                }
            }
        }
        None
    }

    /// The pause before the next try: it doubles each time.
    pub(super) async fn pause(&self, attempt: u32) {
        let factor = 1_u32 << attempt.saturating_sub(1).min(6);
        tokio::time::sleep(self.options.pause.saturating_mul(factor)).await;
    }

    /// Waits until the quota's window opens; `false` where that is longer than anybody
    /// wants to wait, or an interruption came.
    pub(super) async fn wait_for_quota(&self, resets_in: Duration) -> bool {
        if resets_in > self.options.quota_patience {
            return false;
        }
        self.progress.pausing(resets_in.as_secs());
        tokio::select! {
            () = tokio::time::sleep(resets_in.max(self.options.pause)) => true,
            () = self.cancel.cancelled() => false,
        }
    }
}
