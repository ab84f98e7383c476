//! Sending a write that states an end: where the answer was lost, what happened is read
//! back, and only where nothing happened it is sent again.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::journal::{Answer, BookError, Intent, Row, Sight};
use crate::plan::{OpKind, Verdict};
use crate::provider::{ApiError, ApiErrorKind, Class, Write, Written};

use super::outcome::{Outcome, Refusal, classify};
use super::verdict::{self, not_done, not_permitted};
use super::{Executor, TRIES};

/// How sending ended.
pub enum Sent<T> {
    /// It is so now, by the answer or by reading back.
    Done(Written<T>),
    /// The person is a user, and no seat is free.
    NoSeatFree(Verdict),
    /// It is not, for this reason.
    Not(Verdict),
}

impl Executor<'_> {
    /// Sends until an answer settles it, at most [`TRIES`] times, each with a permit of its
    /// own. `read_back` tells whether the end is reached: `Some` with what it looks like, or
    /// `None`. `invited` tells of what was made whether it is only an invitation.
    pub(super) async fn send_repeatable<T, Send, Back, SendFuture, BackFuture>(
        &self,
        op: OpKind,
        intent: &Intent,
        mut send: Send,
        mut read_back: Back,
        invited: impl Fn(&T) -> bool,
    ) -> Sent<T>
    where
        Send: FnMut(Arc<dyn Write>) -> SendFuture,
        SendFuture: Future<Output = Result<Written<T>, ApiError>>,
        Back: FnMut() -> BackFuture,
        BackFuture: Future<Output = Result<Option<T>, ApiError>>,
    {
        let mut attempt = 1;
        loop {
            let class = if attempt == 1 { Class::Write } else { Class::Finish };
            let writer = match self.turn(class).await {
                Ok(writer) => writer,
                Err(error) => return Sent::Not(not_done(op, &classify(op, Err(&error)), &error)),
            };
            let permit = match self.book.permit(intent, true).await {
                Ok(permit) => permit,
                Err(error) => return Sent::Not(not_permitted(&error)),
            };
            let sent =
                if self.book.holds(&permit) { send(writer).await } else { Err(verdict::too_late("the request")) };
            let error = match sent {
                Ok(written) => {
                    let (invited, request_id) = (invited(&written.value), written.request_id.clone());
                    self.record(&permit.row, Answer::Done { account: None, invited, request_id }).await;
                    return Sent::Done(written);
                }
                Err(error) => error,
            };
            let outcome = classify(op, Err(&error));
            let told = not_done(op, &outcome, &error);
            let answer = match outcome {
                Outcome::NotSent | Outcome::Quota { sent: false, .. } => Answer::NotSent { verdict: told.clone() },
                Outcome::Unknown { .. } | Outcome::Done => Answer::Unknown { verdict: told.clone() },
                Outcome::Refused { .. } | Outcome::Quota { .. } => Answer::Refused { verdict: told.clone() },
            };
            let row = self.record(&permit.row, answer).await;
            match &outcome {
                Outcome::Quota { .. } | Outcome::NotSent => {
                    if attempt >= TRIES || self.cancel.is_cancelled() || !self.wait(&outcome, attempt).await {
                        return Sent::Not(told);
                    }
                }
                Outcome::Unknown { .. } => {
                    self.pause(attempt).await;
                    match self.look_back(row.as_ref(), &mut read_back).await {
                        Some(Some(value)) => return Sent::Done(Written { value, request_id: None }),
                        // Not read: it may have happened, so it is not sent again now.
                        None => return Sent::Not(told),
                        Some(None) if attempt >= TRIES || self.cancel.is_cancelled() => return Sent::Not(told),
                        Some(None) => {}
                    }
                }
                // It is there, or gone, already: it may be so by an earlier attempt of ours.
                Outcome::Refused { reason: Refusal::AlreadyTaken | Refusal::Conflict | Refusal::Gone } => {
                    return match self.look_back(row.as_ref(), &mut read_back).await {
                        Some(Some(value)) => Sent::Done(Written { value, request_id: None }),
                        Some(None) | None => Sent::Not(told),
                    };
                }
                Outcome::Refused { reason: Refusal::NoSeatFree } => return Sent::NoSeatFree(told),
                Outcome::Refused { .. } | Outcome::Done => return Sent::Not(told),
            }
            attempt += 1;
        }
    }

    /// Waits for the turn of one request, before its permit is asked for: a permit is good for
    /// a moment only.
    pub(super) async fn turn(&self, class: Class) -> Result<Arc<dyn Write>, ApiError> {
        let patience = self.options.quota_patience;
        match self.writer.turn(class, Duration::ZERO).await {
            Err(ApiError { kind: ApiErrorKind::Quota { resets_in, .. }, .. }) if resets_in <= patience => {
                self.progress.pausing(resets_in.as_secs());
            }
            turn => return turn,
        }
        tokio::select! {
            turn = self.writer.turn(class, patience) => turn,
            () = self.cancel.cancelled() => Err(verdict::interrupted()),
        }
    }

    /// Reads whether it is so, and lets the journal know.
    async fn look_back<T, Back, BackFuture>(&self, row: Option<&Row>, read_back: &mut Back) -> Option<Option<T>>
    where
        Back: FnMut() -> BackFuture,
        BackFuture: Future<Output = Result<Option<T>, ApiError>>,
    {
        let began = self.book.clock().now();
        let found = self.read_back(read_back).await?;
        let sight = if found.is_some() { Sight::There { account: None } } else { Sight::Absent };
        if let Some(row) = row
            && let Err(error @ BookError::Journal(_)) = self.book.looked(row, began, sight).await
        {
            tracing::warn!(%error, "what was read back could not be written down; it is read again later");
        }
        Some(found)
    }

    /// Writes an answer down, with some patience: what happened must not be forgotten. `None`
    /// where the journal did not take it: the operation is then found unsettled, and read back.
    pub(super) async fn record(&self, row: &Row, answer: Answer) -> Option<Row> {
        for attempt in 1..=TRIES {
            match self.book.answered(row, answer.clone()).await {
                Ok(row) => return Some(row),
                Err(BookError::Journal(error)) if attempt < TRIES => {
                    tracing::debug!(%error, "an answer could not be written down yet");
                    self.pause(attempt).await;
                }
                Err(error) => {
                    let operation = row.id();
                    tracing::error!(%error, %operation, "an answer could not be written down; it is read back later");
                    break;
                }
            }
        }
        None
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

    /// Waits as an outcome asks for before the next try; `false` where that is too long.
    pub(super) async fn wait(&self, outcome: &Outcome, attempt: u32) -> bool {
        match outcome {
            Outcome::Quota { resets_in, sent: _ } => self.wait_for_quota(*resets_in).await,
            _ => {
                self.pause(attempt).await;
                true
            }
        }
    }

    /// The pause before the next try: it doubles each time.
    pub(super) async fn pause(&self, attempt: u32) {
        let factor = 1_u32 << attempt.saturating_sub(1).min(6);
        tokio::time::sleep(self.options.pause.saturating_mul(factor)).await;
    }

    /// Waits until the quota's window opens; `false` where that is longer than anybody
    /// wants to wait, or an interruption came.
    async fn wait_for_quota(&self, resets_in: Duration) -> bool {
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
