//! The operator's file of the policy: `--policy FILE`.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use crate::domain::Money;
use crate::manifest::{Finding, OperatorSpec, operator_document, without_null};

use super::{Adopt, AllowedPlans, MaxRemovals, Policy};

const KIND: &str = "Policy";
const FIELDS: &[&str] = &[
    "maxCreates",
    "maxSubscriptions",
    "maxMonthlyIncrease",
    "maxRemovals",
    "allowRemovals",
    "allowUnsubscribe",
    "allowedPlans",
    "adopt",
    "trimSeats",
];

/// What a policy file says; what it leaves out is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the fields of a Policy, where the file has them")]
pub struct PolicyFile {
    pub max_creates: Option<Option<u32>>,
    pub max_subscriptions: Option<Option<u32>>,
    pub max_monthly_increase: Option<Option<Money>>,
    pub max_removals: Option<MaxRemovals>,
    pub allow_removals: Option<bool>,
    pub allow_unsubscribe: Option<bool>,
    pub allowed_plans: Option<AllowedPlans>,
    pub adopt: Option<Adopt>,
    pub trim_seats: Option<bool>,
}

impl PolicyFile {
    /// Reads a file; `name` is what it is called in findings.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(name: &str, text: &str) -> Result<Self, Vec<Finding>> {
        operator_document(name, text, KIND, FIELDS, Self::of)
    }

    fn of(spec: &mut OperatorSpec<'_, '_, '_>) -> Self {
        const NUMBER: &str = "a whole number or `none`";
        Self {
            max_creates: spec.word("maxCreates", NUMBER, limit),
            max_subscriptions: spec.word("maxSubscriptions", NUMBER, limit),
            max_monthly_increase: spec.word("maxMonthlyIncrease", "an amount like `1000.00`, or `none`", limit),
            max_removals: spec.word("maxRemovals", "`30%`, `20`, `30%,20` or `none`", |raw| raw.parse().ok()),
            allow_removals: spec.boolean("allowRemovals"),
            allow_unsubscribe: spec.boolean("allowUnsubscribe"),
            allowed_plans: spec
                .words("allowedPlans", "the identifier or the family of a plan", AllowedPlans::is_word)
                .map(AllowedPlans::new),
            adopt: spec
                .one_of("adopt", &[("matching", Adopt::Matching), ("by-name", Adopt::ByName), ("never", Adopt::Never)]),
            trim_seats: spec.boolean("trimSeats"),
        }
    }

    /// This file's word, and where it has none, that of `otherwise`.
    pub fn over(self, otherwise: Policy) -> Policy {
        let Self {
            max_creates,
            max_subscriptions,
            max_monthly_increase,
            max_removals,
            allow_removals,
            allow_unsubscribe,
            allowed_plans,
            adopt,
            trim_seats,
        } = self;
        Policy {
            max_creates: max_creates.unwrap_or(otherwise.max_creates),
            max_subscriptions: max_subscriptions.unwrap_or(otherwise.max_subscriptions),
            max_monthly_increase: max_monthly_increase.unwrap_or(otherwise.max_monthly_increase),
            max_removals: max_removals.unwrap_or(otherwise.max_removals),
            allow_removals: allow_removals.unwrap_or(otherwise.allow_removals),
            allow_unsubscribe: allow_unsubscribe.unwrap_or(otherwise.allow_unsubscribe),
            allowed_plans: allowed_plans.unwrap_or(otherwise.allowed_plans),
            adopt: adopt.unwrap_or(otherwise.adopt),
            trim_seats: trim_seats.unwrap_or(otherwise.trim_seats),
        }
    }
}

/// A value, or `none` for no limit.
fn limit<T: std::str::FromStr>(raw: &str) -> Option<Option<T>> {
    if raw == "none" { Some(None) } else { raw.parse().ok().map(Some) }
}

/// The JSON Schema of a policy file, for editors and CI.
pub fn policy_schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Document).to_value();
    without_null(&mut schema);
    schema
}

/// The operator's policy: guard rails and ways of taking accounts over. It is given to a
/// command with --policy, and means nothing among manifests.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "A policy of bursar")]
#[allow(dead_code, reason = "the fields are read by schemars alone")]
struct Document {
    /// The version of the format.
    #[schemars(extend("const" = "bursar.dev/v1"))]
    api_version: String,
    /// The kind of document.
    #[schemars(extend("const" = "Policy"))]
    kind: String,
    metadata: Option<Metadata>,
    spec: Spec,
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "the fields are read by schemars alone")]
struct Metadata {
    /// What it is called.
    name: Option<String>,
    /// For whoever reads it.
    labels: Option<BTreeMap<String, String>>,
}

/// Each field is the command line's option of the same name, which goes before it.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code, reason = "the fields are read by schemars alone")]
struct Spec {
    /// The most accounts to create in one run, 50 where nothing is said.
    max_creates: Option<NumberOrNone>,
    /// The most subscriptions and plan changes upward to buy in one run, 50 where nothing is said.
    max_subscriptions: Option<NumberOrNone>,
    /// The most that the list price a month may rise in one run, 1000.00 where nothing is said.
    max_monthly_increase: Option<AmountOrNone>,
    /// The most members to remove in one run, 30% of those in scope where nothing is said.
    max_removals: Option<Removals>,
    /// Let members who are not listed be removed from exclusive accounts.
    allow_removals: Option<bool>,
    /// Let subscriptions be cancelled: the account's domains stop resolving at once.
    allow_unsubscribe: Option<bool>,
    /// The plans that may be chosen, by identifier or family; every plan where nothing is said.
    #[schemars(inner(regex(pattern = r"^[a-z0-9._-]{1,64}$")))]
    allowed_plans: Option<Vec<String>>,
    /// When an account found by its name is taken over.
    adopt: Option<Adopt>,
    /// Cut seats that nobody is wanted for.
    trim_seats: Option<bool>,
}

#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "the fields are read by schemars alone")]
enum NumberOrNone {
    Number(u32),
    Nothing(#[schemars(regex(pattern = r"^([0-9]+|none)$"))] String),
}

#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "the fields are read by schemars alone")]
enum AmountOrNone {
    Number(f64),
    Text(#[schemars(regex(pattern = r"^([0-9]+(\.[0-9]{1,2})?|none)$"))] String),
}

#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "the fields are read by schemars alone")]
enum Removals {
    Number(u32),
    Text(#[schemars(regex(pattern = r"^([0-9]+%?|[0-9]+%, ?[0-9]+|[0-9]+, ?[0-9]+%|none)$"))] String),
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_schema_and_the_reader_know_the_same_fields() {
        let schema = policy_schema();
        let properties = schema["$defs"]["Spec"]["properties"].as_object().unwrap();
        let properties: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
        assert_eq!(properties, FIELDS.iter().copied().collect());
    }
}
