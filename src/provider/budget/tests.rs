//! The budget against a server that counts: seeded simulations of a day, event by event.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::*;

const START_S: u64 = 1_767_225_600;

/// How a server counts: a window begins with the first request after the last one ended.
struct Server {
    limit: u64,
    window_ms: u64,
    ends_ms: u64,
    used: u64,
    windows: u64,
}

impl Server {
    fn new(limit: u64, window_ms: u64) -> Self {
        Self { limit, window_ms, ends_ms: 0, used: 0, windows: 0 }
    }

    /// Counts a request; what its headers tell, and whether it was let through.
    fn count(&mut self, now_ms: u64) -> (Standing, bool) {
        if now_ms >= self.ends_ms {
            (self.ends_ms, self.used) = (now_ms + self.window_ms, 0);
            self.windows += 1;
        }
        let fits = self.used < self.limit;
        self.used += u64::from(fits);
        // Times are told in whole seconds.
        let (reset, date) = (START_S + self.ends_ms / 1000, START_S + now_ms / 1000);
        let standing = Standing {
            limit: self.limit,
            remaining: self.limit - self.used,
            reset: reset.cast_signed(),
            ahead: Duration::from_secs(reset - date),
        };
        (standing, fits)
    }
}

/// Who wants to send what: so many at once, one after the other, each so long after the last.
#[derive(Clone, Copy)]
struct Worker {
    class: Class,
    pause_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A worker asks.
    Ask(usize),
    /// A worker's request arrives at the server.
    Arrive(usize),
    /// The answer to it is there.
    Answer(usize),
    /// The neighbour's request arrives.
    Neighbour,
}

/// What a simulation came to.
struct Told {
    server: Server,
    /// Answers of 429 by window.
    refusals: Vec<(u64, u64)>,
    /// Our requests by class.
    sent: [u64; 5],
    /// Our requests by window.
    ours: Vec<u64>,
    /// How long somebody of the finishing class waited at most.
    longest_finish_ms: u64,
}

struct Simulation {
    rng: fastrand::Rng,
    server: Server,
    budget: Budget,
    zero: Instant,
    workers: Vec<Worker>,
    /// What each worker holds, since when it wants, and what it will be told.
    tickets: Vec<Option<Ticket>>,
    wanted_ms: Vec<u64>,
    answers: Vec<Option<(Standing, bool)>>,
    blocked: Vec<usize>,
    events: BinaryHeap<Reverse<(u64, Event)>>,
    told: Told,
}

impl Simulation {
    fn new(seed: u64, limit: u64, window_s: u64, workers: Vec<Worker>) -> Self {
        let mut budget = Budget::default();
        budget.pace(USUAL_RESERVE);
        let count = workers.len();
        let empty = Told {
            server: Server::new(limit, 0),
            refusals: Vec::new(),
            sent: [0; 5],
            ours: Vec::new(),
            longest_finish_ms: 0,
        };
        Self {
            rng: fastrand::Rng::with_seed(seed),
            server: Server::new(limit, window_s * 1000),
            budget,
            zero: Instant::now(),
            workers,
            tickets: vec![None; count],
            wanted_ms: vec![0; count],
            answers: vec![None; count],
            blocked: Vec::new(),
            events: BinaryHeap::new(),
            told: empty,
        }
    }

    fn at(&self, ms: u64) -> Instant {
        self.zero + Duration::from_millis(ms)
    }

    fn push(&mut self, ms: u64, event: Event) {
        self.events.push(Reverse((ms, event)));
    }

    /// Runs for so long. `neighbour` tells how long it is until the neighbour's next request.
    fn run(mut self, until_ms: u64, mut neighbour: impl FnMut(&mut fastrand::Rng, u64) -> Option<u64>) -> Told {
        for worker in 0..self.workers.len() {
            let begin = self.rng.u64(0..2000);
            self.push(begin, Event::Ask(worker));
        }
        if let Some(first) = neighbour(&mut self.rng, 0) {
            self.push(first, Event::Neighbour);
        }
        while let Some(Reverse((now, event))) = self.events.pop().filter(|Reverse((now, _))| *now < until_ms) {
            match event {
                Event::Ask(worker) => self.ask(worker, now),
                Event::Arrive(worker) => {
                    let counted = self.server.count(now);
                    self.told.ours.resize(self.server.windows as usize + 1, 0);
                    self.told.ours[self.server.windows as usize] += 1;
                    if !counted.1 {
                        self.told.refusals.push((self.server.windows, now));
                    }
                    self.answers[worker] = Some(counted);
                    let back = now + self.rng.u64(20..400);
                    self.push(back, Event::Answer(worker));
                }
                Event::Answer(worker) => self.answer(worker, now),
                Event::Neighbour => {
                    self.server.count(now);
                    if let Some(next) = neighbour(&mut self.rng, now) {
                        self.push(now + next.max(1), Event::Neighbour);
                    }
                }
            }
        }
        Told { server: self.server, ..self.told }
    }

    fn ask(&mut self, worker: usize, now: u64) {
        let Worker { class, .. } = self.workers[worker];
        match self.budget.ask(class, self.at(now)) {
            Ok(ticket) => {
                self.tickets[worker] = Some(ticket);
                self.told.sent[class.index()] += 1;
                if class == Class::Finish {
                    let waited = now - self.wanted_ms[worker];
                    self.told.longest_finish_ms = self.told.longest_finish_ms.max(waited);
                }
                let there = now + self.rng.u64(20..400);
                self.push(there, Event::Arrive(worker));
            }
            Err(Wait::Until(at)) => {
                let ms = at.duration_since(self.zero).as_millis() as u64;
                self.push(ms.max(now + 1), Event::Ask(worker));
            }
            Err(Wait::Answer) => self.blocked.push(worker),
        }
    }

    fn answer(&mut self, worker: usize, now: u64) {
        let (ticket, (standing, fits)) = (self.tickets[worker].take().unwrap(), self.answers[worker].take().unwrap());
        let at = self.at(now);
        if fits {
            self.budget.answered(ticket, Some(standing), at);
        } else {
            let wait = standing.ahead.max(Duration::from_secs(1));
            self.budget.refused(ticket, Some(standing), Some(standing.limit), wait, at);
        }
        let pause = self.workers[worker].pause_ms;
        let next = now + if pause == 0 { 1 } else { self.rng.u64(pause / 2..pause * 2) };
        self.wanted_ms[worker] = next;
        self.push(next, Event::Ask(worker));
        for blocked in std::mem::take(&mut self.blocked) {
            self.push(now, Event::Ask(blocked));
        }
    }
}

const HOUR_S: u64 = 3600;

/// A backlog of writes, side by side.
fn backlog() -> Vec<Worker> {
    vec![Worker { class: Class::Write, pause_ms: 0 }; 8]
}

/// What a daemon with more to do than it may: writes, looks, lists, and now and then something
/// to be finished.
fn everything() -> Vec<Worker> {
    let worker = |class, pause_ms| Worker { class, pause_ms };
    let finishing = [worker(Class::Finish, 60_000); 2];
    [&backlog()[..], &[worker(Class::Changed, 2000); 4], &[worker(Class::Background, 500); 2], &finishing].concat()
}

/// Limits and windows as services have them.
const KINDS: [(u64, u64); 4] = [(2400, HOUR_S), (500, 60), (100, HOUR_S), (5000, HOUR_S)];

#[test]
fn alone_on_its_token_it_is_never_refused_and_a_backlog_uses_what_it_may() {
    for seed in 0..24 {
        let (limit, window_s) = KINDS[seed as usize % KINDS.len()];
        let windows = if window_s == HOUR_S { 6 } else { 60 };
        let until = window_s * 1000 * windows;
        let class = [Class::Write, Class::Changed, Class::Background][seed as usize % 3];
        let workers = backlog().into_iter().map(|worker| Worker { class, ..worker }).collect();
        let told = Simulation::new(seed, limit, window_s, workers).run(until, |_, _| None);
        assert_eq!(told.refusals, [], "seed {seed}");
        let usable = limit - limit * u64::from(USUAL_RESERVE) / 100;
        // All windows that came to their end.
        for (window, ours) in told.ours.iter().enumerate().take(told.server.windows as usize).skip(1) {
            assert!(*ours <= usable + 1, "seed {seed}, window {window}: {ours} of {usable}");
            assert!(*ours as f64 >= 0.95 * usable as f64, "seed {seed}, window {window}: {ours} of {usable}");
        }
    }
}

#[test]
fn with_everything_to_do_at_once_nobody_is_refused_and_finishing_waits_for_nobody() {
    for seed in 0..20 {
        let told = Simulation::new(seed, 2400, HOUR_S, everything()).run(6 * HOUR_S * 1000, |_, _| None);
        assert_eq!(told.refusals, [], "seed {seed}");
        // A probe at the beginning of a window is all that it waits for.
        assert!(told.longest_finish_ms < 3000, "seed {seed}: {} ms", told.longest_finish_ms);
        let [_, finish, write, changed, background] = told.sent;
        assert!(finish > 300 && write > 3000 && changed > 400 && background > 400, "seed {seed}: {:?}", told.sent);
    }
}

/// Half of the quota, evenly or in bursts.
fn neighbour(seed: u64, limit: u64, window_s: u64) -> impl FnMut(&mut fastrand::Rng, u64) -> Option<u64> {
    let each_ms = window_s * 1000 / (limit / 2);
    let burst = [1, 5, 40][seed as usize % 3];
    let mut left = burst;
    move |rng, _| {
        left -= 1;
        Some(if left > 0 {
            rng.u64(1..200)
        } else {
            left = burst;
            rng.u64(burst * each_ms / 2..burst * each_ms * 3 / 2)
        })
    }
}

#[test]
fn with_a_neighbour_who_eats_half_there_is_at_most_one_refusal_a_window() {
    for seed in 0..36 {
        let (limit, window_s) = [KINDS[0], KINDS[1], KINDS[3]][seed as usize / 3 % 3];
        let windows = if window_s == HOUR_S { 8 } else { 60 };
        let workers = if seed % 2 == 0 { backlog() } else { everything() };
        let told = Simulation::new(seed, limit, window_s, workers)
            .run(window_s * 1000 * windows, neighbour(seed, limit, window_s));
        for (window, _) in &told.refusals {
            let many = told.refusals.iter().filter(|(other, _)| other == window).count();
            assert!(
                many <= 1,
                "seed {seed}: {many} refusals in window {window}: {:?} {:?}",
                told.refusals,
                told.server.ends_ms
            );
        }
        // And ours are not crowded out: the neighbour leaves 30% beside the reserve.
        let ours: u64 = told.sent.iter().sum();
        assert!(ours > limit * windows / 4, "seed {seed}: {ours}");
    }
}

/// A neighbour that takes everything there is, reserve and all.
#[test]
fn after_a_refusal_nothing_is_sent_until_the_reset_and_then_one_probe() {
    for seed in 0..20 {
        let greedy = |rng: &mut fastrand::Rng, _| Some(rng.u64(1..60));
        let told = Simulation::new(seed, 500, 60, everything()).run(60 * 60_000, greedy);
        let mut of_window = std::collections::BTreeMap::<u64, u64>::new();
        for (window, _) in &told.refusals {
            *of_window.entry(*window).or_default() += 1;
        }
        assert!(of_window.values().all(|many| *many <= 1), "seed {seed}: {of_window:?}");
    }
}

fn standing(limit: u64, remaining: u64, ahead_s: u64) -> Standing {
    Standing { limit, remaining, reset: ahead_s.cast_signed(), ahead: Duration::from_secs(ahead_s) }
}

/// A budget that was told how it stands.
fn told(limit: u64, remaining: u64, ahead_s: u64, now: Instant) -> Budget {
    let mut budget = Budget::default();
    budget.pace(USUAL_RESERVE);
    let ticket = budget.ask(Class::Background, now).unwrap();
    budget.answered(ticket, Some(standing(limit, remaining, ahead_s)), now);
    budget
}

/// How many of a class can be sent at once, each answered before the next.
fn at_once(budget: &mut Budget, class: Class, now: Instant) -> u64 {
    let mut sent = 0;
    while let Ok(ticket) = budget.ask(class, now) {
        let window = budget.window.unwrap();
        let ahead_s = window.opens_at.duration_since(now).as_secs();
        let left = Standing { reset: window.reset, ..standing(window.limit, window.remaining - 1, ahead_s) };
        budget.answered(ticket, Some(left), now);
        sent += 1;
    }
    sent
}

#[test]
fn the_classes_stop_one_after_the_other_and_only_finishing_goes_into_the_reserve() {
    let now = Instant::now();
    let sent = |class| at_once(&mut told(2400, 1200, 1800, now), class, now);
    // 1,200 are left, 480 of them in reserve; 720 are spent evenly over half an hour.
    assert_eq!(Class::ALL.map(sent), [1200, 1200, 360, 144, 0]);
    let half_way = |class| {
        let mut budget = told(2400, 1200, 1800, now);
        at_once(&mut budget, Class::Background, now);
        at_once(&mut budget, class, now + Duration::from_secs(900))
    };
    assert_eq!(Class::ALL.map(half_way), [1200, 1200, 540, 432, 360]);
}

#[test]
fn what_others_spend_slows_us_down_at_once() {
    let now = Instant::now();
    let mut budget = told(2400, 1200, 1800, now);
    at_once(&mut budget, Class::Background, now);
    let ticket = budget.ask(Class::Finish, now).unwrap();
    budget.answered(ticket, Some(standing(2400, 840, 1800)), now);
    // 360 beside the reserve for half an hour: one in 5 s.
    let Err(Wait::Until(at)) = budget.ask(Class::Background, now) else { panic!("it waits") };
    assert_eq!((at - now).as_secs(), 5);
    assert_eq!(budget.report(now).others, 1200 - 1 + 359);
}

#[test]
fn a_request_without_an_answer_counts_until_a_later_answer_tells() {
    let now = Instant::now();
    let mut budget = told(10, 10, 60, now);
    budget.pace(0);
    let [lost, other] = [Class::Finish, Class::Person].map(|class| budget.ask(class, now).unwrap());
    budget.unanswered(lost);
    budget.answered(other, Some(standing(10, 9, 60)), now);
    assert_eq!(budget.left(&budget.window.unwrap()), 8, "it may have been counted since");
    let later = budget.ask(Class::Person, now).unwrap();
    budget.answered(later, Some(standing(10, 8, 60)), now);
    assert_eq!(budget.left(&budget.window.unwrap()), 8);
}

#[test]
fn a_server_that_tells_of_no_quota_is_asked_freely() {
    let now = Instant::now();
    let mut budget = Budget::default();
    budget.pace(USUAL_RESERVE);
    let first = budget.ask(Class::Background, now).unwrap();
    assert_eq!(budget.ask(Class::Background, now).unwrap_err(), Wait::Answer, "nobody knows yet");
    budget.answered(first, None, now);
    for _ in 0..5000 {
        budget.ask(Class::Background, now).unwrap();
    }
}

#[test]
fn nobody_is_paced_who_was_not_asked_to_be() {
    let now = Instant::now();
    let mut budget = Budget::default();
    let ticket = budget.ask(Class::Background, now).unwrap();
    budget.answered(ticket, Some(standing(10, 9, 60)), now);
    assert_eq!(at_once(&mut budget, Class::Background, now), 9);
}
