//! Reading the account API: what is asked, what is made of the answers, and that a list is
//! complete or an error.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::time::Duration;

use bursar::domain::{Access, AccountId, Email};
use bursar::provider::dnsimple::{AccountManagement, Quota};
use bursar::provider::{ApiErrorKind, Capabilities, Capability, MemberState, Read as _, Write as _};
use serde_json::{Value, json as value};

use crate::provider_world::{CANARY, Reply, html, json, json_with, message, reader_at, world};

fn plans(capabilities: Value) -> Reply {
    json(
        200,
        value!({"data": [{
            "identifier": "teams-v2-monthly", "name": "Teams", "family": "teams", "billing_period": "monthly",
            "base_price": "29.00", "included_seats": 1, "seat_price": "29.00", "max_members": null,
            "multi_member": true, "available": true
        }], "capabilities": capabilities}),
    )
}

fn account(id: u64) -> Value {
    value!({"id": id, "name": format!("Client {id}"), "email": format!("c{id}@agency.example"),
            "plan_identifier": null, "created_at": "2016-12-11T17:31:51Z", "updated_at": "2016-12-11T17:31:51Z"})
}

fn page(of: std::ops::RangeInclusive<u64>, current: u64, total: u64) -> Value {
    let data: Vec<_> = of.map(account).collect();
    let pages = total.div_ceil(100);
    value!({"data": data, "pagination":
        {"current_page": current, "per_page": 100, "total_entries": total, "total_pages": pages}})
}

#[tokio::test]
async fn a_request_carries_the_token_and_names_the_program() {
    let world = world(|_, _| json(200, value!({"data": []}))).await;
    world.reader().accounts().await.unwrap();
    let asked = &world.asked()[0];
    assert_eq!(asked.line, "GET /v2/accounts?include=subscription%2Cmembers&page=1&per_page=100");
    let headers = asked.headers.replace(&world.address.to_string(), "HOST");
    insta::assert_snapshot!(headers, @r"
    authorization: bearer canary-7f3a9c
    accept: */*
    user-agent: bursar/0.1.0
    host: HOST
    ");
}

#[tokio::test]
async fn whoami_tells_whose_token_and_which_world() {
    let world = world(|_, _| {
        json_with(
            200,
            &[("x-sandbox-world", "w-1")],
            value!({"data": {"user": {"id": 7, "email": "agency@example.com"}, "account": null}}),
        )
    })
    .await;
    let identity = world.reader().identity().await.unwrap();
    assert_eq!(identity.scope.api_url, format!("http://{}/v2", world.address));
    assert_eq!((identity.scope.user_id.as_str(), identity.scope.world.as_deref()), ("7", Some("w-1")));
    assert_eq!(identity.email, Email::lenient("agency@example.com"));
}

#[tokio::test]
async fn the_token_of_an_account_and_a_wrong_token_are_told_with_what_to_do() {
    let of_account = world(|_, _| json(200, value!({"data": {"user": null, "account": account(1)}}))).await;
    let error = of_account.reader().identity().await.unwrap_err();
    assert_eq!(error.kind, ApiErrorKind::AccountToken);
    insta::assert_snapshot!(error, @"GET /v2/whoami: this is the token of one account; make a user token, which sees every account of its user (request id req-0)");
    let wrong = world(|_, _| message(401, "Authentication failed")).await;
    insta::assert_snapshot!(wrong.reader().identity().await.unwrap_err(), @"GET /v2/whoami: 401 Authentication failed; the API does not accept the token: check it where it was given (request id req-0)");
    assert_eq!(wrong.lines().len(), 1, "a refusal is not tried again");
    let nobody = world(|_, _| json(200, value!({"data": {"user": null, "account": null}}))).await;
    assert!(matches!(nobody.reader().identity().await.unwrap_err().kind, ApiErrorKind::Unclear { .. }));
}

#[tokio::test]
async fn a_fleet_with_embedded_details_takes_a_request_a_hundred_accounts() {
    let world = world(|_, asked| match asked.line.as_str() {
        line if line.contains("/plans") => plans(value!(["bulk", "idempotency_keys", "from_the_future"])),
        line if line.contains("page=1&") => {
            let mut body = page(1..=100, 1, 102);
            body["data"][0]["subscription"] = value!({"id": 1, "plan_identifier": "teams-v2-monthly",
                "state": "subscribed", "seats": 3, "dunned": false, "pending_seats": 2,
                "trial_ends_at": "2017-01-10T17:31:51Z"});
            body["data"][0]["members"] = value!([
                {"id": 11, "user_id": 7, "email": "agency@example.com", "access": "full", "state": "active"},
                {"id": "i12", "user_id": null, "email": "Jane@Acme.example", "access": "limited", "state": "invited"},
            ]);
            body["data"][1]["subscription"] = Value::Null;
            json(200, body)
        }
        _ => json(200, page(101..=102, 2, 102)),
    })
    .await;
    let reader = world.reader();
    let offer = reader.offer().await.unwrap();
    assert_eq!((offer.account_management, offer.capabilities.to_string().as_str()), (true, "bulk, idempotency_keys"));
    let accounts = reader.accounts().await.unwrap();
    assert_eq!(accounts.len(), 102);
    assert!(accounts.iter().map(|account| account.id.as_str()).eq((1..=102).map(|id| id.to_string())));
    insta::assert_debug_snapshot!(accounts[0], @r"
    Account {
        id: AccountId(1),
        name: Some(
            AccountName(Client 1),
        ),
        email: Some(
            Email(c1@agency.example),
        ),
        plan: None,
        created_at: Some(
            2016-12-11T17:31:51Z,
        ),
        updated_at: Some(
            2016-12-11T17:31:51Z,
        ),
        subscription: Some(
            Some(
                Subscription {
                    plan: PlanId(teams-v2-monthly),
                    state: Subscribed,
                    seats: Some(
                        3,
                    ),
                    dunned: false,
                    trial_ends_at: Some(
                        2017-01-10T17:31:51Z,
                    ),
                    current_period_ends_at: None,
                    pending_plan: None,
                    pending_seats: Some(
                        2,
                    ),
                },
            ),
        ),
        members: Some(
            [
                Member {
                    id: MemberId(11),
                    email: Email(agency@example.com),
                    access: Full,
                    role: None,
                    state: Active,
                },
                Member {
                    id: MemberId(i12),
                    email: Email(Jane@Acme.example),
                    access: Limited,
                    role: None,
                    state: Invited,
                },
            ],
        ),
    }
    ");
    assert_eq!((&accounts[1].subscription, &accounts[2].subscription), (&Some(None), &None));
    assert_eq!(accounts[0].members.as_ref().unwrap()[1].state, MemberState::Invited);
    assert_eq!((reader.line().requests_sent(), world.lines().len()), (3, 3));
}

#[tokio::test]
async fn ids_are_sorted_as_numbers() {
    let world = world(|_, _| json(200, value!({"data": [{"id": "a"}, account(10), account(9), {"id": "100"}]}))).await;
    let accounts = world.reader().accounts().await.unwrap();
    let ids: Vec<_> = accounts.iter().map(|account| account.id.as_str()).collect();
    assert_eq!(ids, ["9", "10", "100", "a"]);
}

#[tokio::test]
async fn details_are_embedded_as_long_as_nobody_says_otherwise() {
    let include = "GET /v2/accounts?include=subscription%2Cmembers&page=1&per_page=100";
    let plain = "GET /v2/accounts?page=1&per_page=100";
    for (named, overrule, line) in [
        (value!(["bulk"]), None, include),
        (value!([]), None, plain),
        (Value::Null, None, plain),
        (value!([]), Some(Capability::Bulk), include),
        (value!(["bulk"]), Some(Capability::UpdatedAt), plain),
    ] {
        let world = world(move |_, asked| match asked.line.contains("/plans") {
            true => plans(named.clone()),
            false => json(200, value!({"data": []})),
        })
        .await;
        let reader =
            world.reader_with(|config| config.capabilities = overrule.map(|one| Capabilities::from_iter([one])));
        reader.offer().await.unwrap();
        reader.accounts().await.unwrap();
        assert_eq!(world.lines()[1], line, "{overrule:?}");
    }
}

#[tokio::test]
async fn a_server_without_plans_offers_no_account_management() {
    let world = world(|_, asked| match asked.line.contains("/accounts") {
        true => json(200, value!({"data": [account(1)]})),
        false => message(404, "Not found"),
    })
    .await;
    let reader = world.reader();
    let offer = reader.offer().await.unwrap();
    assert_eq!((offer.account_management, offer.plans.len(), offer.capabilities), (false, 0, Capabilities::default()));
    let id = AccountId::new("1");
    assert!(reader.account(&id).await.unwrap().is_some(), "found in the list, which is published");
    let error = reader.subscription(&id).await.unwrap_err();
    insta::assert_snapshot!(error, @"GET /v2/{account}/subscription: not sent: account management is not offered here");
    assert_eq!(world.lines()[1..], ["GET /v2/accounts?page=1&per_page=100"]);
}

#[tokio::test]
async fn a_gateways_404_page_is_no_word_on_what_is_offered_or_absent() {
    let world = world(|_, _| html(404)).await;
    let reader = world.reader_with(|config| config.read_retries = 0);
    assert!(matches!(reader.offer().await.unwrap_err().kind, ApiErrorKind::Unclear { status: Some(404), .. }));
    let id = AccountId::new("1");
    assert!(matches!(reader.account(&id).await.unwrap_err().kind, ApiErrorKind::Unclear { .. }));
    assert!(matches!(reader.subscription(&id).await.unwrap_err().kind, ApiErrorKind::Unclear { .. }));
}

#[tokio::test]
async fn the_vendors_hosts_are_neither_asked_for_plans_nor_written_to() {
    for host in ["https://api.dnsimple.com/v2", "https://api.sandbox.dnsimple.com/v2"] {
        let reader = reader_at(host, |_| {});
        let offer = reader.offer().await.unwrap();
        assert!(!offer.account_management && offer.plans.is_empty());
        let error = reader.writer().delete_subscription(&AccountId::new("1")).await.unwrap_err();
        assert!(matches!(error.kind, ApiErrorKind::NotSent { .. }), "{error}");
        assert!(error.to_string().contains("--account-management on"), "{error}");
        assert_eq!(reader.line().requests_sent(), 0);
    }
    let local = world(|_, _| plans(value!([]))).await;
    let reader = local.reader_with(|config| config.account_management = AccountManagement::On);
    assert!(reader.offer().await.unwrap().account_management);
}

#[tokio::test]
async fn what_was_offered_is_narrowed_and_never_widened() {
    let world = world(|before, _| match before {
        0 => plans(value!(["bulk", "updated_at"])),
        1 => plans(value!(["updated_at", "idempotency_keys"])),
        2 => message(404, "Not found"),
        _ => plans(value!(["bulk"])),
    })
    .await;
    let reader = world.reader();
    let mut told = Vec::new();
    for _ in 0..4 {
        let offer = reader.offer().await.unwrap();
        told.push((offer.account_management, offer.plans.len(), offer.capabilities.to_string()));
    }
    let told: Vec<_> = told.iter().map(|(managed, plans, all)| (*managed, *plans, all.as_str())).collect();
    assert_eq!(told, [(true, 1, "bulk, updated_at"), (true, 1, "updated_at"), (false, 0, ""), (false, 0, "")]);
}

#[tokio::test]
async fn absent_is_a_whole_404_and_another_account_is_no_answer() {
    let world = world(|_, asked| match asked.line.as_str() {
        line if line.contains("/accounts/404") => message(404, "Account `404` not found"),
        line if line.contains("/accounts/") => json(200, value!({"data": account(8)})),
        line if line.contains("/subscription") => message(404, "Not found"),
        _ => json(200, value!({"data": [{"id": 1, "email": null}, {"id": 2, "email": "a@b.example", "access": null}]})),
    })
    .await;
    let reader = world.reader_with(|config| config.read_retries = 0);
    assert_eq!(reader.account(&AccountId::new("404")).await.unwrap(), None);
    assert!(reader.account(&AccountId::new("8")).await.unwrap().is_some());
    insta::assert_snapshot!(reader.account(&AccountId::new("9")).await.unwrap_err(), @"GET /v2/accounts/{account}: 200: another account than the one asked for (request id req-2)");
    assert_eq!(reader.subscription(&AccountId::new("8")).await.unwrap(), None);
    let members = reader.members(&AccountId::new("8")).await.unwrap();
    assert_eq!(
        members.iter().map(|one| (one.email.as_str(), one.access)).collect::<Vec<_>>(),
        [("", Access::Full), ("a@b.example", Access::Full)]
    );
}

#[tokio::test]
async fn an_id_that_would_lead_elsewhere_is_never_sent() {
    let world = world(|_, _| json(200, value!({"data": []}))).await;
    let reader = world.reader();
    for id in ["..", "", "1/../2", "1?x=", "1#", "%2e%2e", "a b"] {
        let error = reader.members(&AccountId::new(id)).await.unwrap_err();
        assert!(matches!(error.kind, ApiErrorKind::NotSent { .. }), "{id}: {error}");
        let error = reader.writer().delete_subscription(&AccountId::new(id)).await.unwrap_err();
        assert!(matches!(error.kind, ApiErrorKind::NotSent { .. }), "{id}: {error}");
    }
    assert_eq!((world.lines().len(), reader.line().requests_sent()), (0, 0));
}

#[tokio::test]
async fn a_read_is_tried_again_twice_where_nothing_clear_came_back() {
    for failure in [html(502), message(500, "oops"), html(200), Reply::Bytes(Vec::new()), Reply::Reset] {
        let shown = format!("{failure:?}");
        let world = world(move |before, _| match before {
            0 | 1 => failure.clone(),
            _ => json(200, value!({"data": []})),
        })
        .await;
        let reader = world.reader();
        reader.accounts().await.unwrap();
        assert_eq!((world.lines().len(), reader.line().requests_sent()), (3, 3), "{shown}");
    }
    let broken = world(|_, _| html(502)).await;
    broken.reader().accounts().await.unwrap_err();
    assert_eq!(broken.lines().len(), 3, "and no oftener");
    for refusal in [400, 403, 404, 429] {
        let world = world(move |_, _| message(refusal, "no")).await;
        world.reader().accounts().await.unwrap_err();
        assert_eq!(world.lines().len(), 1, "{refusal}");
    }
}

#[tokio::test]
async fn a_list_whose_totals_move_is_read_once_more_from_the_start() {
    let moving = |moves: usize| {
        world(move |before, asked| {
            let total = if before < moves { 101 + before as u64 } else { 101 };
            match asked.line.contains("page=1&") {
                true => json(200, page(1..=100, 1, total)),
                false => json(200, page(101..=total, 2, total)),
            }
        })
    };
    let once = moving(2).await;
    assert_eq!(once.reader().accounts().await.unwrap().len(), 101);
    assert_eq!(once.lines().len(), 4);
    let always = moving(usize::MAX).await;
    let error = always.reader_with(|config| config.read_retries = 0).accounts().await.unwrap_err();
    insta::assert_snapshot!(error, @"GET /v2/accounts: 200: the list was read incompletely: its totals change from page to page (request id req-3)");
    assert_eq!(always.lines().len(), 4);
}

#[tokio::test]
async fn a_used_up_quota_stops_everything_without_sending() {
    let world = world(|_, _| {
        json_with(
            200,
            &[
                ("date", "Sun, 11 Dec 2016 17:31:51 GMT"),
                ("x-ratelimit-limit", "2400"),
                ("x-ratelimit-remaining", "0"),
                ("x-ratelimit-reset", "1481477571"),
            ],
            value!({"data": []}),
        )
    })
    .await;
    let reader = world.reader();
    assert_eq!(reader.line().quota(), None, "nothing was told yet");
    reader.accounts().await.unwrap();
    let Some(Quota { limit: 2400, remaining: 0, resets_in }) = reader.line().quota() else {
        panic!("{:?}", reader.line().quota())
    };
    assert!(resets_in <= Duration::from_secs(60) && resets_in > Duration::from_secs(50), "{resets_in:?}");
    let read = reader.accounts().await.unwrap_err();
    let written = reader.writer().delete_subscription(&AccountId::new("1")).await.unwrap_err();
    for error in [read, written] {
        assert!(matches!(error.kind, ApiErrorKind::Quota { resets_in, .. } if resets_in.as_secs() >= 50), "{error}");
    }
    assert_eq!((world.lines().len(), reader.line().requests_sent()), (1, 1));
}

#[tokio::test]
async fn a_429_holds_everything_for_a_minute_unless_it_says_how_long() {
    for (reset, seconds) in [(None, 60), (Some("1481477521"), 10), (Some("tomorrow"), 60), (Some("93312000000"), 3660)]
    {
        let world = world(move |_, _| {
            let mut headers = vec![("date", "Sun, 11 Dec 2016 17:31:51 GMT")];
            headers.extend(reset.map(|reset| ("x-ratelimit-reset", reset)));
            json_with(429, &headers, value!({"message": "quota exceeded"}))
        })
        .await;
        let reader = world.reader();
        let error = reader.accounts().await.unwrap_err();
        assert_eq!(
            error.kind,
            ApiErrorKind::Quota { resets_in: Duration::from_secs(seconds), sent: true },
            "{reset:?}"
        );
        assert!(matches!(reader.identity().await.unwrap_err().kind, ApiErrorKind::Quota { .. }));
        assert_eq!(world.lines().len(), 1);
    }
}

#[tokio::test]
async fn reads_share_a_connection() {
    let world = world(|_, _| json(200, value!({"data": []}))).await;
    let reader = world.reader();
    reader.accounts().await.unwrap();
    reader.accounts().await.unwrap();
    assert_eq!(world.connections(), 1);
    assert!(world.asked()[1].headers.contains(&format!("authorization: bearer {CANARY}")));
}
