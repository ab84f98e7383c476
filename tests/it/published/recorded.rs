//! The recorded run of docs/dnsimple.md: the sandbox as DNSimple is today, a person at its
//! page who does what is printed, and the real binary that sees it done.

use std::time::Duration;

use bursar::sandbox::{Extension, MemberMode, Options};
use serde_json::{Value, json};

use crate::support::{Done, Running, World};

const DOCUMENT: &str = include_str!("../../../docs/dnsimple.md");
const SECRET: &str = "0123456789abcdef0123456789abcdef";
const SOON: Duration = Duration::from_secs(20);

const ACME: &str = "\
apiVersion: bursar.dev/v1
kind: ClientAccount
metadata: { name: acme }
spec:
  accountName: Acme Corporation
  notificationEmail: dns+acme@agency.example
  plan: teams
  members:
    - jane@acme.example
    - { email: joe@acme.example, access: limited }
";

/// Times, ports and worlds are never the same twice.
fn timeless(text: &str) -> String {
    let is_date = |word: &str| word.len() >= 10 && word[..10].parse::<jiff::civil::Date>().is_ok();
    let line = |line: &str| {
        let mut before = "";
        let words = line.split(' ').map(|word| {
            let shown = match (before, word) {
                ("in", word) if word.parse::<u64>().is_ok() => "N".to_owned(),
                ("world", _) => "WORLD:".to_owned(),
                (_, word) if word.is_ascii() && is_date(word.trim_start_matches('(')) => {
                    let date = &word.trim_start_matches('(')[..10];
                    let (head, tail) = word.split_once(date).unwrap();
                    format!("{head}DAY{}", if tail.starts_with('T') { "" } else { tail })
                }
                (_, word) => match word.split_once("127.0.0.1:") {
                    Some((head, tail)) => {
                        format!("{head}127.0.0.1:PORT{}", tail.trim_start_matches(|c: char| c.is_ascii_digit()))
                    }
                    None => word.to_owned(),
                },
            };
            before = word;
            shown
        });
        words.collect::<Vec<_>>().join(" ")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// The fenced blocks of one language in the document's part with this heading.
fn fences(heading: &str, language: &str) -> Vec<String> {
    let part = DOCUMENT.split(&format!("\n## {heading}\n")).nth(1).unwrap().split("\n## ").next().unwrap();
    let opening = format!("```{language}\n");
    part.split(&opening).skip(1).map(|rest| rest.split("```").next().unwrap().trim_end().to_owned()).collect()
}

/// Whether a shortened text tells of nothing that is not there: `...` stands for any lines.
fn is_shortened(shown: &str, whole: &str) -> bool {
    let parts: Vec<&str> = shown.split("\n...").collect();
    let mut rest = whole;
    for (index, part) in parts.iter().enumerate() {
        let Some(at) = rest.find(part) else { return false };
        if index == 0 && at > 0 {
            return false;
        }
        rest = &rest[at + part.len()..];
    }
    rest.is_empty() || shown.ends_with("\n...")
}

/// Who keeps the agency's accounts, with a shell and a browser.
struct Person {
    world: World,
    /// What their shell has shown.
    shell: String,
}

impl Person {
    async fn new() -> Self {
        let published = [Extension::AccountManagement].into();
        let options = Options { without: published, member_mode: MemberMode::Invite, ..Options::default() };
        Self { world: World::with(options).await, shell: String::new() }
    }

    /// Types a command; what it says goes to their screen.
    async fn types(&mut self, args: &[&str]) -> Done {
        let mut command = self.world.command(args);
        command.env("USER", "kim");
        let done = tokio::task::spawn_blocking(move || Done::from(command.output().unwrap())).await.unwrap().expect(0);
        self.shell += &format!("$ bursar {}\n{}{}\n", args.join(" "), done.stdout, done.stderr);
        done
    }

    async fn page(&self) -> String {
        self.world.http.get(self.world.sandbox.url()).send().await.unwrap().text().await.unwrap()
    }

    /// Fills a form of the page that is there for everybody to see, and sends it.
    async fn fills(&self, form: &str, values: &[(&str, &str)]) {
        let page = self.page().await;
        let opening = format!("action=\"{form}\"");
        let shown = page.split(&opening).nth(1).unwrap_or_else(|| panic!("no form {form}")).split("</form>").next();
        for (name, _) in values {
            assert!(shown.unwrap().contains(&format!("name=\"{name}\"")), "{form} asks for no {name}");
        }
        let body = form_urlencoded(values);
        let request = self.world.http.post(format!("{}{form}", self.world.sandbox.url())).body(body);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let after = request.send().await.unwrap().text().await.unwrap();
        assert!(!after.contains("Not done."), "{form}: {after}");
    }

    /// Accepts the only invitation that is open.
    async fn accepts(&self) {
        let page = self.page().await;
        let open: Vec<&str> = page.split("action=\"/page/invitations/").skip(1).collect();
        let [open] = &open[..] else { panic!("{} invitations are open", open.len()) };
        self.fills(&format!("/page/invitations/{}", open.split('"').next().unwrap()), &[]).await;
    }
}

fn form_urlencoded(values: &[(&str, &str)]) -> String {
    let escaped = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    values.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect::<Vec<_>>().join("&")
}

/// The steps of a plan: what each says, and what is to be typed.
fn steps(plan: &Value) -> Vec<(String, Vec<String>)> {
    let actions = plan["accounts"].as_array().unwrap().iter().flat_map(|one| one["actions"].as_array().unwrap());
    let steps = actions.flat_map(|action| action["steps"].as_array().unwrap()).map(|step| step.as_str().unwrap());
    steps
        .map(|step| {
            let mut lines = step.lines().map(str::to_owned);
            (lines.next().unwrap(), lines.collect())
        })
        .collect()
}

/// What the document tells of the run is how it went.
#[track_caller]
fn the_document_shows(shell: &str, log: &str) {
    assert_eq!(fences("A recorded run", "yaml"), [ACME.trim_end()]);
    let shown = fences("A recorded run", "console").iter().map(|text| timeless(text)).collect::<Vec<_>>().join("\n\n");
    assert!(is_shortened(&shown, shell.trim_end()), "not what was said:\n{shown}\n\nit is:\n{shell}");
    for line in fences("A recorded run", "text").iter().flat_map(|text| text.lines()).map(timeless) {
        assert!(log.contains(&line), "not in the log: {line}\n{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_does_what_is_printed_and_each_look_sees_it_until_all_is_in_sync() {
    let mut kim = Person::new().await;
    kim.fills("/page/new-account", &[("name", "Harbour Yoga"), ("email", "dns+harbour@agency.example")]).await;
    kim.fills("/page/accounts/1/plan", &[("plan", "teams-v2-monthly"), ("seats", "1")]).await;

    // The first minute.
    kim.types(&["doctor"]).await;
    let exported = kim.types(&["export"]).await.stdout;
    kim.world.write("clients/existing.yaml", &exported);
    kim.world.write("clients/acme.yaml", ACME);
    kim.types(&["plan", "clients"]).await;
    let printed = steps(&kim.world.run(&["plan", "clients", "-o", "json"]).await.expect(0).json());
    assert_eq!(printed.len(), 5);

    let secret = kim.world.path().join("hook.secret");
    kim.world.write("hook.secret", SECRET);
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let listening = ["run", "clients", "--listen", "127.0.0.1:0", "--hook-secret-file", "hook.secret"];
    let mut daemon = Running::start(kim.world.command(&listening));
    daemon.wait_for("1 manual", SOON);

    // Steps 1 and 2: the account. The next look sees it.
    let (_, typed) = &printed[1];
    kim.fills("/page/new-account", &[("name", &typed[0]), ("email", &typed[1])]).await;
    kim.types(&["plan", "clients"]).await;

    // Step 3: the plan, with the seats that it says.
    let (says, typed) = &printed[2];
    let seats = says.split("with ").nth(1).unwrap().split(' ').next().unwrap();
    let plan = format!("{}-v2-monthly", typed[0]);
    kim.fills("/page/accounts/2/plan", &[("plan", &plan), ("seats", seats)]).await;
    kim.types(&["plan", "clients"]).await;
    daemon.signal("-HUP");
    daemon.wait_for("its members cannot be read over this API", SOON);

    // Step 5 and a word on it: nothing tells of joe.
    let members = "/page/accounts/2/members";
    let [(_, jane), (says, joe)] = &printed[3..] else { panic!("{printed:?}") };
    assert!(says.ends_with("with limited access:"));
    kim.fills(members, &[("email", &joe[0]), ("access", "limited")]).await;
    kim.accepts().await;
    kim.types(&["ack", "acme", "joe@acme.example", "--access", "limited"]).await;

    // Step 4: of jane the service tells itself.
    let log = daemon.log();
    let address = log.split("received at ").nth(1).unwrap().split("SECRET").next().unwrap();
    let register = kim.world.http.post(format!("{}/2/webhooks", kim.world.sandbox.api_url()));
    let register = register.bearer_auth(kim.world.sandbox.token()).json(&json!({"url": format!("{address}{SECRET}")}));
    assert_eq!(register.send().await.unwrap().status(), 201);
    kim.fills(members, &[("email", &jane[0]), ("access", "full")]).await;
    daemon.wait_for(&format!("a webhook told of {}", bursar::domain::mask("jane@acme.example")), SOON);
    kim.types(&["plan", "clients"]).await;
    kim.accepts().await;
    daemon.wait_for("event=account.user_invitation_accept", SOON);
    daemon.signal("-HUP");
    daemon.wait_for("acme: in sync", SOON);
    kim.types(&["plan", "clients"]).await;
    let (_, code, log) = daemon.stop();
    assert_eq!(code, 0, "{log}");

    let shell = timeless(&kim.shell);
    insta::assert_snapshot!(shell, @r#"
    $ bursar doctor
    ok    address   http://127.0.0.1:PORT/v2, on this very machine
    ok    reach     answered in N ms, connecting included
    ok    token     a user token, of agency@example.com
    warn  accounts  what is published is read; managing accounts is not offered here
                    -> `bursar plan` finds what is missing and tells the steps to do by hand
    ok    paging    one page: nothing says that there are others, so this one counts as the list; accounts: 1
    ok    quota     2397 of 2400 requests left, until the window opens again in N min; 480 are the daemon's reserve; a full pass over 1 account takes 1 request, 0.1% of what it leaves
    ok    clock     in step with the server's, within 30 s
    ok    sandbox   this is one, its world WORLD: no money is real
                    -> what a plan gives a person to do is done on the sandbox's own page here

    SERVICE               READS                                                                    WRITES                                                                            LAST SEEN WORKING
    DNSimple              what it publishes: accounts, names, notification emails, plans, charges  by hand, with the steps told; by itself where a server offers account management  never run live by the project
    Netlify               accounts, plans, members                                                 the whole flow but cancelling, by the published description                       never run live by the project
    the embedded sandbox  all of it                                                                all of it                                                                         in every run of the tests

    $ bursar export
    apiVersion: bursar.dev/v1
    kind: ClientAccount
    metadata:
      name: harbour-yoga
    spec:
      accountId: "1"
      accountName: Harbour Yoga
      notificationEmail: dns+harbour@agency.example
      plan: teams-v2-monthly
      # members cannot be read here: list them by hand
    1 account written. Check with `bursar plan`: it shows no change.

    $ bursar plan clients
    acme (new)  acme.yaml:1
      * create the account "Acme Corporation", notified at dns+acme@agency.example, by hand
        1. In your user settings, https://dnsimple.com/user, add a new account.
        2. Type its name and its notification email:
           Acme Corporation
           dns+acme@agency.example
      * subscribe to teams, by hand
        3. In the new account's settings, under billing and plans, subscribe to this plan, with 3 seats, for you and everybody wanted:
           teams
      * add jane@acme.example with full access, by hand
        4. In the new account's settings, under members and seats, invite, with full access:
           jane@acme.example
      * add joe@acme.example with limited access, by hand
        5. In the new account's settings, under members and seats, invite, with limited access:
           joe@acme.example

    What bears * is done by hand: this service offers it to no program. The next look sees by itself that accounts and plans are done; of members it is told: bursar ack CLIENT.
    The links lead to DNSimple's own site, and this API is on this machine: where it is the sandbox, its page http://127.0.0.1:PORT/ stands for that site.
    Nothing planned; 4 by hand; 1 client is in sync.

    $ bursar plan clients
    acme (account 2)  acme.yaml:1
      ! its members cannot be read over this API, so whether these are members is not known: jane@acme.example, joe@acme.example; look at https://dnsimple.com/a/2/account/members, set right there what differs, then tell: bursar ack acme
      * subscribe to teams, by hand
        1. In the account's billing and plans, https://dnsimple.com/a/2/account/billing, subscribe to this plan, with 3 seats, for you and everybody wanted:
           teams

    What bears * is done by hand: this service offers it to no program. The next look sees by itself that accounts and plans are done; of members it is told: bursar ack CLIENT.
    The links lead to DNSimple's own site, and this API is on this machine: where it is the sandbox, its page http://127.0.0.1:PORT/ stands for that site.
    Nothing planned; 1 by hand; 1 client is in sync.

    $ bursar plan clients
    acme (account 2)  acme.yaml:1
      ! its members cannot be read over this API, so whether these are members is not known: jane@acme.example, joe@acme.example; look at https://dnsimple.com/a/2/account/members, set right there what differs, then tell: bursar ack acme

    The links lead to DNSimple's own site, and this API is on this machine: where it is the sandbox, its page http://127.0.0.1:PORT/ stands for that site.
    Nothing planned; 1 unknown; 1 client is in sync.

    $ bursar ack acme joe@acme.example --access limited
    acme (account 2), for 90 days:
      joe@acme.example is a member with limited access
    The next pass is `bursar apply`, or a running daemon's next look (`--interval`; at once on SIGHUP).

    $ bursar plan clients
    acme (account 2)  acme.yaml:1
      … add jane@acme.example with full access: jane@acme.example has been invited and has not accepted yet (a webhook told on DAY) (AwaitingAcceptance)

    On somebody's word, for 90 days
      acme: jane@acme.example is invited (a webhook told on DAY), joe@acme.example is a member with limited access (kim said so on DAY)

    Nothing planned; 1 waiting; 1 client is in sync.

    $ bursar plan clients
    On somebody's word, for 90 days
      acme: jane@acme.example is a member (a webhook told on DAY), joe@acme.example is a member with limited access (kim said so on DAY)

    Nothing to do; 2 clients are in sync.
    "#);
    the_document_shows(&shell, &timeless(&log));
    // It is as bursar was told, and the one write was not bursar's.
    let page = kim.page().await;
    for (email, access) in [("jane@acme.example", ">full<"), ("joe@acme.example", ">limited<")] {
        let row = page.split(&format!("<td>{email}")).nth(1).unwrap().split("</tr>").next().unwrap();
        assert!(row.contains(access) && row.contains("active"), "{row}");
    }
    let ledger = kim.world.ledger().await;
    assert_eq!((ledger.writes(), ledger.call("POST /v2/{account}/webhooks")), (1, 1), "{:#}", ledger.0);
}
