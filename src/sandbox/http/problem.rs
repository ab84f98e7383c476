//! Errors on the wire: always JSON, always a message, and the fields at fault where there
//! are some.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::sandbox::SandboxError;
use crate::sandbox::rules::Refusal;
use crate::sandbox::service::Stop;

/// The body of every 4xx and 5xx.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    message: String,
    /// Field, and each of its faults.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    errors: BTreeMap<&'static str, Vec<String>>,
}

/// A refusal on its way out.
#[derive(Debug)]
pub struct Problem(Refusal);

impl Problem {
    /// A refusal without fields.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self(Refusal::new(status.as_u16(), message))
    }

    /// What it says, for people.
    pub fn words(&self) -> String {
        let Refusal { status: _, message, errors } = &self.0;
        let faults = errors.iter().flat_map(|(field, faults)| faults.iter().map(move |it| format!("{field} {it}")));
        let faults: Vec<_> = faults.collect();
        if faults.is_empty() { message.clone() } else { format!("{message}: {}", faults.join(", ")) }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl From<SandboxError> for Problem {
    fn from(error: SandboxError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal error")
    }
}

impl From<Stop> for Problem {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Refused(refusal) => refusal.into(),
            Stop::Failed(error) => error.into(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Refusal { status, message, errors } = self.0.clone();
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut answer = (status, Json(ErrorBody { message, errors })).into_response();
        // For a dialect that words it otherwise.
        answer.extensions_mut().insert(self.0);
        answer
    }
}

/// The answer to a path that nothing is at.
pub async fn unknown_route(uri: Uri) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("Nothing is at `{}`", uri.path()))
}

/// The answer to a method that a path does not know.
pub async fn method_not_allowed(method: Method) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("`{method}` is not allowed here"))
}
