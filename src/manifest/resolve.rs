//! Each client with the defaults of its folder and the people of its groups.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::domain::text::inert;
use crate::domain::{Access, Email, Role};

use super::codes;
use super::decode::suggestion;
use super::documents::{
    ClientDocument, DefaultsDocument, GroupDocument, Header, OffboardingDocument, RawMember, Shared, bad_email,
};
use super::load::{Checked, Read};
use super::origin::{Origin, OriginKind, Origins};
use super::report::{Draft, Drafts, Located, SourceText, Span};
use super::wanted::{Client, Membership, WantedMember, WantedPlan};

/// Everything that the checks look at.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) groups: Vec<Checked<GroupDocument>>,
    pub(crate) defaults: Vec<Checked<DefaultsDocument>>,
    pub(crate) offboardings: Vec<Checked<OffboardingDocument>>,
    pub(crate) drafts: Drafts,
}

/// A client on its way to being valid.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) document: ClientDocument,
    /// The first thing that makes it invalid.
    pub(crate) why: Option<String>,
    pub(crate) notification_email: Option<Sourced<Email>>,
    pub(crate) plan: Option<Sourced<WantedPlan>>,
    /// By email, each once.
    pub(crate) members: Vec<Sourced<Person>>,
    membership: Option<Sourced<Membership>>,
    previous_notification_emails: Option<Sourced<Vec<Email>>>,
    suspend: Option<Sourced<bool>>,
}

/// A value, its place, and whose words it is.
#[derive(Debug, Clone)]
pub(crate) struct Sourced<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
    pub(crate) who: Who,
}

/// Whose words: the index of the document among its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Own,
    Defaults(usize),
    Group(usize),
}

#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) email: Email,
    pub(crate) access: Access,
    pub(crate) role: Option<Role>,
}

impl Candidate {
    /// Notes an error; the first one tells.
    pub(crate) fn fault(&mut self, why: &str) {
        self.why.get_or_insert_with(|| why.to_owned());
    }

    /// The name for messages.
    pub(crate) fn shown(&self) -> String {
        self.document.header.shown()
    }
}

/// Resolves every client that can be.
pub(crate) fn resolve(read: Read, drafts: Drafts) -> World {
    let Read { clients, groups, defaults, offboardings, folders, broken_defaults, broken_groups } = read;
    let mut world = World { candidates: Vec::with_capacity(clients.len()), groups, defaults, offboardings, drafts };
    let slots = world.default_slots(&folders, broken_defaults);
    let group_index = world.group_index();
    for Checked { document, why } in clients {
        let folder = &folders[document.header.span.file as usize];
        let candidate = world.candidate(document, why, nearest(folder, &slots), &group_index, broken_groups.as_deref());
        world.candidates.push(candidate);
    }
    world
}

/// The most groups among which a suggestion is looked for.
const SUGGESTED_FROM: usize = 256;

/// The defaults of a folder: an index, or why they cannot be used.
type Slot = Result<usize, String>;

/// The defaults of the folder itself, or of the nearest one above.
fn nearest<'s>(folder: &Path, slots: &'s HashMap<PathBuf, Slot>) -> Option<&'s Slot> {
    folder.ancestors().find_map(|folder| slots.get(folder))
}

/// Groups by name: an index, or why the group cannot be used.
type GroupIndex = HashMap<String, Result<usize, String>>;

impl World {
    fn default_slots(&mut self, folders: &[PathBuf], broken: HashMap<PathBuf, String>) -> HashMap<PathBuf, Slot> {
        let mut first: HashMap<&Path, usize> = HashMap::new();
        let mut slots: HashMap<PathBuf, Slot> = HashMap::new();
        for (index, Checked { document, why }) in self.defaults.iter().enumerate() {
            let folder = &folders[document.header.span.file as usize];
            let slot = match (first.entry(folder), why) {
                (Entry::Occupied(first), _) => {
                    let related = self.defaults[*first.get()].document.header.place();
                    let draft = Draft::new(
                        &codes::TWO_DEFAULTS,
                        document.header.place(),
                        "a second ClientDefaults in one folder",
                    )
                    .help("keep one of the two, or move one to another folder")
                    .related(related, "the first one is here");
                    let why = format!("{} has two ClientDefaults", "its folder or one above");
                    self.drafts.push(draft);
                    Err(why)
                }
                (Entry::Vacant(entry), why) => {
                    entry.insert(index);
                    why.as_ref().map_or(Ok(index), |why| {
                        Err(format!("its ClientDefaults `{}` is invalid: {why}", document.header.shown()))
                    })
                }
            };
            slots.insert(folder.clone(), slot);
        }
        for (folder, why) in broken {
            slots.insert(folder, Err(why));
        }
        slots
    }

    fn group_index(&mut self) -> GroupIndex {
        let mut index: GroupIndex = HashMap::new();
        for (at, Checked { document, why }) in self.groups.iter().enumerate() {
            let Some(name) = document.header.name.as_ref() else { continue };
            let usable =
                why.as_ref().map_or(Ok(at), |why| Err(format!("its group `{}` is invalid: {why}", name.value)));
            index.insert(name.value.as_str().to_owned(), usable);
        }
        for name in duplicates("MemberGroup", self.groups.iter().map(|group| &group.document.header), &mut self.drafts)
        {
            index.insert(name.clone(), Err(format!("there are two groups `{name}`")));
        }
        let twice = duplicates("Offboarding", self.offboardings.iter().map(|o| &o.document.header), &mut self.drafts);
        for Checked { document, why } in &mut self.offboardings {
            if let Some(name) = document.header.name.as_ref().filter(|name| twice.contains(name.value.as_str())) {
                why.get_or_insert_with(|| format!("there are two Offboardings `{}`", name.value));
            }
        }
        index
    }

    fn candidate(
        &mut self,
        mut document: ClientDocument,
        why: Option<String>,
        slot: Option<&Slot>,
        groups: &GroupIndex,
        broken_groups: Option<&str>,
    ) -> Candidate {
        let own = std::mem::take(&mut document.shared);
        let mut made = Candidate {
            document,
            why,
            notification_email: None,
            plan: None,
            members: Vec::new(),
            membership: None,
            previous_notification_emails: None,
            suspend: None,
        };
        let from = match slot {
            None => None,
            Some(Ok(index)) => Some(*index),
            Some(Err(why)) => {
                made.fault(why);
                None
            }
        };
        let mut drafts = Vec::new();
        let nothing = Shared::default();
        let (defaults, index) = from.map_or((&nothing, 0), |index| (&self.defaults[index].document.shared, index));
        let defaults_known = !matches!(slot, Some(Err(_)));
        made.scalars(&own, defaults, index, defaults_known, &mut drafts);
        made.people(&own, defaults, index);
        let names = pick(own.member_groups.as_ref(), defaults.member_groups.as_ref(), index);
        if let Some(names) = names {
            made.join(&names, &self.groups, groups, broken_groups, &mut drafts);
        }
        made.members.sort_by(|a, b| a.value.email.cmp(&b.value.email));
        self.drafts.append(&mut drafts);
        made
    }

    /// The client, if nothing is wrong with it; else the first thing that is.
    pub(crate) fn finish(
        &self,
        candidate: &Candidate,
        sources: &[SourceText<'_>],
    ) -> Result<(Client, Origins), String> {
        let Candidate {
            document: ClientDocument { header, account_name, account_id, previous_names, shared: _ },
            why,
            notification_email,
            plan,
            members,
            membership,
            previous_notification_emails,
            suspend,
        } = candidate;
        if let Some(why) = why {
            return Err(why.clone());
        }
        // Without a finding these are there; were one not, the client would be left alone.
        let (Some(name), Some(account_name), Some(email)) = (&header.name, account_name, notification_email) else {
            return Err("it is not complete".to_owned());
        };
        let place = |span: Span| sources[span.file as usize].source_ref(span);
        let own = |span: Span| Origin { kind: OriginKind::Own, place: place(span) };
        let origin = |span: Span, who: Who| Origin { kind: self.kind(who), place: place(span) };
        let client = Client {
            name: name.value.clone(),
            labels: header.labels.clone(),
            source: place(header.span),
            account_name: account_name.value.clone(),
            notification_email: email.value.clone(),
            plan: plan.as_ref().map_or(WantedPlan::Untouched, |plan| plan.value.clone()),
            members: members
                .iter()
                .map(|Sourced { value: Person { email, access, role }, span, who }| WantedMember {
                    email: email.clone(),
                    access: *access,
                    role: role.clone(),
                    source: place(*span),
                    through: self.kind(*who),
                })
                .collect(),
            membership: membership.as_ref().map(|found| found.value).unwrap_or_default(),
            account_id: account_id.as_ref().map(|id| id.value.clone()),
            previous_names: previous_names.as_ref().map(|names| names.value.clone()).unwrap_or_default(),
            previous_notification_emails: previous_notification_emails
                .as_ref()
                .map(|emails| emails.value.clone())
                .unwrap_or_default(),
            suspend: suspend.as_ref().is_some_and(|suspend| suspend.value),
        };
        let origins = Origins {
            account_name: own(account_name.span),
            notification_email: origin(email.span, email.who),
            plan: plan.as_ref().map(|found| origin(found.span, found.who)),
            members: members.iter().map(|found| origin(found.span, found.who)).collect(),
            membership: membership.as_ref().map(|found| origin(found.span, found.who)),
            account_id: account_id.as_ref().map(|found| own(found.span)),
            previous_names: previous_names.as_ref().map(|found| own(found.span)),
            previous_notification_emails: previous_notification_emails
                .as_ref()
                .map(|found| origin(found.span, found.who)),
            suspend: suspend.as_ref().map(|found| origin(found.span, found.who)),
        };
        Ok((client, origins))
    }

    fn kind(&self, who: Who) -> OriginKind {
        match who {
            Who::Own => OriginKind::Own,
            Who::Defaults(index) => OriginKind::Defaults(self.defaults[index].document.header.shown()),
            Who::Group(index) => OriginKind::Group(self.groups[index].document.header.shown()),
        }
    }
}

/// The client's own value, else that of its defaults.
fn pick<T: Clone>(own: Option<&Located<T>>, defaults: Option<&Located<T>>, index: usize) -> Option<Sourced<T>> {
    let sourced = |found: &Located<T>, who| Sourced { value: found.value.clone(), span: found.span, who };
    own.map(|found| sourced(found, Who::Own)).or_else(|| defaults.map(|found| sourced(found, Who::Defaults(index))))
}

impl Candidate {
    fn scalars(&mut self, own: &Shared, defaults: &Shared, index: usize, known: bool, drafts: &mut Vec<Draft>) {
        self.plan = pick(own.plan.as_ref(), defaults.plan.as_ref(), index);
        self.membership = pick(own.membership.as_ref(), defaults.membership.as_ref(), index);
        self.suspend = pick(own.suspend.as_ref(), defaults.suspend.as_ref(), index);
        let email = pick(own.notification_email.as_ref(), defaults.notification_email.as_ref(), index);
        // With anything wrong already, a missing address may be the consequence of it.
        if email.is_none() && known && self.why.is_none() {
            let message =
                "`notificationEmail` is missing, here and in the ClientDefaults of this folder and those above";
            drafts.push(
                Draft::new(&codes::MISSING_FIELD, self.document.header.place(), message)
                    .help("add `notificationEmail:` to spec, or a ClientDefaults that gives one"),
            );
            self.fault(message);
        }
        self.notification_email =
            email.and_then(|Sourced { value, span, who }| self.filled(&Located { value, span }, who, drafts));
        let previous =
            pick(own.previous_notification_emails.as_ref(), defaults.previous_notification_emails.as_ref(), index);
        self.previous_notification_emails = previous.map(|Sourced { value, span, who }| Sourced {
            value: value.iter().filter_map(|email| self.filled(email, who, drafts)).map(|email| email.value).collect(),
            span,
            who,
        });
    }

    /// An address with `{name}` filled in. The template was checked; a long name may still make it too long.
    fn filled(&mut self, template: &Located<String>, who: Who, drafts: &mut Vec<Draft>) -> Option<Sourced<Email>> {
        let name = self.document.header.name.as_ref()?;
        let filled = template.value.replace("{name}", name.value.as_str());
        match Email::parse(&filled) {
            Ok(value) => Some(Sourced { value, span: template.span, who }),
            Err(error) => {
                let draft = bad_email(name.span, &filled, &error.to_string());
                self.fault(&draft.message);
                drafts.push(draft.related(template.span, "`{name}` is filled in here"));
                None
            }
        }
    }

    fn people(&mut self, own: &Shared, defaults: &Shared, index: usize) {
        let Some(people) = pick(own.members.as_ref(), defaults.members.as_ref(), index) else { return };
        self.members = people.value.into_iter().map(|member| sourced(member, people.who)).collect();
    }

    /// Adds the people of groups to those of the client's own list, which goes before them.
    fn join(
        &mut self,
        names: &Sourced<Vec<Located<String>>>,
        groups: &[Checked<GroupDocument>],
        index: &GroupIndex,
        broken_groups: Option<&str>,
        drafts: &mut Vec<Draft>,
    ) {
        let mut at: HashMap<String, usize> =
            self.members.iter().enumerate().map(|(i, member)| (member.value.email.key().to_owned(), i)).collect();
        for name in &names.value {
            let group = match index.get(&name.value) {
                Some(Ok(group)) => *group,
                Some(Err(why)) => {
                    self.fault(why);
                    continue;
                }
                None => {
                    self.unknown_group(name, index, broken_groups, drafts);
                    continue;
                }
            };
            for member in &groups[group].document.members {
                match at.entry(member.email.key().to_owned()) {
                    Entry::Vacant(entry) => {
                        entry.insert(self.members.len());
                        self.members.push(sourced(member.clone(), Who::Group(group)));
                    }
                    Entry::Occupied(entry) => {
                        let before = &self.members[*entry.get()];
                        let same = before.value.access == member.access && before.value.role == member.role;
                        if matches!(before.who, Who::Group(_)) && !same {
                            let draft = access_conflict(name.span, member, before);
                            self.fault(&draft.message);
                            drafts.push(draft);
                        }
                    }
                }
            }
        }
    }

    fn unknown_group(
        &mut self,
        name: &Located<String>,
        index: &GroupIndex,
        broken_groups: Option<&str>,
        drafts: &mut Vec<Draft>,
    ) {
        let message = format!("unknown group `{}`", inert(&name.value));
        if let Some(why) = broken_groups {
            self.fault(&format!("{message}: {why}"));
            return;
        }
        // Among very many groups no suggestion is looked for: the work would be their square.
        let mut known: Vec<_> = index.keys().map(String::as_str).take(SUGGESTED_FROM + 1).collect();
        known.sort_unstable();
        let near = if known.len() > SUGGESTED_FROM { None } else { suggestion(&name.value, &known) };
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "a MemberGroup of this metadata.name is needed".to_owned(),
        };
        self.fault(&message);
        drafts.push(Draft::new(&codes::UNKNOWN_GROUP, name.span, message).help(help));
    }
}

fn sourced(member: RawMember, who: Who) -> Sourced<Person> {
    let RawMember { email, access, role, span } = member;
    Sourced { value: Person { email, access, role }, span, who }
}

fn grant(access: Access, role: Option<&Role>) -> String {
    role.map_or_else(|| format!("{access} access here"), |role| format!("the role {role} here"))
}

fn access_conflict(at: Span, member: &RawMember, before: &Sourced<Person>) -> Draft {
    let message = format!("two groups give {} different access", member.email);
    Draft::new(&codes::ACCESS_CONFLICT, at, message)
        .help("list the person in the client itself to say which access is meant")
        .related(before.span, grant(before.value.access, before.value.role.as_ref()))
        .related(member.span, grant(member.access, member.role.as_ref()))
}

/// Reports every name that is used twice, at each use but the first, and returns those names.
pub(crate) fn duplicates<'h>(
    kind: &str,
    headers: impl Iterator<Item = &'h Header>,
    drafts: &mut Drafts,
) -> HashSet<String> {
    let mut first: HashMap<&str, Span> = HashMap::new();
    let mut found = HashSet::new();
    for name in headers.filter_map(|header| header.name.as_ref()) {
        match first.entry(name.value.as_str()) {
            Entry::Vacant(entry) => {
                entry.insert(name.span);
            }
            Entry::Occupied(first) => {
                drafts.push(
                    Draft::new(&codes::DUPLICATE_NAME, name.span, format!("a second {kind} named `{}`", name.value))
                        .help("give one of the two another metadata.name")
                        .related(*first.get(), "the first one is here"),
                );
                found.insert(name.value.as_str().to_owned());
            }
        }
    }
    found
}
