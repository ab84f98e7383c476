//! What testers arrange: people who sign up, and accounts that somebody made by hand.

use std::collections::BTreeMap;

use crate::sandbox::catalogue::Plan;
use crate::sandbox::world::{Access, Account, Card, Change, Draft, Member, Subscription, User, UserId, same_email};

use super::payments::pay_all;
use super::subscription::begin;
use super::{Faults, Moment, Refusal, is_email};

/// A person who signs up, or whose particulars change.
#[derive(Debug, Clone, Default)]
pub struct SignUp {
    pub email: String,
    /// Left out: verified, or as it was.
    pub verified: Option<bool>,
    /// The number of a card; left out: none, or as it was.
    pub card: Option<String>,
}

/// Signs a person up; `true` beside the user where they are new. Who is a user already
/// keeps what is left out.
pub fn sign_up(m: &Moment, ask: &SignUp) -> Result<(Draft, (User, bool)), Refusal> {
    let mut faults = Faults::default();
    if !is_email(&ask.email) {
        faults.note("email", "is an invalid email address");
    }
    let card = ask.card.as_deref().map(read_card);
    if card == Some(None) {
        faults.note("card", "is not a test card: 4242 4242 4242 4242 succeeds, 4000 0000 0000 0341 fails");
    }
    faults.refuse_if_any()?;

    let mut draft = Draft::of(m.world);
    let known = m.world.user_by_email(&ask.email).cloned();
    let is_new = known.is_none();
    let before = known.unwrap_or_else(|| newcomer(m, &mut draft, &ask.email));
    let user = User {
        verified: ask.verified.unwrap_or(before.verified),
        card: card.flatten().or(before.card),
        updated_at: m.now,
        ..before
    };
    draft.put(Change::PutUser(user.clone()));
    if user.card == Some(Card::Accepted) {
        pay_all(m, &mut draft, user.id);
    }
    Ok((draft, (user, is_new)))
}

/// Somebody who is a user already has another card; one that pays pays what is open.
pub fn change_card(m: &Moment, email: &str, number: &str) -> Result<(Draft, User), Refusal> {
    if is_email(email) && m.world.user_by_email(email).is_none() {
        let mut faults = Faults::default();
        faults.note("email", "is not a registered user");
        faults.refuse_if_any()?;
    }
    let ask = SignUp { email: email.to_owned(), verified: None, card: Some(number.to_owned()) };
    sign_up(m, &ask).map(|(draft, (user, _))| (draft, user))
}

/// How a test card behaves (rule 9); `None` for any other number.
fn read_card(number: &str) -> Option<Card> {
    let digits: String = number.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    match digits.as_str() {
        "4242424242424242" => Some(Card::Accepted),
        "4000000000000341" => Some(Card::Refused),
        _ => None,
    }
}

fn newcomer(m: &Moment, draft: &mut Draft, email: &str) -> User {
    User {
        id: draft.next_user(),
        email: email.to_owned(),
        verified: true,
        card: None,
        created_at: m.now,
        updated_at: m.now,
    }
}

/// Signs up somebody who is no user yet.
pub fn enter(m: &Moment, draft: &mut Draft, email: &str) -> User {
    let user = newcomer(m, draft, email);
    draft.put(Change::PutUser(user.clone()));
    user
}

/// An account that somebody made by hand, before or beside the API.
#[derive(Debug, Clone)]
pub struct Arrangement {
    pub name: String,
    pub email: String,
    /// The caller where left out.
    pub owner: Option<String>,
    /// Whether the caller is a member of an account of somebody else's.
    pub with_caller: bool,
    pub plan: Option<String>,
    /// Enough for everyone where left out.
    pub seats: Option<u32>,
    pub members: Vec<(String, Access)>,
}

/// Makes an account as arranged. Whoever it names and is no user yet signs up; nothing is
/// charged, mailed, or counted as done over the API.
pub fn arrange(m: &Moment, ask: &Arrangement) -> Result<(Draft, Account), Refusal> {
    let caller = m.user()?;
    let people = people_of(ask, &caller.email);
    let plan = check_arrangement(m, ask, &people)?;

    let mut draft = Draft::of(m.world);
    let account = Account {
        id: draft.next_account(),
        name: ask.name.clone(),
        email: ask.email.clone(),
        created_at: m.now,
        updated_at: m.now,
    };
    draft.put(Change::PutAccount(account.clone()));
    let mut entered: BTreeMap<String, UserId> = BTreeMap::new();
    let mut owner = None;
    for (email, access) in &people {
        let user_id = match m.world.user_by_email(email) {
            Some(user) => user.id,
            None => *entered.entry(email.to_ascii_lowercase()).or_insert_with(|| enter(m, &mut draft, email).id),
        };
        // The first of them pays.
        owner = owner.or(Some(user_id));
        let id = draft.next_member();
        draft.put(Change::PutMember(Member {
            id,
            account_id: account.id,
            user_id: Some(user_id),
            email: email.clone(),
            access: *access,
            created_at: m.now,
        }));
    }
    if let Some(plan) = plan {
        let enough = u32::try_from(people.len()).unwrap_or(u32::MAX).max(plan.least_seats());
        let seats = ask.seats.unwrap_or(enough);
        let chosen = begin(&mut draft, account.id, (plan.identifier, plan.period), seats, (m.now, m.now));
        draft.put(Change::PutSubscription(Subscription { payer: owner, ..chosen }));
    }
    Ok((draft, account))
}

/// Everyone in an arranged account: the owner first, each person once.
fn people_of(ask: &Arrangement, caller: &str) -> Vec<(String, Access)> {
    let owner = ask.owner.as_deref().unwrap_or(caller);
    let owner_access = ask.members.iter().find(|(email, _)| same_email(email, owner)).map_or(Access::Full, |it| it.1);
    let mut people = vec![(owner.to_owned(), owner_access)];
    let us = ask.with_caller.then(|| (caller.to_owned(), Access::Full));
    for (email, access) in ask.members.iter().cloned().chain(us) {
        if !people.iter().any(|(other, _)| same_email(other, &email)) {
            people.push((email, access));
        }
    }
    people
}

fn check_arrangement(
    m: &Moment,
    ask: &Arrangement,
    people: &[(String, Access)],
) -> Result<Option<&'static Plan>, Refusal> {
    let mut faults = Faults::default();
    if ask.name.trim().is_empty() {
        faults.note("name", "can't be blank");
    }
    if !is_email(&ask.email) {
        faults.note("email", "is an invalid email address");
    }
    for (email, _) in people.iter().filter(|(email, _)| !is_email(email)) {
        faults.note("members", format!("`{email}` is an invalid email address"));
    }
    let plan = ask.plan.as_deref().map(|identifier| m.terms.plan(identifier));
    let count = u32::try_from(people.len()).unwrap_or(u32::MAX);
    match plan {
        Some(None) => faults.note("plan", "is unknown"),
        Some(Some(plan)) if !plan.takes(count) => faults.note("plan", format!("takes fewer members than {count}")),
        Some(Some(_)) if ask.seats.is_some_and(|seats| seats < count) => {
            faults.note("seats", format!("is fewer than the members ({count})"));
        }
        Some(Some(_)) | None => {}
    }
    faults.refuse_if_any()?;
    Ok(plan.flatten())
}
