//! Creating an account: the one request that makes a second thing when it is repeated.

use sha2::{Digest as _, Sha256};

use crate::domain::{AccountId, ClientName};
use crate::provider::{Account, ApiError, IdempotencyKey, NewAccount, Scope};

use super::outcome::{Outcome, Refusal, classify};
use super::{Executor, TRIES};
use crate::plan::OpKind;

/// How creating ended.
pub enum Created {
    /// There is exactly one, by the answer or by reading back.
    One(Box<Account>),
    /// There are several that could be it: an alarm.
    Several(Vec<AccountId>),
    /// Refused, or never sent.
    Not(Outcome, ApiError),
    /// It may exist: never sent again without a key (rule R2).
    Unknown(ApiError),
}

/// The name of this creation. The same client wanting the same account in the same scope
/// has the same key in every process and on every machine, so that a run which knows
/// nothing of an earlier one is answered with the earlier one's account.
pub fn key(scope: &Scope, client: &ClientName, new: &NewAccount) -> IdempotencyKey {
    let Scope { api_url, user_id, world } = scope;
    let NewAccount { name, email } = new;
    let mut hash = Sha256::new();
    for part in [
        "create-account/1",
        api_url,
        user_id,
        world.as_deref().unwrap_or(""),
        client.as_str(),
        name.as_str(),
        email.as_str(),
    ] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let hex: String = hash.finalize().iter().take(24).map(|byte| format!("{byte:02x}")).collect();
    IdempotencyKey::new(format!("bursar-{hex}"))
}

impl Executor<'_> {
    /// Creates once. With keys, a lost answer is asked for again under the same key;
    /// without, it is looked for in the list, and never sent again.
    pub(super) async fn create(&self, client: &ClientName, new: &NewAccount) -> Created {
        let key = self.keys.then(|| key(&self.identity.scope, client, new));
        let mut attempt = 1;
        loop {
            let error = match self.writer.create_account(new, key.as_ref()).await {
                Ok(account) => return Created::One(Box::new(account)),
                Err(error) => error,
            };
            let outcome = classify(OpKind::CreateAccount, Err(&error));
            match &outcome {
                Outcome::Quota { resets_in } => {
                    if attempt > TRIES || !self.wait_for_quota(*resets_in).await {
                        return Created::Not(outcome, error);
                    }
                    attempt += 1;
                    continue;
                }
                Outcome::NotSent => {}
                // The first is still running, or its answer was lost: the key tells.
                Outcome::Refused { reason: Refusal::Conflict } | Outcome::Unknown { .. } if key.is_some() => {}
                Outcome::Unknown { .. } => return self.look_for(new, error).await,
                Outcome::Refused { .. } | Outcome::Done => return Created::Not(outcome, error),
            }
            if attempt > TRIES || self.cancel.is_cancelled() {
                return match outcome {
                    Outcome::NotSent => Created::Not(outcome, error),
                    _ => Created::Unknown(error),
                };
            }
            self.pause(attempt).await;
            attempt += 1;
        }
    }
    /// Looks for an account that was not there before and bears this name and email.
    async fn look_for(&self, new: &NewAccount, error: ApiError) -> Created {
        for attempt in 1..=TRIES {
            self.pause(attempt).await;
            let Some(accounts) = self.read_back(&mut || self.reader.accounts()).await else {
                return Created::Unknown(error);
            };
            let mut ours: Vec<_> = accounts
                .into_iter()
                .filter(|account| !self.known_ids.contains(&account.id) && bears(account, new))
                .collect();
            match ours.len() {
                0 => {}
                1 => return Created::One(Box::new(ours.remove(0))),
                _ => return Created::Several(ours.into_iter().map(|account| account.id).collect()),
            }
        }
        Created::Unknown(error)
    }
}

fn bears(account: &Account, new: &NewAccount) -> bool {
    account.name.as_ref() == Some(&new.name) && account.email.as_ref() == Some(&new.email)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AccountName, Email};

    #[test]
    fn a_key_is_the_same_everywhere_and_another_for_anything_else() {
        let scope = |url: &str, world: Option<&str>| Scope {
            api_url: url.into(),
            user_id: "1".into(),
            world: world.map(str::to_owned),
        };
        let acme = ClientName::parse("acme").unwrap();
        let new = |name: &str| NewAccount { name: AccountName::new(name), email: Email::lenient("a@b.example") };
        let here = key(&scope("http://x/v2", Some("w1")), &acme, &new("Acme"));
        assert_eq!(here, key(&scope("http://x/v2", Some("w1")), &acme, &new("Acme")));
        assert_eq!(here.as_str().len(), "bursar-".len() + 48);
        let others = [
            key(&scope("http://y/v2", Some("w1")), &acme, &new("Acme")),
            key(&scope("http://x/v2", Some("w2")), &acme, &new("Acme")),
            key(&scope("http://x/v2", Some("w1")), &ClientName::parse("acme2").unwrap(), &new("Acme")),
            key(&scope("http://x/v2", Some("w1")), &acme, &new("Acme Inc")),
        ];
        assert!(others.iter().all(|other| *other != here));
    }
}
