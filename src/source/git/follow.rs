//! A branch of a Git repository as a source of manifests: fetched into a copy of our own,
//! judged as a whole commit, read by the commit's name.
//!
//! A commit is taken when it comes after the last good one, is signed where signatures are
//! required, and holds manifests. Whatever else comes leaves the last good one in force.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio_util::sync::CancellationToken;

use crate::source::set::Problem;

use super::address::{Address, Branch, CommitId, Kind, TreePath};
use super::command::Git;
use super::error::GitError;
use super::mirror::{self, Mirror, Wish};
use super::tree::{self, Tree};
use super::verify;

/// What a fetch may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long each run of the program may take.
    pub time: Duration,
    /// How large the copy may grow, in bytes.
    pub disk: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: Duration::from_secs(120), disk: 256 << 20 }
    }
}

/// What is followed, and under which conditions.
#[derive(Debug, Clone)]
pub struct Options {
    /// The repository.
    pub address: Address,
    /// The branch.
    pub branch: Branch,
    /// The folder of the manifests.
    pub path: TreePath,
    /// The folder for copies of repositories.
    pub mirrors: PathBuf,
    /// How to get in.
    pub credential: Option<Credential>,
    /// Commits are signed by the keys of this file.
    pub signers: Option<PathBuf>,
    /// The branch may be moved to a commit that does not come after the last good one.
    pub allow_rewind: bool,
    /// What a fetch may cost.
    pub limits: Limits,
}

/// How to get in.
#[derive(Debug, Clone)]
pub enum Credential {
    /// `TOKEN`, or `USER:TOKEN`, over HTTP.
    Token(SecretString),
    /// A key, over SSH.
    Key {
        /// The private key.
        key: PathBuf,
        /// Whose host is whose; without it the user's and the machine's own.
        known_hosts: Option<PathBuf>,
    },
}

/// A commit that was judged good, and what is in it. It is in force once it is [kept](Repository::keep).
#[derive(Debug)]
pub struct Taken {
    /// The commit.
    pub commit: CommitId,
    /// What it holds.
    pub tree: Tree,
}

/// A followed branch.
#[derive(Debug)]
pub struct Repository {
    options: Options,
    mirror: Mirror,
    cancel: CancellationToken,
    /// What this process has in force.
    current: Option<CommitId>,
    /// What was fetched last, whatever was thought of it.
    fetched: Option<CommitId>,
    /// A commit that would be refused again, and why.
    refused: Option<(CommitId, String)>,
}

/// A refusal that was told before, in the same words.
pub type Refusal = String;

impl Repository {
    /// Nothing is run yet. Ends what it runs when it is cancelled.
    pub fn new(options: Options, cancel: CancellationToken) -> Self {
        let Options { address, branch, path, mirrors, .. } = &options;
        let mirrors = std::path::absolute(mirrors).unwrap_or_else(|_| mirrors.clone());
        let mirror = Mirror::new(&mirrors, address, branch, path);
        Self { options, mirror, cancel, current: None, fetched: None, refused: None }
    }

    /// Looks where the branch is; a commit that is to be taken, or `None` where the one that
    /// is in force still is the newest. `beside` is a file that is read with the manifests.
    /// Blocks.
    ///
    /// # Errors
    /// The last good commit stays in force, and why.
    pub fn look(&mut self, beside: &str) -> Result<Option<Taken>, Refusal> {
        let head = self.head().map_err(|error| error.to_string())?;
        if self.current.as_ref() == Some(&head) {
            return Ok(None);
        }
        if let Some((_, why)) = self.refused.as_ref().filter(|(commit, _)| *commit == head) {
            return Err(why.clone());
        }
        self.take(&head, beside).map(Some).map_err(|error| {
            let why = error.to_string();
            if error.is_of_the_commit() {
                let commit = self.fetched.clone().unwrap_or(head);
                self.refused = Some((commit, why.clone()));
            }
            why
        })
    }

    /// The last good commit as an earlier process left it on disk, judged anew with its
    /// signature, for where the branch brings nothing that is to be taken; `None` where there
    /// is none, and once a commit is in force here. Blocks.
    ///
    /// # Errors
    /// It does not hold any more, and why.
    pub fn last_good(&self, beside: &str) -> Result<Option<Taken>, Refusal> {
        if self.current.is_some() {
            return Ok(None);
        }
        let judged = || {
            let Some(good) = self.mirror.good()? else { return Ok(None) };
            let _lock = self.mirror.lock(self.options.limits.time, &self.cancel)?;
            self.judge(&good, beside).map(Some)
        };
        judged().map_err(|error: GitError| error.to_string())
    }

    /// From now on the commit is the last good one, on disk too.
    ///
    /// # Errors
    /// It cannot be written down.
    pub fn keep(&mut self, taken: &CommitId) -> Result<(), GitError> {
        self.mirror.keep(taken)?;
        self.current = Some(taken.clone());
        Ok(())
    }

    fn head(&self) -> Result<CommitId, GitError> {
        self.mirror.make()?;
        mirror::head(&self.network(), &self.options.address, &self.options.branch)
    }

    fn take(&mut self, head: &CommitId, beside: &str) -> Result<Taken, GitError> {
        let lock = self.mirror.lock(self.options.limits.time, &self.cancel)?;
        let good = self.mirror.good()?;
        let local = self.local();
        // After a start the copy may have it already, judged by an earlier process but for
        // its signature. What does not hold in a copy is fetched again.
        if good.as_ref() == Some(head)
            && let Ok(true) = mirror::has(&local, head)
            && let Ok(taken) = self.judge(head, beside)
        {
            return Ok(taken);
        }
        if self.fetched.as_ref() != Some(head) || !matches!(mirror::has(&local, head), Ok(true)) {
            self.fetched = None;
            let Options { address, branch, limits, allow_rewind, .. } = &self.options;
            // Asked even where the head is the last good one: the branch may move meanwhile.
            let back_to = good.as_ref().filter(|_| !allow_rewind);
            let wish = Wish { address, branch, back_to, quota: limits.disk };
            let brought = self.mirror.fetch(&self.network(), &wish, head, &lock)?;
            self.fetched = Some(brought.commit.clone());
            if let (false, Some(good)) = (brought.descends, good) {
                return Err(GitError::Rewound { head: brought.commit, good });
            }
        }
        let commit = self.fetched.clone().unwrap_or_else(|| head.clone());
        let judged = self.judge(&commit, beside);
        if let Err(GitError::Failed { .. }) = judged {
            // Our copy does not hold what it was given.
            self.fetched = None;
            self.mirror.discard()?;
        }
        judged
    }

    fn judge(&self, commit: &CommitId, beside: &str) -> Result<Taken, GitError> {
        let git = self.local();
        if let Some(signers) = &self.options.signers {
            verify::check_signers(signers, &self.options.address)?;
            verify::require(&git, commit, signers)?;
        }
        let tree = tree::read(&git, commit, &self.options.path, beside)?;
        // An operator's file is no manifest, though it is told of among them.
        if tree.files.files().iter().all(|file| file.content == Err(Problem::Operators)) {
            return Err(GitError::Empty { commit: commit.clone(), path: self.options.path.clone() });
        }
        Ok(Taken { commit: commit.clone(), tree })
    }

    /// The program, reaching nothing but our copy.
    fn local(&self) -> Git {
        Git::at(self.mirror.folder(), self.options.limits.time, self.cancel.clone())
            .with_repository(&self.mirror.repository())
    }

    /// The program, reaching the repository that is followed and no other.
    fn network(&self) -> Git {
        let Options { address, credential, limits, .. } = &self.options;
        let git = Git::at(self.mirror.folder(), limits.time, self.cancel.clone()).with_protocol(address.protocol());
        match (credential, address.kind()) {
            (Some(Credential::Token(token)), Kind::Http { origin, .. }) => {
                let whole = token.expose_secret();
                let pair = if whole.contains(':') { whole.to_owned() } else { format!("x-access-token:{whole}") };
                let encoded = base64(pair.as_bytes());
                let header = SecretString::from(format!("Authorization: Basic {encoded}"));
                let alone = pair.split_once(':').map(|(_, token)| token.to_owned()).unwrap_or_default();
                git.with_header(origin, header, [pair, alone, encoded].map(SecretString::from).into())
            }
            (Some(Credential::Key { key, known_hosts }), Kind::Ssh) => git
                .with_variable("GIT_SSH_COMMAND", ssh_command(key, known_hosts.as_deref()))
                .with_variable("GIT_SSH_VARIANT", "ssh"),
            _ => git,
        }
    }
}

/// SSH with this key alone: no agent, no configuration, no questions, no unknown hosts.
fn ssh_command(key: &std::path::Path, known_hosts: Option<&std::path::Path>) -> String {
    let mut words: Vec<String> = vec!["ssh".to_owned(), "-F".to_owned(), "/dev/null".to_owned()];
    for option in [
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "ClearAllForwardings=yes",
        "PermitLocalCommand=no",
        "ConnectTimeout=20",
        "ServerAliveInterval=15",
        "ServerAliveCountMax=3",
    ] {
        words.extend(["-o".to_owned(), option.to_owned()]);
    }
    words.extend(["-o".to_owned(), ssh_file("IdentityFile", key)]);
    if let Some(file) = known_hosts {
        words.extend(["-o".to_owned(), ssh_file("UserKnownHostsFile", file)]);
        words.extend(["-o".to_owned(), "GlobalKnownHostsFile=/dev/null".to_owned()]);
    }
    words.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect::<Vec<_>>().join(" ")
}

/// An option of ssh's with a path, in which `%` and quotes mean something.
fn ssh_file(option: &str, path: &std::path::Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let path = path.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    format!("{option}=\"{path}\"")
}

/// Base64 with padding, for one header.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            if place > three.len() {
                out.push('=');
            } else {
                out.push(char::from(DIGITS[(bits >> (18 - 6 * place) & 63) as usize]));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_as_the_standard_has_it() {
        for (raw, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
            ("\u{ff}\u{3f}>", "w78/Pg=="),
        ] {
            assert_eq!(base64(raw.as_bytes()), encoded, "{raw}");
        }
    }

    #[test]
    fn a_key_in_an_odd_place_is_still_one_word() {
        let command = ssh_command(std::path::Path::new("/k 'x' \"y\" %d/$(z)"), None);
        assert!(command.ends_with(r#"'-o' 'IdentityFile="/k '\''x'\'' \"y\" %%d/$(z)"'"#), "{command}");
        assert!(command.starts_with("'ssh' '-F' '/dev/null' '-o' 'BatchMode=yes' "), "{command}");
    }
}
