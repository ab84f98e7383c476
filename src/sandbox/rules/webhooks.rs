//! Webhooks: registering them, and what they are told of.

use std::net::Ipv4Addr;

use crate::sandbox::world::{AccountId, Change, Draft, Webhook, WebhookId};

use super::{Faults, Moment, Refusal};

/// The longest address, in bytes.
const LONGEST_URL: usize = 2_000;

/// Registers a webhook. Its URL must be HTTPS, as at the real service; so that somebody can
/// be told anything at all, this sandbox also takes plain HTTP to this machine.
pub fn register(m: &Moment, id: AccountId, url: Option<&str>) -> Result<(Draft, Webhook), Refusal> {
    m.managed(id)?;
    let url = url.unwrap_or_default();
    let mut faults = Faults::default();
    if !(is_https(url) || Target::of(url).is_some()) {
        faults.note("url", "must be an HTTPS URL");
    }
    faults.refuse_if_any()?;
    let mut draft = Draft::of(m.world);
    let webhook = Webhook { id: draft.next_webhook(), account_id: id, url: url.to_owned() };
    draft.put(Change::PutWebhook(webhook.clone()));
    Ok((draft, webhook))
}

/// A webhook of this account.
pub fn find<'w>(m: &Moment<'w>, account: AccountId, id: WebhookId) -> Result<&'w Webhook, Refusal> {
    m.managed(account)?;
    let found = m.world.webhooks.get(&id).filter(|webhook| webhook.account_id == account);
    found.ok_or_else(|| Refusal::absent("Webhook", id.0))
}

/// Removes a webhook; what it was not told yet it is not told any more.
pub fn remove(m: &Moment, account: AccountId, id: WebhookId) -> Result<(Draft, ()), Refusal> {
    find(m, account, id)?;
    let mut draft = Draft::of(m.world);
    draft.put(Change::DropWebhook(id));
    let untold = m.world.deliveries.values().filter(|delivery| delivery.webhook_id == id);
    draft.changes.extend(untold.map(|delivery| Change::DropDelivery(delivery.id)));
    Ok((draft, ()))
}

fn is_sound(url: &str) -> bool {
    url.len() <= LONGEST_URL && url.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_https(url: &str) -> bool {
    let host = url.strip_prefix("https://").and_then(|rest| rest.split(['/', '?', '#']).next());
    host.is_some_and(|host| !host.is_empty()) && is_sound(url)
}

/// Where on this machine a webhook listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `127.0.0.1:8080`, as a `Host` header has it.
    pub authority: String,
    /// `127.0.0.1`, without brackets.
    pub host: String,
    pub port: u16,
    /// `/hook?key=1`.
    pub path: String,
}

impl Target {
    /// The target of a plain HTTP URL to this machine; `None` for every other one.
    pub fn of(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("http://").filter(|_| is_sound(url))?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !host.ends_with(':') && !port.contains(']') => (host, port.parse().ok()?),
            Some(_) | None => (authority, 80),
        };
        let host = if host == "[::1]" { "::1" } else { host };
        let is_here = host.eq_ignore_ascii_case("localhost")
            || host == "::1"
            || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback());
        let path = path.split('#').next().unwrap_or_default();
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        is_here.then(|| Self { authority: authority.to_owned(), host: host.to_owned(), port, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_plain_http_to_this_machine() {
        let target =
            |url: &str| Target::of(url).map(|it| format!("{} {} {} {}", it.authority, it.host, it.port, it.path));
        for (url, expected) in [
            ("http://127.0.0.1:8080/hook?key=1#part", "127.0.0.1:8080 127.0.0.1 8080 /hook?key=1"),
            ("http://localhost", "localhost localhost 80 /"),
            ("http://[::1]:9/x", "[::1]:9 ::1 9 /x"),
            ("http://[::1]?x", "[::1] ::1 80 /?x"),
        ] {
            assert_eq!(target(url).as_deref(), Some(expected), "{url}");
        }
        for url in [
            "https://127.0.0.1/",
            "http://192.0.2.7/",
            "http://127.0.0.1.evil.example/",
            "http://127.0.0.1@evil.example/",
            "http://localhost:8080@evil.example/",
            "http://evil.example#localhost",
            "http://127.0.0.1:/",
            "http://127.0.0.1:99999/",
            "http://127.0.0.1/a b",
            "http://127.0.0.1/\r\nX: 1",
            "http://",
            "ftp://127.0.0.1/",
        ] {
            assert_eq!(target(url), None, "{url}");
        }
    }
}
