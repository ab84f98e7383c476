//! People: who may be a member of what.

use std::collections::{HashMap, HashSet};

use crate::manifest::codes;
use crate::manifest::report::Draft;
use crate::manifest::resolve::{Who, World};
use crate::manifest::wanted::WantedPlan;

/// Plans and families on which the owner is the only member (rule 11 of the account API).
const PLANS_FOR_ONE: &[&str] = &["solo", "solo-v2-monthly", "dnsimple-personal", "dnsimple-professional"];

/// A person who is listed anywhere while an Offboarding takes them out of everything.
pub(super) fn nobody_listed_and_offboarded(world: &mut World) {
    let leaving: HashMap<_, _> = world
        .offboardings
        .iter()
        .flat_map(|leaving| leaving.document.people.iter().map(|person| (person, leaving.document.header.shown())))
        .map(|(person, name)| (person.value.key(), (person.span, name)))
        .collect();
    if leaving.is_empty() {
        return;
    }
    // A group's entry is reported once, however many clients name the group.
    let mut reported = HashSet::new();
    let mut drafts = Vec::new();
    for candidate in &mut world.candidates {
        for member in &candidate.members {
            let Some((leaves, name)) = leaving.get(member.value.email.key()) else { continue };
            let message = format!("{} is listed, and leaves by the Offboarding `{name}`", member.value.email);
            candidate.why.get_or_insert_with(|| message.clone());
            if reported.insert(member.span) {
                drafts.push(
                    Draft::new(&codes::LISTED_AND_OFFBOARDED, member.span, message)
                        .help("remove the person here, or from the Offboarding")
                        .related(*leaves, "offboarded here"),
                );
            }
        }
    }
    world.drafts.append(&mut drafts);
}

/// Rule 16: the notification email cannot be the user email of a member.
pub(super) fn no_member_is_the_notification_email(world: &mut World) {
    let mut drafts = Vec::new();
    for candidate in &mut world.candidates {
        let Some(notification) = &candidate.notification_email else { continue };
        let Ok(at) = candidate.members.binary_search_by(|member| member.value.email.cmp(&notification.value)) else {
            continue;
        };
        let member = &candidate.members[at];
        let name = candidate.document.header.shown();
        let message = format!("{} is a member of `{name}` and its notification email", member.value.email);
        let place = match (member.who, notification.who) {
            (Who::Own, _) => member.span,
            (Who::Defaults(_) | Who::Group(_), Who::Own) => notification.span,
            (Who::Defaults(_) | Who::Group(_), Who::Defaults(_) | Who::Group(_)) => candidate.document.header.place(),
        };
        let mut draft = Draft::new(&codes::MEMBER_IS_NOTIFICATION, place, message.clone())
            .help("use an address of your own for notifications, or leave the person out");
        if place != notification.span {
            draft = draft.related(notification.span, "the notification email");
        }
        if place != member.span {
            draft = draft.related(member.span, "the member");
        }
        drafts.push(draft);
        candidate.fault(&message);
    }
    world.drafts.append(&mut drafts);
}

/// Rule 11: some plans take the owner alone, and without a plan there are no members.
pub(super) fn no_members_on_a_plan_for_one(world: &mut World) {
    let mut drafts = Vec::new();
    for candidate in &mut world.candidates {
        let (Some(plan), Some(first)) = (&candidate.plan, candidate.members.iter().min_by_key(|m| m.span)) else {
            continue;
        };
        let what = match &plan.value {
            WantedPlan::Nothing => "without a plan an account takes no members".to_owned(),
            WantedPlan::Choice(choice) if PLANS_FOR_ONE.contains(&choice.as_str()) => {
                format!("on the plan `{choice}` the owner is the only member")
            }
            WantedPlan::Choice(_) | WantedPlan::Untouched => continue,
        };
        let listed = candidate.members.len();
        let people = if listed == 1 { "1 person is listed".to_owned() } else { format!("{listed} people are listed") };
        let message = format!("{what}, and {people} in `{}`", candidate.document.header.shown());
        let place = if plan.who == Who::Own { plan.span } else { candidate.document.header.place() };
        let mut draft = Draft::new(&codes::ONE_MEMBER_PLAN, place, message.clone())
            .help("choose a plan for several members, `teams`, or write `members: []` and `memberGroups: []`");
        if place != plan.span {
            draft = draft.related(plan.span, "the plan comes from here");
        }
        drafts.push(draft.related(first.span, "the first person is listed here"));
        candidate.fault(&message);
    }
    world.drafts.append(&mut drafts);
}
