//! Money in whole cents of US dollars; never a float.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul, Neg, Sub};

/// An amount in cents of US dollars. Written and read as a decimal string, `29.00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(i64);

/// A text that is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an amount of money; write it like 29.00")]
pub struct MoneyError(String);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// From whole cents.
    pub const fn cents(cents: i64) -> Self {
        Self(cents)
    }

    /// The amount in cents.
    pub const fn as_cents(self) -> i64 {
        self.0
    }

    /// Reads `29`, `29.0`, `29.00` or `-1.50`.
    ///
    /// # Errors
    /// Anything else, more than two decimals included.
    pub fn parse(raw: &str) -> Result<Self, MoneyError> {
        let fail = || MoneyError(super::text::inert(raw).into_owned());
        let (negative, digits) = match raw.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, raw),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "00"));
        let plain = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !plain(whole) || !plain(fraction) || fraction.len() > 2 {
            return Err(fail());
        }
        let whole: i64 = whole.parse().map_err(|_| fail())?;
        let fraction: i64 = format!("{fraction:0<2}").parse().map_err(|_| fail())?;
        let cents = whole.checked_mul(100).and_then(|c| c.checked_add(fraction)).ok_or_else(fail)?;
        Ok(Self(if negative { -cents } else { cents }))
    }

    /// A twelfth, rounded to the nearest cent: what a yearly price is a month.
    pub const fn monthly_of_yearly(self) -> Self {
        let half = if self.0 >= 0 { 6 } else { -6 };
        Self(self.0.saturating_add(half) / 12)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}.{:02}", self.0.unsigned_abs() / 100, self.0.unsigned_abs() % 100)
    }
}
impl Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}
impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}
impl Sub for Money {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}
impl Neg for Money {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}
impl Mul<u32> for Money {
    type Output = Self;
    fn mul(self, times: u32) -> Self {
        Self(self.0.saturating_mul(i64::from(times)))
    }
}
impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}
impl std::str::FromStr for Money {
    type Err = MoneyError;
    fn from_str(raw: &str) -> Result<Self, MoneyError> {
        Self::parse(raw)
    }
}
impl serde::Serialize for Money {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> serde::Deserialize<'de> for Money {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = String::deserialize(deserializer)?;
        Self::parse(&raw).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_written_as_decimal_strings() {
        for (raw, cents, shown) in
            [("29", 2900, "29.00"), ("29.5", 2950, "29.50"), ("0.07", 7, "0.07"), ("-1.50", -150, "-1.50")]
        {
            let money = Money::parse(raw).unwrap();
            assert_eq!((money.as_cents(), money.to_string().as_str()), (cents, shown));
        }
        for bad in ["", ".", "1.", ".5", "1.005", "1e3", "+1", "$1", "1,000.00", "--1", "99999999999999999999"] {
            assert!(Money::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_yearly_price_is_a_twelfth_a_month_to_the_nearest_cent() {
        assert_eq!(Money::cents(34_800).monthly_of_yearly(), Money::cents(2900));
        assert_eq!(Money::cents(100).monthly_of_yearly(), Money::cents(8));
        assert_eq!(Money::cents(-100).monthly_of_yearly(), Money::cents(-8));
    }
}
