//! The saved plan against the one that was made a moment ago: which clients go ahead, which
//! are done already, and what moved of the others.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::text::inert;
use crate::manifest::Membership;

use super::model::{AccountPart, ActionPart, PlanPart};
use super::world::{ClientPart, MemberPart, Price, SeenPart, WantedPart, WorldPart};

/// The most that is told of one client.
const MOST: usize = 12;

/// What becomes of each client.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct Comparison {
    /// Something is planned for them, and everything is as it was: these are carried out.
    pub carried_out: BTreeSet<String>,
    /// What was planned for them has been done since.
    pub done_already: BTreeSet<String>,
    /// Something is planned for them in the file, and something moved: not carried out.
    pub refused: Vec<Moved>,
    /// Something is to be done for them now, and nothing was when the plan was saved: not
    /// touched.
    pub untouched: BTreeSet<String>,
}

/// A client of which something moved. Inert text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Moved {
    /// The client.
    pub name: String,
    /// What moved, a line each; never empty.
    pub moved: Vec<String>,
}

impl Comparison {
    /// The clients that the outcome is not about: what may be left to do for them is not begun.
    pub fn hidden(&self) -> BTreeSet<String> {
        let refused = self.refused.iter().map(|moved| &moved.name);
        refused.chain(&self.untouched).chain(&self.done_already).cloned().collect()
    }

    /// Adds a client that turned out not to fit while the plan was carried out.
    pub fn refuse(&mut self, name: &str, moved: String) {
        match self.refused.iter_mut().find(|refused| refused.name == name) {
            Some(refused) if refused.moved.contains(&moved) => {}
            Some(refused) => refused.moved.push(moved),
            None => self.refused.push(Moved { name: name.to_owned(), moved: vec![moved] }),
        }
    }
}

/// Compares client by client, by digest. Only a client for whom the file plans something can
/// be refused; nothing is news of the others, unless something is to be done for them now.
///
/// Where the digest of the whole is the same, nothing moved at all, and whatever is planned
/// goes ahead: also what a rail stopped when it was saved, once a person let the plan of this
/// digest pass.
pub fn compare(saved: (&PlanPart, &WorldPart), now: (&PlanPart, &WorldPart)) -> Comparison {
    let present: BTreeMap<&str, &AccountPart> =
        now.0.accounts.iter().map(|account| (account.name.as_str(), account)).collect();
    let mut comparison = Comparison::default();
    if saved.0.digest == now.0.digest {
        comparison.carried_out.extend(now.0.planned().map(|account| account.name.clone()));
        return comparison;
    }
    let clients = (saved.1.by_name(), now.1.by_name());
    let mut agreed = BTreeSet::new();
    for account in saved.0.planned() {
        agreed.insert(account.name.as_str());
        let name = inert(&account.name).into_owned();
        let pair = Pair {
            then: account,
            now: present.get(account.name.as_str()).copied(),
            worlds: (saved.1, now.1),
            parts: (clients.0.get(&*account.name).copied(), clients.1.get(&*account.name).copied()),
        };
        match pair.now {
            Some(fresh) if fresh.digest == account.digest => {
                comparison.carried_out.insert(name);
            }
            Some(fresh) if pair.is_done(fresh) => {
                comparison.done_already.insert(name);
            }
            _ => comparison.refused.push(Moved { name, moved: pair.moved() }),
        }
    }
    let untouched = now.0.planned().filter(|account| !agreed.contains(account.name.as_str()));
    comparison.untouched.extend(untouched.map(|account| account.name.clone()));
    comparison
}

/// One client then and now.
struct Pair<'a> {
    then: &'a AccountPart,
    now: Option<&'a AccountPart>,
    worlds: (&'a WorldPart, &'a WorldPart),
    parts: (Option<&'a ClientPart>, Option<&'a ClientPart>),
}

impl Pair<'_> {
    /// The same is wanted, and nothing of it is left but what waits: for a person who has not
    /// signed up (without a journal nobody knows that they were tried), or for time.
    fn is_done(&self, fresh: &AccountPart) -> bool {
        let (Some(then), Some(now)) = self.parts else { return false };
        let asked: BTreeSet<_> = self.then.actions.iter().map(ActionPart::key).collect();
        let left: BTreeSet<_> = fresh.actions.iter().map(ActionPart::key).collect();
        let mut sure = self.then.actions.iter().filter(|action| action.state == "planned" && !action.unregistered);
        // Whether somebody signed up is no proof that nothing was done, and neither that it was.
        let did = !fresh.has("planned") || sure.clone().count() > 0 && sure.all(|action| !left.contains(&action.key()));
        did && then.wanted.digest == now.wanted.digest
            && matches!(fresh.state.as_str(), "in_sync" | "waiting" | "changes")
            && left.is_subset(&asked)
            && fresh
                .actions
                .iter()
                .all(|action| action.state == "waiting" || (action.state == "planned" && action.unregistered))
    }

    fn moved(&self) -> Vec<String> {
        let mut moved = Vec::new();
        let Some(fresh) = self.now else {
            return vec!["no manifest that is read asks for it any more".to_owned()];
        };
        if fresh.state == "invalid" {
            let why = fresh.message.as_deref().map(|why| format!(": {}", inert(why))).unwrap_or_default();
            return vec![format!("its manifest does not hold{why}")];
        }
        if let (Some(then), Some(now)) = self.parts {
            wanted(&then.wanted, &now.wanted, &mut moved);
            seen(then.seen.as_ref(), now.seen.as_ref(), &mut moved);
            self.prices(then, now, &mut moved);
        }
        self.actions(fresh, &mut moved);
        if moved.is_empty() {
            moved.push("something that its digest covers is another".to_owned());
        }
        if moved.len() > MOST {
            let more = moved.len() - MOST;
            moved.truncate(MOST);
            moved.push(format!("{more} more"));
        }
        moved
    }

    /// Prices of the plans that the client has, wants or is to get.
    fn prices(&self, then: &ClientPart, now: &ClientPart, moved: &mut Vec<String>) {
        let messages: Vec<&str> = [Some(self.then), self.now]
            .into_iter()
            .flatten()
            .flat_map(|account| account.actions.iter().map(|action| action.message.as_str()))
            .collect();
        let has = |id: &str| {
            let of = |client: &ClientPart| client.seen.as_ref().is_some_and(|seen| seen.plan.as_deref() == Some(id));
            of(then) || of(now) || messages.iter().any(|message| message.split([' ', ',', ';']).any(|word| word == id))
        };
        let (before, after) = self.worlds;
        for price in before.prices.iter().filter(|price| has(&price.plan)) {
            let id = inert(&price.plan);
            match after.prices.iter().find(|other| other.plan == price.plan) {
                None => moved.push(format!("the plan {id} is not offered any more")),
                Some(other) if other != price => moved.push(price_words(price, other)),
                Some(_) => {}
            }
        }
    }

    /// What is to be done otherwise than it was; what is explained already is not told again.
    fn actions(&self, fresh: &AccountPart, moved: &mut Vec<String>) {
        let explained = !moved.is_empty();
        let now: BTreeMap<_, &ActionPart> = fresh.actions.iter().map(|action| (action.key(), action)).collect();
        let then: BTreeSet<_> = self.then.actions.iter().map(ActionPart::key).collect();
        for action in &self.then.actions {
            match now.get(&action.key()) {
                Some(other) if !explained && other.unregistered != action.unregistered => {
                    let is = if other.unregistered {
                        "is not known to be a user any more"
                    } else {
                        "is known to be a user now"
                    };
                    moved.push(format!("{} {is}", inert(action.email.as_deref().unwrap_or("somebody"))));
                }
                // What is skipped follows from something else, which is told.
                Some(other) if other.state == "skipped" => {}
                Some(other) if (&other.state, &other.reason) != (&action.state, &action.reason) => {
                    moved.push(format!("{} now: {}", state_words(other), inert(&other.message)));
                }
                Some(other) if !explained && other.message != action.message => {
                    moved.push(format!("otherwise now: {}", inert(&other.message)));
                }
                None if !explained => moved.push(format!("not to be done any more: {}", inert(&action.message))),
                Some(_) | None => {}
            }
        }
        let same_order = fresh.actions.iter().map(ActionPart::key).eq(self.then.actions.iter().map(ActionPart::key));
        if moved.is_empty() && now.len() == then.len() && !same_order {
            moved.push("the same is to be done in another order".to_owned());
        }
        for action in fresh.actions.iter().filter(|action| !then.contains(&action.key())) {
            if action.state == "blocked" {
                moved.push(format!("{} now: {}", state_words(action), inert(&action.message)));
            } else if !explained {
                moved.push(format!("to be done besides: {}", inert(&action.message)));
            }
        }
    }
}

fn state_words(action: &ActionPart) -> String {
    match (action.state.as_str(), action.reason.as_deref()) {
        ("blocked", Some("GuardRail")) => "a rail stops this".to_owned(),
        ("planned", _) => "this goes ahead".to_owned(),
        (state, Some(reason)) => format!("this is {} ({})", inert(state), inert(reason)),
        (state, None) => format!("this is {}", inert(state)),
    }
}

fn price_words(then: &Price, now: &Price) -> String {
    let id = inert(&then.plan);
    let amount = |price: &Option<String>| price.as_deref().map_or("custom".into(), |price| inert(price).into_owned());
    match () {
        () if then.monthly != now.monthly => {
            format!("the price of {id} is {} a month, was {}", amount(&now.monthly), amount(&then.monthly))
        }
        () if then.seat != now.seat => {
            format!("the price of a seat of {id} is {} a month, was {}", amount(&now.seat), amount(&then.seat))
        }
        () if now.available => format!("the plan {id} can be chosen, which it could not"),
        () => format!("the plan {id} cannot be chosen any more"),
    }
}

fn wanted(then: &WantedPart, now: &WantedPart, moved: &mut Vec<String>) {
    if then.digest == now.digest {
        return;
    }
    let before = moved.len();
    let mut differs = |what: &str, then: &str, now: &str| {
        if then != now {
            moved.push(format!("the manifest asks for {what} {}, the saved plan for {}", inert(now), inert(then)));
        }
    };
    let WantedPart { digest: _, account_name, notification_email, plan, members, membership, account_id, suspend } =
        now;
    let word = |word: &Option<String>, none: &str| word.clone().unwrap_or_else(|| none.to_owned());
    let kind = |membership: Membership| match membership {
        Membership::Additive => "additive",
        Membership::Exclusive => "exclusive",
    };
    differs("the name", &then.account_name, account_name);
    differs("the notification email", &then.notification_email, notification_email);
    differs("plan", &word(&then.plan, "no change of it"), &word(plan, "no change of it"));
    differs("membership", kind(then.membership), kind(*membership));
    differs("account", &word(&then.account_id, "the one of its name"), &word(account_id, "the one of its name"));
    if then.suspend != *suspend {
        moved.push(if *suspend { "the manifest suspends it" } else { "the manifest suspends it no more" }.to_owned());
    }
    people(&then.members, members, &["is listed since", "is listed no more", "is listed with"], moved);
    if moved.len() == before {
        moved.push("the manifest is another: what it says of names and emails of before".to_owned());
    }
}

fn seen(then: Option<&SeenPart>, now: Option<&SeenPart>, moved: &mut Vec<String>) {
    let (then, now) = match (then, now) {
        (None, None) => return,
        (None, Some(now)) => {
            return moved.push(format!("there is an account of it since, {}", inert(&now.account_id)));
        }
        (Some(then), None) => {
            return moved.push(format!("no account goes by it any more, and {} did", inert(&then.account_id)));
        }
        (Some(then), Some(now)) => (then, now),
    };
    let mut differs = |what: &str, then: Option<&str>, now: Option<&str>| {
        if then != now {
            let word = |word: Option<&str>| word.map_or("none".into(), |word| inert(word).into_owned());
            moved.push(format!("{what} is {}, was {}", word(now), word(then)));
        }
    };
    let SeenPart {
        account_id,
        name,
        notification_email,
        plan,
        subscription,
        dunned,
        pending_plan,
        seats,
        pending_seats,
        members,
    } = now;
    let number = |seats: Option<u32>| seats.map(|seats| seats.to_string());
    differs("the account", Some(&then.account_id), Some(account_id));
    differs("the account's name", then.name.as_deref(), name.as_deref());
    differs("the notification email", then.notification_email.as_deref(), notification_email.as_deref());
    differs("the plan", then.plan.as_deref(), plan.as_deref());
    differs("the plan from the renewal on", then.pending_plan.as_deref(), pending_plan.as_deref());
    differs("the number of seats", number(then.seats).as_deref(), number(*seats).as_deref());
    let (before, after) = (number(then.pending_seats), number(*pending_seats));
    differs("the number of seats from the renewal on", before.as_deref(), after.as_deref());
    differs("the state of the subscription", then.subscription.as_deref(), subscription.as_deref());
    if then.dunned != *dunned {
        moved.push(if *dunned { "a renewal failed since" } else { "the renewal that failed is paid" }.to_owned());
    }
    match (&then.members, members) {
        (Some(then), Some(now)) => {
            let words = ["was added as a member since", "is no member any more", "is a member with"];
            people(then, now, &words, moved);
        }
        (Some(_), None) => moved.push("its members cannot be read".to_owned()),
        (None, Some(_)) => moved.push("its members can be read, which they could not".to_owned()),
        (None, None) => {}
    }
}

/// Who came, who went, and whose access is another; `words` in this order.
fn people(then: &[MemberPart], now: &[MemberPart], words: &[&str; 3], moved: &mut Vec<String>) {
    let by_email = |members: &[MemberPart]| -> BTreeMap<String, MemberPart> {
        members.iter().map(|member| (member.email.to_lowercase(), member.clone())).collect()
    };
    let (then, now) = (by_email(then), by_email(now));
    let [came, went, has] = words;
    for (key, member) in &now {
        let MemberPart { id, email, access, role, invited } = member;
        match then.get(key) {
            None => moved.push(format!("{} {came}", inert(email))),
            Some(before) if (before.access, &before.role) != (*access, role) => {
                let word = |member: &MemberPart| match &member.role {
                    Some(role) => format!("the role {}", inert(role)),
                    None => format!("{} access", member.access),
                };
                moved.push(format!("{} {has} {}, was with {}", inert(email), word(member), word(before)));
            }
            Some(before) if before.invited && !invited => {
                moved.push(format!("{} accepted the invitation since", inert(email)));
            }
            Some(before) if !before.invited && *invited => {
                moved.push(format!("{} is invited anew", inert(email)));
            }
            Some(before) if before.id != *id => {
                moved.push(format!("{} was removed and added anew since", inert(email)));
            }
            Some(_) => {}
        }
    }
    moved.extend(
        then.iter().filter(|(key, _)| !now.contains_key(*key)).map(|(_, m)| format!("{} {went}", inert(&m.email))),
    );
}
