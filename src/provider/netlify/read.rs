//! Reading: lists page by page until complete, plans made out of types, members by the slug of
//! their account.

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::{Method, Url};
use serde::de::DeserializeOwned;

use super::catalogue::{Catalogue, payment, roles};
use super::json::{AccountJson, MemberJson, PaymentMethodJson, TypeJson};
use super::known::{Known, Seen};
use super::write::Writer;
use crate::domain::AccountId;
use crate::provider::wire::json::{Listed, UserJson, is_id};
use crate::provider::wire::pages::Linked;
use crate::provider::wire::{ANSWER_CAP, Answer, Wire, id_order, is_absent};
use crate::provider::{Account, ApiError, ApiErrorKind, Capability, Identity, Line, Member, Offer, Quirk, Read, Scope};
use crate::provider::{Capabilities, Class, Subscription};

/// Reads the API. Clones share connections, count, quota, and what is known of accounts.
#[derive(Debug, Clone)]
pub struct Reader {
    pub(super) wire: Arc<Wire>,
    known: Arc<Known>,
    payment_method: Option<String>,
}

impl Reader {
    pub(super) fn new(wire: Wire, payment_method: Option<String>) -> Self {
        Self { wire: Arc::new(wire), known: Arc::default(), payment_method }
    }

    /// The writer of the same token: one count, one quota.
    pub fn writer(&self) -> Writer {
        Writer::new(Arc::clone(&self.wire), Arc::clone(&self.known))
    }

    /// Every entry of a list, or an error.
    async fn list<T: DeserializeOwned + Listed + Send>(
        &self,
        route: &'static str,
        path: &[&str],
    ) -> Result<Vec<T>, ApiError> {
        let turn = |list: &mut Linked, page: Vec<T>, url: &Url, answer: &Answer| {
            let next = list.accept(url, &answer.links, page.iter().map(T::listed_id))?;
            Ok((page, next))
        };
        self.wire.list(route, self.wire.base.endpoint(path), turn).await
    }

    /// What is sold, read again.
    async fn read_catalogue(&self) -> Result<Arc<Catalogue>, ApiError> {
        let types = self.list::<TypeJson>("/accounts/types", &["accounts", "types"]).await?;
        let route = "/billing/payment_methods";
        let listed = self.list::<PaymentMethodJson>(route, &["billing", "payment_methods"]).await;
        let paid_with = match listed {
            Ok(listed) => payment(&listed, self.payment_method.as_deref()),
            // Whoever may not see how things are paid can still read everything else.
            Err(error) if matches!(error.kind, ApiErrorKind::Refused { status: 403 | 404, .. }) => {
                Err(format!("the payment methods cannot be read, so nothing that costs is bought: {error}"))
            }
            Err(error) => return Err(error),
        };
        Ok(self.known.set_catalogue(Catalogue::new(&types, paid_with)))
    }

    /// What is sold, as it was last read: what an account's type is called depends on it.
    async fn catalogue(&self) -> Result<Arc<Catalogue>, ApiError> {
        let _turn = self.known.reading.lock().await;
        match self.known.catalogue() {
            Some(catalogue) => Ok(catalogue),
            None => self.read_catalogue().await,
        }
    }

    async fn read_account(&self, id: &AccountId) -> Result<Option<AccountJson>, ApiError> {
        let route = "/accounts/{account}";
        // One of that name is another endpoint.
        if !is_id(id.as_str()) || id.as_str() == "types" {
            return Err(self.wire.not_sent((&Method::GET, route), "the account id is not one"));
        }
        let url = self.wire.base.endpoint(&["accounts", id.as_str()]);
        let (account, answer) = match self.wire.read::<AccountJson>(route, &url, ANSWER_CAP).await {
            Ok(read) => read,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        if account.id() != *id {
            return Err(self.wire.unclear(&answer, "another account than the one asked for"));
        }
        self.known.note(&account);
        Ok(Some(account))
    }

    /// The slug of an account: known from whatever showed it, or asked for once.
    async fn slug(&self, id: &AccountId, route: &'static str) -> Result<String, ApiError> {
        let seen = match self.known.account(id) {
            Some(seen) => Some(seen),
            None => {
                self.read_account(id).await?;
                self.known.account(id)
            }
        };
        seen.and_then(|Seen { slug, period: _ }| slug).ok_or_else(|| {
            self.wire.not_sent((&Method::GET, route), "the account shows no slug of its own to ask for its members by")
        })
    }
}

#[async_trait]
impl Read for Reader {
    async fn identity(&self) -> Result<Identity, ApiError> {
        let url = self.wire.base.endpoint(&["user"]);
        let (user, answer) = self.wire.read::<UserJson>("/user", &url, ANSWER_CAP).await?;
        let (user_id, email) = user.into_parts();
        let scope = Scope { api_url: self.wire.base.to_string(), user_id, world: answer.world };
        Ok(Identity { scope, email })
    }

    async fn offer(&self) -> Result<Offer, ApiError> {
        let catalogue = {
            let _turn = self.known.reading.lock().await;
            self.read_catalogue().await?
        };
        Ok(Offer {
            account_management: true,
            plans: catalogue.plans(),
            capabilities: capabilities(),
            quirks: Quirk::ALL.into(),
            roles: roles(),
            unpayable: catalogue.payment.clone().err(),
        })
    }

    async fn accounts(&self) -> Result<Vec<Account>, ApiError> {
        let list = self.list::<AccountJson>("/accounts", &["accounts"]).await?;
        let catalogue = self.catalogue().await?;
        self.known.note_all(&list);
        let mut accounts: Vec<_> = list.into_iter().map(|account| account.into_account(&catalogue)).collect();
        accounts.sort_by_cached_key(|account| id_order(&account.id));
        Ok(accounts)
    }

    async fn account(&self, id: &AccountId) -> Result<Option<Account>, ApiError> {
        let Some(account) = self.read_account(id).await? else { return Ok(None) };
        let catalogue = self.catalogue().await?;
        Ok(Some(account.into_account(&catalogue)))
    }

    async fn subscription(&self, id: &AccountId) -> Result<Option<Subscription>, ApiError> {
        let Some(account) = self.account(id).await? else { return Ok(None) };
        match account.subscription {
            Some(subscription) => Ok(subscription),
            None => {
                let why = "the account does not say which plan it is on";
                Err(self.wire.unread((&Method::GET, "/accounts/{account}"), why))
            }
        }
    }

    async fn members(&self, id: &AccountId) -> Result<Vec<Member>, ApiError> {
        let route = "/{account}/members";
        let slug = self.slug(id, route).await?;
        let list = self.list::<MemberJson>(route, &[&slug, "members"]).await?;
        Ok(list.into_iter().map(MemberJson::into_member).collect())
    }

    fn of(&self, class: Class) -> Arc<dyn Read> {
        Arc::new(Self { wire: Arc::new(self.wire.of(class)), ..self.clone() })
    }

    fn line(&self) -> &dyn Line {
        self.wire.as_ref()
    }
}

/// What the description has of the extensions: no keys, no embedding, no honest `updated_at`.
pub(super) fn capabilities() -> Capabilities {
    Capabilities::from_iter([Capability::LimitedAccess, Capability::Invitations])
}
