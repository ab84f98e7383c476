//! One line that costs a lot: a person whom a group or defaults bring into several accounts.

use std::collections::BTreeMap;

use crate::domain::{Email, Money, text::inert};
use crate::manifest::{OriginKind, SourceRef};

use super::cost;
use super::decide::{Draft, World};
use super::tree::{Multiplied, Op};
use super::words::count;

/// From how many accounts on a line is worth a word of its own.
const SEVERAL: u32 = 3;

/// The people who come into several accounts through one line, the most expensive first. Of an
/// account's seats, those who come first take the free ones.
pub(super) fn of(drafts: &[Draft<'_>], world: &World<'_>) -> Vec<Multiplied> {
    let mut lines: BTreeMap<(&SourceRef, &Email), Multiplied> = BTreeMap::new();
    for draft in drafts {
        let mut coming =
            draft.actions.iter().filter(|action| action.is_going()).filter_map(|action| match &action.op {
                Op::AddMember { email, .. } if draft.people.get(email).is_none() => Some((email, action.unregistered)),
                _ => None,
            });
        let Some(first) = coming.next() else { continue };
        let coming: Vec<_> = std::iter::once(first).chain(coming).collect();
        let paid = cost::seats_paid_for(draft, world.offer(), coming.len());
        for (place, (email, unregistered)) in coming.iter().enumerate() {
            let listed = draft.client.members.iter().find(|member| member.email == **email);
            let Some(listed) = listed.filter(|member| member.through != OriginKind::Own) else { continue };
            let line = lines.entry((&listed.source, &listed.email)).or_insert_with(|| Multiplied {
                email: listed.email.clone(),
                through: listed.through.clone(),
                source: listed.source.clone(),
                accounts: 0,
                seats: 0,
                seat_price: None,
                monthly: Money::ZERO,
                unpriced: 0,
                registered: true,
            });
            line.accounts += 1;
            line.registered &= !unregistered;
            match paid {
                None => line.unpriced += 1,
                Some((seats, price)) if place + seats >= coming.len() => {
                    line.seat_price = (line.seats == 0 || line.seat_price == Some(price)).then_some(price);
                    line.seats += 1;
                    line.monthly += price;
                }
                Some(_) => {}
            }
        }
    }
    let mut lines: Vec<Multiplied> = lines.into_values().filter(|line| line.accounts >= SEVERAL).collect();
    lines.sort_by(|a, b| (b.monthly, &a.source, &a.email).cmp(&(a.monthly, &b.source, &b.email)));
    lines
}

/// The line that costs the most now.
pub(super) fn largest(lines: &[Multiplied]) -> Option<&Multiplied> {
    lines.iter().find(|line| line.registered && line.monthly > Money::ZERO)
}

/// A line in words: `pat@agency.example joins 42 accounts through the group on-call
/// (groups.yaml:4): 42 × 9.00 = 378.00 a month`.
pub(super) fn told(line: &Multiplied) -> String {
    let Multiplied { email, through, source, accounts, seats, seat_price, monthly, unpriced, registered } = line;
    let through = match through {
        OriginKind::Own => "the client".to_owned(),
        OriginKind::Defaults(name) => format!("the defaults {}", inert(name)),
        OriginKind::Group(name) => format!("the group {}", inert(name)),
    };
    let free = accounts - seats - unpriced;
    let sum = match seat_price {
        Some(price) => format!("{seats} × {price} = {monthly} a month"),
        None if *seats > 0 => {
            format!("{} at different prices = {monthly} a month", count(*seats as usize, "seat", "seats"))
        }
        None => String::new(),
    };
    let free = if free > 0 { format!("{} at no cost", count(free as usize, "seat", "seats")) } else { String::new() };
    let unpriced = if *unpriced > 0 {
        format!("{} of unknown price", count(*unpriced as usize, "seat", "seats"))
    } else {
        String::new()
    };
    let parts: Vec<String> = [sum, free, unpriced].into_iter().filter(|part| !part.is_empty()).collect();
    let when = if *registered { "" } else { ", once signed up" };
    format!(
        "{email} joins {} through {through} ({source}): {}{when}",
        count(*accounts as usize, "account", "accounts"),
        parts.join(", ")
    )
}
