//! `bursar doctor`, the real binary: against the sandbox, and against servers that are less
//! well.

use std::time::Duration;

use bursar::sandbox::{Dialect, Extension, Options};
use serde_json::json as value;

use crate::provider_world::{self as fake, Reply, html, json, json_with, message};
use crate::support::{Done, World, bursar, unlimited};

/// How a server answers whatever it is asked.
type Answer = fn() -> Reply;

/// Times, ports and worlds are never the same twice.
fn timeless(text: &str) -> String {
    let mut words = Vec::new();
    let mut lines = Vec::new();
    for line in text.lines() {
        words.clear();
        let mut before = "";
        for word in line.split(' ') {
            let shown = match (before, word) {
                ("in", word) if word.parse::<u64>().is_ok() => "N".to_owned(),
                ("world", _) => "WORLD:".to_owned(),
                (_, word) if word.contains("127.0.0.1:") => {
                    let (head, tail) = word.split_once("127.0.0.1:").unwrap();
                    format!("{head}127.0.0.1:PORT{}", tail.trim_start_matches(|c: char| c.is_ascii_digit()))
                }
                (_, word) => word.to_owned(),
            };
            before = word;
            words.push(shown);
        }
        lines.push(words.join(" "));
    }
    lines.join("\n")
}

/// The checks alone, without the table of services.
fn checks(done: &Done) -> String {
    timeless(done.stdout.split("\n\n").next().unwrap())
}

async fn doctor(server: &fake::World, args: &[&str]) -> Done {
    let mut command = bursar(&[&["doctor"], args].concat());
    command.env("BURSAR_API_URL", format!("http://{}/v2", server.address)).env("BURSAR_TOKEN", fake::CANARY);
    let done = tokio::task::spawn_blocking(move || Done::from(command.output().unwrap())).await.unwrap();
    assert!(!done.stdout.contains(fake::CANARY) && !done.stderr.contains(fake::CANARY));
    done
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_is_well_and_is_only_read() {
    let world = World::with(Options { rate_limit: 2400, ..unlimited() }).await;
    let done = world.run(&["doctor"]).await.expect(0);
    insta::assert_snapshot!(timeless(&done.stdout), @"
    ok    address       http://127.0.0.1:PORT/v2, on this very machine
    ok    reach         answered in N ms, connecting included
    ok    token         a user token, of agency@example.com
    ok    accounts      created, subscribed and joined over this API
    ok    capabilities  bulk, idempotency_keys, updated_at, limited_access, as the server says
    ok    plans         solo-v2-monthly (0.00 a month), teams-v2-monthly (29.00 a month, 29.00 a further seat); 5 more that are not newly chosen
    ok    paging        honoured; accounts in all: 0
    ok    quota         2396 of 2400 requests left, until the window opens again in N min; 480 are the daemon's reserve; a full pass over 0 accounts takes 1 request, 0.1% of what it leaves
    ok    clock         in step with the server's, within 30 s
    ok    sandbox       this is one, its world WORLD: no money is real
                        -> --probe makes two accounts there, to tell read lag and whether names are unique

    SERVICE               READS                                                                    WRITES                                                                            LAST SEEN WORKING
    DNSimple              what it publishes: accounts, names, notification emails, plans, charges  by hand, with the steps told; by itself where a server offers account management  never run live by the project
    Netlify               accounts, plans, members                                                 the whole flow but cancelling, by the published description                       never run live by the project
    the embedded sandbox  all of it                                                                all of it                                                                         in every run of the tests
    ");
    let ledger = world.ledger().await;
    assert_eq!((ledger.requests(), ledger.writes()), (4, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_tells_read_lag_and_whether_names_are_unique() {
    let world = World::with(unlimited()).await;
    let done = world.run(&["doctor", "--probe"]).await.expect(0);
    let shown = checks(&done);
    let name = shown.split('"').nth(1).unwrap().to_owned();
    let told: Vec<&str> = shown.lines().skip_while(|line| !line.contains("  sandbox ")).collect();
    insta::assert_snapshot!(told.join("\n").replace(&name, "NAME"), @r#"
    ok    sandbox       this is one, its world WORLD: no money is real
    ok    read lag      the list shows a new account at once
    ok    names         not unique: two accounts are called "NAME" now, and stay
    "#);
    assert_eq!(world.ledger().await.count("accounts_created"), 2);
    let lagging = World::with(Options { list_delay: Duration::from_secs(3), ..unlimited() }).await;
    let told = checks(&lagging.run(&["doctor", "--probe"]).await.expect(0));
    let told = told.lines().skip_while(|line| !line.contains("  read lag ")).take(2).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(told, @"
    warn  read lag      the list shows a new account after 3 s
                        -> give --settle at least that long, so that a list is not asked too early
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_with_ways_of_its_own_is_shown_as_it_is() {
    let world = World::with(Options { rate_limit: 500, dialect: Dialect::Netlify, ..unlimited() }).await;
    let done = world.run(&["doctor", "--provider", "netlify"]).await.expect(0);
    insta::assert_snapshot!(checks(&done), @"
    ok    address       http://127.0.0.1:PORT/api/v1, on this very machine
    ok    reach         answered in N ms, connecting included
    ok    token         a user token, of agency@example.com
    ok    accounts      created, subscribed and joined over this API
    ok    ways          an account is made with its plan, in one request; the notification email is set after the account is made; a subscription cannot be cancelled without closing the account; the billing period cannot be changed
    ok    roles         Owner (full), Developer (limited), Billing Admin (limited), Reviewer (limited)
    ok    capabilities  limited_access, invitations, as the server says
    ok    plans         free-monthly (0.00 a month), free-yearly (0.00 a year), pro-monthly (19.00 a month, 19.00 a further seat), pro-yearly (190.00 a year, 190.00 a further seat), business-monthly (99.00 a month, 25.00 a further seat), business-yearly (990.00 a year, 250.00 a further seat)
    ok    paging        one page: nothing says that there are others, so this one counts as the list; accounts: 0
    ok    quota         496 of 500 requests left, until the window opens again in N s; 100 are the daemon's reserve; a full pass over 0 accounts takes 1 request, 0.2% of what it leaves
    ok    clock         in step with the server's, within 30 s
    ok    sandbox       this is one, its world WORLD: no money is real
                        -> --probe makes two accounts there, to tell read lag and whether names are unique
    ");
    let ledger = world.ledger().await;
    assert_eq!(ledger.writes(), 0);
    let probed = checks(&world.run(&["doctor", "--provider", "netlify", "--probe"]).await.expect(0));
    assert!(probed.contains("the list shows a new account at once") && probed.contains("not unique"), "{probed}");
    assert_eq!(world.ledger().await.count("accounts_created"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_overrules_stands_beside_what_the_server_says() {
    let world = World::with(unlimited()).await;
    let told = |done: Done| {
        let shown = checks(&done);
        shown.lines().skip_while(|line| !line.contains("  capabilities ")).take(2).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(told(world.run(&["doctor", "--capabilities", "bulk,invitations"]).await.expect(0)), @"
    warn  capabilities  bulk, invitations, as the operator says; the server says bulk, idempotency_keys, updated_at, limited_access
                        -> leave out what the server does not name: invitations
    ");
    insta::assert_snapshot!(told(world.run(&["doctor", "--capabilities", "bulk"]).await.expect(0)), @"
    ok    capabilities  bulk, as the operator says; the server says bulk, idempotency_keys, updated_at, limited_access
    ok    plans         solo-v2-monthly (0.00 a month), teams-v2-monthly (29.00 a month, 29.00 a further seat); 5 more that are not newly chosen
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_as_published_is_told_as_it_is() {
    let server = fake::world(|_, asked| match asked.line.as_str() {
        "GET /v2/whoami" => json_with(
            200,
            &[
                ("date", "Sun, 11 Dec 2016 17:31:51 GMT"),
                ("x-ratelimit-limit", "2400"),
                ("x-ratelimit-remaining", "12"),
                ("x-ratelimit-reset", "1481477571"),
            ],
            value!({"data": {"user": {"id": 1, "email": "agency@example.com"}, "account": null}}),
        ),
        line if line.starts_with("GET /v2/accounts") => json(200, value!({"data": [{"id": 1}, {"id": 2}]})),
        _ => message(404, "Not found"),
    })
    .await;
    let done = doctor(&server, &[]).await.expect(0);
    let told = checks(&done);
    let apart = told.split("is ").find(|rest| rest.contains(" s ahead")).unwrap().split(' ').next().unwrap().to_owned();
    insta::assert_snapshot!(told.replace(&apart, "MANY"), @"
    ok    address   http://127.0.0.1:PORT/v2, on this very machine
    ok    reach     answered in N ms, connecting included
    ok    token     a user token, of agency@example.com
    warn  accounts  what is published is read; managing accounts is not offered here
                    -> `bursar plan` finds what is missing and tells the steps to do by hand
    ok    paging    one page: nothing says that there are others, so this one counts as the list; accounts: 2
    warn  quota     12 of 2400 requests left, until the window opens again in N s; 480 are the daemon's reserve; a full pass over 2 accounts takes 1 request, 0.1% of what it leaves
                    -> see who else uses tokens of this user; a large fleet will wait
    warn  clock     this machine's is MANY s ahead of the server's
                    -> set one of the clocks: histories and deadlines go by this machine's
    ");
    assert_eq!(
        server.lines(),
        ["GET /v2/whoami", "GET /v2/plans?page=1&per_page=100", "GET /v2/accounts?page=1&per_page=1"]
    );
    let refused = doctor(&server, &["--probe"]).await.expect(1);
    assert_eq!(refused.stdout, "");
    insta::assert_snapshot!(refused.stderr, @"
    Error: --probe makes two accounts, and this server is no sandbox; nothing was written
    Hint: leave --probe out, or try it with --sandbox
    ");
    assert!(server.lines().iter().all(|line| line.starts_with("GET ")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_as_published_is_not_probed() {
    let published = [Extension::AccountManagement].into();
    let world = World::with(Options { without: published, ..unlimited() }).await;
    let refused = world.run(&["doctor", "--probe"]).await.expect(1);
    assert_eq!(refused.stdout, "");
    insta::assert_snapshot!(refused.stderr, @"
    Error: --probe makes two accounts, and this server lets no program do so; nothing was written
    Hint: leave --probe out; `bursar plan` tells the steps that a person does
    ");
    assert_eq!(world.ledger().await.writes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_token_is_recognised_and_explained() {
    let account = value!({"id": 12, "name": "Acme\u{1b}[31m", "email": "dns@acme.example"});
    let server = fake::world(move |_, asked| match asked.line.as_str() {
        "GET /v2/whoami" => json(200, value!({"data": {"user": null, "account": account}})),
        line if line.starts_with("GET /v2/accounts") => json(200, value!({"data": [account]})),
        _ => message(404, "Not found"),
    })
    .await;
    let told = checks(&doctor(&server, &[]).await.expect(1));
    insta::assert_snapshot!(told, @r#"
    ok    address   http://127.0.0.1:PORT/v2, on this very machine
    ok    reach     answered in N ms, connecting included
    bad   token     an account token, of the account 12 ("Acme\u{1b}[31m"): it sees this account only
                    -> make a user token, which sees every account of its user: at the service, sign in, open User settings (https://dnsimple.com/user), Access tokens; an account's own settings make account tokens
    warn  accounts  what is published is read; managing accounts is not offered here
                    -> `bursar plan` finds what is missing and tells the steps to do by hand
    ok    paging    one page: nothing says that there are others, so this one counts as the list; accounts: 1
    ok    quota     the server tells of none
    ok    clock     the server does not tell its own
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_of_not_answering_says_what_to_do_next() {
    let mut told = Vec::new();
    let replies: [(&str, Answer); 4] = [
        ("a wrong token", || message(401, "Authentication failed")),
        ("a sign-in page", || html(200)),
        ("no quota", || message(429, "quota exceeded")),
        ("a broken line", || Reply::Reset),
    ];
    for (what, reply) in replies {
        let server = fake::world(move |_, _| reply()).await;
        told.push(format!("{what}:\n{}", checks(&doctor(&server, &[]).await.expect(1))));
    }
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = bursar(&["doctor"]);
    command.env("BURSAR_API_URL", format!("http://{nobody}/v2")).env("BURSAR_TOKEN", fake::CANARY);
    told.push(format!("nobody:\n{}", checks(&Done::from(command.output().unwrap()).expect(1))));
    insta::assert_snapshot!(told.join("\n\n"), @"
    a wrong token:
    ok    address  http://127.0.0.1:PORT/v2, on this very machine
    bad   token    GET /v2/whoami: 401 Authentication failed; the API does not accept the token: check it where it was given (request id req-0)
                   -> give a user token that is valid: BURSAR_TOKEN, or --token-file FILE

    a sign-in page:
    ok    address  http://127.0.0.1:PORT/v2, on this very machine
    bad   reach    GET /v2/whoami: 200: an HTML page in place of the API's answer (request id req-2)
                   -> something else than the API may be answering (a proxy, a sign-in page): see what is at the address

    no quota:
    ok    address  http://127.0.0.1:PORT/v2, on this very machine
    bad   reach    GET /v2/whoami: 429 the quota is used up; it opens again in N s (request id req-0)
                   -> wait until the quota opens again

    a broken line:
    ok    address  http://127.0.0.1:PORT/v2, on this very machine
    bad   reach    GET /v2/whoami: no answer: the connection broke: Connection reset by peer (os error 104)
                   -> something else than the API may be answering (a proxy, a sign-in page): see what is at the address

    nobody:
    ok    address  http://127.0.0.1:PORT/v2, on this very machine
    bad   reach    GET /v2/whoami: not sent: cannot connect: Connection refused (os error 111)
                   -> see that the address is right and can be reached from here
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_another_size_are_told() {
    let server = fake::world(|_, asked| match asked.line.as_str() {
        "GET /v2/whoami" => json(200, value!({"data": {"user": {"id": 1, "email": "a@b.example"}, "account": null}})),
        line if line.starts_with("GET /v2/accounts") => json(
            200,
            value!({"data": [{"id": 1}, {"id": 2}],
                    "pagination": {"current_page": 1, "per_page": 30, "total_entries": 2, "total_pages": 1}}),
        ),
        _ => message(404, "Not found"),
    })
    .await;
    let told = checks(&doctor(&server, &[]).await.expect(0));
    let told: Vec<&str> = told.lines().skip_while(|line| !line.contains("  paging ")).take(2).collect();
    insta::assert_snapshot!(told.join("\n"), @"
    warn  paging    asked for 1 account a page, it says 30 and sends 2
                    -> lists are read by its own word, and one that does not add up is an error, never a shorter list
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn its_json_fits_the_schema() {
    let world = World::with(unlimited()).await;
    let json = world.run(&["doctor", "-o", "json", "--probe"]).await.expect(0).json();
    let schema = bursar::doctor::json_schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let faults: Vec<String> = validator.iter_errors(&json).map(|error| error.to_string()).collect();
    assert_eq!(faults, Vec::<String>::new());
    assert_eq!((&json["format_version"], &json["health"]), (&value!("1.0"), &value!("ok")));
    let whats: Vec<&str> = json["checks"].as_array().unwrap().iter().map(|one| one["what"].as_str().unwrap()).collect();
    assert_eq!(
        whats,
        [
            "address",
            "reach",
            "token",
            "management",
            "capabilities",
            "plans",
            "paging",
            "quota",
            "clock",
            "sandbox",
            "read_lag",
            "names"
        ]
    );
}
