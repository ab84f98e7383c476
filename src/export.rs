//! Manifests from the live accounts, to adopt what exists. Pure. What cannot stand in a
//! manifest is told in a comment, never left out silently.

mod folder;

use std::collections::BTreeSet;
use std::fmt;

use unicode_normalization::UnicodeNormalization as _;

use crate::domain::{Access, AccountId, AccountName, ClientName, Email, PlanId, Role};
use crate::manifest::{self, LoadOptions, Severity};
use crate::plan::{ObservedAccount, Reading, Snapshot};
use crate::provider::{Member, Subscription};
use crate::source::FileSet;

pub use folder::{Folder, folder};

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The documents, and comments.
    pub text: String,
    /// Accounts that became a manifest.
    pub written: usize,
    /// Accounts that could not, each with a comment in their place.
    pub left_out: usize,
}

/// The accounts as manifests, by ascending id.
///
/// # Errors
/// A text has no form in YAML.
pub fn manifests(snapshot: &Snapshot, options: &LoadOptions) -> Result<Exported, fmt::Error> {
    let mut exported = Exported { text: String::new(), written: 0, left_out: 0 };
    for account in accounts(snapshot, options)? {
        match account {
            Ok(entry) => {
                exported.text += if exported.written == 0 { "" } else { "---\n" };
                exported.text += &entry.document(&Shared::default())?;
                exported.written += 1;
            }
            Err(left_out) => {
                exported.text += &format!("# {left_out}\n");
                exported.left_out += 1;
            }
        }
    }
    Ok(exported)
}

/// Each account as an entry, or a line that says why it is left out.
fn accounts(snapshot: &Snapshot, options: &LoadOptions) -> Result<Vec<Result<Entry, String>>, fmt::Error> {
    let mut names = Names::default();
    let mut accounts = Vec::with_capacity(snapshot.accounts.len());
    for observed in &snapshot.accounts {
        let checked = match Entry::of(observed, &snapshot.identity.email, &mut names) {
            Ok(entry) => holds(&entry.document(&Shared::default())?, options).map(|()| entry),
            Err(why) => Err(why),
        };
        accounts.push(checked.map_err(|why| {
            let name = observed.account.name.as_ref().map_or_else(String::new, |name| format!(" (\"{name}\")"));
            format!("Account {}{name} is left out: {why}", observed.account.id)
        }));
    }
    Ok(accounts)
}

/// Whether a document passes the checks by itself.
fn holds(text: &str, options: &LoadOptions) -> Result<(), String> {
    let loaded = manifest::load(&FileSet::in_memory([("export.yaml", text)]), options);
    let error = loaded.findings.iter().find(|finding| finding.severity == Severity::Error);
    error.map_or(Ok(()), |finding| Err(crate::domain::text::inert(&finding.message).into_owned()))
}

/// What a manifest says of an account.
#[derive(Debug)]
struct Entry {
    client: ClientName,
    id: AccountId,
    name: AccountName,
    email: Email,
    /// `None` is no plan today; an error is why it could not be read.
    plan: Result<Option<PlanId>, String>,
    people: Vec<Person>,
    /// What is to be known of the members beside them, a comment each.
    remarks: Vec<String>,
}

/// A person with what they may do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Person {
    email: Email,
    access: Access,
    role: Option<Role>,
}

/// What documents need not say because defaults say it.
#[derive(Debug, Default)]
struct Shared {
    plan: Option<PlanId>,
    /// With `{name}` in it.
    email: Option<String>,
    group: Vec<Person>,
}

impl Entry {
    fn of(observed: &ObservedAccount, ourselves: &Email, names: &mut Names) -> Result<Self, String> {
        let account = &observed.account;
        let Some(name) = &account.name else {
            return Err("it has no name".to_owned());
        };
        let Some(email) = account.email.as_ref().filter(|email| Email::parse(email.as_str()).is_ok()) else {
            return Err("it has no notification email that can be read, and a manifest needs one".to_owned());
        };
        let (people, remarks) = people(&observed.members, ourselves);
        Ok(Self {
            client: names.take(name.as_str(), &account.id),
            id: account.id.clone(),
            name: name.clone(),
            email: email.clone(),
            plan: plan(observed),
            people,
            remarks,
        })
    }

    /// The document, without what is shared.
    fn document(&self, shared: &Shared) -> Result<String, fmt::Error> {
        let Self { client, id, name, email, plan, people, remarks } = self;
        let mut text = format!(
            "apiVersion: bursar.dev/v1\nkind: ClientAccount\nmetadata:\n  name: {}\nspec:\n  accountId: \"{}\"\n  \
             accountName: {}\n",
            manifest::scalar(client.as_str())?,
            id.as_str(),
            manifest::scalar(name.as_str())?,
        );
        let filled = shared.email.as_ref().map(|pattern| pattern.replace("{name}", client.as_str()));
        if filled.as_deref() != Some(email.as_str()) {
            text += &format!("  notificationEmail: {}\n", manifest::scalar(email.as_str())?);
        }
        match plan {
            Ok(Some(plan)) if shared.plan.as_ref() == Some(plan) => {}
            Ok(Some(plan)) => text += &format!("  plan: {}\n", manifest::scalar(plan.as_str())?),
            Ok(None) => text += "  # no plan today; without a word on it, none is chosen or ended\n",
            Err(why) => text += &format!("  # plan: could not be read ({why})\n"),
        }
        let grouped = self.has_all(&shared.group);
        if !grouped {
            text += "  memberGroups: []\n";
        }
        let own: Vec<&Person> = people.iter().filter(|person| !grouped || !shared.group.contains(person)).collect();
        if !own.is_empty() {
            text += "  members:\n";
        }
        for person in own {
            text += &format!("    - {}\n", person.item()?);
        }
        for remark in remarks {
            text += &format!("  # {remark}\n");
        }
        Ok(text)
    }

    fn has_all(&self, group: &[Person]) -> bool {
        group.iter().all(|person| self.people.contains(person))
    }
}

impl Person {
    /// As an item of a list.
    fn item(&self) -> Result<String, fmt::Error> {
        let Self { email, access, role } = self;
        let email = manifest::scalar(email.as_str())?;
        Ok(match (access, role) {
            (_, Some(role)) => format!("{{ email: {email}, role: {} }}", manifest::scalar(role.as_str())?),
            (Access::Full, None) => email,
            (Access::Limited, None) => format!("{{ email: {email}, access: limited }}"),
        })
    }
}

/// The plan; that of the renewal where one waits, for wanting the one in force would call it
/// off (rule 6).
fn plan(observed: &ObservedAccount) -> Result<Option<PlanId>, String> {
    let active = |subscription: &Subscription| {
        let plan = subscription.pending_plan.as_ref().unwrap_or(&subscription.plan);
        subscription.is_active().then(|| plan.clone())
    };
    match &observed.subscription {
        Reading::Seen(subscription) => Ok(subscription.as_ref().and_then(active)),
        Reading::NotRead => Ok(observed.account.plan.clone()),
        Reading::Failed(why) => Err(why.to_string()),
    }
}

/// The people of an account without ourselves, by email, and what is to be said of the others.
fn people(members: &Reading<Vec<Member>>, ourselves: &Email) -> (Vec<Person>, Vec<String>) {
    let members = match members {
        Reading::Seen(members) => members,
        Reading::NotRead => return (Vec::new(), vec!["members cannot be read here: list them by hand".to_owned()]),
        Reading::Failed(why) => return (Vec::new(), vec![format!("members could not be read ({why})")]),
    };
    let mut others: Vec<&Member> = members.iter().filter(|member| member.email != *ourselves).collect();
    others.sort_by(|a, b| a.email.cmp(&b.email));
    let (readable, unreadable): (Vec<&Member>, Vec<&Member>) =
        others.into_iter().partition(|member| Email::parse(member.email.as_str()).is_ok());
    let people = readable.into_iter().map(|member| Person {
        email: member.email.clone(),
        access: member.access,
        role: member.role.clone(),
    });
    let remarks =
        unreadable.into_iter().map(|member| format!("one member ({}) has no email that can be read", member.id));
    (people.collect(), remarks.collect())
}

/// The names of clients that were given so far.
#[derive(Debug, Default)]
struct Names(BTreeSet<ClientName>);

impl Names {
    /// A DNS label made from an account's name; with the id where that is taken, and a number
    /// where that is, too.
    fn take(&mut self, name: &str, id: &AccountId) -> ClientName {
        let first = Some(label(name)).filter(|label| !label.is_empty());
        let with_id = match &first {
            Some(first) => joined(first, &label(id.as_str())),
            None => joined("account", &label(id.as_str())),
        };
        let numbered = (2_u64..).map(|n| joined(&with_id, &n.to_string()));
        let candidates = first.iter().cloned().chain([with_id.clone()]).chain(numbered);
        let mut fitting = candidates.filter_map(|label| ClientName::parse(&label).ok());
        // The numbers do not end, so one is free; the loop is over at the first such.
        loop {
            if let Some(name) = fitting.next()
                && self.0.insert(name.clone())
            {
                return name;
            }
        }
    }
}

/// Two labels as one, the first cut so that both fit.
fn joined(first: &str, second: &str) -> String {
    let room = 62_usize.saturating_sub(second.len());
    let first = first.get(..room).unwrap_or(first).trim_end_matches('-');
    format!("{first}-{second}").trim_matches('-').to_owned()
}

/// Letters without their marks, digits, and `-` for whatever stands between; at most 63.
fn label(raw: &str) -> String {
    let mut label = String::new();
    for c in raw.nfkd().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            label.push(c);
        } else if !unicode_normalization::char::is_combining_mark(c) && !label.ends_with('-') {
            label.push('-');
        }
    }
    label.trim_matches('-').chars().take(63).collect::<String>().trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_labels_of_their_own() {
        let mut names = Names::default();
        let long = "x".repeat(80);
        let mut take = |name: &str, id: &str| names.take(name, &AccountId::new(id)).as_str().to_owned();
        assert_eq!(take("Café  Söhne & Co.", "1"), "cafe-sohne-co");
        assert_eq!(take("CAFE söhne co", "2"), "cafe-sohne-co-2");
        assert_eq!(take("cafe-sohne-co-2", "2"), "cafe-sohne-co-2-2");
        assert_eq!(take("株式会社", "3"), "account-3");
        assert_eq!(take("", "4"), "account-4");
        assert_eq!(take(&long, "5"), "x".repeat(63));
        assert_eq!(take(&long, "6"), format!("{}-6", "x".repeat(61)));
        assert_eq!(take("-", "a_B"), "account-a-b");
    }
}
