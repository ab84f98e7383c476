//! What an action is to the journal: what is sent, whether it may be sent twice, and why.

use jiff::Timestamp;

use crate::domain::{Access, AccountId, ClientName};
use crate::journal::{Cause, Intent, Repeat, Request};
use crate::manifest::SourceRef;
use crate::plan::{Action, Op, Series, describe, monthly_change};
use crate::provider::{Offer, Subscription};

/// Where an action comes from.
#[derive(Debug, Clone, Copy)]
pub struct Why<'a> {
    /// The client.
    pub client: &'a ClientName,
    /// Where its document begins.
    pub source: &'a SourceRef,
    /// The commit that it was read from.
    pub revision: Option<&'a str>,
    /// The digest of what is wanted of the client.
    pub wanted: Option<&'a str>,
    /// When the reads began that it was planned from.
    pub read_began: Timestamp,
    /// What somebody undid is made again.
    pub heal: bool,
}

/// The intent of an action. Only creating an account makes a second thing when it is sent
/// twice; with keys, a second one under the same key does not either.
pub fn intent(
    why: Why<'_>,
    action: &Action,
    account: Option<&AccountId>,
    offer: &Offer,
    now: Option<&Subscription>,
    keys: bool,
) -> Intent {
    let Why { client, source, revision, wanted, read_began, heal } = why;
    let (repeat, account_name) = match &action.op {
        Op::CreateAccount { name, email: _, plan: _ } if keys => (Repeat::UnderKey, Some(name.clone())),
        Op::CreateAccount { name, email: _, plan: _ } => (Repeat::Never, Some(name.clone())),
        _ => (Repeat::Freely, None),
    };
    Intent {
        series: Series::of(client, &action.op),
        repeat,
        request: Request::of(&action.op).to_json(),
        account_name,
        account_id: account.cloned(),
        cause: Cause {
            source: Some(source.clone()),
            revision: revision.map(str::to_owned),
            monthly: monthly_change(offer, &action.op, now),
            offboarding: action.offboarding,
            person: action.op.person().cloned(),
            access: access(&action.op),
            wanted: wanted.map(str::to_owned),
            what: in_words(action),
        },
        read_began,
        heal,
    }
}

/// What is done, and what somebody changed before, where a journal told.
fn in_words(action: &Action) -> String {
    let what = describe(&action.op);
    match action.cause.map(|cause| cause.to_string()) {
        Some(why) if !why.is_empty() => format!("{what} (set back: {why})"),
        _ => what,
    }
}

const fn access(op: &Op) -> Option<Access> {
    match op {
        Op::AddMember { email: _, access, role: _ }
        | Op::SetAccess { id: _, email: _, from: _, to: access, role: _ } => Some(*access),
        _ => None,
    }
}
