//! What somebody who may write to the repository, or owns its server, could try.

use std::path::Path;
use std::time::{Duration, Instant};

use bursar::source::git::{Limits, Options, Repository};
use tokio_util::sync::CancellationToken;

use super::repo::Repo;
use super::{files, look, options, repository, took};

fn of(repo: &Repo) -> (tempfile::TempDir, Options) {
    let mirrors = tempfile::tempdir().unwrap();
    let options = options(repo.path().to_str().unwrap(), mirrors.path());
    (mirrors, options)
}

#[test]
fn links_are_not_followed_and_nothing_behind_them_is_shown() {
    use std::os::unix::fs::symlink;
    let repo = Repo::with(&[("a.yaml", "a"), ("clients/b.yaml", "b"), ("docs/x.md", "x")]);
    let secret = repo.beside("secret.yaml");
    std::fs::write(&secret, "canary").unwrap();
    for (link, target) in [
        ("outside.yaml", secret.to_str().unwrap()),
        ("up.yaml", "../secret.yaml"),
        ("inside.yaml", "a.yaml"),
        ("loop.yaml", "loop.yaml"),
        ("more-clients", "clients"),
        ("all", "."),
        ("etc", "/etc"),
        ("README", "docs/x.md"),
    ] {
        symlink(target, repo.path().join(link)).unwrap();
    }
    repo.commit(&[]);
    let (_mirrors, options) = of(&repo);
    let taken = took(&mut repository(options));
    let refused = "! this symbolic link is not followed in a commit";
    let told: Vec<_> = files(&taken).into_iter().filter(|(_, text)| text == refused).map(|(name, _)| name).collect();
    assert_eq!(told, ["all", "inside.yaml", "loop.yaml", "more-clients", "outside.yaml", "up.yaml"]);
    assert_eq!(files(&taken).len(), 8);
    assert!(!format!("{taken:?}").contains("canary"));
}

#[test]
fn submodules_are_told_of_and_not_fetched() {
    let other = Repo::with(&[("x.yaml", "canary")]);
    let repo = Repo::with(&[("a.yaml", "a")]);
    let module = format!("160000,{},vendor/x.yaml", other.head());
    repo.git(&["update-index", "--add", "--cacheinfo", &module]);
    repo.write(
        ".gitmodules",
        format!("[submodule \"x\"]\n\tpath = vendor/x.yaml\n\turl = {}\n", other.path().display()),
    );
    repo.git(&["add", ".gitmodules"]);
    repo.git(&["commit", "--quiet", "--message=x"]);
    let (_mirrors, options) = of(&repo);
    let taken = took(&mut repository(options));
    assert_eq!(taken.tree.submodules, ["vendor/x.yaml"]);
    assert_eq!(files(&taken), [("a.yaml".into(), "a".into())]);
}

/// Everything in a repository that makes git run something, in one whose hands we fetch from.
#[test]
fn no_filter_hook_or_setting_of_the_repository_runs_anything() {
    let repo = Repo::with(&[("a.yaml", "a"), (".gitattributes", "* filter=x diff=x merge=x text eol=crlf ident\n")]);
    let marker = repo.beside("marker");
    let run = format!("sh -c 'touch {}'", marker.display());
    for key in [
        "filter.x.smudge",
        "filter.x.clean",
        "filter.x.process",
        "diff.x.textconv",
        "core.fsmonitor",
        "core.sshCommand",
        "core.gitProxy",
        "core.alternateRefsCommand",
        "core.askPass",
        "core.pager",
        "core.editor",
        "gpg.ssh.program",
        "credential.helper",
        "uploadpack.packObjectsHook",
        "remote.origin.uploadpack",
        "alias.fetch",
    ] {
        repo.git(&["config", key, &run]);
    }
    let hooks = repo.path().join(".git/hooks");
    std::fs::create_dir_all(&hooks).unwrap();
    for hook in
        ["post-checkout", "post-update", "reference-transaction", "pre-auto-gc", "post-index-change", "pre-receive"]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(hooks.join(hook), format!("#!/bin/sh\n{run}\n")).unwrap();
        std::fs::set_permissions(hooks.join(hook), PermissionsExt::from_mode(0o755)).unwrap();
    }
    let (_mirrors, options) = of(&repo);
    assert_eq!(files(&took(&mut repository(options))), [("a.yaml".into(), "a".into())]);
    assert!(!marker.exists());
}

#[test]
fn what_looks_like_a_policy_in_a_commit_is_ignored_with_a_warning() {
    let manifest = "apiVersion: bursar.dev/v1\nkind: Policy\nspec: { maxCreates: 0 }\n";
    let repo = Repo::with(&[
        ("a.yaml", "a"),
        ("policy.yaml", manifest),
        ("bursar.toml", "max-creates = 0\n"),
        ("deep/.bursar.yaml", manifest),
        (".hidden/bursar.toml", "max-creates = 0\n"),
    ]);
    let (_mirrors, options) = of(&repo);
    let taken = took(&mut repository(options));
    let loaded = bursar::manifest::load(&taken.tree.files, &bursar::manifest::LoadOptions::default());
    let findings = loaded.findings.iter().map(ToString::to_string);
    let told: Vec<String> = findings.filter(|finding| finding.contains("BUR0006")).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    for name in ["policy.yaml", "bursar.toml", "deep/.bursar.yaml"] {
        assert!(told.iter().any(|finding| finding.contains(name)), "{name}: {told:?}");
    }
    repo.git(&["rm", "--quiet", "a.yaml", "policy.yaml"]);
    repo.commit(&[]);
    let (_mirrors, options) = of(&repo);
    let why = look(&mut repository(options)).unwrap_err();
    assert!(why.contains("has no manifest in"), "{why}");
}

#[test]
fn file_names_are_bytes_and_show_as_they_are() {
    let repo = Repo::with(&[("a.yaml", "a")]);
    repo.commit(&[
        ("new\nline.yaml", "n"),
        ("esc\u{1b}[31m.yaml", "e"),
        ("tab\t\"quote\".yaml", "t"),
        ("-x.yaml", "o"),
    ]);
    let (_mirrors, options) = of(&repo);
    let taken = took(&mut repository(options));
    let names: Vec<String> = files(&taken).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["-x.yaml", "a.yaml", "esc\u{1b}[31m.yaml", "new\nline.yaml", "tab\t\"quote\".yaml"]);
    let loaded = bursar::manifest::load(&taken.tree.files, &bursar::manifest::LoadOptions::default());
    for finding in &loaded.findings {
        assert!(!finding.to_string().contains(['\u{1b}', '\n', '\t']), "{finding}");
    }
    assert!(!loaded.findings.is_empty());
}

#[test]
fn large_files_are_told_and_the_others_are_read() {
    let repo = Repo::with(&[("a.yaml", "a")]);
    let large = format!("kind: ClientAccount\nmetadata: {{ name: acme }}\n{}", "# filling\n".repeat(200_000));
    repo.commit(&[("large.yaml", &large), ("large.bin", &large)]);
    for (leaves_out, before) in [("false", "a"), ("true", "false")] {
        repo.git(&["config", "uploadpack.allowFilter", leaves_out]);
        let (_mirrors, options) = of(&repo);
        let mut followed = repository(options.clone());
        let told = files(&took(&mut followed));
        let expected = if leaves_out == "true" {
            "! cannot be read: the server does not send files of more than 1 MiB"
        } else {
            "! the file has more than 1 MiB"
        };
        assert_eq!(told, [("a.yaml".into(), before.into()), ("large.yaml".into(), expected.into())]);
        let next = repo.commit(&[("a.yaml", leaves_out)]);
        let taken = took(&mut followed);
        assert_eq!((taken.commit.as_str(), files(&taken)[0].1.as_str()), (next.as_str(), leaves_out));
        assert_eq!(took(&mut repository(options)).commit.as_str(), next, "after a start, too");
    }
}

#[test]
fn a_repository_that_would_fill_the_disk_is_refused_once_and_leaves_nothing() {
    let repo = Repo::with(&[("a.yaml", "a")]);
    let (mirrors, mut options) = of(&repo);
    options.limits.disk = 1 << 20;
    let mut followed = repository(options);
    took(&mut followed);
    // Files that are small each, and cannot be compressed.
    let mut chance = fastrand::Rng::with_seed(7);
    for file in 0..6 {
        let bytes: Vec<u8> = std::iter::repeat_with(|| chance.u8(..)).take(500_000).collect();
        repo.write(&format!("{file}.bin"), bytes);
    }
    repo.commit(&[]);
    let why = look(&mut followed).unwrap_err();
    assert_eq!(
        why,
        "the repository brings more than 1 MiB, and was not fetched; keep the manifests in one of their own"
    );
    let before = written(mirrors.path());
    assert_eq!(look(&mut followed).unwrap_err(), why);
    assert_eq!(written(mirrors.path()), before, "the same commit is not fetched again");
    let next = repo.commit(&[]);
    assert_eq!(look(&mut followed).unwrap_err(), why, "another one is: {next}");
}

/// When something below a folder was last written.
fn written(folder: &Path) -> std::time::SystemTime {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            let own = metadata.modified().unwrap();
            if metadata.is_dir() { own.max(written(&entry.path())) } else { own }
        })
        .max()
        .unwrap_or(std::time::UNIX_EPOCH)
}

/// A server that accepts and never answers.
#[test]
fn a_server_that_never_answers_is_given_up_on() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    let mirrors = tempfile::tempdir().unwrap();
    let limits = Limits { time: Duration::from_millis(500), ..Limits::default() };
    let options = Options { limits, ..options(&url, mirrors.path()) };
    let begun = Instant::now();
    let why = look(&mut repository(options.clone())).unwrap_err();
    assert_eq!(why, "asking the repository where the branch is took longer than 0.5 s and was stopped");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let cancel = CancellationToken::new();
    cancel.cancel();
    let mut stopped = Repository::new(Options { limits: Limits::default(), ..options }, cancel);
    assert_eq!(look(&mut stopped).unwrap_err(), "reading the repository was stopped");
}

#[test]
fn a_broken_object_is_refused_when_it_is_fetched() {
    let repo = Repo::with(&[("a.yaml", "a")]);
    let (_mirrors, options) = of(&repo);
    let mut followed = repository(options);
    took(&mut followed);
    // A tree with an entry that would leave it.
    let blob = repo.git(&["rev-parse", "HEAD:a.yaml"]);
    let mut tree = b"100644 ..\0".to_vec();
    tree.extend((0..20).map(|at| u8::from_str_radix(&blob[2 * at..2 * at + 2], 16).unwrap()));
    std::fs::write(repo.beside("tree"), tree).unwrap();
    let tree = repo.git(&["hash-object", "-t", "tree", "-w", "--literally", repo.beside("tree").to_str().unwrap()]);
    let commit = repo.git(&["commit-tree", &tree, "-p", "HEAD", "-m", "x"]);
    repo.git(&["update-ref", "refs/heads/main", &commit]);
    let why = look(&mut followed).unwrap_err();
    assert!(why.starts_with("fetching the branch failed: error: object "), "{why}");
    assert_eq!(look(&mut followed).unwrap_err(), why);
}
