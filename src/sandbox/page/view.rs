//! How the page looks.

use std::collections::BTreeMap;

use maud::{DOCTYPE, Markup, html};

use crate::sandbox::catalogue::{Cents, PLANS, Standing};
use crate::sandbox::rules::{MemberMode, Moment};
use crate::sandbox::world::{Access, Account, Member, Subscription, Totals, same_email};

/// Accounts shown at most; a page of thousands helps nobody.
const MOST_ACCOUNTS: usize = 200;

/// The newest mails and charges shown.
const NEWEST: usize = 50;

/// The whole page. `watching` loads it again every two seconds.
pub fn page(m: &Moment, notice: Option<&str>, requests: &BTreeMap<String, u64>, watching: bool) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                @if watching { meta http-equiv="refresh" content="2"; }
                title { "Account sandbox" }
                link rel="stylesheet" href="/style.css";
            }
            body {
                header {
                    h1 { "Account sandbox" }
                    p.quiet {
                        "It is " (m.now) " here. "
                        @if watching { a href="/" { "Stop watching" } } @else { a href="/?watch" { "Watch" } " (loads again every two seconds)" }
                    }
                }
                main {
                    @if let Some(notice) = notice { p.notice role="status" { (notice) } }
                    (clock())
                    (people(m))
                    (accounts(m))
                    (plans())
                    (mails(m))
                    (charges(m))
                    (ledger(m, requests))
                }
            }
        }
    }
}

fn clock() -> Markup {
    html! {
        section aria-label="Time" {
            @for (label, days) in [("A day passes", 1), ("A month passes", 31), ("A year passes", 366)] {
                form method="post" action="/page/clock" {
                    input type="hidden" name="seconds" value=(days * 24 * 60 * 60);
                    button { (label) }
                }
            }
        }
    }
}

fn people(m: &Moment) -> Markup {
    html! {
        section {
            h2 { "People" }
            p.quiet {
                @match m.terms.member_mode {
                    MemberMode::Registered => "Only who has signed up can become a member of an account.",
                    MemberMode::Invite => "Anybody can be invited, and is a member once they accept.",
                }
            }
            form method="post" action="/page/users" {
                input type="email" name="email" placeholder="jane@client.example" required aria-label="Email";
                button.main { "Sign up as a client" }
            }
            p { @for user in m.world.users.values().take(MOST_ACCOUNTS) { span.tag { (user.email) } " " } }
        }
    }
}

fn accounts(m: &Moment) -> Markup {
    let all = &m.world.accounts;
    html! {
        section {
            h2 { "Accounts (" (all.len()) ")" }
            @if all.is_empty() { p.quiet { "None yet." } }
            @for account in all.values().rev().take(MOST_ACCOUNTS) { (card(m, account)) }
            @if all.len() > MOST_ACCOUNTS { p.quiet { "And " (all.len() - MOST_ACCOUNTS) " older ones." } }
            details {
                summary { "Make an account by hand" }
                form method="post" action="/page/accounts" {
                    input name="name" placeholder="Name" required aria-label="Name";
                    input type="email" name="email" placeholder="Notification email" required aria-label="Notification email";
                    input name="owner" placeholder="Owner, if not the agency" aria-label="Owner";
                    select name="plan" aria-label="Plan" {
                        option value="" { "no plan" }
                        @for plan in &PLANS { option value=(plan.identifier) { (plan.identifier) } }
                    }
                    button { "Make it" }
                }
            }
        }
    }
}

fn card(m: &Moment, account: &Account) -> Markup {
    let Account { id, name, email, created_at, updated_at: _ } = account;
    let subscription = m.world.subscriptions.get(id);
    let members = m.world.members_of(*id);
    html! {
        article.card {
            h3 { (name) " " span.tag { "#" (id) } }
            p.quiet { "Notifications to " (email) ", made " (created_at) }
            p { (plan_line(m, subscription, members.len())) }
            (member_table(m, account, members))
            form method="post" action={ "/page/accounts/" (id) "/members" } {
                input type="email" name="email" placeholder="New member" required aria-label="New member";
                button { "Add by hand" }
            }
            details {
                summary { "Change by hand" }
                form method="post" action={ "/page/accounts/" (id) "/rename" } {
                    input name="name" value=(name) required aria-label="Name";
                    input type="email" name="email" value=(email) required aria-label="Notification email";
                    button { "Rename" }
                }
                form method="post" action={ "/page/accounts/" (id) "/plan" } {
                    select name="plan" aria-label="Plan" {
                        @for plan in PLANS.iter().filter(|plan| plan.standing == Standing::OnSale) {
                            option value=(plan.identifier) selected[subscription.is_some_and(|it| it.plan_identifier == plan.identifier)] {
                                (plan.identifier)
                            }
                        }
                    }
                    input type="number" name="seats" min="1" value=(subscription.map_or(1, |it| it.seats)) aria-label="Seats";
                    button { "Choose plan and seats" }
                }
                @if subscription.is_some_and(Subscription::in_force) {
                    form method="post" action={ "/page/accounts/" (id) "/cancel" } { button { "Cancel the subscription" } }
                }
            }
        }
    }
}

fn plan_line(m: &Moment, subscription: Option<&Subscription>, taken: usize) -> Markup {
    let Some(it) = subscription else { return html! { span.tag { "no plan" } } };
    html! {
        span.tag { (it.plan_identifier) } " "
        @if it.in_force() {
            (taken) " of " (it.seats) " seats taken"
            @if let Some(price) = it.plan().and_then(|plan| plan.price(it.seats)) { ", " (price) " USD a period" }
            @if it.in_trial(m.now) { ", " span.good { "trial" } " until " (it.current_period_ends_at) }
            @else { ", renewed " (it.current_period_ends_at) }
            @if let Some(plan) = &it.pending_plan_identifier { ", then " span.warn { (plan) } }
            @if let Some(seats) = it.pending_seats { ", then " span.warn { (seats) " seat(s)" } }
        } @else { span.warn { "cancelled" } }
    }
}

fn member_table(m: &Moment, account: &Account, members: &[Member]) -> Markup {
    html! {
        div.table {
            table {
                thead { tr { th { "Member" } th { "Access" } th { "State" } th {} } }
                tbody {
                    @for member in members.iter().take(MOST_ACCOUNTS) {
                        tr {
                            td {
                                (member.email)
                                @if m.user().is_ok_and(|us| same_email(&us.email, &member.email)) { " " span.quiet { "(the agency)" } }
                            }
                            td { @match member.access { Access::Full => "full", Access::Limited => span.warn { "limited" } } }
                            td { @if member.user_id.is_some() { "active" } @else { span.warn { "invited" } } }
                            td {
                                @if member.user_id.is_none() {
                                    form method="post" action={ "/page/invitations/" (member.id) "/accept" } {
                                        button.main { "Accept" }
                                    }
                                }
                                form method="post" action={ "/page/accounts/" (account.id) "/members/" (member.id) "/remove" } {
                                    button { "Remove" }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn plans() -> Markup {
    let price = |price: Option<Cents>| price.map_or_else(|| "-".to_owned(), |price| price.to_string());
    html! {
        section {
            h2 { "Plans" }
            div.table {
                table {
                    thead { tr { th { "Plan" } th { "Family" } th { "Price" } th { "Seat" } th { "Members" } th { "On sale" } } }
                    tbody {
                        @for plan in &PLANS {
                            tr {
                                td { code { (plan.identifier) } }
                                td { (plan.family) }
                                td { (price(plan.base_price)) " " span.quiet { (plan.period.word()) } }
                                td { (price(plan.seat_price)) }
                                td { @match plan.max_members { Some(most) => (most), None => "any number" } }
                                td { @match plan.standing { Standing::OnSale => "yes", Standing::Legacy => "legacy", Standing::ByAgreement => "by agreement" } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn mails(m: &Moment) -> Markup {
    html! {
        section {
            h2 { "Mail sent (" (m.world.mails.len()) ")" }
            @for mail in m.world.mails.values().rev().take(NEWEST) {
                p { span.quiet { (mail.at) } " to " (mail.to) ": " (mail.subject) " " span.tag { "#" (mail.account_id) } }
            }
            @if m.world.mails.is_empty() { p.quiet { "None yet." } }
        }
    }
}

fn charges(m: &Moment) -> Markup {
    let total = Cents(m.world.charges.values().map(|charge| charge.amount.0).sum());
    html! {
        section {
            h2 { "Money charged (" (total) " USD)" }
            div.table {
                table {
                    tbody {
                        @for charge in m.world.charges.values().rev().take(NEWEST) {
                            tr {
                                td.quiet { (charge.at) }
                                td { "#" (charge.account_id) }
                                td { (charge.reason) }
                                td.number { (charge.amount) " USD" }
                            }
                        }
                    }
                }
            }
            @if m.world.charges.is_empty() { p.quiet { "None yet: a first subscription starts with a trial of 30 days." } }
        }
    }
}

fn ledger(m: &Moment, requests: &BTreeMap<String, u64>) -> Markup {
    let Totals { accounts_created, subscriptions_created, members_added, invitations_sent } = &m.world.meta.totals;
    html! {
        section {
            h2 { "Ledger" }
            p {
                "Over the API: " (accounts_created) " accounts created, " (subscriptions_created) " subscriptions, "
                (members_added) " members added, " (invitations_sent) " invitations sent. "
                a href="/sandbox/ledger" { "As JSON" }
            }
            div.table {
                table {
                    tbody { @for (route, count) in requests { tr { td { code { (route) } } td.number { (count) } } } }
                }
            }
        }
    }
}
