//! Time as a parameter.

use std::fmt::Debug;
use std::time::Duration;

use jiff::Timestamp;

/// What the time is. Journals and deadlines ask here, so that a simulation can tell them
/// another.
pub trait Clock: Send + Sync + Debug {
    /// The wall clock; somebody may set it.
    fn now(&self) -> Timestamp;

    /// A clock that only runs forward, and goes on while the machine is suspended or the
    /// process stopped: what was allowed until a deadline is not done after it.
    fn uptime(&self) -> Duration;
}

/// This machine's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct MachineClock;

impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn uptime(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
    }

    /// The wall clock: on these systems the monotonic one may stop with the machine.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn uptime(&self) -> Duration {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
    }
}
