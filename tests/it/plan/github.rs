//! The plan for GitHub: annotations, outputs, and that nothing foreign begins one of its own.

use std::path::Path;

use bursar::domain::text::inert;
use bursar::domain::{AccountName, Email, Money, mask};
use bursar::manifest::{LoadOptions, SourceRef, WantedPlan, load};
use bursar::plan::render::{GithubOptions, github, github_outputs, markdown};
use bursar::plan::{Notice, OpKind, Selector, VerdictState};
use bursar::source::FileSet;

use super::world::{World, client, member, source};

fn options() -> GithubOptions<'static> {
    GithubOptions { findings: &[], folder: Path::new(""), masked: false }
}

/// A world with something of every kind of annotation.
fn busy() -> World {
    let names = ["acme", "globex", "hooli", "initech"];
    World::in_agreement(names.map(|name| client(name, &[&format!("jane@{name}.example")])).into()).with(|w| {
        w.offboard(&["lee@old.example"]);
        w.members(0).push(member("lee@old.example"));
        w.client(1).plan = WantedPlan::Choice("taems".to_owned());
        w.client(2).plan = WantedPlan::Nothing;
        w.members(3).pop();
        w.tried("initech", OpKind::AddMember, Some("jane@initech.example"), VerdictState::Failed, None);
        w.wanted.clients.push(client("umbrella", &["ada@umbrella.example"]));
        w.policy.max_monthly_increase = Some(Money::cents(100_000));
        w.selector =
            Selector::default().telling([Notice { client: None, plan: None, message: "look here".to_owned() }]);
    })
}

#[test]
fn each_thing_stands_at_its_file_and_line_the_most_important_first() {
    insta::assert_snapshot!(github(&busy().plan(), &options()), @r#"
    ::error title=Guard rail::--allow-unsubscribe off: 1 subscription would be cancelled and stay; domains stop resolving at once, so allow it with --allow-unsubscribe only if that is meant
    ::error file=clients/initech.yaml,line=1,col=1,title=initech%3A failed::add jane@initech.example with full access: the server said so
    ::error file=clients/globex.yaml,line=1,col=1,title=globex%3A blocked (PlanUnavailable)::change the plan from teams-v2-monthly to taems: no plan or family is called taems; did you mean teams?
    ::error file=clients/hooli.yaml,line=1,col=1,title=hooli%3A blocked (GuardRail)::cancel the subscription to teams-v2-monthly: cancelling is off: the account's domains would stop resolving at once; allow it with --allow-unsubscribe
    ::warning file=clients/acme.yaml,line=1,col=1,title=acme%3A removed or cancelled::remove lee@old.example (full access); offboarded by leavers: left the agency
    ::warning file=clients/umbrella.yaml,line=1,col=1,title=umbrella%3A full access::full access is given to ada@umbrella.example
    ::notice title=bursar plan::Plan: 1 to create, 1 to subscribe, 1 to remove, 1 to add; 1 failed, 2 blocked; 4 requests.%0AList price a month in USD: 232.00 now, 290.00 after, +58.00
    ::notice title=Look at::look here
    "#);
}

#[test]
fn findings_are_told_at_their_place_from_where_the_step_runs() {
    let files = FileSet::in_memory([
        (
            "acme.yaml",
            "apiVersion: bursar.dev/v1\nkind: ClientAccount\nmetadata: { name: acme }\nspec:\n  acountName: x\n",
        ),
        (
            "beta.yaml",
            "apiVersion: bursar.dev/v1\nkind: ClientAccount\nmetadata: { name: beta }\nspec: { accountName: Beta, notificationEmail: b@agency.example }\n",
        ),
    ]);
    let loaded = load(&files, &LoadOptions::default());
    let world = World::empty(Vec::new()).with(|w| w.wanted = loaded.wanted.clone());
    let options = GithubOptions { findings: &loaded.findings, folder: Path::new("./clients"), masked: true };
    insta::assert_snapshot!(github(&world.plan(), &options), @r#"
    ::error file=clients/acme.yaml,line=5,col=3,title=BUR0022%3A Unknown field::unknown field `acountName` in spec%0Adid you mean `accountName`?
    ::error file=clients/acme.yaml,line=5,col=3,title=BUR0023%3A A required field is missing::`accountName` is missing in spec%0Aadd `accountName:`
    ::notice title=bursar plan::Plan: 1 to create; 1 invalid; 1 request.%0AList price a month in USD: 0.00 now, 0.00 after, 0.00
    "#);
}

#[test]
fn past_ten_of_a_kind_the_last_one_counts_the_rest_and_the_removal_is_among_those_shown() {
    let world = World::empty((0..40).map(|n| client(&format!("c{n:02}"), &[&format!("p{n}@x.example")])).collect())
        .with(|w| {
            let zenith = client("zenith", &[]);
            w.live.accounts.push(super::world::account("9", &zenith));
            w.wanted.clients.push(zenith);
            w.members(0).push(member("lee@old.example"));
            w.offboard(&["lee@old.example"]);
            (w.policy.max_creates, w.policy.max_subscriptions, w.policy.max_monthly_increase) = (None, None, None);
        });
    let shown = github(&world.plan(), &options());
    let warnings: Vec<&str> = shown.lines().filter(|line| line.starts_with("::warning ")).collect();
    assert_eq!(warnings.len(), 10, "{shown}");
    assert!(warnings[0].contains("title=zenith%3A removed or cancelled::remove lee@old.example"), "{}", warnings[0]);
    assert_eq!(
        warnings[9],
        "::warning title=bursar plan::32 more of this kind; the job summary and bursar plan show them all"
    );
}

/// What a manifest or a server could say to begin a command, a property or an output.
const HOSTILE: &str =
    "x\n::error file=a::pwned\r\n##[add-mask]y\u{2028}::set-output name=digest::z%0A::stop-commands::t,line=1:2";

fn hostile() -> World {
    busy().with(|w| {
        w.client(0).source = SourceRef { file: format!("clients/{HOSTILE}.yaml"), line: 3, column: 1 };
        w.client(4).account_name = AccountName::new(HOSTILE);
        w.client(1).plan = WantedPlan::Choice(HOSTILE.to_owned());
        w.account(2).account.email = Some(Email::lenient(HOSTILE));
        w.members(0).push(member(&format!("{HOSTILE}@old.example")));
        w.wanted.offboardings[0].reason = Some(HOSTILE.to_owned());
        w.wanted.offboardings[0].source = source(HOSTILE);
        let verdict = w.known.verdicts.values_mut().next().unwrap();
        verdict.message = inert(HOSTILE).into_owned();
        w.selector =
            Selector::default().telling([Notice { client: None, plan: None, message: inert(HOSTILE).into_owned() }]);
    })
}

#[test]
fn nothing_that_somebody_else_wrote_begins_a_command() {
    let plan = hostile().plan();
    for masked in [true, false] {
        let shown = github(&plan, &GithubOptions { masked, ..options() });
        assert!(shown.chars().all(|c| c == '\n' || !bursar::domain::text::is_active(c)), "{shown}");
        for line in shown.lines() {
            let command = line.strip_prefix("::").unwrap();
            let (head, _) = command.split_once("::").unwrap();
            let (kind, properties) = head.split_once(' ').unwrap();
            assert!(["error", "warning", "notice"].contains(&kind), "{line}");
            for property in properties.split(',') {
                let (name, value) = property.split_once('=').unwrap();
                assert!(["file", "line", "col", "title"].contains(&name), "{line}");
                assert!(!value.contains(':'), "{line}");
                assert!(name != "file" || value.starts_with("clients/"), "{line}");
            }
        }
    }
}

#[test]
fn no_line_of_the_comment_is_an_output_of_its_own() {
    let plan = hostile().plan();
    let comment = markdown(&plan, false);
    let outputs = github_outputs(&plan, 1, &comment, "the-end");
    // As the runner reads them: `name=value`, or `name<<delimiter` up to the delimiter.
    let mut lines = outputs.lines();
    let mut read = Vec::new();
    while let Some(line) = lines.next() {
        match line.split_once("<<") {
            Some((name, delimiter)) if !name.contains('=') => {
                let value: Vec<&str> = lines.by_ref().take_while(|line| *line != delimiter).collect();
                read.push((name, value.join("\n")));
            }
            _ => {
                let (name, value) = line.split_once('=').unwrap();
                read.push((name, value.to_owned()));
            }
        }
    }
    let names: Vec<&str> = read.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        [
            "digest",
            "changes",
            "exit_code",
            "removals",
            "cancellations",
            "full_access",
            "waiting",
            "blocked",
            "manual",
            "rails",
            "monthly_before",
            "monthly_after",
            "monthly_delta",
            "comment"
        ]
    );
    assert_eq!(read.last().unwrap().1, comment.trim_end());
    assert_eq!(read[0].1, plan.digest);
}

#[test]
fn masked_it_names_nobody() {
    let shown = github(&busy().plan(), &GithubOptions { masked: true, ..options() });
    for person in ["lee@old.example", "ada@umbrella.example"] {
        assert!(!shown.contains(person) && shown.contains(&mask(person)), "{person}: {shown}");
    }
}
