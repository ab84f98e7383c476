//! The troubles that a plan shows, one for each client and condition: what a person is told
//! of when it begins and when it is over. Waiting is none. Pure.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::domain::ClientName;
use crate::notify::{Kind, Named};
use crate::plan::{AccountPlan, AccountState, Action, ActionState, Cause, Op, Plan, Reason, Series, describe};

use super::announce::done_line;

/// So often something fails before it is told.
const PATIENCE: u32 = 3;

/// Something that is so now and that a person is told once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What it is remembered by.
    pub key: String,
    /// Of what kind.
    pub kind: Kind,
    /// The condition.
    pub reason: Option<Reason>,
    /// The client; `None` is the fleet.
    pub client: Option<Named>,
    /// What it is about, in a few words: said again when it is over.
    pub what: String,
    /// What happened. Inert text.
    pub message: String,
    /// What to do.
    pub next: Option<String>,
    /// It has been so for long enough to be told.
    pub ripe: bool,
}

impl Trouble {
    /// Whether a key belongs to a client's trouble or the plan's: what a plan tells of.
    pub fn is_of_the_plan(key: &str) -> bool {
        !matches!(key, SOURCE | API)
    }

    /// The manifests cannot be read.
    pub fn source(why: &str, tries: u32) -> Self {
        Self {
            message: format!("{why}; every client's last good version stays in force"),
            next: Some("look at the folder or the repository; nothing is changed meanwhile".to_owned()),
            ripe: tries >= PATIENCE,
            ..Self::of_fleet(SOURCE, Kind::Source, "the manifests cannot be read")
        }
    }

    /// The API or the journal cannot be used.
    pub fn api(why: &str, tries: u32) -> Self {
        Self {
            message: format!("{why}; nothing is changed meanwhile"),
            next: Some("bursar doctor".to_owned()),
            ripe: tries >= PATIENCE,
            ..Self::of_fleet(API, Kind::Api, "the account API or the journal is in trouble")
        }
    }

    fn of_fleet(key: impl Into<String>, kind: Kind, what: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            kind,
            reason: None,
            client: None,
            what: what.into(),
            message: String::new(),
            next: None,
            ripe: true,
        }
    }
}

const SOURCE: &str = "fleet:source";
const API: &str = "fleet:api";

/// What a plan after a pass shows. `kept` are the clients whose last good version is in force,
/// and why; `tries` tells how often a client failed in a row.
pub fn troubles(
    plan: &Plan,
    kept: &BTreeMap<ClientName, String>,
    frozen: Option<&str>,
    tries: impl Fn(&ClientName) -> u32,
) -> Vec<Trouble> {
    let mut all = Vec::new();
    for account in &plan.accounts {
        let why = account.client.as_ref().and_then(|client| kept.get(client));
        of_account(account, why.map(String::as_str), &tries, &mut all);
    }
    for rail in plan.rails.iter() {
        let next = if rail.is_cap() {
            format!("look why; to let it pass: bursar approve {}", plan.digest)
        } else {
            "see the guard rails in docs/plan.md".to_owned()
        };
        all.push(Trouble {
            message: format!("{} {}: {}", rail.flag, rail.value, rail.message),
            next: Some(next),
            ..Trouble::of_fleet(format!("fleet:rail/{}", rail.flag), Kind::Rail, format!("{} tripped", rail.flag))
        });
    }
    if let Some(reason) = frozen {
        all.push(Trouble {
            message: format!("all writes are stopped: {}", crate::domain::text::inert(reason)),
            next: Some("bursar unfreeze".to_owned()),
            ..Trouble::of_fleet("fleet:frozen", Kind::Frozen, "all writes are stopped")
        });
    }
    for notice in plan.notices.iter().filter(|notice| notice.plan.is_some()) {
        // The amount moves with every account that comes and goes; the price is the news.
        let price = notice.message.rsplit_once(": ").map_or(notice.message.as_str(), |(price, _)| price);
        all.push(Trouble {
            message: format!("list price of {}", notice.message),
            next: Some("bursar plan shows what it means; bursar charges what was charged".to_owned()),
            ..Trouble::of_fleet(format!("fleet:price/{}", short(&[price])), Kind::Price, "a list price changed")
        });
    }
    all
}

fn of_account(account: &AccountPlan, kept: Option<&str>, tries: &impl Fn(&ClientName) -> u32, all: &mut Vec<Trouble>) {
    let named = account.client.clone().map(|client| Named { client, account: account.account_id.clone() });
    let name = named.as_ref().map_or_else(|| account.name.clone(), |named| named.client.to_string());
    let explain = named.as_ref().map(|named| format!("bursar explain {}", named.client));
    let trouble = |kind: Kind, reason: Option<Reason>, detail: &str| {
        let word = reason.map_or_else(String::new, |reason| format!("/{reason:?}"));
        Trouble {
            key: format!("{name}:{}{word}{detail}", kind.as_str()),
            kind,
            reason,
            client: named.clone(),
            what: String::new(),
            message: String::new(),
            next: explain.clone(),
            ripe: true,
        }
    };
    let place = account.source.to_string();
    if let Some(why) = kept {
        all.push(Trouble {
            what: "its manifest does not hold".to_owned(),
            message: format!("its manifest does not hold ({why}); the last good version stays in force"),
            next: Some(format!("correct {place}: bursar validate")),
            ..trouble(Kind::Invalid, None, "")
        });
    } else if account.state == AccountState::Invalid {
        let why = account.message.as_deref().unwrap_or_default();
        let whose = if named.is_some() { String::new() } else { format!("{place}: ") };
        all.push(Trouble {
            what: format!("{whose}its manifest does not hold"),
            message: format!("{whose}its manifest does not hold ({why}); its account is left as it is"),
            next: Some(format!("correct {place}: bursar validate")),
            ..trouble(Kind::Invalid, None, "")
        });
    }
    if account.state == AccountState::Unknown {
        all.push(Trouble {
            what: "it cannot be read".to_owned(),
            message: account.message.clone().unwrap_or_default(),
            ..trouble(Kind::Unknown, None, "")
        });
    }
    let Some(client) = &account.client else { return };
    let mut groups: BTreeMap<(Kind, Option<Reason>), Vec<&Action>> = BTreeMap::new();
    for action in &account.actions {
        for kind in kinds(action) {
            groups.entry((kind, action.reason)).or_default().push(action);
        }
    }
    for ((kind, reason), actions) in groups {
        let detail = match kind {
            // Each is told for itself: another one is other news.
            Kind::Held | Kind::Drift => {
                let keys: Vec<String> = actions.iter().map(|action| deed(client, action)).collect();
                format!("/{}", short(&keys.iter().map(String::as_str).collect::<Vec<_>>()))
            }
            _ => String::new(),
        };
        let (what, message) = words(kind, &actions);
        let tried = tries(client);
        let reason = if kind == Kind::Drift { None } else { reason };
        all.push(Trouble {
            what,
            message,
            next: if kind == Kind::Drift { None } else { explain.clone() },
            // What nothing tries again is told at once.
            ripe: kind != Kind::Failed || tried == 0 || tried >= PATIENCE,
            ..trouble(kind, reason, &detail)
        });
    }
}

/// What kinds of news an action is.
fn kinds(action: &Action) -> impl Iterator<Item = Kind> {
    let standing = match (action.state, action.reason) {
        // The fleet's, told once for all.
        (ActionState::Blocked, Some(Reason::GuardRail | Reason::Frozen | Reason::AccountsVanished)) => None,
        (ActionState::Blocked, Some(Reason::RemovedElsewhere | Reason::InvitationGone)) => Some(Kind::RemovedElsewhere),
        (ActionState::Blocked, Some(Reason::OutcomeUnknown)) => Some(Kind::OutcomeUnknown),
        (ActionState::Blocked, _) => Some(Kind::Blocked),
        (ActionState::Failed, Some(Reason::QuotaExhausted)) => None,
        (ActionState::Failed, _) => Some(Kind::Failed),
        (ActionState::Manual, _) => Some(Kind::Manual),
        (ActionState::Waiting, Some(Reason::Held)) => Some(Kind::Held),
        _ => None,
    };
    let moved = matches!(action.cause, Some(Cause::Drift { .. }))
        && (matches!(action.state, ActionState::Planned | ActionState::Applied)
            || action.reason == Some(Reason::Suspended));
    standing.into_iter().chain(moved.then_some(Kind::Drift))
}

/// In a few words, and in full.
fn words(kind: Kind, actions: &[&Action]) -> (String, String) {
    let Some(first) = actions.first() else { return (String::new(), String::new()) };
    let more = match actions.len() {
        0 | 1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    let what = format!("{}{more}", describe(&first.op));
    let why = first.reason.map_or_else(String::new, |reason| format!(" ({reason:?})"));
    let cause = first.cause.map(|cause| cause.to_string()).filter(|cause| !cause.is_empty());
    let cause = cause.map_or_else(String::new, |cause| format!("; {cause}"));
    let message = match kind {
        Kind::Manual => format!("by hand: {what}; this service offers it to no program"),
        Kind::Held => format!("{what}: {}", first.message),
        Kind::Drift => {
            let done = if first.state == ActionState::Applied { done_line(first) } else { describe(&first.op) };
            let end = match (first.state, first.cause) {
                (ActionState::Skipped, _) => format!("{cause}; the client is suspended, so it is not set back"),
                (_, Some(why)) => format!("; set back: {why}"),
                (_, None) => String::new(),
            };
            format!("{done}{more}{end}")
        }
        Kind::Failed => format!("failing: {what}: {}{why}", first.message),
        _ => format!("{}: {what}: {}{why}{cause}", kind.as_str().replace('_', " "), first.message),
    };
    (format!("{}{why}: {what}", kind.as_str().replace('_', " ")), message)
}

fn deed(client: &ClientName, action: &Action) -> String {
    let Series { client, kind, argument } = Series::of(client, &action.op);
    // What it was changed to elsewhere makes another deed of it.
    let from = match &action.op {
        Op::UpdateAccount { name, email } => format!(
            "{}/{}",
            name.as_ref().and_then(|change| change.from.as_ref()).map_or("", |name| name.as_str()),
            email.as_ref().and_then(|change| change.from.as_ref()).map_or("", |email| email.key())
        ),
        _ => String::new(),
    };
    format!("{client}/{kind:?}/{argument}/{from}")
}

fn short(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}
