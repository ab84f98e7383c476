//! Servers that redirect, flood, lie, and repeat secrets (`hostile-inputs.md`, 13 to 17).

use std::time::{Duration, Instant};

use bursar::domain::{AccountId, MemberId};
use bursar::plan::OpKind;
use bursar::provider::{ApiError, ApiErrorKind};
use serde_json::json as value;

use super::{Dialect, carry_out, driver_of, ready, scripted};
use crate::provider_world::{CANARY, Reply, World, json, json_with, message, world};

async fn read_error<D: Dialect>(world: &World) -> ApiError {
    driver_of::<D>(world).reader.accounts().await.unwrap_err()
}

pub async fn the_token_goes_to_this_server_only<D: Dialect>() {
    let elsewhere = std::sync::Arc::new(world(|_, _| json(200, value!([]))).await);
    for status in [301, 302, 303, 307, 308] {
        let to = format!("http://{}{}/accounts", elsewhere.address, D::BASE);
        let redirecting = {
            let to = to.clone();
            world(move |_, _| json_with(status, &[("location", &to)], value!({}))).await
        };
        let error = read_error::<D>(&redirecting).await;
        assert!(matches!(error.kind, ApiErrorKind::Unclear { .. }), "{error}");
        let writes = scripted::<D>(move |_| Some(json_with(status, &[("location", &to)], value!({})))).await;
        let driver = ready::<D>(&writes).await;
        let error = carry_out::<D>(&driver, OpKind::AddMember).await.unwrap_err();
        assert!(matches!(error.kind, ApiErrorKind::Unclear { .. }), "{error}");
    }
    assert_eq!(elsewhere.connections(), 0);
    // Ids that would lead to another endpoint.
    let world = scripted::<D>(|_| None).await;
    let driver = ready::<D>(&world).await;
    let before = world.lines().len();
    for id in ["..", "", "7/../8", "7?x=", "7#", "%2e%2e", "a b"] {
        driver.writer.remove_member(&AccountId::new(id), &MemberId::new("m3")).await.unwrap_err();
        driver.writer.remove_member(&AccountId::new("7"), &MemberId::new(id)).await.unwrap_err();
        driver.reader.members(&AccountId::new(id)).await.unwrap_err();
    }
    assert_eq!(world.lines().len(), before, "nothing is sent");
}

pub async fn answers_without_end_are_bounded<D: Dialect>() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n".to_vec();
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep_in_one = format!("{{\"a\":{}}}", "{\"a\":".repeat(10_000));
    for reply in [
        Reply::Flood(head.clone()),
        Reply::Flood(b"HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n".to_vec()),
        Reply::Flood(b"HTTP/1.1 200 OK\r\nx-long: ".to_vec()),
        Reply::Whole(200, vec![("content-encoding", "gzip".into())], vec![0x1f, 0x8b, 8, 0]),
        Reply::Whole(200, vec![], deep.into_bytes()),
        Reply::Whole(200, vec![], deep_in_one.into_bytes()),
        Reply::Whole(200, vec![], b"null".to_vec()),
    ] {
        let shown: String = format!("{reply:?}").chars().take(80).collect();
        let begun = Instant::now();
        let reads = {
            let reply = reply.clone();
            world(move |_, _| reply.clone()).await
        };
        let error = read_error::<D>(&reads).await;
        assert!(matches!(error.kind, ApiErrorKind::Unclear { .. }), "{shown}: {error}");
        assert!(reads.written() < 40 << 20, "{shown}: {} bytes", reads.written());
        let writes = scripted::<D>(move |_| Some(reply.clone())).await;
        let driver = ready::<D>(&writes).await;
        let error = carry_out::<D>(&driver, OpKind::AddMember).await.unwrap_err();
        assert!(matches!(error.kind, ApiErrorKind::Unclear { .. }), "{shown}: {error}");
        assert!(writes.written() < 20 << 20, "{shown}: {} bytes", writes.written());
        assert!(begun.elapsed() < Duration::from_secs(10), "{shown}: {:?}", begun.elapsed());
    }
}

pub async fn what_strangers_write_is_inert<D: Dialect>() {
    let evil = format!("\u{1b}[2J\u{202e}<img onerror=x>|`@everyone`\r\n{}", "x".repeat(10_000));
    let list = D::named(&evil);
    let fake = std::sync::Mutex::new(D::fake());
    let friendly =
        world(move |_, asked| match asked.line.contains("/accounts?") || asked.line.ends_with("/accounts") {
            true => json(200, list.clone()),
            false => fake.lock().unwrap().answer(asked),
        })
        .await;
    let accounts = driver_of::<D>(&friendly).reader.accounts().await.unwrap();
    let name = accounts[0].name.clone().unwrap();
    assert_eq!(name.as_str(), evil, "the name itself is kept, to be compared");
    let refusing = scripted::<D>(move |_| {
        let errors = value!({evil.clone(): [evil], "email": [evil, 1, null]});
        Some(json_with(422, &[("x-request-id", "r\u{7f}1")], value!({"message": evil, "errors": errors})))
    })
    .await;
    let driver = ready::<D>(&refusing).await;
    let error = carry_out::<D>(&driver, OpKind::AddMember).await.unwrap_err();
    for shown in [name.to_string(), format!("{accounts:?}"), error.to_string(), format!("{error:?}")] {
        assert!(!shown.contains(['\u{1b}', '\u{202e}', '\r', '\n']), "{shown}");
        assert!(shown.len() < 4_000, "{} bytes", shown.len());
    }
}

pub async fn a_token_that_is_repeated_shows_nowhere<D: Dialect>() {
    let bearer = format!("Bearer {CANARY}");
    let escaped: String = CANARY.chars().map(|c| format!("\\u{:04x}", c as u32)).collect();
    for reply in [
        json(422, value!({"message": bearer, "errors": {bearer.clone(): [bearer], "email": [bearer]}})),
        json(422, value!({"message": bearer, "errors": [bearer, {"message": bearer}]})),
        Reply::Whole(400, vec![], format!("{{\"message\":\"{escaped}\"}}").into_bytes()),
        message(401, &bearer),
        message(500, &bearer),
        json_with(403, &[("x-request-id", &bearer)], value!({"message": "no"})),
        json(200, value!([{"id": bearer}])),
        json(200, value!({"id": bearer, "data": {"id": bearer}})),
        Reply::Whole(200, vec![], format!("{CANARY} is not JSON").into_bytes()),
        Reply::Bytes(format!("HTTP/1.1 {CANARY}\r\n\r\n").into_bytes()),
    ] {
        let reads = {
            let reply = reply.clone();
            world(move |_, _| reply.clone()).await
        };
        let read = read_error::<D>(&reads).await;
        let writes = scripted::<D>(move |_| Some(reply.clone())).await;
        let driver = ready::<D>(&writes).await;
        let written = carry_out::<D>(&driver, OpKind::AddMember).await.unwrap_err();
        assert!(writes.asked().iter().all(|asked| asked.headers.contains(CANARY)), "it was sent, so it could leak");
        let mut shown = format!("{read} {read:?} {written} {written:?}");
        for error in [&read, &written] {
            if let ApiErrorKind::Refused { message, errors, .. } = &error.kind {
                shown.push_str(&format!("{} {}", message.raw(), serde_json::to_string(errors).unwrap()));
            }
        }
        assert!(!shown.contains(CANARY), "{shown}");
    }
}

pub async fn a_reset_that_makes_no_sense_is_clamped<D: Dialect>() {
    for (reset, seconds) in [
        ("1481477521", 10),
        ("Sun, 11 Dec 2016 17:32:01 GMT", 10),
        ("1481477000", 60),
        ("-5", 60),
        ("tomorrow", 60),
        ("", 60),
        ("99999999999999999999999", 60),
        ("99999999999", 3660),
        ("5138-11-16T09:46:39Z", 3660),
    ] {
        let limited = world(move |_, _| {
            let headers = [("date", "Sun, 11 Dec 2016 17:31:51 GMT"), ("x-ratelimit-reset", reset)];
            json_with(429, &headers, value!({"message": "quota exceeded"}))
        })
        .await;
        let error = read_error::<D>(&limited).await;
        let expected = ApiErrorKind::Quota { resets_in: Duration::from_secs(seconds), sent: true };
        assert_eq!(error.kind, expected, "{reset}");
    }
}
