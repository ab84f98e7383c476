//! `bursar demo`: the promise, kept within seconds, and a plain loop that does not keep it.

use std::collections::BTreeMap;

use crate::support::{Done, bursar};

/// The table's rows: what is wanted, what bursar made, what the plain loop made.
fn rows(table: &str) -> BTreeMap<String, [String; 3]> {
    let lines = table.lines().skip(1).take_while(|line| !line.is_empty());
    let row = |line: &str| {
        let (what, numbers) = line.split_at(24);
        let mut numbers = numbers.split_whitespace().map(str::to_owned);
        (what.trim().to_owned(), [(); 3].map(|()| numbers.next().unwrap()))
    };
    lines.map(row).collect()
}

#[test]
fn each_thing_happens_once_and_a_plain_loop_makes_some_twice() {
    let args = ["demo", "--seed", "7", "--seconds", "45", "--clients", "8", "--kill-every", "900ms"];
    let done = Done::from(bursar(&args).output().unwrap());
    let rows = rows(&done.stdout);
    let of = |what: &str| rows[what].each_ref().map(String::as_str);
    assert_eq!(of("duplicate accounts")[..2], ["0", "0"], "{}", done.stdout);
    for what in ["accounts", "subscriptions", "people in accounts", "dollars a month"] {
        let [wanted, kept, _] = of(what);
        assert_eq!(wanted, kept, "{what}\n{}{}", done.stdout, done.stderr);
    }
    let [_, kills, _] = of("killed with -9");
    assert!(kills.parse::<u32>().unwrap() >= 2, "{}", done.stdout);
    let [_, _, twice] = of("duplicate accounts");
    assert!(twice.parse::<u32>().unwrap() > 0, "{}", done.stdout);
    let again = "Again: bursar demo --seed 7 --seconds 45 --clients 8 --kill-every 900ms\n";
    assert!(done.stdout.ends_with(again), "{}", done.stdout);
    done.expect(0);
}

#[test]
fn what_is_not_done_in_time_is_no_success_and_nothing_is_claimed() {
    // Killed before it can do anything, for as long as it is tried.
    let args = ["demo", "--seed", "1", "--seconds", "1", "--clients", "40", "--lose", "0.6"];
    let folder = tempfile::tempdir().unwrap();
    let done = Done::from(bursar(&args).env("TMPDIR", folder.path()).output().unwrap()).expect(1);
    assert!(
        done.stdout.contains("bursar made nothing twice, and was not done when the time was up"),
        "{}",
        done.stdout
    );
    let log = done.stderr.split("The daemon's log is ").nth(1).unwrap().trim_end().trim_end_matches('.').to_owned();
    assert!(std::fs::read_to_string(log).unwrap().contains("started"));
}
