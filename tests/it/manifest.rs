//! The commands on manifests over the real binary, and the files that are generated from them.

use std::path::{Path, PathBuf};
use std::process::Output;

use bursar::manifest::{LoadOptions, codes, json_schema, load};
use bursar::source::FileSet;

/// Runs the binary in an empty environment, from the root of the project.
pub fn bursar(args: &[&str]) -> Output {
    bursar_in(Path::new(env!("CARGO_MANIFEST_DIR")), args)
}

pub fn bursar_in(folder: &Path, args: &[&str]) -> Output {
    assert_cmd::Command::cargo_bin("bursar").unwrap().args(args).current_dir(folder).env_clear().output().unwrap()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The good manifests of these tests: every kind, every field.
const GOOD: &str = r#"apiVersion: bursar.dev/v1
kind: ClientAccount
metadata: { name: acme, labels: { wave: canary } }
spec:
  accountName: Acme Corporation
  notificationEmail: dns+{name}@agency.example
  plan: teams
  members:
    - jane@acme.example
    - { email: ops@acme.example, access: limited }
  memberGroups: [on-call]
  membership: exclusive
  accountId: 1385
  previousNames: [Acme Inc]
  previousNotificationEmails: ["hosting@agency.example"]
  suspend: false
---
apiVersion: bursar.dev/v1
kind: MemberGroup
metadata: { name: on-call }
spec: { members: [pat@agency.example] }
---
apiVersion: bursar.dev/v1
kind: ClientDefaults
metadata: { name: defaults }
spec: { plan: teams-v2-monthly, notificationEmail: "dns+{name}@agency.example", memberGroups: [on-call] }
---
apiVersion: bursar.dev/v1
kind: Offboarding
metadata: { name: kim-leaves }
spec: { people: [kim@agency.example], reason: left the agency }
---
apiVersion: bursar.dev/v1
kind: ClientAccount
metadata: { name: globex }
spec: { accountName: "Globex: Ltd", memberGroups: [] }
"#;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

#[test]
fn good_manifests_validate_in_silence() {
    let folder = folder(&[("all.yaml", GOOD)]);
    let output = bursar_in(folder.path(), &["validate"]);
    assert_eq!((stdout(&output).as_str(), stderr(&output).as_str()), ("1 file, 2 clients, 0 errors, 0 warnings\n", ""));
    assert!(output.status.success());
}

#[test]
fn render_folds_defaults_and_groups_in_and_tells_where_each_value_comes_from() {
    let folder = folder(&[("all.yaml", GOOD)]);
    let output = bursar_in(folder.path(), &["render", "--origins"]);
    insta::assert_snapshot!(stdout(&output), @r##"
    apiVersion: bursar.dev/v1
    kind: ClientAccount
    metadata:
      name: acme # all.yaml:1, own
      labels:
        wave: canary
    spec:
      accountName: Acme Corporation # all.yaml:5, own
      notificationEmail: dns+acme@agency.example # all.yaml:6, own
      plan: teams # all.yaml:7, own
      members:
        - jane@acme.example # all.yaml:9, own
        - { email: ops@acme.example, access: limited } # all.yaml:10, own
        - pat@agency.example # all.yaml:21, group on-call
      membership: exclusive # all.yaml:12, own
      accountId: "1385" # all.yaml:13, own
      previousNames: # all.yaml:14, own
        - Acme Inc
      previousNotificationEmails: # all.yaml:15, own
        - hosting@agency.example
      suspend: false # all.yaml:16, own
    ---
    apiVersion: bursar.dev/v1
    kind: ClientAccount
    metadata:
      name: globex # all.yaml:33, own
    spec:
      accountName: "Globex: Ltd" # all.yaml:36, own
      notificationEmail: dns+globex@agency.example # all.yaml:26, defaults defaults
      plan: teams-v2-monthly # all.yaml:26, defaults defaults
    "##);
}

#[test]
fn what_render_prints_is_a_manifest_that_renders_to_itself() {
    let first = folder(&[("all.yaml", GOOD)]);
    let once = stdout(&bursar_in(first.path(), &["render"]));
    let second = folder(&[("rendered.yaml", &once)]);
    let again = bursar_in(second.path(), &["render"]);
    assert_eq!(stdout(&again), once);
    assert!(again.status.success(), "{}", stderr(&again));
}

#[test]
fn the_nearest_defaults_win_and_reach_their_own_folder_and_below() {
    let defaults = |plan: &str| {
        format!(
            "apiVersion: bursar.dev/v1\nkind: ClientDefaults\nmetadata: {{ name: d }}\nspec: {{ plan: {plan}, notificationEmail: \"x+{{name}}@agency.example\" }}\n"
        )
    };
    let client = |name: &str| {
        format!(
            "apiVersion: bursar.dev/v1\nkind: ClientAccount\nmetadata: {{ name: {name} }}\nspec: {{ accountName: The {name} }}\n"
        )
    };
    let files = FileSet::in_memory([
        ("defaults.yaml".to_owned(), defaults("outer")),
        ("near/defaults.yaml".to_owned(), defaults("inner")),
        ("top.yaml".to_owned(), client("top")),
        ("near/a.yaml".to_owned(), client("a")),
        ("near/below/b.yaml".to_owned(), client("b")),
        ("nearby/c.yaml".to_owned(), client("c")),
    ]);
    let loaded = load(&files, &LoadOptions::default());
    assert_eq!(loaded.findings, []);
    let plans: Vec<_> = loaded.wanted.clients.iter().map(|c| format!("{} {:?}", c.name, c.plan)).collect();
    assert_eq!(plans, ["a Choice(\"inner\")", "b Choice(\"inner\")", "c Choice(\"outer\")", "top Choice(\"outer\")"]);
}

#[test]
fn json_findings_carry_code_place_and_help() {
    let output = bursar(&["validate", "-o", "json", "examples/broken/unknown-field.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(stdout(&output), @r##"
    {
      "format_version": "1.0",
      "findings": [
        {
          "code": "BUR0022",
          "severity": "error",
          "message": "unknown field `memebrs` in spec",
          "help": "did you mean `members`?",
          "file": "examples/broken/unknown-field.yaml",
          "line": 9,
          "column": 3,
          "related": []
        }
      ]
    }
    "##);
}

#[test]
fn warnings_fail_only_where_strict() {
    let path = "examples/broken/shared-domain.yaml";
    assert_eq!(bursar(&["validate", path]).status.code(), Some(0));
    assert_eq!(bursar(&["validate", path, "--strict"]).status.code(), Some(1));
    let own = bursar(&["validate", path, "--strict", "--own-domain", "Acme.example"]);
    assert_eq!(stdout(&own), "1 file, 2 clients, 0 errors, 0 warnings\n");
}

#[test]
fn standard_input_is_read() {
    let output = assert_cmd::Command::cargo_bin("bursar")
        .unwrap()
        .args(["validate", "-"])
        .env_clear()
        .write_stdin("kind: ClientAccount\n")
        .output()
        .unwrap();
    let shown = stdout(&output);
    assert!(shown.contains("--> <stdin>:1:1") && output.status.code() == Some(1), "{shown}");
}

#[test]
fn an_empty_folder_is_no_error_and_a_missing_one_is() {
    let folder = folder(&[]);
    let empty = bursar_in(folder.path(), &["validate"]);
    assert_eq!(stdout(&empty), "0 files, 0 clients, 0 errors, 0 warnings\n");
    assert!(empty.status.success() && stderr(&empty).starts_with("Warning: no manifests found"));
    let gone = bursar_in(folder.path(), &["validate", "gone"]);
    assert_eq!(gone.status.code(), Some(1));
    insta::assert_snapshot!(stderr(&gone), @r##"
    Error: cannot read gone
    Caused by: No such file or directory (os error 2)
    Hint: name the folder of manifests, a manifest file, or - for standard input
    "##);
}

/// The documents of a text as the schema sees them, by an independent reading.
fn as_json(text: &str) -> Vec<serde_json::Value> {
    serde_yaml::from_multiple(text).unwrap()
}

#[test]
fn the_schema_takes_the_good_manifests_and_refuses_what_it_can_see() {
    let schema = jsonschema::validator_for(&json_schema()).unwrap();
    for document in as_json(GOOD) {
        let faults: Vec<_> = schema.iter_errors(&document).map(|error| error.to_string()).collect();
        assert_eq!(faults, Vec::<String>::new(), "{document}");
    }
    for name in [
        "unknown-field",
        "wrong-type",
        "empty-value",
        "unknown-value",
        "missing-field",
        "api-version",
        "kind",
        "name",
        "two-faults",
    ] {
        let text = std::fs::read_to_string(root().join(format!("examples/broken/{name}.yaml"))).unwrap();
        assert!(as_json(&text).iter().any(|document| !schema.is_valid(document)), "{name}");
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

mod generated_manifest {
    use super::*;

    /// Compares a committed file with what it is to be; `BURSAR_RENEW=1` writes it.
    fn check(path: &str, expected: &str) {
        let file = root().join(path);
        if std::env::var_os("BURSAR_RENEW").is_some() {
            std::fs::write(&file, expected).unwrap();
        }
        let committed = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            committed == expected,
            "{path} is out of date; renew it with: BURSAR_RENEW=1 cargo test --test it generated"
        );
    }

    #[test]
    fn schema_of_manifests() {
        let printed = stdout(&bursar(&["schema", "manifest"]));
        check("schemas/manifest.schema.json", &printed);
    }

    #[test]
    fn page_of_findings() {
        check("docs/findings.md", &codes::document());
    }

    /// Every example of `examples/broken` with the whole output that it gives.
    #[test]
    fn broken_examples() {
        let mut names: Vec<_> = std::fs::read_dir(root().join("examples/broken"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "README.md")
            .collect();
        names.sort();
        let mut page = String::from(
            "# Broken manifests\n\nOne example of each class of mistake, with what `bursar validate` says of it.\nThe codes are explained in [findings.md](../../docs/findings.md).\n\n<!-- Generated. Renew with: BURSAR_RENEW=1 cargo test --test it generated -->\n",
        );
        for name in &names {
            let output = bursar(&["validate", &format!("examples/broken/{name}")]);
            let text = stdout(&output);
            let errors = !text.trim_end().contains(", 0 errors,");
            assert_eq!(output.status.code(), Some(i32::from(errors)), "{name}: {}", stderr(&output));
            page.push_str(&format!("\n## `{name}`\n\n```text\n$ bursar validate examples/broken/{name}\n{text}```\n"));
        }
        check("examples/broken/README.md", &page);

        // Shown elsewhere, since a repository cannot hold such files or they would be too long to read.
        let elsewhere = ["BUR0001", "BUR0002", "BUR0003", "BUR0004", "BUR0033", "BUR0053"];
        for code in codes::ALL {
            let shown = page.contains(&format!("[{}]", code.id));
            assert_eq!(shown, !elsewhere.contains(&code.id), "{} {}", code.id, code.title);
        }
    }
}
