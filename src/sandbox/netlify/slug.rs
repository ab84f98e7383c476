//! Slugs: the names of accounts in paths.

use std::collections::BTreeSet;

use crate::sandbox::world::{AccountId, Change, Draft, World};

use super::team::Team;

/// The most characters of one.
const LONGEST: usize = 100;

/// What paths of the API begin with: nobody's slug.
const RESERVED: [&str; 5] = ["accounts", "api", "billing", "sites", "user"];

/// A slug that fits a name: its letters and digits in lower case, what is between them as
/// one hyphen. A name without any gives `team`.
fn fitting(name: &str) -> String {
    let mut slug = String::new();
    for character in name.chars() {
        if slug.len() >= LONGEST {
            break;
        }
        if character.is_ascii_alphanumeric() {
            slug.push(character.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "team".to_owned() } else { slug.to_owned() }
}

/// Whether somebody may choose this text as a slug.
pub fn is_slug(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && fitting(text) == text && !RESERVED.contains(&text)
}

/// Whether an account other than this one has the slug.
pub fn is_taken(world: &World, slug: &str, by_other_than: Option<AccountId>) -> bool {
    world.teams.values().any(|team| team.slug == slug && Some(team.account_id) != by_other_than)
}

/// A slug of this name that nobody has: the second `acme` is `acme-2`.
pub fn unique(world: &World, name: &str) -> String {
    // Looked through once, not once for each number that is tried.
    let taken: BTreeSet<&str> = world.teams.values().map(|team| team.slug.as_str()).collect();
    unique_among(name, |slug| taken.contains(slug))
}

fn unique_among(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let fitting = fitting(name);
    let is_free = |slug: &str| !RESERVED.contains(&slug) && !is_taken(slug);
    let numbered = (2_u64..).map(|number| format!("{fitting}-{number}"));
    std::iter::once(fitting.clone()).chain(numbered).find(|slug| is_free(slug)).unwrap_or_default()
}

/// Gives each account of a draft a slug that was made without one, by hand or arranged.
pub fn give_slugs(world: &World, draft: &mut Draft) {
    let mut given: BTreeSet<AccountId> = BTreeSet::new();
    let mut nameless = Vec::new();
    for change in &draft.changes {
        match change {
            Change::PutTeam(team) => {
                given.insert(team.account_id);
            }
            Change::PutAccount(account) if !world.teams.contains_key(&account.id) => {
                nameless.push((account.id, account.name.clone()));
            }
            _ => {}
        }
    }
    for (id, name) in nameless {
        if given.insert(id) {
            draft.put(Change::PutTeam(Team::new(id, unique(world, &name))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_what_of_a_name_fits_into_a_path() {
        let long = "x".repeat(300);
        for (name, slug) in [
            ("Acme Inc.", "acme-inc"),
            ("  Ünïcode & Söhne ", "n-code-s-hne"),
            ("../../etc", "etc"),
            ("Accounts", "accounts-2"),
            ("株式会社", "team"),
            (long.as_str(), &long[..LONGEST]),
        ] {
            assert_eq!(unique_among(name, |_| false), slug, "{name}");
        }
        assert_eq!(unique_among("Acme", |slug| slug == "acme" || slug == "acme-2"), "acme-3");
    }

    #[test]
    fn only_what_would_be_given_may_be_chosen() {
        for slug in ["acme", "acme-2", "4ever"] {
            assert!(is_slug(slug), "{slug}");
        }
        for other in ["", "Acme", "a--b", "-a", "a-", "a/b", "user", "é"] {
            assert!(!is_slug(other), "{other}");
        }
    }
}
