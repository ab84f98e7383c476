//! A real PostgreSQL for the tests: a cluster of their own in a temporary folder, on a Unix
//! socket alone, shared by all tests of this binary and gone when it ends. Where none is
//! installed the tests say `SKIPPED:` and why; with `BURSAR_REQUIRE_POSTGRES=1` they fail.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use bursar::journal::{InDatabase, Journal};
use secrecy::SecretString;
use sqlx::{Connection as _, PgConnection};

use crate::journal::worlds::{Place, fresh_id};

/// Stops the server and takes the folder away when the tests' process is gone, however it
/// went: its standard input ends then.
const KEEPER: &str = r#"trap '' INT TERM; cat >/dev/null; "$1/pg_ctl" -D "$2/data" -m immediate stop; rm -rf "$2""#;

pub struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
    /// PostgreSQL does not run as root; then it runs as this one.
    user: Option<String>,
    databases: AtomicU64,
    _keeper: Child,
}

impl Cluster {
    /// The one that all tests share.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
        SHARED.get_or_init(Self::start).as_ref()
    }

    /// One of its own, to be stopped and started.
    pub fn start() -> Option<Self> {
        let programs = match programs() {
            Some(programs) => programs,
            None => {
                let why = "no PostgreSQL here (initdb is neither in /usr/lib/postgresql/*/bin nor in PATH)";
                assert!(std::env::var_os("BURSAR_REQUIRE_POSTGRES").is_none(), "PostgreSQL is required; {why}");
                let _ = writeln!(std::io::stderr(), "SKIPPED: a test of the journal in PostgreSQL; {why}");
                return None;
            }
        };
        let root = said("id", &["-u"]) == "0";
        let user =
            root.then(|| if said("id", &["-u", "postgres"]).is_empty() { "nobody" } else { "postgres" }.to_owned());
        let folder = tempfile::Builder::new().prefix("bursar-pg-").tempdir().unwrap().keep();
        if let Some(user) = &user {
            let (uid, gid) = (said("id", &["-u", user]), said("id", &["-g", user]));
            std::os::unix::fs::chown(&folder, uid.parse().ok(), gid.parse().ok()).unwrap();
        }
        let mut keeper = as_user(user.as_deref(), "sh");
        keeper.args(["-c", KEEPER, "keeper"]).arg(&programs).arg(&folder);
        let keeper = keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let cluster = Self { programs, folder, user, databases: AtomicU64::new(0), _keeper: keeper };
        cluster.run("initdb", &["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]);
        cluster.write_config();
        cluster.up();
        Some(cluster)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn write_config(&self) {
        let config = format!(
            "listen_addresses = ''\nunix_socket_directories = '{}'\nfsync = off\nmax_connections = 100\nshared_buffers = 16MB\n",
            self.folder.display()
        );
        let mut file = std::fs::OpenOptions::new().append(true).open(self.data().join("postgresql.conf")).unwrap();
        file.write_all(config.as_bytes()).unwrap();
    }

    /// Starts the server; returns when it answers.
    pub fn up(&self) {
        let log = self.folder.join("log");
        self.run("pg_ctl", &["-w", "-t", "60", "-l", log.to_str().unwrap(), "start"]);
    }

    /// Stops it as a crash would.
    pub fn down(&self) {
        self.run("pg_ctl", &["-w", "-m", "immediate", "stop"]);
    }

    /// Comes up as a standby and is promoted: its data goes on in another timeline.
    pub fn fail_over(&self) {
        self.run("pg_ctl", &["-w", "-m", "fast", "stop"]);
        // A file that this user may not read would stop the server.
        let mut made = as_user(self.user.as_deref(), "touch");
        assert!(made.arg(self.data().join("standby.signal")).status().unwrap().success());
        self.up();
        self.run("pg_ctl", &["-w", "promote"]);
    }

    fn run(&self, program: &str, args: &[&str]) {
        let mut command = as_user(self.user.as_deref(), self.programs.join(program));
        command.arg("-D").arg(self.data()).args(args).current_dir(&self.folder);
        // A server that goes on must not hold pipes of ours open.
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.join("commands")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let status = command.status().unwrap();
        let log = std::fs::read_to_string(self.folder.join("commands")).unwrap_or_default();
        assert!(status.success(), "{program} {args:?}: {status}\n{log}");
    }

    /// The file of its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join(".s.PGSQL.5432")
    }

    /// The address of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.folder.display())
    }

    /// A connection of the tests' own.
    pub async fn connect(&self, database: &str) -> PgConnection {
        PgConnection::connect(&self.url(database)).await.unwrap()
    }

    /// A database that nobody used before.
    pub async fn database(&self) -> String {
        let name = format!("journal_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut connection = self.connect("postgres").await;
        let made = format!("CREATE DATABASE {name} TEMPLATE template0");
        sqlx::raw_sql(sqlx::AssertSqlSafe(made)).execute(&mut connection).await.unwrap();
        name
    }
}

/// A database of a cluster, as a place for journals.
pub struct Database {
    cluster: &'static Cluster,
    pub name: String,
}

impl Database {
    /// In the shared cluster; none where no PostgreSQL is installed.
    pub async fn new() -> Option<Self> {
        let cluster = Cluster::shared()?;
        Some(Self { cluster, name: cluster.database().await })
    }

    pub fn url(&self) -> String {
        self.cluster.url(&self.name)
    }

    pub fn socket(&self) -> PathBuf {
        self.cluster.socket()
    }

    pub async fn connect(&self) -> PgConnection {
        self.cluster.connect(&self.name).await
    }

    pub async fn journal(&self) -> InDatabase {
        InDatabase::open_executor(&SecretString::from(self.url()), fresh_id()).await.unwrap()
    }
}

impl Place for Database {
    async fn open(&self) -> Box<dyn Journal> {
        Box::new(self.journal().await)
    }

    async fn beside(&self) -> Option<Box<dyn Journal>> {
        Some(Box::new(InDatabase::open_beside(&SecretString::from(self.url())).await.unwrap()))
    }

    async fn another(&self) -> Box<dyn Journal> {
        let name = self.cluster.database().await;
        let url = SecretString::from(self.cluster.url(&name));
        Box::new(InDatabase::open_executor(&url, fresh_id()).await.unwrap())
    }

    fn lasts(&self) -> bool {
        true
    }
}

/// The folder of the newest PostgreSQL's programs.
fn programs() -> Option<PathBuf> {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = installed
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, programs)| programs.join("initdb").is_file())
        .collect();
    versions.sort();
    let in_path = || {
        let path = std::env::var_os("PATH")?;
        let mut folders = std::env::split_paths(&path);
        folders.find(|folder| ["initdb", "pg_ctl"].iter().all(|program| folder.join(program).is_file()))
    };
    versions.pop().map(|(_, programs)| programs).or_else(in_path)
}

fn as_user(user: Option<&str>, program: impl AsRef<Path>) -> Command {
    let Some(user) = user else { return Command::new(program.as_ref()) };
    let mut command = Command::new("setpriv");
    command.args(["--reuid", user, "--regid", &said("id", &["-g", user]), "--clear-groups", "--"]);
    command.arg(program.as_ref());
    command
}

fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
