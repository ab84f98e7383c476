//! Addresses masked on both sides, in the order that they have in the clear.
//!
//! Who is held as the last member with full access, and in which order people come and go,
//! goes by the order of addresses. So the snapshot keeps that order, and what is wanted is set
//! in between.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::domain::{AccountName, Email, Foreign, MemberId, mask, mask_address, mask_clear};
use crate::manifest::{Client, Invalid, Offboarding, Wanted, WantedMember};
use crate::plan::{ObservedAccount, Reading, Snapshot};
use crate::provider::Identity;

/// A live world with nobody's address in it.
pub(super) struct Masked {
    pub(super) live: Snapshot,
    /// Everybody, in the order of the addresses.
    pub(super) people: Vec<Email>,
    /// Addresses whose mask is another's as well.
    pub(super) alike: usize,
}

/// Masks each address of a live world, in names, ids of members and errors as well.
pub(super) fn masked(live: &Snapshot) -> Masked {
    let everybody: BTreeSet<&Email> = addresses(live).collect();
    let mut people: Vec<Email> = Vec::with_capacity(everybody.len());
    let mut ranks: HashMap<String, u32> = HashMap::with_capacity(everybody.len());
    for person in &everybody {
        let form = form(person);
        let rank = rank(people.len());
        if let std::collections::hash_map::Entry::Vacant(entry) = ranks.entry(form.to_lowercase()) {
            entry.insert(rank);
            people.extend(Email::from_masked(&form, rank));
        }
    }
    let alike = everybody.len() - people.len();
    let mut live = live.clone();
    rewrite(&mut live, &|email| covered(email, &ranks), &mask_clear);
    Masked { live, people, alike }
}

/// What is wanted, masked, and the live world, both with ranks that fit one another.
pub(super) fn against(wanted: &Wanted, mut live: Snapshot, people: &[Email]) -> (Wanted, Snapshot) {
    let ranks = ranks(wanted, people);
    let again = |email: &Email| {
        let rank = ranks.get(email.key()).copied().unwrap_or(u32::MAX);
        Email::from_masked(email.as_str(), rank).unwrap_or_else(|| email.clone())
    };
    for email in addresses_mut(&mut live) {
        *email = again(email);
    }
    (masked_wanted(wanted, &|email| covered(email, &ranks)), live)
}

/// The masked form of an address.
fn form(email: &Email) -> String {
    mask_address(email.as_str())
}

fn covered(email: &Email, ranks: &HashMap<String, u32>) -> Email {
    let form = form(email);
    let rank = ranks.get(&form.to_lowercase()).copied().unwrap_or(u32::MAX);
    Email::from_masked(&form, rank).unwrap_or_else(|| Email::lenient(form))
}

/// From 1: what is not masked has 0.
fn rank(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX).saturating_add(1)
}

/// The places of everybody: those of the snapshot in its order, and each person whom only the
/// manifests name behind the last one of the snapshot who comes before them.
fn ranks(wanted: &Wanted, people: &[Email]) -> HashMap<String, u32> {
    let places: HashMap<&str, usize> =
        people.iter().enumerate().map(|(place, person)| (person.key(), place + 1)).collect();
    let mut behind: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    let mut last = 0;
    for person in wanted_addresses(wanted).collect::<BTreeSet<_>>() {
        let key = form(person).to_lowercase();
        match places.get(key.as_str()) {
            Some(place) => last = *place,
            None => behind.entry(last).or_default().push(key),
        }
    }
    let mut order: Vec<String> = behind.remove(&0).unwrap_or_default();
    for (place, person) in people.iter().enumerate() {
        order.push(person.key().to_owned());
        order.extend(behind.remove(&(place + 1)).unwrap_or_default());
    }
    let mut ranks = HashMap::with_capacity(order.len());
    for (place, key) in order.into_iter().enumerate() {
        ranks.entry(key).or_insert_with(|| rank(place));
    }
    ranks
}

/// Every address of a live world.
fn addresses(live: &Snapshot) -> impl Iterator<Item = &Email> {
    let accounts = live.accounts.iter();
    let in_accounts = accounts.flat_map(|observed| {
        let members = observed.members.seen().into_iter().flatten().map(|member| &member.email);
        observed.account.email.iter().chain(members)
    });
    in_accounts.chain([&live.identity.email])
}

fn wanted_addresses(wanted: &Wanted) -> impl Iterator<Item = &Email> {
    let clients = wanted.clients.iter().flat_map(|client| {
        let members = client.members.iter().map(|member| &member.email);
        members.chain(&client.previous_notification_emails).chain([&client.notification_email])
    });
    clients.chain(wanted.offboardings.iter().flat_map(|document| &document.people))
}

fn addresses_mut(live: &mut Snapshot) -> impl Iterator<Item = &mut Email> {
    let Snapshot { identity: Identity { scope: _, email: ourselves }, offer: _, accounts } = live;
    let in_accounts = accounts.iter_mut().flat_map(|observed| {
        let members = match &mut observed.members {
            Reading::Seen(members) => members.as_mut_slice(),
            Reading::NotRead | Reading::Failed(_) => &mut [],
        };
        observed.account.email.iter_mut().chain(members.iter_mut().map(|member| &mut member.email))
    });
    in_accounts.chain([ourselves])
}

fn rewrite(live: &mut Snapshot, email: &impl Fn(&Email) -> Email, text: &impl Fn(&str) -> String) {
    for address in addresses_mut(live) {
        *address = email(address);
    }
    for ObservedAccount { account, subscription, members } in &mut live.accounts {
        if let Some(name) = &mut account.name {
            *name = AccountName::new(text(name.as_str()));
        }
        // Nobody looks at these, and nobody's address is to be found in them.
        (account.subscription, account.members) = (None, None);
        if let Reading::Failed(why) = subscription {
            *why = Foreign::new(text(why.raw()));
        }
        match members {
            Reading::Seen(members) => {
                members.iter_mut().for_each(|member| member.id = MemberId::new(text(member.id.as_str())));
            }
            Reading::NotRead => {}
            Reading::Failed(why) => *why = Foreign::new(text(why.raw())),
        }
    }
}

fn masked_wanted(wanted: &Wanted, email: &impl Fn(&Email) -> Email) -> Wanted {
    let Wanted { clients, offboardings, invalid } = wanted;
    let name = |name: &AccountName| AccountName::new(mask_clear(name.as_str()));
    let clients = clients.iter().map(|client| Client {
        account_name: name(&client.account_name),
        notification_email: email(&client.notification_email),
        members: client
            .members
            .iter()
            .map(|member| WantedMember { email: email(&member.email), ..member.clone() })
            .collect(),
        previous_names: client.previous_names.iter().map(name).collect(),
        previous_notification_emails: client.previous_notification_emails.iter().map(email).collect(),
        ..client.clone()
    });
    let offboardings = offboardings.iter().map(|document| Offboarding {
        people: document.people.iter().map(email).collect(),
        reason: document.reason.as_deref().map(mask),
        ..document.clone()
    });
    let invalid = invalid.iter().map(|document| Invalid {
        account_name: document.account_name.as_ref().map(name),
        why: mask(&document.why),
        ..document.clone()
    });
    Wanted { clients: clients.collect(), offboardings: offboardings.collect(), invalid: invalid.collect() }
}
