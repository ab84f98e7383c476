//! A network between the driver and a sandbox in the same process, where a seed decides what
//! is lost, late, refused or broken, and every wait is tokio's own. A request that is on its
//! way goes on by itself: it arrives whatever became of who sent it.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use bursar::provider::transport::{Answer, Failure, Request, Transport};
use bursar::sandbox::Embedded;
use fastrand::Rng;
use futures::{StreamExt as _, TryStreamExt as _};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::life::Life;
use super::ways::Ways;
use crate::support::Ledger;

/// How long a caller waits for a whole answer, as the real transport does.
const DEADLINE: Duration = Duration::from_secs(15);
/// How late a request may still arrive, in milliseconds, counted from its sending.
const LATEST_MS: u64 = 90_000;

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It arrives, and so does its answer.
    Answered,
    /// The connection is refused; nothing was written.
    Refused,
    /// It never arrives.
    Lost,
    /// It is carried out, and its answer never comes.
    AnswerLost,
    /// It is carried out when nobody waits for it any more.
    TooLate,
    /// A JSON error 500, before it is carried out or after.
    Error500 { after: bool },
    /// A gateway's page, before it is carried out or after.
    Html502 { after: bool },
    /// The quota is said to be used up; it is not carried out.
    Quota,
    /// It is carried out, and half of the answer comes.
    CutOff,
}

impl Fate {
    /// All that can go wrong.
    pub const MISFORTUNES: [Self; 10] = [
        Self::Refused,
        Self::Lost,
        Self::AnswerLost,
        Self::TooLate,
        Self::Error500 { after: false },
        Self::Error500 { after: true },
        Self::Html502 { after: false },
        Self::Html502 { after: true },
        Self::Quota,
        Self::CutOff,
    ];

    /// Whether the server gets to see the request.
    pub const fn arrives(self) -> bool {
        match self {
            Self::Answered | Self::AnswerLost | Self::TooLate | Self::CutOff => true,
            Self::Refused | Self::Lost | Self::Quota => false,
            Self::Error500 { after } | Self::Html502 { after } => after,
        }
    }

    /// Whether the caller can tell from what comes back that nothing was done.
    pub const fn disproves(self) -> bool {
        matches!(self, Self::Refused | Self::Quota)
    }
}

/// How much goes wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Trouble {
    /// This share of all requests, from 0 to 1, in every way.
    Share(f64),
    /// The request of this number, counted from 0, in this way; nothing else.
    Once(usize, Fate),
}

/// A fate, and when: all that chance has to say about a request.
#[derive(Debug, Clone, Copy)]
struct Drawn {
    fate: Fate,
    there: Duration,
    back: Duration,
    /// Whether what is lost is noticed by a reset, or only by the deadline.
    reset: bool,
}

/// One request as the network saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Since the world began.
    pub at: Duration,
    /// Method and path.
    pub call: String,
    /// The name of the account that is to be made, for a create.
    pub account: Option<String>,
    pub fate: Fate,
}

/// An account, and when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Since the world began.
    pub at: Duration,
    pub name: String,
    pub id: String,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, call, account: _, fate } = self;
        write!(f, "{:>12.3} s  {call}  {fate:?}", at.as_secs_f64())
    }
}

#[derive(Debug)]
struct Chance {
    rng: Rng,
    trouble: Trouble,
    events: Vec<Event>,
}

impl Chance {
    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.rng.u64(from..to))
    }

    fn draw(&mut self) -> Drawn {
        let misfortune = Fate::MISFORTUNES[self.rng.usize(0..Fate::MISFORTUNES.len())];
        let fate = match self.trouble {
            Trouble::Share(share) if self.rng.f64() < share => misfortune,
            Trouble::Once(number, fate) if number == self.events.len() => fate,
            Trouble::Share(_) | Trouble::Once(..) => Fate::Answered,
        };
        let slow = self.rng.u8(0..20) == 0;
        let there = match fate {
            Fate::TooLate => self.millis(DEADLINE.as_millis() as u64, LATEST_MS),
            _ if slow => self.millis(200, 7_000),
            _ => self.millis(1, 80),
        };
        Drawn { fate, there, back: self.millis(1, if slow { 7_000 } else { 80 }), reset: self.rng.bool() }
    }
}

/// The network and the sandbox behind it; it outlives the processes that use it.
#[derive(Debug)]
pub struct Network {
    sandbox: Embedded,
    ways: &'static Ways,
    begun: Instant,
    chance: Mutex<Chance>,
    made: Mutex<Vec<Made>>,
    /// Held by each request on its way.
    flying: Arc<()>,
}

impl Network {
    /// Everything that chance decides comes from the seed.
    pub fn new(sandbox: Embedded, ways: &'static Ways, seed: u64, trouble: Trouble) -> Arc<Self> {
        let chance = Chance { rng: Rng::with_seed(seed), trouble, events: Vec::new() };
        let (begun, flying) = (Instant::now(), Arc::new(()));
        Arc::new(Self { sandbox, ways, begun, chance: Mutex::new(chance), made: Mutex::default(), flying })
    }

    /// From now on nothing goes wrong.
    pub fn calm(&self) {
        self.chance.lock().unwrap().trouble = Trouble::Share(0.0);
    }

    /// The end of a line into this network, for one life of a process.
    pub fn line(self: &Arc<Self>, life: &Arc<Life>) -> Arc<Line> {
        Arc::new(Line { network: Arc::clone(self), life: Arc::clone(life) })
    }

    /// Waits until nothing is on its way any more.
    pub async fn settle(&self) {
        while Arc::strong_count(&self.flying) > 1 {
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    }

    /// What happened to each request so far.
    pub fn events(&self) -> Vec<Event> {
        self.chance.lock().unwrap().events.clone()
    }

    /// The accounts that were made so far, as nobody else can know.
    pub fn made(&self) -> Vec<Made> {
        self.made.lock().unwrap().clone()
    }

    /// Since the world began.
    pub fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// What the sandbox says really happened.
    pub async fn ledger(&self) -> Ledger {
        Ledger(self.look("/sandbox/ledger").await["data"].take())
    }

    /// Name and notification email of each account, as the service itself shows them.
    pub async fn accounts(&self) -> Vec<String> {
        let (path, list) = self.ways.list;
        let shown = self.look(path).await;
        let shown = shown.pointer(list).and_then(Value::as_array).unwrap().iter();
        let mut accounts: Vec<String> =
            shown.map(|account| format!("{} {}", account["name"], account[self.ways.email])).collect();
        accounts.sort();
        accounts
    }

    async fn look(&self, path: &str) -> Value {
        let request =
            axum::http::Request::get(path).header("authorization", format!("Bearer {}", self.sandbox.token()));
        let answer = self.sandbox.call(request.body(Body::empty()).unwrap()).await.unwrap();
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    fn draw(&self, request: &Request) -> Drawn {
        let mut chance = self.chance.lock().unwrap();
        let drawn = chance.draw();
        let call = format!("{} {}", request.method, request.url.path());
        let account = self.made_by(request);
        chance.events.push(Event { at: self.begun.elapsed(), call, account, fate: drawn.fate });
        drawn
    }

    /// The name of the account that a request asks for.
    fn made_by(&self, request: &Request) -> Option<String> {
        let creates = request.method == "POST" && request.url.path() == self.ways.creates;
        let body = request.body.as_ref().filter(|_| creates)?;
        let body: Value = serde_json::from_slice(body).unwrap();
        Some(body["name"].as_str().unwrap().to_owned())
    }

    /// Sends a request on its way; what comes back, once it does.
    fn fly(self: &Arc<Self>, request: Request, drawn: Drawn) -> oneshot::Receiver<Result<Answer, Failure>> {
        let (tell, told) = oneshot::channel();
        let (network, flying) = (Arc::clone(self), Arc::clone(&self.flying));
        tokio::spawn(async move {
            let _flying = flying;
            let Drawn { fate, there, back, reset } = drawn;
            tokio::time::sleep(there).await;
            let answer = carried(&network, request, fate).await;
            tokio::time::sleep(back).await;
            match answer {
                Some(answer) => drop(tell.send(answer)),
                None if reset => drop(tell.send(Err(Failure::Broken("connection reset".into())))),
                None => {
                    // Until the caller has given up.
                    tokio::time::sleep(DEADLINE).await;
                    drop(tell);
                }
            }
        });
        told
    }
}

/// What comes back from the far end, if anything does.
async fn carried(network: &Network, request: Request, fate: Fate) -> Option<Result<Answer, Failure>> {
    match fate {
        Fate::Refused => Some(Err(Failure::NotSent("cannot connect: connection refused".into()))),
        Fate::Lost => None,
        Fate::Answered => Some(served(network, request).await),
        Fate::AnswerLost | Fate::TooLate => {
            let _ = served(network, request).await;
            None
        }
        Fate::Error500 { after } | Fate::Html502 { after } => {
            if after {
                let _ = served(network, request).await;
            }
            Some(Ok(match fate {
                Fate::Error500 { .. } => answer(500, "application/json", r#"{"message":"Something went wrong"}"#),
                _ => answer(502, "text/html", "<html>502 Bad Gateway</html>"),
            }))
        }
        Fate::Quota => {
            let mut full = answer(429, "application/json", r#"{"message":"quota exceeded"}"#);
            // Told against a Date of its own, like a real answer's.
            full.headers.insert("date", HeaderValue::from_static("Thu, 01 Jan 2026 00:00:00 GMT"));
            full.headers.insert("x-ratelimit-limit", 2400.into());
            full.headers.insert("x-ratelimit-remaining", 0.into());
            full.headers.insert("x-ratelimit-reset", (1_767_225_600 + 3).into());
            Some(Ok(full))
        }
        Fate::CutOff => Some(match served(network, request).await {
            Ok(answer) => Ok(cut_off(answer).await),
            Err(failure) => Err(failure),
        }),
    }
}

async fn served(network: &Network, request: Request) -> Result<Answer, Failure> {
    let name = network.made_by(&request);
    let Request { method, url, headers, body } = request;
    let target = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let mut call = axum::http::Request::new(body.map_or_else(Body::empty, Body::from));
    *call.method_mut() = method;
    *call.uri_mut() = target.parse().unwrap();
    *call.headers_mut() = headers;
    let broken = |why: &dyn fmt::Display| Failure::Broken(why.to_string());
    let (head, mut body) = network.sandbox.call(call).await.map_err(|hung_up| broken(&hung_up))?.into_parts();
    if let Some(name) = name.filter(|_| head.status.is_success()) {
        let whole = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let id = network.ways.made(&whole);
        let mut made = network.made.lock().unwrap();
        // Under a key an earlier answer may have been repeated.
        if made.iter().all(|made| made.id != id) {
            made.push(Made { at: network.begun.elapsed(), name, id });
        }
        body = whole.into();
    }
    let body = body.into_data_stream().map_err(move |error| broken(&error)).boxed();
    Ok(Answer { status: head.status, headers: head.headers, body })
}

fn answer(status: u16, kind: &'static str, body: &'static str) -> Answer {
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
    let body = futures::stream::iter([Ok(body.into())]).boxed();
    Answer { status: status.try_into().unwrap(), headers, body }
}

async fn cut_off(answer: Answer) -> Answer {
    let Answer { status, headers, body } = answer;
    let whole = body.try_fold(Vec::new(), |mut all, piece| async move {
        all.extend_from_slice(&piece);
        Ok(all)
    });
    let mut half = whole.await.unwrap_or_default();
    half.truncate(half.len() / 2);
    let body = futures::stream::iter([Ok(half.into()), Err(Failure::Broken("connection reset".into()))]).boxed();
    Answer { status, headers, body }
}

/// The transport of one life: two points a request, before it is sent and when it is on its
/// way.
#[derive(Debug)]
pub struct Line {
    network: Arc<Network>,
    life: Arc<Life>,
}

#[async_trait]
impl Transport for Line {
    async fn send(&self, request: Request) -> Result<Answer, Failure> {
        self.life.point().await;
        let drawn = self.network.draw(&request);
        let told = self.network.fly(request, drawn);
        self.life.point().await;
        match tokio::time::timeout(DEADLINE, told).await {
            Ok(Ok(answered)) => answered,
            Ok(Err(_)) | Err(_) => Err(Failure::TimedOut(DEADLINE)),
        }
    }
}
