//! What the service sells: its types of accounts, each by the month and by the year, as plans;
//! and what they are paid with.

use std::collections::BTreeMap;

use super::json::{PaymentMethodJson, TypeJson};
use crate::domain::text::inert;
use crate::domain::{Access, Money, PlanFamily, PlanId, Role};
use crate::provider::wire::json::Listed as _;
use crate::provider::{PlanOffer, RoleOffer};

/// The service's roles, and what access each comes to. The first of an access is the one that
/// is given where no exact role is asked for.
const ROLES: [(&str, Access); 4] = [
    ("Owner", Access::Full),
    ("Developer", Access::Limited),
    ("Billing Admin", Access::Limited),
    ("Reviewer", Access::Limited),
];

/// The role of this name.
pub(super) fn role(name: &str) -> Option<(&'static str, Access)> {
    ROLES.into_iter().find(|(role, _)| *role == name)
}

/// The role that is given for an access.
pub(super) fn role_for(access: Access) -> Option<&'static str> {
    ROLES.into_iter().find(|(_, of)| *of == access).map(|(role, _)| role)
}

/// The roles, as they are offered.
pub(super) fn roles() -> Vec<RoleOffer> {
    ROLES.into_iter().map(|(role, access)| RoleOffer { role: Role::new(role), access }).collect()
}

/// How often it is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Period {
    Monthly,
    Yearly,
}

impl Period {
    const ALL: [Self; 2] = [Self::Monthly, Self::Yearly];

    /// The API's word.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Monthly => "monthly",
            Self::Yearly => "yearly",
        }
    }

    /// What an account says of itself.
    pub(super) fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|period| period.word() == word)
    }
}

/// One type in one period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sold {
    pub(super) type_id: String,
    pub(super) period: Period,
    pub(super) offer: PlanOffer,
}

impl Sold {
    /// How many seats beyond the included ones make this many; `None` where none are chosen.
    ///
    /// # Errors
    /// It sells none, and more are asked for than it includes.
    pub(super) fn extra_seats(&self, seats: Option<u32>) -> Result<Option<u32>, &'static str> {
        let Some(seats) = seats else { return Ok(None) };
        let extra = seats.saturating_sub(self.offer.included_seats.unwrap_or(1));
        match self.offer.seat_price {
            Some(_) => Ok(Some(extra)),
            None if extra == 0 => Ok(None),
            None => Err("this plan sells no seats"),
        }
    }

    /// Whether it costs with so many seats more. A price that is not known costs.
    pub(super) fn costs(&self, extra_seats: Option<u32>) -> bool {
        let base = self.offer.base_price.is_none_or(|price| price > Money::ZERO);
        let seats =
            extra_seats.is_some_and(|extra| extra > 0) && self.offer.seat_price.is_none_or(|price| price > Money::ZERO);
        base || seats
    }
}

/// What is sold, and what it is paid with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Catalogue {
    sold: Vec<Sold>,
    /// The payment method's id, or why there is none to use.
    pub(super) payment: Result<String, String>,
}

impl Catalogue {
    pub(super) fn new(types: &[TypeJson], payment: Result<String, String>) -> Self {
        let mut slugs: BTreeMap<String, usize> = BTreeMap::new();
        for one in types {
            *slugs.entry(slug_of(one)).or_default() += 1;
        }
        let shared = |one: &TypeJson| slugs.get(&slug_of(one)).is_some_and(|types| *types > 1);
        let sold = types.iter().flat_map(|one| Period::ALL.map(|period| sold(one, period, shared(one))));
        let mut sold: Vec<Sold> = sold.collect();
        // Whatever still has the name of another would be bought in its place.
        let mut names: BTreeMap<PlanId, usize> = BTreeMap::new();
        for one in &sold {
            *names.entry(one.offer.id.clone()).or_default() += 1;
        }
        sold.retain(|one| names.get(&one.offer.id) == Some(&1));
        Self { sold, payment }
    }

    pub(super) fn plans(&self) -> Vec<PlanOffer> {
        self.sold.iter().map(|sold| sold.offer.clone()).collect()
    }

    /// What stands behind a plan.
    pub(super) fn sold(&self, plan: &PlanId) -> Option<&Sold> {
        self.sold.iter().find(|sold| sold.offer.id == *plan)
    }

    /// The plan of an account. One of a type that is not listed, or of a period that is not
    /// known, is a plan that is not listed; where a period is not told, a month's.
    pub(super) fn plan_of(&self, type_id: Option<&str>, name: Option<&str>, period: Option<&str>) -> Option<PlanId> {
        let word = period.unwrap_or(Period::Monthly.word());
        if let Some(sold) =
            self.sold.iter().find(|sold| type_id == Some(sold.type_id.as_str()) && sold.period.word() == word)
        {
            return Some(sold.offer.id.clone());
        }
        let family = name.map(slug).filter(|slug| !slug.is_empty());
        let unlisted = match (family, type_id) {
            (Some(family), _) => PlanId::new(format!("{family}-{}", slug(word))),
            (None, Some(type_id)) => PlanId::new(format!("{}-{}", slug(type_id), slug(word))),
            (None, None) => return None,
        };
        match (self.sold(&unlisted), type_id) {
            // Another type of the same name: not what is sold under it today.
            (Some(_), Some(type_id)) => Some(PlanId::new(format!("{unlisted}-{}", slug(type_id)))),
            (_, _) => Some(unlisted),
        }
    }
}

/// A name as a word of a manifest: lower case letters, digits, and single hyphens.
fn slug(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' }).collect();
    plain.split_ascii_whitespace().collect::<Vec<_>>().join("-")
}

fn slug_of(one: &TypeJson) -> String {
    let slug = slug(one.name.as_deref().unwrap_or_default());
    if slug.is_empty() { one.listed_id().to_ascii_lowercase() } else { slug }
}

fn sold(one: &TypeJson, period: Period, shared: bool) -> Sold {
    let slug = slug_of(one);
    let (base_price, seat_price) = one.prices(period);
    let included_seats = one.included();
    let mut id = format!("{slug}-{}", period.word());
    if shared {
        id = format!("{id}-{}", one.listed_id());
    }
    let max_members = if seat_price.is_some() { None } else { included_seats };
    let offer = PlanOffer {
        id: PlanId::new(id),
        name: one.name.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| slug.clone()),
        family: PlanFamily::new(slug),
        yearly: period == Period::Yearly,
        base_price,
        included_seats,
        seat_price,
        max_members,
        multi_member: max_members.is_none_or(|most| most > 1),
        // What has no price is sold by talking to people.
        available: base_price.is_some(),
    };
    Sold { type_id: one.listed_id().to_owned(), period, offer }
}

/// Which of the user's payment methods is used: the configured one, or the only one.
///
/// # Errors
/// There is none, or which one is meant is not for us to guess; what to do is said.
pub(super) fn payment(listed: &[PaymentMethodJson], configured: Option<&str>) -> Result<String, String> {
    let names = || {
        let names: Vec<String> = listed.iter().map(|one| inert(&one.words()).into_owned()).collect();
        names.join(", ")
    };
    match (configured, listed) {
        (_, []) => Err("the token's user has no payment method, so nothing that costs can be bought; add one in the \
                        service's billing settings"
            .to_owned()),
        (Some(id), listed) if listed.iter().any(|one| one.listed_id() == id) => Ok(id.to_owned()),
        (Some(id), _) => Err(format!(
            "the payment method {} that was named is none of the token's user's; name one of these: {}",
            inert(id),
            names()
        )),
        (None, [only]) => Ok(only.listed_id().to_owned()),
        (None, _) => Err(format!(
            "there are several payment methods; name the one to pay with (--payment-method ID): {}",
            names()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn types(json: Value) -> Vec<TypeJson> {
        serde_json::from_value(json).unwrap()
    }

    fn catalogue(json: Value) -> Catalogue {
        Catalogue::new(&types(json), Ok("pm".into()))
    }

    #[test]
    fn a_type_is_a_plan_by_the_month_and_one_by_the_year() {
        let sold = catalogue(json!([
            {"id": "t1", "name": "Starter", "capabilities": {"collaborators": {"included": 1}},
             "monthly_dollar_price": 0, "yearly_dollar_price": 0},
            {"id": "t2", "name": "Pro Team", "capabilities": {"collaborators": {"included": 2, "used": 0}, "x": [1]},
             "monthly_dollar_price": 19, "yearly_dollar_price": 190,
             "monthly_seats_addon_dollar_price": 19, "yearly_seats_addon_dollar_price": 190},
            {"id": "t3", "name": "Enterprise", "capabilities": "on request"},
        ]));
        let mut told = String::new();
        for plan in sold.plans() {
            let PlanOffer { id, name, family, yearly, base_price, included_seats, seat_price, max_members, .. } = &plan;
            let money = |price: &Option<Money>| price.map_or_else(|| "custom".to_owned(), |price| price.to_string());
            told.push_str(&format!(
                "{id} {name:?} {family} yearly={yearly} {} {included_seats:?} seat {} most {max_members:?} several={} \
                 sold={}\n",
                money(base_price),
                money(seat_price),
                plan.multi_member,
                plan.available
            ));
        }
        insta::assert_snapshot!(told, @r#"
        starter-monthly "Starter" starter yearly=false 0.00 Some(1) seat custom most Some(1) several=false sold=true
        starter-yearly "Starter" starter yearly=true 0.00 Some(1) seat custom most Some(1) several=false sold=true
        pro-team-monthly "Pro Team" pro-team yearly=false 19.00 Some(2) seat 19.00 most None several=true sold=true
        pro-team-yearly "Pro Team" pro-team yearly=true 190.00 Some(2) seat 190.00 most None several=true sold=true
        enterprise-monthly "Enterprise" enterprise yearly=false custom None seat custom most None several=true sold=false
        enterprise-yearly "Enterprise" enterprise yearly=true custom None seat custom most None several=true sold=false
        "#);
    }

    #[test]
    fn two_types_of_one_name_are_told_apart_and_an_account_of_neither_is_on_no_listed_plan() {
        let sold = catalogue(json!([
            {"id": "a1", "name": "Pro", "monthly_dollar_price": 19},
            {"id": "b2", "name": "PRO!", "monthly_dollar_price": 99},
            {"id": "c3", "name": "Plus", "monthly_dollar_price": 5},
            {"id": "D4", "name": null},
        ]));
        let ids: Vec<_> = sold.plans().iter().map(|plan| plan.id.to_string()).collect();
        assert_eq!(
            ids,
            [
                "pro-monthly-a1",
                "pro-yearly-a1",
                "pro-monthly-b2",
                "pro-yearly-b2",
                "plus-monthly",
                "plus-yearly",
                "d4-monthly",
                "d4-yearly"
            ]
        );
        let plan = |type_id, name, period| sold.plan_of(type_id, name, period).map(|plan| plan.to_string());
        for (type_id, name, period, expected) in [
            (Some("b2"), Some("Pro"), Some("yearly"), Some("pro-yearly-b2")),
            (Some("b2"), None, None, Some("pro-monthly-b2")),
            (Some("b2"), Some("Pro"), Some("every Tuesday"), Some("pro-every-tuesday")),
            (Some("old"), Some("Plus"), Some("monthly"), Some("plus-monthly-old")),
            (Some("old"), Some("Legacy Plan"), Some("monthly"), Some("legacy-plan-monthly")),
            (Some("old"), None, Some("monthly"), Some("old-monthly")),
            (None, Some("Plus"), Some("monthly"), Some("plus-monthly")),
            (None, None, Some("monthly"), None),
        ] {
            assert_eq!(plan(type_id, name, period).as_deref(), expected, "{type_id:?} {name:?} {period:?}");
        }
    }

    #[test]
    fn seats_are_bought_beyond_those_included_and_only_where_they_are_sold() {
        let sold = catalogue(json!([
            {"id": "t", "name": "Team", "capabilities": {"collaborators": {"included": 2}},
             "monthly_dollar_price": 0, "monthly_seats_addon_dollar_price": 9, "yearly_dollar_price": -1},
        ]));
        let by_month = sold.sold(&PlanId::new("team-monthly")).unwrap();
        for (seats, extra, costs) in
            [(None, None, false), (Some(1), Some(0), false), (Some(2), Some(0), false), (Some(5), Some(3), true)]
        {
            assert_eq!(by_month.extra_seats(seats), Ok(extra));
            assert_eq!(by_month.costs(extra), costs, "{seats:?}");
        }
        let by_year = sold.sold(&PlanId::new("team-yearly")).unwrap();
        assert_eq!((by_year.offer.base_price, by_year.offer.max_members), (None, Some(2)), "below nought is no price");
        assert_eq!((by_year.extra_seats(Some(2)), by_year.costs(None)), (Ok(None), true));
        by_year.extra_seats(Some(3)).unwrap_err();
    }

    #[test]
    fn a_payment_method_is_the_named_one_or_the_only_one_and_never_guessed() {
        let listed = |ids: &[&str]| -> Vec<PaymentMethodJson> {
            let methods: Vec<_> = ids.iter().map(|id| json!({"id": id, "method_name": "Visa\u{1b}"})).collect();
            serde_json::from_value(Value::from(methods)).unwrap()
        };
        let said = |ids: &[&str], configured| payment(&listed(ids), configured);
        assert_eq!(said(&["pm1"], None), Ok("pm1".to_owned()));
        assert_eq!(said(&["pm1", "pm2"], Some("pm2")), Ok("pm2".to_owned()));
        let told = [said(&[], None), said(&[], Some("pm1")), said(&["pm1"], Some("pm9")), said(&["pm1", "pm2"], None)];
        let told: Vec<_> = told.into_iter().map(Result::unwrap_err).collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        the token's user has no payment method, so nothing that costs can be bought; add one in the service's billing settings
        the token's user has no payment method, so nothing that costs can be bought; add one in the service's billing settings
        the payment method pm9 that was named is none of the token's user's; name one of these: pm1 (Visa\u{1b})
        there are several payment methods; name the one to pay with (--payment-method ID): pm1 (Visa\u{1b}), pm2 (Visa\u{1b})
        ");
    }
}
