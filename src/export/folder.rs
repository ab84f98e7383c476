//! The accounts as a folder of manifests: a file a client, and what most of them share said
//! once. What comes out of it is checked to be what the single documents say, or nothing is
//! shared.

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::PlanId;
use crate::manifest::{self, LoadOptions, Wanted};
use crate::plan::Snapshot;
use crate::source::FileSet;

use super::{Entry, Person, Shared, accounts};

/// The group of the people who are nearly everywhere.
const GROUP: &str = "everywhere";

/// A group is worth a document from so many accounts on.
const FEWEST: usize = 3;

/// What is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Paths below the folder, with their text.
    pub files: Vec<(String, String)>,
    /// Accounts that became a manifest.
    pub written: usize,
    /// Accounts that could not, a line each that says why.
    pub left_out: Vec<String>,
    /// What is said once for all, and what is not and why, a line each.
    pub shared: Vec<String>,
}

/// The accounts as a folder of manifests.
///
/// # Errors
/// A text has no form in YAML.
pub fn folder(snapshot: &Snapshot, options: &LoadOptions) -> Result<Folder, fmt::Error> {
    let (mut entries, mut left_out) = (Vec::new(), Vec::new());
    for account in accounts(snapshot, options)? {
        match account {
            Ok(entry) => entries.push(entry),
            Err(why) => left_out.push(why),
        }
    }
    let single = files(&entries, &Shared::default())?;
    let (shared, mut said) = shared(&entries);
    let mut files = files(&entries, &shared)?;
    if resolved(&files, options) != resolved(&single, options) {
        files = single;
        said = vec!["nothing is shared: with defaults and groups the manifests would not say the same".to_owned()];
    }
    Ok(Folder { files, written: entries.len(), left_out, shared: said })
}

/// What files want, if nothing is wrong with them.
fn resolved(files: &[(String, String)], options: &LoadOptions) -> Option<Wanted> {
    let files = files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let loaded = manifest::load(&FileSet::in_memory(files), options);
    (!loaded.has_errors()).then(|| loaded.wanted.without_places())
}

fn files(entries: &[Entry], shared: &Shared) -> Result<Vec<(String, String)>, fmt::Error> {
    let mut files = Vec::with_capacity(entries.len() + 2);
    let Shared { plan, email, group } = shared;
    let mut defaults = String::new();
    if let Some(email) = email {
        defaults += &format!("  notificationEmail: {}\n", manifest::scalar(email)?);
    }
    if let Some(plan) = plan {
        defaults += &format!("  plan: {}\n", manifest::scalar(plan.as_str())?);
    }
    if !group.is_empty() {
        defaults += &format!("  memberGroups: [{GROUP}]\n");
        let mut text = head("MemberGroup", GROUP) + "  members:\n";
        for person in group {
            text += &format!("    - {}\n", person.item()?);
        }
        files.push((format!("groups/{GROUP}.yaml"), text));
    }
    if !defaults.is_empty() {
        files.push(("defaults.yaml".to_owned(), head("ClientDefaults", "defaults") + &defaults));
    }
    for entry in entries {
        files.push((format!("clients/{}.yaml", entry.client.as_str()), entry.document(shared)?));
    }
    Ok(files)
}

fn head(kind: &str, name: &str) -> String {
    format!("apiVersion: bursar.dev/v1\nkind: {kind}\nmetadata:\n  name: {name}\nspec:\n")
}

/// What most entries have in common, and a line on each such thing.
fn shared(entries: &[Entry]) -> (Shared, Vec<String>) {
    let mut said = Vec::new();
    let plan = shared_plan(entries, &mut said);
    let email = shared_email(entries);
    if let Some(email) = &email {
        said.push(format!("notificationEmail {}: in defaults.yaml", crate::domain::text::inert(email)));
    }
    let group = shared_people(entries);
    if !group.is_empty() {
        let people = group.iter().map(|person| person.email.to_string()).collect::<Vec<_>>().join(", ");
        said.push(format!("{people}: in groups/{GROUP}.yaml, which defaults.yaml gives to everybody"));
    }
    (Shared { plan, email, group }, said)
}

/// The plan of more than half the accounts. A default reaches everybody who says nothing, so
/// there is none where an account has no plan to say.
fn shared_plan(entries: &[Entry], said: &mut Vec<String>) -> Option<PlanId> {
    let plans = entries.iter().filter_map(|entry| entry.plan.as_ref().ok()?.as_ref());
    let plan = most(plans, entries.len())?;
    let without = entries.iter().filter(|entry| !matches!(entry.plan, Ok(Some(_)))).count();
    if without > 0 {
        let accounts = if without == 1 { "1 account has".to_owned() } else { format!("{without} accounts have") };
        said.push(format!(
            "plan {plan}: in each client, because {accounts} none that can be written down, and a default would choose \
             it for them"
        ));
        return None;
    }
    said.push(format!("plan {plan}: in defaults.yaml"));
    Some(plan)
}

/// A pattern that gives the very address of more than half the accounts.
fn shared_email(entries: &[Entry]) -> Option<String> {
    let patterns: Vec<String> = entries
        .iter()
        .filter(|entry| !entry.email.as_str().contains(['{', '}']))
        .filter_map(|entry| {
            let (local, domain) = entry.email.as_str().split_once('@')?;
            // In the domain a name is hardly there on account of the client.
            let pattern = format!("{}@{domain}", local.replace(entry.client.as_str(), "{name}"));
            let filled = pattern.replace("{name}", entry.client.as_str());
            (pattern.contains("{name}") && filled == entry.email.as_str()).then_some(pattern)
        })
        .collect();
    most(patterns.iter(), entries.len())
}

/// What more than half of so many are, and at least two.
fn most<'v, T: Ord + Clone + 'v>(values: impl Iterator<Item = &'v T>, of: usize) -> Option<T> {
    let mut counts: BTreeMap<&T, usize> = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    let (value, count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    (count >= 2 && count * 2 > of).then(|| value.clone())
}

/// The people who are together in four of five accounts, with the same access everywhere there.
fn shared_people(entries: &[Entry]) -> Vec<Person> {
    let enough = |count: usize| count >= FEWEST && count * 5 >= entries.len() * 4;
    let mut counts: BTreeMap<&Person, usize> = BTreeMap::new();
    for person in entries.iter().flat_map(|entry| &entry.people) {
        *counts.entry(person).or_default() += 1;
    }
    let mut often: Vec<(usize, &Person)> =
        counts.into_iter().filter(|(_, count)| enough(*count)).map(|(person, count)| (count, person)).collect();
    often.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    let mut group: Vec<Person> = often.into_iter().map(|(_, person)| person.clone()).collect();
    // The rarest leave until the others are together often enough.
    while !group.is_empty() && !enough(entries.iter().filter(|entry| entry.has_all(&group)).count()) {
        group.pop();
    }
    group.sort();
    group
}
