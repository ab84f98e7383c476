//! `/metrics`: what stands on the boards and what was counted, in the OpenMetrics text format.
//! Labels are fleets, kinds, states, methods and statuses: their number does not grow with
//! clients, people or what a server answers.

use std::sync::atomic::AtomicU64;

use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::controller::status::{AccountStatus, FleetStatus};
use crate::controller::{Board, Labels, Tally};
use crate::plan::AccountState;

/// The media type of [`text`].
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Gauges = Family<Labels, Gauge<f64, AtomicU64>>;

/// Everything there is to measure, as text.
///
/// # Errors
/// Never, as far as a string takes what is written to it.
pub fn text(boards: &[Board], tally: &Tally, now: Timestamp) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::with_prefix("bursar");
    registry.register("build", "The program", Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]));
    counted(&mut registry, boards, tally);
    let mut shown = Shown::default();
    for board in boards {
        shown.take(&board.fleet(), &board.accounts(), now);
        shown.budget(board);
    }
    shown.register(&mut registry);
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

fn counted(registry: &mut Registry, boards: &[Board], tally: &Tally) {
    let Tally { passes, actions, errors, deliveries, receivers } = tally.clone();
    registry.register("pass_duration_seconds", "How long passes took", passes);
    registry.register("actions", "What became of actions that were tried", actions);
    registry.register("errors", "Passes and readings that did not go through, by what was at fault", errors);
    registry.register("deliveries", "Deliveries of webhooks, by the status that answered them", deliveries);
    let notifications: Family<Labels, Counter> = Family::default();
    for (receiver, counters) in receivers {
        for (outcome, count) in
            [("sent", counters.sent()), ("failed", counters.failed()), ("dropped", counters.dropped())]
        {
            let labels = vec![("receiver", receiver.clone()), ("outcome", outcome.to_owned())];
            notifications.get_or_create(&labels).inc_by(count);
        }
    }
    registry.register("notifications", "What became of notifications, by the receiver's host", notifications);
    let (requests, classes, refused) = (
        Family::<Labels, Counter>::default(),
        Family::<Labels, Counter>::default(),
        Family::<Labels, Counter>::default(),
    );
    for board in boards {
        for ((method, status), count) in board.traffic().answers {
            let labels =
                vec![("fleet", board.name().to_owned()), ("method", method.to_owned()), ("status", status.to_owned())];
            requests.get_or_create(&labels).inc_by(count);
        }
        let budget = board.budget();
        for (class, count) in budget.total {
            let labels = vec![("fleet", board.name().to_owned()), ("class", class.name().to_owned())];
            classes.get_or_create(&labels).inc_by(count);
        }
        refused.get_or_create(&vec![("fleet", board.name().to_owned())]).inc_by(budget.refused);
    }
    registry.register("api_requests", "Requests to the account API", requests);
    registry.register("quota_spent", "Requests of ours that count against the quota, by what for", classes);
    registry.register("quota_refused", "Answers of 429", refused);
}

/// What the boards show, by metric.
#[derive(Default)]
struct Shown(Vec<(&'static str, &'static str, Gauges)>);

impl Shown {
    fn set(&mut self, name: &'static str, help: &'static str, labels: Labels, value: f64) {
        let at = self.0.iter().position(|(known, _, _)| *known == name).unwrap_or_else(|| {
            self.0.push((name, help, Gauges::default()));
            self.0.len() - 1
        });
        self.0[at].2.get_or_create(&labels).set(value);
    }

    fn take(&mut self, fleet: &FleetStatus, accounts: &[AccountStatus], now: Timestamp) {
        let of = || vec![("fleet", fleet.name.clone())];
        let with = |name: &'static str, value: &str| vec![("fleet", fleet.name.clone()), (name, value.to_owned())];
        let yes = |is: bool| if is { 1.0 } else { 0.0 };
        self.set("holding", "Whether this process acts for the fleet", of(), yes(fleet.holding));
        self.set("frozen", "Whether all writes are stopped", of(), yes(fleet.frozen.is_some()));
        for (what, trouble) in
            [("source", &fleet.source.trouble), ("api", &fleet.api.trouble), ("journal", &fleet.journal_trouble)]
        {
            self.set("trouble", "Whether this cannot be used now", with("what", what), yes(trouble.is_some()));
        }
        self.set("queue_depth", "Clients who have a time of their own", of(), fleet.queue_depth.into());
        self.set("unmanaged_accounts", "Accounts without a manifest", of(), fleet.unmanaged.into());
        if let Some(seconds) = fleet.interval_seconds {
            self.set("interval_seconds", "Between complete looks", of(), number(seconds));
        }
        self.source(fleet);
        self.passes(fleet, now);
        self.clients(fleet, accounts, now);
    }

    fn source(&mut self, fleet: &FleetStatus) {
        let of = || vec![("fleet", fleet.name.clone())];
        let source = &fleet.source;
        if let Some(at) = source.read_at {
            let help = "When the manifests were last read";
            self.set("source_read_timestamp_seconds", help, of(), seconds(at));
        }
        if let (Some(revision), Some(since)) = (&source.revision, source.since) {
            let labels = vec![("fleet", fleet.name.clone()), ("commit", commit(revision))];
            self.set("source_commit", "The last good commit", labels, 1.0);
            let help = "When the last good commit was read first";
            self.set("source_commit_timestamp_seconds", help, of(), seconds(since));
        }
        for (severity, count) in [("error", source.errors), ("warning", source.warnings)] {
            let labels = vec![("fleet", fleet.name.clone()), ("severity", severity.to_owned())];
            self.set("source_findings", "What is wrong in the manifests", labels, count.into());
        }
    }

    fn passes(&mut self, fleet: &FleetStatus, now: Timestamp) {
        let of = || vec![("fleet", fleet.name.clone())];
        if let Some(pass) = &fleet.last_pass {
            self.set("last_pass_timestamp_seconds", "When the last pass ended", of(), seconds(pass.at));
        }
        if let Some(at) = fleet.api.read_at {
            self.set("api_read_timestamp_seconds", "When the API was last read", of(), seconds(at));
        }
        if let Some(at) = fleet.oldest_look_at {
            let help = "How long ago the client was looked at who was not looked at for longest";
            self.set("oldest_look_age_seconds", help, of(), age(at, now));
        }
        if let Some(quota) = &fleet.api.quota {
            self.set("quota_limit", "Requests a window", of(), number(quota.limit));
            self.set("quota_remaining", "Requests left in this window", of(), number(quota.remaining));
            self.set("quota_reserve", "Requests kept for people and what was begun", of(), number(quota.reserve));
            self.set("quota_others", "Requests of others in this window", of(), number(quota.others));
            let help = "Until the window opens again";
            self.set("quota_resets_in_seconds", help, of(), number(quota.resets_in_seconds));
        }
    }

    fn budget(&mut self, board: &Board) {
        let of = || vec![("fleet", board.name().to_owned())];
        let budget = board.budget();
        if let Some(time) = budget.full_pass {
            let help = "In what time the details of every managed account are read anew";
            self.set("full_pass_seconds", help, of(), time.as_secs_f64());
            let requests = budget.list_requests + budget.details_requests;
            self.set("full_pass_requests", "What that takes, the list included", of(), number(requests));
        }
        if let Some(age) = budget.oldest {
            let help = "How long ago the details were read that are the oldest";
            self.set("oldest_details_age_seconds", help, of(), age.as_secs_f64());
        }
    }

    fn clients(&mut self, fleet: &FleetStatus, accounts: &[AccountStatus], now: Timestamp) {
        for state in AccountState::ALL {
            let name = state.as_str();
            let labels = || vec![("fleet", fleet.name.clone()), ("state", name.to_owned())];
            let count = fleet.states.get(name).copied().unwrap_or_default();
            self.set("accounts", "Clients by state", labels(), count.into());
            let oldest = accounts.iter().filter(|account| account.state == state).map(|account| account.since).min();
            let help = "How long the client has been in this state who has been in it for longest";
            self.set("oldest_state_age_seconds", help, labels(), oldest.map_or(0.0, |since| age(since, now)));
        }
        for open in &fleet.open {
            let labels =
                vec![("fleet", fleet.name.clone()), ("state", open.state.clone()), ("reason", open.reason.clone())];
            self.set("open_actions", "What is not done", labels, open.count.into());
        }
        for (reason, count) in &fleet.waiting_people {
            let labels = vec![("fleet", fleet.name.clone()), ("reason", reason.clone())];
            self.set("waiting_people", "People who are not members yet", labels, (*count).into());
        }
        if let Some(cost) = &fleet.cost {
            for (when, amount) in [("now", &cost.monthly_now), ("after", &cost.monthly_after)] {
                let labels =
                    vec![("fleet", fleet.name.clone()), ("currency", cost.currency.clone()), ("when", when.to_owned())];
                let amount = amount.parse().unwrap_or(f64::NAN);
                self.set("monthly_cost", "The list price a month", labels, amount);
            }
            let help = "Accounts whose price is not known";
            self.set("unpriced_accounts", help, vec![("fleet", fleet.name.clone())], cost.unpriced.into());
        }
    }

    fn register(self, registry: &mut Registry) {
        for (name, help, gauges) in self.0 {
            registry.register(name, help, gauges);
        }
    }
}

/// A commit as a label: of the characters and the length that commits have.
fn commit(revision: &str) -> String {
    revision.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(80).collect()
}

fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}

fn age(since: Timestamp, now: Timestamp) -> f64 {
    now.duration_since(since).as_secs_f64().max(0.0)
}

#[expect(clippy::cast_precision_loss, reason = "a count of requests is far below 2^52")]
const fn number(count: u64) -> f64 {
    count as f64
}
