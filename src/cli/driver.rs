//! Which driver speaks to the API: the one place that knows them all. To add one is a variant
//! of [`Provider`], its arms, and [`Driver`] for its reader.

use std::sync::Arc;

use clap::ValueEnum;

use crate::provider::dnsimple::{self, AccountManagement};
use crate::provider::netlify;
use crate::provider::{BaseUrl, Billing, Capabilities, Examine, Read, Token, Webhooks, Write};
use crate::sandbox::Dialect;

use super::error::CliError;

/// Whose API it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Provider {
    /// DNSimple's, and account management in its style where a server offers it
    Dnsimple,
    /// Netlify's, as it is published
    Netlify,
}

/// What the operator's options come to, for any driver. One that knows no use for a part
/// leaves it.
pub struct Setup {
    pub base_url: BaseUrl,
    pub token: Token,
    pub capabilities: Option<Capabilities>,
    pub account_management: AccountManagement,
    pub payment_method: Option<String>,
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
    /// For what happens in accounts, where the service tells it.
    fn webhooks(&self) -> Option<Arc<dyn Webhooks>>;
}

impl Provider {
    /// As plans name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dnsimple => "dnsimple",
            Self::Netlify => "netlify",
        }
    }

    /// Where its API is unless the operator says otherwise.
    pub const fn usual_url(self) -> &'static str {
        match self {
            Self::Dnsimple => "https://api.dnsimple.com/v2",
            Self::Netlify => netlify::API_URL,
        }
    }

    /// Its dialect of the embedded sandbox.
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::Dnsimple => Dialect::Dnsimple,
            Self::Netlify => Dialect::Netlify,
        }
    }

    /// Sets its driver up. Nothing is sent yet.
    ///
    /// # Errors
    /// No usable TLS on this machine.
    pub fn connect(self, setup: Setup) -> Result<Box<dyn Driver>, CliError> {
        let Setup { base_url, token, capabilities, account_management, payment_method } = setup;
        match self {
            Self::Dnsimple => {
                let usual = dnsimple::Config::new(base_url, token);
                let config = dnsimple::Config { capabilities, account_management, ..usual };
                Ok(Box::new(dnsimple::connect(config)?))
            }
            Self::Netlify => {
                let config = netlify::Config { payment_method, ..netlify::Config::new(base_url, token) };
                Ok(Box::new(netlify::connect(config)?))
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

    fn webhooks(&self) -> Option<Arc<dyn Webhooks>> {
        Some(Arc::new(self.clone()))
    }
}

impl Driver for netlify::Reader {
    fn reader(&self) -> Arc<dyn Read> {
        Arc::new(self.clone())
    }

    fn writer(&self) -> Arc<dyn Write> {
        Arc::new(netlify::Reader::writer(self))
    }

    fn examiner(&self) -> Arc<dyn Examine> {
        Arc::new(self.clone())
    }

    fn billing(&self) -> Option<Arc<dyn Billing>> {
        None
    }

    fn webhooks(&self) -> Option<Arc<dyn Webhooks>> {
        None
    }
}
