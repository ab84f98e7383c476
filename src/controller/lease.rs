//! Whose turn it is: one lease a fleet, one active holder, the others stand by, and several
//! fleets shared out over the replicas. A lease saves work and fences nothing: what is sent
//! is decided by the compare-and-set on each row (rule R5).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::journal::{Journal, Lease, Owner};

/// It is renewed, and asked for by those who stand by, so many times while it lasts.
const BEATS: u32 = 5;

/// The fleets that one process may hold.
#[derive(Debug)]
pub struct Shares {
    journal: Arc<dyn Journal>,
    owner: Owner,
    /// How long a lease lasts without being renewed.
    ttl: Duration,
    fleets: usize,
    held: AtomicUsize,
    replicas: AtomicUsize,
}

impl Shares {
    /// For so many fleets, none of them held yet.
    pub fn new(journal: Arc<dyn Journal>, owner: Owner, ttl: Duration, fleets: usize) -> Arc<Self> {
        Arc::new(Self { journal, owner, ttl, fleets, held: AtomicUsize::new(0), replicas: AtomicUsize::new(1) })
    }

    /// Says from time to time that this process lives, and learns how many do.
    pub async fn beat(&self, cancel: &CancellationToken) {
        loop {
            match self.journal.replicas(&self.owner, self.ttl).await {
                Ok(replicas) => self.replicas.store(replicas.max(1), Ordering::Relaxed),
                Err(error) => tracing::debug!(%error, "how many replicas live could not be read"),
            }
            tokio::select! {
                () = tokio::time::sleep(self.beat_every()) => {}
                () = cancel.cancelled() => break,
            }
        }
        // A farewell that does not arrive is told by time.
        let _ = self.journal.replicas(&self.owner, Duration::ZERO).await;
    }

    fn beat_every(&self) -> Duration {
        self.ttl / BEATS
    }

    fn fair(&self) -> usize {
        fair(self.fleets, self.replicas.load(Ordering::Relaxed))
    }
}

/// How many fleets one of so many replicas holds at the most while all of them live.
pub const fn fair(fleets: usize, replicas: usize) -> usize {
    fleets.div_ceil(if replicas == 0 { 1 } else { replicas })
}

/// One fleet's turn, as one process sees it.
#[derive(Debug)]
pub struct Turn {
    shares: Arc<Shares>,
    fleet: String,
    /// Until when the lease is ours, by our clock: asked for before it was granted, so never
    /// later than the journal has it.
    until: Instant,
    /// What we were told of who holds it, so that it is told once.
    told: Option<Owner>,
}

impl Turn {
    /// Not ours yet.
    pub fn new(shares: Arc<Shares>, fleet: String) -> Self {
        Self { shares, fleet, until: Instant::now(), told: None }
    }

    /// Waits until it is our turn; `false` where we were stopped before. Whoever holds their
    /// share already leaves a free fleet to others for a while, and takes it if nobody does.
    pub async fn come(&mut self, cancel: &CancellationToken) -> bool {
        let beat = self.shares.beat_every();
        let mut spare = Instant::now();
        while !cancel.is_cancelled() {
            if self.shares.held.load(Ordering::Relaxed) < self.shares.fair() {
                spare = Instant::now();
            }
            let asked = Instant::now();
            let wait = if asked < spare + beat && self.shares.held.load(Ordering::Relaxed) >= self.shares.fair() {
                beat
            } else {
                match self.ask(asked).await {
                    Some(wait) => wait,
                    None => {
                        self.shares.held.fetch_add(1, Ordering::Relaxed);
                        return true;
                    }
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = cancel.cancelled() => {}
            }
        }
        false
    }

    /// Asks once: `None` where it is ours now, else when to ask again.
    async fn ask(&mut self, asked: Instant) -> Option<Duration> {
        match self.shares.journal.lease(&self.fleet, &self.shares.owner, self.shares.ttl).await {
            Ok(Lease::Held) => {
                self.until = asked + self.shares.ttl;
                self.told = None;
                None
            }
            Ok(Lease::Taken { by, expires_in }) => {
                if self.told.as_ref() != Some(&by) {
                    tracing::info!(fleet = self.fleet, holder = %by, "standing by: another replica holds this fleet");
                    self.told = Some(by);
                }
                Some(expires_in.min(self.shares.beat_every()) + Duration::from_millis(50))
            }
            Err(error) => {
                tracing::warn!(fleet = self.fleet, %error, "the lease cannot be asked for; standing by");
                Some(self.shares.beat_every())
            }
        }
    }

    /// Renews until it is lost, given away because others hold too few, or we are stopped.
    pub async fn keep(&mut self, cancel: &CancellationToken) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(self.shares.beat_every()) => {}
                () = cancel.cancelled() => return,
            }
            if self.shares.held.load(Ordering::Relaxed) > self.shares.fair() {
                tracing::info!(fleet = self.fleet, "given up: another replica holds fewer fleets");
                return;
            }
            let asked = Instant::now();
            match self.shares.journal.lease(&self.fleet, &self.shares.owner, self.shares.ttl).await {
                Ok(Lease::Held) => self.until = asked + self.shares.ttl,
                Ok(Lease::Taken { by, expires_in: _ }) => {
                    tracing::warn!(fleet = self.fleet, holder = %by, "the lease is lost: what is in flight is finished");
                    return;
                }
                Err(error) if Instant::now() >= self.until => {
                    tracing::warn!(fleet = self.fleet, %error, "the lease could not be renewed in time");
                    return;
                }
                Err(error) => tracing::debug!(fleet = self.fleet, %error, "the lease could not be renewed yet"),
            }
        }
    }

    /// Gives it back, so that others need not wait for it to expire.
    pub async fn go(&mut self) {
        self.shares.held.fetch_sub(1, Ordering::Relaxed);
        if let Err(error) = self.shares.journal.release(&self.fleet, &self.shares.owner).await {
            tracing::debug!(fleet = self.fleet, %error, "the lease could not be given back; it expires");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fleets_are_shared_out_evenly_and_none_is_left_over() {
        for (fleets, replicas, expected) in
            [(1, 1, 1), (1, 2, 1), (3, 2, 2), (4, 2, 2), (5, 3, 2), (0, 2, 0), (2, 0, 2)]
        {
            assert_eq!(fair(fleets, replicas), expected, "{fleets} fleets, {replicas} replicas");
            assert!(fair(fleets, replicas) * replicas.max(1) >= fleets);
        }
    }
}
