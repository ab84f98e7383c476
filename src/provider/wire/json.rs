//! Pieces of JSON that services have in common, read leniently where they differ (unknown
//! fields, nulls, ids as numbers) and strictly where a wrong reading would be acted upon.

use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::Value;

use crate::domain::{Email, Money};

/// Something with an id of its own, in a list.
pub(in crate::provider) trait Listed {
    fn listed_id(&self) -> &str;
}

/// An id, a number or a text. One segment of a path, so that no id leads to another endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::provider) struct Id(String);

impl Id {
    pub(in crate::provider) fn as_str(&self) -> &str {
        &self.0
    }

    pub(in crate::provider) fn into_string(self) -> String {
        self.0
    }
}

/// Whether a text can stand in a path as an id: 1 to 64 of `A-Z a-z 0-9 - _`.
pub(in crate::provider) fn is_id(raw: &str) -> bool {
    raw.len() <= 64 && is_segment(raw)
}

/// Whether a text is one plain segment of a path: 1 to 255 of `A-Z a-z 0-9 - _`.
pub(in crate::provider) fn is_segment(raw: &str) -> bool {
    (1..=255).contains(&raw.len()) && raw.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = match Value::deserialize(deserializer)? {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            _ => return Err(D::Error::custom("an id is a number or a text")),
        };
        // A floating number has a point, which no id has.
        if is_id(&raw) { Ok(Self(raw)) } else { Err(D::Error::custom("an id has other characters than an id has")) }
    }
}

pub(in crate::provider) fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// A text, or a number as text; whatever else stands there is nothing.
pub(in crate::provider) fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => filled(Some(text)),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

/// Tells null (`Some(Null)`) from left out (`None`).
pub(in crate::provider) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// A time, or nothing: no decision stands on a time that cannot be read.
pub(in crate::provider) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    Ok(Value::deserialize(deserializer)?.as_str().and_then(|text| text.parse().ok()))
}

/// A decimal text (or a number, taken by its digits), or null: a custom price. Anything else
/// is an error, since a price that was misread would be shown as the price.
pub(in crate::provider) fn money<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Money>, D::Error> {
    let text = match Value::deserialize(deserializer)? {
        Value::Null => return Ok(None),
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        _ => return Err(D::Error::custom("a price is a decimal text or null")),
    };
    Money::parse(&text).map(Some).map_err(D::Error::custom)
}

/// Whose token it is, as far as every service tells.
#[derive(Debug, serde::Deserialize)]
pub(in crate::provider) struct UserJson {
    id: Id,
    #[serde(default)]
    email: Option<String>,
}

impl UserJson {
    /// The id, and the address, which may be empty.
    pub(in crate::provider) fn into_parts(self) -> (String, Email) {
        let Self { id, email } = self;
        (id.into_string(), Email::lenient(email.unwrap_or_default()))
    }
}

/// Faults as a map by field, each a text or a list of texts, or as a list of texts or of
/// objects with a message, which go by the name of `errors`. Whatever else stands there says
/// nothing.
pub(in crate::provider) fn faults_by_field(errors: Option<&Value>) -> Vec<(String, Vec<String>)> {
    let text = |fault: &Value| fault.as_str().or_else(|| fault.get("message")?.as_str()).map(str::to_owned);
    let texts = |said: &Value| -> Vec<String> {
        match said {
            Value::Array(all) => all.iter().filter_map(text).collect(),
            one => text(one).into_iter().collect(),
        }
    };
    match errors {
        Some(Value::Object(fields)) => fields.iter().map(|(field, said)| (field.clone(), texts(said))).collect(),
        Some(list @ Value::Array(_)) => {
            let told = texts(list);
            if told.is_empty() { Vec::new() } else { vec![("errors".to_owned(), told)] }
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ids_are_numbers_or_texts_and_one_segment_of_a_path() {
        let id = |value: Value| serde_json::from_value::<Id>(value).ok().map(|id| id.0);
        assert_eq!(id(json!(1385)).as_deref(), Some("1385"));
        assert_eq!(id(json!("a-B_9")).as_deref(), Some("a-B_9"));
        for bad in [json!(null), json!(1.5), json!(""), json!(".."), json!("a/b"), json!("%2e"), json!("x".repeat(65))]
        {
            assert_eq!(id(bad.clone()), None, "{bad}");
        }
    }
}
