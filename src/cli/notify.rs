//! Whom the daemon tells what happens: receivers of notifications, and GitHub.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::Time;
use jiff::tz::TimeZone;

use crate::controller::{Daily, Herald};
use crate::domain::text::inert;
use crate::notify::{Address, Counters, Format, Outbox, Pace, Repository, Tell};
use crate::provider::{BaseUrl, token};

use super::error::CliError;

/// The largest list of receivers that is read, in bytes.
const LIST_CAP: u64 = 64 * 1024;

#[derive(Clone, clap::Args)]
#[command(next_help_heading = "Notifications")]
pub struct NotifyArgs {
    /// Tell this receiver what begins to need somebody, and what is over; its address may hold a secret, so rather
    /// give a file
    #[arg(long, env = "BURSAR_NOTIFY", value_name = "URL", value_delimiter = ' ', hide_env_values = true)]
    notify: Vec<String>,
    /// The same from a file, an address a line
    #[arg(long, env = "BURSAR_NOTIFY_FILE", value_name = "FILE")]
    notify_file: Vec<PathBuf>,
    /// How receivers like it
    #[arg(long, env = "BURSAR_NOTIFY_FORMAT", value_enum, default_value = "auto", value_name = "FORM")]
    notify_format: Format,
    /// Tell a digest of what waits every day at this time, `09:00`
    #[arg(long, env = "BURSAR_DIGEST_AT", value_name = "TIME", value_parser = time)]
    digest_at: Option<Time>,
    /// The time zone of that, `Europe/Berlin`
    #[arg(long, env = "BURSAR_DIGEST_ZONE", value_name = "ZONE", default_value = "UTC", value_parser = zone)]
    digest_zone: TimeZone,
    /// Set the status of each commit at GitHub: a file with a token that may write commit statuses
    #[arg(long, env = "BURSAR_GITHUB_TOKEN_FILE", value_name = "FILE", requires = "github_repository")]
    github_token_file: Option<PathBuf>,
    /// The repository that the commits are in
    #[arg(long, env = "BURSAR_GITHUB_REPOSITORY", value_name = "OWNER/NAME", requires = "github_token_file")]
    github_repository: Option<String>,
    /// Where GitHub's API is
    #[arg(long, env = "BURSAR_GITHUB_API_URL", value_name = "URL", default_value = "https://api.github.com")]
    github_api_url: String,
}

/// Shows no address: each may hold a secret.
impl std::fmt::Debug for NotifyArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NotifyArgs").field("receivers", &self.notify.len()).finish_non_exhaustive()
    }
}

/// The receivers, at work.
#[derive(Debug, Clone, Default)]
pub struct Notices {
    outbox: Arc<Outbox>,
    daily: Option<Daily>,
}

impl NotifyArgs {
    /// Starts the receivers' tasks; `None` where something does not hold. All of it is put to
    /// the faults: an address, a file or a token that does not hold, or a digest without anybody
    /// to tell it to.
    pub fn start(&self, faults: &mut Vec<CliError>) -> Option<Notices> {
        let before = faults.len();
        let mut raw: Vec<String> = self.notify.iter().filter(|url| !url.trim().is_empty()).cloned().collect();
        for file in &self.notify_file {
            match listed(file) {
                Ok(urls) => raw.extend(urls),
                Err(fault) => faults.push(CliError::new(fault)),
            }
        }
        let mut addresses = Vec::new();
        for url in raw {
            match Address::parse(&url, self.notify_format) {
                Ok(address) => addresses.push(address),
                Err(error) => faults.push(CliError::from(error)),
            }
        }
        if self.digest_at.is_some() && addresses.is_empty() && faults.len() == before {
            faults.push(CliError::new("--digest-at needs somebody to tell it to: --notify or --notify-file"));
        }
        let github = self.github().unwrap_or_else(|fault| {
            faults.push(CliError::new(fault));
            None
        });
        if faults.len() > before {
            return None;
        }
        let outbox = Outbox::start(addresses, github, Pace::default());
        let outbox = outbox.map_err(|error| faults.push(CliError::from(error))).ok()?;
        let daily = self.digest_at.map(|at| Daily { at, zone: self.digest_zone.clone() });
        Some(Notices { outbox: Arc::new(outbox), daily })
    }

    fn github(&self) -> Result<Option<Repository>, String> {
        let (Some(file), Some(repository)) = (&self.github_token_file, &self.github_repository) else {
            return Ok(None);
        };
        let token = token::find(None, Some(file)).map_err(|error| format!("GitHub: {error}"))?;
        let api = BaseUrl::parse(&self.github_api_url).map_err(|error| format!("--github-api-url: {error}"))?;
        Repository::new(api, repository, token).map(Some).map_err(|error| error.to_string())
    }
}

impl Notices {
    /// Who tells what happens in a fleet; it is named where there are several.
    pub fn herald(&self, fleet: Option<&str>) -> Herald {
        if self.outbox.is_empty() {
            return Herald::default();
        }
        let tell: Arc<dyn Tell> = Arc::clone(&self.outbox) as Arc<dyn Tell>;
        Herald::new(tell, fleet.map(str::to_owned), self.daily.clone())
    }

    /// What became of the letters to each receiver, by its host.
    pub fn counters(&self) -> Vec<(String, Arc<Counters>)> {
        self.outbox.counters()
    }

    /// Delivers what is left, for a short time.
    pub async fn close(&self) {
        self.outbox.close().await;
    }
}

/// The addresses in a file that nobody but its owner can reach.
fn listed(file: &Path) -> Result<Vec<String>, String> {
    let shown = inert(&file.to_string_lossy()).into_owned();
    let unreadable = |error: std::io::Error| format!("cannot read {shown}: {error}");
    let opened = std::fs::File::open(file).map_err(unreadable)?;
    if let Some(mode) = token::exposed(&opened).map_err(unreadable)? {
        return Err(format!("{shown} is open to other users of this machine (mode {mode:04o}): chmod 600 {shown}"));
    }
    let mut text = String::new();
    opened.take(LIST_CAP).read_to_string(&mut text).map_err(unreadable)?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(str::to_owned).collect())
}

fn time(raw: &str) -> Result<Time, String> {
    let told = || "expected a time of the day like 09:00".to_owned();
    let (hour, minute) = raw.split_once(':').ok_or_else(told)?;
    let number = |text: &str| text.parse::<i8>().map_err(|_| told());
    Time::new(number(hour)?, number(minute)?, 0, 0).map_err(|_| told())
}

fn zone(raw: &str) -> Result<TimeZone, String> {
    TimeZone::get(raw).map_err(|_| "expected the name of a time zone like UTC or Europe/Berlin".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_the_day_is_hours_and_minutes() {
        assert_eq!(time("09:30"), Ok(Time::constant(9, 30, 0, 0)));
        for bad in ["", "9", "24:00", "09:60", "-1:00", "nine", "09:00:00"] {
            assert!(time(bad).is_err(), "{bad}");
        }
        assert!(zone("UTC").is_ok());
        assert!(zone("Mars/Base").is_err());
    }
}
