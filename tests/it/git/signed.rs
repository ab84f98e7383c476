//! Signatures: by whom, of what, and who decides about that.

use std::path::PathBuf;

use bursar::source::git::{Options, check_signers};

use super::repo::Repo;
use super::{look, options, repository, took};

/// A repository with one commit, signed by Jane, whose key the file of signers names.
struct World {
    repo: Repo,
    jane: PathBuf,
    signers: PathBuf,
    mirrors: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let repo = Repo::empty();
        let (jane, line) = repo.key("jane");
        let signers = repo.signers(&line);
        repo.commit_signed(&[("a.yaml", "1")], &jane);
        Self { repo, jane, signers, mirrors: tempfile::tempdir().unwrap() }
    }

    fn options(&self) -> Options {
        let options = options(self.repo.path().to_str().unwrap(), self.mirrors.path());
        Options { signers: Some(self.signers.clone()), ..options }
    }
}

fn refused(commit: &str, why: &str) -> String {
    format!("the commit {} {why}, so it is not used", &commit[..12])
}

const UNKNOWN: &str = "is signed by a key that the file of signers does not name";

#[test]
fn only_a_commit_that_a_named_key_signed_is_taken() {
    let world = World::new();
    let World { repo, jane, .. } = &world;
    let mut followed = repository(world.options());
    took(&mut followed);

    let unsigned = repo.commit(&[("a.yaml", "2")]);
    let why = refused(&unsigned, "is not signed");
    assert_eq!(look(&mut followed).unwrap_err(), why);
    assert_eq!(look(&mut followed).unwrap_err(), why, "the same words again");
    assert_eq!(look(&mut repository(world.options())).unwrap_err(), why, "after a start, too");

    // The head vouches for what is before it.
    repo.commit_signed(&[("a.yaml", "3")], jane);
    took(&mut followed);

    let (stranger, _) = repo.key("stranger");
    let foreign = repo.commit_signed(&[("a.yaml", "4")], &stranger);
    assert_eq!(look(&mut followed).unwrap_err(), refused(&foreign, UNKNOWN));
}

#[test]
fn a_key_that_comes_in_the_same_commit_signs_nothing() {
    let world = World::new();
    let World { repo, .. } = &world;
    let mut followed = repository(world.options());
    took(&mut followed);
    let (stranger, line) = repo.key("stranger");
    let files = [("allowed_signers", line.as_str()), (".gitattributes", "* filter=x"), ("a.yaml", "2")];
    let commit = repo.commit_signed(&files, &stranger);
    assert_eq!(look(&mut followed).unwrap_err(), refused(&commit, UNKNOWN));
    // The operator's own word is another matter, and counts at once.
    let both = std::fs::read_to_string(&world.signers).unwrap() + &line;
    std::fs::write(&world.signers, both).unwrap();
    assert_eq!(took(&mut followed).commit.as_str(), commit);
}

#[test]
fn a_signature_for_something_else_is_none() {
    let world = World::new();
    let World { repo, jane, .. } = &world;
    let mut followed = repository(world.options());
    took(&mut followed);
    // Jane's signature of one commit, moved onto another.
    let signed = repo.commit_signed(&[("a.yaml", "2")], jane);
    let raw = repo.git(&["cat-file", "commit", &signed]);
    let forged = raw.replace("\n\nx", "\n\nforged") + "\n";
    repo.write("../forged", &forged);
    let forged = repo.git(&["hash-object", "-t", "commit", "-w", repo.beside("forged").to_str().unwrap()]);
    repo.git(&["reset", "--quiet", "--hard", &forged]);
    let why = look(&mut followed).unwrap_err();
    assert!(why.starts_with(&format!("the commit {} has no signature that holds (", &forged[..12])), "{why}");

    // A key that may sign files and not commits.
    let line = std::fs::read_to_string(&world.signers).unwrap().replace("namespaces=\"git\"", "namespaces=\"file\"");
    std::fs::write(&world.signers, line).unwrap();
    repo.git(&["reset", "--quiet", "--hard", &signed]);
    assert!(look(&mut followed).unwrap_err().starts_with(&format!("the commit {} ", &signed[..12])));
}

#[test]
fn a_signed_tag_is_not_followed_wherever_it_is_moved() {
    let world = World::new();
    let World { repo, jane, .. } = &world;
    let key = format!("user.signingKey={}", jane.display());
    let tag = |at: &str| {
        repo.git(&["-c", "gpg.format=ssh", "-c", &key, "tag", "--sign", "--force", "--message=x", "main", at])
    };
    tag("HEAD");
    let mut followed = repository(world.options());
    let first = took(&mut followed).commit;
    let unsigned = repo.commit(&[("a.yaml", "2")]);
    tag("HEAD");
    assert_eq!(look(&mut followed).unwrap_err(), refused(&unsigned, "is not signed"));
    repo.git(&["reset", "--quiet", "--hard", first.as_str()]);
    assert!(look(&mut followed).unwrap().is_none(), "the tag that moved does not matter");
    // Nor does a tag stand in for a branch.
    repo.git(&["branch", "--move", "main", "trunk"]);
    assert_eq!(look(&mut followed).unwrap_err(), "the repository has no branch main");
}

#[test]
fn what_was_taken_before_signatures_were_asked_for_is_judged_again() {
    let world = World::new();
    let unsigned = world.repo.commit(&[("a.yaml", "2")]);
    let without = Options { signers: None, ..world.options() };
    took(&mut repository(without));
    assert_eq!(look(&mut repository(world.options())).unwrap_err(), refused(&unsigned, "is not signed"));
}

#[test]
fn a_pgp_signature_starts_no_other_program() {
    let world = World::new();
    let World { repo, .. } = &world;
    let raw = repo.git(&["cat-file", "commit", "HEAD"]);
    let (before, rest) = raw.split_once("gpgsig ").unwrap();
    let message = rest.split_once("\n\n").unwrap().1;
    let pgp =
        format!("{before}gpgsig -----BEGIN PGP SIGNATURE-----\n \n iQ\n -----END PGP SIGNATURE-----\n\n{message}\n");
    repo.write("../pgp", pgp);
    let commit = repo.git(&["hash-object", "-t", "commit", "-w", repo.beside("pgp").to_str().unwrap()]);
    repo.git(&["reset", "--quiet", "--hard", &commit]);
    let why = look(&mut repository(world.options())).unwrap_err();
    assert!(why.starts_with(&format!("the commit {} ", &commit[..12])), "{why}");
}

#[test]
fn the_file_of_signers_is_the_operators_alone() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let address = world.options().address;
    check_signers(&world.signers, &address).unwrap();
    let told = |file: &std::path::Path| {
        let why = check_signers(file, &address).unwrap_err().to_string();
        why.replace(&file.display().to_string(), "FILE")
    };
    let inside = world.repo.path().join("allowed_signers");
    std::fs::copy(&world.signers, &inside).unwrap();
    let refused = "the file of signers FILE stands in the repository itself, whose writers could add to it";
    assert_eq!(told(&inside), refused);
    std::os::unix::fs::symlink(&inside, world.repo.beside("link")).unwrap();
    assert_eq!(told(&world.repo.beside("link")), refused);
    std::fs::set_permissions(&world.signers, PermissionsExt::from_mode(0o666)).unwrap();
    assert_eq!(
        told(&world.signers),
        "the file of signers FILE can be written by other users of this machine (mode 0666)"
    );
    assert!(told(&world.repo.beside("gone")).starts_with("the file of signers FILE cannot be read ("));
    // Checked at each commit, too.
    assert!(look(&mut repository(world.options())).unwrap_err().contains("can be written by other users"));
}
