//! Reading an answer: what a write's result proves, as a pure function.
//!
//! *Refused* is proof that nothing was done, *not sent* too; *unknown* is no proof of
//! anything, and is read back, never sent again unread.

use std::time::Duration;

use crate::plan::OpKind;
use crate::provider::{ApiError, ApiErrorKind, Meaning};

/// What came of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Done, and the answer agrees with the request.
    Done,
    /// Nothing was written to the wire: free to try again.
    NotSent,
    /// The server did nothing, and says why.
    Refused {
        /// Why.
        reason: Refusal,
    },
    /// The quota is used up: nothing was done, and the window opens again after this long.
    Quota {
        /// From now on.
        resets_in: Duration,
        /// Whether the request was sent, and refused; else it was kept back.
        sent: bool,
    },
    /// It may have happened or not: read back before anything else.
    Unknown {
        /// A success began to arrive, so it probably has.
        probably_done: bool,
    },
}

/// Why a server refused a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// The person is not a registered user yet (rule 12). Goes before every other fault: no
    /// seat is bought for somebody who has not signed up.
    NotRegistered,
    /// The person can be added, and no seat is free (rule 17).
    NoSeatFree,
    /// It is there already (rule 15), or a name is taken: read back, it may be ours.
    AlreadyTaken,
    /// The notification email and a member's user email would be the same (rule 16).
    EmailIsNotification,
    /// 402: not subscribed, not in good standing, or the payment was refused.
    PaymentRequired,
    /// 412 on members: the plan takes its owner only (rule 11).
    PlanTakesOne,
    /// 412 on a subscription: the token's user has not verified their email (rule 4).
    EmailNotVerified,
    /// 412 on access: the plan has no limited access (rule 14).
    NoLimitedAccess,
    /// The role does not exist, or the plan does not have it.
    RoleUnavailable,
    /// 412 on anything else: the plan lacks it.
    PlanLacksFeature,
    /// The plan is unknown, not on sale, or not for self-service (rules 8 and 10).
    PlanUnavailable,
    /// More members than the plan or its seats take (rules 7 and 17).
    TooManyMembers,
    /// 400 with any other fault.
    InvalidInput,
    /// 401: the token is not accepted, or it is not a user's.
    Unauthorized,
    /// 403.
    NotPermitted,
    /// 404 or 410: the account or the member is absent, or not visible.
    Gone,
    /// 405 or 415: the server does not offer this call.
    NotOffered,
    /// 409: in conflict with what is there, or the same key is still running: read back.
    Conflict,
    /// 422: the key was used for another request, or the request makes no sense.
    KeyReused,
}

/// Tells what the result of a write of this kind proves. Whatever is not proof that nothing
/// was done is unknown.
pub fn classify(op: OpKind, result: Result<(), &ApiError>) -> Outcome {
    let error = match result {
        Ok(()) => return Outcome::Done,
        Err(error) => error,
    };
    match &error.kind {
        ApiErrorKind::NotSent { .. } => Outcome::NotSent,
        ApiErrorKind::Quota { resets_in, sent } => Outcome::Quota { resets_in: *resets_in, sent: *sent },
        ApiErrorKind::Unclear { status: _, probably_done, why: _ } => {
            Outcome::Unknown { probably_done: *probably_done }
        }
        ApiErrorKind::AccountToken => Outcome::Refused { reason: Refusal::Unauthorized },
        ApiErrorKind::Refused { status, meaning, .. } => match refusal(op, *status, error) {
            Some(reason) => Outcome::Refused { reason: meaning.map_or(reason, meant) },
            None => Outcome::Unknown { probably_done: (200..300).contains(status) },
        },
    }
}

/// Why it was refused; `None` where this status is no refusal, whatever the driver says.
fn refusal(op: OpKind, status: u16, error: &ApiError) -> Option<Refusal> {
    Some(match status {
        400 => invalid(op, error),
        401 => Refusal::Unauthorized,
        402 => Refusal::PaymentRequired,
        403 => Refusal::NotPermitted,
        404 | 410 => Refusal::Gone,
        405 | 415 => Refusal::NotOffered,
        409 => Refusal::Conflict,
        412 => lacking(op),
        422 => Refusal::KeyReused,
        _ => return None,
    })
}

/// A refusal that its driver understood.
const fn meant(meaning: Meaning) -> Refusal {
    match meaning {
        Meaning::AlreadyTaken => Refusal::AlreadyTaken,
        Meaning::InvalidInput => Refusal::InvalidInput,
        Meaning::NoSeatFree => Refusal::NoSeatFree,
        Meaning::PaymentRequired => Refusal::PaymentRequired,
        Meaning::PlanUnavailable => Refusal::PlanUnavailable,
        Meaning::TooManyMembers => Refusal::TooManyMembers,
        Meaning::RoleUnavailable => Refusal::RoleUnavailable,
        Meaning::NotPermitted => Refusal::NotPermitted,
    }
}

const fn lacking(op: OpKind) -> Refusal {
    match op {
        OpKind::AddMember => Refusal::PlanTakesOne,
        OpKind::Subscribe | OpKind::ChangePlan | OpKind::SetSeats => Refusal::EmailNotVerified,
        OpKind::SetAccess => Refusal::NoLimitedAccess,
        OpKind::CreateAccount | OpKind::UpdateAccount | OpKind::RemoveMember | OpKind::Unsubscribe => {
            Refusal::PlanLacksFeature
        }
    }
}

/// A 400 by its field faults: the documented phrases, whatever their letter case, beside
/// faults that we do not know.
fn invalid(op: OpKind, error: &ApiError) -> Refusal {
    let says =
        |field: &str, phrase: &str| error.field(field).iter().any(|fault| fault.raw().to_lowercase().contains(phrase));
    let faulty = |field: &str| !error.field(field).is_empty();
    match op {
        OpKind::AddMember => {
            if says("email", "is not a registered user") {
                Refusal::NotRegistered
            } else if says_taken(error) {
                Refusal::AlreadyTaken
            } else if says("email", "is the notification email") {
                Refusal::EmailIsNotification
            } else if !faulty("email") && says("seats", "none available") {
                // Any fault of the email, a new one too, means that a seat would be bought
                // for nobody.
                Refusal::NoSeatFree
            } else {
                Refusal::InvalidInput
            }
        }
        OpKind::Subscribe | OpKind::ChangePlan | OpKind::SetSeats => {
            if says("plan_identifier", "members") || says("seats", "members") {
                Refusal::TooManyMembers
            } else if faulty("plan_identifier") {
                Refusal::PlanUnavailable
            } else {
                Refusal::InvalidInput
            }
        }
        OpKind::CreateAccount | OpKind::UpdateAccount => {
            if says("email", "member") || says("email", "is the user email") {
                Refusal::EmailIsNotification
            } else if says_taken(error) {
                Refusal::AlreadyTaken
            } else {
                Refusal::InvalidInput
            }
        }
        OpKind::RemoveMember | OpKind::SetAccess | OpKind::Unsubscribe => Refusal::InvalidInput,
    }
}

/// Whether a 400 says that something is there already.
fn says_taken(error: &ApiError) -> bool {
    let taken = |text: &crate::domain::Foreign| text.raw().to_lowercase().contains("taken");
    match &error.kind {
        ApiErrorKind::Refused { status: _, message, errors, meaning: _ } => {
            taken(message) || errors.values().flatten().any(taken)
        }
        ApiErrorKind::NotSent { .. }
        | ApiErrorKind::AccountToken
        | ApiErrorKind::Quota { .. }
        | ApiErrorKind::Unclear { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::Foreign;

    fn of(op: OpKind, kind: ApiErrorKind) -> Outcome {
        classify(op, Err(&ApiError { request: "POST /v2/x".into(), request_id: None, kind }))
    }

    fn refused(op: OpKind, status: u16, message: &str, faults: &[(&str, &[&str])]) -> Outcome {
        let errors: BTreeMap<_, _> = faults
            .iter()
            .map(|(field, said)| ((*field).to_owned(), said.iter().map(|text| Foreign::new(*text)).collect()))
            .collect();
        of(op, ApiErrorKind::Refused { status, message: Foreign::new(message), errors, meaning: None })
    }

    /// The whole table of kinds and statuses for every kind of action, one line a row.
    #[test]
    fn each_status_of_each_action_has_one_reading() {
        let statuses = [400, 401, 402, 403, 404, 405, 409, 410, 412, 415, 422, 200, 302, 408, 418, 500, 502];
        let mut table = String::new();
        for status in statuses {
            let mut readings: Vec<(Outcome, Vec<String>)> = Vec::new();
            for op in OpKind::ALL {
                let outcome = refused(op, status, "no", &[]);
                match readings.iter_mut().find(|(known, _)| *known == outcome) {
                    Some((_, ops)) => ops.push(format!("{op:?}")),
                    None => readings.push((outcome, vec![format!("{op:?}")])),
                }
            }
            for (outcome, ops) in readings {
                let ops = if ops.len() == OpKind::ALL.len() { "all".to_owned() } else { ops.join(" ") };
                let outcome = match outcome {
                    Outcome::Refused { reason } => format!("{reason:?}"),
                    other => format!("{other:?}"),
                };
                table.push_str(&format!("{status} {outcome}: {ops}\n"));
            }
        }
        insta::assert_snapshot!(table, @r"
        400 InvalidInput: all
        401 Unauthorized: all
        402 PaymentRequired: all
        403 NotPermitted: all
        404 Gone: all
        405 NotOffered: all
        409 Conflict: all
        410 Gone: all
        412 PlanLacksFeature: CreateAccount UpdateAccount RemoveMember Unsubscribe
        412 EmailNotVerified: Subscribe ChangePlan SetSeats
        412 PlanTakesOne: AddMember
        412 NoLimitedAccess: SetAccess
        415 NotOffered: all
        422 KeyReused: all
        200 Unknown { probably_done: true }: all
        302 Unknown { probably_done: false }: all
        408 Unknown { probably_done: false }: all
        418 Unknown { probably_done: false }: all
        500 Unknown { probably_done: false }: all
        502 Unknown { probably_done: false }: all
        ");
    }

    #[test]
    fn what_is_no_refusal_is_read_by_its_kind() {
        let why = || Foreign::new("x");
        for op in OpKind::ALL {
            assert_eq!(classify(op, Ok(())), Outcome::Done);
            assert_eq!(of(op, ApiErrorKind::NotSent { why: why() }), Outcome::NotSent);
            let resets_in = Duration::from_secs(60);
            for sent in [false, true] {
                assert_eq!(of(op, ApiErrorKind::Quota { resets_in, sent }), Outcome::Quota { resets_in, sent });
            }
            assert_eq!(of(op, ApiErrorKind::AccountToken), Outcome::Refused { reason: Refusal::Unauthorized });
            for (status, probably_done) in [(None, false), (Some(302), false), (Some(502), false), (Some(201), true)] {
                let kind = ApiErrorKind::Unclear { status, probably_done, why: why() };
                assert_eq!(of(op, kind), Outcome::Unknown { probably_done }, "{op:?} {status:?}");
            }
        }
    }

    #[test]
    fn what_a_driver_understood_goes_before_the_status_of_a_refusal_and_makes_none_of_another() {
        let of_meaning = |status, meaning| {
            let (message, errors) = (Foreign::new("no"), BTreeMap::new());
            of(OpKind::AddMember, ApiErrorKind::Refused { status, message, errors, meaning: Some(meaning) })
        };
        for (meaning, reason) in [
            (Meaning::AlreadyTaken, Refusal::AlreadyTaken),
            (Meaning::InvalidInput, Refusal::InvalidInput),
            (Meaning::NoSeatFree, Refusal::NoSeatFree),
            (Meaning::PaymentRequired, Refusal::PaymentRequired),
            (Meaning::PlanUnavailable, Refusal::PlanUnavailable),
            (Meaning::TooManyMembers, Refusal::TooManyMembers),
            (Meaning::RoleUnavailable, Refusal::RoleUnavailable),
            (Meaning::NotPermitted, Refusal::NotPermitted),
        ] {
            assert_eq!(of_meaning(422, meaning), Outcome::Refused { reason });
            assert_eq!(of_meaning(500, meaning), Outcome::Unknown { probably_done: false }, "{meaning:?}");
        }
    }

    #[test]
    fn every_fault_of_a_member_that_cannot_be_added_is_weighed() {
        let reason = |faults: &[(&str, &[&str])]| refused(OpKind::AddMember, 400, "Validation failed", faults);
        for (faults, expected) in [
            (&[("email", &["is not a registered user"] as &[_])] as &[(&str, &[&str])], Refusal::NotRegistered),
            (&[("email", &["Is Not A Registered User."])], Refusal::NotRegistered),
            // Both at once: nobody pays for a person who has not signed up.
            (&[("email", &["is not a registered user"]), ("seats", &["none available"])], Refusal::NotRegistered),
            (&[("email", &["is shiny", "is not a registered user"]), ("hat", &["too tall"])], Refusal::NotRegistered),
            (&[("seats", &["none available"])], Refusal::NoSeatFree),
            (&[("seats", &["None Available", "is odd"])], Refusal::NoSeatFree),
            // A fault of the email that we do not know: a seat would not help.
            (&[("email", &["is shiny"]), ("seats", &["none available"])], Refusal::InvalidInput),
            (&[("email", &["is an invalid email address"]), ("seats", &["none available"])], Refusal::InvalidInput),
            (&[("email", &["has already been taken"])], Refusal::AlreadyTaken),
            (&[("email", &["has already been taken"]), ("seats", &["none available"])], Refusal::AlreadyTaken),
            (&[("email", &["is the notification email of this account"])], Refusal::EmailIsNotification),
            (&[("hat", &["too tall"])], Refusal::InvalidInput),
            (&[], Refusal::InvalidInput),
        ] {
            assert_eq!(reason(faults), Outcome::Refused { reason: expected }, "{faults:?}");
        }
    }

    #[test]
    fn faults_of_plans_seats_names_and_addresses() {
        for (op, faults, expected) in [
            (OpKind::Subscribe, ("plan_identifier", "is not available"), Refusal::PlanUnavailable),
            (OpKind::ChangePlan, ("plan_identifier", "takes fewer Members than there are"), Refusal::TooManyMembers),
            (OpKind::SetSeats, ("seats", "fewer than the members of the account"), Refusal::TooManyMembers),
            (OpKind::SetSeats, ("seats", "must be positive"), Refusal::InvalidInput),
            (OpKind::UpdateAccount, ("email", "is the user email of a member"), Refusal::EmailIsNotification),
            (OpKind::UpdateAccount, ("email", "is an invalid email address"), Refusal::InvalidInput),
            (OpKind::CreateAccount, ("name", "can't be blank"), Refusal::InvalidInput),
            (OpKind::CreateAccount, ("name", "has already been taken"), Refusal::AlreadyTaken),
            (OpKind::RemoveMember, ("id", "is odd"), Refusal::InvalidInput),
        ] {
            let outcome = refused(op, 400, "Validation failed", &[(faults.0, &[faults.1])]);
            assert_eq!(outcome, Outcome::Refused { reason: expected }, "{op:?} {faults:?}");
        }
        let by_message = refused(OpKind::CreateAccount, 400, "Name is taken", &[]);
        assert_eq!(by_message, Outcome::Refused { reason: Refusal::AlreadyTaken });
    }
}
