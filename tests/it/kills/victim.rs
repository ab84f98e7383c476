//! The daemon that is killed: when and at which point, and how it died.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::Method;

use crate::proxy::Fault;

/// Which requests a death waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// The list of accounts: the first look, and the second one after rows were prepared.
    List,
    CreateAccount,
    ChooseSubscription,
    AddMember,
    /// Any request that is not a GET.
    Write,
}

impl Call {
    pub const WRITES: [Self; 3] = [Self::CreateAccount, Self::ChooseSubscription, Self::AddMember];

    pub fn is(self, method: &Method, path: &str) -> bool {
        let path = path.split('?').next().unwrap_or_default();
        match self {
            Self::List => *method == Method::GET && path == "/v2/accounts",
            Self::CreateAccount => *method == Method::POST && path == "/v2/accounts",
            Self::ChooseSubscription => *method == Method::PUT && path.ends_with("/subscription"),
            Self::AddMember => *method == Method::POST && path.ends_with("/members"),
            Self::Write => *method != Method::GET,
        }
    }
}

/// At which point of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// Permitted and sent; it never arrives.
    Sent,
    /// Carried out; the answer is never seen.
    CarriedOut,
    /// Answered, so many microseconds ago: what came of it may be written or not.
    Answered(u64),
}

impl Moment {
    pub const EACH: [Self; 3] = [Self::Sent, Self::CarriedOut, Self::Answered(0)];

    const fn word(self) -> &'static str {
        match self {
            Self::Sent => "sent, and lost",
            Self::CarriedOut => "carried out, answer not seen",
            Self::Answered(_) => "answered, outcome perhaps not written",
        }
    }
}

/// How a life is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// So long after the start.
    After(Duration),
    /// At the n-th request of a kind, counted from 0; at the latest after so long.
    At(Call, u32, Moment, Duration),
    /// It stands until it is stopped.
    Never,
}

/// How a life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ended {
    /// At no point in particular.
    ByTime,
    /// At a request; whether the server said that it was carried out.
    At(Call, Moment, bool),
}

impl Ended {
    pub fn told(self) -> String {
        match self {
            Self::ByTime => "at a time".to_owned(),
            Self::At(call, moment, _) => format!("{call:?} {}", moment.word()),
        }
    }
}

/// The process, shared with the proxy that strikes it.
#[derive(Debug, Default)]
pub struct Victim {
    child: Mutex<Option<Child>>,
    armed: Mutex<Option<Armed>>,
    ended: Mutex<Option<Ended>>,
}

#[derive(Debug)]
struct Armed {
    call: Call,
    left: u32,
    moment: Moment,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Victim {
    /// What the proxy does to a request.
    pub fn fate(&self, method: &Method, path: &str) -> Fault {
        let mut armed = locked(&self.armed);
        let Some(Armed { call, left, moment }) = armed.as_mut().filter(|armed| armed.call.is(method, path)) else {
            return Fault::None;
        };
        if *left > 0 {
            *left -= 1;
            return Fault::None;
        }
        let (call, moment) = (*call, *moment);
        *armed = None;
        *locked(&self.ended) = Some(Ended::At(call, moment, false));
        match moment {
            Moment::Sent => Fault::StrikeBefore,
            Moment::CarriedOut => Fault::StrikeBetween,
            Moment::Answered(after) => Fault::StrikeAfter(after),
        }
    }

    /// Kills it; called by the proxy.
    pub fn strike(&self, carried_out: bool) {
        if let Some(child) = locked(&self.child).as_mut() {
            let _ = child.kill();
        }
        if let Some(Ended::At(_, _, was)) = locked(&self.ended).as_mut() {
            *was = carried_out;
        }
    }

    /// Begins a life.
    pub fn begin(&self, mut command: Command, log: &std::path::Path, death: Death) {
        let file = std::fs::File::create(log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        *locked(&self.ended) = None;
        *locked(&self.armed) = match death {
            Death::At(call, left, moment, _) => Some(Armed { call, left, moment }),
            Death::After(_) | Death::Never => None,
        };
        *locked(&self.child) = Some(command.spawn().unwrap());
    }

    /// Waits for the end of a life that has one.
    ///
    /// # Errors
    /// It ended by itself, with this status.
    pub async fn end(&self, death: Death) -> Result<Ended, String> {
        let most = match death {
            Death::After(time) | Death::At(_, _, _, time) => time,
            Death::Never => Duration::ZERO,
        };
        let until = Instant::now() + most;
        let status = loop {
            if let Some(status) = locked(&self.child).as_mut().unwrap().try_wait().unwrap() {
                break status;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                *locked(&self.armed) = None;
                let mut child = locked(&self.child);
                let child = child.as_mut().unwrap();
                let _ = child.kill();
                break child.wait().unwrap();
            }
            tokio::time::sleep(left.min(Duration::from_millis(3))).await;
        };
        *locked(&self.child) = None;
        if status.signal() != Some(9) {
            return Err(format!("it ended by itself: {status}"));
        }
        Ok(locked(&self.ended).take().unwrap_or(Ended::ByTime))
    }

    /// Whether it still runs.
    pub fn lives(&self) -> bool {
        locked(&self.child).as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        if let Some(mut child) = locked(&self.child).take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
