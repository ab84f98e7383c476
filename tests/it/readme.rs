//! The README: what it tells people to type does what it shows.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::support::{Done, Running, bursar};

const README: &str = include_str!("../../README.md");

/// The fenced blocks of one language, in order.
fn fences(language: &str) -> Vec<String> {
    let opening = format!("```{language}\n");
    README.split(&opening).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// A log line without its time and port.
fn timeless(line: &str) -> String {
    let line = line.split_once(' ').map_or(line, |(_, rest)| rest);
    let Some(at) = line.find("127.0.0.1:") else { return line.to_owned() };
    let (head, tail) = line.split_at(at + "127.0.0.1:".len());
    format!("{head}PORT{}", tail.trim_start_matches(|c: char| c.is_ascii_digit()))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_command_shows_what_the_readme_says() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let commands = fences("sh");
    let line = commands[0].trim();
    let args: Vec<&str> = line.strip_prefix("cargo run --release -- ").unwrap().split(' ').collect();
    let folder = tempfile::tempdir().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples"), &folder.path().join("examples"));
    let mut command = bursar(&args);
    command.current_dir(folder.path());
    let mut daemon = Running::start(command);
    daemon.wait_for("1 waiting", Duration::from_secs(30));
    let log = daemon.log();
    let page = log.split("is at ").nth(1).unwrap().split('\n').next().unwrap().to_owned();
    let nora = json!({"email": "nora@harbour-yoga.example"});
    let signed_up = reqwest::Client::new().post(format!("{page}sandbox/users")).json(&nora).send().await.unwrap();
    assert!(signed_up.status().is_success());
    daemon.wait_for(&format!("added {}", bursar::domain::mask("nora@harbour-yoga.example")), Duration::from_secs(40));
    daemon.wait_for("15 in sync", Duration::from_secs(10));
    let log = daemon.log();
    let shown: Vec<String> = log.lines().map(timeless).collect();
    // Clients run side by side, so only a client's own lines have an order.
    for client in ["acme: ", "harbour-yoga: "] {
        let of = |lines: &[String]| lines.iter().filter(|line| line.contains(client)).cloned().collect::<Vec<_>>();
        let told: Vec<String> = fences("text")[0].lines().map(timeless).collect();
        assert_eq!(of(&told), of(&shown), "the README's transcript of {client}");
    }
    for line in fences("text")[0].lines().map(timeless) {
        assert!(shown.contains(&line), "not in the log: {line}\n{log}");
    }
    assert!(folder.path().join(".bursar/sandbox.db").exists());
}

#[test]
fn the_first_manifest_plans_as_the_readme_says() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("acme.yaml"), &fences("yaml")[0]).unwrap();
    let shown = fences("console")[0].clone();
    let (prompt, output) = shown.split_once('\n').unwrap();
    let args: Vec<&str> = prompt.strip_prefix("$ bursar ").unwrap().split(' ').collect();
    let done = Done::from(bursar(&args).current_dir(folder.path()).output().unwrap()).expect(0);
    assert_eq!(done.stdout, output);
}

/// What bursar and the plain loop make of it depends on the machine too; what is wanted not.
#[test]
fn the_demonstration_wants_what_the_readme_shows() {
    let line = fences("sh").into_iter().find(|line| line.contains(" demo ")).unwrap();
    let mut args: Vec<&str> = line.trim().strip_prefix("cargo run --release -- ").unwrap().split(' ').collect();
    args.extend(["--seconds", "1"]);
    let folder = tempfile::tempdir().unwrap();
    let done = Done::from(bursar(&args).env("TMPDIR", folder.path()).output().unwrap());
    let wanted = |table: &str| table.lines().take(10).map(|row| row[..34].to_owned()).collect::<Vec<_>>();
    let shown = fences("text").into_iter().find(|text| text.contains("a plain loop")).unwrap();
    assert_eq!(wanted(&shown), wanted(&done.stdout));
}

#[test]
fn the_table_of_commands_names_every_command_and_option_that_there_is() {
    let help = Done::from(bursar(&["--help"]).output().unwrap()).expect(0).stdout;
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    for verb in commands.lines().filter_map(|line| line.split_whitespace().next()).filter(|verb| *verb != "help") {
        assert!(README.contains(&format!("`bursar {verb}")), "{verb} is not in the table");
    }
    let table = README.split("## Commands").nth(1).unwrap().split("## Which services").next().unwrap();
    let all_help: String = [
        "validate",
        "render",
        "plan",
        "apply",
        "run",
        "sandbox",
        "history",
        "explain",
        "access",
        "resolve",
        "reaffirm",
        "freeze",
        "approve",
        "demo",
        "init",
        "journal",
        "ack",
        "webhooks install",
        "doctor",
        "charges",
        "export",
        "pin",
        "snapshot",
        "status",
        "reconcile",
    ]
    .iter()
    .map(|verb| [&verb.split(' ').collect::<Vec<_>>()[..], &["--help"]].concat())
    .map(|args| Done::from(bursar(&args).output().unwrap()).expect(0).stdout)
    .collect::<String>()
        + &help;
    for word in
        table.split(|c: char| c.is_whitespace() || "`[]=,;|".contains(c)).filter(|w| w.starts_with("--") && w.len() > 4)
    {
        assert!(all_help.contains(word), "the README speaks of {word}, which no command has");
    }
}

#[test]
fn the_schemas_and_scripts_for_shells_are_printed() {
    for (args, holds) in [
        (&["schema"][..], "ClientAccount"),
        (&["schema", "plan"], "format_version"),
        (&["schema", "history"], "rail_tripped"),
        (&["schema", "snapshot"], "taken_at"),
        (&["schema", "account-api"], "\"openapi\": \"3.1"),
        (&["completions", "bash"], "_bursar()"),
        (&["completions", "zsh"], "#compdef bursar"),
        (&["man"], ".TH bursar 1"),
    ] {
        let done = Done::from(bursar(args).output().unwrap()).expect(0);
        assert!(done.stdout.contains(holds), "{args:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man");
    Done::from(bursar(&["man", "--out", pages.to_str().unwrap()]).output().unwrap()).expect(0);
    assert!(pages.join("bursar-apply.1").exists());
}

#[test]
fn every_file_that_the_documents_link_to_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents =
        vec![root.to_path_buf(), root.join("docs"), root.join("examples/agency"), root.join("examples/broken")];
    let mut broken = Vec::new();
    while let Some(folder) = documents.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|kind| kind != "md") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
                let file = link.split('#').next().unwrap();
                if !file.is_empty() && !file.contains("://") && !folder.join(file).exists() {
                    broken.push(format!("{}: {link}", path.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_test_that_the_architecture_names_is_there() {
    let document = include_str!("../../ARCHITECTURE.md");
    let table =
        document.split("## What always holds").nth(1).unwrap().split("What is deliberately absent").next().unwrap();
    let named: Vec<&str> =
        table.split('`').filter(|word| word.matches("::").count() >= 1 && !word.contains(' ')).collect();
    assert!(named.len() >= 15, "{named:?}");
    let mut sources = String::new();
    let mut folders = ["tests/it", "src"].map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                sources += &std::fs::read_to_string(path).unwrap();
            }
        }
    }
    for name in named {
        let function = format!("fn {}(", name.rsplit("::").next().unwrap());
        assert!(sources.contains(&function), "{name} is not a test");
    }
}
