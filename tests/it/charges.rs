//! `bursar charges`, the real binary: what was charged beside the list prices, over the
//! sandbox and over a server that charges in every way.

use serde_json::{Value, json as value};

use crate::provider_world::{self as fake, json, message};
use crate::support::{Done, World, bursar};

/// Accounts are asked side by side, so the ids of requests have no order.
fn timeless(text: &str) -> String {
    let mut parts = text.split("req-");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |all, part| all + "req-N" + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}

async fn charges(server: &fake::World, folder: &tempfile::TempDir, args: &[&str]) -> Done {
    let mut command = bursar(&[&["charges"], args].concat());
    command.env("BURSAR_API_URL", format!("http://{}/v2", server.address)).env("BURSAR_TOKEN", fake::CANARY);
    command.current_dir(folder.path());
    tokio::task::spawn_blocking(move || Done::from(command.output().unwrap())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sums_are_those_of_the_sandboxs_ledger() {
    let world = World::new(&["jane@acme.example"]).await;
    world.client("acme", &["jane@acme.example"]);
    world.run(&["apply", "--yes"]).await.expect(0);
    let hand = value!({"name": "By Hand", "email": "hand@agency.example", "plan": "teams-v2-monthly", "seats": 2});
    world.post("/sandbox/accounts", hand).await;
    let writes = world.ledger().await.writes();
    // Past the trial and two renewals.
    world.post("/sandbox/clock", value!({"advance_seconds": 95 * 86_400})).await;
    let today = jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::now()).date();
    let last = today.saturating_add(jiff::Span::new().days(120)).to_string();
    let days = ["--since", &today.to_string(), "--until", &last];
    let json = world.run(&[&["charges", "-o", "json"], &days[..]].concat()).await.expect(0).json();
    let ledger = world.ledger().await;
    let taken: f64 = ledger.0["charges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|charge| charge["amount"].as_str().unwrap().parse::<f64>().unwrap())
        .sum();
    assert!(taken > 100.0, "{taken}");
    assert_eq!(json["sums"]["charged"], value!(format!("{taken:.2}")));
    let told: Vec<(&Value, &Value)> =
        json["accounts"].as_array().unwrap().iter().map(|row| (&row["account_name"], &row["name"])).collect();
    assert_eq!(told, [(&value!("Client acme"), &value!("acme")), (&value!("By Hand"), &Value::Null)]);
    let validator = jsonschema::validator_for(&bursar::charges::json_schema()).unwrap();
    assert!(validator.is_valid(&json), "{json:#}");
    assert_eq!(ledger.writes(), writes, "nothing but GET");
}

fn account(id: u64, plan: Value) -> Value {
    value!({"id": id, "name": format!("Client {id}"), "email": format!("dns+{id}@agency.example"),
            "plan_identifier": plan, "created_at": "2020-01-01T00:00:00Z"})
}

fn subscription(plan: &str, seats: u32, trial: Value) -> Value {
    value!({"data": {"id": 1, "plan_identifier": plan, "state": "subscribed", "seats": seats, "trial_ends_at": trial}})
}

fn charge(amount: &str, of_balance: &str, state: &str, what: &str) -> Value {
    value!({"invoiced_at": "2026-10-05T09:00:00Z", "total_amount": amount, "balance_amount": of_balance,
            "reference": format!("{what}-1"), "state": state,
            "items": [{"description": what, "amount": amount, "product_id": 1, "product_type": "subscription",
                       "product_reference": "x"}]})
}

fn listed(all: &[Value]) -> Value {
    let entries = all.len();
    value!({"data": all, "pagination": {"current_page": 1, "per_page": 100, "total_entries": entries,
            "total_pages": 1}})
}

fn plans() -> Value {
    let plan = |id: &str, period: &str, base: Value| {
        value!({"identifier": id, "name": id, "family": id, "billing_period": period, "base_price": base,
                "included_seats": 1, "seat_price": base, "max_members": null, "multi_member": true, "available": true})
    };
    value!({"data": [plan("teams", "monthly", value!("29.00")), plan("yearly", "yearly", value!("300.00")),
                     plan("enterprise", "monthly", Value::Null)], "capabilities": []})
}

#[tokio::test(flavor = "multi_thread")]
async fn each_difference_says_what_explains_it() {
    let server = fake::world(|_, asked| {
        let path = asked.line.strip_prefix("GET /v2/").unwrap().split('?').next().unwrap();
        match path {
            "whoami" => json(200, value!({"data": {"user": {"id": 1, "email": "a@b.example"}, "account": null}})),
            "plans" => json(200, plans()),
            "accounts" => {
                let plans = ["teams", "teams", "teams", "yearly", "enterprise", "teams", "teams"];
                let all = plans.iter().zip(1..).map(|(plan, id)| account(id, value!(plan)));
                json(200, value!({"data": all.chain([account(8, Value::Null)]).collect::<Vec<_>>()}))
            }
            "2/subscription" => json(200, subscription("teams", 1, value!("2026-11-10T00:00:00Z"))),
            "4/subscription" => json(200, subscription("yearly", 1, Value::Null)),
            "5/subscription" => json(200, subscription("enterprise", 9, Value::Null)),
            "8/subscription" => message(404, "Not found"),
            path if path.ends_with("/subscription") => json(200, subscription("teams", 2, Value::Null)),
            path if path.ends_with("/members") => json(200, value!({"data": []})),
            "1/billing/charges" => json(200, listed(&[charge("58.00", "0.00", "collected", "teams, 2 seats")])),
            "3/billing/charges" => json(
                200,
                listed(&[charge("29.00", "9.00", "collected", "teams"), charge("29.00", "0.00", "refunded", "a seat")]),
            ),
            "5/billing/charges" => json(200, listed(&[charge("500.00", "0.00", "collected", "as \u{1b}[1magreed")])),
            "6/billing/charges" => message(403, "Full access to the account is required"),
            path if path.ends_with("/billing/charges") => json(200, listed(&[])),
            _ => message(404, "Not found"),
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("one.yaml"),
        crate::support::manifest("one", &[]).replace("Client one", "Client 1"),
    )
    .unwrap();
    let days = ["--since", "2026-10-01", "--until", "2026-10-31"];
    let done = charges(&server, &folder, &days).await.expect(1);
    insta::assert_snapshot!(timeless(&done.stdout), @r"
    From 2026-10-01 to 2026-10-31, in US dollars.

    ACCOUNT  NAME          CLIENT       CHARGED   LIST PRICE  DIFFERENCE  WHAT EXPLAINS IT
    1        Client 1      one          58.00     58.00       0.00
    2        Client 2      (unmanaged)  0.00      29.00       -29.00      trial until 2026-11-10
    3        Client 3      (unmanaged)  29.00     58.00       -29.00      29.00 refunded
                                                                          9.00 of it from the balance
                                                                          29.00 on 2026-10-05: teams
                                                                          29.00 on 2026-10-05, refunded: a seat
    4        Client 4      (unmanaged)  0.00      25.00       -25.00      charged by the year
    5        Client 5      (unmanaged)  500.00    not known               enterprise has a custom price, or its seats cannot be read
                                                                          500.00 on 2026-10-05: as \u{1b}[1magreed
    6        Client 6      (unmanaged)  not read  58.00                   GET /v2/{account}/billing/charges: 403 Full access to the account is required (request id req-N)
    7        Client 7      (unmanaged)  0.00      58.00       -58.00      nothing that can be read explains it: plan or seats may have been others
    8        Client 8      (unmanaged)  0.00      0.00        0.00
             all of these               587.00    286.00      -141.00

    Not in the sums: the charges of 1 that could not be read.
    Not in the sums: the list price of 1 where it is not known.
    The list price is that of the plan and seats of today, by the day; what they were before, custom prices, discounts and taxes are not told. A period is charged whole, in advance.
    ");
    let october = "start_date=2026-10-01&end_date=2026-10-31&page=1&per_page=100";
    assert!(server.lines().contains(&format!("GET /v2/1/billing/charges?{october}")), "{:#?}", server.lines());
    let json = charges(&server, &folder, &[&["-o", "json"], &days[..]].concat()).await.expect(1).json();
    assert!(jsonschema::validator_for(&bursar::charges::json_schema()).unwrap().is_valid(&json), "{json:#}");
    insta::assert_snapshot!(format!("{:#}", json["sums"]), @r#"
    {
      "charged": "587.00",
      "list_price": "286.00",
      "difference": "-141.00",
      "unread": 1,
      "unpriced": 1
    }
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_only_the_published_part_is_served_the_charges_stand_alone() {
    let server = fake::world(|_, asked| {
        let path = asked.line.strip_prefix("GET /v2/").unwrap().split('?').next().unwrap();
        match path {
            "whoami" => json(200, value!({"data": {"user": {"id": 1, "email": "a@b.example"}, "account": null}})),
            "accounts" => {
                json(200, value!({"data": [account(1, value!("teams-v2-monthly")), account(2, Value::Null)]}))
            }
            "1/billing/charges" => json(200, listed(&[charge("58.00", "0.00", "collected", "teams, 2 seats")])),
            "2/billing/charges" => json(200, value!({"data": [{"reference": "r", "total_amount": null}]})),
            _ => message(404, "Not found"),
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let done = charges(&server, &folder, &["--since", "2026-10-01"]).await.expect(1);
    insta::assert_snapshot!(timeless(&done.stdout), @"
    From 2026-10-01 to 2026-10-31, in US dollars.

    ACCOUNT  NAME          CLIENT       CHARGED   LIST PRICE  DIFFERENCE  WHAT EXPLAINS IT
    1        Client 1      (unmanaged)  58.00     not known               the server lists no price of teams-v2-monthly
                                                                          58.00 on 2026-10-05: teams, 2 seats
    2        Client 2      (unmanaged)  not read  0.00                    GET /v2/{account}/billing/charges: 200: not the JSON that was expected: a charge has an amount at line 1 column 46 (request id req-N)
             all of these               58.00     0.00        0.00

    Not in the sums: the charges of 1 that could not be read.
    Not in the sums: the list price of 1 where it is not known.
    The list price is that of the plan and seats of today, by the day; what they were before, custom prices, discounts and taxes are not told. A period is charged whole, in advance.
    ");
}

#[test]
fn a_period_that_ends_before_it_begins_is_refused() {
    let done = Done::from(bursar(&["charges", "--since", "2026-10-02", "--until", "2026-10-01"]).output().unwrap());
    insta::assert_snapshot!(done.expect(1).stderr, @"Error: --since 2026-10-02 is after --until 2026-10-01");
}
