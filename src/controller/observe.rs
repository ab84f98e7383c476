//! Observing: whose token, what is offered, the list, and the details of the accounts that
//! a manifest manages. Where the server does not embed them, they cost two requests an
//! account: which are read again is decided in [`rolling`](super::rolling).

use futures::StreamExt as _;

use crate::domain::{AccountId, Foreign};
use crate::manifest::Wanted;
use crate::plan::{ObservedAccount, Reading, Snapshot, match_accounts};
use crate::provider::{Account, ApiError, ApiErrorKind, Identity, Offer, Read};

/// Account details read at once.
const AT_ONCE: usize = 8;

/// Whose token it is, and what the server offers.
pub type Terms = (Identity, Offer);

/// Reads the list; and the terms, where those that are known do not hold any more, or are of
/// another world than the list. Details are those that the server embeds.
///
/// # Errors
/// Terms and list must all be there: a list that failed is unknown, never empty.
pub async fn look_over(reader: &dyn Read, known: Option<Terms>) -> Result<(Snapshot, bool), ApiError> {
    if let Some((identity, offer)) = known {
        let accounts = reader.accounts().await?;
        // A sandbox that was reset says so in each answer.
        if reader.line().world() == identity.scope.world {
            return Ok((snapshot(identity, offer, accounts), false));
        }
    }
    // First, by itself: with a token that is not accepted, nothing else is worth asking.
    let identity = reader.identity().await?;
    let (offer, accounts) = futures::try_join!(reader.offer(), reader.accounts())?;
    Ok((snapshot(identity, offer, accounts), true))
}

fn snapshot(identity: Identity, offer: Offer, accounts: Vec<Account>) -> Snapshot {
    Snapshot { identity, offer, accounts: accounts.into_iter().map(ObservedAccount::from).collect() }
}

/// Reads the live world completely, with the details of the accounts that a manifest manages.
///
/// # Errors
/// As [`look_over`]. One account's details that failed are [`Reading::Failed`].
pub async fn observe(reader: &dyn Read, wanted: &Wanted) -> Result<Snapshot, ApiError> {
    let (mut snapshot, _) = look_over(reader, None).await?;
    if snapshot.offer.account_management {
        read_details(reader, wanted, &mut snapshot).await?;
    }
    Ok(snapshot)
}

/// Reads one account again; `None` where it is absent or not visible.
///
/// # Errors
/// The account itself could not be read.
async fn observe_account(reader: &dyn Read, id: &AccountId) -> Result<Option<ObservedAccount>, ApiError> {
    let Some(account) = reader.account(id).await? else { return Ok(None) };
    let mut observed = ObservedAccount::from(account);
    complete(reader, &mut observed).await?;
    Ok(Some(observed))
}

/// Reads the details of every account that a manifest manages and whose list entry did not
/// bring them.
///
/// # Errors
/// The quota is used up: that is nobody's own trouble, and ends the look. Any other failure
/// is the account's alone ([`Reading::Failed`]).
pub async fn read_details(reader: &dyn Read, wanted: &Wanted, snapshot: &mut Snapshot) -> Result<(), ApiError> {
    read_details_of(reader, managed(wanted, snapshot), snapshot).await
}

/// The places of the accounts that a manifest manages.
pub fn managed(wanted: &Wanted, snapshot: &Snapshot) -> Vec<usize> {
    let accounts: Vec<&Account> = snapshot.accounts.iter().map(|observed| &observed.account).collect();
    match_accounts(wanted, &accounts).managed().collect()
}

/// Reads the live world completely, the details of unmanaged accounts included.
///
/// # Errors
/// As [`observe`].
pub async fn observe_all(reader: &dyn Read) -> Result<Snapshot, ApiError> {
    let mut snapshot = observe(reader, &Wanted::default()).await?;
    if snapshot.offer.account_management {
        let all = (0..snapshot.accounts.len()).collect();
        read_details_of(reader, all, &mut snapshot).await?;
    }
    Ok(snapshot)
}

/// Reads the details of the accounts in these places, where they are not there.
///
/// # Errors
/// As [`read_details`].
pub async fn read_details_of(reader: &dyn Read, which: Vec<usize>, snapshot: &mut Snapshot) -> Result<(), ApiError> {
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

/// Reads accounts again, some at a time; `None` where one is absent or not visible.
///
/// # Errors
/// An account could not be read.
pub async fn observe_accounts(
    reader: &dyn Read,
    ids: Vec<AccountId>,
) -> Result<Option<Vec<ObservedAccount>>, ApiError> {
    let mut seen = Vec::with_capacity(ids.len());
    let mut read = futures::stream::iter(ids)
        .map(|id| async move { observe_account(reader, &id).await })
        .buffer_unordered(AT_ONCE);
    while let Some(account) = read.next().await {
        let Some(account) = account? else { return Ok(None) };
        seen.push(account);
    }
    Ok(Some(seen))
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
