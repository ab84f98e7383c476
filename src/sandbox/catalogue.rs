//! The plans of the service, their prices and what they take (rules 10 and 11).

use std::fmt;

use serde::{Deserialize, Serialize};

/// An amount of money in US cents, shown as `29.00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cents(pub u64);

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// How often a plan is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// Each calendar month.
    Month,
    /// Each calendar year.
    Year,
}

impl Period {
    /// The word of the API.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Month => "monthly",
            Self::Year => "yearly",
        }
    }
}

/// One plan of the service.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    pub identifier: &'static str,
    pub name: &'static str,
    pub family: &'static str,
    pub period: Period,
    /// A period's price with the included seats; `None` is a custom price.
    pub base_price: Option<Cents>,
    /// `None` is a number agreed upon with the customer.
    pub included_seats: Option<u32>,
    /// A period's price of one seat more; `None` where none is sold.
    pub seat_price: Option<Cents>,
    /// `None` is unlimited.
    pub max_members: Option<u32>,
    pub multi_member: bool,
    pub standing: Standing,
    /// Whether an account's first subscription to it starts with a trial (rule 5).
    pub trial: bool,
}

/// Who may choose a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Everyone.
    OnSale,
    /// Nobody any more; whoever has it may keep it.
    Legacy,
    /// Only who has talked to the sales people.
    ByAgreement,
}

impl Plan {
    /// The price of a period with this many seats; `None` where it is custom.
    pub fn price(&self, seats: u32) -> Option<Cents> {
        let base = self.base_price?;
        let further = seats.saturating_sub(self.included_seats.unwrap_or(seats));
        let each = self.seat_price.unwrap_or_default();
        Some(Cents(base.0 + each.0 * u64::from(further)))
    }

    /// The base price a month, for comparing plans; a custom price counts as the highest.
    fn monthly(&self) -> u64 {
        match (self.base_price, self.period) {
            (None, _) => u64::MAX,
            (Some(price), Period::Month) => price.0,
            (Some(price), Period::Year) => price.0 / 12,
        }
    }

    /// Whether going from `self` to `to` is a downgrade (rule 6).
    pub fn is_downgrade_to(&self, to: &Self) -> bool {
        let takes = |plan: &Self| plan.max_members.unwrap_or(u32::MAX);
        to.monthly() < self.monthly() || takes(to) < takes(self)
    }

    /// Whether so many members and invitations fit on it.
    pub fn takes(&self, members: u32) -> bool {
        self.max_members.is_none_or(|most| members <= most)
    }

    /// The seats that come with it when none are asked for.
    pub fn least_seats(&self) -> u32 {
        self.included_seats.unwrap_or(1)
    }
}

/// The plan of this identifier, of whichever service.
pub fn find(identifier: &str) -> Option<&'static Plan> {
    PLANS.iter().chain(&super::netlify::PLANS).find(|plan| plan.identifier == identifier)
}

/// A free plan for one.
pub const SINGLE: Plan = Plan {
    identifier: "",
    name: "",
    family: "",
    period: Period::Month,
    base_price: Some(Cents(0)),
    included_seats: Some(1),
    seat_price: None,
    max_members: Some(1),
    multi_member: false,
    standing: Standing::OnSale,
    trial: false,
};

/// A free plan for any number.
pub const SHARED: Plan = Plan { max_members: None, multi_member: true, ..SINGLE };

/// Every plan, in the order in which `GET /plans` lists them. The prices of legacy plans
/// are the sandbox's own: the service publishes none.
pub static PLANS: [Plan; 7] = [
    Plan { identifier: "solo-v2-monthly", name: "Solo", family: "solo", trial: true, ..SINGLE },
    Plan {
        identifier: "teams-v2-monthly",
        name: "Teams",
        family: "teams",
        base_price: Some(Cents(29_00)),
        seat_price: Some(Cents(29_00)),
        trial: true,
        ..SHARED
    },
    Plan {
        identifier: "enterprise-v1-yearly",
        name: "Enterprise",
        family: "enterprise",
        period: Period::Year,
        base_price: None,
        included_seats: None,
        standing: Standing::ByAgreement,
        ..SHARED
    },
    Plan {
        identifier: "dnsimple-personal",
        name: "Personal",
        family: "personal",
        base_price: Some(Cents(6_00)),
        standing: Standing::Legacy,
        ..SINGLE
    },
    Plan {
        identifier: "dnsimple-professional",
        name: "Professional",
        family: "professional",
        base_price: Some(Cents(29_00)),
        standing: Standing::Legacy,
        ..SINGLE
    },
    Plan {
        identifier: "dnsimple-business",
        name: "Business",
        family: "business",
        base_price: Some(Cents(99_00)),
        included_seats: Some(5),
        seat_price: Some(Cents(15_00)),
        standing: Standing::Legacy,
        ..SHARED
    },
    Plan {
        identifier: "teams-v1-monthly",
        name: "Teams (2023)",
        family: "teams",
        base_price: Some(Cents(35_00)),
        seat_price: Some(Cents(20_00)),
        standing: Standing::Legacy,
        ..SHARED
    },
];
