//! How fleets stand, as plain data: what `/status.json` and `bursar status` show. Made from a
//! plan, what the journal remembers and what was shown before; pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::{ClientName, mask};
use crate::plan::{AccountPlan, AccountState, Action, ActionState, OpKind, Plan, describe};

use super::daemon::Mode;

/// The version of this format: a reader ignores unknown fields and refuses another major.
pub const FORMAT_VERSION: &str = "1.0";

/// The result of `status -o json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "bursar status")]
pub struct Status {
    /// A reader ignores unknown fields and refuses another major version.
    pub format_version: String,
    /// The program that made it.
    pub bursar_version: String,
    /// Where this comes from.
    pub read_from: ReadFrom,
    /// When it was made.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
    /// Each fleet; without a daemon the one that was looked at.
    pub fleets: Vec<FleetStatus>,
    /// Each client of each fleet, by name.
    pub accounts: Vec<AccountStatus>,
}

/// Where a status comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReadFrom {
    /// A running daemon's last pass. Emails are masked in it.
    Daemon,
    /// The manifests, the journal and the API, read just now.
    JournalAndApi,
}

/// How a fleet stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FleetStatus {
    /// Its name; `default` where there is one only.
    pub name: String,
    /// Whether differences are set right or only reported.
    pub mode: Mode,
    /// When the daemon began; none without a daemon.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub started_at: Option<Timestamp>,
    /// Whether this process acts for the fleet; a replica that stands by does not.
    pub holding: bool,
    /// Between complete looks.
    pub interval_seconds: Option<u64>,
    /// Where the manifests come from.
    pub source: SourceStatus,
    /// The account API.
    pub api: ApiStatus,
    /// What is wrong with the journal.
    pub journal_trouble: Option<Trouble>,
    /// The last pass.
    pub last_pass: Option<PassStatus>,
    /// The next one, at the latest.
    pub next_pass: Option<Next>,
    /// Clients who have a time of their own at which they are looked at again.
    pub queue_depth: u32,
    /// When the client was looked at who was not looked at for longest.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub oldest_look_at: Option<Timestamp>,
    /// All writes are stopped, by whom and why.
    pub frozen: Option<Trouble>,
    /// Guard rails that stop something.
    pub rails: Vec<RailStatus>,
    /// The list price a month.
    pub cost: Option<CostStatus>,
    /// Clients by state.
    pub states: BTreeMap<String, u32>,
    /// What is not done, by state and reason.
    pub open: Vec<OpenActions>,
    /// People who are not members yet, by what they are waited for.
    pub waiting_people: BTreeMap<String, u32>,
    /// Accounts without a manifest.
    pub unmanaged: u32,
}

/// Where the manifests come from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct SourceStatus {
    /// The commit of the last good reading, with `-dirty` behind it where files were edited since.
    pub revision: Option<String>,
    /// When that commit was read first.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub since: Option<Timestamp>,
    /// The last time that the manifests could be read.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub read_at: Option<Timestamp>,
    /// What does not hold in them.
    pub errors: u32,
    /// What may not be meant.
    pub warnings: u32,
    /// Why they cannot be read now.
    pub trouble: Option<Trouble>,
}

/// The account API.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ApiStatus {
    /// Whose API it is.
    pub provider: String,
    /// Where.
    pub url: String,
    /// The last time that it could be read.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub read_at: Option<Timestamp>,
    /// Why it cannot be read or used now.
    pub trouble: Option<Trouble>,
    /// The quota as the last answer told it.
    pub quota: Option<QuotaStatus>,
    /// In what time the details of every managed account are read anew.
    pub full_pass_seconds: Option<u64>,
}

/// What is left of a quota.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuotaStatus {
    /// Requests a window.
    pub limit: u64,
    /// Left of them.
    pub remaining: u64,
    /// Kept for people and for finishing what was begun.
    pub reserve: u64,
    /// Requests of others with this token in this window, as far as the headers show.
    pub others: u64,
    /// Until the window opens again.
    pub resets_in_seconds: u64,
}

/// Something that is wrong, or stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trouble {
    /// In words.
    pub message: String,
    /// Since when.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
}

/// One pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PassStatus {
    /// When it ended.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
    /// How long it took.
    pub duration_seconds: f64,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether everything was looked at, or some clients only.
    pub whole: bool,
    /// What kept it from going through.
    pub message: Option<String>,
}

/// How a pass ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It went through; what does not go ahead stands at its client.
    Done,
    /// It did not.
    Failed,
}

impl Outcome {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// A time to come, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Next {
    /// When, at the latest.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Timestamp,
    /// Why then.
    pub why: String,
}

/// A guard rail that stops something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RailStatus {
    /// The option that sets it.
    pub flag: String,
    /// Its value.
    pub value: String,
    /// What it stopped.
    pub message: String,
}

/// The list price a month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CostStatus {
    /// Always `USD`.
    pub currency: String,
    /// Now.
    pub monthly_now: String,
    /// With everything done and everyone joined.
    pub monthly_after: String,
    /// Accounts whose price is not known, and not counted.
    pub unpriced: u32,
}

/// Actions that are not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpenActions {
    /// Where they stand.
    pub state: String,
    /// Why.
    pub reason: String,
    /// How many.
    pub count: u32,
}

/// How a client stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AccountStatus {
    /// The client, by the name of its manifest.
    pub name: String,
    /// Its fleet.
    pub fleet: String,
    /// Its account, where there is one.
    pub account_id: Option<String>,
    /// The labels of its manifest.
    pub labels: BTreeMap<String, String>,
    /// The first that fits.
    pub state: AccountState,
    /// Why: a condition's name.
    pub reason: String,
    /// Why, and what ends it.
    pub message: String,
    /// Since when it is in this state for this reason.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub since: Timestamp,
    /// `Ready` always; `Stalled` while a person must act; `ManifestValid` while it does not hold.
    pub conditions: Vec<Condition>,
    /// When it was last looked at.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub looked_at: Option<Timestamp>,
    /// When it is looked at again, at the latest, and why then.
    pub next: Option<Next>,
    /// The commit that the account was last found to agree with, or else the one that something
    /// was last done for.
    pub last_applied_revision: Option<String>,
    /// When something was last done for it.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub last_applied_at: Option<Timestamp>,
}

/// A condition, as Kubernetes has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Condition {
    /// `Ready`, `Stalled` or `ManifestValid`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it is so.
    pub status: Truth,
    /// Why, in one word.
    pub reason: String,
    /// Why, in words.
    pub message: String,
    /// When `status` last changed.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub last_transition_time: Timestamp,
}

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the words of Kubernetes")]
pub enum Truth {
    True,
    False,
    Unknown,
}

impl Truth {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// What the journal tells of a client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trace {
    /// When something was last done for it.
    pub applied_at: Option<Timestamp>,
    /// For which commit.
    pub revision: Option<String>,
    /// Since when what is not done was tried.
    pub tried_since: Option<Timestamp>,
}

/// What the standing of clients is made from, beside the plan.
pub struct Setting<'a> {
    /// The fleet.
    pub fleet: &'a str,
    /// What the time is.
    pub now: Timestamp,
    /// Since when a state counts of which nobody knows more.
    pub began: Timestamp,
    /// The commit that was read.
    pub revision: Option<&'a str>,
    /// Clients whose last good version is in force, and why.
    pub kept: &'a BTreeMap<ClientName, String>,
    /// What the journal tells.
    pub traces: &'a BTreeMap<ClientName, Trace>,
    /// Who was looked at; everyone without it.
    pub looked: Option<&'a BTreeSet<ClientName>>,
    /// When a client is looked at again.
    pub next: &'a dyn Fn(&AccountPlan) -> Option<Next>,
}

impl std::fmt::Debug for Setting<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setting").field("fleet", &self.fleet).field("now", &self.now).finish_non_exhaustive()
    }
}

impl Setting<'_> {
    /// How each client of a plan stands, with the times of what did not change since `before`.
    pub fn accounts(&self, plan: &Plan, before: &[AccountStatus]) -> Vec<AccountStatus> {
        let before: BTreeMap<&str, &AccountStatus> = before.iter().map(|known| (known.name.as_str(), known)).collect();
        plan.accounts.iter().map(|account| self.account(account, before.get(account.name.as_str()).copied())).collect()
    }

    fn account(&self, account: &AccountPlan, before: Option<&AccountStatus>) -> AccountStatus {
        let client = account.client.as_ref();
        let trace = client.and_then(|client| self.traces.get(client)).cloned().unwrap_or_default();
        let (reason, message) = why(account);
        let first = match account.state {
            AccountState::InSync | AccountState::Suspended => trace.applied_at,
            _ => trace.tried_since,
        };
        let since = match before {
            Some(known) if known.state == account.state && known.reason == reason => known.since,
            Some(_) => self.now,
            None => first.unwrap_or(self.began),
        };
        let kept = client.and_then(|client| self.kept.get(client)).map(String::as_str);
        let conditions = conditions(account, kept, &reason, &message)
            .into_iter()
            .map(|(kind, status, reason, message)| {
                let known = before.and_then(|known| known.conditions.iter().find(|condition| condition.kind == kind));
                let last_transition_time = match known {
                    Some(known) if known.status == status => known.last_transition_time,
                    Some(_) => self.now,
                    None => since,
                };
                Condition { kind: kind.to_owned(), status, reason, message, last_transition_time }
            })
            .collect();
        let agreed = (account.state == AccountState::InSync && kept.is_none()).then_some(self.revision).flatten();
        let looked = client.is_some_and(|client| self.looked.is_none_or(|looked| looked.contains(client)));
        AccountStatus {
            name: account.name.clone(),
            fleet: self.fleet.to_owned(),
            account_id: account.account_id.as_ref().map(|id| id.as_str().to_owned()),
            labels: account.labels.clone(),
            state: account.state,
            reason,
            message,
            since,
            conditions,
            looked_at: if looked { Some(self.now) } else { before.and_then(|known| known.looked_at) },
            next: (self.next)(account),
            last_applied_revision: agreed.map(str::to_owned).or(trace.revision),
            last_applied_at: trace.applied_at,
        }
    }
}

/// The state's name, as JSON and labels have it.
pub const fn state_name(state: AccountState) -> &'static str {
    match state {
        AccountState::Invalid => "invalid",
        AccountState::Suspended => "suspended",
        AccountState::Failed => "failed",
        AccountState::Blocked => "blocked",
        AccountState::Manual => "manual",
        AccountState::Unknown => "unknown",
        AccountState::Changes => "changes",
        AccountState::Waiting => "waiting",
        AccountState::InSync => "in_sync",
    }
}

/// Every state, in the order of [`AccountState`].
pub const STATES: [AccountState; 9] = [
    AccountState::Invalid,
    AccountState::Suspended,
    AccountState::Failed,
    AccountState::Blocked,
    AccountState::Manual,
    AccountState::Unknown,
    AccountState::Changes,
    AccountState::Waiting,
    AccountState::InSync,
];

/// Why an account stands as it does: in one word, and in words.
fn why(account: &AccountPlan) -> (String, String) {
    let plain = |reason: &str, message: &str| (reason.to_owned(), message.to_owned());
    let of = |state: ActionState, reason: &str| {
        let mut open = account.actions.iter().filter(|action| action.state == state);
        let Some(first) = open.next() else {
            return plain(reason, account.message.as_deref().unwrap_or_default());
        };
        let more = match open.count() {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let reason = first.reason.map_or_else(|| reason.to_owned(), |reason| format!("{reason:?}"));
        (reason, format!("{}{more}", line(first)))
    };
    match account.state {
        AccountState::Invalid => plain("Invalid", account.message.as_deref().unwrap_or("its manifest does not hold")),
        AccountState::Suspended => plain("Suspended", "observed, not changed"),
        AccountState::Failed => of(ActionState::Failed, "Failed"),
        AccountState::Blocked => of(ActionState::Blocked, "Blocked"),
        AccountState::Manual => of(ActionState::Manual, "Manual"),
        AccountState::Unknown => plain("MembersUnknown", account.message.as_deref().unwrap_or_default()),
        AccountState::Changes => of(ActionState::Planned, "ChangesPlanned"),
        AccountState::Waiting => of(ActionState::Waiting, "Waiting"),
        AccountState::InSync => plain("InSync", "as its manifest says"),
    }
}

fn line(action: &Action) -> String {
    match action.state {
        ActionState::Planned | ActionState::Manual => action.message.clone(),
        _ => format!("{}: {}", describe(&action.op), action.message),
    }
}

type Told = (&'static str, Truth, String, String);

fn conditions(account: &AccountPlan, kept: Option<&str>, reason: &str, message: &str) -> Vec<Told> {
    let ready = match account.state {
        AccountState::InSync => Truth::True,
        AccountState::Suspended | AccountState::Unknown => Truth::Unknown,
        AccountState::Invalid
        | AccountState::Failed
        | AccountState::Blocked
        | AccountState::Manual
        | AccountState::Changes
        | AccountState::Waiting => Truth::False,
    };
    let mut all = vec![("Ready", ready, reason.to_owned(), message.to_owned())];
    if matches!(account.state, AccountState::Invalid | AccountState::Blocked | AccountState::Manual) {
        all.push(("Stalled", Truth::True, reason.to_owned(), message.to_owned()));
    }
    if let Some(why) = kept {
        let message = format!("{why}; the last good version stays in force");
        all.push(("ManifestValid", Truth::False, "LastGoodVersion".into(), message));
    } else if account.state == AccountState::Invalid {
        all.push(("ManifestValid", Truth::False, reason.to_owned(), message.to_owned()));
    }
    all
}

/// What a plan tells of the whole fleet.
pub fn tell_fleet(fleet: &mut FleetStatus, plan: &Plan, accounts: &[AccountStatus]) {
    fleet.states = BTreeMap::new();
    for account in accounts {
        *fleet.states.entry(state_name(account.state).to_owned()).or_default() += 1;
    }
    let mut open: BTreeMap<(&'static str, String), u32> = BTreeMap::new();
    let mut people: BTreeMap<String, u32> = BTreeMap::new();
    for action in plan.accounts.iter().flat_map(|account| &account.actions) {
        let Some(state) = open_name(action.state) else { continue };
        let reason = action.reason.map_or_else(|| "None".to_owned(), |reason| format!("{reason:?}"));
        if action.state == ActionState::Waiting && action.op.kind() == OpKind::AddMember {
            *people.entry(reason.clone()).or_default() += 1;
        }
        *open.entry((state, reason)).or_default() += 1;
    }
    let opened = |((state, reason), count): ((&str, String), u32)| OpenActions { state: state.into(), reason, count };
    fleet.open = open.into_iter().map(opened).collect();
    fleet.waiting_people = people;
    let rail = |rail: &crate::plan::TrippedRail| RailStatus {
        flag: rail.flag.to_owned(),
        value: rail.value.clone(),
        message: rail.message.clone(),
    };
    fleet.rails = plan.rails.iter().map(rail).collect();
    fleet.cost = Some(CostStatus {
        currency: "USD".into(),
        monthly_now: plan.cost.before.to_string(),
        monthly_after: plan.cost.after.to_string(),
        unpriced: plan.cost.unpriced,
    });
    fleet.unmanaged = u32::try_from(plan.unmanaged.len()).unwrap_or(u32::MAX);
    let clients = accounts.iter().filter(|account| account.state != AccountState::Invalid);
    fleet.oldest_look_at = clients.filter_map(|account| account.looked_at).min();
}

/// The name of a state in which something is not done; `None` where it is, or nobody tried.
const fn open_name(state: ActionState) -> Option<&'static str> {
    match state {
        ActionState::Planned => Some("planned"),
        ActionState::Failed => Some("failed"),
        ActionState::Waiting => Some("waiting"),
        ActionState::Blocked => Some("blocked"),
        ActionState::Manual => Some("manual"),
        ActionState::Applied | ActionState::Skipped => None,
    }
}

impl FleetStatus {
    /// A fleet of which nothing is known yet.
    pub fn new(name: &str, mode: Mode, provider: &str, url: &str) -> Self {
        Self {
            name: name.to_owned(),
            mode,
            started_at: None,
            holding: true,
            interval_seconds: None,
            source: SourceStatus::default(),
            api: ApiStatus { provider: provider.to_owned(), url: url.to_owned(), ..ApiStatus::default() },
            journal_trouble: None,
            last_pass: None,
            next_pass: None,
            queue_depth: 0,
            oldest_look_at: None,
            frozen: None,
            rails: Vec::new(),
            cost: None,
            states: BTreeMap::new(),
            open: Vec::new(),
            waiting_people: BTreeMap::new(),
            unmanaged: 0,
        }
    }
}

impl Status {
    /// A status of now.
    pub fn new(read_from: ReadFrom, at: Timestamp, fleets: Vec<FleetStatus>, mut accounts: Vec<AccountStatus>) -> Self {
        accounts.sort_by(|a, b| (&a.name, &a.fleet).cmp(&(&b.name, &b.fleet)));
        let (format_version, bursar_version) = (FORMAT_VERSION.to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        Self { format_version, bursar_version, read_from, at, fleets, accounts }
    }

    /// Everything in words with its emails masked, for many eyes.
    #[must_use]
    pub fn masked(mut self) -> Self {
        let trouble = |trouble: &mut Option<Trouble>| {
            if let Some(Trouble { message, since: _ }) = trouble {
                *message = mask(message);
            }
        };
        for fleet in &mut self.fleets {
            for one in
                [&mut fleet.source.trouble, &mut fleet.api.trouble, &mut fleet.journal_trouble, &mut fleet.frozen]
            {
                trouble(one);
            }
            for message in fleet.last_pass.iter_mut().filter_map(|pass| pass.message.as_mut()) {
                *message = mask(message);
            }
            for rail in &mut fleet.rails {
                rail.message = mask(&rail.message);
            }
        }
        for account in &mut self.accounts {
            // A document without a name goes by its file.
            account.name = mask(&account.name);
            account.message = mask(&account.message);
            for condition in &mut account.conditions {
                condition.message = mask(&condition.message);
            }
        }
        self
    }
}

/// The JSON Schema of a status.
pub fn json_schema() -> serde_json::Value {
    schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<Status>()
        .to_value()
}
