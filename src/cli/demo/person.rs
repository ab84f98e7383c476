//! The person whom the daemon asks what nobody can know: looks at the service, and answers.

use std::path::Path;

use jiff::SignedDuration;

use crate::domain::{AccountId, AccountName, MachineClock};
use crate::journal::people::{Ending, Person};
use crate::journal::{Address, Rules, ScopeView, State, open_beside};
use crate::sandbox::Sandbox;

use super::daemon::SETTLE;

/// The name that stands in the history.
const NAME: &str = "the demonstration";

/// Answers what is asked; how many questions there were.
pub async fn answer(journal: &Path, sandbox: &Sandbox) -> u64 {
    // Before the first life there is none.
    let Ok(journal) = open_beside(&Address::File(journal.to_owned())).await else { return 0 };
    let rules = Rules { settle: SignedDuration::try_from(SETTLE).unwrap_or_default(), ..Rules::default() };
    let person = Person::new(journal.as_ref(), NAME, &MachineClock, rules);
    let mut answered = 0;
    for view in ScopeView::read_all(journal.as_ref()).await.unwrap_or_default() {
        for row in view.rows.iter().filter(|row| row.state == State::Ask) {
            let name = row.account_name.as_ref().map(AccountName::to_string).unwrap_or_default();
            let ending = match sandbox.accounts_named(&name).await.first() {
                Some(id) => Ending::Created(AccountId::new(id.to_string())),
                None => Ending::NotCreated,
            };
            if person.resolve(&row.operation.scope, &row.id(), &ending).await.is_ok() {
                answered += 1;
            }
        }
    }
    journal.close().await;
    answered
}
