//! Reading: tried again where nothing clear came back, never after a refusal; a list page by
//! page, with a bound on all pages together.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use reqwest::{Method, Url};
use serde::de::DeserializeOwned;

use super::exchange::{Answer, Call, PAGE_CAP, Wire};
use super::pages::Fault;
use crate::domain::AccountId;
use crate::provider::{ApiError, ApiErrorKind};

/// The most that one list may weigh, all its pages together, in bytes.
const LIST_CAP: usize = 64 << 20;
/// The first pause before a read is tried again; doubled, and jittered.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Why a list was not read to its end.
enum Interrupted {
    Failed(ApiError),
    Incomplete(Fault, Answer),
}

impl Wire {
    /// One GET and its JSON, tried again where nothing clear came back.
    pub(in crate::provider) async fn read<T: DeserializeOwned>(
        &self,
        route: &'static str,
        url: &Url,
        cap: usize,
    ) -> Result<(T, Answer), ApiError> {
        let pauses =
            ExponentialBuilder::default().with_min_delay(FIRST_PAUSE).with_max_times(self.read_retries).with_jitter();
        let once = || async {
            let call = Call { method: Method::GET, route, url: url.clone(), body: None, key: None, cap };
            let answer = self.exchange(call).await?;
            Ok((self.parse(&answer)?, answer))
        };
        once.retry(pauses).when(worth_another_try).await
    }

    /// Every page of a list, or an error. `turn` takes a page: it checks it against what it
    /// remembers of the pages before (`S`, new for each look), and tells its entries and where
    /// the next one is. Where the totals moved meanwhile, it is read once more from the start.
    pub(in crate::provider) async fn list<S: Default + Send, B: DeserializeOwned + Send, T: Send>(
        &self,
        route: &'static str,
        url: Url,
        mut turn: impl FnMut(&mut S, B, &Url, &Answer) -> Result<(Vec<T>, Option<Url>), Fault> + Send,
    ) -> Result<Vec<T>, ApiError> {
        let first = self.list_once(route, url.clone(), &mut turn).await;
        let read = match first {
            Err(Interrupted::Incomplete(Fault::Changed, _)) => self.list_once(route, url, &mut turn).await,
            read => read,
        };
        read.map_err(|interrupted| match interrupted {
            Interrupted::Failed(error) => error,
            Interrupted::Incomplete(fault, answer) => self.unclear(&answer, &fault.words()),
        })
    }

    async fn list_once<S: Default + Send, B: DeserializeOwned + Send, T: Send>(
        &self,
        route: &'static str,
        mut url: Url,
        turn: &mut (impl FnMut(&mut S, B, &Url, &Answer) -> Result<(Vec<T>, Option<Url>), Fault> + Send),
    ) -> Result<Vec<T>, Interrupted> {
        let (mut state, mut entries, mut weight) = (S::default(), Vec::new(), 0);
        loop {
            let (page, answer) = self.read::<B>(route, &url, PAGE_CAP).await.map_err(Interrupted::Failed)?;
            weight += answer.body.len();
            if weight > LIST_CAP {
                return Err(Interrupted::Incomplete(Fault::Broken("it weighs more than 64 MiB"), answer));
            }
            match turn(&mut state, page, &url, &answer) {
                Ok((more, next)) => {
                    entries.extend(more);
                    let Some(next) = next else { return Ok(entries) };
                    url = next;
                }
                Err(fault) => return Err(Interrupted::Incomplete(fault, answer)),
            }
        }
    }
}

fn worth_another_try(error: &ApiError) -> bool {
    match error.kind {
        ApiErrorKind::NotSent { .. } | ApiErrorKind::Unclear { .. } => true,
        ApiErrorKind::Refused { .. } | ApiErrorKind::AccountToken | ApiErrorKind::Quota { .. } => false,
    }
}

/// Absent, in the API's own words; a gateway's 404 page proves nothing.
pub(in crate::provider) fn is_absent(error: &ApiError) -> bool {
    matches!(error.kind, ApiErrorKind::Refused { status: 404, .. })
}

/// Ascending ids: numbers by their value, whatever else behind them by its text.
pub(in crate::provider) fn id_order(id: &AccountId) -> (bool, u128, String) {
    match id.as_str().parse() {
        Ok(number) => (false, number, String::new()),
        Err(_) => (true, 0, id.as_str().to_owned()),
    }
}
