//! Why an account differs from its manifest: because the manifest changed, or because the
//! account did. Told by marks of what was so when the two were last seen in agreement.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::domain::Email;
use crate::manifest::{Client, Membership, WantedMember, WantedPlan};

use super::decide::Draft;
use super::known::Known;
use super::snapshot::ObservedAccount;
use super::tree::{AccountPlan, Action, ActionState, Op};

/// Why an action is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The manifest says something else than when it was last carried out.
    Manifest,
    /// The account is not as it was last made, and the manifest still says the same.
    Drift {
        /// When it was last seen to be so.
        since: Timestamp,
    },
    /// Nothing was carried out for this client yet.
    New,
}

/// In words, beside what is done; nothing where that goes without saying.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest | Self::New => Ok(()),
            Self::Drift { since } => {
                write!(f, "changed elsewhere since {}", since.strftime("%Y-%m-%d"))
            }
        }
    }
}

/// Marks of what was so in an account and wanted of it, each short, none telling what it
/// stands for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marks(String);

/// What was so of a client when its account was last seen to be as wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// What.
    pub marks: Marks,
    /// Since when it was so; where something of it is not so any more, until when it was
    /// seen at the least.
    pub since: Timestamp,
}

impl fmt::Display for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Marks {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// That the account is there.
const THERE: &str = "a";
/// That nobody is to be in it but who is listed.
const EXCLUSIVE: &str = "x";

fn mark(kind: &str, parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let hash = hash.finalize();
    format!("{kind}{:02x}{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2], hash[3])
}

fn listed(email: &Email) -> String {
    mark("w", &[email.key()])
}

fn granted(member: &WantedMember) -> String {
    let role = member.role.as_ref().map_or("", |role| role.as_str());
    mark("g", &[member.email.key(), &member.access.to_string(), role])
}

fn plan_mark(client: &Client) -> Option<String> {
    match &client.plan {
        WantedPlan::Untouched => None,
        WantedPlan::Nothing => Some(mark("p", &[])),
        WantedPlan::Choice(word) => Some(mark("p", &[word])),
    }
}

fn name_mark(client: &Client) -> String {
    mark("n", &[client.account_name.as_str()])
}

fn email_mark(client: &Client) -> String {
    mark("e", &[client.notification_email.key()])
}

fn seats_mark(seats: u32) -> String {
    format!("s{seats}")
}

impl Marks {
    /// What a manifest says.
    fn wanted(client: &Client) -> BTreeSet<String> {
        let mut marks = BTreeSet::from([THERE.to_owned(), name_mark(client), email_mark(client)]);
        marks.extend(plan_mark(client));
        if client.membership == Membership::Exclusive {
            marks.insert(EXCLUSIVE.to_owned());
        }
        for member in &client.members {
            marks.extend([listed(&member.email), granted(member)]);
        }
        marks
    }

    fn all(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|mark| !mark.is_empty())
    }

    fn has(&self, mark: &str) -> bool {
        self.all().any(|one| one == mark)
    }

    fn seats(&self) -> impl Iterator<Item = &str> {
        self.all().filter(|mark| mark.starts_with('s'))
    }
}

/// What is so of a client after a look at its account, with what was so before: what somebody
/// changed since stays until the manifest wants it no more. `None` where the account was not
/// seen.
pub fn applied(part: &AccountPlan, client: &Client, before: Option<&Applied>, now: Timestamp) -> Option<Applied> {
    let observed = part.observed.as_ref()?;
    let wanted = Marks::wanted(client);
    let mut so = wanted.clone();
    for action in part.actions.iter().filter(|action| action.state != ActionState::Applied) {
        for mark in asked_by(action, client) {
            so.remove(&mark);
        }
    }
    hide_unseen(&mut so, observed, client);
    let seats_open = part
        .actions
        .iter()
        .any(|action| action.state != ActionState::Applied && matches!(action.op, Op::SetSeats { .. }));
    let mut kept = BTreeSet::new();
    if let Some(before) = before {
        let present: BTreeSet<String> =
            observed.members.seen().into_iter().flatten().map(|member| listed(&member.email)).collect();
        let holds = |mark: &&str| wanted.contains(*mark) || present.contains(*mark);
        kept.extend(before.marks.all().filter(holds).map(str::to_owned));
        if seats_open || observed.subscription.seen().is_none() {
            kept.extend(before.marks.seats().map(str::to_owned));
        }
    }
    if !seats_open && let Some(Some(now)) = observed.subscription.seen() {
        so.extend(now.seats.filter(|_| now.is_active()).map(seats_mark));
    }
    let lost = kept.iter().any(|mark| !so.contains(mark) && wanted.contains(mark));
    let since = before.filter(|_| lost).map_or(now, |before| before.since);
    so.extend(kept);
    let marks: Vec<String> = so.into_iter().collect();
    Some(Applied { marks: Marks(marks.join(" ")), since })
}

/// What could not be read is not known to be so.
fn hide_unseen(so: &mut BTreeSet<String>, observed: &ObservedAccount, client: &Client) {
    if observed.members.seen().is_none() {
        for member in &client.members {
            so.remove(&listed(&member.email));
            so.remove(&granted(member));
        }
    }
    if observed.subscription.seen().is_none()
        && let Some(plan) = plan_mark(client)
    {
        so.remove(&plan);
    }
}

/// The marks that are not so while an action is to be done.
fn asked_by(action: &Action, client: &Client) -> Vec<String> {
    let of = |email: &Email| client.members.iter().find(|member| member.email == *email);
    match &action.op {
        Op::CreateAccount { .. } => vec![THERE.to_owned()],
        Op::UpdateAccount { name, email } => {
            name.iter().map(|_| name_mark(client)).chain(email.iter().map(|_| email_mark(client))).collect()
        }
        Op::Subscribe { .. } | Op::ChangePlan { .. } | Op::Unsubscribe { .. } => {
            plan_mark(client).into_iter().collect()
        }
        Op::AddMember { email, .. } => of(email).map(|member| vec![listed(email), granted(member)]).unwrap_or_default(),
        Op::SetAccess { email, .. } => of(email).map(granted).into_iter().collect(),
        Op::SetSeats { .. } | Op::RemoveMember { .. } => Vec::new(),
    }
}

/// Marks each action with its cause, where a journal tells what was carried out last.
pub(super) fn tell(drafts: &mut [Draft<'_>], known: &Known) {
    let Some(applied) = &known.applied else { return };
    for draft in drafts {
        let before = applied.get(&draft.client.name);
        for action in &mut draft.actions {
            action.cause = match before {
                None => Some(Cause::New),
                Some(before) => cause(action, draft.client, before),
            };
        }
    }
}

fn cause(action: &Action, client: &Client, before: &Applied) -> Option<Cause> {
    let Applied { marks, since } = before;
    let drift = |by_hand: bool| Some(if by_hand { Cause::Drift { since: *since } } else { Cause::Manifest });
    match &action.op {
        Op::SetSeats { from, .. } => {
            if marks.has(&seats_mark(*from)) {
                // As many as before: people are wanted for whom there is no seat.
                let same = Marks::wanted(client).iter().all(|mark| marks.has(mark));
                (!same).then_some(Cause::Manifest)
            } else {
                marks.seats().next().and(drift(true))
            }
        }
        Op::RemoveMember { email, .. } => {
            let listed_before = marks.has(&listed(email));
            drift(!action.offboarding && !listed_before && marks.has(EXCLUSIVE))
        }
        _ => {
            let asked = asked_by(action, client);
            (!asked.is_empty()).then(|| drift(asked.iter().all(|mark| marks.has(mark)))).flatten()
        }
    }
}
