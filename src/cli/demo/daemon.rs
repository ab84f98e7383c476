//! The real daemon as a child process: started, killed, started again.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::super::error::CliError;

/// How long the daemon gives a write to show.
pub const SETTLE: Duration = Duration::from_secs(2);

/// The log of all lives, in its folder.
pub const LOG: &str = "daemon.log";

/// The daemon of the demonstration; it dies with this.
#[derive(Debug)]
pub struct Victim {
    folder: PathBuf,
    api_url: String,
    token: String,
    child: Option<Child>,
    /// How often it was killed.
    pub kills: u64,
}

impl Victim {
    /// Of a folder with `clients/`, into which it writes its journal and its log.
    pub const fn new(folder: PathBuf, api_url: String, token: String) -> Self {
        Self { folder, api_url, token, child: None, kills: 0 }
    }

    /// Its journal.
    pub fn journal(&self) -> PathBuf {
        self.folder.join("journal.db")
    }

    /// Starts it, whatever the environment says of another fleet.
    ///
    /// # Errors
    /// The program or its log cannot be opened.
    pub fn start(&mut self) -> Result<(), CliError> {
        let failed = |error: std::io::Error| CliError::new("cannot start the daemon").because(&error);
        let log = File::options().create(true).append(true).open(self.folder.join(LOG)).map_err(failed)?;
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("BURSAR_")) {
            command.env_remove(name);
        }
        command
            .args(["run", "clients", "--interval", "1s", "--settle", &format!("{}s", SETTLE.as_secs())])
            .args(["--max-creates", "none", "--max-subscriptions", "none", "--max-monthly-increase", "none"])
            .arg("--journal")
            .arg(self.journal())
            .current_dir(&self.folder)
            .env("BURSAR_API_URL", &self.api_url)
            .env("BURSAR_TOKEN", &self.token)
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log);
        self.child = Some(command.spawn().map_err(failed)?);
        Ok(())
    }

    /// Kills it with SIGKILL and waits until it is gone.
    ///
    /// # Errors
    /// It had ended by itself.
    pub fn kill(&mut self) -> Result<(), CliError> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        if let Ok(Some(status)) = child.try_wait() {
            return Err(CliError::new(format!("the daemon ended by itself: {status}")));
        }
        let _ = child.kill();
        let _ = child.wait();
        self.kills += 1;
        Ok(())
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
