//! `bursar sandbox`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::error::{CliError, CliResult};
use super::ui::Ui;
use crate::sandbox::{self, Dialect, Extension, MemberMode, Options, SandboxError};

/// Serves the account API, a page for people at `/`, and the tester's calls below
/// `/sandbox`, until it is interrupted.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whose API it speaks
    #[arg(long, value_enum, default_value = "dnsimple")]
    dialect: Speech,
    /// Where to listen, on this machine only; port 0 picks one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787")]
    listen: SocketAddr,
    /// Keep the world in this file (in memory without it)
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Sign these people up first: an email a line, `#` begins a comment
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    /// How people become members (in the dialect netlify, whoever is a user at once, and others by invitation)
    #[arg(long, value_enum, default_value = "registered")]
    member_mode: Mode,
    /// Requests an hour, in the dialect netlify a minute; 0 is without limit [default: 2400; netlify: 500]
    #[arg(long, value_name = "N")]
    rate_limit: Option<u32>,
    /// Do without these: bulk, idempotency_keys, updated_at, limited_access, invitations; or
    /// account_management, which leaves what DNSimple publishes
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = extension)]
    without: Vec<Extension>,
    /// Let lists of accounts and members show the world as it was this long ago: 90s, 10m, 1h
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = super::duration)]
    list_delay: Duration,
    /// Let new subscriptions stay `subscribing` this long, in whole seconds of the sandbox's time
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = super::duration)]
    settle_delay: Duration,
    /// The token of agency@example.com. It guards nothing: give none that is used elsewhere
    #[arg(long, default_value = "sandbox")]
    token: String,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Speech {
    /// The account API in DNSimple's style, below /v2
    Dnsimple,
    /// Netlify's published API, below /api/v1
    Netlify,
}

impl From<Speech> for Dialect {
    fn from(speech: Speech) -> Self {
        match speech {
            Speech::Dnsimple => Self::Dnsimple,
            Speech::Netlify => Self::Netlify,
        }
    }
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Mode {
    /// A registered user becomes a member at once, anybody else is refused
    Registered,
    /// Anybody is invited, and a member once they accept
    Invite,
}

fn extension(name: &str) -> Result<Extension, String> {
    Extension::from_name(name.trim()).ok_or_else(|| {
        let names: Vec<_> = Extension::ALL.iter().map(|extension| extension.name()).collect();
        format!("not one of {}", names.join(", "))
    })
}

/// Runs the sandbox until Ctrl-C or SIGTERM.
pub async fn run(args: Args, ui: Ui) -> CliResult {
    let users = args.users.map(|file| read_users(&file)).transpose()?.unwrap_or_default();
    let dialect = Dialect::from(args.dialect);
    let running = sandbox::start(Options {
        dialect,
        listen: args.listen,
        data: args.data,
        users,
        member_mode: match args.member_mode {
            Mode::Registered => MemberMode::Registered,
            Mode::Invite => MemberMode::Invite,
        },
        rate_limit: args.rate_limit.unwrap_or(dialect.usual_rate_limit()),
        without: args.without.into_iter().collect(),
        list_delay: args.list_delay,
        settle_delay: args.settle_delay,
        token: args.token,
    })
    .await
    .map_err(not_started)?;

    ui.out(&format!("listening on {}\n", running.url()));
    ui.say(&format!("The page for people is {}/, the API {}.", running.url(), running.api_url()));
    ui.say(&format!("The token is `{}`. For example:", running.token()));
    ui.say(&format!(
        "    curl -H 'Authorization: Bearer {}' '{}{}'",
        running.token(),
        running.api_url(),
        dialect.first_look()
    ));
    super::stop_signal().await;
    ui.say("Stopping.");
    running.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// The error, with what to do about it.
pub(super) fn not_started(error: SandboxError) -> CliError {
    let hint = match &error {
        SandboxError::NotLoopback(_) => Some("use 127.0.0.1 or [::1]; its token is no secret"),
        SandboxError::Listen { .. } => Some("use another port, or port 0 to have one picked"),
        SandboxError::OtherDialect { .. } => {
            Some("give the provider (`bursar sandbox`: --dialect) that it was made for, or another file")
        }
        SandboxError::Data { .. } => Some("is another sandbox running with this file?"),
        _ => None,
    };
    let told = CliError::from(error);
    match hint {
        Some(hint) => told.hint(hint),
        None => told,
    }
}

/// The addresses of a file, one a line.
pub(super) fn read_users(file: &std::path::Path) -> Result<Vec<String>, CliError> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| CliError::new(format!("cannot read {}", file.display())).because(&error))?;
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    Ok(lines.filter(|line| !line.is_empty()).map(str::to_owned).collect())
}
