//! How the page looks: its frame, and everything on it but the accounts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

use super::card;
use crate::sandbox::catalogue::{Cents, Period, Standing};
use crate::sandbox::rules::{Extension, MemberMode, Moment};
use crate::sandbox::world::Totals;

/// Accounts, people and members of one account shown at most; a page of thousands helps
/// nobody.
pub const MOST: usize = 200;

/// The newest mails and charges shown.
const NEWEST: usize = 50;

/// How the page is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// With everything that a person can do.
    Act,
    /// Loaded again every two seconds, and without forms: what is typed would be lost.
    Watch,
}

/// The whole page.
pub fn page(m: &Moment, notice: Option<&str>, requests: &BTreeMap<String, u64>, mode: Mode) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                @if mode == Mode::Watch { meta http-equiv="refresh" content="2"; }
                title { "Account sandbox" }
                link rel="stylesheet" href="/style.css";
            }
            body {
                (top(m, requests, mode))
                @if let Some(notice) = notice { p.notice role="status" { (notice) } }
                main {
                    @if mode == Mode::Act { (clock()) }
                    (people(m, mode))
                    (accounts(m, mode))
                    (plans(m))
                    (mails(m))
                    (charges(m, mode))
                    (ledger(m, requests))
                }
            }
        }
    }
}

/// A day, as people write it.
pub fn day(at: Timestamp) -> Markup {
    html! { time datetime=(at) { (at.strftime("%-d %b %Y")) } }
}

/// A moment of a day.
pub fn moment(at: Timestamp) -> Markup {
    html! { time datetime=(at) { (at.strftime("%-d %b %Y, %H:%M:%S")) } }
}

/// What a price is paid for.
pub fn each(period: Period) -> &'static str {
    match period {
        Period::Month => "a month",
        Period::Year => "a year",
    }
}

/// So many of something.
fn count<N: maud::Render + PartialEq + From<u8>>(n: N, one: &str, many: &str) -> Markup {
    html! { b { (n) } " " (if n == N::from(1) { one } else { many }) }
}

/// All that was charged so far.
fn charged(m: &Moment) -> Cents {
    Cents(m.world.charges.values().map(|charge| charge.amount.0).sum())
}

fn top(m: &Moment, requests: &BTreeMap<String, u64>, mode: Mode) -> Markup {
    html! {
        header {
            div.title {
                h1 { "Account sandbox" }
                @match mode {
                    Mode::Act => a.button href="/?watch" { "Watch" },
                    Mode::Watch => a.button.main href="/" { "Stop watching" },
                }
            }
            p.quiet {
                "A make-believe service on this machine: no real account, money or mail. It is " (moment(m.now)) " UTC here."
                @if mode == Mode::Watch { " The page loads again every two seconds; stop watching to do something." }
            }
            nav aria-label="On this page" {
                a href="#accounts" { (count(m.world.accounts.len(), "account", "accounts")) }
                a href="#people" { (count(m.world.users.len(), "person", "people")) }
                a href="#mail" { (count(m.world.mails.len(), "mail", "mails")) }
                a href="#money" { b { (charged(m)) } " USD charged" }
                a href="#requests" { (count(requests.values().sum::<u64>(), "request", "requests")) }
                a href="#plans" { "Plans" }
            }
        }
    }
}

fn clock() -> Markup {
    html! {
        section #time {
            h2 { "Time" }
            p.quiet { "Trials end, subscriptions are renewed, and what waits for the renewal happens." }
            @for (label, days) in [("A day passes", 1), ("A month passes", 31), ("A year passes", 366)] {
                form method="post" action="/page/clock" {
                    input type="hidden" name="seconds" value=(days * 24 * 60 * 60);
                    button { (label) }
                }
            }
        }
    }
}

fn people(m: &Moment, mode: Mode) -> Markup {
    let all = &m.world.users;
    html! {
        section #people {
            h2 { "People who have signed up" }
            p.quiet {
                @match m.terms.member_mode {
                    MemberMode::Registered => "Only they can become members of an account.",
                    MemberMode::Invite => "Anybody can be invited, and is a member once they accept.",
                }
            }
            @if mode == Mode::Act {
                form method="post" action="/page/users" {
                    input type="email" name="email" placeholder="jane@client.example" required aria-label="Email";
                    button.main { "Sign up as a client" }
                }
            }
            ul.tags {
                @for user in all.values().rev().take(MOST) { li.tag { (user.email) } }
            }
            @if all.len() > MOST { p.quiet { "And " (all.len() - MOST) " who signed up earlier." } }
        }
    }
}

fn accounts(m: &Moment, mode: Mode) -> Markup {
    let all = &m.world.accounts;
    html! {
        section #accounts {
            h2 { "Accounts" }
            @if all.is_empty() { p.quiet { "None yet." } }
            @if mode == Mode::Act {
                @if !m.terms.offers(Extension::AccountManagement) {
                    p.quiet { "The API here tells of accounts and changes none of them: whatever is to be done is done on this page." }
                }
                form #new-account method="post" action="/page/new-account" {
                    input name="name" placeholder="Name" required aria-label="Name of a new account";
                    input type="email" name="email" placeholder="Notification email" required aria-label="Notification email of a new account";
                    button.main { "Add new account" }
                }
            }
            div.cards { @for account in all.values().rev().take(MOST) { (card::card(m, account, mode)) } }
            @if all.len() > MOST { p.quiet { "And " (all.len() - MOST) " older ones." } }
            @if mode == Mode::Act {
                details #make-account {
                    summary { "Make an account by hand" }
                    form method="post" action="/page/accounts" {
                        input name="name" placeholder="Name" required aria-label="Name";
                        input type="email" name="email" placeholder="Notification email" required aria-label="Notification email";
                        input name="owner" placeholder="Owner, if not the agency" aria-label="Owner";
                        select name="plan" aria-label="Plan" {
                            option value="" { "no plan" }
                            @for plan in m.terms.dialect.plans() { option value=(plan.identifier) { (plan.identifier) } }
                        }
                        button { "Make it" }
                    }
                }
            }
        }
    }
}

fn plans(m: &Moment) -> Markup {
    let price = |price: Option<Cents>| price.map_or_else(|| "–".to_owned(), |price| price.to_string());
    html! {
        section #plans {
            h2 { "Plans" }
            div.table {
                table {
                    thead {
                        tr { th { "Plan" } th { "Family" } th.number { "USD" } th {} th.number { "A seat more" } th { "Members" } th { "On sale" } }
                    }
                    tbody {
                        @for plan in m.terms.dialect.plans() {
                            tr {
                                td { code { (plan.identifier) } }
                                td { (plan.family) }
                                td.number { (price(plan.base_price)) }
                                td.quiet { (each(plan.period)) }
                                td.number { (price(plan.seat_price)) }
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
    let all = &m.world.mails;
    html! {
        section #mail {
            h2 { "Mail sent" }
            @if all.is_empty() { p.quiet { "None yet." } }
            div.table {
                table {
                    tbody {
                        @for mail in all.values().rev().take(NEWEST) {
                            tr {
                                td.quiet.short { (moment(mail.at)) }
                                td { (mail.to) }
                                td { (mail.subject) }
                                td.short { a href={ "#account-" (mail.account_id) } { "#" (mail.account_id) } }
                            }
                        }
                    }
                }
            }
            @if all.len() > NEWEST { p.quiet { "And " (all.len() - NEWEST) " older ones." } }
        }
    }
}

/// What cards refused to pay.
fn open_payments(m: &Moment) -> Markup {
    html! {
        @for payment in m.world.payments.values().rev().take(NEWEST) {
            p {
                span.warn { "Open: " (payment.amount) " USD" } ", " (payment.reason) ", since " (day(payment.since)) ", "
                a href={ "#account-" (payment.account_id) } { "#" (payment.account_id) }
            }
        }
    }
}

fn another_card(m: &Moment) -> Markup {
    let us = m.user().map(|user| user.email.as_str()).unwrap_or_default();
    html! {
        form method="post" action="/page/cards" {
            input type="email" name="email" value=(us) required aria-label="Whose card";
            select name="card" aria-label="Card" {
                option value="4242 4242 4242 4242" { "4242 4242 4242 4242, pays" }
                option value="4000 0000 0000 0341" { "4000 0000 0000 0341, is refused" }
            }
            button { "Use this card" }
        }
        p.quiet { "A card that pays also pays what its holder left open." }
    }
}

fn charges(m: &Moment, mode: Mode) -> Markup {
    let all = &m.world.charges;
    html! {
        section #money {
            h2 { "Money charged: " (charged(m)) " USD" }
            @if all.is_empty() { p.quiet { "None yet: a first subscription starts with a trial of 30 days." } }
            (open_payments(m))
            @if mode == Mode::Act { (another_card(m)) }
            div.table {
                table {
                    tbody {
                        @for charge in all.values().rev().take(NEWEST) {
                            tr {
                                td.quiet.short { (moment(charge.at)) }
                                td { (charge.reason) }
                                td.short { a href={ "#account-" (charge.account_id) } { "#" (charge.account_id) } }
                                td.number { (charge.amount) " USD" }
                            }
                        }
                    }
                }
            }
            @if all.len() > NEWEST { p.quiet { "And " (all.len() - NEWEST) " older ones." } }
        }
    }
}

fn ledger(m: &Moment, requests: &BTreeMap<String, u64>) -> Markup {
    let Totals { accounts_created, subscriptions_created, members_added, invitations_sent } = &m.world.meta.totals;
    html! {
        section #requests {
            h2 { "Requests" }
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
