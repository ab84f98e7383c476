//! A note as its receivers take it. Emails are masked, and nothing that a stranger wrote can
//! mention anybody or make a link in a text that a chat shows.

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
    /// The same in one text, made for chats: `&`, `<` and `>` are escaped, and what would
    /// mention somebody or make a link is taken apart.
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
        text: harmless(&note_text(note)),
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

/// A text as Slack and those who took over its form read it; formatting and previews are off.
pub fn slack(text: &str) -> Value {
    let text = harmless(text);
    json!({ "text": text, "mrkdwn": false, "link_names": false, "unfurl_links": false, "unfurl_media": false })
}

/// A text that a chat shows and does nothing else with. `&`, `<` and `>` are escaped, so that
/// `<!channel>` and `<URL|words>` are text. What others make a mention or a link of is taken
/// apart by a space without width: behind every `@` and `~`, for some find `@channel` even in
/// the mask of an address; and within `](`, `://` and `www.`.
fn harmless(text: &str) -> String {
    const APART: char = '\u{200b}';
    let mut safe = String::with_capacity(text.len());
    let mut word = String::new();
    for (at, c) in text.char_indices() {
        let next = &text[at + c.len_utf8()..];
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            other => safe.push(other),
        }
        let parts = match c {
            '@' | '~' => true,
            ']' => next.starts_with('('),
            ':' => next.starts_with("//"),
            '.' => word.eq_ignore_ascii_case("www"),
            _ => false,
        };
        if parts {
            safe.push(APART);
        }
        if c.is_alphanumeric() {
            word.push(c);
        } else {
            word.clear();
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_mentions_anybody_or_makes_a_link() {
        for (text, safe) in [
            ("<!channel> & <evil.example|x>", "&lt;!channel&gt; &amp; &lt;evil.example|x&gt;"),
            ("@channel (@here) @all *@here", "@|channel (@|here) @|all *@|here"),
            ("x***@channel y***@here.example#3f2a1c", "x***@|channel y***@|here.example#3f2a1c"),
            ("&lt;!here&gt;", "&amp;lt;!here&amp;gt;"),
            ("https://evil.example and www.evil.example", "https:|//evil.example and www.|evil.example"),
            ("(WWW.evil.example) awww.", "(WWW.|evil.example) awww."),
            ("[pay](evil) ![x](y) ~town-square", "[pay]|(evil) ![x]|(y) ~|town-square"),
            ("Société Générale, 29.00 a month: [x] (y)", "Société Générale, 29.00 a month: [x] (y)"),
        ] {
            let safe = safe.replace('|', "\u{200b}").replace(".example\u{200b}x", ".example|x");
            assert_eq!(slack(text)["text"], safe, "{text}");
        }
    }

    #[test]
    fn the_text_beside_the_json_does_nothing_either_and_the_rest_is_as_it_is() {
        let note = Note {
            at: jiff::Timestamp::UNIX_EPOCH,
            kind: Kind::Blocked,
            reason: None,
            recovered: false,
            fleet: None,
            clients: Vec::new(),
            message: "account \"*@here [a](https://evil.example) <!all>\"".to_owned(),
            next: None,
            revision: None,
            since: jiff::Timestamp::UNIX_EPOCH,
            times: 1,
        };
        let json = note_json(&note);
        assert_eq!(json["text"], slack(&note_text(&note))["text"]);
        let text = "Act: account \"*@|here [a]|(https:|//evil.example) &lt;!all&gt;\"";
        assert_eq!(json["text"], text.replace('|', "\u{200b}"));
        assert_eq!(json["message"], note.message);
    }
}
