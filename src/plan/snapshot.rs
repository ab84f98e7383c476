//! What was seen: the live accounts at one time.

use crate::domain::Foreign;
use crate::provider::{Account, Identity, Member, Offer, Subscription};

/// The live world as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Whose token it is.
    pub identity: Identity,
    /// What the server offers.
    pub offer: Offer,
    /// Every visible account, by ascending id.
    pub accounts: Vec<ObservedAccount>,
}

/// One account with its details as far as they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedAccount {
    /// The account itself; its own `subscription` and `members` are not looked at.
    pub account: Account,
    /// `Seen(None)` is "never had a subscription".
    pub subscription: Reading<Option<Subscription>>,
    /// The members, pending invitations included.
    pub members: Reading<Vec<Member>>,
}

/// Something that was read, or not. Absent means "read completely and not there"; a failed
/// read is unknown, never absent (rule R4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading<T> {
    /// Read completely.
    Seen(T),
    /// Not asked for: nobody manages this account.
    NotRead,
    /// Asked for, and not got.
    Failed(Foreign),
}

impl<T> Reading<T> {
    /// What was read.
    pub fn seen(&self) -> Option<&T> {
        match self {
            Self::Seen(value) => Some(value),
            Self::NotRead | Self::Failed(_) => None,
        }
    }
}

impl From<Account> for ObservedAccount {
    /// Details are seen where the server embedded them, and not read otherwise.
    fn from(mut account: Account) -> Self {
        let subscription = account.subscription.take().map_or(Reading::NotRead, Reading::Seen);
        let members = account.members.take().map_or(Reading::NotRead, Reading::Seen);
        Self { account, subscription, members }
    }
}

impl AsRef<Account> for ObservedAccount {
    fn as_ref(&self) -> &Account {
        &self.account
    }
}

impl AsRef<Self> for Account {
    fn as_ref(&self) -> &Self {
        self
    }
}
