//! What the daemon spends of its quota: a day in which nothing happens, a day with somebody
//! who changes things by hand, and a person who leaves three hundred accounts at once. The
//! real driver, controller and sandbox, on paused time.

#![allow(clippy::print_stdout, reason = "a run says what it measured")]

mod fleet;

use std::collections::BTreeMap;
use std::time::Duration;

use bursar::sandbox::Extension;

use fleet::{Fleet, Seen, story};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// How many clients the days are simulated with: `BURSAR_CLIENTS`, or few enough for every
/// run of the tests.
fn clients(few: usize) -> usize {
    std::env::var("BURSAR_CLIENTS").map_or(few, |many| many.parse().unwrap())
}

/// Requests of a day by what they are for.
fn by_route(seen: &[Seen]) -> BTreeMap<String, u64> {
    let mut routes = BTreeMap::new();
    for Seen { call, .. } in seen {
        *routes.entry(call.split(['/', '?']).next_back().unwrap_or_default().to_owned()).or_insert(0) += 1;
    }
    routes
}

fn refusals(seen: &[Seen]) -> usize {
    seen.iter().filter(|seen| seen.status == 429).count()
}

/// The first day after the start, without the start itself.
fn day(seen: &[Seen]) -> Vec<Seen> {
    let from = Duration::from_secs(60);
    seen.iter().filter(|seen| (from..from + DAY).contains(&seen.at)).cloned().collect()
}

#[test]
fn a_quiet_day_costs_the_lists_and_the_terms_once_an_hour() {
    let count = clients(40);
    story(async {
        let fleet = Fleet::new(count, &[]).await;
        let daemon = fleet.daemon();
        tokio::time::sleep(DAY + HOUR).await;
        daemon.stop().await;
        let day = day(&fleet.seen());
        let bound = 288 * count.div_ceil(100);
        assert_eq!(refusals(&day), 0);
        assert!(day.len() as f64 <= 1.05 * bound as f64 + 48.0, "{} of {bound}: {:?}", day.len(), by_route(&day));
        assert!(day.len() as f64 >= 0.9 * bound as f64, "{} of {bound}", day.len());
        println!("{count} clients: {} requests a day, {:?}", day.len(), by_route(&day));
    });
}

/// How long ago each account's members were read at most, over a day.
fn longest_unread(seen: &[Seen]) -> Duration {
    let mut last: BTreeMap<&str, Duration> = BTreeMap::new();
    let mut longest = Duration::ZERO;
    for Seen { at, call, .. } in
        seen.iter().filter(|seen| seen.call.starts_with("GET") && seen.call.ends_with("/members"))
    {
        if let Some(before) = last.insert(call, *at) {
            longest = longest.max(*at - before);
        }
    }
    let end = seen.iter().map(|seen| seen.at).max().unwrap_or_default();
    last.values().map(|at| end - *at).chain([longest]).max().unwrap_or_default()
}

#[test]
fn without_embedding_each_account_is_read_once_a_day_and_never_many_at_once() {
    let count = clients(40);
    story(async {
        let fleet = Fleet::new(count, &[Extension::Bulk]).await;
        let daemon = fleet.daemon();
        tokio::time::sleep(2 * DAY).await;
        daemon.stop().await;
        let seen = fleet.seen();
        let day = day(&seen);
        let bound = 1.05 * (288 * count.div_ceil(100)) as f64 + 2.0 * count as f64 + 48.0;
        assert_eq!(refusals(&seen), 0);
        assert!(day.len() as f64 <= bound, "{} of {bound}: {:?}", day.len(), by_route(&day));
        assert!(longest_unread(&seen) <= DAY + Duration::from_secs(600), "{:?}", longest_unread(&seen));
        // Spread evenly: no hour has much more than its part.
        let hour = |hour: u64| day.iter().filter(|seen| seen.at.as_secs() / 3600 == hour).count();
        let most = (1..24).map(hour).max().unwrap_or_default();
        assert!(most as f64 <= bound / 24.0 * 1.3 + 5.0, "{most} in an hour of {bound} a day");
        println!("{count} clients without embedding: {} requests a day, {:?}", day.len(), by_route(&day));
    });
}

#[test]
fn without_an_honest_updated_at_what_was_done_by_hand_is_found_as_soon_as_the_quota_allows() {
    let count = clients(60);
    story(async {
        let fleet = Fleet::new(count, &[Extension::Bulk, Extension::UpdatedAt]).await;
        let daemon = fleet.daemon();
        // Until all was read once, and the rolling pass has begun.
        let begin = 2 * HOUR + HOUR * (2 * count as u32 / 1000);
        tokio::time::sleep(begin).await;
        // By another tool, with another token: nobody is told.
        fleet.remove_by_hand(7).await;
        tokio::time::sleep(4 * HOUR).await;
        daemon.stop().await;
        let seen = fleet.seen();
        assert_eq!(refusals(&seen), 0);
        let rolling: Vec<Seen> = seen.into_iter().filter(|seen| seen.at >= begin - HOUR).collect();
        let late = longest_unread(&rolling);
        // 2 requests an account, of half of 1,920 an hour.
        let pass = (2 * count) as f64 / (960.0 - 12.0 * count.div_ceil(100) as f64) * 3600.0;
        assert!(late.as_secs_f64() <= pass.max(300.0) * 1.1 + 330.0, "{late:?} of {pass} s");
        let history = fleet.history().await;
        assert!(history.contains("a@c7.example is not in account 8 any more"), "{history}");
        println!("{count} clients without embedding and updated_at: read again within {late:?}");
    });
}

#[test]
fn a_person_leaves_three_hundred_accounts_within_five_minutes_with_half_of_the_quota_spent() {
    story(async {
        let fleet = Fleet::new(300, &[]).await;
        let daemon = fleet.daemon();
        tokio::time::sleep(Duration::from_secs(60)).await;
        // Other tools with the same token.
        fleet.spend(1200 - fleet.seen().len() as u64).await;
        fleet.offboard("p0@agency.example");
        let begun = fleet.now();
        daemon.look();
        let took = fleet.until_gone("p0@agency.example", Duration::from_secs(600)).await;
        daemon.stop().await;
        assert!(took <= Duration::from_secs(300), "{took:?}");
        let removals: Vec<Seen> =
            fleet.seen().into_iter().filter(|seen| seen.at >= begun && seen.call.starts_with("DELETE")).collect();
        assert_eq!(removals.len(), 300, "one each");
        assert_eq!(refusals(&fleet.seen()), 0);
        // The list as proof: the history tells of each account.
        assert_eq!(fleet.removals_in_history("p0@agency.example").await, 300);
        println!("300 accounts left in {took:?}");
    });
}
