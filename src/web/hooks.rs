//! The receiver: who knows the secret may tell, briefly and in JSON; what is told is noted as
//! hearsay, and the daemon looks.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use tokio::sync::Mutex;

use crate::domain::Clock;
use crate::domain::text::inert;
use crate::journal::Journal;
use crate::journal::hearsay::{Noted, hear};

use super::dnsimple::Delivery;
use super::gate::Gate;
use super::secret::Secret;

/// The longest body that is read, in bytes. A delivery has less than one.
const LONGEST_BODY: usize = 64 * 1024;
/// So many deliveries at once; the service sends what was turned away again.
const AT_ONCE: usize = 64;

/// What a receiver needs.
pub struct Hooks {
    gate: Gate,
    journal: Arc<dyn Journal>,
    urls: BTreeSet<String>,
    clock: Arc<dyn Clock>,
    hint: Box<dyn Fn() + Send + Sync>,
    /// What is known of a person is read and written again: one delivery after the other.
    noting: Mutex<()>,
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hooks").field("urls", &self.urls).finish_non_exhaustive()
    }
}

impl Hooks {
    /// `urls` are the APIs whose accounts are looked after; `hint` asks for a look.
    pub fn new(
        secret: Secret,
        journal: Arc<dyn Journal>,
        urls: BTreeSet<String>,
        clock: Arc<dyn Clock>,
        hint: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let gate = Gate::new(secret, AT_ONCE, LONGEST_BODY);
        Self { gate, journal, urls, clock, hint: Box::new(hint), noting: Mutex::default() }
    }

    /// The status that answers a delivery. Only 200 keeps the service from sending it again.
    async fn take(&self, secret: Option<&str>, body: Body) -> StatusCode {
        let (body, _place) = match self.gate.pass(secret, body).await {
            Ok(passed) => passed,
            Err(status) => return status,
        };
        let now = self.clock.now();
        let Ok(Delivery { name, news }) = Delivery::read(&body, now) else { return StatusCode::BAD_REQUEST };
        let event = inert(&name);
        if let Some((account, email, told)) = news {
            let _one = self.noting.lock().await;
            match hear(self.journal.as_ref(), &self.urls, (&account, &email), &told, now).await {
                Ok(Noted::New(client)) => tracing::info!(%client, %event, "a webhook told of {email}"),
                Ok(Noted::Known) => tracing::debug!(%event, "a webhook told nothing new"),
                Ok(Noted::NotOurs) => tracing::debug!(%event, "a webhook told of an account that is not ours"),
                Err(error) => {
                    tracing::warn!(%event, %error, "what a webhook told could not be written down");
                    return StatusCode::SERVICE_UNAVAILABLE;
                }
            }
        }
        (self.hint)();
        StatusCode::OK
    }
}

/// What is served.
pub fn router(hooks: Arc<Hooks>) -> Router {
    Router::new().route("/hooks/dnsimple/{secret}", post(dnsimple)).with_state(hooks)
}

async fn dnsimple(
    State(hooks): State<Arc<Hooks>>,
    secret: Result<Path<String>, axum::extract::rejection::PathRejection>,
    body: Body,
) -> StatusCode {
    let secret = secret.ok().map(|Path(secret)| secret);
    hooks.take(secret.as_deref(), body).await
}
