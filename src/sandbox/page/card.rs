//! One account on the page: its plan, its people, and what somebody may do by hand.

use maud::{Markup, html};

use super::view::{MOST, Mode, day, each, moment};
use crate::sandbox::catalogue::Standing;
use crate::sandbox::dialect::Dialect;
use crate::sandbox::rules::Moment;
use crate::sandbox::rules::time::DUNNING;
use crate::sandbox::world::{Access, Account, Member, Subscription, same_email};

/// The card of an account.
pub fn card(m: &Moment, account: &Account, mode: Mode) -> Markup {
    let Account { id, name, email, created_at, updated_at: _ } = account;
    let subscription = m.world.subscriptions.get(id);
    let members = m.world.members_of(*id);
    html! {
        article.card id={ "account-" (id) } {
            h3 { (name) " " span.tag { "#" (id) } }
            p.quiet { (email) ", since " (day(*created_at)) }
            p { (plan_line(m, subscription, members.len())) }
            (member_table(m, account, members, mode))
            @if mode == Mode::Act {
                form method="post" action={ "/page/accounts/" (id) "/members" } {
                    input type="email" name="email" placeholder="New member" required aria-label={ "New member of " (name) };
                    @if m.terms.dialect == Dialect::Dnsimple && m.terms.limits_access() {
                        select name="access" aria-label={ "Access of the new member of " (name) } {
                            option value="full" { "full access" }
                            option value="limited" { "limited access" }
                        }
                    }
                    button { "Add by hand" }
                }
                (changes(m, account, subscription))
            }
        }
    }
}

fn changes(m: &Moment, account: &Account, subscription: Option<&Subscription>) -> Markup {
    let Account { id, name, email, created_at: _, updated_at: _ } = account;
    let on_sale = m.terms.dialect.plans().iter().filter(|plan| plan.standing == Standing::OnSale);
    let has = |plan: &str| subscription.is_some_and(|it| it.plan_identifier == plan);
    html! {
        details {
            summary { "Change by hand" }
            form method="post" action={ "/page/accounts/" (id) "/rename" } {
                input name="name" value=(name) required aria-label="Name";
                input type="email" name="email" value=(email) required aria-label="Notification email";
                button { "Save" }
            }
            form method="post" action={ "/page/accounts/" (id) "/plan" } {
                select name="plan" aria-label="Plan" {
                    @for plan in on_sale {
                        option value=(plan.identifier) selected[has(plan.identifier)] { (plan.identifier) }
                    }
                }
                input.seats type="number" name="seats" min="1" value=(subscription.map_or(1, |it| it.seats)) aria-label="Seats";
                button { "Choose plan and seats" }
            }
            @if subscription.is_some_and(|it| it.in_force() || it.is_settling()) {
                form method="post" action={ "/page/accounts/" (id) "/cancel" } { button { "Cancel the subscription" } }
            }
        }
    }
}

fn plan_line(m: &Moment, subscription: Option<&Subscription>, taken: usize) -> Markup {
    let Some(it) = subscription else { return html! { span.tag { "no plan" } } };
    html! {
        span.tag.plan { (it.plan_identifier) } " "
        @if it.in_force() {
            (taken) " of " (it.seats) @if it.seats == 1 { " seat" } @else { " seats" } " taken"
            @if let Some((price, period)) = it.plan().and_then(|plan| Some((plan.price(it.seats)?, plan.period))) {
                ", " (price) " USD " (each(period))
            }
            @if let Some(since) = it.dunned_since { ", " span.warn { "unpaid" } ", ends " (day(since.saturating_add(DUNNING).unwrap_or(since))) }
            @else if it.in_trial(m.now) { ", " span.good { "trial" } " until " (day(it.current_period_ends_at)) }
            @else { ", renewed " (day(it.current_period_ends_at)) }
            @if let Some(plan) = &it.pending_plan_identifier { ", then " span.warn { (plan) } }
            @if let Some(seats) = it.pending_seats { ", then " span.warn { (seats) @if seats == 1 { " seat" } @else { " seats" } } }
        } @else if let Some(at) = it.settles_at { span.warn { "subscribing" } " until " (moment(at)) }
        @else { span.warn { "cancelled" } }
    }
}

fn member_table(m: &Moment, account: &Account, members: &[Member], mode: Mode) -> Markup {
    html! {
        div.table {
            table {
                thead.unseen { tr { th { "Member" } th { "Access" } th { "State" } @if mode == Mode::Act { th { "By hand" } } } }
                tbody { @for member in members.iter().take(MOST) { (member_row(m, account, member, mode)) } }
            }
        }
        @if members.len() > MOST { p.quiet { "And " (members.len() - MOST) " more." } }
    }
}

fn member_row(m: &Moment, account: &Account, member: &Member, mode: Mode) -> Markup {
    let is_us = m.user().is_ok_and(|us| same_email(&us.email, &member.email));
    html! {
        tr {
            td { (member.email) @if is_us { " " span.quiet { "(the token’s user)" } } }
            td.short { span.quiet[member.access == Access::Limited] { (m.terms.dialect.access_word(m.world, member)) } }
            td.short { @if member.user_id.is_some() { "active" } @else { span.warn { "invited" } } }
            @if mode == Mode::Act {
                td.does {
                    @if member.user_id.is_none() {
                        form method="post" action={ "/page/invitations/" (member.id) "/accept" } {
                            button.main { "Accept" }
                        }
                    }
                    form method="post" action={ "/page/accounts/" (account.id) "/members/" (member.id) "/remove" } {
                        button aria-label={ "Remove " (member.email) " from " (account.name) } { "Remove" }
                    }
                }
            }
        }
    }
}
