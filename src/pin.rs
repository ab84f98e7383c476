//! Which ids go into which manifests, and the files as they are with them. Pure; the rules are
//! those of the plan.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{AccountId, ClientName};
use crate::manifest::{self, Client, Insertion, LoadOptions, Loaded, SourceRef};
use crate::plan::{Adopt, FoundBy, Match, Selector, match_accounts, may_adopt};
use crate::provider::Account;
use crate::source::{FileSet, SourceFile};

/// A person's word on what may be pinned.
#[derive(Debug)]
pub struct Word<'a> {
    /// When an account found by its name is taken over by itself.
    pub adopt: Adopt,
    /// Clients that take the account of their name over whatever its notification email is.
    pub take_over: &'a BTreeSet<ClientName>,
    /// All clients do.
    pub take_over_all: bool,
    /// Which clients.
    pub selector: &'a Selector,
}

/// What there is to do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pins {
    /// Each selected client and each document that does not hold, by place.
    pub clients: Vec<Pin>,
    /// The files that change, by name.
    pub files: Vec<Edited>,
}

/// One client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// Its name; of a document without one its place.
    pub name: String,
    /// Where its document begins.
    pub source: SourceRef,
    /// What becomes of it.
    pub outcome: Outcome,
}

/// What becomes of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It gets this id.
    Written {
        /// The account.
        id: AccountId,
        /// The account's notification email, and how it differs from the manifest's.
        note: String,
    },
    /// It has one.
    Already(AccountId),
    /// No account is there yet.
    New,
    /// A person must act: what is the matter, and what to do. Inert text.
    Person(String),
    /// It cannot be written by a program: why, and what to type. Inert text.
    Refused(String),
    /// Its document does not hold. Inert text.
    Invalid(String),
}

/// A file that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// As it was read.
    pub file: SourceFile,
    /// Its text then.
    pub before: String,
    /// Its text with the ids.
    pub after: String,
}

/// Works out which clients get an id, from manifests and the list of accounts alone.
///
/// Each file is read again with the ids in it: what is wanted is the same but for the ids, or
/// the file is left as it is.
pub fn pins(files: &FileSet, loaded: &Loaded, options: &LoadOptions, accounts: &[Account], word: &Word<'_>) -> Pins {
    let matching = match_accounts(&loaded.wanted, accounts);
    let mut pins = Pins::default();
    let mut edits: BTreeMap<String, Vec<(usize, Insertion)>> = BTreeMap::new();
    for client in loaded.wanted.clients.iter().filter(|client| word.selector.matches(client)) {
        let mut outcome = match (&client.account_id, matching.account_of(&client.name)) {
            (_, Match::Blocked { reason: _, message }) => Outcome::Person(message),
            (Some(id), Match::Account(_) | Match::New) => Outcome::Already(id.clone()),
            (None, Match::New) => Outcome::New,
            (None, Match::Account(index)) => found(client, &accounts[index], word, matching.found_by(&client.name)),
        };
        if let Outcome::Written { id, note: _ } = &outcome {
            match text_of(files, &client.source).and_then(|text| manifest::insert_account_id(text, &client.source, id))
            {
                Some(insertion) => {
                    edits.entry(client.source.file.clone()).or_default().push((pins.clients.len(), insertion));
                }
                None => outcome = refused(id),
            }
        }
        pins.clients.push(Pin { name: client.name.to_string(), source: client.source.clone(), outcome });
    }
    keep_what_holds(files, loaded, options, &mut pins, edits);
    for document in &loaded.wanted.invalid {
        let name = document.name.as_ref().map_or_else(|| document.source.to_string(), ToString::to_string);
        let outcome = Outcome::Invalid(crate::domain::text::inert(&document.why).into_owned());
        pins.clients.push(Pin { name, source: document.source.clone(), outcome });
    }
    pins.clients.sort_by(|a, b| (&a.source, &a.name).cmp(&(&b.source, &b.name)));
    pins
}

/// Whether the account that was found by its name is the client's.
fn found(client: &Client, account: &Account, word: &Word<'_>, by: Option<FoundBy>) -> Outcome {
    let id = account.id.clone();
    let theirs = account.email.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
    let same = account.email.as_ref() == Some(&client.notification_email);
    let note = match (same, by) {
        (true, _) => format!("notified at {theirs}"),
        (false, _) => {
            format!("notified at {theirs}, which becomes the manifest's {}", client.notification_email)
        }
    };
    let note = match (&account.name, by) {
        (Some(name), Some(FoundBy::SimilarName | FoundBy::PreviousName)) => {
            format!("named \"{name}\", which becomes \"{}\"; {note}", client.account_name)
        }
        _ => note,
    };
    if may_adopt(word.adopt, client, account) || word.take_over_all || word.take_over.contains(&client.name) {
        return Outcome::Written { id, note };
    }
    let why = match word.adopt {
        Adopt::Never => format!("accounts are not taken over by their name; it is {note}"),
        Adopt::Matching | Adopt::ByName => {
            format!("its notification email is {theirs}, neither the manifest's nor a previous one")
        }
    };
    Outcome::Person(format!(
        "account {id} bears the name, but may be somebody else's: {why}. If it is this client's: --take-over {}",
        client.name
    ))
}

/// Drops the edits of files that do not come out as they should.
fn keep_what_holds(
    files: &FileSet,
    loaded: &Loaded,
    options: &LoadOptions,
    pins: &mut Pins,
    edits: BTreeMap<String, Vec<(usize, Insertion)>>,
) {
    let mut edited: Vec<(Edited, Vec<usize>)> = Vec::new();
    for (name, edits) in edits {
        let Some((file, before)) = files
            .files()
            .iter()
            .find(|file| file.name == name)
            .and_then(|file| Some((file, std::str::from_utf8(file.content.as_ref().ok()?).ok()?.to_owned())))
        else {
            continue;
        };
        let (clients, insertions): (Vec<usize>, Vec<Insertion>) = edits.into_iter().unzip();
        let after = Insertion::all_into(insertions, &before);
        edited.push((Edited { file: file.clone(), before, after }, clients));
    }
    let ids = |clients: &[usize]| -> BTreeMap<String, AccountId> {
        let written = clients.iter().filter_map(|index| match &pins.clients[*index].outcome {
            Outcome::Written { id, .. } => Some((pins.clients[*index].name.clone(), id.clone())),
            _ => None,
        });
        written.collect()
    };
    let all: Vec<&Edited> = edited.iter().map(|(edited, _)| edited).collect();
    let everybody: Vec<usize> = edited.iter().flat_map(|(_, clients)| clients.iter().copied()).collect();
    let mut kept: Vec<bool> = vec![true; edited.len()];
    if !comes_out(files, loaded, options, &all, &ids(&everybody)) {
        // Somewhere something is not as it should be: file by file, to keep it from the others.
        for (kept, (edited, clients)) in kept.iter_mut().zip(&edited) {
            *kept = comes_out(files, loaded, options, &[edited], &ids(clients));
        }
        let left = || edited.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(edited, _)| edited);
        let (files_left, clients): (Vec<&Edited>, Vec<&[usize]>) =
            left().map(|(edited, clients)| (edited, clients.as_slice())).unzip();
        if !comes_out(files, loaded, options, &files_left, &ids(&clients.concat())) {
            kept.fill(false);
        }
    }
    for ((edited, clients), kept) in edited.into_iter().zip(kept) {
        if kept {
            pins.files.push(edited);
            continue;
        }
        for index in clients {
            if let Outcome::Written { id, .. } = &pins.clients[index].outcome {
                pins.clients[index].outcome = refused(id);
            }
        }
    }
}

/// Whether the files with the ids want what they wanted before, and the ids.
fn comes_out(
    files: &FileSet,
    loaded: &Loaded,
    options: &LoadOptions,
    edited: &[&Edited],
    ids: &BTreeMap<String, AccountId>,
) -> bool {
    let by_name: BTreeMap<&str, &Edited> = edited.iter().map(|edited| (edited.file.name.as_str(), *edited)).collect();
    let set = files.files().iter().map(|file| match by_name.get(file.name.as_str()) {
        Some(edited) => SourceFile { content: Ok(edited.after.clone().into_bytes()), ..file.clone() },
        None => file.clone(),
    });
    let again = manifest::load(&FileSet::new(set.collect()), options);
    let mut wanted = loaded.wanted.clone();
    for client in &mut wanted.clients {
        if let Some(id) = ids.get(client.name.as_str()) {
            client.account_id = Some(id.clone());
        }
    }
    wanted.without_places() == again.wanted.without_places()
}

fn text_of<'f>(files: &'f FileSet, place: &SourceRef) -> Option<&'f str> {
    let mut named = files.files().iter().filter(|file| file.name == place.file);
    let file = named.next().filter(|_| named.next().is_none())?;
    std::str::from_utf8(file.content.as_ref().ok()?).ok()
}

fn refused(id: &AccountId) -> Outcome {
    Outcome::Refused(format!(
        "the way in which the document is written leaves no certain place for it; write beside accountName: \
         accountId: \"{id}\""
    ))
}
