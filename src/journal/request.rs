//! What a write asks for, as a journal keeps it: enough to send the same bytes again, and to
//! tell by reading whether it is so.

use serde::{Deserialize, Serialize};

use crate::domain::{Access, AccountId, AccountName, Email, MemberId, PlanId, Role};
use crate::plan::{ObservedAccount, Op, Reading};
use crate::provider::{Account, Member, MemberState, NewAccount, NewPlan, Subscription};

use super::row::Row;
use super::step::Sight;

/// How far the server's clock may be behind ours, in seconds: an account that bears the name
/// and is older than that is not the one that was asked for.
const SKEW_SECONDS: i64 = 600;

/// A write. Its JSON is what stands in a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Request {
    /// Make an account.
    Create {
        name: AccountName,
        email: Option<Email>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        plan: Option<NewPlan>,
    },
    /// Change its name or notification email.
    Update { name: Option<AccountName>, email: Option<Email> },
    /// Choose plan and seats.
    Subscription { plan: PlanId, seats: Option<u32> },
    /// Cancel the subscription.
    Cancel,
    /// Add a person.
    Add {
        email: Email,
        access: Access,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<Role>,
    },
    /// Change what a person may do.
    SetAccess {
        member: MemberId,
        email: Email,
        access: Access,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<Role>,
    },
    /// Remove a person.
    Remove { member: MemberId, email: Email },
}

impl Request {
    /// What an action asks for.
    pub fn of(op: &Op) -> Self {
        match op {
            Op::CreateAccount { name, email, plan } => {
                Self::Create { name: name.clone(), email: email.clone(), plan: plan.clone() }
            }
            Op::UpdateAccount { name, email } => Self::Update {
                name: name.as_ref().map(|change| change.to.clone()),
                email: email.as_ref().map(|change| change.to.clone()),
            },
            Op::Subscribe { plan, seats } | Op::ChangePlan { from: _, to: plan, seats, downgrade: _ } => {
                Self::Subscription { plan: plan.clone(), seats: *seats }
            }
            Op::SetSeats { plan, from: _, to } => Self::Subscription { plan: plan.clone(), seats: Some(*to) },
            Op::RemoveMember { id, email, access: _, invited: _ } => {
                Self::Remove { member: id.clone(), email: email.clone() }
            }
            Op::AddMember { email, access, role } => {
                Self::Add { email: email.clone(), access: *access, role: role.clone() }
            }
            Op::SetAccess { id, email, from: _, to, role } => {
                Self::SetAccess { member: id.clone(), email: email.clone(), access: *to, role: role.clone() }
            }
            Op::Unsubscribe { plan: _ } => Self::Cancel,
        }
    }

    /// As it stands in a row.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What stands in a row; `None` where a later version of bursar wrote it.
    pub fn from_json(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    /// The account to be made, for a create.
    pub fn new_account(&self) -> Option<NewAccount> {
        match self {
            Self::Create { name, email, plan } => {
                Some(NewAccount { name: name.clone(), email: email.clone(), plan: plan.clone() })
            }
            _ => None,
        }
    }

    /// Whether an account is as this asks for; `None` where what decides it was not read.
    pub fn is_so(&self, observed: &ObservedAccount) -> Option<bool> {
        match self {
            Self::Create { .. } => Some(true),
            Self::Update { name, email } => Some(agrees(&observed.account, name.as_ref(), email.as_ref())),
            Self::Subscription { plan, seats } => observed
                .subscription
                .seen()
                .map(|subscription| subscription.as_ref().is_some_and(|now| is_in_force(now, plan, *seats))),
            Self::Cancel => observed
                .subscription
                .seen()
                .map(|subscription| !subscription.as_ref().is_some_and(Subscription::is_active)),
            Self::Add { email, access: _, role: _ } => {
                observed.members.seen().map(|m| m.iter().any(|m| m.email == *email))
            }
            Self::SetAccess { member: _, email, access, role } => observed.members.seen().map(|members| {
                members.iter().any(|member| member.email == *email && may(member, *access, role.as_ref()))
            }),
            Self::Remove { member, email: _ } => observed.members.seen().map(|m| m.iter().all(|m| m.id != *member)),
        }
    }
}

/// Whether a member has this access, and this role where one is asked for.
pub fn may(member: &Member, access: Access, role: Option<&Role>) -> bool {
    member.access == access && (role.is_none() || member.role.as_ref() == role)
}

/// Whether an account has this name and notification email, as far as they are asked for.
pub fn agrees(account: &Account, name: Option<&AccountName>, email: Option<&Email>) -> bool {
    name.is_none_or(|name| account.name.as_ref() == Some(name))
        && email.is_none_or(|email| account.email.as_ref() == Some(email))
}

/// Whether plan and seats are in force, or on their way at renewal (rules 6 and 17).
pub fn is_in_force(now: &Subscription, plan: &PlanId, seats: Option<u32>) -> bool {
    let in_force = now.plan == *plan && now.pending_plan.is_none();
    let pending = now.pending_plan.as_ref() == Some(plan);
    // What comes at renewal counts: a reduction on its way is not the number that is kept.
    let enough = seats.is_none() || now.pending_seats.or(now.seats) == seats;
    now.is_active() && (in_force || pending) && (enough || pending)
}

/// What a complete look says of a row. `taken` are accounts that are another client's.
/// `None` where what decides it was not read.
pub fn sight(row: &Row, accounts: &[ObservedAccount], taken: impl Fn(&AccountId) -> bool) -> Option<Sight> {
    let request = Request::from_json(&row.request)?;
    let Some(new) = request.new_account() else {
        let there = row.account_id.as_ref().and_then(|id| accounts.iter().find(|seen| seen.account.id == *id));
        let Some(observed) = there else { return Some(Sight::Absent) };
        return Some(if request.is_so(observed)? { Sight::There { account: None } } else { Sight::Absent });
    };
    let mut ours: Vec<AccountId> = accounts
        .iter()
        .map(|seen| &seen.account)
        .filter(|account| made_by(row, account, &new) && !taken(&account.id))
        .map(|account| account.id.clone())
        .collect();
    Some(match ours.len() {
        0 => Sight::Absent,
        1 => Sight::There { account: ours.pop() },
        _ => Sight::Several { accounts: ours },
    })
}

/// Whether an account can be the one that a row asked for: its name and notification email,
/// and it was not there before.
pub fn made_by(row: &Row, account: &Account, new: &NewAccount) -> bool {
    let old = row
        .first_sent_at
        .zip(account.created_at)
        .is_some_and(|(sent, created)| created.as_second() + SKEW_SECONDS < sent.as_second());
    // A list may leave the email out, and a create too: then the name and the time must do.
    let email = account.email.as_ref().and(new.email.as_ref());
    let dated = email.is_some() || (row.first_sent_at.is_some() && account.created_at.is_some());
    agrees(account, Some(&new.name), email) && dated && !old
}

/// Whether a person who is in an account was only invited so far.
pub fn is_invited(observed: &ObservedAccount, person: &Email) -> bool {
    let Reading::Seen(members) = &observed.members else { return false };
    members.iter().any(|member| member.email == *person && member.state == MemberState::Invited)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::SubscriptionState;

    fn teams(seats: u32, pending_plan: Option<&str>, pending_seats: Option<u32>) -> Subscription {
        Subscription {
            plan: PlanId::new("teams"),
            state: SubscriptionState::Subscribed,
            seats: Some(seats),
            dunned: false,
            trial_ends_at: None,
            current_period_ends_at: None,
            pending_plan: pending_plan.map(PlanId::new),
            pending_seats,
        }
    }

    #[test]
    fn seats_are_in_force_where_they_outlast_the_renewal() {
        let plan = PlanId::new("teams");
        for (now, seats, so) in [
            (teams(3, None, None), Some(3), true),
            (teams(3, None, None), Some(2), false),
            (teams(3, None, None), None, true),
            // A cut that is on its way is done, and whoever wants to keep the seats is not.
            (teams(3, None, Some(2)), Some(2), true),
            (teams(3, None, Some(2)), Some(3), false),
            // The plan that comes at renewal brings its own seats.
            (teams(3, Some("solo"), Some(1)), Some(3), false),
        ] {
            assert_eq!(is_in_force(&now, &plan, seats), so, "{now:?} {seats:?}");
        }
        assert!(is_in_force(&teams(3, Some("solo"), Some(1)), &PlanId::new("solo"), None));
    }
}
