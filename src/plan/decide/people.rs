//! Who is in an account, who leaves it, who is to come, and who may do what.

use std::collections::HashSet;

use crate::domain::{Access, Email, MemberId, Role};
use crate::manifest::{Client, Membership, WantedMember};
use crate::plan::tree::{Action, ActionState, Drift, DriftKind, Op, Reason, Told};
use crate::plan::{ObservedAccount, Reading};
use crate::provider::{Capability, Member, MemberState, Offer, PlanOffer};

use super::World;

/// The members of an account as far as they are known.
pub(in crate::plan) struct People {
    /// Sorted by email; an empty list where they could not be read.
    pub(in crate::plan) present: Vec<Member>,
    /// Why they could not be read.
    pub(super) unreadable: Option<String>,
    /// Who counts on somebody's word, where members cannot be read at all.
    pub(super) told: Vec<Told>,
    /// Of whom nobody's word counts that should be known.
    pub(super) untold: Vec<Email>,
}

/// A member who is to leave, and whether they go.
pub(in crate::plan) struct Removal {
    pub(in crate::plan) action: Action,
}

/// A person who is to come, and whether they do.
pub(super) struct Add {
    pub(super) action: Action,
    /// Takes a seat from the start: they are a user, or may be invited.
    pub(super) known: bool,
}

impl People {
    /// The owner alone, as in an account that is about to be made: the caller's user becomes
    /// its first member.
    pub(super) fn of_new(world: &World<'_>) -> Self {
        let owner = Member {
            id: MemberId::new(""),
            email: world.ourselves().clone(),
            access: Access::Full,
            role: None,
            state: MemberState::Active,
        };
        Self::read(vec![owner])
    }

    const fn read(present: Vec<Member>) -> Self {
        Self { present, unreadable: None, told: Vec::new(), untold: Vec::new() }
    }

    fn unread(why: String) -> Self {
        Self { unreadable: Some(why), ..Self::read(Vec::new()) }
    }

    /// The members that were seen; where the service shows none to any program, those of whom
    /// somebody told.
    pub(super) fn of(world: &World<'_>, client: &Client, observed: &ObservedAccount) -> Self {
        match &observed.members {
            Reading::Seen(members) => {
                let mut present = members.clone();
                present.sort_by(|a, b| (&a.email, a.state, &a.id).cmp(&(&b.email, b.state, &b.id)));
                Self::read(present)
            }
            Reading::NotRead if !world.offer().account_management => Self::by_word(world, client, &observed.account.id),
            Reading::NotRead => Self::unread("they were not read".to_owned()),
            Reading::Failed(why) => Self::unread(why.to_string()),
        }
    }

    /// The membership or invitation of a person.
    pub(in crate::plan) fn get(&self, person: &Email) -> Option<&Member> {
        let first = self.present.partition_point(|member| member.email < *person);
        self.present.get(first).filter(|member| member.email == *person)
    }

    /// How many take a seat.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.present.len()).unwrap_or(u32::MAX)
    }
}

/// Who is wanted: the members listed, without those who leave by an offboarding. What a role
/// may do is the server's word; one that it does not have gives nobody full access.
pub(super) fn wanted(world: &World<'_>, client: &Client) -> Vec<WantedMember> {
    let listed = client.members.iter().filter(|member| world.leaves_by(&member.email).is_none());
    let mut wanted: Vec<_> = listed
        .map(|member| {
            let access = member.role.as_ref().and_then(|role| world.offer().access_of(role));
            let unknown = if member.role.is_some() { Access::Limited } else { member.access };
            WantedMember { access: access.unwrap_or(unknown), ..member.clone() }
        })
        .collect();
    wanted.sort_by(|a, b| a.email.cmp(&b.email));
    wanted.dedup_by(|a, b| a.email == b.email);
    wanted
}

/// Who is to leave: the offboarded, and in an exclusive account those whom nobody lists.
/// Never ourselves, and never the last member with full access.
pub(super) fn removals(world: &World<'_>, client: &Client, people: &People) -> Vec<Removal> {
    let wanted = wanted(world, client);
    let listed = |person: &Email| wanted.binary_search_by(|member| member.email.cmp(person)).is_ok();
    let exclusive = client.membership == Membership::Exclusive;
    let mut leaving: Vec<(bool, &Member)> = people
        .present
        .iter()
        .filter_map(|member| {
            let offboarded = world.leaves_by(&member.email).is_some();
            let unlisted = exclusive && !listed(&member.email) && member.email != *world.ourselves();
            (offboarded || unlisted).then_some((offboarded, member))
        })
        .collect();
    leaving.sort_by_key(|(offboarded, _)| !offboarded);

    let mut full = full_access(people);
    leaving
        .into_iter()
        .map(|(offboarded, member)| {
            let action = removal(world, client, member, offboarded, full);
            if action.is_going() && counts_as_full(member) {
                full -= 1;
            }
            Removal { action }
        })
        .collect()
}

fn removal(world: &World<'_>, client: &Client, member: &Member, offboarded: bool, full: usize) -> Action {
    let Member { id, email, access, role: _, state } = member;
    let invited = *state == MemberState::Invited;
    let mut action =
        Action::planned(Op::RemoveMember { id: id.clone(), email: email.clone(), access: *access, invited });
    action.offboarding = offboarded;
    if let Some(document) = world.leaves_by(email) {
        let why = document.reason.as_deref().map(|why| format!(": {}", crate::domain::text::inert(why)));
        action = action.noting(&format!("offboarded by {}{}", document.name, why.unwrap_or_default()));
    }
    if email == world.ourselves() {
        let message = "that is the user whose token this is, and nobody removes themselves; another member with full \
                       access has to, or another token";
        action.hold(ActionState::Blocked, Reason::LastFullAccess, message);
    } else if counts_as_full(member) && full <= 1 {
        let message = "the last member with full access; give somebody else full access first";
        action.hold(ActionState::Blocked, Reason::LastFullAccess, message);
    } else {
        action = world.recall(&client.name, action);
        if action.is_planned() && !offboarded && !world.inputs.policy.allow_removals {
            let message = "nobody lists them, but removals are off; allow them with --allow-removals, or list them";
            action.hold(ActionState::Blocked, Reason::GuardRail, message);
        }
    }
    action
}

/// Whether a member can manage the account.
fn counts_as_full(member: &Member) -> bool {
    member.access == Access::Full && member.state == MemberState::Active
}

fn full_access(people: &People) -> usize {
    people.present.iter().filter(|member| counts_as_full(member)).count()
}

/// Who is to come. Emails that the server refuses as members block at once; whoever is not
/// known to be a user is tried without a seat of their own.
pub(super) fn adds(world: &World<'_>, client: &Client, people: &People) -> Vec<Add> {
    let mut adds: Vec<Add> = wanted(world, client)
        .into_iter()
        .filter(|member| member.email != *world.ourselves() && people.get(&member.email).is_none())
        .map(|member| {
            let known = world.is_user(&member.email);
            let WantedMember { email, access, role, source: _, through: _ } = &member;
            let op = Op::AddMember { email: email.clone(), access: *access, role: role.clone() };
            let mut action = Action::planned(op);
            action.unregistered = !known;
            if member.email == client.notification_email {
                let message = format!(
                    "{} is the notification email of this account, which cannot be a member's; use another one for \
                     either",
                    member.email
                );
                action.hold(ActionState::Blocked, Reason::NotificationEmailConflict, message);
            } else if let Some(message) = no_such_role(world.offer(), role.as_ref()) {
                action.hold(ActionState::Blocked, Reason::AccessUnavailable, message);
            } else if member.access == Access::Limited && !has_limited_access(world) {
                action.hold(ActionState::Blocked, Reason::AccessUnavailable, NO_LIMITED_ACCESS);
            }
            Add { action: world.recall(&client.name, action), known }
        })
        .collect();
    // Whoever takes a seat that was bought for them goes first.
    adds.sort_by_key(|add| !add.known);
    adds
}

/// Whether a member may do what is wanted, in the role that is wanted where one is.
fn is_granted(present: &Member, wanted: &WantedMember) -> bool {
    match &wanted.role {
        Some(role) => present.role.as_ref() == Some(role),
        None => present.access == wanted.access,
    }
}

/// What to say where a role is asked for that the server does not have.
fn no_such_role(offer: &Offer, role: Option<&Role>) -> Option<String> {
    let role = role.filter(|role| offer.access_of(role).is_none())?;
    let roles: Vec<String> = offer.roles.iter().map(|offered| offered.role.to_string()).collect();
    let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
    Some(if roles.is_empty() {
        format!("this server has no roles, and so no {role}; write access: full or access: limited in its place")
    } else {
        format!("this server has no role {role}; it has {}", crate::plan::matching::join_and(&roles))
    })
}

/// Whether there is limited access. What the server says of itself is no word on the web
/// pages on which a person works.
fn has_limited_access(world: &World<'_>) -> bool {
    let offer = world.offer();
    !offer.account_management || offer.capabilities.has(Capability::LimitedAccess)
}

const NO_LIMITED_ACCESS: &str = "this server has no limited access; write access: full, or leave the person out";

/// Invitations that are on their way, shown as waiting: an invitation is not sent twice.
pub(super) fn invitations(world: &World<'_>, client: &Client, people: &People, leaving: &[Removal]) -> Vec<Action> {
    let mut actions = Vec::new();
    let gone = gone(leaving);
    for member in wanted(world, client) {
        let Some(present) = people.get(&member.email) else { continue };
        if present.state == MemberState::Invited && !gone.contains(&member.email) {
            let WantedMember { email, access, role, source: _, through: _ } = &member;
            let op = Op::AddMember { email: email.clone(), access: *access, role: role.clone() };
            let word = people.told.iter().find(|told| told.email == member.email);
            let word = word.map_or_else(String::new, |told| format!(" ({})", told.word));
            let message = format!("{} has been invited and has not accepted yet{word}", member.email);
            actions.push(Action::held(op, ActionState::Waiting, Reason::AwaitingAcceptance, message));
        }
    }
    actions
}

/// Members who may do more or less than they are to. `single` says that the plan takes the
/// owner only, and so has no limited access (rule 14).
pub(super) fn accesses(
    world: &World<'_>,
    client: &Client,
    people: &People,
    leaving: &[Removal],
    single: bool,
) -> Vec<Action> {
    let gone = gone(leaving);
    let mut full =
        people.present.iter().filter(|member| counts_as_full(member) && !gone.contains(&member.email)).count();
    let mut actions = Vec::new();
    for member in wanted(world, client) {
        let Some(present) = people.get(&member.email) else { continue };
        if is_granted(present, &member) || member.email == *world.ourselves() || gone.contains(&member.email) {
            continue;
        }
        let missing = no_such_role(world.offer(), member.role.as_ref());
        let op = Op::SetAccess {
            id: present.id.clone(),
            email: member.email.clone(),
            from: present.access,
            to: if missing.is_some() { present.access } else { member.access },
            role: member.role.clone(),
        };
        let action = match member.access {
            _ if let Some(message) = missing => Action::blocked(op, Reason::AccessUnavailable, message),
            Access::Limited if single => {
                let message =
                    "the plan has no limited access; write access: full, or choose a plan for several members";
                Action::blocked(op, Reason::AccessUnavailable, message)
            }
            Access::Limited if !has_limited_access(world) => {
                Action::blocked(op, Reason::AccessUnavailable, NO_LIMITED_ACCESS)
            }
            Access::Limited if counts_as_full(present) && full <= 1 => {
                let message = "the last member with full access; give somebody else full access first";
                Action::blocked(op, Reason::LastFullAccess, message)
            }
            Access::Limited | Access::Full => world.recall(&client.name, Action::planned(op)),
        };
        if action.is_going() && counts_as_full(present) {
            full -= 1;
        }
        actions.push(action);
    }
    actions
}

/// Who is removed by this plan.
fn gone(leaving: &[Removal]) -> HashSet<&Email> {
    leaving
        .iter()
        .filter(|removal| removal.action.is_going())
        .filter_map(|removal| removal.action.op.person())
        .collect()
}

/// Members whom no manifest lists: somebody's hand.
pub(super) fn unlisted(world: &World<'_>, client: &Client, observed: &ObservedAccount, people: &People) -> Vec<Drift> {
    let wanted = wanted(world, client);
    let listed = |person: &Email| wanted.binary_search_by(|member| member.email.cmp(person)).is_ok();
    let strangers = people.present.iter().filter(|member| {
        member.email != *world.ourselves() && world.leaves_by(&member.email).is_none() && !listed(&member.email)
    });
    strangers
        .map(|member| {
            let told = people.told.iter().find(|told| told.email == member.email);
            let what = match (told, member.state) {
                (Some(Told { email: _, word }), _) => format!("is {} ({word})", word.says),
                (None, MemberState::Active) => format!("is a member with {} access", member.access),
                (None, MemberState::Invited) => format!("is invited with {} access", member.access),
            };
            Drift {
                account_id: observed.account.id.clone(),
                client: client.name.clone(),
                what: DriftKind::MemberAdded,
                email: Some(member.email.clone()),
                message: format!("{} {what}, and no manifest lists them", member.email),
            }
        })
        .collect()
}

/// Blocks those who cannot come because of the plan that is to be in force.
pub(super) fn check_room(adds: &mut [Add], plan: Option<&PlanOffer>, staying: u32) {
    let Some(plan) = plan else { return };
    let coming = adds.iter().filter(|add| add.action.is_going()).count();
    let everyone = staying.saturating_add(u32::try_from(coming).unwrap_or(u32::MAX));
    if crate::plan::price::takes(plan, everyone) {
        return;
    }
    let (reason, message) = match crate::plan::price::most_members(plan) {
        Some(1) => (
            Reason::PlanTakesOneMember,
            format!("{} takes the owner only; choose a plan for several members, or list nobody", plan.id),
        ),
        Some(most) => (
            Reason::TooManyMembers,
            format!("{} takes {most} members, and {everyone} are wanted; choose a larger plan or list fewer", plan.id),
        ),
        None => return,
    };
    for add in adds.iter_mut().filter(|add| add.action.is_planned()) {
        add.action.hold(ActionState::Blocked, reason, message.clone());
    }
}
