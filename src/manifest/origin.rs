//! Where the values of a resolved client come from.

use std::fmt;

use super::wanted::SourceRef;

/// Where one value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Whose words they are.
    pub kind: OriginKind,
    /// The file and line.
    pub place: SourceRef,
}

/// Whose words a value is in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum OriginKind {
    /// The client's own.
    Own,
    /// Those of the ClientDefaults of this name.
    Defaults(String),
    /// Those of the MemberGroup of this name.
    Group(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            OriginKind::Own => write!(f, "{}, own", self.place),
            OriginKind::Defaults(name) => write!(f, "{}, defaults {name}", self.place),
            OriginKind::Group(name) => write!(f, "{}, group {name}", self.place),
        }
    }
}

/// The origins of a client's values; `None` where nobody said anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origins {
    /// Of the name of the account.
    pub account_name: Origin,
    /// Of the notification email.
    pub notification_email: Origin,
    /// Of the plan.
    pub plan: Option<Origin>,
    /// Of each member, in the client's order.
    pub members: Vec<Origin>,
    /// Of what becomes of others.
    pub membership: Option<Origin>,
    /// Of the account id.
    pub account_id: Option<Origin>,
    /// Of the previous names.
    pub previous_names: Option<Origin>,
    /// Of the previous notification emails.
    pub previous_notification_emails: Option<Origin>,
    /// Of the suspension.
    pub suspend: Option<Origin>,
}
