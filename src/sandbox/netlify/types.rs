//! The account types of the service. Names and prices are the sandbox's own: the published
//! description gives the fields, not the catalogue. A type is paid for by the month or by
//! the year, and each of both is a plan of the shared catalogue.

use crate::sandbox::catalogue::{Cents, Period, Plan, SHARED, SINGLE};

use super::ids;

/// A kind of account.
#[derive(Debug, PartialEq, Eq)]
pub struct AccountType {
    number: u64,
    pub name: &'static str,
    pub description: &'static str,
    /// The family of its two plans.
    family: &'static str,
}

impl AccountType {
    /// Its id.
    pub fn id(&self) -> String {
        ids::account_type(self.number)
    }

    /// What it costs by the month or by the year.
    pub fn plan(&self, period: Period) -> &'static Plan {
        let fits = |plan: &&Plan| plan.family == self.family && plan.period == period;
        PLANS.iter().find(fits).unwrap_or(&PLANS[0])
    }

    /// The type of a plan; of no plan, or one of another service, the free one.
    pub fn of(plan: Option<&Plan>) -> &'static Self {
        let family = plan.map(|plan| plan.family);
        TYPES.iter().find(|it| Some(it.family) == family).unwrap_or(&TYPES[0])
    }

    /// The type of this id.
    pub fn find(id: &str) -> Option<&'static Self> {
        TYPES.iter().find(|it| it.id() == id)
    }
}

/// Every type, in the order in which they are listed; the first is free.
pub static TYPES: [AccountType; 3] = [
    AccountType { number: 1, name: "Free", description: "For one person", family: "free" },
    AccountType { number: 2, name: "Pro", description: "For small teams", family: "pro" },
    AccountType { number: 3, name: "Business", description: "For large teams", family: "business" },
];

const FREE: Plan = Plan { identifier: "free-monthly", name: "Free", family: "free", ..SINGLE };

const PRO: Plan = Plan {
    identifier: "pro-monthly",
    name: "Pro",
    family: "pro",
    base_price: Some(Cents(19_00)),
    seat_price: Some(Cents(19_00)),
    ..SHARED
};

const BUSINESS: Plan = Plan {
    identifier: "business-monthly",
    name: "Business",
    family: "business",
    base_price: Some(Cents(99_00)),
    included_seats: Some(5),
    seat_price: Some(Cents(25_00)),
    ..SHARED
};

/// What is sold: each type by the month and by the year.
pub static PLANS: [Plan; 6] = [
    FREE,
    Plan { identifier: "free-yearly", period: Period::Year, ..FREE },
    PRO,
    Plan {
        identifier: "pro-yearly",
        period: Period::Year,
        base_price: Some(Cents(190 * 100)),
        seat_price: Some(Cents(190 * 100)),
        ..PRO
    },
    BUSINESS,
    Plan {
        identifier: "business-yearly",
        period: Period::Year,
        base_price: Some(Cents(990 * 100)),
        seat_price: Some(Cents(250 * 100)),
        ..BUSINESS
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_both_its_plans_and_each_plan_its_type() {
        for it in &TYPES {
            assert_eq!(AccountType::find(&it.id()), Some(it));
            for period in [Period::Month, Period::Year] {
                let plan = it.plan(period);
                assert_eq!((AccountType::of(Some(plan)), plan.period), (it, period));
                assert_eq!(crate::sandbox::catalogue::find(plan.identifier), Some(plan));
            }
        }
        assert_eq!(AccountType::of(None).name, "Free");
    }
}
