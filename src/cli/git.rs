//! A branch of a Git repository in place of a folder: the options, and the source that
//! follows it beside the daemon, so that a slow server holds no pass up.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::controller::{Reading, Source};
use crate::domain::text::inert;
use crate::journal::{JournalId, lock};
use crate::manifest::{self, LoadOptions, Loaded, Severity};
use crate::provider::token::{self, Token};
use crate::source::git::{
    Address, Branch, CommitId, Credential, Kind, Limits, Options, Repository, Taken, TreePath, check_signers,
};

use super::error::CliError;
use super::manifests::{ManifestArgs, refuse_if_strict};

/// Of so many submodules each is told by name.
const TOLD_SUBMODULES: usize = 5;
/// A shorter interval would be a burden to the server.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// The options of a source in Git; `--git` makes it one.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Git")]
pub struct GitArgs {
    /// Follow a branch of this repository in place of a folder: https://, ssh://, user@host:path or a path
    #[arg(long, value_name = "URL", conflicts_with = "paths")]
    pub git: Option<String>,
    /// The branch
    #[arg(long, value_name = "BRANCH", default_value = "main")]
    git_branch: String,
    /// The folder of the manifests in the repository
    #[arg(long, value_name = "PATH", default_value = ".")]
    git_path: String,
    /// Between looks at the repository
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = super::duration)]
    git_interval: Duration,
    /// A file with the token for https://, `TOKEN` or `USER:TOKEN`
    #[arg(long, value_name = "FILE", requires = "git")]
    git_token_file: Option<PathBuf>,
    /// The private key for ssh
    #[arg(long, value_name = "FILE", requires = "git")]
    git_ssh_key: Option<PathBuf>,
    /// Whose host is whose, for ssh [default: the user's and the machine's known_hosts]
    #[arg(long, value_name = "FILE", requires = "git_ssh_key")]
    git_known_hosts: Option<PathBuf>,
    /// Take only commits that a key of this file signed: an allowed_signers file, outside of the repository
    #[arg(long, value_name = "FILE", requires = "git")]
    git_verify: Option<PathBuf>,
    /// Take a commit that does not come after the last good one, too: the branch was moved on purpose
    #[arg(long, requires = "git")]
    git_allow_rewind: bool,
    /// Where copies of repositories are kept
    #[arg(long, value_name = "DIR", default_value = ".bursar/git")]
    git_mirrors: PathBuf,
}

impl GitArgs {
    /// What is followed, checked; `None` where it is a folder.
    ///
    /// # Errors
    /// An address, branch, folder or file that is refused.
    pub fn options(&self) -> Result<Option<Options>, CliError> {
        let Self { git, git_branch, git_path, git_interval, git_verify, git_allow_rewind, git_mirrors, .. } = self;
        let Some(raw) = git else { return self.check_unused().map(|()| None) };
        if *git_interval < SHORTEST_INTERVAL {
            return Err(CliError::new("--git-interval is at least 1s"));
        }
        let address = Address::parse(raw).map_err(|error| CliError::new(format!("--git: {error}")))?;
        if let Some(file) = git_verify {
            check_signers(file, &address)?;
        }
        let named = |option: &str, raw: &str, error: &dyn std::fmt::Display| {
            CliError::new(format!("--git-{option} `{}`: {error}", inert(raw)))
        };
        Ok(Some(Options {
            branch: Branch::parse(git_branch).map_err(|error| named("branch", git_branch, &error))?,
            path: TreePath::parse(git_path).map_err(|error| named("path", git_path, &error))?,
            mirrors: git_mirrors.clone(),
            credential: self.credential(&address)?,
            signers: git_verify.clone(),
            allow_rewind: *git_allow_rewind,
            limits: Limits::default(),
            address,
        }))
    }

    /// Without `--git` nothing of the others may stand there: whoever wants signatures verified
    /// must not get a folder that nobody verifies. (Where a path is given, which conflicts with
    /// `--git`, the parser lets `requires` pass.)
    fn check_unused(&self) -> Result<(), CliError> {
        let Self { git_token_file, git_ssh_key, git_known_hosts, git_verify, git_allow_rewind, .. } = self;
        let given = [
            ("--git-verify", git_verify.is_some()),
            ("--git-token-file", git_token_file.is_some()),
            ("--git-ssh-key", git_ssh_key.is_some()),
            ("--git-known-hosts", git_known_hosts.is_some()),
            ("--git-allow-rewind", *git_allow_rewind),
        ];
        let given: Vec<&str> = given.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect();
        if given.is_empty() {
            return Ok(());
        }
        let message = format!("{} without --git, and a folder is read as it is", given.join(" and "));
        Err(CliError::new(message).hint("give --git URL in place of the folder, or leave the option out"))
    }

    /// Between looks at the repository.
    pub const fn interval(&self) -> Duration {
        self.git_interval
    }

    fn credential(&self, address: &Address) -> Result<Option<Credential>, CliError> {
        match (address.kind(), &self.git_token_file, &self.git_ssh_key) {
            (Kind::Http { .. }, Some(file), None) => {
                let token = Token::from_file(file)?;
                Ok(Some(Credential::Token(SecretString::from(token.expose().to_owned()))))
            }
            (Kind::Ssh, None, Some(key)) => {
                refuse_exposed(key)?;
                Ok(Some(Credential::Key { key: key.clone(), known_hosts: self.git_known_hosts.clone() }))
            }
            (Kind::Ssh, None, None) => {
                Err(CliError::new("ssh needs --git-ssh-key FILE: no agent and no key of the user's is asked"))
            }
            (_, None, None) => Ok(None),
            (_, Some(_), _) => Err(CliError::new("--git-token-file is for https:// alone")),
            (_, None, Some(_)) => Err(CliError::new("--git-ssh-key is for ssh alone")),
        }
    }
}

fn refuse_exposed(key: &std::path::Path) -> Result<(), CliError> {
    let shown = inert(&key.to_string_lossy()).into_owned();
    let unreadable = |error: std::io::Error| CliError::new(format!("cannot read the ssh key {shown}")).because(&error);
    let file = std::fs::File::open(key).map_err(unreadable)?;
    match token::exposed(&file).map_err(unreadable)? {
        Some(mode) => Err(CliError::new(format!("the ssh key {shown} is open to other users (mode {mode:04o})"))
            .hint(format!("run `chmod 600 {shown}`"))),
        None => Ok(()),
    }
}

/// What is known of the branch.
#[derive(Debug, Clone, Default)]
struct State {
    /// The last good commit, and what its manifests say.
    latest: Option<(CommitId, Arc<Loaded>)>,
    /// Why there is nothing newer.
    trouble: Option<String>,
}

/// A branch that is followed. What it says is read from memory; [`GitSource::follow`] keeps
/// that up to date.
#[derive(Debug)]
pub struct GitSource {
    judge: Arc<Mutex<Judge>>,
    interval: Duration,
    state: Mutex<State>,
    news: Notify,
    hurry: Notify,
    delivered: Mutex<Option<CommitId>>,
}

/// Looks at the branch, and decides whether a commit is good as a whole.
#[derive(Debug)]
struct Judge {
    repository: Repository,
    load: LoadOptions,
    strict: bool,
    journal: JournalId,
}

/// What a look brought.
#[derive(Debug, Default)]
struct Look {
    /// What is in force from now on, where that is something else than before.
    new: Option<(CommitId, Loaded)>,
    /// Why it is not what the branch is at.
    trouble: Option<String>,
}

impl GitSource {
    /// Runs nothing yet. Ends what it runs when it is cancelled.
    pub fn new(
        options: Options,
        interval: Duration,
        manifests: &ManifestArgs,
        journal: JournalId,
        cancel: CancellationToken,
    ) -> Self {
        let (load, strict) = (manifests.options(), manifests.strict);
        let judge = Judge { repository: Repository::new(options, cancel), load, strict, journal };
        Self {
            judge: Arc::new(Mutex::new(judge)),
            interval,
            state: Mutex::default(),
            news: Notify::new(),
            hurry: Notify::new(),
            delivered: Mutex::default(),
        }
    }

    /// Looks at the branch, again and again, until it is cancelled and nothing runs any more.
    pub async fn follow(&self, cancel: &CancellationToken) {
        while !cancel.is_cancelled() {
            let judge = Arc::clone(&self.judge);
            let look = move || judge.lock().unwrap_or_else(PoisonError::into_inner).look();
            let looked = tokio::task::spawn_blocking(look).await;
            let looked = looked.unwrap_or_else(|_| Look {
                trouble: Some("reading the repository stopped short, which is a bug".into()),
                ..Look::default()
            });
            // That a stop cut it short is no trouble with the repository.
            self.take(if cancel.is_cancelled() { Look::default() } else { looked });
            tokio::select! {
                () = tokio::time::sleep(self.interval) => {}
                () = self.hurry.notified() => {}
                () = cancel.cancelled() => {}
            }
        }
    }

    fn take(&self, Look { new, trouble }: Look) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let told = new.is_some() || state.trouble != trouble;
        state.trouble = trouble;
        if let Some((commit, loaded)) = new {
            state.latest = Some((commit, Arc::new(loaded)));
        }
        if told {
            self.news.notify_one();
        }
    }
}

impl Judge {
    /// A new commit that is good as a whole; at a start where the branch brings none, the
    /// last good one that is on disk.
    fn look(&mut self) -> Look {
        let trouble = match self.repository.look(lock::NAME).and_then(|taken| self.take(taken)) {
            Ok(new) => return Look { new, trouble: None },
            Err(trouble) => trouble,
        };
        match self.repository.last_good(lock::NAME).and_then(|taken| self.take(taken)) {
            Ok(new) => {
                if let Some((commit, _)) = &new {
                    let commit = commit.short();
                    tracing::warn!(commit, "{trouble}; the last good commit is taken from the copy on this disk");
                }
                Look { new, trouble: Some(trouble) }
            }
            Err(why) => Look { new: None, trouble: Some(format!("{trouble}; of the copy on this disk: {why}")) },
        }
    }

    /// Judges what a commit says; one that is good as a whole is kept.
    fn take(&mut self, taken: Option<Taken>) -> Result<Option<(CommitId, Loaded)>, String> {
        let Some(Taken { commit, tree }) = taken else { return Ok(None) };
        if let Some((file, text)) = &tree.beside {
            let file = format!("{} of the commit {}", inert(file), commit.short());
            lock::check_text(&file, text, &self.journal).map_err(|error| error.to_string())?;
        }
        let loaded = manifest::load(&tree.files, &self.load);
        refuse_nobody(&commit, &loaded)?;
        refuse_if_strict(self.strict, &loaded)?;
        tell_submodules(&commit, &tree.submodules);
        self.repository.keep(&commit).map_err(|error| error.to_string())?;
        Ok(Some((commit, loaded)))
    }
}

/// Of a commit without one client that holds, nothing is taken: what is in force is better
/// known than that.
fn refuse_nobody(commit: &CommitId, loaded: &Loaded) -> Result<(), String> {
    let manifest::Wanted { clients, offboardings, invalid: _ } = &loaded.wanted;
    if !clients.is_empty() || !offboardings.is_empty() {
        return Ok(());
    }
    let first = loaded.findings.iter().find(|finding| finding.severity == Severity::Error);
    let first = first.map_or_else(String::new, |finding| format!(": {finding}"));
    let short = commit.short();
    Err(format!("the commit {short} has no client that holds, which is not taken for every client's leaving{first}"))
}

fn tell_submodules(commit: &CommitId, submodules: &[String]) {
    for name in submodules.iter().take(TOLD_SUBMODULES) {
        tracing::warn!(commit = commit.short(), "{} is a submodule, which is not read", inert(name));
    }
    if submodules.len() > TOLD_SUBMODULES {
        let more = submodules.len() - TOLD_SUBMODULES;
        tracing::warn!(commit = commit.short(), "{more} more submodules are not read");
    }
}

#[async_trait::async_trait]
impl Source for GitSource {
    fn read(&self) -> Result<Option<Reading>, String> {
        // Before the first look has ended there is nothing; it tells when it has.
        let State { latest, trouble } = self.state.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut delivered = self.delivered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((commit, loaded)) = latest.filter(|(commit, _)| delivered.as_ref() != Some(commit)) {
            if trouble.is_some() {
                // Told at the next reading, which is to be soon.
                self.news.notify_one();
            }
            *delivered = Some(commit.clone());
            let Loaded { wanted, findings, .. } = Loaded::clone(&loaded);
            let revision = Some(commit.as_str().to_owned());
            return Ok(Some(Reading { wanted, findings, watched: Vec::new(), revision }));
        }
        trouble.map_or(Ok(None), Err)
    }

    async fn changed(&self) {
        self.news.notified().await;
    }

    fn hurry(&self) {
        self.hurry.notify_one();
    }
}
