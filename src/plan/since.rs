//! Which clients a change of manifests touches: those that come out otherwise than before,
//! whether by their own documents, by defaults or by groups.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{ClientName, Email};
use crate::manifest::Wanted;

use super::digest;
use super::tree::Notice;

/// What a change of manifests comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// The clients that it touches; `None` is every client.
    pub clients: Option<BTreeSet<ClientName>>,
    /// What a person is to know beside them.
    pub notices: Vec<Notice>,
}

impl Touched {
    /// Every client, for a reason.
    pub fn all(why: impl Into<String>) -> Self {
        Self { clients: None, notices: vec![Notice { client: None, plan: None, message: why.into() }] }
    }
}

/// Compares the manifests as they were with what they are. A client is touched where it is new,
/// or comes out otherwise; one that did not hold before counts as touched. Whoever is offboarded
/// leaves every account, so that a change of that touches every client.
pub fn touched(before: &Wanted, now: &Wanted) -> Touched {
    let mut notices = gone(before, now);
    if leavers(before) != leavers(now) {
        notices.extend(Touched::all("who is offboarded has changed, so every client is planned").notices);
        return Touched { clients: None, notices };
    }
    let digests: BTreeMap<&ClientName, String> =
        before.clients.iter().map(|client| (&client.name, digest::of_wanted(client))).collect();
    let differs = |client: &&crate::manifest::Client| digests.get(&client.name) != Some(&digest::of_wanted(client));
    let invalid = now.invalid.iter().filter_map(|document| document.name.clone());
    let clients = now.clients.iter().filter(differs).map(|client| client.name.clone()).chain(invalid).collect();
    Touched { clients: Some(clients), notices }
}

fn leavers(wanted: &Wanted) -> BTreeSet<&Email> {
    wanted.offboardings.iter().flat_map(|document| &document.people).collect()
}

fn names(wanted: &Wanted) -> BTreeSet<&ClientName> {
    let invalid = wanted.invalid.iter().filter_map(|document| document.name.as_ref());
    wanted.clients.iter().map(|client| &client.name).chain(invalid).collect()
}

/// The clients whose manifests are gone.
fn gone(before: &Wanted, now: &Wanted) -> Vec<Notice> {
    // What a file holds that cannot be read is not gone.
    let unread = now.invalid.iter().any(|document| document.whole_file || document.name.is_none());
    let message = if unread {
        "has no manifest any more, unless it is in a file that cannot be read; its account stays as it is"
    } else {
        "has no manifest any more: its account stays as it is, unmanaged"
    };
    let present = names(now);
    let clients = before.clients.iter().map(|client| &client.name).filter(|name| !present.contains(name));
    clients.map(|name| Notice { client: Some(name.clone()), plan: None, message: message.to_owned() }).collect()
}
