//! Carrying a plan out: accounts side by side, the actions of one account in order. What to
//! do is in the plan; what to do when it goes wrong is in [`classify`], in the journal's
//! protocol, and in the two ways of sending ([`create`] and [`repeatable`]). One account's failure never touches another.

mod account;
mod create;
mod intent;
mod outcome;
mod progress;
mod repeatable;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt as _;
use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::domain::{AccountId, ClientName, Email};
use crate::journal::Book;
use crate::plan::{AccountPlan, Action, ActionKey, ActionState, ObservedAccount, Plan, Verdict};
use crate::provider::{Capability, Identity, Offer, Read, Write};

pub use intent::{Why, intent};
pub use outcome::{Outcome, Refusal, classify};
pub use progress::{Progress, Silent};

/// How a plan is carried out.
#[derive(Debug, Clone)]
pub struct Options {
    /// Accounts at once.
    pub parallelism: usize,
    /// How long a used-up quota is waited for before an action is left for later.
    pub quota_patience: Duration,
    /// The first pause before something is sent again or read back; it doubles each time.
    pub pause: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { parallelism: 8, quota_patience: Duration::from_secs(90), pause: Duration::from_millis(250) }
    }
}

/// After so long, what a plan was made from is read again before money moves.
pub const STALE: Duration = Duration::from_secs(30);

/// How often a write is sent at most in one pass, and how often an outcome is read back.
const TRIES: u32 = 3;

/// What is needed to carry a plan out.
#[derive(Clone, Copy)]
pub struct Executor<'a> {
    /// For reading back.
    pub reader: &'a dyn Read,
    /// The only holder of a writer.
    pub writer: &'a dyn Write,
    /// Whose token it is: the first member of each new account, and the scope of keys.
    pub identity: &'a Identity,
    /// The journal: nothing is sent without its permit.
    pub book: &'a Book,
    /// Plans, prices, and whether the server carries out one key once.
    pub offer: &'a Offer,
    /// Whether everything was read once more after the creates had been written down.
    pub looked: bool,
    /// When what the plan was made from was read.
    pub read_at: Instant,
    /// When the reads of the plan began, by the journal's clock.
    pub read_began: Timestamp,
    /// What somebody undid is made again.
    pub heal: bool,
    /// The commit that the manifests were read from.
    pub revision: Option<&'a str>,
    /// What was wanted of each client, as a digest.
    pub wanted: &'a BTreeMap<ClientName, String>,
    /// The accounts that were there before the first write.
    pub known_ids: &'a BTreeSet<AccountId>,
    /// How.
    pub options: &'a Options,
    /// Who is told of each step.
    pub progress: &'a dyn Progress,
    /// Once cancelled, what is in flight is finished and nothing is begun.
    pub cancel: &'a CancellationToken,
}

impl std::fmt::Debug for Executor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { identity, options, looked, .. } = self;
        f.debug_struct("Executor")
            .field("identity", identity)
            .field("looked", looked)
            .field("options", options)
            .finish_non_exhaustive()
    }
}

/// What became of one account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Carried {
    /// The account as the answers show it now; `None` where it could not be made.
    pub observed: Option<ObservedAccount>,
    /// The actions that were carried out, in order.
    pub applied: Vec<Action>,
    /// What became of the others.
    pub verdicts: Vec<(ActionKey, Verdict)>,
    /// People who turned out to be users.
    pub registered: Vec<Email>,
    /// Actions that were not begun, because of an interruption.
    pub left: usize,
}

impl Executor<'_> {
    /// Whether the server carries out one key once.
    pub fn keys(&self) -> bool {
        self.offer.capabilities.has(Capability::IdempotencyKeys)
    }

    /// Carries out the planned actions, of all accounts or only of some: offboardings
    /// everywhere first, then account by account.
    pub async fn carry_out(&self, plan: &Plan, only: Option<&BTreeSet<ClientName>>) -> BTreeMap<ClientName, Carried> {
        let mut carried = BTreeMap::new();
        for offboarding in [true, false] {
            let begun: Vec<_> = plan
                .accounts
                .iter()
                .filter_map(|account| Some((account, account.client.as_ref()?)))
                .filter(|(_, client)| only.is_none_or(|only| only.contains(*client)))
                .filter(|(account, _)| account.actions.iter().any(|a| due(a, offboarding)))
                .map(|(account, client)| {
                    let before = carried
                        .remove(client)
                        .unwrap_or_else(|| Carried { observed: account.observed.clone(), ..Carried::default() });
                    (account, client, before)
                })
                .collect();
            let mut done = futures::stream::iter(begun)
                .map(|(account, client, before)| async move {
                    (client.clone(), self.account(account, client, before, offboarding).await)
                })
                .buffer_unordered(self.options.parallelism.max(1));
            while let Some((client, result)) = done.next().await {
                carried.insert(client, result);
            }
        }
        carried
    }

    async fn account(&self, account: &AccountPlan, client: &ClientName, before: Carried, offboarding: bool) -> Carried {
        let mut run = account::Run::new(self, client, account, before);
        for action in account.actions.iter().filter(|a| due(a, offboarding)) {
            run.step(action).await;
        }
        run.into_carried()
    }
}

fn due(action: &Action, offboarding: bool) -> bool {
    action.state == ActionState::Planned && action.offboarding == offboarding
}
