//! Servers that lie, stall, flood, redirect and repeat secrets: bounded, inert, and never
//! taken for an answer.

#![allow(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bursar::domain::{Access, AccountId, Email};
use bursar::provider::{ApiError, ApiErrorKind, Grant, Read as _, Write as _};
use serde_json::{Value, json as value};
use tracing_subscriber::fmt::MakeWriter;

use crate::provider_world::{CANARY, Reply, World, html, impatient, json, json_with, message, run_alone, world};

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n";

async fn accounts_error(world: &World) -> ApiError {
    world.reader_with(|config| config.read_retries = 0).accounts().await.unwrap_err()
}

fn is_unclear(error: &ApiError) -> bool {
    matches!(error.kind, ApiErrorKind::Unclear { .. })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_byte_now_and_then_ends_with_the_deadline() {
    for first in [HEAD.to_vec(), b"HTTP/1.1 200 OK\r\nx-slow: ".to_vec()] {
        let world = world(move |_, _| Reply::Drip(first.clone())).await;
        let begun = Instant::now();
        let error = world.reader_with(impatient).accounts().await.unwrap_err();
        assert!(error.to_string().contains("no whole answer within 1s"), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_read_to_the_cap_only() {
    let told = b"HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n".to_vec();
    for first in [HEAD.to_vec(), told] {
        let world = world(move |_, _| Reply::Flood(first.clone())).await;
        let error = accounts_error(&world).await;
        assert!(error.to_string().contains("200: an answer of more than 16777216 bytes"), "{error}");
        // What lies in the sockets' buffers was written and never read.
        assert!(world.written() < 40 << 20, "{} bytes", world.written());
    }
    let write = world(|_, _| Reply::Flood(HEAD.to_vec())).await;
    let (id, email) = (AccountId::new("1"), Email::lenient("a@b.example"));
    let error = write.reader().writer().add_member(&id, &email, &Grant::of(Access::Full)).await.unwrap_err();
    assert!(error.to_string().contains("200: an answer of more than 1048576 bytes"), "{error}");
    assert!(write.written() < 20 << 20, "{} bytes", write.written());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_without_end_are_cut() {
    let world = world(|_, _| Reply::Flood(b"HTTP/1.1 200 OK\r\nx-long: ".to_vec())).await;
    assert!(is_unclear(&accounts_error(&world).await));
    assert!(world.written() < 40 << 20, "{} bytes", world.written());
}

#[tokio::test]
async fn a_compressed_answer_is_not_unpacked() {
    let world = world(|_, _| {
        // Any bytes: they are not looked at.
        Reply::Whole(200, vec![("content-encoding", "gzip".into())], vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3])
    })
    .await;
    let error = accounts_error(&world).await;
    assert!(error.to_string().contains("a compressed answer, which was not asked for"), "{error}");
    assert!(!world.asked()[0].headers.contains("accept-encoding"), "{}", world.asked()[0].headers);
}

#[tokio::test]
async fn what_is_not_the_apis_json_is_no_answer() {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(10_000), close.repeat(10_000));
    for body in [
        format!("{{\"data\":{}}}", deep("[", "]")),
        format!("{{\"data\":[{{\"id\":1,\"members\":{}}}]}}", deep("[", "]")),
        format!("{{\"data\":[{{\"id\":1,\"subscription\":{}1{}}}]}}", "{\"a\":".repeat(10_000), "}".repeat(10_000)),
        "[".repeat(10_000),
        String::new(),
        "null".into(),
        "[]".into(),
        "{}".into(),
        "{\"data\":null}".into(),
        "{\"data\":{}}".into(),
        "{\"data\":[null]}".into(),
        "{\"data\":[{}]}".into(),
        "{\"data\":[{\"id\":null}]}".into(),
        "{\"data\":[{\"id\":1,\"id\":2}]}".into(),
        "{\"data\":[],\"data\":[]}".into(),
        "{\"data\":[{\"id\":1,\"name\":7}]}".into(),
        "{\"data\":[]".into(),
        "{\"data\":[]} trailing".into(),
        "{\"data\":[],\"pagination\":{\"current_page\":-1}}".into(),
        "\u{feff}{\"data\":[]}".into(),
    ] {
        let shown: String = body.chars().take(80).collect();
        let world = world(move |_, _| Reply::Whole(200, vec![], body.clone().into_bytes())).await;
        let error = accounts_error(&world).await;
        assert!(is_unclear(&error), "{shown}: {error}");
    }
    let unasked = format!("{{\"data\":[{{\"id\":1,\"new\":{}}}],\"new\":{}}}", deep("[", "]"), deep("[", "]"));
    let world = world(move |_, _| Reply::Whole(200, vec![], unasked.clone().into_bytes())).await;
    assert_eq!(world.reader().accounts().await.unwrap().len(), 1, "fields that nobody asked for are passed over");
}

#[tokio::test]
async fn pages_of_html_and_broken_answers_are_no_answers() {
    let cut = |bytes: &[u8]| Reply::Bytes(bytes.to_vec());
    for reply in [
        html(200),
        html(404),
        html(502),
        Reply::Whole(502, vec![], b"Bad Gateway".to_vec()),
        cut(b""),
        cut(b"HTTP/1.1 20"),
        cut(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"data\":[]}"),
        cut(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\n{\"data\":[]}"),
        cut(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{\"data\":[]}"),
        cut(b"HTTP/9.9 200 OK\r\n\r\n{\"data\":[]}"),
        cut(b"{\"data\":[]}"),
        Reply::Reset,
    ] {
        let shown = format!("{reply:?}");
        let world = world(move |_, _| reply.clone()).await;
        let error = accounts_error(&world).await;
        assert!(is_unclear(&error), "{shown}: {error}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_carries_the_token_nowhere() {
    let elsewhere = Arc::new(world(|_, _| json(200, value!({"data": []}))).await);
    for status in [301, 302, 303, 307, 308] {
        let to = format!("http://{}/v2/accounts", elsewhere.address);
        let world = world(move |_, _| json_with(status, &[("location", &to)], value!({"data": []}))).await;
        let error = accounts_error(&world).await;
        assert!(is_unclear(&error) && error.status() == Some(status), "{error}");
        assert!(error.to_string().contains("redirects are not followed"), "{error}");
    }
    assert_eq!((elsewhere.connections(), elsewhere.lines().len()), (0, 0));
}

/// A server that makes every page out of what the driver asks for.
async fn pages(page: impl Fn(u64) -> (Vec<u64>, [u64; 4]) + Send + Sync + 'static) -> World {
    world(move |before, _| {
        let (ids, [current_page, per_page, total_entries, total_pages]) = page(before as u64 + 1);
        let data: Vec<_> = ids.into_iter().map(|id| value!({"id": id})).collect();
        json(
            200,
            value!({"data": data, "pagination": {"current_page": current_page, "per_page": per_page,
                                               "total_entries": total_entries, "total_pages": total_pages}}),
        )
    })
    .await
}

#[tokio::test]
async fn lists_without_end_are_read_incompletely_and_never_absent() {
    let without_end = pages(|n| (vec![n], [n, 1, 1_000_000, 1_000_000])).await;
    let same_page = pages(|_| (vec![1, 2], [1, 2, 6, 3])).await;
    let same_ids = pages(|n| (vec![1, 2], [n, 2, 6, 3])).await;
    let changing = pages(|n| (vec![2 * n, 2 * n + 1], [(n - 1) % 2 + 1, 2, 6 + n, (6 + n).div_ceil(2)])).await;
    let empty_pages = pages(|n| (vec![], [n, 2, 6, 3])).await;
    let short = pages(|n| (vec![n], [n, 2, 3, 2])).await;
    for (world, requests, why) in [
        (without_end, 1, "it has more than 10,000 pages"),
        (same_page, 2, "another page than the one asked for"),
        (same_ids, 2, "one id is in it twice"),
        (changing, 4, "its totals change from page to page"),
        (empty_pages, 1, "a page holds more or fewer entries than it should"),
        (short, 1, "a page holds more or fewer entries than it should"),
    ] {
        let error = accounts_error(&world).await;
        assert!(is_unclear(&error), "{error}");
        assert!(
            error.to_string().contains("the list was read incompletely: ") && error.to_string().contains(why),
            "{error}"
        );
        assert_eq!(world.lines().len(), requests, "{why}");
    }
}

#[tokio::test]
async fn names_and_messages_of_strangers_are_inert() {
    let evil = format!("\u{1b}[2J\u{202e}<img onerror=x>|`@everyone`\r\n{}", "x".repeat(10_000));
    let named = evil.clone();
    let friendly = world(move |_, _| {
        json(200, value!({"data": [{"id": 1, "name": named, "email": named, "plan_identifier": named}]}))
    })
    .await;
    let accounts = friendly.reader().accounts().await.unwrap();
    let name = accounts[0].name.clone().unwrap();
    assert_eq!(name.as_str(), evil, "the name itself is kept, to be compared");
    let told = evil.clone();
    let refusing = world(move |_, _| {
        json_with(
            400,
            &[("x-request-id", "r\u{7f}1")],
            value!({"message": told, "errors": {told.clone(): [told, told], "email": [told, 1, null]}}),
        )
    })
    .await;
    let error = accounts_error(&refusing).await;
    for shown in [name.to_string(), format!("{accounts:?}"), error.to_string(), format!("{error:?}")] {
        assert!(!shown.contains(['\u{1b}', '\u{202e}', '\r', '\n']), "{shown}");
        assert!(shown.len() < 3_000, "{} bytes", shown.len());
    }
}

#[tokio::test]
async fn faults_without_end_are_cut() {
    let world = world(|_, _| {
        let fields: serde_json::Map<String, Value> =
            (0..5_000).map(|n| (format!("f{n}"), value!(vec!["is bad"; 5]))).collect();
        json(400, value!({"message": "no", "errors": fields}))
    })
    .await;
    assert!(accounts_error(&world).await.to_string().len() < 10_000);
}

/// Everything that is logged, down to the innermost libraries.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[test]
fn a_server_that_repeats_our_token_makes_nothing_show_it() {
    run_alone("provider_hostile::nothing_shows_the_token", &[]);
}

#[tokio::test]
#[ignore = "run in a process of its own: tests that log nothing, beside it, would switch its log off"]
async fn nothing_shows_the_token() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::level_filters::LevelFilter::TRACE)
        .with_writer(log.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let bearer = format!("Bearer {CANARY}");
    let escaped: String = CANARY.chars().map(|c| format!("\\u{:04x}", c as u32)).collect();
    let replies = [
        json(400, value!({"message": bearer, "errors": {bearer.clone(): [bearer], "email": [bearer]}})),
        Reply::Whole(400, vec![], format!("{{\"message\":\"{escaped}\"}}").into_bytes()),
        message(401, &bearer),
        message(500, &bearer),
        json_with(403, &[("x-request-id", &bearer)], value!({"message": "no"})),
        json_with(302, &[("location", &format!("https://evil.example/{CANARY}"))], value!({})),
        json(200, value!({"data": [{"id": 1, "created_at": bearer, "name": {"a": bearer}}]})),
        json(200, value!({"data": bearer})),
        json(200, value!({"data": [{"id": bearer}]})),
        Reply::Whole(200, vec![], format!("{CANARY} is not JSON").into_bytes()),
        Reply::Bytes(format!("HTTP/1.1 {CANARY}\r\n\r\n").into_bytes()),
        Reply::Reset,
    ];
    let mut shown = String::new();
    for reply in replies {
        let world = world(move |_, _| reply.clone()).await;
        let reader = world.reader_with(|config| config.read_retries = 0);
        let writer = reader.writer();
        let read = reader.accounts().await.unwrap_err();
        let written = writer
            .add_member(&AccountId::new("1"), &Email::lenient("jane@acme.example"), &Grant::of(Access::Full))
            .await;
        let written = written.unwrap_err();
        assert!(world.asked().iter().all(|asked| asked.headers.contains(CANARY)), "it was sent, so it could leak");
        shown.push_str(&format!("{read} {read:?} {read:#?} {written} {written:?} {reader:?} {writer:?}\n"));
        if let ApiErrorKind::Refused { message, errors, .. } = &read.kind {
            shown.push_str(&format!("{} {}", message.raw(), serde_json::to_string(errors).unwrap()));
        }
    }
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("POST /v2/{account}/members"), "{logged}");
    // A whole 200 that is no answer is a failure, too, and told with its request id.
    let failures: Vec<_> = logged.lines().filter(|line| line.contains("WARN") && line.contains("status=200")).collect();
    assert!(failures.len() >= 4 && failures.iter().all(|line| line.contains("request_id=req-")), "{logged}");
    for text in [&shown, &logged] {
        assert!(!text.contains(CANARY), "{text}");
    }
    assert!(!logged.contains("jane@acme.example"), "{logged}");
    assert!(shown.contains("[token]"));
}

#[test]
fn a_proxy_of_the_environment_never_sees_what_goes_to_this_machine() {
    let nobody = "http://127.0.0.1:9";
    let names = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];
    run_alone("provider_read::reads_share_a_connection", &names.map(|name| (name, nobody)));
}
