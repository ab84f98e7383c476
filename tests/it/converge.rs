//! Converging over real HTTP, in random worlds: it ends, the next pass is silent, each thing
//! happened at most once, nobody else's account was touched, and no seat stands empty for
//! money.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bursar::controller::{Keeping, Reconciler, Report, observe};
use bursar::domain::{Access, AccountId, AccountName, ClientName, Email, Money};
use bursar::execute::{Options as Carrying, Silent};
use bursar::manifest::{Client, Membership, Offboarding, OriginKind, SourceRef, Wanted, WantedMember, WantedPlan};
use bursar::plan::{
    Action, ActionState, Adopt, AllowedPlans, ApiInfo, MaxRemovals, ObservedAccount, Op, Plan, Policy, Reason, Selector,
};
use bursar::provider::dnsimple::{self, Config};
use bursar::provider::{BaseUrl, Read as _, Token};
use bursar::sandbox::{Extension, MemberMode, Options};
use fastrand::Rng;
use proptest::prelude::*;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::{Ledger, World, unlimited};

const PEOPLE: [&str; 7] = [
    "a@x.example",
    "b@x.example",
    "c@y.example",
    "d@y.example",
    "pat@agency.example",
    "kim@agency.example",
    "agency@example.com",
];

fn one_in(rng: &mut Rng, n: u8) -> bool {
    rng.u8(0..n) == 0
}

fn some_people(rng: &mut Rng) -> Vec<&'static str> {
    PEOPLE.into_iter().filter(|_| one_in(rng, 3)).collect()
}

fn wanted_client(i: usize, rng: &mut Rng) -> Client {
    let source = SourceRef { file: format!("c{i}.yaml"), line: 1, column: 1 };
    let members = some_people(rng).into_iter().map(|person| WantedMember {
        email: Email::lenient(person),
        access: if one_in(rng, 4) { Access::Limited } else { Access::Full },
        role: None,
        source: source.clone(),
        through: OriginKind::Own,
    });
    let mut members: Vec<_> = members.collect();
    members.sort_by(|a, b| a.email.cmp(&b.email));
    let plan = match rng.u8(0..10) {
        0 => WantedPlan::Untouched,
        1 => WantedPlan::Nothing,
        2 => WantedPlan::Choice("solo".to_owned()),
        3 => WantedPlan::Choice("enterprise".to_owned()),
        4 => WantedPlan::Choice("teams-v1-monthly".to_owned()),
        5 => WantedPlan::Choice("nonsense".to_owned()),
        6 => WantedPlan::Choice("teams-v2-monthly".to_owned()),
        _ => WantedPlan::Choice("teams".to_owned()),
    };
    let notification =
        if one_in(rng, 8) { PEOPLE[rng.usize(0..6)].to_owned() } else { format!("dns+c{i}@agency.example") };
    Client {
        name: ClientName::parse(&format!("c{i}")).unwrap(),
        labels: BTreeMap::new(),
        source,
        account_name: AccountName::new(format!("Client {i}")),
        notification_email: Email::lenient(notification),
        plan,
        members,
        membership: if rng.bool() { Membership::Exclusive } else { Membership::Additive },
        account_id: None,
        previous_names: if rng.bool() { vec![AccountName::new(format!("Old {i}"))] } else { Vec::new() },
        previous_notification_emails: if rng.bool() {
            vec![Email::lenient(format!("old+c{i}@agency.example"))]
        } else {
            Vec::new()
        },
        suspend: one_in(rng, 8),
    }
}

fn policy(rng: &mut Rng) -> Policy {
    Policy {
        max_creates: if one_in(rng, 4) { Some(rng.u32(0..3)) } else { None },
        max_monthly_increase: if one_in(rng, 4) { Some(Money::cents(rng.i64(0..20_000))) } else { None },
        max_subscriptions: if one_in(rng, 4) { Some(rng.u32(0..3)) } else { None },
        max_removals: MaxRemovals { percent: Some(rng.u32(0..100)), number: one_in(rng, 4).then(|| rng.u32(0..3)) },
        allow_removals: rng.bool(),
        allow_unsubscribe: rng.bool(),
        allowed_plans: AllowedPlans::new(one_in(rng, 6).then(|| "teams".to_owned())),
        adopt: [Adopt::Matching, Adopt::ByName, Adopt::Never][rng.usize(0..3)],
        trim_seats: rng.bool(),
    }
}

fn sandbox_options(rng: &mut Rng) -> Options {
    let extensions = [Extension::Bulk, Extension::IdempotencyKeys, Extension::UpdatedAt, Extension::LimitedAccess];
    let users = PEOPLE.into_iter().filter(|_| rng.bool()).map(str::to_owned).collect();
    Options {
        users,
        member_mode: if one_in(rng, 4) { MemberMode::Invite } else { MemberMode::Registered },
        without: extensions.into_iter().filter(|_| one_in(rng, 4)).collect(),
        ..unlimited()
    }
}

/// Accounts that somebody made by hand: some of them clients', some look like it, some are
/// strangers'.
async fn arrange(world: &World, clients: &mut [Client], rng: &mut Rng) {
    for (i, client) in clients.iter_mut().enumerate() {
        for _ in 0..rng.usize(0..3).saturating_sub(usize::from(rng.bool())) {
            let name = [format!("Client {i}"), format!("Old {i}"), format!("client  {i}"), format!("Stranger {i}")];
            let email = [
                client.notification_email.to_string(),
                format!("old+c{i}@agency.example"),
                "hostmaster@else.example".to_owned(),
            ];
            let members: Vec<&str> = some_people(rng).into_iter().filter(|p| *p != "agency@example.com").collect();
            let email = &email[rng.usize(0..3)];
            let members: Vec<&str> = members.into_iter().filter(|person| person != email).collect();
            let plan = [
                None,
                Some("teams-v2-monthly"),
                Some("teams-v2-monthly"),
                Some("teams-v1-monthly"),
                Some("solo-v2-monthly"),
            ][rng.usize(0..5)];
            let mut ask = json!({"name": name[rng.usize(0..4)], "email": email});
            if let Some(plan) = plan {
                ask["plan"] = json!(plan);
            }
            if plan.is_some_and(|plan| plan.starts_with("teams")) {
                ask["members"] = json!(members);
                ask["seats"] = json!(members.len() + 1 + rng.usize(0..3) + 1);
            }
            if one_in(rng, 4) && plan.is_some_and(|plan| plan.starts_with("teams")) {
                ask["owner"] = json!("boss@else.example");
            }
            let made = world.post("/sandbox/accounts", ask).await;
            let id = made["data"]["id"].to_string();
            if one_in(rng, 4) {
                // A downgrade that somebody asked for by hand, where the server takes it.
                let url = format!("{}/{id}/subscription", world.sandbox.api_url());
                let put = world.http.put(url).bearer_auth(world.sandbox.token());
                put.json(&json!({"plan_identifier": "solo-v2-monthly"})).send().await.unwrap();
            }
            if one_in(rng, 4) {
                client.account_id = Some(AccountId::new(id));
            }
        }
    }
}

struct Case {
    world: World,
    wanted: Wanted,
    policy: Policy,
    reader: dnsimple::Reader,
}

impl Case {
    async fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let world = World::with(sandbox_options(&mut rng)).await;
        let mut clients: Vec<Client> = (0..rng.usize(1..5)).map(|i| wanted_client(i, &mut rng)).collect();
        arrange(&world, &mut clients, &mut rng).await;
        let mut offboardings = Vec::new();
        if one_in(&mut rng, 3) {
            let leaver = Email::lenient(PEOPLE[rng.usize(0..6)]);
            for client in &mut clients {
                client.members.retain(|member| member.email != leaver);
            }
            offboardings.push(Offboarding {
                name: ClientName::parse("leaver").unwrap(),
                people: vec![leaver],
                reason: None,
                source: SourceRef { file: "leaver.yaml".into(), line: 1, column: 1 },
            });
        }
        // What `validate` refuses does not come this far.
        for client in &mut clients {
            let email = client.notification_email.clone();
            client.members.retain(|member| member.email != email);
        }
        let policy = policy(&mut rng);
        let url = BaseUrl::parse(&world.sandbox.api_url()).unwrap();
        let token = Token::from_text(world.sandbox.token().to_owned()).unwrap();
        let reader = dnsimple::connect(Config::new(url, token)).unwrap();
        Self { world, wanted: Wanted { clients, offboardings, invalid: Vec::new() }, policy, reader }
    }

    /// As another process would begin: with nothing in mind.
    fn reconciler(&self) -> Reconciler {
        let api = ApiInfo { provider: "dnsimple".into(), url: self.world.sandbox.api_url() };
        let mut reconciler = Reconciler::new(
            api,
            Arc::new(self.reader.clone()),
            self.policy.clone(),
            Selector::default(),
            Keeping::in_memory("test"),
            1,
        );
        reconciler.options = Carrying { pause: std::time::Duration::from_millis(1), ..Carrying::default() };
        reconciler
    }

    async fn converge(&self, reconciler: &mut Reconciler) -> Report {
        let writer = self.reader.writer();
        reconciler.observe(&self.wanted).await.unwrap();
        let report =
            reconciler.converge(&self.wanted, None, &writer, &Silent, &CancellationToken::new()).await.unwrap();
        assert!(report.trouble.is_none(), "{:?}", report.trouble);
        report
    }

    /// Every account with everything of it, whether it is managed or not.
    async fn accounts(&self) -> BTreeMap<AccountId, ObservedAccount> {
        let everything = Wanted::default();
        let mut snapshot = observe(&self.reader, &everything).await.unwrap();
        for seen in &mut snapshot.accounts {
            let id = seen.account.id.clone();
            seen.subscription = bursar::plan::Reading::Seen(self.reader.subscription(&id).await.unwrap());
            seen.members = bursar::plan::Reading::Seen(self.reader.members(&id).await.unwrap());
        }
        snapshot.accounts.into_iter().map(|seen| (seen.account.id.clone(), seen)).collect()
    }

    /// Whether some manifest names this account, by whatever it may be named by.
    fn is_named(&self, seen: &ObservedAccount) -> bool {
        let name = seen.account.name.as_ref().map(AccountName::key);
        self.wanted.clients.iter().any(|client| {
            let by_id = client.account_id.as_ref() == Some(&seen.account.id);
            let by_name = std::iter::once(&client.account_name)
                .chain(&client.previous_names)
                .any(|wanted| Some(wanted.key()) == name);
            !client.suspend && (by_id || by_name)
        })
    }
}

fn actions(plan: &Plan, state: ActionState) -> Vec<&Action> {
    plan.accounts.iter().flat_map(|account| &account.actions).filter(|action| action.state == state).collect()
}

fn applied(report: &Report, of: impl Fn(&Op) -> bool) -> u64 {
    actions(&report.plan, ActionState::Applied).iter().filter(|action| of(&action.op)).count() as u64
}

async fn check(seed: u64) {
    let case = Case::new(seed).await;
    let before = case.accounts().await;
    let arranged = case.world.ledger().await;
    let mut reconciler = case.reconciler();
    reconciler.observe(&case.wanted).await.unwrap();
    let promised = reconciler.plan(&case.wanted).unwrap().unwrap();

    let report = case.converge(&mut reconciler).await;
    let told = || bursar::plan::render::apply_text(&report.outcome());
    assert_eq!(report.agreed.digest, promised.digest);
    assert_eq!(actions(&report.plan, ActionState::Planned), Vec::<&Action>::new(), "it ends:\n{}", told());
    assert_eq!(actions(&report.plan, ActionState::Failed), Vec::<&Action>::new(), "nothing fails here:\n{}", told());

    let done = case.world.ledger().await;
    each_thing_once(&report, &arranged, &done);
    let after = case.accounts().await;
    others_are_left_alone(&case, &before, &after);
    no_seat_for_nobody(&before, &after, &told());

    let again = case.converge(&mut reconciler).await;
    assert_eq!(case.world.ledger().await.writes(), done.writes(), "the second pass is silent:\n{}", told());
    assert_eq!(applied(&again, |_| true), 0);

    let mut fresh = case.reconciler();
    fresh.observe(&case.wanted).await.unwrap();
    let unaware = fresh.plan(&case.wanted).unwrap().unwrap();
    // Who turned out to be a user, or to be in the way, is more than a fresh process knows.
    let guesses = |plan: &Plan| -> Vec<_> {
        let actions = plan.accounts.iter().flat_map(|account| &account.actions);
        actions
            .map(|action| {
                (action.op.clone(), action.unregistered, action.reason == Some(Reason::NotificationEmailConflict))
            })
            .collect()
    };
    if guesses(&again.plan) == guesses(&unaware) {
        assert_eq!(again.plan.digest, unaware.digest, "memory that knows no more makes no other digest:\n{}", told());
        let tries = actions(&unaware, ActionState::Planned);
        assert!(tries.iter().all(|action| action.unregistered), "{tries:#?}");
    }
}

fn each_thing_once(report: &Report, before: &Ledger, after: &Ledger) {
    let grew = |what: &str| after.count(what) - before.count(what);
    let sent = |call: &str| after.call(call) - before.call(call);
    let creates = applied(report, |op| matches!(op, Op::CreateAccount { .. }));
    assert_eq!(grew("accounts_created"), creates);
    assert_eq!(sent("POST /v2/accounts"), creates);
    assert_eq!(grew("subscriptions_created"), applied(report, |op| matches!(op, Op::Subscribe { .. })));
    let people: Vec<_> = report
        .plan
        .accounts
        .iter()
        .flat_map(|account| account.actions.iter().map(move |action| (&account.name, action)))
        .filter(|(_, action)| action.state == ActionState::Applied && matches!(action.op, Op::AddMember { .. }))
        .map(|(name, action)| (name, action.op.person()))
        .collect();
    assert_eq!(people.len(), people.iter().collect::<BTreeSet<_>>().len(), "{people:?}");
    assert_eq!(grew("members_added"), people.len() as u64, "{:#}", after.0);
}

fn others_are_left_alone(
    case: &Case,
    before: &BTreeMap<AccountId, ObservedAccount>,
    after: &BTreeMap<AccountId, ObservedAccount>,
) {
    for (id, seen) in before.iter().filter(|(_, seen)| !case.is_named(seen)) {
        assert_eq!(Some(seen), after.get(id), "nobody named it");
    }
}

fn no_seat_for_nobody(
    before: &BTreeMap<AccountId, ObservedAccount>,
    after: &BTreeMap<AccountId, ObservedAccount>,
    told: &str,
) {
    for (id, seen) in after {
        let seats = |seen: &ObservedAccount| seen.subscription.seen().cloned().flatten().and_then(|s| s.seats);
        let people = u32::try_from(seen.members.seen().map_or(0, Vec::len)).unwrap();
        let had = before.get(id).and_then(seats).unwrap_or(0);
        let had_people =
            before.get(id).and_then(|seen| seen.members.seen()).map_or(0, |m| u32::try_from(m.len()).unwrap());
        if let Some(seats) = seats(seen) {
            assert!(
                seats <= people.max(had).max(had_people),
                "account {id}: {seats} seats for {people} people:\n{told}"
            );
        }
    }
}

fn cases() -> ProptestConfig {
    let usual = ProptestConfig { failure_persistence: None, max_shrink_iters: 0, ..ProptestConfig::default() };
    // The environment's word goes before ours.
    if std::env::var_os("PROPTEST_CASES").is_some() { usual } else { ProptestConfig { cases: 32, ..usual } }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn converging_ends_in_silence_and_does_each_thing_once(seed in any::<u64>()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(check(seed));
    }
}
