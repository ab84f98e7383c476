//! What was really charged, beside what the plans cost by list price: [`lay_beside`] is pure,
//! and says what it cannot know.

mod render;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::domain::{AccountId, AccountName, ClientName, Foreign, Money};
use crate::plan::{ObservedAccount, Reading, list_price};
use crate::provider::{Charge, Offer, Subscription};

pub use render::{json, json_schema};

/// What no row can tell, for people.
pub const CAVEAT: &str = "The list price is that of the plan and seats of today, by the day; what they were before, \
                          custom prices, discounts and taxes are not told. A period is charged whole, in advance.";

/// Days, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first.
    pub since: Date,
    /// The last.
    pub until: Date,
}

impl Period {
    /// The month before the one of this day.
    pub fn last_month(today: Date) -> Self {
        let until = today.first_of_month().yesterday().unwrap_or(today);
        Self { since: until.first_of_month(), until }
    }

    /// A price a month for the days from `from` on, month by month to the nearest cent.
    fn cost(self, monthly: Money, from: Date) -> Money {
        let mut day = self.since.max(from);
        let mut sum = Money::ZERO;
        while day <= self.until {
            let end = day.last_of_month().min(self.until);
            let days = i64::from(end.day() - day.day()) + 1;
            let whole = i64::from(day.days_in_month());
            let cents = monthly.as_cents().saturating_mul(days).saturating_add(whole / 2);
            sum += Money::cents(cents / whole);
            match end.tomorrow() {
                Ok(next) => day = next,
                Err(_) => break,
            }
        }
        sum
    }
}

/// One account, and what was read of its charges.
#[derive(Debug, Clone)]
pub struct Read<'a> {
    /// The account.
    pub observed: &'a ObservedAccount,
    /// The client that its manifest names; `None` is unmanaged.
    pub client: Option<ClientName>,
    /// Its charges, or why they could not be read.
    pub charges: Result<Vec<Charge>, Foreign>,
}

/// One account of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub account_id: AccountId,
    /// Its name.
    pub name: Option<AccountName>,
    /// The client; `None` is unmanaged.
    pub client: Option<ClientName>,
    /// What was collected and not given back, or why that could not be read.
    pub charged: Result<Money, Foreign>,
    /// The list price; `None` where it is not known.
    pub list_price: Option<Money>,
    /// What explains the difference, as far as it can be told. Inert text.
    pub notes: Vec<String>,
}

impl Row {
    /// By how much more was charged than the list price comes to.
    pub fn difference(&self) -> Option<Money> {
        Some(*self.charged.as_ref().ok()? - self.list_price?)
    }
}

/// All accounts, by ascending id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The days.
    pub period: Period,
    /// The accounts.
    pub rows: Vec<Row>,
}

/// The sums of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sums {
    /// Of what was charged, where it could be read.
    pub charged: Money,
    /// Of the list prices, where they are known.
    pub list_price: Money,
    /// Of the differences, where both are known.
    pub difference: Money,
    /// Accounts whose charges could not be read.
    pub unread: usize,
    /// Accounts whose list price is not known.
    pub unpriced: usize,
}

impl Report {
    /// The sums.
    pub fn sums(&self) -> Sums {
        let rows = || self.rows.iter();
        Sums {
            charged: rows().filter_map(|row| row.charged.as_ref().ok()).copied().sum(),
            list_price: rows().filter_map(|row| row.list_price).sum(),
            difference: rows().filter_map(Row::difference).sum(),
            unread: rows().filter(|row| row.charged.is_err()).count(),
            unpriced: rows().filter(|row| row.list_price.is_none()).count(),
        }
    }
}

/// Lays charges beside list prices.
pub fn lay_beside(period: Period, offer: &Offer, read: Vec<Read<'_>>) -> Report {
    Report { period, rows: read.into_iter().map(|read| row(period, offer, read)).collect() }
}

fn row(period: Period, offer: &Offer, read: Read<'_>) -> Row {
    let Read { observed, client, charges } = read;
    let account = &observed.account;
    let from = account.created_at.map_or(period.since, day);
    let monthly = list_price(offer, observed);
    let list_price = monthly.map(|monthly| period.cost(monthly, from));
    let mut notes = Vec::new();
    let charged = charges.map(|charges| {
        notes = explain(period, offer, observed, &charges);
        charges.iter().filter(|charge| !charge.refunded).map(|charge| charge.total).sum()
    });
    if list_price.is_none() {
        notes.insert(0, unpriced(offer, observed));
    }
    let mut row =
        Row { account_id: account.id.clone(), name: account.name.clone(), client, charged, list_price, notes };
    match row.difference() {
        Some(Money::ZERO) => row.notes.retain(|note| note.contains("refunded") || note.contains("balance")),
        Some(_) if row.notes.is_empty() => {
            row.notes.push("nothing that can be read explains it: plan or seats may have been others".to_owned());
        }
        Some(_) | None => {}
    }
    row
}

/// Why the list price is not known.
fn unpriced(offer: &Offer, observed: &ObservedAccount) -> String {
    let plan = match &observed.subscription {
        Reading::Failed(why) => return format!("the subscription cannot be read: {why}"),
        Reading::Seen(Some(subscription)) => Some(&subscription.plan),
        Reading::Seen(None) | Reading::NotRead => observed.account.plan.as_ref(),
    };
    match plan {
        Some(plan) if offer.plan(plan).is_some() => format!("{plan} has a custom price, or its seats cannot be read"),
        Some(plan) => format!("the server lists no price of {plan}"),
        None => "the plan is not known".to_owned(),
    }
}

/// What may be behind a difference, the service's own words at the end.
fn explain(period: Period, offer: &Offer, observed: &ObservedAccount, charges: &[Charge]) -> Vec<String> {
    let mut notes = Vec::new();
    let sum = |of: &dyn Fn(&Charge) -> Option<Money>| charges.iter().filter_map(of).sum::<Money>();
    let refunded = sum(&|charge| charge.refunded.then_some(charge.total));
    if refunded != Money::ZERO {
        notes.push(format!("{refunded} refunded"));
    }
    let from_balance = sum(&|charge| (!charge.refunded).then_some(charge.from_balance));
    if from_balance != Money::ZERO {
        notes.push(format!("{from_balance} of it from the balance"));
    }
    if let Some(created) = observed.account.created_at.map(day).filter(|day| *day > period.since) {
        notes.push(format!("made on {created}"));
    }
    if let Some(subscription) = observed.subscription.seen().and_then(Option::as_ref) {
        explain_subscription(period, offer, subscription, &mut notes);
    }
    for charge in charges {
        let when = charge.invoiced_at.map_or_else(String::new, |at| format!(" on {}", day(at)));
        let items: Vec<String> = charge.items.iter().map(ToString::to_string).collect();
        let what = if items.is_empty() { charge.reference.to_string() } else { items.join(", ") };
        let back = if charge.refunded { ", refunded" } else { "" };
        notes.push(format!("{}{when}{back}: {what}", charge.total));
    }
    notes
}

fn explain_subscription(period: Period, offer: &Offer, subscription: &Subscription, notes: &mut Vec<String>) {
    if let Some(end) = subscription.trial_ends_at.map(day).filter(|day| *day >= period.since) {
        notes.push(format!("trial until {end}"));
    }
    if subscription.dunned {
        notes.push("a renewal is not paid".to_owned());
    }
    if offer.plan(&subscription.plan).is_some_and(|plan| plan.yearly) {
        notes.push("charged by the year".to_owned());
    }
    if let Some(seats) = subscription.pending_seats {
        notes.push(format!("{seats} seats from the renewal on"));
    }
    if let Some(plan) = &subscription.pending_plan {
        notes.push(format!("{plan} from the renewal on"));
    }
    if !subscription.is_active() {
        notes.push("no plan in force today".to_owned());
    }
}

fn day(at: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(at).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(raw: &str) -> Date {
        raw.parse().unwrap()
    }

    #[test]
    fn the_last_month_is_whole() {
        for (today, since, until) in [
            ("2026-11-25", "2026-10-01", "2026-10-31"),
            ("2026-03-01", "2026-02-01", "2026-02-28"),
            ("2028-03-31", "2028-02-01", "2028-02-29"),
            ("2026-01-01", "2025-12-01", "2025-12-31"),
        ] {
            assert_eq!(Period::last_month(date(today)), Period { since: date(since), until: date(until) });
        }
    }

    #[test]
    fn a_whole_month_costs_its_price_and_a_part_its_days() {
        let cost = |since: &str, until: &str, from: &str| {
            let period = Period { since: date(since), until: date(until) };
            period.cost(Money::cents(2900), date(from)).to_string()
        };
        let early = "2020-01-01";
        assert_eq!(cost("2026-10-01", "2026-10-31", early), "29.00");
        assert_eq!(cost("2026-01-01", "2026-12-31", early), "348.00");
        assert_eq!(cost("2026-10-01", "2026-10-01", early), "0.94");
        assert_eq!(cost("2026-10-16", "2026-11-15", early), "29.47", "16 of 31 days and 15 of 30");
        assert_eq!(cost("2026-10-01", "2026-10-31", "2026-10-31"), "0.94");
        assert_eq!(cost("2026-10-01", "2026-10-31", "2026-11-01"), "0.00");
    }
}
