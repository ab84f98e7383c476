//! What a request came back with when it was not what was asked for.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::domain::{Foreign, RequestId};

/// A request that did not bring what was asked for: which one, what came back, and the id
/// to give to the service's support. Never holds the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// Method and route, `POST /v2/{account}/members`.
    pub request: String,
    /// The server's id of this request, where an answer came.
    pub request_id: Option<RequestId>,
    /// What came back.
    pub kind: ApiErrorKind,
}

/// What came back. The kinds are those that matter for what may be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiErrorKind {
    /// Nothing was written: no such host, connection refused, TLS failure.
    NotSent {
        /// What failed.
        why: Foreign,
    },
    /// A whole answer in the API's own error form: refused, with reasons.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The server's message.
        message: Foreign,
        /// Field by field, every fault at once.
        errors: BTreeMap<String, Vec<Foreign>>,
        /// What it comes to, where status and documented phrases do not tell and the driver
        /// knows.
        meaning: Option<Meaning>,
    },
    /// `GET /whoami` showed an account in place of a user: the token sees that one account
    /// only, and a user token is needed.
    AccountToken,
    /// 429: not carried out; the window opens again after this long.
    Quota {
        /// From now on, by the same answer's clock, clamped to at most an hour and a bit.
        resets_in: Duration,
        /// Whether the request was sent, and refused; else it was kept back, for the window is
        /// known to be closed.
        sent: bool,
    },
    /// An answer that proves nothing: 408, 5xx, HTML, a redirect, a truncated, oversized or
    /// unexpected body, a time-out, a reset. A write may or may not have happened.
    Unclear {
        /// The status, where one was read.
        status: Option<u16>,
        /// Whether a 2xx head arrived: then a write has probably happened.
        probably_done: bool,
        /// What was wrong.
        why: Foreign,
    },
}

/// What a refusal comes to, in the words of the domain: for servers that say it in another way
/// than `account-api.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Meaning {
    /// It is there already, or its name is taken.
    AlreadyTaken,
    /// What was sent is at fault.
    InvalidInput,
    /// No seat is free for the person.
    NoSeatFree,
    /// No way to pay, or the payment was refused.
    PaymentRequired,
    /// The plan is unknown, not on sale, or not for this account.
    PlanUnavailable,
    /// More members than the plan or its seats take.
    TooManyMembers,
    /// The role does not exist, or this account's plan does not have it.
    RoleUnavailable,
    /// The token's user may not do it.
    NotPermitted,
}

impl ApiError {
    /// The HTTP status, where one was read.
    pub fn status(&self) -> Option<u16> {
        match &self.kind {
            ApiErrorKind::NotSent { .. } => None,
            ApiErrorKind::Refused { status, .. } => Some(*status),
            ApiErrorKind::AccountToken => Some(200),
            ApiErrorKind::Quota { .. } => Some(429),
            ApiErrorKind::Unclear { status, .. } => *status,
        }
    }

    /// The server's words about one field, empty where it has none.
    pub fn field(&self, name: &str) -> &[Foreign] {
        match &self.kind {
            ApiErrorKind::Refused { errors, .. } => errors.get(name).map_or(&[], Vec::as_slice),
            _ => &[],
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.request)?;
        match &self.kind {
            ApiErrorKind::NotSent { why } => write!(f, "not sent: {why}")?,
            ApiErrorKind::Refused { status: 401, message, .. } => {
                write!(f, "401 {message}; the API does not accept the token: check it where it was given")?;
            }
            ApiErrorKind::Refused { status, message, errors, meaning: _ } => {
                write!(f, "{status} {message}")?;
                for (field, faults) in errors {
                    for fault in faults {
                        write!(f, "; {} {fault}", crate::domain::text::inert(field))?;
                    }
                }
            }
            ApiErrorKind::AccountToken => {
                f.write_str(
                    "this is the token of one account; make a user token, which sees every account of its user",
                )?;
            }
            ApiErrorKind::Quota { resets_in, sent: _ } => {
                write!(f, "429 the quota is used up; it opens again in {} s", resets_in.as_secs())?;
            }
            ApiErrorKind::Unclear { status: Some(status), why, .. } => write!(f, "{status}: {why}")?,
            ApiErrorKind::Unclear { status: None, why, .. } => write!(f, "no answer: {why}")?,
        }
        if let Some(id) = &self.request_id {
            write!(f, " (request id {id})")?;
        }
        Ok(())
    }
}

impl std::error::Error for ApiError {}
