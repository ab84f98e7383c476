//! The gate of a receiver: who knows the secret of the path may send so much, so long, and so
//! many at once.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::StatusCode;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::secret::Secret;

/// How long a body may take.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// What a receiver lets in.
pub(super) struct Gate {
    /// Stands in the path.
    secret: Secret,
    room: Semaphore,
    /// In bytes.
    longest: usize,
}

impl Gate {
    /// For so many deliveries at once, and bodies of so many bytes.
    pub(super) fn new(secret: Secret, at_once: usize, longest: usize) -> Self {
        Self { secret, room: Semaphore::new(at_once), longest }
    }

    /// The whole body, and its place among those that are taken at once, to be kept until the
    /// delivery was dealt with.
    ///
    /// # Errors
    /// The status that turns the delivery away.
    pub(super) async fn pass(
        &self,
        secret: Option<&str>,
        body: Body,
    ) -> Result<(Bytes, SemaphorePermit<'_>), StatusCode> {
        if !secret.is_some_and(|secret| self.secret.is(secret)) {
            return Err(StatusCode::NOT_FOUND);
        }
        let Ok(place) = self.room.try_acquire() else { return Err(StatusCode::SERVICE_UNAVAILABLE) };
        match tokio::time::timeout(BODY_WITHIN, to_bytes(body, self.longest)).await {
            Ok(Ok(body)) => Ok((body, place)),
            Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
            Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
        }
    }
}
