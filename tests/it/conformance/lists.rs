//! Lists and the quota: complete or an error, and nothing sent while the window is closed.

use std::time::Duration;

use bursar::domain::{AccountId, MemberId};
use bursar::provider::ApiErrorKind;

use super::{Dialect, driver_of, ready, scripted};
use crate::provider_world::{Reply, message, world};

fn is_accounts<D: Dialect>(line: &str) -> bool {
    line.split(['?', ' ']).nth(1) == Some(&format!("{}/accounts", D::BASE))
}

pub async fn a_list_is_complete_or_an_error<D: Dialect>() {
    for total in [0, 1, 99, 100, 101, 250] {
        let fake = std::sync::Mutex::new(D::fake());
        let world = world(move |_, asked| match is_accounts::<D>(&asked.line) {
            true => D::pages(asked, total),
            false => fake.lock().unwrap().answer(asked),
        })
        .await;
        let accounts = driver_of::<D>(&world).reader.accounts().await.unwrap();
        let ids: Vec<_> = accounts.iter().map(|account| account.id.to_string()).collect();
        assert_eq!(ids, (1..=total).map(|id| id.to_string()).collect::<Vec<_>>(), "by ascending id");
    }
    for (what, broken) in D::broken_lists() {
        let fake = std::sync::Mutex::new(D::fake());
        let world = world(move |before, asked| match is_accounts::<D>(&asked.line) {
            true => broken(before, asked),
            false => fake.lock().unwrap().answer(asked),
        })
        .await;
        let error = driver_of::<D>(&world).reader.accounts().await.unwrap_err();
        assert!(matches!(error.kind, ApiErrorKind::Unclear { .. }), "{what}: {error}");
        assert!(world.lines().len() < 20, "{what}: {:?}", world.lines().len());
    }
}

pub async fn a_used_up_quota_keeps_everything_back<D: Dialect>() {
    let used_up: Vec<(&'static str, String)> = vec![
        ("date", "Sun, 11 Dec 2016 17:31:51 GMT".into()),
        ("x-ratelimit-limit", "500".into()),
        ("x-ratelimit-remaining", "0".into()),
        ("x-ratelimit-reset", "1481477571".into()),
    ];
    let fake = std::sync::Mutex::new(D::arranged());
    let limited = world(move |_, asked| match (fake.lock().unwrap().answer(asked), is_accounts::<D>(&asked.line)) {
        (Reply::Whole(status, _, body), true) => Reply::Whole(status, used_up.clone(), body),
        (reply, _) => reply,
    })
    .await;
    let driver = driver_of::<D>(&limited);
    driver.reader.offer().await.unwrap();
    driver.reader.accounts().await.unwrap();
    let before = limited.lines().len();
    let read = driver.reader.accounts().await.unwrap_err();
    let written = driver.writer.remove_member(&AccountId::new("7"), &MemberId::new("m3")).await.unwrap_err();
    for error in [read, written] {
        let ApiErrorKind::Quota { resets_in, sent: false } = error.kind else { panic!("{error}") };
        assert!(resets_in > Duration::from_secs(50) && resets_in <= Duration::from_secs(60), "{resets_in:?}");
    }
    assert_eq!(limited.lines().len(), before, "nothing is sent");

    let refusing = scripted::<D>(|_| Some(message(429, "quota exceeded"))).await;
    let driver = ready::<D>(&refusing).await;
    let error = driver.writer.remove_member(&AccountId::new("7"), &MemberId::new("m3")).await.unwrap_err();
    assert_eq!(error.kind, ApiErrorKind::Quota { resets_in: Duration::from_secs(60), sent: true });
    let error = driver.reader.accounts().await.unwrap_err();
    assert!(matches!(error.kind, ApiErrorKind::Quota { sent: false, .. }), "one window for reads and writes: {error}");
}
