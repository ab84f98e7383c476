//! The page for people: how each client stands, since when, and when it is looked at again.
//! Made here, without a script; maud escapes whatever is foreign.

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

use crate::controller::status::{AccountStatus, Condition, FleetStatus, Status, Truth};
use crate::domain::text::inert;

/// Clients shown at most; a page of thousands helps nobody.
const MOST: usize = 500;

/// The style of the page.
pub const STYLE: &str = include_str!("page.css");

/// The whole page. Clients who are not ready come first.
pub fn page(status: &Status) -> Markup {
    let mut accounts: Vec<&AccountStatus> = status.accounts.iter().collect();
    accounts.sort_by_key(|account| (account.state, account.since));
    let several = status.fleets.len() > 1;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="refresh" content="30";
                title { "bursar" }
                link rel="stylesheet" href="/style.css";
            }
            body {
                header {
                    h1 { "bursar" }
                    p.quiet { "As of " (moment(status.at)) ". " a href="/status.json" { "JSON" } " " a href="/metrics" { "Metrics" } }
                }
                main {
                    @for fleet in &status.fleets { (standing(fleet, several, status.at)) }
                    (table(&accounts, several, status.at))
                }
            }
        }
    }
}

fn moment(at: Timestamp) -> Markup {
    html! { time datetime=(at) { (at.strftime("%-d %b %Y, %H:%M:%S UTC")) } }
}

fn standing(fleet: &FleetStatus, several: bool, now: Timestamp) -> Markup {
    let source = &fleet.source;
    let troubles = [
        ("The manifests cannot be read", &source.trouble),
        ("The account API cannot be used", &fleet.api.trouble),
        ("The journal cannot be used", &fleet.journal_trouble),
        ("All writes are stopped", &fleet.frozen),
    ];
    html! {
        section {
            @if several { h2 { (inert(&fleet.name)) } }
            @for (what, trouble) in troubles {
                @if let Some(trouble) = trouble {
                    p.trouble role="status" {
                        b { (what) } " since " (moment(trouble.since)) ": " (inert(&trouble.message))
                    }
                }
            }
            @for rail in &fleet.rails {
                p.trouble role="status" { b { (rail.flag) " " (inert(&rail.value)) } ": " (inert(&rail.message)) }
            }
            p.quiet {
                @if !fleet.holding { "Another replica holds this fleet. " }
                @if let Some(revision) = &source.revision {
                    "At commit " code { (short(revision)) }
                    @if let Some(since) = source.since { " for " (ago(since, now)) }
                    ". "
                }
                @if let Some(pass) = &fleet.last_pass { "The last pass was " (ago(pass.at, now)) " ago. " }
                @if let Some(next) = &fleet.next_pass { "Next: " (inert(&next.why)) " in " (ago(now, next.at)) ". " }
                @if let Some(cost) = &fleet.cost { "List price " (cost.monthly_now) " " (cost.currency) " a month. " }
                @if let Some(quota) = &fleet.api.quota {
                    "Quota: " (quota.remaining) " of " (quota.limit) " requests left."
                }
            }
        }
    }
}

fn table(accounts: &[&AccountStatus], several: bool, now: Timestamp) -> Markup {
    html! {
        table {
            caption {
                (accounts.len()) @if accounts.len() == 1 { " client" } @else { " clients" }
                @if accounts.len() > MOST { ", of whom " (MOST) " are shown" }
            }
            thead {
                tr {
                    th scope="col" { "Client" }
                    @if several { th scope="col" { "Fleet" } }
                    th scope="col" { "State" }
                    th scope="col" { "Why" }
                    th scope="col" { "For" }
                    th scope="col" { "Next look" }
                }
            }
            tbody {
                @for account in accounts.iter().take(MOST) {
                    tr {
                        th scope="row" {
                            (inert(&account.name))
                            @if let Some(id) = &account.account_id { " " small.quiet { (inert(id)) } }
                        }
                        @if several { td { (inert(&account.fleet)) } }
                        td { span class=(class(account)) { (account.state.words()) } }
                        td { b { (inert(&account.reason)) } br; (inert(&account.message)) (kept(&account.conditions)) }
                        td { (ago(account.since, now)) }
                        td {
                            @if let Some(next) = &account.next { "in " (ago(now, next.at)) br; small.quiet { (inert(&next.why)) } }
                        }
                    }
                }
            }
        }
    }
}

fn kept(conditions: &[Condition]) -> Markup {
    let broken = conditions.iter().find(|condition| condition.kind == "ManifestValid");
    html! { @if let Some(broken) = broken { p.trouble { (inert(&broken.message)) } } }
}

fn class(account: &AccountStatus) -> &'static str {
    let ready = account.conditions.iter().find(|condition| condition.kind == "Ready").map(|ready| ready.status);
    let stalled = account.conditions.iter().any(|condition| condition.kind == "Stalled");
    match (ready, stalled) {
        (_, true) => "state stalled",
        (Some(Truth::True), _) => "state ready",
        _ => "state",
    }
}

fn short(revision: &str) -> String {
    let dirty = if revision.ends_with("-dirty") { "-dirty" } else { "" };
    format!("{}{dirty}", inert(revision.get(..12).unwrap_or(revision)))
}

fn ago(from: Timestamp, to: Timestamp) -> String {
    crate::domain::text::span(to.duration_since(from).unsigned_abs())
}
