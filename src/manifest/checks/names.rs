//! Names and ids: each client is one account, and a reader can tell them apart.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use unicode_security::{MixedScript as _, RestrictionLevel, RestrictionLevelDetection as _, skeleton};

use crate::manifest::codes;
use crate::manifest::report::{Draft, Span};
use crate::manifest::resolve::{Candidate, World, duplicates};

/// metadata.name is unique among the clients; all that share one are out.
pub(super) fn one_name_one_client(world: &mut World) {
    let headers = world.candidates.iter().map(|candidate| &candidate.document.header);
    let twice = duplicates("ClientAccount", headers, &mut world.drafts);
    for candidate in &mut world.candidates {
        if let Some(name) = candidate.document.header.name.as_ref().filter(|name| twice.contains(name.value.as_str())) {
            let why = format!("there are two ClientAccounts named `{}`", name.value);
            candidate.fault(&why);
        }
    }
}

/// Two clients of one account name are told apart by `accountId` only.
pub(super) fn one_account_name_one_client(world: &mut World) {
    let key = |candidate: &Candidate| {
        let name = candidate.document.account_name.as_ref()?;
        Some((name.value.key(), name.span))
    };
    for group in groups_of(world, key) {
        let nameless: Vec<_> =
            group.iter().copied().filter(|(at, _)| world.candidates[*at].document.account_id.is_none()).collect();
        for (at, span) in nameless {
            let (other, other_span) = if group[0].0 == at { group[1] } else { group[0] };
            let other = world.candidates[other].shown();
            let message = format!("the account name of `{}` is also that of `{other}`", world.candidates[at].shown());
            world.candidates[at].fault(&message);
            world.drafts.push(
                Draft::new(&codes::SAME_ACCOUNT_NAME, span, message)
                    .help("give both an `accountId`, or one of them another name")
                    .related(other_span, format!("`{other}` has it here")),
            );
        }
    }
}

/// An account belongs to one client.
pub(super) fn one_account_id_one_client(world: &mut World) {
    let key = |candidate: &Candidate| {
        let id = candidate.document.account_id.as_ref()?;
        Some((id.value.as_str().to_owned(), id.span))
    };
    for group in groups_of(world, key) {
        for &(at, span) in &group {
            let (other, other_span) = if group[0].0 == at { group[1] } else { group[0] };
            let other = world.candidates[other].shown();
            let message = format!("the accountId of `{}` is also that of `{other}`", world.candidates[at].shown());
            world.candidates[at].fault(&message);
            world.drafts.push(
                Draft::new(&codes::SAME_ACCOUNT_ID, span, message)
                    .help("an account belongs to one client: correct one of the two")
                    .related(other_span, format!("`{other}` has it here")),
            );
        }
    }
}

/// Candidates that share a key, in groups of two and more, by their first member.
fn groups_of(world: &World, key: impl Fn(&Candidate) -> Option<(String, Span)>) -> Vec<Vec<(usize, Span)>> {
    let mut by_key: HashMap<String, Vec<(usize, Span)>> = HashMap::with_capacity(world.candidates.len());
    for (at, candidate) in world.candidates.iter().enumerate() {
        if let Some((key, span)) = key(candidate) {
            by_key.entry(key).or_default().push((at, span));
        }
    }
    let mut groups: Vec<_> = by_key.into_values().filter(|group| group.len() > 1).collect();
    groups.sort_unstable_by_key(|group| group[0].0);
    groups
}

/// Names with different letters that a person sees as the same.
pub(super) fn names_that_look_alike(world: &mut World) {
    let mut first: HashMap<String, (usize, String)> = HashMap::new();
    let mut drafts = Vec::new();
    for (at, candidate) in world.candidates.iter().enumerate() {
        let Some(name) = &candidate.document.account_name else { continue };
        let key = name.value.key();
        match first.entry(skeleton(&key).collect()) {
            Entry::Vacant(entry) => {
                entry.insert((at, key));
            }
            Entry::Occupied(entry) if entry.get().1 != key => {
                let other = &world.candidates[entry.get().0];
                let message = format!("`{}` looks like the account name of `{}`", name.value, other.shown());
                let mut draft = Draft::new(&codes::LOOK_ALIKE, name.span, message)
                    .help("write the same letters if they are one client; make the difference plain if they are two");
                if let Some(other_name) = &other.document.account_name {
                    draft = draft.related(other_name.span, format!("`{}` is named here", other.shown()));
                }
                drafts.push(draft);
            }
            Entry::Occupied(_) => {}
        }
    }
    world.drafts.append(&mut drafts);
}

/// Words with letters of alphabets that are not written together, Latin and Cyrillic for one.
pub(super) fn names_of_several_alphabets(world: &mut World) {
    for candidate in &world.candidates {
        let Some(name) = &candidate.document.account_name else { continue };
        if name.value.as_str().is_ascii() {
            continue;
        }
        let mixed = name.value.as_str().split_whitespace().find(|word| {
            let letters: String = word.chars().filter(|c| c.is_alphanumeric()).collect();
            let letters = letters.as_str();
            !letters.is_single_script() && letters.detect_restriction_level() >= RestrictionLevel::MinimallyRestrictive
        });
        if let Some(word) = mixed {
            let message = format!("`{}` mixes alphabets", crate::domain::text::inert(word));
            world.drafts.push(
                Draft::new(&codes::MIXED_SCRIPTS, name.span, message)
                    .help("type the word again on one keyboard layout, if it is to be of one alphabet"),
            );
        }
    }
}
