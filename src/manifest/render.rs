//! The resolved clients as YAML: manifests in themselves, defaults and groups folded in.

use super::finding::Severity;
use super::load::Loaded;
use super::origin::{Origin, Origins};
use super::plain::{PlainKind, plain_kind};
use super::wanted::{Client, Membership, WantedMember, WantedPlan};
use crate::domain::Access;

/// The clients of `loaded` as documents; with `with_origins` each value is followed by a comment that
/// tells where it comes from.
///
/// # Errors
/// Where a value has no form in YAML.
pub fn render(loaded: &Loaded, with_origins: bool) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for (client, origins) in loaded.wanted.clients.iter().zip(&loaded.origins) {
        if !text.is_empty() {
            text.push_str("---\n");
        }
        let mut page = Page { text: &mut text, with_origins };
        page.client(client, origins)?;
    }
    Ok(text)
}

struct Page<'t> {
    text: &'t mut String,
    with_origins: bool,
}

impl Page<'_> {
    fn client(&mut self, client: &Client, origins: &Origins) -> std::fmt::Result {
        let Client {
            name,
            labels,
            source,
            account_name,
            notification_email,
            plan,
            members,
            membership,
            account_id,
            previous_names,
            previous_notification_emails,
            suspend,
        } = client;
        self.line(&format!("apiVersion: {}", super::documents::API_VERSION), None);
        self.line("kind: ClientAccount", None);
        self.line("metadata:", None);
        let here = Origin { kind: super::origin::OriginKind::Own, place: source.clone() };
        self.line(&format!("  name: {}", scalar(name.as_str())?), Some(&here));
        if !labels.is_empty() {
            self.line("  labels:", None);
            for (key, value) in labels {
                self.line(&format!("    {}: {}", scalar(key)?, scalar(value)?), None);
            }
        }
        self.line("spec:", None);
        self.line(&format!("  accountName: {}", scalar(account_name.as_str())?), Some(&origins.account_name));
        let email = scalar(notification_email.as_str())?;
        self.line(&format!("  notificationEmail: {email}"), Some(&origins.notification_email));
        match plan {
            WantedPlan::Untouched => {}
            WantedPlan::Nothing => self.line("  plan: none", origins.plan.as_ref()),
            WantedPlan::Choice(choice) => {
                self.line(&format!("  plan: {}", scalar(choice)?), origins.plan.as_ref());
            }
        }
        self.members(members, &origins.members)?;
        if let Some(origin) = &origins.membership {
            let word = match membership {
                Membership::Additive => "additive",
                Membership::Exclusive => "exclusive",
            };
            self.line(&format!("  membership: {word}"), Some(origin));
        }
        if let Some(id) = account_id {
            // Always in quotes: an id is text, whatever it looks like.
            self.line(&format!("  accountId: \"{}\"", id.as_str()), origins.account_id.as_ref());
        }
        self.list("previousNames", previous_names.iter().map(|n| n.as_str()), origins.previous_names.as_ref())?;
        self.list(
            "previousNotificationEmails",
            previous_notification_emails.iter().map(|email| email.as_str()),
            origins.previous_notification_emails.as_ref(),
        )?;
        if let Some(origin) = &origins.suspend {
            self.line(&format!("  suspend: {suspend}"), Some(origin));
        }
        Ok(())
    }

    fn members(&mut self, members: &[WantedMember], origins: &[Origin]) -> std::fmt::Result {
        if members.is_empty() {
            return Ok(());
        }
        self.line("  members:", None);
        for (WantedMember { email, access, role, source: _, through: _ }, origin) in members.iter().zip(origins) {
            let email = scalar(email.as_str())?;
            let line = match (access, role) {
                (_, Some(role)) => format!("    - {{ email: {email}, role: {} }}", scalar(role.as_str())?),
                (Access::Full, None) => format!("    - {email}"),
                (Access::Limited, None) => format!("    - {{ email: {email}, access: limited }}"),
            };
            self.line(&line, Some(origin));
        }
        Ok(())
    }

    fn list<'v>(
        &mut self,
        key: &str,
        values: impl Iterator<Item = &'v str>,
        origin: Option<&Origin>,
    ) -> std::fmt::Result {
        let mut values = values.peekable();
        if values.peek().is_none() {
            return Ok(());
        }
        self.line(&format!("  {key}:"), origin);
        for value in values {
            self.line(&format!("    - {}", scalar(value)?), None);
        }
        Ok(())
    }

    fn line(&mut self, line: &str, origin: Option<&Origin>) {
        self.text.push_str(line);
        if let Some(origin) = origin.filter(|_| self.with_origins) {
            self.text.push_str(&format!(" # {origin}"));
        }
        self.text.push('\n');
    }
}

/// One line of text as a YAML scalar, in quotes where a reader could take it for anything else.
///
/// # Errors
/// It has no form in YAML.
pub fn scalar(value: &str) -> Result<String, std::fmt::Error> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '@' | '+' | '-' | ' ' | '/');
    let safe = plain_kind(value) == PlainKind::Text
        && value.chars().all(plain)
        && value.starts_with(|c: char| c.is_alphanumeric())
        && !value.ends_with(' ');
    if safe {
        return Ok(value.to_owned());
    }
    // JSON's strings are YAML's double-quoted ones, on one line and without surprises.
    serde_json::to_string(value).map_err(|_| std::fmt::Error)
}

/// The one line at the end of `bursar validate`.
pub fn summary(loaded: &Loaded) -> String {
    let count = |n: usize, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
    format!(
        "{}, {}, {}, {}",
        count(loaded.files, "file"),
        count(loaded.wanted.clients.len() + loaded.wanted.invalid.len(), "client"),
        count(loaded.count(Severity::Error), "error"),
        count(loaded.count(Severity::Warning), "warning"),
    )
}
