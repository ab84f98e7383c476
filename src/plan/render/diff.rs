//! An account as YAML, observed against desired, as a unified diff.

use std::collections::BTreeMap;

use anstyle::AnsiColor;
use serde::Serialize;
use similar::{ChangeTag, TextDiff};

use crate::domain::Access;
use crate::plan::tree::{AccountPlan, AccountState, Desired};

use super::text::Paint;

/// What is shown of an account.
#[derive(Serialize)]
struct Face {
    name: Option<String>,
    #[serde(rename = "notificationEmail")]
    email: Option<String>,
    plan: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seats: Option<u32>,
    members: BTreeMap<String, Access>,
}

/// The diff, indented, without the lines that two short files would have around it; empty
/// where nothing changes.
pub(super) fn unified(account: &AccountPlan, paint: Paint) -> String {
    // What is suspended or does not hold is not changed, whatever its manifest says.
    if matches!(account.state, AccountState::Suspended | AccountState::Invalid) {
        return String::new();
    }
    let Some(desired) = &account.desired else { return String::new() };
    let before = observed(account).map_or_else(String::new, |face| yaml(&face));
    let after = yaml(&self::desired(desired));
    if before == after {
        return String::new();
    }
    let mut out = String::new();
    let diff = TextDiff::from_lines(&before, &after);
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        out.push_str(&format!("    {}\n", paint.faint(&hunk.header().to_string())));
        for change in hunk.iter_changes() {
            let line = change.value().trim_end_matches('\n');
            let (sign, colour) = match change.tag() {
                ChangeTag::Equal => (" ", None),
                ChangeTag::Insert => ("+", Some(AnsiColor::Green)),
                ChangeTag::Delete => ("-", Some(AnsiColor::Red)),
            };
            let line = format!("{sign}{line}");
            let line = colour.map_or_else(|| line.clone(), |colour| paint.colour(colour, &line));
            out.push_str(&format!("    {line}\n"));
        }
    }
    out
}

fn observed(account: &AccountPlan) -> Option<Face> {
    let observed = account.observed.as_ref()?;
    let subscription = observed.subscription.seen().and_then(Option::as_ref).filter(|seen| seen.is_active());
    let members = observed.members.seen().into_iter().flatten();
    Some(Face {
        name: observed.account.name.as_ref().map(ToString::to_string),
        email: observed.account.email.as_ref().map(ToString::to_string),
        plan: match subscription {
            Some(subscription) => Some(subscription.plan.to_string()),
            None => observed.account.plan.as_ref().map(ToString::to_string),
        },
        seats: subscription.and_then(|subscription| subscription.seats),
        members: members.map(|member| (member.email.to_string(), member.access)).collect(),
    })
}

fn desired(desired: &Desired) -> Face {
    let Desired { name, email, plan, seats, members } = desired;
    Face {
        name: Some(name.to_string()),
        email: Some(email.to_string()),
        plan: plan.as_ref().map(ToString::to_string),
        seats: *seats,
        members: members.iter().map(|(email, access)| (email.to_string(), *access)).collect(),
    }
}

fn yaml(face: &Face) -> String {
    serde_yaml::to_string(face).expect("text, numbers and a map of text, which always serialise")
}
