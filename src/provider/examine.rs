//! What a server shows of itself to somebody who examines it, beyond what a plan needs.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;

use crate::domain::{AccountId, AccountName, Email, Foreign, Money};

use super::{ApiError, Capabilities};

/// Looks a server over. Every call is a GET; what is not the service's way is no error.
#[async_trait]
pub trait Examine: Send + Sync {
    /// Whose token it is, an account's included, how far away the server is and what its clock
    /// says. One request.
    async fn greet(&self) -> Result<Greeting, ApiError>;

    /// The extensions that the server itself names, whatever the operator overrules; `None`
    /// where it offers no account management, or may not be asked for it. One request at most.
    async fn named_capabilities(&self) -> Result<Option<Capabilities>, ApiError>;

    /// What comes of asking for a page with one account. One request.
    async fn paging(&self) -> Result<Paging, ApiError>;
}

/// What really was charged. Every call is a GET.
#[async_trait]
pub trait Billing: Send + Sync {
    /// The charges of an account from one day to another, both included, complete.
    async fn charges(&self, id: &AccountId, since: Date, until: Date) -> Result<Vec<Charge>, ApiError>;
}

/// The first answer of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// Whose token it is.
    pub holder: Holder,
    /// The id of a sandbox's world; `None` is no sandbox.
    pub world: Option<String>,
    /// How long the answer took, connecting included.
    pub took: Duration,
    /// The server's clock, to the second, where the answer told it.
    pub date: Option<Timestamp>,
    /// This machine's clock when the answer was there.
    pub received_at: Timestamp,
}

/// Whose token it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// A user's: it sees every account of that user.
    User(Email),
    /// One account's: it sees that one only.
    Account {
        /// Its id, where it was told.
        id: Option<AccountId>,
        /// Its name, where it has one.
        name: Option<AccountName>,
    },
    /// Neither, by the server's own word.
    Nobody,
}

/// What came of asking for a page with one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    /// A page with one account at most, which says how many there are.
    Honoured {
        /// Accounts in all, where it tells.
        total: Option<u64>,
    },
    /// Nothing says that there are further pages: the whole list is one.
    OnePage {
        /// Accounts on it.
        entries: u64,
    },
    /// It speaks of pages, but of others than were asked for.
    Other {
        /// Accounts a page, where it tells.
        per_page: Option<u64>,
        /// Accounts on the page.
        entries: u64,
    },
}

/// Money that was taken, or given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// When.
    pub invoiced_at: Option<Timestamp>,
    /// How much in all.
    pub total: Money,
    /// How much of it was paid from the account's credit.
    pub from_balance: Money,
    /// The service's own name for it.
    pub reference: Foreign,
    /// Whether it was given back.
    pub refunded: bool,
    /// What it was for, in the service's words.
    pub items: Vec<Foreign>,
}
