//! Findings as SARIF 2.1.0, for code scanning and editors.

use serde_json::{Value, json};

use super::codes::{self, Code};
use super::finding::{Finding, Place, Severity};

/// Where the format is described.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// One run with every finding. The rules are those of the findings, each once.
pub fn sarif(findings: &[Finding]) -> Value {
    let used: Vec<&Code> =
        codes::ALL.iter().copied().filter(|code| findings.iter().any(|finding| finding.code == code.id)).collect();
    let results: Vec<Value> = findings.iter().map(|finding| result(finding, &used)).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "bursar",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": used.iter().map(|code| rule(code)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rule(code: &Code) -> Value {
    json!({
        "id": code.id,
        "shortDescription": {"text": code.title},
        "fullDescription": {"text": code.explanation},
        "defaultConfiguration": {"level": level(code.severity)},
    })
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn result(finding: &Finding, used: &[&Code]) -> Value {
    let Finding { code, severity, message, help, place, related } = finding;
    let text = help.as_ref().map_or_else(|| message.clone(), |help| format!("{message}\n{help}"));
    let mut result = json!({
        "ruleId": code,
        "level": level(*severity),
        "message": {"text": text},
        "locations": [{"physicalLocation": location(place)}],
    });
    if let Some(index) = used.iter().position(|rule| rule.id == *code) {
        result["ruleIndex"] = json!(index);
    }
    if !related.is_empty() {
        let places = related.iter().enumerate();
        let places: Vec<Value> = places
            .map(|(id, (place, message))| {
                json!({"id": id, "message": {"text": message}, "physicalLocation": location(place)})
            })
            .collect();
        result["relatedLocations"] = json!(places);
    }
    result
}

fn location(place: &Place) -> Value {
    let mut location = json!({"artifactLocation": {"uri": uri(&place.file)}});
    if place.line > 0 {
        location["region"] = json!({"startLine": place.line, "startColumn": place.column.max(1)});
    }
    location
}

/// A path as a relative reference: what does not stand for itself in one is written `%41`.
fn uri(file: &str) -> String {
    let file = if file == "-" { "stdin" } else { file };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=@".contains(&byte);
    let mut out = String::with_capacity(file.len());
    for byte in file.bytes() {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
