//! The last good version of each client: what stops parsing stays in force as it was, and
//! whoever watches is told. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::ClientName;
use crate::manifest::{Client, SourceRef, Wanted};

/// What is in force: what was read, with the last good version of what does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Held {
    /// To be reconciled.
    pub wanted: Wanted,
    /// The clients whose last good version is in force, and why.
    pub kept: BTreeMap<ClientName, String>,
}

impl Held {
    /// Takes in a new reading. A client whose document does not hold, or whose file cannot
    /// be parsed, keeps its last good version; one that is gone from a readable folder is
    /// gone.
    #[must_use]
    pub fn take(&self, read: Wanted) -> Self {
        let Wanted { clients, offboardings, invalid } = read;
        let mut present: BTreeMap<ClientName, Client> =
            clients.into_iter().map(|client| (client.name.clone(), client)).collect();
        let mut leaving: BTreeMap<_, _> =
            offboardings.into_iter().map(|document| (document.name.clone(), document)).collect();
        let mut kept = BTreeMap::new();
        let mut broken = Vec::new();
        for document in invalid {
            let mut stands_in = false;
            for client in &self.wanted.clients {
                let named = document.name.as_ref() == Some(&client.name);
                let held = document.whole_file && document.source.file == client.source.file;
                if (named || held) && !present.contains_key(&client.name) {
                    kept.insert(client.name.clone(), document.why.clone());
                    present.insert(client.name.clone(), client.clone());
                }
                stands_in |= (named || held) && kept.contains_key(&client.name);
            }
            for offboarding in &self.wanted.offboardings {
                if document.whole_file && document.source.file == offboarding.source.file {
                    leaving.entry(offboarding.name.clone()).or_insert_with(|| offboarding.clone());
                }
            }
            if !stands_in {
                broken.push(document);
            }
        }
        Self {
            wanted: Wanted {
                clients: present.into_values().collect(),
                offboardings: leaving.into_values().collect(),
                invalid: broken,
            },
            kept,
        }
    }
}

/// The clients that are wanted otherwise than before, new ones included; one that only
/// moved to another line is not among them.
pub fn changed_clients(before: &Wanted, now: &Wanted) -> BTreeSet<ClientName> {
    let old: BTreeMap<_, _> = before.clients.iter().map(|client| (&client.name, wish(client))).collect();
    now.clients
        .iter()
        .filter(|client| old.get(&client.name) != Some(&wish(client)))
        .map(|client| client.name.clone())
        .collect()
}

/// A client without the places where it was written.
fn wish(client: &Client) -> Client {
    let nowhere = SourceRef { file: String::new(), line: 0, column: 0 };
    let mut wish = Client { source: nowhere.clone(), ..client.clone() };
    for member in &mut wish.members {
        member.source = nowhere.clone();
    }
    wish
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AccountName, Email};
    use crate::manifest::{Invalid, Membership, WantedPlan};

    fn client(name: &str, file: &str, line: u32) -> Client {
        Client {
            name: ClientName::parse(name).unwrap(),
            labels: BTreeMap::new(),
            source: SourceRef { file: file.into(), line, column: 1 },
            account_name: AccountName::new(name),
            notification_email: Email::lenient(format!("dns+{name}@agency.example")),
            plan: WantedPlan::Untouched,
            members: Vec::new(),
            membership: Membership::Additive,
            account_id: None,
            previous_names: Vec::new(),
            previous_notification_emails: Vec::new(),
            suspend: false,
        }
    }

    fn invalid(name: Option<&str>, file: &str, whole_file: bool) -> Invalid {
        Invalid {
            name: name.map(|name| ClientName::parse(name).unwrap()),
            account_name: None,
            account_id: None,
            source: SourceRef { file: file.into(), line: 1, column: 1 },
            why: "broken".into(),
            whole_file,
        }
    }

    fn read(clients: Vec<Client>, invalid: Vec<Invalid>) -> Wanted {
        Wanted { clients, offboardings: Vec::new(), invalid }
    }

    fn names(held: &Held) -> Vec<&str> {
        held.wanted.clients.iter().map(|client| client.name.as_str()).collect()
    }

    #[test]
    fn a_client_whose_document_breaks_keeps_its_last_good_version() {
        let good = Held::default().take(read(vec![client("a", "x.yaml", 1), client("b", "x.yaml", 9)], vec![]));
        let held = good.take(read(vec![client("b", "x.yaml", 9)], vec![invalid(Some("a"), "x.yaml", false)]));
        assert_eq!(names(&held), ["a", "b"]);
        assert_eq!(held.kept.keys().map(ClientName::as_str).collect::<Vec<_>>(), ["a"]);
        assert!(held.wanted.invalid.is_empty(), "its last good version stands in for it");
        let mended = held.take(read(vec![client("a", "x.yaml", 1), client("b", "x.yaml", 9)], vec![]));
        assert!(mended.kept.is_empty());
    }

    #[test]
    fn a_file_that_cannot_be_parsed_keeps_everything_it_held() {
        let good = Held::default().take(read(vec![client("a", "x.yaml", 1), client("b", "y.yaml", 1)], vec![]));
        let held = good.take(read(vec![client("b", "y.yaml", 1)], vec![invalid(None, "x.yaml", true)]));
        assert_eq!(names(&held), ["a", "b"]);
    }

    #[test]
    fn a_client_that_moved_to_a_readable_file_is_taken_from_there() {
        let good = Held::default().take(read(vec![client("a", "x.yaml", 1)], vec![]));
        let held = good.take(read(vec![client("a", "z.yaml", 5)], vec![invalid(None, "x.yaml", true)]));
        assert_eq!(held.wanted.clients[0].source.file, "z.yaml");
        assert!(held.kept.is_empty());
        assert_eq!(held.wanted.invalid.len(), 1, "the broken file is still told of");
    }

    #[test]
    fn a_client_taken_out_of_a_readable_folder_is_gone_and_a_new_broken_one_is_invalid() {
        let good = Held::default().take(read(vec![client("a", "x.yaml", 1)], vec![]));
        let held = good.take(read(vec![], vec![invalid(Some("n"), "n.yaml", false)]));
        assert!(names(&held).is_empty());
        assert_eq!(held.wanted.invalid.len(), 1);
    }

    #[test]
    fn a_client_that_only_moved_did_not_change() {
        let before = read(vec![client("a", "x.yaml", 1), client("b", "x.yaml", 2)], vec![]);
        let mut renamed = client("b", "x.yaml", 2);
        renamed.account_name = AccountName::new("Other");
        let now = read(vec![client("a", "y.yaml", 7), renamed, client("c", "y.yaml", 9)], vec![]);
        let changed = changed_clients(&before, &now);
        assert_eq!(changed.iter().map(ClientName::as_str).collect::<Vec<_>>(), ["b", "c"]);
    }
}
