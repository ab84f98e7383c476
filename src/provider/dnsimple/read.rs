//! Reading: lists page by page until complete, retried where nothing clear came back.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use backon::{ExponentialBuilder, Retryable as _};
use reqwest::{Method, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use super::http::{ANSWER_CAP, Answer, Call, PAGE_CAP, Wire};
use super::pages::{Fault, Next, Progress};
use super::quota::Quota;
use super::wire::{
    AccountJson, Envelope, Listed, MemberJson, PlanJson, SubscriptionJson, WhoamiJson, capabilities, is_id,
};
use super::write::Writer;
use super::{AccountManagement, Config};
use crate::domain::AccountId;
use crate::provider::{Account, ApiError, ApiErrorKind, Capabilities, Capability, Identity, Member, Offer, Read};
use crate::provider::{Scope, Subscription};

/// Entries asked for a page, the most that the API gives.
const PER_PAGE: &str = "100";
/// The most that one list may weigh, all its pages together, in bytes.
const LIST_CAP: usize = 64 << 20;
/// The first pause before a read is tried again; doubled, and jittered.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Reads the account API. Clones share connections, count, quota and what was offered.
#[derive(Debug, Clone)]
pub struct Reader {
    pub(super) wire: Arc<Wire>,
    retries: usize,
    overrule: Option<Capabilities>,
    /// Whether account management may be asked for at all.
    pub(super) allowed: bool,
    /// What the server offered at first; never widened afterwards.
    offered: Arc<Mutex<Option<Offered>>>,
}

#[derive(Debug, Clone)]
struct Offered {
    account_management: bool,
    capabilities: Capabilities,
}

/// A complete list, and what stood beside its first page.
pub(super) struct List<T> {
    pub(super) entries: Vec<T>,
    pub(super) capabilities: Option<Vec<Value>>,
}

/// Why a list was not read to its end.
enum Interrupted {
    Failed(ApiError),
    Incomplete(Fault, Answer),
}

impl Reader {
    pub(super) fn new(wire: Wire, config: Config) -> Self {
        let Config { base_url, token: _, capabilities, account_management, timeouts: _, read_retries } = config;
        let allowed = account_management == AccountManagement::On || !base_url.is_vendor();
        Self { wire: Arc::new(wire), retries: read_retries, overrule: capabilities, allowed, offered: Arc::default() }
    }

    /// The writer of the same token: one count, one quota.
    pub fn writer(&self) -> Writer {
        Writer::new(Arc::clone(&self.wire), self.allowed)
    }

    /// The quota as the last answer told it; `None` where nothing is limited or known.
    pub fn quota(&self) -> Option<Quota> {
        self.wire.meter.quota(Instant::now())
    }

    /// One GET and its JSON, tried again where nothing clear came back; never after a refusal.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        route: &'static str,
        url: &Url,
        cap: usize,
    ) -> Result<(Envelope<T>, Answer), ApiError> {
        let pauses =
            ExponentialBuilder::default().with_min_delay(FIRST_PAUSE).with_max_times(self.retries).with_jitter();
        let once = || async {
            let call = Call { method: Method::GET, route, url: url.clone(), body: None, key: None, cap };
            let answer = self.wire.exchange(call).await?;
            Ok((self.wire.parse(&answer)?, answer))
        };
        once.retry(pauses).when(worth_another_try).await
    }

    /// Every page of a list, or an error. Where the totals moved meanwhile, once more from
    /// the start.
    pub(super) async fn list<T: DeserializeOwned + Listed>(
        &self,
        route: &'static str,
        url: Url,
    ) -> Result<List<T>, ApiError> {
        let first = self.list_once(route, &url).await;
        let read = match first {
            Err(Interrupted::Incomplete(Fault::Changed, _)) => self.list_once(route, &url).await,
            read => read,
        };
        read.map_err(|interrupted| match interrupted {
            Interrupted::Failed(error) => error,
            Interrupted::Incomplete(fault, answer) => self.wire.unclear(&answer, &fault.words()),
        })
    }

    async fn list_once<T: DeserializeOwned + Listed>(
        &self,
        route: &'static str,
        url: &Url,
    ) -> Result<List<T>, Interrupted> {
        let mut list = List { entries: Vec::new(), capabilities: None };
        let (mut progress, mut number, mut weight) = (Progress::default(), 1, 0);
        loop {
            let (envelope, answer) = self.page::<T>(route, url, number).await.map_err(Interrupted::Failed)?;
            let Envelope { data, pagination, capabilities } = envelope;
            weight += answer.body.len();
            if weight > LIST_CAP {
                return Err(Interrupted::Incomplete(Fault::Broken("it weighs more than 64 MiB"), answer));
            }
            let next = match progress.accept(pagination, data.iter().map(T::listed_id)) {
                Ok(next) => next,
                Err(fault) => return Err(Interrupted::Incomplete(fault, answer)),
            };
            list.capabilities = list.capabilities.or(capabilities);
            list.entries.extend(data);
            match next {
                Next::Page(next) => number = next,
                Next::End => return Ok(list),
            }
        }
    }

    async fn page<T: DeserializeOwned>(
        &self,
        route: &'static str,
        url: &Url,
        number: u64,
    ) -> Result<(Envelope<Vec<T>>, Answer), ApiError> {
        let mut url = url.clone();
        url.query_pairs_mut().append_pair("page", &number.to_string()).append_pair("per_page", PER_PAGE);
        self.get(route, &url, PAGE_CAP).await
    }

    /// The address of an endpoint below an account.
    pub(super) fn below(&self, route: &'static str, segments: &[&str]) -> Result<Url, ApiError> {
        match segments.iter().find(|segment| !is_id(segment)) {
            None => Ok(self.wire.base.endpoint(segments)),
            Some(_) => Err(self.wire.not_sent((&Method::GET, route), "the account id is not one")),
        }
    }

    fn offered(&self) -> Option<Offered> {
        self.offered.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether account management may be used, as far as is known.
    fn managed(&self) -> bool {
        self.allowed && self.offered().is_none_or(|offered| offered.account_management)
    }

    /// Whether to ask for details embedded in accounts. A server without that ignores the
    /// parameter, so it is asked for until the server says that it has it not.
    fn embeds(&self) -> bool {
        let capabilities = self.overrule.clone().or_else(|| self.offered().map(|offered| offered.capabilities));
        self.managed() && capabilities.is_none_or(|all| all.has(Capability::Bulk))
    }

    /// What counts from now on: what was offered at first, as far as it still is.
    fn narrow(&self, now: Offered) -> Offered {
        let mut offered = self.offered.lock().unwrap_or_else(PoisonError::into_inner);
        let narrowed = match offered.take() {
            None => now,
            Some(before) => Offered {
                account_management: before.account_management && now.account_management,
                capabilities: Capability::ALL
                    .into_iter()
                    .filter(|one| before.capabilities.has(*one) && now.capabilities.has(*one))
                    .collect(),
            },
        };
        offered.insert(narrowed).clone()
    }

    fn with_details(&self, mut url: Url) -> (Url, bool) {
        let embedded = self.embeds();
        if embedded {
            url.query_pairs_mut().append_pair("include", "subscription,members");
        }
        (url, embedded)
    }

    fn managed_only(&self, route: &'static str) -> Result<(), ApiError> {
        if self.managed() {
            Ok(())
        } else {
            Err(self.wire.not_sent((&Method::GET, route), "account management is not offered here"))
        }
    }
}

fn worth_another_try(error: &ApiError) -> bool {
    match error.kind {
        ApiErrorKind::NotSent { .. } | ApiErrorKind::Unclear { .. } => true,
        ApiErrorKind::Refused { .. } | ApiErrorKind::AccountToken | ApiErrorKind::Quota { .. } => false,
    }
}

/// Ascending ids: numbers by their value, whatever else behind them by its text.
fn id_order(id: &AccountId) -> (bool, u128, String) {
    match id.as_str().parse() {
        Ok(number) => (false, number, String::new()),
        Err(_) => (true, 0, id.as_str().to_owned()),
    }
}

#[async_trait]
impl Read for Reader {
    async fn identity(&self) -> Result<Identity, ApiError> {
        let url = self.wire.base.endpoint(&["whoami"]);
        let (envelope, answer) = self.get::<WhoamiJson>("/whoami", &url, ANSWER_CAP).await?;
        match envelope.data {
            WhoamiJson { user: Some(user), account: _ } => {
                let (user_id, email) = user.into_parts();
                let scope = Scope { api_url: self.wire.base.to_string(), user_id, world: answer.world };
                Ok(Identity { scope, email })
            }
            WhoamiJson { user: None, account: Some(_) } => Err(self.wire.account_token(&answer)),
            WhoamiJson { user: None, account: None } => {
                Err(self.wire.unclear(&answer, "neither a user nor an account stands behind the token"))
            }
        }
    }

    async fn offer(&self) -> Result<Offer, ApiError> {
        let closed = Offered { account_management: false, capabilities: Capabilities::default() };
        let (plans, offered) = if self.allowed {
            match self.list::<PlanJson>("/plans", self.wire.base.endpoint(&["plans"])).await {
                Ok(List { entries: plans, capabilities: named }) => {
                    let capabilities = self.overrule.clone().unwrap_or_else(|| capabilities(named));
                    (plans, Offered { account_management: true, capabilities })
                }
                Err(error) if is_absent(&error) => (Vec::new(), closed),
                Err(error) => return Err(error),
            }
        } else {
            (Vec::new(), closed)
        };
        let Offered { account_management, capabilities } = self.narrow(offered);
        let plans = plans.into_iter().filter(|_| account_management).filter_map(PlanJson::into_offer).collect();
        Ok(Offer { account_management, plans, capabilities, ..Offer::default() })
    }

    async fn accounts(&self) -> Result<Vec<Account>, ApiError> {
        let (url, embedded) = self.with_details(self.wire.base.endpoint(&["accounts"]));
        let list = self.list::<AccountJson>("/accounts", url).await?;
        let mut accounts: Vec<_> = list.entries.into_iter().map(|account| account.into_account(embedded)).collect();
        accounts.sort_by_cached_key(|account| id_order(&account.id));
        Ok(accounts)
    }

    async fn account(&self, id: &AccountId) -> Result<Option<Account>, ApiError> {
        if !self.managed() {
            // One account by itself is account management; the list is published.
            return Ok(self.accounts().await?.into_iter().find(|account| account.id == *id));
        }
        let route = "/accounts/{account}";
        let (url, embedded) = self.with_details(self.below(route, &["accounts", id.as_str()])?);
        let (envelope, answer) = match self.get::<AccountJson>(route, &url, PAGE_CAP).await {
            Ok(read) => read,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let account = envelope.data.into_account(embedded);
        if account.id == *id {
            Ok(Some(account))
        } else {
            Err(self.wire.unclear(&answer, "another account than the one asked for"))
        }
    }

    async fn subscription(&self, id: &AccountId) -> Result<Option<Subscription>, ApiError> {
        let route = "/{account}/subscription";
        self.managed_only(route)?;
        let url = self.below(route, &[id.as_str(), "subscription"])?;
        match self.get::<SubscriptionJson>(route, &url, ANSWER_CAP).await {
            Ok((envelope, _)) => Ok(Some(envelope.data.into_subscription())),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn members(&self, id: &AccountId) -> Result<Vec<Member>, ApiError> {
        let route = "/{account}/members";
        self.managed_only(route)?;
        let list = self.list::<MemberJson>(route, self.below(route, &[id.as_str(), "members"])?).await?;
        Ok(list.entries.into_iter().map(MemberJson::into_member).collect())
    }

    fn requests_sent(&self) -> u64 {
        self.wire.requests_sent()
    }
}

/// Absent, in the API's own words; a gateway's 404 page proves nothing.
pub(super) fn is_absent(error: &ApiError) -> bool {
    matches!(error.kind, ApiErrorKind::Refused { status: 404, .. })
}
