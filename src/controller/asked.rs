//! What people ask of a running daemon through its journal (`bursar reconcile`): whoever may
//! write there may ask.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::journal::{Entry, EntryKind, Journal, JournalError, Query, Seq};

use super::board::Board;
use super::daemon::Ask;

/// How soon somebody who asks is heard.
const EVERY: Duration = Duration::from_secs(1);
/// How soon after the journal could not be read.
const AFTER_TROUBLE: Duration = Duration::from_secs(10);

/// Passes on what is asked, each to its fleet, until it is cancelled. What was asked before is
/// past: every fleet looks at everything when it begins.
pub async fn hear(journal: Arc<dyn Journal>, fleets: Vec<(Board, mpsc::Sender<Ask>)>, cancel: CancellationToken) {
    let mut after = None;
    loop {
        let wait = match news(journal.as_ref(), after).await {
            Ok((entries, last)) => {
                after = Some(last);
                for entry in entries {
                    pass_on(&entry, &fleets);
                }
                EVERY
            }
            // The passes tell of it.
            Err(error) => {
                tracing::debug!(%error, "what is asked for cannot be read");
                AFTER_TROUBLE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = cancel.cancelled() => return,
        }
    }
}

/// What was asked after a place, and the last place there is; nothing the first time.
async fn news(journal: &dyn Journal, after: Option<Seq>) -> Result<(Vec<Entry>, Seq), JournalError> {
    let Some(after) = after else {
        let last = journal.history(&Query { latest: Some(1), ..Query::default() }).await?;
        return Ok((Vec::new(), last.last().map_or(0, |last| last.seq)));
    };
    let query = Query { kinds: vec![EntryKind::LookAsked], after: Some(after), ..Query::default() };
    let asked = journal.history(&query).await?;
    let last = asked.last().map_or(after, |last| last.seq);
    Ok((asked.into_iter().map(|recorded| recorded.entry).collect(), last))
}

fn pass_on(entry: &Entry, fleets: &[(Board, mpsc::Sender<Ask>)]) {
    for (_, look) in fleets.iter().filter(|(board, _)| board.scope().as_ref() == Some(&entry.scope)) {
        let ask = entry.client.clone().map_or(Ask::Operator, Ask::Client);
        // Where there is no room, so much is asked for already that this is no news.
        let _ = look.try_send(ask);
    }
}
