//! `bursar webhooks`: the service tells of changes in each account that a manifest names.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use reqwest::Url;

use crate::controller::{Keeping, Reconciler};
use crate::domain::AccountId;
use crate::domain::text::inert;
use crate::plan::{AccountState, Adopt, Plan, Policy, Reason};
use crate::provider::{ApiErrorKind, Webhook, Webhooks};
use crate::web::{DNSIMPLE, Secret};

use super::api::ApiArgs;
use super::error::{CliError, CliResult};
use super::listen::no_secret;
use super::manifests::ManifestArgs;
use super::ui::Ui;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Show the webhooks of each account, and which are suppressed
    List(ListArgs),
    /// Register our receiver in each account, once
    Install(ChangeArgs),
    /// Take our receiver out of each account, those with an earlier secret too
    Remove(ChangeArgs),
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    #[command(flatten)]
    manifests: ManifestArgs,
    /// Which accounts found by their name count as ours
    #[arg(long, env = "BURSAR_ADOPT", value_enum, default_value = "matching")]
    adopt: Adopt,
    #[command(flatten)]
    api: ApiArgs,
}

#[derive(Debug, clap::Args)]
struct ChangeArgs {
    #[command(flatten)]
    common: ListArgs,
    /// Where the service reaches `bursar run --listen` from outside, `https://hooks.agency.example`
    #[arg(long, value_name = "URL", value_parser = base)]
    url: Url,
    /// The file with the secret of the webhooks' address, as `bursar run` has it
    #[arg(long, env = "BURSAR_HOOK_SECRET_FILE", value_name = "FILE")]
    hook_secret_file: PathBuf,
    /// Do it; without, it is only told
    #[arg(long)]
    yes: bool,
}

/// An address of ours: HTTPS, a host, and nothing else.
fn base(raw: &str) -> Result<Url, String> {
    let expected = || "expected https://HOST, without a user, a query or a fragment".to_owned();
    let url = Url::parse(raw).map_err(|_| expected())?;
    let bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    let holds = url.scheme() == "https" && url.has_host() && bare && url.fragment().is_none();
    if holds { Ok(url) } else { Err(expected()) }
}

/// Our receiver's address.
struct Ours {
    /// All but the secret.
    before: String,
    secret: Secret,
}

impl Ours {
    fn new(base: &Url, file: &Path) -> Result<Self, CliError> {
        let secret = Secret::from_file(file).map_err(no_secret)?;
        let before = format!("{}{DNSIMPLE}", base.as_str().trim_end_matches('/'));
        Ok(Self { before, secret })
    }

    fn url(&self) -> String {
        format!("{}{}", self.before, self.secret.expose())
    }

    /// Whether a webhook is this receiver's; `Some(false)` is one with another secret.
    fn is(&self, webhook: &Webhook) -> Option<bool> {
        webhook.url.raw().strip_prefix(&self.before).map(|secret| self.secret.is(secret))
    }
}

/// An account that is ours to change.
struct Account {
    client: String,
    id: AccountId,
}

pub async fn run(args: Args, ui: Ui) -> CliResult {
    let (common, change) = match &args.what {
        What::List(args) => (args, None),
        What::Install(args) | What::Remove(args) => {
            (&args.common, Some((Ours::new(&args.url, &args.hook_secret_file)?, args.yes)))
        }
    };
    let (wanted, invalid) = common.manifests.load(ui)?;
    let connection = common.api.connect().await?;
    let service = connection.webhooks()?;
    let policy = Policy { adopt: common.adopt, ..Policy::default() };
    let (api, selector) = (connection.api.clone(), common.manifests.selector());
    let keeping = Keeping { dry: true, ..Keeping::in_memory("webhooks") };
    let mut reconciler = Reconciler::new(api, connection.reader(), policy, selector, keeping, fastrand::u64(..));
    let planned = match reconciler.observe(&wanted).await {
        Ok(()) => reconciler.plan(&wanted),
        Err(error) => Err(error),
    };
    let accounts = planned.map(|plan| plan.as_ref().map(ours).unwrap_or_default());
    let mut failed = false;
    if let Ok(accounts) = &accounts {
        for account in accounts {
            let service = &*service;
            let told = match (&args.what, &change) {
                (What::Install(_), Some((ours, yes))) => install(service, account, ours, *yes).await,
                (What::Remove(_), Some((ours, yes))) => remove(service, account, ours, *yes).await,
                _ => list(service, account).await,
            };
            let Account { client, id } = account;
            match told {
                Ok(lines) => lines.iter().for_each(|line| ui.out(&format!("{client} (account {id}): {line}\n"))),
                Err(why) => {
                    failed = true;
                    ui.warn(&format!("{client} (account {id}): {why}"));
                }
            }
        }
    }
    connection.close().await;
    if accounts?.is_empty() {
        ui.say("No manifest names an account that is there and ours.");
    } else if change.is_some_and(|(_, yes)| !yes) {
        ui.say("Nothing was changed; with --yes it is.");
    }
    Ok(if failed || invalid { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The accounts that a plan would change: none that is perhaps somebody else's, and none that
/// is suspended.
fn ours(plan: &Plan) -> Vec<Account> {
    let foreign = |reason| matches!(reason, Reason::AdoptionNeeded | Reason::AmbiguousAccount);
    plan.accounts
        .iter()
        .filter(|account| !matches!(account.state, AccountState::Suspended | AccountState::Invalid))
        .filter(|account| !account.actions.iter().filter_map(|action| action.reason).any(foreign))
        .filter_map(|account| Some(Account { client: account.name.clone(), id: account.account_id.clone()? }))
        .collect()
}

async fn list(service: &dyn Webhooks, account: &Account) -> Result<Vec<String>, String> {
    let webhooks = service.webhooks(&account.id).await.map_err(|error| error.to_string())?;
    if webhooks.is_empty() {
        return Ok(vec!["none".to_owned()]);
    }
    Ok(webhooks.iter().map(|webhook| format!("{} {}{}", webhook.id, shown(webhook), suppressed(webhook))).collect())
}

async fn install(service: &dyn Webhooks, account: &Account, ours: &Ours, yes: bool) -> Result<Vec<String>, String> {
    let webhooks = service.webhooks(&account.id).await.map_err(|error| ours.secret.redact(&error.to_string()))?;
    let mut lines: Vec<String> = webhooks
        .iter()
        .filter(|webhook| ours.is(webhook) == Some(false))
        .map(|webhook| format!("{} is ours with another secret{}", webhook.id, suppressed(webhook)))
        .collect();
    let there = webhooks.iter().find(|webhook| ours.is(webhook) == Some(true));
    lines.push(match there {
        Some(webhook) => format!("{} is registered{}", webhook.id, suppressed(webhook)),
        None if !yes => format!("to register {}[secret]", ours.before),
        None => match service.register(&account.id, &ours.url()).await {
            Ok(written) => format!("{} registered", written.value.id),
            Err(error) => return Err(told(&error.kind, &ours.secret.redact(&error.to_string()))),
        },
    });
    Ok(lines)
}

async fn remove(service: &dyn Webhooks, account: &Account, ours: &Ours, yes: bool) -> Result<Vec<String>, String> {
    let webhooks = service.webhooks(&account.id).await.map_err(|error| ours.secret.redact(&error.to_string()))?;
    let mut lines = Vec::new();
    for webhook in webhooks.iter().filter(|webhook| ours.is(webhook).is_some()) {
        let id = &webhook.id;
        if yes {
            let removed = service.unregister(&account.id, id).await;
            removed.map_err(|error| told(&error.kind, &ours.secret.redact(&error.to_string())))?;
        }
        lines.push(if yes { format!("{id} removed") } else { format!("to remove {id}") });
    }
    if lines.is_empty() {
        lines.push("none of ours".to_owned());
    }
    Ok(lines)
}

/// A failure, and what ends it where nobody knows what came of it.
fn told(kind: &ApiErrorKind, error: &str) -> String {
    match kind {
        ApiErrorKind::Unclear { .. } => format!("{error}; the same command once more reads first what came of it"),
        _ => error.to_owned(),
    }
}

/// An address without its path, which may hold a secret.
fn shown(webhook: &Webhook) -> String {
    let url = Url::parse(webhook.url.raw()).ok();
    let host = url.and_then(|url| Some((url.scheme().to_owned(), url.host_str()?.to_owned())));
    host.map_or_else(
        || "an address that is none".to_owned(),
        |(scheme, host)| inert(&format!("{scheme}://{host}/…")).into_owned(),
    )
}

fn suppressed(webhook: &Webhook) -> String {
    webhook.suppressed_at.map_or_else(String::new, |at| {
        format!(
            ", suppressed since {}: nothing answered it, and the service sends nothing more until somebody lifts that \
             on the account's page",
            at.strftime("%Y-%m-%d")
        )
    })
}
