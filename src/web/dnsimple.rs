//! A delivery of DNSimple's webhooks: what it tells of a person in an account. Lenient, for
//! whatever is not understood tells nothing; the invitation's token is never looked at.

use jiff::Timestamp;
use serde_json::Value;

use crate::domain::{AccountId, Email};
use crate::journal::said::{Came, Event, Invitation};

/// The longest name of an event, and id of a delivery, that is kept.
const LONGEST: usize = 64;

/// What one delivery says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The name of the event, `account.user_invite`; empty where it has none.
    pub name: String,
    /// What it tells of whom in which account; `None` where it tells nothing of people.
    pub news: Option<(AccountId, Email, Event)>,
}

/// The body is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is not JSON")]
pub struct NotJson;

impl Delivery {
    /// Reads a body that came at `now`.
    ///
    /// # Errors
    /// It is not JSON. JSON of any shape is a delivery.
    pub fn read(body: &[u8], now: Timestamp) -> Result<Self, NotJson> {
        let payload: Value = serde_json::from_slice(body).map_err(|_| NotJson)?;
        let name: String = text(&payload["name"]).unwrap_or_default().chars().take(LONGEST).collect();
        let news = news(&name, &payload, now);
        Ok(Self { name, news })
    }
}

fn news(name: &str, payload: &Value, now: Timestamp) -> Option<(AccountId, Email, Event)> {
    let data = &payload["data"];
    let account = id(&payload["account"]["id"]).or_else(|| id(&data["account"]["id"]))?;
    let delivery = id(&payload["request_identifier"]);
    let (person, event) = match name {
        "account.user_invite" | "account.user_invitation_accept" | "account.user_invitation_revoke" => {
            let invitation = &data["account_invitation"];
            if id(&invitation["account_id"]).is_some_and(|other| other != account) {
                return None;
            }
            (invitation, Event::Invitation(told(name, invitation, now)))
        }
        "account.user_remove" => (&data["user"], Event::Removed { delivery }),
        "account.sso_user_add" => (&data["user"], Event::Added { delivery }),
        _ => return None,
    };
    let email = Email::parse(text(&person["email"])?).ok()?;
    Some((AccountId::new(account), email, event))
}

/// An invitation by its own times, where it has them.
fn told(name: &str, invitation: &Value, now: Timestamp) -> Invitation {
    let sent = time(&invitation["invitation_sent_at"]).or_else(|| time(&invitation["created_at"]));
    let accepted = || time(&invitation["invitation_accepted_at"]).or_else(|| time(&invitation["updated_at"]));
    let (came, at) = match name {
        "account.user_invitation_accept" => (Came::Accepted, accepted().unwrap_or(now)),
        // When it was taken back stands nowhere.
        "account.user_invitation_revoke" => (Came::Revoked, now),
        _ => (Came::Sent, sent.unwrap_or(now)),
    };
    Invitation { sent: sent.unwrap_or(at), came, at }
}

fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}

/// An id is a number or a text of the characters that ids have.
fn id(value: &Value) -> Option<String> {
    let raw = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let is_id = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    ((1..=LONGEST).contains(&raw.len()) && raw.bytes().all(is_id)).then_some(raw)
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}
