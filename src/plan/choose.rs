//! Which plan a manifest's word means: an identifier, or a family of which any plan will do.

use crate::domain::{Money, PlanFamily, PlanId};
use crate::manifest::WantedPlan;
use crate::provider::{Offer, PlanOffer, Quirk};

use super::matching::join_and;
use super::policy::AllowedPlans;
use super::price;
use super::tree::Reason;

/// What the manifest's plan comes to for one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target<'a> {
    /// Nothing was said: whatever is in force stays.
    Untouched,
    /// No subscription.
    Nothing,
    /// The plan in force is what is wanted.
    InForce,
    /// This plan, which is not in force.
    Other(&'a PlanOffer),
    /// It cannot be chosen; a person must act.
    Refused {
        /// Which word was written.
        word: &'a str,
        /// The condition.
        reason: Reason,
        /// Why, and what to write instead. Inert text.
        message: String,
    },
}

impl Target<'_> {
    /// The same, or refused where the operator's list of plans does not have it.
    pub(super) fn within(self, allowed: &AllowedPlans, offer: &Offer) -> Self {
        match self {
            Target::Other(plan) if !allowed.allows(offer, &plan.id) => {
                let message = not_allowed(allowed, &plan.id);
                Target::Refused { word: plan.id.as_str(), reason: Reason::GuardRail, message }
            }
            target => target,
        }
    }
}

/// What to say of a plan that is not on the operator's list.
pub(super) fn not_allowed(allowed: &AllowedPlans, plan: &PlanId) -> String {
    format!("{plan} is not on --allowed-plans {allowed}; write one that is, or have it allowed")
}

/// Whether a plan is what the word means: the identifier itself, or a plan of the family,
/// legacy ones too. A plan that the server does not list is taken for one of the family
/// whose name its identifier begins with.
pub(super) fn satisfies(offer: &Offer, word: &str, plan: &PlanId) -> bool {
    if plan.as_str() == word {
        return true;
    }
    if offer.plans.iter().any(|listed| listed.id.as_str() == word) {
        return false;
    }
    match offer.plan(plan) {
        Some(listed) => listed.family.as_str() == word,
        None => plan.as_str().strip_prefix(word).is_some_and(|rest| rest.starts_with('-')),
    }
}

/// Finds the plan that is wanted. `members` is everyone wanted, so that the choice among a
/// family's plans does not change with who has signed up.
pub(super) fn choose<'a>(
    offer: &'a Offer,
    wanted: &'a WantedPlan,
    in_force: Option<&PlanId>,
    members: u32,
) -> Target<'a> {
    let word = match wanted {
        WantedPlan::Untouched => return Target::Untouched,
        WantedPlan::Nothing => return Target::Nothing,
        WantedPlan::Choice(word) => word.as_str(),
    };
    if in_force.is_some_and(|plan| satisfies(offer, word, plan)) {
        return Target::InForce;
    }
    let refused = |message| Target::Refused { word, reason: Reason::PlanUnavailable, message };
    if let Some(plan) = offer.plans.iter().find(|plan| plan.id.as_str() == word) {
        return if plan.available {
            Target::Other(plan)
        } else {
            refused(format!("the plan {} is not on sale any more, or not by self-service", plan.id))
        };
    }
    let family: Vec<&PlanOffer> = offer.plans.iter().filter(|plan| plan.family.as_str() == word).collect();
    if family.is_empty() {
        return refused(unknown(offer, word));
    }
    let on_sale: Vec<&PlanOffer> = family.iter().copied().filter(|plan| plan.available).collect();
    let on_sale = of_the_period(offer, on_sale, in_force);
    match on_sale.as_slice() {
        [] => refused(format!("no plan of the family {} is on sale by self-service", PlanFamily::new(word))),
        [only] => Target::Other(only),
        several => cheapest(several, members).map_or_else(
            || {
                let mut ids: Vec<String> = several.iter().map(|plan| plan.id.to_string()).collect();
                ids.sort();
                let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
                refused(format!(
                    "the family {} has several plans on sale, of which none is clearly the cheapest; write the \
                     identifier of one: {}",
                    PlanFamily::new(word),
                    join_and(&ids)
                ))
            },
            Target::Other,
        ),
    }
}

/// A year is only bought where its plan is named: of a family with plans by the month and by
/// the year, those by the month; where the period cannot be changed, those of the one in force.
fn of_the_period<'a>(offer: &Offer, plans: Vec<&'a PlanOffer>, in_force: Option<&PlanId>) -> Vec<&'a PlanOffer> {
    let fixed = in_force.filter(|_| offer.has_quirk(Quirk::FixedPeriod)).and_then(|plan| offer.plan(plan));
    let yearly = fixed.is_some_and(|plan| plan.yearly);
    let (preferred, others): (Vec<_>, Vec<_>) = plans.into_iter().partition(|plan| plan.yearly == yearly);
    if preferred.is_empty() { others } else { preferred }
}

/// The cheapest for one more member: the lowest list price a month with everyone wanted and
/// one person more, among the plans that take as many (where one does). So that a client who
/// grows by one still has the plan that was the right one. `None` where two cost the same,
/// or a price is custom.
fn cheapest<'a>(plans: &[&'a PlanOffer], members: u32) -> Option<&'a PlanOffer> {
    let roomy: Vec<&PlanOffer> = plans.iter().copied().filter(|plan| price::takes(plan, members)).collect();
    let candidates = if roomy.is_empty() { plans.to_vec() } else { roomy };
    let priced: Option<Vec<(Money, &PlanOffer)>> =
        candidates.into_iter().map(|plan| Some((price::monthly(plan, members.saturating_add(1))?, plan))).collect();
    let mut priced = priced?;
    priced.sort_by(|(a, p), (b, q)| a.cmp(b).then_with(|| p.id.cmp(&q.id)));
    match priced.as_slice() {
        [(first, _), (second, _), ..] if first == second => None,
        [(_, plan), ..] => Some(plan),
        [] => None,
    }
}

fn unknown(offer: &Offer, word: &str) -> String {
    let shown = PlanId::new(word);
    let near = offer
        .plans
        .iter()
        .flat_map(|plan| [plan.id.as_str(), plan.family.as_str()])
        .map(|name| (strsim::damerau_levenshtein(name, word), name))
        .min()
        .filter(|(distance, name)| *distance <= 1 + name.chars().count() / 4);
    if let Some((_, name)) = near {
        return format!("no plan or family is called {shown}; did you mean {}?", PlanId::new(name));
    }
    let mut families: Vec<&str> =
        offer.plans.iter().filter(|plan| plan.available).map(|plan| plan.family.as_str()).collect();
    families.sort_unstable();
    families.dedup();
    let families: Vec<String> = families.iter().map(|family| PlanFamily::new(*family).to_string()).collect();
    let families: Vec<&str> = families.iter().map(String::as_str).collect();
    if families.is_empty() {
        format!("no plan or family is called {shown}; the server lists no plan that is on sale")
    } else {
        format!("no plan or family is called {shown}; on sale: {}", join_and(&families))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(id: &str, family: &str, base: Option<i64>, seat: Option<i64>, available: bool) -> PlanOffer {
        PlanOffer {
            id: PlanId::new(id),
            name: id.to_owned(),
            family: PlanFamily::new(family),
            yearly: id.ends_with("yearly"),
            base_price: base.map(Money::cents),
            included_seats: Some(1),
            seat_price: seat.map(Money::cents),
            max_members: if seat.is_some() { None } else { Some(1) },
            multi_member: seat.is_some(),
            available,
        }
    }

    fn offer(plans: Vec<PlanOffer>) -> Offer {
        Offer { account_management: true, plans, ..Offer::default() }
    }

    fn said(target: &Target<'_>) -> String {
        match target {
            Target::Other(plan) => plan.id.to_string(),
            Target::Refused { message, .. } => message.clone(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_word_is_an_identifier_first_and_a_family_else() {
        let offer = offer(vec![
            plan("solo-v2-monthly", "solo", Some(0), None, true),
            plan("teams-v1-monthly", "teams", Some(1900), Some(1900), false),
            plan("teams-v2-monthly", "teams", Some(2900), Some(2900), true),
            plan("old-monthly", "old", Some(500), None, false),
        ]);
        for (word, in_force, expected) in [
            ("teams", None, "teams-v2-monthly"),
            ("teams-v2-monthly", None, "teams-v2-monthly"),
            ("teams", Some("teams-v1-monthly"), "InForce"),
            ("teams", Some("teams-v0-unlisted"), "InForce"),
            ("teams", Some("teamster-v1"), "teams-v2-monthly"),
            ("teams-v2-monthly", Some("teams-v1-monthly"), "teams-v2-monthly"),
            ("solo", Some("teams-v2-monthly"), "solo-v2-monthly"),
            ("teams-v1-monthly", None, "the plan teams-v1-monthly is not on sale any more, or not by self-service"),
            ("teams-v1-monthly", Some("teams-v1-monthly"), "InForce"),
            ("old", None, "no plan of the family old is on sale by self-service"),
            ("taems", None, "no plan or family is called taems; did you mean teams?"),
            ("teams-v2-montly", None, "no plan or family is called teams-v2-montly; did you mean teams-v2-monthly?"),
            ("business", None, "no plan or family is called business; on sale: solo and teams"),
            ("\u{1b}[31m", None, "no plan or family is called \\u{1b}[31m; on sale: solo and teams"),
        ] {
            let wanted = WantedPlan::Choice(word.to_owned());
            let in_force = in_force.map(PlanId::new);
            assert_eq!(said(&choose(&offer, &wanted, in_force.as_ref(), 1)), expected, "{word}");
        }
    }

    #[test]
    fn of_several_plans_the_cheapest_for_one_more_member_is_chosen() {
        let flat = |price| plan("flat-monthly", "teams", Some(price), Some(0), true);
        let seats = plan("seats-monthly", "teams", Some(1000), Some(1000), true);
        let wanted = WantedPlan::Choice("teams".to_owned());
        let chosen = |plans: Vec<PlanOffer>, members| said(&choose(&offer(plans), &wanted, None, members));
        assert_eq!(chosen(vec![flat(3000), seats.clone()], 1), "seats-monthly", "20.00 for two");
        assert_eq!(chosen(vec![flat(2500), seats.clone()], 2), "flat-monthly", "25.00 against 30.00 for three");
        let undecided = "the family teams has several plans on sale, of which none is clearly the cheapest; write the \
                         identifier of one: flat-monthly and seats-monthly";
        assert_eq!(chosen(vec![flat(2000), seats.clone()], 1), undecided, "a tie");
        let custom = PlanOffer { base_price: None, ..flat(0) };
        assert_eq!(chosen(vec![custom, seats.clone()], 1), undecided, "a custom price");
        let single = plan("single-monthly", "teams", Some(0), None, true);
        assert_eq!(chosen(vec![single, seats], 2), "seats-monthly", "one that takes the members");
    }
}
