//! The shape of a saved plan; the schema is made from these types.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::{RepositoryName, mask};
use crate::plan::render;
use crate::plan::tree::{ApiInfo, Plan};

use super::world::WorldPart;

/// The version of this format: a reader ignores unknown fields and refuses another major.
pub const FORMAT_VERSION: &str = "1.0";

/// What tells a saved plan from other JSON.
pub const KIND: &str = "saved_plan";

/// A plan and what is needed to say later whether it still fits: `bursar plan --out`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "A saved plan of bursar", rename = "SavedPlan")]
pub struct Saved<P> {
    /// The version of this format, `1.0`.
    pub format_version: String,
    /// `saved_plan`
    pub kind: String,
    /// The version of bursar; no other one carries it out.
    pub bursar_version: String,
    /// When it was saved, in RFC 3339; it is good for 24 hours.
    #[schemars(with = "String")]
    pub saved_at: Timestamp,
    /// Whether the emails in `plan` and `world` are masked. Digests are of the whole ones.
    pub masked: bool,
    /// Which API it is for.
    #[schemars(with = "render::ApiJson")]
    pub api: ApiInfo,
    /// Whose token, and which world.
    pub scope: Scope,
    /// Where the manifests are.
    pub source: Origin,
    /// The plan, as `bursar plan -o json` writes it.
    pub plan: P,
    /// The clients for whom something is planned, and the prices: only for saying later what
    /// moved. Digests decide.
    pub world: WorldPart,
    /// SHA-256 over all bytes of the file before its own digits. Against accidents; it is no
    /// signature.
    #[schemars(regex(pattern = r"^sha256:[0-9a-f]{64}$"))]
    pub checksum: String,
}

/// Whose token, and which world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scope {
    /// The id of the token's user.
    pub user_id: String,
    /// The id of a sandbox's world; null of a real API.
    pub world_id: Option<String>,
}

/// Where the manifests are, and which of their clients are meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Origin {
    /// What the repository is known by.
    pub repository: RepositoryName,
    /// The commit, with `-dirty` behind it where something was edited; for people.
    pub revision: Option<String>,
    /// Files and folders, relative to the root of the repository.
    pub paths: Vec<String>,
    /// Only clients with these labels (`-l`).
    pub selector: Option<String>,
    /// Only these clients (`--only`, `--changed-since`).
    #[serde(default)]
    pub clients: Option<Vec<String>>,
}

/// As much of a plan as is compared, whether it was saved or made a moment ago.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PlanPart {
    /// The digest of the whole.
    pub digest: String,
    /// Each client.
    pub accounts: Vec<AccountPart>,
}

/// One client of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AccountPart {
    pub(super) name: String,
    pub(super) state: String,
    pub(super) digest: String,
    #[serde(default)]
    pub(super) message: Option<String>,
    pub(super) actions: Vec<ActionPart>,
}

/// One action of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ActionPart {
    pub(super) op: String,
    pub(super) state: String,
    #[serde(default)]
    pub(super) reason: Option<String>,
    pub(super) message: String,
    #[serde(default)]
    pub(super) unregistered: bool,
    #[serde(default)]
    pub(super) email: Option<String>,
}

impl PlanPart {
    /// A plan that was made a moment ago, as the one of a file would be read.
    pub fn of(plan: &Plan, masked: bool) -> Self {
        let value = masked_if(masked, render::json(plan));
        serde_json::from_value(value).expect("it has every field that the schema of plans requires")
    }

    /// The clients for whom something is planned.
    pub fn planned(&self) -> impl Iterator<Item = &AccountPart> {
        self.accounts.iter().filter(|account| account.has("planned"))
    }
}

impl AccountPart {
    /// The client. Foreign where it is of a file.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn has(&self, state: &str) -> bool {
        self.actions.iter().any(|action| action.state == state)
    }
}

impl ActionPart {
    /// What it does and to whom: what makes it the same action at another time.
    pub(super) fn key(&self) -> (&str, Option<String>) {
        (&self.op, self.email.as_deref().map(str::to_lowercase))
    }
}

/// The JSON Schema of saved plans.
pub fn json_schema() -> Value {
    schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<Saved<render::PlanJson>>()
        .to_value()
}

/// Masks the emails in every text of a value; keys stay.
pub fn masked_if(masked: bool, mut value: Value) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::String(text) => *text = mask(text),
            Value::Array(items) => items.iter_mut().for_each(walk),
            Value::Object(fields) => fields.values_mut().for_each(walk),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    if masked {
        walk(&mut value);
    }
    value
}
