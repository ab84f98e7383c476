//! The findings of `validate` as other programs take them: SARIF and GitHub's annotations.

use std::fs;
use std::process::Output;

use serde_json::{Value, json};

use crate::support;

fn bursar(args: &[&str]) -> Output {
    support::bursar(args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The parts of the published 2.1.0 schema that a run of results needs.
fn required_parts() -> Value {
    let message =
        json!({"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}});
    let place = json!({
        "type": "object",
        "required": ["artifactLocation"],
        "properties": {
            "artifactLocation": {"type": "object", "required": ["uri"], "properties": {"uri": {"type": "string", "format": "uri-reference"}}},
            "region": {"type": "object", "required": ["startLine"], "properties": {
                "startLine": {"type": "integer", "minimum": 1},
                "startColumn": {"type": "integer", "minimum": 1}
            }}
        }
    });
    let location = json!({"type": "object", "properties": {
        "id": {"type": "integer", "minimum": -1}, "message": message, "physicalLocation": place
    }});
    let rule = json!({"type": "object", "required": ["id"], "properties": {
        "id": {"type": "string"},
        "shortDescription": message,
        "fullDescription": message,
        "defaultConfiguration": {"type": "object", "properties": {"level": {"enum": ["none", "note", "warning", "error"]}}}
    }});
    let result = json!({"type": "object", "required": ["message"], "properties": {
        "ruleId": {"type": "string"},
        "ruleIndex": {"type": "integer", "minimum": -1},
        "level": {"enum": ["none", "note", "warning", "error"]},
        "message": message,
        "locations": {"type": "array", "items": location},
        "relatedLocations": {"type": "array", "uniqueItems": true, "items": location}
    }});
    let run = json!({"type": "object", "required": ["tool"], "properties": {
        "tool": {"type": "object", "required": ["driver"], "properties": {"driver": {
            "type": "object", "required": ["name"], "properties": {
                "name": {"type": "string"},
                "semanticVersion": {"type": "string"},
                "rules": {"type": "array", "uniqueItems": true, "items": rule}
            }
        }}},
        "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
        "results": {"type": "array", "items": result}
    }});
    json!({"type": "object", "required": ["version", "runs"], "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"enum": ["2.1.0"]},
        "runs": {"type": "array", "items": run}
    }})
}

#[test]
fn sarif_has_the_required_parts_for_every_class_of_mistake() {
    let schema = jsonschema::validator_for(&required_parts()).unwrap();
    let output = bursar(&["validate", "-o", "sarif", "./examples/broken/"]);
    assert_eq!(output.status.code(), Some(1));
    let sarif: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let faults: Vec<String> = schema.iter_errors(&sarif).map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    let run = &sarif["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    assert!(rules.len() > 30 && results.len() >= rules.len(), "{} rules, {} results", rules.len(), results.len());
    for result in results {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        let uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap();
        assert!(uri.starts_with("examples/broken/"), "{uri}: from where the command runs");
    }
}

#[test]
fn sarif_names_file_line_and_column() {
    let output = bursar(&["validate", "-o", "sarif", "examples/broken/unknown-field.yaml"]);
    let sarif: Value = serde_json::from_str(&stdout(&output)).unwrap();
    insta::assert_json_snapshot!(sarif["runs"][0]["results"], @r#"
    [
      {
        "ruleId": "BUR0022",
        "level": "error",
        "message": {
          "text": "unknown field `memebrs` in spec\ndid you mean `members`?"
        },
        "locations": [
          {
            "physicalLocation": {
              "artifactLocation": {
                "uri": "examples/broken/unknown-field.yaml"
              },
              "region": {
                "startLine": 9,
                "startColumn": 3
              }
            }
          }
        ],
        "ruleIndex": 0
      }
    ]
    "#);
    let clean = bursar(&["validate", "-o", "sarif", "examples/agency"]);
    let sarif: Value = serde_json::from_str(&stdout(&clean)).unwrap();
    assert_eq!((clean.status.code(), &sarif["runs"][0]["results"]), (Some(0), &json!([])));
}

#[test]
fn annotations_stand_at_file_and_line() {
    let output = bursar(&["validate", "-o", "github", "examples/broken/unknown-field.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(stdout(&output), @"::error file=examples/broken/unknown-field.yaml,line=9,col=3,title=BUR0022%3A Unknown field::unknown field `memebrs` in spec%0Adid you mean `members`?");
}

/// A pull request may name its files and write its manifests as it likes.
#[test]
fn no_file_and_no_manifest_can_give_a_command_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a,line=1::x\n::set-output name=token::y %0A.yaml");
    fs::write(&file, "apiVersion: bursar.dev/v1\nkind: \"::error::\\n::stop-commands::x\"\nmetadata: { name: acme }\n")
        .unwrap();
    let output = bursar(&["validate", "-o", "github", &folder.path().display().to_string()]);
    let text = stdout(&output);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1, "{text}");
    let place = file.display().to_string();
    let place = place.replace('%', "%25").replace('\n', "%0A").replace(':', "%3A").replace(',', "%2C");
    assert!(lines[0].starts_with(&format!("::error file={place},line=2,col=7,title=BUR")), "{text}");
    let sarif = bursar(&["validate", "-o", "sarif", &folder.path().display().to_string()]);
    let sarif: Value = serde_json::from_str(&stdout(&sarif)).unwrap();
    let uri = sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str();
    assert!(
        uri.is_some_and(|uri| uri.ends_with("a,line=1%3A%3Ax%0A%3A%3Aset-output%20name=token%3A%3Ay%20%250A.yaml"))
    );
}
