//! What must be so in the end, whatever a seed brought: each thing once, nothing lost, no
//! request without its permit, no question whose answer could be seen.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex};

use bursar::journal::{Entry, EntryKind};
use bursar::plan::OpKind;
use serde_json::Value;

use super::faulty::Commit;
use super::network::Fate;
use super::universe::{CLIENTS, Script, Story, Terms, story};
use super::ways::Ways;
use crate::support::Ledger;

/// All that a server gave or took, in an order that does not depend on who came first.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Given {
    accounts: u64,
    subscriptions: u64,
    members: u64,
    invitations: u64,
    /// Amount and reason.
    charges: Vec<String>,
    /// To whom, and the subject, in which the account's name stands.
    mails: Vec<String>,
}

impl Given {
    fn of(ledger: &Ledger) -> Self {
        let each = |what: &str, fields: [&str; 2]| {
            let things = ledger.0[what].as_array().unwrap().iter();
            let text = |thing: &Value| fields.map(|field| thing[field].as_str().unwrap().to_owned()).join(" ");
            let mut all: Vec<String> = things.map(text).collect();
            all.sort();
            all
        };
        Self {
            accounts: ledger.count("accounts_created"),
            subscriptions: ledger.count("subscriptions_created"),
            members: ledger.count("members_added"),
            invitations: ledger.count("invitations_sent"),
            charges: each("charges", ["amount", "for"]),
            mails: each("mails", ["to", "subject"]),
        }
    }
}

/// What a run without any trouble gives when it is done and when it is paid, and the accounts
/// in the end.
type Calm = (Given, Given, Vec<String>);

/// What a run without any trouble gives, under such terms.
fn calm(terms: &Terms) -> Calm {
    static CALM: LazyLock<Mutex<BTreeMap<Terms, Calm>>> = LazyLock::new(Mutex::default);
    if let Some(given) = CALM.lock().unwrap().get(terms) {
        return given.clone();
    }
    let story = story(0, &Script::calm(terms.clone()));
    assert_eq!(story.unrest, None, "a run without trouble does not end; {}", story.told());
    let given = (Given::of(&story.ledger), Given::of(&story.paid), story.accounts.clone());
    assert_eq!([given.0.accounts, given.0.subscriptions, given.0.members], [3, 3, 6], "{}", story.told());
    assert_eq!(given.0.mails.len(), 6, "{}", story.told());
    assert!(!given.1.charges.is_empty(), "there is money to be judged; {}", story.told());
    assert!(terms.second_wish || strangers(&story) == 0, "{}", story.told());
    CALM.lock().unwrap().insert(terms.clone(), given.clone());
    given
}

/// How much a duplicate-free story had to ask of people, and whether it should have.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Creates of which no answer came that proves anything.
    pub in_doubt: u64,
    /// Those of them that had been carried out.
    pub carried_out: u64,
    /// Permits of which the journal was never told that nothing came of them: the process died
    /// before it sent, or before it heard and wrote down that it was refused; or the journal did
    /// not say that it gave them.
    pub untold: u64,
    pub questions: u64,
}

/// Each thing once, whatever the seed brought.
pub fn judged(seed: u64, script: &Script) -> Story {
    let story = story(seed, script);
    let told = || format!("seed {seed}, {script:?}: {}", story.told());
    assert_eq!(story.unrest, None, "it does not end; {}", told());
    let (when_done, when_paid, accounts) = calm(&script.terms);
    assert_eq!(Given::of(&story.ledger), when_done, "{}", told());
    assert_eq!(Given::of(&story.paid), when_paid, "{}", told());
    assert_eq!(story.accounts, accounts, "{}", told());
    check_questions(script, &story).unwrap_or_else(|why| panic!("{why}; {}", told()));
    check_permits(script, &story).unwrap_or_else(|why| panic!("{why}; {}", told()));
    story
}

/// The names of accounts that were made more than once, one each time too many.
pub fn duplicates(story: &Story) -> usize {
    story.made.len()
        - CLIENTS.iter().filter(|(name, _)| story.made.iter().any(|made| made.name.ends_with(name))).count()
}

/// How many accounts do not bear the name and the notification email of a client in the end.
pub fn strangers(story: &Story) -> usize {
    let wanted = CLIENTS.map(|(name, _)| format!(r#""Client {name}" "dns+{name}@agency.example""#));
    story.accounts.iter().filter(|account| !wanted.contains(account)).count()
}

fn entries(story: &Story) -> impl Iterator<Item = &Entry> {
    story.journals.iter().flat_map(|journal| &journal.entries)
}

/// What became of the creates of one account.
pub fn counts(story: &Story, name: &str) -> Counts {
    let account = format!("Client {name}");
    let sent = |kind: EntryKind| {
        let of_it = entries(story).filter(|entry| entry.client.as_ref().is_some_and(|client| client.as_str() == name));
        of_it.filter(|entry| entry.op == Some(OpKind::CreateAccount) && entry.kind == kind).count() as u64
    };
    let creates = || story.events.iter().filter(|event| event.account.as_ref() == Some(&account));
    let in_doubt = creates().filter(|event| !event.fate.disproves() && event.fate != Fate::Answered);
    let nothing = creates().filter(|event| event.fate.disproves()).count() as u64;
    Counts {
        in_doubt: in_doubt.clone().count() as u64,
        carried_out: in_doubt.filter(|event| event.fate.arrives()).count() as u64,
        untold: (sent(EntryKind::Sent) + nothing)
            .saturating_sub(creates().count() as u64 + sent(EntryKind::Refused) + sent(EntryKind::NotSent)),
        questions: story.questions.iter().filter(|asked| asked.account == account).count() as u64,
    }
}

/// With keys nobody is asked. Without, only of what was sent (or was about to be, by a process
/// that died) and not carried out: what shows is found, and what was never sent goes on.
fn check_questions(script: &Script, story: &Story) -> Result<(), String> {
    if (script.keys() || script.is_calm()) && !story.questions.is_empty() {
        return Err("somebody was asked".to_owned());
    }
    for asked in &story.questions {
        let shown = |made: &&super::network::Made| made.at + script.terms.list_delay <= asked.at;
        if let Some(made) = story.made.iter().filter(|made| made.name == asked.account).find(shown) {
            return Err(format!("it could be seen, and somebody was asked: {made:?}"));
        }
    }
    for (name, _) in CLIENTS {
        let Counts { in_doubt, carried_out, untold, questions } = counts(story, name);
        if questions > in_doubt - carried_out + untold {
            return Err(format!("{name} was never in doubt, and somebody was asked"));
        }
    }
    Ok(())
}

/// The requests of one route, as three sides count them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Route {
    /// By the journal: the attempts of all rows.
    pub sends: u64,
    /// By the journal: the permits that were given.
    pub permits: u64,
    /// By the server.
    pub served: u64,
    /// By the network: given to it, lost on the way there, and refused before anything was
    /// written.
    pub wire: [u64; 3],
}

/// The requests of each route that is not a read.
pub fn routes(story: &Story, ways: &Ways) -> BTreeMap<String, Route> {
    let mut routes: BTreeMap<String, Route> = BTreeMap::new();
    for row in story.journals.iter().flat_map(|journal| &journal.rows) {
        routes.entry((ways.route)(row.operation.series.kind).to_owned()).or_default().sends += u64::from(row.sends);
    }
    for entry in entries(story) {
        if let (Some(op), EntryKind::Sent) = (entry.op, entry.kind) {
            routes.entry((ways.route)(op).to_owned()).or_default().permits += 1;
        }
    }
    for event in story.events.iter().filter(|event| !event.call.starts_with("GET ")) {
        let route = routes.entry(ways.without_ids(&event.call)).or_default();
        route.wire[0] += 1;
        route.wire[1] += u64::from(!event.fate.arrives() && event.fate != Fate::Refused);
        route.wire[2] += u64::from(event.fate == Fate::Refused);
    }
    for (call, count) in story.ledger.0["requests"].as_object().unwrap() {
        if !call.starts_with("GET ") && !call.contains("/sandbox") {
            routes.entry(ways.without_ids(call)).or_default().served += count.as_u64().unwrap();
        }
    }
    routes
}

/// Requests at the server = attempts in the journal. For each route that is not a read:
///
/// ```text
/// attempts = served + lost on the way + untold
/// ```
///
/// where untold are the permits that nothing was sent on and the journal was not told so:
/// the process died before the request was on the wire or before a refused connection was
/// written down, or a commit failed. Without deaths and failures of the journal it is 0.
fn check_permits(script: &Script, story: &Story) -> Result<(), String> {
    let deaths = u64::from(story.lives - 1);
    let failures = story.commits.iter().filter(|commit| **commit != Commit::Written).count() as u64;
    // Each life has at most one request of each client between permit and outcome.
    let most = deaths * CLIENTS.len() as u64 + failures;
    let mut in_all = 0;
    for (name, route) in routes(story, Ways::of(script.terms.dialect)) {
        let Route { sends, permits, served, wire: [wire, lost, refused] } = route;
        if wire > permits {
            return Err(format!("{name} without a permit: {route:?}"));
        }
        let untold = sends.checked_sub(served + lost);
        in_all += untold.unwrap_or_default();
        if wire != served + lost + refused || untold.is_none() || (in_all > most && script.destroyed.is_none()) {
            return Err(format!("attempts and requests of {name} do not agree: {route:?}, {in_all} of at most {most}"));
        }
    }
    Ok(())
}
