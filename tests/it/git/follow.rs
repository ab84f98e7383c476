//! Following a branch: forwards only, bounded, and in one piece whatever happened to the copy.

use std::path::{Path, PathBuf};

use super::repo::Repo;
use super::{files, look, options, repository, took};

fn of(repo: &Repo) -> (tempfile::TempDir, bursar::source::git::Options) {
    let mirrors = tempfile::tempdir().unwrap();
    let options = options(repo.path().to_str().unwrap(), mirrors.path());
    (mirrors, options)
}

/// The one copy below the folder of copies.
fn copy(mirrors: &Path) -> PathBuf {
    let mut all = std::fs::read_dir(mirrors).unwrap();
    let only = all.next().unwrap().unwrap().path();
    assert!(all.next().is_none());
    only.join("repository.git")
}

fn packs(mirrors: &Path) -> usize {
    let packs = std::fs::read_dir(copy(mirrors).join("objects/pack")).unwrap();
    packs.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|kind| kind == "pack")).count()
}

#[test]
fn a_commit_is_read_as_it_was_committed_and_the_next_one_once() {
    let repo = Repo::with(&[("b/beta.yml", "b"), ("acme.yaml", "a"), ("README.md", "x"), (".hidden/x.yaml", "x")]);
    let (mirrors, options) = of(&repo);
    let mut followed = repository(options);
    // What is in the working tree alone does not count.
    repo.write("uncommitted.yaml", "x");
    repo.write("acme.yaml", "edited");
    let taken = took(&mut followed);
    assert_eq!(taken.commit.as_str(), repo.head());
    assert_eq!(files(&taken), [("acme.yaml".into(), "a".into()), ("b/beta.yml".into(), "b".into())]);
    assert_eq!(taken.tree.files.files()[1].folder, Path::new("/b"));
    assert!(look(&mut followed).unwrap().is_none(), "nothing moved");
    repo.git(&["checkout", "--quiet", "."]);
    std::fs::remove_file(repo.path().join("uncommitted.yaml")).unwrap();
    repo.commit(&[("acme.yaml", "a2")]);
    let second = repo.commit(&[("acme.yaml", "a3")]);
    let taken = took(&mut followed);
    assert_eq!((taken.commit.as_str(), files(&taken)[0].1.as_str()), (second.as_str(), "a3"));
    let private = std::fs::metadata(copy(mirrors.path()).parent().unwrap()).unwrap().permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&private) & 0o777, 0o700);
}

#[test]
fn a_folder_of_the_repository_is_read_alone_with_the_nearest_lock_file() {
    let repo = Repo::with(&[("clients/eu/a.yaml", "a"), ("clients/us/b.yaml", "b"), ("bursar.lock", "journal: x\n")]);
    let (_mirrors, mut options) = of(&repo);
    options.path = bursar::source::git::TreePath::parse("clients/eu").unwrap();
    let mut followed = repository(options.clone());
    let taken = took(&mut followed);
    assert_eq!(files(&taken), [("a.yaml".into(), "a".into())]);
    assert_eq!(taken.tree.beside, Some(("bursar.lock".into(), b"journal: x\n".to_vec())));
    repo.commit(&[("clients/bursar.lock", "journal: y\n")]);
    assert_eq!(took(&mut followed).tree.beside, Some(("clients/bursar.lock".into(), b"journal: y\n".to_vec())));
}

#[test]
fn a_branch_that_was_moved_back_or_rewritten_is_refused_until_that_is_allowed() {
    let repo = Repo::with(&[("a.yaml", "1")]);
    let first = repo.head();
    let (_mirrors, options) = of(&repo);
    let mut followed = repository(options.clone());
    took(&mut followed);
    repo.commit(&[("a.yaml", "2")]);
    took(&mut followed);
    let second = repo.head();

    repo.git(&["reset", "--quiet", "--hard", &first]);
    let why = look(&mut followed).unwrap_err();
    assert_eq!(
        why,
        format!(
            "the branch was moved to {}, which does not come after {}; look at who did that, and if it is meant start \
             once with --git-allow-rewind",
            &first[..12],
            &second[..12]
        )
    );
    assert_eq!(look(&mut followed).unwrap_err(), why, "the same words again");
    let rewritten = repo.commit(&[("a.yaml", "another 2")]);
    assert!(look(&mut followed).unwrap_err().contains(&rewritten[..12]));
    // A new process knows it, too.
    assert!(look(&mut repository(options.clone())).unwrap_err().contains("does not come after"));
    let allowed = bursar::source::git::Options { allow_rewind: true, ..options.clone() };
    assert_eq!(took(&mut repository(allowed)).commit.as_str(), rewritten);
    // From now on that is the one to come after.
    assert_eq!(took(&mut repository(options.clone())).commit.as_str(), rewritten);
    repo.git(&["reset", "--quiet", "--hard", &second]);
    assert!(look(&mut repository(options)).is_err());
}

#[test]
fn what_comes_after_is_recognised_however_much_lies_between() {
    let repo = Repo::with(&[("a.yaml", "0")]);
    let (_mirrors, options) = of(&repo);
    let mut followed = repository(options);
    took(&mut followed);
    // More than is looked through at first; and a merge of a branch that is older than what is in force.
    repo.git(&["branch", "side"]);
    for _ in 0..70 {
        repo.commit(&[]);
    }
    repo.git(&["checkout", "--quiet", "side"]);
    repo.commit(&[("b.yaml", "b")]);
    repo.git(&["checkout", "--quiet", "main"]);
    assert_eq!(took(&mut followed).commit.as_str(), repo.head());
    repo.git(&["merge", "--quiet", "--no-edit", "side"]);
    assert_eq!(files(&took(&mut followed)).len(), 2);
}

#[test]
fn a_repository_without_manifests_is_not_everyones_leaving() {
    let repo = Repo::empty();
    let (_mirrors, options) = of(&repo);
    let mut followed = repository(options.clone());
    assert_eq!(look(&mut followed).unwrap_err(), "the repository has no branch main");
    repo.commit(&[]);
    let empty = format!(
        "the commit {} has no manifest in ., which is not taken for every client's leaving",
        &repo.head()[..12]
    );
    assert_eq!(look(&mut followed).unwrap_err(), empty);
    assert_eq!(look(&mut followed).unwrap_err(), empty, "the same words again");
    repo.commit(&[("clients/a.yaml", "a")]);
    took(&mut followed);
    for path in ["elsewhere", "clients/a.yaml"] {
        let path = bursar::source::git::TreePath::parse(path).unwrap();
        let why = look(&mut repository(bursar::source::git::Options { path, ..options.clone() })).unwrap_err();
        assert!(why.contains("has no manifest in"), "{why}");
    }
    repo.git(&["rm", "--quiet", "-r", "clients"]);
    repo.commit(&[("README.md", "x"), (".clients/a.yaml", "hidden")]);
    assert!(look(&mut followed).unwrap_err().contains("has no manifest in ."));
    repo.commit(&[("clients/a.yaml", "back")]);
    assert_eq!(files(&took(&mut followed))[0].1, "back");
}

#[test]
fn a_repository_that_disappears_comes_back() {
    let repo = Repo::with(&[("a.yaml", "1")]);
    let (_mirrors, options) = of(&repo);
    let mut followed = repository(options);
    took(&mut followed);
    std::fs::rename(repo.path(), repo.beside("elsewhere")).unwrap();
    let why = look(&mut followed).unwrap_err();
    assert!(why.starts_with("asking the repository where the branch is failed: fatal: "), "{why}");
    assert_eq!(look(&mut followed).unwrap_err(), why);
    std::fs::rename(repo.beside("elsewhere"), repo.path()).unwrap();
    assert!(look(&mut followed).unwrap().is_none(), "the one in force is the newest");
    repo.git(&["branch", "--move", "main", "trunk"]);
    assert_eq!(look(&mut followed).unwrap_err(), "the repository has no branch main");
}

/// Whatever a killed fetch or a bad disk left of the copy.
#[test]
fn a_copy_that_does_not_hold_is_made_anew() {
    let repo = Repo::with(&[("a.yaml", "1")]);
    let (mirrors, options) = of(&repo);
    took(&mut repository(options.clone()));
    let copy = copy(mirrors.path());
    let wreck: [&dyn Fn(); 5] = [
        &|| {
            for left in ["shallow.lock", "HEAD.lock", "config.lock", "objects/pack/tmp_pack_x", "refs/bursar/new.lock"]
            {
                std::fs::write(copy.join(left), "half").unwrap();
            }
            std::fs::create_dir_all(copy.with_file_name("fresh.git").join("objects")).unwrap();
        },
        &|| {
            for file in std::fs::read_dir(copy.join("objects/pack")).unwrap() {
                let file = file.unwrap().path();
                std::fs::remove_file(&file).unwrap();
                std::fs::write(file, "not a pack").unwrap();
            }
        },
        &|| std::fs::remove_dir_all(copy.join("objects")).unwrap(),
        &|| std::fs::write(copy.join("config"), "[core\n").unwrap(),
        &|| std::fs::remove_dir_all(&copy).unwrap(),
    ];
    for (number, wreck) in wreck.iter().enumerate() {
        wreck();
        let head = repo.head();
        assert_eq!(took(&mut repository(options.clone())).commit.as_str(), head, "{number}: after a start");
        let mut followed = repository(options.clone());
        took(&mut followed);
        wreck();
        let next = repo.commit(&[("a.yaml", &format!("after {number}"))]);
        // A copy that turned out not to hold is fetched anew at the next look at the latest.
        let taken = look(&mut followed).or_else(|_| look(&mut followed)).unwrap().unwrap();
        assert_eq!((taken.commit.as_str(), files(&taken)[0].1.as_str()), (next.as_str(), &*format!("after {number}")));
        let left = [copy.join("shallow.lock"), copy.join("objects/pack/tmp_pack_x"), copy.with_file_name("fresh.git")];
        assert!(left.iter().all(|left| !left.exists()), "{number}");
    }
    // What was in force is known even so.
    repo.git(&["checkout", "--quiet", "--orphan", "other"]);
    repo.commit(&[("a.yaml", "x")]);
    repo.git(&["branch", "--force", "main"]);
    std::fs::remove_dir_all(&copy).unwrap();
    assert!(look(&mut repository(options)).unwrap_err().contains("does not come after"));
}

#[test]
fn the_copy_stays_small_however_many_commits_come() {
    let repo = Repo::with(&[("a.yaml", "0")]);
    let (mirrors, options) = of(&repo);
    let mut followed = repository(options);
    let mut most = 0;
    for turn in 0..55 {
        repo.commit(&[("a.yaml", &turn.to_string())]);
        assert_eq!(files(&took(&mut followed))[0].1, turn.to_string());
        most = most.max(packs(mirrors.path()));
    }
    assert_eq!(most, 50);
    assert!(packs(mirrors.path()) < 10);
}

#[test]
fn one_process_at_a_time_uses_a_copy() {
    let repo = Repo::with(&[("a.yaml", "1")]);
    let (mirrors, mut options) = of(&repo);
    took(&mut repository(options.clone()));
    let file = copy(mirrors.path()).with_file_name("lock");
    let held = std::fs::File::options().write(true).open(file).unwrap();
    held.lock().unwrap();
    options.limits.time = std::time::Duration::from_millis(400);
    let mut followed = repository(options.clone());
    repo.commit(&[("a.yaml", "2")]);
    assert!(look(&mut followed).unwrap_err().starts_with("another process uses the copy of the repository in "));
    drop(held);
    options.limits.time = std::time::Duration::from_secs(60);
    took(&mut repository(options));
}
