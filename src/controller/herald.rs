//! What the daemon tells people: notes of troubles as they begin and end, a digest a day, and
//! where each commit stands.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::domain::ClientName;
use crate::manifest::Wanted;
use crate::notify::{CommitState, Note, Tell, description, digest};
use crate::plan::Plan;

use super::ledger::{Ledger, Told};
use super::pass::Reconciler;
use super::troubles::{Trouble, troubles};

const A_DAY: Duration = Duration::from_secs(86_400);
/// The watermark of the last digest that was told.
const DIGEST: &str = "digest-told";
/// The watermark of the last status of a commit that was told.
const COMMIT: &str = "commit-status";

/// When the digest is told.
#[derive(Debug, Clone)]
pub struct Daily {
    /// At what time of the day.
    pub at: Time,
    /// Where.
    pub zone: TimeZone,
}

impl Daily {
    /// The times on the days around `now`.
    fn around(&self, now: Timestamp) -> Vec<Timestamp> {
        let today = now.to_zoned_datetime(self.zone.clone()).date();
        let days = [today.yesterday().ok(), Some(today), today.tomorrow().ok()];
        let times = days.into_iter().flatten().filter_map(|day| {
            let time = day.to_datetime(self.at).to_zoned_datetime(self.zone.clone());
            Some(time.ok()?.timestamp())
        });
        times.collect()
    }

    /// The latest time at or before `now` at which a digest was due.
    fn latest(&self, now: Timestamp) -> Timestamp {
        self.around(now).into_iter().filter(|time| *time <= now).max().unwrap_or(Timestamp::MIN)
    }

    /// How long until the next one is due.
    pub fn wait(&self, now: Timestamp) -> Duration {
        let next = self.around(now).into_iter().find(|time| *time > now);
        next.and_then(|next| Duration::try_from(next.duration_since(now)).ok()).unwrap_or(A_DAY)
    }
}

/// Tells people.
#[derive(Debug, Default)]
pub struct Herald {
    tell: Option<Arc<dyn Tell>>,
    fleet: Option<String>,
    daily: Option<Daily>,
    ledger: Ledger,
    /// What earlier processes told was taken in.
    recalled: bool,
    /// The last status of a commit, `COMMIT/STATE`.
    commit: Option<String>,
    /// When the digest was told by this process.
    told: Option<Timestamp>,
}

impl Herald {
    /// `fleet` is told where there are several.
    pub fn new(tell: Arc<dyn Tell>, fleet: Option<String>, daily: Option<Daily>) -> Self {
        Self { tell: Some(tell), fleet, daily, ..Self::default() }
    }

    /// After a pass: what began and what is over, and where the commit stands.
    pub async fn passed(
        &mut self,
        reconciler: &mut Reconciler,
        plan: &Plan,
        kept: &BTreeMap<ClientName, String>,
        calm: bool,
    ) {
        if self.tell.is_none() {
            return;
        }
        let frozen = reconciler.keeper().frozen();
        let memory = reconciler.memory();
        let why = frozen.as_ref().map(|frozen| frozen.message.as_str());
        let now = troubles(plan, kept, why, |client| memory.tries(client));
        self.update(reconciler, now, Trouble::is_of_the_plan).await;
        if calm {
            let (state, words) = match kept.len() {
                0 => (CommitState::of(plan), description(plan)),
                // What is in force is an older commit's.
                n => (
                    CommitState::Failure,
                    format!("{n} not as this commit says, which does not hold; {}", description(plan)),
                ),
            };
            self.commit(reconciler, state, &words).await;
        }
    }

    /// After a reading or a pass: whether the manifests and the API can be used, and if not,
    /// why and how often in a row.
    pub async fn standing(
        &mut self,
        reconciler: &mut Reconciler,
        source: Option<(&str, u32)>,
        api: Option<(&str, u32)>,
    ) {
        if self.tell.is_none() {
            return;
        }
        let source = source.map(|(why, tries)| Trouble::source(why, tries));
        let trouble = api.map(|(why, tries)| Trouble::api(why, tries));
        if let Some((why, _)) = api.filter(|_| trouble.as_ref().is_some_and(|trouble| trouble.ripe)) {
            self.commit(reconciler, CommitState::Error, why).await;
        }
        let now = source.into_iter().chain(trouble).collect();
        self.update(reconciler, now, |key| !Trouble::is_of_the_plan(key)).await;
    }

    async fn update(&mut self, reconciler: &mut Reconciler, now: Vec<Trouble>, covers: impl Fn(&str) -> bool) {
        let Some(tell) = self.tell.clone() else { return };
        if !self.recalled && reconciler.keeper().book().is_some() {
            self.ledger.recall(reconciler.keeper().troubles());
            self.recalled = true;
        }
        let Told { notes, changed } = self.ledger.update(reconciler.keeper().now(), now, covers);
        // Remembered first: a note that is lost with the process is better than one that is
        // told at every start.
        if let Err(error) = reconciler.keeper().note_troubles(changed).await {
            tracing::warn!(%error, "what was told could not be written down; a restart may tell it again");
        }
        for note in notes {
            let revision = reconciler.revision.clone();
            tell.note(&Note { fleet: self.fleet.clone(), revision, ..note });
        }
    }

    async fn commit(&mut self, reconciler: &Reconciler, state: CommitState, words: &str) {
        let (Some(tell), Some(revision)) = (&self.tell, &reconciler.revision) else { return };
        let standing = Some(format!("{revision}/{state:?}"));
        if self.commit.is_none() {
            self.commit = reconciler.keeper().watermark(COMMIT);
        }
        if self.commit == standing {
            return;
        }
        tell.commit(revision, state, &crate::domain::mask(words));
        if let Err(error) = reconciler.keeper().note_watermark(COMMIT, standing.clone().unwrap_or_default()).await {
            tracing::debug!(%error, "that a commit's status was told could not be written down");
        }
        self.commit = standing;
    }

    /// How long until the next digest is due; `None` where there is none.
    pub fn next_digest(&self, now: Timestamp) -> Option<Duration> {
        self.daily.as_ref().filter(|_| self.tell.is_some()).map(|daily| daily.wait(now))
    }

    /// Tells the digest where one is due that was not told; also one whose time passed while
    /// nobody ran.
    pub async fn digest(&mut self, reconciler: &Reconciler, wanted: &Wanted) {
        let (Some(tell), Some(daily)) = (&self.tell, &self.daily) else { return };
        if reconciler.keeper().book().is_none() {
            return;
        }
        let now = reconciler.keeper().now();
        let due = daily.latest(now);
        let kept = reconciler.keeper().watermark(DIGEST).and_then(|last| last.parse().ok());
        match last_told([self.told, kept], now) {
            Some(last) if last >= due => return,
            // The first one is due at the next time, not at the first start.
            None if now.duration_since(due) > SignedDuration::from_mins(5) => return,
            Some(_) | None => {}
        }
        let (Ok(Some(plan)), Some(offer)) = (reconciler.plan(wanted), reconciler.offer()) else { return };
        if let Err(error) = reconciler.keeper().note_watermark(DIGEST, now.to_string()).await {
            tracing::warn!(%error, "the digest is not told, for that could not be written down");
            return;
        }
        let digest = digest(&plan, offer, &reconciler.keeper().open_since(), now);
        tell.digest(&digest, self.fleet.as_deref());
        self.told = Some(now);
    }
}

/// When a digest was last told. A time to come was written by a clock that was wrong, and would
/// silence every digest until then.
fn last_told(told: [Option<Timestamp>; 2], now: Timestamp) -> Option<Timestamp> {
    told.into_iter().flatten().filter(|told| *told <= now).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_of_a_time_to_come_silences_none() {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let (past, now, to_come) = (at("2026-11-24T09:00:00Z"), at("2026-11-25T09:00:00Z"), at("2036-01-01T00:00:00Z"));
        assert_eq!(last_told([None, Some(to_come)], now), None);
        assert_eq!(last_told([Some(past), Some(to_come)], now), Some(past));
        assert_eq!(last_told([Some(now), Some(past)], now), Some(now));
    }
}
