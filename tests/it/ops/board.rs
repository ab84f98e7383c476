//! The board: signs of life, and what is counted under few labels.

use std::sync::Arc;
use std::time::Duration;

use bursar::controller::{Board, Fault, Mode, Tally};
use bursar::plan::ApiInfo;
use bursar::provider::dnsimple::{Config, connect};
use bursar::provider::{BaseUrl, Token};
use tokio::time::Instant;

fn board() -> Board {
    let url = BaseUrl::parse("http://127.0.0.1:9/v2").unwrap();
    let api = ApiInfo { provider: "dnsimple".into(), url: url.to_string() };
    let reader = connect(Config::new(url, Token::from_text("t".repeat(20)).unwrap())).unwrap();
    Board::new("default", Mode::Apply, &api, Arc::new(reader), Tally::default())
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_hangs_is_told_from_one_that_rests_waits_for_the_quota_or_stands_by() {
    let (board, minute) = (board(), Duration::from_secs(60));
    assert!(board.is_alive(Instant::now()));
    board.rests_until(Instant::now() + 60 * minute);
    tokio::time::advance(62 * minute).await;
    assert!(board.is_alive(Instant::now()), "it was to rest");
    tokio::time::advance(2 * minute).await;
    assert!(!board.is_alive(Instant::now()), "it did not wake up");
    board.beat();
    tokio::time::advance(2 * minute).await;
    assert!(board.is_alive(Instant::now()));
    tokio::time::advance(2 * minute).await;
    assert!(!board.is_alive(Instant::now()));
    let progress = board.progress(Arc::new(bursar::execute::Silent));
    progress.pausing(30 * 60);
    tokio::time::advance(31 * minute).await;
    assert!(board.is_alive(Instant::now()), "the quota opens in half an hour");
    tokio::time::advance(30 * minute).await;
    assert!(!board.is_alive(Instant::now()));
    board.hold(false);
    assert!(board.is_alive(Instant::now()), "another replica holds the fleet");
    assert_eq!((board.unready(), board.has_read()), (None, true));
}

#[test]
fn a_trouble_shows_since_it_began_until_it_is_over() {
    let board = board();
    let at = |second: i64| jiff::Timestamp::from_second(second).unwrap();
    board.fault(Fault::Source, "gone", at(100));
    board.fault(Fault::Source, "still gone", at(200));
    let trouble = board.fleet().source.trouble.unwrap();
    assert_eq!((trouble.message.as_str(), trouble.since), ("still gone", at(100)));
    board.well(Fault::Api);
    assert!(board.fleet().source.trouble.is_some());
    board.well(Fault::Source);
    assert_eq!(board.fleet().source.trouble, None);
    board.fault(Fault::Source, "gone", at(300));
    assert_eq!(board.fleet().source.trouble.unwrap().since, at(300));
}
