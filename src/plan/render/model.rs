//! The shape of a plan in JSON; the schema is made from these types.

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::Access;
use crate::plan::saved::Comparison;

/// What bursar would do, or has done: `bursar plan -o json`, `bursar apply -o json`.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "A plan of bursar")]
pub struct PlanJson {
    /// The version of this format, `1.0`.
    pub(super) format_version: String,
    /// The version of bursar.
    pub(super) bursar_version: String,
    /// Over wanted, observed, prices, policy and actions: the same world, the same digest.
    #[schemars(regex(pattern = r"^sha256:[0-9a-f]{64}$"))]
    pub(super) digest: String,
    pub(super) api: ApiJson,
    pub(super) summary: SummaryJson,
    pub(super) cost: CostJson,
    pub(super) requests: RequestsJson,
    /// Each client, by name.
    pub(super) accounts: Vec<AccountJson>,
    /// Live facts that differ by somebody's hand.
    pub(super) drift: Vec<DriftJson>,
    /// Accounts without a manifest; never touched.
    pub(super) unmanaged: Vec<UnmanagedJson>,
    /// Things to look at, which stop nothing.
    pub(super) notices: Vec<NoticeJson>,
    /// Guard rails that stopped something.
    pub(super) rails: Vec<RailJson>,
    /// Guard rails that a person let this plan pass.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) passed: Vec<RailJson>,
    /// People who come into several accounts through one line, the most expensive first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) multiplied: Vec<MultipliedJson>,
    /// What became of the actions; only after they were carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<ResultJson>,
    /// Which clients of a saved plan were carried out; only where one was given. `accounts`,
    /// `summary` and `cost` are without those that were refused, done already or not touched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) saved: Option<Comparison>,
}

#[derive(Serialize, JsonSchema)]
pub struct ApiJson {
    /// The driver.
    pub(super) provider: String,
    /// The base URL.
    pub(super) url: String,
}

/// The operations count what is planned; `waiting`, `blocked` and `manual` count actions;
/// `in_sync` counts accounts.
#[derive(Serialize, JsonSchema)]
pub(super) struct SummaryJson {
    pub(super) create_account: u32,
    pub(super) update_account: u32,
    pub(super) subscribe: u32,
    pub(super) change_plan: u32,
    pub(super) set_seats: u32,
    pub(super) remove_member: u32,
    pub(super) add_member: u32,
    pub(super) set_access: u32,
    pub(super) unsubscribe: u32,
    pub(super) waiting: u32,
    pub(super) blocked: u32,
    pub(super) manual: u32,
    pub(super) in_sync: u32,
}

/// The list price a month of the matched and new accounts with everyone wanted; trials are
/// ignored.
#[derive(Serialize, JsonSchema)]
pub(super) struct CostJson {
    /// `USD`
    pub(super) currency: String,
    pub(super) monthly_before: MoneyJson,
    pub(super) monthly_after: MoneyJson,
    pub(super) monthly_delta: MoneyJson,
    /// Accounts whose price is custom, and not counted.
    pub(super) unpriced: u32,
}

/// An amount as a decimal string, `29.00`.
#[derive(Serialize, JsonSchema)]
pub(super) struct MoneyJson(#[schemars(regex(pattern = r"^-?[0-9]+\.[0-9]{2}$"))] String);

impl From<crate::domain::Money> for MoneyJson {
    fn from(money: crate::domain::Money) -> Self {
        Self(money.to_string())
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct RequestsJson {
    /// Sent to make this plan.
    pub(super) spent: u64,
    /// To be sent to carry it out.
    pub(super) to_apply: u64,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct AccountJson {
    /// The client's name.
    pub(super) name: String,
    /// The account, once there is one.
    pub(super) account_id: Option<String>,
    pub(super) source: SourceJson,
    /// The first that fits.
    pub(super) state: AccountStateJson,
    /// Why it is invalid or not known, where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
    /// Who counts as a member, or as none, on somebody's word, because members cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) told: Vec<ToldJson>,
    #[schemars(regex(pattern = r"^sha256:[0-9a-f]{64}$"))]
    pub(super) digest: String,
    /// List price a month now; null where it is custom or not known.
    pub(super) monthly_before: Option<MoneyJson>,
    /// List price a month with everyone wanted; null where it is custom or not known.
    pub(super) monthly_after: Option<MoneyJson>,
    /// In the order in which they are carried out.
    pub(super) actions: Vec<ActionJson>,
}

/// A word on a person, which counts for 90 days from `at`.
#[derive(Serialize, JsonSchema)]
pub(super) struct ToldJson {
    pub(super) email: String,
    pub(super) state: ToldStateJson,
    /// What they may do, where that was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) access: Option<Access>,
    /// Who said so; null for a webhook, which anybody may have sent who knows where it goes.
    pub(super) by: Option<String>,
    /// When it was so, in RFC 3339.
    pub(super) at: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ToldStateJson {
    Member,
    Invited,
    Absent,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct SourceJson {
    /// The file, relative to the folder that was read.
    pub(super) file: String,
    /// From 1.
    pub(super) line: u32,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum AccountStateJson {
    Invalid,
    Suspended,
    Failed,
    Blocked,
    Manual,
    Unknown,
    Changes,
    Waiting,
    InSync,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ActionStateJson {
    Planned,
    Applied,
    Failed,
    Waiting,
    Blocked,
    Manual,
    Skipped,
}

#[derive(Serialize, JsonSchema)]
pub(super) enum OpJson {
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

/// One step. Which fields beyond the first four are there depends on `op`.
#[derive(Serialize, JsonSchema)]
pub(super) struct ActionJson {
    pub(super) op: OpJson,
    pub(super) state: ActionStateJson,
    /// The condition, where it does not simply go ahead: `AwaitingSignup`, `GuardRail`, ...
    pub(super) reason: Option<String>,
    /// What happens, or what keeps it from happening and what ends that.
    pub(super) message: String,
    /// By an `Offboarding`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) offboarding: bool,
    /// The person is not known to be a user of the service yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) unregistered: bool,
    /// Whether the manifest changed or the account did, where a journal tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<CauseJson>,
    /// Of drift: when it was last seen to be as wanted, in RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) changed_since: Option<String>,
    /// The server's id of the request, once it was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request_id: Option<String>,
    /// What the server said, where it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    /// What a person does, in order, where it is `manual`. The first line of a step says what;
    /// each further line is a value to type.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) steps: Vec<String>,
    /// The page where a person does it, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) link: Option<String>,
    #[serde(flatten)]
    pub(super) about: AboutJson,
}

/// Why an account differs from its manifest.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum CauseJson {
    /// The manifest says something else than when it was last carried out.
    Manifest,
    /// The account was changed elsewhere; the manifest says the same as before.
    Drift,
    /// Nothing was carried out for this client yet.
    New,
}

/// What an action is about.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct AboutJson {
    /// The name of the account: of a new one, or changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// The name that it has now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name_from: Option<String>,
    /// The person; of an account that is made or changed, its notification email.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) email: Option<String>,
    /// The notification email that it has now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) email_from: Option<String>,
    /// What the person may do, or may do until they are removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) access: Option<Access>,
    /// The server's exact role, where the manifest asks for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<String>,
    /// What the person may do now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) access_from: Option<Access>,
    /// The membership.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) member_id: Option<String>,
    /// Still an invitation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) invited: Option<bool>,
    /// The plan that is chosen, or cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) plan: Option<String>,
    /// The plan that it replaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) plan_from: Option<String>,
    /// Takes effect at the renewal only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) downgrade: Option<bool>,
    /// Seats, the owner's included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seats: Option<u32>,
    /// Seats now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seats_from: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct DriftJson {
    pub(super) account_id: String,
    /// The client that manages the account.
    pub(super) name: String,
    pub(super) what: DriftKindJson,
    /// The person, where it concerns one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) email: Option<String>,
    pub(super) message: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum DriftKindJson {
    MemberAdded,
    SpareSeats,
    Dunned,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct UnmanagedJson {
    pub(super) account_id: String,
    pub(super) name: Option<String>,
    /// List price a month; null where it is custom or was not read.
    pub(super) monthly: Option<MoneyJson>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct NoticeJson {
    /// The client, where it concerns one.
    pub(super) name: Option<String>,
    /// The plan whose list price changed, where it is about that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) plan: Option<String>,
    pub(super) message: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct RailJson {
    /// The flag that sets it.
    pub(super) flag: String,
    /// Its value.
    pub(super) value: String,
    /// A value with which it would stop nothing of this plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) suffices: Option<String>,
    pub(super) message: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct MultipliedJson {
    /// The person.
    pub(super) email: String,
    /// Whose line it is.
    pub(super) through: ThroughJson,
    /// The name of the group or of the defaults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// The line that lists them.
    pub(super) source: SourceJson,
    /// How many accounts they come into.
    pub(super) accounts: u32,
    /// In how many of these a seat is paid for them.
    pub(super) seats: u32,
    /// The price of a seat a month; null where it is not the same in all of these.
    pub(super) seat_price: Option<MoneyJson>,
    /// What the seats come to a month.
    pub(super) monthly: MoneyJson,
    /// In how many accounts the price of their seat is not known.
    pub(super) unpriced: u32,
    /// Whether they are known to be a user: before, no seat is bought for them.
    pub(super) registered: bool,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ThroughJson {
    Client,
    Defaults,
    Group,
}

/// How many actions came to what.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct ResultJson {
    pub(super) applied: u32,
    pub(super) failed: u32,
    pub(super) waiting: u32,
    pub(super) blocked: u32,
    pub(super) manual: u32,
    pub(super) skipped: u32,
}
