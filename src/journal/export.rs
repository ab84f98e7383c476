//! The history for machines: versioned, with its JSON Schema.

use schemars::JsonSchema;
use serde::Serialize;

use crate::plan::OpKind;

use super::history::{Entry, EntryKind, Recorded};
use super::store::JournalId;

/// The version of this format: a reader ignores unknown fields and refuses another major.
const FORMAT_VERSION: &str = "1.0";

/// The result of `history -o json`. A line of `history -o jsonl` is one of its entries.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "bursar history")]
struct HistoryJson {
    /// A reader ignores unknown fields and refuses another major version.
    format_version: String,
    /// The journal's name, which `bursar.lock` holds.
    journal: String,
    /// In order; the newest is last.
    entries: Vec<EntryJson>,
}

/// One thing that happened.
#[derive(Serialize, JsonSchema)]
struct EntryJson {
    /// Its place in the order; larger is later.
    seq: u64,
    /// When, by the clock of the machine that wrote it: RFC 3339, in UTC.
    at: String,
    /// Which API, user and world, as a hash.
    scope: String,
    kind: KindJson,
    /// Who did it: a process's id, or a person's name.
    actor: String,
    /// The operation, where it is one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
    /// The kind of action, as the plan names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    op: Option<OpJson>,
    /// From 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    /// The client's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The account.
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<String>,
    /// The person whom it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// `full`, `limited` or `invited`.
    #[serde(skip_serializing_if = "Option::is_none")]
    access: Option<String>,
    /// By an `Offboarding`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    offboarding: bool,
    /// In words.
    message: String,
    /// The document that asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<SourceJson>,
    /// The commit that it was read from.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    /// The server's id of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// By how much the list price a month changed, in USD: `29.00`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^-?[0-9]+\.[0-9]{2}$"))]
    monthly_delta: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct SourceJson {
    /// The file, relative to the folder that was read.
    file: String,
    /// From 1.
    line: u32,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum KindJson {
    /// A request was allowed on the wire.
    Sent,
    /// It provably was not sent.
    NotSent,
    /// Done, by the answer, by reading back or by a person's word.
    Done,
    /// The server did nothing, and said why.
    Refused,
    /// Nobody knows what came of it.
    Unknown,
    /// A person is asked.
    Asked,
    /// A person said how it ended.
    Resolved,
    /// A person wants it anew.
    Reaffirmed,
    /// An account was found for a client.
    Bound,
    /// A client's account is not there any more.
    Gone,
    /// Somebody was seen in an account who was not there before, or with another access.
    MemberSeen,
    /// Somebody is not in an account any more.
    MemberGone,
    /// A rail stopped something.
    RailTripped,
    /// A person let a plan pass.
    Approved,
    /// All writes were stopped.
    Frozen,
    /// Writes go on.
    Unfrozen,
    Acknowledged,
    Heard,
    /// A person asked a running daemon for a look now.
    LookAsked,
}

#[derive(Serialize, JsonSchema)]
enum OpJson {
    CreateAccount,
    UpdateAccount,
    Subscribe,
    ChangePlan,
    SetSeats,
    RemoveMember,
    AddMember,
    SetAccess,
    Unsubscribe,
}

/// The history as one JSON document.
pub fn json(journal: &JournalId, history: &[Recorded]) -> serde_json::Value {
    to_value(&HistoryJson {
        format_version: FORMAT_VERSION.to_owned(),
        journal: journal.as_str().to_owned(),
        entries: history.iter().map(EntryJson::from).collect(),
    })
}

/// The history as JSON, an entry a line: appending to an export of it is an export of more.
pub fn json_lines(history: &[Recorded]) -> String {
    history.iter().map(|recorded| format!("{}\n", to_value(&EntryJson::from(recorded)))).collect()
}

fn to_value(value: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(value).expect("text keys and plain values only, which always serialise")
}

/// The JSON Schema of what [`json`] writes.
pub fn json_schema() -> serde_json::Value {
    schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<HistoryJson>()
        .to_value()
}

impl From<&Recorded> for EntryJson {
    fn from(recorded: &Recorded) -> Self {
        let Recorded { seq, entry } = recorded;
        let Entry {
            at,
            scope,
            kind,
            actor,
            operation,
            op,
            attempt,
            client,
            account,
            person,
            access,
            offboarding,
            message,
            source,
            revision,
            request_id,
            monthly,
        } = entry;
        Self {
            seq: *seq,
            at: format!("{at:.6}"),
            scope: scope.as_str().to_owned(),
            kind: (*kind).into(),
            actor: actor.clone(),
            operation: operation.as_ref().map(|id| id.as_str().to_owned()),
            op: op.map(OpJson::from),
            attempt: *attempt,
            name: client.as_ref().map(|client| client.as_str().to_owned()),
            account_id: account.as_ref().map(|id| id.as_str().to_owned()),
            email: person.as_ref().map(|person| person.as_str().to_owned()),
            access: access.clone(),
            offboarding: *offboarding,
            message: message.clone(),
            source: source.as_ref().map(|source| SourceJson { file: source.file.clone(), line: source.line }),
            revision: revision.clone(),
            request_id: request_id.as_ref().map(|id| id.as_str().to_owned()),
            monthly_delta: monthly.map(|money| money.to_string()),
        }
    }
}

impl From<EntryKind> for KindJson {
    fn from(kind: EntryKind) -> Self {
        match kind {
            EntryKind::Sent => Self::Sent,
            EntryKind::NotSent => Self::NotSent,
            EntryKind::Done => Self::Done,
            EntryKind::Refused => Self::Refused,
            EntryKind::Unknown => Self::Unknown,
            EntryKind::Asked => Self::Asked,
            EntryKind::Resolved => Self::Resolved,
            EntryKind::Reaffirmed => Self::Reaffirmed,
            EntryKind::Bound => Self::Bound,
            EntryKind::Gone => Self::Gone,
            EntryKind::MemberSeen => Self::MemberSeen,
            EntryKind::MemberGone => Self::MemberGone,
            EntryKind::RailTripped => Self::RailTripped,
            EntryKind::Approved => Self::Approved,
            EntryKind::Frozen => Self::Frozen,
            EntryKind::Unfrozen => Self::Unfrozen,
            EntryKind::Acknowledged => Self::Acknowledged,
            EntryKind::Heard => Self::Heard,
            EntryKind::LookAsked => Self::LookAsked,
        }
    }
}

impl From<OpKind> for OpJson {
    fn from(op: OpKind) -> Self {
        match op {
            OpKind::CreateAccount => Self::CreateAccount,
            OpKind::UpdateAccount => Self::UpdateAccount,
            OpKind::Subscribe => Self::Subscribe,
            OpKind::ChangePlan => Self::ChangePlan,
            OpKind::SetSeats => Self::SetSeats,
            OpKind::RemoveMember => Self::RemoveMember,
            OpKind::AddMember => Self::AddMember,
            OpKind::SetAccess => Self::SetAccess,
            OpKind::Unsubscribe => Self::Unsubscribe,
        }
    }
}
