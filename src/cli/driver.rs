//! Which driver speaks to the API: the one place that knows them all. To add one is a variant
//! of [`Provider`], its arms, and [`Driver`] for its reader.

use std::sync::Arc;

use clap::ValueEnum;

use crate::provider::dnsimple::{self, AccountManagement};
use crate::provider::{BaseUrl, Billing, Capabilities, Examine, Read, Token, Write};

use super::error::CliError;

/// Whose API it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Provider {
    /// DNSimple's, and account management in its style where a server offers it
    Dnsimple,
}

/// What the operator's options come to, for any driver. One that knows no use for a part
/// leaves it.
pub struct Setup {
    pub base_url: BaseUrl,
    pub token: Token,
    pub capabilities: Option<Capabilities>,
    pub account_management: AccountManagement,
}

/// What the commands need from a driver. All parts share one count of requests and one quota.
pub trait Driver: Send + Sync {
    /// For looking.
    fn reader(&self) -> Arc<dyn Read>;
    /// For carrying a plan out.
    fn writer(&self) -> Arc<dyn Write>;
    /// For looking the server over.
    fn examiner(&self) -> Arc<dyn Examine>;
    /// For what was charged, where the service publishes that.
    fn billing(&self) -> Option<Arc<dyn Billing>>;
}

impl Provider {
    /// As plans name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dnsimple => "dnsimple",
        }
    }

    /// Where its API is unless the operator says otherwise.
    pub const fn usual_url(self) -> &'static str {
        match self {
            Self::Dnsimple => "https://api.dnsimple.com/v2",
        }
    }

    /// Sets its driver up. Nothing is sent yet.
    ///
    /// # Errors
    /// No usable TLS on this machine.
    pub fn connect(self, setup: Setup) -> Result<Box<dyn Driver>, CliError> {
        let Setup { base_url, token, capabilities, account_management } = setup;
        match self {
            Self::Dnsimple => {
                let usual = dnsimple::Config::new(base_url, token);
                let config = dnsimple::Config { capabilities, account_management, ..usual };
                Ok(Box::new(dnsimple::connect(config)?))
            }
        }
    }
}

impl Driver for dnsimple::Reader {
    fn reader(&self) -> Arc<dyn Read> {
        Arc::new(self.clone())
    }

    fn writer(&self) -> Arc<dyn Write> {
        Arc::new(dnsimple::Reader::writer(self))
    }

    fn examiner(&self) -> Arc<dyn Examine> {
        Arc::new(self.clone())
    }

    fn billing(&self) -> Option<Arc<dyn Billing>> {
        Some(Arc::new(self.clone()))
    }
}
