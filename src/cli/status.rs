//! `bursar status`: how each client stands, as a running daemon shows it, or without one as the
//! manifests, the journal and the API show it now.

use std::process::ExitCode;
use std::time::Duration;

use futures::TryStreamExt as _;
use jiff::Timestamp;

use crate::controller::Reconciler;
use crate::controller::status::{
    AccountStatus, Condition, FORMAT_VERSION, FleetStatus, ReadFrom, Setting, Status, Trouble, tell_fleet,
};
use crate::controller::{Mode, Source as _};
use crate::domain::text::{inert, span};
use crate::plan::AccountState;

use super::api::ApiArgs;
use super::error::{CliError, CliResult};
use super::keeping::{JournalArgs, Purpose, RuleArgs};
use super::manifests::ManifestArgs;
use super::policy::PolicyArgs;
use super::table::table;
use super::ui::Ui;

/// Where a daemon of this machine usually serves.
pub const USUAL: &str = "http://127.0.0.1:8080";
/// The largest status that is read, in bytes: of some 50,000 clients.
const LARGEST: usize = 64 << 20;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this client; may be repeated
    #[arg(long, value_name = "CLIENT")]
    name: Vec<String>,
    /// Only clients in this state; may be repeated
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Vec<AccountState>,
    /// The form of the result
    #[arg(short, long, value_enum, default_value = "text")]
    output: Output,
    /// The daemon to ask, or `none` [default: http://127.0.0.1:8080 if a daemon answers there and no
    /// PATH is given]
    #[arg(long, env = "BURSAR_DAEMON", value_name = "URL")]
    daemon: Option<String>,
    #[command(flatten)]
    manifests: ManifestArgs,
    #[command(flatten)]
    api: ApiArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    journal: JournalArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

/// The form of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For people
    Text,
    /// For people, with more columns
    Wide,
    /// For programs
    Json,
}

fn state(raw: &str) -> Result<AccountState, String> {
    let known = || AccountState::ALL.map(AccountState::as_str).join(", ");
    AccountState::ALL
        .into_iter()
        .find(|state| state.as_str() == raw.replace('-', "_"))
        .ok_or_else(|| format!("known are {}", known()))
}

pub async fn run(args: Args, ui: Ui) -> CliResult {
    let mut status = read(&args, ui).await?;
    let Args { name, state, manifests, .. } = &args;
    let selector = manifests.selector();
    let every = status.accounts.len();
    status.accounts.retain(|account| {
        (name.is_empty() || name.contains(&account.name))
            && (state.is_empty() || state.contains(&account.state))
            && selector.is_labelled(&account.labels)
    });
    if args.output == Output::Json {
        ui.out(&format!("{:#}\n", serde_json::to_value(&status)?));
        return Ok(ExitCode::SUCCESS);
    }
    for line in troubles(&status) {
        ui.warn(&line);
    }
    if status.accounts.is_empty() {
        ui.say(if every == 0 { "No clients." } else { "No client is of that kind." });
    } else {
        ui.out(&text(&status, args.output == Output::Wide));
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads it from where it was asked for, and says from where.
async fn read(args: &Args, ui: Ui) -> Result<Status, CliError> {
    match args.daemon.as_deref() {
        Some("none") => {}
        Some(url) => {
            let status = ask(url, Duration::from_secs(10)).await.map_err(|why| {
                CliError::new(format!("the daemon at {} cannot be read: {why}", inert(url)))
                    .hint("start it with --listen, or read the journal and the API: --daemon none")
            })?;
            ui.say(&format!("Read from the daemon at {}, as of {}.", inert(url), at(status.at)));
            return Ok(status);
        }
        None if args.manifests.is_default() && !args.api.is_sandbox() => {
            if let Ok(status) = ask(USUAL, Duration::from_millis(500)).await {
                ui.say(&format!("Read from the daemon at {USUAL}, as of {}.", at(status.at)));
                return Ok(status);
            }
        }
        None => {}
    }
    let status = look(args, ui).await?;
    ui.say("Read from the manifests, the journal and the API.");
    Ok(status)
}

/// A daemon's own word.
///
/// # Errors
/// It does not answer, or with something else; in words.
pub async fn ask(url: &str, within: Duration) -> Result<Status, String> {
    let told = |error: reqwest::Error| inert(&error.without_url().to_string()).into_owned();
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(within)
        .build()
        .map_err(told)?;
    let url = format!("{}/status.json", url.trim_end_matches('/'));
    let answer = client.get(url).send().await.map_err(told)?;
    if !answer.status().is_success() {
        return Err(format!("it answers {}", answer.status()));
    }
    let mut body = Vec::new();
    let mut chunks = std::pin::pin!(futures::stream::try_unfold(answer, |mut answer| async move {
        Ok::<_, reqwest::Error>(answer.chunk().await?.map(|chunk| (chunk, answer)))
    }));
    while let Some(chunk) = chunks.try_next().await.map_err(told)? {
        if body.len() + chunk.len() > LARGEST {
            return Err(format!("its answer has more than {LARGEST} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    let version: Version = serde_json::from_slice(&body).map_err(|_| "its answer is no status".to_owned())?;
    let major = |version: &str| version.split('.').next().map(str::to_owned);
    if major(&version.format_version) != major(FORMAT_VERSION) {
        return Err(format!("its status is of version {}, which is not known here", inert(&version.format_version)));
    }
    serde_json::from_slice(&body).map_err(|_| "its answer is no status".to_owned())
}

#[derive(serde::Deserialize)]
struct Version {
    format_version: String,
}

/// A look of our own: nothing but GET is sent, and nothing is written.
async fn look(args: &Args, ui: Ui) -> Result<Status, CliError> {
    let (wanted, _) = args.manifests.load(ui)?;
    let revision = args.manifests.revision();
    let opened = args.journal.open(Purpose::Plan, ui).await?;
    let keeping = args.rules.keeping(&opened, Purpose::Plan);
    let connection = args.api.connect().await?;
    let policy = args.policy.policy(args.api.is_sandbox(), &args.manifests.paths)?;
    let (api, reader, selector) = (connection.api.clone(), connection.reader(), args.manifests.selector());
    let mut reconciler = Reconciler::new(api.clone(), reader, policy, selector, keeping, fastrand::u64(..));
    let planned = match reconciler.observe(&wanted).await {
        Ok(()) => reconciler.plan(&wanted),
        Err(error) => Err(error),
    };
    connection.close().await;
    let plan = planned?.ok_or_else(|| CliError::new("nothing was observed"))?;
    let now = Timestamp::now();
    let (kept, mut traces) = (std::collections::BTreeMap::new(), reconciler.keeper().traces());
    reconciler.keeper().trace_back(&mut traces).await?;
    let setting = Setting {
        fleet: "default",
        now,
        began: now,
        revision: revision.as_deref(),
        kept: &kept,
        traces: &traces,
        looked: None,
        next: &|_| None,
    };
    let accounts = setting.accounts(&plan, &[]);
    let mut fleet = FleetStatus::new("default", Mode::Report, &api.provider, &api.url);
    tell_fleet(&mut fleet, &plan, &accounts);
    fleet.holding = false;
    fleet.source.revision = revision;
    fleet.source.read_at = Some(now);
    fleet.api.read_at = Some(now);
    fleet.frozen = reconciler.keeper().frozen();
    Ok(Status::new(ReadFrom::JournalAndApi, now, vec![fleet], accounts))
}

/// What is wrong with whole fleets, a line each.
fn troubles(status: &Status) -> Vec<String> {
    let mut lines = Vec::new();
    let several = status.fleets.len() > 1;
    for fleet in &status.fleets {
        let whose = if several { format!("{}: ", inert(&fleet.name)) } else { String::new() };
        for (what, trouble) in [
            ("The manifests cannot be read", &fleet.source.trouble),
            ("The account API cannot be used", &fleet.api.trouble),
            ("The journal cannot be used", &fleet.journal_trouble),
            ("All writes are stopped", &fleet.frozen),
        ] {
            if let Some(Trouble { message, since }) = trouble {
                lines.push(format!("{whose}{what} since {}: {}", at(*since), inert(message)));
            }
        }
        for rail in &fleet.rails {
            lines.push(format!("{whose}{} {}: {}", inert(&rail.flag), inert(&rail.value), inert(&rail.message)));
        }
    }
    lines
}

fn at(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn text(status: &Status, wide: bool) -> String {
    let several = status.fleets.len() > 1;
    let mut heads = vec!["NAME"];
    if several {
        heads.push("FLEET");
    }
    heads.extend(["READY", "REASON", "AGE", "NEXT"]);
    if wide {
        heads.extend(["STATE", "ACCOUNT", "COMMIT", "MESSAGE"]);
    }
    let rows: Vec<Vec<String>> = status.accounts.iter().map(|account| row(account, status.at, several, wide)).collect();
    table(&heads, &rows)
}

fn row(account: &AccountStatus, now: Timestamp, several: bool, wide: bool) -> Vec<String> {
    let cell = |text: &str| inert(text).into_owned();
    let length = |from: Timestamp, to: Timestamp| span(to.duration_since(from).try_into().unwrap_or_default());
    let ready = account.conditions.iter().find(|condition| condition.kind == "Ready");
    let mut row = vec![cell(&account.name)];
    if several {
        row.push(cell(&account.fleet));
    }
    row.push(ready.map_or("Unknown", |ready| ready.status.as_str()).to_owned());
    row.push(cell(&account.reason));
    row.push(length(account.since, now));
    row.push(next(account, &|at| length(now, at)));
    if wide {
        row.push(account.state.as_str().to_owned());
        row.push(account.account_id.as_deref().map(cell).unwrap_or_default());
        let commit = account.last_applied_revision.as_deref().unwrap_or_default();
        row.push(cell(commit.get(..12).unwrap_or(commit)));
        row.push(cell(&account.message));
    }
    row
}

/// When it is looked at again, and whether a person must act first.
fn next(account: &AccountStatus, until: &dyn Fn(Timestamp) -> String) -> String {
    let stalled = |condition: &Condition| condition.kind == "Stalled";
    if account.conditions.iter().any(stalled) {
        return "a person acts".to_owned();
    }
    account.next.as_ref().map_or_else(|| "-".to_owned(), |next| format!("in {}", until(next.at)))
}
