//! What can happen next. Replicas do what `step` and `due` say and nothing else, at any
//! time and in any order: both may believe that they lead, for leases fence nothing.

use bursar::journal::{Repeat, State};

use super::row::{Age, FRESH, GONE, KEY_LIFE, Next, Protocol, SETTLED, SmallAnswer, SmallEvent, SmallRow, Stands, Who};
use super::trace::{Act, Move};
use super::world::{Cache, Doing, Key, Left, MOST_OPERATIONS, Message, Replica, World};

/// With keys, each attempt is a state of its own: after so many a person no longer says that
/// nothing happened, and the question stands, so that the search ends.
const MOST_ATTEMPTS: u8 = 2;

/// What is done for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An account, on a server without keys.
    Create,
    /// An account, on a server that carries one key out once.
    CreateUnderKey,
    /// A person, whom the server mails; it refuses one who is there.
    Member,
    /// A subscription, which is charged; stating it again changes nothing.
    Subscription,
}

/// Who answers the question how it ended, at `ask`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Person {
    /// Somebody who knows what became of the request.
    Knows,
    /// Nobody: the program itself says that it did not happen, since it does not show.
    Program,
}

/// What is searched.
#[derive(Debug)]
pub struct Model {
    pub kinds: Vec<Kind>,
    pub replicas: usize,
    pub left: Left,
    pub protocol: Protocol,
    pub person: Person,
    /// The server keeps to the settling time: whatever was sent has taken effect and shows.
    pub is_timely: bool,
    /// One process at a time, proved by a lock.
    pub is_alone: bool,
    /// There are rows at all.
    pub has_journal: bool,
    /// A row is replaced only by whoever saw its latest version.
    pub compares: bool,
    /// Whatever is not an answer is taken for a refusal.
    pub error_is_failure: bool,
}

impl Model {
    /// The protocol as it is, with two crashes and two lost messages.
    pub fn of(kinds: &[Kind]) -> Self {
        Self {
            kinds: kinds.to_vec(),
            replicas: 2,
            left: Left { crashes: 2, losses: 2, ..Left::default() },
            protocol: Protocol::new(),
            person: Person::Knows,
            is_timely: false,
            is_alone: false,
            has_journal: true,
            compares: true,
            error_is_failure: false,
        }
    }
}

/// Collects what can come next.
#[derive(Debug)]
pub struct Moves<'a> {
    pub model: &'a Model,
    pub from: World,
    pub found: Vec<(Move, World, bool)>,
}

impl Moves<'_> {
    fn add(&mut self, what: Move, to: World) {
        let (to, is_mirrored) = to.plain(self.model.replicas == 2);
        if to != self.from {
            self.found.push((what, to, is_mirrored));
        }
    }

    /// All that can happen.
    pub fn collect(&mut self) {
        for who in 0..self.model.replicas {
            self.replica(who);
        }
        self.server();
        self.surroundings();
    }

    fn surroundings(&mut self) {
        let from = self.from;
        if let Some(to) = from.later(self.model.is_timely) {
            self.add(Move::Tick, to);
        }
        if from.server.lagging != [false; MOST_OPERATIONS] {
            let mut to = from;
            to.server.lagging = [false; MOST_OPERATIONS];
            self.add(Move::CatchUp, to);
        }
        for (at, row) in from.rows.iter().enumerate() {
            let Some(row) = row else { continue };
            if row.state == State::Ask {
                let made = from.server.made[at] > 0;
                let may_happen = from.is_on_its_way(at) && self.model.person == Person::Knows;
                if made || (!may_happen && row.attempt < MOST_ATTEMPTS) {
                    let event = SmallEvent::Resolved { created: made };
                    let what = match self.model.person {
                        Person::Program if !made => Move::Presumed,
                        Person::Program | Person::Knows => Move::Person { created: made },
                    };
                    self.write_from_outside(at, event, what, from);
                }
            }
            if row.state == State::Done && !row.released && from.left.releases > 0 {
                let mut to = from;
                to.left.releases -= 1;
                self.write_from_outside(at, SmallEvent::Released, Move::Released, to);
            }
        }
        let is_quiet = from.messages.iter().all(Option::is_none)
            && from.replicas.iter().all(|replica| replica.doing == Doing::Nothing);
        if from.left.journals > 0 && is_quiet && from.server.lagging == [false; MOST_OPERATIONS] {
            let mut to = from;
            to.left.journals -= 1;
            to.rows = [None; MOST_OPERATIONS];
            for replica in &mut to.replicas {
                replica.cache = Cache::Stale(None);
            }
            self.add(Move::JournalLost, to);
        }
    }

    fn write_from_outside(&mut self, at: usize, event: SmallEvent, what: Move, mut to: World) {
        let Some(row) = to.rows[at] else { return };
        if let Ok(next) = self.model.protocol.step(row, event) {
            put(self.model, &mut to, at, next, None);
            self.add(what, to);
        }
    }

    fn server(&mut self) {
        let from = self.from;
        for (slot, message) in from.messages.iter().enumerate() {
            let Some(message) = *message else { continue };
            if from.left.losses > 0 {
                let mut to = from;
                to.left.losses -= 1;
                to.messages[slot] = None;
                self.add(Move::Lose(message), to);
            }
            match message.answer {
                Some(answer) => {
                    let mut to = from;
                    to.messages[slot] = None;
                    to.replicas[usize::from(message.waits)].doing = Doing::Answered(answer);
                    self.add(Move::Deliver(message), to);
                }
                None => {
                    let mut to = from;
                    let answer = carry_out(self.model, &mut to, message);
                    to.messages[slot] = Some(Message { answer: Some(answer), ..message });
                    self.add(Move::CarryOut(message), to);
                    if from.left.refusals > 0 {
                        let mut to = from;
                        to.left.refusals -= 1;
                        to.messages[slot] = Some(Message { answer: Some(SmallAnswer::Refused), ..message });
                        self.add(Move::ServerRefuses(message), to);
                    }
                }
            }
        }
    }

    fn replica(&mut self, who: usize) {
        let from = self.from;
        if from.left.crashes > 0 {
            let mut to = from;
            to.left.crashes -= 1;
            to.crash(who);
            self.add(Move::Crash(who), to);
        }
        match from.replicas[who].doing {
            Doing::Nothing if self.model.has_journal => self.idle(who),
            Doing::Nothing => self.idle_without_journal(who),
            Doing::Permitted(age, key) => {
                if age == FRESH {
                    self.send(who, key);
                }
                self.act(who, Act::CannotSend, |replica| replica.doing = Doing::Answered(SmallAnswer::NotSent));
            }
            Doing::Waiting => {
                let mut to = from;
                for message in to.messages.iter_mut().flatten() {
                    if usize::from(message.waits) == who {
                        message.waits = GONE;
                    }
                }
                let heard = if self.model.error_is_failure { SmallAnswer::Refused } else { SmallAnswer::Unknown };
                to.replicas[who].doing = Doing::Answered(heard);
                self.add(Move::Replica(who, Act::GiveUp), to);
            }
            Doing::Answered(answer) => self.answered(who, answer),
        }
    }

    fn act(&mut self, who: usize, what: Act, change: impl FnOnce(&mut Replica)) {
        let mut to = self.from;
        change(&mut to.replicas[who]);
        self.add(Move::Replica(who, what), to);
    }

    fn send(&mut self, who: usize, key: Key) {
        let mut to = self.from;
        let at = to.replicas[who].at;
        let waits = Who::try_from(who).unwrap();
        if to.send(Message { operation: at, key, waits, age: FRESH, answer: None }) {
            to.replicas[who].doing = Doing::Waiting;
            self.add(Move::Replica(who, Act::Send), to);
        }
    }

    /// What it writes down is the answer; a conflict first makes it read the row again.
    fn answered(&mut self, who: usize, answer: SmallAnswer) {
        if !self.model.has_journal {
            return self.act(who, Act::Write(answer), |replica| replica.doing = Doing::Nothing);
        }
        let Some(row) = self.row(who) else { return self.refresh(who) };
        let event = SmallEvent::Answered { who: Who::try_from(who).unwrap(), answer };
        match row.map(|row| self.model.protocol.step(row, event)) {
            Some(Ok(next)) => {
                self.write(who, Act::Write(answer), next, |replica| replica.doing = Doing::Nothing);
            }
            // Not its row any more.
            _ => self.act(who, Act::Write(answer), |replica| replica.doing = Doing::Nothing),
        }
    }

    fn refresh(&mut self, who: usize) {
        self.act(who, Act::Refresh, |replica| {
            (replica.cache, replica.looked) = (Cache::Current, false);
        });
    }

    /// The row as this replica knows it; nothing where it knows that it knows an old one.
    fn row(&self, who: usize) -> Option<Option<SmallRow>> {
        let replica = self.from.replicas[who];
        match replica.cache {
            Cache::Current => Some(self.from.rows[usize::from(replica.at)]),
            Cache::Stale(Some(held)) if !self.model.compares => Some(Some(held)),
            Cache::Stale(_) => None,
        }
    }

    fn write(&mut self, who: usize, what: Act, next: SmallRow, change: impl FnOnce(&mut Replica)) {
        let mut to = self.from;
        let at = usize::from(to.replicas[who].at);
        put(self.model, &mut to, at, next, Some(who));
        change(&mut to.replicas[who]);
        self.add(Move::Replica(who, what), to);
    }

    fn try_step(&mut self, who: usize, what: Act, row: SmallRow, event: SmallEvent, change: impl FnOnce(&mut Replica)) {
        if let Ok(next) = self.model.protocol.step(row, event) {
            self.write(who, what, next, change);
        }
    }

    /// A complete read: it may miss the latest change.
    fn reads(&mut self, who: usize) -> Vec<bool> {
        let at = usize::from(self.from.replicas[who].at);
        let server = &self.from.server;
        let shows = server.made[at] > 0;
        if shows && server.lagging[at] && server.made[at] == 1 { vec![true, false] } else { vec![shows] }
    }

    fn observe(&mut self, who: usize) {
        for there in self.reads(who) {
            let observed = (!there).then_some(0);
            self.act(who, Act::Observe { there }, |replica| replica.observed = observed);
        }
    }

    /// List, then create: what there is without a journal.
    fn idle_without_journal(&mut self, who: usize) {
        if self.from.replicas[who].observed.is_some() {
            self.act(who, Act::Permit, |replica| {
                (replica.doing, replica.observed) = (Doing::Permitted(FRESH, (0, 0)), None);
            });
        }
        self.observe(who);
    }

    fn idle(&mut self, who: usize) {
        let Some(row) = self.row(who) else { return self.refresh(who) };
        if self.from.replicas[who].cache != Cache::Current {
            self.refresh(who);
        }
        let replica = self.from.replicas[who];
        let Some(row) = row else {
            self.observe(who);
            if let Some(read) = replica.observed {
                self.begin(who, None, read);
            }
            return;
        };
        let id = Who::try_from(who).unwrap();
        let permitted = |replica: &mut Replica| {
            let key = (row.generation, row.attempt);
            (replica.doing, replica.looked) = (Doing::Permitted(FRESH, key), false);
        };
        let looked = replica.looked;
        match self.model.protocol.due(row) {
            Next::Look | Next::AskPermit if row.owner != id => {
                self.try_step(who, Act::TakeOver, row, SmallEvent::TakenOver { who: id }, |_| {});
            }
            Next::Look => {
                self.look_for(who, row);
                self.try_step(who, Act::Permit, row, SmallEvent::Permit { who: id, looked }, permitted);
            }
            Next::AskPermit => {
                self.try_step(who, Act::Permit, row, SmallEvent::Permit { who: id, looked }, permitted);
            }
            Next::Send => {
                let proved = self.model.is_alone && row.owner != id;
                self.try_step(who, Act::Orphan, row, SmallEvent::Orphaned { proved }, |_| {});
            }
            Next::SendAgain => {
                self.try_step(who, Act::Resend, row, SmallEvent::Resend { who: id }, permitted);
                self.look_for(who, row);
            }
            Next::LookFor => {
                // The answer forbids it, and so the search asks.
                self.try_step(who, Act::Resend, row, SmallEvent::Resend { who: id }, permitted);
                self.look_for(who, row);
            }
            Next::AskPerson => self.look_for(who, row),
            Next::Wait => {
                self.try_step(who, Act::Retry, row, SmallEvent::Retry { who: id }, |_| {});
                self.look_for(who, row);
            }
            Next::Rest => self.rest(who, row),
        }
    }

    /// Reads, and takes in what was read. Something may happen between the two: that is a
    /// read that misses the latest change.
    fn look_for(&mut self, who: usize, row: SmallRow) {
        for there in self.reads(who) {
            let event = SmallEvent::Looked { ago: 0, there };
            if row.state == State::Prepared && !there {
                self.act(who, Act::Read { there }, |replica| replica.looked = true);
            } else {
                self.try_step(who, Act::Read { there }, row, event, |_| {});
            }
        }
    }

    /// What is done stays done, and the next thing is begun; unless it is wanted anew.
    fn rest(&mut self, who: usize, row: SmallRow) {
        let stale = self.from.replicas[who].observed;
        let latest = self.reads(who).contains(&false).then_some(0);
        for read in [stale, latest].into_iter().flatten() {
            self.begin(who, Some(row), read);
        }
        let at = usize::from(self.from.replicas[who].at);
        if at + 1 < self.model.kinds.len() {
            self.act(who, Act::Advance, |replica| {
                *replica = Replica { at: replica.at + 1, ..Replica::default() };
            });
        }
    }

    /// Prepares it, for a plan made from a read that began so long ago and showed nothing.
    fn begin(&mut self, who: usize, row: Option<SmallRow>, read: Age) {
        let replica = self.from.replicas[who];
        if self.model.protocol.stands(row, read) != Stands::Free {
            return;
        }
        let generation = row.map_or(0, |row| row.generation + 1);
        let repeat = match self.model.kinds[usize::from(replica.at)] {
            Kind::Create => Repeat::Never,
            Kind::CreateUnderKey => Repeat::UnderKey,
            Kind::Member | Kind::Subscription => Repeat::Freely,
        };
        let next = self.model.protocol.prepared(repeat, generation, Who::try_from(who).unwrap());
        self.write(who, Act::Prepare, next, |replica| {
            (replica.observed, replica.looked) = (None, false);
        });
    }
}

/// A row is written: everybody else now knows an old one.
fn put(model: &Model, world: &mut World, at: usize, next: SmallRow, by: Option<usize>) {
    let before = world.rows[at];
    world.rows[at] = Some(next);
    for (who, replica) in world.replicas.iter_mut().enumerate() {
        if usize::from(replica.at) != at {
            continue;
        }
        if by == Some(who) {
            replica.cache = Cache::Current;
        } else if replica.cache == Cache::Current {
            replica.cache = Cache::Stale(before.filter(|_| !model.compares));
        }
    }
}

/// The server does what a request asks for.
fn carry_out(model: &Model, world: &mut World, message: Message) -> SmallAnswer {
    let at = usize::from(message.operation);
    let kind = model.kinds[at];
    let server = &mut world.server;
    match kind {
        Kind::Member if server.made[at] > 0 => return SmallAnswer::Refused,
        Kind::Subscription if server.made[at] > 0 => return SmallAnswer::Done,
        Kind::CreateUnderKey => {
            if server.key.is_some_and(|(key, age)| key == message.key && age < KEY_LIFE) {
                return SmallAnswer::Done;
            }
            server.key = Some((message.key, 0));
        }
        Kind::Create | Kind::Member | Kind::Subscription => {}
    }
    server.made[at] += 1;
    server.lagging[at] = true;
    SmallAnswer::Done
}

/// Whether everything is done, or waits for a person who has nothing left to say here.
pub fn is_settled(model: &Model, world: &World) -> bool {
    let rows = &world.rows[..model.kinds.len()];
    let is_asked = rows.iter().flatten().any(|row| row.state == State::Ask && row.attempt >= MOST_ATTEMPTS);
    // Without a row, what is there is found by the next read and bound.
    let is_done = |row: Option<SmallRow>, made: u8| row.map_or(made > 0, |row| row.state == State::Done);
    is_asked || rows.iter().zip(&world.server.made).all(|(row, made)| is_done(*row, *made))
}

/// A person is asked about something that happened and shows.
pub fn is_needless_question(world: &World) -> bool {
    let asked = |(row, made): (&Option<SmallRow>, &u8)| {
        *made > 0 && row.is_some_and(|row| row.state == State::Ask && row.deadline == Some(SETTLED))
    };
    world.rows.iter().zip(&world.server.made).any(asked)
}
