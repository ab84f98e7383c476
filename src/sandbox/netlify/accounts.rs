//! Accounts with their plans: creating both in one, changing either, closing.

use crate::sandbox::catalogue::{Period, Plan};
use crate::sandbox::rules::accounts::check_name;
use crate::sandbox::rules::payments::lapse;
use crate::sandbox::rules::subscription::{begin, difference, ended, first_bill};
use crate::sandbox::rules::{Door, Faults, Moment, Refusal, is_email, moved};
use crate::sandbox::world::{Access, Account, AccountId, Card, Change, Draft, Member, Subscription, World};

use super::team::Team;
use super::types::AccountType;
use super::{ids, slug};

/// The most seats beyond those that come with a type.
const MOST_EXTRA_SEATS: i64 = 10_000;

/// An account with everything that is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    pub account: Account,
    pub team: Team,
    pub subscription: Option<Subscription>,
    pub members: Vec<Member>,
}

impl Whole {
    /// An account as it is in this world.
    pub fn of(world: &World, account: &Account) -> Self {
        let team = world.teams.get(&account.id).cloned();
        Self {
            account: account.clone(),
            team: team.unwrap_or_else(|| Team::new(account.id, String::new())),
            subscription: world.subscriptions.get(&account.id).cloned(),
            members: world.members_of(account.id).to_vec(),
        }
    }

    /// The plan in force; without one it is the free type's.
    pub fn plan(&self) -> &'static Plan {
        let in_force = self.subscription.as_ref().filter(|it| it.in_force()).and_then(Subscription::plan);
        in_force.unwrap_or_else(|| AccountType::of(None).plan(Period::Month))
    }

    /// The seats that are paid for.
    pub fn seats(&self) -> u32 {
        let in_force = self.subscription.as_ref().filter(|it| it.in_force());
        in_force.map_or_else(|| self.plan().least_seats(), |it| it.seats)
    }
}

/// What is asked for when an account is created.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    pub name: Option<String>,
    pub type_id: Option<String>,
    pub payment_method_id: Option<String>,
    pub period: Option<String>,
    pub extra_seats_block: Option<i64>,
}

/// What is asked for when one is changed; what is left out stays.
#[derive(Debug, Clone, Default)]
pub struct Update {
    pub name: Option<String>,
    pub slug: Option<String>,
    pub type_id: Option<String>,
    pub extra_seats_block: Option<i64>,
    pub billing_name: Option<String>,
    pub billing_email: Option<String>,
    pub billing_details: Option<String>,
}

/// Creates an account on a plan; the caller is its Owner, and its bills go to their email.
/// Repeating it makes another account.
pub fn create(m: &Moment, ask: &Setup) -> Result<(Draft, Whole), Refusal> {
    let owner = m.user()?;
    let name = ask.name.as_deref().unwrap_or_default();
    let mut faults = Faults::default();
    check_name(name, &mut faults);
    let period = read_period(ask.period.as_deref(), &mut faults);
    let chosen = read_type(ask.type_id.as_deref(), &mut faults).map(|it| it.plan(period));
    let seats = chosen.map(|plan| read_seats(plan, ask.extra_seats_block.unwrap_or(0), 1, &mut faults));
    check_payment_method(m, chosen, ask.payment_method_id.as_deref(), &mut faults);
    faults.refuse_if_any()?;
    let (Some(plan), Some(seats)) = (chosen, seats) else { return Err(Refusal::new(422, "type_id is unknown")) };

    let mut draft = Draft::of(m.world);
    let id = draft.next_account();
    let account =
        Account { id, name: name.to_owned(), email: owner.email.clone(), created_at: m.now, updated_at: m.now };
    let first = Member {
        id: draft.next_member(),
        account_id: id,
        user_id: Some(owner.id),
        email: owner.email.clone(),
        access: Access::Full,
        created_at: m.now,
    };
    let team = Team::new(id, slug::unique(m.world, name));
    let subscription = Subscription {
        payer: Some(owner.id),
        ..begin(&mut draft, id, (plan.identifier, plan.period), seats, (m.now, m.now))
    };
    let bill = first_bill(&subscription, m.now);
    if bill.amount.0 > 0 {
        check_it_pays(m, None)?;
    }
    bill.collect(&mut draft);
    draft.put(Change::PutAccount(account.clone()));
    draft.put(Change::PutMember(first.clone()));
    draft.put(Change::PutTeam(team.clone()));
    draft.put(Change::PutSubscription(subscription.clone()));
    if m.door == Door::Api {
        draft.meta.totals.accounts_created += 1;
        draft.meta.totals.subscriptions_created += 1;
    }
    Ok((draft, Whole { account, team, subscription: Some(subscription), members: vec![first] }))
}

/// Creates one of the free type whose bills go elsewhere: the service's own pages ask for
/// that at once.
pub fn create_free(m: &Moment, name: &str, email: &str) -> Result<(Draft, AccountId), Refusal> {
    let mut faults = Faults::default();
    if !is_email(email) {
        faults.note("email", "is an invalid email address");
    }
    faults.refuse_if_any()?;
    let type_id = Some(AccountType::of(None).id());
    let (mut draft, Whole { account, .. }) =
        create(m, &Setup { name: Some(name.to_owned()), type_id, ..Setup::default() })?;
    let id = account.id;
    draft.put(Change::PutAccount(Account { email: email.to_owned(), ..account }));
    Ok((draft, id))
}

fn read_period(word: Option<&str>, faults: &mut Faults) -> Period {
    match word {
        None | Some("monthly") => Period::Month,
        Some("yearly") => Period::Year,
        Some(_) => {
            faults.note("period", "must be monthly or yearly");
            Period::Month
        }
    }
}

fn read_type(id: Option<&str>, faults: &mut Faults) -> Option<&'static AccountType> {
    let found = id.and_then(AccountType::find);
    if found.is_none() {
        faults.note("type_id", if id.is_none_or(str::is_empty) { "can't be blank" } else { "is unknown" });
    }
    found
}

/// The seats of a plan with so many more, where they are sold and everyone has one.
fn read_seats(plan: &Plan, extra: i64, members: u32, faults: &mut Faults) -> u32 {
    if !(0..=MOST_EXTRA_SEATS).contains(&extra) {
        faults.note("extra_seats_block", format!("must be from 0 to {MOST_EXTRA_SEATS}"));
        return plan.least_seats();
    }
    if extra > 0 && plan.seat_price.is_none() {
        faults.note("extra_seats_block", "is not sold with this type");
        return plan.least_seats();
    }
    let seats = plan.least_seats() + u32::try_from(extra).unwrap_or(0);
    if seats < members {
        faults.note("extra_seats_block", format!("leaves fewer seats ({seats}) than there are members ({members})"));
    }
    seats
}

/// Whether a plan that costs something comes with a payment method of the caller's.
fn check_payment_method(m: &Moment, plan: Option<&Plan>, given: Option<&str>, faults: &mut Faults) {
    let costs = plan.is_some_and(|plan| plan.base_price.is_some_and(|price| price.0 > 0));
    let is_ours = |id: &str| m.user().is_ok_and(|user| user.card.is_some() && ids::payment_method(user.id) == id);
    match given {
        None if costs => faults.note("payment_method_id", "can't be blank"),
        Some(id) if !is_ours(id) => faults.note("payment_method_id", "is unknown"),
        None | Some(_) => {}
    }
}

/// Whether the caller's payment method pays now, and nothing is open for the account.
fn check_it_pays(m: &Moment, account: Option<AccountId>) -> Result<(), Refusal> {
    let refused = match m.user()?.card {
        None => Some("A payment method is required"),
        Some(Card::Refused) => Some("The payment method was declined"),
        Some(Card::Accepted) if account.is_some_and(|id| m.world.payments_of(id).next().is_some()) => {
            Some("An open invoice must be paid first")
        }
        Some(Card::Accepted) => None,
    };
    refused.map_or(Ok(()), |why| Err(Refusal::new(422, why)))
}

/// Changes an account: its plan and seats at once, with the difference charged for the rest
/// of the period and nothing given back. States an end: repeating it changes nothing.
pub fn update(m: &Moment, id: AccountId, ask: &Update) -> Result<(Draft, Whole), Refusal> {
    let before = Whole::of(m.world, m.managed(id)?);
    let Update { name, slug, type_id, extra_seats_block, billing_name, billing_email, billing_details } = ask;
    let mut faults = Faults::default();
    let mut after = before.clone();
    if let Some(name) = name {
        check_name(name, &mut faults);
        after.account.name.clone_from(name);
    }
    if let Some(email) = billing_email {
        if !is_email(email) {
            faults.note("billing_email", "is an invalid email address");
        }
        after.account.email.clone_from(email);
    }
    if let Some(wanted) = slug {
        if !slug::is_slug(wanted) {
            faults.note("slug", "may have lower-case letters, digits and single hyphens only");
        } else if slug::is_taken(m.world, wanted, Some(id)) {
            faults.note("slug", "has already been taken");
        }
        after.team.slug.clone_from(wanted);
    }
    for (field, wanted) in
        [(&mut after.team.billing_name, billing_name), (&mut after.team.billing_details, billing_details)]
    {
        if wanted.is_some() {
            field.clone_from(wanted);
        }
    }
    let asks_for_a_plan = type_id.is_some() || extra_seats_block.is_some();
    let (plan, seats) = read_plan(&before, type_id.as_deref(), *extra_seats_block, &mut faults);
    faults.refuse_if_any()?;

    let mut draft = Draft::of(m.world);
    if asks_for_a_plan {
        after.subscription = set_plan(m, &mut draft, &before, plan, seats)?;
    }
    if after != before {
        after.account = Account { updated_at: moved(&before.account, m.now).updated_at, ..after.account };
        draft.put(Change::PutAccount(after.account.clone()));
        draft.put(Change::PutTeam(after.team.clone()));
    }
    Ok((draft, after))
}

/// The plan and the seats that are asked for. The period stays; so do extra seats where they
/// are sold, unless another number is given.
fn read_plan(before: &Whole, type_id: Option<&str>, extra: Option<i64>, faults: &mut Faults) -> (&'static Plan, u32) {
    let current = before.plan();
    let chosen = type_id.and_then(|id| read_type(Some(id), faults));
    let plan = chosen.map_or(current, |it| it.plan(current.period));
    let is_asked_for = extra.is_some();
    let had = before.seats().saturating_sub(current.least_seats());
    let extra = extra.unwrap_or_else(|| if plan.seat_price.is_some() { i64::from(had) } else { 0 });
    let members = u32::try_from(before.members.len()).unwrap_or(u32::MAX);
    let mut own = Faults::default();
    let seats = read_seats(plan, extra, members, &mut own);
    if type_id.is_some() || is_asked_for {
        faults.merge(own);
    }
    (plan, seats)
}

/// Puts the account on this plan with these seats; the subscription as it is then.
fn set_plan(
    m: &Moment,
    draft: &mut Draft,
    before: &Whole,
    plan: &'static Plan,
    seats: u32,
) -> Result<Option<Subscription>, Refusal> {
    let id = before.account.id;
    let current = before.subscription.clone().filter(Subscription::in_force);
    let (next, bill) = match &current {
        Some(current) if current.plan_identifier == plan.identifier && current.seats == seats => {
            return Ok(before.subscription.clone());
        }
        Some(current) => {
            let next = Subscription { plan_identifier: plan.identifier.to_owned(), seats, ..current.clone() };
            let bill = difference(m, current, &next);
            (next, bill)
        }
        None => {
            let next = begin(draft, id, (plan.identifier, plan.period), seats, (m.now, m.now));
            draft.meta.totals.subscriptions_created += u64::from(m.door == Door::Api);
            let bill = first_bill(&next, m.now);
            (next, Some(bill))
        }
    };
    let next = Subscription { payer: Some(m.caller), updated_at: m.now, ..next };
    if let Some(bill) = bill.filter(|bill| bill.amount.0 > 0) {
        check_it_pays(m, Some(id))?;
        bill.collect(draft);
    }
    draft.put(Change::PutSubscription(next.clone()));
    Ok(Some(next))
}

/// Chooses one of the plans and all seats, by hand.
pub fn choose(m: &Moment, id: AccountId, identifier: &str, seats: u32) -> Result<(Draft, Subscription), Refusal> {
    let before = Whole::of(m.world, m.managed(id)?);
    let mut faults = Faults::default();
    let Some(plan) = m.terms.plan(identifier) else {
        return Err(Refusal::new(422, "The plan is unknown"));
    };
    let members = u32::try_from(before.members.len()).unwrap_or(u32::MAX);
    let seats = read_seats(plan, i64::from(seats) - i64::from(plan.least_seats()), members, &mut faults);
    faults.refuse_if_any()?;
    let mut draft = Draft::of(m.world);
    let after = set_plan(m, &mut draft, &before, plan, seats)?;
    m.touch(&mut draft, id);
    after.map(|after| (draft, after)).ok_or_else(|| Refusal::new(422, "Nothing was chosen"))
}

/// Closes an account: nobody sees it any more, and nothing is renewed.
pub fn close(m: &Moment, id: AccountId) -> Result<(Draft, ()), Refusal> {
    let whole = Whole::of(m.world, m.managed(id)?);
    let mut draft = Draft::of(m.world);
    lapse(m.world, &mut draft, id);
    if let Some(latest) = &whole.subscription {
        draft.put(Change::PutSubscription(ended(latest, m.now)));
    }
    draft.changes.extend(whole.members.into_iter().map(Change::DropMember));
    draft.put(Change::DropTeam(id));
    draft.put(Change::DropAccount(id));
    Ok((draft, ()))
}
