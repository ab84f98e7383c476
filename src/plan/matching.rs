//! Which account belongs to which manifest: all manifests together, from manifests and the
//! list of accounts alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::domain::{AccountId, AccountName, ClientName};
use crate::manifest::Wanted;
use crate::provider::Account;

use super::tree::Reason;

/// The accounts that the manifests claim. Accounts go by their index in the list that was
/// matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matching {
    clients: BTreeMap<ClientName, (Match, Option<FoundBy>)>,
    invalid: Vec<Option<usize>>,
    unmanaged: Vec<usize>,
}

/// What a client's manifest was matched to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// This account, by its index.
    Account(usize),
    /// No account yet.
    New,
    /// Not decided, or not there: a person must act.
    Blocked {
        /// `AmbiguousAccount` or `AccountNotFound`.
        reason: Reason,
        /// What is the matter, and the way out. Inert text.
        message: String,
    },
}

/// What a match stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FoundBy {
    /// `accountId`: the author named this very account.
    Id,
    /// The name, letter by letter.
    Name,
    /// The name but for case, normal form or white space.
    SimilarName,
    /// An entry of `previousNames`.
    PreviousName,
}

impl Matching {
    /// What this client was matched to. A name that is not among the manifests is blocked,
    /// so that nothing is ever made for it.
    pub fn account_of(&self, client: &ClientName) -> Match {
        self.clients.get(client).map_or_else(
            || Match::Blocked {
                reason: Reason::AccountNotFound,
                message: format!("no valid manifest is named {client}"),
            },
            |(found, _)| found.clone(),
        )
    }

    /// What the match of this client stands on; `None` where there is no match.
    pub fn found_by(&self, client: &ClientName) -> Option<FoundBy> {
        self.clients.get(client).and_then(|(_, by)| *by)
    }

    /// The account that the n-th invalid document claims, where exactly one does so.
    pub fn account_of_invalid(&self, index: usize) -> Option<usize> {
        self.invalid.get(index).copied().flatten()
    }

    /// The accounts whose details a plan needs: those matched to a valid client.
    pub fn managed(&self) -> impl Iterator<Item = usize> {
        self.clients.values().filter_map(|(found, _)| match found {
            Match::Account(index) => Some(*index),
            Match::New | Match::Blocked { .. } => None,
        })
    }

    /// The accounts that no manifest claims, valid or not, in the order of the list.
    pub fn unmanaged(&self) -> &[usize] {
        &self.unmanaged
    }
}

/// Matches all manifests to all accounts: by `accountId`, then by the exact name, then by
/// the name but for case, normal form and white space, then by `previousNames`.
///
/// A claimant looks at the next kind only where the kind before found nothing. An account
/// that was named by its id is out of reach of names. One that two claim, or two that one
/// claims, block the claimants: nothing is guessed. The order of manifests and accounts
/// does not matter.
pub fn match_accounts(wanted: &Wanted, accounts: &[impl AsRef<Account>]) -> Matching {
    let index = Index::new(accounts);
    let claimants = claimants(wanted);
    let by_id: BTreeSet<usize> = claimants.iter().filter_map(|c| index.by_id.get(c.id?.as_str()).copied()).collect();
    let claims: Vec<(Vec<usize>, FoundBy)> = claimants.iter().map(|c| index.claim(c, &by_id)).collect();
    let mut claimed: HashMap<usize, Vec<usize>> = HashMap::new();
    for (claimant, (found, _)) in claims.iter().enumerate() {
        for account in found {
            claimed.entry(*account).or_default().push(claimant);
        }
    }

    let mut clients = BTreeMap::new();
    let mut invalid = Vec::with_capacity(wanted.invalid.len());
    for (claimant, (found, by)) in claimants.iter().zip(&claims) {
        let outcome = outcome(claimant, found, &claimants, &claimed, &index);
        match claimant.client {
            Some(name) => {
                let by = matches!(outcome, Match::Account(_)).then_some(*by);
                clients.insert(name.clone(), (outcome, by));
            }
            None => invalid.push(match outcome {
                Match::Account(account) => Some(account),
                Match::New | Match::Blocked { .. } => None,
            }),
        }
    }
    let unmanaged = (0..accounts.len()).filter(|account| !claimed.contains_key(account)).collect();
    Matching { clients, invalid, unmanaged }
}

/// A document with what it says of its account. Invalid ones claim as well, so that their
/// account is not taken for one without a manifest, nor given to another.
struct Claimant<'a> {
    client: Option<&'a ClientName>,
    who: String,
    id: Option<&'a AccountId>,
    name: Option<&'a AccountName>,
    previous: &'a [AccountName],
}

/// Valid clients first, then the invalid documents, each in the order given.
fn claimants(wanted: &Wanted) -> Vec<Claimant<'_>> {
    let valid = wanted.clients.iter().map(|client| Claimant {
        client: Some(&client.name),
        who: client.name.to_string(),
        id: client.account_id.as_ref(),
        name: Some(&client.account_name),
        previous: &client.previous_names,
    });
    let invalid = wanted.invalid.iter().map(|document| Claimant {
        client: None,
        who: document.name.as_ref().map_or_else(|| document.source.to_string(), ToString::to_string),
        id: document.account_id.as_ref(),
        name: document.account_name.as_ref(),
        previous: &[],
    });
    valid.chain(invalid).collect()
}

struct Index<'a> {
    accounts: Vec<&'a Account>,
    by_id: HashMap<&'a str, usize>,
    by_name: HashMap<&'a str, Vec<usize>>,
    by_key: HashMap<String, Vec<usize>>,
}

impl<'a> Index<'a> {
    fn new(accounts: &'a [impl AsRef<Account>]) -> Self {
        let accounts: Vec<&Account> = accounts.iter().map(AsRef::as_ref).collect();
        let (mut by_id, mut by_name, mut by_key) = (HashMap::new(), HashMap::new(), HashMap::new());
        for (index, account) in accounts.iter().enumerate() {
            by_id.insert(account.id.as_str(), index);
            if let Some(name) = &account.name {
                by_name.entry(name.as_str()).or_insert_with(Vec::new).push(index);
                by_key.entry(name.key()).or_insert_with(Vec::new).push(index);
            }
        }
        Self { accounts, by_id, by_name, by_key }
    }

    /// The accounts that a document means, and by what.
    fn claim(&self, claimant: &Claimant<'_>, by_id: &BTreeSet<usize>) -> (Vec<usize>, FoundBy) {
        if let Some(id) = claimant.id {
            return (self.by_id.get(id.as_str()).copied().into_iter().collect(), FoundBy::Id);
        }
        let free = |found: Option<&Vec<usize>>| -> BTreeSet<usize> {
            found.into_iter().flatten().copied().filter(|account| !by_id.contains(account)).collect()
        };
        let exact = claimant.name.map(|name| free(self.by_name.get(name.as_str()))).unwrap_or_default();
        if !exact.is_empty() {
            return (exact.into_iter().collect(), FoundBy::Name);
        }
        let similar = claimant.name.map(|name| free(self.by_key.get(&name.key()))).unwrap_or_default();
        if !similar.is_empty() {
            return (similar.into_iter().collect(), FoundBy::SimilarName);
        }
        let previous: BTreeSet<usize> =
            claimant.previous.iter().flat_map(|name| free(self.by_name.get(name.as_str()))).collect();
        (previous.into_iter().collect(), FoundBy::PreviousName)
    }

    fn id(&self, account: usize) -> &AccountId {
        &self.accounts[account].id
    }
}

fn outcome(
    claimant: &Claimant<'_>,
    found: &[usize],
    claimants: &[Claimant<'_>],
    claimed: &HashMap<usize, Vec<usize>>,
    index: &Index<'_>,
) -> Match {
    let ambiguous = |message| Match::Blocked { reason: Reason::AmbiguousAccount, message };
    match (found, claimant.id) {
        ([], Some(id)) => Match::Blocked {
            reason: Reason::AccountNotFound,
            message: format!(
                "accountId {id} is not among the accounts that this token can see; correct it, have the token's user \
                 added to that account, or leave it out to have an account made"
            ),
        },
        ([], None) => Match::New,
        ([account], _) => {
            let rivals = claimed.get(account).map(Vec::as_slice).unwrap_or_default();
            if rivals.len() < 2 {
                return Match::Account(*account);
            }
            let mut who: Vec<&str> = rivals.iter().map(|rival| claimants[*rival].who.as_str()).collect();
            who.sort_unstable();
            let id = index.id(*account);
            ambiguous(format!(
                "account {id} is claimed by {}; write accountId: \"{id}\" in the one that it belongs to",
                join_and(&who)
            ))
        }
        (several, _) => {
            let ids: Vec<&str> = several.iter().map(|account| index.id(*account).as_str()).collect();
            let shown: Vec<String> = several.iter().map(|account| index.id(*account).to_string()).collect();
            let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
            ambiguous(format!(
                "accounts {} bear the name; write the id of the right one, as in accountId: \"{}\"",
                join_and(&shown),
                crate::domain::text::inert(ids[0])
            ))
        }
    }
}

/// `a`, `a and b`, `a, b and c`; past ten, how many more.
pub(super) fn join_and(parts: &[&str]) -> String {
    const SHOWN: usize = 10;
    match parts {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] if parts.len() <= SHOWN => format!("{} and {last}", first.join(", ")),
        many => format!("{} and {} more", many[..SHOWN].join(", "), many.len() - SHOWN),
    }
}
