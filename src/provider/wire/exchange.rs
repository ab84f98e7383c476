//! One request and its answer: bounded in time and size, counted, its quota obeyed, and
//! sorted into the kinds of [`ApiError`] that decide what may be done next.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use futures::stream::BoxStream;
use jiff::Timestamp;
use reqwest::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LINK,
};
use reqwest::{Method, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use super::quota::{self, Pacer, Quota, Told, Turn};
use super::traffic::{Came, Counts, Traffic};
use crate::domain::{Foreign, RequestId};
use crate::provider::transport::{self, Failure, Transport};
use crate::provider::{ApiError, ApiErrorKind, BaseUrl, Class, IdempotencyKey, Line, Meaning, QuotaUse, Token};

/// The largest answer to anything but a page of a list, in bytes.
pub(in crate::provider) const ANSWER_CAP: usize = 1 << 20;
/// The largest page of a list, in bytes.
pub(in crate::provider) const PAGE_CAP: usize = 16 << 20;
/// The longest text of an error that is kept, in characters.
const KEPT_TEXT: usize = 2_000;
/// The most fields of an error, and faults of a field, that are kept.
const KEPT_FAULTS: usize = 50;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const WORLD: HeaderName = HeaderName::from_static("x-sandbox-world");
const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// One request, before it is sent.
#[derive(Debug)]
pub(in crate::provider) struct Call<'a> {
    pub(in crate::provider) method: Method,
    /// The path below the base, with placeholders for ids: `/{account}/members`.
    pub(in crate::provider) route: &'static str,
    pub(in crate::provider) url: Url,
    pub(in crate::provider) body: Option<Value>,
    pub(in crate::provider) key: Option<&'a IdempotencyKey>,
    /// The largest answer that is read, in bytes.
    pub(in crate::provider) cap: usize,
}

/// A whole answer with a 200, 201, 202 or 204.
#[derive(Debug)]
pub(in crate::provider) struct Answer {
    request: String,
    status: u16,
    request_id: Option<RequestId>,
    pub(in crate::provider) world: Option<String>,
    /// Its `Link` headers: where a list goes on.
    pub(in crate::provider) links: Vec<String>,
    /// The server's clock, where it told it.
    pub(in crate::provider) date: Option<Timestamp>,
    /// How long it took until the head of the answer was there.
    pub(in crate::provider) took: Duration,
    html: bool,
    pub(in crate::provider) body: Vec<u8>,
}

/// What was asked, for whoever reads the refusal of it.
#[derive(Debug, Clone, Copy)]
pub(in crate::provider) struct Asked<'a> {
    pub(in crate::provider) method: &'a Method,
    pub(in crate::provider) route: &'static str,
    pub(in crate::provider) status: u16,
}

/// A refusal, as the service words it.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::provider) struct Complaint {
    pub(in crate::provider) message: String,
    /// Field by field.
    pub(in crate::provider) errors: Vec<(String, Vec<String>)>,
    /// What it comes to, where the status does not tell.
    pub(in crate::provider) meaning: Option<Meaning>,
}

/// Reads a body in the service's own form of a refusal; `None` where it is not in it, and so
/// proves nothing.
pub(in crate::provider) type ReadRefusal = fn(Asked<'_>, &[u8]) -> Option<Complaint>;

/// What reader and writer of one token share: the address, the count, the quota. Each class of
/// requests has a handle of its own.
#[derive(Debug)]
pub(in crate::provider) struct Wire {
    pub(in crate::provider) base: BaseUrl,
    token: Token,
    transport: Arc<dyn Transport>,
    read_refusal: ReadRefusal,
    pub(super) read_retries: usize,
    sent: Arc<AtomicU64>,
    counts: Arc<Counts>,
    pacer: Arc<Pacer>,
    /// Which sandbox's world the last answer was of.
    world: Arc<Mutex<Option<String>>>,
    class: Class,
    /// The turn of the next request, where it was waited for before.
    turn: Mutex<Option<Turn>>,
}

impl Wire {
    pub(in crate::provider) fn new(
        (base, token): (BaseUrl, Token),
        transport: Arc<dyn Transport>,
        read_retries: usize,
        read_refusal: ReadRefusal,
    ) -> Self {
        Self {
            base,
            token,
            transport,
            read_refusal,
            read_retries,
            sent: Arc::default(),
            counts: Arc::default(),
            pacer: Arc::default(),
            world: Arc::default(),
            class: Class::Person,
            turn: Mutex::default(),
        }
    }

    /// The handle of a class.
    pub(in crate::provider) fn of(&self, class: Class) -> Self {
        let Self { base, token, transport, read_refusal, read_retries, sent, counts, pacer, world, .. } = self;
        Self {
            base: base.clone(),
            token: token.clone(),
            transport: Arc::clone(transport),
            read_refusal: *read_refusal,
            read_retries: *read_retries,
            sent: Arc::clone(sent),
            counts: Arc::clone(counts),
            pacer: Arc::clone(pacer),
            world: Arc::clone(world),
            class,
            turn: Mutex::default(),
        }
    }

    /// A handle that sends one request of a class without waiting any more.
    ///
    /// # Errors
    /// The turn did not come so soon; nothing was sent.
    pub(in crate::provider) async fn in_turn(&self, class: Class, patience: Duration) -> Result<Self, ApiError> {
        match self.pacer.turn(class, patience).await {
            Ok(turn) => Ok(Self { turn: Mutex::new(Some(turn)), ..self.of(class) }),
            Err(resets_in) => {
                let kind = ApiErrorKind::Quota { resets_in, sent: false };
                Err(self.error("the request".to_owned(), None, kind))
            }
        }
    }

    /// An error of a call that was never sent.
    pub(in crate::provider) fn not_sent(&self, call: (&Method, &str), why: &str) -> ApiError {
        self.error(self.name(call), None, ApiErrorKind::NotSent { why: self.foreign(why) })
    }

    /// An error of something that no answer told.
    pub(in crate::provider) fn unread(&self, call: (&Method, &str), why: &str) -> ApiError {
        let kind = ApiErrorKind::Unclear { status: None, probably_done: false, why: self.foreign(why) };
        self.error(self.name(call), None, kind)
    }

    fn name(&self, (method, route): (&Method, &str)) -> String {
        format!("{method} {}{route}", self.base.path())
    }

    fn error(&self, request: String, request_id: Option<RequestId>, kind: ApiErrorKind) -> ApiError {
        ApiError { request, request_id, kind }
    }

    /// Text of the server: without the token, wherever it repeats it, and not without end.
    fn foreign(&self, text: &str) -> Foreign {
        let text = self.token.redact(text);
        Foreign::new(match text.char_indices().nth(KEPT_TEXT) {
            Some((cut, _)) => format!("{}…", &text[..cut]),
            None => text,
        })
    }

    /// Sends one request once and reads its whole answer.
    pub(in crate::provider) async fn exchange(&self, call: Call<'_>) -> Result<Answer, ApiError> {
        let request = self.name((&call.method, call.route));
        let turn = match self.take_turn(&call.method).await {
            Ok(turn) => turn,
            Err(resets_in) => {
                return Err(self.error(request, None, ApiErrorKind::Quota { resets_in, sent: false }));
            }
        };
        let begun = Instant::now();
        let result = self.answer(call, request, turn).await;
        let milliseconds = begun.elapsed().as_millis();
        match &result {
            Ok(Answer { request, status, request_id, .. }) => {
                tracing::debug!(
                    request,
                    status,
                    request_id = request_id.as_ref().map(tracing::field::display),
                    milliseconds,
                    "answered"
                );
            }
            Err(error) => log_failure(error, Some(milliseconds)),
        }
        result
    }

    /// The turn of a request. A write that did not wait for its turn before its permit does not
    /// wait now: a permit is good for a moment only.
    async fn take_turn(&self, method: &Method) -> Result<Turn, Duration> {
        let waited_for = self.turn.lock().unwrap_or_else(PoisonError::into_inner).take();
        match waited_for {
            Some(turn) => Ok(turn),
            None => {
                let patience = if *method == Method::GET { self.class.patience() } else { Duration::ZERO };
                self.pacer.turn(self.class, patience).await
            }
        }
    }

    async fn answer(&self, call: Call<'_>, request: String, mut turn: Turn) -> Result<Answer, ApiError> {
        let (cap, method, route, began) = (call.cap, call.method.clone(), call.route, Instant::now());
        let transport::Answer { status, headers, body } = match self.send(call, &mut turn).await {
            Ok(answer) => answer,
            Err(kind) => return Err(self.error(request, None, kind)),
        };
        let took = began.elapsed();
        let status = status.as_u16();
        self.counts.note(&method, Came::Status(status));
        let request_id = self.header(&headers, &REQUEST_ID).map(RequestId::new);
        let told = Told::read(&headers, Timestamp::now());
        if status == 429 {
            turn.refused(told, told.refusal_wait(), Instant::now());
        } else {
            turn.answered(told, Instant::now());
        }
        let world = self.header(&headers, &WORLD);
        if let Some(world) = &world {
            *self.world.lock().unwrap_or_else(PoisonError::into_inner) = Some(world.clone());
        }
        let html = is_html(&headers);
        let kind = match read_body(&headers, body, cap).await {
            Err(why) => self.proves_nothing(status, &why),
            Ok(body) => match self.verdict(Asked { method: &method, route, status }, told, html, &body) {
                Some(kind) => kind,
                None => {
                    let links = headers.get_all(LINK).iter().filter_map(|link| Some(link.to_str().ok()?.to_owned()));
                    let links = links.collect();
                    let date = quota::date(&headers);
                    return Ok(Answer { request, status, request_id, world, links, date, took, html, body });
                }
            },
        };
        Err(self.error(request, request_id, kind))
    }

    async fn send(&self, call: Call<'_>, turn: &mut Turn) -> Result<transport::Answer, ApiErrorKind> {
        let method = call.method.clone();
        let built = self.build(call).map_err(|why| ApiErrorKind::NotSent { why: self.foreign(why) })?;
        // Counted before it is sent, so that one abandoned on its way counts; taken back only
        // where nothing was written.
        self.sent.fetch_add(1, Ordering::Relaxed);
        turn.sending();
        self.transport.send(built).await.map_err(|failure| match failure {
            Failure::NotSent(why) => {
                self.sent.fetch_sub(1, Ordering::Relaxed);
                turn.not_sent();
                self.counts.note(&method, Came::NotSent);
                ApiErrorKind::NotSent { why: self.foreign(&why) }
            }
            Failure::TimedOut(_) | Failure::Broken(_) => {
                self.counts.note(&method, Came::Nothing);
                let why = self.foreign(&cut_off(&failure, "the connection broke"));
                ApiErrorKind::Unclear { status: None, probably_done: false, why }
            }
        })
    }

    /// What a whole answer proves; `None` is a success, as far as the status tells.
    fn verdict(&self, asked: Asked<'_>, told: Told, html: bool, body: &[u8]) -> Option<ApiErrorKind> {
        let status = asked.status;
        Some(match status {
            200 | 201 | 202 | 204 => return None,
            429 => ApiErrorKind::Quota { resets_in: told.refusal_wait(), sent: true },
            300..400 => self.proves_nothing(status, "the server redirects, and redirects are not followed"),
            // In the API's own form these prove that nothing was done.
            400..=405 | 409 | 410 | 412 | 415 | 422 => self
                .refusal(asked, html, body)
                .unwrap_or_else(|| self.proves_nothing(status, "an error that is not in the API's form")),
            _ => match self.refusal(asked, html, body) {
                Some(ApiErrorKind::Refused { message, .. }) => self.proves_nothing(status, message.raw()),
                _ => self.proves_nothing(status, "not an answer of the API"),
            },
        })
    }

    fn proves_nothing(&self, status: u16, why: &str) -> ApiErrorKind {
        let probably_done = (200..300).contains(&status);
        ApiErrorKind::Unclear { status: Some(status), probably_done, why: self.foreign(why) }
    }

    fn build(&self, call: Call<'_>) -> Result<transport::Request, &'static str> {
        let Call { method, route: _, url, body, key, cap: _ } = call;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", self.token.expose()))
            .map_err(|_| "the token cannot stand in a header")?;
        bearer.set_sensitive(true);
        let mut headers = HeaderMap::from_iter([(AUTHORIZATION, bearer)]);
        if let Some(key) = key {
            let key = HeaderValue::from_str(key.as_str()).map_err(|_| "the key cannot stand in a header")?;
            headers.insert(KEY, key);
        }
        if body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let body = body.map(|body| body.to_string().into_bytes());
        Ok(transport::Request { method, url, headers, body })
    }

    fn header(&self, headers: &HeaderMap, name: &HeaderName) -> Option<String> {
        let text = headers.get(name)?.to_str().ok()?;
        let text: String = self.token.redact(text).chars().take(128).collect();
        (!text.is_empty()).then_some(text)
    }

    /// The API's own error form; `None` where the body is not in it.
    fn refusal(&self, asked: Asked<'_>, html: bool, body: &[u8]) -> Option<ApiErrorKind> {
        if html {
            return None;
        }
        let Complaint { message, errors, meaning } = (self.read_refusal)(asked, body)?;
        let mut faults = BTreeMap::new();
        for (field, said) in errors.into_iter().take(KEPT_FAULTS) {
            let said = said.iter().take(KEPT_FAULTS).map(|text| self.foreign(text));
            faults.insert(self.foreign(&field).raw().to_owned(), said.collect());
        }
        let message = self.foreign(&message);
        Some(ApiErrorKind::Refused { status: asked.status, message, errors: faults, meaning })
    }

    /// The JSON of an answer.
    pub(in crate::provider) fn parse<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, ApiError> {
        if answer.html {
            return Err(self.unclear(answer, "an HTML page in place of the API's answer"));
        }
        if answer.body.is_empty() {
            return Err(self.unclear(answer, "an empty answer"));
        }
        serde_json::from_slice(&answer.body)
            .map_err(|error| self.unclear(answer, &format!("not the JSON that was expected: {error}")))
    }

    /// The error of a whole 2xx answer that cannot be taken for one.
    pub(in crate::provider) fn unclear(&self, answer: &Answer, why: &str) -> ApiError {
        self.bad_answer(answer, self.proves_nothing(answer.status, why))
    }

    /// The error of a whole answer that brought something else.
    pub(in crate::provider) fn bad_answer(&self, answer: &Answer, kind: ApiErrorKind) -> ApiError {
        let error = self.error(answer.request.clone(), answer.request_id.clone(), kind);
        log_failure(&error, None);
        error
    }
}

impl Line for Wire {
    fn requests_sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    fn traffic(&self) -> Traffic {
        Traffic { answers: self.counts.read() }
    }

    fn world(&self) -> Option<String> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn quota(&self) -> Option<Quota> {
        self.pacer.quota(Instant::now())
    }

    fn quota_use(&self) -> QuotaUse {
        self.pacer.budget().report(Instant::now())
    }

    fn pace(&self, reserve: u8) {
        self.pacer.budget().pace(reserve);
    }

    fn outlook(&self, requests: u64) -> Duration {
        self.pacer.budget().outlook(self.class, requests, Instant::now())
    }
}

impl Answer {
    pub(in crate::provider) fn status(&self) -> u16 {
        self.status
    }

    pub(in crate::provider) fn request_id(&self) -> Option<&RequestId> {
        self.request_id.as_ref()
    }
}

fn is_html(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    kind.get(..9).is_some_and(|start| start.eq_ignore_ascii_case(b"text/html"))
}

/// Reads a body to its end, or to the cap.
async fn read_body(
    headers: &HeaderMap,
    mut chunks: BoxStream<'static, Result<Bytes, Failure>>,
    cap: usize,
) -> Result<Vec<u8>, String> {
    if headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err("a compressed answer, which was not asked for".to_owned());
    }
    let oversized = || format!("an answer of more than {cap} bytes");
    let told = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if told.is_some_and(|length| length > cap as u64) {
        return Err(oversized());
    }
    let mut body = Vec::new();
    while let Some(chunk) = chunks.try_next().await.map_err(|failure| cut_off(&failure, "the answer broke off"))? {
        if body.len() + chunk.len() > cap {
            return Err(oversized());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// A failure after something was written, in words.
fn cut_off(failure: &Failure, what: &str) -> String {
    match failure {
        Failure::TimedOut(deadline) => format!("no whole answer within {deadline:?}"),
        Failure::NotSent(why) | Failure::Broken(why) => format!("{what}: {why}"),
    }
}

/// Logs a failure by its kind and request id. What the server said is left to whoever shows
/// the error: it may name people.
fn log_failure(error: &ApiError, milliseconds: Option<u128>) {
    let ApiError { request, request_id, kind } = error;
    let request_id = request_id.as_ref().map(tracing::field::display);
    let status = error.status();
    match kind {
        ApiErrorKind::NotSent { why } => tracing::warn!(request, %why, milliseconds, "not sent"),
        ApiErrorKind::Refused { .. } | ApiErrorKind::AccountToken => {
            tracing::debug!(request, status, request_id, milliseconds, "refused");
        }
        ApiErrorKind::Quota { resets_in, sent } => {
            tracing::warn!(request, request_id, sent, resets_in_s = resets_in.as_secs(), "the quota is used up");
        }
        ApiErrorKind::Unclear { probably_done, .. } => {
            tracing::warn!(request, status, request_id, milliseconds, probably_done, "no clear answer");
        }
    }
}
