//! The request quota: what the `X-RateLimit-*` headers say, and waiting for one's turn.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{DATE, HeaderMap};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::provider::Class;
use crate::provider::budget::{Budget, Standing, Ticket, Wait};

/// The longest wait that a server can ask for: its hour, and a minute for a slow clock.
const LONGEST_WAIT_S: i64 = 3660;

/// Who waited for the answer of somebody else and saw none asks again after this long.
const WORTH_ASKING: Duration = Duration::from_secs(1);

/// How long a 429 that does not say waits.
const UNSAID_WAIT: Duration = Duration::from_secs(60);

/// The quota as the last answer told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Requests a window.
    pub limit: u64,
    /// Requests left in this window.
    pub remaining: u64,
    /// From now until the window opens again, at most 3,660 s.
    pub resets_in: Duration,
}

/// The clock of the server, as an answer's `Date` tells it.
pub(super) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(DATE)?.to_str().ok()?.trim();
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

/// The quota headers of one answer, as far as they make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Told {
    limit: Option<u64>,
    remaining: Option<u64>,
    /// The reset in Unix seconds: tells one window from the next.
    reset: Option<i64>,
    /// Seconds from the answer's own `Date` to the reset, clamped; below zero is past.
    ahead_s: Option<i64>,
}

impl Told {
    /// Reads the headers of an answer. The reset is measured against the same answer's
    /// `Date`, so that neither side's clock matters; `now` stands in where there is none.
    pub(super) fn read(headers: &HeaderMap, now: Timestamp) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let count = |name| text(name).and_then(|value| value.parse::<u64>().ok());
        let reset = text("x-ratelimit-reset").and_then(reset);
        let date = date(headers).unwrap_or(now);
        Self {
            limit: count("x-ratelimit-limit"),
            remaining: count("x-ratelimit-remaining"),
            reset,
            ahead_s: reset.map(|at| at.saturating_sub(date.as_second()).clamp(-1, LONGEST_WAIT_S)),
        }
    }

    /// All of it, where it makes sense.
    fn standing(&self) -> Option<Standing> {
        let Self { limit, remaining, reset, ahead_s } = *self;
        let ahead = Duration::from_secs(ahead_s?.max(0).unsigned_abs());
        Some(Standing { limit: limit?, remaining: remaining?, reset: reset?, ahead })
    }

    /// How long a 429 with these headers waits.
    pub(super) fn refusal_wait(&self) -> Duration {
        match (self.remaining, self.ahead_s) {
            // Requests are left, so these headers do not speak of what refused this one; and a
            // reset in the past says nothing either.
            (Some(1..), _) | (_, None | Some(..0)) => UNSAID_WAIT,
            // Whole seconds: the window opens within this one.
            (_, Some(0)) => Duration::from_secs(1),
            (_, Some(ahead)) => Duration::from_secs(ahead.unsigned_abs()),
        }
    }
}

/// When the window opens again: Unix seconds, or a date in one of the usual forms.
fn reset(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let spoken = || Timestamp::strptime("%Y-%m-%d %H:%M:%S %z", text.replace("UTC", "+0000")).ok();
    let date = text.parse().ok().or_else(|| http_date(text)).or_else(spoken);
    date.map(Timestamp::as_second)
}

fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

/// What is known of the quota, shared by everything that sends with one token: who may send
/// now, and who waits for their turn.
#[derive(Debug, Default)]
pub(super) struct Pacer {
    budget: Mutex<Budget>,
    /// An answer came, or something was not sent after all.
    changed: Notify,
    /// Those of a class wait in a row.
    rows: [tokio::sync::Mutex<()>; 5],
}

/// The right to send one request now. Whoever has it and does not send gives it back by
/// dropping it; dropped after sending, the request counts as one without an answer.
#[derive(Debug)]
pub(super) struct Turn {
    pacer: Arc<Pacer>,
    ticket: Option<Ticket>,
    sent: bool,
}

impl Pacer {
    /// What is known; replaced whole, so a panic elsewhere leaves nothing half done.
    pub(super) fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until one request of a class may be sent, at most so long.
    ///
    /// # Errors
    /// How long it would have to wait from now on, or until it is worth asking again.
    pub(super) async fn turn(self: &Arc<Self>, class: Class, patience: Duration) -> Result<Turn, Duration> {
        let deadline = Instant::now() + patience;
        // Nobody who need not wait stands behind somebody who must not send at all.
        let Ok(_row) = tokio::time::timeout_at(deadline, self.rows[class as usize].lock()).await else {
            return Err(self.budget().outlook(class, 1, Instant::now()).max(WORTH_ASKING));
        };
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let now = Instant::now();
            let asked = self.budget().ask(class, now);
            let until = match asked {
                Ok(ticket) => return Ok(Turn { pacer: Arc::clone(self), ticket: Some(ticket), sent: false }),
                // Somebody else may give a turn back: then it is worth asking sooner.
                Err(Wait::Until(until)) => until,
                Err(Wait::Answer) => deadline,
            };
            if now >= deadline || (until > deadline && class == Class::Person) {
                return Err(until.saturating_duration_since(now).max(WORTH_ASKING));
            }
            if until > deadline {
                return Err(until - now);
            }
            tokio::select! {
                () = tokio::time::sleep_until(until) => {}
                () = changed => {}
            }
        }
    }

    /// What is left, as long as the window that was told of lasts.
    pub(super) fn quota(&self, now: Instant) -> Option<Quota> {
        self.budget().left_now(now).map(|(limit, remaining, resets_in)| Quota { limit, remaining, resets_in })
    }
}

impl Turn {
    /// It is sent now.
    pub(super) const fn sending(&mut self) {
        self.sent = true;
    }

    /// Nothing was written.
    pub(super) const fn not_sent(&mut self) {
        self.sent = false;
    }

    /// Takes note of an answer that was not a 429. Without headers, or with a limit of 0,
    /// nothing is limited by it.
    pub(super) fn answered(mut self, told: Told, now: Instant) {
        if let Some(ticket) = self.ticket.take() {
            self.pacer.budget().answered(ticket, told.standing(), now);
        }
    }

    /// Takes note of a 429: nothing is sent for this long.
    pub(super) fn refused(mut self, told: Told, wait: Duration, now: Instant) {
        if let Some(ticket) = self.ticket.take() {
            self.pacer.budget().refused(ticket, told.standing(), told.limit, wait, now);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        match self.ticket.take() {
            Some(ticket) if self.sent => self.pacer.budget().unanswered(ticket),
            Some(ticket) => self.pacer.budget().not_sent(ticket),
            None => {}
        }
        self.pacer.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE_TEXT: &str = "Sun, 11 Dec 2016 17:31:51 GMT";
    const DATE_S: i64 = 1_481_477_511;

    fn told(limit: &str, remaining: &str, reset: &str) -> Told {
        let mut headers = HeaderMap::new();
        headers.insert("date", DATE_TEXT.parse().unwrap());
        for (name, value) in
            [("x-ratelimit-limit", limit), ("x-ratelimit-remaining", remaining), ("x-ratelimit-reset", reset)]
        {
            if !value.is_empty() {
                headers.insert(name, value.parse().unwrap());
            }
        }
        // This machine's clock is 40 years off, and it does not matter.
        Told::read(&headers, Timestamp::from_second(DATE_S + 1_262_304_000).unwrap())
    }

    fn turn(pacer: &Arc<Pacer>, now: Instant) -> Turn {
        let ticket = pacer.budget().ask(Class::Person, now).unwrap();
        Turn { pacer: Arc::clone(pacer), ticket: Some(ticket), sent: true }
    }

    fn note(pacer: &Arc<Pacer>, told: Told, now: Instant) {
        turn(pacer, now).answered(told, now);
    }

    /// How long a person's request would have to wait, if it would.
    fn blocked(pacer: &Arc<Pacer>, now: Instant) -> Option<Duration> {
        let asked = pacer.budget().ask(Class::Person, now);
        match asked {
            Ok(ticket) => {
                pacer.budget().not_sent(ticket);
                None
            }
            Err(Wait::Until(until)) => Some(until - now),
            Err(Wait::Answer) => panic!("a person waits for nobody's answer"),
        }
    }

    #[test]
    fn the_wait_is_measured_by_the_answers_own_clock_and_clamped() {
        let seconds = |offset: i64| (DATE_S + offset).to_string();
        for (remaining, reset, blocked_s, refused_s) in [
            ("0", seconds(90), Some(90), 90),
            ("0", seconds(0), None, 1),
            ("0", seconds(-5), None, 60),
            ("0", "99999999999".to_owned(), Some(3660), 3660),
            ("0", "99999999999999999999999".to_owned(), None, 60),
            ("0", "-9223372036854775808".to_owned(), None, 60),
            ("0", "soon".to_owned(), None, 60),
            ("0", String::new(), None, 60),
            ("-1", seconds(90), None, 90),
            ("1", seconds(90), None, 60),
            ("", String::new(), None, 60),
        ] {
            let (pacer, now) = (Arc::new(Pacer::default()), Instant::now());
            let told = told("2400", remaining, &reset);
            note(&pacer, told, now);
            let blocked = blocked(&pacer, now).map(|wait| wait.as_secs());
            assert_eq!((blocked, told.refusal_wait().as_secs()), (blocked_s, refused_s), "{remaining} {reset}");
        }
    }

    #[test]
    fn a_reset_is_in_seconds_or_a_date() {
        for (written, seconds) in [
            ("1481477571", 60),
            ("2016-12-11T17:32:51Z", 60),
            ("2016-12-11T18:32:51+01:00", 60),
            ("2016-12-11 17:32:51 UTC", 60),
            ("2016-12-11 17:32:21 +0000", 30),
            ("Sun, 11 Dec 2016 17:32:51 GMT", 60),
            ("5138-11-16T09:46:39Z", 3660),
        ] {
            assert_eq!(told("500", "0", written).refusal_wait().as_secs(), seconds, "{written}");
        }
    }

    #[test]
    fn without_a_date_this_machines_clock_counts() {
        let headers = HeaderMap::from_iter([("x-ratelimit-reset".parse().unwrap(), "1100".parse().unwrap())]);
        assert_eq!(Told::read(&headers, Timestamp::from_second(1000).unwrap()).refusal_wait().as_secs(), 100);
    }

    #[test]
    fn a_limit_of_nought_limits_nothing() {
        let (pacer, now) = (Arc::new(Pacer::default()), Instant::now());
        note(&pacer, told("0", "0", &(DATE_S + 60).to_string()), now);
        assert_eq!((blocked(&pacer, now), pacer.quota(now)), (None, None));
    }

    #[test]
    fn an_answer_that_was_overtaken_gives_nothing_back_and_a_new_window_does() {
        let (pacer, now) = (Arc::new(Pacer::default()), Instant::now());
        let reset = (DATE_S + 60).to_string();
        let [first, second] = [turn(&pacer, now), turn(&pacer, now)];
        first.answered(told("10", "0", &reset), now);
        second.answered(told("10", "1", &reset), now);
        assert_eq!(pacer.quota(now), Some(Quota { limit: 10, remaining: 0, resets_in: Duration::from_secs(60) }));
        assert_eq!(blocked(&pacer, now), Some(Duration::from_secs(60)));
        let later = now + Duration::from_secs(60);
        assert_eq!(blocked(&pacer, later), None);
        turn(&pacer, later).answered(told("10", "9", &(DATE_S + 3600).to_string()), later);
        assert_eq!(blocked(&pacer, later), None);
    }

    proptest::proptest! {
        /// Whatever stands in the headers, nobody waits longer than the longest wait, and a
        /// refusal never makes a busy loop.
        #[test]
        fn no_header_makes_anybody_wait_for_ever(
            limit in "[ -~]{0,20}", remaining in "0|[ -~]{0,20}", reset in "-?[0-9]{1,20}|[ -~]{0,20}",
        ) {
            let (pacer, now) = (Arc::new(Pacer::default()), Instant::now());
            let told = told(&limit, &remaining, &reset);
            let longest = Duration::from_secs(3660);
            proptest::prop_assert!((Duration::from_secs(1)..=longest).contains(&told.refusal_wait()));
            let [first, second] = [turn(&pacer, now), turn(&pacer, now)];
            first.answered(told, now);
            proptest::prop_assert!(blocked(&pacer, now).is_none_or(|wait| wait <= longest));
            second.refused(told, told.refusal_wait(), now);
            for class in Class::ALL {
                pacer.budget().pace(20);
                let wait = pacer.budget().ask(class, now).unwrap_err();
                let Wait::Until(until) = wait else { panic!("{wait:?}") };
                proptest::prop_assert!(until > now && until - now <= longest + Duration::from_secs(1));
            }
        }
    }
}
