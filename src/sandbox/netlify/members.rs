//! Members: anybody can be added by email, with a role; somebody who is no user of the
//! service is invited and takes a seat all the same.

use crate::sandbox::rules::members::{is_last_in_charge, tell_newcomer};
use crate::sandbox::rules::{Door, Faults, Moment, Refusal, is_email};
use crate::sandbox::world::{Access, AccountId, Change, Draft, Member, same_email};

use super::accounts::Whole;
use super::ids;
use super::team::Role;

/// Adds somebody with a role, a Developer where none is given; the account afterwards.
/// Adding who is there already is refused.
pub fn add(m: &Moment, id: AccountId, email: Option<&str>, role: Option<&str>) -> Result<(Draft, Whole), Refusal> {
    let mut whole = Whole::of(m.world, m.managed(id)?);
    let email = email.unwrap_or_default();
    let mut faults = Faults::default();
    let role = read_role(role.or(Some(Role::Developer.word())), &mut faults);
    if !is_email(email) {
        faults.note("email", "is an invalid email address");
    } else if whole.members.iter().any(|member| same_email(&member.email, email)) {
        faults.note("email", "is already a member of this team");
    }
    if m.world.seats_taken(id) >= whole.seats() {
        faults.note("seats", "none available");
    }
    faults.refuse_if_any()?;

    let mut draft = Draft::of(m.world);
    let member = Member {
        id: draft.next_member(),
        account_id: id,
        user_id: m.world.user_by_email(email).map(|user| user.id),
        email: email.to_owned(),
        access: role.access(),
        created_at: m.now,
    };
    let is_invited = member.user_id.is_none();
    tell_newcomer(m, &mut draft, &whole.account, email, is_invited);
    whole.team.roles.insert(member.id, role);
    draft.put(Change::PutMember(member.clone()));
    draft.put(Change::PutTeam(whole.team.clone()));
    m.touch(&mut draft, id);
    if m.door == Door::Api {
        draft.meta.totals.members_added += 1;
        draft.meta.totals.invitations_sent += u64::from(is_invited);
    }
    whole.members.push(member);
    Ok((draft, whole))
}

fn read_role(word: Option<&str>, faults: &mut Faults) -> Role {
    word.and_then(Role::from_word).unwrap_or_else(|| {
        let words: Vec<_> = Role::ALL.iter().map(|role| role.word()).collect();
        faults.note("role", format!("must be one of {}", words.join(", ")));
        Role::Developer
    })
}

/// The member of this id.
pub fn find<'a>(whole: &'a Whole, id: &str) -> Result<&'a Member, Refusal> {
    let found = whole.members.iter().find(|member| ids::member(member) == id);
    found.ok_or_else(|| Refusal::new(404, "Not Found"))
}

/// Gives a member another role; the last Owner stays one.
pub fn set_role(
    m: &Moment,
    account: AccountId,
    id: &str,
    role: Option<&str>,
) -> Result<(Draft, (Member, Role)), Refusal> {
    let mut whole = Whole::of(m.world, m.managed(account)?);
    let member = find(&whole, id)?.clone();
    let mut faults = Faults::default();
    let before = Role::of(Some(&whole.team), &member);
    let role = read_role(role.or(Some(before.word())), &mut faults);
    if role.access() == Access::Limited && is_last_in_charge(m, &member) {
        faults.note("role", "cannot change: a team needs an Owner");
    }
    faults.refuse_if_any()?;
    let mut draft = Draft::of(m.world);
    let changed = Member { access: role.access(), ..member };
    if role != before {
        whole.team.roles.insert(changed.id, role);
        draft.put(Change::PutMember(changed.clone()));
        draft.put(Change::PutTeam(whole.team));
        m.touch(&mut draft, account);
    }
    Ok((draft, (changed, role)))
}
