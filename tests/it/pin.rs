//! `bursar pin`: ids go in, and nothing else changes; whose account it is, is a person's word
//! where it is not plain.

use std::collections::BTreeSet;
use std::path::Path;

use bursar::domain::{AccountId, AccountName, ClientName, Email};
use bursar::manifest::{self, LoadOptions, Loaded};
use bursar::pin::{Outcome, Pins, Word, pins};
use bursar::plan::{Adopt, Selector};
use bursar::provider::Account;
use bursar::source::{FileSet, WriteError, replace};
use proptest::prelude::*;
use serde_json::json;

use crate::support::{Done, World, bursar, unlimited};

fn account(id: &str, name: &str, email: &str) -> Account {
    Account {
        id: AccountId::new(id),
        name: Some(AccountName::new(name)),
        email: Some(Email::lenient(email)),
        plan: None,
        created_at: None,
        updated_at: None,
        subscription: None,
        members: None,
    }
}

/// With the ids of whatever accounts bear the names.
fn pinned(files: &FileSet, accounts: &[Account], take_over_all: bool) -> (Loaded, Pins) {
    let options = LoadOptions::default();
    let loaded = manifest::load(files, &options);
    let (none, every) = (BTreeSet::<ClientName>::new(), Selector::default());
    let word = Word { adopt: Adopt::Matching, take_over: &none, take_over_all, selector: &every };
    let pins = pins(files, &loaded, &options, accounts, &word);
    (loaded, pins)
}

fn one(text: &str) -> (Vec<String>, String) {
    let files = FileSet::in_memory([("clients.yaml", text)]);
    let accounts = [account("1385", "Acme", "dns+acme@agency.example"), account("7", "Beta Co", "b@agency.example")];
    let (_, pins) = pinned(&files, &accounts, false);
    let outcomes = pins.clients.iter().map(|pin| format!("{}: {:?}", pin.name, pin.outcome)).collect();
    (outcomes, pins.files.first().map_or_else(|| text.to_owned(), |edited| edited.after.clone()))
}

const HEAD: &str = "apiVersion: bursar.dev/v1\nkind: ClientAccount\nmetadata: {name: acme}\n";

#[test]
fn the_id_stands_below_the_name_and_every_comment_and_quote_stays() {
    let text = "# Our clients.\n---\n# acme came first\napiVersion: 'bursar.dev/v1'\nkind: ClientAccount # a client\n\
                metadata: { name: acme }\nspec:\n    # the name on the invoice\n    accountName: \"Acme\"   # since 2019\n\n    \
                notificationEmail: dns+acme@agency.example\n    members:\n    - jane@acme.example\n---\n{apiVersion: \
                bursar.dev/v1, kind: ClientAccount, metadata: {name: beta},\n spec: {accountName: Beta Co ,\n  \
                notificationEmail: 'b@agency.example'}} # end\n...\n";
    let (_, after) = one(text);
    insta::assert_snapshot!(after, @r#"
    # Our clients.
    ---
    # acme came first
    apiVersion: 'bursar.dev/v1'
    kind: ClientAccount # a client
    metadata: { name: acme }
    spec:
        # the name on the invoice
        accountName: "Acme"   # since 2019
        accountId: "1385"

        notificationEmail: dns+acme@agency.example
        members:
        - jane@acme.example
    ---
    {apiVersion: bursar.dev/v1, kind: ClientAccount, metadata: {name: beta},
     spec: {accountName: Beta Co, accountId: "7" ,
      notificationEmail: 'b@agency.example'}} # end
    ...
    "#);
}

/// What is put in, byte by byte, for each way of writing a spec.
#[test]
fn each_way_of_writing_gets_its_own_insertion_or_is_left_with_a_word() {
    let email = "notificationEmail: dns+acme@agency.example";
    for (spec, inserted) in [
        (format!("spec:\n  accountName: Acme\n  {email}\n"), "  accountId: \"1385\"\n"),
        (format!("spec:\n  {email}\n  accountName: Acme"), "\n  accountId: \"1385\""),
        (format!("spec:\r\n  accountName: Acme\r\n  {email}\r\n"), "  accountId: \"1385\"\r\n"),
        (format!("spec:\r\n  {email}\r\n  accountName: Acme"), "\r\n  accountId: \"1385\""),
        (format!("spec:\n  accountName:\n    Acme\n  {email}\n"), "  accountId: \"1385\"\n"),
        (format!("spec:\n  accountName: >-\n    Acme\n  {email}\n"), "  accountId: \"1385\"\n"),
        (format!("spec:\n  {email}\n  accountName: >-\n    Acme"), "  accountId: \"1385\"\n"),
        (format!("spec:\n  'accountName' : Acme # one: two\n  {email}\n"), "  accountId: \"1385\"\n"),
        (format!("spec: {{accountName: Acme, {email}}}\n"), ", accountId: \"1385\""),
        (format!("spec: {{{email}, accountName: 'Acme'}}"), ", accountId: \"1385\""),
        (format!("spec: {{\n  accountName: \"Acme\" # why\n  , {email} }}\n"), ", accountId: \"1385\""),
    ] {
        for head in
            [HEAD.to_owned(), format!("\u{feff}{HEAD}"), format!("# ä\n---\n{HEAD}"), HEAD.replace('\n', "\r\n")]
        {
            let text = head + &spec;
            let (outcomes, after) = one(&text);
            assert!(has_more(&text, &after, inserted), "{outcomes:?}\n{text}\n{after}");
        }
    }
    let text = format!("{HEAD}spec:\n  ? accountName\n  : Acme\n  {email}\n");
    let (outcomes, after) = one(&text);
    assert_eq!(after, text);
    assert!(outcomes[0].contains("write beside accountName: accountId: \\\"1385\\\""), "{outcomes:?}");
}

/// Whether the second text is the first with one piece put in.
fn has_more(before: &str, after: &str, piece: &str) -> bool {
    let mut places = before.char_indices().map(|(at, _)| at).chain([before.len()]);
    places.any(|at| after == format!("{}{piece}{}", &before[..at], &before[at..]))
}

#[test]
fn an_edit_that_would_not_be_read_as_it_is_meant_is_not_made() {
    // With the id the document has more than 64 KiB.
    let text = format!("{HEAD}spec:\n  accountName: Acme\n  notificationEmail: dns+acme@agency.example\n# ");
    let text = format!("{text}{}", "x".repeat(64 * 1024 - text.len()));
    assert!(
        manifest::load(&FileSet::in_memory([("a.yaml", text.as_str())]), &LoadOptions::default()).findings.is_empty()
    );
    let (outcomes, after) = one(&text);
    assert_eq!(after, text);
    assert!(outcomes[0].contains("Refused"), "{outcomes:?}");
    // An id that no manifest may hold.
    let files =
        FileSet::in_memory([("a.yaml", format!("{HEAD}spec: {{accountName: Acme, notificationEmail: a@x.example}}"))]);
    let (_, pins) = pinned(&files, &[account("1\u{1b}\"", "Acme", "a@x.example")], false);
    assert!(matches!(pins.clients[0].outcome, Outcome::Refused(_)) && pins.files.is_empty(), "{pins:?}");
}

/// A manifest of random style, with its account.
fn random(n: usize, rng: &mut fastrand::Rng, eol: &str) -> (String, Account) {
    let pick = |rng: &mut fastrand::Rng, of: &[&str]| of[rng.usize(0..of.len())].to_owned();
    let name = format!("{} {n}", pick(rng, &["Acme", "Söhne & Co", "株式会社", "a: b", "it's", "x # y", "{z}"]));
    let email = format!("dns+c{n}@agency.example");
    let scalar = |rng: &mut fastrand::Rng, text: &str| match rng.u8(0..3) {
        0 => format!("'{}'", text.replace('\'', "''")),
        1 => serde_json::to_string(text).unwrap(),
        _ => manifest::scalar(text).unwrap(),
    };
    let comment = |rng: &mut fastrand::Rng| pick(rng, &["", "", " # spec: {accountName: x}", " # é", "  "]);
    let mut fields =
        vec![("accountName".to_owned(), scalar(rng, &name)), ("notificationEmail".to_owned(), scalar(rng, &email))];
    if rng.bool() {
        fields.push(("plan".to_owned(), "teams".to_owned()));
    }
    if rng.bool() {
        fields.push((
            "members".to_owned(),
            format!("[{}, {{email: x@y.example, access: limited}}]", scalar(rng, "j@y.example")),
        ));
    }
    rng.shuffle(&mut fields);
    let key =
        |rng: &mut fastrand::Rng, key: &str| if rng.u8(0..5) == 0 { format!("\"{key}\"") } else { key.to_owned() };
    let spec = if rng.u8(0..3) == 0 {
        let fields: Vec<String> = fields.iter().map(|(k, v)| format!("{}: {v}", key(rng, k))).collect();
        let joint = pick(rng, &[", ", ",\n      ", " ,  "]);
        format!("spec: {{{}{}}}{}\n", pick(rng, &["", " "]), fields.join(&joint), comment(rng))
    } else {
        let indent = " ".repeat(rng.usize(1..6));
        let mut lines = format!("spec:{}\n", comment(rng));
        for (k, v) in &fields {
            if rng.u8(0..5) == 0 {
                lines += &pick(rng, &["\n", "# a comment\n", "      # accountName: no\n"]);
            }
            let gap = pick(rng, &[" ", "  ", " ", &format!("\n{indent}  ")]);
            lines += &format!("{indent}{}:{gap}{v}{}\n", key(rng, k), comment(rng));
        }
        lines
    };
    let head = format!("apiVersion: bursar.dev/v1\nkind: ClientAccount\nmetadata: {{name: c{n}}}\n");
    let text = if rng.bool() { head + &spec } else { spec + &head };
    (text.replace('\n', eol), account(&(100 + n).to_string(), &name, &email))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_but_the_ids_is_put_in(seed in any::<u64>()) {
        let mut rng = fastrand::Rng::with_seed(seed);
        let eol = if rng.bool() { "\n" } else { "\r\n" };
        let mut text = if rng.bool() { "\u{feff}".to_owned() } else { String::new() };
        let mut accounts = Vec::new();
        for n in 0..rng.usize(1..5) {
            let (document, account) = random(n, &mut rng, eol);
            text += &if n == 0 { document } else { format!("---{eol}{document}") };
            accounts.push(account);
        }
        if rng.bool() {
            text.truncate(text.trim_end().len());
        }
        let files = FileSet::in_memory([("all.yaml", text.as_str())]);
        let (loaded, pins) = pinned(&files, &accounts, false);
        prop_assert!(!loaded.has_errors(), "{:?}\n{text}", loaded.findings);
        let edited = &pins.files[0];
        // Every line that was added is an id's, and without them the file is the old one.
        let mut rest = edited.after.clone();
        for account in &accounts {
            let entry = format!("accountId: \"{}\"", account.id.as_str());
            let at = rest.find(&entry).expect("it is in there");
            prop_assert_eq!(rest.matches(&entry).count(), 1);
            let indent = rest[..at].trim_end_matches(' ').len();
            let whole = at + entry.len();
            let range = if rest[..at].ends_with(", ") {
                at - 2..whole
            } else if rest[whole..].starts_with(eol) {
                indent..whole + eol.len()
            } else {
                indent - eol.len()..whole
            };
            rest.replace_range(range, "");
        }
        prop_assert_eq!(rest, text);
        let again = FileSet::in_memory([("all.yaml", edited.after.as_str())]);
        let (loaded, pins) = pinned(&again, &accounts, false);
        let ids: BTreeSet<&str> = loaded.wanted.clients.iter().map(|c| c.account_id.as_ref().unwrap().as_str()).collect();
        prop_assert_eq!(ids.len(), accounts.len());
        prop_assert!(pins.files.is_empty(), "once is enough");
    }
}

async fn world() -> World {
    let world = World::with(unlimited()).await;
    for (name, email) in [
        ("Client acme", "dns+acme@agency.example"),
        ("Client late", "boss@late.example"),
        ("Client twin", "dns+twin@agency.example"),
        ("Client twin", "dns+twin@agency.example"),
        ("client OLD", "dns+old@agency.example"),
    ] {
        world.post("/sandbox/accounts", json!({"name": name, "email": email})).await;
    }
    for name in ["acme", "late", "twin", "old", "new"] {
        world.client(name, &[]);
    }
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_plain_is_written_and_what_is_not_is_for_a_person() {
    let world = world().await;
    let before = world.ledger().await;
    let dry = world.run(&["pin", "--dry-run"]).await.expect(3);
    insta::assert_snapshot!(dry.stdout, @r#"
    --- a/acme.yaml
    +++ b/acme.yaml
    @@ -3,6 +3,7 @@
     metadata: { name: acme }
     spec:
       accountName: Client acme
    +  accountId: "1"
       notificationEmail: dns+acme@agency.example
       plan: teams
       members: []
    --- a/old.yaml
    +++ b/old.yaml
    @@ -3,6 +3,7 @@
     metadata: { name: old }
     spec:
       accountName: Client old
    +  accountId: "5"
       notificationEmail: dns+old@agency.example
       plan: teams
       members: []
    "#);
    assert!(!std::fs::read_to_string(world.path().join("acme.yaml")).unwrap().contains("accountId"));
    let done = world.run(&["pin"]).await.expect(3);
    insta::assert_snapshot!(done.stdout, @r#"
    acme  acme.yaml:1  accountId: "1", notified at dns+acme@agency.example
    late  late.yaml:1  ! account 2 bears the name, but may be somebody else's: its notification email is boss@late.example, neither the manifest's nor a previous one. If it is this client's: --take-over late
    old  old.yaml:1  accountId: "5", named "client OLD", which becomes "Client old"; notified at dns+old@agency.example
    twin  twin.yaml:1  ! accounts 3 and 4 bear the name; write the id of the right one, as in accountId: "3"
    Ids: 2 written, 1 without an account yet, 2 for a person.
    "#);
    let taken = world.run(&["pin", "--take-over", "late"]).await.expect(3);
    assert!(
        taken.stdout.contains(
            "late  late.yaml:1  accountId: \"2\", notified at boss@late.example, which becomes the manifest's \
         dns+late@agency.example\n"
        ),
        "{}",
        taken.stdout
    );
    insta::assert_snapshot!(std::fs::read_to_string(world.path().join("late.yaml")).unwrap(), @r#"
    apiVersion: bursar.dev/v1
    kind: ClientAccount
    metadata: { name: late }
    spec:
      accountName: Client late
      accountId: "2"
      notificationEmail: dns+late@agency.example
      plan: teams
      members: []
    "#);
    let slip = world.run(&["pin", "--take-over", "latte"]).await.expect(1);
    assert!(slip.stderr.contains("--take-over latte: no such client"), "{}", slip.stderr);
    // The plan asks for nobody's word on them any more.
    let plan = world.run(&["plan", "-o", "json"]).await.expect(0).json();
    let blocked: Vec<&str> = plan["accounts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|account| account["state"] == "blocked")
        .map(|account| account["name"].as_str().unwrap())
        .collect();
    assert_eq!(blocked, ["twin"]);
    let ledger = world.ledger().await;
    assert_eq!(ledger.writes(), before.writes(), "nothing but GET");
    assert_eq!(ledger.requests() - before.requests(), 3 + 3, "a list a pin, and a plan's three");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_selected_and_who_does_not_hold_is_told() {
    let world = world().await;
    let text = |name: &str, wave: &str| {
        crate::support::manifest(name, &[])
            .replace(&format!("name: {name} }}"), &format!("name: {name}, labels: {{ wave: {wave} }} }}"))
    };
    world.write("acme.yaml", &text("acme", "canary"));
    world.write("old.yaml", &text("old", "second"));
    world.write(
        "broken.yaml",
        "apiVersion: bursar.dev/v1\nkind: ClientAccount\nmetadata: {name: broken}\nspec: {accountNam: x}\n",
    );
    let done = world.run(&["pin", "-l", "wave=canary"]).await.expect(1);
    insta::assert_snapshot!(done.stdout, @r#"
    acme  acme.yaml:1  accountId: "1", notified at dns+acme@agency.example
    broken  broken.yaml:1  ! the document does not hold: unknown field `accountNam` in spec
    Ids: 1 written, 1 invalid.
    "#);
    assert!(!std::fs::read_to_string(world.path().join("old.yaml")).unwrap().contains("accountId"));
    let strict = world.run(&["pin", "--strict"]).await.expect(1);
    assert!(strict.stderr.contains("--strict refuses the rest") && strict.stdout.is_empty());
    assert!(world.run(&["pin", "-"]).await.expect(1).stderr.contains("standard input cannot be written"));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn links_are_not_followed_and_modes_are_kept() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let world = world().await;
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().join("real.yaml");
    std::fs::rename(world.path().join("acme.yaml"), &target).unwrap();
    // Inside the folder a link is read, and not written through.
    std::fs::rename(world.path().join("old.yaml"), world.path().join("old.txt")).unwrap();
    symlink("old.txt", world.path().join("old.yaml")).unwrap();
    let late = world.path().join("late.yaml");
    std::fs::set_permissions(&late, std::fs::Permissions::from_mode(0o640)).unwrap();
    let done = world.run(&["pin", "--take-over", "late"]).await.expect(1);
    assert!(
        done.stderr.contains("old.yaml was left as it is") && done.stderr.contains("symbolic link"),
        "{}",
        done.stderr
    );
    assert!(done.stdout.contains("old  old.yaml:1  accountId: \"5\" was not written"), "{}", done.stdout);
    assert!(std::fs::symlink_metadata(world.path().join("old.yaml")).unwrap().is_symlink());
    assert!(!std::fs::read_to_string(world.path().join("old.txt")).unwrap().contains("accountId"));
    assert_eq!(std::fs::metadata(&late).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(std::fs::read_to_string(&late).unwrap().contains("accountId"));
    symlink(&target, world.path().join("named.yaml")).unwrap();
    let named = world.run(&["pin", "named.yaml"]).await.expect(1);
    assert!(named.stderr.contains("named.yaml is a symbolic link"), "{}", named.stderr);
    let left: Vec<_> = std::fs::read_dir(world.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{left:?}");
}

#[test]
fn a_file_that_changed_meanwhile_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.yaml");
    std::fs::write(&path, "somebody's edit").unwrap();
    assert!(matches!(replace(&path, b"as it was read", b"as it would be"), Err(WriteError::Changed)));
    assert_eq!(std::fs::read(&path).unwrap(), b"somebody's edit");
    replace(&path, b"somebody's edit", b"as it would be").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"as it would be");
    assert!(matches!(replace(folder.path(), b"", b""), Err(WriteError::Link)));
    assert!(matches!(replace(Path::new("/nowhere/a.yaml"), b"", b""), Err(WriteError::Io(_))));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn without_a_token_nothing_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let text = crate::support::manifest("acme", &[]);
    std::fs::write(folder.path().join("acme.yaml"), &text).unwrap();
    let done = Done::from(bursar(&["pin"]).current_dir(folder.path()).output().unwrap());
    assert!(done.expect(1).stderr.contains("token"));
    assert_eq!(std::fs::read_to_string(folder.path().join("acme.yaml")).unwrap(), text);
}
