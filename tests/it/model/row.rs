//! The bridge to the transition function: small rows and events that a search can keep by
//! the million, and the real ones that they stand for. Every row that the model ever holds
//! came out of `bursar::journal::step`.

use std::cell::RefCell;
use std::collections::HashMap;

use bursar::domain::ClientName;
use bursar::journal::step::{Answer, Effect, Event, Rejected, Rules, Sight, Word, due, step};
use bursar::journal::{Cause, Operation, Owner, Repeat, Row, ScopeId, Standing, State, standing};
use bursar::plan::{OpKind, Series, Verdict, VerdictState};
use jiff::{SignedDuration, Timestamp};

/// A process: one of the two replicas in its present life.
pub type Who = u8;
/// Any process that is gone.
pub const GONE: Who = 2;

/// Ticks since something, counted no further than they matter.
pub type Age = u8;
/// A permit may be used in the tick that it was given in.
pub const FRESH: Age = 0;
/// What was sent that long ago is taken to have settled.
pub const SETTLED: Age = 2;
/// Half the life of a key; also the longest that a request is on its way.
pub const HALF_LIFE: Age = 2;
/// After that a server has forgotten a key.
pub const KEY_LIFE: Age = 2 * HALF_LIFE;

/// A row without what no rule reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SmallRow {
    pub state: State,
    pub repeat: Repeat,
    pub generation: u8,
    pub attempt: u8,
    pub in_doubt: bool,
    pub owner: Who,
    pub looks: u8,
    pub released: bool,
    pub first_sent: Option<Age>,
    pub deadline: Option<Age>,
    pub ended: Option<Age>,
}

/// An event without what no rule reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SmallEvent {
    Permit { who: Who, looked: bool },
    Answered { who: Who, answer: SmallAnswer },
    Orphaned { proved: bool },
    TakenOver { who: Who },
    Looked { ago: Age, there: bool },
    Resend { who: Who },
    Retry { who: Who },
    Released,
    Resolved { created: bool },
}

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SmallAnswer {
    Done,
    NotSent,
    Refused,
    Unknown,
}

/// What is to be done, without the times: the model tries everything at every time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Look,
    AskPermit,
    Send,
    LookFor,
    SendAgain,
    AskPerson,
    Rest,
    Wait,
}

/// What a plan may do about a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands {
    Free,
    NotFree,
}

type Steps = HashMap<(SmallRow, SmallEvent), Result<SmallRow, Rejected>>;

/// The transition function under some rules. It is pure, so each answer is asked for once.
#[derive(Debug)]
pub struct Protocol {
    rules: Rules,
    steps: RefCell<Steps>,
}

fn ticks(count: Age) -> SignedDuration {
    SignedDuration::from_mins(i64::from(count))
}

fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1000)
}

fn owner(who: Who) -> Owner {
    Owner::new(format!("process-{who}"))
}

impl Protocol {
    /// The protocol, with its durations in ticks.
    pub fn new() -> Self {
        let rules = Rules { settle: ticks(SETTLED), key_life: ticks(KEY_LIFE), ..Rules::default() };
        Self { rules, steps: RefCell::default() }
    }

    /// Without the guard on the age of keys.
    pub fn with_keys_for_ever() -> Self {
        let rules = Rules { key_life: SignedDuration::from_hours(500), ..Self::new().rules };
        Self { rules, steps: RefCell::default() }
    }

    /// A new row.
    pub fn prepared(&self, repeat: Repeat, generation: u8, who: Who) -> SmallRow {
        let series =
            Series { client: ClientName::parse("acme").unwrap(), kind: OpKind::CreateAccount, argument: String::new() };
        let operation = Operation { scope: ScopeId::new("scope"), series, generation: u32::from(generation) };
        small(&Row::prepared(operation, owner(who), repeat, String::new(), Cause::default()))
    }

    /// One step of the real function.
    pub fn step(&self, row: SmallRow, event: SmallEvent) -> Result<SmallRow, Rejected> {
        let known = self.steps.borrow().get(&(row, event)).copied();
        known.unwrap_or_else(|| {
            let next = step(&self.large(row), &large_event(event), &self.rules).map(|(next, _)| small(&next));
            self.steps.borrow_mut().insert((row, event), next);
            next
        })
    }

    /// What the real function wants done.
    pub fn due(&self, row: SmallRow) -> Next {
        match due(&self.large(row), &self.rules) {
            Effect::Look => Next::Look,
            Effect::AskPermit => Next::AskPermit,
            Effect::Send { .. } => Next::Send,
            Effect::LookFor { .. } => Next::LookFor,
            Effect::SendAgain { .. } => Next::SendAgain,
            Effect::AskPerson | Effect::Alarm { .. } => Next::AskPerson,
            Effect::Rest => Next::Rest,
            Effect::Wait => Next::Wait,
        }
    }

    /// Whether something may be begun, for a plan made from a read that began so long ago.
    pub fn stands(&self, row: Option<SmallRow>, read: Age) -> Stands {
        match standing(row.map(|row| self.large(row)), now() - ticks(read), &self.rules) {
            Standing::Free => Stands::Free,
            Standing::Unsettled(_) | Standing::Settling(..) | Standing::Undone(_) => Stands::NotFree,
        }
    }

    fn large(&self, row: SmallRow) -> Row {
        let SmallRow { state, repeat, generation, attempt, in_doubt, .. } = row;
        let series =
            Series { client: ClientName::parse("acme").unwrap(), kind: OpKind::CreateAccount, argument: String::new() };
        let operation = Operation { scope: ScopeId::new("scope"), series, generation: u32::from(generation) };
        let at = |age: Option<Age>| age.map(|age| now() - ticks(age));
        Row {
            state,
            attempt: u32::from(attempt),
            // How many there were is checked elsewhere; here it would make states without end.
            sends: 1,
            in_doubt,
            first_sent_at: at(row.first_sent),
            deadline: at(row.deadline),
            looks: u32::from(row.looks),
            ended_at: at(row.ended),
            released: row.released,
            version: 1,
            ..Row::prepared(operation, owner(row.owner), repeat, String::new(), Cause::default())
        }
    }
}

fn small(row: &Row) -> SmallRow {
    let age = |at: Option<Timestamp>| {
        at.map(|at| Age::try_from(now().duration_since(at).as_secs() / ticks(1).as_secs()).unwrap())
    };
    let who = row.owner.as_str().strip_prefix("process-").and_then(|who| who.parse().ok());
    SmallRow {
        state: row.state,
        repeat: row.repeat,
        generation: u8::try_from(row.operation.generation).unwrap(),
        attempt: u8::try_from(row.attempt).unwrap(),
        in_doubt: row.in_doubt,
        owner: who.unwrap(),
        looks: u8::try_from(row.looks).unwrap(),
        released: row.released,
        first_sent: age(row.first_sent_at),
        deadline: age(row.deadline),
        ended: age(row.ended_at),
    }
}

fn large_event(event: SmallEvent) -> Event {
    let now = now();
    match event {
        SmallEvent::Permit { who, looked } => Event::Permit { owner: owner(who), now, deadline: now, looked },
        SmallEvent::Answered { who, answer } => {
            Event::Answered { owner: owner(who), now, answer: large_answer(answer) }
        }
        SmallEvent::Orphaned { proved } => Event::Orphaned { now, proved },
        SmallEvent::TakenOver { who } => Event::TakenOver { owner: owner(who) },
        SmallEvent::Looked { ago, there } => Event::Looked {
            began: now - ticks(ago),
            sight: if there { Sight::There { account: None } } else { Sight::Absent },
        },
        SmallEvent::Resend { who } => Event::Resend { owner: owner(who), now, deadline: now },
        SmallEvent::Retry { who } => Event::Retry { owner: owner(who), request: String::new() },
        SmallEvent::Released => Event::Released,
        SmallEvent::Resolved { created: true } => Event::Resolved { now, word: Word::Created { account: None } },
        SmallEvent::Resolved { created: false } => Event::Resolved { now, word: Word::NotCreated },
    }
}

fn large_answer(answer: SmallAnswer) -> Answer {
    let verdict = || Verdict { state: VerdictState::Failed, reason: None, message: String::new(), request_id: None };
    match answer {
        SmallAnswer::Done => Answer::Done { account: None, invited: false, request_id: None },
        SmallAnswer::NotSent => Answer::NotSent { verdict: verdict() },
        SmallAnswer::Refused => Answer::Refused { verdict: verdict() },
        SmallAnswer::Unknown => Answer::Unknown { verdict: verdict() },
    }
}

impl SmallRow {
    /// The same row without what no rule reads in its state; `keeps_times`: somebody may
    /// want it anew, so that it matters when it was done.
    pub fn plain(mut self, keeps_times: bool) -> Self {
        if self.state == State::Done {
            (self.owner, self.attempt, self.first_sent, self.deadline) = (GONE, 1, None, None);
        }
        if self.state == State::Ask {
            self.first_sent = None;
        }
        if self.repeat != Repeat::UnderKey {
            (self.attempt, self.first_sent) = (1, self.first_sent.map(|_| HALF_LIFE));
        }
        if !keeps_times {
            self.ended = self.ended.map(|_| SETTLED);
        }
        self
    }

    /// The same row a tick later.
    pub fn older(self) -> Self {
        Self {
            first_sent: self.first_sent.map(|age| older(age, HALF_LIFE)),
            deadline: self.deadline.map(|age| older(age, SETTLED)),
            ended: self.ended.map(|age| older(age, SETTLED)),
            ..self
        }
    }
}

/// An age a tick later, counted no further than to `most`.
pub fn older(age: Age, most: Age) -> Age {
    age.saturating_add(1).min(most)
}
