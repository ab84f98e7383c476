//! Where notifications go. The address may hold a secret, so nothing shows more of it than
//! its host.

use std::fmt;

use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};

use crate::provider::BaseUrl;

/// How a receiver likes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// What the host asks for: Slack's own gets Slack's, every other one JSON
    #[default]
    Auto,
    /// An object with all that is known
    Json,
    /// `{"text": ...}`, as Slack, Mattermost and others take it
    Slack,
}

/// An address of the operator's, with its form settled.
#[derive(Clone)]
pub struct Address {
    url: SecretString,
    name: String,
    loopback: bool,
    slack: bool,
}

/// An address that is not taken. The address itself is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not an address of the web.
    #[error("a receiver of notifications is not a URL; write it like https://hooks.example/secret")]
    Form,
    /// What it holds would travel in the clear.
    #[error("a receiver of notifications needs https://; plain http:// is for this very machine only")]
    Insecure,
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// Anything but `https`; plain `http` to this very machine is fine.
    pub fn parse(raw: &str, format: Format) -> Result<Self, AddressError> {
        let url = Url::parse(raw.trim()).map_err(|_| AddressError::Form)?;
        let host = url.host_str().ok_or(AddressError::Form)?.to_owned();
        let name = url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        let loopback = BaseUrl::parse(&format!("https://{name}/")).is_ok_and(|base| base.is_loopback());
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => return Err(AddressError::Insecure),
            _ => return Err(AddressError::Form),
        }
        let slack = match format {
            Format::Auto => host == "hooks.slack.com" || host.ends_with(".slack.com"),
            Format::Json => false,
            Format::Slack => true,
        };
        Ok(Self { url: SecretString::from(String::from(url)), name, loopback, slack })
    }

    /// Its host, and its port where that is not the usual one: all of it that is shown.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is this very machine.
    pub const fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// Whether it wants Slack's form.
    pub const fn is_slack(&self) -> bool {
        self.slack
    }

    /// The address itself, for the one request that carries it.
    pub(super) fn expose(&self) -> &str {
        self.url.expose_secret()
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({}, ...)", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_https_or_on_this_machine_and_shows_its_host_alone() {
        for (raw, name, slack) in [
            ("https://hooks.slack.com/services/T0/B0/secret", "hooks.slack.com", true),
            ("https://chat.example:8443/hooks/secret?key=secret", "chat.example:8443", false),
            ("http://127.0.0.1:9/secret", "127.0.0.1:9", false),
            ("http://[::1]:9/secret", "[::1]:9", false),
        ] {
            let address = Address::parse(raw, Format::Auto).unwrap();
            assert_eq!((address.name(), address.is_slack()), (name, slack), "{raw}");
            assert!(!format!("{address:?}").contains("secret"));
        }
        assert!(Address::parse("http://127.0.0.1/x", Format::Slack).unwrap().is_slack());
        assert_eq!(Address::parse("http://chat.example/x", Format::Auto).unwrap_err(), AddressError::Insecure);
        assert_eq!(Address::parse("ftp://chat.example/x", Format::Auto).unwrap_err(), AddressError::Form);
        assert_eq!(Address::parse("hooks", Format::Auto).unwrap_err(), AddressError::Form);
    }
}
