//! Accounts: creating and renaming.

use crate::sandbox::world::{Access, Account, AccountId, Change, Draft, Member, same_email};

use super::{Door, Faults, Moment, Refusal, is_email, moved};

/// The most characters in the name of an account.
const LONGEST_NAME: usize = 255;

/// Notes what is wrong with the name of an account.
pub fn check_name(name: &str, faults: &mut Faults) {
    if name.trim().is_empty() {
        faults.note("name", "can't be blank");
    } else if name.chars().count() > LONGEST_NAME {
        faults.note("name", format!("is too long (maximum is {LONGEST_NAME} characters)"));
    }
}

fn check_email<'e>(email: &str, members: impl IntoIterator<Item = &'e str>, faults: &mut Faults) {
    if !is_email(email) {
        faults.note("email", "is an invalid email address");
    } else if members.into_iter().any(|member| same_email(member, email)) {
        faults.note("email", "is the user email of a member");
    }
}

/// Creates an account without a plan (rules 1, 2, 16); the caller is its first member.
pub fn create(m: &Moment, name: Option<&str>, email: Option<&str>) -> Result<(Draft, Account), Refusal> {
    let owner = m.user()?;
    let (name, email) = (name.unwrap_or_default(), email.unwrap_or_default());
    let mut faults = Faults::default();
    check_name(name, &mut faults);
    check_email(email, [owner.email.as_str()], &mut faults);
    faults.refuse_if_any()?;

    let mut draft = Draft::of(m.world);
    let account = Account {
        id: draft.next_account(),
        name: name.to_owned(),
        email: email.to_owned(),
        created_at: m.now,
        updated_at: m.now,
    };
    let first = Member {
        id: draft.next_member(),
        account_id: account.id,
        user_id: Some(owner.id),
        email: owner.email.clone(),
        access: Access::Full,
        created_at: m.now,
    };
    draft.put(Change::PutAccount(account.clone()));
    draft.put(Change::PutMember(first));
    if m.door == Door::Api {
        draft.meta.totals.accounts_created += 1;
    }
    Ok((draft, account))
}

/// Changes name and notification email, with or without a plan (rules 2, 16). What is
/// left out stays; a request that changes nothing moves nothing.
pub fn update(m: &Moment, id: AccountId, name: Option<&str>, email: Option<&str>) -> Result<(Draft, Account), Refusal> {
    let account = m.managed(id)?;
    let mut faults = Faults::default();
    if let Some(name) = name {
        check_name(name, &mut faults);
    }
    if let Some(email) = email {
        check_email(email, m.world.members_of(id).iter().map(|member| member.email.as_str()), &mut faults);
    }
    faults.refuse_if_any()?;

    let name = name.unwrap_or(&account.name);
    let email = email.unwrap_or(&account.email);
    let mut draft = Draft::of(m.world);
    if name == account.name && email == account.email {
        return Ok((draft, account.clone()));
    }
    let changed = Account { name: name.to_owned(), email: email.to_owned(), ..moved(account, m.now) };
    draft.put(Change::PutAccount(changed.clone()));
    Ok((draft, changed))
}
