//! The daily digest: what waits and since when, whom to remind with a message ready to send,
//! what a person must do, and what all that costs meanwhile. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::domain::text::inert;
use crate::domain::{AccountId, ClientName, Email, Money, mask};
use crate::plan::{AccountPlan, AccountState, Action, ActionState, ApiInfo, Op, Plan, Reason, Series, describe};
use crate::provider::{BaseUrl, MemberState, Offer, PlanOffer};

/// The version of this format: a reader ignores unknown fields and refuses another major.
const FORMAT_VERSION: &str = "1.0";
/// Lines of a part before it is cut.
const LISTED: usize = 40;

/// What waits, and what that costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// When it was made.
    pub at: Timestamp,
    /// All clients.
    pub clients: usize,
    /// Those that are as they should be.
    pub in_sync: usize,
    /// What waits, the longest first.
    pub waits: Vec<Waits>,
    /// What a person must do, the longest first.
    pub acts: Vec<Acts>,
    /// What is paid meanwhile for nothing.
    pub idle: Idle,
}

/// Something that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waits {
    /// For which client.
    pub client: ClientName,
    /// Its account.
    pub account: Option<AccountId>,
    /// What it waits for.
    pub reason: Reason,
    /// What is to be done. Inert text.
    pub what: String,
    /// Since when; `None` where no journal tells.
    pub since: Option<Timestamp>,
    /// Whom to remind.
    pub person: Option<Email>,
    /// What to write to them.
    pub letter: Option<Letter>,
}

/// A message, ready to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// With the address of whoever gets it.
    pub clear: String,
    /// Without it, for those who may not know it: a mask in it could not be sent.
    pub masked: String,
}

impl Letter {
    fn shown(&self, masked: bool) -> String {
        // Somebody else's address may stand in the name of the account.
        if masked { mask(&self.masked) } else { self.clear.clone() }
    }
}

/// Something that a person must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acts {
    /// For which client; a document without a name goes by its place.
    pub client: String,
    /// `blocked`, `manual`, `failed`, `invalid` or `unknown`.
    pub state: AccountState,
    /// The condition.
    pub reason: Option<Reason>,
    /// What is to be done, and what ends it. Inert text.
    pub what: String,
    /// On whom it waits.
    pub on: &'static str,
    /// Since when; `None` where no journal tells.
    pub since: Option<Timestamp>,
}

/// What is paid a month for nobody.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Idle {
    /// Seats of people who are invited and have not accepted.
    pub invited: Owed,
    /// Seats that nobody is wanted for.
    pub spare: Owed,
    /// Accounts without a manifest.
    pub unmanaged: Owed,
}

/// So many, and what they cost a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Owed {
    /// How many.
    pub count: u32,
    /// Their list price a month, as far as it is known.
    pub monthly: Money,
}

/// Makes the digest. `since` tells since when what is open is so, by deed
/// (`CLIENT/KIND/ARGUMENT`).
pub fn digest(plan: &Plan, offer: &Offer, since: &BTreeMap<String, Timestamp>, now: Timestamp) -> Digest {
    let since_of = |client: &ClientName, action: &Action| {
        let Series { client, kind, argument } = Series::of(client, &action.op);
        since.get(&format!("{client}/{kind:?}/{argument}")).copied()
    };
    let (mut waits, mut acts, mut idle) = (Vec::new(), Vec::new(), Idle::default());
    for account in &plan.accounts {
        if matches!(account.state, AccountState::Invalid | AccountState::Unknown) {
            acts.push(Acts {
                client: inert(&account.name).into_owned(),
                state: account.state,
                reason: None,
                what: account.message.clone().unwrap_or_default(),
                on: if account.state == AccountState::Invalid { "whoever writes the manifest" } else { "the operator" },
                since: None,
            });
        }
        seats(&mut idle, account, offer);
        let Some(client) = &account.client else { continue };
        for action in &account.actions {
            let since = since_of(client, action);
            match (action.state, action.reason) {
                (ActionState::Waiting, Some(reason)) => waits.push(wait(plan, account, client, action, reason, since)),
                (ActionState::Blocked | ActionState::Manual | ActionState::Failed, reason) => {
                    acts.push(act(client, action, reason, since));
                }
                _ => {}
            }
        }
    }
    for account in &plan.unmanaged {
        idle.unmanaged.count += 1;
        idle.unmanaged.monthly += account.monthly.unwrap_or(Money::ZERO);
    }
    // Whatever has no time is older than what is remembered.
    waits.sort_by(|a, b| (a.since, &a.client, &a.what).cmp(&(b.since, &b.client, &b.what)));
    acts.sort_by(|a, b| (a.since, &a.client, &a.what).cmp(&(b.since, &b.client, &b.what)));
    let clients = plan.accounts.iter().filter(|account| account.client.is_some());
    Digest {
        at: now,
        clients: clients.clone().count(),
        in_sync: clients.filter(|account| account.state == AccountState::InSync).count(),
        waits,
        acts,
        idle,
    }
}

fn wait(
    plan: &Plan,
    account: &AccountPlan,
    client: &ClientName,
    action: &Action,
    reason: Reason,
    since: Option<Timestamp>,
) -> Waits {
    let person = match reason {
        Reason::AwaitingSignup | Reason::AwaitingAcceptance => action.op.person().cloned(),
        _ => None,
    };
    let name = account.desired.as_ref().map_or_else(|| client.to_string(), |desired| desired.name.to_string());
    let letter = person.as_ref().map(|person| letter(&plan.api, &name, person, reason));
    let what = match reason {
        Reason::AwaitingSignup | Reason::AwaitingAcceptance => describe(&action.op),
        _ => format!("{}: {}", describe(&action.op), action.message),
    };
    Waits { client: client.clone(), account: account.account_id.clone(), reason, what, since, person, letter }
}

/// What to write to somebody on whom it waits.
fn letter(api: &ApiInfo, account: &str, person: &Email, reason: Reason) -> Letter {
    let (service, signup) = service(api);
    let text = |invited: &str, address: &str| match reason {
        Reason::AwaitingAcceptance => format!(
            "Hello, you have been invited to the account \"{account}\" at {service}, by mail{invited}. Please open \
             that mail and accept the invitation; look among the spam if it is not there. Thank you."
        ),
        _ => format!(
            "Hello, we would like to give you access to the account \"{account}\" at {service}. Please sign up at \
             {signup} with {address}. You are added by itself, within an hour of that. Thank you."
        ),
    };
    Letter {
        clear: text(&format!(" to {person}"), &format!("this very address, {person}")),
        masked: text("", "the very address that this came to"),
    }
}

/// What the service is called, and where people sign up.
fn service(api: &ApiInfo) -> (String, String) {
    let here = BaseUrl::parse(&api.url).is_ok_and(|url| url.is_loopback());
    let rest = api.url.split_once("://").map_or(api.url.as_str(), |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or(rest);
    match (here, api.provider.as_str()) {
        (true, _) => ("this machine".to_owned(), format!("http://{host}/")),
        (false, "netlify") => ("Netlify".to_owned(), "https://app.netlify.com/signup".to_owned()),
        (false, "dnsimple") if host == "api.sandbox.dnsimple.com" => {
            ("DNSimple's test site".to_owned(), "https://sandbox.dnsimple.com/signup".to_owned())
        }
        (false, "dnsimple") => ("DNSimple".to_owned(), "https://dnsimple.com/signup".to_owned()),
        (false, other) => (inert(other).into_owned(), format!("https://{host}/")),
    }
}

fn act(client: &ClientName, action: &Action, reason: Option<Reason>, since: Option<Timestamp>) -> Acts {
    let (state, on) = match (action.state, reason) {
        (ActionState::Failed, _) => (AccountState::Failed, "the operator"),
        (ActionState::Manual, _) => (AccountState::Manual, "the operator, by hand"),
        (
            _,
            Some(
                Reason::PlanTakesOneMember
                | Reason::PlanUnavailable
                | Reason::TooManyMembers
                | Reason::AmbiguousAccount
                | Reason::AdoptionNeeded
                | Reason::AccountNotFound
                | Reason::NotificationEmailConflict
                | Reason::AccessUnavailable,
            ),
        ) => (AccountState::Blocked, "whoever writes the manifest"),
        (_, Some(Reason::PaymentRequired)) => (AccountState::Blocked, "whoever pays"),
        (_, Some(Reason::EmailNotVerified)) => (AccountState::Blocked, "the user whose token this is"),
        _ => (AccountState::Blocked, "the operator"),
    };
    let what = match action.state {
        ActionState::Manual => action.message.clone(),
        _ => format!("{}: {}", describe(&action.op), action.message),
    };
    Acts { client: client.to_string(), state, reason, what, on, since }
}

/// The seats of an account that nobody sits on, by why.
fn seats(idle: &mut Idle, account: &AccountPlan, offer: &Offer) {
    let Some(observed) = &account.observed else { return };
    let Some(Some(now)) = observed.subscription.seen() else { return };
    let (Some(seats), Some(members)) = (now.seats.filter(|_| now.is_active()), observed.members.seen()) else { return };
    let price = offer.plan(&now.plan).and_then(PlanOffer::monthly_seat).unwrap_or(Money::ZERO);
    let counted = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let invited = counted(members.iter().filter(|member| member.state == MemberState::Invited).count());
    // Seats for people who come in this very plan are nobody's waste.
    let coming = account.actions.iter().filter(|action| {
        matches!(action.op, Op::AddMember { .. }) && (action.is_planned() || action.reason == Some(Reason::Held))
    });
    let taken = counted(members.len()).saturating_add(counted(coming.count()));
    // The seats that a plan includes are paid for whoever sits on them.
    let included = offer.plan(&now.plan).and_then(|plan| plan.included_seats).unwrap_or(1);
    let spare = seats.saturating_sub(taken.max(included));
    for (owed, n) in [(&mut idle.invited, invited), (&mut idle.spare, spare)] {
        owed.count += n;
        owed.monthly += price * n;
    }
}

/// The digest for people; `masked` shows emails so that people are told apart and not named,
/// and letters without them.
pub fn digest_text(digest: &Digest, masked: bool) -> String {
    let Digest { at, clients, in_sync, waits, acts, idle } = digest;
    let mut out = format!(
        "bursar, {}: {in_sync} of {clients} clients in sync, {} waiting, {} for a person to act on\n",
        at.strftime("%Y-%m-%d"),
        waits.len(),
        acts.len(),
    );
    section(&mut out, "A person must act", acts, |out, act| {
        let Acts { client, state: _, reason, what, on, since } = act;
        let reason = reason.map_or_else(String::new, |reason| format!(" ({reason:?})"));
        let _ = writeln!(out, "  {client}: {what}{reason}");
        let _ = writeln!(out, "    on {on}{}; bursar explain {client}", age(*since, *at));
    });
    section(&mut out, "Waiting", waits, |out, waits| {
        let Waits { client, account, reason, what, since, person, letter } = waits;
        let id = account.as_ref().map_or_else(String::new, |id| format!(" (account {id})"));
        let _ = writeln!(out, "  {client}{id}: {what} ({reason:?}{})", age(*since, *at));
        if let (Some(person), Some(letter)) = (person, letter) {
            let _ = writeln!(out, "    remind {person}: {}", letter.shown(masked));
        }
    });
    if masked && waits.iter().any(|waits| waits.letter.is_some()) {
        out.push_str("  bursar digest tells whom to write to, and has the letters with their addresses\n");
    }
    let Idle { invited, spare, unmanaged } = idle;
    let lines = [
        (invited, "seat of somebody who has not accepted", "seats of people who have not accepted"),
        (spare, "seat that nobody is wanted for", "seats that nobody is wanted for"),
        (unmanaged, "account without a manifest", "accounts without a manifest"),
    ];
    if lines.iter().any(|(owed, _, _)| owed.count > 0) {
        out.push_str("\nPaid a month meanwhile, by list price in USD\n");
        for (Owed { count, monthly }, one, many) in lines {
            if *count > 0 {
                let _ = writeln!(out, "  {monthly} for {count} {}", if *count == 1 { one } else { many });
            }
        }
    }
    if masked { mask(&out) } else { out }
}

fn section<T>(out: &mut String, title: &str, all: &[T], line: impl Fn(&mut String, &T)) {
    if all.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{title}");
    for one in all.iter().take(LISTED) {
        line(out, one);
    }
    if all.len() > LISTED {
        let _ = writeln!(out, "  and {} more; bursar digest -o json lists them all", all.len() - LISTED);
    }
}

/// `, since 2026-11-02 (23 days)`.
fn age(since: Option<Timestamp>, now: Timestamp) -> String {
    let Some(since) = since else { return String::new() };
    let hours = now.duration_since(since).as_hours().max(0);
    let long = match hours {
        0 => "less than an hour".to_owned(),
        1 => "1 hour".to_owned(),
        2..48 => format!("{hours} hours"),
        _ => format!("{} days", hours / 24),
    };
    format!(", since {} ({long})", since.strftime("%Y-%m-%d"))
}

/// What programs get.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "Digest")]
struct DigestJson {
    format_version: String,
    /// `digest`
    #[serde(rename = "type")]
    what: String,
    /// When it was made, in RFC 3339.
    at: String,
    clients: usize,
    in_sync: usize,
    /// What a person must do, the longest first.
    acts: Vec<ActsJson>,
    /// What waits, the longest first.
    waits: Vec<WaitsJson>,
    /// What is paid a month for nobody.
    idle: IdleJson,
}

#[derive(Serialize, JsonSchema)]
struct ActsJson {
    name: String,
    /// `blocked`, `manual`, `failed`, `invalid` or `unknown`
    state: String,
    reason: Option<String>,
    message: String,
    /// On whom it waits.
    on: String,
    /// In RFC 3339; null where no journal tells.
    since: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct WaitsJson {
    name: String,
    account_id: Option<String>,
    reason: String,
    message: String,
    /// In RFC 3339; null where no journal tells.
    since: Option<String>,
    /// Whom to remind.
    person: Option<String>,
    /// A message to them, ready to send; without their address where emails are masked.
    letter: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct IdleJson {
    /// Seats of people who are invited and have not accepted.
    invited: OwedJson,
    /// Seats that nobody is wanted for.
    spare: OwedJson,
    /// Accounts without a manifest.
    unmanaged: OwedJson,
}

#[derive(Serialize, JsonSchema)]
struct OwedJson {
    count: u32,
    /// List price a month in USD, as far as it is known.
    monthly: String,
}

impl From<Owed> for OwedJson {
    fn from(Owed { count, monthly }: Owed) -> Self {
        Self { count, monthly: monthly.to_string() }
    }
}

/// The digest for programs; `masked` shows emails so that people are told apart and not named,
/// and letters without them.
pub fn digest_json(digest: &Digest, masked: bool) -> Value {
    let Digest { at, clients, in_sync, waits, acts, idle } = digest;
    let shown = |text: &str| if masked { mask(text) } else { text.to_owned() };
    let json = DigestJson {
        format_version: FORMAT_VERSION.to_owned(),
        what: "digest".to_owned(),
        at: at.to_string(),
        clients: *clients,
        in_sync: *in_sync,
        acts: acts
            .iter()
            .map(|Acts { client, state, reason, what, on, since }| ActsJson {
                name: client.clone(),
                state: serde_json::to_value(state).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default(),
                reason: reason.map(|reason| format!("{reason:?}")),
                message: shown(what),
                on: (*on).to_owned(),
                since: since.map(|since| since.to_string()),
            })
            .collect(),
        waits: waits
            .iter()
            .map(|Waits { client, account, reason, what, since, person, letter }| WaitsJson {
                name: client.to_string(),
                account_id: account.as_ref().map(|id| id.as_str().to_owned()),
                reason: format!("{reason:?}"),
                message: shown(what),
                since: since.map(|since| since.to_string()),
                person: person.as_ref().map(|person| shown(person.as_str())),
                letter: letter.as_ref().map(|letter| letter.shown(masked)),
            })
            .collect(),
        idle: IdleJson { invited: idle.invited.into(), spare: idle.spare.into(), unmanaged: idle.unmanaged.into() },
    };
    serde_json::to_value(json).expect("text keys and plain values only, which always serialise")
}

/// The JSON Schema of what [`digest_json`] writes.
pub fn digest_json_schema() -> Value {
    schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<DigestJson>()
        .to_value()
}
