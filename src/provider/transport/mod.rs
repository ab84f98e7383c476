//! What carries a driver's requests: one request there, one answer back, and what a failure
//! proves. The real one is [`Https`]; a simulation puts a network of its own in its place.

mod https;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode, Url};

pub use https::{ConnectError, Https, Timeouts};

/// Carries requests. It sends each at most once, a write on a connection of its own, follows
/// no redirect, unpacks nothing, and ends every wait by its own deadline.
#[async_trait]
pub trait Transport: Send + Sync + fmt::Debug {
    /// Sends a request once; returns when the head of its answer is there.
    ///
    /// # Errors
    /// There is no answer; [`Failure`] tells what that proves.
    async fn send(&self, request: Request) -> Result<Answer, Failure>;
}

/// One request.
#[derive(Debug)]
pub struct Request {
    pub method: Method,
    pub url: Url,
    /// The token's is marked as sensitive.
    pub headers: HeaderMap,
    pub body: Option<Vec<u8>>,
}

/// The head of an answer, and its body as it comes in.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// Ends with a failure where the answer breaks off; the deadline of the request covers it.
    pub body: BoxStream<'static, Result<Bytes, Failure>>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, headers, body: _ } = self;
        f.debug_struct("Answer").field("status", status).field("headers", headers).finish_non_exhaustive()
    }
}

/// Why there is no answer, or no whole one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Nothing was written: no such host, connection refused, TLS failure, for this reason.
    NotSent(String),
    /// The deadline, this long, passed. The request may have arrived, or may still arrive.
    TimedOut(Duration),
    /// The connection broke, for this reason, with the request on its way or arrived.
    Broken(String),
}
