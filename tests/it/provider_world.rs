//! A small server in place of the account API, which answers as a test says, down to the
//! bytes, and remembers what it was asked. It shares no code with the driver or the sandbox.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bursar::provider::dnsimple::{self, Config, Reader, Timeouts};
use bursar::provider::{BaseUrl, Token};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The token of every test: nothing may ever show it.
pub const CANARY: &str = "canary-7f3a9c";

/// One request as it came in.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Method and target, `GET /v2/accounts?page=1`.
    pub line: String,
    /// The headers, in lower case, one a line.
    pub headers: String,
    pub body: String,
}

/// What the server does with a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// A whole answer, with headers; the connection stays open.
    Whole(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// These very bytes, then the end of the connection.
    Bytes(Vec<u8>),
    /// The first bytes, then one byte at a time for ever.
    Drip(Vec<u8>),
    /// The first bytes, then megabytes for ever.
    Flood(Vec<u8>),
    /// A reset connection.
    Reset,
    /// No answer at all.
    Silence,
}

/// A whole answer of JSON.
pub fn json(status: u16, body: Value) -> Reply {
    Reply::Whole(status, vec![("content-type", "application/json".into())], body.to_string().into_bytes())
}

/// A whole answer of JSON with further headers.
pub fn json_with(status: u16, headers: &[(&'static str, &str)], body: Value) -> Reply {
    Reply::Whole(status, headers.iter().map(|(n, v)| (*n, (*v).to_owned())).collect(), body.to_string().into_bytes())
}

/// A whole answer of HTML.
pub fn html(status: u16) -> Reply {
    Reply::Whole(status, vec![("content-type", "text/html; charset=utf-8".into())], b"<html>hello</html>".to_vec())
}

/// `{"message": ...}`.
pub fn message(status: u16, text: &str) -> Reply {
    json(status, serde_json::json!({"message": text}))
}

#[derive(Debug, Default)]
struct Memory {
    asked: Mutex<Vec<Asked>>,
    connections: AtomicUsize,
    written: AtomicU64,
}

/// A running server; it ends with the test.
#[derive(Debug)]
pub struct World {
    pub address: SocketAddr,
    memory: Arc<Memory>,
}

/// Starts a server; `reply` is told the request and how many came before it.
pub async fn world(reply: impl Fn(usize, &Asked) -> Reply + Send + Sync + 'static) -> World {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let memory = Arc::new(Memory::default());
    let (reply, kept) = (Arc::new(reply), Arc::clone(&memory));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            kept.connections.fetch_add(1, Ordering::SeqCst);
            let (reply, kept) = (Arc::clone(&reply), Arc::clone(&kept));
            tokio::spawn(async move { serve(stream, &*reply, &kept).await });
        }
    });
    World { address, memory }
}

async fn serve(mut stream: TcpStream, reply: &(impl Fn(usize, &Asked) -> Reply + Sync), memory: &Memory) {
    while let Some(asked) = read_request(&mut stream).await {
        let before = {
            let mut all = memory.asked.lock().unwrap();
            all.push(asked.clone());
            all.len() - 1
        };
        let (first, rest) = match reply(before, &asked) {
            Reply::Whole(status, headers, body) => {
                let length = if status == 204 { String::new() } else { format!("content-length: {}\r\n", body.len()) };
                let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
                let head = format!("HTTP/1.1 {status} X\r\nx-request-id: req-{before}\r\n{lines}{length}\r\n");
                let bytes = [head.into_bytes(), body].concat();
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
                continue;
            }
            Reply::Bytes(bytes) => (bytes, None),
            Reply::Drip(bytes) => (bytes, Some((vec![b' '], Duration::from_millis(20)))),
            Reply::Flood(bytes) => (bytes, Some((vec![b' '; 1 << 20], Duration::ZERO))),
            Reply::Reset => {
                stream.set_zero_linger().unwrap();
                return;
            }
            Reply::Silence => (Vec::new(), Some((Vec::new(), Duration::from_secs(60)))),
        };
        if stream.write_all(&first).await.is_err() {
            return;
        }
        let Some((piece, pause)) = rest else { return };
        while stream.write_all(&piece).await.is_ok() {
            memory.written.fetch_add(piece.len() as u64, Ordering::SeqCst);
            tokio::time::sleep(pause).await;
        }
        return;
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let (line, headers) = head.split_once("\r\n").unwrap_or((head, ""));
            let headers = headers.to_lowercase().replace("\r\n", "\n");
            let length = headers.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                let line = line.trim_end_matches(" HTTP/1.1").to_owned();
                return Some(Asked { line, headers, body: body.to_owned() });
            }
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&piece[..read]),
        }
    }
}

impl World {
    /// A reader of this server; `change` may set up something else.
    pub fn reader_with(&self, change: impl FnOnce(&mut Config)) -> Reader {
        reader_at(&format!("http://{}/v2", self.address), change)
    }

    pub fn reader(&self) -> Reader {
        self.reader_with(|_| {})
    }

    /// The requests so far, method and target.
    pub fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.memory.asked.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        self.memory.connections.load(Ordering::SeqCst)
    }

    /// Bytes written after the first ones of an answer without end.
    pub fn written(&self) -> u64 {
        self.memory.written.load(Ordering::SeqCst)
    }
}

/// For servers that stall.
pub fn impatient(config: &mut Config) {
    config.timeouts.whole = Duration::from_secs(1);
    config.read_retries = 0;
}

/// A reader of some address, with the canary for a token.
pub fn reader_at(url: &str, change: impl FnOnce(&mut Config)) -> Reader {
    let token = Token::from_text(CANARY.to_owned()).unwrap();
    let mut config = Config::new(BaseUrl::parse(url).unwrap(), token);
    config.timeouts = Timeouts { connect: Duration::from_secs(5), whole: Duration::from_secs(10) };
    change(&mut config);
    dnsimple::connect(config).unwrap()
}

/// Runs one test of this binary in a process of its own, with these variables.
pub fn run_alone(test: &str, variables: &[(&str, &str)]) {
    let inner = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--include-ignored"])
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&inner.stdout);
    assert!(inner.status.success() && said.contains("1 passed"), "{said}");
}
