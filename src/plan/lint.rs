//! An independent look at a finished plan: what must hold of every plan, whatever made it.
//! It shares no code with the planner, so that one mistake is not made twice.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use crate::domain::{Access, AccountId, Email, Money, PlanId, Role};
use crate::manifest::{Client, Membership};
use crate::provider::{Capability, Member, MemberState, PlanOffer};

use super::decide::Inputs;
use super::hold::Thought;
use super::policy::{MaxRemovals, Policy};
use super::snapshot::ObservedAccount;
use super::tree::{AccountPlan, AccountState, Action, ActionState, Op, Plan};

/// Something that no plan may do. A plan with one is not carried out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LintFault {
    /// The client, or `the plan` where it concerns the whole.
    pub account: String,
    /// What is wrong.
    pub what: String,
}

impl LintFault {
    const WHOLE: &'static str = "the plan";

    /// Whether it concerns the plan as a whole, not one client's part.
    pub fn is_of_the_whole(&self) -> bool {
        self.account == Self::WHOLE
    }
}

impl fmt::Display for LintFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.account, self.what)
    }
}

/// Checks what must hold: order, plans before people, seats for everyone who takes one,
/// nobody removed who may not be, rails, and nothing done to what nobody named.
pub fn lint(plan: &Plan, inputs: &Inputs<'_>) -> Vec<LintFault> {
    let world = World::new(inputs);
    let mut faults = Vec::new();
    for account in &plan.accounts {
        let mut say = |what: String| faults.push(LintFault { account: account.name.clone(), what });
        check_reasons(account, &mut say);
        if !account.actions.iter().any(planned) {
            continue;
        }
        let Some(client) = account.client.as_ref().and_then(|name| world.clients.get(name.as_str()).copied()) else {
            say("planned actions for something that is not a valid client".to_owned());
            continue;
        };
        check_standing(account, client, &world, &mut say);
        check_order(account, &mut say);
        check_held(account, client, &world, &mut say);
        check_removals(account, client, &world, &mut say);
        check_people(account, client, &world, &mut say);
        check_plans(account, &world, &mut say);
    }
    for what in whole(plan, inputs) {
        faults.push(LintFault { account: LintFault::WHOLE.to_owned(), what });
    }
    faults
}

struct World<'a> {
    inputs: &'a Inputs<'a>,
    clients: HashMap<&'a str, &'a Client>,
    accounts: HashMap<&'a str, &'a ObservedAccount>,
    leaving: BTreeSet<&'a Email>,
    users: BTreeSet<&'a Email>,
}

impl<'a> World<'a> {
    fn new(inputs: &'a Inputs<'a>) -> Self {
        let mut users: BTreeSet<&Email> = inputs.known.registered.iter().collect();
        users.insert(&inputs.live.identity.email);
        for account in &inputs.live.accounts {
            for member in account.members.seen().into_iter().flatten() {
                if member.state == MemberState::Active {
                    users.insert(&member.email);
                }
            }
        }
        Self {
            inputs,
            clients: inputs.wanted.clients.iter().map(|client| (client.name.as_str(), client)).collect(),
            accounts: inputs.live.accounts.iter().map(|live| (live.account.id.as_str(), live)).collect(),
            leaving: inputs.wanted.offboardings.iter().flat_map(|document| &document.people).collect(),
            users,
        }
    }

    fn plan(&self, id: &crate::domain::PlanId) -> Option<&'a PlanOffer> {
        self.inputs.live.offer.plans.iter().find(|plan| plan.id == *id)
    }

    fn ourselves(&self) -> &'a Email {
        &self.inputs.live.identity.email
    }
}

fn planned(action: &Action) -> bool {
    action.state == ActionState::Planned
}

/// Whatever does not simply go ahead says why.
fn check_reasons(account: &AccountPlan, say: &mut impl FnMut(String)) {
    for action in &account.actions {
        let free = matches!(action.state, ActionState::Planned | ActionState::Applied | ActionState::Failed);
        if !free && (action.reason.is_none() || action.message.is_empty()) {
            say(format!("{:?} is {:?} without a reason", action.op.kind(), action.state));
        }
        if planned(action) && action.reason.is_some() {
            say(format!("{:?} is planned and has a reason against it", action.op.kind()));
        }
    }
}

/// The account was named by the client, may be changed, and is there or is made.
fn check_standing(account: &AccountPlan, client: &Client, world: &World<'_>, say: &mut impl FnMut(String)) {
    if client.suspend || matches!(account.state, AccountState::Suspended | AccountState::Invalid) {
        say("planned actions for a suspended or invalid client".to_owned());
    }
    if !world.inputs.selector.matches(client) {
        say("planned actions for a client that was not selected".to_owned());
    }
    if !world.inputs.live.offer.account_management {
        say("planned actions that the server does not offer".to_owned());
    }
    let creates = account.actions.iter().filter(|action| planned(action) && creation(&action.op)).count();
    match (&account.account_id, creates) {
        (Some(_), 0) | (None, 1) => {}
        (Some(id), _) => say(format!("creates an account although it has {id}")),
        (None, _) => say("planned actions without an account".to_owned()),
    }
    if client.account_id.is_some() && client.account_id != account.account_id {
        say("acts on another account than the one that accountId names".to_owned());
    }
    let Some(id) = &account.account_id else { return };
    let Some(live) = world.accounts.get(id.as_str()) else {
        say(format!("acts on {id}, which was not seen"));
        return;
    };
    let named = live.account.name.as_ref().is_some_and(|name| {
        name.key() == client.account_name.key() || client.previous_names.iter().any(|previous| previous == name)
    });
    if client.account_id.is_none() && !named {
        say(format!("acts on {id}, which nobody named"));
    }
}

fn creation(op: &Op) -> bool {
    matches!(op, Op::CreateAccount { .. })
}

/// Create, update, subscribe or more, remove, add, access, less, unsubscribe; removals may
/// come earlier.
fn check_order(account: &AccountPlan, say: &mut impl FnMut(String)) {
    let place = |op: &Op| match op {
        Op::RemoveMember { .. } => None,
        Op::CreateAccount { .. } => Some(0),
        Op::UpdateAccount { .. } => Some(1),
        Op::Subscribe { .. } | Op::ChangePlan { downgrade: false, .. } => Some(2),
        Op::SetSeats { from, to, .. } if to >= from => Some(2),
        Op::AddMember { .. } => Some(3),
        Op::SetAccess { .. } => Some(4),
        Op::SetSeats { .. } | Op::ChangePlan { .. } => Some(5),
        Op::Unsubscribe { .. } => Some(6),
    };
    let places: Vec<u8> = account.actions.iter().filter(|a| planned(a)).filter_map(|a| place(&a.op)).collect();
    if !places.is_sorted() {
        say("actions are out of order".to_owned());
    }
    let mut seen = BTreeSet::new();
    for action in account.actions.iter().filter(|action| planned(action)) {
        if !seen.insert((action.op.kind(), action.op.person().cloned())) {
            say(format!("{:?} is planned twice", action.op.kind()));
        }
    }
    let removal = account.actions.iter().position(|a| planned(a) && matches!(a.op, Op::RemoveMember { .. }));
    let add = account.actions.iter().position(|a| planned(a) && matches!(a.op, Op::AddMember { .. }));
    if let (Some(removal), Some(add)) = (removal, add)
        && add < removal
    {
        say("adds somebody before it removes somebody".to_owned());
    }
}

/// Nothing is done before its time to be held is over.
fn check_held(account: &AccountPlan, client: &Client, world: &World<'_>, say: &mut impl FnMut(String)) {
    let held = |action: &&Action| world.inputs.known.held.contains_key(&Thought::of(&client.name, &action.op));
    if let Some(action) = account.actions.iter().filter(|action| planned(action)).find(held) {
        say(format!("{:?} is planned while it is held", action.op.kind()));
    }
}

fn members(account: &AccountPlan) -> Option<&Vec<Member>> {
    account.observed.as_ref().and_then(|observed| observed.members.seen())
}

/// Nobody is removed who may not be: ourselves, the last with full access, who is listed.
fn check_removals(account: &AccountPlan, client: &Client, world: &World<'_>, say: &mut impl FnMut(String)) {
    let Some(present) = members(account) else {
        if account.account_id.is_some() && account.actions.iter().any(|a| planned(a) && a.op.person().is_some()) {
            say("acts on members who were not read".to_owned());
        }
        return;
    };
    let full = |member: &&Member| member.access == Access::Full && member.state == MemberState::Active;
    let mut left: BTreeSet<&Email> = present.iter().filter(full).map(|member| &member.email).collect();
    let mut took = false;
    let there: BTreeSet<&Email> = present.iter().map(|member| &member.email).collect();
    let listed: BTreeSet<&Email> = client.members.iter().map(|member| &member.email).collect();
    for action in account.actions.iter().filter(|action| planned(action)) {
        match &action.op {
            Op::RemoveMember { email, .. } => {
                took |= left.remove(email);
                let offboarded = action.offboarding && world.leaving.contains(email);
                let unlisted = client.membership == Membership::Exclusive
                    && !listed.contains(email)
                    && world.inputs.policy.allow_removals;
                if email == world.ourselves() {
                    say("removes ourselves".to_owned());
                } else if !offboarded && !unlisted {
                    say(format!("removes {email} without anybody's word"));
                }
                if !there.contains(email) {
                    say(format!("removes {email}, who is not there"));
                }
            }
            Op::SetAccess { email, to: Access::Limited, .. } => took |= left.remove(email),
            _ => {}
        }
    }
    if took && left.is_empty() {
        say("leaves nobody with full access".to_owned());
    }
}

/// Whoever comes is wanted, is not there yet, has a plan for several, and has a seat where
/// they take one.
fn check_people(account: &AccountPlan, client: &Client, world: &World<'_>, say: &mut impl FnMut(String)) {
    let subscription = account.observed.as_ref().and_then(|o| o.subscription.seen()).and_then(Option::as_ref);
    let subscription = subscription.filter(|subscription| subscription.is_active());
    let mut plan = subscription.map(|subscription| subscription.plan.clone());
    let mut seats = subscription.and_then(|subscription| subscription.seats);
    let mut present: BTreeMap<&Email, usize> = BTreeMap::new();
    for member in members(account).into_iter().flatten() {
        *present.entry(&member.email).or_default() += 1;
    }
    if account.account_id.is_none() {
        present.insert(world.ourselves(), 1);
    }
    let mut heads: usize = present.values().sum();
    let wanted: BTreeSet<(&Email, Option<Access>, Option<&Role>)> =
        client.members.iter().map(|m| (&m.email, m.role.is_none().then_some(m.access), m.role.as_ref())).collect();
    for action in account.actions.iter().filter(|action| planned(action)) {
        match &action.op {
            Op::Subscribe { plan: to, seats: bought } => (plan, seats) = (Some(to.clone()), *bought),
            Op::ChangePlan { to, seats: bought, downgrade: false, .. } => (plan, seats) = (Some(to.clone()), *bought),
            Op::SetSeats { to, .. } => seats = Some(*to),
            Op::RemoveMember { email, .. } => heads -= present.remove(email).unwrap_or_default(),
            Op::AddMember { email, access, role } => {
                if present.contains_key(email) {
                    say(format!("adds {email}, who is there"));
                }
                if !wanted.contains(&(email, role.is_none().then_some(*access), role.as_ref())) {
                    say(format!("adds {email}, whom nobody wants so"));
                }
                if world.leaving.contains(email) || *email == client.notification_email {
                    say(format!("adds {email}, who may not come"));
                }
                match &plan {
                    None => say(format!("adds {email} without a plan")),
                    Some(id) if world.plan(id).is_some_and(|plan| !plan.multi_member) => {
                        say(format!("adds {email} on {id}, which takes the owner only"));
                    }
                    Some(_) => {}
                }
                if world.users.contains(email) || world.inputs.live.offer.capabilities.has(Capability::Invitations) {
                    heads += 1;
                }
                present.insert(email, 1);
            }
            Op::CreateAccount { plan: Some(new), .. } => (plan, seats) = (Some(new.plan.clone()), new.seats),
            Op::CreateAccount { plan: None, .. }
            | Op::UpdateAccount { .. }
            | Op::ChangePlan { .. }
            | Op::SetAccess { .. }
            | Op::Unsubscribe { .. } => {}
        }
        let touches = match &action.op {
            Op::CreateAccount { plan, .. } => plan.is_some(),
            Op::Subscribe { .. } | Op::ChangePlan { downgrade: false, .. } | Op::SetSeats { .. } => true,
            Op::AddMember { .. } => !action.unregistered,
            _ => false,
        };
        if touches && seats.is_some_and(|seats| (seats as usize) < heads) {
            say(format!("{heads} people and {} seats after {:?}", seats.unwrap_or_default(), action.op.kind()));
        }
    }
}

/// Whether an action may cost money. Choosing the plan in force again costs none, unless it
/// brings seats.
fn buys(account: &AccountPlan, action: &Action) -> bool {
    let subscription = account.observed.as_ref().and_then(|o| o.subscription.seen()).and_then(Option::as_ref);
    let buying = match &action.op {
        Op::Subscribe { .. } | Op::CreateAccount { plan: Some(_), .. } => true,
        Op::ChangePlan { to, seats, downgrade: false, .. } => {
            subscription.is_none_or(|now| now.plan != *to || *seats > now.seats)
        }
        Op::SetSeats { from, to, .. } => to > from,
        _ => false,
    };
    planned(action) && buying
}

/// No plan is chosen that the operator's list does not have.
fn check_plans(account: &AccountPlan, world: &World<'_>, say: &mut impl FnMut(String)) {
    let (words, plans) = (world.inputs.policy.allowed_plans.words(), &world.inputs.live.offer.plans);
    for (id, _) in account.actions.iter().filter_map(|action| chooses(account, action)) {
        if !on_the_list(words, plans, id) {
            say(format!("chooses {id}, which is not on the list of plans"));
        }
    }
}

/// The plan that an action chooses, and whether it waits for the renewal; none where it is in
/// force already.
fn chooses<'a>(account: &'a AccountPlan, action: &'a Action) -> Option<(&'a PlanId, bool)> {
    let subscription = account.observed.as_ref().and_then(|o| o.subscription.seen()).and_then(Option::as_ref);
    let chosen = match &action.op {
        Op::Subscribe { plan, .. } => (plan, false),
        Op::ChangePlan { to, downgrade, .. } if subscription.is_none_or(|now| now.plan != *to) => (to, *downgrade),
        Op::CreateAccount { plan: Some(new), .. } => (&new.plan, false),
        _ => return None,
    };
    planned(action).then_some(chosen)
}

/// Whether a plan, its family, or for an unlisted plan the beginning of its identifier is one
/// of these words; no words are every plan.
fn on_the_list(words: &[String], plans: &[PlanOffer], id: &PlanId) -> bool {
    let is_plan = |word: &str| plans.iter().any(|plan| plan.id.as_str() == word);
    let of_family = |word: &str| match plans.iter().find(|plan| plan.id == *id) {
        Some(plan) => plan.family.as_str() == word,
        None => id.as_str().starts_with(&format!("{word}-")),
    };
    words.is_empty() || words.iter().any(|word| id.as_str() == word || (!is_plan(word) && of_family(word)))
}

/// The rails, counted again from the plan alone; no account twice, none both managed and not.
fn whole(plan: &Plan, inputs: &Inputs<'_>) -> Vec<String> {
    let Policy {
        max_creates,
        max_subscriptions,
        max_monthly_increase,
        max_removals: MaxRemovals { percent, number },
        allow_removals: _,
        allow_unsubscribe,
        allowed_plans: _,
        adopt: _,
        trim_seats: _,
    } = inputs.policy;
    let mut faults = Vec::new();
    let actions = || plan.accounts.iter().flat_map(|account| &account.actions).filter(|action| planned(action));
    let creates = actions().filter(|action| creation(&action.op)).count();
    let memory = &inputs.known.rails;
    let (lifted, created, removed_before) = (memory.lifted, memory.created as usize, memory.removed as usize);
    if !lifted && creates > 0 && max_creates.is_some_and(|most| creates + created > most as usize) {
        faults.push(format!("{creates} creates are over the rail"));
    }
    let chosen = || plan.accounts.iter().flat_map(|account| account.actions.iter().filter_map(|a| chooses(account, a)));
    let bought = chosen().filter(|(_, downgrade)| !downgrade).count();
    let all = bought + memory.subscribed as usize;
    if !lifted && bought > 0 && max_subscriptions.is_some_and(|most| all > most as usize) {
        faults.push(format!("{bought} subscriptions are over the rail"));
    }
    if !allow_unsubscribe && actions().any(|action| matches!(action.op, Op::Unsubscribe { .. })) {
        faults.push("a subscription is cancelled without leave".to_owned());
    }
    let buyers = plan.accounts.iter().filter(|account| account.actions.iter().any(|action| buys(account, action)));
    let rises = buyers.filter_map(|account| Some(account.monthly_after? - account.monthly_before?));
    let rise: Money = rises.filter(|rise| *rise > Money::ZERO).sum();
    if !lifted && rise > Money::ZERO && max_monthly_increase.is_some_and(|most| rise + memory.increase > most) {
        faults.push(format!("the price rises by {rise}, over the rail"));
    }
    let removed = actions().filter(|a| matches!(a.op, Op::RemoveMember { .. }) && !a.offboarding).count();
    let scope: usize = plan.accounts.iter().filter_map(members).map(Vec::len).sum();
    let (all, of) = (removed + removed_before, scope + removed_before);
    let share = percent.is_some_and(|most| all > MaxRemovals::ALWAYS as usize && all * 100 > most as usize * of);
    let many = share || number.is_some_and(|most| all > most as usize);
    if !lifted && removed > 0 && many {
        faults.push(format!("{removed} removals of {scope} members are over the rail"));
    }
    if inputs.known.frozen.is_some() && actions().next().is_some() {
        faults.push("something is planned while all writes are stopped".to_owned());
    }
    if inputs.known.doubtful && creates > 0 {
        faults.push("accounts are created while the journal may have lost a create".to_owned());
    }
    if inputs.known.vanished.is_some() && creates > 0 {
        faults.push("accounts are created while known ones are gone".to_owned());
    }
    if plan.requests.to_apply != actions().count() as u64 {
        faults.push("the requests to apply are not the planned actions".to_owned());
    }
    let mut seen: BTreeSet<&AccountId> = BTreeSet::new();
    let managed = plan.accounts.iter().filter(|account| account.actions.iter().any(planned));
    let ids = managed.filter_map(|account| account.account_id.as_ref());
    for id in ids.chain(plan.unmanaged.iter().map(|unmanaged| &unmanaged.account_id)) {
        if !seen.insert(id) {
            faults.push(format!("account {id} is acted on twice, or has no manifest and is acted on"));
        }
    }
    faults
}
