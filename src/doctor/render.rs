//! The profile for people and for machines.

use schemars::JsonSchema;
use serde::Serialize;

use crate::provider::Offer;

use super::judge::{Check, Health, Subject};
use super::profile::{Profile, SERVICES, Service};

/// The version of this format: a reader ignores unknown fields and refuses another major.
const FORMAT_VERSION: &str = "1.0";

/// For people, with styles.
pub fn text(profile: &Profile) -> String {
    let checks = profile.checks();
    let width = checks.iter().map(|check| check.subject.words().len()).max().unwrap_or_default();
    let mut out = String::new();
    for Check { subject, health, found, next } in &checks {
        let (word, color) = match health {
            Health::Ok => ("ok  ", anstyle::AnsiColor::Green),
            Health::Warn => ("warn", anstyle::AnsiColor::Yellow),
            Health::Bad => ("bad ", anstyle::AnsiColor::Red),
        };
        let style = color.on_default();
        out += &format!("{style}{word}{style:#}  {:width$}  {found}\n", subject.words());
        if let Some(next) = next {
            out += &format!("      {:width$}  -> {next}\n", "");
        }
    }
    out
}

/// The result of `doctor -o json`.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "bursar doctor")]
struct DoctorJson<'a> {
    /// A reader ignores unknown fields and refuses another major version.
    format_version: &'static str,
    /// The program's version.
    bursar_version: &'static str,
    api: ApiJson<'a>,
    /// The worst of all checks.
    health: Health,
    /// In a fixed order; those that could not be made are left out.
    checks: Vec<CheckJson>,
    /// Every plan that the server lists.
    plans: Vec<PlanJson>,
    /// What is known of the services, apart from this server.
    services: Vec<ServiceJson>,
    /// Requests that this took.
    requests: u64,
}

/// Which API.
#[derive(Serialize, JsonSchema)]
struct ApiJson<'a> {
    /// The driver.
    provider: &'a str,
    /// The base URL.
    url: &'a str,
    /// The world of a sandbox; null is no sandbox.
    world: Option<&'a str>,
}

/// One line.
#[derive(Serialize, JsonSchema)]
struct CheckJson {
    what: Subject,
    health: Health,
    /// In words.
    found: String,
    /// What to do next, where something is to be done.
    next: Option<String>,
}

/// A plan that is listed.
#[derive(Serialize, JsonSchema)]
struct PlanJson {
    identifier: String,
    family: String,
    /// Whether prices are a year's.
    yearly: bool,
    /// With the included seats, a billing period; null is a custom price.
    base_price: Option<String>,
    included_seats: Option<u32>,
    /// One seat more, a billing period.
    seat_price: Option<String>,
    /// Null is unlimited.
    max_members: Option<u32>,
    /// Whether it can be newly chosen.
    available: bool,
}

/// A service that a driver is written for.
#[derive(Serialize, JsonSchema)]
struct ServiceJson {
    name: &'static str,
    reads: &'static str,
    writes: &'static str,
    /// When the project last saw it work.
    last_seen_working: &'static str,
}

/// For machines.
pub fn json(profile: &Profile) -> serde_json::Value {
    let checks = profile.checks();
    let world = profile.greeting.as_ref().ok().and_then(|greeting| greeting.world.as_deref());
    let listed = profile.offer.as_ref().and_then(|offer| offer.as_ref().ok());
    let doctor = DoctorJson {
        format_version: FORMAT_VERSION,
        bursar_version: env!("CARGO_PKG_VERSION"),
        api: ApiJson { provider: &profile.api.provider, url: &profile.api.url, world },
        health: checks.iter().map(|check| check.health).max().unwrap_or(Health::Ok),
        checks: checks.into_iter().map(CheckJson::from).collect(),
        plans: listed.map(plans).unwrap_or_default(),
        services: SERVICES.map(ServiceJson::from).into(),
        requests: profile.requests,
    };
    // Every key is a text and every value has a form, so this does not fail.
    serde_json::to_value(doctor).unwrap_or_default()
}

impl From<Check> for CheckJson {
    fn from(check: Check) -> Self {
        let Check { subject, health, found, next } = check;
        Self { what: subject, health, found, next }
    }
}

impl From<Service> for ServiceJson {
    fn from(service: Service) -> Self {
        let Service { name, reads, writes, last_seen_working } = service;
        Self { name, reads, writes, last_seen_working }
    }
}

fn plans(offer: &Offer) -> Vec<PlanJson> {
    let plan = |plan: &crate::provider::PlanOffer| PlanJson {
        identifier: plan.id.as_str().to_owned(),
        family: plan.family.as_str().to_owned(),
        yearly: plan.yearly,
        base_price: plan.base_price.map(|price| price.to_string()),
        included_seats: plan.included_seats,
        seat_price: plan.seat_price.map(|price| price.to_string()),
        max_members: plan.max_members,
        available: plan.available,
    };
    offer.plans.iter().map(plan).collect()
}

/// The JSON Schema of [`json`].
pub fn json_schema() -> serde_json::Value {
    schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<DoctorJson<'_>>()
        .to_value()
}
