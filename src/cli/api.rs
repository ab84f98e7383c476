//! Which API, with whose token: the options that plan, apply and run share. They are the operator's; no manifest can set one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum;

use crate::plan::ApiInfo;
use crate::provider::dnsimple::AccountManagement;
use crate::provider::{BaseUrl, Billing, Capabilities, Capability, Examine, Read, Webhooks, Write, token};
use crate::sandbox::{self, Sandbox, SandboxError};

use super::driver::{Driver, Provider, Setup};
use super::error::CliError;

/// Where the sandbox keeps its world by default.
pub const SANDBOX_FILE: &str = ".bursar/sandbox.db";

/// Where its page is by default: the same after each restart, so that an open tab stays good.
const USUAL_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8787);

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Account API")]
pub struct ApiArgs {
    /// The API's base URL [default: the provider's own, https://api.dnsimple.com/v2]
    #[arg(long, env = "BURSAR_API_URL", value_name = "URL")]
    api_url: Option<String>,
    /// Whose API it is, or whose dialect it speaks
    #[arg(long, env = "BURSAR_PROVIDER", value_enum, default_value = "dnsimple")]
    provider: Provider,
    /// A file with the token; without it, BURSAR_TOKEN holds the token itself
    #[arg(long, env = "BURSAR_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Which of the token's payment methods pays for plans, where the API asks for one and there are several
    #[arg(long, env = "BURSAR_PAYMENT_METHOD", value_name = "ID")]
    payment_method: Option<String>,
    /// Overrule what the server says it can do: a comma list, empty for nothing
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    capabilities: Option<Vec<String>>,
    /// Use account management on the vendor's own hosts, if it answers there
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN")]
    account_management: Management,
    /// Use the embedded account API instead, kept in FILE (.bursar/sandbox.db without one)
    #[arg(
        long,
        value_name = "FILE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = SANDBOX_FILE,
        help_heading = "Sandbox"
    )]
    sandbox: Option<PathBuf>,
    /// Sign these people up in the sandbox first: a file, an email a line
    #[arg(long, value_name = "FILE", requires = "sandbox", help_heading = "Sandbox")]
    sandbox_users: Option<PathBuf>,
    /// Where the sandbox's page is served [default: 127.0.0.1:8787, or another port where that is taken]
    #[arg(long, value_name = "ADDRESS", requires = "sandbox", help_heading = "Sandbox")]
    sandbox_listen: Option<SocketAddr>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Management {
    /// Wherever it is offered, but on the vendor's own hosts
    Auto,
    /// On the vendor's own hosts, too
    On,
}

/// A connection to an API, and the sandbox behind it if it is one.
pub struct Connection {
    /// Which API, for plans.
    pub api: ApiInfo,
    /// The sandbox, to be stopped in the end.
    pub sandbox: Option<Sandbox>,
    /// What the operator says the server has, in place of its own word.
    pub overruled: Option<Capabilities>,
    /// Where the API is.
    pub base_url: BaseUrl,
    driver: Box<dyn Driver>,
}

impl Connection {
    /// For looking.
    pub fn reader(&self) -> Arc<dyn Read> {
        self.driver.reader()
    }

    /// For carrying a plan out; nothing else asks for it, but `doctor --probe` in a sandbox.
    pub fn writer(&self) -> Arc<dyn Write> {
        self.driver.writer()
    }

    /// For looking the server over.
    pub fn examiner(&self) -> Arc<dyn Examine> {
        self.driver.examiner()
    }

    /// For what was charged.
    ///
    /// # Errors
    /// The service does not publish it.
    pub fn billing(&self) -> Result<Arc<dyn Billing>, CliError> {
        let provider = &self.api.provider;
        self.driver.billing().ok_or_else(|| CliError::new(format!("{provider} does not publish what was charged")))
    }

    /// For what happens in accounts.
    ///
    /// # Errors
    /// The service does not publish it.
    pub fn webhooks(&self) -> Result<Arc<dyn Webhooks>, CliError> {
        let provider = &self.api.provider;
        self.driver.webhooks().ok_or_else(|| CliError::new(format!("{provider} publishes no webhooks of accounts")))
    }

    /// Stops the sandbox, if there is one.
    pub async fn close(self) {
        if let Some(sandbox) = self.sandbox {
            sandbox.stop().await;
        }
    }
}

impl ApiArgs {
    /// Whether the sandbox stands in for a real API.
    pub const fn is_sandbox(&self) -> bool {
        self.sandbox.is_some()
    }

    /// Connects; starts the sandbox first where it is asked for. No request is sent yet.
    ///
    /// # Errors
    /// A URL, token or file that does not hold; each, where there are several.
    pub async fn connect(&self) -> Result<Connection, CliError> {
        let mut faults = Vec::new();
        match self.connect_or(&mut faults).await {
            Some(connection) => Ok(connection),
            None => Err(CliError::several("keep bursar from the account API", faults)),
        }
    }

    /// The same, with what does not hold put to the faults.
    pub async fn connect_or(&self, faults: &mut Vec<CliError>) -> Option<Connection> {
        let capabilities = kept(self.capabilities(), faults);
        let (base_url, token, sandbox) = if let Some(file) = &self.sandbox {
            let sandbox = kept(self.start_sandbox(file).await, faults)?;
            let token = token::Token::from_text(sandbox.token().to_owned());
            (BaseUrl::parse(&sandbox.api_url()), token, Some(sandbox))
        } else {
            let env = std::env::var("BURSAR_TOKEN").ok();
            (BaseUrl::parse(self.api_url()), token::find(env, self.token_file.as_deref()), None)
        };
        let (base_url, token) = (kept(base_url, faults), kept(token, faults));
        let (capabilities, base_url, token) = (capabilities?, base_url?, token?);
        let api = ApiInfo { provider: self.provider.name().into(), url: base_url.to_string() };
        let setup = Setup {
            base_url: base_url.clone(),
            token,
            capabilities: capabilities.clone(),
            account_management: match self.account_management {
                Management::Auto => AccountManagement::Auto,
                Management::On => AccountManagement::On,
            },
            payment_method: self.payment_method.clone(),
        };
        let driver = kept(self.provider.connect(setup), faults)?;
        Some(Connection { api, sandbox, overruled: capabilities, base_url, driver })
    }

    fn api_url(&self) -> &str {
        self.api_url.as_deref().unwrap_or_else(|| self.provider.usual_url())
    }

    fn capabilities(&self) -> Result<Option<Capabilities>, CliError> {
        let Some(names) = &self.capabilities else { return Ok(None) };
        let known = || Capability::ALL.map(Capability::name).join(", ");
        names
            .iter()
            .map(|name| name.trim())
            .filter(|name| !name.is_empty())
            .map(|name| {
                Capability::from_name(name).ok_or_else(|| {
                    CliError::new(format!("`{}` is not a capability", crate::domain::text::inert(name)))
                        .hint(format!("known are {}", known()))
                })
            })
            .collect::<Result<_, _>>()
            .map(Some)
    }

    async fn start_sandbox(&self, file: &std::path::Path) -> Result<Sandbox, CliError> {
        let users = match &self.sandbox_users {
            Some(path) => super::sandbox::read_users(path)?,
            None => Vec::new(),
        };
        let options = sandbox::Options {
            listen: self.sandbox_listen.unwrap_or(USUAL_ADDRESS),
            data: Some(file.to_owned()),
            users,
            ..sandbox::Options::of(self.provider.dialect())
        };
        match (sandbox::start(options.clone()).await, self.sandbox_listen) {
            // Nobody asked for this very port: any other does as well.
            (Err(SandboxError::Listen { .. }), None) => {
                let anywhere = sandbox::Options { listen: sandbox::Options::default().listen, ..options };
                sandbox::start(anywhere).await
            }
            (started, _) => started,
        }
        .map_err(super::sandbox::not_started)
    }
}

/// What holds; what does not is put to the faults.
fn kept<T, E: Into<CliError>>(result: Result<T, E>, faults: &mut Vec<CliError>) -> Option<T> {
    result.map_err(|error| faults.push(error.into())).ok()
}
