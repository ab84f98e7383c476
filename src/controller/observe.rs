//! Observing: whose token, what is offered, the list, and the details of the accounts that
//! a manifest manages. `ceil(A/100) + 2` requests where the server embeds details; two more
//! for each managed account where it does not, and none for those that did not move.

use std::collections::HashMap;

use futures::StreamExt as _;

use crate::domain::{AccountId, Foreign};
use crate::manifest::Wanted;
use crate::plan::{ObservedAccount, Reading, Snapshot, match_accounts};
use crate::provider::{Account, ApiError, ApiErrorKind, Capability, Read};

/// Account details read at once.
const AT_ONCE: usize = 8;

/// Reads the live world completely.
///
/// `previous` saves reading the details of accounts whose `updated_at` did not move, where
/// the server says that it can be trusted.
///
/// # Errors
/// Whose token it is, what is offered, and the list must all be there: a list that failed
/// is unknown, never empty. One account's details that failed are [`Reading::Failed`].
pub async fn observe(reader: &dyn Read, wanted: &Wanted, previous: Option<&Snapshot>) -> Result<Snapshot, ApiError> {
    // First, by itself: with a token that is not accepted, nothing else is worth asking.
    let identity = reader.identity().await?;
    let (offer, accounts) = futures::try_join!(reader.offer(), reader.accounts())?;
    let mut snapshot =
        Snapshot { identity, offer, accounts: accounts.into_iter().map(ObservedAccount::from).collect() };
    let previous = previous.filter(|previous| {
        previous.identity == snapshot.identity && snapshot.offer.capabilities.has(Capability::UpdatedAt)
    });
    let unmoved: HashMap<&AccountId, &ObservedAccount> = previous
        .iter()
        .flat_map(|previous| &previous.accounts)
        .filter(|seen| seen.account.updated_at.is_some())
        .map(|seen| (&seen.account.id, seen))
        .collect();
    for observed in &mut snapshot.accounts {
        if let Some(seen) = unmoved.get(&observed.account.id)
            && seen.account.updated_at == observed.account.updated_at
        {
            carry_over(observed, seen);
        }
    }
    if snapshot.offer.account_management {
        read_details(reader, wanted, &mut snapshot).await?;
    }
    Ok(snapshot)
}

/// Reads one account again; `None` where it is absent or not visible.
///
/// # Errors
/// The account itself could not be read.
pub async fn observe_account(reader: &dyn Read, id: &AccountId) -> Result<Option<ObservedAccount>, ApiError> {
    let Some(account) = reader.account(id).await? else { return Ok(None) };
    let mut observed = ObservedAccount::from(account);
    complete(reader, &mut observed).await?;
    Ok(Some(observed))
}

fn carry_over(observed: &mut ObservedAccount, seen: &ObservedAccount) {
    if observed.subscription == Reading::NotRead && seen.subscription.seen().is_some() {
        observed.subscription = seen.subscription.clone();
    }
    if observed.members == Reading::NotRead && seen.members.seen().is_some() {
        observed.members = seen.members.clone();
    }
}

/// Reads the details of every account that a manifest manages and whose list entry did not
/// bring them.
///
/// # Errors
/// The quota is used up: that is nobody's own trouble, and ends the look. Any other failure
/// is the account's alone ([`Reading::Failed`]).
pub async fn read_details(reader: &dyn Read, wanted: &Wanted, snapshot: &mut Snapshot) -> Result<(), ApiError> {
    let accounts: Vec<&Account> = snapshot.accounts.iter().map(|observed| &observed.account).collect();
    let managed: Vec<usize> = match_accounts(wanted, &accounts).managed().collect();
    read_details_of(reader, managed, snapshot).await
}

/// Reads the live world completely, the details of unmanaged accounts included.
///
/// # Errors
/// As [`observe`].
pub async fn observe_all(reader: &dyn Read) -> Result<Snapshot, ApiError> {
    let mut snapshot = observe(reader, &Wanted::default(), None).await?;
    if snapshot.offer.account_management {
        let all = (0..snapshot.accounts.len()).collect();
        read_details_of(reader, all, &mut snapshot).await?;
    }
    Ok(snapshot)
}

async fn read_details_of(reader: &dyn Read, which: Vec<usize>, snapshot: &mut Snapshot) -> Result<(), ApiError> {
    let due: Vec<_> = which
        .into_iter()
        .filter(|index| {
            let observed = &snapshot.accounts[*index];
            observed.subscription == Reading::NotRead || observed.members == Reading::NotRead
        })
        .map(|index| (index, snapshot.accounts[index].clone()))
        .collect();
    let mut read = futures::stream::iter(due)
        .map(|(index, mut observed)| async move { complete(reader, &mut observed).await.map(|()| (index, observed)) })
        .buffer_unordered(AT_ONCE);
    while let Some(read) = read.next().await {
        let (index, observed) = read?;
        snapshot.accounts[index] = observed;
    }
    Ok(())
}

async fn complete(reader: &dyn Read, observed: &mut ObservedAccount) -> Result<(), ApiError> {
    let id = observed.account.id.clone();
    let (subscription, members) = tokio::join!(
        async { if observed.subscription == Reading::NotRead { Some(reader.subscription(&id).await) } else { None } },
        async { if observed.members == Reading::NotRead { Some(reader.members(&id).await) } else { None } },
    );
    if let Some(read) = subscription {
        observed.subscription = reading(read)?;
    }
    if let Some(read) = members {
        observed.members = reading(read)?;
    }
    Ok(())
}

fn reading<T>(read: Result<T, ApiError>) -> Result<Reading<T>, ApiError> {
    match read {
        Ok(value) => Ok(Reading::Seen(value)),
        Err(error) if matches!(error.kind, ApiErrorKind::Quota { .. }) => Err(error),
        Err(error) => Ok(Reading::Failed(Foreign::new(error.to_string()))),
    }
}
