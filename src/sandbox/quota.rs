//! The request quota: so many in a window, shared by all of a user's tokens.

use jiff::{SignedDuration, Timestamp};

/// Requests in a window without a valid token.
const UNAUTHENTICATED: u32 = 30;

/// Who a request is counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// The user of a valid token.
    User,
    /// Anybody else.
    Stranger,
}

/// Where the quota stands after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub limit: u32,
    pub remaining: u32,
    /// When the window ends.
    pub reset: Timestamp,
    /// Whether this request is over the limit.
    pub is_over: bool,
}

/// The quota of a sandbox, counted in windows of the machine's time.
#[derive(Debug)]
pub struct Quota {
    limit: Option<u32>,
    window: SignedDuration,
    user: Window,
    stranger: Window,
}

#[derive(Debug, Default)]
struct Window {
    ends: Option<Timestamp>,
    used: u32,
}

impl Quota {
    /// So many requests in a window of this length; 0 is without limit.
    pub fn new(requests: u32, window: SignedDuration) -> Self {
        let limit = (requests > 0).then_some(requests);
        Self { limit, window, user: Window::default(), stranger: Window::default() }
    }

    /// Counts a request; `None` where there is no limit.
    pub fn take(&mut self, asker: Asker, now: Timestamp) -> Option<Standing> {
        let limit = self.limit?;
        let (window, limit) = match asker {
            Asker::User => (&mut self.user, limit),
            Asker::Stranger => (&mut self.stranger, limit.min(UNAUTHENTICATED)),
        };
        let reset = match window.ends {
            Some(end) if now < end => end,
            Some(_) | None => {
                let end = now.saturating_add(self.window).unwrap_or(Timestamp::MAX);
                *window = Window { ends: Some(end), used: 0 };
                end
            }
        };
        let is_over = window.used >= limit;
        window.used = window.used.saturating_add(1).min(limit);
        Some(Standing { limit, remaining: limit - window.used, reset, is_over })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_limit_holds_within_a_window_and_a_new_one_begins_after_it() {
        let mut quota = Quota::new(2, HOUR);
        let taken = [0, 10, 20, 3600].map(|second| {
            let standing = quota.take(Asker::User, at(second)).unwrap();
            (standing.remaining, standing.is_over, standing.reset.as_second())
        });
        assert_eq!(taken, [(1, false, 3600), (0, false, 3600), (0, true, 3600), (1, false, 7200)]);
    }

    #[test]
    fn strangers_have_thirty_of_their_own() {
        let mut quota = Quota::new(2400, HOUR);
        let over = (0..31).filter(|_| quota.take(Asker::Stranger, at(5)).unwrap().is_over).count();
        assert_eq!((over, quota.take(Asker::User, at(5)).unwrap().remaining), (1, 2399));
    }

    #[test]
    fn zero_is_without_limit() {
        assert_eq!(Quota::new(0, HOUR).take(Asker::User, at(0)), None);
    }
}
