//! Delivering: retries that end, receivers that hang, fail and send elsewhere, queues that
//! overflow; and that none of it is anybody else's affair.

use std::time::{Duration, Instant};

use bursar::domain::{AccountId, ClientName};
use bursar::notify::{Address, Format, Kind, Named, Note, Outbox, Pace, Tell as _, note_json, note_json_schema};
use bursar::plan::Reason;

use super::receiver::{Answer, Receiver};
use crate::support::{committed, eventually};

const SOON: Duration = Duration::from_secs(20);

fn quick() -> Pace {
    Pace {
        timeout: Duration::from_millis(300),
        first: Duration::from_millis(10),
        longest: Duration::from_millis(50),
        tries: 3,
        kept: 4,
    }
}

fn note(n: usize) -> Note {
    Note {
        at: "2026-11-25T10:00:00Z".parse().unwrap(),
        kind: Kind::Blocked,
        reason: Some(Reason::PaymentRequired),
        recovered: false,
        fleet: None,
        clients: vec![Named { client: ClientName::parse("acme").unwrap(), account: Some(AccountId::new("17")) }],
        message: format!("number {n}: add jane@acme.example <!channel> & so on"),
        next: Some("bursar explain acme".to_owned()),
        revision: Some("0123456789abcdef0123456789abcdef01234567".to_owned()),
        since: "2026-11-25T09:00:00Z".parse().unwrap(),
        times: 1,
    }
}

fn outbox(receivers: &[(&Receiver, Format)]) -> Outbox {
    let addresses = receivers
        .iter()
        .map(|(receiver, format)| Address::parse(&format!("{}/secret", receiver.address), *format).unwrap());
    Outbox::start(addresses.collect(), None, quick()).unwrap()
}

fn counts(outbox: &Outbox) -> Vec<(u64, u64, u64)> {
    outbox.counters().iter().map(|(_, counters)| (counters.sent(), counters.failed(), counters.dropped())).collect()
}

/// A body with the spaces in it that have no width.
fn shown(body: &serde_json::Value) -> String {
    format!("{body:#}").replace('\u{200b}', "\\u{200b}")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_gets_json_another_slacks_form_and_neither_sees_an_address_or_a_mention() {
    let (json, slack) = (Receiver::willing().await, Receiver::willing().await);
    let outbox = outbox(&[(&json, Format::Auto), (&slack, Format::Slack)]);
    outbox.note(&note(1));
    let got = json.wait_for(1, SOON).await.remove(0);
    assert_eq!(got.path, "/secret");
    insta::assert_snapshot!(shown(&got.body), @r#"
    {
      "format_version": "1.0",
      "type": "notification",
      "kind": "blocked",
      "reason": "PaymentRequired",
      "severity": "warning",
      "recovered": false,
      "clients": [
        {
          "name": "acme",
          "account_id": "17"
        }
      ],
      "message": "number 1: add j***@acme.example#cd5dec <!channel> & so on",
      "next": "bursar explain acme",
      "revision": "0123456789abcdef0123456789abcdef01234567",
      "at": "2026-11-25T10:00:00Z",
      "since": "2026-11-25T09:00:00Z",
      "times": 1,
      "text": "Act: acme (account 17): number 1: add j***@\u{200b}acme.example#cd5dec &lt;!channel&gt; &amp; so on\nNext: bursar explain acme\nCommit: 0123456789ab"
    }
    "#);
    let got = slack.wait_for(1, SOON).await.remove(0);
    insta::assert_snapshot!(shown(&got.body), @r#"
    {
      "text": "Act: acme (account 17): number 1: add j***@\u{200b}acme.example#cd5dec &lt;!channel&gt; &amp; so on\nNext: bursar explain acme\nCommit: 0123456789ab",
      "mrkdwn": false,
      "link_names": false,
      "unfurl_links": false,
      "unfurl_media": false
    }
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_hangs_or_fails_is_given_up_and_holds_up_nobody_else() {
    let hangs = Receiver::start(|_, _| Answer::Hang).await;
    let fails = Receiver::start(|_, _| Answer::Status(500)).await;
    let refuses = Receiver::start(|_, _| Answer::Status(410)).await;
    let comes_back = Receiver::start(|n, _| Answer::Status(if n < 2 { 503 } else { 200 })).await;
    let elsewhere = Receiver::willing().await;
    let to = format!("{}/stolen", elsewhere.address);
    let redirects = Receiver::start(move |_, _| Answer::RedirectTo(to.clone())).await;
    let fine = Receiver::willing().await;
    let all = [&hangs, &fails, &refuses, &comes_back, &redirects, &fine].map(|receiver| (receiver, Format::Json));
    let outbox = outbox(&all);
    let begun = Instant::now();
    outbox.note(&note(1));
    assert!(begun.elapsed() < Duration::from_millis(200), "telling never waits: {:?}", begun.elapsed());
    fine.wait_for(1, SOON).await;
    let done = [(0, 1, 0), (0, 1, 0), (0, 1, 0), (1, 0, 0), (0, 1, 0), (1, 0, 0)];
    eventually("each is delivered or given up", SOON, || async { counts(&outbox) == done }).await;
    let tries = [&hangs, &fails, &refuses, &comes_back, &redirects, &fine].map(|receiver| receiver.got().len());
    assert_eq!(tries, [3, 3, 1, 3, 1, 1], "at most so many tries, and no second one for what is refused");
    assert!(elsewhere.got().is_empty(), "redirects are not followed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_gives_way_where_a_queue_is_full() {
    let hangs = Receiver::start(|n, _| if n < 3 { Answer::Hang } else { Answer::Status(200) }).await;
    let outbox = outbox(&[(&hangs, Format::Json)]);
    outbox.note(&note(0));
    hangs.wait_for(1, SOON).await;
    for n in 1..=10 {
        outbox.note(&note(n));
    }
    eventually("the last ones arrive", SOON, || async { counts(&outbox) == [(4, 1, 6)] }).await;
    let numbers: Vec<String> = hangs.texts().iter().skip(3).map(|text| text[24..33].to_owned()).collect();
    assert_eq!(numbers, ["number 7:", "number 8:", "number 9:", "number 10"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_end_what_is_queued_is_delivered_and_a_hanging_receiver_keeps_nobody() {
    let (fine, hangs) = (Receiver::willing().await, Receiver::start(|_, _| Answer::Hang).await);
    let outbox = outbox(&[(&fine, Format::Json), (&hangs, Format::Json)]);
    for n in 0..3 {
        outbox.note(&note(n));
    }
    let begun = Instant::now();
    outbox.close().await;
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!(fine.got().len(), 3);
}

#[test]
fn what_is_sent_is_as_its_schema_says() {
    committed("schemas/notification.schema.json", &note_json_schema());
    let validator = jsonschema::validator_for(&note_json_schema()).unwrap();
    assert!(validator.is_valid(&note_json(&note(1))));
}
