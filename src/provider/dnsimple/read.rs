//! Reading: lists page by page until complete, retried where nothing clear came back.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use reqwest::{Method, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::json::{AccountJson, Envelope, MemberJson, PlanJson, SubscriptionJson, WhoamiJson, capabilities};
use super::write::Writer;
use super::{AccountManagement, Config};
use crate::domain::AccountId;
use crate::provider::wire::json::{Listed, is_id};
use crate::provider::wire::pages::{Counted, Next};
use crate::provider::wire::{ANSWER_CAP, Answer, PAGE_CAP, Wire, id_order, is_absent};
use crate::provider::{
    Account, ApiError, ApiErrorKind, Capabilities, Capability, Class, Identity, Line, Member, Offer,
};
use crate::provider::{Read, Scope, Subscription};

/// Entries asked for a page, the most that the API gives.
const PER_PAGE: &str = "100";

/// Reads the account API. Clones share connections, count, quota and what was offered.
#[derive(Debug, Clone)]
pub struct Reader {
    pub(super) wire: Arc<Wire>,
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

impl Reader {
    pub(super) fn new(wire: Wire, config: Config) -> Self {
        let Config { base_url, token: _, capabilities, account_management, timeouts: _, read_retries: _ } = config;
        let allowed = account_management == AccountManagement::On || !base_url.is_vendor();
        Self { wire: Arc::new(wire), overrule: capabilities, allowed, offered: Arc::default() }
    }

    /// The writer of the same token: one count, one quota.
    pub fn writer(&self) -> Writer {
        Writer::new(Arc::clone(&self.wire), self.allowed)
    }

    /// One GET and its JSON, tried again where nothing clear came back; never after a refusal.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        route: &'static str,
        url: &Url,
        cap: usize,
    ) -> Result<(Envelope<T>, Answer), ApiError> {
        self.wire.read(route, url, cap).await
    }

    /// Every page of a list, or an error.
    pub(super) async fn list<T: DeserializeOwned + Listed + Send>(
        &self,
        route: &'static str,
        url: Url,
    ) -> Result<List<T>, ApiError> {
        let page = |number: u64| {
            let mut url = url.clone();
            url.query_pairs_mut().append_pair("page", &number.to_string()).append_pair("per_page", PER_PAGE);
            url
        };
        let mut beside = None;
        let turn = |progress: &mut Counted, envelope: Envelope<Vec<T>>, _: &Url, _: &Answer| {
            let Envelope { data, pagination, capabilities } = envelope;
            let next = progress.accept(pagination, data.iter().map(T::listed_id))?;
            beside = beside.take().or(capabilities);
            let next = match next {
                Next::Page(number) => Some(page(number)),
                Next::End => None,
            };
            Ok((data, next))
        };
        let entries = self.wire.list(route, page(1), turn).await?;
        Ok(List { entries, capabilities: beside })
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
            WhoamiJson { user: None, account: Some(_) } => {
                Err(self.wire.bad_answer(&answer, ApiErrorKind::AccountToken))
            }
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

    fn of(&self, class: Class) -> Arc<dyn Read> {
        Arc::new(Self { wire: Arc::new(self.wire.of(class)), ..self.clone() })
    }

    fn line(&self) -> &dyn Line {
        self.wire.as_ref()
    }
}
