//! A world to plan in: manifests and live accounts, built in agreement and then changed.

use std::collections::BTreeMap;

use bursar::domain::{Access, AccountId, AccountName, ClientName, Email, MemberId, Money, PlanFamily, PlanId};
use bursar::manifest::{Client, Membership, Offboarding, OriginKind, SourceRef, Wanted, WantedMember, WantedPlan};
use bursar::plan::render::{self, TextOptions};
use bursar::plan::{
    Action, ActionKey, ApiInfo, Inputs, Known, ObservedAccount, OpKind, Plan, Policy, Reading, Reason, Selector,
    Snapshot, Verdict, VerdictState,
};
use bursar::provider::{
    Account, Capabilities, Capability, Identity, Member, MemberState, Offer, PlanOffer, Scope, Subscription,
    SubscriptionState,
};

pub const OURSELVES: &str = "agency@example.com";
pub const TEAMS: &str = "teams-v2-monthly";
pub const SOLO: &str = "solo-v2-monthly";
pub const BUSINESS: &str = "business-monthly";

#[derive(Clone)]
pub struct World {
    pub api: ApiInfo,
    pub wanted: Wanted,
    pub live: Snapshot,
    pub known: Known,
    pub policy: Policy,
    pub selector: Selector,
}

pub fn email(raw: &str) -> Email {
    Email::parse(raw).unwrap()
}

pub fn source(file: &str) -> SourceRef {
    SourceRef { file: file.to_owned(), line: 1, column: 1 }
}

/// A client of the plan family `teams` with full members.
pub fn client(name: &str, members: &[&str]) -> Client {
    let source = source(&format!("clients/{name}.yaml"));
    let mut people: Vec<WantedMember> = members
        .iter()
        .map(|m| WantedMember {
            email: email(m),
            access: Access::Full,
            role: None,
            source: source.clone(),
            through: OriginKind::Own,
        })
        .collect();
    people.sort_by(|a, b| a.email.cmp(&b.email));
    Client {
        name: ClientName::parse(name).unwrap(),
        labels: BTreeMap::new(),
        source,
        account_name: AccountName::new(title(name)),
        notification_email: email(&format!("dns+{name}@agency.example")),
        plan: WantedPlan::Choice("teams".to_owned()),
        members: people,
        membership: Membership::Additive,
        account_id: None,
        previous_names: Vec::new(),
        previous_notification_emails: Vec::new(),
        suspend: false,
    }
}

/// `acme` is named `Acme`.
pub fn title(name: &str) -> String {
    name[..1].to_uppercase() + &name[1..]
}

pub fn member(address: &str) -> Member {
    Member {
        id: MemberId::new(format!("m-{address}")),
        email: Email::lenient(address),
        access: Access::Full,
        role: None,
        state: MemberState::Active,
    }
}

pub fn invited(address: &str) -> Member {
    Member { state: MemberState::Invited, ..member(address) }
}

pub fn subscription(plan: &str, seats: Option<u32>) -> Subscription {
    Subscription {
        plan: PlanId::new(plan),
        state: SubscriptionState::Subscribed,
        seats,
        dunned: false,
        trial_ends_at: None,
        current_period_ends_at: Some("2027-01-05T00:00:00Z".parse().unwrap()),
        pending_plan: None,
        pending_seats: None,
    }
}

/// An account as its client's manifest wants it, with a seat for everyone.
pub fn account(id: &str, client: &Client) -> ObservedAccount {
    let mut members = vec![member(OURSELVES)];
    members.extend(client.members.iter().map(|m| Member { access: m.access, ..member(m.email.as_str()) }));
    let seats = u32::try_from(members.len()).unwrap();
    let plan = match &client.plan {
        WantedPlan::Choice(word) if word == "teams" => Some(TEAMS),
        WantedPlan::Choice(word) if word == "solo" => Some(SOLO),
        WantedPlan::Choice(word) => Some(word.as_str()),
        WantedPlan::Untouched | WantedPlan::Nothing => None,
    };
    let seats = (plan == Some(TEAMS) || plan == Some(BUSINESS)).then_some(seats);
    ObservedAccount {
        account: Account {
            id: AccountId::new(id),
            name: Some(client.account_name.clone()),
            email: Some(client.notification_email.clone()),
            plan: plan.map(PlanId::new),
            created_at: None,
            updated_at: None,
            subscription: None,
            members: None,
        },
        subscription: Reading::Seen(plan.map(|plan| subscription(plan, seats))),
        members: Reading::Seen(members),
    }
}

pub fn offer() -> Offer {
    let plan = |id: &str, family: &str, base: Option<i64>, seat: Option<i64>, max: Option<u32>, available| PlanOffer {
        id: PlanId::new(id),
        name: id.to_owned(),
        family: PlanFamily::new(family),
        yearly: id.ends_with("yearly"),
        base_price: base.map(Money::cents),
        included_seats: Some(1),
        seat_price: seat.map(Money::cents),
        max_members: max,
        multi_member: max != Some(1),
        available,
    };
    Offer {
        account_management: true,
        plans: vec![
            plan(SOLO, "solo", Some(0), None, Some(1), true),
            plan(TEAMS, "teams", Some(2900), Some(2900), None, true),
            plan("teams-v1-monthly", "teams", Some(1900), Some(1900), None, false),
            plan(BUSINESS, "business", Some(9900), Some(4900), None, true),
            plan("small-monthly", "small", Some(1000), Some(500), Some(3), true),
            plan("enterprise-v1-yearly", "enterprise", None, None, None, false),
        ],
        capabilities: [Capability::Bulk, Capability::IdempotencyKeys, Capability::LimitedAccess].into_iter().collect(),
        ..Offer::default()
    }
}

impl World {
    /// Clients and the accounts that are as they want them, with ids from 1.
    pub fn in_agreement(clients: Vec<Client>) -> Self {
        let accounts = clients.iter().enumerate().map(|(i, client)| account(&(i + 1).to_string(), client)).collect();
        Self::of(clients, accounts)
    }

    /// Clients that have no account yet.
    pub fn empty(clients: Vec<Client>) -> Self {
        Self::of(clients, Vec::new())
    }

    fn of(clients: Vec<Client>, accounts: Vec<ObservedAccount>) -> Self {
        let scope = Scope { api_url: "https://api.example/v2".to_owned(), user_id: "1".to_owned(), world: None };
        Self {
            api: ApiInfo { provider: "dnsimple".to_owned(), url: "https://api.example/v2".to_owned() },
            wanted: Wanted { clients, ..Wanted::default() },
            live: Snapshot { identity: Identity { scope, email: email(OURSELVES) }, offer: offer(), accounts },
            known: Known::default(),
            policy: Policy::default(),
            selector: Selector::default(),
        }
    }

    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub fn inputs(&self) -> Inputs<'_> {
        let Self { api, wanted, live, known, policy, selector } = self;
        Inputs { api, wanted, live, known, policy, selector, requests_spent: 3 }
    }

    /// The plan, which the linter has accepted.
    pub fn plan(&self) -> Plan {
        let plan = bursar::plan::plan(&self.inputs());
        let faults = bursar::plan::lint(&plan, &self.inputs());
        assert!(faults.is_empty(), "{faults:#?}\n{}", render::text(&plan, &TextOptions::default()));
        plan
    }

    pub fn text(&self) -> String {
        render::text(&self.plan(), &TextOptions::default())
    }

    pub fn set_capabilities(&mut self, capabilities: &[Capability]) {
        self.live.offer.capabilities = capabilities.iter().copied().collect::<Capabilities>();
    }

    pub fn client(&mut self, index: usize) -> &mut Client {
        &mut self.wanted.clients[index]
    }

    pub fn account(&mut self, index: usize) -> &mut ObservedAccount {
        &mut self.live.accounts[index]
    }

    pub fn subscription(&mut self, index: usize) -> &mut Subscription {
        match &mut self.live.accounts[index].subscription {
            Reading::Seen(Some(subscription)) => subscription,
            other => panic!("no subscription: {other:?}"),
        }
    }

    pub fn members(&mut self, index: usize) -> &mut Vec<Member> {
        match &mut self.live.accounts[index].members {
            Reading::Seen(members) => members,
            other => panic!("no members: {other:?}"),
        }
    }

    /// Somebody signed up.
    pub fn sign_up(&mut self, people: &[&str]) {
        self.known.registered.extend(people.iter().map(|person| email(person)));
    }

    /// What became of an action when it was tried.
    pub fn tried(
        &mut self,
        client: &str,
        op: OpKind,
        person: Option<&str>,
        state: VerdictState,
        reason: Option<Reason>,
    ) {
        let key = ActionKey { client: ClientName::parse(client).unwrap(), op, person: person.map(email) };
        let verdict = Verdict {
            state,
            reason,
            message: "the server said so".to_owned(),
            request_id: Some(bursar::domain::RequestId::new("req-1")),
        };
        self.known.verdicts.insert(key, verdict);
    }

    pub fn offboard(&mut self, people: &[&str]) {
        self.wanted.offboardings.push(Offboarding {
            name: ClientName::parse("leavers").unwrap(),
            people: people.iter().map(|person| email(person)).collect(),
            reason: Some("left the agency".to_owned()),
            source: source("offboarding.yaml"),
        });
    }
}

/// The actions of one client in short: operation, state, reason.
pub fn short(plan: &Plan, client: &str) -> String {
    let account = plan.accounts.iter().find(|account| account.name == client).expect("the client is planned");
    let lines: Vec<String> = account.actions.iter().map(line).collect();
    format!("{:?}: {}", account.state, lines.join(", "))
}

fn line(action: &Action) -> String {
    let person = action.op.person().map_or_else(String::new, |person| format!(" {person}"));
    let reason = action.reason.map_or_else(String::new, |reason| format!("({reason:?})"));
    format!("{:?}{person} {:?}{reason}", action.op.kind(), action.state)
}
