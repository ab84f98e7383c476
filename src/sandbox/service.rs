//! What runs between the doors and the rules: the world under its lock, the store behind
//! it, the clock, the quota, and the answers kept for `Idempotency-Key`.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::RwLock;

use super::courier::Courier;
use super::delays::{Delays, Lag};
use super::faults::Faults;
use super::quota::Quota;
use super::rules::people::{SignUp, sign_up};
use super::rules::{Door, Moment, Refusal, Terms, events, time};
use super::store::Store;
use super::world::{Access, AccountId, Change, Draft, Member, MemberId, Meta, UserId, World};
use super::{AGENCY, Options, SandboxError};

/// What the sandbox takes from outside: the machine's time, and ids that are never given
/// twice. A test puts its own in their place.
#[derive(Clone)]
pub struct Surroundings {
    /// The machine's time.
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// A fresh id, for requests and worlds.
    pub fresh_id: Arc<dyn Fn() -> String + Send + Sync>,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self { now: Arc::new(Timestamp::now), fresh_id: Arc::new(|| uuid::Uuid::new_v4().to_string()) }
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").finish_non_exhaustive()
    }
}

/// One sandbox at work.
#[derive(Debug)]
pub struct Service {
    world: RwLock<World>,
    store: Store,
    pub terms: Terms,
    pub token: String,
    users: Vec<String>,
    surroundings: Surroundings,
    pub quota: Mutex<Quota>,
    pub faults: Mutex<Faults>,
    /// Those of the start, which a reset brings back.
    first_delays: Delays,
    delays: Mutex<Delays>,
    lag: Mutex<Lag>,
    requests: Mutex<BTreeMap<String, u64>>,
    pub courier: Arc<Courier>,
    running: Mutex<HashSet<(UserId, String)>>,
    notice: Mutex<Option<String>>,
    world_id: Mutex<String>,
}

/// What stays usable when a holder of the lock panicked: every value here is whole after
/// each statement.
pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whose key is in use until this goes away.
#[derive(Debug)]
pub struct RunningKey {
    service: Arc<Service>,
    key: (UserId, String),
}

impl Drop for RunningKey {
    fn drop(&mut self) {
        locked(&self.service.running).remove(&self.key);
    }
}

/// Why a change did not happen.
#[derive(Debug)]
pub enum Stop {
    /// The rules refuse it.
    Refused(Refusal),
    /// The file could not be written.
    Failed(SandboxError),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<SandboxError> for Stop {
    fn from(error: SandboxError) -> Self {
        Self::Failed(error)
    }
}

impl Service {
    /// Loads or begins the world, signs up who is missing, and does what fell due while
    /// the sandbox was not running.
    pub async fn open(options: &Options, surroundings: Surroundings) -> Result<Arc<Self>, SandboxError> {
        let store = Store::open(options.data.as_deref()).await?;
        let dialect = options.dialect;
        let member_mode = dialect.member_mode(options.member_mode);
        let terms = Terms { dialect, member_mode, without: options.without.clone() };
        let (world, requests) = store.load().await?.unwrap_or_default();
        let made_for = world.meta.dialect;
        if !world.meta.world_id.is_empty() && made_for != dialect {
            return Err(SandboxError::OtherDialect { file: options.data.clone().unwrap_or_default(), made_for });
        }
        let service = Arc::new(Self {
            world_id: Mutex::new(world.meta.world_id.clone()),
            world: RwLock::new(world),
            store,
            terms,
            token: options.token.clone(),
            users: options.users.clone(),
            quota: Mutex::new(Quota::new(options.rate_limit, dialect.window())),
            faults: Mutex::default(),
            first_delays: options.delays(),
            delays: Mutex::new(options.delays()),
            lag: Mutex::default(),
            surroundings,
            requests: Mutex::new(requests),
            courier: Arc::default(),
            running: Mutex::default(),
            notice: Mutex::default(),
        });
        if service.world_id().is_empty() {
            service.reset().await?;
        } else {
            let mut world = service.world.write().await;
            let draft = service.populated(&world)?;
            service.store.write(&draft).await?;
            world.apply(draft);
            locked(&service.lag).begin(service.first_delays.list, &world);
            service.courier.send(&service, &world);
        }
        Ok(service)
    }

    /// The machine's time.
    pub fn machine_time(&self) -> Timestamp {
        (self.surroundings.now)()
    }

    /// A fresh id.
    pub fn fresh_id(&self) -> String {
        (self.surroundings.fresh_id)()
    }

    /// The id of the world.
    pub fn world_id(&self) -> String {
        locked(&self.world_id).clone()
    }

    /// The sandbox's time: the machine's, moved ahead, in whole seconds.
    fn now(&self, world: &World) -> Timestamp {
        let ahead = SignedDuration::from_secs(world.meta.ahead_seconds);
        let moved = self.machine_time().saturating_add(ahead).unwrap_or(Timestamp::MAX);
        Timestamp::from_second(moved.as_second()).unwrap_or(moved)
    }

    fn moment<'w>(&'w self, world: &'w World, caller: UserId, door: Door) -> Moment<'w> {
        let settling = self.delays().settling();
        Moment { world, caller, now: self.now(world), terms: &self.terms, settling, door }
    }

    /// Looks at the world as the token's user.
    pub async fn look<T>(self: &Arc<Self>, look: impl FnOnce(&Moment) -> T) -> T {
        self.catch_up().await;
        let world = self.world.read().await;
        look(&self.moment(&world, AGENCY, Door::Api))
    }

    /// Looks at the world as nobody in it, at the sandbox's time.
    pub async fn look_now<T>(&self, look: impl FnOnce(&World, Timestamp) -> T) -> T {
        let world = self.world.read().await;
        look(&world, self.now(&world))
    }

    /// Notes what became of a delivery.
    pub async fn settle_delivery(
        self: &Arc<Self>,
        decide: impl FnOnce(&World, Timestamp) -> Draft + Send + 'static,
    ) -> Result<(), Stop> {
        self.carry_out(move |service, world| Ok((decide(world, service.now(world)), ()))).await
    }

    /// Looks at the world as it is, and beside it at the one that lists show.
    pub async fn look_at_lists<T>(self: &Arc<Self>, look: impl FnOnce(&Moment, &Moment) -> T) -> T {
        self.catch_up().await;
        let world = self.world.read().await;
        let mut lag = locked(&self.lag);
        let listed = lag.shown(self.machine_time()).unwrap_or(&world);
        look(&self.moment(&world, AGENCY, Door::Api), &self.moment(listed, AGENCY, Door::Api))
    }

    /// Does what time brought meanwhile, so that who looks sees it.
    async fn catch_up(self: &Arc<Self>) {
        let is_behind = {
            let world = self.world.read().await;
            time::is_behind(&world, self.now(&world))
        };
        if is_behind && let Err(Stop::Failed(error)) = self.carry_out(|_, world| Ok((Draft::of(world), ()))).await {
            tracing::error!(error = &error as &dyn std::error::Error, "what fell due was not done");
        }
    }

    /// The delays in force.
    pub fn delays(&self) -> Delays {
        *locked(&self.delays)
    }

    /// Other delays from now on.
    pub async fn set_delays(&self, delays: Delays) {
        let world = self.world.read().await;
        *locked(&self.delays) = delays;
        locked(&self.lag).set(delays.list, self.machine_time(), &world);
    }

    /// Makes the changes of a draft that is on record.
    fn apply(&self, world: &mut World, draft: Draft) {
        locked(&self.lag).note(&draft, self.machine_time());
        world.apply(draft);
    }

    /// Decides, writes and applies, one request at a time. A client that hangs up does not
    /// stop it half-way: file and memory always agree.
    async fn carry_out<T: Send + 'static>(
        self: &Arc<Self>,
        decide: impl FnOnce(&Self, &World) -> Result<(Draft, T), Refusal> + Send + 'static,
    ) -> Result<T, Stop> {
        let service = Arc::clone(self);
        let work = tokio::spawn(async move {
            let mut world = service.world.write().await;
            let now = service.now(&world);
            let due = time::fall_due(&world, &service.terms, now);
            if !due.changes.is_empty() {
                service.store.write(&due).await?;
                service.apply(&mut world, due);
            }
            let (mut draft, told) = decide(&service, &world)?;
            service.terms.dialect.complete(&world, &mut draft);
            events::announce(&world, &mut draft, service.now(&world), || service.fresh_id());
            if draft.meta != world.meta || !draft.changes.is_empty() {
                service.store.write(&draft).await?;
                service.apply(&mut world, draft);
                service.courier.send(&service, &world);
            }
            Ok(told)
        });
        work.await.map_err(|error| SandboxError::Interrupted(error.to_string()))?
    }

    /// Changes the world as the token's user, over the API or the tester's side.
    pub async fn change<T: Send + 'static>(
        self: &Arc<Self>,
        decide: impl FnOnce(&Moment) -> Result<(Draft, T), Refusal> + Send + 'static,
    ) -> Result<T, Stop> {
        self.carry_out(move |service, world| decide(&service.moment(world, AGENCY, Door::Api))).await
    }

    /// Changes the world as the token's user, but by hand.
    pub async fn change_as_us<T: Send + 'static>(
        self: &Arc<Self>,
        decide: impl FnOnce(&Moment) -> Result<(Draft, T), Refusal> + Send + 'static,
    ) -> Result<T, Stop> {
        self.carry_out(move |service, world| decide(&service.moment(world, AGENCY, Door::ByHand))).await
    }

    /// Changes an account as somebody in charge of it who is not the person concerned, as
    /// if by hand in the web interface.
    pub async fn change_by_hand<T: Send + 'static>(
        self: &Arc<Self>,
        account: AccountId,
        concerned: Option<MemberId>,
        decide: impl FnOnce(&Moment) -> Result<(Draft, T), Refusal> + Send + 'static,
    ) -> Result<T, Stop> {
        self.carry_out(move |service, world| {
            let in_charge = |member: &&Member| {
                member.access == Access::Full && Some(member.id) != concerned && member.user_id.is_some()
            };
            let hand = world.members_of(account).iter().find(in_charge).and_then(|member| member.user_id);
            let Some(hand) = hand else {
                return Err(Refusal::new(403, "Nobody else in this account has full access"));
            };
            let (draft, told) = decide(&service.moment(world, hand, Door::ByHand))?;
            Ok((Draft { actor: Some(hand), ..draft }, told))
        })
        .await
    }

    /// An empty world: the token's user, and who was listed at the start.
    pub async fn reset(self: &Arc<Self>) -> Result<(), SandboxError> {
        let service = Arc::clone(self);
        let work = tokio::spawn(async move {
            let mut world = service.world.write().await;
            let mut empty =
                World::of(Meta { world_id: service.fresh_id(), dialect: service.terms.dialect, ..Meta::default() });
            let draft = service.populated(&empty)?;
            service.store.replace(&draft).await?;
            empty.apply(draft);
            *locked(&service.world_id) = empty.meta.world_id.clone();
            locked(&service.requests).clear();
            *locked(&service.faults) = Faults::default();
            *locked(&service.delays) = service.first_delays;
            locked(&service.lag).begin(service.first_delays.list, &empty);
            *world = empty;
            Ok(())
        });
        work.await.map_err(|error| SandboxError::Interrupted(error.to_string()))?
    }

    /// The draft that signs up the token's user and who is listed, and does what fell due.
    fn populated(&self, world: &World) -> Result<Draft, SandboxError> {
        let mut draft = time::fall_due(world, &self.terms, self.now(world));
        let mut ahead = World::default();
        for user in world.users.values() {
            ahead.apply_one(Change::PutUser(user.clone()));
        }
        let agency = SignUp {
            email: super::AGENCY_EMAIL.to_owned(),
            verified: Some(true),
            card: Some("4242 4242 4242 4242".to_owned()),
        };
        let listed = self.users.iter().map(|email| SignUp { email: email.trim().to_owned(), ..SignUp::default() });
        for person in std::iter::once(agency).chain(listed) {
            if ahead.user_by_email(&person.email).is_some() {
                continue;
            }
            ahead.meta = draft.meta.clone();
            let now = self.now(world);
            let moment = Moment { now, ..self.moment(&ahead, AGENCY, Door::ByHand) };
            let Ok((entry, _)) = sign_up(&moment, &person) else {
                return Err(SandboxError::User { email: person.email });
            };
            draft.meta = entry.meta.clone();
            draft.changes.extend(entry.changes.iter().cloned());
            ahead.apply(entry);
        }
        Ok(draft)
    }

    /// Counts a request by method and route, before it is carried out.
    pub async fn count(&self, route: String) -> Result<(), SandboxError> {
        self.store.count(&route).await?;
        *locked(&self.requests).entry(route).or_default() += 1;
        Ok(())
    }

    /// How often each route was asked.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        locked(&self.requests).clone()
    }

    /// Holds a key while its request runs; `None` where one with it runs already.
    pub fn hold_key(self: &Arc<Self>, user: UserId, key: &str) -> Option<RunningKey> {
        let key = (user, key.to_owned());
        let is_free = locked(&self.running).insert(key.clone());
        is_free.then(|| RunningKey { service: Arc::clone(self), key })
    }

    /// Gives the file back; nothing can be changed after this.
    pub async fn close(&self) {
        self.store.close().await;
    }

    /// Leaves a word for the next look at the page.
    pub fn leave_notice(&self, notice: String) {
        *locked(&self.notice) = Some(notice);
    }

    /// The word left, once.
    pub fn take_notice(&self) -> Option<String> {
        locked(&self.notice).take()
    }
}
