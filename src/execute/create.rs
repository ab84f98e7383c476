//! Creating an account: the one request that makes a second thing when it is repeated. With
//! keys, a lost answer is asked for again under the same key; without, it is looked for in
//! the list, and never sent again (rule R2).

use crate::domain::AccountId;
use crate::journal::request::made_by;
use crate::journal::{Answer, BookError, Intent, Permit, Repeat, Request, Row, Sight, State};
use crate::plan::{OpKind, Verdict};
use crate::provider::{Account, ApiError, Class, NewAccount, Write, Written};

use super::outcome::{Outcome, Refusal, classify};
use super::verdict::{self, not_done, not_permitted};
use super::{Executor, TRIES};

/// How creating ended.
pub enum Created {
    /// There is exactly one, by the answer or by reading back.
    One(Box<Written<Account>>),
    /// There are several that could be it: an alarm.
    Several(Vec<AccountId>),
    /// Refused, never sent, or not known.
    Not(Verdict),
}

impl Executor<'_> {
    /// Creates once.
    pub(super) async fn create(&self, intent: &Intent) -> Created {
        let mut attempt = 1;
        loop {
            let class = if attempt == 1 { self.class_of_create(intent) } else { Class::Finish };
            let writer = match self.turn(class).await {
                Ok(writer) => writer,
                Err(error) => {
                    let outcome = classify(OpKind::CreateAccount, Err(&error));
                    return Created::Not(not_done(OpKind::CreateAccount, &outcome, &error));
                }
            };
            let permit = match self.permit_create(intent).await {
                Ok(permit) => permit,
                Err(error) => return Created::Not(not_permitted(&error)),
            };
            let Some(new) = Request::from_json(&permit.row.request).and_then(|request| request.new_account()) else {
                let message = "the journal holds a request that this version of bursar cannot read".to_owned();
                return Created::Not(verdict::failed(None, message));
            };
            let (row, outcome, error) = match self.send_create(writer.as_ref(), &permit, &new).await {
                Ok(written) => return Created::One(Box::new(written)),
                Err(ended) => ended,
            };
            let go_on = match row.as_ref().map(|row| (row.state, row.repeat)) {
                Some((State::Unknown, Repeat::Never | Repeat::Freely)) => return self.look_for(row, &new, error).await,
                Some((State::Unknown, Repeat::UnderKey) | (State::Prepared, _)) => true,
                Some((State::Refused, _)) => matches!(outcome, Outcome::Quota { .. }),
                // The journal did not take the answer: it is found unsettled at the next look.
                Some(_) | None => return Created::Not(verdict::settling(&error)),
            };
            let unknown = row.is_some_and(|row| row.state == State::Unknown);
            if !go_on || attempt >= TRIES || self.cancel.is_cancelled() || !self.wait(&outcome, attempt).await {
                let told =
                    if unknown { verdict::settling(&error) } else { not_done(OpKind::CreateAccount, &outcome, &error) };
                return Created::Not(told);
            }
            attempt += 1;
        }
    }

    /// Asking again for what may have been made finishes it.
    fn class_of_create(&self, intent: &Intent) -> Class {
        let begun = self.book.latest(&intent.series).is_some_and(|row| row.state == State::Unknown);
        if begun { Class::Finish } else { Class::Write }
    }

    async fn permit_create(&self, intent: &Intent) -> Result<Permit, BookError> {
        match self.book.latest(&intent.series) {
            Some(row) if row.state == State::Unknown && row.repeat == Repeat::UnderKey && self.keys() => {
                self.book.permit_again(&row).await
            }
            _ => self.book.permit(intent, self.looked).await,
        }
    }

    /// Sends once what was permitted. What came of it, and the row as the journal has it then.
    async fn send_create(
        &self,
        writer: &dyn Write,
        permit: &Permit,
        new: &NewAccount,
    ) -> Result<Written<Account>, (Option<Row>, Outcome, ApiError)> {
        let row = &permit.row;
        let key = (row.repeat == Repeat::UnderKey).then(|| row.operation.key(row.attempt));
        let sent = if self.book.holds(permit) {
            writer.create_account(new, key.as_ref()).await
        } else {
            Err(verdict::too_late("POST /accounts"))
        };
        let error = match sent {
            Ok(written) => {
                let (account, request_id) = (Some(written.value.id.clone()), written.request_id.clone());
                self.record(row, Answer::Done { account, invited: false, request_id }).await;
                return Ok(written);
            }
            Err(error) => error,
        };
        let outcome = classify(OpKind::CreateAccount, Err(&error));
        let verdict = not_done(OpKind::CreateAccount, &outcome, &error);
        let answer = match outcome {
            Outcome::NotSent | Outcome::Quota { sent: false, .. } => Answer::NotSent { verdict },
            Outcome::Unknown { .. } | Outcome::Done => Answer::Unknown { verdict: verdict::settling(&error) },
            Outcome::Refused { reason: Refusal::Conflict } if key.is_some() => Answer::StillRunning { verdict },
            Outcome::Refused { reason: Refusal::KeyReused } if key.is_some() => Answer::KeyReused { verdict },
            Outcome::Quota { sent: true, .. } => Answer::TurnedAway { verdict },
            Outcome::Refused { .. } => Answer::Refused { verdict },
        };
        Err((self.record(row, answer).await, outcome, error))
    }

    /// Looks for an account that was not there before and bears this name and email.
    async fn look_for(&self, row: Option<Row>, new: &NewAccount, error: ApiError) -> Created {
        let Some(mut row) = row else { return Created::Not(verdict::settling(&error)) };
        for attempt in 1..=TRIES {
            self.pause(attempt).await;
            let began = self.book.clock().now();
            let Some(accounts) = self.read_back(&mut || self.reader.accounts()).await else { break };
            let mut ours: Vec<_> = accounts
                .into_iter()
                .filter(|account| !self.known_ids.contains(&account.id) && made_by(&row, account, new))
                .collect();
            let ids: Vec<_> = ours.iter().map(|account| account.id.clone()).collect();
            let sight = match ids.len() {
                0 => Sight::Absent,
                1 => Sight::There { account: ids.first().cloned() },
                _ => Sight::Several { accounts: ids.clone() },
            };
            if let Ok(next) = self.book.looked(&row, began, sight).await {
                row = next;
            }
            match ours.len() {
                0 => {}
                1 => return Created::One(Box::new(Written { value: ours.remove(0), request_id: None })),
                _ => return Created::Several(ids),
            }
        }
        Created::Not(verdict::settling(&error))
    }
}
