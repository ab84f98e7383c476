//! Who is in the accounts, noted where it differs from what was seen before.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::Timestamp;

use super::look::Look;
use crate::domain::{AccountId, ClientName, Email};
use crate::journal::{Book, Entry, EntryKind, Fact, FactKind, OperationId, Row, State};
use crate::provider::MemberState;

/// What is to be noted after a look.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) facts: Vec<Fact>,
    pub(super) forget: Vec<(FactKind, String)>,
    pub(super) entries: Vec<Entry>,
}

/// Who is in the accounts, where it differs from what was seen before.
pub(super) fn note_members(book: &Book, look: &Look<'_>, shown: &HashSet<OperationId>, notes: &mut Notes) {
    let known = book.facts(FactKind::Member);
    let mut by_account: BTreeMap<&str, Vec<(&str, &Fact)>> = BTreeMap::new();
    for (key, fact) in &known {
        if let Some((account, email)) = key.split_once('/') {
            by_account.entry(account).or_default().push((email, fact));
        }
    }
    // What was done a moment ago may not show yet: that is nobody's hand.
    let fresh: HashSet<String> = book
        .rows()
        .iter()
        .filter(|row| !shown.contains(&row.id()) && is_fresh(row, book, look.began))
        .filter_map(member_key)
        .collect();
    let owners: BTreeMap<&AccountId, &ClientName> =
        look.matched.iter().filter_map(|(client, account)| Some((account.as_ref()?, client))).collect();
    for seen in &look.snapshot.accounts {
        let Some(members) = seen.members.seen() else { continue };
        let id = &seen.account.id;
        let entry = |kind, person: &Email, access: Option<String>, what: &str| Entry {
            client: owners.get(id).map(|client| (*client).clone()),
            account: Some(id.clone()),
            person: Some(person.clone()),
            access,
            message: format!("{person} {what}"),
            ..book.entry(kind)
        };
        for member in members {
            let access = match member.state {
                MemberState::Active => member.access.to_string(),
                MemberState::Invited => "invited".to_owned(),
            };
            let key = format!("{}/{}", id.as_str(), member.email.key());
            if !fresh.contains(&key) && known.get(&key).is_none_or(|fact| fact.value != access) {
                notes.facts.push(book.fact(FactKind::Member, key, access.as_str()));
                let what = format!("is in account {id} ({access})");
                notes.entries.push(entry(EntryKind::MemberSeen, &member.email, Some(access), &what));
            }
        }
        let present: BTreeSet<&str> = members.iter().map(|member| member.email.key()).collect();
        for (email, _) in by_account.get(id.as_str()).into_iter().flatten() {
            let key = format!("{}/{email}", id.as_str());
            if !present.contains(email) && !fresh.contains(&key) {
                notes.forget.push((FactKind::Member, key));
                let person = Email::lenient(*email);
                let what = format!("is not in account {id} any more");
                notes.entries.push(entry(EntryKind::MemberGone, &person, None, &what));
            }
        }
    }
}

/// Whether a look that began then may be older than what a row did.
fn is_fresh(row: &Row, book: &Book, began: Timestamp) -> bool {
    let shows = row.ended_at.map(|ended| ended.saturating_add(book.rules().settle).unwrap_or(Timestamp::MAX));
    row.state == State::Done && shows.is_some_and(|shows| began < shows)
}

/// Whom in which account a row is about.
fn member_key(row: &Row) -> Option<String> {
    Some(format!("{}/{}", row.account_id.as_ref()?.as_str(), row.cause.person.as_ref()?.key()))
}
