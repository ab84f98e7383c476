//! The budget of one token: what the server's own headers leave, and who may send now. Pure:
//! the time comes in.
//!
//! It spends freely to half of a window's limit, and then evenly to the reset. Each class has
//! a line, the number of requests that must be left for it to send; the lines fall to the
//! reserve at the reset. The reserve is for people (other tools and the service's own pages
//! share the token), and for finishing what was begun. Whoever else spends shows in the
//! headers, and the lines begin anew from what is left. After a 429 nothing is sent until the
//! window opens, then one request, and more once its answer is there.

use std::time::Duration;

use tokio::time::Instant;

/// What a request is for. Where the quota runs short, the first goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A person waits for it: nothing is held back but what the server would refuse.
    Person,
    /// Finishing what was begun: reading back, repeating under the same key.
    Finish,
    /// Writes, and what must be read before them.
    Write,
    /// Looks at clients of whom something is known to have changed, or whose own time has come.
    Changed,
    /// Looking at everything again.
    Background,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Person, Self::Finish, Self::Write, Self::Changed, Self::Background];

    /// A name for metrics and people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Finish => "finish",
            Self::Write => "write",
            Self::Changed => "changed",
            Self::Background => "background",
        }
    }

    const fn index(self) -> usize {
        self as usize
    }

    /// How long a request waits for its turn before it is left for later.
    pub(super) const fn patience(self) -> Duration {
        match self {
            Self::Person => Duration::ZERO,
            // A look that was begun is not thrown away for one page.
            Self::Finish | Self::Write | Self::Changed | Self::Background => Duration::from_secs(90),
        }
    }

    /// The part of what is to be spent evenly that must still be there when the even time
    /// begins; `None` may use the reserve.
    const fn share(self) -> Option<f64> {
        match self {
            Self::Person | Self::Finish => None,
            Self::Write => Some(0.5),
            Self::Changed => Some(0.8),
            Self::Background => Some(1.0),
        }
    }
}

/// The reserve unless the operator says otherwise, in percent of the limit.
pub const USUAL_RESERVE: u8 = 20;

/// Resets are told in whole seconds, and so are the clocks that they are measured by.
const SLACK: Duration = Duration::from_secs(1);
/// Two resets no further apart than this are one.
const SAME_RESET_S: u64 = 2;
/// Until a whole window was seen, it is taken for an hour.
const USUAL_WINDOW: Duration = Duration::from_secs(3600);
/// At most one in so many of the requests that are left is on its way at a time: somebody else
/// may spend them meanwhile.
const ON_THEIR_WAY: u64 = 8;

/// What an answer told so long ago may not be so any more.
const OLD_NEWS: Duration = Duration::from_secs(2);

/// How the budget stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaUse {
    /// Requests a window; 0 where nothing is known to be limited.
    pub limit: u64,
    /// Requests left in this window.
    pub remaining: u64,
    /// From now until the window opens again.
    pub resets_in: Duration,
    /// Requests that are kept for people and for finishing what was begun.
    pub reserve: u64,
    /// Our own requests in this window, in the order of [`Class::ALL`].
    pub spent: [u64; 5],
    /// Our own requests since the start, in the order of [`Class::ALL`].
    pub total: [u64; 5],
    /// Requests of others with this token in this window, as far as the headers show.
    pub others: u64,
    /// Answers of 429 since the start.
    pub refused: u64,
    /// How long a window is.
    pub window: Duration,
}

impl QuotaUse {
    /// Requests of a class in this window.
    pub const fn spent_by(&self, class: Class) -> u64 {
        self.spent[class.index()]
    }

    /// Requests a second that the windows leave beside the reserve; `None` without a limit.
    pub fn rate(&self) -> Option<f64> {
        let usable = self.limit.checked_sub(self.reserve).filter(|_| self.limit > 0)?;
        Some(usable as f64 / self.window.as_secs_f64().max(1.0))
    }
}

/// What the headers of one answer told, where they made sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// Requests a window; 0 is without limit.
    pub limit: u64,
    pub remaining: u64,
    /// The reset in Unix seconds: tells one window from the next.
    pub reset: i64,
    /// From the answer to the reset.
    pub ahead: Duration,
}

/// A request that may be sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticket {
    class: Class,
    number: u64,
    epoch: u64,
    probe: bool,
}

/// Why a request may not be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// Not before then.
    Until(Instant),
    /// Not before another answer is there; a window that is known opens no later than then.
    Answer,
}

/// A window as the server told it.
#[derive(Debug, Clone, Copy)]
struct Window {
    limit: u64,
    remaining: u64,
    reset: i64,
    opens_at: Instant,
    epoch: u64,
    told_at: Instant,
    /// From when on it is spent evenly, and what was left then.
    even: Option<(Instant, u64)>,
    spent: [u64; 5],
    others: u64,
}

/// The budget.
#[derive(Debug)]
pub(super) struct Budget {
    /// In percent of the limit; `None` holds nothing back but what the server would refuse.
    reserve: Option<u8>,
    window: Option<Window>,
    /// How long a window is, once a whole one was seen.
    length: Option<Duration>,
    /// The server was seen to limit.
    limited: bool,
    /// After a 429.
    closed_until: Option<Instant>,
    /// The limit that a 429 told where nothing else did.
    told_limit: Option<u64>,
    /// Nothing is known of the window that is open now, and requests up to this number tell
    /// nothing of it.
    unknown_since: Option<u64>,
    probing: bool,
    /// Requests on their way, and those that may be sent any moment.
    out: u64,
    /// Requests without an answer, which the server may have counted, and the number of the
    /// last one before which an answer says nothing of them.
    uncertain: (u64, u64),
    number: u64,
    epoch: u64,
    total: [u64; 5],
    refused: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            reserve: None,
            window: None,
            length: None,
            limited: false,
            closed_until: None,
            told_limit: None,
            unknown_since: Some(0),
            probing: false,
            out: 0,
            uncertain: (0, 0),
            number: 0,
            epoch: 0,
            total: [0; 5],
            refused: 0,
        }
    }
}

impl Budget {
    /// From now on what is not asked for by a person is paced, with so many percent in reserve.
    pub fn pace(&mut self, reserve: u8) {
        self.reserve = Some(reserve.min(90));
    }

    fn reserve_of(&self, limit: u64) -> u64 {
        (limit * u64::from(self.reserve.unwrap_or(0))).div_ceil(100)
    }

    /// Requests that are left when all that are on their way were counted.
    fn left(&self, window: &Window) -> u64 {
        window.remaining.saturating_sub(self.out + self.uncertain.0)
    }

    /// Whether a request may be sent now. Whoever gets a ticket tells what came of it.
    ///
    /// # Errors
    /// What is to be waited for.
    pub fn ask(&mut self, class: Class, now: Instant) -> Result<Ticket, Wait> {
        let probe = if class == Class::Person || self.reserve.is_none() {
            self.person_may(now)?;
            false
        } else {
            self.paced_may(class, now)?
        };
        self.number += 1;
        self.out += 1;
        self.probing |= probe;
        self.total[class.index()] += 1;
        if let Some(window) = &mut self.window {
            window.spent[class.index()] += 1;
        }
        Ok(Ticket { class, number: self.number, epoch: self.epoch, probe })
    }

    fn person_may(&self, now: Instant) -> Result<(), Wait> {
        let spent = self.window.filter(|window| window.remaining == 0).map(|window| window.opens_at);
        let until = spent.into_iter().chain(self.closed_until).max();
        until.filter(|until| *until > now).map_or(Ok(()), |until| Err(Wait::Until(until)))
    }

    /// Whether it is a probe.
    fn paced_may(&mut self, class: Class, now: Instant) -> Result<bool, Wait> {
        if let Some(closed) = self.closed_until.map(|closed| closed + SLACK).filter(|closed| *closed > now) {
            return Err(Wait::Until(closed));
        }
        let open = self.window.filter(|window| window.opens_at + SLACK > now);
        if self.unknown_since.is_some() || (self.limited && open.is_none()) {
            if let Some(window) = open.filter(|window| window.remaining == 0) {
                return Err(Wait::Until(window.opens_at + SLACK));
            }
            return if self.probing { Err(Wait::Answer) } else { Ok(true) };
        }
        let Some(window) = open else { return Ok(false) };
        if self.out > 0 && self.out >= self.side_by_side(&window, now) {
            return Err(Wait::Answer);
        }
        self.fits(class, &window, 1, now).map(|()| false).map_err(Wait::Until)
    }

    /// How many requests may be on their way at a time: somebody else may spend what is left
    /// meanwhile, and only one of ours is to find out.
    fn side_by_side(&self, window: &Window, now: Instant) -> u64 {
        let left = self.left(window);
        let reserve = self.reserve_of(window.limit);
        let old = now.saturating_duration_since(window.told_at) > OLD_NEWS;
        if left <= reserve || (old && left <= window.limit / 2) { 1 } else { (left / ON_THEIR_WAY).max(1) }
    }

    /// Whether so many requests of a class may be sent in a window that is known; else when.
    fn fits(&mut self, class: Class, window: &Window, requests: u64, now: Instant) -> Result<(), Instant> {
        let opens = window.opens_at + SLACK;
        let left = self.left(window);
        let Some(after) = left.checked_sub(requests) else { return Err(opens) };
        let Some(share) = class.share() else { return Ok(()) };
        let reserve = self.reserve_of(window.limit);
        let half = (window.limit / 2).max(reserve);
        if after >= half {
            return Ok(());
        }
        let (since, at_first) = window.even.unwrap_or((now, left.min(half)));
        if let Some(window) = &mut self.window {
            window.even.get_or_insert((since, at_first));
        }
        if after < reserve {
            return Err(opens);
        }
        let whole = window.opens_at.saturating_duration_since(since).as_secs_f64();
        let evenly = at_first.saturating_sub(reserve) as f64 * share;
        // So much of the even time may be left for this to be sent.
        let share_left = if evenly > 0.0 { ((after - reserve) as f64 / evenly).min(1.0) } else { 1.0 };
        let may_be_left = Duration::from_secs_f64(whole * share_left);
        let at = window.opens_at.checked_sub(may_be_left).unwrap_or(now);
        if at <= now { Ok(()) } else { Err(at) }
    }

    /// How long it is until so many requests of a class may be begun one after the other.
    pub fn outlook(&mut self, class: Class, requests: u64, now: Instant) -> Duration {
        if class == Class::Person || self.reserve.is_none() {
            return Duration::ZERO;
        }
        let closed = self.closed_until.map(|closed| closed + SLACK).filter(|closed| *closed > now);
        let window = self.window.filter(|window| window.opens_at + SLACK > now);
        let at = match (closed, window) {
            (Some(closed), _) => closed,
            (None, Some(window)) => {
                // More than one window holds beside the reserve are begun in an open one.
                let most = (window.limit - self.reserve_of(window.limit).min(window.limit)) / 2;
                match self.fits(class, &window, requests.clamp(1, most.max(1)), now) {
                    Ok(()) => now,
                    Err(at) => at,
                }
            }
            (None, None) => now,
        };
        at.saturating_duration_since(now)
    }

    /// An answer came that is not a 429; `None` where its headers told nothing.
    pub fn answered(&mut self, ticket: Ticket, told: Option<Standing>, now: Instant) {
        let out = self.out;
        self.back(ticket);
        if self.unknown_since.is_some_and(|since| ticket.number > since) {
            self.unknown_since = None;
        }
        let Some(Standing { limit, remaining, reset, ahead }) = told else { return };
        self.limited = limit > 0;
        if limit == 0 {
            self.window = None;
            return;
        }
        let remaining = remaining.min(limit);
        let uncertain = self.uncertain.0;
        if ticket.number > self.uncertain.1 {
            self.uncertain = (0, 0);
        }
        match &mut self.window {
            Some(window) if window.reset.abs_diff(reset) <= SAME_RESET_S => {
                let ours = window.remaining.saturating_sub(out + uncertain);
                if remaining < ours {
                    window.others += ours - remaining;
                    if window.even.is_some() {
                        window.even = Some((now, remaining.saturating_sub(self.out)));
                    }
                }
                // Answers overtake one another: within one window the smallest count is the newest.
                window.remaining = window.remaining.min(remaining);
                (window.limit, window.opens_at, window.told_at) = (limit, now + ahead, now);
            }
            // It was sent before the present window was known, so it is of an earlier one.
            Some(window) if ticket.epoch < window.epoch && window.opens_at > now => {}
            before => {
                if before.is_some_and(|before| before.opens_at <= now) {
                    self.length = self.length.max(Some(ahead));
                }
                self.epoch += 1;
                let (mut spent, epoch) = ([0; 5], self.epoch);
                spent[ticket.class.index()] = 1;
                let opens_at = now + ahead;
                let others = limit.saturating_sub(remaining + out);
                let told_at = now;
                *before = Some(Window { limit, remaining, reset, opens_at, epoch, told_at, even: None, spent, others });
            }
        }
    }

    /// A 429 came: nothing for so long.
    pub fn refused(
        &mut self,
        ticket: Ticket,
        told: Option<Standing>,
        limit: Option<u64>,
        wait: Duration,
        now: Instant,
    ) {
        self.back(ticket);
        self.refused += 1;
        self.limited = true;
        self.told_limit = limit;
        self.unknown_since = Some(self.number);
        self.closed_until = self.closed_until.max(Some(now + wait));
        let same = |window: &&mut Window| told.is_some_and(|told| told.reset.abs_diff(window.reset) <= SAME_RESET_S);
        if let Some(window) = self.window.as_mut().filter(same) {
            window.remaining = told.map_or(0, |told| told.remaining).min(window.remaining);
        }
    }

    /// No answer came, though the request may have arrived.
    pub fn unanswered(&mut self, ticket: Ticket) {
        self.back(ticket);
        self.uncertain = (self.uncertain.0 + 1, self.number);
    }

    /// It was not sent after all.
    pub fn not_sent(&mut self, ticket: Ticket) {
        self.back(ticket);
        let count = |all: &mut [u64; 5]| all[ticket.class.index()] = all[ticket.class.index()].saturating_sub(1);
        count(&mut self.total);
        if let Some(window) = self.window.as_mut().filter(|window| window.epoch == ticket.epoch) {
            count(&mut window.spent);
        }
    }

    fn back(&mut self, ticket: Ticket) {
        self.out = self.out.saturating_sub(1);
        if ticket.probe {
            self.probing = false;
        }
    }

    /// What is left, as long as the window that was told of lasts: requests a window, requests
    /// left, and how long it is until it opens again.
    pub fn left_now(&self, now: Instant) -> Option<(u64, u64, Duration)> {
        let window = self.window.filter(|window| window.opens_at > now);
        if let Some(closed) = self.closed_until.filter(|closed| *closed > now) {
            // A 429 without headers closes the window without telling how large it is.
            let limit = window.map(|window| window.limit).or(self.told_limit).filter(|limit| *limit > 0)?;
            return Some((limit, 0, closed - now));
        }
        window.map(|window| (window.limit, window.remaining, window.opens_at - now))
    }

    /// How it stands.
    pub fn report(&self, now: Instant) -> QuotaUse {
        let (limit, remaining, resets_in) = self.left_now(now).unwrap_or_default();
        // Between two windows the limit is still what it was.
        let limit = limit.max(self.window.map_or(0, |window| window.limit));
        let window = self.window.filter(|window| window.opens_at > now);
        QuotaUse {
            limit,
            remaining: if window.is_none() && self.closed_until.is_none_or(|at| at <= now) { limit } else { remaining },
            resets_in,
            reserve: self.reserve_of(limit),
            spent: window.map_or([0; 5], |window| window.spent),
            total: self.total,
            others: window.map_or(0, |window| window.others),
            refused: self.refused,
            window: self.length.unwrap_or(USUAL_WINDOW),
        }
    }
}

#[cfg(test)]
mod tests;
