//! How old what was read may be: which details are read again, where the list does not bring
//! them. An account whose `updated_at` moved, or that was written to, is read at the next
//! look; all the others one after the other, so that each is read anew within a day. Where
//! `updated_at` cannot be trusted only that rolling pass finds what somebody did by hand, so
//! it is as quick as the quota allows.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::domain::AccountId;
use crate::plan::{ObservedAccount, Reading, Snapshot};
use crate::provider::{Capability, QuotaUse};

/// How old what was read may be before it is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// Between complete looks. What is older does not decide what is written.
    pub interval: Duration,
    /// Whose token it is, and what the server offers.
    pub terms: Duration,
    /// The details of an account of which nothing says that they changed.
    pub details: Duration,
}

impl Freshness {
    /// Terms for an hour, details for a day.
    pub const fn of(interval: Duration) -> Self {
        let details = Duration::from_secs(24 * 3600);
        Self { interval, terms: Duration::from_secs(3600), details }
    }

    /// In what time all details are read anew: a day; where nothing else tells of a change, as
    /// soon as half of what the quota leaves beside the reserve and the lists allows.
    pub fn full_pass(&self, size: Size, quota: &QuotaUse) -> Duration {
        if size.embedded {
            return self.interval;
        }
        let soonest = self.interval.min(self.details);
        if size.trusted {
            return self.details;
        }
        let Some(rate) = quota.rate() else { return soonest };
        let lists = size.pages() as f64 / self.interval.as_secs_f64().max(1.0);
        let left = (rate / 2.0 - lists).max(rate / 20.0);
        Duration::try_from_secs_f64(size.details() as f64 / left)
            .unwrap_or(self.details)
            .clamp(soonest, self.details.max(soonest))
    }
}

/// How large a fleet is, and how it can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Accounts in the list.
    pub listed: usize,
    /// Accounts that a manifest manages.
    pub managed: usize,
    /// The list brings the details.
    pub embedded: bool,
    /// The server's `updated_at` moves with the details.
    pub trusted: bool,
}

impl Size {
    /// As a snapshot shows it.
    pub fn of(snapshot: &Snapshot, managed: usize) -> Self {
        let has = |capability| snapshot.offer.capabilities.has(capability);
        Self {
            listed: snapshot.accounts.len(),
            managed,
            // Where no member can be read there is nothing to read one by one.
            embedded: has(Capability::Bulk) || !snapshot.offer.account_management,
            trusted: has(Capability::UpdatedAt),
        }
    }

    /// Requests for the list.
    pub const fn pages(&self) -> u64 {
        let pages = self.listed.div_ceil(100);
        if pages == 0 { 1 } else { pages as u64 }
    }

    /// Requests for the details of all managed accounts.
    pub const fn details(&self) -> u64 {
        if self.embedded { 0 } else { 2 * self.managed as u64 }
    }
}

/// When the details of one account were read.
#[derive(Debug, Clone, Copy)]
struct Read {
    at: Instant,
    /// By the journal's clock.
    began: Timestamp,
    /// When it was last known that they are as they were read.
    fresh_at: Instant,
    /// We wrote to it since: what is known of it was pieced together from answers.
    written: bool,
}

/// When what was read.
#[derive(Debug, Default)]
pub struct Rolling {
    read: HashMap<AccountId, Read>,
    /// How many details the time that passed lets be read again, in parts of one.
    credit: f64,
    rolled_at: Option<Instant>,
}

/// What the choice of details depends on.
#[derive(Debug, Clone, Copy)]
pub struct Choice<'a> {
    /// What was seen before.
    pub previous: Option<&'a Snapshot>,
    /// The places of the accounts that a manifest manages.
    pub managed: &'a [usize],
    /// Accounts that are read in any case.
    pub must: &'a BTreeSet<AccountId>,
    /// In what time all details are read anew.
    pub full_pass: Duration,
    /// And no later than after this.
    pub at_most: Duration,
    /// Whether what nothing says anything of may be carried over at all.
    pub rolls: bool,
}

impl Rolling {
    /// Carries details over from before, and tells the places of those that are to be read.
    pub fn choose(&mut self, snapshot: &mut Snapshot, choice: Choice<'_>, now: Instant) -> Vec<usize> {
        let Choice { previous, managed, must, full_pass, at_most, rolls } = choice;
        let trusted = snapshot.offer.capabilities.has(Capability::UpdatedAt);
        let before: HashMap<&AccountId, &ObservedAccount> = previous
            .filter(|previous| previous.identity == snapshot.identity)
            .into_iter()
            .flat_map(|previous| previous.accounts.iter().map(|seen| (&seen.account.id, seen)))
            .collect();
        let (mut due, mut rest) = (Vec::new(), Vec::new());
        for place in managed.iter().copied().filter(|place| is_bare(&snapshot.accounts[*place])) {
            let account = &snapshot.accounts[place].account;
            let known = before.get(&account.id).copied().filter(|seen| is_seen(seen));
            let known = known.zip(self.read.get(&account.id)).filter(|(_, read)| !read.written);
            let unmoved = known.filter(|(seen, _)| {
                let same = seen.account == *account;
                if trusted { same && account.updated_at.is_some() } else { same && rolls }
            });
            match unmoved {
                Some((_, read)) if !must.contains(&account.id) => rest.push((read.at, place)),
                _ => due.push(place),
            }
        }
        if rolls {
            due.extend(self.roll(&mut rest, (full_pass, at_most), now));
        }
        for (_, place) in rest {
            let observed = &mut snapshot.accounts[place];
            let Some(seen) = before.get(&observed.account.id) else { continue };
            observed.subscription.clone_from(&seen.subscription);
            observed.members.clone_from(&seen.members);
            if let Some(read) = self.read.get_mut(&observed.account.id).filter(|_| trusted) {
                read.fresh_at = now;
            }
        }
        due
    }

    /// Those that have waited longest, as many as the time that passed is good for, and all
    /// that would be too old at the next look.
    fn roll(
        &mut self,
        rest: &mut Vec<(Instant, usize)>,
        (full_pass, at_most): (Duration, Duration),
        now: Instant,
    ) -> Vec<usize> {
        let passed = self.rolled_at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.rolled_at = Some(now);
        let share = passed.as_secs_f64() / full_pass.as_secs_f64().max(1.0);
        self.credit = (self.credit + share * rest.len() as f64).min(rest.len() as f64);
        rest.sort_unstable();
        let old = rest.iter().take_while(|(at, _)| now.saturating_duration_since(*at) + passed > at_most).count();
        let count = old.max(self.credit as usize).min(rest.len());
        self.credit = (self.credit - count as f64).max(0.0);
        rest.drain(..count).map(|(_, place)| place).collect()
    }

    /// Takes note of accounts whose details were read just now.
    pub fn note<'a>(
        &mut self,
        accounts: impl IntoIterator<Item = &'a ObservedAccount>,
        began: Timestamp,
        now: Instant,
    ) {
        for observed in accounts.into_iter().filter(|observed| is_seen(observed)) {
            let read = Read { at: now, began, fresh_at: now, written: false };
            self.read.insert(observed.account.id.clone(), read);
        }
    }

    /// Takes note of an account that was written to, as the answers showed it.
    pub fn note_written(&mut self, id: &AccountId, began: Timestamp, now: Instant) {
        self.read.insert(id.clone(), Read { at: now, began, fresh_at: now, written: true });
    }

    /// Whether the details of an account are known to have been so within this time.
    pub fn is_fresh(&self, id: &AccountId, within: Duration, now: Instant) -> bool {
        self.read.get(id).is_some_and(|read| now.saturating_duration_since(read.fresh_at) <= within)
    }

    /// Whether the look that read the details of an account began before that time.
    pub fn is_older(&self, id: &AccountId, written: Timestamp) -> bool {
        self.read.get(id).is_none_or(|read| read.began < written)
    }

    /// Whether the look that read the details of an account began after that time.
    pub fn is_newer(&self, id: &AccountId, written: Timestamp) -> bool {
        self.read.get(id).is_some_and(|read| read.began > written)
    }

    /// Forgets accounts that are not listed any more.
    pub fn keep(&mut self, snapshot: &Snapshot) {
        let listed: BTreeSet<&AccountId> = snapshot.accounts.iter().map(|seen| &seen.account.id).collect();
        self.read.retain(|id, _| listed.contains(id));
    }

    /// How long ago the details were read that are the oldest.
    pub fn oldest(&self, now: Instant) -> Option<Duration> {
        self.read.values().map(|read| now.saturating_duration_since(read.at)).max()
    }
}

/// Whether the list did not bring the details.
fn is_bare(observed: &ObservedAccount) -> bool {
    observed.subscription == Reading::NotRead || observed.members == Reading::NotRead
}

fn is_seen(observed: &ObservedAccount) -> bool {
    observed.subscription.seen().is_some() && observed.members.seen().is_some()
}
