//! Trying a sandbox out: two accounts of one name, which stay.

use std::time::{Duration, Instant};

use crate::domain::{AccountId, AccountName, Email, Foreign, Money};
use crate::provider::{ApiError, ApiErrorKind, NewAccount, NewPlan, PlanOffer, Quirk, Read, Write};

use super::profile::Probed;

/// Between two looks at the list.
const PAUSE: Duration = Duration::from_millis(200);

/// Makes two accounts of one name, and looks until the list shows the first, at most so long.
///
/// # Errors
/// The first account could not be made, or the list not be read.
pub async fn probe(reader: &dyn Read, writer: &dyn Write, name: &str, at_most: Duration) -> Result<Probed, ApiError> {
    let offer = reader.offer().await?;
    // Where an account is made with a plan, one that costs nothing.
    let free = |plan: &&PlanOffer| plan.available && plan.base_price == Some(Money::ZERO);
    let free = offer.plans.iter().filter(|_| offer.has_quirk(Quirk::PlanAtCreation)).find(free);
    let email = |which: &str| Email::lenient(format!("doctor+{which}@bursar.example"));
    let new = |which: &str| NewAccount {
        name: AccountName::new(name),
        email: Some(email(which)).filter(|_| !offer.has_quirk(Quirk::EmailAfterwards)),
        plan: free.map(|plan| NewPlan { plan: plan.id.clone(), seats: None }),
    };
    let first = writer.create_account(&new("one"), None).await?.value.id;
    let lag = lag(reader, &first, at_most).await?;
    let unique = match writer.create_account(&new("two"), None).await {
        Ok(_) => None,
        Err(ApiError { kind: ApiErrorKind::Refused { message, errors, .. }, .. }) => {
            let said = errors.get("name").and_then(|faults| faults.first());
            Some(said.map_or(message, Foreign::clone))
        }
        Err(error) => return Err(error),
    };
    Ok(Probed { name: Foreign::new(name), lag, unique })
}

async fn lag(reader: &dyn Read, id: &AccountId, at_most: Duration) -> Result<Result<Duration, Duration>, ApiError> {
    let began = Instant::now();
    loop {
        let accounts = reader.accounts().await?;
        let waited = began.elapsed();
        if accounts.iter().any(|account| account.id == *id) {
            return Ok(Ok(waited));
        }
        if waited >= at_most {
            return Ok(Err(waited));
        }
        tokio::time::sleep(PAUSE).await;
    }
}
