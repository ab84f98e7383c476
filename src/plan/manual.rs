//! What a person does by hand where the server does not offer it: the steps, in the flow of
//! the service's own pages, with deep links and the values to type.

use crate::domain::{Access, AccountId};
use crate::provider::BaseUrl;

use super::tree::{Action, ActionState, ApiInfo, Change, Op, Reason};
use super::words::{count, describe};

/// Where a person works.
const SITE: &str = "https://dnsimple.com";

/// Of an API on this very machine, what is to be known of links in a text: they lead to the
/// service's pages, and the sandbox has its own.
pub(super) fn of_links(api: &ApiInfo, text: &str) -> Option<String> {
    let here = BaseUrl::parse(&api.url).is_ok_and(|url| url.is_loopback());
    let (scheme, rest) = api.url.split_once("://")?;
    let host = rest.split('/').next().unwrap_or(rest);
    (here && text.contains(SITE)).then(|| {
        format!(
            "The links lead to DNSimple's own site, and this API is on this machine: where it is the sandbox, its page \
             {scheme}://{host}/ stands for that site."
        )
    })
}

/// The web pages that belong to an API.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pages(&'static str);

impl Pages {
    /// The vendor's test site for its test API, its site for everything else.
    pub(super) fn of(api: &ApiInfo) -> Self {
        let rest = api.url.split_once("://").map_or(api.url.as_str(), |(_, rest)| rest);
        let test = rest.split(['/', ':']).next() == Some("api.sandbox.dnsimple.com");
        Self(if test { "https://sandbox.dnsimple.com" } else { SITE })
    }

    /// The settings of our user, where accounts are added.
    fn user(self) -> String {
        format!("{}/user", self.0)
    }

    fn account(self, id: &AccountId, page: &str) -> String {
        format!("{}/a/{id}/account{page}", self.0)
    }

    /// The page of an account's members.
    pub(super) fn members(self, id: &AccountId) -> String {
        self.account(id, "/members")
    }
}

/// The account that a person works in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) pages: Pages,
    /// `None` for one that they have yet to make.
    pub(super) account: Option<&'a AccountId>,
    /// How many people it is to have, its owner counted in.
    pub(super) heads: usize,
}

/// Turns what would go ahead into a person's steps. They go by the order of the actions: a
/// new account comes before its plan, and the plan before the members.
pub(super) fn by_hand(actions: &mut [Action], place: Place<'_>) {
    for action in actions.iter_mut().filter(|action| action.is_planned()) {
        let Steps { steps, link } = steps(&action.op, place);
        let at = link.as_ref().map_or_else(|| "in the new account".to_owned(), |link| format!("at {link}"));
        let message = format!("{}: by hand {at}, because this service offers it to no program", describe(&action.op));
        action.hold(ActionState::Manual, Reason::NotOffered, message);
        (action.steps, action.link) = (steps, link);
    }
}

struct Steps {
    steps: Vec<String>,
    link: Option<String>,
}

fn steps(op: &Op, place: Place<'_>) -> Steps {
    let Place { pages, account, heads } = place;
    if let Op::CreateAccount { name, email, .. } = op {
        let link = pages.user();
        let steps = vec![
            format!("In your user settings, {link}, add a new account."),
            match email {
                Some(email) => format!("Type its name and its notification email:\n{name}\n{email}"),
                None => format!("Type its name:\n{name}"),
            },
        ];
        return Steps { steps, link: Some(link) };
    }
    let tab = match op {
        Op::CreateAccount { .. } | Op::UpdateAccount { .. } => "",
        Op::Subscribe { .. } | Op::ChangePlan { .. } | Op::Unsubscribe { .. } => "/billing",
        Op::SetSeats { .. } | Op::RemoveMember { .. } | Op::AddMember { .. } | Op::SetAccess { .. } => "/members",
    };
    let link = account.map(|id| pages.account(id, tab));
    let at = match (&link, tab) {
        (Some(link), "") => format!("In the account's settings, {link},"),
        (Some(link), "/billing") => format!("In the account's billing and plans, {link},"),
        (Some(link), _) => format!("In the account's members and seats, {link},"),
        (None, "") => "In the new account's settings".to_owned(),
        (None, "/billing") => "In the new account's settings, under billing and plans,".to_owned(),
        (None, _) => "In the new account's settings, under members and seats,".to_owned(),
    };
    Steps { steps: vec![step(op, &at, heads)], link }
}

fn step(op: &Op, at: &str, heads: usize) -> String {
    match op {
        // It has two steps of its own.
        Op::CreateAccount { .. } => String::new(),
        Op::UpdateAccount { name, email } => {
            let values = [
                name.as_ref().map(|Change { from: _, to }| to.to_string()),
                email.as_ref().map(|Change { from: _, to }| to.to_string()),
            ];
            let what = match &values {
                [Some(_), Some(_)] => "the name and the notification email",
                [Some(_), None] => "the name",
                [None, _] => "the notification email",
            };
            let values: Vec<String> = values.into_iter().flatten().collect();
            format!("{at} change {what} to:\n{}", values.join("\n"))
        }
        Op::Subscribe { plan, seats: _ } => format!("{at} subscribe to this plan{}:\n{plan}", with_seats(heads)),
        Op::ChangePlan { from: _, to, seats: _, downgrade: _ } => {
            format!("{at} change to this plan{}:\n{to}", with_seats(heads))
        }
        Op::SetSeats { plan: _, from: _, to } => format!("{at} set the number of seats to:\n{to}"),
        Op::RemoveMember { id: _, email, access: _, invited: false } => format!("{at} remove:\n{email}"),
        Op::RemoveMember { id: _, email, access: _, invited: true } => {
            format!("{at} remove the pending invitation of:\n{email}")
        }
        Op::AddMember { email, access, .. } => format!("{at} invite, with {}:\n{email}", in_words(*access)),
        Op::SetAccess { email, to, .. } => format!("{at} give {}, to:\n{email}", in_words(*to)),
        Op::Unsubscribe { plan } => format!(
            "{at} cancel the subscription below. The account's domains stop resolving at once, and what is left of \
             the period is lost.\n{plan}"
        ),
    }
}

fn with_seats(heads: usize) -> String {
    match heads {
        0 | 1 => String::new(),
        heads => format!(", with {}, for you and everybody wanted", count(heads, "seat", "seats")),
    }
}

const fn in_words(access: Access) -> &'static str {
    match access {
        Access::Full => "full access",
        Access::Limited => "limited access",
    }
}
