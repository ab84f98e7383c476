//! A client that is wanted, and the real reconciler that makes it so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bursar::controller::{Keeping, Reconciler, Report};
use bursar::domain::{Access, AccountName, ClientName, Email};
use bursar::execute::{Options as Carrying, Silent};
use bursar::manifest::{Client, Membership, OriginKind, SourceRef, Wanted, WantedMember, WantedPlan};
use bursar::plan::{ActionState, ApiInfo, MaxRemovals, Policy, Reason, Selector};
use tokio_util::sync::CancellationToken;

use super::Driver;

/// The notification email of the client at first.
pub const BILLING: &str = "dns+acme@agency.example";

/// The client at first: a plan, and two people beside ourselves.
pub fn acme(family: &str) -> Client {
    let source = SourceRef { file: "acme.yaml".into(), line: 1, column: 1 };
    Client {
        name: ClientName::parse("acme").unwrap(),
        labels: BTreeMap::new(),
        source,
        account_name: AccountName::new("Client acme"),
        notification_email: Email::lenient(BILLING),
        plan: WantedPlan::Choice(family.to_owned()),
        members: people(&[("jane@acme.example", Access::Full), ("pat@acme.example", Access::Limited)]),
        membership: Membership::Additive,
        account_id: None,
        previous_names: Vec::new(),
        previous_notification_emails: Vec::new(),
        suspend: false,
    }
}

/// The client as it is to be later: another name and email, one person less and two more,
/// somebody may do more.
pub fn changed(family: &str) -> Client {
    let before = acme(family);
    Client {
        previous_names: vec![before.account_name.clone()],
        previous_notification_emails: vec![before.notification_email.clone()],
        account_name: AccountName::new("Client acme GmbH"),
        notification_email: Email::lenient("billing+acme@agency.example"),
        members: people(&[
            ("joe@acme.example", Access::Limited),
            ("kim@acme.example", Access::Limited),
            ("pat@acme.example", Access::Full),
        ]),
        membership: Membership::Exclusive,
        ..before
    }
}

fn people(all: &[(&str, Access)]) -> Vec<WantedMember> {
    let member = |(person, access): &(&str, Access)| WantedMember {
        email: Email::lenient(*person),
        access: *access,
        role: None,
        source: SourceRef { file: "acme.yaml".into(), line: 1, column: 1 },
        through: OriginKind::Own,
    };
    all.iter().map(member).collect()
}

/// A process with its memory.
pub struct Fleet {
    reconciler: Reconciler,
    driver: Driver,
}

impl Fleet {
    pub fn new(driver: Driver) -> Self {
        let api = ApiInfo { provider: "any".into(), url: "http://127.0.0.1".into() };
        let policy = Policy { allow_removals: true, max_removals: MaxRemovals::of_percent(100), ..Policy::default() };
        let keeping = Keeping::in_memory("test");
        let mut reconciler = Reconciler::new(api, Arc::clone(&driver.reader), policy, Selector::default(), keeping, 1);
        reconciler.options = Carrying { pause: Duration::from_millis(1), ..Carrying::default() };
        Self { reconciler, driver }
    }

    /// One pass.
    pub async fn pass(&mut self, client: &Client) -> Report {
        let wanted = Wanted { clients: vec![client.clone()], offboardings: Vec::new(), invalid: Vec::new() };
        let cancel = CancellationToken::new();
        self.reconciler.observe(&wanted).await.unwrap();
        self.reconciler.converge(&wanted, None, &*self.driver.writer, &Silent, &cancel).await.unwrap()
    }
}

/// What is not done yet; that somebody was invited and has not come is theirs to do.
pub fn left(report: &Report) -> Vec<String> {
    let actions = report.plan.accounts.iter().flat_map(|account| &account.actions);
    let left = actions
        .filter(|action| action.state != ActionState::Applied && action.reason != Some(Reason::AwaitingAcceptance));
    left.map(|action| format!("{:?} {:?} {:?} {}", action.op.kind(), action.state, action.reason, action.message))
        .collect()
}
