//! What can happen, by name: the lines of a trace.

use std::fmt;

use super::row::{GONE, SmallAnswer};
use super::world::Message;

/// One thing that happens, for a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    Replica(usize, Act),
    Crash(usize),
    Deliver(Message),
    CarryOut(Message),
    ServerRefuses(Message),
    Lose(Message),
    CatchUp,
    Tick,
    Person { created: bool },
    Presumed,
    JournalLost,
    Released,
}

/// What a replica does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Refresh,
    Observe { there: bool },
    Prepare,
    TakeOver,
    Read { there: bool },
    Permit,
    Resend,
    Send,
    CannotSend,
    GiveUp,
    Write(SmallAnswer),
    Orphan,
    Retry,
    Advance,
}

impl Move {
    /// Something went wrong; a way out must not need it.
    pub const fn is_fault(self) -> bool {
        matches!(self, Self::Crash(_) | Self::Lose(_) | Self::JournalLost | Self::ServerRefuses(_) | Self::Released)
    }
}

impl Move {
    /// The same with the two replicas exchanged.
    pub fn mirrored(self) -> Self {
        let other = |message: Message| Message {
            waits: if message.waits == GONE { GONE } else { 1 - message.waits },
            ..message
        };
        match self {
            Self::Replica(who, act) => Self::Replica(1 - who, act),
            Self::Crash(who) => Self::Crash(1 - who),
            Self::Deliver(message) => Self::Deliver(other(message)),
            same => same,
        }
    }
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |who: usize| if who == 0 { "A" } else { "B" };
        match self {
            Self::Replica(who, act) => write!(f, "{} {act}", name(*who)),
            Self::Crash(who) => write!(f, "{} is killed; another process takes its place", name(*who)),
            Self::Deliver(Message { waits, answer, .. }) => {
                let answer = answer.map_or_else(String::new, |answer| format!("{answer:?}").to_lowercase());
                write!(f, "{} hears: {answer}", name(usize::from(*waits)))
            }
            Self::CarryOut(message) => {
                let whose =
                    if usize::from(message.waits) < 2 { "a request" } else { "a request that nobody waits for" };
                write!(f, "the server carries out {whose}")
            }
            Self::ServerRefuses(_) => f.write_str("the server refuses a request"),
            Self::Lose(message) => {
                f.write_str(if message.answer.is_some() { "an answer is lost" } else { "a request is lost" })
            }
            Self::CatchUp => f.write_str("the list shows everything"),
            Self::Tick => f.write_str("time passes"),
            Self::Person { created: true } => f.write_str("a person says: it happened"),
            Self::Person { created: false } => f.write_str("a person says: it did not happen"),
            Self::Presumed => f.write_str("it does not show after the settling time, so it is taken for not done"),
            Self::JournalLost => f.write_str("the journal is destroyed"),
            Self::Released => f.write_str("the client leaves the manifests and comes back"),
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refresh => "reads the journal",
            Self::Observe { there: true } => "reads everything: it is there",
            Self::Observe { there: false } => "reads everything: it is not there",
            Self::Read { there: true } => "looks for it: it is there",
            Self::Read { there: false } => "looks for it: it is not there",
            Self::Prepare => "writes: prepared",
            Self::TakeOver => "takes the prepared row over",
            Self::Permit => "goes ahead",
            Self::Resend => "goes ahead under the same key",
            Self::Send => "sends",
            Self::CannotSend => "finds that nothing can be sent",
            Self::GiveUp => "waits no longer",
            Self::Write(SmallAnswer::Done) => "writes: done",
            Self::Write(SmallAnswer::NotSent) => "writes: not sent",
            Self::Write(SmallAnswer::Refused) => "writes: refused",
            Self::Write(SmallAnswer::Unknown) => "writes: unknown",
            Self::Orphan => "writes: its owner is gone, unknown",
            Self::Retry => "begins anew",
            Self::Advance => "goes on to the next thing",
        })
    }
}
