//! The `git` program in an environment of our own: none of the user's or the machine's
//! configuration, no prompt, hook, filter or helper; within limits of time, output and disk.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret as _, SecretString};
use tokio_util::sync::CancellationToken;

use super::error::{GitError, complaint};

/// How often a running program is looked after.
const LOOK: Duration = Duration::from_millis(25);
/// The most of the program's complaints that is read, in bytes.
const COMPLAINTS: usize = 64 * 1024;

/// The most that is read of a list, in bytes: some 150,000 files.
pub(super) const LISTING: usize = 16 << 20;
/// How long a run has in a repository that somebody works in.
const LOCAL: Duration = Duration::from_secs(120);

/// What holds for each run: whatever a repository's own configuration says, nothing of it
/// runs anything.
const SETTINGS: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.bigFileThreshold=1m",
    "credential.helper=",
    "diff.external=",
    "fetch.fsckObjects=true",
    "fetch.unpackLimit=1",
    "fetch.writeCommitGraph=false",
    "gc.auto=0",
    "gpg.program=false",
    "gpg.x509.program=false",
    "http.followRedirects=false",
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=60",
    "http.proxy=",
    "http.sslVerify=true",
    "maintenance.auto=false",
    "pack.threads=1",
    "protocol.allow=never",
    "protocol.version=2",
    "submodule.recurse=false",
    "transfer.bundleURI=false",
];

/// The program, told where to run and what it may reach.
#[derive(Debug, Clone)]
pub struct Git {
    folder: PathBuf,
    repository: Which,
    protocol: &'static str,
    variables: Vec<(&'static str, OsString)>,
    header: Option<Header>,
    limit: Duration,
    quota: Option<(PathBuf, u64)>,
    cancel: CancellationToken,
}

/// The repository that a run is for.
#[derive(Debug, Clone)]
enum Which {
    /// None, whatever is around the folder.
    None,
    /// This bare one.
    Bare(PathBuf),
    /// The one that git finds around the folder.
    Around,
}

/// A header for one origin, and what of it must not be seen.
#[derive(Debug, Clone)]
struct Header {
    name: String,
    value: SecretString,
    secrets: Vec<SecretString>,
}

/// What a run reads from standard input.
#[derive(Debug)]
pub enum Input {
    /// Nothing.
    Nothing,
    /// These bytes.
    Bytes(Vec<u8>),
    /// Nothing either, but whoever outlives us goes on holding this file's lock.
    Lock(File),
}

/// One run.
#[derive(Debug)]
pub struct Run<'a> {
    /// For errors: `fetching the branch`.
    pub doing: &'static str,
    /// The arguments, the verb first.
    pub args: Vec<&'a OsStr>,
    /// Standard input.
    pub input: Input,
    /// The most of its output that is read, in bytes.
    pub most: usize,
    /// More than that is cut off rather than an error.
    pub cut: bool,
}

impl<'a> Run<'a> {
    /// A run of which only its end and a few lines matter.
    pub fn new(doing: &'static str, args: &[&'a str]) -> Self {
        let args = args.iter().map(|arg| OsStr::new(*arg)).collect();
        Self { doing, args, input: Input::Nothing, most: COMPLAINTS, cut: false }
    }
}

/// How a run ended.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// What it said on standard output.
    pub stdout: Vec<u8>,
    /// Its complaints, without secrets; raw otherwise.
    pub stderr: String,
    doing: &'static str,
}

impl Ran {
    /// The output of a run that went well.
    ///
    /// # Errors
    /// It did not.
    pub fn well(self) -> Result<Vec<u8>, GitError> {
        if self.code == Some(0) { Ok(self.stdout) } else { Err(self.failed()) }
    }

    /// As an error, in the program's own words.
    pub fn failed(&self) -> GitError {
        GitError::Failed { doing: self.doing, said: complaint(&self.stderr) }
    }
}

impl Git {
    /// In a folder, for no repository; reaches none either.
    pub fn at(folder: &Path, limit: Duration, cancel: CancellationToken) -> Self {
        Self {
            folder: if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.to_owned() },
            repository: Which::None,
            protocol: "none",
            variables: Vec::new(),
            header: None,
            limit,
            quota: None,
            cancel,
        }
    }

    /// For the repository around a folder, in which somebody works; reaches no other one.
    pub fn around(folder: &Path) -> Self {
        Self { repository: Which::Around, ..Self::at(folder, LOCAL, CancellationToken::new()) }
    }

    /// For this bare repository, wherever it runs.
    #[must_use]
    pub fn with_repository(mut self, repository: &Path) -> Self {
        self.repository = Which::Bare(repository.to_owned());
        self
    }

    /// May reach other repositories by this protocol alone.
    #[must_use]
    pub const fn with_protocol(mut self, protocol: &'static str) -> Self {
        self.protocol = protocol;
        self
    }

    /// With one more variable.
    #[must_use]
    pub fn with_variable(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// Sends this header to the origin, and to none else. `secrets` are what is taken out of
    /// the program's complaints.
    #[must_use]
    pub fn with_header(mut self, origin: &str, value: SecretString, secrets: Vec<SecretString>) -> Self {
        self.header = Some(Header { name: format!("http.{origin}/.extraHeader"), value, secrets });
        self
    }

    /// Is stopped when the folder grows over so many bytes.
    #[must_use]
    pub fn with_quota(mut self, folder: &Path, most: u64) -> Self {
        self.quota = Some((folder.to_owned(), most));
        self
    }

    /// What a run answers that goes well, at most as much as a list has. Blocks.
    ///
    /// # Errors
    /// It does not go well.
    pub fn bytes(&self, doing: &'static str, args: &[&str]) -> Result<Vec<u8>, GitError> {
        self.run(Run { most: LISTING, ..Run::new(doing, args) })?.well()
    }

    /// The same as text, without the line break at its end. Blocks.
    ///
    /// # Errors
    /// It does not go well, or the answer is no text.
    pub fn text(&self, doing: &'static str, args: &[&str]) -> Result<String, GitError> {
        let mut text = String::from_utf8(self.bytes(doing, args)?).map_err(|_| GitError::Answer(doing))?;
        if text.ends_with('\n') {
            text.pop();
        }
        Ok(text)
    }

    /// Whether the repository holds a part of its history only. Blocks.
    ///
    /// # Errors
    /// It cannot be told.
    pub fn is_shallow(&self) -> Result<bool, GitError> {
        Ok(self.text("looking at the history", &["rev-parse", "--is-shallow-repository"])? == "true")
    }

    /// Runs it to its end. Blocks.
    ///
    /// # Errors
    /// It cannot be started, is too slow, too large or too loud, or we are cancelled. An exit
    /// code is no error yet.
    pub fn run(&self, run: Run<'_>) -> Result<Ran, GitError> {
        let Run { doing, args, input, most, cut } = run;
        let mut command = self.command();
        command.args(args);
        let feed = match input {
            Input::Nothing => None,
            Input::Bytes(bytes) => Some(bytes),
            Input::Lock(file) => {
                command.stdin(file);
                None
            }
        };
        if feed.is_some() {
            command.stdin(Stdio::piped());
        }
        let mut group = Group(command.spawn().map_err(GitError::NoGit)?);
        if let (Some(bytes), Some(mut stdin)) = (feed, group.0.stdin.take()) {
            // Whoever ends without reading it all has said why on standard error.
            thread::spawn(move || stdin.write_all(&bytes));
        }
        let (told, tells) = mpsc::channel();
        listen(group.0.stdout.take(), most, Stream::Out, &told);
        listen(group.0.stderr.take(), COMPLAINTS, Stream::Err, &told);
        drop(told);
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        self.wait(doing, &tells, |stream, bytes| match stream {
            Stream::Out => stdout = bytes,
            Stream::Err => stderr = bytes,
        })?;
        self.within_quota()?;
        let code = group.end(Instant::now() + self.limit).map(|status| status.code()).ok_or(self.slow(doing))?;
        if stdout.len() > most {
            if !cut {
                return Err(GitError::Loud { doing, most });
            }
            stdout.truncate(most);
        }
        Ok(Ran { code, stdout, stderr: self.without_secrets(&String::from_utf8_lossy(&stderr)), doing })
    }

    /// Waits until both streams have ended, and looks at the clock, the disk and the wish to
    /// stop meanwhile.
    fn wait(
        &self,
        doing: &'static str,
        tells: &mpsc::Receiver<(Stream, Vec<u8>)>,
        mut take: impl FnMut(Stream, Vec<u8>),
    ) -> Result<(), GitError> {
        let until = Instant::now() + self.limit;
        loop {
            match tells.recv_timeout(LOOK) {
                Ok((stream, bytes)) => take(stream, bytes),
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.cancel.is_cancelled() {
                return Err(GitError::Cancelled);
            }
            if Instant::now() >= until {
                return Err(self.slow(doing));
            }
            self.within_quota()?;
        }
    }

    fn within_quota(&self) -> Result<(), GitError> {
        match &self.quota {
            Some((folder, most)) if size(folder) > *most => Err(GitError::Large { most: *most }),
            _ => Ok(()),
        }
    }

    const fn slow(&self, doing: &'static str) -> GitError {
        GitError::Slow { doing, after: self.limit }
    }

    fn command(&self) -> Command {
        let mut command = Command::new("git");
        command.current_dir(&self.folder).env_clear();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()));
        for (name, value) in [
            ("HOME", "/dev/null"),
            ("LC_ALL", "C"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_ATTR_NOSYSTEM", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_PROTOCOL_FROM_USER", "0"),
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_LITERAL_PATHSPECS", "1"),
            ("GIT_ALLOW_PROTOCOL", self.protocol),
        ] {
            command.env(name, value);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        if let Some(Header { name, value, secrets: _ }) = &self.header {
            command.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", name);
            command.env("GIT_CONFIG_VALUE_0", value.expose_secret());
        }
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command.arg("--no-pager");
        match &self.repository {
            // Else git would look for one around the folder, and do what its settings say.
            Which::None => command.args(["--git-dir", "/dev/null"]),
            Which::Bare(repository) => command.arg("--git-dir").arg(repository),
            Which::Around => &mut command,
        };
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt as _;
            // Its helpers end with it.
            command.process_group(0);
        }
        command
    }

    fn without_secrets(&self, text: &str) -> String {
        let Some(Header { secrets, .. }) = &self.header else { return text.to_owned() };
        secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.expose_secret(), "[token]"))
    }
}

#[derive(Debug, Clone, Copy)]
enum Stream {
    Out,
    Err,
}

/// Reads one stream to its end or one byte past the limit, and hands it over; letting go of
/// the pipe then ends whoever still writes.
fn listen(
    stream: Option<impl Read + Send + 'static>,
    most: usize,
    which: Stream,
    told: &mpsc::Sender<(Stream, Vec<u8>)>,
) {
    let Some(stream) = stream else { return };
    let told = told.clone();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is all there is.
        let _ = stream.take(most as u64 + 1).read_to_end(&mut bytes);
        let _ = told.send((which, bytes));
    });
}

/// A program and everything that it started; ended when it goes out of scope.
struct Group(Child);

impl Group {
    /// Its end, which is near: its output has ended.
    fn end(&mut self, until: Instant) -> Option<std::process::ExitStatus> {
        loop {
            match self.0.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < until => thread::sleep(Duration::from_millis(1)),
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(Some(_))) {
            return;
        }
        #[cfg(unix)]
        if let Ok(id) = i32::try_from(self.0.id())
            && let Some(group) = rustix::process::Pid::from_raw(id)
        {
            // Not waited for yet, so the number is still its own.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The bytes of all files below a folder. What comes and goes meanwhile does not matter.
pub(super) fn size(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => size(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}

/// An `io::Error` for a folder of ours.
pub(super) fn of_mirror(folder: &Path) -> impl Fn(io::Error) -> GitError + '_ {
    move |cause| GitError::Mirror { folder: folder.to_owned(), cause }
}

#[cfg(test)]
mod tests {
    use super::super::scratch;
    use super::*;

    fn git(folder: &Path) -> Git {
        Git::at(folder, Duration::from_secs(20), CancellationToken::new())
    }

    #[test]
    fn a_program_that_does_not_end_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let slow = Git { limit: Duration::from_millis(200), ..git(folder.path()) };
        // An alias is a program that git starts; a setting of ours, never a repository's.
        let begun = Instant::now();
        let run = Run::new("waiting", &["-c", "alias.wait=!sleep 600 & sleep 600", "wait"]);
        assert!(matches!(slow.run(run), Err(GitError::Slow { doing: "waiting", .. })));
        assert!(begun.elapsed() < Duration::from_secs(10));
        let cancelled = git(folder.path());
        cancelled.cancel.cancel();
        let run = Run::new("waiting", &["-c", "alias.wait=!sleep 600", "wait"]);
        assert!(matches!(cancelled.run(run), Err(GitError::Cancelled)));
    }

    #[test]
    fn a_run_is_for_no_repository_for_a_bare_one_or_for_the_one_around_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let (work, bare) = (folder.path().join("work"), folder.path().join("bare.git"));
        scratch::git(folder.path(), &["init", "-q", "work"]);
        scratch::git(folder.path(), &["init", "-q", "--bare", "bare.git"]);
        let below = work.join("below");
        std::fs::create_dir(&below).unwrap();
        let asked = |git: &Git| git.text("asking", &["rev-parse", "--absolute-git-dir"]);
        let none = asked(&git(&below)).unwrap_err().to_string();
        assert_eq!(none, "asking failed: fatal: not a git repository: '/dev/null'");
        let real = |path: &Path| path.canonicalize().unwrap().display().to_string();
        assert_eq!(asked(&git(&below).with_repository(&bare)).unwrap(), real(&bare));
        let around = Git::around(&below);
        assert_eq!(asked(&around).unwrap(), real(&work.join(".git")));
        assert!(around.text("asking", &["ls-remote", &bare.display().to_string()]).is_err(), "no other one is reached");
    }

    #[test]
    fn a_loud_program_is_cut_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let yes = ["-c", "alias.yes=!yes", "yes"];
        let run = Run { most: 1000, ..Run::new("shouting", &yes) };
        assert!(matches!(git(folder.path()).run(run), Err(GitError::Loud { most: 1000, .. })));
        let run = Run { most: 1000, cut: true, ..Run::new("shouting", &yes) };
        assert_eq!(git(folder.path()).run(run).unwrap().stdout.len(), 1000);
    }
}
