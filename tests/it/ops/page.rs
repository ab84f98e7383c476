//! The page for people: whatever stands in names and messages is text.

use std::collections::BTreeMap;

use bursar::controller::Mode;
use bursar::controller::status::{AccountStatus, Condition, FleetStatus, ReadFrom, Status, Trouble, Truth};
use bursar::plan::AccountState;
use bursar::web::page;
use jiff::Timestamp;

const HOSTILE: [&str; 6] = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "\" onmouseover=\"alert(1)",
    "javascript:alert(1)",
    "\u{202e}gnihsihp\u{1b}[31m",
    "`|@everyone",
];

fn hostile(text: &str) -> Status {
    let now: Timestamp = "2026-11-25T12:00:00Z".parse().unwrap();
    let trouble = || Some(Trouble { message: text.to_owned(), since: now });
    let mut fleet = FleetStatus::new(text, Mode::Apply, "dnsimple", text);
    fleet.source.revision = Some(text.to_owned());
    fleet.source.trouble = trouble();
    fleet.api.trouble = trouble();
    fleet.journal_trouble = trouble();
    fleet.frozen = trouble();
    let condition = |kind: &str| Condition {
        kind: kind.to_owned(),
        status: Truth::False,
        reason: text.to_owned(),
        message: text.to_owned(),
        last_transition_time: now,
    };
    let account = AccountStatus {
        name: text.to_owned(),
        fleet: text.to_owned(),
        account_id: Some(text.to_owned()),
        labels: BTreeMap::from([(text.to_owned(), text.to_owned())]),
        state: AccountState::Blocked,
        reason: text.to_owned(),
        message: text.to_owned(),
        since: now,
        conditions: vec![condition("Ready"), condition("ManifestValid")],
        looked_at: None,
        next: None,
        last_applied_revision: Some(text.to_owned()),
        last_applied_at: None,
    };
    Status::new(ReadFrom::Daemon, now, vec![fleet.clone(), fleet], vec![account])
}

#[test]
fn what_strangers_write_is_inert() {
    let plain = page(&hostile("plain")).into_string();
    let tags = |page: &str| page.matches('<').count();
    for text in HOSTILE {
        let page = page(&hostile(text)).into_string();
        assert_eq!(tags(&page), tags(&plain), "{page}");
        assert!(!page.contains('\u{202e}') && !page.contains('\u{1b}'), "{page}");
        assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
        assert!(!page.contains("\" onmouseover"), "{page}");
        assert!(!page.contains("href=\"javascript"), "{page}");
    }
}

#[test]
fn of_thousands_of_clients_those_who_need_somebody_come_first() {
    let one = hostile("plain").accounts.remove(0);
    let client = |n: usize, state: AccountState| AccountStatus { name: format!("c{n:04}"), state, ..one.clone() };
    let mut accounts: Vec<AccountStatus> = (0..3000).map(|n| client(n, AccountState::InSync)).collect();
    accounts.push(client(9999, AccountState::Failed));
    let fleets = vec![FleetStatus::new("default", Mode::Apply, "dnsimple", "https://api.example")];
    let page = page(&Status::new(ReadFrom::Daemon, one.since, fleets, accounts)).into_string();
    assert!(page.contains("3001 clients, of whom 500 are shown"), "{}", &page[..2000]);
    let at = |name: &str| page.find(name);
    assert!(at("c9999") < at("c0000") && at("c0499").is_none(), "the one that failed is the first of 500");
}
