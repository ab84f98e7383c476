//! How long planning a large fleet takes, besides the requests, and showing the plan.

use std::collections::BTreeMap;
use std::path::Path;

use bursar::domain::{Access, AccountId, Email, MemberId, Money, PlanFamily, PlanId};
use bursar::manifest::{LoadOptions, Wanted, load};
use bursar::plan::render::{self, GithubOptions, TextOptions};
use bursar::plan::{
    ApiInfo, Inputs, Known, MaxRemovals, ObservedAccount, Plan, Policy, Reading, Selector, Snapshot, lint, plan,
};
use bursar::provider::{
    Account, Capability, Identity, Member, MemberState, Offer, PlanOffer, Scope, Subscription, SubscriptionState,
};
use bursar::source::FileSet;

fn main() {
    divan::main();
}

const CLIENTS: usize = 10_000;

/// Three people of their own and two of a group in each client.
fn wanted() -> Wanted {
    let shared = "apiVersion: bursar.dev/v1\nkind: ClientDefaults\nmetadata: { name: defaults }\nspec: { plan: teams, notificationEmail: \"dns+{name}@agency.example\", memberGroups: [on-call], membership: exclusive }\n---\napiVersion: bursar.dev/v1\nkind: MemberGroup\nmetadata: { name: on-call }\nspec: { members: [pat@agency.example, kim@agency.example] }\n";
    let clients = (0..CLIENTS).map(|n| {
        let text = format!(
            "apiVersion: bursar.dev/v1\nkind: ClientAccount\nmetadata:\n  name: client-{n}\nspec:\n  accountName: Client {n} Limited\n  members: [owner@client-{n}.example, web@client-{n}.example, {{ email: it@client-{n}.example, access: limited }}]\n"
        );
        (format!("clients/client-{n}.yaml"), text)
    });
    let files = FileSet::in_memory(std::iter::once(("shared.yaml".to_owned(), shared.to_owned())).chain(clients));
    load(&files, &LoadOptions::default()).wanted
}

fn offer() -> Offer {
    let teams = PlanOffer {
        id: PlanId::new("teams-v2-monthly"),
        name: "Teams".to_owned(),
        family: PlanFamily::new("teams"),
        yearly: false,
        base_price: Some(Money::cents(2900)),
        included_seats: Some(1),
        seat_price: Some(Money::cents(2900)),
        max_members: None,
        multi_member: true,
        available: true,
    };
    let capabilities = [Capability::Bulk, Capability::IdempotencyKeys, Capability::LimitedAccess];
    Offer {
        account_management: true,
        plans: vec![teams],
        capabilities: capabilities.into_iter().collect(),
        ..Offer::default()
    }
}

fn member(email: &Email, access: Access) -> Member {
    let id = MemberId::new(format!("m-{}", email.as_str()));
    Member { id, email: email.clone(), access, role: None, state: MemberState::Active }
}

/// Nine clients in ten have their account: half of these are as they should be, and in each of
/// the others one person is missing and one too many.
fn live(wanted: &Wanted) -> Snapshot {
    let us = Email::parse("agency@example.com").expect("an address");
    let stranger = Email::parse("lee@old.example").expect("an address");
    let accounts = wanted.clients.iter().enumerate().filter(|(n, _)| n % 10 != 0).map(|(n, client)| {
        let mut members = vec![member(&us, Access::Full)];
        members.extend(client.members.iter().map(|one| member(&one.email, one.access)));
        if n % 2 == 0 {
            members.pop();
            members.push(member(&stranger, Access::Full));
        }
        let subscription = Subscription {
            plan: PlanId::new("teams-v2-monthly"),
            state: SubscriptionState::Subscribed,
            seats: Some(6),
            dunned: false,
            trial_ends_at: None,
            current_period_ends_at: None,
            pending_plan: None,
            pending_seats: None,
        };
        let account = Account {
            id: AccountId::new((1000 + n).to_string()),
            name: Some(client.account_name.clone()),
            email: Some(client.notification_email.clone()),
            plan: Some(PlanId::new("teams-v2-monthly")),
            created_at: None,
            updated_at: None,
            subscription: None,
            members: None,
        };
        ObservedAccount { account, subscription: Reading::Seen(Some(subscription)), members: Reading::Seen(members) }
    });
    let scope = Scope { api_url: "https://api.example/v2".to_owned(), user_id: "1".to_owned(), world: None };
    Snapshot { accounts: accounts.collect(), identity: Identity { scope, email: us }, offer: offer() }
}

struct World {
    api: ApiInfo,
    wanted: Wanted,
    live: Snapshot,
    known: Known,
    policy: Policy,
    selector: Selector,
}

impl World {
    fn new() -> Self {
        let wanted = wanted();
        let api = ApiInfo { provider: "dnsimple".to_owned(), url: "https://api.example/v2".to_owned() };
        let policy = Policy {
            max_creates: None,
            max_monthly_increase: None,
            allow_removals: true,
            max_removals: MaxRemovals::NONE,
            max_subscriptions: None,
            ..Policy::default()
        };
        let live = live(&wanted);
        Self { api, wanted, live, known: Known::default(), policy, selector: Selector::default() }
    }

    fn inputs(&self) -> Inputs<'_> {
        let Self { api, wanted, live, known, policy, selector } = self;
        Inputs { api, wanted, live, known, policy, selector, requests_spent: 0 }
    }

    fn plan(&self) -> Plan {
        let plan = plan(&self.inputs());
        assert_eq!((plan.summary.create_account, plan.summary.remove_member), (1_000, 4_000));
        plan
    }
}

#[divan::bench(sample_count = 10)]
fn ten_thousand_planned(bencher: divan::Bencher) {
    let world = World::new();
    bencher.bench_local(|| world.plan());
}

#[divan::bench(sample_count = 10)]
fn ten_thousand_checked(bencher: divan::Bencher) {
    let world = World::new();
    let plan = world.plan();
    bencher.bench_local(|| assert!(lint(&plan, &world.inputs()).is_empty()));
}

#[divan::bench(sample_count = 10, args = ["text", "json", "markdown", "github"])]
fn ten_thousand_shown(bencher: divan::Bencher, face: &str) {
    let plan = World::new().plan();
    let faces: BTreeMap<&str, fn(&Plan) -> String> = BTreeMap::from([
        ("text", (|plan: &Plan| render::text(plan, &TextOptions::default())) as fn(&Plan) -> String),
        ("json", |plan| render::json(plan).to_string()),
        ("markdown", |plan| render::markdown(plan, true)),
        ("github", |plan| {
            let options = GithubOptions { findings: &[], folder: Path::new(""), masked: true };
            render::github(plan, &options)
        }),
    ]);
    bencher.bench_local(|| faces[face](&plan));
}
