//! Who is answered at all: a page from elsewhere, whatever name it made its address resolve to
//! here, neither reads nor asks for anything.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

/// The address of this machine that a connection came to.
#[derive(Debug, Clone, Copy)]
pub struct Arrived(pub Option<SocketAddr>);

/// The names under which the page is served, beside loopback's and the address itself.
#[derive(Debug, Clone, Default)]
pub struct Names(Arc<[String]>);

impl Names {
    /// These, without regard to case; a port in the request does not matter.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().map(|name| name.trim_end_matches('.').to_ascii_lowercase()).collect())
    }

    /// Whether a request may be answered.
    fn check(&self, arrived: Option<SocketAddr>, headers: &HeaderMap) -> Result<(), &'static str> {
        let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        let host = text(header::HOST).unwrap_or_default();
        if !self.is_ours(host, arrived) {
            return Err("this Host is not served; `--listen-host NAME` serves another name\n");
        }
        let is_own = |origin: &str| origin.split_once("://").is_some_and(|(_, from)| from.eq_ignore_ascii_case(host));
        if text(header::ORIGIN).is_some_and(|origin| !is_own(origin)) {
            return Err("the request comes from another site\n");
        }
        let site = text(HeaderName::from_static("sec-fetch-site"));
        // Following a link to the page is no harm: who wrote it sees nothing of it.
        let follows = text(HeaderName::from_static("sec-fetch-mode")) == Some("navigate")
            && text(HeaderName::from_static("sec-fetch-dest")) == Some("document");
        if site.is_some_and(|site| !matches!(site, "same-origin" | "none")) && !follows {
            return Err("the request comes from another site\n");
        }
        Ok(())
    }

    fn is_ours(&self, host: &str, arrived: Option<SocketAddr>) -> bool {
        let name = without_port(host).trim_end_matches('.').to_ascii_lowercase();
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        match bare.parse::<IpAddr>() {
            // An address resolves to nothing else: it is ours if the connection came to it.
            Ok(ip) => {
                let ip = ip.to_canonical();
                ip.is_loopback() || arrived.is_some_and(|arrived| arrived.ip().to_canonical() == ip)
            }
            Err(_) => name == "localhost" || name.ends_with(".localhost") || self.0.contains(&name),
        }
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        Some(_) | None => host,
    }
}

/// Answers 403 to whoever does not ask for this place by its name.
pub async fn guard(State(names): State<Names>, request: Request, next: Next) -> Response {
    let arrived = request.extensions().get::<ConnectInfo<Arrived>>().and_then(|info| info.0.0);
    let arrived = arrived.or(Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))));
    match names.check(arrived, request.headers()) {
        Ok(()) => next.run(request).await,
        Err(why) => (StatusCode::FORBIDDEN, why).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn visit(arrived: &str, headers: &[(&'static str, &'static str)]) -> Result<(), &'static str> {
        let names = Names::new(["bursar.agency.example".to_owned()]);
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        names.check(Some(arrived.parse().unwrap()), &headers.iter().map(pair).collect())
    }

    #[test]
    fn only_loopback_the_address_and_the_names_that_were_given_are_served() {
        for host in
            ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080", "10.1.2.3:8080", "Bursar.Agency.example:443"]
        {
            assert_eq!(visit("10.1.2.3:8080", &[("host", host)]), Ok(()), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "10.1.2.4:8080",
            "127.0.0.1.evil.example",
            "localhost.evil.example:8080",
            "bursar.agency.example.evil.example",
            "[::2]:8080",
            "0.0.0.0:8080",
        ] {
            assert!(visit("10.1.2.3:8080", &[("host", host)]).is_err(), "{host}");
        }
        assert!(visit("10.1.2.3:8080", &[]).is_err());
    }

    #[test]
    fn a_page_of_another_site_gets_nothing_and_a_link_may_be_followed() {
        let (here, host) = ("127.0.0.1:8080", ("host", "127.0.0.1:8080"));
        assert_eq!(visit(here, &[host, ("origin", "http://127.0.0.1:8080")]), Ok(()));
        assert_eq!(visit(here, &[host, ("sec-fetch-site", "same-origin")]), Ok(()));
        let link =
            [host, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        assert_eq!(visit(here, &link), Ok(()));
        for foreign in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("origin", "http://127.0.0.1:1"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            assert!(visit(here, &[host, foreign]).is_err(), "{foreign:?}");
        }
        let frame =
            [host, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
        assert!(visit(here, &frame).is_err());
    }
}
