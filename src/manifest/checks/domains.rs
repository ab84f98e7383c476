//! Rule 19: each customer gets an account of their own.

use std::collections::{BTreeMap, HashSet};

use crate::manifest::codes;
use crate::manifest::report::{Draft, Span};
use crate::manifest::resolve::World;

/// Mail services whose users have nothing to do with one another.
const PUBLIC: &[&str] = &[
    "126.com",
    "163.com",
    "aol.com",
    "bluewin.ch",
    "fastmail.com",
    "free.fr",
    "gmail.com",
    "gmx.at",
    "gmx.ch",
    "gmx.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hey.com",
    "hotmail.com",
    "icloud.com",
    "laposte.net",
    "libero.it",
    "live.com",
    "mac.com",
    "mail.com",
    "mail.ru",
    "me.com",
    "msn.com",
    "naver.com",
    "orange.fr",
    "outlook.com",
    "posteo.de",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "t-online.de",
    "web.de",
    "yahoo.co.jp",
    "yahoo.co.uk",
    "yahoo.com",
    "yandex.ru",
    "zoho.com",
];

/// How many clients a message names.
const NAMED: usize = 3;

#[derive(Debug)]
struct Use {
    last_client: usize,
    clients: usize,
    names: Vec<String>,
    first: Span,
    /// The first place of the second client, where it is another place.
    second: Option<Span>,
}

/// A domain whose people are members in several client accounts; told once a domain.
pub(super) fn one_customer_to_an_account(world: &mut World, own_domains: &[String]) {
    let mut own: HashSet<String> =
        own_domains.iter().map(|domain| domain.trim().trim_start_matches('@').to_ascii_lowercase()).collect();
    own.extend(PUBLIC.iter().map(|domain| (*domain).to_owned()));
    let notified = world.candidates.iter().filter_map(|candidate| candidate.notification_email.as_ref());
    own.extend(notified.map(|email| email.value.domain().to_owned()));

    let mut uses: BTreeMap<&str, Use> = BTreeMap::new();
    for (at, candidate) in world.candidates.iter().enumerate() {
        for member in &candidate.members {
            let domain = member.value.email.domain();
            if own.contains(domain) {
                continue;
            }
            let found = uses.entry(domain).or_insert_with(|| Use {
                last_client: at,
                clients: 1,
                names: vec![candidate.shown()],
                first: member.span,
                second: None,
            });
            if found.last_client != at {
                found.last_client = at;
                found.clients += 1;
                if found.names.len() < NAMED {
                    found.names.push(candidate.shown());
                }
                if found.second.is_none() && found.first != member.span {
                    found.second = Some(member.span);
                }
            }
        }
    }
    let shared = uses.into_iter().filter(|(_, found)| found.clients > 1).map(|(domain, found)| {
        let Use { last_client: _, clients, names, first, second } = found;
        let more = if clients > names.len() { format!(" and {} more", clients - names.len()) } else { String::new() };
        let domain = crate::domain::text::inert(domain);
        let message = format!("people of `{domain}` are in {clients} client accounts: {}{more}", names.join(", "));
        let draft = Draft::new(&codes::SHARED_DOMAIN, second.unwrap_or(first), message).help(format!(
            "each customer gets an account of their own; if it is your domain, say --own-domain {domain}"
        ));
        if second.is_some() { draft.related(first, "the first of them is here") } else { draft }
    });
    let mut drafts: Vec<_> = shared.collect();
    world.drafts.append(&mut drafts);
}
