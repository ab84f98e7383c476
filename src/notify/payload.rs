//! A note as its receivers take it. Emails are masked, and nothing that a stranger wrote can
//! mention anybody or make a link.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::note::{Kind, Named, Note, Severity};
use crate::domain::mask;
use crate::domain::text::inert;

/// The version of this format: a reader ignores unknown fields and refuses another major.
const FORMAT_VERSION: &str = "1.0";
/// The longest message, in characters.
const LONGEST: usize = 2000;
/// So many clients are named in a line.
const NAMED: usize = 5;

/// What a receiver of JSON gets.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "Notification")]
struct NoteJson {
    format_version: String,
    /// `notification`
    #[serde(rename = "type")]
    what: String,
    kind: Kind,
    /// The condition, where it is a client's: `PaymentRequired`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    severity: Severity,
    /// It is over.
    recovered: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    fleet: Option<String>,
    /// Whom it concerns; nobody is the fleet as a whole.
    clients: Vec<ClientJson>,
    /// What happened, emails masked.
    message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// The commit that the manifests were read from.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    /// When it is told, in RFC 3339.
    at: String,
    /// Since when it is, or was, so, in RFC 3339.
    since: String,
    /// How often it came and went since it was last told.
    times: u32,
    /// The same in one text.
    text: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(title = "NotifiedClient")]
struct ClientJson {
    name: String,
    account_id: Option<String>,
}

/// The JSON Schema of what [`note_json`] writes.
pub fn note_json_schema() -> Value {
    schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<NoteJson>()
        .to_value()
}

/// A note for programs.
pub fn note_json(note: &Note) -> Value {
    let Note { at, kind, reason, recovered, fleet, clients, message, next, revision, since, times } = note;
    let named = |Named { client, account }: &Named| ClientJson {
        name: client.to_string(),
        account_id: account.as_ref().map(|id| id.as_str().to_owned()),
    };
    let json = NoteJson {
        format_version: FORMAT_VERSION.to_owned(),
        what: "notification".to_owned(),
        kind: *kind,
        reason: reason.map(|reason| format!("{reason:?}")),
        severity: if *recovered { Severity::Info } else { kind.severity() },
        recovered: *recovered,
        fleet: fleet.clone(),
        clients: clients.iter().map(named).collect(),
        message: masked(message),
        next: next.as_deref().map(masked),
        revision: revision.clone(),
        at: at.to_string(),
        since: since.to_string(),
        times: *times,
        text: note_text(note),
    };
    serde_json::to_value(json).expect("text keys and plain values only, which always serialise")
}

/// A note in a few lines, emails masked.
pub fn note_text(note: &Note) -> String {
    let Note { at: _, kind, reason: _, recovered, fleet, clients, message, next, revision, since: _, times } = note;
    let fleet = fleet.as_deref().map_or_else(String::new, |fleet| format!("[{}] ", inert(fleet)));
    let sign = match (recovered, kind.severity()) {
        (true, _) => "OK",
        (false, Severity::Info) => "Note",
        (false, Severity::Warning) => "Act",
        (false, Severity::Error) => "Trouble",
    };
    let whom = match &clients[..] {
        [] => String::new(),
        [Named { client, account: Some(id) }] => format!("{client} (account {id}): "),
        [Named { client, account: None }] => format!("{client}: "),
        several => {
            let names: Vec<String> = several.iter().take(NAMED).map(|named| named.client.to_string()).collect();
            let more = several.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("{} clients ({}{more}): ", several.len(), names.join(", "))
        }
    };
    let mut text = format!("{fleet}{sign}: {whom}{}", masked(message));
    if *times > 1 {
        text.push_str(&format!(" (it came and went {times} times since it was last told)"));
    }
    if let Some(next) = next {
        text.push_str(&format!("\nNext: {}", masked(next)));
    }
    if let Some(revision) = revision {
        text.push_str(&format!("\nCommit: {}", revision.chars().take(12).collect::<String>()));
    }
    text
}

fn masked(text: &str) -> String {
    let masked = mask(text);
    if masked.chars().count() <= LONGEST {
        return masked;
    }
    let cut: String = masked.chars().take(LONGEST).collect();
    format!("{cut}...")
}

/// A text as Slack and those who took over its form read it: `&`, `<` and `>` are escaped, so
/// that `<!channel>` and links are text; formatting and previews are off; and a plain `@here`,
/// which others understand, is taken apart.
pub fn slack(text: &str) -> Value {
    let mut safe = String::with_capacity(text.len());
    let mut before = ' ';
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            // An address has something before its `@`.
            '@' if !before.is_alphanumeric() && before != '*' => safe.push_str("@\u{200b}"),
            other => safe.push(other),
        }
        before = c;
    }
    json!({ "text": safe, "mrkdwn": false, "link_names": false, "unfurl_links": false, "unfurl_media": false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_mentions_anybody_or_makes_a_link() {
        for (text, safe) in [
            ("<!channel> & <https://evil.example|x>", "&lt;!channel&gt; &amp; &lt;https://evil.example|x&gt;"),
            ("@channel (@here) @all", "@\u{200b}channel (@\u{200b}here) @\u{200b}all"),
            ("j***@acme.example#3f2a1c", "j***@acme.example#3f2a1c"),
            ("&lt;!here&gt;", "&amp;lt;!here&amp;gt;"),
        ] {
            assert_eq!(slack(text)["text"], safe, "{text}");
        }
    }
}
