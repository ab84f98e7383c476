//! What a journal has a say in: what is unsettled, what was done a moment ago, what somebody
//! undid, a freeze, accounts that vanished, and what the rails remember.

use bursar::domain::{AccountId, AccountName, ClientName, Money};
use bursar::plan::{Matter, OpKind, RailMemory, Reason, Series, Undone, Unsettled, Vanished, Verdict, VerdictState};

use super::world::{World, client, email, short};

fn name(raw: &str) -> ClientName {
    ClientName::parse(raw).unwrap()
}

fn series(client: &str, kind: OpKind, argument: &str) -> Series {
    Series { client: name(client), kind, argument: argument.to_owned() }
}

fn settling() -> Verdict {
    Verdict {
        state: VerdictState::Waiting,
        reason: Some(Reason::OutcomeSettling),
        message: "it is looked for".to_owned(),
        request_id: None,
    }
}

#[test]
fn nothing_else_is_written_to_an_account_while_something_is_unsettled_there() {
    let jane = "jane@acme.example";
    let world = World::in_agreement(vec![client("acme", &[jane]), client("beta", &[jane])]).with(|w| {
        for i in 0..2 {
            w.members(i).pop();
            w.subscription(i).seats = Some(1);
            w.account(i).account.email = Some(email("old@agency.example"));
            w.client(i).previous_notification_emails = vec![email("old@agency.example")];
        }
        w.known.unsettled.push(Unsettled {
            series: series("acme", OpKind::UpdateAccount, "/dns+acme@agency.example"),
            account_name: None,
            account_id: Some(AccountId::new("1")),
            verdict: settling(),
        });
    });
    let plan = world.plan();
    insta::assert_snapshot!(short(&plan, "acme"), @"Waiting: UpdateAccount Waiting(OutcomeSettling), AddMember jane@acme.example Skipped(DependencyNotMet)");
    insta::assert_snapshot!(short(&plan, "beta"), @"Changes: UpdateAccount Planned, AddMember jane@acme.example Planned");
}

#[test]
fn no_account_is_made_of_a_name_that_may_have_been_made_by_a_manifest_of_another_name() {
    let world = World::empty(vec![client("acme-corp", &[]), client("beta", &[])]).with(|w| {
        w.client(0).account_name = AccountName::new("ACME ");
        w.known.unsettled.push(Unsettled {
            series: series("acme", OpKind::CreateAccount, ""),
            account_name: Some(AccountName::new("Acme")),
            account_id: None,
            verdict: settling(),
        });
    });
    let plan = world.plan();
    insta::assert_snapshot!(short(&plan, "acme-corp"), @"Waiting: CreateAccount Waiting(OutcomeSettling), Subscribe Skipped(DependencyNotMet)");
    insta::assert_snapshot!(short(&plan, "beta"), @"Changes: CreateAccount Planned, Subscribe Planned");
}

#[test]
fn a_question_stands_even_where_the_account_was_found_meanwhile() {
    let world = World::in_agreement(vec![client("acme", &[])]).with(|w| {
        let verdict = Verdict {
            state: VerdictState::Blocked,
            reason: Some(Reason::OutcomeUnknown),
            message: "look at the service, then: bursar resolve 0123".to_owned(),
            request_id: None,
        };
        w.known.unsettled.push(Unsettled {
            series: series("acme", OpKind::CreateAccount, ""),
            account_name: Some(AccountName::new("Acme")),
            account_id: None,
            verdict,
        });
    });
    let plan = world.plan();
    insta::assert_snapshot!(short(&plan, "acme"), @"Blocked: CreateAccount Blocked(OutcomeUnknown)");
    assert!(plan.accounts[0].actions[0].message.contains("bursar resolve 0123"));
}

#[test]
fn nothing_is_created_while_the_journal_may_have_lost_a_create() {
    let world = World::empty(vec![client("acme", &[])]).with(|w| w.known.doubtful = true);
    insta::assert_snapshot!(short(&world.plan(), "acme"), @"Waiting: CreateAccount Waiting(OutcomeSettling), Subscribe Skipped(DependencyNotMet)");
}

#[test]
fn what_was_done_a_moment_ago_is_not_done_again_because_a_list_lags() {
    let (jane, john) = ("jane@acme.example", "john@acme.example");
    let world = World::in_agreement(vec![client("acme", &[jane, john])]).with(|w| {
        w.members(0).truncate(1);
        w.sign_up(&[jane, john]);
        w.known.settling.insert((name("acme"), Matter::Person(jane.to_owned())));
    });
    insta::assert_snapshot!(short(&world.plan(), "acme"), @"Changes: AddMember jane@acme.example Waiting(OutcomeSettling), AddMember john@acme.example Planned");
    let bought = world.with(|w| {
        w.subscription(0).seats = Some(1);
        w.known.settling.insert((name("acme"), Matter::Subscription));
    });
    insta::assert_snapshot!(short(&bought.plan(), "acme"), @"Waiting: SetSeats Waiting(OutcomeSettling), AddMember jane@acme.example Waiting(OutcomeSettling), AddMember john@acme.example Skipped(DependencyNotMet)");
}

#[test]
fn what_somebody_undid_is_asked_about_and_everything_else_is_set_right() {
    let (jane, john) = ("jane@acme.example", "john@acme.example");
    let undone = |account: &str, invited| Undone { account: Some(AccountId::new(account)), invited };
    let world = World::in_agreement(vec![client("acme", &[jane, john]), client("beta", &[jane])]).with(|w| {
        w.members(0).truncate(1);
        w.members(1).truncate(1);
        w.subscription(0).seats = Some(1);
        w.sign_up(&[jane, john]);
        w.known.undone.insert(series("acme", OpKind::AddMember, jane), undone("1", false));
        w.known.undone.insert(series("acme", OpKind::AddMember, john), undone("1", true));
        // Done to the account that beta had before.
        w.known.undone.insert(series("beta", OpKind::AddMember, jane), undone("77", false));
    });
    let plan = world.plan();
    insta::assert_snapshot!(short(&plan, "acme"), @"Blocked: AddMember jane@acme.example Blocked(RemovedElsewhere), AddMember john@acme.example Blocked(InvitationGone)");
    insta::assert_snapshot!(short(&plan, "beta"), @"Changes: AddMember jane@acme.example Planned");
    insta::assert_snapshot!(plan.accounts[0].actions[0].message, @"jane@acme.example had been added, and somebody removed them since; they are not added again by themselves. If that was right, take them out of the manifests; if not: bursar reaffirm acme jane@acme.example");

    let closed = World::empty(vec![client("acme", &[])])
        .with(|w| w.known.undone.extend([(series("acme", OpKind::CreateAccount, ""), undone("17", false))]));
    insta::assert_snapshot!(short(&closed.plan(), "acme"), @"Blocked: CreateAccount Blocked(RemovedElsewhere), Subscribe Skipped(DependencyNotMet)");
    insta::assert_snapshot!(closed.plan().accounts[0].actions[0].message, @"account 17 was there and is not listed any more; it is not made again by itself. If it was closed on purpose, take the manifest out; if a new one is wanted: bursar reaffirm acme");
}

#[test]
fn a_freeze_stops_every_write_and_says_how_it_ends() {
    let world = World::empty(vec![client("acme", &["jane@acme.example"])])
        .with(|w| w.known.frozen = Some("audit \u{1b}[31mweek".to_owned()));
    insta::assert_snapshot!(world.text(), @r#"
    acme (no account)  clients/acme.yaml:1
      ! create the account "Acme", notified at dns+acme@agency.example: frozen: audit \u{1b}[31mweek; `bursar unfreeze` lets it go on (Frozen)
      ! subscribe to teams-v2-monthly with 1 seat: frozen: audit \u{1b}[31mweek; `bursar unfreeze` lets it go on (Frozen)
      ! add jane@acme.example with full access: frozen: audit \u{1b}[31mweek; `bursar unfreeze` lets it go on (Frozen)

    Nothing planned; 3 blocked.
    "#);
}

#[test]
fn nothing_is_created_while_many_known_accounts_are_gone_and_the_rest_goes_on() {
    let world = World::in_agreement(vec![client("acme", &[])]).with(|w| {
        w.wanted.clients.push(client("beta", &[]));
        w.account(0).account.email = Some(email("old@agency.example"));
        w.client(0).previous_notification_emails = vec![email("old@agency.example")];
        w.known.vanished = Some(Vanished { missing: 7, known: 9 });
    });
    insta::assert_snapshot!(world.text(), @r#"
    beta (no account)  clients/beta.yaml:1
      ! create the account "Beta", notified at dns+beta@agency.example: 7 of 9 accounts that were there are not listed, which looks like an outage; nothing is created meanwhile (AccountsVanished)
        skipped: subscribe to teams-v2-monthly with 1 seat: the account is not created

    acme (account 1)  clients/acme.yaml:1
      ~ notification email from old@agency.example to dns+acme@agency.example

    Guard rails
      breaker accounts vanished: 7 of 9 accounts that were there are not listed, which looks like an outage, so nothing is created; if they were closed on purpose, take their manifests out, or `bursar reaffirm` each client that is to get a new one

    List price a month in USD: 29.00 now, 29.00 after, 0.00
    Plan: 1 to update; 1 blocked; 1 request.
    "#);
}

#[test]
fn the_rails_count_the_last_day_latch_and_let_one_plan_pass() {
    let wanting = |n: usize, memory: RailMemory| {
        let clients = (0..n).map(|i| client(&format!("c{i}"), &[])).collect();
        World::empty(clients).with(|w| {
            w.policy.max_creates = Some(3);
            w.policy.max_monthly_increase = Some(Money::cents(9000));
            w.known.rails = memory;
        })
    };
    let tripped = |n: usize, memory: RailMemory| -> Vec<String> {
        wanting(n, memory).plan().rails.iter().map(|rail| rail.message.clone()).collect()
    };
    assert!(tripped(3, RailMemory::default()).is_empty());
    insta::assert_debug_snapshot!(tripped(2, RailMemory { created: 2, ..RailMemory::default() }), @r#"
    [
        "2 accounts would be created (2 were within 24 hours), and none of them is; look why, then let this plan pass by its digest (--approve), or set --max-creates 4",
    ]
    "#);
    insta::assert_debug_snapshot!(tripped(1, RailMemory { increase: Money::cents(6200), ..RailMemory::default() }), @r#"
    [
        "the list price would rise by 29.00 a month (it rose by 62.00 within 24 hours), so no plan or seat is bought; look why, then let this plan pass by its digest (--approve), or set --max-monthly-increase 91.00",
    ]
    "#);
    let latched = |value: &str| RailMemory {
        latched: [("--max-creates".to_owned(), value.to_owned())].into(),
        ..RailMemory::default()
    };
    assert_eq!(tripped(1, latched("3")).len(), 1, "it tripped before, and stays tripped");
    assert!(tripped(1, latched("2")).is_empty(), "the operator set another value since");
    assert!(tripped(0, latched("3")).is_empty(), "nothing of its kind is planned");
    let lifted = RailMemory { lifted: true, created: 9, ..latched("3") };
    assert!(tripped(4, lifted.clone()).is_empty(), "a person let this plan pass");
    let passed = wanting(4, lifted).plan().passed;
    let passed: Vec<String> =
        passed.iter().map(|rail| format!("{} {}: {}", rail.flag, rail.value, rail.message)).collect();
    insta::assert_debug_snapshot!(passed, @r#"
    [
        "--max-creates 3: 4 accounts would be created (9 were within 24 hours)",
        "--max-monthly-increase 90.00: the list price would rise by 116.00 a month",
    ]
    "#);
}
