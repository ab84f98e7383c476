//! Times as people type and read them: a day, a time, or how long ago.

use std::str::FromStr;
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A time that somebody typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// A whole day, in UTC.
    Day(Date),
    /// This very time.
    At(Timestamp),
    /// So long before now.
    Ago(Duration),
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        if raw.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && let Ok(ago) = super::duration(raw)
        {
            return Ok(Self::Ago(ago));
        }
        if let Ok(at) = raw.parse::<Timestamp>() {
            return Ok(Self::At(at));
        }
        if raw.len() == "2026-11-25".len()
            && let Ok(day) = raw.parse::<Date>()
        {
            return Ok(Self::Day(day));
        }
        Err("expected a day (2026-11-25), a time (2026-11-25T09:30:00Z), or how long ago (90s, 36h, 7d)".to_owned())
    }
}

impl Moment {
    /// Where a stretch begins: a day, with its first moment.
    pub fn begins(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Day(day) => start_of(day),
            Self::At(at) => at,
            Self::Ago(ago) => {
                let ago = SignedDuration::try_from(ago).unwrap_or(SignedDuration::MAX);
                now.saturating_sub(ago).unwrap_or(Timestamp::MIN)
            }
        }
    }

    /// Where a stretch ends, what is then being left out: a day is in it whole.
    pub fn ends(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Day(day) => day.tomorrow().map_or(Timestamp::MAX, start_of),
            other => other.begins(now),
        }
    }
}

fn start_of(day: Date) -> Timestamp {
    TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).unwrap_or(Timestamp::MIN)
}

/// A time for a table: UTC, to the second.
pub fn shown(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_a_time_and_how_long_ago_are_read() {
        let now: Timestamp = "2026-11-25T12:00:00Z".parse().unwrap();
        let read = |raw: &str| {
            let moment = Moment::from_str(raw).unwrap();
            (moment.begins(now).to_string(), moment.ends(now).to_string())
        };
        let both = |at: &str| (at.to_owned(), at.to_owned());
        assert_eq!(read("2026-11-25"), ("2026-11-25T00:00:00Z".to_owned(), "2026-11-26T00:00:00Z".to_owned()));
        assert_eq!(read("2026-11-25T09:30:00Z"), both("2026-11-25T09:30:00Z"));
        assert_eq!(read("2026-11-25T09:30:00+02:00"), both("2026-11-25T07:30:00Z"));
        assert_eq!(read("36h"), both("2026-11-24T00:00:00Z"));
        for bad in ["", "yesterday", "2026-13-01", "2026-11-25T09:30", "-1d", "1w"] {
            assert!(Moment::from_str(bad).unwrap_err().contains("expected a day"), "{bad}");
        }
    }
}
