//! Members that cannot be read, by what people and webhooks said of them: who counts as
//! there, and of whom nothing is known that still counts.

use std::collections::BTreeSet;

use crate::domain::{Access, AccountId, Email, MemberId};
use crate::manifest::{Client, Membership};
use crate::plan::known::{Says, Weight, Word, Words};
use crate::plan::manual::Pages;
use crate::plan::tree::Told;
use crate::provider::{Member, MemberState};

use super::World;
use super::people::{People, wanted};

/// So many people are named in one line.
const NAMED: usize = 5;

impl People {
    /// By word alone. Our own user is there: else the account would not be listed.
    pub(super) fn by_word(world: &World<'_>, client: &Client, account: &AccountId) -> Self {
        let none = Words::default();
        let words = world.inputs.known.words.get(account).unwrap_or(&none);
        let Self { mut present, .. } = Self::of_new(world);
        let wanted = wanted(world, client);
        let mut told = Vec::new();
        for (email, word) in words.people.iter().filter(|(email, _)| *email != world.ourselves()) {
            if word.weight != Weight::Holds {
                continue;
            }
            told.push(Told { email: email.clone(), word: word.clone() });
            let as_wanted = wanted.iter().find(|member| member.email == *email).map(|member| member.access);
            let (access, state) = match word.says {
                Says::Member(access) => (access, MemberState::Active),
                Says::Invited => (None, MemberState::Invited),
                Says::Absent => continue,
            };
            let access = access.or(as_wanted).unwrap_or(Access::Full);
            present.push(Member { id: MemberId::new(""), email: email.clone(), access, role: None, state });
        }
        present.sort_by(|a, b| a.email.cmp(&b.email));
        let asked: BTreeSet<&Email> = wanted.iter().map(|member| &member.email).chain(world.leavers()).collect();
        let holds = |email: &Email| words.people.get(email).is_some_and(|word| word.weight == Weight::Holds);
        let untold = asked.into_iter().filter(|email| *email != world.ourselves() && !holds(email));
        let untold: Vec<Email> = untold.cloned().collect();
        let closed = client.membership == Membership::Additive
            || words.whole.as_ref().is_some_and(|word| word.weight == Weight::Holds);
        let unreadable = (!untold.is_empty() || !closed)
            .then(|| question(&untold, words, closed, &Pages::of(world.inputs.api).members(account), client));
        Self { present, unreadable, told, untold }
    }
}

/// What is not known, where to look, and how to tell.
fn question(untold: &[Email], words: &Words, closed: bool, page: &str, client: &Client) -> String {
    let mut who: Vec<String> = untold.iter().take(NAMED).map(|email| named(email, words.people.get(email))).collect();
    let more = untold.len().saturating_sub(NAMED);
    if more > 0 {
        who.push(format!("{more} more"));
    }
    if !closed {
        who.push(named(&"anybody else", words.whole.as_ref()));
    }
    format!(
        "its members cannot be read over this API, so whether these are members is not known: {}; look at {page}, \
         set right there what differs, then tell: bursar ack {}",
        who.join(", "),
        client.name
    )
}

/// Somebody, and why what was said of them does not count.
fn named(who: &dyn std::fmt::Display, word: Option<&Word>) -> String {
    match word.map(|word| (word, word.weight)) {
        None | Some((_, Weight::Holds)) => who.to_string(),
        Some((word, Weight::Expired)) => format!("{who} ({}: {word}, which is too old)", word.says),
        Some((word, Weight::Contested { at })) => {
            format!("{who} ({}: {word}, and a webhook told the opposite on {})", word.says, at.strftime("%Y-%m-%d"))
        }
    }
}
