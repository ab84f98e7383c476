//! What an answer means for an action that was not carried out: whom it waits for, who must
//! act, or that it is tried again. A pure table.

use crate::domain::text::inert;
use crate::domain::{AccountId, Foreign};
use crate::journal::{BookError, JournalError};
use crate::plan::{OpKind, Reason, Verdict, VerdictState};
use crate::provider::{ApiError, ApiErrorKind};

use super::outcome::{Outcome, Refusal};

/// Failed, and tried again later.
pub fn failed(error: Option<&ApiError>, message: String) -> Verdict {
    Verdict {
        state: VerdictState::Failed,
        reason: None,
        message,
        request_id: error.and_then(|error| error.request_id.clone()),
    }
}

/// The journal gave no permit: nothing was sent.
pub fn not_permitted(error: &BookError) -> Verdict {
    let (state, reason, message) = match error {
        BookError::Journal(JournalError::Frozen { reason }) => (
            VerdictState::Blocked,
            Some(Reason::Frozen),
            format!("frozen: {}; `bursar unfreeze` lets it go on", inert(reason)),
        ),
        BookError::Journal(JournalError::Conflict { .. }) => {
            (VerdictState::Failed, None, "another process works on this; it is looked at again".to_owned())
        }
        BookError::Journal(error) => (VerdictState::Failed, None, format!("{error}; nothing was sent")),
        BookError::Rejected(why) => (
            VerdictState::Waiting,
            Some(Reason::OutcomeSettling),
            format!("{why}; it is looked for, and nothing is sent meanwhile"),
        ),
    };
    Verdict { state, reason, message, request_id: None }
}

/// What was read before the plan was made is not so any more: no money moves on it.
pub fn moved(what: &str) -> Verdict {
    failed(None, format!("{what} changed since the plan was made, so nothing was bought; it is looked at again"))
}

/// The error of a request that was permitted and came too late to be sent.
pub fn too_late(request: &str) -> ApiError {
    let why = Foreign::new("its time was over before it could be sent");
    ApiError { request: request.to_owned(), request_id: None, kind: ApiErrorKind::NotSent { why } }
}

/// The error of a request that waited for its turn when an interruption came.
pub fn interrupted() -> ApiError {
    let why = Foreign::new("stopped while it waited for its turn");
    ApiError { request: "the request".to_owned(), request_id: None, kind: ApiErrorKind::NotSent { why } }
}

/// A create whose answer was lost and which was not found: nobody sends it again.
pub fn settling(error: &ApiError) -> Verdict {
    Verdict {
        state: VerdictState::Waiting,
        reason: Some(Reason::OutcomeSettling),
        message: format!(
            "whether the account was created is not known yet; it is looked for and not sent again: {error}"
        ),
        request_id: error.request_id.clone(),
    }
}

/// Two accounts appeared that could be the one asked for.
pub fn several(ids: &[AccountId]) -> Verdict {
    let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
    Verdict {
        state: VerdictState::Blocked,
        reason: Some(Reason::OutcomeUnknown),
        message: format!(
            "several new accounts bear this name: {}; write the right one's id as accountId",
            ids.join(", ")
        ),
        request_id: None,
    }
}

/// What an outcome that is not "done" means for an action of this kind.
pub fn not_done(op: OpKind, outcome: &Outcome, error: &ApiError) -> Verdict {
    let (state, reason, message) = match outcome {
        Outcome::NotSent => (VerdictState::Failed, None, format!("{error}; nothing was done, it is tried again")),
        Outcome::Quota { resets_in, sent: _ } => (
            VerdictState::Failed,
            Some(Reason::QuotaExhausted),
            format!("the quota of requests is used up; nothing was done, it goes on in {} s", resets_in.as_secs()),
        ),
        Outcome::Unknown { .. } => (
            VerdictState::Failed,
            None,
            format!(
                "{error}; it did not happen or could not be read back, and is looked at again before it is sent again"
            ),
        ),
        Outcome::Done => (VerdictState::Failed, None, error.to_string()),
        Outcome::Refused { reason } => refused(op, *reason, error),
    };
    Verdict { state, reason, message, request_id: error.request_id.clone() }
}

fn refused(op: OpKind, refusal: Refusal, error: &ApiError) -> (VerdictState, Option<Reason>, String) {
    let blocked = |reason: Reason, next: &str| (VerdictState::Blocked, Some(reason), format!("{next} ({error})"));
    match refusal {
        Refusal::NotRegistered => (
            VerdictState::Waiting,
            Some(Reason::AwaitingSignup),
            "waits for their sign-up with the service; no seat is paid for meanwhile".to_owned(),
        ),
        Refusal::EmailIsNotification => blocked(
            Reason::NotificationEmailConflict,
            "a member's email cannot be the account's notification email; change one of them",
        ),
        Refusal::PaymentRequired if op == OpKind::AddMember => {
            blocked(Reason::PaymentRequired, "the account is not subscribed or not in good standing")
        }
        Refusal::PaymentRequired => {
            blocked(Reason::PaymentRequired, "no card, or the card was refused; put the billing in order")
        }
        Refusal::PlanTakesOne => blocked(Reason::PlanTakesOneMember, "this plan takes the owner only"),
        Refusal::EmailNotVerified => {
            blocked(Reason::EmailNotVerified, "the token's user must verify their email with the service first")
        }
        Refusal::NoLimitedAccess => blocked(Reason::AccessUnavailable, "this plan has no limited access"),
        Refusal::RoleUnavailable => blocked(Reason::AccessUnavailable, "the server does not give this role here"),
        Refusal::NotPermitted => blocked(Reason::NotPermitted, "the token's user may not do this"),
        Refusal::PlanLacksFeature => blocked(Reason::NotPermitted, "the account's plan does not have this"),
        Refusal::TooManyMembers => {
            blocked(Reason::TooManyMembers, "the account has more members than the plan or its seats take")
        }
        Refusal::PlanUnavailable => {
            blocked(Reason::PlanUnavailable, "the service does not sell this plan to this account")
        }
        Refusal::NotOffered => blocked(Reason::NotOffered, "the server does not offer this call"),
        Refusal::NoSeatFree
        | Refusal::AlreadyTaken
        | Refusal::Gone
        | Refusal::InvalidInput
        | Refusal::Conflict
        | Refusal::KeyReused
        | Refusal::Unauthorized => (VerdictState::Failed, None, error.to_string()),
    }
}
