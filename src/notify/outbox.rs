//! All receivers together. Telling never waits and never fails.

use std::sync::Arc;

use reqwest::header::HeaderMap;

use super::address::Address;
use super::courier::{Counters, Courier, Letter, Pace, SetupError};
use super::digest::{Digest, digest_json, digest_text};
use super::github::{CommitState, Repository};
use super::note::Note;
use super::payload::{note_json, note_text, slack};

/// Somebody to tell.
pub trait Tell: Send + Sync + std::fmt::Debug {
    /// Something happened, or is over.
    fn note(&self, note: &Note);
    /// The daily digest.
    fn digest(&self, digest: &Digest, fleet: Option<&str>);
    /// Where a commit stands.
    fn commit(&self, commit: &str, state: CommitState, description: &str);
}

/// The receivers of one process.
#[derive(Debug, Default)]
pub struct Outbox {
    receivers: Vec<(Address, Courier)>,
    github: Option<(Repository, Courier)>,
}

impl Outbox {
    /// Starts a task for each receiver.
    ///
    /// # Errors
    /// No usable TLS on this machine.
    pub fn start(addresses: Vec<Address>, github: Option<Repository>, pace: Pace) -> Result<Self, SetupError> {
        let receivers = addresses.into_iter().map(|address| {
            let courier = Courier::start(address.name(), address.is_loopback(), pace)?;
            Ok((address, courier))
        });
        let github = github
            .map(|repository| {
                let courier = Courier::start(&repository.host(), repository.is_loopback(), pace)?;
                Ok((repository, courier))
            })
            .transpose()?;
        Ok(Self { receivers: receivers.collect::<Result<_, _>>()?, github })
    }

    /// Whether there is nobody to tell.
    pub fn is_empty(&self) -> bool {
        self.receivers.is_empty() && self.github.is_none()
    }

    /// What became of the letters to each receiver, by its host.
    pub fn counters(&self) -> Vec<(String, Arc<Counters>)> {
        let couriers = self.receivers.iter().map(|(_, courier)| courier);
        let couriers = couriers.chain(self.github.iter().map(|(_, courier)| courier));
        couriers.map(|courier| (courier.name().to_owned(), Arc::clone(courier.counters()))).collect()
    }

    /// Delivers what is left, for a short time, and ends.
    pub async fn close(&self) {
        let couriers = self.receivers.iter().map(|(_, courier)| courier);
        let couriers = couriers.chain(self.github.iter().map(|(_, courier)| courier));
        futures::future::join_all(couriers.map(Courier::close)).await;
    }

    fn tell(&self, json: &serde_json::Value, text: &str) {
        for (address, courier) in &self.receivers {
            let body = if address.is_slack() { slack(text) } else { json.clone() };
            courier.send(Letter { url: address.expose().to_owned(), headers: HeaderMap::new(), body });
        }
    }
}

impl Tell for Outbox {
    fn note(&self, note: &Note) {
        self.tell(&note_json(note), &note_text(note));
    }

    fn digest(&self, digest: &Digest, fleet: Option<&str>) {
        let mut json = digest_json(digest, true);
        if let Some(fleet) = fleet {
            json["fleet"] = fleet.into();
        }
        self.tell(&json, &digest_text(digest, true));
    }

    fn commit(&self, commit: &str, state: CommitState, description: &str) {
        if let Some((repository, courier)) = &self.github
            && let Some(letter) = repository.letter(commit, state, description)
        {
            courier.send(letter);
        }
    }
}
