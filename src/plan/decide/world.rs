//! The inputs with the indexes that the planner needs, made once for all accounts.

use std::collections::{BTreeMap, HashSet};

use crate::domain::{AccountId, ClientName, Email};
use crate::manifest::{Client, Offboarding};
use crate::plan::known::{Known, Series, Undone, Verdict, VerdictState};
use crate::plan::matching::{FoundBy, Match, Matching, match_accounts};
use crate::plan::policy::Adopt;
use crate::plan::tree::{AccountPlan, AccountState, Action, ActionState, Op, Reason};
use crate::plan::{ObservedAccount, cost, digest};
use crate::provider::{Account, Capability, MemberState, Offer, Quirk};

use super::Inputs;

/// What the planner looks things up in.
pub(in crate::plan) struct World<'a> {
    pub(in crate::plan) inputs: &'a Inputs<'a>,
    pub(in crate::plan) matching: Matching,
    /// Who is seen as an active member of any account: users of the service.
    users: HashSet<&'a Email>,
    /// Who leaves every managed account, by which document.
    leaving: BTreeMap<&'a Email, &'a Offboarding>,
}

/// Where a client's account stands.
pub(in crate::plan) enum Found<'a> {
    /// To be made.
    New,
    /// This one, ours to change.
    Account(&'a ObservedAccount),
    /// This one by its name, but perhaps somebody else's; with the way out.
    Stranger(&'a ObservedAccount, String),
    /// Not decided or not there.
    Blocked(Reason, String),
}

impl<'a> Found<'a> {
    /// The account that is there.
    pub(in crate::plan) fn observed(&self) -> Option<&'a ObservedAccount> {
        match self {
            Self::Account(observed) | Self::Stranger(observed, _) => Some(observed),
            Self::New | Self::Blocked(..) => None,
        }
    }
}

impl<'a> World<'a> {
    pub(super) fn new(inputs: &'a Inputs<'a>) -> Self {
        let members = inputs.live.accounts.iter().filter_map(|account| account.members.seen()).flatten();
        let users = members.filter(|member| member.state == MemberState::Active).map(|member| &member.email);
        let mut documents: Vec<&Offboarding> = inputs.wanted.offboardings.iter().collect();
        documents.sort_by(|a, b| b.name.cmp(&a.name));
        Self {
            matching: match_accounts(inputs.wanted, &inputs.live.accounts),
            users: users.chain([&inputs.live.identity.email]).collect(),
            leaving: documents.into_iter().flat_map(|d| d.people.iter().map(move |person| (person, d))).collect(),
            inputs,
        }
    }

    pub(in crate::plan) fn offer(&self) -> &'a Offer {
        &self.inputs.live.offer
    }

    /// Our own user.
    pub(in crate::plan) fn ourselves(&self) -> &'a Email {
        &self.inputs.live.identity.email
    }

    /// The clients that this plan is for.
    pub(super) fn selected(&self) -> impl Iterator<Item = &'a Client> {
        self.inputs.wanted.clients.iter().filter(|client| self.inputs.selector.matches(client))
    }

    /// The clients that this plan leaves out.
    pub(super) fn left_out(&self) -> impl Iterator<Item = &'a Client> {
        self.inputs.wanted.clients.iter().filter(|client| !self.inputs.selector.matches(client))
    }

    /// Whether a person can be added at once: a user of the service, or anybody where the
    /// server takes invitations.
    pub(super) fn is_user(&self, person: &Email) -> bool {
        self.offer().capabilities.has(Capability::Invitations)
            || self.users.contains(person)
            || self.inputs.known.registered.contains(person)
    }

    /// The document by which a person leaves.
    pub(super) fn leaves_by(&self, person: &Email) -> Option<&'a Offboarding> {
        self.leaving.get(person).copied()
    }

    /// Everybody who leaves.
    pub(super) fn leavers(&self) -> impl Iterator<Item = &'a Email> {
        self.leaving.keys().copied()
    }

    /// The account of a client, and whether it may be taken over.
    pub(super) fn find(&self, client: &Client) -> Found<'a> {
        let observed = match self.matching.account_of(&client.name) {
            Match::New => return Found::New,
            Match::Blocked { reason, message } => return Found::Blocked(reason, message),
            Match::Account(index) => &self.inputs.live.accounts[index],
        };
        let named = self.matching.found_by(&client.name) == Some(FoundBy::Id);
        if named || self.is_made(client, observed) || may_adopt(self.inputs.policy.adopt, client, &observed.account) {
            return Found::Account(observed);
        }
        let account = &observed.account;
        let id = &account.id;
        let theirs = account.email.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
        let why = match self.inputs.policy.adopt {
            Adopt::Never => "accounts are not taken over by their name (--adopt never)".to_owned(),
            Adopt::Matching | Adopt::ByName => {
                format!("its notification email is {theirs}, neither the manifest's nor a previous one")
            }
        };
        Found::Stranger(
            observed,
            format!(
                "account {id} bears the name, but may be somebody else's: {why}. If it is this client's, write \
                 accountId: \"{id}\" in the manifest (bursar pin --take-over {} does)",
                client.name
            ),
        )
    }

    /// Whether it was made for this client, and has not been given its notification email yet.
    fn is_made(&self, client: &Client, observed: &ObservedAccount) -> bool {
        self.offer().has_quirk(Quirk::EmailAfterwards)
            && self.inputs.known.made.get(&client.name) == Some(&observed.account.id)
    }

    /// What an action that would go ahead came to when it was tried. A person who is known to
    /// be a user by now waits for no sign-up any more.
    pub(super) fn recall(&self, client: &ClientName, mut action: Action) -> Action {
        let verdicts = &self.inputs.known.verdicts;
        if !action.is_planned() {
            return action;
        }
        if let Some(verdict) = verdicts.get(&action.op.key(client))
            && (verdict.reason != Some(Reason::AwaitingSignup) || action.unregistered)
        {
            return told(action, verdict);
        }
        self.held_by_the_past(client, &mut action);
        action
    }

    fn held_by_the_past(&self, client: &ClientName, action: &mut Action) {
        let Known { undone, settling, .. } = self.inputs.known;
        if undone.is_empty() && settling.is_empty() {
            return;
        }
        let series = Series::of(client, &action.op);
        if settling.contains(&(client.clone(), series.matter())) {
            action.hold(
                ActionState::Waiting,
                Reason::OutcomeSettling,
                "something was done about this a moment ago, and what the server shows may be older than that; it is \
                 looked at again",
            );
        } else if let Some(undone) = undone.get(&series).filter(|undone| self.is_of_this_account(client, undone)) {
            hold_undone(action, client, undone);
        }
    }

    /// Whether something that was undone was done to the account that the client has now: a
    /// new one begins anew.
    fn is_of_this_account(&self, client: &ClientName, undone: &Undone) -> bool {
        match self.matching.account_of(client) {
            Match::Account(index) => {
                undone.account.as_ref().is_none_or(|id| self.inputs.live.accounts[index].account.id == *id)
            }
            Match::New | Match::Blocked { .. } => true,
        }
    }

    /// The documents that do not hold: shown, never changed.
    pub(super) fn invalid(&self) -> Vec<AccountPlan> {
        let documents = self.inputs.wanted.invalid.iter().enumerate();
        documents
            .map(|(index, document)| {
                let observed =
                    self.matching.account_of_invalid(index).map(|account| &self.inputs.live.accounts[account]);
                let monthly = observed.and_then(|observed| cost::list_price(self.offer(), observed));
                let account_id: Option<AccountId> = observed.map(|observed| observed.account.id.clone());
                let name = document.name.as_ref().map_or_else(|| document.source.to_string(), ToString::to_string);
                AccountPlan {
                    digest: digest::invalid(document.name.as_ref(), account_id.as_ref()),
                    name,
                    client: document.name.clone(),
                    account_id,
                    source: document.source.clone(),
                    labels: BTreeMap::new(),
                    state: AccountState::Invalid,
                    actions: Vec::new(),
                    message: Some(document.why.clone()),
                    told: Vec::new(),
                    observed: observed.cloned(),
                    monthly_before: monthly,
                    monthly_after: monthly,
                    desired: None,
                }
            })
            .collect()
    }
}

/// Whether an account that was found by its name is taken over by itself.
pub fn may_adopt(adopt: Adopt, client: &Client, account: &Account) -> bool {
    match adopt {
        Adopt::ByName => true,
        Adopt::Never => false,
        Adopt::Matching => account.email.as_ref().is_some_and(|email| {
            *email == client.notification_email || client.previous_notification_emails.contains(email)
        }),
    }
}

/// An action as a verdict has it.
pub(super) fn told(mut action: Action, verdict: &Verdict) -> Action {
    action.state = match verdict.state {
        VerdictState::Waiting => ActionState::Waiting,
        VerdictState::Blocked => ActionState::Blocked,
        VerdictState::Failed => ActionState::Failed,
    };
    action.reason = verdict.reason;
    action.message.clone_from(&verdict.message);
    action.request_id.clone_from(&verdict.request_id);
    action
}

/// Holds what was done before and somebody undid, perhaps on purpose.
fn hold_undone(action: &mut Action, client: &ClientName, undone: &Undone) {
    let Undone { account, invited } = undone;
    let (reason, message) = match &action.op {
        Op::CreateAccount { .. } => {
            let id = account.as_ref().map_or_else(|| "its account".to_owned(), |id| format!("account {id}"));
            let message = format!(
                "{id} was there and is not listed any more; it is not made again by itself. If it was closed on \
                 purpose, take the manifest out; if a new one is wanted: bursar reaffirm {client}"
            );
            (Reason::RemovedElsewhere, message)
        }
        Op::AddMember { email, .. } => {
            let (reason, what) = if *invited {
                (Reason::InvitationGone, "had been invited, and the invitation was revoked or declined")
            } else {
                (Reason::RemovedElsewhere, "had been added, and somebody removed them since")
            };
            let message = format!(
                "{email} {what}; they are not added again by themselves. If that was right, take them out of the \
                 manifests; if not: bursar reaffirm {client} {email}"
            );
            (reason, message)
        }
        // Everything else states an end, and is set right.
        _ => return,
    };
    action.hold(ActionState::Blocked, reason, message);
}
