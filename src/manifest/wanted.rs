//! The resolved manifests: each client with its defaults and groups applied.

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::{Access, AccountId, AccountName, ClientName, Email, Role};

use super::origin::OriginKind;

/// A place in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct SourceRef {
    /// The file, relative to the folder that was read.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

impl fmt::Display for SourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", crate::domain::text::inert(&self.file), self.line)
    }
}

/// Everything that a folder of manifests wants.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// The valid clients, by name.
    pub clients: Vec<Client>,
    /// People who are to be members of no managed account any more, by name of the document.
    pub offboardings: Vec<Offboarding>,
    /// What could not be resolved: not changed, and not counted as gone.
    pub invalid: Vec<Invalid>,
}

impl Wanted {
    /// The same wherever it stands, and through whomever: for comparing what two ways of writing want.
    #[must_use]
    pub fn without_places(mut self) -> Self {
        let nowhere = SourceRef { file: String::new(), line: 0, column: 0 };
        for client in &mut self.clients {
            client.source.clone_from(&nowhere);
            for member in &mut client.members {
                member.source.clone_from(&nowhere);
                member.through = OriginKind::Own;
            }
        }
        self.offboardings.iter_mut().for_each(|document| document.source.clone_from(&nowhere));
        self.invalid.iter_mut().for_each(|document| document.source.clone_from(&nowhere));
        self
    }
}

/// One client: the account that it wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// `metadata.name`.
    pub name: ClientName,
    /// `metadata.labels`, for selectors.
    pub labels: BTreeMap<String, String>,
    /// Where the document begins.
    pub source: SourceRef,
    /// The name of the account.
    pub account_name: AccountName,
    /// The notification email, `{name}` filled in.
    pub notification_email: Email,
    /// The plan.
    pub plan: WantedPlan,
    /// The people, own and of groups, sorted by email, each once.
    pub members: Vec<WantedMember>,
    /// What becomes of members who are not listed.
    pub membership: Membership,
    /// This very account.
    pub account_id: Option<AccountId>,
    /// Names that the account may still bear.
    pub previous_names: Vec<AccountName>,
    /// Notification emails that it may still have.
    pub previous_notification_emails: Vec<Email>,
    /// Observed, never changed.
    pub suspend: bool,
}

/// The plan that is wanted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WantedPlan {
    /// Nothing was said: not touched.
    Untouched,
    /// `none`: no subscription.
    Nothing,
    /// An identifier or a family; only the server's list of plans tells which.
    Choice(String),
}

/// A person who is wanted as a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedMember {
    /// The email of their registered user.
    pub email: Email,
    /// What they may do; where a role is asked for, the server says what that comes to.
    pub access: Access,
    /// The server's exact role, where one is asked for.
    pub role: Option<Role>,
    /// Where they are listed.
    pub source: SourceRef,
    /// Whose line that is: the client's, its defaults', or a group's.
    pub through: OriginKind,
}

/// What becomes of members who are not listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Membership {
    /// They stay, and are shown as drift.
    #[default]
    Additive,
    /// They are removed, where the operator allows removals.
    Exclusive,
}

/// People who leave every managed account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offboarding {
    /// `metadata.name`, a DNS label.
    pub name: ClientName,
    /// Who leaves.
    pub people: Vec<Email>,
    /// Why, in the author's words.
    pub reason: Option<String>,
    /// Where the document begins.
    pub source: SourceRef,
}

/// A document that could not be resolved, with what is still known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// `metadata.name`, where it can be read.
    pub name: Option<ClientName>,
    /// `spec.accountName`, where it can be read.
    pub account_name: Option<AccountName>,
    /// `spec.accountId`, where it can be read.
    pub account_id: Option<AccountId>,
    /// Where the document (or the unreadable file) begins.
    pub source: SourceRef,
    /// The first finding, one line: what is wrong.
    pub why: String,
    /// The whole file could not be parsed: everything that it last held is out, too.
    pub whole_file: bool,
}
