//! What a person does by hand where the server does not offer it: steps and the deep link.

use crate::domain::AccountId;

use super::tree::{Action, ActionState, ApiInfo, Op, Reason};
use super::words::describe;

/// The web pages that belong to an API.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pages(&'static str);

impl Pages {
    /// The vendor's test site for its test API, its site for everything else.
    pub(super) fn of(api: &ApiInfo) -> Self {
        let rest = api.url.split_once("://").map_or(api.url.as_str(), |(_, rest)| rest);
        let test = rest.split(['/', ':']).next() == Some("api.sandbox.dnsimple.com");
        Self(if test { "https://sandbox.dnsimple.com" } else { "https://dnsimple.com" })
    }

    fn account(self, id: Option<&AccountId>, page: &str) -> String {
        match id {
            Some(id) => format!("{}/a/{id}/account{page}", self.0),
            None => format!("{}/user, then the new account", self.0),
        }
    }

    /// The page of an account's members.
    pub(super) fn members(self, id: &AccountId) -> String {
        self.account(Some(id), "/members")
    }
}

/// Turns what would go ahead into a person's steps.
pub(super) fn by_hand(action: &mut Action, pages: Pages, account: Option<&AccountId>) {
    if !action.is_planned() {
        return;
    }
    let page = match &action.op {
        Op::CreateAccount { .. } => format!("{}/user", pages.0),
        Op::UpdateAccount { .. } => pages.account(account, ""),
        Op::Subscribe { .. } | Op::ChangePlan { .. } | Op::SetSeats { .. } | Op::Unsubscribe { .. } => {
            pages.account(account, "/billing")
        }
        Op::RemoveMember { .. } | Op::AddMember { .. } | Op::SetAccess { .. } => pages.account(account, "/members"),
    };
    let what = describe(&action.op);
    action.hold(
        ActionState::Manual,
        Reason::NotOffered,
        format!("{what}: by hand at {page}, because this service offers it to no program"),
    );
}
