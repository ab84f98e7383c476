//! What was read and is needed to ask for the rest: the catalogue, and each account's slug and
//! period. Shared by a reader and its writers; a writer never waits for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::catalogue::{Catalogue, Period};
use super::json::AccountJson;
use crate::domain::AccountId;
use crate::provider::wire::json::is_segment;

/// First segments of other endpoints: an account's slug that is one of them would lead there.
const WORDS_OF_THE_API: [&str; 3] = ["accounts", "billing", "user"];

/// An account, as far as a later request needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// `None` where there is none that can stand in a path.
    pub(super) slug: Option<String>,
    /// `None` where the answer did not tell.
    pub(super) period: Option<Period>,
}

/// What is known.
#[derive(Debug, Default)]
pub(super) struct Known {
    catalogue: Mutex<Option<Arc<Catalogue>>>,
    accounts: Mutex<HashMap<AccountId, Seen>>,
    /// Held by whoever reads the catalogue, so that nobody reads it twice at once.
    pub(super) reading: tokio::sync::Mutex<()>,
}

impl Known {
    pub(super) fn catalogue(&self) -> Option<Arc<Catalogue>> {
        self.catalogue.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_catalogue(&self, catalogue: Catalogue) -> Arc<Catalogue> {
        let catalogue = Arc::new(catalogue);
        *self.catalogue.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&catalogue));
        catalogue
    }

    /// Takes note of an account as an answer shows it.
    pub(super) fn note(&self, account: &AccountJson) {
        let slug = account.slug().filter(|slug| is_segment(slug) && !WORDS_OF_THE_API.contains(slug));
        let seen = Seen { slug: slug.map(str::to_owned), period: account.period() };
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).insert(account.id(), seen);
    }

    /// Takes note of all accounts of a list. A slug that two of them have is nobody's: which
    /// one's members it shows is not for us to guess.
    pub(super) fn note_all(&self, list: &[AccountJson]) {
        let mut times: HashMap<&str, usize> = HashMap::new();
        for slug in list.iter().filter_map(AccountJson::slug) {
            *times.entry(slug).or_default() += 1;
        }
        for account in list {
            self.note(account);
            if account.slug().is_some_and(|slug| times.get(slug) != Some(&1)) {
                let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
                accounts.entry(account.id()).and_modify(|seen| seen.slug = None);
            }
        }
    }

    pub(super) fn account(&self, id: &AccountId) -> Option<Seen> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }
}
