//! Takes to webhooks what they are to be told: beside the requests, never before them, at
//! least once, and again where it did not arrive. There is a courier only while there is
//! something to deliver, so that a sandbox without webhooks has no task and no timer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use jiff::{SignedDuration, Timestamp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::rules::webhooks::Target;
use super::service::Service;
use super::world::{Change, Delivery, DeliveryId, Draft, WebhookId, World};

/// How often a delivery is tried.
const MOST_ATTEMPTS: u32 = 10;
/// How long after what it tells of it is tried at most, by the sandbox's time.
const LONGEST: SignedDuration = SignedDuration::from_hours(2);
/// How long after the first attempt the second is made; each further pause is twice as long.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(10);
/// How long one attempt may take, by the machine's time.
const PATIENCE: Duration = Duration::from_secs(5);
/// The shortest wait for what is due later, by the machine's time.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);
/// The longest: the sandbox's clock may be moved meanwhile.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Whether somebody is on the way, and how to make them look again.
#[derive(Debug, Default)]
pub struct Courier {
    is_out: AtomicBool,
    bell: Notify,
}

impl Courier {
    /// Sends somebody where there is something to deliver, and nobody is on the way.
    pub fn send(&self, service: &Arc<Service>, world: &World) {
        if world.deliveries.is_empty() {
            return;
        }
        self.bell.notify_one();
        if !self.is_out.swap(true, Ordering::SeqCst) {
            tokio::spawn(deliver_all(Arc::downgrade(service)));
        }
    }
}

/// What there is to do now, one for each webhook that nobody is at, and when there is more.
fn agenda(world: &World, now: Timestamp, busy: &BTreeSet<WebhookId>) -> (Vec<Delivery>, Option<Timestamp>) {
    let waiting = || world.deliveries.values().filter(|delivery| !busy.contains(&delivery.webhook_id));
    let mut due: BTreeMap<WebhookId, &Delivery> = BTreeMap::new();
    for delivery in waiting().filter(|delivery| delivery.next_at <= now) {
        due.entry(delivery.webhook_id).or_insert(delivery);
    }
    let next = waiting().map(|delivery| delivery.next_at).filter(|at| *at > now).min();
    (due.into_values().cloned().collect(), next)
}

/// Who takes long keeps nobody waiting but those behind them at the same webhook.
async fn deliver_all(service: Weak<Service>) {
    let mut busy: BTreeSet<WebhookId> = BTreeSet::new();
    let mut under_way = FuturesUnordered::new();
    loop {
        let Some(held) = service.upgrade() else { return };
        let courier = Arc::clone(&held.courier);
        let (now, (due, next)) = held.look_now(|world, now| (now, agenda(world, now, &busy))).await;
        for delivery in due {
            busy.insert(delivery.webhook_id);
            under_way.push(async move { (arrives(&delivery).await, delivery) });
        }
        if busy.is_empty() && next.is_none() {
            courier.is_out.store(false, Ordering::SeqCst);
            // Something may have come since the look that found nothing.
            let is_done = held.look_now(|world, _| world.deliveries.is_empty()).await;
            if is_done || courier.is_out.swap(true, Ordering::SeqCst) {
                return;
            }
            continue;
        }
        // A sandbox that nobody holds any more is not kept by who waits.
        drop(held);
        let until_next = next.and_then(|next| Duration::try_from(next.duration_since(now)).ok());
        let wait = until_next.unwrap_or(LONGEST_WAIT).clamp(SHORTEST_WAIT, LONGEST_WAIT);
        let ended = tokio::select! {
            ended = under_way.next(), if !under_way.is_empty() => ended,
            () = courier.bell.notified() => None,
            () = tokio::time::sleep(wait) => None,
        };
        let Some((arrived, Delivery { id, webhook_id, .. })) = ended else { continue };
        busy.remove(&webhook_id);
        let Some(held) = service.upgrade() else { return };
        if held.settle_delivery(move |world, now| settled(world, id, arrived, now)).await.is_err() {
            return;
        }
    }
}

/// What becomes of a delivery after an attempt.
fn settled(world: &World, id: DeliveryId, arrived: bool, now: Timestamp) -> Draft {
    let mut draft = Draft::of(world);
    let Some(delivery) = world.deliveries.get(&id) else { return draft };
    let attempts = delivery.attempts + 1;
    let pause = FIRST_PAUSE.saturating_mul(1_i32 << delivery.attempts.min(20));
    let next_at = now.saturating_add(pause).unwrap_or(now);
    if arrived || attempts >= MOST_ATTEMPTS || next_at.duration_since(delivery.since) > LONGEST {
        draft.put(Change::DropDelivery(id));
    } else {
        draft.put(Change::PutDelivery(Delivery { attempts, next_at, ..delivery.clone() }));
    }
    draft
}

/// Whether it was taken: an answer in the two hundreds, within the patience.
async fn arrives(delivery: &Delivery) -> bool {
    let Some(target) = Target::of(&delivery.url) else { return false };
    let posted = tokio::time::timeout(PATIENCE, post(&target, &delivery.body)).await;
    matches!(posted, Ok(Ok(200..=299)))
}

/// Posts to this machine; the status of the answer.
async fn post(target: &Target, body: &str) -> std::io::Result<u16> {
    let Target { authority, host, port, path } = target;
    let mut stream = TcpStream::connect((host.as_str(), *port)).await?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: bursar-sandbox\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    let mut line = [0; 12];
    stream.read_exact(&mut line).await?;
    let status = std::str::from_utf8(&line).ok().and_then(|line| line.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok());
    // The rest is of no interest, but who answers may not expect to be cut off.
    let _ = stream.take(64 * 1024).read_to_end(&mut Vec::new()).await;
    Ok(status.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_that_never_arrives_is_tried_ten_times_within_two_hours() {
        let start = Timestamp::from_second(1_000).unwrap();
        let mut world = World::default();
        let mut draft = Draft::of(&world);
        let id = draft.next_delivery();
        let delivery = Delivery {
            id,
            webhook_id: WebhookId(1),
            url: "http://127.0.0.1/".to_owned(),
            body: "{}".to_owned(),
            attempts: 0,
            since: start,
            next_at: start,
        };
        draft.put(Change::PutDelivery(delivery));
        world.apply(draft);
        let mut at = Vec::new();
        while let Some(delivery) = world.deliveries.get(&id) {
            let now = delivery.next_at;
            at.push(now.duration_since(start).as_secs());
            let due = |now| agenda(&world, now, &BTreeSet::new()).0.len();
            assert_eq!((due(now), due(now - SignedDuration::from_secs(1))), (1, 0));
            assert!(agenda(&world, now, &BTreeSet::from([WebhookId(1)])).0.is_empty(), "somebody is at it");
            let draft = settled(&world, id, false, now);
            world.apply(draft);
        }
        assert_eq!(at, [0, 10, 30, 70, 150, 310, 630, 1270, 2550, 5110]);
    }
}
