//! A world for a test: a folder of manifests, a sandbox of its own, the real binary in a
//! scrubbed environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use bursar::sandbox::{Options, Sandbox};
use serde_json::Value;

/// A sandbox and a folder.
pub struct World {
    pub folder: tempfile::TempDir,
    pub sandbox: Sandbox,
    pub http: reqwest::Client,
    api_url: String,
}

impl World {
    /// The sandbox as it comes, with these people signed up.
    pub async fn new(users: &[&str]) -> Self {
        Self::with(Options { users: users.iter().map(ToString::to_string).collect(), ..unlimited() }).await
    }

    pub async fn with(options: Options) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let sandbox = bursar::sandbox::start(options).await.unwrap();
        let api_url = sandbox.api_url();
        Self { folder: tempfile::tempdir().unwrap(), sandbox, http: reqwest::Client::new(), api_url }
    }

    /// Sends the binary to another address, a proxy's.
    pub fn through(&mut self, api_url: String) {
        self.api_url = api_url;
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes one manifest file.
    pub fn write(&self, file: &str, text: &str) {
        let path = self.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Writes a client with a plan and members.
    pub fn client(&self, name: &str, members: &[&str]) {
        self.write(&format!("{name}.yaml"), &manifest(name, members));
    }

    /// The real binary against this world's API, in the folder.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = bursar(args);
        command.current_dir(self.path()).env("BURSAR_API_URL", &self.api_url).env("BURSAR_TOKEN", self.sandbox.token());
        command
    }

    /// Runs it to its end, off this thread, for the sandbox lives on it.
    pub async fn run(&self, args: &[&str]) -> Done {
        let mut command = self.command(args);
        tokio::task::spawn_blocking(move || Done::from(command.output().unwrap())).await.unwrap()
    }

    pub async fn ledger(&self) -> Ledger {
        let url = format!("{}/sandbox/ledger", self.sandbox.url());
        let answer: Value = self.http.get(url).send().await.unwrap().json().await.unwrap();
        Ledger(answer["data"].clone())
    }

    /// A tester's call.
    pub async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.http.post(format!("{}{path}", self.sandbox.url())).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.unwrap_or(Value::Null)
    }

    /// An API call that nobody's ledger of requests should be asserted on afterwards.
    pub async fn get(&self, path: &str) -> Value {
        let request = self.http.get(format!("{}{path}", self.sandbox.api_url())).bearer_auth(self.sandbox.token());
        request.send().await.unwrap().json().await.unwrap()
    }

    /// Account name to the sorted emails of its members.
    pub async fn members(&self) -> BTreeMap<String, Vec<String>> {
        let listed = self.get("/accounts?include=subscription,members&per_page=100").await;
        let accounts = listed["data"].as_array().unwrap();
        accounts
            .iter()
            .map(|account| {
                let mut emails: Vec<String> = account["members"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|member| member["email"].as_str().unwrap().to_owned())
                    .collect();
                emails.sort();
                (account["name"].as_str().unwrap().to_owned(), emails)
            })
            .collect()
    }
}

/// No rate limit: what a test asserts is its own.
pub fn unlimited() -> Options {
    Options { rate_limit: 0, ..Options::default() }
}

/// A client on the teams plan.
pub fn manifest(name: &str, members: &[&str]) -> String {
    let members: String = members.iter().map(|email| format!("\n    - {email}")).collect();
    let members = if members.is_empty() { " []".to_owned() } else { members };
    format!(
        "apiVersion: bursar.dev/v1\nkind: ClientAccount\nmetadata: {{ name: {name} }}\nspec:\n  accountName: Client {name}\n  \
         notificationEmail: dns+{name}@agency.example\n  plan: teams\n  members:{members}\n"
    )
}

/// The binary, in an environment of nothing but a PATH.
pub fn bursar(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bursar"));
    command.args(args).env_clear().stdin(std::process::Stdio::null());
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

/// How a run ended.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Done {
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }
}

/// What really happened.
#[derive(Debug, Clone)]
pub struct Ledger(pub Value);

impl Ledger {
    /// All requests to the API.
    pub fn requests(&self) -> u64 {
        self.0["requests"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum()
    }

    /// Those that are not a GET.
    pub fn writes(&self) -> u64 {
        let requests = self.0["requests"].as_object().unwrap();
        requests.iter().filter(|(call, _)| !call.starts_with("GET ")).map(|(_, count)| count.as_u64().unwrap()).sum()
    }

    pub fn count(&self, what: &str) -> u64 {
        self.0[what].as_u64().unwrap_or_else(|| panic!("{what} in {}", self.0))
    }

    pub fn call(&self, call: &str) -> u64 {
        self.0["requests"][call].as_u64().unwrap_or(0)
    }
}

/// A daemon of the real binary; killed when it goes out of scope.
pub struct Running {
    child: std::process::Child,
    log: PathBuf,
    _folder: tempfile::TempDir,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let file = std::fs::File::create(&log).unwrap();
        let child = command.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        Self { child, log, _folder: folder }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until the log holds a text, at most so long.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str, at_most: Duration) {
        let until = Instant::now() + at_most;
        while !self.log().contains(text) {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("ended with {status} before `{text}`:\n{}", self.log());
            }
            assert!(Instant::now() < until, "no `{text}` within {at_most:?}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by the system's own command.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Stops it with SIGTERM; how long that took, and the code it exited with.
    pub fn stop(mut self) -> (Duration, i32, String) {
        self.signal("-TERM");
        let begun = Instant::now();
        let status = self.child.wait().unwrap();
        (begun.elapsed(), status.code().unwrap_or(-1), self.log())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again until it holds.
pub async fn eventually<F, Fut>(what: &str, at_most: Duration, mut holds: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let until = Instant::now() + at_most;
    while !holds().await {
        assert!(Instant::now() < until, "not within {at_most:?}: {what}");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

/// A server that embeds no details.
pub fn without_bulk() -> Options {
    Options { without: [bursar::sandbox::Extension::Bulk].into(), ..unlimited() }
}

/// Runs git in a folder, without the machine's configuration.
#[track_caller]
pub fn git(folder: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(folder).args(["-c", "user.name=Jane", "-c", "user.email=jane@agency.example"]).args(args);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", folder);
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    let done = command.output().unwrap();
    assert!(done.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

/// Commits everything in a folder; the commit.
#[track_caller]
pub fn commit(folder: &Path) -> String {
    git(folder, &["add", "-A"]);
    git(folder, &["commit", "-q", "--allow-empty", "-m", "change"]);
    git(folder, &["rev-parse", "HEAD"])
}

/// A generated schema is the committed one; `BURSAR_RENEW=1 cargo test --test it` renews it.
#[track_caller]
pub fn committed(file: &str, schema: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let wanted = format!("{}\n", serde_json::to_string_pretty(schema).unwrap());
    if std::env::var_os("BURSAR_RENEW").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == wanted, "{file} is not what the code says; renew it with BURSAR_RENEW=1");
}
