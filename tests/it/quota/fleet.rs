//! A fleet that agrees with its manifests, a sandbox that counts, and a daemon on the
//! runtime's time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::http::{Method, Request};
use bursar::controller::{Ask, Board, Daemon, Keeping, Mode, Reading, Reconciler, Source, Tally, Timing, Watch};
use bursar::domain::{Access, AccountName, ClientName, Clock, Email};
use bursar::execute::Silent;
use bursar::journal::{EntryKind, InMemory, Journal as _, JournalId, Query};
use bursar::manifest::{Client, Membership, Offboarding, OriginKind, SourceRef, Wanted, WantedMember, WantedPlan};
use bursar::plan::{ApiInfo, MaxRemovals, Policy, Selector};
use bursar::provider::transport::{Answer, Failure, Request as Asked, Transport};
use bursar::provider::{BaseUrl, Read as _, Token, USUAL_RESERVE, dnsimple};
use bursar::sandbox::{Embedded, Extension, Options, Surroundings, embed};
use futures::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// One request as it was answered.
#[derive(Debug, Clone)]
pub struct Seen {
    pub at: Duration,
    pub call: String,
    pub status: u16,
}

/// The runtime's time: the year 2026 begins with the world.
#[derive(Debug, Clone, Copy)]
struct Time(Instant);

impl Clock for Time {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_767_225_600).unwrap() + SignedDuration::try_from(self.uptime()).unwrap()
    }

    fn uptime(&self) -> Duration {
        self.0.elapsed()
    }
}

/// A line to the sandbox that takes 50 ms there and back, and keeps a list.
#[derive(Debug)]
struct Line {
    sandbox: Embedded,
    time: Time,
    seen: Mutex<Vec<Seen>>,
}

#[async_trait]
impl Transport for Line {
    async fn send(&self, asked: Asked) -> Result<Answer, Failure> {
        let Asked { method, url, headers, body } = asked;
        let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let mut request = Request::builder().method(method.clone()).uri(&path);
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        let request = request.body(body.map_or_else(Body::empty, Body::from)).unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        let answer = self.sandbox.call(request).await.map_err(|_| Failure::Broken("hung up".to_owned()))?;
        let (mut parts, body) = answer.into_parts();
        let date = self.time.now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        parts.headers.insert("date", date.parse().unwrap());
        let status = parts.status.as_u16();
        self.seen.lock().unwrap().push(Seen {
            at: self.time.uptime(),
            call: format!("{method} {}", url.path()),
            status,
        });
        let body = body.into_data_stream().map(|chunk| chunk.map_err(|error| Failure::Broken(error.to_string())));
        Ok(Answer { status: parts.status, headers: parts.headers, body: body.boxed() })
    }
}

/// Manifests in memory.
struct Manifests(Mutex<Wanted>);

impl Source for Manifests {
    fn read(&self) -> Result<Option<Reading>, String> {
        let wanted = self.0.lock().unwrap().clone();
        Ok(Some(Reading { wanted, findings: Vec::new(), watched: Vec::new(), revision: None }))
    }
}

pub struct Fleet {
    line: Arc<Line>,
    manifests: Arc<Manifests>,
    journal: Arc<InMemory>,
    time: Time,
}

/// A daemon that runs.
pub struct Running {
    task: tokio::task::JoinHandle<()>,
    asks: mpsc::Sender<Ask>,
    cancel: CancellationToken,
}

impl Running {
    /// As SIGHUP does.
    pub fn look(&self) {
        self.asks.try_send(Ask::Operator).unwrap();
    }

    pub async fn stop(self) {
        self.cancel.cancel();
        self.task.await.unwrap();
    }
}

fn source(name: &str) -> SourceRef {
    SourceRef { file: format!("{name}.yaml"), line: 1, column: 1 }
}

/// The client of a number: three people, one of them the same everywhere.
fn client(number: usize) -> Client {
    let name = format!("c{number}");
    let people = ["p0@agency.example".to_owned(), format!("a@{name}.example"), format!("b@{name}.example")];
    let member = |email: &String| WantedMember {
        email: Email::lenient(email.as_str()),
        access: Access::Full,
        role: None,
        through: OriginKind::Own,
        source: source(&name),
    };
    let mut members: Vec<_> = people.iter().map(member).collect();
    members.sort_by(|a, b| a.email.cmp(&b.email));
    Client {
        name: ClientName::parse(&name).unwrap(),
        labels: BTreeMap::new(),
        source: source(&name),
        account_name: AccountName::new(format!("Client {name}")),
        notification_email: Email::lenient(format!("dns+{name}@agency.example")),
        plan: WantedPlan::Choice("teams".to_owned()),
        members,
        membership: Membership::Exclusive,
        account_id: None,
        previous_names: Vec::new(),
        previous_notification_emails: Vec::new(),
        suspend: false,
    }
}

impl Fleet {
    /// So many clients of three people, as they want to be, on a server without these.
    pub async fn new(clients: usize, without: &[Extension]) -> Self {
        let time = Time(Instant::now());
        let clients: Vec<Client> = (0..clients).map(client).collect();
        let users: BTreeSet<String> =
            clients.iter().flat_map(|client| &client.members).map(|member| member.email.to_string()).collect();
        let options = Options {
            users: users.into_iter().collect(),
            without: without.iter().copied().collect(),
            ..Options::default()
        };
        let surroundings = Surroundings { now: Arc::new(move || time.now()), ..Surroundings::default() };
        let sandbox = embed(options, surroundings).await.unwrap();
        let fleet = Self {
            line: Arc::new(Line { sandbox, time, seen: Mutex::default() }),
            manifests: Arc::new(Manifests(Mutex::new(Wanted { clients: clients.clone(), ..Wanted::default() }))),
            journal: Arc::new(InMemory::new(JournalId::new("quota"))),
            time,
        };
        for client in &clients {
            let members: Vec<String> = client.members.iter().map(|member| member.email.to_string()).collect();
            let account = json!({
                "name": client.account_name.as_str(), "email": client.notification_email.to_string(),
                "plan": "teams-v2-monthly", "seats": 4, "members": members,
            });
            fleet.call(Method::POST, "/sandbox/accounts", account).await;
        }
        fleet
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> Value {
        let request = Request::builder().method(method).uri(path).header("authorization", "Bearer sandbox");
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let request = request.header("content-type", "application/json").body(body).unwrap();
        let answer = self.line.sandbox.call(request).await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        let whole = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        serde_json::from_slice(&whole).unwrap_or(Value::Null)
    }

    /// A daemon as `bursar run` makes it.
    pub fn daemon(&self) -> Running {
        let url = BaseUrl::parse(&self.line.sandbox.api_url()).unwrap();
        let token = Token::from_text("sandbox".to_owned()).unwrap();
        let transport: Arc<dyn Transport> = Arc::clone(&self.line) as _;
        let reader = dnsimple::connect_over(dnsimple::Config::new(url.clone(), token), transport);
        reader.line().pace(USUAL_RESERVE);
        let writer = Arc::new(reader.writer());
        let keeping = Keeping { clock: Arc::new(self.time), ..Keeping::with(Arc::clone(&self.journal) as _, "test") };
        let api = ApiInfo { provider: "dnsimple".into(), url: url.to_string() };
        let policy = Policy { max_removals: MaxRemovals { percent: None, number: None }, ..Policy::default() };
        let reader = Arc::new(reader);
        let board = Board::new("default", Mode::Apply, &api, Arc::clone(&reader) as _, Tally::default());
        let reconciler = Reconciler::new(api, reader, policy, Selector::default(), keeping, 1);
        let timing = Timing { interval: Duration::from_secs(300), poll: Duration::from_secs(3600) };
        let source = Arc::clone(&self.manifests) as _;
        let daemon = Daemon::new(reconciler, Some(writer), source, Arc::new(Silent), timing, 1, board);
        let (asks, mut asked) = mpsc::channel(4);
        let cancel = CancellationToken::new();
        let stop = cancel.clone();
        let task = tokio::task::spawn_local(async move { daemon.run(Watch::start(), &mut asked, stop).await });
        Running { task, asks, cancel }
    }

    pub fn now(&self) -> Duration {
        self.time.uptime()
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.line.seen.lock().unwrap().clone()
    }

    /// Somebody else with the same token sends so many requests.
    pub async fn spend(&self, requests: u64) {
        for _ in 0..requests {
            self.call(Method::GET, "/v2/whoami", Value::Null).await;
        }
    }

    /// Somebody else removes a client's own first person.
    pub async fn remove_by_hand(&self, client: usize) {
        let id = client + 1;
        let members = self.call(Method::GET, &format!("/v2/{id}/members"), Value::Null).await;
        let email = format!("a@c{client}.example");
        let member = members["data"].as_array().unwrap().iter().find(|member| member["email"] == email).unwrap();
        self.call(Method::DELETE, &format!("/v2/{id}/members/{}", member["id"]), Value::Null).await;
    }

    /// Wants a person out of every account.
    pub fn offboard(&self, person: &str) {
        let mut wanted = self.manifests.0.lock().unwrap();
        for client in &mut wanted.clients {
            client.members.retain(|member| member.email != Email::lenient(person));
        }
        wanted.offboardings.push(Offboarding {
            name: ClientName::parse("leaver").unwrap(),
            people: vec![Email::lenient(person)],
            reason: None,
            source: source("leaver"),
        });
    }

    /// How long it takes until a person is in no account any more.
    pub async fn until_gone(&self, person: &str, at_most: Duration) -> Duration {
        let begun = self.now();
        while self.now() - begun < at_most {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if self.removals_in_history(person).await >= self.manifests.0.lock().unwrap().clients.len() {
                return self.now() - begun;
            }
        }
        at_most
    }

    /// The accounts of which the history tells that a person was removed.
    pub async fn removals_in_history(&self, person: &str) -> usize {
        let query = Query { kinds: vec![EntryKind::Done], ..Query::default() };
        let entries = self.journal.history(&query).await.unwrap();
        let of_person = entries.iter().filter(|recorded| recorded.entry.person == Some(Email::lenient(person)));
        of_person.filter_map(|recorded| recorded.entry.account.clone()).collect::<BTreeSet<_>>().len()
    }

    /// What the history tells, a line each.
    pub async fn history(&self) -> String {
        let entries = self.journal.history(&Query::default()).await.unwrap();
        let lines = entries.iter().map(|recorded| format!("{:?} {}", recorded.entry.kind, recorded.entry.message));
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// A story on paused time, with a daemon beside it.
pub fn story(work: impl Future<Output = ()>) {
    crate::sim::on_paused_time(tokio::task::LocalSet::new().run_until(work));
}
