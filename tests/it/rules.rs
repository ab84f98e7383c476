//! The patches that take a rule of the protocol out fit the source, and name tests that are
//! there. That these tests then fail is shown by `tests/rules/check`, which takes minutes.
#![allow(clippy::print_stdout, reason = "what was not checked is said")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn patches() -> Vec<PathBuf> {
    let files = fs::read_dir(root().join("tests/rules")).unwrap().map(|entry| entry.unwrap().path());
    let mut patches: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "patch")).collect();
    patches.sort();
    patches
}

/// Whether it applies, by the first tool that is there; nothing where neither is.
fn applies(patch: &Path) -> Option<Output> {
    let git = Command::new("git")
        .args(["apply", "--check"])
        .arg(patch)
        .current_dir(root())
        // Else paths would be taken from the top of a repository that this tree lies in.
        .env("GIT_CEILING_DIRECTORIES", root().parent().unwrap())
        .output();
    let by_patch = || {
        let mut patcher = Command::new("patch");
        patcher.args(["--dry-run", "--force", "--strip=1", "--input"]).arg(patch).current_dir(root()).output()
    };
    git.or_else(|_| by_patch()).ok()
}

#[test]
fn every_patch_that_takes_a_rule_out_fits_the_source() {
    let patches = patches();
    assert!(patches.len() >= 6, "{patches:?}");
    for patch in patches {
        match applies(&patch) {
            Some(output) => assert!(
                output.status.success(),
                "{} does not apply; make it anew: {}{}",
                patch.display(),
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            ),
            None => println!("skipped: neither git nor patch is here"),
        }
    }
}

#[test]
fn every_rule_names_tests_that_are_there() {
    for patch in patches() {
        let text = fs::read_to_string(&patch).unwrap();
        let named: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("caught by ")).collect();
        assert!(!named.is_empty(), "{} names no test", patch.display());
        for name in named {
            let (folder, path) = match name.strip_prefix("lib ") {
                Some(path) => ("src", path.replace("::tests::", "::")),
                None => ("tests/it", name.to_owned()),
            };
            let (module, function) = path.rsplit_once("::").unwrap();
            let module = root().join(folder).join(module.replace("::", "/"));
            let files = [module.with_extension("rs"), module.join("mod.rs"), module.join("tests.rs")];
            let is_there = files.iter().filter_map(|file| fs::read_to_string(file).ok());
            let is_there = is_there.into_iter().any(|text| text.contains(&format!("fn {function}(")));
            assert!(is_there, "{}: there is no test {name}", patch.display());
        }
    }
}
