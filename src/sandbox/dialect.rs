//! Whose API the sandbox speaks. The world, its people, its money and its bad days are the
//! same in every dialect; what differs between two services is asked for here, and answered
//! in the dialect's own folder.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::catalogue::{self, Plan};
use super::rules::subscription::{self, Bought};
use super::rules::{MemberMode, Moment, Refusal, Terms, accounts, members};
use super::service::Service;
use super::world::{AccountId, Draft, Member, World};
use super::{http, netlify};

/// A service whose API the sandbox speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Dialect {
    /// The account API in DNSimple's style, below `/v2`.
    #[default]
    Dnsimple,
    /// Netlify's published API, below `/api/v1`.
    Netlify,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Dnsimple, Self::Netlify];

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dnsimple => "dnsimple",
            Self::Netlify => "netlify",
        }
    }

    /// Where the API is, below the sandbox's own URL.
    pub const fn base_path(self) -> &'static str {
        match self {
            Self::Dnsimple => "/v2",
            Self::Netlify => netlify::BASE_PATH,
        }
    }

    /// The list of accounts with all that it can tell, for a first look.
    pub const fn first_look(self) -> &'static str {
        match self {
            Self::Dnsimple => "/accounts?include=subscription,members",
            Self::Netlify => "/accounts",
        }
    }

    /// How many requests the service lets through in a window, unless the operator says so.
    pub const fn usual_rate_limit(self) -> u32 {
        match self {
            Self::Dnsimple => 2400,
            Self::Netlify => netlify::REQUESTS_A_WINDOW,
        }
    }

    /// How long a window of the quota is.
    pub(super) const fn window(self) -> SignedDuration {
        match self {
            Self::Dnsimple => SignedDuration::from_hours(1),
            Self::Netlify => netlify::WINDOW,
        }
    }

    /// What the service sells.
    pub(super) fn plans(self) -> &'static [Plan] {
        match self {
            Self::Dnsimple => &catalogue::PLANS,
            Self::Netlify => &netlify::PLANS,
        }
    }

    /// How people become members: not every service leaves a choice.
    pub(super) const fn member_mode(self, chosen: MemberMode) -> MemberMode {
        match self {
            Self::Dnsimple => chosen,
            Self::Netlify => MemberMode::Invite,
        }
    }

    /// The API below the base path.
    pub(super) fn routes(self, terms: &Terms) -> Router<Arc<Service>> {
        match self {
            Self::Dnsimple => http::routes(terms),
            Self::Netlify => netlify::routes(),
        }
    }

    /// The same answers, with the refusals among them in the service's words.
    pub(super) fn worded(self, routes: Router<Arc<Service>>) -> Router<Arc<Service>> {
        match self {
            Self::Dnsimple => routes,
            Self::Netlify => routes.layer(from_fn(netlify::reword)),
        }
    }

    /// Adds to a draft what the service gives every account, whoever made it.
    pub(super) fn complete(self, world: &World, draft: &mut Draft) {
        match self {
            Self::Dnsimple => {}
            Self::Netlify => netlify::give_slugs(world, draft),
        }
    }

    /// Adds a new account by hand; its id.
    pub(super) fn create(self, m: &Moment, name: &str, email: &str) -> Result<(Draft, AccountId), Refusal> {
        match self {
            Self::Dnsimple => {
                let (draft, account) = accounts::create(m, Some(name), Some(email))?;
                Ok((draft, account.id))
            }
            Self::Netlify => netlify::create(m, name, email),
        }
    }

    /// Chooses plan and seats by hand.
    pub(super) fn choose(
        self,
        m: &Moment,
        account: AccountId,
        plan: &str,
        seats: u32,
    ) -> Result<(Draft, Bought), Refusal> {
        match self {
            Self::Dnsimple => subscription::choose(m, account, Some(plan), Some(seats)),
            Self::Netlify => netlify::choose(m, account, plan, seats),
        }
    }

    /// Adds a person by hand, with every right where no access is said; Netlify's page asks
    /// for none.
    pub(super) fn add_member(
        self,
        m: &Moment,
        account: AccountId,
        email: &str,
        access: Option<&str>,
    ) -> Result<(Draft, String), Refusal> {
        match self {
            Self::Dnsimple => {
                let (draft, member) = members::add(m, account, Some(email), access)?;
                Ok((draft, member.email))
            }
            Self::Netlify => netlify::add_owner(m, account, email).map(|draft| (draft, email.to_owned())),
        }
    }

    /// What a member may do, in the service's word.
    pub(super) fn access_word(self, world: &World, member: &Member) -> &'static str {
        match self {
            Self::Dnsimple => member.access.word(),
            Self::Netlify => netlify::role_word(world, member),
        }
    }
}
