//! The address of the account API: encrypted, or on this very machine.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use reqwest::Url;

/// Where the account API is, `https://api.dnsimple.com/v2`: `https`, or `http` to this very
/// machine, so that a token never travels in the clear.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

/// An address that is not taken. The address itself is not repeated: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// Not an address of the web.
    #[error("the API's address is not a URL; write it like https://api.dnsimple.com/v2")]
    Form,
    /// The token would travel in the clear.
    #[error(
        "the API's address needs https://; plain http:// is for this very machine only (127.0.0.1, ::1, localhost)"
    )]
    Insecure,
    /// A name or a password in front of the host.
    #[error("the API's address holds a user name or a password; the token is given by BURSAR_TOKEN or a token file")]
    UserInfo,
    /// `?` or `#`.
    #[error("the API's address ends with its path; leave out everything from `?` or `#` on")]
    Tail,
}

impl BaseUrl {
    /// Reads an address; a slash at its end makes no difference.
    ///
    /// # Errors
    /// Anything but `https` (plain `http` to loopback is fine), user info, a query, a fragment.
    pub fn parse(raw: &str) -> Result<Self, BaseUrlError> {
        let mut url = Url::parse(raw.trim()).map_err(|_| BaseUrlError::Form)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BaseUrlError::UserInfo);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(BaseUrlError::Tail);
        }
        let kept = url.path().trim_end_matches('/').to_owned();
        url.set_path(&kept);
        let base = Self(url);
        match base.0.scheme() {
            "https" => Ok(base),
            "http" if base.is_loopback() => Ok(base),
            "http" => Err(BaseUrlError::Insecure),
            _ => Err(BaseUrlError::Form),
        }
    }

    /// Whether this is one of the vendor's own hosts, production or test site, where account
    /// management stays off until the operator switches it on.
    pub fn is_vendor(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default().trim_end_matches('.');
        host == "dnsimple.com" || host.ends_with(".dnsimple.com")
    }

    /// Whether it is this very machine.
    pub fn is_loopback(&self) -> bool {
        // `host_str` gives IPv6 in brackets; every spelling of an IPv4 address is already plain.
        let host = self.0.host_str().unwrap_or_default();
        host == "localhost"
            || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
            || host.trim_matches(['[', ']']).parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// The path, without a slash at its end: `/v2`.
    pub(super) fn path(&self) -> &str {
        self.0.path().trim_end_matches('/')
    }

    /// The address of an endpoint. The segments are ids or fixed words, and checked by the
    /// caller: `..` would silently shorten the path.
    pub(super) fn endpoint(&self, segments: &[&str]) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}
impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_https_or_on_this_machine() {
        for (raw, shown, endpoint) in [
            ("https://api.dnsimple.com/v2", "https://api.dnsimple.com/v2", "https://api.dnsimple.com/v2/accounts"),
            ("https://api.dnsimple.com/v2///", "https://api.dnsimple.com/v2", "https://api.dnsimple.com/v2/accounts"),
            ("https://API.example:8443", "https://api.example:8443", "https://api.example:8443/accounts"),
            ("http://127.0.0.1:8787/v2/", "http://127.0.0.1:8787/v2", "http://127.0.0.1:8787/v2/accounts"),
            ("http://127.9.9.9/v2", "http://127.9.9.9/v2", "http://127.9.9.9/v2/accounts"),
            ("http://[::1]:1/v2", "http://[::1]:1/v2", "http://[::1]:1/v2/accounts"),
            ("http://localhost/a/b", "http://localhost/a/b", "http://localhost/a/b/accounts"),
        ] {
            let base = BaseUrl::parse(raw).unwrap();
            assert_eq!((base.to_string().as_str(), base.endpoint(&["accounts"]).as_str()), (shown, endpoint));
        }
    }

    #[test]
    fn everything_else_is_refused_without_repeating_it() {
        for (raw, error) in [
            ("http://api.example/v2", BaseUrlError::Insecure),
            ("http://127.0.0.1.evil.example/v2", BaseUrlError::Insecure),
            ("http://localhost.evil.example/v2", BaseUrlError::Insecure),
            ("http://10.0.0.1/v2", BaseUrlError::Insecure),
            ("http://[::ffff:127.0.0.1]/v2", BaseUrlError::Insecure),
            ("http://0.0.0.0/v2", BaseUrlError::Insecure),
            ("https://user:pass@api.example/v2", BaseUrlError::UserInfo),
            ("http://localhost@evil.example/v2", BaseUrlError::UserInfo),
            ("https://api.example/v2?x=1", BaseUrlError::Tail),
            ("https://api.example/v2#x", BaseUrlError::Tail),
            ("ftp://api.example/v2", BaseUrlError::Form),
            ("file:///etc/passwd", BaseUrlError::Form),
            ("api.example/v2", BaseUrlError::Form),
            ("", BaseUrlError::Form),
        ] {
            assert_eq!(BaseUrl::parse(raw).unwrap_err(), error, "{raw}");
        }
    }

    #[test]
    fn the_vendors_hosts_are_known() {
        for (raw, vendor) in [
            ("https://api.dnsimple.com/v2", true),
            ("https://API.DNSimple.com./v2", true),
            ("https://api.sandbox.dnsimple.com/v2", true),
            ("https://dnsimple.com.evil.example/v2", false),
            ("https://notdnsimple.com/v2", false),
            ("http://127.0.0.1:8787/v2", false),
        ] {
            assert_eq!(BaseUrl::parse(raw).unwrap().is_vendor(), vendor, "{raw}");
        }
    }
}
