//! One receiver's task: takes letters from a bounded queue and delivers them in order, each at
//! most so often. Whoever writes a letter never waits.

use std::collections::VecDeque;
use std::error::Error as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, StatusCode, redirect, retry};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What each request calls itself.
const USER_AGENT: &str = concat!("bursar/", env!("CARGO_PKG_VERSION"));
/// At the end, what is still queued is delivered within this, or lost.
const LAST_MAIL: Duration = Duration::from_secs(2);

/// HTTPS cannot be set up on this machine.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up HTTPS for notifications")]
pub struct SetupError(#[source] reqwest::Error);

/// How letters are delivered.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How long one try may take.
    pub timeout: Duration,
    /// Before the second try; it grows fourfold each time, with up to a quarter of jitter.
    pub first: Duration,
    /// The longest time between two tries, whatever the receiver asks for.
    pub longest: Duration,
    /// How often a letter is tried.
    pub tries: u32,
    /// How many letters wait at most; the oldest goes first.
    pub kept: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            first: Duration::from_secs(2),
            longest: Duration::from_secs(60),
            tries: 5,
            kept: 100,
        }
    }
}

/// What became of a receiver's letters.
#[derive(Debug, Default)]
pub struct Counters {
    sent: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

impl Counters {
    /// Letters that arrived.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Letters that were given up after their last try.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Letters that gave way to newer ones.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Something to be delivered.
pub(super) struct Letter {
    /// Where; may hold a secret.
    pub(super) url: String,
    /// Beside the usual ones.
    pub(super) headers: HeaderMap,
    /// JSON.
    pub(super) body: serde_json::Value,
}

/// What an answer means.
enum Fate {
    Arrived,
    /// Worth another try, perhaps not before some time.
    Again(String, Option<Duration>),
    /// It would be refused again.
    Refused(String),
}

/// A receiver's queue and the task behind it.
#[derive(Debug)]
pub(super) struct Courier {
    queue: Arc<Queue>,
    task: Mutex<Option<tokio::task::JoinHandle<()>>>,
    stop: CancellationToken,
}

struct Queue {
    name: String,
    pace: Pace,
    letters: Mutex<VecDeque<Letter>>,
    filled: Notify,
    /// That letters are dropped was told.
    full: AtomicBool,
    counters: Arc<Counters>,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("name", &self.name).field("pace", &self.pace).finish_non_exhaustive()
    }
}

impl Courier {
    /// Starts the task of a receiver that is called `name` in the log.
    pub(super) fn start(name: &str, loopback: bool, pace: Pace) -> Result<Self, SetupError> {
        let http = client(loopback, pace)?;
        let queue = Arc::new(Queue {
            name: name.to_owned(),
            pace,
            letters: Mutex::default(),
            filled: Notify::new(),
            full: AtomicBool::new(false),
            counters: Arc::default(),
        });
        let stop = CancellationToken::new();
        let task = tokio::spawn(carry(Arc::clone(&queue), http, stop.clone()));
        Ok(Self { queue, task: Mutex::new(Some(task)), stop })
    }

    /// Puts a letter into the queue; the oldest gives way where it is full.
    pub(super) fn send(&self, letter: Letter) {
        let Queue { name, pace, letters, filled, full, counters } = &*self.queue;
        let mut letters = letters.lock().unwrap_or_else(PoisonError::into_inner);
        letters.push_back(letter);
        let over = letters.len().saturating_sub(pace.kept.max(1));
        letters.drain(..over);
        drop(letters);
        if over > 0 {
            counters.dropped.fetch_add(over as u64, Ordering::Relaxed);
            if !full.swap(true, Ordering::Relaxed) {
                tracing::warn!("{name} takes notifications too slowly; the oldest are dropped");
            }
        }
        filled.notify_one();
    }

    pub(super) fn name(&self) -> &str {
        &self.queue.name
    }

    pub(super) fn counters(&self) -> &Arc<Counters> {
        &self.queue.counters
    }

    /// Delivers what is left, for a short time, and ends.
    pub(super) async fn close(&self) {
        self.stop.cancel();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            let abort = task.abort_handle();
            if tokio::time::timeout(LAST_MAIL, task).await.is_err() {
                abort.abort();
            }
        }
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn client(loopback: bool, pace: Pace) -> Result<Client, SetupError> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let client = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .connect_timeout(pace.timeout.min(Duration::from_secs(5)))
        .timeout(pace.timeout);
    let client = if loopback { client.no_proxy() } else { client.https_only(true) };
    client.build().map_err(SetupError)
}

/// Delivers until it is stopped, and then what is left without a second try.
async fn carry(queue: Arc<Queue>, http: Client, stop: CancellationToken) {
    let mut failing = false;
    loop {
        let next = queue.letters.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(letter) = next else {
            queue.full.store(false, Ordering::Relaxed);
            tokio::select! {
                () = queue.filled.notified() => continue,
                () = stop.cancelled() => {}
            }
            let empty = queue.letters.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
            if empty {
                return;
            }
            continue;
        };
        match deliver(&queue, &http, &letter, &stop).await {
            Ok(()) => {
                queue.counters.sent.fetch_add(1, Ordering::Relaxed);
                if std::mem::take(&mut failing) {
                    tracing::info!("{} takes notifications again", queue.name);
                }
            }
            Err(why) => {
                queue.counters.failed.fetch_add(1, Ordering::Relaxed);
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!("a notification did not reach {}: {why}", queue.name);
                }
            }
        }
    }
}

async fn deliver(queue: &Queue, http: &Client, letter: &Letter, stop: &CancellationToken) -> Result<(), String> {
    let Pace { first, longest, tries, .. } = queue.pace;
    let mut pause = first;
    for left in (0..tries.max(1)).rev() {
        match once(http, letter).await {
            Fate::Arrived => return Ok(()),
            Fate::Refused(why) => return Err(why),
            Fate::Again(why, _) if left == 0 || stop.is_cancelled() => return Err(why),
            Fate::Again(_, asked) => {
                let pause_now = pause.mul_f64(1.0 + fastrand::f64() / 4.0).max(asked.unwrap_or_default()).min(longest);
                tokio::select! {
                    () = tokio::time::sleep(pause_now) => {}
                    () = stop.cancelled() => {}
                }
                pause = pause.saturating_mul(4).min(longest);
            }
        }
    }
    Err("it was not tried".to_owned())
}

async fn once(http: &Client, letter: &Letter) -> Fate {
    let Letter { url, headers, body } = letter;
    let answer = match http.post(url).headers(headers.clone()).json(body).send().await {
        Ok(answer) => answer,
        Err(error) if error.is_timeout() => return Fate::Again("it does not answer in time".to_owned(), None),
        Err(error) => return Fate::Again(root_of(&error), None),
    };
    let status = answer.status();
    let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let told = format!("it answers {}", status.as_u16());
    match status {
        status if status.is_success() => Fate::Arrived,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            Fate::Again(told, asked.map(Duration::from_secs))
        }
        status if status.is_server_error() => Fate::Again(told, asked.map(Duration::from_secs)),
        status if status.is_redirection() => Fate::Refused(format!("{told}, and redirects are not followed")),
        _ => Fate::Refused(told),
    }
}

/// The innermost cause, without the address, which may hold a secret.
fn root_of(error: &reqwest::Error) -> String {
    let mut root: Option<&(dyn std::error::Error + 'static)> = error.source();
    while let Some(next) = root.and_then(std::error::Error::source) {
        root = Some(next);
    }
    root.map_or_else(|| "the request cannot be made".to_owned(), |root| format!("it is not reached: {root}"))
}
