//! One pass: observe, plan, and carry out in rounds until nothing is left but waiting.

mod agreed;
mod error;
mod looking;
mod report;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::domain::{AccountId, ClientName};
use crate::execute::{self, Carried, Executor, Progress, Why, intent};
use crate::journal::{BookError, JournalError};
use crate::manifest::Wanted;
use crate::plan::saved::Agreed;
use crate::plan::{
    self, AccountPlan, Action, ActionState, ApiInfo, Clocks, Inputs, Known, LintFault, Match, ObservedAccount, OpKind,
    Plan, Policy, Selector, Snapshot, checked, lint, match_accounts,
};
use crate::provider::{Capability, Class, Offer, Read, Write};

use super::keeper::{Keeper, Keeping};
use super::memory::Memory;
use super::rolling::{Freshness, Rolling};

pub use error::PassError;
pub use report::Report;

use report::merge;

/// How many rounds a pass has at most: what one round learns, the next acts on.
const ROUNDS: usize = 5;

/// Everything a pass needs, and what stays between passes.
pub struct Reconciler {
    /// Which API.
    pub api: ApiInfo,
    /// For looking.
    pub reader: Arc<dyn Read>,
    /// The operator's rails.
    pub policy: Policy,
    /// Which clients.
    pub selector: Selector,
    /// How plans are carried out.
    pub options: execute::Options,
    /// The commit that the manifests were read from.
    pub revision: Option<String>,
    /// How old what was read may be; `None` reads everything at each look.
    pub freshness: Option<Freshness>,
    /// What a person agreed to: nothing else is carried out, in any round. A client for whom
    /// something else turns up is let go. `None` carries out whatever is planned.
    pub agreed: Option<Agreed>,
    memory: Memory,
    keeper: Keeper,
    snapshot: Option<Snapshot>,
    /// A look for whose details the quota did not suffice: it goes on where it ended.
    begun: Option<Snapshot>,
    /// The ids that the last complete list showed.
    listed: BTreeSet<AccountId>,
    /// When the snapshot was read.
    read_at: Instant,
    /// When whose token it is and what the server offers was read; `None` is to be read again.
    terms_at: Option<Instant>,
    /// When the details of which account were read.
    rolling: Rolling,
    /// What the plan holds that a person let pass its rails, while it is carried out.
    lifted: Option<Agreed>,
    chance: fastrand::Rng,
}

impl std::fmt::Debug for Reconciler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reconciler").field("api", &self.api).field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// What the rounds of a pass have done so far.
#[derive(Debug, Default)]
struct Rounds {
    agreed: Option<Plan>,
    applied: BTreeMap<ClientName, Vec<Action>>,
    left: usize,
    begun: bool,
    besides: Vec<(ClientName, String)>,
}

/// What a look at some accounts found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// They were all there.
    Fresh,
    /// Some have no account yet, or it is gone: only the whole list tells.
    NeedsList,
}

impl Reconciler {
    /// With what its journal remembers.
    pub fn new(
        api: ApiInfo,
        reader: Arc<dyn Read>,
        policy: Policy,
        selector: Selector,
        keeping: Keeping,
        seed: u64,
    ) -> Self {
        Self {
            api,
            reader,
            policy,
            selector,
            options: execute::Options::default(),
            revision: None,
            freshness: None,
            agreed: None,
            memory: Memory::default(),
            keeper: Keeper::new(keeping),
            snapshot: None,
            begun: None,
            listed: BTreeSet::new(),
            read_at: Instant::now(),
            terms_at: None,
            rolling: Rolling::default(),
            lifted: None,
            chance: fastrand::Rng::with_seed(seed),
        }
    }

    /// What is remembered.
    pub const fn memory(&mut self) -> &mut Memory {
        &mut self.memory
    }

    /// The journal as this process uses it.
    pub const fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    /// Plans and prices; `None` before the first look.
    pub fn offer(&self) -> Option<&Offer> {
        self.snapshot.as_ref().map(|snapshot| &snapshot.offer)
    }

    /// How long ago the accounts were read.
    pub fn age(&self) -> Duration {
        self.read_at.elapsed()
    }

    /// What was last seen; `None` before the first look.
    pub const fn snapshot(&self) -> Option<&Snapshot> {
        self.snapshot.as_ref()
    }

    /// Whether the server carries out one key once; known after the first look.
    pub fn keys(&self) -> bool {
        self.snapshot.as_ref().is_some_and(|s| s.offer.capabilities.has(Capability::IdempotencyKeys))
    }

    /// The plan for what was last seen; `None` before the first look.
    ///
    /// # Errors
    /// The linter's faults, if there are any.
    pub fn plan(&self, wanted: &Wanted) -> Result<Option<Plan>, PassError> {
        match self.draft(wanted) {
            Some((plan, faults)) if faults.is_empty() => Ok(Some(plan)),
            Some((_, faults)) => Err(PassError::Lint(faults)),
            None => Ok(None),
        }
    }

    /// The plan, and what the independent check says of it. A plan that a person let pass by
    /// its digest keeps that digest; what is left of it passes, and nothing else.
    fn draft(&self, wanted: &Wanted) -> Option<(Plan, Vec<LintFault>)> {
        if let Some(approved) = &self.lifted {
            let (known, _) = self.known(wanted, true)?;
            let (plan, faults) = self.drafted(wanted, &known)?;
            if approved.covers(&plan) {
                return Some((plan, faults));
            }
        }
        let (known, _) = self.known(wanted, false)?;
        let (plan, faults) = self.drafted(wanted, &known)?;
        if self.lifted.is_some() || plan.rails.is_empty() || !self.keeper.is_approved(&plan.digest) {
            return Some((plan, faults));
        }
        let (known, _) = self.known(wanted, true)?;
        let (lifted, faults) = self.drafted(wanted, &known)?;
        Some((Plan { digest: plan.digest, ..lifted }, faults))
    }

    /// What a plan is to know. What is held depends on what would be planned without that.
    fn known(&self, wanted: &Wanted, lifted: bool) -> Option<(Known, Clocks)> {
        let mut known = self.keeper.inform(self.memory.known(), lifted, self.keys());
        if !self.keeper.holds() {
            return Some((known, Clocks::default()));
        }
        let (free, _) = self.drafted(wanted, &known)?;
        let clocks = plan::clocks(&free);
        known.held = self.keeper.held(&clocks);
        Some((known, clocks))
    }

    /// Writes down what the next plans are to know of this one, and when what is held is due.
    async fn remember(
        &mut self,
        wanted: &Wanted,
        only: Option<&BTreeSet<ClientName>>,
        plan: &Plan,
    ) -> Result<(), JournalError> {
        let Some((known, clocks)) = self.known(wanted, false) else { return Ok(()) };
        let now = self.keeper.now();
        let mut due: BTreeMap<ClientName, Instant> = BTreeMap::new();
        for (thought, until) in &known.held {
            let left = Duration::try_from(until.duration_since(now)).unwrap_or_default();
            // A little later, so that it is over by the clock that says so.
            let at = Instant::now() + left + Duration::from_millis(10);
            due.entry(thought.client.clone()).and_modify(|first| *first = at.min(*first)).or_insert(at);
        }
        self.memory.hold(due);
        self.keeper.remember(wanted, only, plan, &clocks).await
    }

    fn drafted(&self, wanted: &Wanted, known: &Known) -> Option<(Plan, Vec<LintFault>)> {
        let snapshot = self.snapshot.as_ref()?;
        let inputs = Inputs {
            api: &self.api,
            wanted,
            live: snapshot,
            known,
            policy: &self.policy,
            selector: &self.selector,
            requests_spent: self.reader.line().requests_sent(),
        };
        Some(checked(&inputs, lint))
    }

    /// The clients for whom something is to be done now, by what was last seen.
    ///
    /// # Errors
    /// The linter's faults, if there are any.
    pub fn planned_clients(&self, wanted: &Wanted) -> Result<BTreeSet<ClientName>, PassError> {
        let plan = self.plan(wanted)?;
        let accounts = plan.iter().flat_map(|plan| &plan.accounts);
        Ok(accounts
            .filter(|account| account.actions.iter().any(|action| action.state == ActionState::Planned))
            .filter_map(|account| account.client.clone())
            .collect())
    }

    /// Carries out what is planned, for all clients or some, in rounds.
    ///
    /// # Errors
    /// The list could not be read where it must be read again, or a plan does not hold.
    pub async fn converge(
        &mut self,
        wanted: &Wanted,
        only: Option<&BTreeSet<ClientName>>,
        writer: &dyn Write,
        progress: &dyn Progress,
        cancel: &CancellationToken,
    ) -> Result<Report, PassError> {
        let mut rounds = Rounds::default();
        let plan = self.plan(wanted)?;
        let approved = plan.filter(|plan| self.keeper.is_approved(&plan.digest));
        self.lifted = approved.as_ref().map(Agreed::to_all);
        rounds.agreed.clone_from(&approved);
        let ended = self.rounds(wanted, only, writer, progress, cancel, &mut rounds).await;
        self.lifted = None;
        let used = match approved.filter(|_| rounds.begun) {
            // Only once something was begun on its account; what is left of it then counts anew.
            Some(plan) => self.keeper.use_approval(&plan.digest, &plan.passed).await,
            None => Ok(()),
        };
        let Rounds { agreed, applied, left, begun, besides } = rounds;
        let trouble = match ended {
            Ok(()) => None,
            // What was done must be told, whatever came after it.
            Err(trouble) if begun => Some(trouble),
            Err(trouble) => return Err(trouble),
        };
        let Some((mut plan, faults)) = self.draft(wanted) else {
            unreachable!("a plan is made only of what was observed, and that stays")
        };
        let latched = self.keeper.latch(&plan.rails, &plan.digest).await;
        let remembered = self.remember(wanted, only, &plan).await;
        let trouble = trouble.or_else(|| (!faults.is_empty()).then_some(PassError::Lint(faults)));
        // What was done is told, whatever could not be written down after it.
        let trouble = trouble.or_else(|| used.and(latched).and(remembered).err().map(PassError::from));
        self.memory.settle(&plan, Instant::now(), &mut self.chance);
        let agreed = agreed.unwrap_or_else(|| plan.clone());
        merge(&mut plan, applied);
        Ok(Report { agreed, plan, left, trouble, besides })
    }

    async fn rounds(
        &mut self,
        wanted: &Wanted,
        only: Option<&BTreeSet<ClientName>>,
        writer: &dyn Write,
        progress: &dyn Progress,
        cancel: &CancellationToken,
        so_far: &mut Rounds,
    ) -> Result<(), PassError> {
        for _ in 0..ROUNDS {
            // After a long wait the prices and seats that the plan is made from may be old.
            if self.age() > execute::STALE {
                self.observe_as(wanted, Class::Write).await?;
            }
            let still = self.still_agreed(only);
            let Some(mut plan) = self.plan_of_fresh(wanted, still.as_ref().or(only)).await? else { break };
            so_far.agreed.get_or_insert_with(|| plan.clone());
            let mut still = self.keep_to_agreed(&plan, only, so_far);
            let going = still.as_ref().or(only);
            if due(&plan, going) == 0 || cancel.is_cancelled() {
                so_far.left = due(&plan, going);
                break;
            }
            let mut looked = false;
            if !self.keys() && creates(&plan, going) {
                if !self.keeper.may_create_without_keys() {
                    return Err(PassError::Unkept);
                }
                // Once more, now that what will be created is written down (rule R3).
                self.prepare(&plan, going, wanted).await?;
                self.second_look(wanted).await?;
                let Some(again) = self.plan(wanted)? else { break };
                (plan, looked) = (again, true);
                still = self.keep_to_agreed(&plan, only, so_far);
            }
            so_far.begun = true;
            let carried =
                self.carry_out(&plan, still.as_ref().or(only), wanted, looked, writer, progress, cancel).await;
            so_far.left = carried.values().map(|carried| carried.left).sum();
            for (client, done) in &carried {
                so_far.applied.entry(client.clone()).or_default().extend(done.applied.iter().cloned());
            }
            self.take_in(carried).await;
            if so_far.left > 0 {
                break;
            }
        }
        Ok(())
    }

    /// Writes down every create that is planned, in one commit; one that another process
    /// holds keeps no other from it.
    async fn prepare(
        &self,
        plan: &Plan,
        only: Option<&BTreeSet<ClientName>>,
        wanted: &Wanted,
    ) -> Result<(), PassError> {
        let (Some(book), Some(snapshot)) = (self.keeper.book(), &self.snapshot) else { return Ok(()) };
        let digests = digests(wanted, only);
        let mut intents = Vec::new();
        for account in &plan.accounts {
            let Some(client) = account.client.as_ref().filter(|c| only.is_none_or(|only| only.contains(*c))) else {
                continue;
            };
            let why = Why {
                client,
                source: &account.source,
                revision: self.revision.as_deref(),
                wanted: digests.get(client).map(String::as_str),
                read_began: self.keeper.began(),
                heal: self.keeper.heals(),
            };
            let creates = account.actions.iter().filter(|a| a.is_planned() && a.op.kind() == OpKind::CreateAccount);
            intents.extend(creates.map(|action| intent(why, action, None, &snapshot.offer, None, false)));
        }
        match book.prepare(&intents).await {
            Err(BookError::Journal(JournalError::Conflict { .. }) | BookError::Rejected(_)) => {
                book.refresh().await?;
                for intent in &intents {
                    if let Err(error) = book.prepare(std::slice::from_ref(intent)).await {
                        tracing::warn!(client = %intent.series.client, %error, "not written down, so not created");
                    }
                }
                Ok(())
            }
            done => Ok(done.map(|_| ())?),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "each is another party to the pass")]
    async fn carry_out(
        &self,
        plan: &Plan,
        only: Option<&BTreeSet<ClientName>>,
        wanted: &Wanted,
        looked: bool,
        writer: &dyn Write,
        progress: &dyn Progress,
        cancel: &CancellationToken,
    ) -> BTreeMap<ClientName, Carried> {
        let (Some(snapshot), Some(book)) = (&self.snapshot, self.keeper.book()) else { return BTreeMap::new() };
        let known_ids = snapshot.accounts.iter().map(|seen| seen.account.id.clone()).collect();
        let finishing = self.reader.of(Class::Finish);
        let executor = Executor {
            reader: finishing.as_ref(),
            writer,
            identity: &snapshot.identity,
            book,
            offer: &snapshot.offer,
            looked,
            read_at: self.read_at,
            read_began: self.keeper.began(),
            heal: self.keeper.heals(),
            revision: self.revision.as_deref(),
            wanted: &digests(wanted, only),
            known_ids: &known_ids,
            options: &self.options,
            progress,
            cancel,
        };
        executor.carry_out(plan, only).await
    }

    async fn take_in(&mut self, carried: BTreeMap<ClientName, Carried>) {
        self.memory.learn(&carried, Instant::now(), &mut self.chance);
        let people = carried.values().flat_map(|carried| &carried.registered);
        if let Err(error) = self.keeper.registered(people).await {
            tracing::warn!(%error, "who is a user could not be written down; it is found out again later");
        }
        self.keeper
            .answered(carried.iter().filter(|(_, done)| done.observed.is_some()).map(|(client, _)| client.clone()));
        let (began, now) = (self.keeper.now(), Instant::now());
        if let Some(snapshot) = &mut self.snapshot {
            // Pieced together from answers: it serves the next round, and the next look at the
            // server is not spared for it, whatever `updated_at` says.
            let pieced = carried.into_values().filter_map(|carried| carried.observed).map(|mut seen| {
                seen.account.updated_at = None;
                self.rolling.note_written(&seen.account.id, began, now);
                seen
            });
            replace(snapshot, pieced);
        }
    }
}

/// What is wanted of each client, or of some, as digests.
fn digests(wanted: &Wanted, only: Option<&BTreeSet<ClientName>>) -> BTreeMap<ClientName, String> {
    let clients = wanted.clients.iter().filter(|client| only.is_none_or(|only| only.contains(&client.name)));
    clients.map(|client| (client.name.clone(), plan::wanted_digest(client))).collect()
}

/// Puts accounts as they were just seen into the snapshot.
fn replace(snapshot: &mut Snapshot, seen: impl IntoIterator<Item = ObservedAccount>) {
    let mut places: HashMap<AccountId, usize> =
        snapshot.accounts.iter().enumerate().map(|(place, old)| (old.account.id.clone(), place)).collect();
    for account in seen {
        match places.get(&account.account.id) {
            Some(place) => snapshot.accounts[*place] = account,
            None => {
                places.insert(account.account.id.clone(), snapshot.accounts.len());
                snapshot.accounts.push(account);
            }
        }
    }
}

fn matched(wanted: &Wanted, snapshot: &Snapshot) -> BTreeMap<ClientName, Option<AccountId>> {
    let accounts: Vec<_> = snapshot.accounts.iter().map(|seen| &seen.account).collect();
    let matching = match_accounts(wanted, &accounts);
    wanted
        .clients
        .iter()
        .filter_map(|client| match matching.account_of(&client.name) {
            Match::Account(index) => Some((client.name.clone(), Some(accounts[index].id.clone()))),
            Match::New => Some((client.name.clone(), None)),
            Match::Blocked { .. } => None,
        })
        .collect()
}

fn planned<'a>(plan: &'a Plan, only: Option<&'a BTreeSet<ClientName>>) -> impl Iterator<Item = &'a Action> {
    plan.accounts
        .iter()
        .filter(move |account| {
            account.client.as_ref().is_some_and(|client| only.is_none_or(|only| only.contains(client)))
        })
        .flat_map(|account: &AccountPlan| &account.actions)
        .filter(|action| action.state == ActionState::Planned)
}

fn due(plan: &Plan, only: Option<&BTreeSet<ClientName>>) -> usize {
    planned(plan, only).count()
}

fn creates(plan: &Plan, only: Option<&BTreeSet<ClientName>>) -> bool {
    planned(plan, only).any(|action| action.op.kind() == OpKind::CreateAccount)
}
