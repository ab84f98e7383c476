//! The protocol: from a row and an event to the next row and what is to be done about it.
//! Pure, and the only place that changes a row; the model check searches this very function.
//!
//! ```text
//!              Permit                Done
//!  prepared ────────────► sending ─────────► done
//!   ▲  ▲  ▲   NotSent      │  │ └─ Refused ─► refused ── Retry ──► prepared (attempt + 1)
//!   │  │  └────────────────┘  │ lost answer, owner gone
//!   │  │                      ▼
//!   │  └── Freely, absent ─ unknown ── seen ─► done
//!   │                      ▲  │ ▲
//!   │                      │  │ └── UnderKey: sending again, the same key
//!   │                      │  ▼ looked for three times in vain
//!   └──── NotCreated ──── ask ──── Created, seen ─► done
//! ```

use jiff::{SignedDuration, Timestamp};

use crate::domain::{AccountId, RequestId};
use crate::plan::Verdict;

use super::operation::Owner;
use super::row::{Repeat, Row, State};

#[cfg(test)]
mod tests;

/// How long things take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// How long after its deadline a write may still take effect and show in a list
    /// (`--settle`).
    pub settle: SignedDuration,
    /// How long a server keeps a key; a request is sent again under it for half as long.
    pub key_life: SignedDuration,
    /// How often a write that cannot be found is looked for before a person is asked.
    pub looks: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Self { settle: SignedDuration::from_secs(180), key_life: SignedDuration::from_hours(24), looks: 3 }
    }
}

/// Something that happened, or was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Its owner is about to send. `looked` says that everything was read completely after
    /// the row had been prepared, and it was not there (rule R3).
    Permit { owner: Owner, now: Timestamp, deadline: Timestamp, looked: bool },
    /// The answer to a request that was permitted.
    Answered { owner: Owner, now: Timestamp, answer: Answer },
    /// Its owner is gone: `proved` where it cannot live any more, for it held a lock that we
    /// hold; else only its deadline tells.
    Orphaned { now: Timestamp, proved: bool },
    /// The journal lost its last commits (a failover): what it calls prepared may have been
    /// sent, by a permit that ends at this time at the latest.
    Doubted { deadline: Timestamp },
    /// Another process goes on with what its owner prepared.
    TakenOver { owner: Owner },
    /// Everything was read completely, beginning at this time (rule R4: an incomplete read is
    /// no event at all).
    Looked { began: Timestamp, sight: Sight },
    /// The same bytes are to be sent again under the same key.
    Resend { owner: Owner, now: Timestamp, deadline: Timestamp },
    /// What was refused is tried anew, perhaps with other bytes.
    Retry { owner: Owner, request: String },
    /// Meant and not sent, and not wanted any more.
    Withdrawn { now: Timestamp },
    /// It left the manifests, or a person wants it anew.
    Released,
    /// A person says how it ended.
    Resolved { now: Timestamp, word: Word },
}

/// What came back, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It was done, and the answer agrees with the request.
    Done {
        /// The account that was made, for a create.
        account: Option<AccountId>,
        /// The person was invited only.
        invited: bool,
        /// The server's id of the request.
        request_id: Option<RequestId>,
    },
    /// Nothing was written to the wire.
    NotSent { verdict: Verdict },
    /// The server did nothing, and would do the same later (429): the attempt goes on under
    /// its key, so that whoever lost the journal comes to the same one.
    TurnedAway { verdict: Verdict },
    /// The server did nothing.
    Refused { verdict: Verdict },
    /// Under a key: the first request with it still runs.
    StillRunning { verdict: Verdict },
    /// Under a key: it was used for other bytes. Whatever was made with them is not known.
    KeyReused { verdict: Verdict },
    /// It may have happened or not.
    Unknown { verdict: Verdict },
}

/// What a complete look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// It is so; with the account, for a create.
    There { account: Option<AccountId> },
    /// It is not so.
    Absent,
    /// More than one account could be it.
    Several { accounts: Vec<AccountId> },
}

/// A person's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// It happened; with the account, for a create.
    Created { account: Option<AccountId> },
    /// It did not.
    NotCreated,
}

/// What is to be done about a row now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Read everything completely, then ask for the permit.
    Look,
    /// Ask for the permit.
    AskPermit,
    /// Send, once, before the deadline.
    Send { until: Timestamp },
    /// Look whether it is there, but not before this time.
    LookFor { from: Timestamp },
    /// Send the same bytes under the same key, until then; look for it afterwards.
    SendAgain { until: Timestamp },
    /// A person has to say how it ended.
    AskPerson,
    /// More than one account could be it.
    Alarm { accounts: Vec<AccountId> },
    /// Nothing: it is so.
    Rest,
    /// Nothing, until its wait ends or something changes.
    Wait,
}

/// An event that the row does not allow: nothing may be done on its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// Not in this state.
    #[error("the operation is not in a state for this")]
    State,
    /// Somebody else's.
    #[error("the operation belongs to another process")]
    NotYours,
    /// Everything must be read once more first (rule R3).
    #[error("the accounts must be read again before this is sent")]
    NotLooked,
    /// It is not known yet whether its owner is gone.
    #[error("the process that sends it may still be alive")]
    OwnerAlive,
    /// The key has no life left to be relied on.
    #[error("the idempotency key is too old to be sent again")]
    KeyTooOld,
    /// It was done a moment ago, and what was read may be older than that (rule R1).
    #[error("it was done a moment ago, and what was read may be older than that")]
    Settling,
    /// It was done before, and somebody undid it (rule R1).
    #[error("it was done before, and somebody undid it")]
    Undone,
    /// Sending again could make a second thing (rule R2).
    #[error("it is not sent again while its outcome is unknown")]
    Unrepeatable,
    /// What was sent may still take effect, so nobody can know that it did not.
    #[error("what was sent may still take effect; look again when it has had time to settle")]
    TooEarly,
}

/// The next row, and what is to be done about it. The row's version is left to whoever
/// writes it.
///
/// # Errors
/// The row does not allow the event; it stays as it is.
pub fn step(row: &Row, event: &Event, rules: &Rules) -> Result<(Row, Vec<Effect>), Rejected> {
    let mut next = row.clone();
    match event {
        Event::Permit { owner, now, deadline, looked } => permit(&mut next, owner, *now, *deadline, *looked)?,
        Event::Answered { owner, now, answer } => answered(&mut next, owner, *now, answer)?,
        Event::Orphaned { now, proved } => orphaned(&mut next, *now, *proved)?,
        Event::Doubted { deadline } => doubted(&mut next, *deadline)?,
        Event::TakenOver { owner } => match row.state {
            State::Prepared => next.owner = owner.clone(),
            _ => return Err(Rejected::State),
        },
        Event::Looked { began, sight } => {
            if let Sight::Several { accounts } = sight {
                several(&mut next)?;
                return Ok((next, vec![Effect::Alarm { accounts: accounts.clone() }, Effect::AskPerson]));
            }
            looked(&mut next, *began, sight, rules)?;
        }
        Event::Resend { owner, now, deadline } => resend(&mut next, owner, *now, *deadline, rules)?,
        Event::Retry { owner, request } => match row.state {
            State::Refused => begin_anew(&mut next, owner, Some(request)),
            _ => return Err(Rejected::State),
        },
        Event::Withdrawn { now } => match row.state {
            State::Prepared => {
                (next.state, next.ended_at, next.verdict, next.released) = (State::Refused, Some(*now), None, true);
            }
            _ => return Err(Rejected::State),
        },
        Event::Released => match row.state {
            State::Done | State::Refused => next.released = true,
            State::Prepared | State::Sending | State::Unknown | State::Ask => return Err(Rejected::State),
        },
        Event::Resolved { now, word } => resolved(&mut next, *now, word, rules)?,
    }
    let effect = due(&next, rules);
    Ok((next, vec![effect]))
}

/// What is to be done about a row as it stands: after a step, and for whoever finds it.
pub fn due(row: &Row, rules: &Rules) -> Effect {
    match row.state {
        State::Prepared if row.repeat == Repeat::Never => Effect::Look,
        State::Prepared => Effect::AskPermit,
        State::Sending => Effect::Send { until: row.deadline.unwrap_or(Timestamp::MIN) },
        State::Unknown if row.repeat == Repeat::UnderKey && row.looks == 0 => {
            Effect::SendAgain { until: key_lives_until(row, rules) }
        }
        State::Unknown => Effect::LookFor { from: settles_at(row, rules) },
        State::Ask => Effect::AskPerson,
        State::Done => Effect::Rest,
        State::Refused => Effect::Wait,
    }
}

/// When what was sent has taken effect and shows, if it ever does.
pub fn settles_at(row: &Row, rules: &Rules) -> Timestamp {
    let deadline = row.deadline.or(row.ended_at).unwrap_or(Timestamp::MIN);
    deadline.saturating_add(rules.settle).unwrap_or(Timestamp::MAX)
}

/// Until when a request may be sent again under its key.
pub fn key_lives_until(row: &Row, rules: &Rules) -> Timestamp {
    let first = row.first_sent_at.unwrap_or(Timestamp::MIN);
    first.saturating_add(rules.key_life / 2).unwrap_or(Timestamp::MAX)
}

fn permit(row: &mut Row, owner: &Owner, now: Timestamp, deadline: Timestamp, looked: bool) -> Result<(), Rejected> {
    if row.state != State::Prepared {
        return Err(Rejected::State);
    }
    if row.owner != *owner {
        return Err(Rejected::NotYours);
    }
    // What no journal holds yet cannot have been looked for after it was prepared.
    if row.repeat == Repeat::Never && (!looked || row.version == 0) {
        return Err(Rejected::NotLooked);
    }
    sent(row, owner, now, deadline);
    Ok(())
}

fn sent(row: &mut Row, owner: &Owner, now: Timestamp, deadline: Timestamp) {
    row.state = State::Sending;
    row.owner = owner.clone();
    row.sends += 1;
    row.first_sent_at.get_or_insert(now);
    row.deadline = Some(deadline);
    row.verdict = None;
}

fn answered(row: &mut Row, owner: &Owner, now: Timestamp, answer: &Answer) -> Result<(), Rejected> {
    // A late answer of ours is proof still, after another process gave us up (rule R6).
    let ours = row.owner == *owner;
    match row.state {
        State::Sending if ours => {}
        State::Unknown | State::Ask if ours && matches!(answer, Answer::Done { .. }) => {}
        State::Sending | State::Unknown | State::Ask if !ours => return Err(Rejected::NotYours),
        _ => return Err(Rejected::State),
    }
    match answer {
        Answer::Done { account, invited, request_id } => {
            if account.is_some() {
                row.account_id.clone_from(account);
            }
            row.invited = *invited;
            row.request_id.clone_from(request_id);
            done(row, now);
        }
        Answer::NotSent { verdict } | Answer::TurnedAway { verdict } => {
            row.sends -= u32::from(matches!(answer, Answer::NotSent { .. }));
            told(row, verdict);
            row.state = if row.in_doubt { State::Unknown } else { State::Prepared };
            if row.state == State::Prepared {
                (row.first_sent_at, row.deadline) = (None, None);
            }
        }
        Answer::Refused { verdict } => {
            told(row, verdict);
            // Nothing came of this request; of an earlier one under the same key something may.
            if row.in_doubt {
                row.state = State::Unknown;
            } else {
                (row.state, row.ended_at) = (State::Refused, Some(now));
            }
        }
        Answer::StillRunning { verdict } | Answer::Unknown { verdict } => {
            told(row, verdict);
            (row.state, row.in_doubt) = (State::Unknown, true);
        }
        Answer::KeyReused { verdict } => {
            told(row, verdict);
            (row.state, row.in_doubt) = (State::Ask, true);
        }
    }
    Ok(())
}

fn told(row: &mut Row, verdict: &Verdict) {
    row.request_id.clone_from(&verdict.request_id);
    row.verdict = Some(verdict.clone());
}

fn done(row: &mut Row, now: Timestamp) {
    row.state = State::Done;
    row.ended_at = Some(now);
    row.in_doubt = false;
    row.looks = 0;
    row.verdict = None;
}

fn orphaned(row: &mut Row, now: Timestamp, proved: bool) -> Result<(), Rejected> {
    if row.state != State::Sending {
        return Err(Rejected::State);
    }
    if !proved && row.deadline.is_none_or(|deadline| now <= deadline) {
        return Err(Rejected::OwnerAlive);
    }
    (row.state, row.in_doubt) = (State::Unknown, true);
    Ok(())
}

fn doubted(row: &mut Row, deadline: Timestamp) -> Result<(), Rejected> {
    if !matches!(row.state, State::Prepared | State::Sending) {
        return Err(Rejected::State);
    }
    (row.state, row.in_doubt) = (State::Unknown, true);
    // Without one, a look would count while the request that nobody remembers is on its way.
    row.deadline = row.deadline.max(Some(deadline));
    // Its key, if it was sent under one, is about as old.
    row.first_sent_at.get_or_insert(deadline);
    Ok(())
}

fn looked(row: &mut Row, began: Timestamp, sight: &Sight, rules: &Rules) -> Result<(), Rejected> {
    if let Sight::There { account } = sight {
        return match row.state {
            State::Prepared | State::Unknown | State::Ask | State::Refused => {
                if account.is_some() {
                    row.account_id.clone_from(account);
                }
                done(row, began);
                Ok(())
            }
            State::Done | State::Sending => Err(Rejected::State),
        };
    }
    if row.state != State::Unknown {
        return Err(Rejected::State);
    }
    match row.repeat {
        Repeat::Freely => {
            let owner = row.owner.clone();
            begin_anew(row, &owner, None);
        }
        Repeat::UnderKey if began < key_lives_until(row, rules) => {}
        Repeat::UnderKey | Repeat::Never => {
            // Too early, it proves nothing: what was sent may still be on its way.
            if began >= settles_at(row, rules) {
                row.looks += 1;
            }
            if row.looks >= rules.looks {
                row.state = State::Ask;
            }
        }
    }
    Ok(())
}

fn several(row: &mut Row) -> Result<(), Rejected> {
    match row.state {
        State::Unknown | State::Ask => {
            (row.state, row.in_doubt) = (State::Ask, true);
            Ok(())
        }
        // Nothing of ours is among them that was sent.
        State::Prepared | State::Sending | State::Done | State::Refused => Err(Rejected::State),
    }
}

fn resend(row: &mut Row, owner: &Owner, now: Timestamp, deadline: Timestamp, rules: &Rules) -> Result<(), Rejected> {
    if row.state != State::Unknown {
        return Err(Rejected::State);
    }
    if row.repeat != Repeat::UnderKey {
        return Err(Rejected::Unrepeatable);
    }
    if now >= key_lives_until(row, rules) {
        return Err(Rejected::KeyTooOld);
    }
    sent(row, owner, now, deadline);
    Ok(())
}

fn resolved(row: &mut Row, now: Timestamp, word: &Word, rules: &Rules) -> Result<(), Rejected> {
    if !matches!(row.state, State::Unknown | State::Ask) {
        return Err(Rejected::State);
    }
    match word {
        Word::Created { account } => {
            if account.is_some() {
                row.account_id.clone_from(account);
            }
            done(row, now);
        }
        Word::NotCreated if now < settles_at(row, rules) => return Err(Rejected::TooEarly),
        Word::NotCreated => {
            let owner = row.owner.clone();
            begin_anew(row, &owner, None);
        }
    }
    Ok(())
}

fn begin_anew(row: &mut Row, owner: &Owner, request: Option<&String>) {
    row.state = State::Prepared;
    row.attempt += 1;
    row.owner = owner.clone();
    if let Some(request) = request {
        row.request.clone_from(request);
    }
    (row.in_doubt, row.looks, row.released) = (false, 0, false);
    (row.first_sent_at, row.deadline, row.ended_at) = (None, None, None);
}
