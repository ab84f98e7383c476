//! Takes to webhooks what they are to be told: beside the requests, never before them, at
//! least once, and again where it did not arrive. There is a courier only while there is
//! something to deliver, so that a sandbox without webhooks has no task and no timer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::rules::webhooks::Target;
use super::service::Service;
use super::world::{Change, Delivery, DeliveryId, Draft, World};

/// How often a delivery is tried.
const MOST_ATTEMPTS: u32 = 10;
/// How long after what it tells of it is tried at most, by the sandbox's time.
const LONGEST: SignedDuration = SignedDuration::from_hours(2);
/// How long after the first attempt the second is made; each further pause is twice as long.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(10);
/// How long one attempt may take, by the machine's time.
const PATIENCE: Duration = Duration::from_secs(5);
/// Deliveries on their way at one time.
const AT_ONCE: usize = 8;
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

/// What there is to do now, and when there is more.
fn agenda(world: &World, now: Timestamp) -> (Vec<Delivery>, Option<Timestamp>) {
    let due = world.deliveries.values().filter(|delivery| delivery.next_at <= now).cloned().collect();
    (due, world.deliveries.values().map(|delivery| delivery.next_at).filter(|at| *at > now).min())
}

async fn deliver_all(service: Weak<Service>) {
    loop {
        let Some(service) = service.upgrade() else { return };
        let (now, (due, next)) = service.look_now(|world, now| (now, agenda(world, now))).await;
        let courier = Arc::clone(&service.courier);
        if due.is_empty() {
            let Some(next) = next else {
                courier.is_out.store(false, Ordering::SeqCst);
                // Something may have come since the look that found nothing.
                let is_done = service.look_now(|world, _| world.deliveries.is_empty()).await;
                if is_done || courier.is_out.swap(true, Ordering::SeqCst) {
                    return;
                }
                continue;
            };
            // A sandbox that nobody holds any more is not kept by who waits.
            drop(service);
            let wait = Duration::try_from(next.duration_since(now)).unwrap_or_default();
            let _ = tokio::time::timeout(wait.clamp(SHORTEST_WAIT, LONGEST_WAIT), courier.bell.notified()).await;
            continue;
        }
        let mut under_way = futures::stream::iter(due)
            .map(|delivery| async move { (delivery.id, arrives(&delivery).await) })
            .buffer_unordered(AT_ONCE);
        while let Some((id, arrived)) = under_way.next().await {
            if service.settle_delivery(move |world, now| settled(world, id, arrived, now)).await.is_err() {
                return;
            }
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
    use crate::sandbox::world::WebhookId;

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
            assert!(
                agenda(&world, now).0.len() == 1 && agenda(&world, now - SignedDuration::from_secs(1)).0.is_empty()
            );
            let draft = settled(&world, id, false, now);
            world.apply(draft);
        }
        assert_eq!(at, [0, 10, 30, 70, 150, 310, 630, 1270, 2550, 5110]);
    }
}
