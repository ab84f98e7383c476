//! Real repositories for tests, made with the real `git`, and one that is served over HTTP.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::support::git;

/// A repository with a working tree, and keys for signing beside it.
pub struct Repo {
    folder: tempfile::TempDir,
}

impl Repo {
    /// Without a commit.
    pub fn empty() -> Self {
        let repo = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(repo.path()).unwrap();
        repo.git(&["init", "--quiet", "--initial-branch=main"]);
        repo
    }

    /// With one commit of these files.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let repo = Self::empty();
        repo.commit(files);
        repo
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// A place beside the repository.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    #[track_caller]
    pub fn git(&self, args: &[&str]) -> String {
        git(&self.path(), args)
    }

    pub fn write(&self, file: &str, text: impl AsRef<[u8]>) {
        let path = self.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Writes files and commits everything; the commit's name.
    #[track_caller]
    pub fn commit(&self, files: &[(&str, &str)]) -> String {
        self.commit_with(files, &[])
    }

    #[track_caller]
    pub fn commit_with(&self, files: &[(&str, &str)], options: &[&str]) -> String {
        for (file, text) in files {
            self.write(file, text);
        }
        self.git(&["add", "--all"]);
        self.git(&[options, &["commit", "--quiet", "--allow-empty", "--message=x"]].concat());
        self.head()
    }

    /// Commits, signed by a key.
    #[track_caller]
    pub fn commit_signed(&self, files: &[(&str, &str)], key: &Path) -> String {
        let key = format!("user.signingKey={}", key.display());
        self.commit_with(files, &["-c", "gpg.format=ssh", "-c", &key, "-c", "commit.gpgSign=true"])
    }

    pub fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    /// A new key beside the repository, and its line for a file of signers.
    pub fn key(&self, name: &str) -> (PathBuf, String) {
        let path = self.beside(name);
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
            .arg(&path)
            .stdin(Stdio::null())
            .status();
        assert!(made.unwrap().success());
        let public = std::fs::read_to_string(path.with_extension("pub")).unwrap();
        (path, format!("{name}@agency.example namespaces=\"git\" {public}"))
    }

    /// A file of signers beside the repository.
    pub fn signers(&self, lines: &str) -> PathBuf {
        let path = self.beside("allowed_signers");
        std::fs::write(&path, lines).unwrap();
        path
    }
}

/// A program of ours that stands before the real one of its name, and writes down what it is
/// told.
pub struct Program {
    pub path: std::ffi::OsString,
    told: PathBuf,
}

impl Program {
    /// The words of each run in one line, and then its environment.
    pub fn told(&self) -> String {
        std::fs::read_to_string(&self.told).unwrap()
    }
}

impl Repo {
    /// Puts a program before all others; what it does after it has written down what it was told.
    pub fn program(&self, name: &str, does: &str) -> Program {
        use std::os::unix::fs::PermissionsExt;
        let folder = self.beside("bin");
        std::fs::create_dir_all(&folder).unwrap();
        let told = self.beside("told");
        let text = format!("#!/bin/sh\n{{ echo \"$*\"; env | grep -v CONFIG_VALUE; }} >> {}\n{does}\n", told.display());
        std::fs::write(folder.join(name), text).unwrap();
        std::fs::set_permissions(folder.join(name), PermissionsExt::from_mode(0o755)).unwrap();
        let paths = std::env::var_os("PATH").unwrap();
        let path = std::env::join_paths(std::iter::once(folder).chain(std::env::split_paths(&paths))).unwrap();
        Program { path, told }
    }
}

/// What a server does with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manner {
    /// Serves the repository.
    Serve,
    /// Asks for this value of `Authorization`.
    Ask(String),
    /// Sends elsewhere.
    Redirect(String),
    /// Refuses, and repeats what it was sent.
    Echo,
    /// Sends so much of the pack, and then nothing more.
    Stall(usize),
    /// Never answers.
    Hang,
}

/// `METHOD path?query`, and what stood in `Authorization`.
type Seen = (String, Option<String>);

/// A repository behind HTTP, through git's own program for it.
#[derive(Clone)]
pub struct Served {
    root: PathBuf,
    manner: Arc<Mutex<Manner>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    origin: String,
    stalled: Arc<AtomicUsize>,
    cut: Arc<tokio::sync::Notify>,
}

impl Served {
    /// Serves the folder in which the repository stands.
    pub async fn start(repo: &Repo) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let served = Self {
            root: repo.folder.path().to_owned(),
            manner: Arc::new(Mutex::new(Manner::Serve)),
            seen: Arc::default(),
            origin,
            stalled: Arc::default(),
            cut: Arc::default(),
        };
        let app = axum::Router::new().fallback(answer).with_state(served.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        served
    }

    pub fn url(&self) -> String {
        format!("{}/work/.git", self.origin)
    }

    pub fn set(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    /// How many answers stopped half way, or never began.
    pub fn stalled(&self) -> usize {
        self.stalled.load(Ordering::SeqCst)
    }

    /// Breaks the connections of answers that stopped half way.
    pub fn cut(&self) {
        self.cut.notify_waiters();
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn answer(State(served): State<Served>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let given = parts.headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    served.seen.lock().unwrap().push((format!("{} {}", parts.method, parts.uri), given.clone()));
    let manner = served.manner.lock().unwrap().clone();
    match &manner {
        Manner::Ask(wanted) if given.as_ref() != Some(wanted) => {
            return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic realm=\"x\"")]).into_response();
        }
        Manner::Redirect(to) => {
            let location = format!("{to}{}", parts.uri);
            return (StatusCode::FOUND, [(header::LOCATION, location)]).into_response();
        }
        Manner::Echo => {
            let text = format!("you sent {}\n", given.unwrap_or_default());
            return (StatusCode::FORBIDDEN, [(header::CONTENT_TYPE, "text/plain")], text).into_response();
        }
        Manner::Hang => {
            served.stalled.fetch_add(1, Ordering::SeqCst);
            return std::future::pending().await;
        }
        Manner::Serve | Manner::Ask(_) | Manner::Stall(_) => {}
    }
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let root = served.root.clone();
    let fetches = String::from_utf8_lossy(&body).contains("command=fetch");
    let answered = tokio::task::spawn_blocking(move || backend(&root, &parts, &body)).await.unwrap();
    match manner {
        Manner::Stall(bytes) if fetches => {
            let (parts, body) = answered.into_parts();
            let whole = axum::body::to_bytes(body, 64 << 20).await.unwrap();
            let begun = futures::stream::once(async move { Ok::<_, std::io::Error>(whole.slice(..bytes)) });
            let cut = Arc::clone(&served.cut);
            let broken = futures::stream::once(async move {
                cut.notified().await;
                Err(std::io::Error::other("cut"))
            });
            let body = Body::from_stream(futures::StreamExt::chain(begun, broken));
            served.stalled.fetch_add(1, Ordering::SeqCst);
            Response::from_parts(parts, body)
        }
        _ => answered,
    }
}

/// One request through `git http-backend`.
fn backend(root: &Path, parts: &axum::http::request::Parts, body: &[u8]) -> Response {
    use std::io::Write as _;
    let header = |name: &str| parts.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("PATH_INFO", parts.uri.path())
        .env("QUERY_STRING", parts.uri.query().unwrap_or_default())
        .env("CONTENT_TYPE", header("content-type"))
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(body).unwrap();
    let said = child.wait_with_output().unwrap().stdout;
    let Some(end) = said.windows(4).position(|four| four == b"\r\n\r\n") else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut headers = HeaderMap::new();
    let mut status = StatusCode::OK;
    for line in std::str::from_utf8(&said[..end]).unwrap().lines() {
        let (name, value) = line.split_once(": ").unwrap();
        if name == "Status" {
            status = value[..3].parse().unwrap();
        } else {
            headers.insert(axum::http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
        }
    }
    (status, headers, said[end + 4..].to_vec()).into_response()
}
