//! The plan as a comment on a pull request.

use bursar::domain::{AccountName, ClientName, mask};
use bursar::manifest::{Membership, WantedPlan};
use bursar::plan::render::markdown;

use super::world::{World, client, member};

const JANE: &str = "jane@acme.example";
const LEE: &str = "lee@old.example";

/// Some clients to make, and one that somebody leaves.
fn pull_request(new: usize) -> World {
    let mut clients = vec![client("acme", &[JANE])];
    clients[0].membership = Membership::Exclusive;
    World::in_agreement(clients).with(|w| {
        w.members(0).push(member(LEE));
        w.subscription(0).seats = Some(3);
        w.policy.allow_removals = true;
        (w.policy.max_creates, w.policy.max_subscriptions, w.policy.max_monthly_increase) = (None, None, None);
        let new = (0..new).map(|n| client(&format!("new{n}"), &[&format!("user{n}@new.example")]));
        w.wanted.clients.extend(new);
    })
}

#[test]
fn what_a_reviewer_decides_stands_first() {
    insta::assert_snapshot!(markdown(&pull_request(1).plan(), false), @r#"
    <!-- bursar plan -->
    ### bursar plan

    Plan: 1 to create, 1 to subscribe, 1 to remove, 1 to add; 4 requests.

    Digest ` sha256:1139775affc6e51be92c77a9fcac6afbc6702b9ff7a862823f824dd09687a7dc `

    | | |
    | --- | --- |
    | List price a month, USD | 87.00 now, 145.00 after, **+58.00** |
    | People who get full access | 1 |
    | Removals and cancellations | 1 |

    **Removed or cancelled**

    ```text
    acme: remove lee@old.example (full access)
    ```

    **People who get full access**

    ```text
    user0@new.example: new0
    ```

    ` acme (account 1)  clients/acme.yaml:1 `

    ```diff
    - remove lee@old.example (full access)
    ```

    ` new0 (new)  clients/new0.yaml:1  +58.00 a month `

    ```diff
    + create the account "New0", notified at dns+new0@agency.example
    + subscribe to teams-v2-monthly with 1 seat
    + add user0@new.example with full access; once signed up, then also a seat at 29.00 a month
    ```

    **Drift**

    ```text
    acme (1): lee@old.example is a member with full access, and no manifest lists them
    acme (1): 1 spare seat, 29.00 a month; --trim-seats cuts them at renewal
    ```
    "#);
}

#[test]
fn the_one_removal_among_five_hundred_changes_is_on_the_first_screen() {
    let comment = markdown(&pull_request(170).plan(), false);
    let screen: Vec<&str> = comment.lines().take(25).collect();
    assert!(screen.iter().any(|line| line.contains("remove lee@old.example")), "{}", screen.join("\n"));
}

#[test]
fn a_comment_never_holds_more_than_it_may_and_counts_what_is_missing() {
    for clients in [100, 500, 3000] {
        let plan = pull_request(clients).plan();
        let comment = markdown(&plan, true);
        assert!(comment.chars().count() < 65_536 && comment.len() < 65_536, "{}", comment.len());
        let shown = comment.matches("\n+ create the account").count();
        let missing = format!("**{} more clients", clients - shown);
        assert_eq!(comment.contains(&missing), shown < clients, "{shown} of {clients}");
        assert!(comment.contains(&plan.digest), "the end is there");
        assert_eq!(comment.matches("```").count() % 2, 0, "no code is left open");
    }
}

#[test]
fn nothing_that_a_manifest_or_a_server_says_leaves_its_code() {
    let hostile = "````\n</details><img src=x onerror=alert(1)> @everyone [x](javascript:y) ```` | ~~~";
    let world = pull_request(1).with(|w| {
        w.wanted.clients[1].account_name = AccountName::new(hostile);
        w.wanted.clients[1].plan = WantedPlan::Choice(hostile.to_owned());
        w.account(0).account.name = Some(AccountName::new("```` @org/team <b>"));
        w.wanted.clients[0].previous_names.push(AccountName::new("```` @org/team <b>"));
        w.wanted.clients[0].name = ClientName::parse("acme").unwrap();
        w.members(0).push(member("x````@evil.example"));
    });
    let comment = markdown(&world.plan(), false);
    let mut fence: Option<String> = None;
    for line in comment.lines() {
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        match &fence {
            // Only the fence itself ends the code, and nothing in it is as long.
            Some(open) if line == open => fence = None,
            Some(open) => assert!(ticks.len() < open.len(), "{line}"),
            None if ticks.len() >= 3 => fence = Some(ticks),
            None => {
                let outside: Vec<&str> = line.split('`').step_by(2).collect();
                let outside = outside.join("");
                assert!(
                    !outside.contains('@') && !outside.contains("<img") && !outside.contains("javascript"),
                    "{line}"
                );
            }
        }
    }
    assert_eq!(fence, None);
}

#[test]
fn masked_it_names_nobody() {
    let masked = markdown(&pull_request(3).plan(), true);
    for person in [LEE, "user0@new.example", "dns+new1@agency.example"] {
        assert!(!masked.contains(person));
        assert!(masked.contains(&mask(person)), "{person} is still told apart");
    }
}
