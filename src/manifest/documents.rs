//! The four kinds of document as they were written, with the place of every value.

use std::collections::BTreeMap;

use crate::domain::text::{inert, is_active};
use crate::domain::{Access, AccountId, AccountName, ClientName, Email, Role};

use super::codes;
use super::decode::{boolean, fields, list, missing, suggestion, text, wrong_type};
use super::plain::{PlainKind, plain_kind};
use super::report::{DocumentReport, Draft, Located, Span};
use super::wanted::{Membership, WantedPlan};
use super::yaml::{Node, Value};

pub(crate) const API_VERSION: &str = "bursar.dev/v1";
pub(crate) const KINDS: &[&str] = &["ClientAccount", "MemberGroup", "ClientDefaults", "Offboarding"];
/// Kinds that are the operator's and mean nothing among manifests.
const OPERATOR_KINDS: &[&str] = &["Policy", "Config", "Configuration", "Fleet"];

pub(crate) const DOCUMENT_FIELDS: &[&str] = &["apiVersion", "kind", "metadata", "spec"];
pub(crate) const METADATA_FIELDS: &[&str] = &["name", "labels"];
pub(crate) const CLIENT_FIELDS: &[&str] = &[
    "accountName",
    "notificationEmail",
    "plan",
    "members",
    "memberGroups",
    "membership",
    "accountId",
    "previousNames",
    "previousNotificationEmails",
    "suspend",
];
pub(crate) const DEFAULTS_FIELDS: &[&str] =
    &["notificationEmail", "plan", "members", "memberGroups", "membership", "previousNotificationEmails", "suspend"];
pub(crate) const GROUP_FIELDS: &[&str] = &["members"];
pub(crate) const OFFBOARDING_FIELDS: &[&str] = &["people", "reason"];
pub(crate) const PERSON_FIELDS: &[&str] = &["email", "access", "role"];

/// The longest account name, in characters: what the usual column of a database takes.
const LONGEST_ACCOUNT_NAME: usize = 255;

/// Name, labels and place of a document.
#[derive(Debug)]
pub(crate) struct Header {
    /// The first byte of the document's content.
    pub(crate) span: Span,
    pub(crate) name: Option<Located<ClientName>>,
    pub(crate) labels: BTreeMap<String, String>,
}

impl Header {
    /// Where to point when the document as a whole is meant.
    pub(crate) fn place(&self) -> Span {
        self.name.as_ref().map_or(self.span, |name| name.span)
    }

    /// The name for messages.
    pub(crate) fn shown(&self) -> String {
        self.name.as_ref().map_or_else(|| "(without a name)".to_owned(), |name| name.value.to_string())
    }
}

/// A person in a list.
#[derive(Debug, Clone)]
pub(crate) struct RawMember {
    pub(crate) email: Email,
    pub(crate) access: Access,
    pub(crate) role: Option<Role>,
    pub(crate) span: Span,
}

/// The fields that a client may have from its defaults.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) notification_email: Option<Located<String>>,
    pub(crate) plan: Option<Located<WantedPlan>>,
    pub(crate) members: Option<Located<Vec<RawMember>>>,
    pub(crate) member_groups: Option<Located<Vec<Located<String>>>>,
    pub(crate) membership: Option<Located<Membership>>,
    pub(crate) previous_notification_emails: Option<Located<Vec<Located<String>>>>,
    pub(crate) suspend: Option<Located<bool>>,
}

#[derive(Debug)]
pub(crate) struct ClientDocument {
    pub(crate) header: Header,
    pub(crate) account_name: Option<Located<AccountName>>,
    pub(crate) account_id: Option<Located<AccountId>>,
    pub(crate) previous_names: Option<Located<Vec<AccountName>>>,
    pub(crate) shared: Shared,
}

#[derive(Debug)]
pub(crate) struct GroupDocument {
    pub(crate) header: Header,
    pub(crate) members: Vec<RawMember>,
}

#[derive(Debug)]
pub(crate) struct DefaultsDocument {
    pub(crate) header: Header,
    pub(crate) shared: Shared,
}

#[derive(Debug)]
pub(crate) struct OffboardingDocument {
    pub(crate) header: Header,
    pub(crate) people: Vec<Located<Email>>,
    pub(crate) reason: Option<String>,
}

#[derive(Debug)]
pub(crate) enum Document {
    Client(Box<ClientDocument>),
    Group(GroupDocument),
    Defaults(DefaultsDocument),
    Offboarding(OffboardingDocument),
    /// The operator's, ignored with a warning.
    Ignored,
    /// Of a kind or version that is not known; the kind that is probably meant.
    Unknown(Option<&'static str>),
}

/// Reads a document of whatever kind it says it is.
pub(crate) fn document(node: &Node<'_>, report: &mut DocumentReport) -> Document {
    let Value::Map(entries) = &node.value else {
        wrong_type(node, "the document", "a mapping that begins with `apiVersion:`", report);
        return Document::Unknown(None);
    };
    let word = |name: &str| {
        let found = entries.iter().find(|(key, _)| key.text == name).map(|(_, node)| &node.value);
        match found {
            Some(Value::Plain(text) | Value::Quoted(text)) => Some(text.as_ref()),
            Some(Value::List(_) | Value::Map(_) | Value::Refused) | None => None,
        }
    };
    let ours = word("apiVersion").is_some_and(|version| version.starts_with("bursar.dev/"));
    if ours && let Some(kind) = word("kind").filter(|kind| OPERATOR_KINDS.contains(kind)) {
        report.add(ignored(node.span, &format!("this {kind} among the manifests is ignored")));
        return Document::Ignored;
    }
    if !version(node, entries, report) {
        return Document::Unknown(None);
    }
    let Some(kind) = entries.iter().find(|(key, _)| key.text == "kind").map(|(_, node)| node) else {
        report.add(missing(node.span, "kind", "the document").help(format!("the kinds are {}", KINDS.join(", "))));
        return Document::Unknown(None);
    };
    let Some(kind) = text(kind, "kind", report) else { return Document::Unknown(None) };
    if !KINDS.contains(&kind.value) {
        let near = suggestion(kind.value, KINDS);
        let help = near
            .map_or_else(|| format!("the kinds are {}", KINDS.join(", ")), |near| format!("did you mean `{near}`?"));
        report.add(Draft::new(&codes::KIND, kind.span, format!("unknown kind `{}`", inert(kind.value))).help(help));
        return Document::Unknown(near);
    }
    of_kind(node, kind.value, report)
}

/// The warning that something of the operator's is ignored.
pub(crate) fn ignored(span: Span, message: &str) -> Draft {
    let span = Span { end: span.end.max(span.start.saturating_add(1)), ..span };
    Draft::new(&codes::CONFIG_IGNORED, span, message)
        .help("give it to the command with --policy or --config, from outside the folder")
}

/// Checks `apiVersion`; false where the document is not ours to read.
fn version(node: &Node<'_>, entries: &[(super::yaml::Key<'_>, Node<'_>)], report: &mut DocumentReport) -> bool {
    let Some((_, version)) = entries.iter().find(|(key, _)| key.text == "apiVersion") else {
        report.add(missing(node.span, "apiVersion", "the document").help(format!("add `apiVersion: {API_VERSION}`")));
        return entries.iter().any(|(key, _)| key.text == "kind");
    };
    let Some(version) = text(version, "apiVersion", report) else { return false };
    if version.value == API_VERSION {
        return true;
    }
    let message = format!("unknown apiVersion `{}`", inert(version.value));
    report.add(
        Draft::new(&codes::API_VERSION, version.span, message).help(format!("the version known is `{API_VERSION}`")),
    );
    false
}

fn of_kind(node: &Node<'_>, kind: &str, report: &mut DocumentReport) -> Document {
    let Some(top) = fields(node, "the document", DOCUMENT_FIELDS, report) else { return Document::Unknown(None) };
    let metadata = top.require("metadata", report);
    let header = header(node.span, metadata, report);
    let spec = top.require("spec", report);
    match kind {
        "MemberGroup" => {
            let spec = spec.and_then(|spec| fields(spec, "spec", GROUP_FIELDS, report));
            let node = spec.and_then(|spec| spec.require("members", report));
            let members = node.and_then(|node| members(node, report)).map(|list| list.value).unwrap_or_default();
            Document::Group(GroupDocument { header, members })
        }
        "ClientDefaults" => {
            let spec = spec.and_then(|spec| fields(spec, "spec", DEFAULTS_FIELDS, report));
            let shared = spec.map(|spec| shared(&spec, None, report)).unwrap_or_default();
            Document::Defaults(DefaultsDocument { header, shared })
        }
        "Offboarding" => Document::Offboarding(offboarding(header, spec, report)),
        _ => Document::Client(Box::new(client(header, spec, report))),
    }
}

fn client(header: Header, spec: Option<&Node<'_>>, report: &mut DocumentReport) -> ClientDocument {
    let mut made = ClientDocument {
        header,
        account_name: None,
        account_id: None,
        previous_names: None,
        shared: Shared::default(),
    };
    let Some(spec) = spec.and_then(|spec| fields(spec, "spec", CLIENT_FIELDS, report)) else { return made };
    made.account_name = spec.require("accountName", report).and_then(|node| account_name(node, "accountName", report));
    made.account_id = spec.get("accountId").and_then(|node| account_id(node, report));
    made.previous_names = spec.get("previousNames").and_then(|node| {
        let names = list(node, "previousNames", report)?.iter();
        let value =
            names.filter_map(|name| account_name(name, "previousNames", report)).map(|name| name.value).collect();
        Some(Located { value, span: node.span })
    });
    let name = made.header.name.as_ref().map(|name| name.value.as_str());
    made.shared = shared(&spec, Some(name.unwrap_or("name")), report);
    made
}

fn offboarding(header: Header, spec: Option<&Node<'_>>, report: &mut DocumentReport) -> OffboardingDocument {
    let mut made = OffboardingDocument { header, people: Vec::new(), reason: None };
    let Some(spec) = spec.and_then(|spec| fields(spec, "spec", OFFBOARDING_FIELDS, report)) else { return made };
    if let Some(items) = spec.require("people", report).and_then(|node| list(node, "people", report)) {
        made.people = items.iter().filter_map(|item| email(item, "people", report)).collect();
        twice(made.people.iter().map(|person| (person.value.key(), person.span)), "person", report);
    }
    made.reason = spec.get("reason").and_then(|node| text(node, "reason", report)).and_then(|reason| {
        let fault = reason.value.chars().any(is_active) || reason.value.chars().count() > 500;
        if fault {
            report.add(
                Draft::new(&codes::REASON, reason.span, "the reason is one line of at most 500 visible characters")
                    .help("shorten it, and leave out line breaks and control characters"),
            );
        }
        (!fault).then(|| reason.value.to_owned())
    });
    made
}

fn header(span: Span, metadata: Option<&Node<'_>>, report: &mut DocumentReport) -> Header {
    let mut made = Header { span, name: None, labels: BTreeMap::new() };
    let Some(metadata) = metadata.and_then(|node| fields(node, "metadata", METADATA_FIELDS, report)) else {
        return made;
    };
    let name = metadata.require("name", report).and_then(|node| text(node, "name", report));
    made.name = name.and_then(|name| match ClientName::parse(name.value) {
        Ok(value) => Some(Located { value, span: name.span }),
        Err(error) => {
            let message = format!("`{}` is not a valid name", inert(name.value));
            report.add(Draft::new(&codes::RESOURCE_NAME, name.span, message).help(error.to_string()));
            None
        }
    });
    if let Some(node) = metadata.get("labels") {
        made.labels = labels(node, report);
    }
    made
}

fn labels(node: &Node<'_>, report: &mut DocumentReport) -> BTreeMap<String, String> {
    let Value::Map(entries) = &node.value else {
        wrong_type(node, "labels", "a mapping", report);
        return BTreeMap::new();
    };
    let plain = |s: &str| {
        s.len() <= 63 && s.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/'))
    };
    let mut made = BTreeMap::new();
    for (key, value) in entries {
        let kind = if key.plain { plain_kind(&key.text) } else { PlainKind::Text };
        if kind != PlainKind::Text {
            let shown = inert(&key.text);
            report.add(
                Draft::new(&codes::QUOTES, key.span, format!("YAML readers do not take the label `{shown}` for text"))
                    .help(format!("put it in quotes: \"{shown}\"")),
            );
            continue;
        }
        let Some(value) = text(value, "labels", report) else { continue };
        for (part, span, ok) in [
            (key.text.as_ref(), key.span, plain(&key.text) && !key.text.is_empty()),
            (value.value, value.span, plain(value.value)),
        ] {
            if !ok {
                let message = format!("`{}` is not a valid label", inert(part));
                report.add(
                    Draft::new(&codes::LABEL, span, message).help("at most 63 of a-z, A-Z, 0-9, `-`, `_`, `.` and `/`"),
                );
            }
        }
        made.insert(key.text.to_string(), value.value.to_owned());
    }
    made
}

/// The fields that clients and defaults have in common. `name` fills `{name}`; defaults have none.
fn shared(spec: &super::decode::Fields<'_, '_>, name: Option<&str>, report: &mut DocumentReport) -> Shared {
    Shared {
        notification_email: spec
            .get("notificationEmail")
            .and_then(|node| email_template(node, "notificationEmail", name, report)),
        plan: spec.get("plan").and_then(|node| plan(node, report)),
        members: spec.get("members").and_then(|node| members(node, report)),
        member_groups: spec.get("memberGroups").and_then(|node| groups(node, report)),
        membership: spec.get("membership").and_then(|node| {
            let known = [("additive", Membership::Additive), ("exclusive", Membership::Exclusive)];
            one_of(node, "membership", &known, report)
        }),
        previous_notification_emails: spec.get("previousNotificationEmails").and_then(|node| {
            let items = list(node, "previousNotificationEmails", report)?.iter();
            let value =
                items.filter_map(|item| email_template(item, "previousNotificationEmails", name, report)).collect();
            Some(Located { value, span: node.span })
        }),
        suspend: spec.get("suspend").and_then(|node| boolean(node, "suspend", report)),
    }
}

fn members(node: &Node<'_>, report: &mut DocumentReport) -> Option<Located<Vec<RawMember>>> {
    let items = list(node, "members", report)?;
    let value: Vec<_> = items.iter().filter_map(|item| member(item, report)).collect();
    twice(value.iter().map(|member| (member.email.key(), member.span)), "person", report);
    Some(Located { value, span: node.span })
}

fn member(node: &Node<'_>, report: &mut DocumentReport) -> Option<RawMember> {
    if let Value::Map(_) = node.value {
        let person = fields(node, "members", PERSON_FIELDS, report)?;
        let Located { value, span } = person.require("email", report).and_then(|node| email(node, "email", report))?;
        let known = [("full", Access::Full), ("limited", Access::Limited)];
        let access = match person.get("access") {
            Some(node) => Some(one_of(node, "access", &known, report)?.value),
            None => None,
        };
        let role = match person.get("role") {
            Some(node) => Some(text(node, "role", report)?),
            None => None,
        };
        if let (Some(_), Some(Located { value: _, span })) = (access, &role) {
            let draft = Draft::new(&codes::ROLE_AND_ACCESS, *span, "both `access` and `role` are given");
            report.add(draft.help("a role says what the person may do: leave one of the two out"));
            return None;
        }
        let role = role.map(|found| Role::new(found.value));
        return Some(RawMember { email: value, access: access.unwrap_or_default(), role, span });
    }
    let Located { value, span } = email(node, "members", report)?;
    Some(RawMember { email: value, access: Access::Full, role: None, span })
}

fn groups(node: &Node<'_>, report: &mut DocumentReport) -> Option<Located<Vec<Located<String>>>> {
    let items = list(node, "memberGroups", report)?.iter();
    let names = items.filter_map(|item| text(item, "memberGroups", report));
    let value: Vec<_> = names.map(|name| Located { value: name.value.to_owned(), span: name.span }).collect();
    twice(value.iter().map(|name| (name.value.as_str(), name.span)), "group", report);
    Some(Located { value, span: node.span })
}

/// Reports what a list names a second time.
fn twice<'k>(items: impl Iterator<Item = (&'k str, Span)>, what: &str, report: &mut DocumentReport) {
    let mut seen = std::collections::HashMap::new();
    for (key, span) in items {
        if let Some(first) = seen.get(key) {
            report.add(
                Draft::new(&codes::LISTED_TWICE, span, format!("the {what} `{}` is listed twice", inert(key)))
                    .help("remove one of the two")
                    .related(*first, "first listed here"),
            );
        } else {
            seen.insert(key, span);
        }
    }
}

fn email(node: &Node<'_>, field: &str, report: &mut DocumentReport) -> Option<Located<Email>> {
    let found = text(node, field, report)?;
    match Email::parse(found.value) {
        Ok(value) => Some(Located { value, span: found.span }),
        Err(error) => {
            report.add(bad_email(found.span, found.value, &error.to_string()));
            None
        }
    }
}

/// The finding for a text that is not an address.
pub(crate) fn bad_email(span: Span, raw: &str, why: &str) -> Draft {
    let message = format!("`{}` is not a valid email address", inert(raw));
    Draft::new(&codes::EMAIL, span, message).help(inert(why))
}

/// An address that may hold `{name}`; checked with the client's name, or any name in defaults.
fn email_template(
    node: &Node<'_>,
    field: &str,
    name: Option<&str>,
    report: &mut DocumentReport,
) -> Option<Located<String>> {
    let found = text(node, field, report)?;
    let filled = found.value.replace("{name}", name.unwrap_or("name"));
    if let Some(open) = filled.find(['{', '}']) {
        let placeholder = filled[open..].split_inclusive('}').next().unwrap_or_default();
        report.add(
            Draft::new(&codes::PLACEHOLDER, found.span, format!("unknown placeholder `{}`", inert(placeholder)))
                .help("the one placeholder is `{name}`, which stands for metadata.name"),
        );
        return None;
    }
    match Email::parse(&filled) {
        Ok(_) => Some(Located { value: found.value.to_owned(), span: found.span }),
        Err(error) => {
            report.add(bad_email(found.span, found.value, &error.to_string()));
            None
        }
    }
}

fn plan(node: &Node<'_>, report: &mut DocumentReport) -> Option<Located<WantedPlan>> {
    let found = text(node, "plan", report)?;
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
    if found.value.is_empty() || found.value.len() > 64 || !found.value.bytes().all(plain) {
        let message = format!("`{}` is not the identifier of a plan", inert(found.value));
        report.add(
            Draft::new(&codes::PLAN, found.span, message)
                .help("an identifier like `teams-v2-monthly`, a family like `teams`, or `none`"),
        );
        return None;
    }
    let value = match found.value {
        "none" => WantedPlan::Nothing,
        other => WantedPlan::Choice(other.to_owned()),
    };
    Some(Located { value, span: found.span })
}

fn account_name(node: &Node<'_>, field: &str, report: &mut DocumentReport) -> Option<Located<AccountName>> {
    let found = text(node, field, report)?;
    let length = found.value.chars().count();
    let fault = |message: String, help: &str| Draft::new(&codes::ACCOUNT_NAME, found.span, message).help(help);
    if found.value.trim().is_empty() {
        report.add(fault(format!("`{field}` is blank"), "write the name of the account"));
        return None;
    }
    if length > LONGEST_ACCOUNT_NAME {
        let message = format!("an account name has at most {LONGEST_ACCOUNT_NAME} characters, this one has {length}");
        report.add(fault(message, "shorten it"));
        return None;
    }
    if found.value.contains('\n') {
        let help = "write it on one line; behind `|` and `>`, a `-` leaves out the last line break";
        report.add(fault(format!("`{field}` holds a line break"), help));
        return None;
    }
    if let Some(c) = found.value.chars().find(|c| is_active(*c)) {
        let message = format!("`{field}` holds a control or invisible character ({})", c.escape_unicode());
        report.add(fault(message, "remove it; it may have come along with copied text"));
        return None;
    }
    if found.value.trim() != found.value {
        // Reported, and still used for telling names apart.
        report.add(fault(format!("`{field}` begins or ends with a space"), "remove the space"));
    }
    Some(Located { value: AccountName::new(found.value), span: found.span })
}

/// An id: text, or a plain number that every reader of YAML takes for the same.
fn account_id(node: &Node<'_>, report: &mut DocumentReport) -> Option<Located<AccountId>> {
    let number = match &node.value {
        Value::Plain(raw) => {
            plain_kind(raw) == PlainKind::Number && !raw.starts_with('0') && raw.bytes().all(|b| b.is_ascii_digit())
        }
        Value::Quoted(_) | Value::List(_) | Value::Map(_) | Value::Refused => false,
    };
    let raw = match &node.value {
        Value::Plain(raw) if number => raw.as_ref(),
        _ => text(node, "accountId", report)?.value,
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if raw.is_empty() || raw.len() > 64 || !raw.bytes().all(plain) {
        let message = format!("`{}` is not the id of an account", inert(raw));
        report
            .add(Draft::new(&codes::ACCOUNT_ID, node.span, message).help("write it as the service shows it: \"1385\""));
        return None;
    }
    Some(Located { value: AccountId::new(raw), span: node.span })
}

fn one_of<T: Copy>(
    node: &Node<'_>,
    field: &str,
    known: &[(&str, T)],
    report: &mut DocumentReport,
) -> Option<Located<T>> {
    let found = text(node, field, report)?;
    if let Some((_, value)) = known.iter().find(|(word, _)| *word == found.value) {
        return Some(Located { value: *value, span: found.span });
    }
    let words: Vec<_> = known.iter().map(|(word, _)| *word).collect();
    let help = suggestion(found.value, &words)
        .map_or_else(|| format!("write {}", words.join(" or ")), |near| format!("did you mean `{near}`?"));
    let message = format!("unknown {field} `{}`", inert(found.value));
    report.add(Draft::new(&codes::UNKNOWN_VALUE, found.span, message).help(help));
    None
}
