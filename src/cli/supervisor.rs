//! The service manager that started us: told when we are ready, that we live, and that we stop.
//! The protocol of `sd_notify(3)`: a datagram of lines to the socket that `NOTIFY_SOCKET` names.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::controller::Board;

/// How often the state is looked at, at least.
const EVERY: Duration = Duration::from_secs(1);
/// While the start takes, the manager is asked for so much more time, again and again.
const MORE_TIME: Duration = Duration::from_secs(30);

/// A service manager that wants to be told.
#[derive(Debug)]
pub struct Supervisor {
    socket: UnixDatagram,
    to: Address,
    /// It ends us when it hears nothing for so long.
    watchdog: Option<Duration>,
}

#[derive(Debug)]
enum Address {
    File(std::path::PathBuf),
    #[cfg(target_os = "linux")]
    Abstract(std::os::unix::net::SocketAddr),
}

impl Supervisor {
    /// The one that the environment names; `None` where there is none, or it cannot be told.
    pub fn from_env() -> Option<Self> {
        let name = std::env::var_os("NOTIFY_SOCKET")?;
        let to = Address::of(&name).or_else(|| {
            tracing::warn!("NOTIFY_SOCKET names no socket; the service manager is told nothing");
            None
        })?;
        let ours = std::env::var("WATCHDOG_PID").ok().is_none_or(|pid| pid == std::process::id().to_string());
        let microseconds = std::env::var("WATCHDOG_USEC").ok().and_then(|text| text.parse::<u64>().ok());
        let watchdog = microseconds.filter(|time| ours && *time > 0).map(Duration::from_micros);
        let socket = UnixDatagram::unbound().ok()?;
        socket.set_nonblocking(true).ok()?;
        Some(Self { socket, to, watchdog })
    }

    /// A manager that does not listen is none of our trouble.
    fn tell(&self, lines: &str) {
        let sent = match &self.to {
            Address::File(path) => self.socket.send_to(lines.as_bytes(), path),
            #[cfg(target_os = "linux")]
            Address::Abstract(address) => self.socket.send_to_addr(lines.as_bytes(), address),
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "the service manager could not be told");
        }
    }

    /// Tells how the fleets do until it is cancelled, and then that we stop. The watchdog is
    /// fed only while every loop goes on.
    pub async fn watch(self, boards: Vec<Board>, cancel: CancellationToken) {
        let every = self.watchdog.map_or(EVERY, |watchdog| (watchdog / 3).min(EVERY));
        let (mut ready, mut status) = (false, String::new());
        loop {
            let alive = boards.iter().all(|board| board.is_alive(tokio::time::Instant::now()));
            let mut lines = String::new();
            if !ready && boards.iter().all(Board::has_read) {
                ready = true;
                lines += "READY=1\n";
            } else if !ready && alive {
                lines += &format!("EXTEND_TIMEOUT_USEC={}\n", MORE_TIME.as_micros());
            }
            let now = summary(&boards, alive);
            if now != status {
                lines += &format!("STATUS={now}\n");
                status = now;
            }
            if alive && self.watchdog.is_some() {
                lines += "WATCHDOG=1\n";
            }
            if !lines.is_empty() {
                self.tell(&lines);
            }
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = cancel.cancelled() => break,
            }
        }
        self.tell("STOPPING=1\nSTATUS=stopping: what is in flight is finished\n");
    }
}

impl Address {
    /// A path, or with `@` before it a name without a file.
    fn of(name: &std::ffi::OsStr) -> Option<Self> {
        use std::os::unix::ffi::OsStrExt as _;
        match name.as_bytes() {
            [b'/', ..] => Some(Self::File(name.into())),
            #[cfg(target_os = "linux")]
            [b'@', rest @ ..] => {
                use std::os::linux::net::SocketAddrExt as _;
                std::os::unix::net::SocketAddr::from_abstract_name(rest).ok().map(Self::Abstract)
            }
            _ => None,
        }
    }
}

/// One line for `systemctl status`: counts only, for everybody of the machine may read it.
fn summary(boards: &[Board], alive: bool) -> String {
    let mut troubles = Vec::new();
    let mut states: std::collections::BTreeMap<String, u32> = std::collections::BTreeMap::new();
    for fleet in boards.iter().map(Board::fleet) {
        for (state, count) in fleet.states {
            *states.entry(state.replace('_', " ")).or_default() += count;
        }
        for (what, trouble) in [
            ("the manifests cannot be read", fleet.source.trouble.is_some()),
            ("the API cannot be used", fleet.api.trouble.is_some()),
            ("the journal cannot be used", fleet.journal_trouble.is_some()),
            ("all writes are stopped", fleet.frozen.is_some()),
            ("standing by", !fleet.holding),
        ] {
            if trouble && !troubles.contains(&what) {
                troubles.push(what);
            }
        }
    }
    let clients: Vec<String> = states.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let mut parts =
        if clients.is_empty() { vec!["nothing looked at yet".to_owned()] } else { vec![clients.join(", ")] };
    parts.extend(troubles.into_iter().map(str::to_owned));
    if !alive {
        parts.push("no sign of life".to_owned());
    }
    parts.join("; ")
}
