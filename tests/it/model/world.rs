//! What there is in the model: the journal's rows, the server, two replicas, and the
//! messages between them.

use super::row::{Age, FRESH, GONE, HALF_LIFE, KEY_LIFE, SETTLED, SmallAnswer, SmallRow, Who, older};

/// How many things one client needs, one after the other.
pub const MOST_OPERATIONS: usize = 2;
/// How many requests and answers are on their way at most.
const MOST_MESSAGES: usize = 2;

/// Everything at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct World {
    /// The journal: one row an operation, replaced by compare-and-set.
    pub rows: [Option<SmallRow>; MOST_OPERATIONS],
    pub server: Server,
    pub replicas: [Replica; 2],
    /// Sorted, so that their order makes no difference.
    pub messages: [Option<Message>; MOST_MESSAGES],
    pub left: Left,
}

/// What may still go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Left {
    /// Processes that are killed.
    pub crashes: u8,
    /// Requests or answers that are lost.
    pub losses: u8,
    /// Requests that the server refuses though nothing is wrong with them.
    pub refusals: u8,
    /// Journals that are destroyed.
    pub journals: u8,
    /// Times that the client leaves the manifests and comes back.
    pub releases: u8,
}

/// The server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Server {
    /// How often each thing happened: accounts made, people mailed, subscriptions charged.
    pub made: [u8; MOST_OPERATIONS],
    /// Lists may not show the latest of them yet.
    pub lagging: [bool; MOST_OPERATIONS],
    /// It carries a key out once.
    pub has_keys: bool,
    /// The key under which an account was made, and how long ago.
    pub key: Option<(Key, Age)>,
}

/// A key is made of the generation and the attempt.
pub type Key = (u8, u8);

/// A request or its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Message {
    pub operation: u8,
    pub key: Key,
    /// Who waits for the answer; [`GONE`]: nobody any more.
    pub waits: Who,
    /// Since it was sent.
    pub age: Age,
    /// Nothing: the request is still on its way.
    pub answer: Option<SmallAnswer>,
}

/// A process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Replica {
    /// Which operation it works on.
    pub at: u8,
    /// What it knows of the row.
    pub cache: Cache,
    /// Before it prepared anything, it read that the thing is not there, so long ago.
    pub observed: Option<Age>,
    /// It has looked once more after the row had been prepared, and it was not there.
    pub looked: bool,
    pub doing: Doing,
}

/// What a process knows of the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cache {
    /// Its latest version.
    Current,
    /// An older one, so that a compare-and-set fails. What it held is kept only for a
    /// journal that does not compare.
    Stale(Option<SmallRow>),
}

impl Default for Cache {
    fn default() -> Self {
        Self::Stale(None)
    }
}

/// What a process is in the middle of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Doing {
    #[default]
    Nothing,
    /// It has the permit and has not sent; for so long; and under which key it would.
    Permitted(Age, Key),
    /// It sent and waits for the answer.
    Waiting,
    /// It has the answer and has not written it down.
    Answered(SmallAnswer),
}

impl World {
    /// Nothing is there, and both processes begin.
    pub fn new(left: Left, has_keys: bool) -> Self {
        Self {
            rows: [None; MOST_OPERATIONS],
            server: Server { has_keys, ..Server::default() },
            replicas: [Replica::default(); 2],
            messages: [None; MOST_MESSAGES],
            left,
        }
    }

    /// Puts a message on its way, unless there are too many already.
    pub fn send(&mut self, message: Message) -> bool {
        let Some(free) = self.messages.iter_mut().find(|message| message.is_none()) else { return false };
        *free = Some(message);
        true
    }

    /// Whether a request for this operation has not arrived yet.
    pub fn is_on_its_way(&self, operation: usize) -> bool {
        self.messages.iter().flatten().any(|at| usize::from(at.operation) == operation && at.answer.is_none())
    }

    /// A process is killed: what it knew is gone, what it sent is not.
    pub fn crash(&mut self, who: usize) {
        let id = Who::try_from(who).unwrap();
        let gone = |at: Who| if at == id { GONE } else { at };
        let forget = |row: SmallRow| SmallRow { owner: gone(row.owner), ..row };
        self.replicas[who] = Replica::default();
        self.rename(gone, forget);
    }

    /// The same world with the two replicas exchanged: they are alike, so one of the two
    /// is searched.
    pub fn mirrored(mut self) -> Self {
        let other = |at: Who| if at == GONE { GONE } else { 1 - at };
        self.replicas.swap(0, 1);
        self.rename(other, |row| SmallRow { owner: other(row.owner), ..row });
        self
    }

    fn rename(&mut self, name: impl Fn(Who) -> Who, row: impl Fn(SmallRow) -> SmallRow) {
        for at in &mut self.rows {
            *at = at.map(&row);
        }
        for at in &mut self.replicas {
            if let Cache::Stale(held) = at.cache {
                at.cache = Cache::Stale(held.map(&row));
            }
        }
        for at in self.messages.iter_mut().flatten() {
            at.waits = name(at.waits);
        }
    }

    /// In the one form that stands for all that do not differ, and whether the replicas were
    /// exchanged for it.
    pub fn plain(mut self, are_alike: bool) -> (Self, bool) {
        self.forget();
        self.messages.sort_unstable();
        if !are_alike {
            return (self, false);
        }
        let mut mirrored = self.mirrored();
        mirrored.messages.sort_unstable();
        if mirrored < self { (mirrored, true) } else { (self, false) }
    }

    /// Leaves out what nothing reads any more.
    fn forget(&mut self) {
        let has_keys = self.server.has_keys;
        for at in &mut self.messages {
            let Some(message) = at else { continue };
            if message.answer.is_some() {
                (message.key, message.age) = ((0, 0), 0);
                if message.waits == GONE {
                    *at = None;
                }
            } else if !has_keys {
                message.key = (0, 0);
            }
        }
        let keeps_times = self.left.releases > 0 || self.rows.iter().flatten().any(|row| row.released);
        for row in self.rows.iter_mut().flatten() {
            *row = row.plain(keeps_times);
        }
        for replica in &mut self.replicas {
            let row = self.rows[usize::from(replica.at)];
            if row.is_some() && self.left.journals == 0 && !keeps_times {
                replica.observed = None;
            }
            if let Cache::Stale(None) = replica.cache {
                replica.looked = false;
            }
            if !keeps_times {
                replica.observed = replica.observed.map(|_| 0);
            }
            if let (Doing::Permitted(_, key), false) = (&mut replica.doing, has_keys) {
                *key = (0, 0);
            }
        }
    }

    /// A tick later; nothing where a request would be on its way for longer than the model
    /// allows: without keys, and on a server that keeps to no time, there is no such limit.
    pub fn later(mut self, is_timely: bool) -> Option<Self> {
        let most = if is_timely { SETTLED - 1 } else { HALF_LIFE };
        let counts = is_timely || self.server.has_keys;
        if counts && self.messages.iter().flatten().any(|at| at.answer.is_none() && at.age >= most) {
            return None;
        }
        for at in self.messages.iter_mut().flatten() {
            at.age = if counts { older(at.age, HALF_LIFE) } else { 0 };
        }
        for row in &mut self.rows {
            *row = row.map(SmallRow::older);
        }
        for at in &mut self.replicas {
            at.observed = at.observed.map(|age| older(age, SETTLED));
            if let Doing::Permitted(age, key) = at.doing {
                at.doing = Doing::Permitted(older(age, FRESH + 1), key);
            }
            if let Cache::Stale(held) = at.cache {
                at.cache = Cache::Stale(held.map(SmallRow::older));
            }
        }
        if let Some((_, age)) = &mut self.server.key {
            *age = older(*age, KEY_LIFE);
        }
        if is_timely {
            self.server.lagging = [false; MOST_OPERATIONS];
        }
        Some(self)
    }
}
