//! Writing: sent once, on a connection of its own, and done only where the answer agrees with
//! the request.

use reqwest::Method;
use serde_json::Value;

use super::exchange::{ANSWER_CAP, Answer, Call, Wire};
use super::json::is_segment;
use crate::provider::{ApiError, IdempotencyKey, Written};

/// Where a write goes: the route as it is told, and its path.
pub(in crate::provider) struct Target<'a> {
    pub(in crate::provider) method: Method,
    pub(in crate::provider) route: &'static str,
    pub(in crate::provider) path: &'a [&'a str],
}

impl Wire {
    /// Sends a write once. A path that would lead to another endpoint is not sent.
    pub(in crate::provider) async fn write(
        &self,
        target: Target<'_>,
        body: Option<Value>,
        key: Option<&IdempotencyKey>,
    ) -> Result<Answer, ApiError> {
        let Target { method, route, path } = target;
        if !path.iter().all(|segment| is_segment(segment)) {
            return Err(self.not_sent((&method, route), "the id of the account or the member is not one"));
        }
        let url = self.base.endpoint(path);
        self.exchange(Call { method, route, url, body, key, cap: ANSWER_CAP }).await
    }

    /// What an answer says, where `disagreement` names nothing that differs from the request.
    pub(in crate::provider) fn agreed<T>(
        &self,
        answer: &Answer,
        said: T,
        disagreement: Option<&'static str>,
    ) -> Result<Written<T>, ApiError> {
        match disagreement {
            None => Ok(Written { value: said, request_id: answer.request_id().cloned() }),
            Some(other) => Err(self.unclear(answer, &format!("the answer names {other} than the request"))),
        }
    }

    /// A deletion is answered with nothing at all.
    pub(in crate::provider) fn emptied(&self, answer: &Answer) -> Result<Written<()>, ApiError> {
        if answer.status() == 204 {
            Ok(Written { value: (), request_id: answer.request_id().cloned() })
        } else {
            Err(self.unclear(answer, "another answer than 204"))
        }
    }
}
