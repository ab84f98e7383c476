//! Looking at the live world: what it costs, and what it never takes for absent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bursar::controller::{Keeping, Reconciler};
use bursar::domain::{AccountName, ClientName, Email};
use bursar::execute::Silent;
use bursar::manifest::{Client, Membership, SourceRef, Wanted, WantedPlan};
use bursar::plan::{ApiInfo, Policy, Selector};
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

/// Three clients, converged, without `include`; then the requests of each further look.
async fn further_looks(without: &[Extension]) -> [u64; 3] {
    let without = without.iter().copied().collect::<BTreeSet<_>>();
    let sandbox = bursar::sandbox::start(Options { without, ..unlimited() }).await.unwrap();
    let wanted = Wanted { clients: vec![client("a"), client("b"), client("c")], ..Wanted::default() };
    let (mut passes, reader) = reconciler(&sandbox);
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
        let before = reader.requests_sent();
        passes.observe(&wanted).await.unwrap();
        *cost = reader.requests_sent() - before;
    }
    sandbox.stop().await;
    costs
}

#[tokio::test]
async fn without_include_only_accounts_whose_trusted_updated_at_moved_are_read_again() {
    // The first look after our own writes reads the three again: they moved.
    assert_eq!(further_looks(&[Extension::Bulk]).await, [3 + 3 * 2, 3, 3 + 2]);
}

#[tokio::test]
async fn without_an_honest_updated_at_every_managed_account_is_read_again() {
    assert_eq!(further_looks(&[Extension::Bulk, Extension::UpdatedAt]).await, [9, 9, 9]);
}

#[tokio::test]
async fn with_include_a_look_is_the_list_and_two() {
    assert_eq!(further_looks(&[]).await, [3, 3, 3]);
}
