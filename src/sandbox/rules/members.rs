//! Members: adding, inviting, accepting, access, removing (rules 12 to 18).

use crate::sandbox::catalogue::Plan;
use crate::sandbox::world::{
    Access, Account, AccountId, Change, Draft, Mail, Member, MemberId, Subscription, User, same_email,
};

use super::{Door, Faults, MemberMode, Moment, Refusal, is_email};

/// Adds a registered user, or invites anybody, as the mode of the world is.
pub fn add(m: &Moment, id: AccountId, email: Option<&str>, access: Option<&str>) -> Result<(Draft, Member), Refusal> {
    let account = m.managed(id)?;
    let subscription = m.world.subscriptions.get(&id).filter(|subscription| subscription.in_force());
    let Some((subscription, plan)) = subscription.and_then(|it| it.plan().map(|plan| (it, plan))) else {
        return Err(Refusal::new(402, "The account is not subscribed to a plan"));
    };
    if !plan.multi_member {
        return Err(Refusal::new(412, "The plan takes one member only"));
    }
    let email = email.unwrap_or_default();
    let access = wanted_access(m, access, plan)?;
    let user = check_newcomer(m, account, subscription, email, access)?;

    let mut draft = Draft::of(m.world);
    let mut member = Member {
        id: draft.next_member(),
        account_id: id,
        user_id: None,
        email: email.to_owned(),
        access: access.unwrap_or(Access::Full),
        created_at: m.now,
    };
    if m.terms.member_mode == MemberMode::Registered {
        member.user_id = user.map(|user| user.id);
    }
    draft.put(Change::PutMember(member.clone()));
    tell_newcomer(m, &mut draft, account, email, m.terms.member_mode == MemberMode::Invite);
    m.touch(&mut draft, id);
    if m.door == Door::Api {
        draft.meta.totals.members_added += 1;
        draft.meta.totals.invitations_sent += u64::from(member.user_id.is_none());
    }
    Ok((draft, member))
}

/// Tells somebody by mail that they were invited or added.
pub fn tell_newcomer(m: &Moment, draft: &mut Draft, account: &Account, email: &str, is_invited: bool) {
    let what = if is_invited { "are invited" } else { "were added" };
    let subject = format!("You {what} to {}", account.name);
    let mail = Mail { id: draft.next_mail(), account_id: account.id, to: email.to_owned(), subject, at: m.now };
    draft.put(Change::PutMail(mail));
}

/// The access asked for; `Ok(None)` where the word is not one, or none was said.
fn wanted_access(m: &Moment, word: Option<&str>, plan: &Plan) -> Result<Option<Access>, Refusal> {
    let Some(word) = word else { return Ok(Some(Access::Full)) };
    let access = Access::from_word(word);
    if access == Some(Access::Limited) && !(plan.multi_member && m.terms.limits_access()) {
        return Err(Refusal::new(412, "The plan has no limited access"));
    }
    Ok(access)
}

/// Every fault of somebody who is to be added, at once; else their user, if they are one.
fn check_newcomer<'w>(
    m: &Moment<'w>,
    account: &Account,
    subscription: &Subscription,
    email: &str,
    access: Option<Access>,
) -> Result<Option<&'w User>, Refusal> {
    let mut faults = Faults::default();
    let user = m.world.user_by_email(email);
    if is_email(email) {
        if user.is_none() && m.terms.member_mode == MemberMode::Registered {
            faults.note("email", "is not a registered user");
        }
        if m.world.members_of(account.id).iter().any(|member| same_email(&member.email, email)) {
            faults.note("email", "has already been taken");
        }
        if same_email(&account.email, email) {
            faults.note("email", "is the notification email of this account");
        }
    } else {
        faults.note("email", "is an invalid email address");
    }
    if access.is_none() {
        faults.note("access", "must be full or limited");
    }
    if m.world.seats_taken(account.id) >= subscription.seats {
        faults.note("seats", "none available");
    }
    faults.refuse_if_any()?;
    Ok(user)
}

fn find<'w>(m: &Moment<'w>, account: AccountId, id: MemberId) -> Result<&'w Member, Refusal> {
    let found = m.world.members_of(account).iter().find(|member| member.id == id);
    found.ok_or_else(|| Refusal::absent("Member", id.0))
}

/// Whether nobody else in the account has full access.
pub fn is_last_in_charge(m: &Moment, member: &Member) -> bool {
    let in_charge = |other: &&Member| other.access == Access::Full && other.user_id.is_some();
    !m.world.members_of(member.account_id).iter().filter(in_charge).any(|other| other.id != member.id)
}

/// Gives a member full or limited access (rule 14).
pub fn set_access(
    m: &Moment,
    account: AccountId,
    id: MemberId,
    word: Option<&str>,
) -> Result<(Draft, Member), Refusal> {
    m.managed(account)?;
    let member = find(m, account, id)?;
    let offered = m.world.plan_in_force(account).is_some_and(|plan| plan.multi_member) && m.terms.limits_access();
    if !offered {
        return Err(Refusal::new(412, "The plan has no limited access"));
    }
    let Some(access) = word.and_then(Access::from_word) else {
        let mut faults = Faults::default();
        faults.note("access", "must be full or limited");
        faults.refuse_if_any()?;
        return Ok((Draft::of(m.world), member.clone()));
    };
    if access == Access::Limited && is_last_in_charge(m, member) {
        return Err(Refusal::new(403, "An account needs a member with full access"));
    }
    let mut draft = Draft::of(m.world);
    let changed = Member { access, ..member.clone() };
    if changed != *member {
        draft.put(Change::PutMember(changed.clone()));
        m.touch(&mut draft, account);
    }
    Ok((draft, changed))
}

/// Removes a member or revokes an invitation; nobody removes themselves (rule 18).
pub fn remove(m: &Moment, account: AccountId, id: MemberId) -> Result<(Draft, ()), Refusal> {
    m.managed(account)?;
    let member = find(m, account, id)?;
    if member.user_id == Some(m.caller) {
        return Err(Refusal::new(403, "You cannot remove yourself; another member with full access must"));
    }
    let mut draft = Draft::of(m.world);
    draft.put(Change::DropMember(member.clone()));
    m.touch(&mut draft, account);
    Ok((draft, ()))
}

/// The invited person accepts (rule 12); who is no user yet signs up on the way.
pub fn accept(m: &Moment, id: MemberId) -> Result<(Draft, Member), Refusal> {
    let Some(member) = m.world.member(id).filter(|member| member.user_id.is_none()) else {
        return Err(Refusal::absent("Invitation", id.0));
    };
    let mut draft = Draft::of(m.world);
    let user_id = match m.world.user_by_email(&member.email) {
        Some(user) => user.id,
        None => super::people::enter(m, &mut draft, &member.email).id,
    };
    draft.actor = Some(user_id);
    let joined = Member { user_id: Some(user_id), ..member.clone() };
    draft.put(Change::PutMember(joined.clone()));
    m.touch(&mut draft, member.account_id);
    Ok((draft, joined))
}
