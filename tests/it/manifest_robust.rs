//! Unusual and broken YAML, by class: one clear finding at the right place, and bounded output.

use std::fmt::Write as _;

use bursar::manifest::{LoadOptions, Loaded, json_schema, load, render};
use bursar::source::FileSet;
use proptest::prelude::*;

const HEAD: &str = "apiVersion: bursar.dev/v1\nkind: ClientAccount\nmetadata: { name: acme }\nspec:\n  notificationEmail: dns@agency.example\n";

fn loaded(text: impl Into<Vec<u8>>) -> Loaded {
    load(&FileSet::in_memory([("a.yaml", text)]), &LoadOptions::default())
}

/// `code line:column` of each finding.
fn places(text: &str) -> Vec<String> {
    let findings = loaded(text).findings;
    findings.iter().map(|f| format!("{} {}:{}", f.code, f.place.line, f.place.column)).collect()
}

#[test]
fn findings_point_at_the_character_that_is_wrong() {
    let named = |value: &str| format!("{HEAD}  accountName: {value}\n");
    let bad = format!("{}  membrs: []\n", named("Acmé 株"));
    for (text, expected) in [
        // Columns count characters, whatever their bytes, and a byte order mark counts for nothing.
        (format!("\u{feff}# é株\n{bad}").replace('\n', "\r\n"), "BUR0022 8:3"),
        (bad.replace('\n', "\r"), "BUR0022 7:3"),
        (format!("{HEAD}  {{ accountName: \"株\" }}\n"), "BUR0010 6:3"),
        ("{ kind: \"😀é\", x: 1, apiVersion: bursar.dev/v2 }".to_owned(), "BUR0020 1:33"),
        (named("!!str 123"), "BUR0015 6:16"),
        (named("&a Acme"), "BUR0013 6:16"),
        (named("&a"), "BUR0013 6:16"),
        (named("*a"), "BUR0013 6:16"),
        (named("Acme").replace("spec:", "spec: !!map"), "BUR0015 4:7"),
        (named("Acme").replace("  accountName", "\taccountName"), "BUR0011 6:1"),
        (format!("%FOO\n{}", named("Acme")), "BUR0019 1:1"),
        (named("2001-12-14"), "BUR0025 6:16"),
        (named("\"\\ud800\""), "BUR0010 6:16"),
        (named("Ac\0me"), "BUR0010 6:18"),
        (named("|\n    Acme\n    Ltd"), "BUR0027 7:5"),
        (named("Acme").replace("{ name: acme }", "{ name: acme, labels: { no: x } }"), "BUR0025 3:35"),
        (named("Acme").replace("{ name: acme }", "{ name: acme, labels: { wave: 1 } }"), "BUR0025 3:41"),
    ] {
        assert_eq!(places(&text), [expected], "{text}");
    }
}

#[test]
fn tags_are_named_as_they_are_written_and_a_wrong_indentation_is_called_so() {
    let finding = |text: &str| loaded(text).findings.remove(0);
    assert_eq!(finding("!!str a: b\n").message, "the tag `!!str` is not read");
    let help = finding("a:\n   b: 1\n  c: 2\n").help.unwrap();
    assert!(help.starts_with("what belongs together begins in the same column"), "{help}");
}

#[test]
fn unusual_yaml_that_is_valid_is_read() {
    let client = format!("{HEAD}  accountName: Acme\n");
    for text in [
        client.replace("spec:", "\"spec\":").replace("kind:", "'kind':"),
        client.replace('\n', "\r"),
        client.replace('\n', " # c\n"),
        client.replace("accountName: ", "accountName:\t"),
        client.replace("Acme", ">-\n    Acme\n    Ltd"),
        client.replace("Acme", "Acme\n    Ltd"),
        format!("{client}  members:\n  - a@b.example\n... # the end\n"),
        "{\"apiVersion\":\"bursar.dev/v1\",\"kind\":\"ClientAccount\",\"metadata\":{\"name\":\"acme\"},\"spec\":{\"accountName\":\"Acme\",\"notificationEmail\":\"a@b.example\"}}".to_owned(),
        "? apiVersion\n: bursar.dev/v1\n? kind\n: ClientAccount\n? metadata\n: name: acme\n? spec\n: accountName: Acme\n  notificationEmail: a@b.example\n".to_owned(),
    ] {
        let loaded = loaded(text.as_str());
        assert_eq!((loaded.wanted.clients.len(), loaded.findings.len()), (1, 0), "{text}\n{:?}", loaded.findings);
    }
}

/// A hundred findings of a severity, and one that counts the rest, whatever a mebibyte holds.
#[test]
fn a_file_of_nothing_but_faults_is_told_in_a_hundred_findings() {
    for (line, times, total) in
        [("--- a\n", 9_000, "8900"), ("--- [\n", 9_000, "8900"), ("... a\n", 9_000, "8900"), ("%\n", 9_000, "8900")]
    {
        let loaded = loaded(line.repeat(times));
        assert_eq!(loaded.findings.len(), 101, "{line}");
        assert_eq!(loaded.findings[0].to_string(), format!("a.yaml: error[BUR0033]: {total} more errors in this file"));
    }
    let groups = (0..4_000).fold(format!("{HEAD}  accountName: Acme\n  memberGroups:\n"), |mut text, n| {
        let _ = writeln!(text, "    - g{n}");
        text
    });
    assert_eq!(loaded(groups).findings.len(), 101);
    let storm = loaded("--- a\n".repeat(170_000));
    assert_eq!((places_of(&storm), storm.wanted.invalid.len()), (vec!["BUR0004"], 1));
}

fn places_of(loaded: &Loaded) -> Vec<&'static str> {
    loaded.findings.iter().map(|finding| finding.code).collect()
}

fn manifests(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            manifests(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
}

#[test]
fn the_examples_keep_to_the_schema_that_their_modelines_name() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let committed = root.join("schemas/manifest.schema.json").canonicalize().unwrap();
    let schema = jsonschema::validator_for(&json_schema()).unwrap();
    let mut files = Vec::new();
    manifests(&root.join("examples/agency"), &mut files);
    assert!(files.len() >= 10);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let modeline = text.lines().next().and_then(|line| line.strip_prefix("# yaml-language-server: $schema="));
        let named =
            file.parent().unwrap().join(modeline.unwrap_or_else(|| panic!("no modeline in {}", file.display())));
        assert_eq!(named.canonicalize().ok(), Some(committed.clone()), "{}", file.display());
        for document in serde_yaml::from_multiple::<serde_json::Value>(&text).unwrap() {
            let faults: Vec<_> = schema.iter_errors(&document).map(|error| error.to_string()).collect();
            assert_eq!(faults, Vec::<String>::new(), "{}", file.display());
        }
    }
}

/// Text that YAML makes something else of, unless it is quoted.
fn tricky() -> impl Strategy<Value = String> {
    let words = [
        "no",
        "0123",
        "2001-12-14",
        "~",
        "a: b",
        "a #b",
        "- a",
        "'",
        "\"",
        "\\",
        "{x}",
        "é株",
        "Acme",
        "=",
        "%",
        "@a",
        "!t",
        "x  y",
    ];
    proptest::collection::vec(proptest::sample::select(words.to_vec()), 1..4).prop_map(|words| words.join(" "))
}

proptest! {
    /// What `render` prints is valid, means the same, and renders to itself, with the origins too.
    #[test]
    fn rendered_manifests_render_to_themselves(
        clients in proptest::collection::vec((tricky(), tricky(), any::<[bool; 4]>(), 0_u32..5), 1..5),
    ) {
        let mut text = String::from("apiVersion: bursar.dev/v1\nkind: ClientDefaults\nmetadata: { name: d }\nspec: { plan: teams, notificationEmail: \"d+{name}@a.example\" }\n");
        for (n, (name, previous, [own, exclusive, suspend, labels], people)) in clients.iter().enumerate() {
            let quoted = |text: &str| serde_json::to_string(text).unwrap();
            let _ = write!(text, "---\napiVersion: bursar.dev/v1\nkind: ClientAccount\nmetadata: {{ name: c{n}");
            if *labels { let _ = write!(text, ", labels: {{ \"no\": \"1\", wave: \"\" }}"); }
            let _ = write!(text, " }}\nspec:\n  accountName: {}\n  previousNames: [{}]\n  accountId: 7{n}\n", quoted(name), quoted(previous));
            if *own { text.push_str("  plan: none-at-all\n"); }
            if *exclusive { text.push_str("  membership: exclusive\n"); }
            if *suspend { text.push_str("  suspend: true\n"); }
            let people = (0..*people).map(|p| format!("{{ email: \"0{p}@c{n}.example\", access: {} }}", if p % 2 == 0 { "full" } else { "limited" }));
            let _ = writeln!(text, "  members: [{}]", people.collect::<Vec<_>>().join(", "));
        }
        let first = loaded(text.as_str());
        prop_assert!(!first.has_errors(), "{text}\n{:?}", first.findings);
        for with_origins in [false, true] {
            let once = render(&first, with_origins).unwrap();
            let again = loaded(once.as_str());
            prop_assert!(!again.has_errors(), "{once}\n{:?}", again.findings);
            prop_assert_eq!(render(&again, false).unwrap(), render(&first, false).unwrap());
        }
    }
}
