//! Judging what was seen: line by line what it is, whether that is well, and what to do next.
//! Pure. All text of the server is inert.

use std::time::Duration;

use crate::domain::Money;
use crate::provider::{
    ApiError, ApiErrorKind, Capabilities, Capability, Greeting, Holder, Offer, Paging, PlanOffer, USUAL_RESERVE,
};

use super::profile::{Probed, Profile};

/// Clocks further apart are told as out of step.
const STEP: i64 = 30;
/// A list that shows a new account within this time does not lag.
const NO_LAG: Duration = Duration::from_secs(1);

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// As it should be.
    Ok,
    /// It works, and somebody should know.
    Warn,
    /// It does not work.
    Bad,
}

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The base URL.
    Address,
    /// Whether the server answers, and how soon.
    Reach,
    /// Whose token it is.
    Token,
    /// Whether accounts can be managed.
    Management,
    /// In what it differs.
    Ways,
    /// Its own roles.
    Roles,
    /// Whether plans can be paid.
    Payment,
    /// The extensions.
    Capabilities,
    /// What is on sale.
    Plans,
    /// Whether lists come by pages.
    Paging,
    /// What is left of the quota.
    Quota,
    /// Whether the clocks agree.
    Clock,
    /// Whether it is a sandbox.
    Sandbox,
    /// Whether lists lag.
    ReadLag,
    /// Whether names are unique.
    Names,
}

impl Subject {
    /// For people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Reach => "reach",
            Self::Token => "token",
            Self::Management => "accounts",
            Self::Ways => "ways",
            Self::Roles => "roles",
            Self::Payment => "payment",
            Self::Capabilities => "capabilities",
            Self::Plans => "plans",
            Self::Paging => "paging",
            Self::Quota => "quota",
            Self::Clock => "clock",
            Self::Sandbox => "sandbox",
            Self::ReadLag => "read lag",
            Self::Names => "names",
        }
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What it is about.
    pub subject: Subject,
    /// How it stands.
    pub health: Health,
    /// What was found.
    pub found: String,
    /// What to do next, where something is to be done.
    pub next: Option<String>,
}

fn ok(subject: Subject, found: impl Into<String>) -> Check {
    Check { subject, health: Health::Ok, found: found.into(), next: None }
}

fn warn(subject: Subject, found: impl Into<String>, next: impl Into<String>) -> Check {
    Check { subject, health: Health::Warn, found: found.into(), next: Some(next.into()) }
}

fn bad(subject: Subject, found: impl Into<String>, next: impl Into<String>) -> Check {
    Check { subject, health: Health::Bad, found: found.into(), next: Some(next.into()) }
}

/// A question that brought no answer.
fn failed(subject: Subject, error: &ApiError) -> Check {
    bad(subject, error.to_string(), next_after(error))
}

fn next_after(error: &ApiError) -> &'static str {
    match &error.kind {
        ApiErrorKind::NotSent { .. } => "see that the address is right and can be reached from here",
        ApiErrorKind::Refused { status: 401, .. } => {
            "give a user token that is valid: BURSAR_TOKEN, or --token-file FILE"
        }
        ApiErrorKind::Quota { .. } => "wait until the quota opens again",
        ApiErrorKind::Unclear { .. } => {
            "something else than the API may be answering (a proxy, a sign-in page): see what is at the address"
        }
        _ => "ask the service's support, with the request id",
    }
}

impl Profile {
    /// Every line, in a fixed order.
    pub fn checks(&self) -> Vec<Check> {
        let mut checks = vec![self.address(), self.reach()];
        if let Ok(greeting) = &self.greeting {
            checks.push(token(&greeting.holder));
        }
        match &self.offer {
            Some(Ok(offer)) => self.offered(offer, &mut checks),
            Some(Err(error)) => checks.push(failed(Subject::Management, error)),
            None => {}
        }
        checks.extend(self.paging.as_ref().map(|paging| match paging {
            Ok(paging) => self::paging(*paging),
            Err(error) => failed(Subject::Paging, error),
        }));
        if let Ok(greeting) = &self.greeting {
            checks.extend([self.quota(), clock(greeting)]);
            if let Some(world) = &greeting.world {
                checks.push(self.sandbox(world));
            }
        }
        match &self.probed {
            Some(Ok(probed)) => checks.extend([read_lag(probed), names(probed)]),
            Some(Err(error)) => checks.push(failed(Subject::ReadLag, error)),
            None => {}
        }
        checks
    }

    fn address(&self) -> Check {
        let url = &self.base_url;
        let host = if url.is_vendor() { ", the vendor's own" } else { "" };
        if url.is_loopback() {
            ok(Subject::Address, format!("{url}, on this very machine"))
        } else {
            ok(Subject::Address, format!("{url}{host}, encrypted, the certificate checked"))
        }
    }

    fn reach(&self) -> Check {
        match &self.greeting {
            Ok(greeting) => {
                ok(Subject::Reach, format!("answered in {} ms, connecting included", greeting.took.as_millis()))
            }
            Err(error) => {
                let subject = match error.kind {
                    ApiErrorKind::Refused { status: 401 | 403, .. } => Subject::Token,
                    _ => Subject::Reach,
                };
                failed(subject, error)
            }
        }
    }

    fn offered(&self, offer: &Offer, checks: &mut Vec<Check>) {
        if !offer.account_management {
            let (why, next) = if self.base_url.is_vendor() {
                (
                    "what is published is read; managing accounts is off on the vendor's own hosts",
                    "`bursar plan` finds what is missing and tells the steps to do by hand; \
                     should the vendor offer it one day, --account-management on uses it",
                )
            } else {
                (
                    "what is published is read; managing accounts is not offered here",
                    "`bursar plan` finds what is missing and tells the steps to do by hand",
                )
            };
            checks.push(warn(Subject::Management, why, next));
            return;
        }
        checks.push(ok(Subject::Management, "created, subscribed and joined over this API"));
        if !offer.quirks.is_empty() {
            let ways: Vec<&str> = offer.quirks.iter().map(|quirk| quirk.words()).collect();
            checks.push(ok(Subject::Ways, ways.join("; ")));
        }
        if !offer.roles.is_empty() {
            let roles = offer.roles.iter().map(|offered| format!("{} ({})", offered.role, offered.access));
            checks.push(ok(Subject::Roles, roles.collect::<Vec<_>>().join(", ")));
        }
        if let Some(why) = &offer.unpayable {
            let next = "until then everything that would cost more is blocked, and the rest goes on";
            checks.push(warn(Subject::Payment, why.as_str(), next));
        }
        checks.push(self.capabilities(&offer.capabilities));
        let on_sale: Vec<&PlanOffer> = offer.plans.iter().filter(|plan| plan.available).collect();
        checks.push(if on_sale.is_empty() {
            warn(Subject::Plans, "none is on sale", "new accounts can be made, and not subscribed")
        } else {
            let kept = offer.plans.len() - on_sale.len();
            let kept = if kept == 0 { String::new() } else { format!("; {kept} more that are not newly chosen") };
            let on_sale: Vec<String> = on_sale.into_iter().map(price).collect();
            ok(Subject::Plans, format!("{}{kept}", on_sale.join(", ")))
        });
    }

    fn capabilities(&self, used: &Capabilities) -> Check {
        let subject = Subject::Capabilities;
        let list = |all: &Capabilities| {
            let names = all.to_string();
            if names.is_empty() { "none".to_owned() } else { names }
        };
        let named = match &self.named {
            Some(Ok(Some(named))) => named,
            Some(Err(error)) => return failed(subject, error),
            Some(Ok(None)) | None => return ok(subject, list(used)),
        };
        if self.overruled.is_none() {
            return ok(subject, format!("{}, as the server says", list(named)));
        }
        let found = format!("{}, as the operator says; the server says {}", list(used), list(named));
        let bold: Vec<&str> = Capability::ALL
            .into_iter()
            .filter(|one| used.has(*one) && !named.has(*one))
            .map(Capability::name)
            .collect();
        if bold.is_empty() {
            ok(subject, found)
        } else {
            let next = format!("leave out what the server does not name: {}", bold.join(", "));
            warn(subject, found, next)
        }
    }

    fn quota(&self) -> Check {
        let Some(quota) = self.quota else {
            return ok(Subject::Quota, "the server tells of none");
        };
        let seconds = quota.resets_in.as_secs();
        let wait = if seconds < 60 { format!("{seconds} s") } else { format!("{} min", seconds.div_ceil(60)) };
        let reserve = (quota.limit * u64::from(USUAL_RESERVE)).div_ceil(100);
        let found = format!(
            "{} of {} requests left, until the window opens again in {wait}; {reserve} are the daemon's reserve{}",
            quota.remaining,
            quota.limit,
            self.full_pass(quota.limit - reserve)
        );
        if quota.remaining == 0 {
            bad(Subject::Quota, found, "wait until then")
        } else if quota.remaining < quota.limit / 10 {
            warn(Subject::Quota, found, "see who else uses tokens of this user; a large fleet will wait")
        } else {
            ok(Subject::Quota, found)
        }
    }

    /// What reading everything at this size takes, where it is known.
    fn full_pass(&self, usable: u64) -> String {
        let total = match &self.paging {
            Some(Ok(Paging::Honoured { total: Some(total) } | Paging::OnePage { entries: total })) => *total,
            _ => return String::new(),
        };
        let Some(Ok(offer)) = &self.offer else { return String::new() };
        let embedded = !offer.account_management || offer.capabilities.has(Capability::Bulk);
        let details = if embedded { 0 } else { 2 * total };
        let requests = total.div_ceil(100).max(1) + details;
        let part = requests as f64 * 100.0 / usable.max(1) as f64;
        let (accounts, requests_word) = (count(total, "account"), count(requests, "request"));
        format!("; a full pass over {accounts} takes {requests_word}, {part:.1}% of what it leaves")
    }

    fn sandbox(&self, world: &str) -> Check {
        let world = crate::domain::text::inert(world);
        let found = format!("this is one, its world {world}: no money is real");
        match self.probed {
            Some(_) => ok(Subject::Sandbox, found),
            None if !self.manages_accounts() => Check {
                next: Some("what a plan gives a person to do is done on the sandbox's own page here".into()),
                ..ok(Subject::Sandbox, found)
            },
            None => Check {
                next: Some("--probe makes two accounts there, to tell read lag and whether names are unique".into()),
                ..ok(Subject::Sandbox, found)
            },
        }
    }
}

fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn token(holder: &Holder) -> Check {
    const MAKE: &str = "make a user token, which sees every account of its user: at the service, sign in, open User \
                        settings (https://dnsimple.com/user), Access tokens; an account's own settings make account \
                        tokens";
    match holder {
        Holder::User(email) => ok(Subject::Token, format!("a user token, of {email}")),
        Holder::Account { id, name } => {
            let id = id.as_ref().map_or_else(String::new, |id| format!(" {id}"));
            let name = name.as_ref().map_or_else(String::new, |name| format!(" (\"{name}\")"));
            bad(Subject::Token, format!("an account token, of the account{id}{name}: it sees this account only"), MAKE)
        }
        Holder::Nobody => bad(Subject::Token, "neither a user nor an account stands behind it", MAKE),
    }
}

/// What a plan costs, in a few words.
fn price(plan: &PlanOffer) -> String {
    let period = if plan.yearly { "a year" } else { "a month" };
    match (plan.base_price, plan.seat_price) {
        (None, _) => format!("{} (custom price)", plan.id),
        (Some(base), Some(seat)) if seat != Money::ZERO => {
            format!("{} ({base} {period}, {seat} a further seat)", plan.id)
        }
        (Some(base), _) => format!("{} ({base} {period})", plan.id),
    }
}

fn paging(paging: Paging) -> Check {
    match paging {
        Paging::Honoured { total: Some(total) } => ok(Subject::Paging, format!("honoured; accounts in all: {total}")),
        Paging::Honoured { total: None } => ok(Subject::Paging, "honoured; how many there are is not told"),
        Paging::OnePage { entries } => ok(
            Subject::Paging,
            format!(
                "one page: nothing says that there are others, so this one counts as the list; accounts: {entries}"
            ),
        ),
        Paging::Other { per_page, entries } => warn(
            Subject::Paging,
            match per_page {
                Some(per_page) => format!("asked for 1 account a page, it says {per_page} and sends {entries}"),
                None => format!("asked for 1 account a page, it sends {entries} and says that there are more"),
            },
            "lists are read by its own word, and one that does not add up is an error, never a shorter list",
        ),
    }
}

fn clock(greeting: &Greeting) -> Check {
    let Greeting { date, received_at, .. } = greeting;
    let Some(date) = date else {
        return ok(Subject::Clock, "the server does not tell its own");
    };
    let apart = received_at.as_second() - date.as_second();
    if apart.abs() <= STEP {
        return ok(Subject::Clock, format!("in step with the server's, within {STEP} s"));
    }
    let direction = if apart > 0 { "ahead of" } else { "behind" };
    warn(
        Subject::Clock,
        format!("this machine's is {} s {direction} the server's", apart.abs()),
        "set one of the clocks: histories and deadlines go by this machine's",
    )
}

fn read_lag(probed: &Probed) -> Check {
    let next = "give --settle at least that long, so that a list is not asked too early";
    match probed.lag {
        Ok(lag) if lag <= NO_LAG => ok(Subject::ReadLag, "the list shows a new account at once"),
        Ok(lag) => warn(Subject::ReadLag, format!("the list shows a new account after {} s", lag.as_secs()), next),
        Err(waited) => {
            warn(Subject::ReadLag, format!("the list does not show a new account within {} s", waited.as_secs()), next)
        }
    }
}

fn names(probed: &Probed) -> Check {
    match &probed.unique {
        None => ok(Subject::Names, format!("not unique: two accounts are called \"{}\" now, and stay", probed.name)),
        Some(said) => ok(Subject::Names, format!("unique: a second \"{}\" was refused ({said})", probed.name)),
    }
}
