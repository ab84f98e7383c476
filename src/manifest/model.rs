//! The four kinds as they are written; the JSON Schema for editors is made from these.
//!
//! Reading does not go through these types (see `documents`), because findings need the place
//! of every value; a test keeps the two in step.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::wanted::Membership;
use crate::domain::Access;

/// One document of a manifest file.
#[derive(Debug, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "the fields are read by schemars alone")]
pub(crate) enum Manifest {
    ClientAccount(ClientAccount),
    MemberGroup(MemberGroup),
    ClientDefaults(ClientDefaults),
    Offboarding(Offboarding),
}

macro_rules! document {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $spec:ident) => {
        $(#[$doc])*
        #[derive(Debug, JsonSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        #[allow(dead_code, reason = "the fields are read by schemars alone")]
        pub(crate) struct $name {
            /// The version of the format.
            #[schemars(extend("const" = "bursar.dev/v1"))]
            api_version: String,
            /// The kind of document.
            #[schemars(extend("const" = $kind))]
            kind: String,
            metadata: Metadata,
            spec: $spec,
        }
    };
}

document! {
    /// One client: an account of its own, its plan and its people.
    ClientAccount, "ClientAccount", ClientAccountSpec
}
document! {
    /// People who are listed together.
    MemberGroup, "MemberGroup", MemberGroupSpec
}
document! {
    /// What the ClientAccounts of this folder and below say where they say nothing; the nearest wins.
    ClientDefaults, "ClientDefaults", ClientDefaultsSpec
}
document! {
    /// People who are members of no managed account any more.
    Offboarding, "Offboarding", OffboardingSpec
}

/// The document's name and labels.
#[derive(Debug, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code, reason = "the fields are read by schemars alone")]
pub(crate) struct Metadata {
    /// A DNS label, unique among the documents of the kind.
    #[schemars(regex(pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"))]
    name: String,
    /// Labels, for selectors (`-l wave=canary`).
    #[serde(default)]
    labels: Option<Labels>,
}

#[derive(Debug, JsonSchema)]
#[serde(transparent)]
#[allow(dead_code, reason = "the fields are read by schemars alone")]
pub(crate) struct Labels(BTreeMap<String, String>);

/// The account that a client wants.
#[derive(Debug, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code, reason = "the fields are read by schemars alone")]
pub(crate) struct ClientAccountSpec {
    /// The name of the account.
    #[schemars(length(min = 1, max = 255))]
    account_name: String,
    /// Where the service sends mail about the account; `{name}` is metadata.name. Required, here or from defaults.
    #[serde(default)]
    notification_email: Option<String>,
    /// The identifier of a plan, a family of plans (any plan of it will do), or `none`. Left out: not touched.
    #[serde(default)]
    plan: Option<String>,
    /// The people who are members.
    #[serde(default)]
    members: Option<Vec<Member>>,
    /// MemberGroups whose people are members, too.
    #[serde(default)]
    member_groups: Option<Vec<String>>,
    /// What becomes of members who are not listed: `additive` (they stay) or `exclusive` (they are removed).
    #[serde(default)]
    membership: Option<Membership>,
    /// This very account, by the service's id.
    #[serde(default)]
    account_id: Option<AccountIdText>,
    /// Names that the account may still bear; it is renamed.
    #[serde(default)]
    previous_names: Option<Vec<String>>,
    /// Notification emails that the account may still have.
    #[serde(default)]
    previous_notification_emails: Option<Vec<String>>,
    /// Observed, never changed.
    #[serde(default)]
    suspend: Option<bool>,
}

/// A person: an email address, or an address and what they may do.
#[derive(Debug, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "the fields are read by schemars alone")]
pub(crate) enum Member {
    /// Full access.
    Email(String),
    /// With the access that is said.
    Person(Person),
}

/// A person and what they may do.
#[derive(Debug, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code, reason = "the fields are read by schemars alone")]
pub(crate) struct Person {
    /// The email of the person's user at the service.
    email: String,
    /// What the person may do; full where nothing is said.
    #[serde(default)]
    access: Option<Access>,
    /// The service's exact role in place of access, where it has roles, such as `Reviewer`.
    #[serde(default)]
    role: Option<String>,
}

/// An account id; a number is read as its text.
#[derive(Debug, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "the fields are read by schemars alone")]
pub(crate) enum AccountIdText {
    /// `"1385"`.
    Text(String),
    /// `1385`.
    Number(u64),
}

/// The people of a group.
#[derive(Debug, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code, reason = "the fields are read by schemars alone")]
pub(crate) struct MemberGroupSpec {
    /// The people.
    members: Vec<Member>,
}

/// What clients say where they say nothing. A field of the client replaces the whole field here.
#[derive(Debug, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code, reason = "the fields are read by schemars alone")]
pub(crate) struct ClientDefaultsSpec {
    /// Where the service sends mail about the account; `{name}` is metadata.name of the client.
    #[serde(default)]
    notification_email: Option<String>,
    /// The identifier of a plan, a family of plans, or `none`.
    #[serde(default)]
    plan: Option<String>,
    /// The people who are members.
    #[serde(default)]
    members: Option<Vec<Member>>,
    /// MemberGroups whose people are members, too.
    #[serde(default)]
    member_groups: Option<Vec<String>>,
    /// What becomes of members who are not listed.
    #[serde(default)]
    membership: Option<Membership>,
    /// Notification emails that accounts may still have; `{name}` is metadata.name of the client.
    #[serde(default)]
    previous_notification_emails: Option<Vec<String>>,
    /// Observed, never changed.
    #[serde(default)]
    suspend: Option<bool>,
}

/// People who leave, and why.
#[derive(Debug, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code, reason = "the fields are read by schemars alone")]
pub(crate) struct OffboardingSpec {
    /// Email addresses.
    people: Vec<String>,
    /// Why they leave.
    #[serde(default)]
    reason: Option<String>,
}
