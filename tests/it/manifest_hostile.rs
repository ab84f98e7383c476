//! Bad manifests and hostile folders: refused in bounded time, told in one line, everybody else unaffected.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use bursar::domain::AccountName;
use bursar::manifest::{LoadOptions, Loaded, load};
use bursar::source::{FileSet, Problem, SourceFile, folder};

use proptest::strategy::Strategy as _;

use super::manifest::{bursar_in, stdout};

/// A valid client that must not be affected by what stands beside it.
const GOOD: &str = "apiVersion: bursar.dev/v1\nkind: ClientAccount\nmetadata: { name: good }\nspec: { accountName: Good, notificationEmail: dns@agency.example }\n";

fn client(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: bursar.dev/v1\nkind: ClientAccount\nmetadata: {{ name: {name} }}\nspec:\n  notificationEmail: dns@agency.example\n{spec}"
    )
}

fn loaded<B: Into<Vec<u8>>>(files: impl IntoIterator<Item = (&'static str, B)>) -> Loaded {
    load(&FileSet::in_memory(files), &LoadOptions::default())
}

fn codes(loaded: &Loaded) -> Vec<&'static str> {
    loaded.findings.iter().map(|finding| finding.code).collect()
}

/// Loads a bad file beside the good client; returns the codes.
fn beside_good(bad: impl Into<Vec<u8>>) -> Vec<&'static str> {
    let began = Instant::now();
    let loaded = loaded([("bad.yaml", bad.into()), ("good.yaml", GOOD.into())]);
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    let names: Vec<_> = loaded.wanted.clients.iter().map(|client| client.name.as_str()).collect();
    assert_eq!(names, ["good"], "{:?}", loaded.findings);
    for finding in &loaded.findings {
        let shown = finding.render(false);
        assert!(!shown.contains(['\u{1b}', '\u{202e}', '\r']), "{shown:?}");
    }
    codes(&loaded)
}

#[test]
fn what_is_too_large_or_too_deep_is_refused_in_bounded_time() {
    let bomb = (1..9).fold("a: &a0 [lol]\n".to_owned(), |text, n| {
        format!("{text}b{n}: &a{n} [{}]\n", format!("*a{}, ", n - 1).repeat(9))
    });
    for (bad, code) in [
        ("[".repeat(64 * 1024), "BUR0016"),
        ("- ".repeat(32 * 1024), "BUR0016"),
        ((0..300).map(|n| format!("{}a:\n", " ".repeat(n))).collect(), "BUR0016"),
        (format!("a: {}", "x".repeat(100 * 1024)), "BUR0004"),
        (format!("a: {}", "x".repeat(1024 * 1024 - 10)), "BUR0004"),
        (bomb, "BUR0013"),
    ] {
        let found = beside_good(bad);
        assert!(found.contains(&code), "{code}: {found:?}");
    }
}

#[test]
fn of_a_document_full_of_faults_fifty_are_shown_and_the_rest_counted() {
    let spec: String = (0..2_000).fold("  accountName: Acme\n".to_owned(), |mut spec, n| {
        let _ = writeln!(spec, "  f{n}: 1");
        spec
    });
    let loaded = loaded([("bad.yaml", client("acme", &spec))]);
    assert_eq!(loaded.findings.len(), 51);
    let last = loaded.findings.iter().find(|finding| finding.code == "BUR0033").unwrap();
    assert_eq!(last.message, "1950 more findings in this document");
}

#[test]
fn more_than_1024_documents_in_a_file_are_read() {
    let text: String = (0..2_000).fold(String::new(), |text, n| {
        text + &format!("---\napiVersion: bursar.dev/v1\nkind: ClientAccount\nmetadata: {{ name: c{n} }}\nspec: {{ accountName: C{n}, notificationEmail: dns@agency.example }}\n")
    });
    let loaded = loaded([("all.yaml", text)]);
    assert_eq!((loaded.wanted.clients.len(), loaded.findings.len()), (2_000, 0));
}

#[test]
fn encodings_other_than_utf8_are_refused_and_bom_and_crlf_are_fine() {
    assert_eq!(beside_good([0xFF, 0xFE, b'a', 0]), ["BUR0005"]);
    assert_eq!(beside_good([b'a', 0, b':', 0, b' ', 0]), ["BUR0005"]);
    assert_eq!(beside_good(b"a: \xC3\x28\n"), ["BUR0005"]);
    assert_eq!(beside_good("a:\n\t- b\n"), ["BUR0011"]);
    assert_eq!(beside_good("# fine\n...\nkind: x\n"), ["BUR0012"]);
    let windows = format!("\u{feff}{}", client("acme", "  accountName: Acme\n").replace('\n', "\r\n"));
    let loaded = loaded([("windows.yaml", windows)]);
    assert_eq!((loaded.wanted.clients.len(), loaded.findings.len()), (1, 0), "{:?}", loaded.findings);
}

#[test]
fn duplicate_keys_are_found_at_any_depth() {
    for spec in [
        "  accountName: A\n  accountName: B\n",
        "  accountName: A\n  members:\n    - { email: a@x.example, email: b@x.example }\n",
        "  accountName: A\n  x: { y: { z: 1, z: 2 } }\n",
    ] {
        assert!(beside_good(client("acme", spec)).contains(&"BUR0017"), "{spec}");
    }
    let labels =
        client("acme", "  accountName: A\n").replace("{ name: acme }", "{ name: acme, labels: { a: b, a: c } }");
    assert_eq!(beside_good(labels), ["BUR0017"]);
}

#[test]
fn account_names_that_cannot_be_told_apart_take_each_other_out() {
    for (a, b) in
        [("Acme", "ACME"), ("\"Caf\\u00E9\"", "\"Cafe\\u0301\""), ("Acme", "\"Acme \""), ("Acme Ltd", "Acme  Ltd")]
    {
        let [one, two] =
            [("one", a), ("two", b)].map(|(name, value)| client(name, &format!("  accountName: {value}\n")));
        let loaded = loaded([("one.yaml", one), ("two.yaml", two), ("x.yaml", GOOD.to_owned())]);
        assert_eq!(codes(&loaded).iter().filter(|code| **code == "BUR0047").count(), 2, "{a} {b}");
        assert_eq!((loaded.wanted.clients.len(), loaded.wanted.invalid.len()), (1, 2));
    }
}

#[test]
fn two_clients_of_one_account_name_are_fine_with_ids() {
    let [one, two] =
        ["1", "2"].map(|id| client(&format!("c{id}"), &format!("  accountName: Acme\n  accountId: {id}\n")));
    let loaded = loaded([("one.yaml", one), ("two.yaml", two)]);
    assert_eq!((loaded.wanted.clients.len(), codes(&loaded)), (2, vec![]));
}

#[test]
fn names_in_several_alphabets_are_fine_where_people_write_them_so() {
    for name in ["Société Générale", "株式会社 アクメ", "株式会社ABC", "ООО Ромашка", "Müller & Söhne", "Ελληνική Co"]
    {
        let loaded = loaded([("a.yaml", client("a", &format!("  accountName: {name}\n")))]);
        assert_eq!((loaded.wanted.clients.len(), codes(&loaded)), (1, vec![]), "{name}");
    }
}

#[test]
fn names_with_characters_that_act_or_without_end_are_refused() {
    for name in
        ["\"a\\x00b\"", "\"a\\e[2Jb\"", "\"a\\u202Eb\"", "\"a\\u200Bb\"", "\"a\\nb\"", "\"  \"", &"x".repeat(10_000)]
    {
        assert_eq!(beside_good(client("acme", &format!("  accountName: {name}\n"))), ["BUR0027"], "{name}");
    }
    // A raw escape character in the file, too.
    let found = beside_good(client("acme", "  accountName: a\u{1b}[31mb\n"));
    assert!(found == ["BUR0027"] || found == ["BUR0010"], "{found:?}");
}

#[test]
fn five_thousand_clients_and_ten_thousand_members_are_read_in_seconds() {
    let clients: String = (0..5_000)
        .fold(String::new(), |text, n| text + "---\n" + &client(&format!("c{n}"), &format!("  accountName: C{n}\n")));
    let half = clients.match_indices("---\n").nth(2_500).unwrap().0;
    let groups: String = (0..10).fold(String::new(), |text, group| {
        let people: String = (0..1_000).map(|n| format!("  - p{}@x.example\n", group * 1_000 + n)).collect();
        text + &format!("---\napiVersion: bursar.dev/v1\nkind: MemberGroup\nmetadata: {{ name: g{group} }}\nspec:\n  members:\n{people}")
    });
    let large = client("large", "  accountName: Large\n  memberGroups: [g0, g1, g2, g3, g4, g5, g6, g7, g8, g9]\n");
    let began = Instant::now();
    let loaded = loaded([
        ("a.yaml", clients[..half].to_owned()),
        ("b.yaml", clients[half..].to_owned()),
        ("groups.yaml", groups),
        ("large.yaml", large),
    ]);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!((loaded.wanted.clients.len(), codes(&loaded)), (5_001, vec![]));
    let members = loaded.wanted.clients.iter().map(|client| client.members.len()).max();
    assert_eq!(members, Some(10_000));
}

#[test]
fn a_document_that_cannot_be_read_takes_out_what_depends_on_it() {
    let defaults = "apiVersion: bursar.dev/v1\nkind: ClientDefaults\nmetadata: { name: d }\nspec: { plan: [ }\n";
    let group = "apiVersion: bursar.dev/v1\nkind: MemberGroup\nmetadata: { name: on-call }\nspec: { members: [x] }\n";
    let out = |files: Vec<(&'static str, String)>| {
        let loaded = loaded(files);
        let valid: Vec<_> = loaded.wanted.clients.iter().map(|client| client.name.to_string()).collect();
        let invalid: Vec<_> = loaded.wanted.invalid.iter().filter_map(|invalid| invalid.name.clone()).collect();
        (valid.join(" "), invalid.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
    };
    let named = |name: &str| client(name, &format!("  accountName: {name}\n"));
    let joins = |name: &str, group: &str| client(name, &format!("  accountName: {name}\n  memberGroups: [{group}]\n"));
    assert_eq!(
        out(vec![
            ("in/d.yaml", defaults.into()),
            ("in/a.yaml", named("a")),
            ("in/x/b.yaml", named("b")),
            ("c.yaml", named("c"))
        ]),
        ("c".into(), "a d b".into()),
    );
    assert_eq!(
        out(vec![("g.yaml", group.into()), ("a.yaml", joins("a", "on-call")), ("b.yaml", named("b"))]),
        ("b".into(), "a".into()),
    );
    let broken = group.replace("[x]", "[");
    assert_eq!(
        out(vec![("g.yaml", broken), ("a.yaml", joins("a", "on-call")), ("b.yaml", named("b"))]),
        ("b".into(), "a on-call".into()),
    );
    // Misspelt kinds may be the defaults that are missing, too.
    let misspelt = defaults.replace("[ }", "teams }").replace("ClientDefaults", "ClientDefualts");
    assert_eq!(out(vec![("d.yaml", misspelt), ("a.yaml", named("a"))]), (String::new(), "a d".into()));
}

#[test]
fn a_broken_document_leaves_the_others_of_its_file_and_says_what_it_seems_to_be() {
    let text = format!("{}  x: [\n---\n{GOOD}", client("acme", "  accountName: Acme\n"));
    let loaded = loaded([("all.yaml", text)]);
    assert_eq!(loaded.wanted.clients.len(), 1);
    let invalid = &loaded.wanted.invalid[0];
    assert_eq!(invalid.name.as_ref().unwrap().as_str(), "acme");
    assert_eq!(invalid.account_name, Some(AccountName::new("Acme")));
    assert!(invalid.whole_file && invalid.source.line == 1);
}

fn names(set: &FileSet) -> Vec<String> {
    set.files().iter().map(|file| format!("{}{}", file.name, if file.content.is_ok() { "" } else { " !" })).collect()
}

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn hidden_files_and_other_names_are_skipped_and_a_folder_may_look_like_a_file() {
    let root = tempfile::tempdir().unwrap();
    for name in ["b.yml", "a/x.yaml", "folder.yaml/c.yaml", ".hidden.yaml", ".git/d.yaml", "README.md", "e.yaml.bak"] {
        write(root.path(), name, GOOD);
    }
    let set = folder::read(&[root.path().to_owned()]).unwrap();
    assert_eq!(names(&set), ["a/x.yaml", "b.yml", "folder.yaml/c.yaml"]);
    let real = root.path().canonicalize().unwrap();
    assert!(
        ["", "a", "folder.yaml"].iter().all(|below| set.watched().contains(&real.join(below).components().collect()))
    );
}

#[cfg(unix)]
#[test]
fn links_stay_inside_the_folder_and_what_stands_outside_is_never_shown() {
    use std::os::unix::fs::symlink;
    let outside = tempfile::tempdir().unwrap();
    write(outside.path(), "secret.yaml", "SECRET: [");
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "good.yaml", GOOD);
    write(root.path(), "..data/mounted.yaml", &GOOD.replace("good", "mounted").replace("Good", "Mounted"));
    symlink("..data/mounted.yaml", root.path().join("mounted.yaml")).unwrap();
    symlink("good.yaml", root.path().join("same.yaml")).unwrap();
    symlink(".", root.path().join("circle")).unwrap();
    symlink("loop.yaml", root.path().join("loop.yaml")).unwrap();
    symlink("gone", root.path().join("nowhere.yaml")).unwrap();
    symlink(outside.path().join("secret.yaml"), root.path().join("file.yaml")).unwrap();
    symlink(outside.path(), root.path().join("outer")).unwrap();
    symlink("/etc/hostname", root.path().join("notes.txt")).unwrap();

    let set = folder::read(&[root.path().to_owned()]).unwrap();
    let expected = ["file.yaml !", "good.yaml", "loop.yaml !", "mounted.yaml", "nowhere.yaml !", "outer !"];
    assert_eq!(names(&set), expected);
    let output = bursar_in(root.path(), &["validate"]);
    let shown = stdout(&output);
    assert!(!shown.contains("SECRET") && !shown.contains(&*outside.path().to_string_lossy()), "{shown}");
    assert!(shown.contains("this symbolic link leaves the folder of manifests"), "{shown}");
    assert_eq!(output.status.code(), Some(1));
}

#[cfg(unix)]
#[test]
fn a_pipe_is_not_waited_for_and_a_name_with_escape_sequences_is_inert() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "a\u{1b}[31m\n.yaml", "kind: [");
    let made = std::process::Command::new("mkfifo").arg(root.path().join("pipe.yaml")).status().unwrap();
    assert!(made.success());
    let output = bursar_in(root.path(), &["validate"]);
    let shown = stdout(&output);
    assert!(shown.contains("this is a pipe, not a file") && shown.contains("a\\u{1b}[31m\\u{a}.yaml"), "{shown}");
    assert!(!shown.contains('\u{1b}'));
}

#[test]
fn a_file_over_a_mebibyte_is_that_files_trouble() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "good.yaml", GOOD);
    write(root.path(), "large.yaml", &"# x\n".repeat(10 * 1024 * 256));
    let set = folder::read(&[root.path().to_owned()]).unwrap();
    assert_eq!(names(&set), ["good.yaml", "large.yaml !"]);
    let loaded = load(&set, &LoadOptions::default());
    assert_eq!((loaded.wanted.clients.len(), codes(&loaded)), (1, vec!["BUR0004"]));
    assert!(loaded.wanted.invalid[0].whole_file);
}

#[test]
fn a_folder_that_is_gone_is_an_error_and_never_an_empty_set() {
    let root = tempfile::tempdir().unwrap();
    let gone = root.path().join("gone");
    let error = folder::read(std::slice::from_ref(&gone)).unwrap_err();
    assert_eq!((error.path, error.cause.kind()), (gone, std::io::ErrorKind::NotFound));
}

#[test]
fn one_file_named_twice_is_read_once() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "a/x.yaml", GOOD);
    let roots = [root.path().to_owned(), root.path().join("a"), root.path().join("a/x.yaml")];
    let set = folder::read(&roots).unwrap();
    assert_eq!(names(&set), [root.path().join("a/x.yaml").to_str().unwrap()]);
}

/// Whether a file that cannot be read holds the defaults of others is not known, so they wait.
#[test]
fn a_file_that_the_system_refuses_holds_back_those_whose_defaults_it_may_be() {
    let named = |name: &str| client(name, &format!("  accountName: {name}\n"));
    let readable = FileSet::in_memory([("in/a.yaml", named("a")), ("in/x/b.yaml", named("b")), ("c.yaml", named("c"))]);
    let mut files = readable.files().to_vec();
    files.push(SourceFile {
        name: "in/refused.yaml".to_owned(),
        folder: "/in".into(),
        path: None,
        content: Err(Problem::Unreadable("Permission denied".to_owned())),
    });
    let loaded = load(&FileSet::new(files), &LoadOptions::default());
    let valid: Vec<_> = loaded.wanted.clients.iter().map(|client| client.name.as_str()).collect();
    assert_eq!((valid, codes(&loaded)), (vec!["c"], vec!["BUR0001"]));
    assert_eq!(loaded.findings[0].to_string(), "in/refused.yaml: error[BUR0001]: cannot be read: Permission denied");
}

proptest::proptest! {
    /// Whatever a file holds: no panic, the same result twice, and nothing that acts on a terminal.
    #[test]
    fn any_text_is_read_without_a_panic(pieces in proptest::collection::vec(piece(), 0..60)) {
        let text = pieces.concat();
        let set = FileSet::in_memory([("any.yaml", text.clone())]);
        let loaded = load(&set, &LoadOptions::default());
        proptest::prop_assert_eq!(&loaded, &load(&set, &LoadOptions::default()));
        for finding in &loaded.findings {
            let acts = finding.render(false).contains(['\u{1b}', '\u{202e}', '\t']);
            proptest::prop_assert!(!acts, "a finding acts on the terminal");
        }
    }
}

/// Pieces of manifests and of what breaks them.
fn piece() -> impl proptest::strategy::Strategy<Value = String> {
    let words = [
        "apiVersion: bursar.dev/v1\n",
        "kind: ClientAccount\n",
        "kind: MemberGroup\n",
        "kind: Offboarding\n",
        "kind: ClientDefaults\n",
        "metadata: { name: a }\n",
        "spec:\n",
        "  accountName: Ä\n",
        "  members:\n",
        "    - a@b.example\n",
        "  notificationEmail: x+{name}@b.example\n",
        "  plan: none\n",
        "---\n",
        "...\n",
        "\r\n",
        "\r",
        "\t",
        "\u{1b}[2J",
        "\u{202e}",
        "\u{feff}",
        "\u{85}",
        "\u{2028}",
        "&a ",
        "*a",
        "!!str ",
        "<<: ",
        "? ",
        "- ",
        ": ",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "'",
        "|\n",
        ">-\n",
        "#",
        "%YAML 1.2\n",
        "\0",
        "é",
        "  ",
        "\n",
    ];
    proptest::sample::select(words.to_vec()).prop_map(str::to_owned)
}
