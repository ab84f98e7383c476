//! Manifests from the live accounts, to adopt what exists. Pure. What cannot stand in a
//! manifest is told in a comment, never left out silently.

use std::collections::BTreeSet;
use std::fmt;

use unicode_normalization::UnicodeNormalization as _;

use crate::domain::{Access, AccountId, ClientName, Email};
use crate::manifest::{self, LoadOptions, Severity};
use crate::plan::{ObservedAccount, Reading, Snapshot};
use crate::provider::{Member, Subscription};
use crate::source::FileSet;

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
    let mut names = Names::default();
    let mut exported = Exported { text: String::new(), written: 0, left_out: 0 };
    for observed in &snapshot.accounts {
        let written = document(observed, &snapshot.identity.email, &mut names)?;
        match written.and_then(|text| holds(&text, options).map(|()| text)) {
            Ok(text) => {
                exported.text += if exported.written == 0 { "" } else { "---\n" };
                exported.text += &text;
                exported.written += 1;
            }
            Err(why) => {
                let name = observed.account.name.as_ref().map_or_else(String::new, |name| format!(" (\"{name}\")"));
                exported.text += &format!("# Account {}{name} is left out: {why}\n", observed.account.id);
                exported.left_out += 1;
            }
        }
    }
    Ok(exported)
}

/// Whether a document passes the checks by itself.
fn holds(text: &str, options: &LoadOptions) -> Result<(), String> {
    let loaded = manifest::load(&FileSet::in_memory([("export.yaml", text)]), options);
    let error = loaded.findings.iter().find(|finding| finding.severity == Severity::Error);
    error.map_or(Ok(()), |finding| Err(crate::domain::text::inert(&finding.message).into_owned()))
}

fn document(
    observed: &ObservedAccount,
    ourselves: &Email,
    names: &mut Names,
) -> Result<Result<String, String>, fmt::Error> {
    let account = &observed.account;
    let Some(name) = &account.name else {
        return Ok(Err("it has no name".to_owned()));
    };
    let Some(email) = account.email.as_ref().filter(|email| Email::parse(email.as_str()).is_ok()) else {
        return Ok(Err("it has no notification email that can be read, and a manifest needs one".to_owned()));
    };
    let client = names.take(name.as_str(), &account.id);
    let mut text = format!(
        "apiVersion: bursar.dev/v1\nkind: ClientAccount\nmetadata:\n  name: {}\nspec:\n  accountId: \"{}\"\n  \
         accountName: {}\n  notificationEmail: {}\n",
        manifest::scalar(client.as_str())?,
        account.id.as_str(),
        manifest::scalar(name.as_str())?,
        manifest::scalar(email.as_str())?,
    );
    plan(observed, &mut text)?;
    members(&observed.members, ourselves, &mut text)?;
    Ok(Ok(text))
}

/// The plan; that of the renewal where one waits, for wanting the one in force would call it
/// off (rule 6).
fn plan(observed: &ObservedAccount, text: &mut String) -> fmt::Result {
    let active = |subscription: &Subscription| {
        let plan = subscription.pending_plan.as_ref().unwrap_or(&subscription.plan);
        subscription.is_active().then(|| plan.clone())
    };
    let plan = match &observed.subscription {
        Reading::Seen(subscription) => subscription.as_ref().and_then(active),
        Reading::NotRead => observed.account.plan.clone(),
        Reading::Failed(why) => {
            *text += &format!("  # plan: could not be read ({why})\n");
            return Ok(());
        }
    };
    match plan {
        Some(plan) => *text += &format!("  plan: {}\n", manifest::scalar(plan.as_str())?),
        None => *text += "  # no plan today; without a word on it, none is chosen or ended\n",
    }
    Ok(())
}

fn members(members: &Reading<Vec<Member>>, ourselves: &Email, text: &mut String) -> fmt::Result {
    let members = match members {
        Reading::Seen(members) => members,
        Reading::NotRead => {
            *text += "  # members cannot be read here: list them by hand\n";
            return Ok(());
        }
        Reading::Failed(why) => {
            *text += &format!("  # members could not be read ({why})\n");
            return Ok(());
        }
    };
    let mut others: Vec<&Member> = members.iter().filter(|member| member.email != *ourselves).collect();
    others.sort_by(|a, b| a.email.cmp(&b.email));
    let (readable, unreadable): (Vec<&Member>, Vec<&Member>) =
        others.into_iter().partition(|member| Email::parse(member.email.as_str()).is_ok());
    if !readable.is_empty() {
        *text += "  members:\n";
    }
    for Member { email, access, role, .. } in readable {
        let email = manifest::scalar(email.as_str())?;
        *text += &match (access, role) {
            (_, Some(role)) => format!("    - {{ email: {email}, role: {} }}\n", manifest::scalar(role.as_str())?),
            (Access::Full, None) => format!("    - {email}\n"),
            (Access::Limited, None) => format!("    - {{ email: {email}, access: limited }}\n"),
        };
    }
    for member in unreadable {
        *text += &format!("  # one member ({}) has no email that can be read\n", member.id);
    }
    Ok(())
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
