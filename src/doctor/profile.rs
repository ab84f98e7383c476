//! What was seen of a server: the answers as they came, unjudged.

use std::time::Duration;

use crate::domain::Foreign;
use crate::plan::ApiInfo;
use crate::provider::{ApiError, BaseUrl, Capabilities, Greeting, Offer, Paging, Quota};

/// A server as it was seen. Each answer is there or tells why not; `None` was not asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Which API.
    pub api: ApiInfo,
    /// Where it is.
    pub base_url: BaseUrl,
    /// The first answer: reach, token, clock.
    pub greeting: Result<Greeting, ApiError>,
    /// What it offers, as it will be used.
    pub offer: Option<Result<Offer, ApiError>>,
    /// The extensions it names itself.
    pub named: Option<Result<Option<Capabilities>, ApiError>>,
    /// The operator's word on the extensions.
    pub overruled: Option<Capabilities>,
    /// What came of asking for a page with one account.
    pub paging: Option<Result<Paging, ApiError>>,
    /// What is left of the quota.
    pub quota: Option<Quota>,
    /// What trying it out has shown.
    pub probed: Option<Result<Probed, ApiError>>,
    /// Requests that all this took.
    pub requests: u64,
}

impl Profile {
    /// Whether it is known that accounts can be created here.
    pub fn manages_accounts(&self) -> bool {
        matches!(&self.offer, Some(Ok(offer)) if offer.account_management)
    }
}

/// What two accounts of one name have shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// The name of both.
    pub name: Foreign,
    /// How long after the answer the list showed the first; `Err` is how long it was waited for.
    pub lag: Result<Duration, Duration>,
    /// The server's refusal of the second, if it refused it.
    pub unique: Option<Foreign>,
}

/// What is known of a service, apart from what one server shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// Which one.
    pub name: &'static str,
    /// What is read.
    pub reads: &'static str,
    /// What is written.
    pub writes: &'static str,
    /// When the project last saw it work.
    pub last_seen_working: &'static str,
}

/// The services that drivers are written for.
pub const SERVICES: [Service; 3] = [
    Service {
        name: "DNSimple",
        reads: "what it publishes: accounts, names, notification emails, plans, charges",
        writes: "by hand, with the steps told; by itself where a server offers account management",
        last_seen_working: "never run live by the project",
    },
    Service {
        name: "Netlify",
        reads: "accounts, plans, members",
        writes: "the whole flow but cancelling, by the published description",
        last_seen_working: "never run live by the project",
    },
    Service {
        name: "the embedded sandbox",
        reads: "all of it",
        writes: "all of it",
        last_seen_working: "in every run of the tests",
    },
];
