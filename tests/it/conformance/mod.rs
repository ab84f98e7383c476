//! What any driver must do, in tests that know no driver: each runs against every dialect, as
//! a fake of it ([`Dialect`]) and against every server that there is of it ([`Place`]).
//!
//! A new driver writes a fake of its service and an `impl Dialect`, adds a line to the two
//! lists at the end of this file, and is tested.

mod answers;
mod dnsimple;
mod dnsimple_fake;
mod fleet;
mod flow;
mod hostile;
mod line;
mod lists;
mod lost;
mod netlify;
mod netlify_fake;
mod netlify_ways;
mod published;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bursar::domain::{Access, AccountId, AccountName, Email, MemberId, PlanId};
use bursar::execute::Outcome;
use bursar::plan::OpKind;
use bursar::provider::transport::Transport;
use bursar::provider::{AccountPatch, ApiError, Grant, NewAccount, NewPlan, Read, Write};
use serde_json::Value;

use crate::provider_world::{Asked, Reply, World, world};

/// A driver, as the rest of the program knows it.
pub struct Driver {
    pub reader: Arc<dyn Read>,
    pub writer: Arc<dyn Write>,
}

/// A small server of a dialect, which enforces its rules and keeps a world in memory.
pub trait Fake: Send + 'static {
    /// What it answers, and what that does to its world.
    fn answer(&mut self, asked: &Asked) -> Reply;
}

/// What is wrong with a list, and the server that sends it: told how many requests came before.
type BrokenList = (&'static str, fn(usize, &Asked) -> Reply);

/// What the suite needs to know of a service: how its driver is connected, a fake of it, and
/// how it says what every service says in some way.
pub trait Dialect: 'static {
    /// Where its API lies on a server.
    const BASE: &'static str;
    /// Whether it carries out one key once.
    const KEYS: bool;
    /// The family of plans that takes several people, and a plan of it.
    const FAMILY: &'static str;
    const PLAN: &'static str;
    /// The answer to `GET /accounts` where there is none.
    const EMPTY_LIST: &'static str;
    /// What can be done over it.
    const OPS: &'static [OpKind];

    /// The driver, with the canary for a token.
    fn connect(url: &str, read_retries: usize, line: Arc<dyn Transport>) -> Driver;

    /// A fake without any account.
    fn fake() -> Box<dyn Fake>;

    /// A fake with one account: `7`, `Acme & Söhne`, on [`Dialect::PLAN`] with three seats, in
    /// which `m3` is `pat@acme.example` with limited access.
    fn arranged() -> Box<dyn Fake>;

    /// The answer to `GET /accounts`, of accounts `1` to `total`, in as many pages as it takes.
    fn pages(asked: &Asked, total: u64) -> Reply;

    /// Lists of accounts that are not complete, whatever is asked.
    fn broken_lists() -> Vec<BrokenList>;

    /// A list of one account with this name, and what else a server may write.
    fn named(name: &str) -> Value;

    /// How it refuses, and what each refusal comes to.
    fn refusals() -> Vec<(OpKind, Reply, Outcome)>;

    /// Whole answers to a write that are about something else than what was asked for.
    fn disagreements() -> Vec<(OpKind, Value)>;

    /// What is sent for a client with a plan and two people, in order. `{id}` stands for ids.
    fn first_writes() -> &'static [&'static str];
}

/// A server of a dialect that keeps a world, to go through the whole flow on.
#[async_trait]
pub trait Place: Sized + Send + Sync + 'static {
    type Of: Dialect;
    /// Whether this server carries out one key once.
    const KEYS: bool;

    async fn start() -> Self;

    /// The address of its API.
    fn url(&self) -> String;

    /// The driver.
    fn connect(&self, line: Arc<dyn Transport>) -> Driver {
        Self::Of::connect(&self.url(), 0, line)
    }
}

/// A fake, as a place.
pub struct Faked<D: Dialect> {
    world: World,
    _of: std::marker::PhantomData<fn() -> D>,
}

#[async_trait]
impl<D: Dialect> Place for Faked<D> {
    type Of = D;
    const KEYS: bool = D::KEYS;

    async fn start() -> Self {
        Self { world: serve(D::fake()).await, _of: std::marker::PhantomData }
    }

    fn url(&self) -> String {
        url_of::<D>(&self.world)
    }
}

async fn serve(fake: Box<dyn Fake>) -> World {
    let fake = Mutex::new(fake);
    world(move |_, asked| fake.lock().unwrap().answer(asked)).await
}

/// A fake with one account, whose writes are answered by `write` in its place.
async fn scripted<D: Dialect>(write: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static) -> World {
    let fake = Mutex::new(D::arranged());
    world(move |_, asked| match write(asked) {
        Some(reply) if !asked.line.starts_with("GET ") => reply,
        _ => fake.lock().unwrap().answer(asked),
    })
    .await
}

fn url_of<D: Dialect>(world: &World) -> String {
    format!("http://{}{}", world.address, D::BASE)
}

/// The driver of a world, over the real network.
fn driver_of<D: Dialect>(world: &World) -> Driver {
    let url = url_of::<D>(world);
    D::connect(&url, 0, line::Line::to(&url))
}

/// The driver of a world, after it has looked once, as in every pass.
async fn ready<D: Dialect>(world: &World) -> Driver {
    let driver = driver_of::<D>(world);
    driver.reader.offer().await.unwrap();
    driver.reader.accounts().await.unwrap();
    driver
}

/// Each kind of action, on the account of [`Dialect::arranged`].
async fn carry_out<D: Dialect>(driver: &Driver, op: OpKind) -> Result<(), ApiError> {
    let (id, member, plan) = (AccountId::new("7"), MemberId::new("m3"), PlanId::new(D::PLAN));
    let (name, email) = (AccountName::new("New & Söhne"), Email::parse("Jane@acme.example").unwrap());
    let writer = &driver.writer;
    match op {
        OpKind::CreateAccount => {
            let plan = Some(NewPlan { plan, seats: Some(3) });
            writer.create_account(&NewAccount { name, email: Some(email), plan }, None).await.map(drop)
        }
        OpKind::UpdateAccount => {
            let email = Some(Email::parse("new@acme.example").unwrap());
            writer.update_account(&id, &AccountPatch { name: Some(name), email }).await.map(drop)
        }
        OpKind::Subscribe | OpKind::ChangePlan => writer.put_subscription(&id, &plan, Some(3)).await.map(drop),
        OpKind::SetSeats => writer.put_subscription(&id, &plan, Some(4)).await.map(drop),
        OpKind::RemoveMember => writer.remove_member(&id, &member).await.map(drop),
        OpKind::AddMember => writer.add_member(&id, &email, &Grant::of(Access::Limited)).await.map(drop),
        OpKind::SetAccess => writer.set_access(&id, &member, &Grant::of(Access::Full)).await.map(drop),
        OpKind::Unsubscribe => writer.delete_subscription(&id).await.map(drop),
    }
}

/// One test a case and dialect.
macro_rules! every_dialect {
    ($($dialect:ident = $of:ty),+ $(,)?) => { $(
        mod $dialect {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn each_action_is_one_request_and_done() {
                answers::each_action_is_one_request_and_done::<$of>().await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn what_proves_nothing_is_unknown() {
                answers::what_proves_nothing_is_unknown::<$of>().await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn each_refusal_comes_to_what_it_says() {
                answers::each_refusal_comes_to_what_it_says::<$of>().await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn an_answer_about_something_else_is_never_done() {
                answers::an_answer_about_something_else_is_never_done::<$of>().await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_list_is_complete_or_an_error() {
                lists::a_list_is_complete_or_an_error::<$of>().await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_used_up_quota_keeps_everything_back() {
                lists::a_used_up_quota_keeps_everything_back::<$of>().await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn the_token_goes_to_this_server_only() {
                hostile::the_token_goes_to_this_server_only::<$of>().await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn answers_without_end_are_bounded() {
                hostile::answers_without_end_are_bounded::<$of>().await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn what_strangers_write_is_inert() {
                hostile::what_strangers_write_is_inert::<$of>().await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_token_that_is_repeated_shows_nowhere() {
                hostile::a_token_that_is_repeated_shows_nowhere::<$of>().await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_reset_that_makes_no_sense_is_clamped() {
                hostile::a_reset_that_makes_no_sense_is_clamped::<$of>().await;
            }
        }
    )+ };
}

/// One test a case and server.
macro_rules! every_place {
    ($($place:ident = $of:ty),+ $(,)?) => { $(
        mod $place {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn what_is_there_is_observed() {
                flow::what_is_there_is_observed::<$of>().await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_client_is_made_changed_and_then_left_alone() {
                flow::a_client_is_made_changed_and_then_left_alone::<$of>().await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn an_answer_that_is_lost_makes_nothing_twice() {
                lost::an_answer_that_is_lost_makes_nothing_twice::<$of>().await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_request_that_is_lost_is_made_good_but_for_a_create_without_keys() {
                lost::a_request_that_is_lost_is_made_good_but_for_a_create_without_keys::<$of>().await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn an_empty_list_where_accounts_are_known_creates_nothing() {
                lost::an_empty_list_where_accounts_are_known_creates_nothing::<$of>().await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn an_account_of_the_same_name_is_not_taken_over() {
                flow::an_account_of_the_same_name_is_not_taken_over::<$of>().await;
            }
        }
    )+ };
}

every_dialect! {
    dnsimple_dialect = dnsimple::Dnsimple,
    netlify_dialect = netlify::Netlify,
}

every_place! {
    dnsimple_faked = Faked<dnsimple::Dnsimple>,
    dnsimple_faked_without_keys = dnsimple::WithoutKeys,
    dnsimple_sandbox = dnsimple::Sandboxed,
    netlify_faked = Faked<netlify::Netlify>,
    netlify_sandbox = netlify::Sandboxed,
}
