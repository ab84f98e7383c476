//! Looking at the live world: what it costs, and what it never takes for absent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bursar::controller::{Freshness, Keeping, Reconciler};
use bursar::domain::{AccountName, ClientName, Email};
use bursar::execute::Silent;
use bursar::manifest::{Client, Membership, SourceRef, Wanted, WantedPlan};
use bursar::plan::{ActionState, ApiInfo, Policy, Selector};
use bursar::provider::{BaseUrl, Read as _, Token, dnsimple};
use bursar::sandbox::{Extension, Options, Sandbox};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::unlimited;

fn client(name: &str) -> Client {
    Client {
        name: ClientName::parse(name).unwrap(),
        labels: BTreeMap::new(),
        source: SourceRef { file: "clients.yaml".into(), line: 1, column: 1 },
        account_name: AccountName::new(format!("Client {name}")),
        notification_email: Email::lenient(format!("dns+{name}@agency.example")),
        plan: WantedPlan::Choice("teams".into()),
        members: Vec::new(),
        membership: Membership::Additive,
        account_id: None,
        previous_names: Vec::new(),
        previous_notification_emails: Vec::new(),
        suspend: false,
    }
}

fn reconciler(sandbox: &Sandbox) -> (Reconciler, dnsimple::Reader) {
    let url = BaseUrl::parse(&sandbox.api_url()).unwrap();
    let token = Token::from_text(sandbox.token().to_owned()).unwrap();
    let reader = dnsimple::connect(dnsimple::Config::new(url, token)).unwrap();
    let api = ApiInfo { provider: "dnsimple".into(), url: sandbox.api_url() };
    let made = Reconciler::new(
        api,
        Arc::new(reader.clone()),
        Policy::default(),
        Selector::default(),
        Keeping::in_memory("test"),
        1,
    );
    (made, reader)
}

/// Three clients, converged; then the requests of each further look, as a command looks or as a
/// daemon does.
async fn further_looks(without: &[Extension], freshness: Option<Freshness>) -> [u64; 3] {
    let without = without.iter().copied().collect::<BTreeSet<_>>();
    let sandbox = bursar::sandbox::start(Options { without, ..unlimited() }).await.unwrap();
    let wanted = Wanted { clients: vec![client("a"), client("b"), client("c")], ..Wanted::default() };
    let (mut passes, reader) = reconciler(&sandbox);
    passes.freshness = freshness;
    passes.observe(&wanted).await.unwrap();
    let writer = reader.writer();
    passes.converge(&wanted, None, &writer, &Silent, &CancellationToken::new()).await.unwrap();
    let mut costs = [0; 3];
    for (look, cost) in costs.iter_mut().enumerate() {
        if look == 2 {
            let url = format!("{}/accounts/1", sandbox.api_url());
            let renamed =
                reqwest::Client::new().patch(url).bearer_auth(sandbox.token()).json(&json!({"name": "Client A"}));
            assert!(renamed.send().await.unwrap().status().is_success());
        }
        let before = reader.line().requests_sent();
        passes.observe(&wanted).await.unwrap();
        *cost = reader.line().requests_sent() - before;
    }
    sandbox.stop().await;
    costs
}

#[tokio::test]
async fn without_include_only_accounts_whose_trusted_updated_at_moved_are_read_again() {
    // The first look after our own writes reads the three again: they moved.
    assert_eq!(further_looks(&[Extension::Bulk], None).await, [3 + 3 * 2, 3, 3 + 2]);
}

#[tokio::test]
async fn without_an_honest_updated_at_every_managed_account_is_read_again() {
    assert_eq!(further_looks(&[Extension::Bulk, Extension::UpdatedAt], None).await, [9, 9, 9]);
}

#[tokio::test]
async fn with_include_a_look_is_the_list_and_two() {
    assert_eq!(further_looks(&[], None).await, [3, 3, 3]);
}

const DAEMON: Freshness = Freshness::of(Duration::from_secs(300));

#[tokio::test]
async fn a_daemon_looks_at_the_list_alone_and_at_what_moved() {
    assert_eq!(further_looks(&[], Some(DAEMON)).await, [1, 1, 1]);
    assert_eq!(further_looks(&[Extension::Bulk], Some(DAEMON)).await, [1 + 3 * 2, 1, 1 + 2]);
    // Without an honest `updated_at` a name that changed is still seen in the list.
    assert_eq!(further_looks(&[Extension::Bulk, Extension::UpdatedAt], Some(DAEMON)).await, [1 + 3 * 2, 1, 1 + 2]);
}

#[tokio::test]
async fn a_world_that_was_reset_is_noticed_by_the_list_alone() {
    let sandbox = bursar::sandbox::start(unlimited()).await.unwrap();
    let wanted = Wanted { clients: vec![client("a")], ..Wanted::default() };
    let (mut passes, reader) = reconciler(&sandbox);
    passes.freshness = Some(DAEMON);
    let (writer, cancel) = (reader.writer(), CancellationToken::new());
    for made in [2, 2] {
        passes.observe(&wanted).await.unwrap();
        let report = passes.converge(&wanted, None, &writer, &Silent, &cancel).await.unwrap();
        let applied = report.plan.accounts[0].actions.iter().filter(|action| action.state == ActionState::Applied);
        assert_eq!(applied.count(), made, "the account and its plan, in each world");
        let reset = reqwest::Client::new().post(format!("{}/sandbox/reset", sandbox.url())).send().await.unwrap();
        assert!(reset.status().is_success());
    }
    sandbox.stop().await;
}
