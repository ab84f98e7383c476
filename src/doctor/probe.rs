//! Trying a sandbox out: two accounts of one name, which stay.

use std::time::{Duration, Instant};

use crate::domain::{AccountId, AccountName, Email, Foreign};
use crate::provider::{ApiError, ApiErrorKind, NewAccount, Read, Write};

use super::profile::Probed;

/// Between two looks at the list.
const PAUSE: Duration = Duration::from_millis(200);

/// Makes two accounts of one name, and looks until the list shows the first, at most so long.
///
/// # Errors
/// The first account could not be made, or the list not be read.
pub async fn probe(reader: &dyn Read, writer: &dyn Write, name: &str, at_most: Duration) -> Result<Probed, ApiError> {
    let new = |which: &str| NewAccount {
        name: AccountName::new(name),
        email: Some(Email::lenient(format!("doctor+{which}@bursar.example"))),
        plan: None,
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
