//! New accounts that look like an account that is there under another name: a notice, which
//! stops nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::domain::{AccountName, Email};
use crate::provider::Account;

use super::decide::{Draft, Found, World};
use super::tree::{Notice, Op};

/// One notice for each client about to be created that shares its notification email, or a
/// person who is wanted in no other client, with an account without a manifest.
pub(super) fn notices(world: &World<'_>, drafts: &[Draft<'_>]) -> Vec<Notice> {
    let accounts = &world.inputs.live.accounts;
    let (mut by_email, mut by_member) = (HashMap::<&Email, Vec<usize>>::new(), HashMap::<&Email, Vec<usize>>::new());
    for index in world.matching.unmanaged() {
        let observed = &accounts[*index];
        if let Some(email) = &observed.account.email {
            by_email.entry(email).or_default().push(*index);
        }
        for member in observed.members.seen().into_iter().flatten() {
            by_member.entry(&member.email).or_default().push(*index);
        }
    }
    if by_email.is_empty() && by_member.is_empty() {
        return Vec::new();
    }
    // An address that several clients use says nothing about one of them.
    let (mut emails, mut people) = (HashMap::<&Email, u32>::new(), HashMap::<&Email, u32>::new());
    for client in &world.inputs.wanted.clients {
        *emails.entry(&client.notification_email).or_default() += 1;
        for member in &client.members {
            *people.entry(&member.email).or_default() += 1;
        }
    }
    let mut names = HashMap::<String, u32>::new();
    for name in accounts.iter().filter_map(|observed| observed.account.name.as_ref()) {
        *names.entry(name.key()).or_default() += 1;
    }
    let mut notices = Vec::new();
    for draft in drafts.iter().filter(|draft| matches!(draft.found, Found::New)) {
        if !draft.actions.iter().any(|action| matches!(action.op, Op::CreateAccount { .. })) {
            continue;
        }
        let client = draft.client;
        let mut likely: BTreeMap<usize, Shared<'_>> = BTreeMap::new();
        let email = &client.notification_email;
        for index in by_email.get(email).into_iter().flatten().filter(|_| emails.get(email) == Some(&1)) {
            likely.entry(*index).or_default().email = true;
        }
        for person in client.members.iter().map(|member| &member.email) {
            if people.get(person) != Some(&1) || person == world.ourselves() {
                continue;
            }
            for index in by_member.get(person).into_iter().flatten() {
                likely.entry(*index).or_default().people.insert(person);
            }
        }
        for (index, shared) in likely {
            let account = &accounts[index].account;
            let only = account.name.as_ref().is_some_and(|name| names.get(&name.key()) == Some(&1));
            notices.push(Notice {
                client: Some(client.name.clone()),
                plan: None,
                message: rename_message(account, &shared, only),
            });
        }
    }
    notices.sort();
    notices
}

/// What a client and an account have in common.
#[derive(Default)]
struct Shared<'a> {
    email: bool,
    people: BTreeSet<&'a Email>,
}

/// What to write, which differs: a previous name finds the account where no other bears it,
/// and with its notification email it is taken over; without that, only the id says whose it is.
fn rename_message(account: &Account, shared: &Shared<'_>, only: bool) -> String {
    let Shared { email, people } = shared;
    let id = &account.id;
    let name = account.name.as_ref().map_or_else(String::new, |name| format!(" (\"{name}\")"));
    let both = email.then(|| "its notification email".to_owned());
    let both: Vec<String> =
        both.into_iter().chain(people.iter().map(|person| format!("the member {person}"))).collect();
    let both: Vec<&str> = both.iter().map(String::as_str).collect();
    // A name that would have to be escaped is better not typed.
    let plain = |name: &&AccountName| {
        only && *email && !name.as_str().contains(['"', '\\']) && name.to_string() == name.as_str()
    };
    let previous =
        account.name.as_ref().filter(plain).map_or_else(String::new, |name| format!(" or previousNames: [\"{name}\"]"));
    format!(
        "looks like a rename of {id}{name}, which has {} as well; if it is the same client, write \
         accountId: \"{id}\"{previous} instead of having an account made",
        super::matching::join_and(&both)
    )
}
